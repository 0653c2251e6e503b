/* Signing compact JWS (RFC 7515): only what the gateway's own assertions need,
 * ES256 (RFC 7518 section 3.4) and EdDSA with Ed25519 (RFC 8037). A signer is
 * its private number of 32 bytes; everything else follows from it. It is
 * immutable but for what a lane keeps: a lane (0 <= lane < lanes) belongs to
 * one thread at a time (codec/jwk.h). */
#ifndef CODEC_JWS_SIGN_H
#define CODEC_JWS_SIGN_H

#include "base/buf.h"
#include "codec/jose.h"

enum {
    JWS_SEED_BYTES = 32,       /* scalar of P-256, or Ed25519's seed */
    JWS_SIGNED_BYTES = 64,     /* a signature, either algorithm */
};

struct jws_signer;

/* A seed that jws_signer_new takes, from the kernel. Wipe after use. */
void jws_seed_make(enum jose_alg alg, uint8_t seed[JWS_SEED_BYTES]);
/* ES256 or EdDSA. ERR_INVALID: another algorithm, or not in the range of the
 * curve's scalars; ERR_CRYPTO: its own signature does not verify. The seed is
 * copied. */
int jws_signer_new(struct jws_signer **out, enum jose_alg alg,
                   const uint8_t seed[JWS_SEED_BYTES], unsigned lanes);
void jws_signer_free(struct jws_signer **s); /* wipes */

struct sv jws_signer_kid(const struct jws_signer *s); /* its thumbprint */
/* The public key as a JWK with kid, alg and use: JSON text. */
struct sv jws_signer_jwk(const struct jws_signer *s);

/* ERR_CRYPTO. About 20 µs (ES256) or 30 (EdDSA). */
int jws_signature_make(struct jws_signer *s, unsigned lane, struct sv input,
                       uint8_t out[JWS_SIGNED_BYTES]);
/* Appends header.payload.signature; the header holds alg, kid and `typ` as
 * given to it here (no escapes needed). ERR_TOOBIG when `out` has no room. */
int jws_sign(struct jws_signer *s, unsigned lane, struct sv typ,
             struct sv payload, struct buf *out);

#endif
