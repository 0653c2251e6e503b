/* The buffer of a reactor and the descriptor shared by all.
 *
 *   add ──> buffer ──full or 1 s old──> write ──> file
 *    │                                   └─ no room (stream): rest is kept
 *    └─ buffer full and the stream still without room: dropped, counted
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
    atomic_store(&s->fd, -1);
    log_sink_set(s, fd);
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
    l->buffer = mem_alloc(LOG_BUFFER_BYTES);
}

static void drop_all(struct access_log *l)
{
    counter_add(&l->dropped, l->lines);
    l->n = 0;
    l->lines = 0;
    l->since_ms = 0;
}

static void report(struct access_log *l, int err)
{
    counter_add(&l->errors, 1);
    if (!l->failing)
        log_error("journal", "access log: %s; lines are lost", strerror(err));
    l->failing = true;
}

/* Up to n, and to a stream whole lines that the kernel takes as one. */
static size_t piece_of(const struct access_log *l, size_t from, bool stream)
{
    size_t n = l->n - from;
    if (!stream || n <= PIPE_BUF) return n;
    const char *end = memrchr(l->buffer + from, '\n', PIPE_BUF);
    return end ? (size_t)(end - (l->buffer + from)) + 1 : PIPE_BUF;
}

/* The first n bytes are out: whole lines, or pieces of a file's. */
static void forget(struct access_log *l, size_t n)
{
    unsigned lines = l->lines;
    if (n < l->n) {
        lines = 0;
        for (size_t i = 0; i < n; i++) lines += l->buffer[i] == '\n';
    }
    counter_add(&l->written, lines);
    memmove(l->buffer, l->buffer + n, l->n - n);
    l->n -= n;
    l->lines -= lines;
    if (!l->n) l->since_ms = 0;
}

static void flush(struct access_log *l, struct log_sink *s)
{
    int fd = atomic_load_explicit(&s->fd, memory_order_acquire);
    bool stream = atomic_load_explicit(&s->is_stream, memory_order_relaxed);
    size_t done = 0;
    while (fd >= 0 && done < l->n) {
        ssize_t n = write(fd, l->buffer + done, piece_of(l, done, stream));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            l->blocked = true;
            break;
        }
        if (n <= 0) {
            report(l, errno);
            if (done) forget(l, done);
            drop_all(l);
            return;
        }
        done += (size_t)n;
        l->failing = false;
    }
    if (done) forget(l, done);
}

static bool has_room(int fd, uint64_t end_ns)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    uint64_t now = clock_mono_ns();
    if (now >= end_ns) return false;
    return poll(&p, 1, (int)((end_ns - now) / 1000000) + 1) == 1;
}

uint64_t access_log_end(struct access_log *l, struct log_sink *s,
                        uint64_t end_ns)
{
    uint64_t before = atomic_load(&l->dropped);
    int fd = atomic_load(&s->fd);
    flush(l, s);
    while (fd >= 0 && l->n && has_room(fd, end_ns)) flush(l, s);
    drop_all(l);
    return atomic_load(&l->dropped) - before;
}

void access_log_fini(struct access_log *l)
{
    mem_free(l->buffer);
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
    bool room = LOG_BUFFER_BYTES - l->n >= LOG_LINE_MAX + 16;
    if (!room && !l->blocked) {
        flush(l, s);
        room = LOG_BUFFER_BYTES - l->n >= LOG_LINE_MAX + 16;
    }
    if (!room) {
        counter_add(&l->dropped, 1);
        return;
    }
    l->n += access_log_line(l->buffer + l->n, e);
    l->lines++;
}

uint32_t access_log_turn(struct access_log *l, struct log_sink *s,
                         uint64_t now_ms)
{
    l->blocked = false;
    if (!l->n) return 0;
    if (!l->since_ms) l->since_ms = now_ms ? now_ms : 1;
    if (now_ms - l->since_ms < LOG_AGE_MS)
        return (uint32_t)(LOG_AGE_MS - (now_ms - l->since_ms));
    flush(l, s);
    if (!l->n) return 0;
    l->since_ms = now_ms; /* a stream without room: again in a while */
    return LOG_AGE_MS;
}
