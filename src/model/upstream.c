/* Several origins: tables, rules between fields, typed form. */
#include "model/upstream.h"

#include <stdio.h>

#include "base/err.h"
#include "codec/host.h"
#include "codec/http.h"
#include "model/fields_int.h"

enum {
    ORIGIN_TEXT_MAX = 2048,
    ORIGIN_BASE_MAX = 1024,
    HEADER_MAX = 1000,
    PATH_MAX_CHARS = 1024
};

/* --- addresses ---------------------------------------------------------------- */

/* "/a/b" without query, fragment, dot segments or what a URL must escape. */
static bool base_ok(struct sv base)
{
    if (base.n > ORIGIN_BASE_MAX) return false;
    for (size_t i = 0; i < base.n; i++) {
        char c = base.p[i];
        if (c <= 0x20 || c >= 0x7f || strchr("?#\"<>\\^`{|}", c)) return false;
    }
    struct sv rest = base, segment;
    while (rest.p) {
        segment = sv_cut(rest, '/', &rest);
        if (sv_eq(segment, SV(".")) || sv_eq(segment, SV(".."))) return false;
    }
    return true;
}

int origin_address_parse(struct sv text, struct arena *a,
                         struct origin_address *out)
{
    *out = (struct origin_address){ .tls = true, .base = SV("") };
    bool plain = sv_starts_nocase(text, SV("http://"));
    bool url = plain || sv_starts_nocase(text, SV("https://"));
    struct sv rest = url ? sv_from(text, plain ? 7 : 8) : text;
    size_t slash = sv_find(rest, '/');
    if (slash != SIZE_MAX && !url) return ERR_INVALID;
    struct sv authority = sv_first(rest, slash), base = sv_from(rest, slash);
    while (base.n && base.p[base.n - 1] == '/') base.n--;
    struct sv name;
    struct host host;
    int rc = host_split(authority, &name, &out->port);
    if (rc == 0) rc = host_parse(name, false, &host);
    if (rc || !base_ok(base)) return ERR_INVALID;
    out->tls = !plain;
    if (!out->port) out->port = plain ? 80 : 443;
    out->host = arena_dup(a, sv_of(host.text, host.n));
    if (base.n) out->base = arena_dup(a, base);
    return out->host.p && out->base.p ? 0 : ERR_NOMEM;
}

bool origin_address_eq(const struct origin_address *a,
                       const struct origin_address *b)
{
    return a->tls == b->tls && a->port == b->port && sv_eq(a->host, b->host) &&
           sv_eq(a->base, b->base);
}

int origin_address_check(const struct shape_env *env, yyjson_mut_doc *doc,
                         yyjson_mut_val **value, struct shape_problem *why)
{
    (void)doc;
    struct origin_address ignored;
    int rc = origin_address_parse(json_mut_text(*value), env->arena, &ignored);
    if (rc != ERR_INVALID) return rc;
    return shape_problem_set(why, NULL, "invalid_value",
                             "must be host, host:port or "
                             "http(s)://host[:port][/base]");
}

/* --- outcomes ------------------------------------------------------------------- */

static const char *const outcome_names[] = {
#define X(name, text) text,
    ORIGIN_OUTCOMES(X)
#undef X
};

enum origin_outcome origin_outcome_of(unsigned status)
{
    switch (status) {
    case 500: return ORIGIN_500;
    case 502: return ORIGIN_502;
    case 503: return ORIGIN_503;
    case 504: return ORIGIN_504;
    default: return status >= 500 ? ORIGIN_5XX : ORIGIN_FINE;
    }
}

static int outcome_find(struct sv name)
{
    for (int i = 0; i < ORIGIN_FINE; i++)
        if (sv_eq(name, sv_cstr(outcome_names[i]))) return i;
    return -1;
}

static bool outcome_ok(struct sv s)
{
    return outcome_find(s) >= 0;
}

static const struct text_rule text_outcome = {
    "^(connect|reset|timeout|500|502|503|504|5xx)$",
    "must be connect, reset, timeout, 500, 502, 503, 504 or 5xx",
    outcome_ok,
};

/* --- tables --------------------------------------------------------------------- */

/* Asked for as it is: path and query of a URL. */
static bool probe_path_ok(struct sv s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c <= 0x20 || c >= 0x7f || strchr("#\"<>\\^`{|}", c)) return false;
    }
    return s.n > 0 && s.p[0] == '/';
}

static const struct text_rule text_probe_path = {
    "^/",
    "must begin with / and be written as in a URL",
    probe_path_ok,
};

