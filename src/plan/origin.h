/* Origins as small dense numbers, so that connection pools, health and
 * breakers find theirs by index and outlive a change of configuration: every
 * image that names the same place (TLS, host, port) gets the same id. A place
 * that no image names any more frees its id; the next place that gets the id
 * gets another generation, by which a pool sees that the content changed.
 * Called by the writer and by whoever reclaims; an own lock. */
#ifndef PLAN_ORIGIN_H
#define PLAN_ORIGIN_H

#include "base/sv.h"

struct origins;

struct origin_key {
    struct sv host;
    uint16_t port;
    bool tls, tls_verify;
};
struct origin_ref {
    uint32_t id, generation;
};

void origins_new(struct origins **out);
void origins_free(struct origins **o);
/* One more image names it. */
struct origin_ref origins_hold(struct origins *o, const struct origin_key *k);
void origins_drop(struct origins *o, uint32_t id);
/* A place that only a request names: held among the ORIGINS_VISITED_MAX last
 * such, then dropped. Any thread; allocates for a new place only. */
enum { ORIGINS_VISITED_MAX = 256 };
struct origin_ref origins_visit(struct origins *o, const struct origin_key *k);
/* Ids ever given: the size of an array by id. */
uint32_t origins_count(struct origins *o);

#endif
