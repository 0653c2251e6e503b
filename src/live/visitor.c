/* The table of visitors: see visitor.h.
 *
 *   own      set | set | …         by the upper half of a keyed hash
 *   network  set | set | …  (1/8)
 *   set      lock, 14 prints | 14 × (end, nine counts)          8 cache lines
 *
 * A print is the lower half of the hash: two visitors are taken for each other
 * once in 10^8. An end is when all that a place counts has left, in units of
 * 125 ms (an eighth of the shortest window; every sub-window is a whole number
 * of them); until then the place is nobody else's. The time of the last take
 * follows from it and the window, which is part of the key.
 *
 * Who is counted by his network holds his own set meanwhile: whoever comes from
 * the same address at the same time waits for what he has taken. Own sets are
 * locked before those of networks, never two of a kind. */
#include "live/visitor.h"

#include "base/ensure.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/pages.h"
#include "base/rand.h"
#include "live/counter_int.h"

enum {
    WAYS = 14,
    NONE = WAYS,
    UNIT_MS = 125,
    WINDOW_UNITS = 8, /* in a second of the window */
    NETWORK_SHARE = 8,
    DENSE = 32, /* with every 32nd place taken nearly all pages are */
    NETWORKS_OF_VALUES = 1 << 16,
};

struct place {
    _Alignas(32) uint32_t end;
    uint64_t lane[GAUGE_WORDS];
};
struct set {
    _Alignas(64) _Atomic uint32_t lock;
    uint32_t print[WAYS]; /* 0: nobody yet */
    uint32_t unused;
    struct place at[WAYS];
};
_Static_assert(sizeof(struct set) == 512, "eight cache lines");

struct table {
    struct set *sets;
    uint32_t n;
};

struct visitors {
    uint32_t max;
    uint64_t secret[2];
    void *memory;
    _Atomic bool ready;
    bool settled;
    struct table own, network;
    _Atomic int64_t networks_end; /* unit: from then on none counts anything */
    struct visitors_stats stats;
};

/* --- life -------------------------------------------------------------------- */

int visitors_new(struct visitors **out, uint32_t max)
{
    struct visitors *v = NEW(struct visitors);
    v->max = max < VISITORS_MIN   ? VISITORS_MIN
             : max > VISITORS_MAX ? VISITORS_MAX
                                  : max;
    rand_bytes(v->secret, sizeof v->secret);
    *out = v;
    return 0;
}

static uint32_t own_sets(const struct visitors *v)
{
    return (v->max + WAYS - 1) / WAYS;
}

static uint32_t network_sets(const struct visitors *v)
{
    return own_sets(v) / NETWORK_SHARE + 1;
}

static size_t bytes_of(const struct visitors *v)
{
    return ((size_t)own_sets(v) + network_sets(v)) * sizeof(struct set);
}

void visitors_free(struct visitors **v)
{
    if (!*v) return;
    pages_free((*v)->memory, bytes_of(*v));
    mem_free(*v);
    *v = NULL;
}

int visitors_reserve(struct visitors *v)
{
    if (atomic_load(&v->ready)) return 0;
    const uint32_t own = own_sets(v);
    v->memory = pages_alloc(bytes_of(v));
    if (!v->memory) return ERR_NOMEM;
    v->own = (struct table){ v->memory, own };
    v->network = (struct table){ v->own.sets + own, network_sets(v) };
    atomic_store(&v->stats.places, (uint64_t)own * WAYS);
    atomic_store(&v->ready, true);
    return 0;
}

void visitors_settle(struct visitors *v)
{
    if (v->settled || !atomic_load_explicit(&v->ready, memory_order_acquire))
        return;
    if (atomic_load(&v->stats.used) < own_sets(v) * (uint64_t)WAYS / DENSE)
        return;
    v->settled = true;
    pages_join(v->memory, own_sets(v) * sizeof(struct set));
}

const struct visitors_stats *visitors_stats(const struct visitors *v)
{
    return &v->stats;
}

