/* `cors` of an application: table, rules, typed form, and the one comparison. */
#include "model/cors.h"

#include "base/buf.h"
#include "base/err.h"
#include "codec/host.h"
#include "codec/http.h"
#include "model/fields_int.h"

enum { ORIGIN_CHARS_MAX = 300, NAME_CHARS_MAX = 100, LIST_BYTES_MAX = 8192 };

/* --- an origin --------------------------------------------------------------- */

struct site { /* scheme://host[:port]; views */
    bool tls;
    struct sv host; /* "*.a.test" is a wildcard */
    uint16_t port;  /* never 0 */
};

/* The host's bytes are of a name, an address or a wildcard only. */
static bool host_bytes_ok(struct sv s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = ascii_lower(s.p[i]);
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    strchr("-._*:[]", c) != NULL;
        if (!fine || c == '\0') return false;
    }
    return s.n > 0;
}

static bool site_read(struct sv text, struct site *out)
{
    bool plain = sv_starts_nocase(text, SV("http://"));
    if (!plain && !sv_starts_nocase(text, SV("https://"))) return false;
    struct sv authority = sv_from(text, plain ? 7 : 8);
    out->tls = !plain;
    if (!host_bytes_ok(authority) ||
        host_split(authority, &out->host, &out->port))
        return false;
    /* RFC 6454 6.2: a port is written in one way */
    if (out->port && authority.p[out->host.n + 1] == '0') return false;
    if (!out->port) out->port = plain ? 80 : 443;
    return out->host.n > 0;
}

/* One label or several; a bracket or colon would be of an address. */
static bool labels_ok(struct sv s)
{
    for (size_t i = 0; i < s.n; i++)
        if (strchr("*:[]", s.p[i])) return false;
    return s.n > 0 && s.p[0] != '.';
}

static bool site_is(const struct site *allowed, const struct site *asks)
{
    if (allowed->tls != asks->tls || allowed->port != asks->port) return false;
    if (!sv_starts(allowed->host, SV("*.")))
        return sv_eq_nocase(allowed->host, asks->host);
    struct sv tail = sv_from(allowed->host, 1); /* ".a.test" */
    if (asks->host.n <= tail.n) return false;
    size_t labels_n = asks->host.n - tail.n;
    return labels_ok(sv_first(asks->host, labels_n)) &&
           sv_eq_nocase(sv_from(asks->host, labels_n), tail);
}

bool cors_allows(const struct cors *c, struct sv origin)
{
    struct site asks, allowed;
    if (c->any_origin) return origin.n > 0;
    if (!site_read(origin, &asks)) return false;
    for (unsigned i = 0; i < c->origins_n; i++)
        if (site_read(c->origins[i], &allowed) && site_is(&allowed, &asks))
            return true;
    return false;
}

/* Methods are case-sensitive (RFC 9110 9.1). */
bool cors_allows_method(const struct cors *c, struct sv method)
{
    if (c->any_method) return http_is_token(method);
    for (unsigned i = 0; i < c->methods_n; i++)
        if (sv_eq(c->methods[i], method)) return true;
    return false;
}

/* --- the table ----------------------------------------------------------------- */

static bool origin_ok(struct sv s)
{
    struct site site;
    struct host host;
    if (sv_eq(s, SV("*"))) return true;
    return site_read(s, &site) && host_parse(site.host, true, &host) == 0;
}

static const struct text_rule text_origin = {
    NULL,
    "must be *, http(s)://host[:port] or http(s)://*.host[:port]",
    origin_ok,
};

static bool method_ok(struct sv s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 'A' || s.p[i] > 'Z') && s.p[i] != '-') return false;
    return s.n > 0;
}

static bool methods_ok(struct sv s)
{
    return sv_eq(s, SV("*")) || method_ok(s);
}

static const struct text_rule text_methods = {
    "^([A-Z-]+|\\*)$",
    "must be a method in capitals, or *",
    methods_ok,
};

#define NAMES(called, rule, unset, say)                                      \
    {                                                                        \
        .name = called, .types = SHAPE_STRINGS, .flags = SHAPE_UNIQUE,       \
        .len_max = CORS_NAMES_MAX, .item_max = NAME_CHARS_MAX, .text = rule, \
        .fallback = unset, .about = say                                      \
    }

