/* Tokens: single rows, batches, rotation, tombstones, purging. Lists are in
 * sql_token_list.c, start-up in sql_token_load.c. */
#include "base/ensure.h"
#include "base/err.h"
#include "store/store_int.h"

#define CHUNK 64 /* slots at a time while purging */

/* --- inserting ------------------------------------------------------------------ */

static int tags_insert(struct store *s, int64_t account,
                       const struct token_row *row)
{
    int rc = 0;
    struct sql *q = sql_get(s->db, "INSERT INTO token_tag VALUES"
                                   " (?1, ?2, ?3, ?4)");
    for (unsigned i = 0; rc == 0 && i < row->tags_n; i++) {
        sql_bind_int(q, 1, account);
        sql_bind_text(q, 2, row->tags[i]);
        sql_bind_blob(q, 3, row->id.b, sizeof row->id.b);
        sql_bind_int(q, 4, row->slot);
        rc = store_run(s, q);
    }
    return rc;
}

static int row_insert(struct store *s, int64_t account,
                      const struct token_row *row)
{
    struct sealed sealed;
    int rc = seal_digest(s->tokens, row->digest, &sealed);
    if (rc) return rc;
    struct sql *q = sql_get(
        s->db, "INSERT INTO token (slot, id, account, app, enabled, revoked,"
               " expires, mark, sealed, used, refills, last_used, body,"
               " updated, version, start, prefix_n, name, owner) VALUES"
               " (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
               "  1, ?14, ?15, ?16, ?17)");
    sql_bind_int(q, 1, row->slot);
    sql_bind_blob(q, 2, row->id.b, sizeof row->id.b);
    sql_bind_int(q, 3, account);
    sql_bind_int(q, 4, row->app);
    sql_bind_int(q, 5, row->enabled);
    sql_bind_int(q, 6, row->expires_ms);
    sql_bind_blob(q, 7, sealed.mark, sizeof sealed.mark);
    sql_bind_blob(q, 8, sealed.text, sizeof sealed.text);
    sql_bind_int(q, 9, row->used);
    sql_bind_int(q, 10, row->refills);
    sql_bind_int(q, 11, row->last_used_s);
    sql_bind_text_or_null(q, 12, row->body);
    sql_bind_int(q, 13, row->updated_ms);
    sql_bind_text_or_null(q, 14, row->start);
    sql_bind_int(q, 15, row->prefix_n);
    sql_bind_text_or_null(q, 16, row->name);
    sql_bind_text_or_null(q, 17, row->owner);
    rc = store_run(s, q);
    return rc ? rc : tags_insert(s, account, row);
}

int store_token_insert(struct store *s, struct sv account_id,
                       const struct token_row *rows, size_t n,
                       size_t *failed_at)
{
    int64_t account;
    store_need_transaction(s);
    int rc = account_num(s, account_id, &account);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        *failed_at = i;
        rc = row_insert(s, account, &rows[i]);
    }
    return rc;
}

/* --- changing ------------------------------------------------------------------- */

/* Why an update by (slot, version) met no row. */
static int why_unchanged(struct store *s, uint32_t slot)
{
    struct sql *q = sql_get(s->db, "SELECT 1 FROM token WHERE slot = ?1"
                                   " AND revoked = 0 AND id IS NOT NULL");
    sql_bind_int(q, 1, slot);
    int rc = sql_step(q);
    sql_done(q);
    return rc == SQL_ROW ? ERR_CONFLICT : rc ? rc : ERR_NOTFOUND;
}

static int tags_rewrite(struct store *s, const struct token_row *row)
{
    struct sql *q = sql_get(s->db, "DELETE FROM token_tag WHERE slot = ?1");
    sql_bind_int(q, 1, row->slot);
    int rc = store_run(s, q);
    if (rc || row->tags_n == 0) return rc;
    q = sql_get(s->db, "SELECT account FROM token WHERE slot = ?1");
    sql_bind_int(q, 1, row->slot);
    rc = sql_step(q);
    int64_t account = rc == SQL_ROW ? sql_int(q, 0) : 0;
    sql_done(q);
    return rc == SQL_ROW ? tags_insert(s, account, row) : rc;
}

