#include "live/region_int.h"

#include <sys/mman.h>

#include "base/err.h"

enum { STEP = 1 << 20 };

int region_init(struct region *r, size_t reserve)
{
    reserve = (reserve + STEP - 1) / STEP * STEP;
    void *p = mmap(NULL, reserve, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    *r = (struct region){ 0 };
    if (p == MAP_FAILED) return ERR_NOMEM;
    madvise(p, reserve, MADV_DONTDUMP);
    *r = (struct region){ .base = p, .reserved = reserve };
    return 0;
}

void region_fini(struct region *r)
{
    if (r->base) munmap(r->base, r->reserved);
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
    r->usable = bytes;
    return 0;
}
