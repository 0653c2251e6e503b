/* Bump allocation with a budget. */
#include "base/arena.h"

#include <stdio.h>

#include "base/mem.h"

enum { CHUNK_MIN = 4096, ALIGN = 16 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t n;
    _Alignas(16) char data[];
};

void arena_init(struct arena *a, size_t budget, void *first, size_t first_n)
{
    *a = (struct arena){ .budget = budget, .first = first, .first_n = first_n };
    arena_reset(a);
}

void arena_fini(struct arena *a)
{
    arena_reset(a);
}

void arena_reset(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *c = a->chunks;
        a->chunks = c->next;
        mem_free(c);
    }
    a->at = a->first;
    a->end = a->first ? a->first + a->first_n : NULL;
    a->used = 0;
    a->overflow = false;
}

static size_t pad_to_align(const char *p)
{
    return (size_t)(-(uintptr_t)p & (ALIGN - 1));
}

static bool arena_grow(struct arena *a, size_t n)
{
    size_t want = a->used < CHUNK_MIN ? CHUNK_MIN : a->used;
    if (want > 1u << 20) want = 1u << 20;
    if (want < n) want = n;
    if (want > a->budget - a->used) want = n;
    struct arena_chunk *c = NULL;
    if (n <= a->budget - a->used && n <= SIZE_MAX - sizeof *c)
        c = mem_alloc_try(sizeof *c + want);
    if (!c) {
        a->overflow = true;
        return false;
    }
    c->n = want;
    c->next = a->chunks;
    a->chunks = c;
    a->used += want;
    a->at = c->data;
    a->end = c->data + want;
    return true;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t pad = pad_to_align(a->at);
    size_t room = (size_t)(a->end - a->at);
    if (a->at == NULL || room < pad || room - pad < n) {
        if (!arena_grow(a, n)) return NULL;
        pad = 0;
    }
    void *p = a->at + pad;
    a->at += pad + n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);
    if (p) memset(p, 0, n);
    return p;
}

struct sv arena_dup(struct arena *a, struct sv s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (!p) return (struct sv){ NULL, 0 };
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return sv_of(p, s.n);
}

char *arena_cstr(struct arena *a, struct sv s)
{
    return (char *)(uintptr_t)arena_dup(a, s).p;
}

struct sv arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (!p) return (struct sv){ NULL, 0 };
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return sv_of(p, (size_t)n);
}
