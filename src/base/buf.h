/* A buffer that grows up to a maximum given at birth. Past it (or without
 * memory) nothing is written any more and `overflow` stays set: build first,
 * check once at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/sv.h"

struct buf {
    char *p;
    size_t n, cap, max;
    bool overflow;
    bool fixed; /* the memory is the caller's and never grows */
};

void buf_init(struct buf *b, size_t max);
/* Over the caller's memory: never grows, fini frees nothing. */
void buf_init_fixed(struct buf *b, char *mem, size_t n);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
char *buf_grow_(struct buf *b, size_t n);
/* n bytes to be filled by the caller, who then adds to b->n; NULL: over. */
static inline char *buf_reserve(struct buf *b, size_t n)
{
    bool fits = !b->overflow && n <= b->cap - b->n;
    return fits ? b->p + b->n : buf_grow_(b, n);
}
void buf_put(struct buf *b, struct sv s);
void buf_putc(struct buf *b, char c);
void buf_puts(struct buf *b, const char *s);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline struct sv buf_sv(const struct buf *b)
{
    return (struct sv){ b->p, b->n };
}
/* What was put since b->n was `start`. */
static inline struct sv buf_since(const struct buf *b, size_t start)
{
    return (struct sv){ b->p + start, b->n - start };
}

#endif
