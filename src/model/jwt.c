/* JWT profiles: the field table of api.md §5, and the typed form.
 *
 * The published flat booleans (exp, nbf) and the rules object (verify_exp,
 * verify_nbf) say the same; what is kept and answered is the flat form. */
#include "model/jwt.h"

#include "base/ensure.h"
#include "base/err.h"
#include "codec/url.h"
#include "model/fields_int.h"

enum {
    TEXT_MAX = 500,
    SECRET_MAX = 1000,
    ALGORITHM_TEXT_MAX = 20,
    CACHE_MAX_S = 3600,
};

static const char *const bindings[] = { "certificate", "dpop", NULL };

static bool algorithm_ok(struct sv s)
{
    enum jose_alg ignored;
    return jose_alg_find(s, &ignored);
}

static const struct text_rule text_algorithm = {
    "^(?:[RPEH]S(?:256|384|512)|EdDSA|Ed25519|Ed448)$",
    "must be one of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 "
    "HS256 HS384 HS512 EdDSA Ed25519 Ed448",
    algorithm_ok,
};

static int issuer_check(const struct shape_env *env, yyjson_mut_doc *doc,
                        yyjson_mut_val **value, struct shape_problem *why)
{
    struct sv known = SV("/.well-known/openid-configuration");
    struct sv url = json_mut_text(*value);
    if (sv_find(url, '?') != SIZE_MAX)
        return shape_problem_set(why, NULL, "invalid_value",
                                 "must be an issuer: no query");
    if (sv_ends(url, known))
        *value = yyjson_mut_strncpy(doc, url.p, url.n - known.n);
    return *value ? key_url_check(env, doc, value, why) : ERR_NOMEM;
}

/* --- the table ------------------------------------------------------------------ */

static const struct shape_field introspection_fields[] = {
    { .name = "url",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = URL_BYTES_MAX,
      .text = &text_url,
      .format = "uri",
      .check = key_url_check,
      .about = "The issuer's introspection endpoint (RFC 7662)." },
    { .name = "clientId",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .len_min = 1,
      .len_max = TEXT_MAX,
      .text = &text_plain,
      .about = "Who asks there." },
    { .name = "clientSecret",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED | SHAPE_SECRET,
      .len_min = 1,
      .len_max = SECRET_MAX,
      .text = &text_plain,
      .about = "With which secret; never shown. Another url asks for it "
               "again." },
    { .name = "cacheSeconds",
      .types = SHAPE_INTEGER,
      .max = CACHE_MAX_S,
      .fallback = "30",
      .about = "How long an answer is believed, never beyond exp." },
    { 0 },
};

#define FIELD_MUST(text, say)                              \
    {                                                      \
        .name = text, .types = SHAPE_BOOLEAN, .about = say \
    }
#define FIELD_ANY_OF(named, say)                                         \
    {                                                                    \
        .name = named, .types = SHAPE_STRING | SHAPE_STRINGS,            \
        .flags = SHAPE_UNIQUE, .len_min = 1, .len_max = JWT_ISSUERS_MAX, \
        .item_max = TEXT_MAX, .text = &text_plain, .about = say          \
    }

static const struct shape_field fields[] = {
    FIELDS_IDENTITY,
    FIELD_NAME,
    { .name = "path",
      .types = SHAPE_STRINGS,
      .len_max = JWT_PREFIX_MAX,
      .item_max = 100,
      .text = &text_plain,
      .fallback = "[]",
      .about = "Where claims to be checked live: the members from the "
               "payload's root to the object that holds the claims of rules; "
               "none: the root." },
    FIELD_MUST("exp", "exp must be there and not be past; false: it is not "
                      "judged; unset: judged when there."),
    FIELD_MUST("nbf", "nbf must be there and not lie ahead; false and unset "
                      "as with exp."),
    FIELD_MUST("kid", "The header must name its key."),
    { .name = "jwk",
      .types = SHAPE_STRING,
      .flags = SHAPE_SEED,
      .len_min = 1,
      .len_max = URL_BYTES_MAX,
      .text = &text_url,
      .ref = KIND_JWK,
      .check = key_url_check,
      .about = "Id of a key set, or URL of a JWK Set." },
    { .name = "keys",
      .types = SHAPE_LIST,
      .len_max = JWT_KEYS_MAX,
      .check = inline_keys_check,
      .fallback = "[]",
      .about = "JWKs or PEM texts; secrets of oct keys are never shown." },
    { .name = "algorithms",
      .types = SHAPE_STRINGS,
      .flags = SHAPE_UNIQUE,
      .len_max = JOSE_ALG_COUNT,
      .item_max = ALGORITHM_TEXT_MAX,
      .text = &text_algorithm,
      .fallback = "[]",
      .about = "Signature algorithms that are accepted; none: those that the "
               "keys imply." },
    FIELD_ANY_OF("issuer", "What iss must be: one of these."),
    FIELD_ANY_OF("audience", "One of these must be in aud."),
    { .name = "discovery",
      .types = SHAPE_STRING,
      .flags = SHAPE_SEED,
      .len_min = 1,
      .len_max = URL_BYTES_MAX,
      .text = &text_url,
      .format = "uri",
      .check = issuer_check,
      .about = "OpenID issuer whose configuration names the keys; without "
               "issuer, iss must be equal to it." },
    { .name = "rules",
      .types = SHAPE_OBJECT,
      .fields = jwt_rule_fields,
      .about = "What else must hold; verify_exp and verify_nbf are answered "
               "as exp and nbf." },
    { .name = "binding",
      .types = SHAPE_STRING,
      .options = bindings,
      .about = "Tokens are bound to the client's certificate (RFC 8705) or "
               "key (RFC 9449); null: bearer tokens." },
    { .name = "introspection",
      .types = SHAPE_OBJECT,
      .fields = introspection_fields,
      .about = "Ask the issuer whether a token holds." },
    FIELD_TAGS(ROLE_VERIFIER, "[]"),
    FIELDS_TIMES,
    { 0 },
};

