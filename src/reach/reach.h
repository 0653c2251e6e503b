/* A thread that calls others: one reactor with its own names and pools. There
 * are two of them, of different parts: `reach` fetches key sets, asks issuers
 * and tells webhooks; `monitor` asks origins how they are and writes their
 * history, so that neither thousands of probes nor a slow disk keep a key set
 * waiting. What is reached from either never holds up traffic. */
#ifndef REACH_REACH_H
#define REACH_REACH_H

#include "reach/alert.h"
#include "reach/hook.h"
#include "reach/introspection.h"
#include "reach/key_set.h"
#include "reach/monitor.h"
#include "reach/probe.h"
#include "reach/push.h"

struct reach;

struct reach_conf {
    const char *name;         /* of the thread, static */
    struct keysets *sets;     /* NULL: none is fetched */
    struct introspections *introspections; /* NULL: none is asked */
    struct hooks *hooks;      /* NULL: none is called */
    struct alerts *alerts;    /* NULL: none are delivered */
    const struct smtp_server *mail_server; /* NULL: no mail is sent */
    struct pusher *pusher;    /* NULL: nothing is pushed */
    struct origin_table *origins; /* NULL: none is probed */
    struct monitors *monitors; /* NULL: nothing is monitored */
    bool origins_unverified;  /* any certificate of theirs will do */
    unsigned probes_max;      /* at once; 0: as prober_conf */
    struct workers *workers;
    struct tls_client *tls;
    const struct egress *egress;
    int64_t (*node_ms)(void), (*wall_ms)(void);
    const char *key_dir;      /* as in key_sets_conf */
    bool allow_plain;         /* key sets and issuers by http: */
    uint32_t timeout_ms;      /* of a fetch */
    unsigned lanes;           /* threads that verify */
    uint32_t dns_fresh_ms, dns_stale_ms;
#ifdef TEST_HOOKS
    const char *test_hosts_file;
#endif
};
/* No thread yet. conf's targets outlive it, but the workers: they end before
 * reach_free. */
int reach_new(struct reach **out, const struct reach_conf *conf);
int reach_start(struct reach *r);
void reach_stop(struct reach *r); /* joins; harmless if not started */
void reach_free(struct reach **r);

/* A key set, an issuer or an origin is due. Any thread; short. */
void reach_wake(struct reach *r);
/* For what else runs on this thread. */
struct reactor *reach_reactor(struct reach *r);
struct fetcher *reach_fetcher(struct reach *r);

#endif
