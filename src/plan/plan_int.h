/* The root, for plan/ only. */
#ifndef PLAN_PLAN_INT_H
#define PLAN_PLAN_INT_H

#include "plan/cell_index.h"
#include "plan/compiled.h"
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
    struct origin_table *states; /* of origins */
    _Atomic uint32_t balanced; /* images that have a plan_balance */
    struct compiled_set *compiled;
    struct waf_sets *waf_sets;
};

/* route_origin.c */
void plan_host_header(const struct plan_origin *o, struct buf *text);
/* Fills host_header from `at`. ERR_NOMEM. */
int plan_origin_name(struct plan_origin *o, struct arena *a);
void plan_origin_hold(struct plan *p, struct plan_origin *o);
/* routing "": none. ERR_CORRUPT, ERR_NOMEM. */
int plan_routes_build(struct plan *p, struct plan_app *a, struct sv routing);
void plan_routes_drop(struct plan *p, struct plan_app *a);

void plan_app_free(void *image); /* at once: nobody may see it any more */

#endif
