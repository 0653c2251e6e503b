/* SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869) on OpenSSL's block
 * function. Any thread; no context is kept and nothing is allocated. */
#ifndef CODEC_DIGEST_H
#define CODEC_DIGEST_H

#include "base/sv.h"

enum { SHA256_BYTES = 32, HKDF_BYTES_MAX = 255 * SHA256_BYTES };

void sha256(struct sv bytes, uint8_t out[SHA256_BYTES]);
/* Of the parts one after the other. */
void sha256_parts(const struct sv *parts, size_t n, uint8_t out[SHA256_BYTES]);
void hmac_sha256(struct sv key, const struct sv *parts, size_t n,
                 uint8_t out[SHA256_BYTES]);
/* n <= HKDF_BYTES_MAX. */
void hkdf_sha256(struct sv key, struct sv salt, struct sv info, void *out,
                 size_t n);

/* A key of HMAC that is used again and again: what it does to the hash before
 * the first byte of a message, half of the work for a short one. As secret as
 * the key; whoever keeps it wipes it. */
struct hmac_key {
    uint64_t inner[14], outer[14];
};
void hmac_key_init(struct hmac_key *k, struct sv key);
void hmac_key_run(const struct hmac_key *k, const struct sv *parts, size_t n,
                  uint8_t out[SHA256_BYTES]);

#endif
