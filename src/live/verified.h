/* What a good signature established: facts of one token under one image of
 * an application and its keys, never a verdict (a time is judged each time).
 * And a cache of them, one a reactor: no lock, no line shared with another
 * core, views instead of copies; the price is that a token is verified once a
 * reactor.
 *
 * Memory: one ring of records, written over from its oldest end, and an index
 * of places in it; allocated at the first put, never more. A record that was
 * written over is known by its place, so nothing has to be removed. */
#ifndef LIVE_VERIFIED_H
#define LIVE_VERIFIED_H

#include "codec/claims.h"
#include "codec/jwk.h"
#include "model/jwt.h"

/* A claim that a rule compares with something of each request. */
struct verified_claim {
    const struct sv *values; /* an array's members, as text */
    unsigned values_n;
    bool present;
};

struct verified {
    uint8_t digest[32];      /* SHA-256 of the token */
    uint64_t image;          /* plan_app.serial */
    uint64_t keys[JWT_KEYSETS_MAX]; /* generations of all its key sets */
    int64_t until_ms;        /* node clock: the key's grace; INT64_MAX */
    uint8_t thumbprint[JWK_THUMBPRINT_BYTES]; /* of the key */
    struct claim_moments times;
    /* What of the image's rules depends on the token alone: 0 they hold, else
     * the checks' own number of the refusal, and the claim's name, which lies
     * in the image (or is static). */
    uint8_t refused;
    bool has_subject;
    struct sv refused_claim;
    uint64_t subject_key[2]; /* when something is counted by it */
    uint64_t tracked_key[2]; /* when detectors know it by it */
    /* --- texts and lists: copied into the cache --- */
    /* RFC 7800: what it is bound to, JWK_THUMBPRINT_BYTES; NULL: nothing */
    const uint8_t *cnf_key;  /* jkt, RFC 9449 6.1 */
    const uint8_t *cnf_cert; /* x5t#S256, RFC 8705 3.1 */
    struct sv subject;       /* of identityClaim, else sub; "" none */
    struct sv subject_header, scopes_header; /* encoded for the origin */
    const struct sv *scopes;
    const struct verified_claim *dynamic; /* as the image's rules */
    unsigned scopes_n, dynamic_n;
};

struct verified_cache;

/* bytes 0: keeps nothing. */
struct verified_cache *verified_cache_new(size_t bytes);
void verified_cache_free(struct verified_cache **c);
/* NULL: not known for that image. Valid until the next put. Whether its keys
 * are still the present ones is the caller's to judge. */
const struct verified *verified_find(struct verified_cache *c,
                                     const uint8_t digest[32], uint64_t image);
/* Copies; NULL when it is too large to be kept. */
const struct verified *verified_put(struct verified_cache *c,
                                    const struct verified *v);
struct verified_stats {
    uint64_t puts, evicted, bytes; /* evicted: written over */
};
/* Any thread; as of a moment ago. */
void verified_stats(const struct verified_cache *c,
                    struct verified_stats *out);

/* A text as a header field's value: printable ASCII, the rest as %XX. `to`
 * has room for 3 bytes for each of s. spaces: inner ones stay. */
size_t verified_header_put(char *to, struct sv s, bool spaces);

#endif
