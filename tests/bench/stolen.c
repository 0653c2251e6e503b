/* How long this machine's processors stood still: what they run then, a
 * hypervisor that takes the core away or fetches a page of memory charges to the
 * thread that happens to be on it. On each processor a thread of real-time
 * priority wakes every quarter of a millisecond; how late the latest came is what
 * nobody else can have been running for.
 *   stolen      for each line of its input it prints the longest since the last
 *               one, in microseconds; ends with its input
 * Costs half a percent of each processor. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NS = 250000, PROCESSORS_MAX = 256 };

static _Atomic uint64_t longest_ns;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void keep(uint64_t ns)
{
    uint64_t seen = atomic_load(&longest_ns);
    while (ns > seen && !atomic_compare_exchange_weak(&longest_ns, &seen, ns)) {
    }
}

static void *watch(void *unused)
{
    (void)unused;
    for (uint64_t due = now_ns();;) {
        due += PERIOD_NS;
        const struct timespec at = { (time_t)(due / 1000000000u),
                                     (long)(due % 1000000000u) };
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL)) {}
        uint64_t now = now_ns();
        keep(now - due);
        if (now > due + PERIOD_NS) due = now;
    }
    return NULL;
}

static int begin(int processor)
{
    pthread_attr_t how;
    pthread_t thread;
    cpu_set_t one;
    const struct sched_param priority = { .sched_priority = 1 };
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    pthread_attr_init(&how);
    pthread_attr_setinheritsched(&how, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&how, SCHED_FIFO);
    pthread_attr_setschedparam(&how, &priority);
    pthread_attr_setaffinity_np(&how, sizeof one, &one);
    int err = pthread_create(&thread, &how, watch, NULL);
    pthread_attr_destroy(&how);
    return err;
}

int main(void)
{
    char line[16];
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 0; i < n && i < PROCESSORS_MAX; i++) {
        int err = begin(i);
        if (!err) continue;
        fprintf(stderr, "stolen: processor %d: %s\n", i, strerror(err));
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        uint64_t ns = atomic_exchange(&longest_ns, 0);
        printf("%llu\n", (unsigned long long)(ns / 1000));
        fflush(stdout);
    }
    return 0;
}
