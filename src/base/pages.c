#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; before, the kernel comes by itself */
#endif

/* A multiple of PAGES_HUGE within what was mapped; the rest goes back. */
static char *trim(char *from, size_t mapped, size_t n)
{
    size_t before = -(uintptr_t)from & (PAGES_HUGE - 1);
    if (before) munmap(from, before);
    if (mapped > before + n) munmap(from + before + n, mapped - before - n);
    return from + before;
}

static size_t whole(size_t n)
{
    enum { PAGE = 4096 };
    return (n + PAGE - 1) / PAGE * PAGE;
}

static void *map(size_t n, int protection)
{
    n = whole(n);
    size_t mapped = n < PAGES_HUGE ? n : n + PAGES_HUGE;
    void *p = mmap(NULL, mapped, protection,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if (mapped != n) p = trim(p, mapped, n);
    madvise(p, n, MADV_DONTDUMP);
    return p;
}

void *pages_alloc(size_t n)
{
    return map(n, PROT_READ | PROT_WRITE);
}

void *pages_reserve(size_t n)
{
    return map(n, PROT_NONE);
}

void pages_free(void *p, size_t n)
{
    if (p) munmap(p, whole(n));
}

/* The huge pages that lie in it whole. */
static void advise(void *p, size_t n, int advice)
{
    uintptr_t from = ((uintptr_t)p + PAGES_HUGE - 1) & -(uintptr_t)PAGES_HUGE;
    uintptr_t to = ((uintptr_t)p + n) & -(uintptr_t)PAGES_HUGE;
    if (from < to) madvise((void *)from, to - from, advice);
}

void pages_expect(void *p, size_t n)
{
    advise(p, n, MADV_HUGEPAGE);
}

void pages_join(void *p, size_t n)
{
    advise(p, n, MADV_HUGEPAGE);
    advise(p, n, MADV_COLLAPSE);
}
