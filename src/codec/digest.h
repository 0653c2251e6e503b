/* SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869) over algorithms
 * fetched once from OpenSSL. Any thread; each keeps one context of its own,
 * made at its first call and freed at its end. No allocation afterwards. */
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

#endif
