/* Opening, transactions, ids, small values. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/schema.h"
#include "store/store_int.h"

/* --- shared helpers ----------------------------------------------------------- */

int store_note(struct store *s, int rc)
{
    static const struct {
        const char *columns;
        enum store_clash clash;
    } clashes[] = {
        { "record.kind, record.account, record.uniq", CLASH_KEY },
        { "application.domain", CLASH_DOMAIN },
        { "token.app, token.mark", CLASH_HASH },
    };
    s->clash = CLASH_NONE;
    if (rc != ERR_EXISTS) return rc;
    s->clash = CLASH_ID;
    for (size_t i = 0; i < ARRAY_LEN(clashes); i++)
        if (strcmp(s->db->clash, clashes[i].columns) == 0)
            s->clash = clashes[i].clash;
    return rc;
}

int store_run(struct store *s, struct sql *q)
{
    return store_note(s, sql_run(q));
}

void store_need_transaction(const struct store *s)
{
    ENSURE(s->in_transaction);
}

enum store_clash store_clash(const struct store *s)
{
    return s->clash;
}

int seal_digest(struct sealer *sealer, const uint8_t digest[SHA256_BYTES],
                struct sealed *out)
{
    uint8_t whole[SEAL_TAG_BYTES + SHA256_BYTES];
    int rc = seal_close(sealer, sv_of(digest, SHA256_BYTES), whole);
    memcpy(out->mark, whole, sizeof out->mark);
    memcpy(out->text, whole + SEAL_TAG_BYTES, sizeof out->text);
    return rc;
}

int open_digest(struct sealer *sealer, const struct sealed *sealed,
                uint8_t digest[SHA256_BYTES])
{
    uint8_t whole[SEAL_TAG_BYTES + SHA256_BYTES];
    memcpy(whole, sealed->mark, sizeof sealed->mark);
    memcpy(whole + SEAL_TAG_BYTES, sealed->text, sizeof sealed->text);
    return seal_open(sealer, sv_of(whole, sizeof whole), digest);
}

int sealed_column(struct sql *q, int at, struct sealed *out)
{
    struct sv mark = sql_bytes(q, at), text = sql_bytes(q, at + 1);
    if (mark.n != sizeof out->mark || text.n != sizeof out->text)
        return ERR_CORRUPT;
    memcpy(out->mark, mark.p, mark.n);
    memcpy(out->text, text.p, text.n);
    return 0;
}

int id_column(struct sql *q, int at, struct id *out)
{
    struct sv s = sql_bytes(q, at);
    *out = (struct id){ "" };
    if (s.n > ID_TEXT_MAX) return ERR_CORRUPT;
    memcpy(out->text, s.p, s.n);
    return 0;
}

int ulid_column(struct sql *q, int at, struct ulid *out)
{
    struct sv s = sql_bytes(q, at);
    if (s.n != sizeof out->b) return ERR_CORRUPT;
    memcpy(out->b, s.p, s.n);
    return 0;
}

/* --- meta --------------------------------------------------------------------- */

int store_meta_get(struct store *s, const char *name, struct arena *a,
                   struct sv *out)
{
    struct sql *q = sql_get(s->db, "SELECT value FROM meta WHERE name = ?1");
    sql_bind_text(q, 1, sv_cstr(name));
    int rc = sql_step(q);
    if (rc == SQL_ROW) *out = sql_dup(q, 0, a);
    sql_done(q);
    if (rc != SQL_ROW) return rc ? rc : ERR_NOTFOUND;
    return out->p ? 0 : ERR_NOMEM;
}

int store_meta_set(struct store *s, const char *name, struct sv value)
{
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "INSERT INTO meta VALUES (?1, ?2)"
                                   " ON CONFLICT (name) DO UPDATE"
                                   " SET value = excluded.value");
    sql_bind_text(q, 1, sv_cstr(name));
    sql_bind_blob(q, 2, value.p, value.n);
    return store_run(s, q);
}

/* --- transactions and ids ------------------------------------------------------- */

/* Another process (the command line) may have made ids since. */
static int read_last_ulid(struct store *s)
{
    struct sql *q =
        sql_get(s->db, "SELECT value FROM meta WHERE name = 'ulid'");
    struct ulid stored;
    int rc = sql_step(q);
    if (rc == SQL_ROW && ulid_column(q, 0, &stored) == 0 &&
        ulid_cmp(&stored, &s->last) > 0)
        s->last = stored;
    sql_done(q);
    return rc < 0 ? rc : 0;
}

int store_begin(struct store *s)
{
    ENSURE(!s->in_transaction);
    int rc = sql_exec(s->db, "BEGIN IMMEDIATE");
    if (rc) return rc;
    s->in_transaction = true;
    s->made_ulid = false;
    rc = read_last_ulid(s);
    if (rc) store_rollback(s);
    return rc;
}

int store_commit(struct store *s)
{
    store_need_transaction(s);
    int rc = s->made_ulid
                 ? store_meta_set(s, "ulid", sv_of(s->last.b, sizeof s->last.b))
                 : 0;
    if (rc == 0) rc = sql_exec(s->db, "COMMIT");
    if (rc) store_rollback(s);
    s->in_transaction = false;
    return rc;
}

void store_rollback(struct store *s)
{
    if (s->in_transaction) sql_exec(s->db, "ROLLBACK");
    s->in_transaction = false;
}

