/* Immutable objects that many records share: equal ones exist once, counted
 * by the writer, found by readers through a number of 4 bytes.
 *
 * Writer's thread: all but shared_at. An object that nobody refers to any more
 * is freed, and its number used again, when the readers' turns have ended. */
#ifndef LIVE_SHARED_INT_H
#define LIVE_SHARED_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "live/region_int.h"

struct shared_pool;

struct shared { /* first member of what is shared */
    uint64_t hash;
    struct shared *next; /* same bucket */
    struct shared_pool *pool;
    uint32_t number, refs;
    uint32_t bytes;
};

struct shared_kind {
    bool (*equal)(const struct shared *a, const struct shared *b, void *ctx);
    void (*free)(struct shared *s, void *ctx);
};

struct shared_pool {
    const struct shared_kind *kind;
    void *ctx;
    struct region at;       /* struct shared *_Atomic, by number */
    struct shared **bucket;
    uint32_t buckets, n;
    uint32_t next_number;
    uint32_t *free_numbers, free_n, free_cap;
    uint64_t bytes, waiting; /* waiting: retired, not yet freed */
};

int shared_init(struct shared_pool *p, const struct shared_kind *kind,
                void *ctx, uint32_t max);
void shared_fini(struct shared_pool *p); /* nothing may wait; frees the rest */
/* Takes `s` (hash and bytes filled) or frees it and refers to its equal.
 * ERR_FULL: `s` is freed. */
int shared_put(struct shared_pool *p, struct shared *s, uint32_t *number);
void shared_drop(struct shared_pool *p, uint32_t number); /* 0: nothing */

/* Any thread in its turn; 0: NULL. */
static inline const struct shared *shared_at(const struct shared_pool *p,
                                             uint32_t number)
{
    struct shared *_Atomic *at = (struct shared *_Atomic *)(void *)p->at.base;
    return number ? atomic_load(&at[number]) : NULL;
}

#endif
