/* base64url as JOSE writes it (RFC 4648 section 5, RFC 7515 section 2): no
 * padding, no white space, and one spelling a value: left-over bits are 0. */
#ifndef CODEC_BASE64URL_H
#define CODEC_BASE64URL_H

#include "base/arena.h"

static inline size_t base64url_encoded_chars(size_t bytes)
{
    return (bytes * 4 + 2) / 3;
}
/* Of well-formed text. */
static inline size_t base64url_decoded_bytes(size_t chars)
{
    return chars / 4 * 3 + (chars % 4 > 1 ? chars % 4 - 1 : 0);
}
/* Writes base64url_decoded_bytes(text.n) bytes; ERR_INVALID: `out` is
 * undefined. */
int base64url_decode(struct sv text, void *out);
/* Writes base64url_encoded_chars(bytes.n) characters, no NUL. */
void base64url_encode(struct sv bytes, char *out);

/* The same into the arena: ERR_INVALID, or ERR_NOMEM when it is over. */
int base64url_take(struct arena *a, struct sv text, struct sv *out);

#endif
