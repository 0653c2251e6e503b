/* A secret has a type that cannot be printed: no sv, no char pointer leaves
 * without naming secret_expose(). Freed memory is wiped. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/sv.h"

struct secret {
    unsigned char *bytes_; /* heap, owned; use secret_expose() */
    size_t n_;
};

void secret_take_copy(struct secret *s, const void *bytes, size_t n);
void secret_random(struct secret *s, size_t n);
void secret_fini(struct secret *s); /* wipes */
static inline struct sv secret_expose(const struct secret *s)
{
    return sv_of(s->bytes_, s->n_);
}

#endif
