#include "admin/noun.h"

#include "admin/admin_int.h"
#include "base/err.h"

#include <stdio.h>

/* A body of the largest kind, and what is added to it. */
enum { OBJECT_MAX_BYTES = 2 * IMPORT_BODY_MAX_BYTES };

static void show(struct call *c, const struct noun *n, const struct record *r)
{
    answer_next(c->a);
    if (n->show)
        n->show(c, r, &c->a->body);
    else
        record_show(r, &c->a->body);
}

void noun_answer(struct call *c, const struct noun *n, const struct record *r,
                 unsigned status, const char *message)
{
    answer_begin(c->a, status, message);
    if (n->show_whole) {
        answer_next(c->a);
        n->show_whole(c, r, &c->a->body);
    } else {
        show(c, n, r);
    }
    answer_end(c->a);
    call_set_etag(c, r->version);
}

/* A buffer's text in the call's arena. */
static struct sv text_keep(struct call *c, struct buf *b)
{
    struct sv text = b->overflow ? SV("") : arena_dup(c->arena, buf_sv(b));
    buf_fini(b);
    return text;
}

struct sv noun_redacted(struct call *c, const struct noun *n,
                        const struct record *r)
{
    struct buf b;
    buf_init(&b, OBJECT_MAX_BYTES);
    record_show_redacted(r, n->shape, c->arena, &b);
    return text_keep(c, &b);
}

static struct sv shown(struct call *c, const struct noun *n,
                       const struct record *r)
{
    struct buf b;
    buf_init(&b, OBJECT_MAX_BYTES);
    if (n->show)
        n->show(c, r, &b);
    else
        record_show(r, &b);
    return text_keep(c, &b);
}

static bool fail_write(struct call *c, const struct noun *n, int err)
{
    char message[96];
    if (err != ERR_EXISTS) return call_fail_store(c, err);
    if (store_clash(c->admin->conf.store) == CLASH_DOMAIN)
        return call_fail(c, 409, "domain_taken", "domain",
                         "The domain is not free.");
    snprintf(message, sizeof message, "There is another %s of this %s.",
             n->name, n->unique_field);
    return call_fail(c, 409, "duplicate", n->unique_field, message);
}

/* --- create --------------------------------------------- */

bool noun_insert(struct call *c, const struct noun *n, yyjson_mut_doc *doc,
                 struct record *out)
{
    struct ulid u = store_ulid(c->admin->conf.store, c->now_ms);
    *out = (struct record){
        .kind = n->shape->kind,
        .id = id_make(n->shape->kind, &u),
        .account_id = c->account_id,
        .version = 1,
        .created_ms = c->now_ms,
        .updated_ms = c->now_ms,
    };
    if (n->check && !n->check(c, out, doc, NULL)) return false;
    int err = record_fill(out, n->shape, doc, c->arena);
    if (!err) err = store_record_insert(c->admin->conf.store, out);
    if (err) return fail_write(c, n, err);
    if (n->stored && !n->stored(c, out, doc, NULL)) return false;
    return call_audit(c, n->name, "create", id_sv(&out->id), SV(""),
                      noun_redacted(c, n, out));
}

void noun_create(struct call *c, const struct noun *n)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    yyjson_mut_doc *doc;
    int err = shape_create(n->shape, &env, c->input, &doc, &why);
    if (err) {
        call_fail_shape(c, err, &why);
        return;
    }
    struct record r;
    if (!noun_insert(c, n, doc, &r)) return;
    noun_answer(c, n, &r, 201, n->message ? n->message(c, &r) : "Created.");
}

/* --- read --------------------------------------------- */

bool noun_find(struct call *c, const struct noun *n, struct record *out)
{
    struct sv id = c->route.vars[0];
    if (id_parse(n->shape->kind, id, NULL)) return call_not_found(c, n->name);
    int err = store_record_get(c->admin->conf.store, n->shape->kind,
                               id_sv(&c->account_id), id, c->arena, out);
    if (err == ERR_NOTFOUND) return call_not_found(c, n->name);
    return err ? call_fail_store(c, err) : true;
}

void noun_get(struct call *c, const struct noun *n)
{
    struct record r = { .version = 0 };
    if (noun_find(c, n, &r)) noun_answer(c, n, &r, 200, "");
}

void noun_list(struct call *c, const struct noun *n)
{
    struct store_filter filter;
    struct store_page page;
    struct store_records rows;
    if (!call_filter(c, &filter) || !call_page(c, n->shape->kind, &page))
        return;
    int err = store_record_list(c->admin->conf.store, n->shape->kind,
                                id_sv(&c->account_id), &filter, &page, c->arena,
                                &rows);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    answer_begin(c->a, 200, "");
    for (uint32_t i = 0; i < rows.n; i++) show(c, n, &rows.rows[i]);
    answer_end_list(c->a, rows.has_more);
}

/* --- change --------------------------------------------- */

bool noun_update(struct call *c, const struct noun *n,
                 const struct record *before, yyjson_mut_doc *doc,
                 struct record *out)
{
    *out = (struct record){
        .kind = before->kind,
        .id = before->id,
        .account_id = before->account_id,
        .num = before->num,
        .version = before->version,
        .created_ms = before->created_ms,
        .updated_ms = c->now_ms,
    };
    if (n->check && !n->check(c, out, doc, before)) return false;
    int err = record_fill(out, n->shape, doc, c->arena);
    if (!err) err = store_record_update(c->admin->conf.store, out);
    if (err) return fail_write(c, n, err);
    if (n->stored && !n->stored(c, out, doc, before)) return false;
    return call_audit(c, n->name, "update", id_sv(&out->id),
                      noun_redacted(c, n, before), noun_redacted(c, n, out));
}

yyjson_val *noun_present(struct call *c, const struct noun *n,
                         const struct record *r)
{
    yyjson_val *present =
        n->present ? n->present(c, r) : call_parse(c, shown(c, n, r));
    if (!present) call_fail_store(c, ERR_CORRUPT);
    return present;
}

void noun_patch(struct call *c, const struct noun *n)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    struct record before = { .version = 0 }, after = { .version = 0 };
    yyjson_mut_doc *doc;
    if (!noun_find(c, n, &before) || !call_if_match(c, before.version)) return;
    yyjson_val *present = noun_present(c, n, &before);
    if (!present) return;
    int err = shape_patch(n->shape, &env, present, c->input, &doc, &why);
    if (err)
        call_fail_shape(c, err, &why);
    else if (noun_update(c, n, &before, doc, &after))
        noun_answer(c, n, &after, 200, "Updated.");
}

/* --- delete --------------------------------------------- */

void noun_delete(struct call *c, const struct noun *n)
{
    struct record r = { .version = 0 };
    if (!noun_find(c, n, &r) || !call_if_match(c, r.version)) return;
    if (n->leaving && !n->leaving(c, &r)) return;
    int err = store_record_delete(c->admin->conf.store, n->shape->kind,
                                  id_sv(&c->account_id), id_sv(&r.id));
    if (err) {
        call_fail_store(c, err);
        return;
    }
    if (n->gone && !n->gone(c, &r)) return;
    if (call_audit(c, n->name, "delete", id_sv(&r.id), noun_redacted(c, n, &r),
                   SV("")))
        answer_ok(c->a, 200, "Deleted.");
}
