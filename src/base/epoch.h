/* Deferred freeing for what readers see without locks (design §3). A reader
 * thread says when a turn begins and when it sleeps; retired objects are
 * freed once every awake reader has begun a turn since.
 *
 *   reader: epoch_wake -> load shared pointers (seq_cst) ... -> epoch_turn
 *           ... -> epoch_sleep
 *   writer: unlink (seq_cst store) -> epoch_retire -> epoch_reclaim (any time)
 *
 * Writers: any thread; retire and reclaim take an internal mutex, readers
 * never. A pointer must not be kept across epoch_turn without a hold of its
 * own (see plan/). */
#ifndef BASE_EPOCH_H
#define BASE_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct epoch_reader {
    _Alignas(64) _Atomic uint64_t seen; /* 0 = asleep */
    struct epoch_reader *next;
};

void epoch_join(struct epoch_reader *r);  /* register; starts asleep */
void epoch_leave(struct epoch_reader *r); /* must be asleep */

extern _Atomic uint64_t epoch_global_;

static inline void epoch_wake(struct epoch_reader *r)
{
    atomic_store(&r->seen, atomic_load(&epoch_global_));
}
static inline void epoch_turn(struct epoch_reader *r)
{
    atomic_store_explicit(&r->seen,
                          atomic_load_explicit(&epoch_global_,
                                               memory_order_acquire),
                          memory_order_release);
}
static inline void epoch_sleep(struct epoch_reader *r)
{
    atomic_store_explicit(&r->seen, 0, memory_order_release);
}

/* `free_fn(obj)` is called by the thread that reclaims. `ready` (may be NULL)
 * is asked after the grace period; while it says false the object waits. */
void epoch_retire(void *obj, void (*free_fn)(void *), bool (*ready)(void *));
/* Frees what can be freed; returns how many still wait. */
uint64_t epoch_reclaim(void);

#endif
