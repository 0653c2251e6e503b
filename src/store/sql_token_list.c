/* Reading tokens for the management API: one, or a page. A page has six ways
 * in, each with an index that gives the order of ids; whatever else is asked
 * is tested row by row. */
#include "base/ensure.h"
#include "base/err.h"
#include "store/store_int.h"

#define COLUMNS                                                            \
    "SELECT t.slot, t.id, t.app, t.enabled, t.revoked, t.expires, t.mark," \
    " t.sealed, t.used, t.refills, t.last_used, t.body, t.updated,"        \
    " t.version, t.start, t.prefix_n, t.name, t.owner, n.id "
/* A deleted application's tokens are gone for everybody, purged or not. */
#define LIVING "JOIN app_num n ON n.num = t.app AND n.id IS NOT NULL "

static int row_read(struct sql *q, struct arena *a, struct token_row *out)
{
    *out = (struct token_row){
        .slot = (uint32_t)sql_int(q, 0),
        .app = (uint32_t)sql_int(q, 2),
        .enabled = sql_int(q, 3) != 0,
        .revoked_ms = sql_int(q, 4),
        .expires_ms = sql_int(q, 5),
        .used = sql_int(q, 8),
        .refills = (uint32_t)sql_int(q, 9),
        .last_used_s = (uint32_t)sql_int(q, 10),
        .updated_ms = sql_int(q, 12),
        .version = (uint64_t)sql_int(q, 13),
        .prefix_n = (uint8_t)sql_int(q, 15),
    };
    struct sv *texts[] = { &out->body, &out->start, &out->name, &out->owner };
    static const int columns[] = { 11, 14, 16, 17 };
    int rc = ulid_column(q, 1, &out->id);
    if (rc == 0) rc = id_column(q, 18, &out->app_id);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = sql_dup(q, columns[i], a);
        if (!texts[i]->p) rc = ERR_NOMEM;
    }
    return rc;
}

int store_token_get(struct store *s, struct sv account_id,
                    const struct ulid *id, bool revoked, struct arena *a,
                    struct token_row *out)
{
    struct sealed sealed;
    int64_t account;
    int rc = account_num(s, account_id, &account);
    if (rc) return rc;
    struct sql *q = sql_get(s->db, COLUMNS "FROM token t " LIVING
                                           "WHERE t.account = ?1 AND t.id = ?2"
                                           " AND (t.revoked <> 0) = ?3");
    sql_bind_int(q, 1, account);
    sql_bind_blob(q, 2, id->b, sizeof id->b);
    sql_bind_int(q, 3, revoked);
    rc = sql_step(q);
    if (rc == 0) rc = ERR_NOTFOUND;
    if (rc == SQL_ROW) {
        rc = row_read(q, a, out);
        if (rc == 0) rc = sealed_column(q, 6, &sealed);
        if (rc == 0) rc = open_digest(s->tokens, &sealed, out->digest);
    }
    sql_done(q);
    return rc;
}

/* ?1 account (or app), ?2 cursor, ?3 limit + 1, ?4 what leads; the rest NULL
 * where nothing is asked: ?5 app, ?6 owner, ?7 name, ?8 enabled. */
#define REST                                                            \
    " AND t.revoked = 0 AND (?5 IS NULL OR t.app = ?5)"                 \
    " AND (?6 IS NULL OR t.owner = ?6) AND (?7 IS NULL OR t.name = ?7)" \
    " AND (?8 IS NULL OR t.enabled = ?8)"
#define FROM_TOKEN "FROM token t " LIVING "WHERE "
#define BY_ACCOUNT FROM_TOKEN "t.account = ?1"
#define BY_APP FROM_TOKEN "t.app = ?4"
#define BY_OWNER FROM_TOKEN "t.account = ?1 AND t.owner = ?4"
#define BY_NAME FROM_TOKEN "t.account = ?1 AND t.name = ?4"
#define BY_OFF FROM_TOKEN "t.account = ?1 AND t.enabled = 0"
#define BY_TAG                                                 \
    "FROM token_tag g JOIN token t ON t.slot = g.slot " LIVING \
    "WHERE g.account = ?1 AND g.tag = ?4"
#define OLDER(from, id) \
    COLUMNS from REST " AND " id " < ?2 ORDER BY " id " DESC LIMIT ?3"
#define NEWER(from, id) \
    COLUMNS from REST " AND " id " > ?2 ORDER BY " id " ASC LIMIT ?3"

