/* Chunked transfer coding (RFC 9112 7.1), strict: sizes of 1-16 hex digits
 * below 2^63, CRLF only, no whitespace, extensions checked, bounded in length
 * and dropped. */
#ifndef CODEC_CHUNK_H
#define CODEC_CHUNK_H

#include "base/sv.h"

struct chunk_decoder { /* zero to begin */
    uint64_t left;     /* of the present chunk */
    uint8_t state;
    uint16_t line;     /* length of the present size line, bounded */
};

enum chunk_event {
    CHUNK_MORE, /* everything taken, nothing to show */
    CHUNK_DATA, /* *data is the front of *in, not yet taken: chunk_take() */
    CHUNK_LAST, /* last-chunk line read: the trailer section follows */
    CHUNK_BAD,  /* also for any byte after CHUNK_LAST */
};

enum { CHUNK_LINE_MAX = 256 }; /* size and extensions, in bytes */

/* Takes framing from the front of *in (moves it on); call again while it has
 * bytes. */
enum chunk_event chunk_decode(struct chunk_decoder *d, struct sv *in,
                              struct sv *data);
/* n bytes of the data just shown are taken; the rest will be shown again. */
void chunk_take(struct chunk_decoder *d, size_t n);

enum { CHUNK_HEAD_MAX = 18 };
/* "size CRLF" in front of a chunk; its data is followed by CRLF. */
size_t chunk_head(char out[CHUNK_HEAD_MAX], uint64_t size);

#endif
