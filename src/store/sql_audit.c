/* The audit log and the change feed: both only ever grow at their end. */
#include "base/ensure.h"
#include "base/err.h"
#include "store/store_int.h"

int store_audit_append(struct store *s, const struct audit_entry *e)
{
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "INSERT INTO audit VALUES"
                                   " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    sql_bind_text(q, 1, e->account_id);
    sql_bind_blob(q, 2, e->id.b, sizeof e->id.b);
    sql_bind_text(q, 3, e->key_id);
    sql_bind_int(q, 4, e->at_ms);
    sql_bind_text(q, 5, e->action);
    sql_bind_text(q, 6, e->object_id);
    sql_bind_text(q, 7, e->from);
    sql_bind_text(q, 8, e->before);
    sql_bind_text(q, 9, e->after);
    return store_run(s, q);
}

#define COLUMNS "SELECT id, who, at, action, object, origin, was, now"
#define ALL COLUMNS " FROM audit WHERE account = ?1"
#define OF_ONE ALL " AND object = ?4"
#define OLDER " AND id < ?2 ORDER BY id DESC LIMIT ?3"
#define NEWER " AND id > ?2 ORDER BY id ASC LIMIT ?3"

static int entry_read(struct sql *q, struct sv account_id, struct arena *a,
                      struct audit_entry *out)
{
    *out = (struct audit_entry){ .account_id = account_id,
                                 .at_ms = sql_int(q, 2) };
    struct sv *texts[] = { &out->key_id, &out->action, &out->object_id,
                           &out->from,   &out->before, &out->after };
    static const int columns[] = { 1, 3, 4, 5, 6, 7 };
    int rc = ulid_column(q, 0, &out->id);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = sql_dup(q, columns[i], a);
        if (!texts[i]->p) rc = ERR_NOMEM;
    }
    return rc;
}

int store_audit_list(struct store *s, struct sv account_id, struct sv object_id,
                     const struct store_page *page, struct arena *a,
                     struct audit_page *out)
{
    static const char *const texts[2][2] = { { ALL OLDER, ALL NEWER },
                                             { OF_ONE OLDER, OF_ONE NEWER } };
    bool newer = page->before.n > 0;
    struct sv text = newer ? page->before : page->after;
    struct ulid cursor;
    memset(&cursor, 0xff, sizeof cursor);
    ENSURE(page->limit >= 1 && page->limit <= 1000 &&
           !(newer && page->after.n));
    *out = (struct audit_page){ 0 };
    if (text.n && id_parse(KIND_EVENT, text, &cursor)) return ERR_INVALID;
    out->rows = ARENA_ARRAY(a, struct audit_entry, page->limit);
    if (!out->rows) return ERR_NOMEM;
    struct sql *q = sql_get(s->db, texts[object_id.n > 0][newer]);
    sql_bind_text(q, 1, account_id);
    sql_bind_blob(q, 2, cursor.b, sizeof cursor.b);
    sql_bind_int(q, 3, (int64_t)page->limit + 1);
    if (object_id.n) sql_bind_text(q, 4, object_id);
    size_t bytes = 0;
    int rc;
    while ((rc = sql_step(q)) == SQL_ROW) {
        out->has_more = out->n == page->limit || bytes >= PAGE_BYTES;
        if (out->has_more) break;
        struct audit_entry *e = &out->rows[out->n++];
        rc = entry_read(q, account_id, a, e);
        if (rc) break;
        bytes += e->before.n + e->after.n;
    }
    sql_done(q);
    for (uint32_t i = 0; newer && i < out->n / 2; i++) {
        struct audit_entry e = out->rows[i];
        out->rows[i] = out->rows[out->n - 1 - i];
        out->rows[out->n - 1 - i] = e;
    }
    return rc < 0 ? rc : 0;
}

/* --- the change feed ------------------------------------------------------------ */

int store_change_append(struct store *s, enum kind kind, struct sv id,
                        uint64_t *seq_out)
{
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "INSERT INTO change (kind, id)"
                                   " VALUES (?1, ?2) RETURNING seq");
    sql_bind_int(q, 1, kind);
    sql_bind_text(q, 2, id);
    int rc = sql_step(q);
    if (rc == SQL_ROW) {
        *seq_out = (uint64_t)sql_int(q, 0);
        rc = sql_step(q); /* to its end: only then it is written */
    }
    sql_done(q);
    return rc < 0 ? store_note(s, rc) : 0;
}

int store_change_each(struct store *s, uint64_t above_seq, store_change_fn *fn,
                      void *ctx)
{
    struct sql *q = sql_get(s->db, "SELECT seq, kind, id FROM change"
                                   " WHERE seq > ?1 ORDER BY seq");
    sql_bind_int(q, 1, (int64_t)above_seq);
    int rc;
    while ((rc = sql_step(q)) == SQL_ROW) {
        rc = fn(ctx, (uint64_t)sql_int(q, 0), (enum kind)sql_int(q, 1),
                sql_bytes(q, 2));
        if (rc) break;
    }
    sql_done(q);
    return rc;
}

int store_change_last(struct store *s, uint64_t *seq)
{
    struct sql *q = sql_get(s->db, "SELECT seq FROM sqlite_sequence"
                                   " WHERE name = 'change'");
    int rc = sql_step(q);
    *seq = rc == SQL_ROW ? (uint64_t)sql_int(q, 0) : 0;
    sql_done(q);
    return rc < 0 ? rc : 0;
}

int store_change_prune(struct store *s, uint64_t keep)
{
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "DELETE FROM change WHERE seq <="
                                   " (SELECT max(seq) FROM change) - ?1");
    sql_bind_int(q, 1, (int64_t)keep);
    return store_run(s, q);
}