/* --- between fields ------------------------------------------------------------------ */

static const struct {
    const char *flat, *rule, *says;
} twins[] = {
    { "exp", "verify_exp", "contradicts rules.verify_exp" },
    { "nbf", "verify_nbf", "contradicts rules.verify_nbf" },
};

/* A rule's twin moves to the flat form. */
static int twins_join(yyjson_mut_doc *doc, yyjson_mut_val *input,
                      struct shape_problem *why)
{
    yyjson_mut_val *rules = shape_member(doc, "rules");
    for (size_t i = 0; i < ARRAY_LEN(twins); i++) {
        yyjson_mut_val *rule = yyjson_mut_obj_get(rules, twins[i].rule);
        yyjson_mut_val *flat = yyjson_mut_obj_get(input, twins[i].flat);
        if (!yyjson_mut_is_bool(rule)) continue;
        if (yyjson_mut_is_bool(flat) && !yyjson_mut_equals(rule, flat))
            return shape_problem_set(why, twins[i].flat, "invalid_value", "%s",
                                     twins[i].says);
        bool value = yyjson_mut_get_bool(rule);
        yyjson_mut_obj_remove_key(rules, twins[i].rule);
        int rc =
            shape_member_set(doc, twins[i].flat, yyjson_mut_bool(doc, value));
        if (rc) return rc;
    }
    return 0;
}

static int sources_check(yyjson_mut_doc *doc, struct shape_problem *why)
{
    bool jwk = yyjson_mut_get_len(shape_member(doc, "jwk")) > 0;
    bool discovery = yyjson_mut_get_len(shape_member(doc, "discovery")) > 0;
    if (jwk && discovery)
        return shape_problem_set(why, "discovery", "invalid_value",
                                 "cannot be set together with jwk");
    if (jwk || discovery || yyjson_mut_arr_size(shape_member(doc, "keys")) ||
        yyjson_mut_is_obj(shape_member(doc, "introspection")))
        return 0;
    return shape_problem_set(why, "keys", "required",
                             "is required, or jwk, discovery or introspection "
                             "instead");
}

/* Who may change where a secret is sent need not know the secret: they must
 * not learn it so. */
static int introspection_check(yyjson_mut_doc *doc, yyjson_val *present,
                               yyjson_mut_val *input, struct shape_problem *why)
{
    yyjson_val *was = json_find(json_find(present, "introspection"), "url");
    yyjson_mut_val *is =
        yyjson_mut_obj_get(shape_member(doc, "introspection"), "url");
    if (!was || !is || sv_eq(json_text(was), json_mut_text(is))) return 0;
    yyjson_mut_val *asked = yyjson_mut_obj_get(input, "introspection");
    if (yyjson_mut_is_str(yyjson_mut_obj_get(asked, "clientSecret"))) return 0;
    return shape_problem_set(why, "introspection.clientSecret", "required",
                             "is required when url changes");
}

static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    (void)env;
    int rc = twins_join(doc, input, why);
    if (rc == 0) rc = sources_check(doc, why);
    return rc ? rc : introspection_check(doc, present, input, why);
}

const struct shape shape_jwt = {
    .name = "JwtProfile",
    .kind = KIND_JWT,
    .fields = fields,
    .rules = rules,
};

/* --- the typed form --------------------------------------------------------------------- */

/* A text, or an array of texts. */
static int texts_decode(const yyjson_val *v, unsigned most, struct arena *a,
                        const struct sv **out, unsigned *n)
{
    yyjson_val *x = (yyjson_val *)(uintptr_t)v, *item;
    size_t i, max, count = yyjson_is_str(x) ? 1 : yyjson_arr_size(x);
    if (count == 0) return 0;
    if (count > most) return ERR_CORRUPT;
    struct sv *list = ARENA_ARRAY(a, struct sv, count);
    if (!list) return ERR_NOMEM;
    *out = list;
    *n = (unsigned)count;
    if (yyjson_is_str(x)) {
        list[0] = arena_dup(a, json_text(x));
        return 0;
    }
    yyjson_arr_foreach(x, i, max, item)
    {
        if (!yyjson_is_str(item)) return ERR_CORRUPT;
        list[i] = arena_dup(a, json_text(item));
    }
    return 0;
}

