/* Records, their tags and references, and lists of them. */
#include "base/ensure.h"
#include "base/err.h"
#include "store/store_int.h"

#define COLUMNS                                                  \
    " r.id, r.account, r.body, r.created, r.updated, r.version," \
    " r.name, r.uniq, coalesce("                                 \
    "  (SELECT n.num FROM app_num n WHERE n.id = r.id),"         \
    "  (SELECT n.num FROM account_num n WHERE n.id = r.id), 0) "

/* The row at hand; `a` NULL: views until the next step. */
static int row_read(struct sql *q, enum kind kind, struct arena *a,
                    struct record *out)
{
    *out = (struct record){ .kind = kind };
    struct sv *texts[] = { &out->body, &out->name, &out->unique };
    static const int columns[] = { 2, 6, 7 };
    int rc = id_column(q, 0, &out->id);
    if (rc == 0) rc = id_column(q, 1, &out->account_id);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = a ? sql_dup(q, columns[i], a) : sql_bytes(q, columns[i]);
        if (!texts[i]->p) rc = ERR_NOMEM;
    }
    out->created_ms = sql_int(q, 3);
    out->updated_ms = sql_int(q, 4);
    out->version = (uint64_t)sql_int(q, 5);
    out->num = (uint32_t)sql_int(q, 8);
    return rc;
}

int store_record_get(struct store *s, enum kind kind, struct sv account_id,
                     struct sv id, struct arena *a, struct record *out)
{
    struct sql *q = sql_get(s->db, "SELECT" COLUMNS "FROM record r"
                                   " WHERE r.id = ?1 AND r.kind = ?2"
                                   " AND r.account = ?3");
    sql_bind_text(q, 1, id);
    sql_bind_int(q, 2, kind);
    sql_bind_text(q, 3, account_id);
    int rc = sql_step(q);
    if (rc == SQL_ROW)
        rc = row_read(q, kind, a, out);
    else if (rc == 0)
        rc = ERR_NOTFOUND;
    sql_done(q);
    return rc;
}

int account_num(struct store *s, struct sv account_id, int64_t *out)
{
    struct sql *q = sql_get(s->db, "SELECT num FROM account_num"
                                   " WHERE id = ?1");
    sql_bind_text(q, 1, account_id);
    int rc = sql_step(q);
    if (rc == SQL_ROW) *out = sql_int(q, 0);
    sql_done(q);
    return rc == SQL_ROW ? 0 : rc ? rc : ERR_NOTFOUND;
}

/* --- writing ------------------------------------------------------------------- */

static int tags_write(struct store *s, const struct record *r)
{
    int rc = 0;
    struct sql *q = sql_get(s->db, "INSERT INTO record_tag VALUES"
                                   " (?1, ?2, ?3, ?4)");
    for (unsigned i = 0; rc == 0 && i < r->tags_n; i++) {
        sql_bind_int(q, 1, r->kind);
        sql_bind_text(q, 2, id_sv(&r->account_id));
        sql_bind_text(q, 3, r->tags[i]);
        sql_bind_text(q, 4, id_sv(&r->id));
        rc = store_run(s, q);
    }
    return rc;
}

static int refs_write(struct store *s, const struct record *r)
{
    int rc = 0;
    struct sql *q = sql_get(s->db, "INSERT INTO record_ref VALUES"
                                   " (?1, ?2, ?3)");
    for (unsigned i = 0; rc == 0 && i < r->refs_n; i++) {
        sql_bind_text(q, 1, id_sv(&r->id));
        sql_bind_text(q, 2, sv_cstr(r->refs[i].field));
        sql_bind_text(q, 3, r->refs[i].id);
        rc = store_run(s, q);
    }
    return rc;
}

static int delete_by_id(struct store *s, const char *text, struct sv id)
{
    struct sql *q = sql_get(s->db, text);
    sql_bind_text(q, 1, id);
    return store_run(s, q);
}

static int links_rewrite(struct store *s, const struct record *r)
{
    struct sv id = id_sv(&r->id);
    int rc = delete_by_id(s, "DELETE FROM record_tag WHERE id = ?1", id);
    if (rc == 0)
        rc = delete_by_id(s, "DELETE FROM record_ref WHERE id = ?1", id);
    if (rc == 0) rc = tags_write(s, r);
    return rc ? rc : refs_write(s, r);
}

/* The smallest number above all, or a gap once they have run out. */
static int app_num_give(struct store *s, struct record *r)
{
    struct sql *q = sql_get(
        s->db, "SELECT CASE WHEN m.top < 16777215 THEN m.top + 1 ELSE"
               " (SELECT min(n.num) + 1 FROM app_num n WHERE NOT EXISTS"
               "  (SELECT 1 FROM app_num x WHERE x.num = n.num + 1)) END"
               " FROM (SELECT coalesce(max(num), 0) AS top FROM app_num) m");
    int rc = sql_step(q);
    int64_t num = rc == SQL_ROW ? sql_int(q, 0) : 0;
    sql_done(q);
    if (rc < 0) return rc;
    if (num < 1 || num > 16777215) return ERR_LIMIT;
    q = sql_get(s->db, "INSERT INTO app_num VALUES (?1, ?2)");
    sql_bind_int(q, 1, num);
    sql_bind_text(q, 2, id_sv(&r->id));
    r->num = (uint32_t)num;
    return store_run(s, q);
}

