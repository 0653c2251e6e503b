/* Applications: the field table of api.md §2, and the typed form. */
#include "model/application.h"

#include "base/ensure.h"
#include "base/err.h"
#include "codec/host.h"
#include "codec/http.h"
#include "model/fields_int.h"

/* As the fallbacks of monitor_fields make them. */
#define MONITOR_DEFAULTS                                  \
    "{\"enabled\":true,\"url\":\"/\",\"method\":\"GET\"," \
    "\"status_code\":200,\"headers\":{},"                 \
    "\"interval\":60,\"timeout\":5,"                      \
    "\"certificate_days\":14,\"maintenance\":false,\"endpoints\":[]}"
#define ASSERTION_HEADER "X-Typeauth-Assertion"
enum { ORIGIN_TEXT_MAX = 2048, FROM_MAX = 100 };

/* --- checks of single fields ----------------------------------------------- */

static int domain_check(const struct shape_env *env, yyjson_mut_doc *doc,
                        yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    struct host host;
    if (host_parse(json_mut_text(*value), true, &host))
        return shape_problem_set(why, NULL, "invalid_value",
                                 "must be a host name, *.name or an address, "
                                 "without port");
    *value = yyjson_mut_strncpy(doc, host.text, host.n);
    return 0;
}

static bool cidr_ok(struct sv s)
{
    struct cidr ignored;
    return cidr_parse(s, &ignored) == 0;
}

static const struct text_rule text_cidr = {
    NULL,
    "must be an address or a network as 10.0.0.0/8, host bits clear",
    cidr_ok,
};

/* --- the table --------------------------------------------------------------- */

static const char *const modes[] = { "open", "key", "off", NULL };

/* A field that nobody else writes or reads: none that HTTP or this program
 * knows, but for the usual one. */
