/* Authentication profiles: the field table of api.md §4, and the typed form. */
#include "model/authentication.h"

#include "base/err.h"
#include "model/fields_int.h"
#include "model/token.h"

enum { PLACE_NAME_MAX = 100 };

static const char *const key_types[] = { "token", "jwt", NULL };
static const char *const quota_scopes[] = { "token", "application", NULL };
static const char *const faults[] = { "closed", "open", NULL };
static const char *const places[] = { "bearer", "header", "query", "cookie",
                                      NULL };

static const struct shape_field location_fields[] = {
    { .name = "in",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .options = places,
      .about = "bearer: header Authorization; else the one named." },
    { .name = "name",
      .types = SHAPE_STRING,
      .len_min = 1,
      .len_max = PLACE_NAME_MAX,
      .text = &text_cookie,
      .about = "Name of the header, query parameter or cookie." },
    { 0 },
};

static const struct shape_field fields[] = {
    FIELDS_IDENTITY,
    FIELD_NAME,
    { .name = "keyType",
      .types = SHAPE_STRING,
      .options = key_types,
      .fallback = "\"token\"",
      .about = "What clients show." },
    { .name = "jwt_id",
      .types = SHAPE_STRING,
      .flags = SHAPE_SEED,
      .ref = KIND_JWT,
      .about = "JWT profile, with keyType jwt." },
    { .name = "ratelimit",
      .types = SHAPE_OBJECT,
      .fields = limit_fields,
      .about = "Limit of each token." },
    { .name = "ratelimits",
      .types = SHAPE_OBJECTS,
      .fields = policy_limit_fields,
      .len_min = 1,
      .len_max = POLICY_LIMITS_MAX,
      .about = "Several limits instead, all of which must hold." },
    { .name = "remaining",
      .types = SHAPE_INTEGER,
      .max = FIELD_INT_MAX,
      .about = "Quota of each token." },
    { .name = "remainingScope",
      .types = SHAPE_STRING,
      .options = quota_scopes,
      .fallback = "\"token\"",
      .about = "Whose quota it is." },
    { .name = "refill",
      .types = SHAPE_OBJECT,
      .fields = refill_fields,
      .about = "Gives back to the quota at intervals." },
    { .name = "expires",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = FIELD_LIFETIME_MAX,
      .about = "Lifetime of new tokens in seconds." },
    { .name = "byteLength",
      .types = SHAPE_INTEGER,
      .min = TOKEN_BYTES_MIN,
      .max = TOKEN_BYTES_MAX,
      .fallback = "32",
      .about = "Random bytes of new tokens." },
    { .name = "prefix",
      .types = SHAPE_STRING,
      .flags = SHAPE_SEED,
      .len_max = TOKEN_PREFIX_MAX,
      .text = &text_word,
      .about = "What new tokens begin with." },
    { .name = "tokenLocation",
      .types = SHAPE_OBJECT,
      .fields = location_fields,
      .fallback = "{\"in\":\"bearer\"}",
      .about = "Where clients put it." },
    { .name = "hideCredentials",
      .types = SHAPE_BOOLEAN,
      .about = "Remove it before the origin sees the request; default "
               "true for tokens, false for JWT." },
    { .name = "identityClaim",
      .types = SHAPE_STRING,
      .len_min = 1,
      .len_max = 100,
      .text = &text_plain,
      .about = "JWT: the claim that limits count by, instead of sub." },
    { .name = "onFault",
      .types = SHAPE_STRING,
      .options = faults,
      .fallback = "\"closed\"",
      .about = "What happens while tokens cannot be checked." },
    FIELD_TAGS(ROLE_VERIFIER, "[]"),
    FIELDS_TIMES,
    { 0 },
};

static bool is(yyjson_mut_val *v, const char *text)
{
    return yyjson_mut_equals_str(v, text);
}

