/* Sends documents to a collector: OTLP over HTTP (metrics, traces) and batches
 * of log lines. A place each; what is in it is sent until the collector takes
 * it, with growing pauses, or gives up after some minutes. Whoever fills a
 * place asks first whether it is free, and keeps (or counts) what has no room.
 * On the reach reactor, by its fetcher, so under the egress policy. */
#ifndef REACH_PUSH_H
#define REACH_PUSH_H

#include "base/buf.h"
#include "reach/fetch.h"

enum push_place { PUSH_METRICS, PUSH_TRACES, PUSH_LOGS, PUSH_PLACES };

struct pusher;

struct pusher_conf {
    struct { const char *url; } places[PUSH_PLACES]; /* NULL: none; outlive it */
    /* Each "Name: value", without control characters; outlive it. */
    const struct http_field *fields;
    size_t fields_n;         /* <= PUSH_FIELDS_MAX */
    uint32_t timeout_ms;     /* of an attempt */
    void (*wake)(void *ctx); /* the reach thread: pusher_run is wanted */
    void *ctx;
};
enum { PUSH_FIELDS_MAX = 6 };

void pusher_new(struct pusher **out, const struct pusher_conf *conf);
/* After its threads ended: what places still hold is dropped, counted, told. */
void pusher_stop(struct pusher *p);
void pusher_free(struct pusher **p); /* after the fetcher was freed */

/* --- any thread ------------------------------------------------------------------ */
bool pusher_has(const struct pusher *p, enum push_place place); /* a URL */
bool pusher_is_free(struct pusher *p, enum push_place place);
/* A place that is free; takes the buffer's memory. `items`: what it holds, for
 * the figures. */
void pusher_put(struct pusher *p, enum push_place place, struct buf *body,
                uint64_t items);
/* Items that have no room elsewhere. */
void pusher_drop(struct pusher *p, enum push_place place, uint64_t items);
void pusher_metrics(struct pusher *p, struct buf *out);

/* --- the reach thread -------------------------------------------------------------- */
void pusher_start(struct pusher *p, struct reactor *r, struct fetcher *f);
void pusher_run(struct pusher *p);

#endif
