/* Active health: origins are asked by GET, each at its own interval; what
 * comes of it goes into their states (live/origin_table.h). On reach's thread:
 * an origin that hangs holds up no traffic. */
#ifndef REACH_PROBE_H
#define REACH_PROBE_H

#include "live/origin_table.h"
#include "reach/fetch.h"

struct prober;
struct prober_conf {
    struct origin_table *table;
    struct reactor *reactor;
    struct fetcher *fetcher;
    bool unverified; /* any certificate of an origin will do */
};
void prober_new(struct prober **out, const struct prober_conf *conf);
void prober_free(struct prober **p); /* after the reactor's run */
/* Starts what is due; when woken, and by its own timer. */
void prober_run(struct prober *p);

#endif
