/* Randomness. rand_bytes is the kernel's; rand_fast is for load spreading and
 * jitter, never for secrets. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *p, size_t n); /* stops the process if there is none */

struct rand_fast {
    uint64_t s;
};
void rand_fast_init(struct rand_fast *r);
static inline uint64_t rand_fast_next(struct rand_fast *r)
{
    /* splitmix64 (Steele, Lea, Flood 2014) */
    uint64_t z = (r->s += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#endif
