/* Abuse profiles: the field table of detectors.md §2, and the typed form. */
#include "model/abuse.h"

#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "codec/host.h"
#include "model/fields_int.h"
#include "model/policy.h"

enum { UNIT_TEXT_MAX = 20, PROPERTY_MAX = 256 };

static const char *const faults[] = { "closed", "open", NULL };
static const char *const locations[] = { "header", "cookie", "query", "body",
                                         NULL };

/* --- units ------------------------------------------------------------------------ */

struct unit {
    char letter;
    int64_t times;
};

/* A number, then a unit of the list; blanks between them. */
static bool unit_parse(struct sv text, const struct unit *units, size_t n,
                       int64_t *out)
{
    uint64_t v, most = 1u << 30;
    int64_t times = 1;
    text = sv_trim(text);
    char last = text.n ? ascii_lower(text.p[text.n - 1]) : '\0';
    for (size_t i = 0; i < n; i++) {
        if (last != units[i].letter) continue;
        times = units[i].times;
        text = sv_trim(sv_first(text, text.n - 1));
        break;
    }
    if (!sv_to_u64(text, most, &v)) return false;
    *out = (int64_t)v * times;
    return true;
}

bool abuse_requests_parse(struct sv text, int64_t *out)
{
    static const struct unit units[] = { { 'k', 1000 }, { 'm', 1000000 } };
    return unit_parse(text, units, ARRAY_LEN(units), out);
}

bool abuse_interval_parse(struct sv text, int64_t *out_s)
{
    static const struct unit units[] = {
        { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }
    };
    return unit_parse(text, units, ARRAY_LEN(units), out_s);
}

static int unit_check(yyjson_mut_doc *doc, yyjson_mut_val **value,
                      bool (*parse)(struct sv text, int64_t *out), int64_t most,
                      const char *form, struct shape_problem *why)
{
    int64_t n;
    if (!yyjson_mut_is_str(*value)) return 0;
    if (!parse(json_mut_text(*value), &n))
        return shape_problem_set(why, NULL, "invalid_value",
                                 "must be a number, or a text such as %s",
                                 form);
    if (n < 1 || n > most)
        return shape_problem_set(why, NULL, "out_of_range",
                                 "must be between 1 and %lld", (long long)most);
    *value = yyjson_mut_sint(doc, n);
    return 0;
}

static int requests_check(const struct shape_env *env, yyjson_mut_doc *doc,
                          yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    return unit_check(doc, value, abuse_requests_parse, LIMIT_MAX,
                      "\"500\", \"10k\", \"1m\"", why);
}

static int interval_check(const struct shape_env *env, yyjson_mut_doc *doc,
                          yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    return unit_check(doc, value, abuse_interval_parse, WINDOW_MAX_S,
                      "\"30s\", \"10m\", \"1h\", \"1d\"", why);
}

/* --- the other checks --------------------------------------------------------------- */

static int item_problem(struct shape_problem *why, size_t i, const char *says)
{
    size_t n = strlen(why->field);
    snprintf(why->field + n, sizeof why->field - n, "[%zu]", i);
    return shape_problem_set(why, NULL, "invalid_value", "%s", says);
}

static int domains_check(const struct shape_env *env, yyjson_mut_doc *doc,
                         yyjson_mut_val **value, struct shape_problem *why)
{
    yyjson_mut_val *out = yyjson_mut_arr(doc), *item;
    size_t i, max;
    (void)env;
    yyjson_mut_arr_foreach(*value, i, max, item)
    {
        struct host host;
        struct sv s = json_mut_text(item);
        if (sv_starts(s, SV("@"))) s = sv_from(s, 1);
        if (host_parse(s, false, &host) || host.kind != HOST_NAME)
            return item_problem(why, i, "must be a domain such as example.com");
        if (!yyjson_mut_arr_add_strncpy(doc, out, host.text, host.n))
            return ERR_NOMEM;
    }
    *value = out;
    return 0;
}

static int scope_check(const struct shape_env *env, yyjson_mut_doc *doc,
                       yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    (void)doc;
    struct sv s = json_mut_text(*value);
    if (sv_eq(s, SV("ip")) || sv_eq(s, SV("token"))) return 0;
    if (sv_starts(s, SV("header:")) && text_cookie.ok(sv_from(s, 7)) && s.n > 7)
        return 0;
    return shape_problem_set(why, NULL, "invalid_value",
                             "must be ip, token or header:<name>");
}

static int location_bit(struct sv name)
{
    for (int i = 0; locations[i]; i++)
        if (sv_eq(name, sv_cstr(locations[i]))) return 1 << i;
    return 0;
}

