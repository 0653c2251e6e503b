/* request → route → query → caller → account → role → body → handler
 *                                              └ a write: one transaction,
 *         images built inside it, commit, publish, then the answer. */
#include "admin/admin_int.h"
#include "admin/auth.h"
#include "admin/idempotency.h"
#include "admin/hold.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <stdio.h>

/* --- the query's names --------------------------------------------- */

static bool name_is_one_of(struct sv name, const char *const *list)
{
    for (; list && *list; list++)
        if (sv_eq(name, sv_cstr(*list))) return true;
    return false;
}

static bool param_known(const struct call *c, struct sv name)
{
    static const char *const paging[] = { "limit", "starting_after",
                                          "ending_before", NULL };
    static const char *const filters[] = { "name", "tag", NULL };
    const struct endpoint *e = c->route.endpoint;
    if ((e->flags & EP_LIST) && name_is_one_of(name, paging)) return true;
    if ((e->flags & EP_FILTER) &&
        (name_is_one_of(name, filters) ||
         (sv_starts(name, SV("tags[")) && sv_ends(name, SV("]")))))
        return true;
    if (c->route.also && sv_eq(name, SV("account_id"))) return true;
    return name_is_one_of(name, e->params);
}

static bool query_read(struct call *c)
{
    char field[64];
    if (query_parse(c->q->query, c->arena, &c->query))
        return call_fail(c, 400, "invalid_query", NULL,
                         "The query cannot be read.");
    for (size_t i = 0; i < c->query.n; i++) {
        struct sv name = c->query.pairs[i].name;
        if (!utf8_is_valid(name) || !utf8_is_valid(c->query.pairs[i].value))
            return call_fail(c, 400, "invalid_query", NULL,
                             "The query is not UTF-8.");
        if (param_known(c, name)) continue;
        snprintf(field, sizeof field, "%.*s", SV_FMT(sv_first(name, 60)));
        return call_fail(c, 400, "unknown_parameter", field,
                         "This query parameter is not known here.");
    }
    return true;
}

/* --- the body --------------------------------------------- */

static bool type_is_json(struct sv type)
{
    struct sv rest;
    type = sv_trim(sv_cut(type, ';', &rest));
    return type.n == 0 || sv_eq_nocase(type, SV("application/json")) ||
           sv_eq_nocase(type, SV("application/merge-patch+json"));
}

static bool body_refused(struct call *c, const struct json_why *why)
{
    char message[160], field[128];
    snprintf(field, sizeof field, "%.*s", SV_FMT(sv_first(why->member, 120)));
    snprintf(message, sizeof message, "The body is not valid JSON: %s.",
             why->reason ? why->reason : "malformed");
    return call_fail(c, 400, "invalid_json", field, message);
}

static bool body_read(struct call *c)
{
    const struct endpoint *e = c->route.endpoint;
    struct sv body = c->q->body;
    struct json_why why = { 0 };
    yyjson_doc *doc;
    /* what a GET takes in its body it also takes in its query */
    if (!e->body || (e->method == HTTP_GET && !body.n)) return true;
    if (body.n > admin_body_max(c->admin, e->method, c->q->path))
        return call_fail(c, 413, "body_too_large", NULL,
                         "The request body is too large.");
    if (body.n &&
        (!type_is_json(c->q->content_type) || c->q->content_encoding.n))
        return call_fail(c, 415, "unsupported_media_type", "Content-Type",
                         "The body must be application/json, not encoded.");
    int err = json_decode(body, c->arena, &doc, &why);
    if (err == ERR_NOMEM) return call_fail_store(c, err);
    if (err) return body_refused(c, &why);
    c->input = yyjson_doc_get_root(doc);
    if (yyjson_is_obj(c->input)) return true;
    return call_fail(c, 400, "invalid_type", NULL,
                     "The body must be a JSON object.");
}

/* --- the handler --------------------------------------------- */

static bool succeeded(const struct call *c)
{
    return c->a->status >= 200 && c->a->status < 300;
}

static bool write_inside(struct call *c)
{
    const struct endpoint *e = c->route.endpoint;
    enum idempotency i = IDEMPOTENCY_NONE;
    if (e->flags & EP_IDEMPOTENT) i = idempotency_begin(c);
    if (i == IDEMPOTENCY_DONE) return false;
    e->handle(c);
    if (!succeeded(c) || !changes_prepare(c)) return false;
    return i != IDEMPOTENCY_FIRST || idempotency_keep(c);
}

static void run_write(struct call *c)
{
    struct store *s = c->admin->conf.store;
    holds_save(c->admin); /* an id that a client was just told is known */
    changes_init(&c->changes);
    int err = store_begin(s);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    if (!write_inside(c)) {
        store_rollback(s);
        changes_undo(c);
        return;
    }
    if ((err = store_commit(s))) {
        changes_undo(c);
        call_fail_store(c, err);
        return;
    }
    atomic_store(&c->admin->store_fault, 0);
    if (changes_apply(c))
        call_fail(c, 503, "unsure", NULL,
                  "The change is stored but not yet in force here.");
    else if (c->finish)
        c->finish(c);
}

static void run(struct call *c)
{
    const struct endpoint *e = c->route.endpoint;
    bool open = (e->flags & EP_OPEN) || ((e->flags & EP_OPS) && c->q->ops_open);
    if (!query_read(c)) return;
    if (!open && (!auth_caller(c) || !auth_account(c) || !auth_role(c))) return;
    if (!body_read(c)) return;
    if (e->flags & EP_WRITE)
        run_write(c);
    else
        e->handle(c);
}

void admin_serve(void *ctx, const struct request *q, struct answer *a)
{
    struct admin *admin = ctx;
    struct arena arena;
    struct call c = { .admin = admin,
                      .q = q,
                      .a = a,
                      .arena = &arena,
                      .now_ms = clock_wall_ms() };
    arena_init(&arena, CALL_ARENA_BYTES, NULL, 0);
    route_find(q->method, q->path, &c.route);
    if (c.route.endpoint) {
        run(&c);
    } else if (c.route.allow[0]) {
        call_fail(&c, 405, "method_not_allowed", NULL,
                  "The path does not take this method.");
        memcpy(a->allow, c.route.allow, sizeof c.route.allow);
    } else {
        call_fail(&c, 404, "not_found", NULL, "There is no such path.");
    }
    if (!a->status && !a->held) {
        log_error("admin", "no answer to %.*s", SV_FMT(q->path));
        call_fail(&c, 500, "internal", NULL, "Something went wrong.");
    }
    arena_fini(&arena);
}

size_t admin_body_max(void *ctx, enum http_method m, struct sv path)
{
    struct route r;
    (void)ctx;
    route_find(m, path, &r);
    unsigned flags = r.endpoint ? r.endpoint->flags : 0;
    return flags & EP_DOCUMENT ? SCHEMA_BODY_MAX_BYTES
           : flags & EP_IMPORT ? IMPORT_BODY_MAX_BYTES
                               : BODY_MAX_BYTES;
}
