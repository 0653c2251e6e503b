/* Between the files of JOSE only: the algorithm table, a key's numbers on
 * their way from JWK or PEM to a prepared key, and the prepared key.
 *
 *   JWK text -> jwk.c ------.
 *                            +-> jwk_parts -> jwk_key.c -> jwk -> signature
 *   PEM text -> jwk_pem.c --'
 *
 * Both forms take the same way, so that one place judges a key. */
#ifndef CODEC_JOSE_INT_H
#define CODEC_JOSE_INT_H

#include <openssl/evp.h>

#include "base/arena.h"
#include "base/secret.h"
#include "codec/digest.h"
#include "codec/jose.h"
#include "codec/json.h"
#include "codec/jwk.h"

enum jose_hash { JOSE_SHA256, JOSE_SHA384, JOSE_SHA512, JOSE_HASHES };

struct jose_alg_row {
    const char *name;
    enum jose_kty kty;
    enum jose_curve curve; /* 0: none, or the key's */
    enum jose_hash hash;
    bool pss;
};
const struct jose_alg_row *jose_alg_row(enum jose_alg alg);

static inline size_t jose_hash_bytes(enum jose_hash hash)
{
    return 32 + 16 * (size_t)hash;
}

/* Numbers are big-endian, unsigned. */
struct jwk_parts {
    enum jose_kty kty;
    enum jose_curve curve;
    struct sv n, e, x, y, k;
    struct sv kid;   /* p NULL: none */
    uint32_t algs;   /* those that the key's own words allow */
    bool is_private;
};

enum {
    JOSE_COORDINATE_MAX = 66,
    JOSE_SIGNATURE_MAX = JWK_RSA_BITS_MAX / 8,
};

/* What one lane needs to verify with one algorithm; made once. */
struct jose_ready {
    EVP_PKEY_CTX *verify; /* RSA, EC */
    EVP_MD_CTX *hash;     /* RSA, EC: the digest; OKP: the whole */
    EVP_MAC_CTX *mac;     /* HS384, HS512 */
    struct hmac_key hs256;
};

struct jwk_inner {
    EVP_PKEY *pkey;     /* NULL: oct */
    struct secret secret;
    size_t coordinate_bytes, signature_bytes; /* not of oct */
    uint8_t order[JOSE_COORDINATE_MAX];       /* EC, coordinate_bytes */
    unsigned lanes;
    struct jose_ready *ready[]; /* lane * JOSE_ALG_COUNT + alg; NULL: not yet */
};

/* Out of a JWK: NULL, or why not (static). No judgement of the numbers yet. */
const char *jwk_parts_decode(const yyjson_val *key, struct arena *a,
                             struct jwk_parts *out);
/* Of numbers that have the size of a key's. */
void jwk_parts_thumbprint(const struct jwk_parts *p,
                          uint8_t out[JWK_THUMBPRINT_BYTES]);

/* Judges and prepares; owns nothing of the parts. ERR_INVALID with *reason
 * (static). */
int jwk_make(const struct jwk_parts *parts, unsigned lanes, struct jwk *out,
             const char **reason);
void jwk_drop(struct jwk *key);

struct jose_curve_row {
    const char *name;  /* in a JWK */
    const char *group; /* OpenSSL's */
    enum jose_kty kty;
    size_t bytes;      /* of a coordinate, of an OKP's x */
    size_t signature_bytes;
};
const struct jose_curve_row *jose_curve_row(enum jose_curve curve);

/* x encodes a point of the curve, in its one form, not of small order. */
bool jwk_okp_is_good(enum jose_curve curve, struct sv x);

/* The keys of a PEM text one after the other; fn returns not 0 to stop. A
 * block that is no usable key comes with parts NULL and a reason. */
typedef int jwk_pem_fn(void *ctx, const struct jwk_parts *parts,
                       const char *reason);
int jwk_pem_each(struct sv text, struct arena *a, jwk_pem_fn *fn, void *ctx);

/* Form, then signature, of signing input `input`. */
enum jose_verdict jose_signature_check(const struct jwk *key,
                                       enum jose_alg alg, unsigned lane,
                                       struct sv input, struct sv signature);
/* NULL: OpenSSL refused. */
struct jose_ready *jose_ready_new(const struct jwk *key, enum jose_alg alg);
void jose_ready_free(struct jose_ready **r);

#endif
