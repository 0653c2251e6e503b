/* POST …/token/create/{application_id} (the customer's own operation): 1 to
 * 100 tokens, all or none. The secrets leave in this answer and never again. */
#include "admin/token_int.h"

#include "base/err.h"
#include "base/mem.h"

struct batch {
    struct token_row *rows;
    struct fresh_secret *secrets;
    size_t n;
};

static bool batch_new(struct call *c, yyjson_mut_doc *doc, struct batch *out)
{
    int64_t n = 1;
    json_is_int((const yyjson_val *)yyjson_mut_obj_get(
                    yyjson_mut_doc_get_root(doc), "amount"),
                &n);
    out->n = (size_t)n;
    out->rows = ARENA_ARRAY(c->arena, struct token_row, out->n);
    out->secrets = ARENA_ARRAY(c->arena, struct fresh_secret, out->n);
    return out->rows && out->secrets ? true : call_fail_store(c, ERR_NOMEM);
}

static bool row_make(struct call *c, const struct plan_app *app,
                     const struct token_row *like, struct token_row *row,
                     struct fresh_secret *secret)
{
    *row = *like;
    row->id = store_ulid(c->admin->conf.store, c->now_ms);
    row->slot = change_slot(c, ulid_tag(&row->id));
    return row->slot != UINT32_MAX && token_secret_new(c, app, row, secret);
}

static bool rows_make(struct call *c, const struct plan_app *app,
                      yyjson_mut_doc *doc, struct batch *b)
{
    struct id app_id = { "" };
    memcpy(app_id.text, app->app.id.p, app->app.id.n);
    struct token_row like = {
        .app = app->app.num,
        .app_id = app_id,
        .enabled = true,
        .version = 1,
        .updated_ms = c->now_ms,
        .expires_ms = token_default_expiry(c, app),
        .start = SV(""),
        .body = SV(""),
    };
    int err = token_row_fill(&like, doc, c->arena);
    if (err) return call_fail_store(c, err);
    for (size_t i = 0; i < b->n; i++)
        if (!row_make(c, app, &like, &b->rows[i], &b->secrets[i])) return false;
    return true;
}

static bool rows_store(struct call *c, const struct batch *b)
{
    size_t failed_at;
    int err = store_token_insert(c->admin->conf.store, id_sv(&c->account_id),
                                 b->rows, b->n, &failed_at);
    if (err) return call_fail_store(c, err);
    for (size_t i = 0; i < b->n; i++) {
        struct id id = id_make(KIND_TOKEN, &b->rows[i].id);
        if (!change_token_put(c, &b->rows[i]) ||
            !call_audit(c, "token", "create", id_sv(&id), SV(""),
                        token_record_text(c, &b->rows[i])))
            return false;
    }
    return true;
}

static void answer(struct call *c, const struct batch *b)
{
    answer_begin(c->a, 201, b->n == 1 ? "Token created." : "Tokens created.");
    for (size_t i = 0; i < b->n; i++) {
        answer_next(c->a);
        token_show(c, &b->rows[i], &b->secrets[i], &c->a->body);
    }
    answer_end(c->a);
    if (b->n == 1) call_set_etag(c, 1);
}

void token_create(struct call *c)
{
    const struct plan_app *app = application_find(c, c->route.vars[0]);
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    struct batch b = { 0 };
    yyjson_mut_doc *doc;
    if (!app) return;
    int err = shape_create(&shape_token_create, &env, c->input, &doc, &why);
    if (err) {
        call_fail_shape(c, err, &why);
        return;
    }
    if (batch_new(c, doc, &b) && rows_make(c, app, doc, &b) &&
        rows_store(c, &b))
        answer(c, &b);
    if (b.secrets) mem_wipe(b.secrets, b.n * sizeof *b.secrets);
}
