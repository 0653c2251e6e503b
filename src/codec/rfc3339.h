/* Times as text (RFC 3339). We write UTC with milliseconds, always 24
 * characters: 2024-02-29T12:00:00.000Z. */
#ifndef CODEC_RFC3339_H
#define CODEC_RFC3339_H

#include "base/sv.h"

enum { RFC3339_TEXT = 24 };

/* Years 0000-9999; outside it is clamped. No NUL. */
void rfc3339_encode(char out[RFC3339_TEXT], int64_t ms);
/* Any offset, 0-9 digits of fraction (cut to ms), 'T'/'t', 'Z'/'z'; a leap
 * second counts as the next second. Else ERR_INVALID. */
int rfc3339_decode(struct sv text, int64_t *ms_out);

#endif
