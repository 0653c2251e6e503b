/* Fraud and abuse profiles (detectors.md §2). */
#include "admin/detach.h"
#include "admin/jwt_keys.h"
#include "admin/nouns.h"
#include "admin/profile.h"
#include "base/err.h"

static bool is_on(const yyjson_val *travel)
{
    yyjson_val *enabled = json_find(travel, "enabled");
    return yyjson_is_str((yyjson_val *)(uintptr_t)travel) ||
           (yyjson_is_obj((yyjson_val *)(uintptr_t)travel) &&
            (!enabled || yyjson_is_true(enabled)));
}

/* What is in force already may be changed: onFault decides meanwhile. */
static bool check(struct call *c, struct record *r, yyjson_mut_doc *doc,
                  const struct record *before)
{
    (void)r;
    if (profile_has_places(c)) return true;
    struct sv text = json_encode(c->arena, yyjson_mut_doc_get_root(doc));
    yyjson_val *now = text.p ? call_parse(c, text) : NULL;
    yyjson_val *had = before ? call_parse(c, before->body) : NULL;
    if (!now) return call_fail_store(c, ERR_NOMEM);
    return !is_on(json_find(now, "geoSentry")) ||
           is_on(json_find(had, "geoSentry")) ||
           profile_needs_places(c, "geoSentry");
}

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
