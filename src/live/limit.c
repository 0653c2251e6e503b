/* Sliding, fixed and token bucket on a copy of their state. */
#include "live/limit_int.h"

static int64_t window_ms(const struct limit *l)
{
    return (int64_t)l->window_s * 1000;
}

/* --- sliding ---------------------------------------------------------------- */
static const uint64_t LANE_MASK = ((uint64_t)1 << LANE_BITS) - 1;

static const struct {
    uint8_t word, shift;
} lane_at[RING_LANES] = {
    { 0, 0 },  { 0, 21 }, { 0, 42 }, { 1, 0 },  { 1, 21 },
    { 1, 42 }, { 2, 0 },  { 2, 21 }, { 2, 42 },
};

static uint64_t sub_ms(const struct limit *l)
{
    return (uint64_t)l->window_s * (1000 / 8);
}

static void ring_clear(struct gauge *g)
{
    for (int k = 0; k < GAUGE_WORDS; k++) g->lane[k] = 0;
}

static void sliding_turn(struct gauge *g, const struct limit *l,
                         struct gauge_now t)
{
    uint64_t sub = (uint64_t)t.now_ms / sub_ms(l);
    int32_t advance = (int32_t)((uint32_t)sub - g->head);
    if (t.now_ms - t.last_ms >= window_ms(l) || advance >= RING_LANES) {
        ring_clear(g);
    } else if (advance <= 0) {
        g->sub = sub - (uint64_t)(int64_t)advance;
        return;
    } else {
        unsigned at = (unsigned)(sub % RING_LANES);
        for (; advance > 0; advance--) {
            g->lane[lane_at[at].word] &= ~(LANE_MASK << lane_at[at].shift);
            at = at ? at - 1 : RING_LANES - 1;
        }
    }
    g->sub = sub;
    g->head = (uint32_t)sub;
}

static uint32_t ring_sum(const struct gauge *g)
{
    uint64_t sum = 0;
    for (int k = 0; k < GAUGE_WORDS; k++)
        sum += (g->lane[k] & LANE_MASK) + (g->lane[k] >> 21 & LANE_MASK) +
               (g->lane[k] >> 42 & LANE_MASK);
    return (uint32_t)sum;
}

static uint32_t room_of(uint32_t counted, const struct limit *l)
{
    uint32_t most = limit_capacity(l);
    return counted < most ? most - counted : 0;
}

static uint32_t sliding_room(const struct gauge *g, const struct limit *l)
{
    return room_of(ring_sum(g), l);
}

static void sliding_add(struct gauge *g, uint32_t cost)
{
    unsigned at = (unsigned)(g->sub % RING_LANES);
    g->lane[lane_at[at].word] += (uint64_t)cost << lane_at[at].shift;
}

static int64_t sliding_wait_ms(const struct gauge *g, const struct limit *l,
                               struct gauge_now t, uint32_t want)
{
    uint32_t counted = ring_sum(g), most = limit_capacity(l);
    int64_t all_gone = t.last_ms + window_ms(l) - t.now_ms;
    if (counted + want <= most) return 0;
    unsigned at = (unsigned)(g->sub % RING_LANES), age = RING_LANES;
    do {
        at = at + 1 < RING_LANES ? at + 1 : 0; /* from the oldest on */
        age--;
        counted -= (uint32_t)(g->lane[lane_at[at].word] >> lane_at[at].shift &
                              LANE_MASK);
    } while (counted + want > most && age > 0);
    int64_t gone = (int64_t)((g->sub + RING_LANES - age) * sub_ms(l));
    return gone - t.now_ms < all_gone ? gone - t.now_ms : all_gone;
}

/* --- fixed ------------------------------------------------------------------- */
static void fixed_turn(struct gauge *g, const struct limit *l,
                       struct gauge_now t)
{
    uint32_t window = (uint32_t)(t.now_ms / window_ms(l));
    if (g->head == window) return;
    g->head = window;
    g->lane[0] = 0;
}

static uint32_t fixed_room(const struct gauge *g, const struct limit *l)
{
    return room_of((uint32_t)g->lane[0], l);
}

