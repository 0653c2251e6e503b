/* Wiped on the way out. */
#include "base/secret.h"

#include "base/mem.h"
#include "base/rand.h"

void secret_take_copy(struct secret *s, const void *bytes, size_t n)
{
    s->bytes_ = mem_alloc(n);
    s->n_ = n;
    memcpy(s->bytes_, bytes, n);
}

void secret_random(struct secret *s, size_t n)
{
    s->bytes_ = mem_alloc(n);
    s->n_ = n;
    rand_bytes(s->bytes_, n);
}

void secret_fini(struct secret *s)
{
    if (s->bytes_) mem_wipe(s->bytes_, s->n_);
    mem_free(s->bytes_);
    *s = (struct secret){ 0 };
}