const struct shape_field upstream_origin_fields[] = {
    { .name = "name",
      .types = SHAPE_STRING,
      .len_min = 1,
      .len_max = UPSTREAM_NAME_MAX,
      .text = &text_word,
      .about = "Name in metrics and states; absent: origin-1 … by place." },
    { .name = "address",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = ORIGIN_TEXT_MAX,
      .text = &text_plain,
      .check = origin_address_check,
      .about = "As originHostname: host, host:port or "
               "http(s)://host[:port][/base]." },
    { .name = "weight",
      .types = SHAPE_INTEGER,
      .min = 0,
      .max = UPSTREAM_WEIGHT_MAX,
      .fallback = "1",
      .about = "Share of the requests; 0: only those by its header." },
    { .name = "header",
      .types = SHAPE_STRING,
      .len_min = 1,
      .len_max = HEADER_MAX,
      .text = &text_condition,
      .about = "\"Name: value\" or \"Name\": requests with it go here." },
    { 0 },
};

static const char *const algorithms[] = { "weighted", "least_outstanding",
                                          "consistent_hash", NULL };

const struct shape_field balancing_fields[] = {
    { .name = "algorithm",
      .types = SHAPE_STRING,
      .options = algorithms,
      .fallback = "\"weighted\"",
      .about = "weighted; least_outstanding; consistent_hash by token, JWT "
               "subject or, without either, client address." },
    { 0 },
};

#define NUMBER(text, least, most, unset, say)                            \
    {                                                                    \
        .name = text, .types = SHAPE_INTEGER, .min = least, .max = most, \
        .fallback = unset, .about = say                                  \
    }
#define OUTCOMES(unset, say)                                           \
    {                                                                  \
        .name = "on", .types = SHAPE_STRINGS, .flags = SHAPE_UNIQUE,   \
        .len_max = ORIGIN_FINE, .item_max = 10, .text = &text_outcome, \
        .fallback = unset, .about = say                                \
    }
#define FAILURES "[\"connect\",\"reset\",\"timeout\",\"502\",\"503\",\"504\"]"

static const struct shape_field passive_fields[] = {
    NUMBER("failures", 0, 1000, "5",
           "Failures in a row that eject an origin; 0: none do."),
    OUTCOMES(FAILURES, "What counts as a failure."),
    NUMBER("ejectFor", 100, 3600000, "10000",
           "Milliseconds of the first ejection; twice that the next time."),
    NUMBER("ejectMax", 100, 3600000, "300000", "Never longer than this."),
    NUMBER("maxEjected", 0, 100, "50",
           "Percent of the origins that may be ejected at a time."),
    { 0 },
};

static const struct shape_field active_fields[] = {
    { .name = "path",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = PATH_MAX_CHARS,
      .text = &text_probe_path,
      .about = "Path that is asked for by GET." },
    NUMBER("interval", 100, 3600000, "5000",
           "Milliseconds from one probe to the next."),
    NUMBER("timeout", 10, 60000, "1000", "Milliseconds that one may take."),
    NUMBER("status", 200, 499, NULL,
           "The status that is healthy; absent: any below 400."),
    NUMBER("healthy", 1, 100, "2", "Good probes in a row that bring it back."),
    NUMBER("unhealthy", 1, 100, "3", "Bad ones in a row that take it out."),
    { 0 },
};

const struct shape_field health_fields[] = {
    { .name = "passive",
      .types = SHAPE_OBJECT,
      .fields = passive_fields,
      .about = "By what becomes of requests; absent: as these defaults." },
    { .name = "active",
      .types = SHAPE_OBJECT,
      .fields = active_fields,
      .about = "By probes; absent: none are sent." },
    { 0 },
};

const struct shape_field breaker_fields[] = {
    NUMBER("failures", 0, 10000, "0",
           "Failures in a row that open it; 0: not by them."),
    NUMBER("ratio", 0, 100, "0",
           "Percent of failures in a window that opens it; 0: not by it."),
    NUMBER("minRequests", 1, 100000, "20",
           "Requests in a window before the ratio is judged."),
    NUMBER("window", 1000, 600000, "10000", "Milliseconds of a window."),
    NUMBER("openFor", 100, 3600000, "10000",
           "Milliseconds without requests, before it is tried again."),
    NUMBER("probes", 1, 100, "1",
           "Requests that must do well before it closes."),
    NUMBER("maxPending", 0, 1000000, "0",
           "Requests under way at an origin; 0: no ceiling."),
    OUTCOMES(FAILURES, "What counts as a failure."),
    { 0 },
};

