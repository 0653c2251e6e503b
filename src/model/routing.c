/* Routing profiles: the field table of gateway.md §5. What a table cannot say
 * of a rule (patterns, variables, targets) is judged by decoding it. */
#include "model/routing.h"

#include <stdio.h>

#include "base/err.h"
#include "codec/http.h"
#include "model/fields_int.h"
#include "model/upstream.h"

static bool method_ok(struct sv s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 'A' || s.p[i] > 'Z') return false;
    return !sv_eq(s, SV("CONNECT")) && !sv_eq(s, SV("TRACE"));
}

/* An answer to HEAD has no body: not what a client of another method can get. */
static bool target_method_ok(struct sv s)
{
    return method_ok(s) && !sv_eq(s, SV("HEAD"));
}

static const struct text_rule text_method = {
    "^[A-Z]+$",
    "must be a method in capitals, not CONNECT or TRACE",
    method_ok,
};

static const struct text_rule text_target_method = {
    "^[A-Z]+$",
    "must be a method in capitals, not CONNECT, TRACE or HEAD",
    target_method_ok,
};

static bool media_type_ok(struct sv s)
{
    return sv_find(s, '/') != SIZE_MAX && http_is_field_value(s);
}

static const struct text_rule text_media_type = {
    NULL,
    "must be a media type as text/plain",
    media_type_ok,
};

static bool condition_ok(struct sv s)
{
    struct sv value, name = sv_cut(s, ':', &value);
    return http_is_token(name) && http_is_field_value(sv_trim(value));
}

const struct text_rule text_condition = {
    NULL,
    "must be \"Name: value\" or \"Name\"",
    condition_ok,
};

/* "200" is 200: printed examples write either. */
static int code_check(const struct shape_env *env, yyjson_mut_doc *doc,
                      yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    uint64_t n = 0;
    if (!yyjson_mut_is_str(*value)) return 0;
    struct sv s = json_mut_text(*value);
    if (!sv_to_u64(s, 599, &n) || n < 200)
        return shape_problem_set(why, NULL, "out_of_range",
                                 "must be a status from 200 to 599");
    *value = yyjson_mut_uint(doc, n);
    return 0;
}

/* true and "true" are the same; "" and "false" are none. */
static int answers_check(const struct shape_env *env, yyjson_mut_doc *doc,
                         yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    (void)why;
    if (yyjson_mut_is_bool(*value))
        *value = yyjson_mut_str(doc, yyjson_mut_get_bool(*value) ? "true" : "");
    else if (yyjson_mut_equals_str(*value, "false"))
        *value = yyjson_mut_str(doc, "");
    return 0;
}

enum { NAME_MAX_CHARS = 100, VALUE_MAX_CHARS = 2048, SET_BYTES_MAX = 8192 };

static const struct shape_field edit_fields[] = {
    { .name = "set",
      .types = SHAPE_MAP,
      .len_max = SET_BYTES_MAX,
      .about = "Fields and their values; variables may stand in values." },
    { .name = "remove",
      .types = SHAPE_STRINGS,
      .flags = SHAPE_UNIQUE,
      .len_max = ROUTING_EDITS_MAX,
      .item_max = NAME_MAX_CHARS,
      .text = &text_cookie,
      .about = "Fields that go." },
    { 0 },
};

static const struct shape_field target_headers_fields[] = {
    { .name = "request",
      .types = SHAPE_OBJECT,
      .fields = edit_fields,
      .about = "Towards the origin." },
    { .name = "response",
      .types = SHAPE_OBJECT,
      .fields = edit_fields,
      .about = "Towards the client." },
    { 0 },
};

