/* Hexadecimal text to bytes; the other way is fmt_hex() of base/fmt.h. */
#ifndef CODEC_HEX_H
#define CODEC_HEX_H

#include "base/sv.h"

/* `text` must be exactly 2n hex digits, any case; else ERR_INVALID and `out`
 * is undefined. */
int hex_decode(struct sv text, void *out, size_t n);

#endif
