/* Authentication profiles (api.md §4): a change acts on every application
 * that names the profile; one that is named cannot just go. */
#include "admin/nouns.h"

#include "admin/admin_int.h"
#include "base/err.h"

enum { ATTACHED_MAX = 4096 };

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    (void)doc;
    return before ? change_profile(c, id_sv(&r->id))
                  : change_row(c, KIND_AUTHENTICATION, id_sv(&r->id));
}

static bool attached(struct call *c, struct sv id, struct record **apps,
                     unsigned *n)
{
    struct store *s = c->admin->conf.store;
    struct sv *ids = ARENA_ARRAY(c->arena, struct sv, ATTACHED_MAX);
    int err = ids ? store_referrers(s, id, c->arena, ids, ATTACHED_MAX, n)
                  : ERR_NOMEM;
    *apps = ARENA_ARRAY(c->arena, struct record, *n + 1);
    if (!*apps) err = ERR_NOMEM;
    for (unsigned i = 0; !err && i < *n; i++)
        err = store_record_get(s, KIND_APPLICATION, id_sv(&c->account_id),
                               ids[i], c->arena, &(*apps)[i]);
    return err ? call_fail_store(c, err) : true;
}

static bool refuse(struct call *c, const struct record *apps, unsigned n)
{
    struct buf names;
    buf_init(&names, ANSWER_MAX_BYTES);
    for (unsigned i = 0; i < n; i++) {
        buf_puts(&names, i ? ",{\"id\":" : "{\"id\":");
        json_put_text(&names, id_sv(&apps[i].id));
        buf_puts(&names, ",\"name\":");
        json_put_text(&names, apps[i].name);
        buf_putc(&names, '}');
    }
    answer_fail_with(c->a, 409, "in_use", NULL,
                     "The profile is attached to the applications in data; "
                     "?detach=true detaches it first.",
                     buf_sv(&names));
    buf_fini(&names);
    return false;
}

static bool detach(struct call *c, const struct record *app)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    struct record after;
    yyjson_mut_doc *doc;
    yyjson_val *present = call_parse(c, app->body);
    yyjson_val *input = call_parse(c, SV("{\"auth_id\":null}"));
    if (!present || !input) return call_fail_store(c, ERR_CORRUPT);
    int err = shape_patch(&shape_application, &env, present, input, &doc, &why);
    if (err) return call_fail_shape(c, err, &why);
    return noun_update(c, &noun_application, app, doc, &after);
}

static bool leaving(struct call *c, const struct record *r)
{
    struct record *apps;
    unsigned n = 0;
    bool wanted;
    if (!call_flag(c, SV("detach"), false, &wanted) ||
        !attached(c, id_sv(&r->id), &apps, &n))
        return false;
    if (n && !wanted) return refuse(c, apps, n);
    for (unsigned i = 0; i < n; i++)
        if (!detach(c, &apps[i])) return false;
    return true;
}

static bool gone(struct call *c, const struct record *r)
{
    return change_row(c, KIND_AUTHENTICATION, id_sv(&r->id));
}

const struct noun noun_authentication = {
    .name = "authentication",
    .shape = &shape_authentication,
    .stored = stored,
    .leaving = leaving,
    .gone = gone,
    .unique_field = "name",
};

void authentication_create(struct call *c)
{
    noun_create(c, &noun_authentication);
}
void authentication_list(struct call *c)
{
    noun_list(c, &noun_authentication);
}
void authentication_get(struct call *c)
{
    noun_get(c, &noun_authentication);
}
void authentication_patch(struct call *c)
{
    noun_patch(c, &noun_authentication);
}
void authentication_delete(struct call *c)
{
    noun_delete(c, &noun_authentication);
}
