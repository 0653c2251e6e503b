/* The client side: calls to origins over pooled connections. One pool a
 * reactor; origins are small numbers given by their owner, so that the hot
 * path finds a pool without hashing.
 *
 *   call_start ─> (resolve ─> connect ─> TLS) | pooled ─> head written
 *        ─> on_head ─> on_body… ─> on_end          the connection goes back
 *        ─> on_fail                                 instead, at any point
 *
 * A call on a pooled connection that ends before its first response byte is
 * sent once more on a fresh one when the request is safe to repeat
 * (idempotent, no body bytes sent yet): inside, unseen by the caller. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "codec/http1.h"
#include "net/conn.h"
#include "net/dns.h"
#include "net/egress.h"
#include "net/tls.h"

struct http_pool; /* one a reactor */
struct http_call;

struct http_pool_conf {
    struct reactor *reactor;
    struct dns *dns;
    struct tls_client *tls;
    const struct egress *egress;  /* asked with each address; may change */
    struct http1_limits limits;
    unsigned reactors;            /* caps are divided by this, rounded up */
    unsigned waiting_max;         /* calls that wait for a connection, an
                                     origin and reactor; 0: 256 */
};
/* conf's targets outlive the pool. */
int http_pool_new(struct http_pool **out, const struct http_pool_conf *conf);
/* After the reactor's run has returned and after dns_free, before
 * reactor_free. Calls that still wait fail with ERR_SHUTDOWN. */
void http_pool_free(struct http_pool **p);

/* An origin as the pool needs it. `id` is a small dense number; (id,
 * generation) names this content: another generation under the same id
 * closes the old one's idle connections. Borrowed for the call. */
struct http_origin {
    uint32_t id, generation;
    struct sv host;        /* name or address literal without brackets */
    uint16_t port;
    bool tls, tls_verify;
    uint32_t conns_max;    /* over all reactors; 0: 1024 */
    uint32_t idle_max;     /* kept idle over all reactors; 0: 256 */
    uint32_t idle_ms;      /* 0: 4000 */
};

struct http_call_ops {
    /* Connected, the head is written: optional. Not of a connection that was
     * there at the start (http_call_conn tells). */
    void (*on_open)(struct http_call *c);
    /* Interim answers (100, 103): optional. */
    void (*on_info)(struct http_call *c, const struct http_head *head);
    /* Borrowed until the return. 101 has body TUNNEL: then on_body brings raw
     * bytes, http_call_body takes them, http_call_end ends our direction. */
    void (*on_head)(struct http_call *c, const struct http_head *head);
    /* Returns how many were taken; less than given: http_call_read(true) goes
     * on. Inside it http_call_conn(c) may be the `from` of a stream's body. */
    size_t (*on_body)(struct http_call *c, struct sv bytes);
    /* Last call: answer complete, trailers NULL or with fields. If the request
     * had not ended yet, its rest is not wanted. Tunnels: not the last call
     * unless http_call_end was called: the origin has ended its direction. */
    void (*on_end)(struct http_call *c, const struct http_head *trailers);
    void (*on_room)(struct http_call *c);
    /* Last call instead of on_end. `sent`: some byte of the request reached
     * the origin's socket. ERR_RESOLVE REFUSED TIMEOUT TLS PROTOCOL CLOSED
     * LIMIT DENIED (egress). After on_head it means a cut answer. */
    void (*on_fail)(struct http_call *c, int err, bool sent);
};

/* When what of connecting was done, CLOCK_MONOTONIC; 0: it was not, or the
 * connection was there already. */
struct http_call_times {
    uint64_t start_ns, resolved_ns, connected_ns, open_ns; /* open: TLS done */
};

struct http_request {
    struct sv method;             /* text */
    enum http_method method_id;
    struct sv target;             /* origin form */
    /* Without framing, connection and Expect; with Upgrade if `upgrade`. */
    const struct http_field *fields;
    size_t fields_n;
    enum http_body body;          /* NONE, LENGTH, CHUNKED */
    uint64_t content_length;
    bool upgrade;                 /* say Connection: upgrade */
    bool expect_continue;         /* say Expect: 100-continue */
    bool fresh;                   /* on a connection of its own, which ends
                                     with it */
    struct http_call_times *times; /* filled if given; until the last call */
    /* connect_ms: from the start until connected (queue, name, all addresses,
     * TLS); first_byte_ms: from the request's end to the answer's head;
     * idle_ms: no progress of either body. 0: 5000, 60000, 60000. */
    uint32_t connect_ms, first_byte_ms, idle_ms;
};

/* Everything in `req` is copied or written before return; memory for a call
 * comes from the pool's slab. No callback comes before the return. NONE and
 * LENGTH 0 have ended by this call (http_call_end is then harmless); else
 * http_call_end must follow.
 * ERR_TOOBIG: the head does not fit a block; there is no call then. */
int http_call_start(struct http_pool *p, const struct http_origin *o,
                    const struct http_request *req,
                    const struct http_call_ops *ops, void *ctx,
                    struct http_call **out);
void *http_call_ctx(const struct http_call *c);
struct conn *http_call_conn(const struct http_call *c); /* NULL: not yet */
/* Request body; order is kept also while connecting (bounded: stop the source
 * while http_call_queued is CONN_HIGH or more). `from` as in
 * http_stream_body. Errors are reported by on_fail as well. */
int http_call_body(struct http_call *c, struct sv bytes, struct conn *from);
void http_call_end(struct http_call *c, const struct http_field *trailers,
                   size_t trailers_n);
size_t http_call_queued(const struct http_call *c);
void http_call_read(struct http_call *c, bool on); /* back-pressure */
/* No callback follows; the connection is closed unless the call was still
 * waiting for one. Not from on_end or on_fail. */
void http_call_cancel(struct http_call *c);
/* A byte of the answer has come: for on_fail. */
bool http_call_answer_begun(const struct http_call *c);
/* Why it failed, for events: "certificate has expired". Static or call's. */
const char *http_call_problem(const struct http_call *c);
const struct addr *http_call_peer(const struct http_call *c);

struct http_pool_stats {
    _Atomic uint64_t connects, connect_failures, reused, stale_retries,
        waiting, idle, active;
};
struct http_pool_stats *http_pool_stats(struct http_pool *p);

#endif
