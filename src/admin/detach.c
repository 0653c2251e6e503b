#include "admin/detach.h"

#include "admin/admin_int.h"
#include "admin/nouns.h"
#include "base/ensure.h"
#include "base/err.h"

enum { NAMED_BY_MAX = 4096 };

static const struct noun *noun_of(enum kind kind)
{
    switch (kind) {
    case KIND_APPLICATION: return &noun_application;
    case KIND_AUTHENTICATION: return &noun_authentication;
    case KIND_JWT: return &noun_jwt;
    default: return NULL;
    }
}

static bool named_by(struct call *c, struct sv id, struct record **out,
                     unsigned *n)
{
    struct store *s = c->admin->conf.store;
    struct sv *ids = ARENA_ARRAY(c->arena, struct sv, NAMED_BY_MAX);
    int err = ids ? store_referrers(s, id, c->arena, ids, NAMED_BY_MAX, n)
                  : ERR_NOMEM;
    *out = ARENA_ARRAY(c->arena, struct record, *n + 1);
    if (!*out) err = ERR_NOMEM;
    for (unsigned i = 0; !err && i < *n; i++)
        err = store_record_get(s, id_kind(ids[i]), id_sv(&c->account_id),
                               ids[i], c->arena, &(*out)[i]);
    return err ? call_fail_store(c, err) : true;
}

static bool refuse(struct call *c, const struct record *by, unsigned n)
{
    struct buf names;
    buf_init(&names, ANSWER_MAX_BYTES);
    for (unsigned i = 0; i < n; i++) {
        buf_puts(&names, i ? ",{\"id\":" : "{\"id\":");
        json_put_text(&names, id_sv(&by[i].id));
        buf_puts(&names, ",\"name\":");
        json_put_text(&names, by[i].name);
        buf_putc(&names, '}');
    }
    answer_fail_with(c->a, 409, "in_use", NULL,
                     by[0].kind == KIND_APPLICATION
                         ? "The profile is attached to the applications in "
                           "data; ?detach=true detaches it first."
                         : "It is named by the profiles in data; ?detach=true "
                           "takes it out of them first.",
                     buf_sv(&names));
    buf_fini(&names);
    return false;
}

yyjson_mut_doc *document_of(struct call *c, const struct noun *n,
                            const struct record *r)
{
    yyjson_val *body = n->present ? n->present(c, r) : call_parse(c, r->body);
    yyjson_mut_doc *doc = json_new(c->arena);
    yyjson_mut_val *root = doc ? yyjson_mut_obj(doc) : NULL;
    for (const struct shape_field *f = n->shape->fields; f->name; f++) {
        yyjson_val *v = json_find(body, f->name);
        if (v && !(f->flags & SHAPE_READ_ONLY))
            yyjson_mut_obj_add_val(doc, root, f->name,
                                   yyjson_val_mut_copy(doc, v));
    }
    if (!body || !root) {
        call_fail_store(c, ERR_CORRUPT);
        return NULL;
    }
    yyjson_mut_doc_set_root(doc, root);
    return doc;
}

/* Past the rules between fields: what is left may be unable to serve, and then
 * serves nobody. */
static bool detach(struct call *c, const struct record *by, struct sv id)
{
    const struct noun *n = noun_of(by->kind);
    struct record after;
    if (!n) return call_fail_store(c, ERR_CORRUPT);
    yyjson_mut_doc *doc = document_of(c, n, by);
    if (!doc) return false;
    for (const struct shape_field *f = n->shape->fields; f->name; f++) {
        yyjson_mut_val *v = f->ref ? shape_member(doc, f->name) : NULL;
        if (!sv_eq(json_mut_text(v), id)) continue;
        int err = shape_member_set(doc, f->name, yyjson_mut_str(doc, ""));
        if (err) return call_fail_store(c, err);
    }
    return noun_update(c, n, by, doc, &after);
}

bool detach_or_refuse(struct call *c, const struct record *r)
{
    struct record *by;
    unsigned n = 0;
    bool wanted;
    if (!call_flag(c, SV("detach"), false, &wanted) ||
        !named_by(c, id_sv(&r->id), &by, &n))
        return false;
    if (n && !wanted) return refuse(c, by, n);
    for (unsigned i = 0; i < n; i++)
        if (!detach(c, &by[i], id_sv(&r->id))) return false;
    return true;
}
