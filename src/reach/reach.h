/* The thread that calls others: one reactor with its own names and pools, on
 * which key sets are fetched and issuers asked. What is reached from it never holds up traffic. */
#ifndef REACH_REACH_H
#define REACH_REACH_H

#include "reach/alert.h"
#include "reach/hook.h"
#include "reach/introspection.h"
#include "reach/key_set.h"
#include "reach/probe.h"
#include "reach/push.h"

struct reach;

struct reach_conf {
    struct keysets *sets;
    struct introspections *introspections; /* NULL: none is asked */
    struct hooks *hooks;      /* NULL: none is called */
    struct alerts *alerts;    /* NULL: none are delivered */
    const struct smtp_server *mail_server; /* NULL: no mail is sent */
    struct pusher *pusher;    /* NULL: nothing is pushed */
    struct origin_table *origins; /* NULL: none is probed */
    bool origins_unverified;  /* any certificate of theirs will do */
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