int store_token_update(struct store *s, struct token_row *row)
{
    store_need_transaction(s);
    struct sql *q = sql_get(
        s->db, "UPDATE token SET enabled = ?3, expires = ?4, body = ?5,"
               " updated = ?6, name = ?7, owner = ?8, version = version + 1"
               " WHERE slot = ?1 AND version = ?2 AND id = ?9"
               " AND revoked = 0");
    sql_bind_int(q, 1, row->slot);
    sql_bind_int(q, 2, (int64_t)row->version);
    sql_bind_int(q, 3, row->enabled);
    sql_bind_int(q, 4, row->expires_ms);
    sql_bind_text_or_null(q, 5, row->body);
    sql_bind_int(q, 6, row->updated_ms);
    sql_bind_text_or_null(q, 7, row->name);
    sql_bind_text_or_null(q, 8, row->owner);
    sql_bind_blob(q, 9, row->id.b, sizeof row->id.b);
    int rc = store_run(s, q);
    if (rc) return rc;
    if (sql_changes(s->db) == 0) return why_unchanged(s, row->slot);
    row->version++;
    return tags_rewrite(s, row);
}

int store_token_revoke(struct store *s, uint32_t slot, int64_t wall_ms)
{
    store_need_transaction(s);
    ENSURE(wall_ms > 0);
    struct sql *q = sql_get(s->db, "UPDATE token SET revoked = ?2,"
                                   " updated = ?2, version = version + 1"
                                   " WHERE slot = ?1 AND revoked = 0"
                                   " AND id IS NOT NULL");
    sql_bind_int(q, 1, slot);
    sql_bind_int(q, 2, wall_ms);
    int rc = store_run(s, q);
    if (rc) return rc;
    if (sql_changes(s->db) == 0) return ERR_NOTFOUND;
    q = sql_get(s->db, "DELETE FROM token_tag WHERE slot = ?1");
    sql_bind_int(q, 1, slot);
    return store_run(s, q);
}

/* --- rotation --------------------------------------------------------------------- */

struct prior { /* of the token before its rotation */
    int64_t account, app;
    struct sealed sealed;
};

static int prior_read(struct store *s, const struct token_row *row,
                      struct prior *out)
{
    struct sql *q = sql_get(s->db, "SELECT account, app, mark, sealed"
                                   " FROM token WHERE slot = ?1 AND id = ?2"
                                   " AND version = ?3 AND revoked = 0");
    sql_bind_int(q, 1, row->slot);
    sql_bind_blob(q, 2, row->id.b, sizeof row->id.b);
    sql_bind_int(q, 3, (int64_t)row->version);
    int rc = sql_step(q);
    if (rc == SQL_ROW) {
        out->account = sql_int(q, 0);
        out->app = sql_int(q, 1);
        rc = sealed_column(q, 2, &out->sealed);
    } else if (rc == 0) {
        rc = why_unchanged(s, row->slot);
    }
    sql_done(q);
    return rc;
}

static int aliases_end(struct store *s, uint32_t slot, int64_t wall_ms)
{
    struct sql *q = sql_get(s->db, "UPDATE token SET expires = ?2"
                                   " WHERE prime = ?1 AND expires > ?2");
    sql_bind_int(q, 1, slot);
    sql_bind_int(q, 2, wall_ms);
    return store_run(s, q);
}

static int secret_replace(struct store *s, const struct token_row *row)
{
    struct sealed sealed;
    int rc = seal_digest(s->tokens, row->digest, &sealed);
    if (rc) return rc;
    struct sql *q = sql_get(s->db, "UPDATE token SET mark = ?2, sealed = ?3,"
                                   " start = ?4, prefix_n = ?5, updated = ?6,"
                                   " version = version + 1 WHERE slot = ?1");
    sql_bind_int(q, 1, row->slot);
    sql_bind_blob(q, 2, sealed.mark, sizeof sealed.mark);
    sql_bind_blob(q, 3, sealed.text, sizeof sealed.text);
    sql_bind_text_or_null(q, 4, row->start);
    sql_bind_int(q, 5, row->prefix_n);
    sql_bind_int(q, 6, row->updated_ms);
    return store_run(s, q);
}

