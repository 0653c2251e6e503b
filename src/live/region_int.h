/* Address space reserved at once, made usable step by step: an array that
 * never moves while readers walk it (hot-path §1.1). Starts cleared; kept out
 * of core dumps. */
#ifndef LIVE_REGION_INT_H
#define LIVE_REGION_INT_H

#include <stddef.h>

struct region {
    char *base;
    size_t reserved, usable; /* bytes */
};

int region_init(struct region *r, size_t reserve); /* ERR_NOMEM */
void region_fini(struct region *r);
int region_grow(struct region *r, size_t bytes); /* ERR_FULL, ERR_NOMEM */

#endif
