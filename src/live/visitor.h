/* Global limits by address or header value (gateway.md §1, step 4): how much
 * whoever comes has taken, without a record of his own, in memory of a fixed
 * size for all reactors together. Counted as the tokens' limits are (sliding:
 * gateway.md §4): never more than the limit in any window.
 *
 *   own      a place for each visitor that has taken something within his
 *            window. Nobody is pushed out before his window is past, however
 *            many come.
 *   network  who comes new and finds no place free is counted together with
 *            all such of his network (IPv4 /24, IPv6 /48; values: one of
 *            65,536 groups), under one limit. Who then gets a place of his own
 *            begins with what his network has taken: no less than he has.
 *   FAULT    there is no place for his network either: onFault decides.
 *
 * So a flood of made-up addresses costs those of its own networks who come
 * new, nobody who was there before, and lets nothing pass uncounted. Counts do
 * not outlive the process.
 *
 * Threads: take and refund from any; they hold a lock of 14 visitors for some
 * ten nanoseconds, and answer WAIT when another core holds it longer. */
#ifndef LIVE_VISITOR_H
#define LIVE_VISITOR_H

#include "base/ip.h"
#include "live/counter.h"

struct visitors;

enum { VISITORS_MIN = 1024, VISITORS_MAX = 1 << 26 };

/* `max` places for visitors and an eighth for networks, 37 bytes each; touched
 * as they are used. */
int visitors_new(struct visitors **out, uint32_t max);
void visitors_free(struct visitors **v);
/* Makes the table if there is none: before a plan that needs it is published.
 * Control thread. ERR_NOMEM. */
int visitors_reserve(struct visitors *v);
/* Once a second, one thread: a table that is in use gets huge pages. */
void visitors_settle(struct visitors *v);

struct visitor_ask {
    const struct limit *limit; /* sliding */
    uint32_t app;
    uint64_t scope;            /* what is counted: a number of the profile's */
    const struct ip *client;   /* IPv6 counts by /64 */
    struct sv value;           /* counted instead of the address; "": none,
                                  then there is a client */
    uint64_t key;              /* visitors_ahead's answer; 0: it was not asked */
    int64_t now_ms;            /* clock_node_ms(), read fresh */
    uint32_t cost;             /* 1-LIMIT_MAX */
    bool peek;                 /* judge, take nothing */
};
struct visitor_take { /* what was taken, to give it back */
    uint64_t key;
    int64_t unit;
    uint32_t cost;
    bool by_network; /* judged by what his network has taken */
};
/* Brings near what visitors_take will look at; then do something else first.
 * Of `ask` it wants whom, and the limit's window. */
uint64_t visitors_ahead(const struct visitors *v,
                        const struct visitor_ask *ask);
/* `out` as of counters_take, for one limit; *visit is filled by all but WAIT.
 * FAULT: no place, or no table. */
enum take visitors_take(struct visitors *v, const struct visitor_ask *ask,
                        struct take_answer *out, struct visitor_take *visit);
/* What a limit behind this one has refused is not counted here (gateway.md
 * §1, "What a refusal takes"). Kept counted when the place is held. */
void visitors_refund(struct visitors *v, const struct limit *limit,
                     const struct visitor_take *visit);

struct visitors_stats {
    _Atomic uint64_t places;     /* for visitors; 0: no table */
    _Atomic uint64_t used;       /* of these, ever taken */
    _Atomic uint64_t by_network; /* takes that found no place of their own */
    _Atomic uint64_t full;       /* takes that found none at all */
};
const struct visitors_stats *visitors_stats(const struct visitors *v);

#endif
