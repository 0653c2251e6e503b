/* Address space reserved at once, made usable step by step: an array that
 * never moves while readers walk it (hot-path §1.1). Starts cleared; kept out
 * of core dumps. */
#ifndef LIVE_REGION_INT_H
#define LIVE_REGION_INT_H

#include <stddef.h>

struct region {
    char *base; /* at a multiple of PAGES_HUGE */
    size_t reserved, usable; /* bytes */
};

enum { REGION_DENSE = 4 << 20 };

int region_init(struct region *r, size_t reserve); /* ERR_NOMEM */
void region_fini(struct region *r);
/* From REGION_DENSE bytes on in huge pages: it is filled from its beginning.
 * ERR_FULL, ERR_NOMEM. */
int region_grow(struct region *r, size_t bytes);

#endif
