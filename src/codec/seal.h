/* Sealing at rest: AES-256-SIV (RFC 5297) without associated data.
 * Deterministic: equal plain texts under one key give equal sealed ones, so a
 * unique index over them works; nothing else shows without the key.
 *
 * A sealer keeps two keyed contexts (sealing 0.4 µs, opening 0.6 µs for 32
 * bytes; setting the key each time would cost 2.3 to 2.8). One thread at a
 * time; a second thread takes a second sealer. */
#ifndef CODEC_SEAL_H
#define CODEC_SEAL_H

#include "base/sv.h"

enum {
    SEAL_KEY_BYTES = 64,
    SEAL_TAG_BYTES = 16, /* in front of the text; sealed = 16 + plain */
};

struct sealer;

/* ERR_CRYPTO: no AES-256-SIV in this OpenSSL. The key is copied into it. */
int sealer_new(struct sealer **out, const uint8_t key[SEAL_KEY_BYTES]);
void sealer_free(struct sealer **s); /* wipes */

/* Writes SEAL_TAG_BYTES + plain.n bytes. plain.n >= 1 and < 2^30. */
int seal_close(struct sealer *s, struct sv plain, uint8_t *out);
/* Writes sealed.n - SEAL_TAG_BYTES bytes. ERR_CORRUPT: not sealed under this
 * key, or altered; then `out` holds zeros. */
int seal_open(struct sealer *s, struct sv sealed, uint8_t *out);

#endif
