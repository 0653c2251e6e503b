/* Security profiles: the field table of detectors.md §1, and the typed form. */
#include "model/security.h"

#include <stdio.h>

#include "base/err.h"
#include "model/fields_int.h"

enum {
    RULE_ID_MAX = 99999999,
    EXCLUSION_TEXT_MAX = 24,
    EXPRESSION_ARENA_BYTES = 64 << 20,
};

static const char *const modes[] = { "off", "detect", "block", NULL };
static const char *const actions[] = { "block", "log", "allow", "skip", NULL };
static const char *const faults[] = { "closed", "open", NULL };
static const char *const overs[] = { "block", "pass", NULL };

static int exclusions_check(const struct shape_env *env, yyjson_mut_doc *doc,
                            yyjson_mut_val **value, struct shape_problem *why);
static int expression_check(const struct shape_env *env, yyjson_mut_doc *doc,
                            yyjson_mut_val **value, struct shape_problem *why);

static const struct shape_field waf_fields[] = {
    { .name = "mode",
      .types = SHAPE_STRING,
      .options = modes,
      .fallback = "\"block\"",
      .about = "detect notes what block would refuse." },
    { .name = "paranoia",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = 4,
      .fallback = "1",
      .about = "Paranoia level of the Core Rule Set." },
    { .name = "threshold",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = 10000,
      .fallback = "5",
      .about = "Anomaly score from which a request is refused; one critical "
               "rule counts 5." },
    { .name = "exclusions",
      .types = SHAPE_LIST,
      .len_max = WAF_EXCLUSIONS_MAX,
      .fallback = "[]",
      .check = exclusions_check,
      .about = "Rules that are not asked: ids (942100) or ranges of them "
               "(\"942100-942199\")." },
    FIELD_INSPECT_BYTES,
    { .name = "overLimit",
      .types = SHAPE_STRING,
      .options = overs,
      .about = "Longer bodies; default block in mode block, else pass." },
    { 0 },
};

static const struct shape_field rule_fields[] = {
    { .name = "name",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = 100,
      .text = &text_plain,
      .about = "Name in events." },
    { .name = "action",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .options = actions,
      .about = "block refuses, allow asks no further rule, skip leaves the "
               "WAF out too, log only notes." },
    { .name = "expression",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = EXPRESSION_TEXT_MAX,
      .check = expression_check,
      .about = "When it acts: docs/rules.md." },
    { 0 },
};

static const struct shape_field fields[] = {
    FIELDS_IDENTITY,
    FIELD_NAME,
    { .name = "waf",
      .types = SHAPE_OBJECT,
      .fields = waf_fields,
      .about = "The Core Rule Set over requests." },
    { .name = "geoblock",
      .types = SHAPE_OBJECT,
      .fields = geoblock_fields,
      .check = geoblock_check,
      .about = "Areas that may call, or may not." },
    { .name = "ip",
      .types = SHAPE_OBJECT,
      .fields = ip_lists_fields,
      .about = "Networks that may call, or may not." },
    { .name = "rules",
      .types = SHAPE_OBJECTS,
      .fields = rule_fields,
      .len_max = SECURITY_RULES_MAX,
      .fallback = "[]",
      .about = "Asked in their order." },
    { .name = "onFault",
      .types = SHAPE_STRING,
      .options = faults,
      .about = "What happens while a check cannot be made; default closed, "
               "but open for places without data." },
    FIELD_TAGS(ROLE_VERIFIER, "[]"),
    FIELDS_TIMES,
    { 0 },
};

/* --- checks -------------------------------------------------------------------- */

static bool exclusion_parse(struct sv text, struct waf_exclusion *out)
{
    uint64_t from, to;
    struct sv rest, first = sv_cut(text, '-', &rest);
    if (!sv_to_u64(sv_trim(first), RULE_ID_MAX, &from) || from == 0)
        return false;
    to = from;
    if (rest.p && (!sv_to_u64(sv_trim(rest), RULE_ID_MAX, &to) || to < from))
        return false;
    *out = (struct waf_exclusion){ (uint32_t)from, (uint32_t)to };
    return true;
}

