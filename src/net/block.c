/* Blocks of one size, counted references, one owner thread, a ceiling. Input
 * stops below the ceiling so that what is being served can still be written:
 * the last eighth is for output. Above three quarters stall.c makes room. Small
 * blocks hold the rests of slow senders. */
#include "base/mem.h"
#include "net/reactor_int.h"

enum { FREE_KEPT = 64, SEGS_A_CHUNK = 64 };

static struct block *block_new(struct reactor *r, uint32_t cap)
{
    struct block *b = mem_alloc_try(sizeof *b + cap);
    if (!b) return NULL;
    b->r = r;
    b->cap = cap;
    return b;
}

static struct block *take(struct reactor *r, struct block **list, uint32_t cap,
                          size_t ceiling)
{
    if (r->pool_bytes + cap > ceiling) {
        STAT_ADD(r, blocks_refused, 1);
        return NULL;
    }
    struct block *b = *list;
    if (b) {
        *list = b->next;
        if (cap == BLOCK_BYTES) r->free_n--;
    } else if (!(b = block_new(r, cap))) {
        STAT_ADD(r, blocks_refused, 1);
        return NULL;
    }
    b->refs = 1;
    r->pool_bytes += cap;
    if (cap == BLOCK_BYTES) STAT_ADD(r, blocks_used, 1);
    return b;
}

static size_t input_ceiling(const struct reactor *r)
{
    return r->conf.blocks_bytes - r->conf.blocks_bytes / 8;
}

struct block *block_get(struct reactor *r)
{
    return take(r, &r->free_blocks, BLOCK_BYTES, r->conf.blocks_bytes);
}

struct block *block_get_input(struct reactor *r)
{
    return take(r, &r->free_blocks, BLOCK_BYTES, input_ceiling(r));
}

struct block *block_get_small(struct reactor *r)
{
    return take(r, &r->free_small, SMALL_BYTES, r->conf.blocks_bytes);
}

bool blocks_left(const struct reactor *r, unsigned n)
{
    return r->pool_bytes + (size_t)n * BLOCK_BYTES <= input_ceiling(r);
}

struct block *block_ref(struct block *b)
{
    b->refs++;
    return b;
}

void block_put(struct block *b)
{
    ENSURE(b->refs > 0);
    if (--b->refs) return;
    struct reactor *r = b->r;
    r->pool_bytes -= b->cap;
    if (b->cap == BLOCK_BYTES) {
        STAT_ADD(r, blocks_used, -1ull);
        if (r->free_n >= FREE_KEPT) {
            mem_free(b);
            return;
        }
        r->free_n++;
        b->next = r->free_blocks;
        r->free_blocks = b;
    } else {
        b->next = r->free_small;
        r->free_small = b;
    }
}

static void list_free(struct block *b)
{
    while (b) {
        struct block *next = b->next;
        mem_free(b);
        b = next;
    }
}

void blocks_fini(struct reactor *r)
{
    struct block *current[] = { r->in, r->plain, r->out };
    for (size_t i = 0; i < ARRAY_LEN(current); i++)
        if (current[i]) block_put(current[i]);
    list_free(r->free_blocks);
    list_free(r->free_small);
    while (r->seg_chunks) {
        struct seg *chunk = r->seg_chunks;
        r->seg_chunks = chunk->next;
        mem_free(chunk);
    }
}

/* The first of a chunk links the chunks. */
struct seg *seg_get(struct reactor *r)
{
    if (!r->free_segs) {
        struct seg *chunk = mem_alloc(SEGS_A_CHUNK * sizeof *chunk);
        chunk->next = r->seg_chunks;
        r->seg_chunks = chunk;
        for (int i = 1; i < SEGS_A_CHUNK; i++) seg_put(r, &chunk[i]);
    }
    struct seg *s = r->free_segs;
    r->free_segs = s->next;
    return s;
}

void seg_put(struct reactor *r, struct seg *s)
{
    s->next = r->free_segs;
    r->free_segs = s;
}