static int keys_decode(yyjson_val *keys, struct arena *a,
                       struct jwt_profile *out)
{
    size_t i, max, n = yyjson_arr_size(keys);
    yyjson_val *key;
    if (n == 0) return 0;
    struct sv *list = ARENA_ARRAY(a, struct sv, n);
    if (n > JWT_KEYS_MAX) return ERR_CORRUPT;
    if (!list) return ERR_NOMEM;
    out->keys = list;
    out->keys_n = (unsigned)n;
    yyjson_arr_foreach(keys, i, max, key)
    {
        list[i] = yyjson_is_str(key) ? arena_dup(a, json_text(key))
                                     : json_encode_val(a, key);
        if (!list[i].p) return ERR_NOMEM;
    }
    return 0;
}

static int algorithms_decode(yyjson_val *names, uint32_t *out)
{
    size_t i, max;
    yyjson_val *name;
    enum jose_alg alg;
    yyjson_arr_foreach(names, i, max, name)
    {
        if (!jose_alg_find(json_text(name), &alg)) return ERR_CORRUPT;
        *out |= 1u << alg;
    }
    return 0;
}

static void flat_decode(const yyjson_val *root, const char *name,
                        enum claim_use *out)
{
    yyjson_val *v = json_find(root, name);
    if (yyjson_is_bool(v))
        *out = yyjson_get_bool(v) ? CLAIM_REQUIRED : CLAIM_IGNORED;
}

static int profile_rules_decode(const yyjson_val *root, struct arena *a,
                                struct jwt_rules *out)
{
    struct jwt_prefix prefix = { .n = 0 };
    size_t i, max;
    yyjson_val *path = json_find(root, "path"), *item;
    if (yyjson_arr_size(path) > JWT_PREFIX_MAX) return ERR_CORRUPT;
    yyjson_arr_foreach(path, i, max, item)
    {
        prefix.at[prefix.n++] = arena_dup(a, json_text(item));
    }
    int rc = rules_decode(json_find(root, "rules"), &prefix, CLAIM_IF_PRESENT,
                          a, out);
    flat_decode(root, "exp", &out->times.exp);
    flat_decode(root, "nbf", &out->times.nbf);
    out->kid_required = yyjson_is_true(json_find(root, "kid"));
    return rc;
}

static int introspection_decode(const yyjson_val *v, struct arena *a,
                                struct jwt_introspection *out)
{
    int64_t n = 0;
    out->url = text_decode(v, "url", a);
    out->client_id = text_decode(v, "clientId", a);
    out->secret = text_decode(v, "clientSecret", a);
    json_is_int(json_find(v, "cacheSeconds"), &n);
    if (n < 0 || n > CACHE_MAX_S) return ERR_CORRUPT;
    out->cache_s = (uint32_t)n;
    return 0;
}

static int sources_decode(const yyjson_val *root, struct arena *a,
                          struct jwt_profile *out)
{
    struct sv jwk = text_decode(root, "jwk", a);
    bool is_id = id_parse(KIND_JWK, jwk, NULL) == 0;
    out->jwk_id = is_id ? jwk : SV("");
    out->jwk_url = is_id ? SV("") : jwk;
    out->discovery = text_decode(root, "discovery", a);
    int rc = keys_decode(json_find(root, "keys"), a, out);
    if (rc == 0)
        rc = introspection_decode(json_find(root, "introspection"), a,
                                  &out->introspection);
    return rc;
}

static int issuers_decode(const yyjson_val *root, struct arena *a,
                          struct jwt_profile *out)
{
    int rc = texts_decode(json_find(root, "issuer"), JWT_ISSUERS_MAX, a,
                          &out->issuers, &out->issuers_n);
    if (rc == 0)
        rc = texts_decode(json_find(root, "audience"), JWT_ISSUERS_MAX, a,
                          &out->audiences, &out->audiences_n);
    if (rc || out->issuers_n || !out->discovery.n) return rc;
    return texts_decode(json_find(root, "discovery"), 1, a, &out->issuers,
                        &out->issuers_n);
}

static int decode(const yyjson_val *root, struct arena *a, void *ctx)
{
    struct jwt_profile *out = ctx;
    struct sv binding = json_text(json_find(root, "binding"));
    int rc = identity_decode(root, a, &out->id, &out->account_id, &out->name);
    if (rc) return rc;
    for (unsigned i = 0; bindings[i]; i++)
        if (sv_eq(binding, sv_cstr(bindings[i])))
            out->binding = (enum jwt_binding)(i + 1);
    if (binding.n && !out->binding) return ERR_CORRUPT;
    rc = sources_decode(root, a, out);
    if (rc == 0)
        rc = algorithms_decode(json_find(root, "algorithms"), &out->algorithms);
    if (rc == 0) rc = issuers_decode(root, a, out);
    return rc ? rc : profile_rules_decode(root, a, &out->rules);
}

int jwt_profile_decode(struct sv doc, struct arena *a, struct jwt_profile *out)
{
    return doc_decode(doc, a, decode, out, sizeof *out);
}
