/* What alert targets were told of, and messages that have not arrived. */
#include "base/err.h"
#include "store/store_int.h"

/* --- items ------------------------------------------------------------------------- */

static int item_delete(struct store *s, struct sv alert_id,
                       enum alert_kind kind, const struct alert_item *i)
{
    struct sql *q = sql_get(s->db, "DELETE FROM alert_item WHERE alert = ?1"
                                   " AND kind = ?2 AND app = ?3 AND key = ?4");
    sql_bind_text(q, 1, alert_id);
    sql_bind_int(q, 2, kind);
    sql_bind_text(q, 3, id_sv(&i->app_id));
    sql_bind_text(q, 4, sv_cstr(i->key));
    return store_run(s, q);
}

int store_alert_item_put(struct store *s, struct sv alert_id,
                         enum alert_kind kind, const struct alert_item *i)
{
    store_need_transaction(s);
    if (i->state == ALERT_NONE) return item_delete(s, alert_id, kind, i);
    struct sql *q = sql_get(s->db, "INSERT OR REPLACE INTO alert_item VALUES"
                                   " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
                                   " ?11)");
    sql_bind_text(q, 1, alert_id);
    sql_bind_int(q, 2, kind);
    sql_bind_text(q, 3, id_sv(&i->app_id));
    sql_bind_text(q, 4, sv_cstr(i->key));
    sql_bind_int(q, 5, i->state);
    sql_bind_int(q, 6, i->told);
    sql_bind_int(q, 7, i->untold);
    sql_bind_int(q, 8, i->first_ms);
    sql_bind_int(q, 9, i->last_ms);
    sql_bind_text(q, 10, sv_cstr(i->title));
    sql_bind_text(q, 11, sv_cstr(i->details));
    return store_run(s, q);
}

/* ERR_CORRUPT: longer than it may be. */
static int text_column(struct sql *q, int at, char *to, size_t max)
{
    struct sv v = sql_bytes(q, at);
    if (v.n >= max) return ERR_CORRUPT;
    if (v.n) memcpy(to, v.p, v.n);
    to[v.n] = 0;
    return 0;
}

static int item_read(struct sql *q, enum alert_kind *kind, struct alert_item *i)
{
    int64_t k = sql_int(q, 0), state = sql_int(q, 3), told = sql_int(q, 4);
    if (k < 0 || k >= ALERT_KINDS || state < ALERT_NONE ||
        state > ALERT_RESOLVED || told < ALERT_NONE || told > ALERT_RESOLVED)
        return ERR_CORRUPT;
    *kind = (enum alert_kind)k;
    *i = (struct alert_item){ .state = (enum alert_state)state,
                              .told = (enum alert_state)told,
                              .untold = (uint32_t)sql_int(q, 5),
                              .first_ms = sql_int(q, 6),
                              .last_ms = sql_int(q, 7) };
    int rc = id_column(q, 1, &i->app_id);
    if (!rc) rc = text_column(q, 2, i->key, sizeof i->key);
    if (!rc) rc = text_column(q, 8, i->title, sizeof i->title);
    if (!rc) rc = text_column(q, 9, i->details, sizeof i->details);
    return rc;
}

int store_alert_item_each(struct store *s, struct sv alert_id,
                          store_alert_item_fn *fn, void *ctx)
{
    struct sql *q = sql_get(s->db, "SELECT kind, app, key, state, told, untold,"
                                   " first, last, title, details"
                                   " FROM alert_item WHERE alert = ?1");
    struct alert_item i;
    enum alert_kind kind;
    int rc;
    sql_bind_text(q, 1, alert_id);
    while ((rc = sql_step(q)) == SQL_ROW) {
        rc = item_read(q, &kind, &i);
        if (rc) break;
        fn(ctx, kind, &i);
    }
    sql_done(q);
    return rc;
}

/* --- messages ----------------------------------------------------------------------- */

int store_letter_put(struct store *s, const struct alert_letter *l)
{
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "INSERT OR REPLACE INTO alert_message VALUES"
                                   " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    sql_bind_blob(q, 1, l->id.b, sizeof l->id.b);
    sql_bind_text(q, 2, id_sv(&l->account_id));
    sql_bind_text(q, 3, id_sv(&l->alert_id));
    sql_bind_int(q, 4, l->dead);
    sql_bind_int(q, 5, l->attempts);
    sql_bind_int(q, 6, l->next_ms);
    sql_bind_int(q, 7, l->at_ms);
    sql_bind_text(q, 8, l->problem);
    sql_bind_text(q, 9, l->body);
    return store_run(s, q);
}

