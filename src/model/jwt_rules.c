/* The rules object of api.md §5: what a token's times and claims must be. In
 * a profile, or alone on an application.
 *
 * A claim is named from the payload's root (or the profile's `path`) by its
 * members, joined by dots: "realm_access.roles". A name that holds "://" is
 * one member, as claims of OpenID providers are; "\." is a dot within one. */
#include "base/err.h"
#include "model/fields_int.h"
#include "model/jwt.h"

#include <stdio.h>

enum { CLAIM_NAME_MAX = 200, CLAIM_TEXT_MAX = 1000, CLAIMS_BYTES_MAX = 32768 };

/* --- names --------------------------------------------------------------------- */

/* Members of a claim's name, views of `unescaped`, which has room for it all.
 * ERR_INVALID: an empty member, a backslash before another character, or too
 * deep. */
static int name_split(struct sv name, char *unescaped,
                      struct sv out[JWT_CLAIM_MAX], uint8_t *n)
{
    char *at = unescaped, *begin = at;
    bool whole = name.n && memmem(name.p, name.n, "://", 3) != NULL;
    *n = 0;
    for (size_t i = 0; i <= name.n; i++) {
        char c = i < name.n ? name.p[i] : '.';
        if (c == '.' && (i == name.n || !whole)) {
            if (at == begin || *n == JWT_CLAIM_MAX) return ERR_INVALID;
            out[(*n)++] = sv_of(begin, (size_t)(at - begin));
            begin = at;
            continue;
        }
        if (c == '\\' && !whole) {
            if (++i >= name.n || !memchr("\\.", name.p[i], 2))
                return ERR_INVALID;
            c = name.p[i];
        }
        *at++ = c;
    }
    return 0;
}

/* "{tenant}": the name of a route's variable or of a header. */
static bool dynamic_name(struct sv text, struct sv *out)
{
    if (text.n < 3 || text.p[0] != '{' || text.p[text.n - 1] != '}')
        return false;
    *out = sv_of(text.p + 1, text.n - 2);
    return out->n <= 100 && text_cookie.ok(*out);
}

/* --- the check of a document ----------------------------------------------------- */

static int refuse(struct shape_problem *why, struct sv claim, const char *code,
                  const char *says)
{
    char field[sizeof why->field];
    snprintf(field, sizeof field, "%.40s.%.*s", why->field,
             SV_FMT(sv_first(claim, 80)));
    return shape_problem_set(why, field, code, "%s", says);
}

static const char *text_problem(struct sv text, bool alone)
{
    struct sv name;
    if (text.n == 0 || utf8_count(text) > CLAIM_TEXT_MAX)
        return "must have 1 to 1000 characters";
    if (alone && text.p[0] == '{' && text.p[text.n - 1] == '}' &&
        !dynamic_name(text, &name))
        return "must be {name} of a route variable or header; a text in "
               "braces stands in an array";
    return NULL;
}

static const char *scalar_problem(yyjson_mut_val *v, bool alone)
{
    if (yyjson_mut_is_str(v)) return text_problem(json_mut_text(v), alone);
    return yyjson_mut_is_num(v) || yyjson_mut_is_bool(v)
               ? NULL
               : "must be a text, a number, true or false, or an array of such";
}

static const char *claim_problem(yyjson_mut_val *v)
{
    const char *problem = NULL;
    size_t i, max;
    yyjson_mut_val *item;
    if (!yyjson_mut_is_arr(v)) return scalar_problem(v, true);
    size_t n = yyjson_mut_arr_size(v);
    if (n < 1 || n > JWT_RULE_VALUES_MAX) return "must have 1 to 20 values";
    yyjson_mut_arr_foreach(v, i, max, item)
    {
        if (!problem) problem = scalar_problem(item, false);
    }
    return problem;
}

static bool name_ok(struct sv name)
{
    char unescaped[4 * CLAIM_NAME_MAX];
    struct sv members[JWT_CLAIM_MAX];
    uint8_t n;
    return utf8_count(name) <= CLAIM_NAME_MAX && text_plain.ok(name) &&
           name_split(name, unescaped, members, &n) == 0;
}

