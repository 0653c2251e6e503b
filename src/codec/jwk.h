/* Keys that verify tokens: a JWK, a JWK Set (RFC 7517, 7518 section 6, 8037)
 * or PEM (RFC 7468: PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE) becomes a set of
 * prepared keys, each pinned to the algorithms that it is for.
 *
 * Refused keys: RSA outside 2048-8192 bits or with an exponent that is even,
 * below 65537 or above 32 bits; HMAC secrets shorter than the hash; points
 * off the curve; any curve, use or key_ops not for verifying. Private parts
 * of a JWK are not read, only noted; a private PEM is refused. References
 * (x5u, x5c) are not looked at. Why: docs/decisions/0010.
 *
 * Reading costs a few ms for an RSA key of 2048 bits and up to 160 for one of
 * 8192 (the check of its modulus): not work for a reactor.
 *
 * A set is immutable and may be read by all threads. What OpenSSL needs to
 * verify is made once per key, algorithm and lane, at the lane's first use:
 * a lane (0 <= lane < lanes) belongs to one thread at a time. */
#ifndef CODEC_JWK_H
#define CODEC_JWK_H

#include "codec/jose.h"

enum {
    JWK_TEXT_BYTES_MAX = 256 * 1024,
    JWK_SET_KEYS_MAX = 100,
    JWK_KID_BYTES_MAX = 256,
    JWK_SECRET_BYTES_MAX = 1024,
    JWK_RSA_BITS_MIN = 2048,
    JWK_RSA_BITS_MAX = 8192,
    JWK_THUMBPRINT_BYTES = 32,
};

enum jose_kty { JOSE_KTY_RSA, JOSE_KTY_EC, JOSE_KTY_OCT, JOSE_KTY_OKP };
enum jose_curve {
    JOSE_CURVE_NONE, JOSE_P256, JOSE_P384, JOSE_P521, JOSE_C25519, JOSE_C448,
    JOSE_CURVE_COUNT
};

struct jwk {
    struct sv kid;      /* p NULL: none; the key's own */
    enum jose_kty kty;
    enum jose_curve curve;
    uint32_t algs;      /* bits 1 << enum jose_alg, at least one */
    bool is_private;    /* a private part came with it (not kept) */
    uint8_t thumbprint[JWK_THUMBPRINT_BYTES]; /* RFC 7638, SHA-256 */
    struct jwk_inner *inner;
};

struct jwk_skip {
    unsigned index;     /* in the set or file, from 0 */
    const char *reason; /* static */
};

struct jwk_set {
    unsigned n, n_skipped;
    struct jwk *keys;
    struct jwk_skip *skipped; /* members that are no usable key, in order */
};

struct jwk_why {
    const char *reason; /* static */
    unsigned index;     /* of the key, when it is about one */
};

/* Takes text that begins with { as JSON, else as PEM. A single JWK must be
 * usable; unusable members of a set or file are skipped and listed (RFC 7517
 * section 5), but one must remain. ERR_INVALID and ERR_TOOBIG with *why. */
int jwk_set_decode(struct sv text, unsigned lanes, struct jwk_set **out,
                   struct jwk_why *why);
void jwk_set_free(struct jwk_set **set); /* wipes secrets */

#endif
