/* Writing JSON by hand, for answers whose shape is fixed. */
#ifndef EDGE_JSON_H
#define EDGE_JSON_H

#include "base/buf.h"

/* A string with its quotes; bytes must be UTF-8 already. */
void json_put(struct buf *out, struct sv text);
/* ["a","b"] */
void json_put_list(struct buf *out, const struct sv *texts, size_t n);
/* "2026-01-31T23:59:59.000Z", or null for 0. */
void json_put_time(struct buf *out, int64_t wall_ms);

#endif
