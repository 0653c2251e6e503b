/* Asks what is due and measures: the targets of monitors (reach/monitor.h) and
 * the origins of active health (live/origin_table.h), by one and the same
 * means: a request on a connection of its own, under the egress policy, with a
 * time for all of it. One that hangs has its place until then and costs nothing
 * else. On a thread that serves no traffic. */
#ifndef REACH_PROBE_H
#define REACH_PROBE_H

#include "live/origin_table.h"
#include "reach/fetch.h"
#include "reach/monitor.h"

struct prober;
struct prober_conf {
    struct origin_table *table; /* NULL: none is asked */
    struct monitors *monitors;  /* NULL: as table */
    struct reactor *reactor;
    struct fetcher *fetcher;
    unsigned active_max;        /* probes at once; 0: 64 */
    bool unverified; /* any certificate of an origin will do */
};
void prober_new(struct prober **out, const struct prober_conf *conf);
void prober_free(struct prober **p); /* after the reactor's run */
/* Starts what is due; when woken, and by its own timer. */
void prober_run(struct prober *p);

#endif
