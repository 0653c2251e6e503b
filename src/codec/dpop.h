/* A DPoP proof (RFC 9449 section 4): a JWS by which the sender of an access
 * token shows that it holds the key that the token is bound to. Judged here is
 * what RFC 9449 section 4.3 lists, but for `jti`, which the caller must not
 * have seen before, and `nonce`, which we never ask for.
 *
 * The key comes with the proof (the only place where a `jwk` of a header is
 * read) and counts for nothing but its thumbprint, which must be that of the
 * access token's `cnf.jkt`. It is prepared only after all that is cheap has
 * held, and only for ES256 and EdDSA with Ed25519: preparing an RSA key costs
 * milliseconds (codec/jwk.h), which a reactor must not owe to a stranger. */
#ifndef CODEC_DPOP_H
#define CODEC_DPOP_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/jwk.h"

#define DPOP_ALGS_TEXT "ES256 EdDSA"

#define DPOP_VERDICTS(X)                                                      \
    X(OK, "", "ok")                                                           \
    X(FORM, "", "the proof is not a signed compact JWS")                      \
    X(TYP, "typ", "the proof's typ is not dpop+jwt")                          \
    X(ALG, "alg", "the proof's alg is none of those taken")                   \
    X(JWK, "jwk", "the proof's jwk is not a public key for its alg")          \
    X(CLAIMS, "", "the proof's claims are not a strict JSON object")          \
    X(JTI, "jti", "the proof's jti is not a text of 1-256 bytes")             \
    X(HTM, "htm", "the proof is for another method")                          \
    X(HTU, "htu", "the proof is for another URL")                             \
    X(IAT, "iat", "the proof was made too long ago, or in the future")        \
    X(ATH, "ath", "the proof is for another access token")                    \
    X(KEY, "jwk", "the token is bound to another key than the proof's")       \
    X(SIGNATURE, "", "the proof's signature does not verify")                 \
    X(MEMORY, "", "the proof needs more memory than allowed")

enum dpop_verdict {
#define X(name, member, text) DPOP_##name,
    DPOP_VERDICTS(X)
#undef X
    DPOP_VERDICT_COUNT
};
const char *dpop_verdict_text(enum dpop_verdict v);
/* The member that it is about; "" none. */
struct sv dpop_verdict_member(enum dpop_verdict v);

enum {
    DPOP_BYTES_MAX = 4096,
    DPOP_AGE_MAX_S = 60,   /* beside the skew */
    DPOP_SKEW_MIN_S = 5,
    DPOP_KEY_BYTES = 16,
    DPOP_ARENA_BYTES = 128 * 1024, /* always enough */
};

struct dpop_ask {
    struct sv method;
    /* Of the request, as its sender wrote it: absolute, or (when scheme and
     * host are not known) a path. Query and fragment do not count. */
    struct sv url;
    struct sv access_token;
    const uint8_t *jkt;    /* JWK_THUMBPRINT_BYTES: the token's cnf.jkt */
    int64_t now_s;
    uint32_t skew_s;       /* how far clocks may differ; 5 at least */
};

struct dpop_proof {
    uint8_t key[DPOP_KEY_BYTES]; /* stands for (key, jti): once only */
    int64_t until_s;       /* later the proof is too old anyhow */
};

enum dpop_verdict dpop_judge(struct sv proof, const struct dpop_ask *ask,
                             struct arena *a, struct dpop_proof *out);

/* An http(s) URL or a path, normalised (RFC 3986 section 6.2.2 and 6.2.3),
 * without query and fragment. False: neither, or no room. */
bool dpop_url_put(struct sv url, struct buf *out);

#endif
