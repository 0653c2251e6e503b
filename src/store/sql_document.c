/* Long texts beside records. */
#include "base/err.h"
#include "store/store_int.h"

enum { DOCUMENT_MAX_BYTES = 64 << 20 };

int store_document_get(struct store *s, struct sv id, const char *name,
                       struct arena *a, struct sv *out)
{
    struct sql *q = sql_get(s->db, "SELECT body FROM document"
                                   " WHERE id = ?1 AND name = ?2");
    sql_bind_text(q, 1, id);
    sql_bind_text(q, 2, sv_cstr(name));
    int rc = sql_step(q);
    if (rc == SQL_ROW) {
        *out = sql_dup(q, 0, a);
        rc = out->p ? 0 : ERR_NOMEM;
    } else if (rc == 0) {
        rc = ERR_NOTFOUND;
    }
    sql_done(q);
    return rc;
}

static int record_is_there(struct store *s, struct sv id)
{
    struct sql *q = sql_get(s->db, "SELECT 1 FROM record WHERE id = ?1");
    sql_bind_text(q, 1, id);
    int rc = sql_step(q);
    sql_done(q);
    return rc == SQL_ROW ? 0 : rc ? rc : ERR_NOTFOUND;
}

int store_document_set(struct store *s, struct sv id, const char *name,
                       struct sv text)
{
    store_need_transaction(s);
    if (text.n > DOCUMENT_MAX_BYTES) return ERR_TOOBIG;
    int rc = record_is_there(s, id);
    if (rc) return rc;
    struct sql *q = sql_get(s->db, "INSERT INTO document VALUES (?1, ?2, ?3)"
                                   " ON CONFLICT (id, name) DO UPDATE"
                                   " SET body = excluded.body");
    sql_bind_text(q, 1, id);
    sql_bind_text(q, 2, sv_cstr(name));
    sql_bind_blob(q, 3, text.p, text.n);
    return store_run(s, q);
}
