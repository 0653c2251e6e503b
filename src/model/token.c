/* Tokens: the field tables of api.md §3, the secret's form, the typed form. */
#include "model/token.h"

#include "base/ensure.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/base62.h"
#include "codec/hex.h"
#include "model/fields_int.h"

enum { SCOPES_MAX = 50, ALLOW_MAX = 100, METADATA_MAX = 4096 };

/* --- the secret -------------------------------------------------------------- */

size_t token_secret_make(char out[TOKEN_SECRET_MAX], struct sv prefix,
                         uint32_t byte_length)
{
    uint8_t bytes[TOKEN_BYTES_MAX];
    ENSURE(prefix.n <= TOKEN_PREFIX_MAX && byte_length >= TOKEN_BYTES_MIN &&
           byte_length <= TOKEN_BYTES_MAX);
    rand_bytes(bytes, byte_length);
    if (prefix.n) memcpy(out, prefix.p, prefix.n);
    size_t n = prefix.n + base62_encode(out + prefix.n, bytes, byte_length);
    base62_encode_u32(out + n, crc32_ieee(0, out, n));
    mem_wipe(bytes, sizeof bytes);
    return n + TOKEN_CRC_TEXT;
}

bool token_secret_is_ours(struct sv secret)
{
    uint32_t said;
    if (secret.n <= TOKEN_CRC_TEXT) return false;
    size_t n = secret.n - TOKEN_CRC_TEXT;
    return base62_decode_u32(sv_from(secret, n), &said) == 0 &&
           said == crc32_ieee(0, secret.p, n);
}

/* --- the tables -------------------------------------------------------------- */

/* RFC 6749 3.3; a space separates scopes in headers. */
static bool scope_ok(struct sv s)
{
    return text_visible.ok(s) && sv_find(s, '"') == SIZE_MAX &&
           sv_find(s, '\\') == SIZE_MAX;
}
static const struct text_rule text_scope = {
    "^[!#-\\[\\]-~]*$",
    "may hold only visible ASCII except \" and \\",
    scope_ok,
};

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

static const struct shape_field remaining_fields[] = {
    { .name = "add",
      .types = SHAPE_INTEGER,
      .flags = SHAPE_REQUIRED,
      .min = 1,
      .max = FIELD_INT_MAX,
      .about = "Added to what remains of the quota, which there must be." },
    { 0 },
};

#define FIELDS_OWN(remaining_types, remaining_of)                             \
    FIELD_TAGS(ROLE_VERIFIER, NULL),                                          \
        { .name = "name",                                                     \
          .types = SHAPE_STRING,                                              \
          .flags = SHAPE_NAME | SHAPE_SEED,                                   \
          .len_max = 100,                                                     \
          .text = &text_plain,                                                \
          .about = "Name." },                                                 \
        { .name = "owner",                                                    \
          .types = SHAPE_STRING,                                              \
          .flags = SHAPE_SEED,                                                \
          .len_max = 255,                                                     \
          .text = &text_plain,                                                \
          .about = "Your id for the user it is for." },                       \
        { .name = "metadata",                                                 \
          .types = SHAPE_MAP,                                                 \
          .len_max = METADATA_MAX,                                            \
          .about = "Anything, shown to who verifies with a key." },           \
        { .name = "expires",                                                  \
          .types = SHAPE_INTEGER | SHAPE_STRING | SHAPE_FALSE,                \
          .min = 1,                                                           \
          .max = FIELD_LIFETIME_MAX,                                          \
          .len_min = 1,                                                       \
          .len_max = 40,                                                      \
          .text = &text_plain,                                                \
          .check = expires_check,                                             \
          .about = "Lifetime in seconds from now, or a time as in RFC 3339; " \
                   "false: never." },                                         \
        { .name = "enabled",                                                  \
          .types = SHAPE_BOOLEAN,                                             \
          .fallback = "true",                                                 \
          .about = "Off: refused as token_disabled." },                       \
        { .name = "remaining",                                                \
          .types = remaining_types,                                           \
          .max = FIELD_INT_MAX,                                               \
          .fields = remaining_of,                                             \
          .about = "Own quota; false: none." },                               \
        { .name = "ratelimit",                                                \
          .types = SHAPE_OBJECT | SHAPE_FALSE,                                \
          .fields = limit_fields,                                             \
          .about = "Own limit; false: none." },                               \
        { .name = "ratelimits",                                               \
          .types = SHAPE_OBJECTS | SHAPE_FALSE,                               \
          .fields = policy_limit_fields,                                      \
          .len_min = 1,                                                       \
          .len_max = POLICY_LIMITS_MAX,                                       \
          .about = "Own limits instead; false: none." },                      \
        { .name = "refill",                                                   \
          .types = SHAPE_OBJECT | SHAPE_FALSE,                                \
          .fields = refill_fields,                                            \
          .about = "Own refill; false: none." },                              \
        { .name = "scopes",                                                   \
          .types = SHAPE_STRINGS | SHAPE_FALSE,                               \
          .flags = SHAPE_UNIQUE,                                              \
          .len_max = SCOPES_MAX,                                              \
          .item_max = 100,                                                    \
          .text = &text_scope,                                                \
          .about = "What it may be used for." },                              \
    {                                                                         \
        .name = "ipAllowlist", .types = SHAPE_STRINGS | SHAPE_FALSE,          \
        .flags = SHAPE_UNIQUE, .len_max = ALLOW_MAX, .item_max = 49,          \
        .text = &text_cidr,                                                   \
        .about = "Networks it may be used from; [] is nowhere."               \
    }

