/* How long threads really executed. A virtual machine's processor that its
 * hypervisor takes away, or keeps waiting for a page of memory, charges that time
 * to the thread that happened to be on it. Here a timer of each thread's own (a
 * perf event of the software clock, stopped while the thread is off) interrupts
 * it every PERIOD_NS, the kernel's work for it as well. Interrupts that a
 * standing processor missed are not made up for: their number says how long it
 * ran, as that of a profiler's samples does.
 *
 *   executed THREAD...   prints "ready"; then for each line of its input "THREAD
 *                        FROM TO" (thread id; nanoseconds of CLOCK_MONOTONIC) how
 *                        many nanoseconds it executed in between, or "unknown"
 *                        where interrupts may have been lost
 *
 * Needs root (or perf_event_paranoid below 2). Costs a thread one percent. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PERIOD_NS = 250000,
    PAGES = 64, /* of samples: 4 s; they are read ten times a second */
    READ_EVERY_MS = 100,
    BLIND_NS = 20000000, /* after a loss; a slowed timer comes back in 10 ms */
    THREADS_MAX = 64,
    TICKS_MAX = 8 << 20, /* 35 minutes */
};

static struct thread {
    struct perf_event_mmap_page *ring;
    uint64_t *ticks, *losses; /* when, rising */
    size_t ticks_n, losses_n;
    int id;
} threads[THREADS_MAX];

static int threads_n;
static size_t page;

static bool watch(struct thread *t, int id)
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
    int fd = (int)syscall(SYS_perf_event_open, &attr, id, -1, -1,
                          PERF_FLAG_FD_CLOEXEC);
    if (fd < 0) return false;
    t->id = id;
    t->ring = mmap(NULL, (PAGES + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED,
                   fd, 0);
    /* pages of them that are never reached are never there */
    t->ticks = malloc(TICKS_MAX * sizeof *t->ticks);
    t->losses = malloc(TICKS_MAX * sizeof *t->losses);
    return t->ring != MAP_FAILED && t->ticks && t->losses;
}

static void read_samples(struct thread *t)
{
    const char *data = (const char *)t->ring + page;
    uint64_t bytes = PAGES * page, at = t->ring->data_tail;
    uint64_t end = __atomic_load_n(&t->ring->data_head, __ATOMIC_ACQUIRE);
    while (at < end) { /* all is in steps of 8 bytes */
        struct perf_event_header head;
        uint64_t ns;
        memcpy(&head, data + at % bytes, sizeof head);
        memcpy(&ns, data + (at + sizeof head) % bytes, sizeof ns);
        at += head.size;
        if (head.type == PERF_RECORD_SAMPLE && t->ticks_n < TICKS_MAX)
            t->ticks[t->ticks_n++] = ns;
        else if (head.type != PERF_RECORD_UNTHROTTLE && t->losses_n < TICKS_MAX)
            t->losses[t->losses_n++] =
                head.type == PERF_RECORD_THROTTLE || !t->ticks_n
                    ? ns
                    : t->ticks[t->ticks_n - 1];
    }
    __atomic_store_n(&t->ring->data_tail, at, __ATOMIC_RELEASE);
}

static void read_all(void)
{
    for (int i = 0; i < threads_n; i++) read_samples(&threads[i]);
}

/* How many of them are before `ns`. */
static size_t before(const uint64_t *times, size_t n, uint64_t ns)
{
    size_t from = 0;
    while (from < n) {
        size_t middle = from + (n - from) / 2;
        if (times[middle] < ns)
            from = middle + 1;
        else
            n = middle;
    }
    return from;
}

static void answer(const char *line)
{
    int id;
    uint64_t from, to;
    const struct thread *t = threads;
    if (sscanf(line, "%d %" SCNu64 " %" SCNu64, &id, &from, &to) != 3) return;
    while (t < threads + threads_n && t->id != id) t++;
    bool known = t < threads + threads_n && t->ticks_n < TICKS_MAX &&
                 before(t->losses, t->losses_n, to) ==
                     before(t->losses, t->losses_n, from - BLIND_NS);
    size_t n = known ? before(t->ticks, t->ticks_n, to) -
                           before(t->ticks, t->ticks_n, from)
                     : 0;
    if (known)
        printf("%" PRIu64 "\n", (uint64_t)n * PERIOD_NS);
    else
        printf("unknown\n");
}

int main(int argc, char **argv)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    for (; threads_n + 1 < argc && threads_n < THREADS_MAX; threads_n++) {
        const char *id = argv[threads_n + 1];
        if (watch(&threads[threads_n], atoi(id))) continue;
        fprintf(stderr, "executed: thread %s: %s\n", id, strerror(errno));
        return 1;
    }
    setlinebuf(stdout);
    printf("ready\n");
    for (struct pollfd input = { .events = POLLIN };;) {
        char line[128];
        bool asked = poll(&input, 1, READ_EVERY_MS) > 0;
        read_all();
        if (!asked) continue;
        setvbuf(stdin, NULL, _IONBF, 0);
        if (!fgets(line, sizeof line, stdin)) return 0;
        answer(line);
    }
}
