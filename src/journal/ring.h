/* Records of any length from one thread to another through a fixed piece of
 * memory: no lock, no allocation after the first record, never waits.
 *
 *   producer ── ring_put ──> |record|record|skip   |
 *                            ^tail         ^head
 *   consumer ── ring_peek, ring_pop
 *
 * A record lies in one piece, aligned for any type: what does not fit before the
 * end of the memory begins at its start. So does what finds the ring empty: a
 * consumer that keeps up leaves few lines in use, and those in the caches. */
#ifndef JOURNAL_RING_H
#define JOURNAL_RING_H

#include <stdatomic.h>

#include "base/sv.h"

struct ring {
    char *memory;
    uint32_t bytes;                /* a power of two */
    uint32_t reserved;             /* by ring_reserve, with its skip */
    uint32_t reserved_at;
    _Alignas(64) _Atomic uint64_t head; /* producer: bytes ever written */
    _Atomic uint64_t begin;             /* and those before the memory's start */
    _Alignas(64) _Atomic uint64_t tail; /* consumer: bytes ever read */
};

/* bytes: a power of two; memory comes with the first record. */
void ring_init(struct ring *r, uint32_t bytes);
void ring_fini(struct ring *r);
/* Producer: room for n > 0 bytes of which `spare` bytes of the ring must stay
 * free; NULL: there is none. Then ring_commit. */
void *ring_reserve(struct ring *r, size_t n, size_t spare);
void ring_commit(struct ring *r);
/* Consumer: the oldest record, until ring_pop; p NULL: none. */
struct sv ring_peek(struct ring *r);
void ring_pop(struct ring *r);

#endif
