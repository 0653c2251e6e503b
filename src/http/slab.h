/* Objects of one size for one thread: a free list over chunks from the heap,
 * which go back only at the end. */
#ifndef HTTP_SLAB_H
#define HTTP_SLAB_H

#include "base/mem.h"

struct slab_item {
    struct slab_item *next;
};

struct slab {
    size_t item_bytes;
    struct slab_item *free, *chunks; /* a chunk begins with its link */
};

enum { SLAB_CHUNK_ITEMS = 32 };

static inline void slab_init(struct slab *s, size_t item_bytes)
{
    *s = (struct slab){.item_bytes = (item_bytes + 15) / 16 * 16};
}

static inline void slab_grow(struct slab *s)
{
    char *chunk = mem_alloc(16 + SLAB_CHUNK_ITEMS * s->item_bytes);
    ((struct slab_item *)(void *)chunk)->next = s->chunks;
    s->chunks = (struct slab_item *)(void *)chunk;
    for (size_t i = SLAB_CHUNK_ITEMS; i-- > 0;) {
        struct slab_item *item =
            (struct slab_item *)(void *)(chunk + 16 + i * s->item_bytes);
        item->next = s->free;
        s->free = item;
    }
}

/* Not cleared. */
static inline void *slab_get(struct slab *s)
{
    if (!s->free) slab_grow(s);
    struct slab_item *item = s->free;
    s->free = item->next;
    __builtin_prefetch(s->free, 1); /* for the next time */
    return item;
}

static inline void slab_put(struct slab *s, void *p)
{
    struct slab_item *item = p;
    item->next = s->free;
    s->free = item;
}

static inline void slab_fini(struct slab *s)
{
    while (s->chunks) {
        struct slab_item *chunk = s->chunks;
        s->chunks = chunk->next;
        mem_free(chunk);
    }
    s->free = NULL;
}

#endif
