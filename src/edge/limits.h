/* The limit that stands nearest to refusing, as response fields: RateLimit and
 * RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers-10, and the
 * X-RateLimit-* that older clients read (gateway.md §2). Pure. */
#ifndef EDGE_LIMITS_H
#define EDGE_LIMITS_H

#include "base/buf.h"
#include "check/exchange.h"

enum { LIMITS_FIELDS_MAX = 5, LIMITS_TEXT_MAX = 320 };

/* What is shown, of a limit or (where there is none, or it refused) of the
 * quota. A name without text is "default". */
struct limits {
    bool any, has_reset, of_quota;
    uint32_t window_s;         /* 0: not said */
    uint64_t limit, remaining;
    uint32_t reset_s;
    struct sv name;
};
/* Right after the run: what it shows is copied, but for the name, which is
 * static or in *x. */
struct limits limits_of(const struct exchange *x);
/* Fields whose values lie in `text` (LIMITS_TEXT_MAX bytes suffice); returns
 * their number. */
size_t limits_fields(const struct limits *l, struct buf *text,
                     struct http_field out[LIMITS_FIELDS_MAX]);

#endif
