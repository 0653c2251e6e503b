/* Key sets (api.md §5): their fields, and what every key that is stored must
 * be, also a profile's inline ones. Whether a key is good is codec/jwk.h's
 * judgement; here it gets its place in the document. */
#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "codec/jwk.h"
#include "codec/url.h"
#include "model/fields_int.h"
#include "model/jwt.h"

enum {
    KEYS_BYTES_MAX = 200 * 1024, /* below JWK_TEXT_BYTES_MAX */
    CACHE_MIN_S = 30,
    CACHE_MAX_S = 604800,
    GRACE_MAX_S = 604800,
    STALE_MIN_S = 60,
    STALE_MAX_S = 2592000,
};

/* --- where keys are fetched -------------------------------------------------------- */

static bool url_ok(struct sv text)
{
    struct url url;
    return url_decode(text, &url) == 0;
}

const struct text_rule text_url = {
    NULL,
    "must be an absolute URL without user and fragment, https://host[:port]/…",
    url_ok,
};

int key_url_check(const struct shape_env *env, yyjson_mut_doc *doc,
                  yyjson_mut_val **value, struct shape_problem *why)
{
    (void)doc;
    struct sv text = json_mut_text(*value);
    struct url url;
    if (url_decode(text, &url) || url.tls || env->insecure_key_urls) return 0;
    return shape_problem_set(why, NULL, "invalid_value",
                             "must be https: this server does not ask others "
                             "over plain HTTP");
}

/* --- keys ------------------------------------------------------------------------------ */

static int refuse(struct shape_problem *why, size_t at, const char *reason)
{
    char field[32];
    snprintf(field, sizeof field, "keys[%zu]", at);
    return shape_problem_set(why, field, "invalid_value", "%s", reason);
}