bool store_in_transaction(const struct store *s)
{
    return s->in_transaction;
}

struct ulid store_ulid(struct store *s, int64_t wall_ms)
{
    struct ulid u;
    store_need_transaction(s);
    ulid_next(&s->last, wall_ms, &u);
    s->made_ulid = true;
    return u;
}

/* --- opening --------------------------------------------------------------------- */

void store_subkey(const struct store *s, const char *purpose, uint8_t out[64])
{
    server_key_derive(&s->server_key, purpose, out, 64);
}

static int make_sealer(const struct secret *key, const char *purpose,
                       struct sealer **out)
{
    uint8_t sub[SEAL_KEY_BYTES];
    server_key_derive(key, purpose, sub, sizeof sub);
    int rc = sealer_new(out, sub);
    mem_wipe(sub, sizeof sub);
    return rc;
}

static int take_keys(struct store *s)
{
    int rc = make_sealer(&s->server_key, "token", &s->tokens);
    if (rc == 0) rc = make_sealer(&s->server_key, "management-key", &s->keys);
    server_key_derive(&s->server_key, "idempotency", s->idempotency_key,
                      sizeof s->idempotency_key);
    return rc;
}

/* The database remembers a value of the key that sealed it. */
static int key_check(struct store *s, bool fresh, char problem[256])
{
    uint8_t check[16], memory[128];
    struct arena a;
    struct sv stored = { 0 };
    server_key_derive(&s->server_key, "check", check, sizeof check);
    if (fresh) {
        int rc = store_begin(s);
        if (rc == 0) rc = store_meta_set(s, "key", sv_of(check, sizeof check));
        return rc ? rc : store_commit(s);
    }
    arena_init(&a, 0, memory, sizeof memory);
    int rc = store_meta_get(s, "key", &a, &stored);
    bool same = rc == 0 && stored.n == sizeof check &&
                mem_equal_ct(stored.p, check, sizeof check);
    arena_fini(&a);
    if (rc || same) return rc;
    snprintf(problem, 256,
             "the server key is not the one that sealed this "
             "database: bring back the right key file");
    return ERR_CRYPTO;
}

/* Whether the database was sealed by some key yet. */
static int is_fresh(struct store *s, bool *out)
{
    struct sql *q = sql_get(s->db, "SELECT 1 FROM meta WHERE name = 'key'");
    int rc = sql_step(q);
    *out = rc == 0;
    sql_done(q);
    return rc < 0 ? rc : 0;
}

static int open_key(struct store *s, const struct store_conf *conf,
                    const char *path, char problem[256])
{
    bool fresh;
    int rc = is_fresh(s, &fresh);
    if (rc == 0)
        rc = server_key_rotate_resume(s->db, path, s->lock_fd, problem);
    if (rc) return rc;
    rc = server_key_read(path, &s->server_key, problem);
    if (rc == ERR_NOTFOUND && fresh && conf->create)
        rc = server_key_create(path, &s->server_key, problem);
    else if (rc == ERR_NOTFOUND)
        rc = ERR_CRYPTO;
    if (rc) return rc;
    rc = take_keys(s);
    return rc ? rc : key_check(s, fresh, problem);
}

/* Everybody holds it shared; rotating the server key needs it alone. */
static int take_lock(struct store *s, const char *dir, char problem[256])
{
    char path[4096];
    snprintf(path, sizeof path, "%s/store.lock", dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd >= 0 && flock(s->lock_fd, LOCK_SH | LOCK_NB) == 0) return 0;
    snprintf(problem, 256, "%.200s: %s", path,
             errno == EWOULDBLOCK ? "the server key is being rotated"
                                  : "cannot be locked");
    return errno == EWOULDBLOCK ? ERR_AGAIN : err_from_errno(errno);
}

int store_open(struct store **out, const struct store_conf *conf,
               char problem[256])
{
    char path[4096], key[4096];
    snprintf(path, sizeof path, "%s/typeauth.db", conf->dir);
    snprintf(key, sizeof key, "%s/server.key", conf->dir);
    problem[0] = '\0';
    *out = NULL;
    struct store *s = NEW(struct store);
    s->lock_fd = -1;
    mode_t mask = umask(077); /* the database is nobody else's */
    int rc = take_lock(s, conf->dir, problem);
    if (rc == 0) rc = sqlite_open(&s->db, path, conf->create, problem);
    if (rc == 0) rc = schema_migrate(s->db, problem);
    if (rc == 0)
        rc = open_key(s, conf, conf->server_key ? conf->server_key : key,
                      problem);
    if (rc == 0) rc = read_last_ulid(s);
    umask(mask);
    if (rc && !problem[0])
        snprintf(problem, 256, "%.180s: %s", path, err_text(rc));
    if (rc) store_close(&s);
    *out = s;
    return rc;
}

void store_close(struct store **s)
{
    if (!*s) return;
    if ((*s)->db) store_rollback(*s);
    sql_close(&(*s)->db);
    sealer_free(&(*s)->tokens);
    sealer_free(&(*s)->keys);
    secret_fini(&(*s)->server_key);
    mem_wipe((*s)->idempotency_key, sizeof(*s)->idempotency_key);
    if ((*s)->lock_fd >= 0) close((*s)->lock_fd);
    mem_free(*s);
    *s = NULL;
}
