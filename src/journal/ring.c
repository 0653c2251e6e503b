/* A ring of records: a word whose first four bytes are the length, bytes, up to
 * the next multiple of 8. Length SKIP: the rest of the memory is empty. */
#include "journal/ring.h"

#include "base/ensure.h"
#include "base/mem.h"

enum { WORD = 8 };
static const uint32_t SKIP = UINT32_MAX;

void ring_init(struct ring *r, uint32_t bytes)
{
    ENSURE(bytes >= 64 && !(bytes & (bytes - 1)));
    *r = (struct ring){ .bytes = bytes };
}

void ring_fini(struct ring *r)
{
    mem_free(r->memory);
    r->memory = NULL;
}

static size_t cell_of(size_t n)
{
    return (WORD + n + WORD - 1) & ~(size_t)(WORD - 1);
}

/* Where in the memory a position is. `begin` changes only while the ring is
 * empty, when the consumer looks at nothing. */
static size_t place_of(const struct ring *r, uint64_t position)
{
    uint64_t begin = atomic_load_explicit(&r->begin, memory_order_relaxed);
    return (size_t)(position - begin) & (r->bytes - 1);
}

void *ring_reserve(struct ring *r, size_t n, size_t spare)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    if (head == tail)
        atomic_store_explicit(&r->begin, head, memory_order_relaxed);
    size_t cell = cell_of(n), room = r->bytes - (size_t)(head - tail);
    size_t at = place_of(r, head), skip = 0;
    if (cell > r->bytes - at) skip = r->bytes - at;
    ENSURE(n && n < SKIP);
    if (cell > r->bytes || skip + cell > room || room - skip - cell < spare)
        return NULL;
    if (!r->memory) r->memory = mem_alloc(r->bytes);
    if (skip) memcpy(r->memory + at, &SKIP, sizeof SKIP);
    r->reserved = (uint32_t)(skip + cell);
    r->reserved_at = skip ? 0 : (uint32_t)at;
    uint32_t length = (uint32_t)n;
    memcpy(r->memory + r->reserved_at, &length, sizeof length);
    return r->memory + r->reserved_at + WORD;
}

void ring_commit(struct ring *r)
{
    atomic_store_explicit(&r->head,
                          atomic_load_explicit(&r->head, memory_order_relaxed) +
                              r->reserved,
                          memory_order_release);
}

static void advance(struct ring *r, uint64_t tail, size_t n)
{
    atomic_store_explicit(&r->tail, tail + n, memory_order_release);
}

struct sv ring_peek(struct ring *r)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    while (tail != head) {
        size_t at = place_of(r, tail);
        uint32_t n;
        memcpy(&n, r->memory + at, sizeof n);
        if (n != SKIP) return sv_of(r->memory + at + WORD, n);
        advance(r, tail, r->bytes - at);
        tail += r->bytes - at;
    }
    return (struct sv){ NULL, 0 };
}

void ring_pop(struct ring *r)
{
    struct sv record = ring_peek(r);
    ENSURE(record.p);
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    advance(r, tail, cell_of(record.n));
}
