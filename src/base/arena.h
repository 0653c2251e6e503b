/* Memory by lifetime: many small allocations, one end. An arena has a budget
 * from birth; exceeding it makes allocation return NULL and sets a sticky
 * flag, so that a builder may check once at its end. Not thread-safe.
 *
 *   first (caller's memory, optional) -> chunk -> chunk ...
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>

#include "base/sv.h"

struct arena_chunk;

struct arena {
    char *at, *end;             /* room in the current chunk */
    struct arena_chunk *chunks; /* newest first, heap */
    char *first;                /* caller's first memory, may be NULL */
    size_t first_n;
    size_t used, budget;        /* bytes handed out of the heap; ceiling */
    bool overflow;              /* sticky: the budget was exceeded */
};

/* `first` (may be NULL) stays the caller's and is used before the heap. */
void arena_init(struct arena *a, size_t budget, void *first, size_t first_n);
void arena_fini(struct arena *a);
/* Forgets everything; keeps nothing but the first memory. */
void arena_reset(struct arena *a);
/* 16-byte aligned; NULL when over budget. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);
struct sv arena_dup(struct arena *a, struct sv s); /* NUL behind; p NULL: over */
char *arena_cstr(struct arena *a, struct sv s);
struct sv arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (n)))

#endif
