/* A JWT profile, a key set and the rules on an application as typed values
 * (api.md §5). Decoded from canonical documents; texts are copied into the
 * arena. What the two published forms of rules mean together, and how a claim
 * is named: docs/decisions/0011. */
#ifndef MODEL_JWT_H
#define MODEL_JWT_H

#include "base/arena.h"
#include "codec/claims.h"
#include "codec/jose.h"

enum {
    JWT_RULES_MAX = 20,        /* required_claims; as many optional_claims */
    JWT_RULE_VALUES_MAX = 20,  /* any of so many */
    JWT_PATH_MAX = 8,          /* members from the root to a claim: */
    JWT_PREFIX_MAX = 4,        /* of the profile's `path`, and */
    JWT_CLAIM_MAX = 4,         /* of the claim's own name */
    JWT_KEYS_MAX = 10,         /* inline */
    JWT_ISSUERS_MAX = 10,
    JWT_SKEW_MAX_S = 900,
};

/* A key set's place in live/keyset.h. A number is used again for another
 * source when nobody holds it: readers of an old plan then find another
 * generation, and no keys. */
struct keyset_ref {
    uint32_t number, generation; /* generation 0: none */
};
/* Of one profile: inline JWKs, inline PEM texts, and jwk or discovery. */
enum { JWT_KEYSETS_MAX = 3 };

enum jwt_value_kind { JWT_TEXT, JWT_NUMBER, JWT_BOOLEAN };
struct jwt_value {
    enum jwt_value_kind kind;
    struct sv text;            /* also the canonical text of a number */
    double number;
    bool boolean;
};

/* What one claim must be. The claim may itself be an array: one member that
 * holds is enough. */
enum jwt_match {
    JWT_ANY_OF,                /* equal to one of the values */
    JWT_PRESENT,               /* "*": there, and not null */
    JWT_DYNAMIC,               /* "{name}": equal to the route's variable of
                                  that name, else to the header */
};
struct jwt_rule {
    const struct sv *path;     /* from the root; a claim whose own name has
                                  dots is one member ("https://a.b/c") */
    uint8_t path_n, values_n;
    bool optional;             /* judged only when the claim is there */
    enum jwt_match match;
    const struct jwt_value *values;
    struct sv name;            /* DYNAMIC: of the variable or header */
    struct sv shown;           /* the claim as the account wrote it: for the
                                  refusal's details */
};

/* What holds for a token beside its signature. */
struct jwt_rules {
    /* now_s is not set. exp, nbf, iat: true is REQUIRED, false is IGNORED;
     * unset is IF_PRESENT in a profile, and IGNORED in an application's rules,
     * where the profile has judged them. */
    struct claim_times times;
    bool has_skew;             /* else the profile's holds for both */
    bool kid_required;
    unsigned rules_n;
    const struct jwt_rule *rules;
};

enum jwt_binding { JWT_BEARER, JWT_CERTIFICATE /* RFC 8705 */,
                   JWT_DPOP /* RFC 9449 */ };

struct jwt_introspection { /* RFC 7662; url.n 0: none */
    struct sv url, client_id;
    struct sv secret;          /* only of an opened document (admin) */
    uint32_t cache_s;
};

struct jwt_profile {
    struct sv id, account_id, name;
    /* Where keys come from: at most one of the first three, and inline keys
     * beside it or alone. */
    struct sv jwk_id, jwk_url, discovery;
    const struct sv *keys;     /* JWK or PEM texts; a plan's document has
                                  none: they are in its keysets */
    unsigned keys_n;
    uint32_t algorithms;       /* bits 1 << enum jose_alg; 0: all that the
                                  keys imply */
    const struct sv *issuers, *audiences; /* any of; n 0: not judged */
    unsigned issuers_n, audiences_n;
    struct jwt_rules rules;
    enum jwt_binding binding;
    struct jwt_introspection introspection;
};
int jwt_profile_decode(struct sv doc, struct arena *a,
                       struct jwt_profile *out);

/* A key set record (noun jwk): inline keys, or a URL that is fetched. */
struct key_set {
    struct sv id, account_id, name, url, keys; /* keys: JWK Set text or "" */
    uint32_t cache_s;          /* how long a fetched set is fresh */
    uint32_t rotation_grace_s; /* keys that left the set hold so long */
    uint32_t max_stale_s;      /* kept through an outage */
};
int key_set_decode(struct sv doc, struct arena *a, struct key_set *out);

/* The algorithms that the keys of a text (JWK, JWK Set or PEM) can serve,
 * beside those in *algs; unusable text adds none. */
void jwt_key_algs(struct sv text, uint32_t *algs);

/* The rules object alone: what POST …/applications/{id}/jwt/validation stored;
 * they hold in addition to the profile's. */
int jwt_rules_decode(struct sv doc, struct arena *a, struct jwt_rules *out);

#endif
