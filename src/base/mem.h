/* The only door to the heap. Allocation of small things never fails (the
 * process stops): what may be large or is driven from outside uses the
 * _try forms or a budgeted arena. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/sv.h"

void *mem_alloc(size_t n);               /* not cleared */
void *mem_zalloc(size_t n);              /* cleared */
void *mem_realloc(void *p, size_t n);
void *mem_alloc_try(size_t n);           /* NULL when there is none */
void *mem_realloc_try(void *p, size_t n);
void *mem_aligned(size_t align, size_t n); /* cleared; free with mem_free */
void *mem_aligned_try(size_t align, size_t n); /* not cleared; NULL */
void mem_free(void *p);
char *mem_strdup(const char *s);
char *mem_dup_sv(struct sv s);           /* NUL-terminated copy */
/* Cannot be optimised away. */
void mem_wipe(void *p, size_t n);
/* Constant time for equal n. */
bool mem_equal_ct(const void *a, const void *b, size_t n);

#define NEW(type) ((type *)mem_zalloc(sizeof(type)))

#endif
