#include "reach/reach.h"

#include <pthread.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    BLOCKS_BYTES = 8 << 20,
    CONNS_MAX = 1024, /* beside those of probes */
    NAMES_MAX = 1024,
    PROBED_NAMES_MAX = 16384,
};

struct reach {
    struct reactor *reactor;
    struct dns *dns;
    struct fetcher *fetcher;
    struct key_sets *key_sets;
    struct introspector *introspector;
    struct prober *prober;
    struct hook_poster *poster;
    struct alert_poster *alerts;
    struct pusher *pusher;
    const char *name;
    pthread_t thread;
    bool started;
    struct mail wake;
    _Atomic bool woken; /* the mail is on its way */
};

static void on_wake(struct mail *mail)
{
    struct reach *r = CONTAINER_OF(mail, struct reach, wake);
    atomic_store(&r->woken, false); /* before looking: nothing is missed */
    if (r->key_sets) key_sets_run(r->key_sets);
    if (r->introspector) introspector_run(r->introspector);
    if (r->prober) prober_run(r->prober);
    if (r->poster) hook_poster_run(r->poster);
    if (r->alerts) alert_poster_run(r->alerts);
    if (r->pusher) pusher_run(r->pusher);
}

void reach_wake(struct reach *r)
{
    if (atomic_exchange(&r->woken, true)) return;
    if (reactor_post(r->reactor, &r->wake)) atomic_store(&r->woken, false);
}

struct reactor *reach_reactor(struct reach *r)
{
    return r->reactor;
}

struct fetcher *reach_fetcher(struct reach *r)
{
    return r->fetcher;
}

static int open_all(struct reach *r, const struct reach_conf *conf)
{
    struct reactor_conf reactor = { .blocks_bytes = BLOCKS_BYTES,
                                    .max_conns = CONNS_MAX + conf->probes_max };
    int err = reactor_new(&r->reactor, &reactor);
    if (err) return err;
    struct dns_conf dns = {
        .reactor = r->reactor,
        .workers = conf->workers,
        .fresh_ms = conf->dns_fresh_ms,
        .stale_ms = conf->dns_stale_ms,
        .max_names = conf->monitors ? PROBED_NAMES_MAX : NAMES_MAX,
#ifdef TEST_HOOKS
        .test_hosts_file = conf->test_hosts_file,
#endif
    };
    if ((err = dns_new(&r->dns, &dns))) return err;
    struct fetcher_conf fetcher = { .reactor = r->reactor,
                                    .dns = r->dns,
                                    .tls = conf->tls,
                                    .egress = conf->egress,
                                    .active_max = conf->probes_max,
                                    .origins_max = conf->probes_max };
    if ((err = fetcher_new(&r->fetcher, &fetcher))) return err;
    const struct introspector_conf introspector = {
        .table = conf->introspections,
        .fetcher = r->fetcher,
        .node_ms = conf->node_ms,
        .allow_plain = conf->allow_plain,
        .timeout_ms = conf->timeout_ms,
    };
    if (conf->introspections) introspector_new(&r->introspector, &introspector);
    const struct hook_poster_conf poster = {
        .table = conf->hooks,
        .fetcher = r->fetcher,
        .reactor = r->reactor,
        .wall_ms = conf->wall_ms,
        .allow_plain = conf->allow_plain,
        .timeout_ms = conf->timeout_ms,
    };
    if (conf->hooks) hook_poster_new(&r->poster, &poster);
    const struct alert_poster_conf alerts = {
        .alerts = conf->alerts,
        .fetcher = r->fetcher,
        .reactor = r->reactor,
        .dns = r->dns,
        .tls = conf->tls,
        .egress = conf->egress,
        .server = conf->mail_server,
        .wall_ms = conf->wall_ms,
        .allow_plain = conf->allow_plain,
        .timeout_ms = conf->timeout_ms,
    };
    if (conf->alerts) alert_poster_new(&r->alerts, &alerts);
    r->pusher = conf->pusher;
    if (r->pusher) pusher_start(r->pusher, r->reactor, r->fetcher);
    const struct prober_conf prober = {
        .table = conf->origins,
        .monitors = conf->monitors,
        .reactor = r->reactor,
        .fetcher = r->fetcher,
        .active_max = conf->probes_max,
        .unverified = conf->origins_unverified,
    };
    if (conf->origins || conf->monitors) prober_new(&r->prober, &prober);
    if (!conf->sets) return 0;
    struct key_sets_conf key_sets = { .sets = conf->sets,
                                      .reactor = r->reactor,
                                      .workers = conf->workers,
                                      .fetcher = r->fetcher,
                                      .node_ms = conf->node_ms,
                                      .wall_ms = conf->wall_ms,
                                      .dir = conf->key_dir,
                                      .allow_plain = conf->allow_plain,
                                      .timeout_ms = conf->timeout_ms,
                                      .lanes = conf->lanes };
    return key_sets_new(&r->key_sets, &key_sets);
}

int reach_new(struct reach **out, const struct reach_conf *conf)
{
    struct reach *r = NEW(struct reach);
    r->name = conf->name;
    r->wake.deliver = on_wake;
    int err = open_all(r, conf);
    if (err) reach_free(&r);
    *out = r;
    if (r) reach_wake(r); /* what was held before is due */
    return err;
}

static void *reach_main(void *arg)
{
    struct reach *r = arg;
    reactor_run(r->reactor);
    return NULL;
}

int reach_start(struct reach *r)
{
    if (pthread_create(&r->thread, NULL, reach_main, r)) return ERR_NOMEM;
    r->started = true;
    pthread_setname_np(r->thread, r->name);
    return 0;
}

void reach_stop(struct reach *r)
{
    if (!r->started) return;
    reactor_stop(r->reactor, 0);
    pthread_join(r->thread, NULL);
    r->started = false;
}

void reach_free(struct reach **rp)
{
    struct reach *r = *rp;
    if (!r) return;
    ENSURE(!r->started);
    if (r->key_sets) key_sets_close(r->key_sets);
    if (r->alerts) alert_poster_close(r->alerts);
    if (r->dns) dns_free(&r->dns); /* before the pool that asks it */
    if (r->fetcher) fetcher_free(&r->fetcher);
    if (r->reactor) reactor_free(&r->reactor);
    if (r->key_sets) key_sets_free(&r->key_sets);
    introspector_free(&r->introspector);
    prober_free(&r->prober);
    hook_poster_free(&r->poster);
    alert_poster_free(&r->alerts);
    mem_free(r);
    *rp = NULL;
}
