/* Asks issuers about tokens (RFC 7662): takes what reactors want to know
 * (live/introspection.h), posts it, reports the answer. On the reach reactor,
 * by its fetcher, so under the egress policy. */
#ifndef REACH_INTROSPECTION_H
#define REACH_INTROSPECTION_H

#include "live/introspection.h"
#include "reach/fetch.h"

struct introspector;

struct introspector_conf {
    struct introspections *table;
    struct fetcher *fetcher;
    int64_t (*node_ms)(void);
    bool allow_plain;    /* http: URLs too */
    uint32_t timeout_ms; /* of a question */
};
void introspector_new(struct introspector **out,
                      const struct introspector_conf *conf);
void introspector_run(struct introspector *m); /* begins what is wanted */
/* After the fetcher was freed: no callback comes any more. */
void introspector_free(struct introspector **m);

#endif
