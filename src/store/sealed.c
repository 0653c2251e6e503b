/* Small secrets of the program itself (the gateway's signing keys): rows of
 * meta, sealed under a sub-key of the server key. */
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/store_int.h"

enum { SEALED_MAX = 64 * 1024, NAME_MAX_BYTES = 64 };

static void name_make(char out[NAME_MAX_BYTES], const char *name)
{
    snprintf(out, NAME_MAX_BYTES, SEALED_PREFIX "%s", name);
}

static int sealer_open(const struct store *s, struct sealer **out)
{
    uint8_t key[SEAL_KEY_BYTES];
    server_key_derive(&s->server_key, SEALED_PURPOSE, key, sizeof key);
    int rc = sealer_new(out, key);
    mem_wipe(key, sizeof key);
    return rc;
}

int store_sealed_get(struct store *s, const char *name, struct arena *a,
                     struct sv *out)
{
    char full[NAME_MAX_BYTES];
    struct sv sealed = { 0 };
    struct sealer *sealer = NULL;
    name_make(full, name);
    int rc = store_meta_get(s, full, a, &sealed);
    if (rc) return rc;
    if (sealed.n <= SEAL_TAG_BYTES) return ERR_CORRUPT;
    uint8_t *plain = arena_alloc(a, sealed.n - SEAL_TAG_BYTES);
    if (!plain) return ERR_NOMEM;
    rc = sealer_open(s, &sealer);
    if (rc == 0) rc = seal_open(sealer, sealed, plain);
    sealer_free(&sealer);
    *out = sv_of(plain, sealed.n - SEAL_TAG_BYTES);
    return rc;
}

int store_sealed_set(struct store *s, const char *name, struct sv plain)
{
    char full[NAME_MAX_BYTES];
    struct sealer *sealer = NULL;
    if (plain.n == 0 || plain.n > SEALED_MAX) return ERR_INVALID;
    uint8_t *sealed = mem_alloc(SEAL_TAG_BYTES + plain.n);
    name_make(full, name);
    int rc = sealer_open(s, &sealer);
    if (rc == 0) rc = seal_close(sealer, plain, sealed);
    sealer_free(&sealer);
    if (rc == 0)
        rc = store_meta_set(s, full, sv_of(sealed, SEAL_TAG_BYTES + plain.n));
    mem_free(sealed);
    return rc;
}

/* --- another server key --------------------------------------------------------- */

static int reseal(struct sealer *from, struct sealer *to, struct sv old,
                  uint8_t *fresh)
{
    if (old.n <= SEAL_TAG_BYTES || old.n > SEAL_TAG_BYTES + SEALED_MAX)
        return ERR_CORRUPT;
    size_t n = old.n - SEAL_TAG_BYTES;
    uint8_t *plain = mem_alloc(n);
    int rc = seal_open(from, old, plain);
    if (rc == 0) rc = seal_close(to, sv_of(plain, n), fresh);
    mem_wipe(plain, n);
    mem_free(plain);
    return rc;
}

/* The row behind `name`, in the order of names; SQL_ROW, 0 or a failure. */
static int rotate_next(struct sql_db *db, struct sealer *from,
                       struct sealer *to, char name[NAME_MAX_BYTES])
{
    struct sql *q = sql_get(db, "SELECT name, value FROM meta"
                                " WHERE name > ?1 AND"
                                " name < '" SEALED_PREFIX "~'"
                                " ORDER BY name LIMIT 1");
    sql_bind_text(q, 1, sv_cstr(name));
    int rc = sql_step(q);
    if (rc != SQL_ROW) {
        sql_done(q);
        return rc;
    }
    struct sv found = sql_bytes(q, 0), old = sql_bytes(q, 1);
    uint8_t *fresh = mem_alloc(old.n + 1);
    size_t n = old.n;
    rc = found.n < NAME_MAX_BYTES ? reseal(from, to, old, fresh) : ERR_CORRUPT;
    if (rc == 0) snprintf(name, NAME_MAX_BYTES, "%.*s", SV_FMT(found));
    sql_done(q);
    if (rc == 0) {
        q = sql_get(db, "UPDATE meta SET value = ?2 WHERE name = ?1");
        sql_bind_text(q, 1, sv_cstr(name));
        sql_bind_blob(q, 2, fresh, n);
        rc = sql_run(q);
    }
    mem_free(fresh);
    return rc ? rc : SQL_ROW;
}

int sealed_rotate(struct sql_db *db, struct sealer *from, struct sealer *to)
{
    char name[NAME_MAX_BYTES] = SEALED_PREFIX;
    int rc = SQL_ROW;
    while (rc == SQL_ROW) rc = rotate_next(db, from, to, name);
    return rc;
}