static int alias_insert(struct store *s, const struct prior *prior,
                        uint32_t slot, uint32_t alias_slot,
                        int64_t grace_ends_ms)
{
    struct sql *q = sql_get(
        s->db, "INSERT INTO token (slot, account, app, enabled, revoked,"
               " expires, prime, mark, sealed, used, refills, last_used,"
               " updated, version, prefix_n) VALUES"
               " (?1, ?2, ?3, 1, 0, ?4, ?5, ?6, ?7, 0, 0, 0, 0, 1, 0)");
    sql_bind_int(q, 1, alias_slot);
    sql_bind_int(q, 2, prior->account);
    sql_bind_int(q, 3, prior->app);
    sql_bind_int(q, 4, grace_ends_ms);
    sql_bind_int(q, 5, slot);
    sql_bind_blob(q, 6, prior->sealed.mark, sizeof prior->sealed.mark);
    sql_bind_blob(q, 7, prior->sealed.text, sizeof prior->sealed.text);
    return store_run(s, q);
}

int store_token_rotate(struct store *s, struct token_row *row,
                       uint32_t alias_slot, int64_t grace_ends_ms,
                       int64_t wall_ms)
{
    struct prior prior;
    store_need_transaction(s);
    ENSURE(grace_ends_ms > 0);
    int rc = prior_read(s, row, &prior);
    if (rc == 0) rc = aliases_end(s, row->slot, wall_ms);
    if (rc == 0) rc = secret_replace(s, row);
    if (rc == 0)
        rc = alias_insert(s, &prior, row->slot, alias_slot, grace_ends_ms);
    if (rc == 0) row->version++;
    return rc;
}

/* Slots of one column of rows; at most max. */
static int slots_read(struct sql *q, uint32_t *slots, unsigned max, unsigned *n)
{
    int rc = 0;
    for (*n = 0; *n < max && (rc = sql_step(q)) == SQL_ROW; ++*n)
        slots[*n] = (uint32_t)sql_int(q, 0);
    sql_done(q);
    return rc < 0 ? rc : 0;
}

int store_token_aliases(struct store *s, uint32_t slot, uint32_t *slots,
                        unsigned max, unsigned *n)
{
    struct sql *q = sql_get(s->db, "SELECT slot FROM token WHERE prime = ?1"
                                   " ORDER BY slot LIMIT ?2");
    sql_bind_int(q, 1, slot);
    sql_bind_int(q, 2, max);
    return slots_read(q, slots, max, n);
}

int store_token_imported(struct store *s, uint32_t app, bool *out)
{
    struct sql *q = sql_get(s->db, "SELECT 1 FROM token WHERE app = ?1"
                                   " AND start IS NULL AND prime IS NULL"
                                   " AND revoked = 0 LIMIT 1");
    sql_bind_int(q, 1, app);
    int rc = sql_step(q);
    *out = rc == SQL_ROW;
    sql_done(q);
    return rc < 0 ? rc : 0;
}

/* --- purging ------------------------------------------------------------------------ */

struct purge {
    struct store *s;
    store_slot_fn *fn;
    void *ctx;
    unsigned *n;
};

static int row_delete(struct purge *p, uint32_t slot)
{
    struct sql *q = sql_get(p->s->db, "DELETE FROM token_use WHERE token ="
                                      " (SELECT id FROM token"
                                      "  WHERE slot = ?1)");
    sql_bind_int(q, 1, slot);
    int rc = store_run(p->s, q);
    if (rc) return rc;
    q = sql_get(p->s->db, "DELETE FROM token WHERE slot = ?1");
    sql_bind_int(q, 1, slot);
    rc = store_run(p->s, q);
    if (rc == 0 && sql_changes(p->s->db)) {
        p->fn(p->ctx, slot);
        ++*p->n;
    }
    return rc;
}

