/* How long an answer may be kept (RFC 9111, sections 4.2.1 and 5.2.2): for
 * what we fetch ourselves and keep for one purpose, as a private cache. */
#ifndef CODEC_FRESHNESS_H
#define CODEC_FRESHNESS_H

#include "codec/http.h"

/* Seconds, from Cache-Control (max-age less Age; no-store and no-cache count
 * as 1), else from Expires beside Date; 0: the answer says nothing. Of
 * several the least; a malformed directive says nothing, a malformed Expires
 * is past. */
uint32_t freshness_s(const struct http_head *head);
/* IMF-fixdate only. ERR_INVALID. */
int http_date_decode(struct sv text, int64_t *ms_out);

#endif
