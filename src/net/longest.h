/* The longest of what one thread measures, of the present minute and the one
 * before: a gauge that any number of readers may look at, each as often as it
 * likes, and none that looks once a minute misses one. Minutes take turns in
 * two places. Relaxed figures: one more or less of a minute's first moment. */
#ifndef NET_LONGEST_H
#define NET_LONGEST_H

#include <stdatomic.h>
#include <stdint.h>

enum { LONGEST_SPANS = 2 };
#define LONGEST_SPAN_NS 60000000000ull

struct longest {
    struct { _Atomic uint64_t minute, ns; } spans[LONGEST_SPANS];
};

/* The one thread that measures. `at_ns`: when, rising. */
static inline void longest_add(struct longest *l, uint64_t at_ns, uint64_t ns)
{
    uint64_t minute = at_ns / LONGEST_SPAN_NS;
    _Atomic uint64_t *of = &l->spans[minute % LONGEST_SPANS].minute;
    _Atomic uint64_t *most = &l->spans[minute % LONGEST_SPANS].ns;
    if (atomic_load_explicit(of, memory_order_relaxed) != minute) {
        atomic_store_explicit(most, 0, memory_order_relaxed);
        atomic_store_explicit(of, minute, memory_order_release);
    }
    if (ns > atomic_load_explicit(most, memory_order_relaxed))
        atomic_store_explicit(most, ns, memory_order_relaxed);
}

/* Any thread; 0: nothing was measured. */
static inline uint64_t longest_ns(const struct longest *l, uint64_t at_ns)
{
    uint64_t minute = at_ns / LONGEST_SPAN_NS, most = 0;
    for (int i = 0; i < LONGEST_SPANS; i++) {
        uint64_t of =
            atomic_load_explicit(&l->spans[i].minute, memory_order_acquire);
        uint64_t ns =
            atomic_load_explicit(&l->spans[i].ns, memory_order_relaxed);
        if (of + LONGEST_SPANS > minute && ns > most) most = ns;
    }
    return most;
}

#endif
