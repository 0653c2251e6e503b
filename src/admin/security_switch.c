/* The published switches of the WAF and the geoblock (api.md §6). A switch acts
 * on one application: a patch of its security profile, if that is its alone;
 * of a copy that takes its place, if others name it as well; of a new profile,
 * if there is none.
 *
 *   none    -> create, attach
 *   shared  -> copy with the patch, attach the copy
 *   alone   -> patch
 */
#include <stdio.h>

#include "admin/admin_int.h"
#include "admin/detach.h"
#include "admin/nouns.h"
#include "admin/profile.h"
#include "base/err.h"

enum { NAME_MAX_BYTES = 100, NAMES_TRIED = 1000 };

struct target {
    struct record app, profile;
    bool has_profile, shared;
    yyjson_val *present; /* the profile as a patch is merged into; or NULL */
};

static bool record_find(struct call *c, enum kind kind, struct sv id,
                        const char *what, struct record *out)
{
    if (id_parse(kind, id, NULL)) return call_not_found(c, what);
    int err = store_record_get(c->admin->conf.store, kind,
                               id_sv(&c->account_id), id, c->arena, out);
    if (err == ERR_NOTFOUND) return call_not_found(c, what);
    return err ? call_fail_store(c, err) : true;
}

static bool target_find(struct call *c, struct target *t)
{
    *t = (struct target){ .present = NULL };
    if (!record_find(c, KIND_APPLICATION, c->route.vars[0], "application",
                     &t->app))
        return false;
    yyjson_val *body = call_parse(c, t->app.body);
    struct sv id = json_text(json_find(body, "security_id"));
    if (!body) return call_fail_store(c, ERR_CORRUPT);
    t->has_profile = id.n > 0;
    if (!t->has_profile) return true;
    struct sv by[2];
    unsigned n = 0;
    if (!record_find(c, KIND_SECURITY, id, "security profile", &t->profile))
        return false;
    int err = store_referrers(c->admin->conf.store, id, c->arena, by, 2, &n);
    if (err) return call_fail_store(c, err);
    t->shared = n > 1;
    t->present = noun_present(c, &noun_security, &t->profile);
    return t->present != NULL;
}

/* --- names of profiles that are made --------------------------------------- */

static bool name_is_free(struct call *c, struct sv name, bool *free)
{
    struct store_filter filter = STORE_FILTER_ANY;
    const struct store_page page = { .after = SV(""),
                                     .before = SV(""),
                                     .limit = 1 };
    struct store_records found;
    filter.name = name;
    int err = store_record_list(c->admin->conf.store, KIND_SECURITY,
                                id_sv(&c->account_id), &filter, &page, c->arena,
                                &found);
    *free = !err && found.n == 0;
    return err ? call_fail_store(c, err) : true;
}

/* Whole characters of the application's name, so that the text fits. */
static struct sv name_first(struct sv name, size_t max)
{
    name = sv_first(name, max);
    while (!utf8_is_valid(name)) name = sv_first(name, name.n - 1);
    return name;
}

/* "Shop", "Shop 2", …; p NULL: a failure was set. */
static struct sv name_make(struct call *c, struct sv app_name)
{
    struct sv base = name_first(app_name, NAME_MAX_BYTES - 5), none = { 0 };
    bool free = false;
    for (unsigned i = 1; i <= NAMES_TRIED; i++) {
        struct sv name =
            i == 1 ? base : arena_printf(c->arena, "%.*s %u", SV_FMT(base), i);
        if (!name_is_free(c, name, &free)) return none;
        if (free) return name;
    }
    call_fail(c, 409, "duplicate", "name",
              "There are too many security profiles of this name.");
    return none;
}

/* --- the change ------------------------------------------------------------- */

static bool named(struct call *c, struct target *t, yyjson_mut_doc *patch)
{
    struct sv name = name_make(c, t->app.name);
    if (!name.p) return false;
    return yyjson_mut_obj_add_strn(patch, yyjson_mut_doc_get_root(patch),
                                   "name", name.p, name.n) ||
           call_fail_store(c, ERR_NOMEM);
}

static bool document_make(struct call *c, struct target *t,
                          yyjson_mut_doc *patch, yyjson_mut_doc **out)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    const struct shape *shape = noun_security.shape;
    struct sv text = json_encode(c->arena, yyjson_mut_doc_get_root(patch));
    yyjson_val *input = text.p ? call_parse(c, text) : NULL;
    if (!input) return call_fail_store(c, ERR_NOMEM);
    int err = t->has_profile
                  ? shape_patch(shape, &env, t->present, input, out, &why)
                  : shape_create(shape, &env, input, out, &why);
    return err ? call_fail_shape(c, err, &why) : true;
}

