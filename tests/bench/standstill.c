/* When this machine's processors stood still. A virtual machine's processor that
 * its hypervisor takes away, or keeps waiting for a page of memory, charges that
 * time to the thread that happened to be on it. Each processor has a timer of its
 * own here that interrupts whatever it runs, the kernel's own work as well, every
 * PERIOD_NS (a perf event of the software clock); between two interrupts that are
 * further apart it ran nothing, unless it was idle: then the timer may rest.
 *
 *   standstill     until its input ends; first "ready", then a line for each time
 *                  that was longer than LEAST_NS: processor, begin and end in
 *                  nanoseconds of CLOCK_MONOTONIC
 *
 * Needs root (or perf_event_paranoid below 0). Costs a processor one percent. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PERIOD_NS = 250000,
    LEAST_NS = 2 * PERIOD_NS,
    PAGES = 64, /* of samples: 4 s; they are read ten times a second */
    READ_EVERY_MS = 100,
    PROCESSORS_MAX = 256,
};

static struct processor {
    struct perf_event_mmap_page *ring;
    int fd;
    uint64_t last_ns;
} processors[PROCESSORS_MAX];

static int watch(struct processor *p, int number, size_t bytes)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = PERIOD_NS,
        .sample_type = PERF_SAMPLE_TIME,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
    };
    p->fd = (int)syscall(SYS_perf_event_open, &attr, -1, number, -1,
                         PERF_FLAG_FD_CLOEXEC);
    if (p->fd < 0) return -1;
    p->ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
    return p->ring == MAP_FAILED ? -1 : 0;
}

static void read_samples(struct processor *p, int number, size_t page)
{
    const char *data = (const char *)p->ring + page;
    uint64_t bytes = PAGES * page, at = p->ring->data_tail;
    uint64_t end = __atomic_load_n(&p->ring->data_head, __ATOMIC_ACQUIRE);
    while (at < end) { /* all is in steps of 8 bytes */
        struct perf_event_header head;
        uint64_t ns;
        memcpy(&head, data + at % bytes, sizeof head);
        memcpy(&ns, data + (at + sizeof head) % bytes, sizeof ns);
        at += head.size;
        bool tick = head.type == PERF_RECORD_SAMPLE;
        if (tick && p->last_ns && ns > p->last_ns + LEAST_NS)
            printf("%d %llu %llu\n", number, (unsigned long long)p->last_ns,
                   (unsigned long long)ns);
        /* else samples were lost, or the kernel slows the timer */
        p->last_ns = tick ? ns : 0;
    }
    __atomic_store_n(&p->ring->data_tail, at, __ATOMIC_RELEASE);
}

int main(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int n = (int)sysconf(_SC_NPROCESSORS_CONF);
    if (n > PROCESSORS_MAX) n = PROCESSORS_MAX;
    for (int i = 0; i < n; i++) {
        if (!watch(&processors[i], i, (PAGES + 1) * page)) continue;
        fprintf(stderr, "standstill: processor %d: %s\n", i, strerror(errno));
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    for (struct pollfd input = { .events = POLLIN }, *in = &input;;) {
        bool ended = poll(in, 1, READ_EVERY_MS) > 0;
        for (int i = 0; i < n; i++) read_samples(&processors[i], i, page);
        fflush(stdout);
        if (ended) return 0;
    }
}