static int assertion_header_check(const struct shape_env *env,
                                  yyjson_mut_doc *doc, yyjson_mut_val **value,
                                  struct shape_problem *why)
{
    (void)env, (void)doc;
    struct sv name = json_mut_text(*value);
    bool good = name.n > 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = ascii_lower(name.p[i]);
        good &= (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    if (good && sv_eq_nocase(name, SV(ASSERTION_HEADER))) return 0;
    if (good && http_name_of(name) == HN_OTHER &&
        !sv_eq_nocase(name, SV("HTTP2-Settings")))
        return 0;
    return shape_problem_set(why, NULL, "invalid_value",
                             "must be a field name of letters, digits and -, "
                             "not one that HTTP or the gateway uses");
}

static const char *const assertion_algorithms[] = { "ES256", "EdDSA", NULL };

static const struct shape_field assertion_fields[] = {
    { .name = "algorithm",
      .types = SHAPE_STRING,
      .options = assertion_algorithms,
      .fallback = "\"ES256\"",
      .about = "How it is signed." },
    { .name = "lifetime",
      .types = SHAPE_INTEGER,
      .min = 5,
      .max = ASSERTION_LIFETIME_MAX_S,
      .fallback = "60",
      .about = "Seconds from iat to exp." },
    { .name = "audience",
      .types = SHAPE_STRING,
      .len_max = 255,
      .text = &text_plain,
      .about = "Its aud; unset: the application's id." },
    { .name = "header",
      .types = SHAPE_STRING,
      .len_max = 64,
      .fallback = "\"" ASSERTION_HEADER "\"",
      .check = assertion_header_check,
      .about = "The field of the forwarded request that holds it." },
    { 0 },
};

static const struct shape_field authenticate_fields[] = {
    { .name = "mode",
      .types = SHAPE_STRING,
      .options = modes,
      .fallback = "\"open\"",
      .about = "Who may ask POST /authenticate." },
    { .name = "from",
      .types = SHAPE_STRINGS,
      .flags = SHAPE_UNIQUE,
      .len_max = FROM_MAX,
      .item_max = 49,
      .text = &text_cidr,
      .fallback = "[]",
      .about = "Networks of those; none: any." },
    { 0 },
};

#define FIELD_MS(text, say)                                             \
    {                                                                   \
        .name = text, .types = SHAPE_INTEGER, .min = 1, .max = 3600000, \
        .about = say                                                    \
    }
const struct shape_field timeout_fields[] = {
    FIELD_MS("connect", "To connect to the origin."),
    FIELD_MS("firstByte", "From the request to the answer's head."),
    FIELD_MS("idle", "Between two pieces of a body."),
    { 0 },
};

#define FIELD_REF(text, of, say)                                             \
    {                                                                        \
        .name = text, .types = SHAPE_STRING, .flags = SHAPE_SEED, .ref = of, \
        .role = ROLE_ADMIN, .about = say                                     \
    }

#define FIELD_PART(text, of, say)                                              \
    {                                                                          \
        .name = text, .types = SHAPE_OBJECT, .fields = of, .role = ROLE_ADMIN, \
        .about = say                                                           \
    }

static const struct shape_field fields[] = {
    FIELDS_IDENTITY,
    { .name = "name",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED | SHAPE_NAME | SHAPE_KEY,
      .len_min = 1,
      .len_max = 100,
      .text = &text_plain,
      .about = "Name, unique in the account." },
    { .name = "description",
      .types = SHAPE_STRING,
      .flags = SHAPE_SEED,
      .len_max = 1000,
      .text = &text_lines,
      .about = "For people." },
    { .name = "domain",
      .types = SHAPE_STRING,
      .flags = SHAPE_SEED,
      .len_max = HOST_TEXT_MAX,
      .text = &text_plain,
      .format = "hostname",
      .role = ROLE_ADMIN,
      .check = domain_check,
      .about = "Host name or address that clients call, also "
               "*.example.com; made up when absent." },
    { .name = "originHostname",
      .alias = "origin_hostname",
      .types = SHAPE_STRING,
      .flags = SHAPE_SEED,
      .len_max = ORIGIN_TEXT_MAX,
      .text = &text_plain,
      .role = ROLE_ADMIN,
      .check = origin_address_check,
      .about = "Where requests go: host, host:port or "
               "http(s)://host[:port][/base]; a bare host is https." },
    { .name = "detailResponse",
      .types = SHAPE_BOOLEAN,
      .fallback = "false",
      .role = ROLE_ADMIN,
      .about = "Does a refusal tell the client its precise reason?" },
    FIELD_REF("auth_id", KIND_AUTHENTICATION, "Authentication profile."),
    FIELD_REF("llmcache_id", KIND_LLM, "LLM profile."),
    FIELD_REF("abuse_id", KIND_ABUSE, "Fraud and abuse profile."),
    FIELD_REF("routing_id", KIND_ROUTING, "Routing profile."),
    FIELD_REF("security_id", KIND_SECURITY, "Security profile."),
    FIELD_REF("schema_id", KIND_SCHEMA, "Schema-validation profile."),
    FIELD_TAGS(ROLE_VERIFIER, "[]"),
    { .name = "enabled",
      .types = SHAPE_BOOLEAN,
      .fallback = "true",
      .role = ROLE_ADMIN,
      .about = "Off: every request is refused." },
    { .name = "public",
      .types = SHAPE_BOOLEAN,
      .fallback = "false",
      .role = ROLE_ADMIN,
      .about = "Meant to be open: has no authentication profile." },
    { .name = "origins",
      .types = SHAPE_OBJECTS,
      .fields = upstream_origin_fields,
      .len_max = UPSTREAM_ORIGINS_MAX,
      .fallback = "[]",
      .role = ROLE_ADMIN,
      .about = "Several origins that share the requests; then "
               "originHostname is one of them or empty." },
    FIELD_PART("balancing", balancing_fields, "How origins share requests."),
    FIELD_PART("health", health_fields, "When an origin gets no requests."),
    FIELD_PART("breaker", breaker_fields,
               "When requests to an origin are refused at once."),
    FIELD_PART("retries", retry_fields, "When requests are sent again."),
    FIELD_PART("cors", cors_fields,
               "Sites whose scripts may call; absent: the origin's affair."),
    { .name = "timeouts",
      .types = SHAPE_OBJECT,
      .fields = timeout_fields,
      .role = ROLE_ADMIN,
      .about = "In milliseconds; absent: the server's." },
    { .name = "maxBodyBytes",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = FIELD_INT_MAX,
      .role = ROLE_ADMIN,
      .about = "Largest request body; absent: no limit." },
    { .name = "authenticate",
      .types = SHAPE_OBJECT,
      .fields = authenticate_fields,
      .fallback = "{\"mode\":\"open\",\"from\":[]}",
      .role = ROLE_ADMIN,
      .about = "Who may ask POST /authenticate for this application." },
    { .name = "originAssertion",
      .types = SHAPE_OBJECT,
      .fields = assertion_fields,
      .role = ROLE_ADMIN,
      .about = "Signed proof for the origin that a request came through; "
               "keys at /.well-known/jwks.json." },
    { .name = "monitor",
      .types = SHAPE_OBJECT,
      .fields = monitor_fields,
      .fallback = MONITOR_DEFAULTS,
      .role = ROLE_ADMIN,
      .about = "Health monitor of the origin; also at monitor." },
    { .name = "jwtValidation",
      .types = SHAPE_OBJECT,
      .fields = jwt_rule_fields,
      .role = ROLE_ADMIN,
      .about = "Rules for JWTs in addition to the profile's; also at "
               "jwt/validation." },
    FIELDS_TIMES,
    { 0 },
};

/* Public or not is never left open: without a profile at its creation an
 * application is public, one that loses its profile is not. */
static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    int rc = upstream_rules(env, doc, why);
    if (!rc) rc = cors_rules(shape_member(doc, "cors"), why);
    if (rc) return rc;
    bool has_auth = yyjson_mut_get_len(shape_member(doc, "auth_id")) > 0;
    yyjson_mut_val *asked = yyjson_mut_obj_get(input, "public");
    if (has_auth && yyjson_mut_is_true(asked))
        return shape_problem_set(why, "public", "invalid_value",
                                 "cannot be true with an authentication "
                                 "profile: clear auth_id");
    bool is_public = yyjson_mut_is_bool(asked) ? yyjson_mut_get_bool(asked)
                     : present ? yyjson_get_bool(json_find(present, "public"))
                               : true;
    return shape_member_set(doc, "public",
                            yyjson_mut_bool(doc, is_public && !has_auth));
}