static void count(_Atomic uint64_t *stat)
{
    atomic_fetch_add_explicit(stat, 1, memory_order_relaxed);
}

/* --- keys ---------------------------------------------------------------------- */

struct name { /* hashed whole: no padding */
    uint64_t scope, value;
    uint32_t app, window_s, kind, zero;
    uint8_t address[16];
};
enum { OF_ADDRESS, OF_VALUE, NETWORK_OF_ADDRESS, NETWORK_OF_VALUE };

static void prefix_copy(uint8_t to[16], const struct ip *ip, unsigned v4_bytes,
                        unsigned v6_bytes)
{
    memcpy(to, ip->b, ip_is_v4(ip) ? 12 + v4_bytes : v6_bytes);
}

/* A value may come from anywhere: what is its network depends on it alone, or
 * it would lose on its way what it has taken. */
static uint64_t key_of(const struct visitors *v, const struct visitor_ask *a,
                       bool network)
{
    struct name n = { .scope = a->scope,
                      .app = a->app,
                      .window_s = a->limit->window_s };
    if (a->value.n) {
        n.kind = network ? NETWORK_OF_VALUE : OF_VALUE;
        n.value = hash_sv_keyed(a->value, v->secret);
        if (network) n.value &= NETWORKS_OF_VALUES - 1;
    } else {
        n.kind = network ? NETWORK_OF_ADDRESS : OF_ADDRESS;
        prefix_copy(n.address, a->client, network ? 3 : 4, network ? 6 : 8);
    }
    return hash_sv_keyed(sv_of(&n, sizeof n), v->secret);
}

static uint32_t print_of(uint64_t key)
{
    return (uint32_t)key ? (uint32_t)key : 1;
}

static struct set *set_of(const struct table *t, uint64_t key)
{
    return &t->sets[(key >> 32) * t->n >> 32];
}

static bool set_lock(struct set *s, unsigned spins)
{
    for (; spins; spins--) {
        if (!atomic_load_explicit(&s->lock, memory_order_relaxed) &&
            !atomic_exchange_explicit(&s->lock, 1, memory_order_acquire))
            return true;
        cpu_pause();
    }
    return false;
}

static void set_unlock(struct set *s)
{
    atomic_store_explicit(&s->lock, 0, memory_order_release);
}

/* --- places (under the lock) -------------------------------------------------------- */

static bool is_over(uint32_t end, int64_t unit)
{
    return (int32_t)(end - (uint32_t)unit) <= 0;
}

/* Where he stands if it was free: its line is fetched with the set's first. */
static unsigned place_first(uint64_t key)
{
    return (unsigned)((uint64_t)print_of(key) * WAYS >> 32);
}

static unsigned place_next(unsigned i)
{
    return i + 1 < WAYS ? i + 1 : 0;
}

/* His place, or NONE. */
static unsigned place_find(const struct set *s, uint64_t key)
{
    const uint32_t print = print_of(key);
    unsigned i = place_first(key);
    for (unsigned n = 0; n < WAYS; n++, i = place_next(i))
        if (s->print[i] == print) return i;
    return NONE;
}

/* One that counts nothing any more, or NONE. */
static unsigned place_free(const struct set *s, uint64_t key, int64_t unit)
{
    unsigned i = place_first(key);
    for (unsigned n = 0; n < WAYS; n++, i = place_next(i))
        if (!s->print[i] || is_over(s->at[i].end, unit)) return i;
    return NONE;
}

/* What a place holds, or will hold: on copies, as in take.c. */
struct count {
    struct gauge gauge;
    int64_t last; /* unit of the last take; long ago: none */
    struct gauge_now t;
    uint32_t room;
};

static void count_clear(struct count *c)
{
    c->gauge = (struct gauge){ .head = 0 };
    c->last = INT32_MIN;
}

static int64_t last_of(uint32_t end, const struct limit *l, int64_t unit)
{
    uint32_t last = end - 1 - WINDOW_UNITS * l->window_s;
    return unit + (int32_t)(last - (uint32_t)unit);
}

