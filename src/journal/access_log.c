/* The pages of a reactor and the descriptor shared by all.
 *
 *   add ──> page ──full or 1 s old──> given ──> write (the log's thread) ──> file
 *    │                                            └─ no room: the rest waits
 *    └─ full and the other one not written yet: a file's is written here, to a
 *       stream the line is dropped, counted
 */
#include "journal/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/histogram.h"

_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "lines to a pipe are written whole");

/* An open description of our own, so that nobody who shares the pipe or the
 * terminal finds it non-blocking. Sockets and closed pipes have no second. */
static void make_nonblocking(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (own >= 0) {
        dup3(own, fd, O_CLOEXEC);
        close(own);
        return;
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* The number stays: a writer in the middle ends in the old file. */
static void replace(struct log_sink *s, int fd)
{
    int old = atomic_load(&s->fd);
    if (old >= 0 && fd >= 0) {
        ENSURE(dup3(fd, old, O_CLOEXEC) == old);
        close(fd);
        return;
    }
    atomic_store(&s->fd, fd);
    if (old >= 0) close(old);
}

void log_sink_set(struct log_sink *s, int fd)
{
    struct stat st;
    bool is_stream = fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
    if (is_stream) make_nonblocking(fd);
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->is_stream, is_stream);
    replace(s, fd);
    pthread_mutex_unlock(&s->lock);
}

void log_sink_init(struct log_sink *s, int fd)
{
    pthread_mutex_init(&s->lock, NULL);
    sem_init(&s->given, 0, 0);
    atomic_store(&s->fd, -1);
    log_sink_set(s, fd);
}

void log_sink_fini(struct log_sink *s)
{
    sem_destroy(&s->given);
    pthread_mutex_destroy(&s->lock);
}

int log_sink_dup(struct log_sink *s)
{
    pthread_mutex_lock(&s->lock);
    int fd = atomic_load(&s->is_stream) ? -1 : atomic_load(&s->fd);
    if (fd >= 0) fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    pthread_mutex_unlock(&s->lock);
    return fd;
}

void access_log_init(struct access_log *l)
{
    pthread_mutex_init(&l->lock, NULL);
    for (int i = 0; i < 2; i++) l->pages[i].bytes = mem_alloc(LOG_PAGE_BYTES);
}

void access_log_fini(struct access_log *l)
{
    for (int i = 0; i < 2; i++) mem_free(l->pages[i].bytes);
    pthread_mutex_destroy(&l->lock);
}

/* --- writing: under the lock ------------------------------------------------ */

static void report(struct access_log *l, int err)
{
    counter_add(&l->errors, 1);
    if (!l->failing)
        log_error("journal", "access log: %s; lines are lost", strerror(err));
    l->failing = true;
}

/* Up to n, and to a stream whole lines that the kernel takes as one. */
static size_t piece_of(const struct log_page *p, bool stream)
{
    const char *from = p->bytes + p->done;
    size_t n = p->n - p->done;
    if (!stream || n <= PIPE_BUF) return n;
    const char *end = memrchr(from, '\n', PIPE_BUF);
    return end ? (size_t)(end - from) + 1 : PIPE_BUF;
}

static void count_written(struct access_log *l, struct log_page *p, size_t n)
{
    unsigned lines = 0;
    if (p->done + n == p->n)
        lines = p->lines;
    else
        for (size_t i = 0; i < n; i++) lines += p->bytes[p->done + i] == '\n';
    counter_add(&l->written, lines);
    p->lines -= lines;
    p->done += n;
}

static void drop(struct access_log *l, unsigned lines)
{
    atomic_fetch_add_explicit(&l->dropped, lines, memory_order_relaxed);
}

/* False: there is no room for the rest. */
static bool write_page(struct access_log *l, struct log_sink *s,
                       struct log_page *p)
{
    int fd = atomic_load_explicit(&s->fd, memory_order_acquire);
    bool stream = atomic_load_explicit(&s->is_stream, memory_order_relaxed);
    while (fd >= 0 && p->done < p->n) {
        ssize_t n = write(fd, p->bytes + p->done, piece_of(p, stream));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return false;
        if (n <= 0) {
            report(l, errno);
            break;
        }
        count_written(l, p, (size_t)n);
        l->failing = false;
    }
    if (p->lines) drop(l, p->lines);
    p->lines = 0;
    return true;
}

bool access_log_write(struct access_log *l, struct log_sink *s)
{
    pthread_mutex_lock(&l->lock);
    unsigned given = atomic_load_explicit(&l->given, memory_order_acquire);
    unsigned taken = atomic_load_explicit(&l->taken, memory_order_relaxed);
    bool done = given == taken || write_page(l, s, &l->pages[taken & 1]);
    if (done) atomic_store_explicit(&l->taken, given, memory_order_release);
    pthread_mutex_unlock(&l->lock);
    return done;
}

/* --- the reactor's side ------------------------------------------------------- */

static struct log_page *page_of(struct access_log *l)
{
    return &l->pages[atomic_load_explicit(&l->given, memory_order_relaxed) & 1];
}

static bool is_other_free(const struct access_log *l)
{
    return atomic_load_explicit(&l->given, memory_order_relaxed) ==
           atomic_load_explicit(&l->taken, memory_order_acquire);
}

/* The other page is free, and the reactor's from here on. */
static void give(struct access_log *l, struct log_sink *s)
{
    unsigned given = atomic_load_explicit(&l->given, memory_order_relaxed) + 1;
    struct log_page *next = &l->pages[given & 1];
    next->n = next->done = next->lines = 0;
    l->since_ms = 0;
    atomic_store_explicit(&l->given, given, memory_order_release);
    if (atomic_load_explicit(&s->has_thread, memory_order_relaxed))
        sem_post(&s->given);
    else
        access_log_write(l, s);
}

static bool has_room(const struct log_page *p)
{
    return LOG_PAGE_BYTES - p->n >= LOG_LINE_MAX + 16;
}

/* False: to a stream that takes nothing. */
static bool make_room(struct access_log *l, struct log_sink *s)
{
    bool stream = atomic_load_explicit(&s->is_stream, memory_order_relaxed);
    if (!is_other_free(l) && !stream) access_log_write(l, s);
    if (!is_other_free(l)) return false;
    give(l, s);
    return true;
}

/* 1 in `sample` of what simply passed; everything else. */
static bool is_wanted(struct access_log *l, const struct event *e,
                      unsigned sample)
{
    if (e->outcome != OUTCOME_PASSED || e->code[0] || sample <= 1) return true;
    if (l->to_skip) {
        l->to_skip--;
        counter_add(&l->sampled_out, 1);
        return false;
    }
    l->to_skip = sample - 1;
    return true;
}

void access_log_add(struct access_log *l, struct log_sink *s,
                    const struct event *e, unsigned sample)
{
    if (atomic_load_explicit(&s->fd, memory_order_relaxed) < 0) return;
    if (!is_wanted(l, e, sample)) return;
    if (!has_room(page_of(l)) && !make_room(l, s)) {
        drop(l, 1);
        return;
    }
    struct log_page *p = page_of(l);
    p->n += access_log_line(p->bytes + p->n, e);
    p->lines++;
}

uint32_t access_log_turn(struct access_log *l, struct log_sink *s,
                         uint64_t now_ms)
{
    bool has_thread =
        atomic_load_explicit(&s->has_thread, memory_order_relaxed);
    if (!has_thread && !is_other_free(l)) access_log_write(l, s);
    if (!page_of(l)->n) return is_other_free(l) ? 0 : LOG_AGE_MS;
    if (!l->since_ms) l->since_ms = now_ms ? now_ms : 1;
    if (now_ms - l->since_ms < LOG_AGE_MS)
        return (uint32_t)(LOG_AGE_MS - (now_ms - l->since_ms));
    if (is_other_free(l)) {
        give(l, s);
        return 0;
    }
    l->since_ms = now_ms; /* a slow disk, a stream without room: in a while */
    return LOG_AGE_MS;
}

/* --- the end ------------------------------------------------------------------ */

static bool waits_for_room(const struct log_sink *s, uint64_t end_ns)
{
    struct pollfd p = { .fd = atomic_load(&s->fd), .events = POLLOUT };
    uint64_t now = clock_mono_ns();
    if (p.fd < 0 || now >= end_ns) return false;
    return poll(&p, 1, (int)((end_ns - now) / 1000000) + 1) == 1;
}

/* Whether all of it is out. */
static bool write_all(struct access_log *l, struct log_sink *s)
{
    if (!access_log_write(l, s)) return false;
    if (page_of(l)->n) give(l, s);
    return access_log_write(l, s);
}

uint64_t access_log_end(struct access_log *l, struct log_sink *s,
                        uint64_t end_ns)
{
    uint64_t before = atomic_load(&l->dropped);
    bool done;
    while (!(done = write_all(l, s)) && waits_for_room(s, end_ns)) {}
    for (int i = 0; i < 2 && !done; i++) {
        drop(l, l->pages[i].lines);
        l->pages[i].n = l->pages[i].done = l->pages[i].lines = 0;
    }
    atomic_store(&l->taken, atomic_load(&l->given));
    return atomic_load(&l->dropped) - before;
}