/* One of them, or a list; becomes a list. */
static int locations_check(const struct shape_env *env, yyjson_mut_doc *doc,
                           yyjson_mut_val **value, struct shape_problem *why)
{
    size_t i, max;
    yyjson_mut_val *item;
    (void)env;
    if (yyjson_mut_is_str(*value)) {
        yyjson_mut_val *list = yyjson_mut_arr(doc);
        if (!yyjson_mut_arr_append(list, *value)) return ERR_NOMEM;
        *value = list;
        return 0;
    }
    yyjson_mut_arr_foreach(*value, i, max, item)
    {
        if (!location_bit(json_mut_text(item)))
            return item_problem(why, i,
                                "must be one of: header, cookie, query, body");
    }
    return 0;
}

/* --- fields ------------------------------------------------------------------------- */

static const struct shape_field ratelimit_fields[] = {
    { .name = "requests",
      .alias = "limit",
      .types = SHAPE_INTEGER | SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .min = 1,
      .max = LIMIT_MAX,
      .len_min = 1,
      .len_max = UNIT_TEXT_MAX,
      .check = requests_check,
      .about = "A number, or text with k (thousand) or m (million)." },
    { .name = "interval",
      .alias = "timeWindow",
      .types = SHAPE_INTEGER | SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .min = 1,
      .max = WINDOW_MAX_S,
      .len_min = 1,
      .len_max = UNIT_TEXT_MAX,
      .check = interval_check,
      .about = "Seconds, or text with s, m (minutes), h or d." },
    { 0 },
};

static const struct shape_field webhook_fields[] = {
    { .name = "url",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = ABUSE_WEBHOOK_MAX,
      .text = &text_url,
      .format = "uri",
      .check = key_url_check,
      .about = "Where it is posted to." },
    { .name = "secret",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED | SHAPE_SECRET,
      .len_min = 16,
      .len_max = ABUSE_SECRET_MAX,
      .text = &text_plain,
      .about = "Signs it, by HMAC-SHA-256; never shown. Another url asks for "
               "it again." },
    { 0 },
};

#define FIELD_DOMAINS(called, say)                                            \
    {                                                                         \
        .name = called, .types = SHAPE_STRINGS, .len_max = ABUSE_DOMAINS_MAX, \
        .item_max = HOST_TEXT_MAX + 2, .fallback = "[]",                      \
        .check = domains_check, .about = say                                  \
    }

static const struct shape_field fields[] = {
    FIELDS_IDENTITY,
    FIELD_NAME,
    FIELD_DOMAINS("blocklist",
                  "Mail domains that are refused, sub-domains included."),
    FIELD_DOMAINS("exceptions", "Mail domains that pass whatever any list "
                                "says, sub-domains included."),
    { .name = "ratelimit",
      .types = SHAPE_OBJECT,
      .fields = ratelimit_fields,
      .about = "Limit of all requests of an application, by scope." },
    { .name = "scope",
      .types = SHAPE_STRING,
      .len_min = 2,
      .len_max = 110,
      .fallback = "\"ip\"",
      .check = scope_check,
      .about = "Whose requests are counted: ip (IPv6 by /64), token, or "
               "header:<name>." },
    { .name = "checkLocations",
      .types = SHAPE_STRING | SHAPE_STRINGS,
      .flags = SHAPE_UNIQUE,
      .len_min = 1,
      .len_max = 4,
      .item_max = 10,
      .options = locations,
      .check = locations_check,
      .about = "Where the mail address is: header, cookie, query, body." },
    { .name = "checkPropertyName",
      .types = SHAPE_STRING,
      .len_min = 1,
      .len_max = PROPERTY_MAX,
      .text = &text_plain,
      .about = "Its name there; for JSON bodies also a JSON Pointer." },
    { .name = "geoSentry",
      .types = SHAPE_STRING | SHAPE_OBJECT,
      .options = travel_profiles,
      .hidden = travel_spellings,
      .fields = travel_fields,
      .check = travel_check,
      .about = "Impossible travel: a profile's name, or an object." },
    { .name = "anomalyDetection",
      .types = SHAPE_STRING | SHAPE_OBJECT,
      .options = anomaly_profiles,
      .hidden = anomaly_spellings,
      .fields = anomaly_fields,
      .check = anomaly_check,
      .about = "Unusual traffic: a profile's name, or an object." },
    { .name = "challengeWebhook",
      .types = SHAPE_OBJECT,
      .fields = webhook_fields,
      .about = "Told of challenges when they open; may answer that the caller "
               "is verified." },
    { .name = "onFault",
      .types = SHAPE_STRING,
      .options = faults,
      .about = "What happens while a check cannot be made; default open, "
               "but closed for the limit." },
    FIELD_TAGS(ROLE_VERIFIER, "[]"),
    FIELDS_TIMES,
    { 0 },
};