int store_letter_delete(struct store *s, const struct ulid *id)
{
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "DELETE FROM alert_message WHERE id = ?1");
    sql_bind_blob(q, 1, id->b, sizeof id->b);
    return store_run(s, q);
}

#define SELECT                                                           \
    "SELECT id, account, alert, dead, attempts, next, at, problem, body" \
    " FROM alert_message"

/* Texts in the arena, or (without one) as long as the row. */
static int letter_read(struct sql *q, struct arena *a, struct alert_letter *l)
{
    *l = (struct alert_letter){
        .dead = sql_int(q, 3) != 0,
        .attempts = (uint32_t)sql_int(q, 4),
        .next_ms = sql_int(q, 5),
        .at_ms = sql_int(q, 6),
        .problem = a ? sql_dup(q, 7, a) : sql_bytes(q, 7),
        .body = a ? sql_dup(q, 8, a) : sql_bytes(q, 8),
    };
    int rc = ulid_column(q, 0, &l->id);
    if (!rc) rc = id_column(q, 1, &l->account_id);
    if (!rc) rc = id_column(q, 2, &l->alert_id);
    return rc ? rc : a && a->overflow ? ERR_NOMEM : 0;
}

int store_letter_get(struct store *s, struct sv alert_id, const struct ulid *id,
                     struct arena *a, struct alert_letter *out)
{
    struct sql *q =
        sql_get(s->db, SELECT " WHERE alert = ?1 AND id = ?2 AND dead = 1");
    sql_bind_text(q, 1, alert_id);
    sql_bind_blob(q, 2, id->b, sizeof id->b);
    int rc = sql_step(q);
    if (rc == 0) rc = ERR_NOTFOUND;
    if (rc == SQL_ROW) rc = letter_read(q, a, out);
    sql_done(q);
    return rc;
}

static void turn_around(struct store_letters *l)
{
    for (uint32_t i = 0; i < l->n / 2; i++) {
        struct alert_letter e = l->rows[i];
        l->rows[i] = l->rows[l->n - 1 - i];
        l->rows[l->n - 1 - i] = e;
    }
}

int store_letter_list(struct store *s, struct sv alert_id,
                      const struct store_page *page, struct arena *a,
                      struct store_letters *out)
{
    static const char *const texts[2] = {
        SELECT " WHERE alert = ?1 AND dead = 1 AND id < ?2"
               " ORDER BY id DESC LIMIT ?3",
        SELECT " WHERE alert = ?1 AND dead = 1 AND id > ?2"
               " ORDER BY id ASC LIMIT ?3",
    };
    bool newer = page->before.n > 0;
    struct sv text = newer ? page->before : page->after;
    struct ulid cursor;
    memset(&cursor, 0xff, sizeof cursor);
    *out = (struct store_letters){ 0 };
    if (text.n && id_parse(KIND_DELIVERY, text, &cursor)) return ERR_INVALID;
    out->rows = ARENA_ARRAY(a, struct alert_letter, page->limit);
    if (!out->rows) return ERR_NOMEM;
    struct sql *q = sql_get(s->db, texts[newer]);
    sql_bind_text(q, 1, alert_id);
    sql_bind_blob(q, 2, cursor.b, sizeof cursor.b);
    sql_bind_int(q, 3, (int64_t)page->limit + 1);
    int rc;
    while ((rc = sql_step(q)) == SQL_ROW) {
        out->has_more = out->n == page->limit;
        if (out->has_more) break;
        rc = letter_read(q, a, &out->rows[out->n++]);
        if (rc) break;
    }
    sql_done(q);
    if (newer) turn_around(out);
    return rc < 0 ? rc : 0;
}

int store_letter_each(struct store *s, store_letter_fn *fn, void *ctx)
{
    struct sql *q = sql_get(s->db, SELECT " WHERE dead = 0 ORDER BY id");
    struct alert_letter l;
    int rc;
    while ((rc = sql_step(q)) == SQL_ROW) {
        rc = letter_read(q, NULL, &l);
        if (rc) break;
        fn(ctx, &l);
    }
    sql_done(q);
    return rc;
}

int store_letter_prune(struct store *s, struct sv alert_id, unsigned keep,
                       unsigned *n)
{
    store_need_transaction(s);
    struct sql *q = sql_get(
        s->db, "DELETE FROM alert_message WHERE alert = ?1 AND dead = 1"
               " AND id <= (SELECT id FROM alert_message WHERE alert = ?1"
               " AND dead = 1 ORDER BY id DESC LIMIT 1 OFFSET ?2)");
    sql_bind_text(q, 1, alert_id);
    sql_bind_int(q, 2, keep);
    int rc = store_run(s, q);
    *n = rc ? 0 : (unsigned)sql_changes(s->db);
    return rc;
}
