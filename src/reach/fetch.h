/* Calls that we make ourselves: one request, one answer, whole, bounded.
 * HTTPS is verified against the client's trust store; the egress policy is
 * asked with each address; redirects are not followed: a 302 is an answer
 * like any other. Connections are pooled by scheme, host and port. */
#ifndef REACH_FETCH_H
#define REACH_FETCH_H

#include "http/client.h"

struct fetcher; /* one a reactor, on whose thread all of this is called */
struct fetch;

struct fetcher_conf {
    struct reactor *reactor;
    struct dns *dns;
    struct tls_client *tls;
    const struct egress *egress;
    unsigned active_max; /* fetches at once; 0: 256 */
    unsigned origins_max; /* hosts known at once; 0: 256 */
};
int fetcher_new(struct fetcher **out, const struct fetcher_conf *conf);
/* After the reactor's run has returned and after dns_free, before
 * reactor_free. Fetches under way are dropped without callback. */
void fetcher_free(struct fetcher **f);

/* Borrowed until the callback returns. */
struct fetch_answer {
    int err;             /* 0: status, head and body are whole. Else DENIED
                            (http:, egress) INVALID (URL) TOOBIG TIMEOUT LIMIT
                            RESOLVE REFUSED TLS PROTOCOL CLOSED */
    const char *problem; /* of an err, for people: "certificate has expired" */
    unsigned status;
    const struct http_head *head; /* fields only */
    struct sv body;
    /* of a fresh fetch */
    struct http_call_times times;
    uint64_t first_byte_ns; /* the answer's head was there; 0: never */
    int64_t certificate_ms; /* when the peer's ends; 0: none was seen */
};

struct fetch_request {
    struct sv url;
    bool allow_plain;    /* http: too */
    bool unverified;     /* any certificate will do */
    bool fresh;          /* a connection of its own, and its times */
    struct sv method;    /* p NULL: GET, or POST with a body */
    struct sv body;      /* p NULL: none. One of more than 64 KiB stays until
                            done or the cancel */
    const struct http_field *fields; /* beside Host, User-Agent, framing */
    size_t fields_n;     /* <= FETCH_FIELDS_MAX */
    size_t answer_max;   /* bytes of the answer's body */
    bool cut;            /* a longer one is good, and so much of it given */
    uint32_t timeout_ms; /* for all of it */
    void (*done)(void *ctx, const struct fetch_answer *a);
    void *ctx;
};
enum { FETCH_FIELDS_MAX = 10 };

/* Copies what it needs. done comes exactly once, never before this returns,
 * whatever fails; then the fetch is gone. */
struct fetch *fetch_start(struct fetcher *f, const struct fetch_request *req);
/* No callback follows. Not from within done. */
void fetch_cancel(struct fetch *f);

#endif