static int claims_check(const struct shape_env *env, yyjson_mut_doc *doc,
                        yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    (void)doc;
    size_t i, max;
    yyjson_mut_val *key, *v;
    if (yyjson_mut_obj_size(*value) > JWT_RULES_MAX)
        return shape_problem_set(why, NULL, "out_of_range",
                                 "must have at most %d claims", JWT_RULES_MAX);
    yyjson_mut_obj_foreach(*value, i, max, key, v)
    {
        struct sv name = json_mut_text(key);
        if (!name_ok(name))
            return refuse(why, name, "invalid_value",
                          "is not the name of a claim: 1 to 4 members joined "
                          "by dots, 200 characters at most");
        const char *problem = claim_problem(v);
        if (problem) return refuse(why, name, "invalid_value", problem);
    }
    return 0;
}

#define FIELD_VERIFY(text, say)                            \
    {                                                      \
        .name = text, .types = SHAPE_BOOLEAN, .about = say \
    }
#define FIELD_CLAIMS(text, say)                                        \
    {                                                                  \
        .name = text, .types = SHAPE_MAP, .len_max = CLAIMS_BYTES_MAX, \
        .check = claims_check, .about = say                            \
    }

const struct shape_field jwt_rule_fields[] = {
    FIELD_VERIFY("verify_exp", "exp must be there and not be past; false: it "
                               "is not judged."),
    FIELD_VERIFY("verify_nbf", "nbf must be there and not lie ahead; false: it "
                               "is not judged."),
    FIELD_VERIFY("verify_iat", "iat must be there and not lie ahead; false: it "
                               "is not judged."),
    { .name = "clock_skew",
      .types = SHAPE_INTEGER,
      .max = JWT_SKEW_MAX_S,
      .about = "Seconds by which clocks may differ." },
    FIELD_CLAIMS("required_claims",
                 "Claim to value, array of which one must hold, \"*\" (it is "
                 "there) or \"{name}\" (equal to that route variable or "
                 "header)."),
    FIELD_CLAIMS("optional_claims",
                 "The same, judged when the claim is there."),
    { 0 },
};

const struct shape shape_jwt_rules = {
    .name = "JwtValidation",
    .fields = jwt_rule_fields,
    .sparse = true,
};

/* --- the typed form ----------------------------------------------------------------- */

static enum claim_use use_of(const yyjson_val *rules, const char *name,
                             enum claim_use unset)
{
    const yyjson_val *v = json_find(rules, name);
    if (!yyjson_is_bool((yyjson_val *)(uintptr_t)v)) return unset;
    return yyjson_get_bool((yyjson_val *)(uintptr_t)v) ? CLAIM_REQUIRED
                                                       : CLAIM_IGNORED;
}

static int value_decode(const yyjson_val *v, struct arena *a,
                        struct jwt_value *out)
{
    yyjson_val *x = (yyjson_val *)(uintptr_t)v;
    *out = (struct jwt_value){ .text = SV("") };
    if (yyjson_is_str(x)) {
        out->text = arena_dup(a, json_text(x));
    } else if (yyjson_is_num(x)) {
        out->kind = JWT_NUMBER;
        out->number = yyjson_get_num(x);
        out->text = json_encode_val(a, x);
    } else if (yyjson_is_bool(x)) {
        out->kind = JWT_BOOLEAN;
        out->boolean = yyjson_get_bool(x);
    } else {
        return ERR_CORRUPT;
    }
    return out->text.p ? 0 : ERR_NOMEM;
}

