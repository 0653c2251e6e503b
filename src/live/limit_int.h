/* The three ways to count (gateway.md §4), on a copy of one limit's state:
 * pure functions, no clock, no memory. take.c copies in and writes back.
 *
 * sliding       A ring of nine counts of window/8, the oldest counted whole:
 *               a request at t counts until the end of sub-window t/w + 8,
 *               more than the window and at most w more. And `now - last take
 *               >= window` clears it, so that a limit of 1 is exact.
 * fixed         One count a window; windows begin at multiples of it.
 * token_bucket  A level of what was taken, in 2^-20 requests, that runs out
 *               at limit / window; admits while level + cost <= burst. It is
 *               independent of the limit's value.
 *
 * What the nine counts hold together is <= the limit at the time of each
 * take, so a count needs 20 bits and a bit. */
#ifndef LIVE_LIMIT_INT_H
#define LIVE_LIMIT_INT_H

#include "model/policy.h"

enum { GAUGE_WORDS = 3, RING_LANES = 9, LANE_BITS = 21, LEVEL_BITS = 20 };

/* sliding: nine lanes of 21 bits, three a word; head = number of the newest
 *          sub-window, mod 2^32; the lane of sub-window i is i mod 9
 * fixed:   lane[0] = count, head = number of the window
 * bucket:  lane[0] = level, lane[1] = its time in ms
 * The words are written back from the last to the first: a bucket's time
 * before its level. */
struct gauge {
    uint64_t lane[GAUGE_WORDS];
    uint32_t head;
    uint64_t sub; /* sliding, after turn: all of the head; not kept */
};

struct gauge_now {
    int64_t now_ms;  /* >= last_ms */
    int64_t last_ms; /* last take of anything in this line */
};

struct limit_ops {
    /* Lets go what has left by now. */
    void (*turn)(struct gauge *g, const struct limit *l, struct gauge_now t);
    /* How much it admits now; after turn. */
    uint32_t (*room)(const struct gauge *g, const struct limit *l);
    void (*add)(struct gauge *g, uint32_t cost); /* after turn */
    /* After turn: ms from t.now_ms until room is >= want, if nothing is taken
     * meanwhile; want <= limit_capacity. */
    int64_t (*wait_ms)(const struct gauge *g, const struct limit *l,
                       struct gauge_now t, uint32_t want);
};
extern const struct limit_ops limit_ops[3]; /* by enum limit_algorithm */

struct limit_asked {
    int64_t at_ms; /* whole seconds count from here; t.now_ms may be later */
    uint32_t cost;
    uint32_t room; /* what it admits now */
};
struct limit_told {
    uint32_t limit, remaining;
    uint32_t reset_s; /* until remaining has grown, and to the cost asked */
};
struct limit_told limit_tell(const struct limit *l, const struct gauge *g,
                             struct gauge_now t,
                             const struct limit_asked *asked);
/* Sliding, after turn: takes back what was added in sub-window `sub`, unless
 * that has left. */
void limit_refund(struct gauge *g, uint64_t sub, uint32_t cost);

/* Rounded up; 0 for what is past. */
static inline uint32_t whole_s(int64_t ms)
{
    if (ms <= 0) return 0;
    int64_t s = (ms + 999) / 1000;
    return s < UINT32_MAX ? (uint32_t)s : UINT32_MAX;
}

/* The most that can ever be taken at once. */
static inline uint32_t limit_capacity(const struct limit *l)
{
    return l->algorithm == LIMIT_TOKEN_BUCKET && l->burst ? l->burst
                                                          : l->limit;
}

/* 1 … 259,200, one number for each algorithm and window: a state of another
 * shape is not ours and counts as empty. */
static inline uint32_t limit_shape(const struct limit *l)
{
    return 1u + l->algorithm * (uint32_t)WINDOW_MAX_S + l->window_s - 1;
}

#endif
