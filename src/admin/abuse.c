/* Fraud and abuse profiles (detectors.md §2). */
#include "admin/detach.h"
#include "admin/jwt_keys.h"
#include "admin/nouns.h"
#include "admin/profile.h"

static bool check(struct call *c, struct record *r, yyjson_mut_doc *doc,
                  const struct record *before)
{
    (void)before;
    return secrets_take(c, r, doc);
}

const struct noun noun_abuse = {
    .name = "abuse",
    .shape = &shape_abuse,
    .check = check,
    .stored = profile_stored,
    .leaving = detach_or_refuse,
    .gone = profile_gone,
    .unique_field = "name",
    .present = record_opened,
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