/* One item of the list: as text, from an integer too. */
static struct sv exclusion_text(yyjson_mut_val *v, char room[24])
{
    int64_t id;
    if (yyjson_mut_is_str(v)) return json_mut_text(v);
    if (!json_is_int((const yyjson_val *)v, &id)) return SV("");
    int n = snprintf(room, 24, "%lld", (long long)id);
    return sv_of(room, (size_t)n);
}

static int exclusions_check(const struct shape_env *env, yyjson_mut_doc *doc,
                            yyjson_mut_val **value, struct shape_problem *why)
{
    yyjson_mut_val *out = yyjson_mut_arr(doc), *item;
    size_t i, max;
    (void)env;
    yyjson_mut_arr_foreach(*value, i, max, item)
    {
        char room[24];
        struct waf_exclusion ignored;
        struct sv text = exclusion_text(item, room);
        if (text.n > EXCLUSION_TEXT_MAX || !exclusion_parse(text, &ignored)) {
            size_t n = strlen(why->field);
            snprintf(why->field + n, sizeof why->field - n, "[%zu]", i);
            return shape_problem_set(why, NULL, "invalid_value",
                                     "must be a rule id or a range of them");
        }
        if (!yyjson_mut_arr_add_strncpy(doc, out, text.p, text.n))
            return ERR_NOMEM;
    }
    *value = out;
    return 0;
}

static int expression_check(const struct shape_env *env, yyjson_mut_doc *doc,
                            yyjson_mut_val **value, struct shape_problem *why)
{
    const struct expression *ignored;
    struct expression_error at;
    struct arena a;
    (void)env;
    (void)doc;
    arena_init(&a, EXPRESSION_ARENA_BYTES, NULL, 0);
    int rc = expression_compile(json_mut_text(*value), &a, &ignored, &at);
    arena_fini(&a);
    if (rc != ERR_INVALID) return rc;
    return shape_problem_set(why, NULL, "invalid_value",
                             "line %u, column %u: %s", at.line, at.column,
                             at.message);
}

/* Names of rules differ: an event names one. */
static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    yyjson_mut_val *list = shape_member(doc, "rules"), *a, *b;
    size_t i, max, j, jmax;
    (void)env;
    (void)present;
    (void)input;
    yyjson_mut_arr_foreach(list, i, max, a)
    {
        yyjson_mut_arr_foreach(list, j, jmax, b)
        {
            char field[64];
            if (j == i) break;
            if (!yyjson_mut_equals(yyjson_mut_obj_get(a, "name"),
                                   yyjson_mut_obj_get(b, "name")))
                continue;
            snprintf(field, sizeof field, "rules[%zu].name", i);
            return shape_problem_set(why, field, "invalid_value",
                                     "must not occur twice");
        }
    }
    return 0;
}

const struct shape shape_security = {
    .name = "Security",
    .kind = KIND_SECURITY,
    .fields = fields,
    .rules = rules,
};

/* --- the typed form -------------------------------------------------------------- */

/* Absent: 0 by the caller's choice of order. -1: none of them. */
static int option_of(const char *const *options, const yyjson_val *v,
                     int absent)
{
    struct sv s = json_text(v);
    if (!v || yyjson_is_null((yyjson_val *)(uintptr_t)v)) return absent;
    for (int i = 0; options[i]; i++)
        if (sv_eq(s, sv_cstr(options[i]))) return i;
    return -1;
}

static int64_t number_of(const yyjson_val *object, const char *name,
                         int64_t absent)
{
    int64_t n;
    return json_is_int(json_find(object, name), &n) ? n : absent;
}