static void apply(struct call *c, struct target *t, yyjson_mut_doc *patch)
{
    bool fresh = !t->has_profile || t->shared;
    struct record done = { .version = 0 };
    yyjson_mut_doc *doc;
    if ((fresh && !named(c, t, patch)) || !document_make(c, t, patch, &doc))
        return;
    bool good =
        fresh ? noun_insert(c, &noun_security, doc, &done) &&
                    profile_attach(c, &done, "security_id", id_sv(&t->app.id))
              : noun_update(c, &noun_security, &t->profile, doc, &done);
    if (!good) return;
    noun_answer(c, &noun_security, &done, 200,
                !t->has_profile ? "A security profile was made and attached."
                : t->shared     ? "Others name the profile: a copy was "
                                  "changed and attached."
                                : "Updated.");
}

static yyjson_mut_doc *patch_new(struct call *c)
{
    yyjson_mut_doc *doc = json_new(c->arena);
    yyjson_mut_val *root = doc ? yyjson_mut_obj(doc) : NULL;
    if (!root) {
        call_fail_store(c, ERR_NOMEM);
        return NULL;
    }
    yyjson_mut_doc_set_root(doc, root);
    return doc;
}

/* --- ?status= ----------------------------------------------------------------- */

static const struct {
    const char *status, *mode;
} modes[] = {
    { "enable", "block" },
    { "disable", "off" },
    { "detect", "detect" },
};

static const char *mode_asked(struct call *c)
{
    struct sv status = query_find(&c->query, SV("status"));
    for (size_t i = 0; status.p && i < sizeof modes / sizeof *modes; i++)
        if (sv_eq(status, sv_cstr(modes[i].status))) return modes[i].mode;
    call_fail(c, 400, status.p ? "invalid_value" : "required", "status",
              "status must be enable, disable or detect.");
    return NULL;
}

void security_switch_waf(struct call *c)
{
    struct target t;
    const char *mode = mode_asked(c);
    if (!mode || !target_find(c, &t)) return;
    yyjson_mut_doc *patch = patch_new(c);
    if (!patch) return;
    yyjson_mut_val *waf =
        yyjson_mut_obj_add_obj(patch, yyjson_mut_doc_get_root(patch), "waf");
    if (!waf || !yyjson_mut_obj_add_str(patch, waf, "mode", mode))
        call_fail_store(c, ERR_NOMEM);
    else
        apply(c, &t, patch);
}

/* --- ?area= ------------------------------------------------------------------- */

static bool area_refused(struct call *c)
{
    return call_fail(c, 400, "invalid_value", "area",
                     "area must be EU, an ISO 3166 country such as US, a list "
                     "of them with commas, or off alone.");
}

/* One parameter's areas, by commas, into `list`. */
static bool areas_add(struct call *c, struct sv value, yyjson_mut_doc *doc,
                      yyjson_mut_val *list)
{
    while (value.p) {
        struct sv area = sv_trim(sv_cut(value, ',', &value));
        if (!area.n || !text_area.ok(area)) return area_refused(c);
        if (!yyjson_mut_arr_add_strncpy(doc, list, area.p, area.n))
            return call_fail_store(c, ERR_NOMEM);
    }
    return true;
}

/* The areas asked for; an empty list: off. NULL: a failure was set. */
static yyjson_mut_val *areas_asked(struct call *c, yyjson_mut_doc *doc)
{
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    unsigned said = 0, off = 0;
    for (size_t i = 0; i < c->query.n; i++) {
        const struct query_pair *p = &c->query.pairs[i];
        if (!sv_eq(p->name, SV("area"))) continue;
        said++;
        if (sv_eq(p->value, SV("off")))
            off++;
        else if (!areas_add(c, p->value, doc, list))
            return NULL;
    }
    if (said && (!off || said == 1)) return list;
    if (said)
        area_refused(c);
    else
        call_fail(c, 400, "required", "area", "area is missing.");
    return NULL;
}

/* An allow-list refuses who has no country, unless the profile's own one said
 * otherwise. */
static bool geoblock_patch(const struct target *t, yyjson_mut_doc *doc,
                           yyjson_mut_val *areas)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    if (!yyjson_mut_arr_size(areas))
        return yyjson_mut_obj_add_null(doc, root, "geoblock");
    bool allowed =
        yyjson_is_arr(json_find(json_find(t->present, "geoblock"), "allow"));
    yyjson_mut_val *geo = yyjson_mut_obj_add_obj(doc, root, "geoblock");
    return geo && yyjson_mut_obj_add_val(doc, geo, "allow", areas) &&
           (allowed || (yyjson_mut_obj_add_null(doc, geo, "deny") &&
                        yyjson_mut_obj_add_null(doc, geo, "unknown")));
}

void security_switch_geoblock(struct call *c)
{
    struct target t;
    yyjson_mut_doc *patch = patch_new(c);
    yyjson_mut_val *areas = patch ? areas_asked(c, patch) : NULL;
    if (!areas || !target_find(c, &t)) return;
    if (geoblock_patch(&t, patch, areas))
        apply(c, &t, patch);
    else
        call_fail_store(c, ERR_NOMEM);
}
