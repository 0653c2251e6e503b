/* The loop. See reactor.h for the order of a turn.
 *
 * Sleeping and mail: the reactor says `asleep`, then looks once more for mail,
 * then waits; a sender pushes its mail, then looks at `asleep`. Both in one
 * total order, so one of them sees the other. */
#include "net/reactor_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    CONNS_DEFAULT = 1024,
    BLOCKS_DEFAULT = 64 << 20,
    BLOCKS_MIN = 16 * BLOCK_BYTES,
    TOLD_TURN_NS = 2000000, /* counted as a long one */
    CPU_BASE_TURNS = 64,
};

static _Thread_local struct reactor *current;
static struct mail shut; /* the mail queue's end of days */

static uint64_t now_ns(const struct reactor *r)
{
    return r->conf.clock_ns ? r->conf.clock_ns(r->conf.ctx) : clock_mono_ns();
}

static void *reserve_memory(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

int reactor_new(struct reactor **out, const struct reactor_conf *conf)
{
    struct reactor *r = mem_aligned(64, sizeof *r);
    r->conf = *conf;
    if (!r->conf.max_conns) r->conf.max_conns = CONNS_DEFAULT;
    if (!r->conf.blocks_bytes) r->conf.blocks_bytes = BLOCKS_DEFAULT;
    if (r->conf.blocks_bytes < BLOCKS_MIN) r->conf.blocks_bytes = BLOCKS_MIN;
    r->slots = r->conf.max_conns;
    size_t due_n = deadlines_slots(r->slots);
    r->slab = reserve_memory(r->slots * sizeof *r->slab);
    r->due = reserve_memory(due_n * sizeof *r->due);
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!r->slab || !r->due || r->epoll_fd < 0 || r->wake_fd < 0 ||
        r->spare_fd < 0) {
        int err = err_from_errno(errno);
        reactor_free(&r);
        return err;
    }
    r->due_next = DUE_NONE;
    r->ready = (struct link){ &r->ready, &r->ready };
    r->starved = (struct link){ &r->starved, &r->starved };
    r->shaking = (struct link){ &r->shaking, &r->shaking };
    r->stalled = (struct link){ &r->stalled, &r->stalled };
    rand_fast_init(&r->rand);
    r->start_ms = r->now_ms = now_ns(r) / 1000000;
    /* never read: each write to it is an edge of its own */
    reactor_watch(r, EPOLL_CTL_ADD, r->wake_fd, EPOLLIN | EPOLLET, KEY_WAKE);
    *out = r;
    return 0;
}

void reactor_watch(struct reactor *r, int op, int fd, uint32_t events,
                   uint64_t data)
{
    struct epoll_event e = { .events = events, .data.u64 = data };
    ENSURE(epoll_ctl(r->epoll_fd, op, fd, &e) == 0);
}

/* --- after callbacks ------------------------------------------------------ */

void reactor_settle(struct reactor *r)
{
    while ((r->dirty && !r->gathers) || r->closing) {
        struct conn *c = r->gathers ? NULL : r->dirty;
        if (c && c->dirty_next && r->batches) {
            batch_write(r);
        } else if (c) {
            r->dirty = c->dirty_next;
            c->dirty = false;
            conn_write_out(c);
        } else {
            c = r->closing;
            r->closing = c->closing_next;
            conn_bury(c);
        }
    }
}

void reactor_write(struct reactor *r)
{
    bool gathers = r->gathers;
    r->gathers = false;
    settle(r);
    r->gathers = gathers;
}

static void free_graves(struct reactor *r)
{
    while (r->grave) {
        struct conn *c = r->grave;
        r->grave = c->closing_next;
        conn_free(c);
    }
}

static void close_all(struct reactor *r, int err)
{
    for (unsigned i = 0; i < r->high; i++)
        if (r->slab[i].live) conn_fail(&r->slab[i], err);
    settle(r);
}

/* --- mail ----------------------------------------------------------------- */

