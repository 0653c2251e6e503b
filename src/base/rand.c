/* getrandom(2), whole or not at all. */
#include "base/rand.h"

#include <errno.h>
#include <sys/random.h>

#include "base/ensure.h"

void rand_bytes(void *p, size_t n)
{
    char *at = p;
    while (n) {
        ssize_t r = getrandom(at, n, 0);
        if (r < 0 && errno == EINTR) continue;
        ENSURE(r > 0);
        at += r;
        n -= (size_t)r;
    }
}

void rand_fast_init(struct rand_fast *r)
{
    rand_bytes(&r->s, sizeof r->s);
}
