/* The data plane's conductor: two doors, one chain (design §2).
 *
 *   proxy:  client → application → checks → origin → client
 *   verify: POST /authenticate → application → checks → answer
 *
 * Each door is a struct http_service; its context (http_server_conf.ctx, or
 * that of http_stream_dispatch) is the reactor's struct edge_reactor. Exactly
 * one journal event an exchange, after its reply; a batch has one a question. */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include "check/exchange.h"
#include "http/address.h"
#include "http/client.h"
#include "http/server.h"
#include "live/signing.h"
#include "journal/journal.h"
#include "net/worker.h"

struct edge;         /* one a process, immutable after start */
struct edge_reactor; /* one a reactor, on its thread only */

/* Management keys, as far as /authenticate needs them. Any reactor thread;
 * short, without locks. The secret is not kept. */
struct edge_keys {
    bool (*is_of_account)(void *ctx, struct sv secret, struct sv account_id);
    void *ctx;
};

/* All that it points to is borrowed for the life of the edge. */
struct edge_conf {
    const struct check_env *checks;
    struct journal *journal;
    struct workers *workers;       /* long metadata */
    struct workers *judges;        /* work of checks; NULL: none is taken */
    uint32_t work_late_ms;         /* then it is a fault; 0: 1 s */
    struct tls_client *tls;        /* to origins */
    const struct egress *egress;
    struct address_trust trust;    /* trustedProxies */
    struct sv name;                /* in Via; "" is "typeauth" */
    struct edge_keys keys;         /* is_of_account NULL: no key is known */
    /* Where the application says none; 0: 5 s, 60 s, 300 s. */
    uint32_t connect_ms, first_byte_ms, idle_ms;
    uint32_t origin_conns;         /* to one origin, over all reactors */
    size_t bodies_max;             /* bytes of request bodies that are held to
                                      be judged, over all reactors; 0: 64 MiB.
                                      What is read meanwhile may exceed it by
                                      one body a reactor */
    bool origins_unverified;       /* any certificate of an origin will do */
    struct signing *signing;       /* keys of assertions to origins; NULL:
                                      none can be made */
    struct sv issuer;              /* their iss */
    bool traces;                   /* the checks of every exchange are timed */
    uint32_t trace_sample;         /* and one in n that passed is kept; 0: only
                                      refusals */
    bool spans;                    /* traces are exported: trace context is
                                      taken over and told to origins */
    unsigned reactors;
};

int edge_new(struct edge **out, const struct edge_conf *conf);
void edge_free(struct edge **e); /* after its reactors */
int edge_reactor_new(struct edge_reactor **out, struct edge *e,
                     struct reactor *r, struct dns *dns);
/* After the reactor's run has returned and after dns_free. */
void edge_reactor_free(struct edge_reactor **er);
/* In the reactor's on_turn; also the turn of its counters and its journal. */
void edge_turn(struct edge_reactor *er);
struct http_pool *edge_pool(struct edge_reactor *er); /* for metrics */
struct edge_stats { /* written by its reactor only */
    _Atomic uint64_t asserted;        /* requests with a signed assertion */
    _Atomic uint64_t assert_failures; /* refused for want of one */
    _Atomic uint64_t retries;         /* requests sent again */
    _Atomic uint64_t retries_refused; /* for want of budget */
    _Atomic uint64_t breaker_refused; /* no origin's breaker let them pass */
    /* work of checks: came back (and how long it had waited and run), found
     * the queue full, came back too late */
    struct work_stats {
        _Atomic uint64_t done, waited_us, ran_us, refused, late;
    } works[WORK_KINDS];
};
const struct edge_stats *edge_stats(const struct edge_reactor *er);

extern const struct http_service edge_proxy_service;
/* /authenticate and /authenticate/batch; any other path is 404. */
extern const struct http_service edge_verify_service;
/* Every request is one for /.well-known/jwks.json. */
extern const struct http_service edge_jwks_service;

#endif
