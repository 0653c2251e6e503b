/* Latency as counts in log-linear buckets: four to each doubling of
 * microseconds, 1 µs to 67 s, each within 25 % of its values. One thread
 * writes, any reads (relaxed: rows of one scrape may differ by an event).
 *
 *   bucket 0: 0-1 µs   1: 2   2: 3   3: 4   4: 5   5: 6   6: 7   7: 8
 *          8: 9-10     9: 11-12    10: 13-14    11: 15-16    12: 17-20 …
 * A bucket holds what is above the one before, up to its own edge included,
 * as Prometheus' `le` has it. */
#ifndef JOURNAL_HISTOGRAM_H
#define JOURNAL_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 100, HISTOGRAM_EDGES = HISTOGRAM_BUCKETS - 1 };

struct histogram {
    _Atomic uint64_t n[HISTOGRAM_BUCKETS]; /* the last: above all edges */
    _Atomic uint64_t sum_us;
};

/* A counter that only one thread writes: no locked instruction. */
static inline void counter_add(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(
        c, atomic_load_explicit(c, memory_order_relaxed) + n,
        memory_order_relaxed);
}
static inline uint64_t counter_read(const _Atomic uint64_t *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

static inline unsigned histogram_bucket(uint64_t us)
{
    uint64_t v = us ? us - 1 : 0; /* edges are inclusive */
    if (v < 4) return (unsigned)v;
    unsigned e = 63 - (unsigned)__builtin_clzll(v);
    unsigned at = (e - 1) * 4 + (unsigned)(v >> (e - 2) & 3);
    return at < HISTOGRAM_EDGES ? at : HISTOGRAM_EDGES;
}
/* The greatest value of a bucket below HISTOGRAM_EDGES. */
static inline uint64_t histogram_edge_us(unsigned bucket)
{
    unsigned next = bucket + 1;
    if (next < 4) return next;
    return (uint64_t)(4 + next % 4) << (next / 4 - 1);
}
static inline void histogram_add(struct histogram *h, uint64_t us)
{
    counter_add(&h->n[histogram_bucket(us)], 1);
    counter_add(&h->sum_us, us);
}

#endif
