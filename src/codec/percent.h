/* Percent-encoding (RFC 3986 section 2.1): what a text must be written as to
 * mean itself, and nothing more, in each place of a URL or a field. */
#ifndef CODEC_PERCENT_H
#define CODEC_PERCENT_H

#include "base/buf.h"

enum percent_place {
    PERCENT_SEGMENT, /* of a path: no '/', no ';' */
    PERCENT_QUERY,   /* of a name or value: no '&', '=', '+' */
    PERCENT_FIELD,   /* a field's value: printable ASCII, '%' encoded */
};
void percent_encode(struct buf *out, enum percent_place place, struct sv text);

/* Octets behind one layer of escapes; an escape without two hex digits stays.
 * Returns how many were written: at most s.n, `out` may be s.p. */
size_t percent_decode(char *out, struct sv s);
/* The same into `max` bytes; SIZE_MAX: it takes more. */
size_t percent_decode_within(char *out, size_t max, struct sv s);
/* The next octet of *s, decoded, which is cut off it; s->n > 0. */
char percent_take(struct sv *s);
/* Is each '%' the beginning of an escape? */
bool percent_is_whole(struct sv s);
/* "." or ".." in any spelling, alone or between slashes (also '\') that are
 * themselves encoded, with ";parameters" behind them or without: what an origin
 * may resolve as a step in a path. */
bool percent_has_dots(struct sv segment);

#endif
