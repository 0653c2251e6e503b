#include "admin/profile.h"

#include "admin/admin_int.h"
#include "admin/detach.h"
#include "admin/nouns.h"
#include "base/err.h"

bool profile_stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                    const struct record *before)
{
    (void)doc;
    return before ? change_profile(c, id_sv(&r->id))
                  : change_row(c, r->kind, id_sv(&r->id));
}

bool profile_gone(struct call *c, const struct record *r)
{
    return change_row(c, r->kind, id_sv(&r->id));
}

bool profile_has_places(const struct call *c)
{
    struct place_root *places = c->admin->conf.places;
    return places && place_root_get(places);
}

bool profile_needs_places(struct call *c, const char *field)
{
    return call_fail(c, 409, "no_location_data", field,
                     "This server has no location data. Bring them with "
                     "`typeauth data update --data DIR`, DIR being its data "
                     "directory, or name files with --places; then try "
                     "again.");
}

bool profile_attach(struct call *c, const struct record *r, const char *field,
                    struct sv app_id)
{
    struct record app, after;
    int err = store_record_get(c->admin->conf.store, KIND_APPLICATION,
                               id_sv(&c->account_id), app_id, c->arena, &app);
    if (err == ERR_NOTFOUND) return call_not_found(c, noun_application.name);
    if (err) return call_fail_store(c, err);
    yyjson_mut_doc *changed = document_of(c, &noun_application, &app);
    if (!changed) return false;
    /* r goes with this call */
    yyjson_mut_val *id = yyjson_mut_strcpy(changed, r->id.text);
    err = shape_member_set(changed, field, id);
    if (err) return call_fail_store(c, err);
    return noun_update(c, &noun_application, &app, changed, &after);
}