static const struct shape_field create_fields[] = {
    { .name = "amount",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = 100,
      .fallback = "1",
      .about = "How many to create, all or none." },
    FIELDS_OWN(SHAPE_INTEGER | SHAPE_FALSE, NULL),
    { 0 },
};

static const struct shape_field import_fields[] = {
    { .name = "hash",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .len_min = 64,
      .len_max = 64,
      .text = &text_hex,
      .about = "SHA-256 of the secret, hexadecimal." },
    FIELDS_OWN(SHAPE_INTEGER | SHAPE_FALSE, NULL),
    { 0 },
};

static const struct shape_field patch_fields[] = {
    FIELD_READ_ONLY("id", SHAPE_STRING, "Id."),
    FIELD_READ_ONLY("applicationId", SHAPE_STRING, "Its application."),
    FIELD_READ_ONLY("prefix", SHAPE_STRING, "What it begins with."),
    FIELD_READ_ONLY("start", SHAPE_STRING, "Prefix and first four characters."),
    FIELDS_OWN(SHAPE_INTEGER | SHAPE_FALSE | SHAPE_OBJECT, remaining_fields),
    FIELD_TIME("expiresAt", "When it ends."),
    FIELD_TIME("lastUsedAt", "When it was last used."),
    FIELD_TIME("revokedAt", "When it was revoked."),
    FIELD_READ_ONLY("effective", SHAPE_MAP,
                    "What holds: own values over the profile's."),
    FIELDS_TIMES,
    { 0 },
};

static const struct shape_field rotate_fields[] = {
    { .name = "gracePeriod",
      .types = SHAPE_INTEGER,
      .max = 2592000,
      .fallback = "0",
      .about = "Seconds that the old secret lives on." },
    { 0 },
};

static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    (void)env;
    (void)present;
    (void)input;
    return policy_rules(doc, why);
}

#define TOKEN_SHAPE(schema, table)                                           \
    {                                                                        \
        .name = schema, .kind = KIND_TOKEN, .fields = table, .sparse = true, \
        .rules = rules                                                       \
    }
const struct shape shape_token_create =
    TOKEN_SHAPE("CreateTokenRequest", create_fields);
const struct shape shape_token_import_item =
    TOKEN_SHAPE("ImportedToken", import_fields);
const struct shape shape_token_patch = TOKEN_SHAPE("Token", patch_fields);
const struct shape shape_token_rotate = {
    .name = "RotateTokenRequest",
    .kind = KIND_TOKEN,
    .fields = rotate_fields,
    .sparse = true,
};

/* --- to the row ---------------------------------------------------------------- */

