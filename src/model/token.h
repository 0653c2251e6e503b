/* Tokens: the form of their secret, and their own values as typed ones
 * (api.md §3). */
#ifndef MODEL_TOKEN_H
#define MODEL_TOKEN_H

#include "base/ip.h"
#include "model/policy.h"
#include "model/shape.h"
#include "model/token_row.h"

enum {
    TOKEN_PREFIX_MAX = 50,
    TOKEN_BYTES_MIN = 16,
    TOKEN_BYTES_MAX = 128,
    TOKEN_SECRET_MAX = TOKEN_PREFIX_MAX + 172 + 6,
    TOKEN_CRC_TEXT = 6,
};

/* prefix + base62 of byte_length random bytes + base62 of CRC-32 over what
 * precedes. Returns the length; the caller wipes `out`. */
size_t token_secret_make(char out[TOKEN_SECRET_MAX], struct sv prefix,
                         uint32_t byte_length);
/* Does its checksum hold? About 50 ns: refuses made-up keys before the hash. */
bool token_secret_is_ours(struct sv secret);

/* A management key's secret is such a one, with this prefix and length. */
#define MANAGEMENT_KEY_PREFIX "tam_"
enum { MANAGEMENT_KEY_BYTES = 32 };

/* Own values, decoded for live/ and for answers. Texts in the arena. */
struct token_own {
    struct sv name, owner;
    struct sv metadata;        /* JSON text; "" none */
    const struct sv *tags, *scopes;
    const struct cidr *allow;
    uint16_t tags_n, scopes_n, allow_n;
    bool has_scopes, has_allow;
    bool has_policy;           /* has any own limit, quota or refill */
    struct policy policy;
};
/* `body` "" gives zeros. ERR_CORRUPT, ERR_NOMEM. */
int token_own_decode(struct sv body, struct arena *a, struct token_own *out);

/* Takes a canonical document of one of the token shapes apart: enabled and
 * expires (when there) go to the row's columns, amount and hash are dropped,
 * the rest becomes row->body and its name, owner, tags. A `remaining` of the
 * form {add: n} must have been replaced before. ERR_NOMEM. */
int token_row_fill(struct token_row *row, yyjson_mut_doc *doc,
                   struct arena *a);

/* The policy part that authentication profiles and tokens share: members
 * ratelimit, ratelimits, remaining, refill of an object; false says "none". */
int policy_decode(const yyjson_val *object, struct policy *out);

#endif
