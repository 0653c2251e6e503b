/* Security profiles (detectors.md §1). */
#include <stdio.h>

#include "admin/detach.h"
#include "admin/nouns.h"
#include "admin/profile.h"
#include "codec/expression.h"

enum { EXPRESSION_ARENA_BYTES = 64 << 20 };

/* --- what needs location data --------------------------------------------- */

static bool names_place(struct sv text)
{
    const struct expression *e;
    struct expression_error ignored;
    struct arena a;
    arena_init(&a, EXPRESSION_ARENA_BYTES, NULL, 0);
    bool names = !expression_compile(text, &a, &e, &ignored) &&
                 expression_names_place(e);
    arena_fini(&a);
    return names;
}

/* Index of the first rule that names a place; -1: none does. */
static int place_rule(yyjson_mut_doc *doc)
{
    yyjson_mut_val *rule;
    size_t i, n;
    yyjson_mut_arr_foreach(shape_member(doc, "rules"), i, n, rule)
    {
        if (names_place(json_mut_text(yyjson_mut_obj_get(rule, "expression"))))
            return (int)i;
    }
    return -1;
}

static bool had_place_rule(const yyjson_val *body)
{
    yyjson_val *rule;
    size_t i, n;
    yyjson_arr_foreach(json_find(body, "rules"), i, n, rule)
    {
        if (names_place(json_text(json_find(rule, "expression")))) return true;
    }
    return false;
}

/* What is in force already may be changed: onFault decides meanwhile. */
static bool check(struct call *c, struct record *r, yyjson_mut_doc *doc,
                  const struct record *before)
{
    char field[32];
    (void)r;
    if (profile_has_places(c)) return true;
    yyjson_val *body = before ? call_parse(c, before->body) : NULL;
    if (yyjson_mut_is_obj(shape_member(doc, "geoblock")) &&
        !yyjson_is_obj(json_find(body, "geoblock")))
        return profile_needs_places(c, "geoblock");
    int at = place_rule(doc);
    if (at < 0 || had_place_rule(body)) return true;
    snprintf(field, sizeof field, "rules[%d].expression", at);
    return profile_needs_places(c, field);
}

const struct noun noun_security = {
    .name = "security",
    .shape = &shape_security,
    .check = check,
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