static const struct shape_field rule_fields[] = {
    { .name = "public_method",
      .types = SHAPE_STRING,
      .len_max = 20,
      .text = &text_method,
      .about = "Method; absent: any. GET is also for HEAD." },
    { .name = "public_path",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = ROUTING_PATH_MAX,
      .text = &text_plain,
      .about = "Path with {variables}, \"*\" as a last segment, conditions "
               "on parameters behind \"?\"." },
    { .name = "public_headers",
      .types = SHAPE_STRINGS,
      .len_max = ROUTING_CONDITIONS_MAX,
      .item_max = VALUE_MAX_CHARS,
      .text = &text_condition,
      .about = "Conditions: \"Name: value\" or \"Name\"." },
    { .name = "typeauth_response",
      .types = SHAPE_STRING | SHAPE_BOOLEAN,
      .len_max = NAME_MAX_CHARS,
      .text = &text_plain,
      .check = answers_check,
      .about = "\"true\" or a name: answer here instead of forwarding." },
    { .name = "typeauth_response_code",
      .types = SHAPE_INTEGER | SHAPE_STRING,
      .min = 200,
      .max = 599,
      .len_max = 3,
      .check = code_check,
      .about = "Status of the own answer; absent: 200." },
    { .name = "typeauth_response_body",
      .types = SHAPE_STRING,
      .len_max = ROUTING_BODY_MAX,
      .about = "Body of the own answer." },
    { .name = "typeauth_response_content_type",
      .types = SHAPE_STRING,
      .len_max = NAME_MAX_CHARS,
      .text = &text_media_type,
      .about = "Its media type; absent: text/plain; charset=utf-8." },
    { .name = "target_path",
      .types = SHAPE_STRING,
      .len_max = ROUTING_PATH_MAX,
      .text = &text_plain,
      .about = "Path at the origin, with variables; parameters behind \"?\" "
               "come before those of the request. Absent: as asked." },
    { .name = "target_hostname",
      .types = SHAPE_STRING,
      .len_max = 300,
      .text = &text_plain,
      .about = "Another host, with or without port; a variable fills whole "
               "labels left of at least two literal ones." },
    { .name = "target_method",
      .types = SHAPE_STRING,
      .len_max = 20,
      .text = &text_target_method,
      .about = "Another method; requests by HEAD keep theirs." },
    { .name = "target_headers",
      .types = SHAPE_OBJECT,
      .fields = target_headers_fields,
      .about = "Fields set and removed, both ways." },
    { .name = "scopes",
      .types = SHAPE_STRINGS,
      .flags = SHAPE_UNIQUE,
      .len_max = ROUTING_SCOPES_MAX,
      .item_max = NAME_MAX_CHARS,
      .text = &text_visible,
      .about = "Scopes that the credential must hold, all of them." },
    { .name = "timeout",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = 3600000,
      .about = "Milliseconds until the origin's answer begins: "
               "timeouts.firstByte by its older name." },
    { .name = "timeouts",
      .types = SHAPE_OBJECT,
      .fields = timeout_fields,
      .about = "In milliseconds, instead of the application's." },
    { .name = "retries",
      .types = SHAPE_INTEGER,
      .min = 0,
      .max = UPSTREAM_RETRIES_MAX,
      .about =
          "How often a request may be sent again, instead of the "
          "application's; after what, and within which budget, as there." },
    { 0 },
};

static const struct shape_field fields[] = {
    FIELDS_IDENTITY,
    FIELD_NAME,
    { .name = "endpoints",
      .types = SHAPE_OBJECTS,
      .flags = SHAPE_REQUIRED,
      .fields = rule_fields,
      .len_min = 1,
      .len_max = ROUTING_RULES_MAX,
      .about = "Rules. Of several that match, the more specific path wins, "
               "then one with a method, then the later one." },
    FIELD_TAGS(ROLE_VERIFIER, "[]"),
    FIELDS_TIMES,
    { 0 },
};

static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    (void)present;
    (void)input;
    yyjson_alc alc = json_alc(env->arena);
    yyjson_doc *whole =
        yyjson_mut_val_imut_copy(shape_member(doc, "endpoints"), &alc);
    yyjson_val *item;
    size_t i, max;
    if (!whole) return ERR_NOMEM;
    yyjson_arr_foreach(yyjson_doc_get_root(whole), i, max, item)
    {
        struct route_rule ignored;
        const char *field = "", *says = "";
        char at[96];
        int rc = route_rule_decode(item, env->arena, &ignored, &field, &says);
        if (rc != ERR_INVALID && rc) return rc;
        if (!rc) continue;
        snprintf(at, sizeof at, "endpoints[%zu].%s", i, field);
        return shape_problem_set(why, at, "invalid_value", "%s", says);
    }
    return 0;
}

const struct shape shape_routing = {
    .name = "Routing",
    .kind = KIND_ROUTING,
    .fields = fields,
    .rules = rules,
};