static int values_decode(yyjson_val *v, struct arena *a, struct jwt_rule *out)
{
    struct sv text = json_text(v), name;
    size_t i, max, n = yyjson_is_arr(v) ? yyjson_arr_size(v) : 1;
    yyjson_val *item;
    int rc = 0;
    if (sv_eq(text, SV("*"))) {
        out->match = JWT_PRESENT;
        return 0;
    }
    if (dynamic_name(text, &name)) {
        out->match = JWT_DYNAMIC;
        out->name = arena_dup(a, name);
        return out->name.p ? 0 : ERR_NOMEM;
    }
    if (n < 1 || n > JWT_RULE_VALUES_MAX) return ERR_CORRUPT;
    struct jwt_value *values = ARENA_ARRAY(a, struct jwt_value, n);
    if (!values) return ERR_NOMEM;
    out->match = JWT_ANY_OF;
    out->values = values;
    out->values_n = (uint8_t)n;
    if (!yyjson_is_arr(v)) return value_decode(v, a, values);
    yyjson_arr_foreach(v, i, max, item)
    {
        if (rc == 0) rc = value_decode(item, a, &values[i]);
    }
    return rc;
}

static int rule_decode(struct sv claim, yyjson_val *v,
                       const struct jwt_prefix *prefix, struct arena *a,
                       struct jwt_rule *out)
{
    char *unescaped = arena_alloc(a, claim.n + 1);
    struct sv *path = ARENA_ARRAY(a, struct sv, JWT_PATH_MAX);
    uint8_t n = 0;
    out->shown = arena_dup(a, claim);
    if (!unescaped || !path || !out->shown.p) return ERR_NOMEM;
    memcpy(path, prefix->at, prefix->n * sizeof *path);
    if (name_split(claim, unescaped, path + prefix->n, &n)) return ERR_CORRUPT;
    out->path = path;
    out->path_n = (uint8_t)(prefix->n + n);
    return values_decode(v, a, out);
}

static int claims_decode_into(yyjson_val *claims, bool optional,
                              const struct jwt_prefix *prefix, struct arena *a,
                              struct jwt_rules *out, struct jwt_rule *rules)
{
    size_t i, max;
    yyjson_val *key, *v;
    int rc = 0;
    if (!claims) return 0; /* the loop would step from NULL */
    yyjson_obj_foreach(claims, i, max, key, v)
    {
        struct jwt_rule *r = &rules[out->rules_n];
        *r = (struct jwt_rule){ .optional = optional };
        if (rc == 0) rc = rule_decode(json_text(key), v, prefix, a, r);
        out->rules_n++;
    }
    return rc;
}

int rules_decode(const yyjson_val *rules, const struct jwt_prefix *prefix,
                 int unset, struct arena *a, struct jwt_rules *out)
{
    enum claim_use use = (enum claim_use)unset;
    yyjson_val *required = json_find(rules, "required_claims");
    yyjson_val *optional = json_find(rules, "optional_claims");
    size_t n = yyjson_obj_size(required), m = yyjson_obj_size(optional);
    int64_t skew = 0;
    memset(out, 0, sizeof *out);
    out->times.exp = use_of(rules, "verify_exp", use);
    out->times.nbf = use_of(rules, "verify_nbf", use);
    out->times.iat = use_of(rules, "verify_iat", use);
    out->has_skew = json_is_int(json_find(rules, "clock_skew"), &skew);
    if (skew < 0 || skew > JWT_SKEW_MAX_S || n > JWT_RULES_MAX ||
        m > JWT_RULES_MAX)
        return ERR_CORRUPT;
    out->times.skew_s = (uint32_t)skew;
    if (n + m == 0) return 0;
    struct jwt_rule *list = ARENA_ARRAY(a, struct jwt_rule, n + m);
    if (!list) return ERR_NOMEM;
    out->rules = list;
    int rc = claims_decode_into(required, false, prefix, a, out, list);
    if (rc == 0) rc = claims_decode_into(optional, true, prefix, a, out, list);
    return rc;
}

int jwt_rules_decode(struct sv doc, struct arena *a, struct jwt_rules *out)
{
    static const struct jwt_prefix none = { .n = 0 };
    struct decode_scratch scratch;
    const yyjson_val *root;
    memset(out, 0, sizeof *out);
    int rc = decode_begin(&scratch, doc, &root);
    if (rc == 0) rc = rules_decode(root, &none, CLAIM_IGNORED, a, out);
    arena_fini(&scratch.arena);
    return a->overflow ? ERR_NOMEM : rc;
}