/* A token takes its aliases with it. */
static int token_delete(struct purge *p, uint32_t slot)
{
    uint32_t aliases[CHUNK];
    unsigned n = 0;
    int rc = 0;
    do {
        rc = store_token_aliases(p->s, slot, aliases, CHUNK, &n);
        for (unsigned i = 0; rc == 0 && i < n; i++)
            rc = row_delete(p, aliases[i]);
    } while (rc == 0 && n == CHUNK);
    return rc ? rc : row_delete(p, slot);
}

/* `text`: ?1 an argument, ?2 how many. Deletes max rows, and the aliases of
 * the last one. */
static int delete_found(struct purge *p, const char *text, int64_t argument,
                        unsigned max)
{
    uint32_t slots[CHUNK];
    unsigned n = 0, want = 0;
    int rc = 0;
    while (rc == 0 && n == want && *p->n < max) {
        struct sql *q = sql_get(p->s->db, text);
        want = max - *p->n < CHUNK ? max - *p->n : CHUNK;
        sql_bind_int(q, 1, argument);
        sql_bind_int(q, 2, want);
        rc = slots_read(q, slots, CHUNK, &n);
        for (unsigned i = 0; rc == 0 && i < n; i++)
            rc = token_delete(p, slots[i]);
    }
    return rc;
}

int store_token_purge_old(struct store *s, int64_t before_ms, unsigned max,
                          store_slot_fn *fn, void *ctx, unsigned *n)
{
    struct purge p = { s, fn, ctx, n };
    store_need_transaction(s);
    *n = 0;
    int rc = delete_found(&p,
                          "SELECT slot FROM token WHERE revoked <> 0"
                          " AND revoked < ?1 LIMIT ?2",
                          before_ms, max);
    return rc ? rc
              : delete_found(&p,
                             "SELECT slot FROM token"
                             " WHERE prime IS NOT NULL AND expires < ?1"
                             " LIMIT ?2",
                             before_ms, max);
}

/* A deleted application that still has its number; 0: none. */
static int dead_app(struct store *s, int64_t *num)
{
    struct sql *q = sql_get(s->db, "SELECT num FROM app_num WHERE id IS NULL"
                                   " LIMIT 1");
    int rc = sql_step(q);
    *num = rc == SQL_ROW ? sql_int(q, 0) : 0;
    sql_done(q);
    return rc < 0 ? rc : 0;
}

int store_token_purge_app(struct store *s, unsigned max, store_slot_fn *fn,
                          void *ctx, unsigned *n)
{
    struct purge p = { s, fn, ctx, n };
    int64_t app;
    int rc = 0;
    store_need_transaction(s);
    *n = 0;
    while (rc == 0 && *n < max && (rc = dead_app(s, &app)) == 0 && app) {
        rc = delete_found(&p, "SELECT slot FROM token WHERE app = ?1 LIMIT ?2",
                          app, max);
        if (rc || *n >= max) break;
        struct sql *q = sql_get(s->db, "DELETE FROM app_num WHERE num = ?1");
        sql_bind_int(q, 1, app);
        rc = store_run(s, q);
    }
    return rc;
}

/* --- counters ------------------------------------------------------------------------- */

int store_token_use_save(struct store *s, const struct token_use *uses,
                         size_t n)
{
    int rc = 0;
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "UPDATE token SET used = ?3, refills = ?4,"
                                   " last_used = ?5 WHERE slot = ?1"
                                   " AND substr(id, 13) = ?2");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        uint8_t tag[4] = { (uint8_t)(uses[i].tag >> 24),
                           (uint8_t)(uses[i].tag >> 16),
                           (uint8_t)(uses[i].tag >> 8), (uint8_t)uses[i].tag };
        sql_bind_int(q, 1, uses[i].slot);
        sql_bind_blob(q, 2, tag, sizeof tag);
        sql_bind_int(q, 3, uses[i].used);
        sql_bind_int(q, 4, uses[i].refills);
        sql_bind_int(q, 5, uses[i].last_used_s);
        rc = store_run(s, q);
    }
    return rc;
}
