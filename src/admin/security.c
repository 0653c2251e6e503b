/* Security profiles (detectors.md §1). */
#include "admin/detach.h"
#include "admin/nouns.h"
#include "admin/profile.h"

const struct noun noun_security = {
    .name = "security",
    .shape = &shape_security,
    .stored = profile_stored,
    .leaving = detach_or_refuse,
    .gone = profile_gone,
    .unique_field = "name",
};

void security_create(struct call *c)
{
    noun_create(c, &noun_security);
}
void security_list(struct call *c)
{
    noun_list(c, &noun_security);
}
void security_get(struct call *c)
{
    noun_get(c, &noun_security);
}
void security_patch(struct call *c)
{
    noun_patch(c, &noun_security);
}
void security_delete(struct call *c)
{
    noun_delete(c, &noun_security);
}
