/* Growing buffer with a ceiling. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/fmt.h"
#include "base/mem.h"

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max };
}

void buf_init_fixed(struct buf *b, char *mem, size_t n)
{
    *b = (struct buf){ .p = mem, .cap = n, .max = n, .fixed = true };
}

void buf_fini(struct buf *b)
{
    if (!b->fixed) mem_free(b->p);
    *b = (struct buf){ 0 };
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->overflow = false;
}

char *buf_grow_(struct buf *b, size_t n)
{
    if (b->overflow) return NULL;
    if (b->fixed || n > b->max - b->n) {
        b->overflow = true;
        return NULL;
    }
    size_t cap = b->cap ? b->cap * 2 : 256;
    if (cap < b->n + n) cap = b->n + n;
    if (cap > b->max) cap = b->max;
    char *p = mem_realloc_try(b->p, cap);
    if (!p) {
        b->overflow = true;
        return NULL;
    }
    b->p = p;
    b->cap = cap;
    return p + b->n;
}

void buf_put(struct buf *b, struct sv s)
{
    char *p = s.n ? buf_reserve(b, s.n) : NULL;
    if (!p) return;
    memcpy(p, s.p, s.n);
    b->n += s.n;
}

void buf_putc(struct buf *b, char c)
{
    buf_put(b, sv_of(&c, 1));
}

void buf_puts(struct buf *b, const char *s)
{
    buf_put(b, sv_cstr(s));
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    char *p = buf_reserve(b, FMT_U64_MAX);
    if (p) b->n += fmt_u64(p, v);
}

void buf_put_i64(struct buf *b, int64_t v)
{
    if (v < 0) buf_putc(b, '-');
    buf_put_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
    if (!p) return;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
}
