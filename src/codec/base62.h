/* Base 62 (digits, upper case, lower case) of a big-endian number, always of
 * the same length for the same number of bytes, so that a secret's length
 * tells nothing of its value (api.md §3). */
#ifndef CODEC_BASE62_H
#define CODEC_BASE62_H

#include "base/sv.h"

enum {
    BASE62_BYTES_MAX = 128,
    BASE62_TEXT_MAX = 172, /* of 128 bytes */
    BASE62_U32_TEXT = 6,
};

/* Characters for n bytes, n <= BASE62_BYTES_MAX. */
size_t base62_size(size_t n);
/* Writes base62_size(n) characters and returns that number. */
size_t base62_encode(char *out, const void *bytes, size_t n);
/* Only what base62_encode of n bytes writes; else ERR_INVALID. */
int base62_decode(struct sv text, void *out, size_t n);
void base62_encode_u32(char out[BASE62_U32_TEXT], uint32_t v);
int base62_decode_u32(struct sv text, uint32_t *out);
bool base62_is_digit(char c);

#endif
