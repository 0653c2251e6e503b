/* What pool.c (origins, connections) and client.c (calls) share. */
#ifndef HTTP_CLIENT_INT_H
#define HTTP_CLIENT_INT_H

#include "base/buf.h"
#include "http/client.h"
#include "http/slab.h"
#include "http/wire.h"

enum {
    CALL_ADDRS = 8,
    CALL_HEAD_INLINE = 2048, /* longer kept heads go to the heap */
    INTERIM_MAX = 32,        /* 1xx before one answer */
    KEEP_ALIVE_MARGIN_MS = 1000,
};

/* A connection to an origin. */
struct upstream {
    struct origin *origin;
    struct conn *conn;
    struct http_call *call;       /* NULL: idle or closing */
    struct upstream *next, *prev; /* in origin's idle list */
    uint32_t generation, idle_ms;
    bool idle, connected, pooled; /* pooled: has served before */
    bool last;                    /* do not use again */
    bool read_off;                /* conn_read(false) was said */
};

struct origin {
    struct http_pool *pool;
    struct http_origin conf;  /* host points to `host` */
    char host[256];
    unsigned conns, conns_max; /* of this reactor */
    unsigned idle_n, idle_max;
    struct upstream *idle;    /* newest first */
    struct http_call *waiting, **waiting_end;
    unsigned waiting_n;
};

struct http_pool {
    struct http_pool_conf conf;
    struct http_pool_stats stats;
    struct slab calls, dials, upstreams;
    struct origin **origins;
    uint32_t origins_n;
    struct http_call *failed;  /* to be told from outside their callers */
    struct timer failed_timer;
    bool freeing;              /* no new connections */
    struct http_head head;     /* the one being served */
};

enum call_state {
    CALL_WAITING,   /* for a connection to become free */
    CALL_RESOLVING, /* for the name */
    CALL_CONNECTING,
    CALL_OPEN,      /* head written */
    CALL_FAILED,    /* to be told: in the pool's list */
};

/* What a call needs only until it has its connection. */
struct dial {
    struct http_pool *pool;
    struct http_call *call; /* NULL: only the resolver still knows this */
    struct timer timer;     /* end of waiting and resolving */
    struct buf early;       /* the request's body in wire form */
    uint64_t until_ms;
    struct http_call_times *times; /* NULL: nobody asks */
    bool resolving;
    unsigned addrs_n, addrs_at;
    struct addr addrs[CALL_ADDRS];
};

struct http_call {
    struct http_pool *pool;
    struct origin *origin;
    const struct http_call_ops *ops;
    void *ctx;
    struct upstream *up;
    struct dial *dial;
    struct http_call *next; /* in origin's waiting or the pool's failed list */
    const char *problem;
    char *head;             /* kept wire form or NULL */
    uint32_t head_n, connect_ms, first_byte_ms, idle_ms;
    struct body_out out;
    struct body_in in;
    size_t searched;
    uint64_t sent_base, tick_out;
    int err;
    uint8_t state, method, interims;
    bool asks_upgrade, request_ended, reading, fresh;
    bool answer_begun, head_seen; /* its first byte, its head */
    bool retryable, retried, sent;
    /* from here on not cleared at the start */
    struct addr peer; /* once the connection is gone */
    char head_inline[CALL_HEAD_INLINE];
};

#define COUNT(pool, field, k)                                               \
    atomic_store_explicit(                                                  \
        &(pool)->stats.field,                                               \
        atomic_load_explicit(&(pool)->stats.field, memory_order_relaxed) +  \
            (uint64_t)(k),                                                  \
        memory_order_relaxed)

/* pool.c */
struct origin *origin_get(struct http_pool *p, const struct http_origin *o);
/* An idle connection, not yet tied to a call; NULL: none. */
struct upstream *upstream_reuse(struct origin *o);
/* What connecting needs, with the times that are asked for (NULL: none). */
void call_dial(struct http_call *c, struct http_call_times *times);
/* Ties the call to a fresh connection, or lets it wait for one. */
void call_seek(struct http_call *c);
void dial_drop(struct http_call *c); /* connected, or over */
void upstream_attach(struct upstream *u, struct http_call *c);
/* The call is done with it: to the pool, or closed. */
void upstream_release(struct upstream *u, bool reusable);
void waiting_remove(struct http_call *c);
/* client.c */
extern const struct conn_ops upstream_ops;
void call_opened(struct http_call *c);            /* connected: write */
void call_fail_later(struct http_call *c, int err, const char *problem);
void calls_tell_failed(struct timer *t);
void call_timed_out(struct http_call *c); /* waited or resolved too long */
void call_free(struct http_call *c);
/* pool.c, for upstream_ops */
void upstream_lost(struct upstream *u, int err); /* its conn is gone */

#endif
