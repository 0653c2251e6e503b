/* Authentication profiles (api.md §4): a change acts on every application
 * that names the profile; one that is named cannot just go. */
#include "admin/detach.h"
#include "admin/nouns.h"
#include "admin/profile.h"

const struct noun noun_authentication = {
    .name = "authentication",
    .shape = &shape_authentication,
    .stored = profile_stored,
    .leaving = detach_or_refuse,
    .gone = profile_gone,
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