/* Fields that steer the message itself cannot carry a credential. */
static bool is_reserved_header(yyjson_mut_val *name)
{
    static const char *const reserved[] = {
        "host",       "connection", "content-length", "transfer-encoding",
        "te",         "trailer",    "upgrade",        "expect",
        "keep-alive", "via",        "forwarded",      NULL,
    };
    struct sv s = json_mut_text(name);
    for (int i = 0; reserved[i]; i++)
        if (sv_eq_nocase(s, sv_cstr(reserved[i]))) return true;
    return sv_starts_nocase(s, SV("x-typeauth-")) ||
           sv_starts_nocase(s, SV("x-forwarded-"));
}

static int location_rules(yyjson_mut_doc *doc, struct shape_problem *why)
{
    yyjson_mut_val *location = shape_member(doc, "tokenLocation");
    yyjson_mut_val *in = yyjson_mut_obj_get(location, "in");
    yyjson_mut_val *name = yyjson_mut_obj_get(location, "name");
    const char *field = "tokenLocation.name";
    if (is(in, "bearer"))
        return name ? shape_problem_set(why, field, "invalid_value",
                                        "does not belong to bearer")
                    : 0;
    if (!name) return shape_problem_set(why, field, "required", "is required");
    if (is(in, "header") && is_reserved_header(name))
        return shape_problem_set(why, field, "invalid_value",
                                 "is a header that cannot carry a token");
    return 0;
}

static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    (void)env;
    (void)present;
    (void)input;
    bool jwt = is(shape_member(doc, "keyType"), "jwt");
    bool has_jwt_id = yyjson_mut_get_len(shape_member(doc, "jwt_id")) > 0;
    if (jwt && !has_jwt_id)
        return shape_problem_set(why, "jwt_id", "required",
                                 "is required with keyType jwt");
    if (!jwt && has_jwt_id)
        return shape_problem_set(why, "jwt_id", "invalid_value",
                                 "belongs to keyType jwt");
    int rc = location_rules(doc, why);
    if (rc == 0) rc = policy_rules(doc, why);
    if (rc == 0 && yyjson_mut_is_null(shape_member(doc, "hideCredentials")))
        rc = shape_member_set(doc, "hideCredentials",
                              yyjson_mut_bool(doc, !jwt));
    return rc;
}

const struct shape shape_authentication = {
    .name = "Authentication",
    .kind = KIND_AUTHENTICATION,
    .fields = fields,
    .rules = rules,
};

/* --- the typed form ---------------------------------------------------------- */

static int decode(const yyjson_val *root, struct arena *a, void *ctx)
{
    struct authentication *out = ctx;
    const yyjson_val *location = json_find(root, "tokenLocation");
    int rc = identity_decode(root, a, &out->id, &out->account_id, &out->name);
    int key_type = option_decode(root, "keyType", key_types);
    int place = option_decode(location, "in", places);
    int scope = option_decode(root, "remainingScope", quota_scopes);
    int fault = option_decode(root, "onFault", faults);
    int64_t bytes = int_decode(root, "byteLength", 32);
    out->key_type = (enum key_type)key_type;
    out->identity_claim = text_decode(root, "identityClaim", a);
    out->quota_of_application = scope == 1;
    out->expires_s = int_decode(root, "expires", 0);
    out->byte_length = (uint32_t)bytes;
    out->prefix = text_decode(root, "prefix", a);
    out->place = (enum token_place)place;
    out->place_name = text_decode(location, "name", a);
    out->hide_credentials =
        bool_decode(root, "hideCredentials", out->key_type == KEY_TOKEN);
    out->fault_open = fault == 1;
    if (rc || key_type < 0 || place < 0 || scope < 0 || fault < 0 ||
        bytes < TOKEN_BYTES_MIN || bytes > TOKEN_BYTES_MAX ||
        out->prefix.n > TOKEN_PREFIX_MAX)
        return ERR_CORRUPT;
    return policy_decode(root, &out->policy);
}

int authentication_decode(struct sv doc, struct arena *a,
                          struct authentication *out)
{
    return doc_decode(doc, a, decode, out, sizeof *out);
}
