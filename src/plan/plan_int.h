/* The root, for plan/ only. */
#ifndef PLAN_PLAN_INT_H
#define PLAN_PLAN_INT_H

#include "plan/cell_index.h"
#include "plan/origin.h"
#include "plan/plan.h"

struct plan {
    struct cell_index hosts, ids;
    /* Which depths of wildcards exist (bit: labels, 63 and more share one):
     * a host is tried only at those. */
    _Atomic uint64_t wild_depths;
    uint32_t wild_n[64];
    _Atomic uint64_t seq;
    _Atomic uint64_t images; /* built and not yet freed */
    unsigned reactors;
    struct origins *origins;
};

void plan_app_free(void *image); /* at once: nobody may see it any more */

#endif
