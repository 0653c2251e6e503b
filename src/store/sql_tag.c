/* How often a tag is borne: counts over the indexes that lists use. */
#include "base/err.h"
#include "store/store_int.h"

static int count(struct sql *q, uint64_t *out)
{
    int rc = sql_step(q);
    if (rc == SQL_ROW) *out = (uint64_t)sql_int(q, 0);
    sql_done(q);
    return rc == SQL_ROW ? 0 : rc;
}

int store_tag_count(struct store *s, struct sv account_id, struct sv tag,
                    uint64_t *applications, uint64_t *tokens)
{
    int64_t num;
    *applications = *tokens = 0;
    int rc = account_num(s, account_id, &num);
    if (rc) return rc;
    struct sql *q = sql_get(s->db, "SELECT count(*) FROM record_tag"
                                   " WHERE kind = ?1 AND account = ?2"
                                   " AND tag = ?3");
    sql_bind_int(q, 1, KIND_APPLICATION);
    sql_bind_text(q, 2, account_id);
    sql_bind_text(q, 3, tag);
    if ((rc = count(q, applications))) return rc;
    q = sql_get(s->db, "SELECT count(*) FROM token_tag"
                       " WHERE account = ?1 AND tag = ?2");
    sql_bind_int(q, 1, num);
    sql_bind_text(q, 2, tag);
    return count(q, tokens);
}
