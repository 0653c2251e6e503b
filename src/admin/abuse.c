/* Fraud and abuse profiles (detectors.md §2). */
#include "admin/admin_int.h"
#include "admin/detach.h"
#include "admin/jwt_keys.h"
#include "admin/nouns.h"
#include "admin/profile.h"
#include "detect/mail_list.h"

static bool had_travel(struct call *c, const struct record *before)
{
    yyjson_val *body = before ? call_parse(c, before->body) : NULL;
    yyjson_val *travel = json_find(body, "geoSentry");
    yyjson_val *enabled = json_find(travel, "enabled");
    return yyjson_is_str(travel) || yyjson_is_true(enabled);
}

/* What is in force already may be changed: onFault decides meanwhile. */
static bool places_check(struct call *c, yyjson_mut_doc *doc,
                         const struct record *before)
{
    yyjson_mut_val *travel = shape_member(doc, "geoSentry");
    bool on = yyjson_mut_is_str(travel) ||
              yyjson_mut_is_true(yyjson_mut_obj_get(travel, "enabled"));
    return !on || profile_has_places(c) || had_travel(c, before) ||
           profile_needs_places(c, "geoSentry");
}

static bool check(struct call *c, struct record *r, yyjson_mut_doc *doc,
                  const struct record *before)
{
    return places_check(c, doc, before) && secrets_take(c, r, doc);
}

/* Without a list its own blocklist works: no conflict, but to be told. */
static const char *message(struct call *c, const struct record *r)
{
    struct mail_root *mail = c->admin->conf.mail;
    yyjson_val *body = call_parse(c, r->body);
    bool asks = json_text(json_find(body, "checkPropertyName")).n > 0;
    return asks && mail && !mail_root_get(mail)
               ? "Created. This server has no list of disposable mail domains "
                 "yet: bring it with `typeauth data update --data DIR`. Until "
                 "then only the profile's own blocklist is looked up."
               : "Created.";
}

const struct noun noun_abuse = {
    .name = "abuse",
    .shape = &shape_abuse,
    .check = check,
    .stored = profile_stored,
    .leaving = detach_or_refuse,
    .gone = profile_gone,
    .unique_field = "name",
    .message = message,
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