const struct shape_field cors_fields[] = {
    { .name = "allowOrigins",
      .types = SHAPE_STRINGS,
      .flags = SHAPE_REQUIRED | SHAPE_UNIQUE,
      .len_min = 1,
      .len_max = CORS_ORIGINS_MAX,
      .item_max = ORIGIN_CHARS_MAX,
      .text = &text_origin,
      .about = "Sites whose scripts may read answers: "
               "https://app.example.com, https://*.example.com, or *." },
    NAMES("allowMethods", &text_methods,
          "[\"GET\",\"HEAD\",\"POST\",\"PUT\",\"PATCH\",\"DELETE\"]",
          "Methods that they may use."),
    NAMES("allowHeaders", &text_cookie, NULL,
          "Fields that they may send; absent: those that are asked for."),
    NAMES("exposeHeaders", &text_cookie, "[]",
          "Fields of answers that scripts may read."),
    { .name = "allowCredentials",
      .types = SHAPE_BOOLEAN,
      .fallback = "false",
      .about = "May cookies and the like go with it? Not with *." },
    { .name = "maxAge",
      .types = SHAPE_INTEGER,
      .min = 0,
      .max = CORS_AGE_MAX_S,
      .about = "Seconds that a browser may keep a preflight's answer." },
    { 0 },
};

static bool has_star(yyjson_mut_val *list)
{
    yyjson_mut_val *item;
    size_t i, max;
    yyjson_mut_arr_foreach(list, i, max, item)
    {
        if (yyjson_mut_equals_str(item, "*")) return true;
    }
    return false;
}

/* With credentials a browser reads * as a name, and what was meant to be open
 * to all would be shut, or made open by mirroring: neither was asked for. */
int cors_rules(yyjson_mut_val *cors, struct shape_problem *why)
{
    static const char *const lists[] = { "allowOrigins", "allowMethods",
                                         "allowHeaders", "exposeHeaders" };
    if (!yyjson_mut_is_true(yyjson_mut_obj_get(cors, "allowCredentials")))
        return 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (has_star(yyjson_mut_obj_get(cors, lists[i])))
            return shape_problem_set(why, "cors.allowCredentials",
                                     "invalid_value",
                                     "cannot be true with * in %s", lists[i]);
    return 0;
}

/* --- the typed form -------------------------------------------------------------- */

static const struct sv *list_decode(const yyjson_val *v, const char *name,
                                    struct arena *a, unsigned *n)
{
    yyjson_val *item, *list = json_find(v, name);
    size_t i, max;
    struct sv *out = ARENA_ARRAY(a, struct sv, yyjson_arr_size(list) + 1);
    if (!out) return NULL;
    yyjson_arr_foreach(list, i, max, item) out[i] =
        arena_dup(a, json_text(item));
    *n = (unsigned)yyjson_arr_size(list);
    return out;
}

static struct sv joined(const struct sv *list, unsigned n, struct arena *a)
{
    struct buf text;
    buf_init(&text, LIST_BYTES_MAX);
    for (unsigned i = 0; list && i < n; i++) {
        if (i) buf_put(&text, SV(", "));
        buf_put(&text, list[i]);
    }
    struct sv out = text.n ? arena_dup(a, buf_sv(&text)) : SV("");
    buf_fini(&text);
    return out;
}

static bool holds_star(const struct sv *list, unsigned n)
{
    for (unsigned i = 0; list && i < n; i++)
        if (sv_eq(list[i], SV("*"))) return true;
    return false;
}

int cors_decode(const yyjson_val *v, struct arena *a, const struct cors **out)
{
    if (!yyjson_is_obj((yyjson_val *)(uintptr_t)v)) return 0;
    struct cors *c = ARENA_NEW(a, struct cors);
    if (!c) return ERR_NOMEM;
    unsigned headers_n = 0, expose_n = 0;
    c->origins = list_decode(v, "allowOrigins", a, &c->origins_n);
    c->methods = list_decode(v, "allowMethods", a, &c->methods_n);
    const struct sv *headers = list_decode(v, "allowHeaders", a, &headers_n);
    const struct sv *expose = list_decode(v, "exposeHeaders", a, &expose_n);
    c->any_origin = holds_star(c->origins, c->origins_n);
    c->any_method = holds_star(c->methods, c->methods_n);
    c->mirror = !yyjson_is_arr(json_find(v, "allowHeaders"));
    c->credentials = bool_decode(v, "allowCredentials", false);
    c->methods_text = joined(c->methods, c->methods_n, a);
    c->headers_text = joined(headers, headers_n, a);
    c->expose_text = joined(expose, expose_n, a);
    c->max_age_s = (int32_t)int_decode(v, "maxAge", -1);
    *out = c;
    if (a->overflow) return ERR_NOMEM;
    return c->origins_n && !(c->any_origin && c->credentials) ? 0 : ERR_CORRUPT;
}
