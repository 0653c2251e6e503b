/* POST …/token/import/{application_id}: hashes of tokens that another system
 * made, up to 10,000, all or none. */
#include "admin/token_int.h"

#include "base/err.h"
#include "base/map.h"

#include <stdio.h>

enum { IMPORT_MAX = 10000, FIELD_MAX = 160 };

/* The problem of an item under its place in the list. */
static bool fail_item(struct call *c, size_t i, int err,
                      const struct shape_problem *why)
{
    struct shape_problem placed = *why;
    snprintf(placed.field, sizeof placed.field, "tokens[%zu]%s%.100s", i,
             why->field[0] ? "." : "", why->field);
    return call_fail_shape(c, err, &placed);
}

static bool row_make(struct call *c, const struct plan_app *app, size_t i,
                     yyjson_val *item, struct token_row *row)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    yyjson_mut_doc *doc;
    int err = shape_create(&shape_token_import_item, &env, item, &doc, &why);
    if (err) return fail_item(c, i, err, &why);
    struct id app_id = { "" };
    memcpy(app_id.text, app->app.id.p, app->app.id.n);
    *row = (struct token_row){
        .id = store_ulid(c->admin->conf.store, c->now_ms),
        .app = app->app.num,
        .app_id = app_id,
        .enabled = true,
        .version = 1,
        .updated_ms = c->now_ms,
        .expires_ms = token_default_expiry(c, app),
        .start = SV(""),
        .body = SV(""),
    };
    if ((err = token_row_fill(row, doc, c->arena)))
        return call_fail_store(c, err);
    row->slot = change_slot(c, ulid_tag(&row->id));
    return row->slot != UINT32_MAX;
}

static yyjson_val *list_of(struct call *c)
{
    size_t i, max;
    yyjson_val *key, *value, *list = json_find(c->input, "tokens");
    yyjson_obj_foreach(c->input, i, max, key, value)
    {
        if (value == list) continue;
        char field[64];
        snprintf(field, sizeof field, "%.*s",
                 SV_FMT(sv_first(json_text(key), 60)));
        call_fail(c, 400, "unknown_field", field, "It is not a known field.");
        return NULL;
    }
    if (!list || yyjson_is_null(list))
        call_fail(c, 400, "required", "tokens", "tokens is required.");
    else if (!yyjson_is_arr(list))
        call_fail(c, 400, "invalid_type", "tokens", "tokens must be an array.");
    else if (!yyjson_arr_size(list) || yyjson_arr_size(list) > IMPORT_MAX)
        call_fail(c, 400, "out_of_range", "tokens",
                  "tokens must have 1 to 10000 items.");
    else
        return list;
    return NULL;
}

static bool fail_hash(struct call *c, size_t i)
{
    char field[FIELD_MAX];
    snprintf(field, sizeof field, "tokens[%zu].hash", i);
    return call_fail(c, 409, "duplicate", field,
                     "The application has this token already.");
}

/* The token table tells tokens of an application apart by 128 bits of their
 * hash: who imports must not bring what it cannot hold. */
static bool hashes_differ(struct call *c, const struct token_row *rows,
                          size_t n)
{
    enum { TOLD_APART = 16 };
    struct map seen = { 0 };
    struct token_view known;
    size_t clash = SIZE_MAX;
    for (size_t i = 0; i < n && clash == SIZE_MAX; i++)
        if (map_put(&seen, sv_of(rows[i].digest, TOLD_APART),
                    (void *)(uintptr_t)&rows[i]) ||
            tokens_find(c->admin->conf.tokens, rows[i].app, rows[i].digest,
                        c->now_ms, &known))
            clash = i;
    map_fini(&seen);
    return clash == SIZE_MAX || fail_hash(c, clash);
}

static bool rows_store(struct call *c, const struct token_row *rows, size_t n)
{
    size_t failed_at = 0;
    if (!hashes_differ(c, rows, n)) return false;
    int err = store_token_insert(c->admin->conf.store, id_sv(&c->account_id),
                                 rows, n, &failed_at);
    if (err == ERR_EXISTS) return fail_hash(c, failed_at);
    if (err) return call_fail_store(c, err);
    for (size_t i = 0; i < n; i++)
        if (!change_token_put(c, &rows[i])) return false;
    return true;
}

/* The first import tells the image that not every token bears our checksum. */
static bool mark_imported(struct call *c, struct sv app_id, bool before)
{
    return before || change_application(c, app_id);
}

static bool audit(struct call *c, struct sv app_id, size_t n)
{
    return call_audit(c, "token", "import", app_id, SV(""),
                      arena_printf(c->arena, "{\"tokens\":%zu}", n));
}

static void answer(struct call *c, const struct token_row *rows, size_t n)
{
    answer_begin(c->a, 201, "Tokens imported.");
    for (size_t i = 0; i < n; i++) {
        answer_next(c->a);
        token_show(c, &rows[i], NULL, &c->a->body);
    }
    answer_end(c->a);
}

void token_import(struct call *c)
{
    struct sv app_id = c->route.vars[0];
    const struct plan_app *app = application_find(c, app_id);
    yyjson_val *list = app ? list_of(c) : NULL, *item;
    bool before = false;
    size_t i, n;
    if (!list) return;
    struct token_row *rows =
        ARENA_ARRAY(c->arena, struct token_row, yyjson_arr_size(list));
    int err =
        rows ? store_token_imported(c->admin->conf.store, app->app.num, &before)
             : ERR_NOMEM;
    if (err) {
        call_fail_store(c, err);
        return;
    }
    yyjson_arr_foreach(list, i, n,
                       item) if (!row_make(c, app, i, item, &rows[i])) return;
    if (rows_store(c, rows, n) && mark_imported(c, app_id, before) &&
        audit(c, app_id, n))
        answer(c, rows, n);
}
