/* Routing profiles (gateway.md §5). The published path creates one and attaches
 * it to the application that the path names, in one transaction. */
#include "admin/admin_int.h"
#include "admin/detach.h"
#include "admin/nouns.h"
#include "base/err.h"

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    (void)doc;
    return before ? change_profile(c, id_sv(&r->id))
                  : change_row(c, KIND_ROUTING, id_sv(&r->id));
}

static bool gone(struct call *c, const struct record *r)
{
    return change_row(c, KIND_ROUTING, id_sv(&r->id));
}

static bool stored_and_attached(struct call *c, struct record *r,
                                yyjson_mut_doc *doc,
                                const struct record *before)
{
    struct record app, after;
    if (!stored(c, r, doc, before) || !noun_find(c, &noun_application, &app))
        return false;
    yyjson_mut_doc *changed = document_of(c, &noun_application, &app);
    if (!changed) return false;
    yyjson_mut_val *id =
        yyjson_mut_strcpy(changed, r->id.text); /* r goes with this call */
    int err = shape_member_set(changed, "routing_id", id);
    if (err) return call_fail_store(c, err);
    return noun_update(c, &noun_application, &app, changed, &after);
}

const struct noun noun_routing = {
    .name = "routing",
    .shape = &shape_routing,
    .stored = stored,
    .leaving = detach_or_refuse,
    .gone = gone,
    .unique_field = "name",
};

static const struct noun attached = {
    .name = "routing",
    .shape = &shape_routing,
    .stored = stored_and_attached,
    .unique_field = "name",
};

void routing_create(struct call *c)
{
    noun_create(c, &noun_routing);
}
void routing_create_attached(struct call *c)
{
    noun_create(c, &attached);
}
void routing_list(struct call *c)
{
    noun_list(c, &noun_routing);
}
void routing_get(struct call *c)
{
    noun_get(c, &noun_routing);
}
void routing_patch(struct call *c)
{
    noun_patch(c, &noun_routing);
}
void routing_delete(struct call *c)
{
    noun_delete(c, &noun_routing);
}