const struct shape shape_application = {
    .name = "Application",
    .kind = KIND_APPLICATION,
    .fields = fields,
    .rules = rules,
};

/* --- the typed form ---------------------------------------------------------- */

static int authenticate_decode(const yyjson_val *v, struct arena *a,
                               struct application *out)
{
    int mode = option_decode(v, "mode", modes);
    size_t n = 0;
    int rc = cidrs_decode(json_find(v, "from"), FROM_MAX, a,
                          &out->authenticate_from, &n);
    out->authenticate = (enum authenticate_mode)mode;
    out->authenticate_from_n = (uint16_t)n;
    return mode < 0 ? ERR_CORRUPT : rc;
}

static int assertion_decode(const yyjson_val *v, struct arena *a,
                            struct origin_assertion *out)
{
    if (!yyjson_is_obj((yyjson_val *)(uintptr_t)v)) return 0;
    out->lifetime_s = count_decode(v, "lifetime", ASSERTION_LIFETIME_MAX_S);
    if (!out->lifetime_s ||
        !jose_alg_find(json_text(json_find(v, "algorithm")), &out->alg))
        return ERR_CORRUPT;
    out->audience = text_decode(v, "audience", a);
    out->header = text_decode(v, "header", a);
    return out->header.n ? 0 : ERR_CORRUPT;
}

static int decode(const yyjson_val *root, struct arena *a, void *ctx)
{
    struct application *out = ctx;
    int rc = identity_decode(root, a, &out->id, &out->account_id, &out->name);
    if (rc) return rc;
    out->domain = text_decode(root, "domain", a);
    out->auth_id = text_decode(root, "auth_id", a);
    struct sv origin = json_text(json_find(root, "originHostname"));
    out->has_origin = origin.n > 0;
    if (origin.n) rc = origin_address_parse(origin, a, &out->origin);
    if (rc) return rc == ERR_NOMEM ? rc : ERR_CORRUPT;
    out->enabled = bool_decode(root, "enabled", true);
    out->detail = bool_decode(root, "detailResponse", false);
    out->is_public = !out->auth_id.n && bool_decode(root, "public", false);
    out->lost_auth = !out->auth_id.n && !out->is_public;
    int64_t most = int_decode(root, "maxBodyBytes", 0);
    out->max_body_bytes = most > 0 ? (uint64_t)most : 0;
    const yyjson_val *timeouts = json_find(root, "timeouts");
    out->connect_ms = count_decode(timeouts, "connect", UINT32_MAX);
    out->first_byte_ms = count_decode(timeouts, "firstByte", UINT32_MAX);
    out->idle_ms = count_decode(timeouts, "idle", UINT32_MAX);
    rc = upstream_decode(root, a, &out->upstream);
    if (!rc) rc = monitor_decode(json_find(root, "monitor"), a, &out->monitor);
    if (!rc && !out->has_origin && out->upstream && out->upstream->n) {
        out->origin = out->upstream->origins[0].at;
        out->has_origin = true;
    }
    if (!rc) rc = cors_decode(json_find(root, "cors"), a, &out->cors);
    if (!rc)
        rc = assertion_decode(json_find(root, "originAssertion"), a,
                              &out->assertion);
    return rc ? rc
              : authenticate_decode(json_find(root, "authenticate"), a, out);
}

int application_decode(struct sv doc, struct arena *a, struct application *out)
{
    return doc_decode(doc, a, decode, out, sizeof *out);
}
