/* The monitors' wiring: the table, before the store is read; the thread that
 * asks, when there are workers and TLS. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "main/data.h"
#include "main/process.h"
#include "main/server.h"

enum {
    PROBES_MAX = 2048,    /* at once: as many origins may hang */
    DESCRIPTORS_PART = 4, /* of this process that probes may take */
    PROBES_MIN = 64,
    RESOLVERS = 16, /* names that hang keep a thread each */
    RESOLVERS_QUEUE = 4096,
    RESOLVERS_NICE = 1, /* behind all that serves */
};

static void wake(void *ctx)
{
    struct server *s = ctx;
    struct reach *r = s->monitor;
    if (r) reach_wake(r);
}

void monitors_start(struct server *s)
{
    struct origin_table *origins = plan_origin_table(s->plan);
    origin_table_on_due(origins, wake, s);
    if (!s->set.monitors) return;
    monitors_new(&s->monitors, &(struct monitors_conf){
                                   .dir = data_path(s->set.data, "monitors"),
                                   .origins = origins,
                                   .node_ms = clock_node_ms,
                                   .wall_ms = clock_wall_ms,
                                   .wake = wake,
                                   .changed = server_monitor_changed,
                                   .ctx = s,
                               });
}

int monitor_open(struct server *s)
{
    const struct settings *set = &s->set;
    unsigned probes = process_descriptors() / DESCRIPTORS_PART;
    if (probes > PROBES_MAX) probes = PROBES_MAX;
    if (probes < PROBES_MIN) probes = PROBES_MIN;
    workers_new_background(&s->resolvers, RESOLVERS, RESOLVERS_QUEUE,
                           RESOLVERS_NICE);
    struct reach_conf conf = {
        .name = "monitor",
        .origins = plan_origin_table(s->plan),
        .monitors = s->monitors,
        .origins_unverified = !set->origin_tls_verify,
        .probes_max = probes,
        .workers = s->resolvers,
        .tls = s->tls_client,
        .egress = &s->egress,
        .node_ms = clock_node_ms,
        .wall_ms = clock_wall_ms,
        .timeout_ms = (uint32_t)set->fetch_timeout_ms,
        .lanes = s->lanes_n,
        /* a name is asked for with each check: it may be what is gone */
        .dns_fresh_ms = 0,
        .dns_stale_ms = 0,
#ifdef TEST_HOOKS
        .test_hosts_file = getenv("TYPEAUTH_TEST_HOSTS"),
#endif
    };
    struct reach *r;
    int err = reach_new(&r, &conf);
    s->monitor = r;
    if (err) fprintf(stderr, "typeauth: monitor: %s\n", err_text(err));
    return err;
}