static int exclusions_decode(yyjson_val *list, struct arena *a,
                             struct waf_profile *out)
{
    size_t n = yyjson_arr_size(list), i, max;
    yyjson_val *item;
    if (n > WAF_EXCLUSIONS_MAX) return ERR_CORRUPT;
    struct waf_exclusion *to = ARENA_ARRAY(a, struct waf_exclusion, n + 1);
    if (!to) return ERR_NOMEM;
    yyjson_arr_foreach(list, i, max, item)
    {
        if (!exclusion_parse(json_text(item), &to[i])) return ERR_CORRUPT;
    }
    out->exclusions = to;
    out->exclusions_n = (uint32_t)n;
    return 0;
}

static int waf_decode(const yyjson_val *v, struct arena *a,
                      struct waf_profile *out)
{
    if (!yyjson_is_obj((yyjson_val *)(uintptr_t)v)) return 0;
    int mode = option_of(modes, json_find(v, "mode"), WAF_BLOCK);
    int over = option_of(overs, json_find(v, "overLimit"), mode != WAF_BLOCK);
    int64_t paranoia = number_of(v, "paranoia", 1);
    int64_t threshold = number_of(v, "threshold", 5);
    int64_t bytes = number_of(v, "inspectBytes", INSPECT_BYTES_DEFAULT);
    if (mode < 0 || over < 0 || paranoia < 1 || paranoia > 4 || threshold < 1 ||
        threshold > 10000 || bytes < 1 || bytes > INSPECT_BYTES_MAX)
        return ERR_CORRUPT;
    out->mode = (enum waf_mode)mode;
    out->paranoia = (uint8_t)paranoia;
    out->threshold = (uint32_t)threshold;
    out->inspect_bytes = (uint32_t)bytes;
    out->over_blocks = over == 0;
    return exclusions_decode(json_find(v, "exclusions"), a, out);
}

static int rule_decode(yyjson_val *v, struct arena *a,
                       struct security_rule *out)
{
    struct expression_error ignored;
    int action = option_of(actions, json_find(v, "action"), -1);
    out->name = text_decode(v, "name", a);
    out->text = text_decode(v, "expression", a);
    if (action < 0 || !out->text.p) return ERR_CORRUPT;
    out->action = (enum rule_action)action;
    int rc = expression_compile(out->text, a, &out->expression, &ignored);
    return rc == ERR_INVALID ? ERR_CORRUPT : rc;
}

static int firewall_rules_decode(yyjson_val *list, struct arena *a,
                                 struct security *out)
{
    size_t n = yyjson_arr_size(list), i, max;
    yyjson_val *item;
    if (n > SECURITY_RULES_MAX) return ERR_CORRUPT;
    struct security_rule *to = ARENA_ARRAY(a, struct security_rule, n + 1);
    if (!to) return ERR_NOMEM;
    yyjson_arr_foreach(list, i, max, item)
    {
        int rc = rule_decode(item, a, &to[i]);
        if (rc) return rc;
    }
    out->rules = to;
    out->rules_n = (uint32_t)n;
    return 0;
}

static int decode(const yyjson_val *root, struct arena *a, void *to)
{
    struct security *out = to;
    int fault = option_of(faults, json_find(root, "onFault"), 2);
    if (fault < 0) return ERR_CORRUPT;
    out->on_fault =
        fault == 2 ? FAULT_DEFAULT : (enum fault_rule)(FAULT_CLOSED + fault);
    out->id = text_decode(root, "id", a);
    out->account_id = text_decode(root, "account_id", a);
    out->name = text_decode(root, "name", a);
    int rc = waf_decode(json_find(root, "waf"), a, &out->waf);
    if (rc == 0)
        rc = geoblock_decode(json_find(root, "geoblock"), &out->geoblock);
    if (rc == 0) rc = ip_lists_decode(json_find(root, "ip"), a, &out->ip);
    if (rc == 0) rc = firewall_rules_decode(json_find(root, "rules"), a, out);
    return rc;
}

int security_decode(struct sv doc, struct arena *a, struct security *out)
{
    return doc_decode(doc, a, decode, out, sizeof *out);
}