static int account_num_give(struct store *s, struct record *r)
{
    int64_t num = 0;
    int rc = delete_by_id(s, "INSERT INTO account_num (id) VALUES (?1)",
                          id_sv(&r->id));
    if (rc == 0) rc = account_num(s, id_sv(&r->id), &num);
    r->num = (uint32_t)num;
    return rc;
}

int store_record_insert(struct store *s, struct record *r)
{
    int64_t ignored;
    store_need_transaction(s);
    ENSURE(r->version == 1);
    int rc = r->account_id.text[0]
                 ? account_num(s, id_sv(&r->account_id), &ignored)
                 : 0;
    if (rc) return rc;
    struct sql *q = sql_get(
        s->db, "INSERT INTO record (kind, id, account, name, uniq, body,"
               " created, updated, version)"
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)");
    sql_bind_int(q, 1, r->kind);
    sql_bind_text(q, 2, id_sv(&r->id));
    sql_bind_text(q, 3, id_sv(&r->account_id));
    sql_bind_text_or_null(q, 4, r->name);
    sql_bind_text_or_null(q, 5, r->unique);
    sql_bind_text(q, 6, r->body);
    sql_bind_int(q, 7, r->created_ms);
    sql_bind_int(q, 8, r->updated_ms);
    rc = store_run(s, q);
    if (rc == 0) rc = tags_write(s, r);
    if (rc == 0) rc = refs_write(s, r);
    if (rc == 0 && r->kind == KIND_APPLICATION) rc = app_num_give(s, r);
    if (rc == 0 && r->kind == KIND_ACCOUNT) rc = account_num_give(s, r);
    return rc;
}

static int is_there(struct store *s, struct sv id, struct sv account_id)
{
    struct sql *q = sql_get(s->db, "SELECT 1 FROM record WHERE id = ?1"
                                   " AND account = ?2");
    sql_bind_text(q, 1, id);
    sql_bind_text(q, 2, account_id);
    int rc = sql_step(q);
    sql_done(q);
    return rc;
}

int store_record_update(struct store *s, struct record *r)
{
    store_need_transaction(s);
    struct sql *q =
        sql_get(s->db, "UPDATE record SET name = ?4, uniq = ?5, body = ?6,"
                       " updated = ?7, version = version + 1 WHERE id = ?1"
                       " AND account = ?2 AND version = ?3");
    sql_bind_text(q, 1, id_sv(&r->id));
    sql_bind_text(q, 2, id_sv(&r->account_id));
    sql_bind_int(q, 3, (int64_t)r->version);
    sql_bind_text_or_null(q, 4, r->name);
    sql_bind_text_or_null(q, 5, r->unique);
    sql_bind_text(q, 6, r->body);
    sql_bind_int(q, 7, r->updated_ms);
    int rc = store_run(s, q);
    if (rc) return rc;
    if (sql_changes(s->db) == 0) {
        rc = is_there(s, id_sv(&r->id), id_sv(&r->account_id));
        return rc == SQL_ROW ? ERR_CONFLICT : rc ? rc : ERR_NOTFOUND;
    }
    r->version++;
    return links_rewrite(s, r);
}

static int account_is_empty(struct store *s, struct sv id)
{
    struct sql *q = sql_get(s->db, "SELECT 1 FROM record WHERE account = ?1"
                                   " LIMIT 1");
    sql_bind_text(q, 1, id);
    int rc = sql_step(q);
    sql_done(q);
    return rc == SQL_ROW ? ERR_CONFLICT : rc;
}

int store_record_delete(struct store *s, enum kind kind, struct sv account_id,
                        struct sv id)
{
    store_need_transaction(s);
    int rc = kind == KIND_ACCOUNT ? account_is_empty(s, id) : 0;
    if (rc == 0)
        rc = delete_by_id(s,
                          "DELETE FROM meta"
                          " WHERE name = '" SEALED_PREFIX "' || ?1",
                          id);
    if (rc) return rc;
    struct sql *q = sql_get(s->db, "DELETE FROM record WHERE id = ?1"
                                   " AND account = ?2 AND kind = ?3");
    sql_bind_text(q, 1, id);
    sql_bind_text(q, 2, account_id);
    sql_bind_int(q, 3, kind);
    rc = store_run(s, q);
    return rc ? rc : sql_changes(s->db) ? 0 : ERR_NOTFOUND;
}

/* --- reading many ----------------------------------------------------------------- */

