/* What detectors hold, over restarts: rows that are few and come and go. */
#include "base/ensure.h"
#include "base/err.h"
#include "store/store_int.h"

int store_hold_delete(struct store *s, const struct ulid *id)
{
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "DELETE FROM hold WHERE id = ?1");
    sql_bind_blob(q, 1, id->b, sizeof id->b);
    return store_run(s, q);
}

static int present_delete(struct store *s, const struct hold *h)
{
    struct sql *q =
        sql_get(s->db, "DELETE FROM hold WHERE detector = ?1 AND mark = ?2");
    sql_bind_int(q, 1, h->detector);
    sql_bind_blob(q, 2, h->key, sizeof h->key);
    return store_run(s, q);
}

int store_hold_put(struct store *s, const struct hold *h)
{
    store_need_transaction(s);
    int rc = present_delete(s, h);
    if (rc) return rc;
    struct sql *q = sql_get(s->db, "INSERT INTO hold VALUES (?1, ?2, ?3, ?4,"
                                   " ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
    sql_bind_blob(q, 1, h->id.b, sizeof h->id.b);
    sql_bind_int(q, 2, h->detector);
    sql_bind_blob(q, 3, h->key, sizeof h->key);
    sql_bind_text(q, 4, id_sv(&h->account_id));
    sql_bind_text(q, 5, id_sv(&h->app_id));
    if (h->has_token)
        sql_bind_blob(q, 6, h->token.b, sizeof h->token.b);
    else
        sql_bind_null(q, 6);
    sql_bind_text(q, 7, sv_of(h->subject, h->subject_n));
    sql_bind_int(q, 8, h->action);
    sql_bind_int(q, 9, h->denied);
    sql_bind_int(q, 10, h->opened_ms);
    sql_bind_int(q, 11, h->ends_ms);
    sql_bind_text(q, 12, sv_of(h->evidence, h->evidence_n));
    sql_bind_blob(q, 13, h->state, h->state_n);
    return store_run(s, q);
}

/* --- reading ---------------------------------------------------------------------- */

#define SELECT                                                         \
    "SELECT id, detector, mark, account, app, token, subject, action," \
    " denied, opened, ends, evidence, state FROM hold"

/* ERR_CORRUPT: longer than it may be. */
static int bytes_column(struct sql *q, int at, void *to, size_t max,
                        uint16_t *n)
{
    struct sv v = sql_bytes(q, at);
    if (v.n > max) return ERR_CORRUPT;
    if (v.n) memcpy(to, v.p, v.n);
    *n = (uint16_t)v.n;
    return 0;
}

static int hold_read(struct sql *q, struct hold *h)
{
    *h = (struct hold){ .detector = (enum hold_detector)sql_int(q, 1),
                        .action = (enum detector_action)sql_int(q, 7),
                        .denied = sql_int(q, 8) != 0,
                        .opened_ms = sql_int(q, 9),
                        .ends_ms = sql_int(q, 10),
                        .has_token = !sql_is_null(q, 5) };
    uint16_t key_n = 0;
    int rc = ulid_column(q, 0, &h->id);
    if (!rc) rc = bytes_column(q, 2, h->key, sizeof h->key, &key_n);
    if (!rc && key_n != sizeof h->key) rc = ERR_CORRUPT;
    if (!rc) rc = id_column(q, 3, &h->account_id);
    if (!rc) rc = id_column(q, 4, &h->app_id);
    if (!rc && h->has_token) rc = ulid_column(q, 5, &h->token);
    if (!rc)
        rc = bytes_column(q, 6, h->subject, sizeof h->subject, &h->subject_n);
    if (!rc)
        rc = bytes_column(q, 11, h->evidence, sizeof h->evidence,
                          &h->evidence_n);
    if (!rc) rc = bytes_column(q, 12, h->state, sizeof h->state, &h->state_n);
    return rc;
}

int store_hold_get(struct store *s, struct sv account_id, const struct ulid *id,
                   struct hold *out)
{
    struct sql *q = sql_get(s->db, SELECT " WHERE account = ?1 AND id = ?2");
    sql_bind_text(q, 1, account_id);
    sql_bind_blob(q, 2, id->b, sizeof id->b);
    int rc = sql_step(q);
    if (rc == 0) rc = ERR_NOTFOUND;
    if (rc == SQL_ROW) rc = hold_read(q, out);
    sql_done(q);
    return rc;
}

#define FILTERED                                           \
    SELECT " WHERE account = ?1 AND (?4 = '' OR app = ?4)" \
           " AND (?5 = '' OR subject = ?5)"                \
           " AND (?6 IS NULL OR token = ?6)"               \
           " AND (ends = 0 OR ends > ?7)"

static void turn_around(struct store_holds *h)
{
    for (uint32_t i = 0; i < h->n / 2; i++) {
        struct hold e = h->rows[i];
        h->rows[i] = h->rows[h->n - 1 - i];
        h->rows[h->n - 1 - i] = e;
    }
}

int store_hold_list(struct store *s, struct sv account_id,
                    const struct store_hold_filter *f,
                    const struct store_page *page, struct arena *a,
                    struct store_holds *out)
{
    static const char *const texts[2] = {
        FILTERED " AND id < ?2 ORDER BY id DESC LIMIT ?3",
        FILTERED " AND id > ?2 ORDER BY id ASC LIMIT ?3",
    };
    bool newer = page->before.n > 0;
    struct sv text = newer ? page->before : page->after;
    struct ulid cursor;
    memset(&cursor, 0xff, sizeof cursor);
    *out = (struct store_holds){ 0 };
    if (text.n && id_parse(KIND_CHALLENGE, text, &cursor)) return ERR_INVALID;
    out->rows = ARENA_ARRAY(a, struct hold, page->limit);
    if (!out->rows) return ERR_NOMEM;
    struct sql *q = sql_get(s->db, texts[newer]);
    sql_bind_text(q, 1, account_id);
    sql_bind_blob(q, 2, cursor.b, sizeof cursor.b);
    sql_bind_int(q, 3, (int64_t)page->limit + 1);
    sql_bind_text(q, 4, f->app_id);
    sql_bind_text(q, 5, f->subject);
    if (f->token)
        sql_bind_blob(q, 6, f->token->b, sizeof f->token->b);
    else
        sql_bind_null(q, 6);
    sql_bind_int(q, 7, f->now_ms);
    int rc;
    while ((rc = sql_step(q)) == SQL_ROW) {
        out->has_more = out->n == page->limit;
        if (out->has_more) break;
        rc = hold_read(q, &out->rows[out->n++]);
        if (rc) break;
    }
    sql_done(q);
    if (newer) turn_around(out);
    return rc < 0 ? rc : 0;
}

int store_hold_each(struct store *s, store_hold_fn *fn, void *ctx)
{
    struct sql *q = sql_get(s->db, SELECT " ORDER BY id");
    struct hold h;
    int rc;
    while ((rc = sql_step(q)) == SQL_ROW) {
        rc = hold_read(q, &h);
        if (!rc) rc = fn(ctx, &h);
        if (rc) break;
    }
    sql_done(q);
    return rc;
}

int store_hold_prune(struct store *s, int64_t now_ms)
{
    store_need_transaction(s);
    struct sql *q =
        sql_get(s->db, "DELETE FROM hold WHERE ends > 0 AND ends <= ?1");
    sql_bind_int(q, 1, now_ms);
    return store_run(s, q);
}
