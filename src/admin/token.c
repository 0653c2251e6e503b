/* Tokens: read, list, change, revoke. One record is touched, never a plan. */
#include "admin/token_int.h"
#include "admin/hold_show.h"

#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"

bool token_find(struct call *c, bool revoked, struct token_row *out)
{
    struct ulid id;
    if (id_parse(KIND_TOKEN, c->route.vars[0], &id))
        return call_not_found(c, "token");
    int err = store_token_get(c->admin->conf.store, id_sv(&c->account_id), &id,
                              revoked, c->arena, out);
    if (err && err != ERR_NOTFOUND) return call_fail_store(c, err);
    if (err || !token_app(c, out)) return call_not_found(c, "token");
    return true;
}

const struct plan_app *token_app(struct call *c, const struct token_row *row)
{
    return plan_find(c->admin->conf.plan, id_sv(&row->app_id));
}

bool token_secret_new(struct call *c, const struct plan_app *app,
                      struct token_row *row, struct fresh_secret *out)
{
    enum { SHOWN = 4 };
    struct sv prefix = app->has_auth ? app->auth.prefix : SV("");
    out->n = token_secret_make(out->text, prefix,
                               app->has_auth ? app->auth.byte_length : 32);
    sha256(sv_of(out->text, out->n), row->digest);
    row->prefix_n = (uint8_t)prefix.n;
    row->start = arena_dup(c->arena, sv_of(out->text, prefix.n + SHOWN));
    return row->start.p ? true : call_fail_store(c, ERR_NOMEM);
}

int64_t token_default_expiry(const struct call *c, const struct plan_app *app)
{
    return app->has_auth && app->auth.expires_s
               ? c->now_ms + app->auth.expires_s * 1000
               : 0;
}

/* --- read --------------------------------------------- */

void token_get(struct call *c)
{
    struct token_row row;
    bool revoked;
    if (call_flag(c, SV("revoked"), false, &revoked) &&
        token_find(c, revoked, &row))
        token_answer(c, &row, NULL, 200, "");
}

static bool filter(struct call *c, struct store_filter *f)
{
    struct sv app = query_find(&c->query, SV("applicationId"));
    struct sv owner = query_find(&c->query, SV("owner"));
    bool enabled;
    if (!call_filter(c, f) || !call_flag(c, SV("enabled"), true, &enabled))
        return false;
    if (query_find(&c->query, SV("enabled")).p) f->enabled = enabled;
    if (owner.p) f->owner = owner;
    if (!app.p) return true;
    if (id_parse(KIND_APPLICATION, app, NULL))
        return call_fail(c, 400, "invalid_value", "applicationId",
                         "It is not the id of an application.");
    f->app_id = app;
    return true;
}

void token_list(struct call *c)
{
    struct store_filter f;
    struct store_page page;
    struct store_tokens rows;
    if (!filter(c, &f) || !call_page(c, KIND_TOKEN, &page)) return;
    int err = store_token_list(c->admin->conf.store, id_sv(&c->account_id), &f,
                               &page, c->arena, &rows);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    answer_begin(c->a, 200, "");
    for (uint32_t i = 0; i < rows.n; i++) {
        if (!token_app(c, &rows.rows[i])) continue; /* being deleted */
        answer_next(c->a);
        token_show(c, &rows.rows[i], NULL, &c->a->body);
    }
    answer_end_list(c->a, rows.has_more);
}

/* --- change --------------------------------------------- */

static void patched(struct call *c)
{
    token_answer(c, c->user, NULL, 200, "Updated.");
}

/* What traffic changes is no field of the record: a client that sends a whole
 * object back must not fail because a request came in between. */
static yyjson_val *without_moving(struct call *c, yyjson_val *input)
{
    static const char *const moving[] = { "effective", "lastUsedAt" };
    yyjson_mut_doc *doc = json_new(c->arena);
    yyjson_mut_val *copy = doc ? yyjson_val_mut_copy(doc, input) : NULL;
    if (!copy) return input;
    for (size_t i = 0; i < sizeof moving / sizeof *moving; i++)
        yyjson_mut_obj_remove_key(copy, moving[i]);
    yyjson_val *v = call_parse(c, json_encode(c->arena, copy));
    return v ? v : input;
}