/* Who may change where a secret is used must not get to use it so. */
static int webhook_check(yyjson_mut_doc *doc, yyjson_val *present,
                         yyjson_mut_val *input, struct shape_problem *why)
{
    yyjson_val *was = json_find(json_find(present, "challengeWebhook"), "url");
    yyjson_mut_val *is =
        yyjson_mut_obj_get(shape_member(doc, "challengeWebhook"), "url");
    struct sv text = json_text(was);
    if (!was || !is || sv_eq(text, json_mut_text(is))) return 0;
    yyjson_mut_val *asked = yyjson_mut_obj_get(input, "challengeWebhook");
    if (yyjson_mut_is_str(yyjson_mut_obj_get(asked, "secret"))) return 0;
    return shape_problem_set(why, "challengeWebhook.secret", "required",
                             "is required when url changes");
}

static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    bool where = yyjson_mut_is_arr(shape_member(doc, "checkLocations"));
    bool what = yyjson_mut_is_str(shape_member(doc, "checkPropertyName"));
    (void)env;
    if (where == what) return webhook_check(doc, present, input, why);
    return shape_problem_set(
        why, where ? "checkPropertyName" : "checkLocations", "required",
        "is required with %s", where ? "checkLocations" : "checkPropertyName");
}

const struct shape shape_abuse = {
    .name = "Abuse",
    .kind = KIND_ABUSE,
    .fields = fields,
    .rules = rules,
};

/* --- the typed form ------------------------------------------------------------------ */

static int domains_decode(yyjson_val *list, struct arena *a,
                          const struct sv **out, uint32_t *out_n)
{
    size_t n = yyjson_arr_size(list), i, max;
    yyjson_val *item;
    if (n > ABUSE_DOMAINS_MAX) return ERR_CORRUPT;
    struct sv *to = ARENA_ARRAY(a, struct sv, n + 1);
    if (!to) return ERR_NOMEM;
    yyjson_arr_foreach(list, i, max, item)
    {
        to[i] = arena_dup(a, json_text(item));
        if (!to[i].n) return ERR_CORRUPT;
    }
    *out = to;
    *out_n = (uint32_t)n;
    return 0;
}

static int limit_decode(const yyjson_val *v, struct abuse *out)
{
    int64_t requests, interval;
    if (!yyjson_is_obj((yyjson_val *)(uintptr_t)v)) return 0;
    if (!json_is_int(json_find(v, "requests"), &requests) ||
        !json_is_int(json_find(v, "interval"), &interval) || requests < 1 ||
        requests > LIMIT_MAX || interval < 1 || interval > WINDOW_MAX_S)
        return ERR_CORRUPT;
    out->has_limit = true;
    out->limit = (uint32_t)requests;
    out->window_s = (uint32_t)interval;
    return 0;
}

static int scope_decode(struct sv scope, struct abuse *out)
{
    if (!scope.n || sv_eq(scope, SV("ip"))) return 0;
    out->scope = ABUSE_BY_TOKEN;
    if (sv_eq(scope, SV("token"))) return 0;
    if (!sv_starts(scope, SV("header:")) || scope.n == 7) return ERR_CORRUPT;
    out->scope = ABUSE_BY_HEADER;
    out->scope_header = sv_from(scope, 7);
    return 0;
}

static int decode(const yyjson_val *root, struct arena *a, void *to)
{
    struct abuse *out = to;
    size_t i, max;
    yyjson_val *item;
    struct sv fault = json_text(json_find(root, "onFault"));
    out->id = text_decode(root, "id", a);
    out->account_id = text_decode(root, "account_id", a);
    out->name = text_decode(root, "name", a);
    out->property = text_decode(root, "checkPropertyName", a);
    out->on_fault = sv_eq(fault, SV("open"))     ? FAULT_OPEN
                    : sv_eq(fault, SV("closed")) ? FAULT_CLOSED
                                                 : FAULT_DEFAULT;
    out->webhook = text_decode(json_find(root, "challengeWebhook"), "url", a);
    yyjson_arr_foreach(json_find(root, "checkLocations"), i, max, item)
    {
        out->locations |= (unsigned)location_bit(json_text(item));
    }
    int rc = domains_decode(json_find(root, "blocklist"), a, &out->blocklist,
                            &out->blocklist_n);
    if (rc == 0)
        rc = domains_decode(json_find(root, "exceptions"), a, &out->exceptions,
                            &out->exceptions_n);
    if (rc == 0) rc = limit_decode(json_find(root, "ratelimit"), out);
    if (rc == 0) rc = scope_decode(text_decode(root, "scope", a), out);
    if (rc == 0)
        rc = travel_decode(json_find(root, "geoSentry"), a, &out->travel);
    if (rc == 0)
        rc = anomaly_decode(json_find(root, "anomalyDetection"), &out->anomaly);
    return rc;
}

int abuse_decode(struct sv doc, struct arena *a, struct abuse *out)
{
    return doc_decode(doc, a, decode, out, sizeof *out);
}