static void wake(struct reactor *r)
{
    if (!atomic_exchange(&r->asleep, false)) return;
    uint64_t one = 1;
    ssize_t n = write(r->wake_fd, &one, sizeof one);
    ENSURE(n == sizeof one);
}

int reactor_post(struct reactor *r, struct mail *m)
{
    struct mail *head = atomic_load_explicit(&r->mail, memory_order_relaxed);
    do {
        if (head == &shut) return ERR_SHUTDOWN;
        atomic_store_explicit(&m->next_, head, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak(&r->mail, &head, m));
    wake(r);
    return 0;
}

static void deliver_all(struct reactor *r, struct mail *newest)
{
    struct mail *oldest = NULL;
    while (newest) {
        struct mail *m = newest;
        newest = atomic_load_explicit(&m->next_, memory_order_relaxed);
        atomic_store_explicit(&m->next_, oldest, memory_order_relaxed);
        oldest = m;
    }
    while (oldest) {
        struct mail *m = oldest;
        oldest = atomic_load_explicit(&m->next_, memory_order_relaxed);
        m->deliver(m);
        settle(r);
    }
}

static void deliver_mail(struct reactor *r)
{
    if (atomic_load_explicit(&r->mail, memory_order_relaxed))
        deliver_all(r, atomic_exchange(&r->mail, NULL));
}

/* --- turn ----------------------------------------------------------------- */

static int wait_ms(const struct reactor *r)
{
    if (r->ready_n || r->shaking.next != &r->shaking ||
        (r->starved.next != &r->starved && blocks_left(r, 1)))
        return 0;
    uint64_t next = timers_next_ms(r), other = deadlines_next_ms(r);
    if (other < next) next = other;
    if ((other = stalls_next_ms(r)) < next) next = other;
    if (r->draining && r->drain_until_ms < next) next = r->drain_until_ms;
    if (next <= r->now_ms) return 0;
    if (r->conf.clock_ns) return 1;
    if (next == UINT64_MAX) return -1;
    return next - r->now_ms < 3600000 ? (int)(next - r->now_ms) : 3600000;
}

static int ask_for_events(struct reactor *r)
{
    int ms = wait_ms(r);
    if (ms == 0) return epoll_wait(r->epoll_fd, r->events, EVENTS_MAX, 0);
    if (r->conf.on_sleep) r->conf.on_sleep(r->conf.ctx);
    atomic_store(&r->asleep, true);
    if (atomic_load(&r->mail) || atomic_load(&r->stop_ms)) ms = 0;
    int n = epoll_wait(r->epoll_fd, r->events, EVENTS_MAX, ms);
    atomic_store_explicit(&r->asleep, false, memory_order_relaxed);
    if (r->conf.on_wake) r->conf.on_wake(r->conf.ctx);
    return n;
}

static void wait_for_events(struct reactor *r)
{
    if (r->events_at < r->events_n) return;
    int n = ask_for_events(r);
    ENSURE(n >= 0 || errno == EINTR);
    r->events_at = 0;
    r->events_n = n > 0 ? n : 0;
}

struct conn *reactor_conn(struct reactor *r, const struct epoll_event *e)
{
    uint32_t index = (uint32_t)e->data.u64, gen = (uint32_t)(e->data.u64 >> 32);
    struct conn *c = index < r->high ? &r->slab[index] : NULL;
    return c && c->live && c->gen == gen ? c : NULL;
}

static void dispatch(struct reactor *r, const struct epoll_event *e,
                     const struct got *got)
{
    struct conn *c = reactor_conn(r, e);
    if (c)
        conn_event(c, e->events, got && got->b ? got : NULL);
    else if ((uint32_t)e->data.u64 == KEY_LISTENER)
        listener_event(r, (uint32_t)(e->data.u64 >> 32));
}

/* The next event's connection comes nearer while this one is served. */
static void prefetch(const struct reactor *r, const struct epoll_event *e)
{
    uint32_t index = (uint32_t)e->data.u64;
    if (index >= r->high) return;
    const char *c = (const char *)&r->slab[index];
    __builtin_prefetch(c); /* three lines */
    __builtin_prefetch(c + 64);
    __builtin_prefetch(c + 128);
}

/* Writing after some events instead of after each keeps our code and the
 * kernel's sending apart in the caches, and wakes peers less often. */
static void serve_some(struct reactor *r, const struct epoll_event *e, int n)
{
    const struct got *got =
        n > 1 && r->batches ? batch_read(r, e, (unsigned)n) : NULL;
    for (int i = 0; i < n; i++) {
        if (i + 1 < n) prefetch(r, &e[i + 1]);
        dispatch(r, &e[i], got ? &got[i] : NULL);
    }
    reactor_write(r);
}

static bool is_long(uint64_t began_ns)
{
    return clock_mono_ns() - began_ns >= TURN_NS;
}

/* What is left is served before the kernel is asked for more. */
static void serve_events(struct reactor *r, uint64_t began_ns)
{
    r->gathers = true;
    while (r->events_at < r->events_n) {
        int n = r->events_n - r->events_at;
        if (n > BATCH) n = BATCH;
        const struct epoll_event *e = &r->events[r->events_at];
        r->events_at += n;
        serve_some(r, e, n);
        if (r->events_at < r->events_n && is_long(began_ns)) break;
    }
    r->gathers = false;
    settle(r);
}

static void feed_starved(struct reactor *r)
{
    while (r->starved.next != &r->starved && blocks_left(r, 1) &&
           r->ready_n < EVENTS_MAX)
        conn_queue_ready(CONTAINER_OF(r->starved.next, struct conn, queue));
}

/* Each that is ready now has one go, the first in any case; what becomes ready
 * meanwhile waits. */
static void run_ready(struct reactor *r, uint64_t began_ns)
{
    for (unsigned n = r->ready_n; n && r->ready_n; n--) {
        conn_ready(CONTAINER_OF(r->ready.next, struct conn, queue));
        settle(r);
        if (is_long(began_ns)) break;
    }
}

/* A step of a handshake costs as much as many requests: few are made a turn, in
 * the order of asking, so that a flood of them leaves the connections that are
 * open their time. */
static void run_handshakes(struct reactor *r)
{
    if (r->shaking.next == &r->shaking) return;
    uint64_t began = clock_mono_ns();
    r->shakes = true;
    for (int n = 0; n < SHAKES_A_TURN && r->shaking.next != &r->shaking; n++) {
        conn_ready(CONTAINER_OF(r->shaking.next, struct conn, queue));
        settle(r);
        if (clock_mono_ns() - began >= SHAKES_NS) break;
    }
    r->shakes = false;
}

static void begin_drain(struct reactor *r, uint64_t drain_ms)
{
    uint64_t until = r->now_ms + drain_ms;
    if (r->draining) {
        if (until < r->drain_until_ms) r->drain_until_ms = until;
        return;
    }
    r->draining = true;
    r->drain_until_ms = until;
    listeners_stop(r);
    for (unsigned i = 0; i < r->high; i++) {
        struct conn *c = &r->slab[i];
        if (!c->live || c->closing || c->finishing || !c->ops->on_drain)
            continue;
        c->ops->on_drain(c);
        settle(r);
    }
}

/* Thread CPU time is a system call: it is asked for after turns that were long
 * by the clock, and now and then for a base; short turns since the base are
 * subtracted. Never more than what the clock says. */
static void measure_turn(struct reactor *r, uint64_t began_ns)
{
    uint64_t ended = clock_mono_ns(), wall = ended - began_ns, ns = wall;
    bool long_by_clock = wall >= TURN_NS;
    if (long_by_clock || ++r->cpu_base_turns >= CPU_BASE_TURNS) {
        uint64_t cpu = clock_thread_cpu_ns();
        uint64_t spent = cpu - r->cpu_base_ns;
        spent = spent > r->cpu_short_ns ? spent - r->cpu_short_ns : 0;
        if (long_by_clock && spent < ns) ns = spent;
        r->cpu_base_ns = cpu;
        r->cpu_short_ns = 0;
        r->cpu_base_turns = 0;
    } else {
        r->cpu_short_ns += wall;
    }
    longest_add(&r->stats.turns_cpu, ended, ns);
    if (ns <= TOLD_TURN_NS) return;
    struct long_turn t = { .ended_ns = ended, .wall_ns = wall, .cpu_ns = ns };
    t.processor = (unsigned)sched_getcpu();
    long_turns_add(&r->stats.long_turns, &t);
}

static void turn(struct reactor *r)
{
    wait_for_events(r);
    uint64_t began = clock_mono_ns();
    r->now_ms = (r->conf.clock_ns ? now_ns(r) : began) / 1000000;
    serve_events(r, began);
    stalls_relieve(r);
    feed_starved(r);
    run_ready(r, began);
    run_handshakes(r);
    deliver_mail(r);
    uint64_t stop = atomic_load_explicit(&r->stop_ms, memory_order_relaxed);
    if (stop && atomic_compare_exchange_strong(&r->stop_ms, &stop, 0))
        begin_drain(r, stop - 1);
    timers_fire(r);
    deadlines_sweep(r);
    free_graves(r);
    if (r->conf.on_turn) {
        r->conf.on_turn(r->conf.ctx);
        settle(r);
    }
    /* a reactor that ends shall be given nothing */
    atomic_store_explicit(&r->load,
                          r->draining ? UINT_MAX : r->conns + r->ready_n,
                          memory_order_relaxed);
    STAT_ADD(r, turns, 1);
    measure_turn(r, began);
}

static bool finished(const struct reactor *r)
{
    return r->draining && (r->conns == 0 || r->now_ms >= r->drain_until_ms);
}

int reactor_run(struct reactor *r)
{
    struct reactor *outer = current;
    current = r;
    r->running = true;
    r->now_ms = now_ns(r) / 1000000;
    r->cpu_base_ns = clock_thread_cpu_ns();
    batch_open(r);
    settle(r);
    r->paused = false;
    while (!r->paused && !finished(r)) turn(r);
    if (!r->paused) close_all(r, ERR_SHUTDOWN);
    free_graves(r);
    r->running = false;
    current = outer;
    return 0;
}

void reactor_pause(struct reactor *r)
{
    r->paused = true;
}

void reactor_stop(struct reactor *r, unsigned drain_ms)
{
    atomic_store(&r->stop_ms, (uint64_t)drain_ms + 1);
    wake(r);
}

void reactor_free(struct reactor **rp)
{
    struct reactor *r = *rp;
    if (!r) return;
    struct reactor *outer = current;
    current = r;
    close_all(r, ERR_SHUTDOWN);
    for (struct mail *none = NULL;
         !atomic_compare_exchange_strong(&r->mail, &none, &shut); none = NULL)
        deliver_all(r, atomic_exchange(&r->mail, NULL));
    close_all(r, ERR_SHUTDOWN); /* what the mail brought */
    free_graves(r);
    listeners_free(r);
    batch_close(r);
    blocks_fini(r);
    int fds[] = { r->epoll_fd, r->wake_fd, r->spare_fd };
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0) close(fds[i]);
    if (r->slab) munmap(r->slab, r->slots * sizeof *r->slab);
    if (r->due) munmap(r->due, deadlines_slots(r->slots) * sizeof *r->due);
    mem_free(r->heap);
    mem_free(r);
    current = outer;
    *rp = NULL;
}

/* --- small questions ------------------------------------------------------ */

bool reactor_stopping(const struct reactor *r)
{
    return r->draining ||
           atomic_load_explicit(&r->stop_ms, memory_order_relaxed);
}

unsigned reactor_index(const struct reactor *r)
{
    return r->conf.index;
}

uint64_t reactor_now_ms(const struct reactor *r)
{
    return r->now_ms;
}

void reactor_set_user(struct reactor *r, void *user)
{
    r->user = user;
}

void *reactor_user(const struct reactor *r)
{
    return r->user;
}

struct reactor *reactor_current(void)
{
    return current;
}

struct reactor_stats *reactor_stats(struct reactor *r)
{
    return &r->stats;
}