const struct shape_field retry_fields[] = {
    NUMBER("attempts", 0, UPSTREAM_RETRIES_MAX, "1",
           "How often a request may be sent again."),
    OUTCOMES("[\"connect\",\"reset\"]",
             "After what; others than connect: idempotent methods only."),
    NUMBER("budget", 1, 100, "20",
           "Percent of the requests that may be retries."),
    { 0 },
};

/* --- between fields --------------------------------------------------------------- */

static struct sv effective_name(yyjson_mut_val *origin, size_t i, char text[32])
{
    yyjson_mut_val *name = yyjson_mut_obj_get(origin, "name");
    if (yyjson_mut_is_str(name)) return json_mut_text(name);
    return sv_of(text, (size_t)snprintf(text, 32, "origin-%zu", i + 1));
}

static int origin_refuse(struct shape_problem *why, size_t i, const char *field,
                         const char *says)
{
    char at[64];
    snprintf(at, sizeof at, "origins[%zu].%s", i, field);
    return shape_problem_set(why, at, "invalid_value", "%s", says);
}

struct known {
    struct origin_address at;
    struct sv name;
    char text[32];
};

static int origins_differ(yyjson_mut_val *list, struct arena *a,
                          struct known *known, bool *weighted,
                          struct shape_problem *why)
{
    yyjson_mut_val *item;
    size_t i, max;
    yyjson_mut_arr_foreach(list, i, max, item)
    {
        struct known *k = &known[i];
        k->name = effective_name(item, i, k->text);
        if (origin_address_parse(
                json_mut_text(yyjson_mut_obj_get(item, "address")), a, &k->at))
            return ERR_NOMEM;
        for (size_t j = 0; j < i; j++) {
            if (sv_eq(k->name, known[j].name))
                return origin_refuse(why, i, "name", "must not occur twice");
            if (origin_address_eq(&k->at, &known[j].at))
                return origin_refuse(why, i, "address",
                                     "must not occur twice: give it a weight");
        }
        *weighted |=
            yyjson_mut_get_sint(yyjson_mut_obj_get(item, "weight")) > 0;
    }
    return 0;
}

/* originHostname beside origins is one of them: two truths are none. */
static int named_too(yyjson_mut_doc *doc, struct arena *a,
                     const struct known *known, size_t n,
                     struct shape_problem *why)
{
    struct origin_address at;
    struct sv text = json_mut_text(shape_member(doc, "originHostname"));
    if (!text.n) return 0;
    if (origin_address_parse(text, a, &at)) return ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (origin_address_eq(&at, &known[i].at)) return 0;
    return shape_problem_set(why, "originHostname", "invalid_value",
                             "must be one of origins, or empty");
}

static int times_agree(yyjson_mut_doc *doc, struct shape_problem *why)
{
    yyjson_mut_val *passive =
        yyjson_mut_obj_get(shape_member(doc, "health"), "passive");
    if (yyjson_mut_get_sint(yyjson_mut_obj_get(passive, "ejectMax")) >=
        yyjson_mut_get_sint(yyjson_mut_obj_get(passive, "ejectFor")))
        return 0;
    return shape_problem_set(why, "health.passive.ejectMax", "invalid_value",
                             "must not be below ejectFor");
}

int upstream_rules(const struct shape_env *env, yyjson_mut_doc *doc,
                   struct shape_problem *why)
{
    yyjson_mut_val *list = shape_member(doc, "origins");
    size_t n = yyjson_mut_arr_size(list);
    bool weighted = false;
    struct known *known = ARENA_ARRAY(env->arena, struct known, n + 1);
    int rc = times_agree(doc, why);
    if (rc || !n) return rc;
    if (!known) return ERR_NOMEM;
    rc = origins_differ(list, env->arena, known, &weighted, why);
    if (rc) return rc;
    if (!weighted)
        return shape_problem_set(why, "origins", "invalid_value",
                                 "must have one with a weight above 0");
    return named_too(doc, env->arena, known, n, why);
}

/* --- the typed form ----------------------------------------------------------------- */

enum {
    FAILURES_SET = 1 << ORIGIN_CONNECT | 1 << ORIGIN_RESET |
                   1 << ORIGIN_TIMEOUT | 1 << ORIGIN_502 | 1 << ORIGIN_503 |
                   1 << ORIGIN_504
};

const struct retry_rules retry_defaults = {
    .attempts = 0,
    .budget = 20,
    .on = 1 << ORIGIN_CONNECT | 1 << ORIGIN_RESET,
};

static uint32_t number(const yyjson_val *v, const char *name, uint32_t unset)
{
    int64_t n = int_decode(v, name, unset);
    return n >= 0 && n <= UINT32_MAX ? (uint32_t)n : unset;
}