static bool quota_change(struct call *c, const struct token_row *row,
                         yyjson_mut_doc *doc, yyjson_val *present)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_val *asked = json_find(c->input, "remaining");
    yyjson_val *had = json_find(present, "remaining");
    struct token_own own;
    struct take_ask ask;
    int64_t n;
    if (json_is_int(asked, &n))
        return change_counter(c, COUNTER_SET_USED, row->slot,
                              ulid_tag(&row->id), 0);
    if (!yyjson_is_obj(asked)) return true;
    yyjson_mut_obj_remove_key(root, "remaining");
    if (had && !yyjson_is_null(had))
        yyjson_mut_obj_add_val(doc, root, "remaining",
                               yyjson_val_mut_copy(doc, had));
    int err = token_own_decode(row->body, c->arena, &own);
    if (err || !json_is_int(json_find(asked, "add"), &n))
        return call_fail_store(c, err ? err : ERR_CORRUPT);
    token_ask(token_app(c, row), row, &own, &ask);
    if (!ask.terms.has_quota)
        return call_fail(c, 400, "invalid_value", "remaining",
                         "The token has no quota to add to.");
    bool shared = ask.quota_slot != UINT32_MAX;
    if ((err = token_settle(c, &ask))) return call_fail_store(c, err);
    return change_counter(c, COUNTER_ADD, shared ? ask.quota_slot : ask.slot,
                          shared ? ask.quota_tag : ask.tag, n);
}

static bool update(struct call *c, struct token_row *row,
                   const struct token_row *before, yyjson_mut_doc *doc)
{
    yyjson_val *expires = json_find(c->input, "expires");
    int err = token_row_fill(row, doc, c->arena);
    if (err) return call_fail_store(c, err);
    if (yyjson_is_null(expires))
        row->expires_ms = token_default_expiry(c, token_app(c, row));
    row->updated_ms = c->now_ms;
    err = store_token_update(c->admin->conf.store, row);
    if (err) return call_fail_store(c, err);
    struct id id = id_make(KIND_TOKEN, &row->id);
    return change_token_put(c, row) &&
           call_audit(c, "token", "update", id_sv(&id),
                      token_record_text(c, before), token_record_text(c, row));
}

static void patch_row(struct call *c, const struct token_row *before,
                      yyjson_val *present)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    struct token_row *row = ARENA_NEW(c->arena, struct token_row);
    yyjson_mut_doc *doc;
    if (!present || !row) {
        call_fail_store(c, ERR_NOMEM);
        return;
    }
    *row = *before;
    int err =
        shape_patch(&shape_token_patch, &env, present, c->input, &doc, &why);
    if (err) {
        call_fail_shape(c, err, &why);
        return;
    }
    if (!quota_change(c, before, doc, present) || !update(c, row, before, doc))
        return;
    answer_ok(c->a, 200, "Updated.");
    c->user = row;
    c->finish = patched;
}

void token_patch(struct call *c)
{
    struct token_row before = { .version = 0 };
    if (!token_find(c, false, &before) || !call_if_match(c, before.version))
        return;
    c->input = without_moving(c, c->input);
    patch_row(c, &before, call_parse(c, token_record_text(c, &before)));
}

void token_tag(struct call *c)
{
    struct token_row before = { .version = 0 };
    if (!token_find(c, false, &before) || !call_if_match(c, before.version))
        return;
    yyjson_val *present = call_parse(c, token_record_text(c, &before));
    c->input = tags_patch(c, present);
    if (c->input) patch_row(c, &before, present);
}

void token_delete(struct call *c)
{
    struct token_row *row = ARENA_NEW(c->arena, struct token_row);
    if (!row || !token_find(c, false, row) || !call_if_match(c, row->version))
        return;
    int err = store_token_revoke(c->admin->conf.store, row->slot, c->now_ms);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    struct id id = id_make(KIND_TOKEN, &row->id);
    if (change_token_revoke(c, row) && holds_leave(c, &row->id, SV("")) &&
        call_audit(c, "token", "delete", id_sv(&id), token_record_text(c, row),
                   SV("")))
        answer_ok(c->a, 200, "Revoked.");
}