/* What must never be sent to those who only verify. */
static bool has_private_part(yyjson_mut_val *jwk)
{
    static const char *const parts[] = {
        "d", "p", "q", "dp", "dq", "qi", "oth"
    };
    if (yyjson_mut_equals_str(yyjson_mut_obj_get(jwk, "kty"), "oct"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (yyjson_mut_obj_get(jwk, parts[i])) return true;
    return false;
}

static const char *key_problem(struct arena *a, yyjson_mut_val *key, bool pem)
{
    struct jwk_set *set;
    struct jwk_why why;
    struct sv text;
    if (yyjson_mut_is_obj(key)) {
        if (yyjson_mut_obj_get(key, "keys")) return "is a key set, not a key";
        if (has_private_part(key))
            return "holds a private key: store the public one";
        text = json_encode(a, key);
        if (!text.p) return "is too large";
    } else {
        text = json_mut_text(key);
        if (!pem) return "must be a JWK";
        if (!text.n || text.p[0] == '{') return "must be a JWK or a PEM text";
    }
    if (jwk_set_decode(text, 1, &set, &why)) return why.reason;
    bool one = set->n == 1 && set->n_skipped == 0;
    jwk_set_free(&set);
    return one ? NULL : "holds several keys: an item of the array for each";
}

static int keys_check(const struct shape_env *env, yyjson_mut_val *keys,
                      bool pem, struct shape_problem *why)
{
    size_t i, max;
    yyjson_mut_val *key;
    yyjson_mut_arr_foreach(keys, i, max, key)
    {
        const char *reason = key_problem(env->arena, key, pem);
        if (reason) return refuse(why, i, reason);
    }
    struct sv text = json_encode(env->arena, keys);
    if (!text.p) return ERR_NOMEM;
    if (text.n <= KEYS_BYTES_MAX) return 0;
    return shape_problem_set(why, NULL, "out_of_range",
                             "must have at most %d bytes in all",
                             KEYS_BYTES_MAX);
}

int inline_keys_check(const struct shape_env *env, yyjson_mut_doc *doc,
                      yyjson_mut_val **value, struct shape_problem *why)
{
    (void)doc;
    return keys_check(env, *value, true, why);
}

/* A JWK Set, or its array alone, which is what is kept. */
static int set_check(const struct shape_env *env, yyjson_mut_doc *doc,
                     yyjson_mut_val **value, struct shape_problem *why)
{
    yyjson_mut_val *keys = *value;
    if (yyjson_mut_is_obj(keys)) keys = yyjson_mut_obj_get(keys, "keys");
    if (!yyjson_mut_is_arr(keys))
        return shape_problem_set(why, NULL, "invalid_type",
                                 "must be a JWK Set or an array of JWKs");
    size_t n = yyjson_mut_arr_size(keys);
    if (n < 1 || n > JWK_SET_KEYS_MAX)
        return shape_problem_set(why, NULL, "out_of_range",
                                 "must have 1 to %d items", JWK_SET_KEYS_MAX);
    if (keys != *value) keys = yyjson_mut_val_mut_copy(doc, keys);
    *value = keys;
    return keys ? keys_check(env, keys, false, why) : ERR_NOMEM;
}

void jwt_key_algs(struct sv text, uint32_t *algs)
{
    struct jwk_set *set;
    struct jwk_why why;
    if (jwk_set_decode(text, 1, &set, &why)) return;
    for (unsigned i = 0; i < set->n; i++) *algs |= set->keys[i].algs;
    jwk_set_free(&set);
}

/* --- the table ----------------------------------------------------------------------------- */

static const struct shape_field status_fields[] = {
    FIELD_READ_ONLY("inUse", SHAPE_BOOLEAN,
                    "Does an application use it? Only then it is fetched."),
    FIELD_READ_ONLY("keys", SHAPE_INTEGER, "Keys that can be used."),
    FIELD_READ_ONLY("age", SHAPE_INTEGER, "Seconds since the last fetch."),
    FIELD_TIME("nextFetch", "When it is fetched next."),
    FIELD_READ_ONLY("lastError", SHAPE_STRING,
                    "Why the last fetch failed; null after a good one."),
    { 0 },
};

static const struct shape_field fields[] = {
    FIELDS_IDENTITY,
    FIELD_NAME,
    { .name = "keys",
      .types = SHAPE_LIST | SHAPE_MAP,
      .len_min = 1,
      .len_max = JWK_SET_KEYS_MAX,
      .item_max = JWK_TEXT_BYTES_MAX,
      .check = set_check,
      .about = "A JWK Set, or its keys; secrets of oct keys are never shown." },
    { .name = "url",
      .types = SHAPE_STRING,
      .len_min = 1,
      .len_max = URL_BYTES_MAX,
      .text = &text_url,
      .format = "uri",
      .check = key_url_check,
      .about = "Where a JWK Set is fetched, instead of keys." },
    { .name = "cacheSeconds",
      .types = SHAPE_INTEGER,
      .min = CACHE_MIN_S,
      .max = CACHE_MAX_S,
      .about = "How long a fetched set is fresh at most; unset: as its answer "
               "says." },
    { .name = "rotationGrace",
      .types = SHAPE_INTEGER,
      .max = GRACE_MAX_S,
      .fallback = "300",
      .about = "Seconds for which keys hold that have left the set." },
    { .name = "maxStale",
      .types = SHAPE_INTEGER,
      .min = STALE_MIN_S,
      .max = STALE_MAX_S,
      .fallback = "86400",
      .about = "Seconds for which the last set holds while it cannot be "
               "fetched." },
    { .name = "status",
      .types = SHAPE_OBJECT,
      .flags = SHAPE_READ_ONLY,
      .fields = status_fields,
      .about = "How it is." },
    FIELD_TAGS(ROLE_VERIFIER, "[]"),
    FIELDS_TIMES,
    { 0 },
};

static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    (void)env;
    (void)present;
    (void)input;
    bool has_keys = yyjson_mut_is_arr(shape_member(doc, "keys"));
    bool has_url = yyjson_mut_is_str(shape_member(doc, "url"));
    if (has_keys && has_url)
        return shape_problem_set(why, "url", "invalid_value",
                                 "cannot be set together with keys");
    return has_keys || has_url
               ? 0
               : shape_problem_set(why, "keys", "required",
                                   "is required, or url instead");
}

const struct shape shape_jwk = {
    .name = "KeySet",
    .kind = KIND_JWK,
    .fields = fields,
    .rules = rules,
};

/* --- the typed form --------------------------------------------------------------------------- */

static int decode(const yyjson_val *root, struct arena *a, void *ctx)
{
    struct key_set *out = ctx;
    yyjson_val *keys = json_find(root, "keys");
    int rc = identity_decode(root, a, &out->id, &out->account_id, &out->name);
    if (rc) return rc;
    out->url = text_decode(root, "url", a);
    out->keys = SV("");
    if (yyjson_is_arr(keys)) {
        struct sv array = json_encode_val(a, keys);
        if (!array.p) return ERR_NOMEM;
        out->keys = arena_printf(a, "{\"keys\":%.*s}", SV_FMT(array));
        if (!out->keys.p) return ERR_NOMEM;
    }
    out->cache_s = count_decode(root, "cacheSeconds", STALE_MAX_S);
    out->rotation_grace_s = count_decode(root, "rotationGrace", STALE_MAX_S);
    out->max_stale_s = count_decode(root, "maxStale", STALE_MAX_S);
    return (out->url.n > 0) == (out->keys.n > 0) ? ERR_CORRUPT : 0;
}

int key_set_decode(struct sv doc, struct arena *a, struct key_set *out)
{
    return doc_decode(doc, a, decode, out, sizeof *out);
}