enum way { ACCOUNT, APP, OWNER, NAME, OFF, TAG };
static const char *const texts[][2] = {
    [ACCOUNT] = { OLDER(BY_ACCOUNT, "t.id"), NEWER(BY_ACCOUNT, "t.id") },
    [APP] = { OLDER(BY_APP, "t.id"), NEWER(BY_APP, "t.id") },
    [OWNER] = { OLDER(BY_OWNER, "t.id"), NEWER(BY_OWNER, "t.id") },
    [NAME] = { OLDER(BY_NAME, "t.id"), NEWER(BY_NAME, "t.id") },
    [OFF] = { OLDER(BY_OFF, "t.id"), NEWER(BY_OFF, "t.id") },
    [TAG] = { OLDER(BY_TAG, "g.id"), NEWER(BY_TAG, "g.id") },
};

/* The way that promises the fewest rows. */
static enum way way_of(const struct store_filter *f)
{
    return f->tag.p          ? TAG
           : f->owner.p      ? OWNER
           : f->name.p       ? NAME
           : f->enabled == 0 ? OFF
           : f->app_id.p     ? APP
                             : ACCOUNT;
}

static int app_num_of(struct store *s, struct sv account_id, struct sv app_id,
                      int64_t *out)
{
    struct sql *q = sql_get(s->db, "SELECT n.num FROM app_num n"
                                   " JOIN record r ON r.id = n.id"
                                   " WHERE n.id = ?1 AND r.account = ?2");
    sql_bind_text(q, 1, app_id);
    sql_bind_text(q, 2, account_id);
    int rc = sql_step(q);
    if (rc == SQL_ROW) *out = sql_int(q, 0);
    sql_done(q);
    return rc == SQL_ROW ? 0 : rc ? rc : ERR_NOTFOUND;
}

static int cursor_bind(struct sql *q, const struct store_page *page,
                       struct ulid *cursor)
{
    struct sv text = page->before.n ? page->before : page->after;
    memset(cursor, 0xff, sizeof *cursor);
    int rc = text.n ? id_parse(KIND_TOKEN, text, cursor) : 0;
    sql_bind_blob(q, 2, cursor->b, sizeof cursor->b);
    sql_bind_int(q, 3, (int64_t)page->limit + 1);
    return rc;
}

static void filter_bind(struct sql *q, enum way way,
                        const struct store_filter *f, int64_t app)
{
    struct sv lead = way == TAG ? f->tag : way == OWNER ? f->owner : f->name;
    if (way == APP)
        sql_bind_int(q, 4, app);
    else if (way == TAG || way == OWNER || way == NAME)
        sql_bind_text(q, 4, lead);
    if (app) sql_bind_int(q, 5, app);
    if (f->owner.p) sql_bind_text(q, 6, f->owner);
    if (f->name.p) sql_bind_text(q, 7, f->name);
    if (f->enabled >= 0) sql_bind_int(q, 8, f->enabled);
}

static int page_read(struct sql *q, uint32_t limit, struct arena *a,
                     struct store_tokens *out)
{
    int rc;
    while ((rc = sql_step(q)) == SQL_ROW) {
        if (out->n == limit) {
            out->has_more = true;
            return 0;
        }
        rc = row_read(q, a, &out->rows[out->n++]);
        if (rc) return rc;
    }
    return rc;
}

int store_token_list(struct store *s, struct sv account_id,
                     const struct store_filter *f,
                     const struct store_page *page, struct arena *a,
                     struct store_tokens *out)
{
    int64_t account, app = 0;
    struct ulid cursor;
    enum way way = way_of(f);
    bool newer = page->before.n > 0;
    *out = (struct store_tokens){ 0 };
    ENSURE(page->limit >= 1 && page->limit <= 1000 &&
           !(newer && page->after.n));
    int rc = account_num(s, account_id, &account);
    if (rc == 0 && f->app_id.p) rc = app_num_of(s, account_id, f->app_id, &app);
    if (rc == ERR_NOTFOUND) return 0; /* another's, or none: no tokens */
    out->rows = ARENA_ARRAY(a, struct token_row, page->limit);
    if (rc == 0 && !out->rows) rc = ERR_NOMEM;
    if (rc) return rc;
    struct sql *q = sql_get(s->db, texts[way][newer]);
    sql_bind_int(q, 1, account);
    rc = cursor_bind(q, page, &cursor);
    filter_bind(q, way, f, app);
    if (rc == 0) rc = page_read(q, page->limit, a, out);
    sql_done(q);
    for (uint32_t i = 0; newer && i < out->n / 2; i++) {
        struct token_row r = out->rows[i];
        out->rows[i] = out->rows[out->n - 1 - i];
        out->rows[out->n - 1 - i] = r;
    }
    return rc;
}
