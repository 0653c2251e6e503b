/* What the two doors share: the reactor's part of the edge, the visit that
 * becomes an event, and exchanges that wait. */
#ifndef EDGE_EDGE_INT_H
#define EDGE_EDGE_INT_H

#include "check/jwt.h"
#include "check/tracked.h"
#include "edge/edge.h"
#include "edge/forward.h"
#include "edge/reply.h"
#include "http/slab.h"

enum { VIA_MAX = 80, REQUEST_ID_TEXT = 32 };

struct edge {
    struct edge_conf conf;
    struct replies *replies;
    char via_text[2][VIA_MAX]; /* by minor version: "1.0 name", "1.1 name" */
    struct sv via[2];
    _Atomic size_t bodies_bytes; /* of requests that are being judged */
};

/* --- waiting ---------------------------------------------------------------
 * A check that answered WAIT is asked again when it said so, or about a
 * millisecond later. Zero it first. */
struct suspended {
    struct timer timer;
    struct work_job *job; /* out on a worker; then the timer means late */
    void (*resume)(struct suspended *s);
};

/* --- work.c ------------------------------------------------------------------
 * VERDICT_WORK: s->resume is called when exchange.work has been done, or is
 * late. False: no worker takes it; the exchange knows and can be run again at
 * once. The exchange stays where it is until then. */
struct held_body;
bool work_start(struct edge_reactor *er, struct suspended *s,
                struct exchange *x, struct held_body *body);
void work_forget(struct suspended *s); /* the exchange ends; harmless if none */
void work_late(struct suspended *s);

/* --- running streams --------------------------------------------------------
 * Answers that still run, with the secret that opened them: asked once a
 * second whether it still holds. A ring around the reactor's head. */
struct watched {
    struct watched *next, *prev; /* NULL: not watched */
};

struct edge_reactor {
    struct edge *edge;
    struct reactor *reactor;
    struct http_pool *pool;
    unsigned index;
    struct slab proxies, verifies, visits;

    struct watched streams, *sweep_at; /* sweep_at: the next to be asked */
    unsigned streams_n, sweep_step;
    struct timer sweep_timer;
    struct timer journal_timer; /* an idle reactor has a log to flush */

    int64_t wall_less_mono_ms; /* wall time = loop time + this */
    uint64_t wall_read_ms;     /* loop time of its last reading */

    struct edge_stats stats;
    uint32_t untraced;         /* exchanges since the last sample */
    uint64_t id_next, id_key, span_next;
    char id_prefix[REQUEST_ID_TEXT / 2];

    struct arena questions;    /* reset after each reading of a body */
    void *questions_memory;
    size_t bodies_bytes;       /* of questions that came in pieces */
    /* Where heads are made, one at a time: callbacks do not overlap. */
    struct forward forward;
    char text[FORWARD_TEXT_MAX];
};

/* A request's body that is judged: one piece of memory, counted against
 * conf.bodies_max, kept by its exchange and by work that reads it. */
struct held_body {
    struct edge *edge;
    unsigned refs;
    struct buf bytes;
};
void held_body_drop(struct held_body *b); /* NULL: nothing */

void edge_suspend(struct edge_reactor *er, struct suspended *s,
                  uint32_t retry_ms);
/* In this turn still, but behind the running callback. */
void edge_suspend_shortly(struct edge_reactor *er, struct suspended *s);
void edge_unsuspend(struct edge_reactor *er, struct suspended *s);
void edge_watch(struct edge_reactor *er, struct watched *w);
void edge_unwatch(struct edge_reactor *er, struct watched *w);
/* proxy.c: ends the stream if its secret holds no longer. */
void proxy_recheck(struct watched *w);
/* Loop time as wall time: for events, not for judging. */
int64_t edge_wall_ms(struct edge_reactor *er);

/* --- the visit ---------------------------------------------------------------
 * One HTTP exchange as its event will tell it: copies, since the head is gone
 * by then. */