static void count_read(struct count *c, const struct set *s, unsigned i,
                       const struct visitor_ask *a)
{
    const int64_t unit = a->now_ms / UNIT_MS;
    if (is_over(s->at[i].end, unit)) {
        count_clear(c);
        return;
    }
    c->last = last_of(s->at[i].end, a->limit, unit);
    memcpy(c->gauge.lane, s->at[i].lane, sizeof c->gauge.lane);
    c->gauge.head = (uint32_t)(c->last / a->limit->window_s);
}

static void count_turn(struct count *c, const struct visitor_ask *a)
{
    const struct limit_ops *ops = &limit_ops[LIMIT_SLIDING];
    c->t.now_ms = a->now_ms;
    c->t.last_ms = (c->last + 1) * UNIT_MS; /* or up to a unit before */
    ops->turn(&c->gauge, a->limit, c->t);
    c->room = ops->room(&c->gauge, a->limit);
}

static int64_t count_end(const struct count *c, const struct visitor_ask *a)
{
    return c->last + 1 + (int64_t)WINDOW_UNITS * a->limit->window_s;
}

static void count_take(struct visitors *v, struct count *c, struct set *s,
                       unsigned i, uint64_t key, const struct visitor_ask *a)
{
    const int64_t unit = a->now_ms / UNIT_MS;
    if (c->last < unit) c->last = unit;
    limit_ops[LIMIT_SLIDING].add(&c->gauge, a->cost);
    c->room -= a->cost;
    c->t.last_ms = (c->last + 1) * UNIT_MS;
    if (!s->print[i] && s < v->network.sets) count(&v->stats.used);
    s->print[i] = print_of(key);
    s->at[i].end = (uint32_t)count_end(c, a);
    memcpy(s->at[i].lane, c->gauge.lane, sizeof c->gauge.lane);
}

static enum take count_judge(const struct count *c, const struct visitor_ask *a,
                             struct take_answer *out)
{
    bool refused = c->room < a->cost;
    *out = (struct take_answer){ .refused_by = refused ? 0 : TAKE_BY_NONE,
                                 .has_limit = true };
    return refused ? TAKE_REFUSED : TAKE_TAKEN;
}

/* --- networks ------------------------------------------------------------------------ */

/* Before the set of who is counted so is unlocked. */
static void networks_extend(struct visitors *v, int64_t end)
{
    int64_t was = atomic_load(&v->networks_end);
    while (was < end &&
           !atomic_compare_exchange_weak(&v->networks_end, &was, end))
        ;
}

/* His own place begins with what his network has taken. False: WAIT. */
static bool count_inherit(struct visitors *v, struct count *c,
                          const struct visitor_ask *a)
{
    if (atomic_load(&v->networks_end) <= a->now_ms / UNIT_MS) return true;
    uint64_t key = key_of(v, a, true);
    struct set *s = set_of(&v->network, key);
    if (!set_lock(s, SPINS_TAKE)) return false;
    unsigned i = place_find(s, key);
    if (i != NONE) count_read(c, s, i, a);
    set_unlock(s);
    return true;
}

static enum take network_take(struct visitors *v, struct count *c,
                              const struct visitor_ask *a,
                              struct take_answer *out,
                              struct visitor_take *visit)
{
    uint64_t key = key_of(v, a, true);
    struct set *s = set_of(&v->network, key);
    if (!set_lock(s, SPINS_TAKE)) return TAKE_WAIT;
    unsigned i = place_find(s, key);
    if (i != NONE)
        count_read(c, s, i, a);
    else
        i = place_free(s, key, a->now_ms / UNIT_MS);
    *visit = (struct visitor_take){ .key = key, .by_network = true };
    enum take took = TAKE_FAULT;
    count(i == NONE ? &v->stats.full : &v->stats.by_network);
    if (i != NONE) {
        count_turn(c, a);
        took = count_judge(c, a, out);
        if (took == TAKE_TAKEN && !a->peek) {
            count_take(v, c, s, i, key, a);
            networks_extend(v, count_end(c, a));
        }
    }
    set_unlock(s);
    return took;
}

