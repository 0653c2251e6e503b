/* The latest turns of a reactor that took long in CPU time: when, and on which
 * processor, so that each can be laid beside what else happened then (a log, the
 * kernel's, a processor that stood still). One thread adds, one reads; when
 * LONG_TURNS_KEPT or more came since it read, the oldest are only counted.
 *
 * A seqlock without a lock: a turn's fields are stored after the count that says
 * that its place is being written, and read before the count is looked at again
 * (Boehm, Can seqlocks get along with programming language memory models?). */
#ifndef NET_LONG_TURN_H
#define NET_LONG_TURN_H

#include <stdatomic.h>
#include <stdint.h>

enum { LONG_TURNS_KEPT = 16 };

struct long_turn {
    uint64_t ended_ns; /* clock_mono_ns */
    uint64_t wall_ns, cpu_ns;
    uint64_t processor; /* on which it ended */
};

struct long_turns {
    _Atomic uint64_t n; /* all of them */
    struct { _Atomic uint64_t ended_ns, wall_ns, cpu_ns, processor; }
        kept[LONG_TURNS_KEPT];
};

/* The reactor's thread. */
static inline void long_turns_add(struct long_turns *l,
                                  const struct long_turn *t)
{
    uint64_t n = atomic_load_explicit(&l->n, memory_order_relaxed);
#define PUT(field)                                                  \
    atomic_store_explicit(&l->kept[n % LONG_TURNS_KEPT].field,      \
                          t->field, memory_order_release)
    PUT(ended_ns);
    PUT(wall_ns);
    PUT(cpu_ns);
    PUT(processor);
#undef PUT
    atomic_store_explicit(&l->n, n + 1, memory_order_release);
}

/* Any one thread: those since `*seen`, the oldest first, and `*seen` goes on.
 * Returns how many there are in `out`. */
static inline unsigned long_turns_since(const struct long_turns *l,
                                        uint64_t *seen,
                                        struct long_turn out[LONG_TURNS_KEPT])
{
    uint64_t n = atomic_load_explicit(&l->n, memory_order_acquire);
    uint64_t from = *seen + LONG_TURNS_KEPT < n ? n - LONG_TURNS_KEPT : *seen;
    unsigned got = 0;
    *seen = n;
    for (uint64_t i = from; i < n; i++) {
        struct long_turn t;
#define GET(field)                                                        \
    t.field = atomic_load_explicit(&l->kept[i % LONG_TURNS_KEPT].field,   \
                                   memory_order_acquire)
        GET(ended_ns);
        GET(wall_ns);
        GET(cpu_ns);
        GET(processor);
#undef GET
        /* the place of the turn that may be coming now was this one's? */
        if (i + LONG_TURNS_KEPT >
            atomic_load_explicit(&l->n, memory_order_relaxed))
            out[got++] = t;
    }
    return got;
}

#endif