int token_row_fill(struct token_row *row, yyjson_mut_doc *doc, struct arena *a)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *item;
    yyjson_mut_val *expires = shape_member(doc, "expires");
    yyjson_mut_val *enabled = shape_member(doc, "enabled");
    yyjson_mut_val *hash = shape_member(doc, "hash");
    ENSURE(!yyjson_mut_is_obj(shape_member(doc, "remaining")));
    if (enabled) row->enabled = yyjson_mut_is_true(enabled);
    if (yyjson_mut_is_false(expires))
        row->expires_ms = 0;
    else if (expires)
        ENSURE(json_is_int((const yyjson_val *)expires, &row->expires_ms));
    if (hash)
        ENSURE(hex_decode(json_mut_text(hash), row->digest,
                          sizeof row->digest) == 0);
    static const char *const leaving[] = { "amount", "enabled", "expires",
                                           "hash" };
    for (size_t i = 0; i < ARRAY_LEN(leaving); i++)
        yyjson_mut_obj_remove_key(root, leaving[i]);
    row->name = json_mut_text(shape_member(doc, "name"));
    row->owner = json_mut_text(shape_member(doc, "owner"));
    row->tags_n = 0;
    size_t i, max;
    yyjson_mut_arr_foreach(shape_member(doc, "tags"), i, max,
                           item) if (i < TOKEN_TAGS_MAX)
        row->tags[row->tags_n++] = json_mut_text(item);
    if (row->tags_n == 0) yyjson_mut_obj_remove_key(root, "tags");
    row->body = SV("");
    if (yyjson_mut_obj_size(root) == 0) return 0;
    row->body = json_encode(a, root);
    return row->body.p ? 0 : ERR_NOMEM;
}

/* --- typed ------------------------------------------------------------------------ */

static int texts_decode(const yyjson_val *array, unsigned most, struct arena *a,
                        const struct sv **out, uint16_t *out_n)
{
    yyjson_val *list = (yyjson_val *)(uintptr_t)array, *item;
    size_t i, max, n = yyjson_arr_size(list);
    *out = NULL;
    *out_n = 0;
    if (n > most) return ERR_CORRUPT;
    if (n == 0) return 0;
    struct sv *texts = ARENA_ARRAY(a, struct sv, n);
    if (!texts) return ERR_NOMEM;
    yyjson_arr_foreach(list, i, max, item)
    {
        if (!yyjson_is_str(item)) return ERR_CORRUPT;
        texts[i] = json_text(item);
    }
    *out = texts;
    *out_n = (uint16_t)n;
    return 0;
}

static int allow_decode(const yyjson_val *array, struct arena *a,
                        struct token_own *out)
{
    yyjson_val *list = (yyjson_val *)(uintptr_t)array, *item;
    size_t i, max, n = yyjson_arr_size(list);
    out->has_allow = yyjson_is_arr(list);
    if (n > ALLOW_MAX) return ERR_CORRUPT;
    if (n == 0) return 0;
    struct cidr *nets = ARENA_ARRAY(a, struct cidr, n);
    if (!nets) return ERR_NOMEM;
    yyjson_arr_foreach(
        list, i, max,
        item) if (cidr_parse(json_text(item), &nets[i])) return ERR_CORRUPT;
    out->allow = nets;
    out->allow_n = (uint16_t)n;
    return 0;
}

int token_own_decode(struct sv body, struct arena *a, struct token_own *out)
{
    yyjson_doc *doc = NULL;
    memset(out, 0, sizeof *out);
    if (body.n == 0) return 0;
    int rc = json_decode(body, a, &doc, NULL);
    if (rc) return rc == ERR_NOMEM ? rc : ERR_CORRUPT;
    const yyjson_val *root = yyjson_doc_get_root(doc);
    const yyjson_val *metadata = json_find(root, "metadata");
    const yyjson_val *scopes = json_find(root, "scopes");
    out->name = json_text(json_find(root, "name"));
    out->owner = json_text(json_find(root, "owner"));
    out->has_scopes = yyjson_is_arr((yyjson_val *)(uintptr_t)scopes);
    if (metadata) {
        out->metadata = json_encode_val(a, metadata);
        if (!out->metadata.p) return ERR_NOMEM;
    }
    rc = texts_decode(json_find(root, "tags"), TOKEN_TAGS_MAX, a, &out->tags,
                      &out->tags_n);
    if (rc == 0)
        rc = texts_decode(scopes, SCOPES_MAX, a, &out->scopes, &out->scopes_n);
    if (rc == 0) rc = allow_decode(json_find(root, "ipAllowlist"), a, out);
    if (rc == 0) rc = policy_decode(root, &out->policy);
    out->has_policy = out->policy.has_limits || out->policy.has_quota ||
                      out->policy.has_refill;
    return rc;
}
