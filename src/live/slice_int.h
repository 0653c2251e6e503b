/* Memory of tables that are replaced by larger ones, all in one region, so that
 * it lies in huge pages and nothing else is in between: the lowest place that
 * is long enough, neighbours join when they are given back. Few hundred places
 * are free at a time; finding one looks at all below it. One thread. */
#ifndef LIVE_SLICE_INT_H
#define LIVE_SLICE_INT_H

#include <stdint.h>

#include "live/region_int.h"

enum { SLICE_LINE = 64 }; /* bytes: the unit, and what places are aligned to */

struct slice { uint32_t at, n; }; /* in lines */
struct slices {
    struct region region;
    struct slice *free;  /* by place; none touches the next one */
    uint32_t free_n, free_cap;
    uint32_t end;         /* nothing was taken from there on */
};

int slices_init(struct slices *x, size_t reserve); /* ERR_NOMEM */
void slices_fini(struct slices *x);
/* n bytes, rounded up to lines; not cleared. NULL: there is no room. */
void *slices_take(struct slices *x, size_t n);
void slices_give(struct slices *x, void *p, size_t n); /* n as taken */
/* It will hardly grow: what is in use becomes huge pages. Milliseconds. */
void slices_settle(struct slices *x);

#endif
