/* What the check of JWTs keeps a reactor, and its parts (docs/internals). */
#ifndef CHECK_JWT_H
#define CHECK_JWT_H

#include "check/exchange.h"
#include "codec/jws.h"
#include "live/failures.h"
#include "live/keyset.h"
#include "live/verified.h"

/* How a token that came was judged: a metric's label. */
#define JWT_VERDICTS(X)                                                    \
    X(OK, "ok") X(INVALID_SIGNATURE, "invalid_signature")                  \
    X(TOKEN_EXPIRED, "token_expired")                                      \
    X(TOKEN_NOT_ACTIVE, "token_not_active")                                \
    X(MISSING_CLAIM, "missing_claim") X(INVALID_CLAIM, "invalid_claim")    \
    X(NO_KEYS, "no_keys") X(RATE_LIMITED, "rate_limited")                   \
    X(INACTIVE, "inactive") X(NO_ANSWER, "no_answer")
enum jwt_verdict {
#define X(name, label) JWT_VERDICT_##name,
    JWT_VERDICTS(X)
#undef X
    JWT_VERDICT_COUNT
};

extern const char *const jwt_verdict_labels[JWT_VERDICT_COUNT];

struct jwt_stats { /* written by their reactor alone */
    _Atomic uint64_t verdicts[JWT_VERDICT_COUNT];
    _Atomic uint64_t hits, misses; /* of the cache; a miss is verified */
    _Atomic uint64_t waits;        /* for keys */
};

/* A reactor's part, on its thread only. */
struct jwt_lane {
    _Alignas(64) char *scratch; /* JWT_SCRATCH_BYTES, at the first token */
    char *proof;                /* DPOP_ARENA_BYTES, at the first proof */
    struct jws_memo memo;
    struct verified_cache *cache;
    struct failures failures;
    struct jwt_stats stats;
};

enum { JWT_SCRATCH_BYTES = 2 * JWS_ARENA_BYTES };

struct jwt_check_conf {
    unsigned reactors;
    size_t cache_bytes; /* of verified tokens, all reactors together */
};
struct jwt_lane *jwt_lanes_new(const struct jwt_check_conf *conf);
void jwt_lanes_free(struct jwt_lane **lanes, unsigned reactors);

/* For a stream that still runs: is the key with this thumbprint among those of
 * the application? True as well while some of them cannot be known. */
bool jwt_key_holds(const struct check_env *env, const struct plan_app *app,
                   const uint8_t thumbprint[JWK_THUMBPRINT_BYTES]);

/* --- between the files of the check ----------------------------------------- */
/* The images of an application's key sets, as seen at the begin of a check. */
struct jwt_keys {
    const struct keyset_image *images[JWT_KEYSETS_MAX]; /* NULL: none yet */
    unsigned n;
    int64_t node_ms;
};
void jwt_keys_view(struct jwt_keys *k, const struct check_env *env,
                   const struct plan_app *app);
bool jwt_keys_same(const struct jwt_keys *k, const struct verified *v);
/* JOSE_OK: *by has verified, and does so until *until_ms. Else the verdict
 * that comes nearest; *is_known: a key of ours has the token's kid, so that
 * no other set will help. */
enum jose_verdict jwt_keys_verify(const struct jwt_keys *k,
                                  const struct jws *jws, uint32_t algs,
                                  unsigned lane, const struct jwk **by,
                                  int64_t *until_ms, bool *is_known);

/* What the issuer says of the token. ACTIVE: the answer is an object in the
 * arena, believed until *until (node clock). */
enum introspected { INTROSPECTED_ACTIVE, INTROSPECTED_INACTIVE,
                    INTROSPECTED_WAIT, INTROSPECTED_FAILED };
enum introspected jwt_introspect(struct exchange *x, struct sv token,
                                 int64_t node_ms, struct arena *a,
                                 const yyjson_val **answer, int64_t *until);

/* Everything that the image's rules say of the token alone: fills what is not
 * about the signature. False: the arena is spent. */
bool jwt_facts(const struct exchange *x, const yyjson_val *claims,
               struct arena *a, struct verified *v);
/* The DYNAMIC rules, against this request. NULL: they hold. */
const struct jwt_rule *jwt_dynamic_refuses(const struct exchange *x,
                                           const struct verified *v);

#endif