int store_record_count(struct store *s, enum kind kind, struct sv account_id,
                       uint64_t *out)
{
    struct sql *q = sql_get(s->db, "SELECT count(*) FROM record"
                                   " WHERE kind = ?1 AND account = ?2");
    sql_bind_int(q, 1, kind);
    sql_bind_text(q, 2, account_id);
    int rc = sql_step(q);
    *out = rc == SQL_ROW ? (uint64_t)sql_int(q, 0) : 0;
    sql_done(q);
    return rc < 0 ? rc : 0;
}

int store_record_each(struct store *s, enum kind kind, store_record_fn *fn,
                      void *ctx)
{
    struct sql *q = sql_get(s->db, "SELECT" COLUMNS "FROM record r"
                                   " WHERE r.kind = ?1 ORDER BY r.num");
    struct record r;
    sql_bind_int(q, 1, kind);
    int rc;
    while ((rc = sql_step(q)) == SQL_ROW) {
        rc = row_read(q, kind, NULL, &r);
        if (rc == 0) rc = fn(ctx, &r);
        if (rc) break;
    }
    sql_done(q);
    return rc;
}

int store_referrers(struct store *s, struct sv id, struct arena *a,
                    struct sv *ids, unsigned max, unsigned *n)
{
    struct sql *q = sql_get(s->db, "SELECT DISTINCT id FROM record_ref"
                                   " WHERE target = ?1 ORDER BY id LIMIT ?2");
    sql_bind_text(q, 1, id);
    sql_bind_int(q, 2, max);
    int rc = 0;
    for (*n = 0; *n < max && (rc = sql_step(q)) == SQL_ROW; ++*n) {
        ids[*n] = sql_dup(q, 0, a);
        if (!ids[*n].p) {
            rc = ERR_NOMEM;
            break;
        }
    }
    sql_done(q);
    return rc < 0 ? rc : 0;
}

/* Three ways in, each with an index that gives the order: by tag, by name, or
 * all. ?3 cursor, ?4 limit + 1, ?5 the filter's value. */
#define BY_ALL "FROM record r WHERE r.kind = ?1 AND r.account = ?2"
#define BY_NAME BY_ALL " AND r.name = ?5"
#define BY_TAG                                             \
    "FROM record_tag t JOIN record r ON r.id = t.id"       \
    " WHERE t.kind = ?1 AND t.account = ?2 AND t.tag = ?5" \
    " AND (?6 IS NULL OR r.name = ?6)"
#define OLDER(from, id) \
    "SELECT" COLUMNS from " AND " id " < ?3 ORDER BY " id " DESC LIMIT ?4"
#define NEWER(from, id) \
    "SELECT" COLUMNS from " AND " id " > ?3 ORDER BY " id " ASC LIMIT ?4"

static struct sql *list_query(struct store *s, const struct store_filter *f,
                              bool newer)
{
    if (f->tag.p)
        return sql_get(s->db,
                       newer ? NEWER(BY_TAG, "t.id") : OLDER(BY_TAG, "t.id"));
    if (f->name.p)
        return sql_get(s->db,
                       newer ? NEWER(BY_NAME, "r.id") : OLDER(BY_NAME, "r.id"));
    return sql_get(s->db,
                   newer ? NEWER(BY_ALL, "r.id") : OLDER(BY_ALL, "r.id"));
}

static void turn_round(struct record *rows, uint32_t n)
{
    for (uint32_t i = 0; i < n / 2; i++) {
        struct record r = rows[i];
        rows[i] = rows[n - 1 - i];
        rows[n - 1 - i] = r;
    }
}

int store_record_list(struct store *s, enum kind kind, struct sv account_id,
                      const struct store_filter *f,
                      const struct store_page *page, struct arena *a,
                      struct store_records *out)
{
    bool newer = page->before.n > 0;
    struct sql *q = list_query(s, f, newer);
    *out = (struct store_records){ 0 };
    ENSURE(page->limit >= 1 && page->limit <= 1000 &&
           !(newer && page->after.n));
    out->rows = ARENA_ARRAY(a, struct record, page->limit);
    if (!out->rows) return ERR_NOMEM;
    sql_bind_int(q, 1, kind);
    sql_bind_text(q, 2, account_id);
    sql_bind_text(q, 3,
                  newer           ? page->before
                  : page->after.n ? page->after
                                  : SV("~"));
    sql_bind_int(q, 4, (int64_t)page->limit + 1);
    if (f->tag.p || f->name.p) sql_bind_text(q, 5, f->tag.p ? f->tag : f->name);
    if (f->tag.p && f->name.p) sql_bind_text(q, 6, f->name);
    size_t bytes = 0;
    int rc;
    while ((rc = sql_step(q)) == SQL_ROW) {
        out->has_more = out->n == page->limit || bytes >= PAGE_BYTES;
        if (out->has_more) break;
        rc = row_read(q, kind, a, &out->rows[out->n++]);
        if (rc) break;
        bytes += out->rows[out->n - 1].body.n;
    }
    sql_done(q);
    if (newer) turn_round(out->rows, out->n);
    return rc < 0 ? rc : 0;
}
