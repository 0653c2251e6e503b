/* Routing profiles (gateway.md §5). The published path creates one and attaches
 * it to the application that the path names, in one transaction. */
#include "admin/admin_int.h"
#include "admin/detach.h"
#include "admin/nouns.h"
#include "admin/profile.h"

static bool stored_and_attached(struct call *c, struct record *r,
                                yyjson_mut_doc *doc,
                                const struct record *before)
{
    return profile_stored(c, r, doc, before) &&
           profile_attach(c, r, "routing_id", c->route.vars[0]);
}

const struct noun noun_routing = {
    .name = "routing",
    .shape = &shape_routing,
    .stored = profile_stored,
    .leaving = detach_or_refuse,
    .gone = profile_gone,
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