static void fixed_add(struct gauge *g, uint32_t cost)
{
    g->lane[0] += cost;
}

static int64_t fixed_wait_ms(const struct gauge *g, const struct limit *l,
                             struct gauge_now t, uint32_t want)
{
    if (fixed_room(g, l) >= want) return 0;
    return window_ms(l) - t.now_ms % window_ms(l);
}

/* --- token bucket --------------------------------------------------------------- */
/* What runs out in `ms`: floor(ms * limit * 2^20 / window). No level lasts
 * longer than the first line allows, which keeps the product below 2^48. */
static uint64_t bucket_drained(const struct limit *l, int64_t ms)
{
    uint64_t window = (uint64_t)window_ms(l);
    if ((uint64_t)ms >= window * (LIMIT_MAX / l->limit + 1)) return UINT64_MAX;
    uint64_t product = (uint64_t)ms * l->limit;
    return (product / window << LEVEL_BITS) +
           ((product % window << LEVEL_BITS) / window);
}

static void bucket_turn(struct gauge *g, const struct limit *l,
                        struct gauge_now t)
{
    int64_t ms = t.now_ms - (int64_t)g->lane[1];
    if (ms < 0) return;
    uint64_t gone = bucket_drained(l, ms);
    g->lane[0] = g->lane[0] > gone ? g->lane[0] - gone : 0;
    g->lane[1] = (uint64_t)t.now_ms;
}

static uint32_t bucket_room(const struct gauge *g, const struct limit *l)
{
    uint64_t most = (uint64_t)limit_capacity(l) << LEVEL_BITS;
    return g->lane[0] < most ? (uint32_t)((most - g->lane[0]) >> LEVEL_BITS)
                             : 0;
}

static void bucket_add(struct gauge *g, uint32_t cost)
{
    g->lane[0] += (uint64_t)cost << LEVEL_BITS;
}

static int64_t bucket_wait_ms(const struct gauge *g, const struct limit *l,
                              struct gauge_now t, uint32_t want)
{
    uint64_t keep = (uint64_t)(limit_capacity(l) - want) << LEVEL_BITS;
    if (g->lane[0] <= keep) return 0;
    __extension__ typedef unsigned __int128 wide;
    wide rate = (wide)l->limit << LEVEL_BITS;
    wide due = (wide)(g->lane[0] - keep) * (uint64_t)window_ms(l);
    return (int64_t)((due + rate - 1) / rate) +
           ((int64_t)g->lane[1] - t.now_ms);
}

const struct limit_ops limit_ops[] = {
    [LIMIT_SLIDING] = { sliding_turn, sliding_room, sliding_add,
                        sliding_wait_ms },
    [LIMIT_FIXED] = { fixed_turn, fixed_room, fixed_add, fixed_wait_ms },
    [LIMIT_TOKEN_BUCKET] = { bucket_turn, bucket_room, bucket_add,
                             bucket_wait_ms },
};

/* --- all of them --------------------------------------------------------------- */
struct limit_told limit_tell(const struct limit *l, const struct gauge *g,
                             struct gauge_now t,
                             const struct limit_asked *asked)
{
    struct limit_told told = { .limit = limit_capacity(l),
                               .remaining = asked->room };
    uint32_t want = asked->room + 1;
    if (want < asked->cost) want = asked->cost;
    if (want > told.limit) want = told.limit;
    int64_t ms = limit_ops[l->algorithm].wait_ms(g, l, t, want);
    if (ms > 0) told.reset_s = whole_s(ms + (t.now_ms - asked->at_ms));
    return told;
}

void limit_refund(struct gauge *g, uint64_t sub, uint32_t cost)
{
    if (sub > g->sub || g->sub - sub >= RING_LANES) return;
    unsigned at = (unsigned)(sub % RING_LANES), shift = lane_at[at].shift;
    uint64_t *lane = &g->lane[lane_at[at].word], has = *lane >> shift;
    has &= LANE_MASK;
    *lane -= (has < cost ? has : cost) << shift;
}