enum { VISIT_TEXT = 384 };

struct visit {
    struct edge_reactor *er;
    struct http_stream *stream;
    uint64_t start_ns, origin_ns; /* 0: the origin did not answer */
    int64_t wall_ms;
    struct address address;
    struct sv request_id, method, host, path, app_id;
    bool tls;
    struct step_times times;      /* of its checks; n 0: none */
    /* when spans are exported (span.c): the trace and the parent's span, and
     * the span of this visit */
    struct trace_context context;
    uint8_t span_id[SPAN_ID_BYTES];
    bool has_parent, keeps_state; /* tracestate is passed on */
    struct event_counted counted; /* app 0: no application was found */
    struct arena arena;           /* the exchange's; begins in `text` */
    _Alignas(16) char text[VISIT_TEXT];
};

enum { VISIT_BUDGET = 256 * 1024 };

/* The arena may be used from here on. */
void visit_open(struct visit *v, struct edge_reactor *er,
                struct http_stream *s);
void visit_begin(struct visit *v, const struct http_head *h);
void visit_fini(struct visit *v);
/* The door's part of the event. */
struct visit_asked { /* what a question told of the request; "" unknown */
    struct sv method, host, path;
};
struct visit_end {
    enum outcome outcome;
    const char *code;        /* "" passed */
    const uint8_t *token_id; /* NULL: none */
    uint32_t token_slot;
    uint8_t door;
    bool no_bytes;           /* they are told by another event of this visit */
    const struct findings *findings; /* NULL: none */
    struct sv subject;       /* of a JWT; "" unknown */
    const struct visit_asked *asked; /* NULL: the visit's own */
    const struct step_times *times; /* NULL: no checks, or not timed */
    const struct event_counted *counted; /* NULL: the visit's own */
};
/* Until the origin's answer began; 0: it was not asked. */
uint32_t visit_origin_us(const struct visit *v);
void visit_report(struct visit *v, const struct visit_end *end);

/* What the exchange is counted as, as far as its run has found out. */
void visit_count(const struct exchange *x, struct event_counted *out);

/* --- trace.c ------------------------------------------------------------------ */
/* For exchange.times; NULL: nobody wants to know. `shown`: the client does. */
struct step_times *visit_times(struct visit *v, bool shown);
/* --- span.c ------------------------------------------------------------------- */
void visit_span(struct visit *v, const struct http_head *h);
void visit_span_next(struct visit *v);
/* The value for the origin, in `text`; "" when that is full. */
struct sv visit_traceparent(const struct visit *v, struct buf *text);

/* One in n of what was not refused, by the reactor's own count. */
bool visit_sample(struct edge_reactor *er);
/* Does the head prove that its sender holds a management key of the account? */
bool visit_may_see_times(const struct visit *v, const struct http_head *head,
                         struct sv account_id);
/* Is a trace to be kept of an exchange that ended so? */
bool visit_is_traced(struct visit *v, enum outcome outcome);
uint8_t visit_trace(const struct step_times *t,
                    struct trace_step out[TRACE_STEPS_MAX]);
/* The field Server-Timing, its value in `text`. */
struct http_field visit_server_timing(const struct visit *v, struct buf *text);

/* A request that became no exchange, or was too large or slow: the bodies of
 * http's own refusals, for both services. */
void edge_refusal(const struct visit *v, const struct http1_refusal *why,
                  struct http_refused *out);
/* The same for what never became an exchange; counts and logs it. */
void edge_refusal_early(struct edge_reactor *er, const struct conn *c,
                        const struct http1_refusal *why,
                        struct http_refused *out);

/* --- replies ----------------------------------------------------------------- */
static inline void edge_count(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static inline void edge_text(struct edge_reactor *er, struct buf *text)
{
    buf_init_fixed(text, er->text, sizeof er->text);
}

#endif
