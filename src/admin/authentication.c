/* Authentication profiles (api.md §4): a change acts on every application
 * that names the profile; one that is named cannot just go. */
#include "admin/detach.h"
#include "admin/nouns.h"

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    (void)doc;
    return before ? change_profile(c, id_sv(&r->id))
                  : change_row(c, KIND_AUTHENTICATION, id_sv(&r->id));
}

static bool gone(struct call *c, const struct record *r)
{
    return change_row(c, KIND_AUTHENTICATION, id_sv(&r->id));
}

const struct noun noun_authentication = {
    .name = "authentication",
    .shape = &shape_authentication,
    .stored = stored,
    .leaving = detach_or_refuse,
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
