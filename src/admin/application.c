/* Applications (api.md §2): whose domain is it, and who loses what. */
#include "admin/nouns.h"

#include "admin/admin_int.h"
#include "admin/hold_show.h"
#include "base/err.h"
#include "codec/host.h"

#include <stdio.h>

static struct sv doc_text(yyjson_mut_doc *doc, const char *name)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(yyjson_mut_doc_get_root(doc), name);
    return json_mut_text(v);
}

static struct sv body_text(struct call *c, const struct record *r,
                           const char *name)
{
    struct sv text = json_text(json_find(call_parse(c, r->body), name));
    return text.p ? text : SV("");
}

/* --- the domain --------------------------------------------- */

/* Equal to `name`, under it, or a wildcard over it. */
static bool touches(struct sv domain, struct sv name)
{
    bool wildcard = sv_starts(domain, SV("*."));
    struct sv bare = wildcard ? sv_from(domain, 2) : domain;
    return sv_eq(bare, name) || (wildcard && host_under(name, domain));
}

static bool is_under(struct sv domain, struct sv base)
{
    return domain.n > base.n && sv_ends(domain, base) &&
           domain.p[domain.n - base.n - 1] == '.';
}

static bool domain_reserved(const struct admin_conf *conf, struct sv domain)
{
    if (conf->base_domain.n && (touches(domain, conf->base_domain) ||
                                is_under(domain, conf->base_domain)))
        return true;
    for (size_t i = 0; i < conf->api_names_n; i++)
        if (touches(domain, conf->api_names[i])) return true;
    return false;
}

static bool domain_make(struct call *c, yyjson_mut_doc *doc)
{
    struct store *s = c->admin->conf.store;
    struct record account;
    struct sv domain;
    int err = store_record_get(s, KIND_ACCOUNT, SV(""), id_sv(&c->account_id),
                               c->arena, &account);
    if (!err)
        err = store_domain_make(s, body_text(c, &account, "slug"),
                                c->admin->conf.base_domain, c->arena, &domain);
    if (err) return call_fail_store(c, err);
    yyjson_mut_obj_put(yyjson_mut_doc_get_root(doc),
                       yyjson_mut_str(doc, "domain"),
                       yyjson_mut_strncpy(doc, domain.p, domain.n));
    return true;
}

static bool domain_check(struct call *c, yyjson_mut_doc *doc, struct sv had)
{
    struct sv domain = doc_text(doc, "domain");
    if (!domain.n) return domain_make(c, doc);
    if (sv_eq(domain, had) || !domain_reserved(&c->admin->conf, domain))
        return true;
    return call_fail(c, 400, "domain_reserved", "domain",
                     "This domain belongs to the server.");
}

/* --- hooks --------------------------------------------- */

static bool check(struct call *c, struct record *r, yyjson_mut_doc *doc,
                  const struct record *before)
{
    char message[96];
    uint64_t n = 0;
    (void)r;
    if (before) return domain_check(c, doc, body_text(c, before, "domain"));
    int err = store_record_count(c->admin->conf.store, KIND_APPLICATION,
                                 id_sv(&c->account_id), &n);
    if (err) return call_fail_store(c, err);
    if (n < c->admin->conf.applications_max)
        return domain_check(c, doc, SV(""));
    snprintf(message, sizeof message, "An account has at most %u applications.",
             c->admin->conf.applications_max);
    return call_fail(c, 409, "limit_reached", NULL, message);
}

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    struct sv domain = doc_text(doc, "domain");
    if (!before || !sv_eq(domain, body_text(c, before, "domain"))) {
        int err = store_domain_set(c->admin->conf.store, id_sv(&r->id), domain);
        if (err == ERR_EXISTS)
            return call_fail(c, 409, "domain_taken", "domain",
                             "The domain is not free.");
        if (err) return call_fail_store(c, err);
    }
    return change_application(c, id_sv(&r->id));
}

static bool leaving(struct call *c, const struct record *r)
{
    return holds_leave(c, NULL, id_sv(&r->id));
}

static bool gone(struct call *c, const struct record *r)
{
    return change_application_gone(c, id_sv(&r->id));
}

static const char *message(struct call *c, const struct record *r)
{
    return body_text(c, r, "auth_id").n
               ? "Application created."
               : "Application created. It has no authentication profile: it "
                 "is public, everybody may call it.";
}

const struct noun noun_application = {
    .name = "application",
    .shape = &shape_application,
    .check = check,
    .stored = stored,
    .leaving = leaving,
    .gone = gone,
    .unique_field = "name",
    .message = message,
};

/* --- endpoints --------------------------------------------- */

void application_create(struct call *c)
{
    noun_create(c, &noun_application);
}
void application_list(struct call *c)
{
    noun_list(c, &noun_application);
}
void application_get(struct call *c)
{
    noun_get(c, &noun_application);
}
void application_patch(struct call *c)
{
    noun_patch(c, &noun_application);
}
void application_delete(struct call *c)
{
    noun_delete(c, &noun_application);
}

void application_tag(struct call *c)
{
    struct record r;
    if (!noun_find(c, &noun_application, &r)) return;
    c->input = tags_patch(c, call_parse(c, r.body));
    if (c->input) noun_patch(c, &noun_application);
}

const struct plan_app *application_find(struct call *c, struct sv id)
{
    const struct plan_app *app = NULL;
    if (!id_parse(KIND_APPLICATION, id, NULL))
        app = plan_find(c->admin->conf.plan, id);
    if (app && sv_eq(app->app.account_id, id_sv(&c->account_id))) return app;
    call_not_found(c, "application");
    return NULL;
}
