/* How much CPU time this machine charges a thread for work that it did not do:
 * a fixed computation of about 0.2 ms is repeated for SECONDS, and what its
 * slowest run was charged above the median is printed in microseconds. On a
 * quiet machine of one's own that is near 0; a hypervisor that takes the core
 * away, and interrupts, are charged to whoever runs.
 *   stolen SECONDS */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STEPS = 200000, RUNS_MAX = 1 << 20 };

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int rising(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 5;
    uint64_t end = now_ns(CLOCK_MONOTONIC) + seconds * 1000000000u;
    uint32_t *took = calloc(RUNS_MAX, sizeof *took);
    volatile uint64_t x = 1;
    size_t n = 0;
    while (took && n < RUNS_MAX && now_ns(CLOCK_MONOTONIC) < end) {
        uint64_t from = now_ns(CLOCK_THREAD_CPUTIME_ID);
        for (int i = 0; i < STEPS; i++) x = x * 6364136223846793005u + 1;
        took[n++] = (uint32_t)(now_ns(CLOCK_THREAD_CPUTIME_ID) - from);
    }
    if (!n) return 1;
    qsort(took, n, sizeof *took, rising);
    printf("%u\n", (took[n - 1] - took[n / 2]) / 1000);
    free(took);
    return 0;
}
