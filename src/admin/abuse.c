/* Fraud and abuse profiles (detectors.md §2). */
#include "admin/detach.h"
#include "admin/nouns.h"
#include "admin/profile.h"

const struct noun noun_abuse = {
    .name = "abuse",
    .shape = &shape_abuse,
    .stored = profile_stored,
    .leaving = detach_or_refuse,
    .gone = profile_gone,
    .unique_field = "name",
};

void abuse_create(struct call *c)
{
    noun_create(c, &noun_abuse);
}
void abuse_list(struct call *c)
{
    noun_list(c, &noun_abuse);
}
void abuse_get(struct call *c)
{
    noun_get(c, &noun_abuse);
}
void abuse_patch(struct call *c)
{
    noun_patch(c, &noun_abuse);
}
void abuse_delete(struct call *c)
{
    noun_delete(c, &noun_abuse);
}
