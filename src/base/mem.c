/* The heap behind one door, so that a budget or a counter has one place. */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/ensure.h"

void *mem_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    ENSURE(p != NULL);
    return p;
}

void *mem_zalloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    ENSURE(p != NULL);
    return p;
}

void *mem_realloc(void *old, size_t n)
{
    void *p = realloc(old, n ? n : 1);
    ENSURE(p != NULL);
    return p;
}

void *mem_alloc_try(size_t n)
{
    return malloc(n ? n : 1);
}

void *mem_realloc_try(void *p, size_t n)
{
    return realloc(p, n ? n : 1);
}

void *mem_aligned_try(size_t align, size_t n)
{
    void *p = NULL;
    return posix_memalign(&p, align, n ? n : align) == 0 ? p : NULL;
}

void *mem_aligned(size_t align, size_t n)
{
    n = (n + align - 1) / align * align;
    void *p = mem_aligned_try(align, n);
    ENSURE(p);
    memset(p, 0, n);
    return p;
}

void mem_free(void *p)
{
    free(p);
}

char *mem_strdup(const char *s)
{
    return mem_dup_sv(sv_cstr(s));
}

char *mem_dup_sv(struct sv s)
{
    char *p = mem_alloc(s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

void mem_wipe(void *p, size_t n)
{
    if (n) explicit_bzero(p, n);
}

bool mem_equal_ct(const void *a, const void *b, size_t n)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t d = 0;
    for (size_t i = 0; i < n; i++) d = (uint8_t)(d | (x[i] ^ y[i]));
    return d == 0;
}