static void answer(const struct count *c, const struct visitor_ask *a,
                   enum take took, struct take_answer *out)
{
    const struct limit_asked asked = { a->now_ms, a->cost, c->room };
    struct limit_told told = limit_tell(a->limit, &c->gauge, c->t, &asked);
    out->limit = told.limit;
    out->remaining = told.remaining;
    out->reset_s = told.reset_s;
    if (took == TAKE_REFUSED && a->cost <= told.limit)
        out->retry_after_s = told.reset_s;
}

/* --- the contract ------------------------------------------------------------------------ */

static enum take own_take(struct visitors *v, struct count *c, struct set *s,
                          uint64_t key, const struct visitor_ask *a,
                          struct take_answer *out, struct visitor_take *visit)
{
    unsigned i = place_find(s, key);
    if (i != NONE) {
        count_read(c, s, i, a);
    } else {
        i = place_free(s, key, a->now_ms / UNIT_MS);
        if (i == NONE) return network_take(v, c, a, out, visit);
        if (!count_inherit(v, c, a)) return TAKE_WAIT;
    }
    bool inherited = s->print[i] != print_of(key) && c->last >= 0;
    count_turn(c, a);
    enum take took = count_judge(c, a, out);
    *visit = (struct visitor_take){ .key = key,
                                    .by_network =
                                        inherited && took == TAKE_REFUSED };
    if (took == TAKE_TAKEN && !a->peek) count_take(v, c, s, i, key, a);
    return took;
}

uint64_t visitors_ahead(const struct visitors *v, const struct visitor_ask *ask)
{
    if (!atomic_load_explicit(&v->ready, memory_order_acquire)) return 0;
    uint64_t key = key_of(v, ask, false);
    struct set *s = set_of(&v->own, key);
    __builtin_prefetch(s, 1);
    __builtin_prefetch(&s->at[place_first(key)], 1);
    return key;
}

enum take visitors_take(struct visitors *v, const struct visitor_ask *ask,
                        struct take_answer *out, struct visitor_take *visit)
{
    struct count c;
    ENSURE(ask->cost - 1 < LIMIT_MAX && ask->limit->window_s &&
           ask->limit->algorithm == LIMIT_SLIDING);
    if (!atomic_load_explicit(&v->ready, memory_order_acquire))
        return TAKE_FAULT;
    uint64_t key = ask->key ? ask->key : visitors_ahead(v, ask);
    struct set *s = set_of(&v->own, key);
    count_clear(&c);
    if (!set_lock(s, SPINS_TAKE)) return TAKE_WAIT;
    enum take took = own_take(v, &c, s, key, ask, out, visit);
    set_unlock(s);
    if (took == TAKE_WAIT) return took;
    visit->unit = c.last;
    visit->cost = took == TAKE_TAKEN && !ask->peek ? ask->cost : 0;
    if (took != TAKE_FAULT) answer(&c, ask, took, out);
    return took;
}

void visitors_refund(struct visitors *v, const struct limit *limit,
                     const struct visitor_take *visit)
{
    if (!visit->cost) return;
    struct set *s =
        set_of(visit->by_network ? &v->network : &v->own, visit->key);
    if (!set_lock(s, SPINS_PATIENT)) return;
    unsigned i = place_find(s, visit->key);
    if (i != NONE && !is_over(s->at[i].end, visit->unit)) {
        struct gauge g = { .head = 0 };
        int64_t last = last_of(s->at[i].end, limit, visit->unit);
        memcpy(g.lane, s->at[i].lane, sizeof g.lane);
        g.sub = (uint64_t)(last / limit->window_s);
        limit_refund(&g, (uint64_t)(visit->unit / limit->window_s),
                     visit->cost);
        memcpy(s->at[i].lane, g.lane, sizeof g.lane);
    }
    set_unlock(s);
}