static uint16_t set_of(const yyjson_val *v, uint16_t unset)
{
    yyjson_val *item, *list = json_find(v, "on");
    size_t i, max;
    unsigned set = 0;
    if (!yyjson_is_arr(list)) return unset;
    yyjson_arr_foreach(list, i, max, item)
    {
        int what = outcome_find(json_text(item));
        if (what >= 0) set |= 1u << what;
    }
    return (uint16_t)set;
}

static int origin_decode(const yyjson_val *v, size_t i, struct arena *a,
                         struct upstream_origin *out)
{
    out->name = text_decode(v, "name", a);
    if (!out->name.n) out->name = arena_printf(a, "origin-%zu", i + 1);
    out->weight = (uint16_t)number(v, "weight", 1);
    struct sv value, name = sv_cut(text_decode(v, "header", a), ':', &value);
    out->header = name;
    out->value = value.p ? sv_trim(value) : value;
    int rc =
        origin_address_parse(json_text(json_find(v, "address")), a, &out->at);
    return rc == ERR_INVALID ? ERR_CORRUPT : rc;
}

static int origins_decode(const yyjson_val *root, struct arena *a,
                          struct upstream *u)
{
    yyjson_val *item, *list = json_find(root, "origins");
    size_t i, max, n = yyjson_arr_size(list);
    struct upstream_origin *out = ARENA_ARRAY(a, struct upstream_origin, n + 1);
    if (n > UPSTREAM_ORIGINS_MAX) return ERR_CORRUPT;
    if (!out) return ERR_NOMEM;
    yyjson_arr_foreach(list, i, max, item)
    {
        int rc = origin_decode(item, i, a, &out[i]);
        if (rc) return rc;
    }
    u->origins = out;
    u->n = (unsigned)n;
    return 0;
}

static struct passive_rules passive_decode(const yyjson_val *v)
{
    return (struct passive_rules){
        .failures = (uint16_t)number(v, "failures", 5),
        .on = set_of(v, FAILURES_SET),
        .ejected_max = (uint8_t)number(v, "maxEjected", 50),
        .eject_ms = number(v, "ejectFor", 10000),
        .eject_max_ms = number(v, "ejectMax", 300000),
    };
}

static struct breaker_rules breaker_decode(const yyjson_val *v)
{
    if (!v) return (struct breaker_rules){ 0 };
    return (struct breaker_rules){
        .failures = (uint16_t)number(v, "failures", 0),
        .on = set_of(v, FAILURES_SET),
        .ratio = (uint8_t)number(v, "ratio", 0),
        .probes = (uint8_t)number(v, "probes", 1),
        .least = number(v, "minRequests", 20),
        .window_ms = number(v, "window", 10000),
        .open_ms = number(v, "openFor", 10000),
        .pending_max = number(v, "maxPending", 0),
    };
}

static struct probe_rules probe_decode(const yyjson_val *v, struct arena *a)
{
    return (struct probe_rules){
        .path = text_decode(v, "path", a),
        .interval_ms = number(v, "interval", 5000),
        .timeout_ms = number(v, "timeout", 1000),
        .status = (uint16_t)number(v, "status", 0),
        .healthy = (uint8_t)number(v, "healthy", 2),
        .unhealthy = (uint8_t)number(v, "unhealthy", 3),
    };
}

static const yyjson_val *object(const yyjson_val *root, const char *name)
{
    yyjson_val *v = json_find(root, name);
    return yyjson_is_obj(v) ? v : NULL;
}

int upstream_decode(const yyjson_val *root, struct arena *a,
                    const struct upstream **out)
{
    const yyjson_val *health = object(root, "health");
    const yyjson_val *breaker = object(root, "breaker");
    const yyjson_val *retries = object(root, "retries");
    int balancing =
        option_decode(json_find(root, "balancing"), "algorithm", algorithms);
    size_t n = yyjson_arr_size(json_find(root, "origins"));
    *out = NULL;
    if (!n && !health && !breaker && !retries) return 0;
    struct upstream *u = ARENA_NEW(a, struct upstream);
    if (!u) return ERR_NOMEM;
    if (balancing < 0) return ERR_CORRUPT;
    u->balancing = (enum balancing)balancing;
    u->passive = passive_decode(json_find(health, "passive"));
    u->probe = probe_decode(json_find(health, "active"), a);
    u->breaker = breaker_decode(breaker);
    u->retry = retry_defaults;
    if (retries)
        u->retry = (struct retry_rules){
            .attempts = (uint8_t)number(retries, "attempts", 1),
            .budget = (uint8_t)number(retries, "budget", 20),
            .on = set_of(retries, retry_defaults.on),
        };
    *out = u;
    return origins_decode(root, a, u);
}
