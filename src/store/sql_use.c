/* How tokens were used: a row a token, day and outcome. */
#include "base/err.h"
#include "store/store_int.h"

int store_use_add(struct store *s, const struct use_row *rows, size_t n)
{
    int rc = 0;
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "INSERT INTO token_use"
                                   " (token, day, code, n)"
                                   " VALUES (?1, ?2, ?3, ?4)"
                                   " ON CONFLICT (token, day, code)"
                                   " DO UPDATE SET n = n + excluded.n");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        sql_bind_blob(q, 1, rows[i].token.b, sizeof rows[i].token.b);
        sql_bind_int(q, 2, rows[i].day);
        sql_bind_text(q, 3, rows[i].code);
        sql_bind_int(q, 4, (int64_t)rows[i].count);
        rc = store_run(s, q);
    }
    return rc;
}

static int rows_count(struct store *s, const struct ulid *token, uint32_t from,
                      uint32_t to, size_t *n)
{
    struct sql *q = sql_get(s->db, "SELECT count(*) FROM token_use"
                                   " WHERE token = ?1 AND day >= ?2"
                                   " AND day <= ?3");
    sql_bind_blob(q, 1, token->b, sizeof token->b);
    sql_bind_int(q, 2, from);
    sql_bind_int(q, 3, to);
    int rc = sql_step(q);
    *n = rc == SQL_ROW ? (size_t)sql_int(q, 0) : 0;
    sql_done(q);
    return rc < 0 ? rc : 0;
}

int store_use_list(struct store *s, const struct ulid *token, uint32_t from_day,
                   uint32_t to_day, struct arena *a, struct use_row **rows,
                   size_t *n)
{
    size_t room;
    *n = 0;
    int rc = rows_count(s, token, from_day, to_day, &room);
    if (rc) return rc;
    *rows = ARENA_ARRAY(a, struct use_row, room ? room : 1);
    if (!*rows) return ERR_NOMEM;
    struct sql *q = sql_get(s->db, "SELECT day, code, n FROM token_use"
                                   " WHERE token = ?1 AND day >= ?2"
                                   " AND day <= ?3 ORDER BY day, code");
    sql_bind_blob(q, 1, token->b, sizeof token->b);
    sql_bind_int(q, 2, from_day);
    sql_bind_int(q, 3, to_day);
    while (*n < room && (rc = sql_step(q)) == SQL_ROW) {
        struct use_row *r = &(*rows)[(*n)++];
        *r = (struct use_row){ .token = *token,
                               .day = (uint32_t)sql_int(q, 0),
                               .code = sql_dup(q, 1, a),
                               .count = (uint64_t)sql_int(q, 2) };
        if (!r->code.p) rc = ERR_NOMEM;
        if (rc < 0) break;
    }
    sql_done(q);
    return rc < 0 ? rc : 0;
}

int store_use_prune(struct store *s, uint32_t day, unsigned max, unsigned *n)
{
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "DELETE FROM token_use"
                                   " WHERE (token, day, code) IN"
                                   " (SELECT token, day, code FROM token_use"
                                   "  WHERE day < ?1 ORDER BY day LIMIT ?2)");
    sql_bind_int(q, 1, day);
    sql_bind_int(q, 2, max);
    int rc = store_run(s, q);
    *n = rc ? 0 : (unsigned)sql_changes(s->db);
    return rc;
}
