#include "live/region_int.h"

#include <sys/mman.h>

#include "base/err.h"
#include "base/pages.h"

enum { STEP = 1 << 20 };

int region_init(struct region *r, size_t reserve)
{
    reserve = (reserve + STEP - 1) / STEP * STEP;
    void *p = pages_reserve(reserve);
    *r = (struct region){ 0 };
    if (!p) return ERR_NOMEM;
    *r = (struct region){ .base = p, .reserved = reserve };
    return 0;
}

void region_fini(struct region *r)
{
    pages_free(r->base, r->reserved);
    *r = (struct region){ 0 };
}

int region_grow(struct region *r, size_t bytes)
{
    if (bytes <= r->usable) return 0;
    if (bytes > r->reserved) return ERR_FULL;
    bytes = (bytes + STEP - 1) / STEP * STEP;
    if (mprotect(r->base + r->usable, bytes - r->usable,
                 PROT_READ | PROT_WRITE) != 0)
        return ERR_NOMEM;
    if (r->usable < REGION_DENSE && bytes >= REGION_DENSE)
        pages_join(r->base, r->usable);
    if (bytes >= REGION_DENSE) pages_expect(r->base, r->reserved);
    r->usable = bytes;
    return 0;
}
