/* Management keys: what authentication needs, beside their records. */
#include "base/err.h"
#include "store/store_int.h"

#define COLUMNS "SELECT id, account, role, expires, mark, sealed"

int store_key_insert(struct store *s, const struct management_key *k)
{
    struct sealed sealed;
    store_need_transaction(s);
    int rc = seal_digest(s->keys, k->digest, &sealed);
    if (rc) return rc;
    struct sql *q = sql_get(s->db, "INSERT INTO management_key VALUES"
                                   " (?1, ?2, ?3, ?4, ?5, ?6)");
    sql_bind_text(q, 1, id_sv(&k->id));
    sql_bind_text(q, 2, id_sv(&k->account_id));
    sql_bind_int(q, 3, k->role);
    sql_bind_int(q, 4, k->expires_ms);
    sql_bind_blob(q, 5, sealed.mark, sizeof sealed.mark);
    sql_bind_blob(q, 6, sealed.text, sizeof sealed.text);
    return store_run(s, q);
}

int store_key_update(struct store *s, struct sv id, enum role role,
                     int64_t expires_ms)
{
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "UPDATE management_key SET role = ?2,"
                                   " expires = ?3 WHERE id = ?1");
    sql_bind_text(q, 1, id);
    sql_bind_int(q, 2, role);
    sql_bind_int(q, 3, expires_ms);
    int rc = store_run(s, q);
    return rc ? rc : sql_changes(s->db) ? 0 : ERR_NOTFOUND;
}

static int row_read(struct store *s, struct sql *q, struct management_key *out)
{
    struct sealed sealed;
    int64_t role = sql_int(q, 2);
    *out = (struct management_key){ .role = (enum role)role,
                                    .expires_ms = sql_int(q, 3) };
    int rc = role >= 0 && role < ROLE_COUNT ? 0 : ERR_CORRUPT;
    if (rc == 0) rc = id_column(q, 0, &out->id);
    if (rc == 0) rc = id_column(q, 1, &out->account_id);
    if (rc == 0) rc = sealed_column(q, 4, &sealed);
    return rc ? rc : open_digest(s->keys, &sealed, out->digest);
}

int store_key_find(struct store *s, const uint8_t digest[32],
                   struct management_key *out)
{
    struct sealed sealed;
    int rc = seal_digest(s->keys, digest, &sealed);
    if (rc) return rc;
    struct sql *q = sql_get(s->db, COLUMNS " FROM management_key"
                                           " WHERE mark = ?1");
    sql_bind_blob(q, 1, sealed.mark, sizeof sealed.mark);
    rc = sql_step(q);
    if (rc == SQL_ROW)
        rc = row_read(s, q, out);
    else if (rc == 0)
        rc = ERR_NOTFOUND;
    sql_done(q);
    return rc;
}

int store_key_each(struct store *s, store_key_fn *fn, void *ctx)
{
    struct sql *q = sql_get(s->db, COLUMNS " FROM management_key"
                                           " ORDER BY id");
    struct management_key k;
    int rc;
    while ((rc = sql_step(q)) == SQL_ROW) {
        rc = row_read(s, q, &k);
        if (rc == 0) rc = fn(ctx, &k);
        if (rc) break;
    }
    sql_done(q);
    return rc;
}

int store_key_count(struct store *s, struct sv account_id, enum role role,
                    int64_t wall_ms, uint64_t *out)
{
    struct sql *q = sql_get(s->db, "SELECT count(*) FROM management_key"
                                   " WHERE account = ?1 AND role = ?2"
                                   " AND (expires = 0 OR expires > ?3)");
    sql_bind_text(q, 1, account_id);
    sql_bind_int(q, 2, role);
    sql_bind_int(q, 3, wall_ms);
    int rc = sql_step(q);
    *out = rc == SQL_ROW ? (uint64_t)sql_int(q, 0) : 0;
    sql_done(q);
    return rc < 0 ? rc : 0;
}
