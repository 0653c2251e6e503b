#include "live/slice_int.h"

#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/pages.h"

int slices_init(struct slices *x, size_t reserve)
{
    *x = (struct slices){ 0 };
    ENSURE(reserve / SLICE_LINE <= UINT32_MAX);
    return region_init(&x->region, reserve);
}

void slices_fini(struct slices *x)
{
    region_fini(&x->region);
    mem_free(x->free);
    *x = (struct slices){ 0 };
}

static uint32_t lines(size_t n)
{
    return (uint32_t)((n + SLICE_LINE - 1) / SLICE_LINE);
}

static void free_remove(struct slices *x, uint32_t i)
{
    memmove(x->free + i, x->free + i + 1, (--x->free_n - i) * sizeof *x->free);
}

static void free_insert(struct slices *x, uint32_t i, struct slice e)
{
    if (x->free_n == x->free_cap) {
        x->free_cap = x->free_cap ? x->free_cap * 2 : 64;
        x->free = mem_realloc(x->free, x->free_cap * sizeof *x->free);
    }
    memmove(x->free + i + 1, x->free + i, (x->free_n++ - i) * sizeof *x->free);
    x->free[i] = e;
}

static void *place(const struct slices *x, uint32_t at)
{
    return x->region.base + (size_t)at * SLICE_LINE;
}

void *slices_take(struct slices *x, size_t n)
{
    uint32_t want = lines(n);
    for (uint32_t i = 0; i < x->free_n; i++) {
        struct slice *e = &x->free[i];
        uint32_t at = e->at;
        if (e->n < want) continue;
        e->at += want;
        e->n -= want;
        if (!e->n) free_remove(x, i);
        return place(x, at);
    }
    if (region_grow(&x->region, ((size_t)x->end + want) * SLICE_LINE) < 0)
        return NULL;
    x->end += want;
    return place(x, x->end - want);
}

/* The first free one behind `at`. */
static uint32_t next_of(const struct slices *x, uint32_t at)
{
    uint32_t from = 0, to = x->free_n;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (x->free[middle].at < at)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

void slices_give(struct slices *x, void *p, size_t n)
{
    size_t offset = (size_t)((char *)p - x->region.base);
    struct slice e = { (uint32_t)(offset / SLICE_LINE), lines(n) };
    uint32_t i = next_of(x, e.at);
    ENSURE(offset % SLICE_LINE == 0 && e.at + e.n <= x->end);
    if (i < x->free_n && e.at + e.n == x->free[i].at) {
        e.n += x->free[i].n;
        free_remove(x, i);
    }
    if (i > 0 && x->free[i - 1].at + x->free[i - 1].n == e.at) {
        e.at = x->free[i - 1].at;
        e.n += x->free[i - 1].n;
        free_remove(x, --i);
    }
    if (e.at + e.n == x->end)
        x->end = e.at;
    else
        free_insert(x, i, e);
}

/* Up to half a huge page more than is in use. */
void slices_settle(struct slices *x)
{
    size_t used = (size_t)x->end * SLICE_LINE;
    size_t n = (used + PAGES_HUGE / 2) / PAGES_HUGE * PAGES_HUGE;
    if (n && region_grow(&x->region, n) == 0) pages_join(x->region.base, n);
}
