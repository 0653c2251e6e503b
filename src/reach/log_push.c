#include "reach/log_push.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "codec/rfc3339.h"

enum {
    PIPE_BYTES = 1 << 20,
    LINE_MAX_BYTES = 4096, /* as journal/access_log.h has it */
    CONNECT_MS = 5000,
    SEND_MS = 5000,
    PAUSE_MS = 500,
    PAUSE_MAX_MS = 30000,
    SLICE_MS = 100, /* in which a wait looks for the stop */
    HOST_MAX = 255,
    STACK_BYTES = 256 << 10,
};

enum scheme { TO_UNIX, TO_UDP, TO_TCP, TO_HTTP };

static const struct {
    const char *prefix;
    enum scheme scheme;
    const char *port;
} schemes[] = {
    { "syslog+udp://", TO_UDP, "514" }, { "syslog+tcp://", TO_TCP, "601" },
    { "syslog:/", TO_UNIX, "" },        { "http://", TO_HTTP, "" },
    { "https://", TO_HTTP, "" },
};

struct log_push {
    struct log_push_conf conf;
    enum scheme scheme;
    char host[HOST_MAX + 1], port[8]; /* unix: host is the path */
    char name[HOST_MAX + 1];          /* of this machine */
    int fd, socket;                   /* the pipe's end; -1 not connected */
    pthread_t thread;
    bool started, ended, failing;
    _Atomic uint64_t stop_ns; /* when we were asked to; 0: not yet */
    bool stopping;            /* the thread has seen it */
    unsigned failures;        /* in a row */
    size_t n;                 /* bytes in `in` */
    char *in;                 /* LOG_PUSH_BATCH_BYTES */
    _Atomic uint64_t sent, errors;
};

/* --- where to ----------------------------------------------------------------------- */

static int scheme_of(const char *to)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (!strncmp(to, schemes[i].prefix, strlen(schemes[i].prefix)))
            return (int)i;
    return -1;
}

bool log_push_is(const char *to)
{
    return scheme_of(to) >= 0;
}

/* host, host:port, [v6]:port */
static int place_parse(struct log_push *l, const char *to, const char *port)
{
    const char *end = to + strlen(to), *colon = strrchr(to, ':');
    bool bracket = to[0] == '[';
    if (bracket && colon && colon < strchr(to, ']')) colon = NULL;
    const char *host_end = colon ? colon : end;
    if (colon) port = colon + 1;
    if (bracket) to++, host_end--;
    size_t n = (size_t)(host_end - to);
    if (host_end <= to || n > HOST_MAX || !port[0] ||
        strlen(port) >= sizeof l->port || (bracket && *host_end != ']'))
        return ERR_INVALID;
    memcpy(l->host, to, n);
    memcpy(l->port, port, strlen(port) + 1);
    return 0;
}

static int place_read(struct log_push *l)
{
    int row = scheme_of(l->conf.to);
    if (row < 0) return ERR_INVALID;
    const char *rest = l->conf.to + strlen(schemes[row].prefix);
    l->scheme = schemes[row].scheme;
    if (l->scheme == TO_HTTP) return 0;
    if (l->scheme != TO_UNIX) return place_parse(l, rest, schemes[row].port);
    rest = l->conf.to + strlen("syslog:");
    if (strlen(rest) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return ERR_INVALID;
    memcpy(l->host, rest, strlen(rest) + 1);
    return 0;
}

/* --- connecting: this thread may block, for so long ----------------------------------- */

static bool is_late(const struct log_push *l)
{
    uint64_t stop_ns = atomic_load(&l->stop_ns);
    return stop_ns && clock_mono_ns() - stop_ns > LOG_PUSH_STOP_MS * 1000000ull;
}

static int wait_writable(const struct log_push *l, int fd, int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int err = 0, ready = 0;
    socklen_t n = sizeof err;
    for (; ms > 0 && !ready && !is_late(l); ms -= SLICE_MS)
        ready = poll(&p, 1, SLICE_MS);
    if (ready != 1) return ETIMEDOUT;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n);
    return err;
}

static int try_address(const struct log_push *l, const struct sockaddr *to,
                       socklen_t n, int type)
{
    int fd = socket(to->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int err = connect(fd, to, n) ? errno : 0;
    if (err == EINPROGRESS) err = wait_writable(l, fd, CONNECT_MS);
    if (!err) return fd;
    close(fd);
    return -err;
}

static int connect_inet(struct log_push *l, const char **why)
{
    struct addrinfo hints = { .ai_socktype = l->scheme == TO_TCP ? SOCK_STREAM
                                                                 : SOCK_DGRAM };
    struct addrinfo *list, *a;
    int fd = -ENOENT;
    *why = "the name could not be resolved";
    if (getaddrinfo(l->host, l->port, &hints, &list)) return fd;
    for (a = list; a && fd < 0; a = a->ai_next) {
        struct addr to;
        if (!addr_from_sockaddr(a->ai_addr, &to)) continue;
        const char *refused = egress_refuses(l->conf.egress, &to);
        *why = refused;
        if (!refused)
            fd = try_address(l, a->ai_addr, a->ai_addrlen, a->ai_socktype);
        if (!refused && fd < 0) *why = strerror(-fd);
    }
    freeaddrinfo(list);
    return fd;
}

static int connect_unix(struct log_push *l, const char **why)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    memcpy(to.sun_path, l->host, strlen(l->host) + 1);
    int fd = try_address(l, (struct sockaddr *)&to, sizeof to, SOCK_DGRAM);
    *why = fd < 0 ? strerror(-fd) : NULL;
    return fd;
}

static void failed(struct log_push *l, const char *why)
{
    atomic_fetch_add(&l->errors, 1);
    l->failures++;
    if (!l->failing) log_warn("reach", "access log to %s: %s", l->conf.to, why);
    l->failing = true;
    if (l->socket >= 0) close(l->socket);
    l->socket = -1;
}

static bool connected(struct log_push *l)
{
    const char *why = NULL;
    if (l->socket >= 0) return true;
    l->socket =
        l->scheme == TO_UNIX ? connect_unix(l, &why) : connect_inet(l, &why);
    if (l->socket >= 0) return true;
    failed(l, why ? why : "refused");
    return false;
}

/* --- messages ------------------------------------------------------------------------- */

size_t syslog_message(char *out, int64_t wall_ms, struct sv host, int pid,
                      struct sv line)
{
    enum { LOCAL0_INFO = 16 * 8 + 6 };
    char at[RFC3339_TEXT];
    rfc3339_encode(at, wall_ms);
    int n =
        snprintf(out, SYSLOG_HEAD_MAX, "<%d>1 %.*s %.*s typeauth %d access - ",
                 LOCAL0_INFO, RFC3339_TEXT, at,
                 host.n && host.n <= HOST_MAX ? (int)host.n : 1,
                 host.n && host.n <= HOST_MAX ? host.p : "-", pid);
    memcpy(out + n, line.p, line.n);
    return (size_t)n + line.n;
}

static bool send_all(struct log_push *l, struct sv bytes)
{
    while (bytes.n) {
        ssize_t n = send(l->socket, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n > 0) {
            bytes = sv_from(bytes, (size_t)n);
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        bool full = n < 0 && (errno == EAGAIN || errno == ENOBUFS);
        int err = full ? wait_writable(l, l->socket, SEND_MS) : errno;
        if (!err) continue;
        failed(l, strerror(err));
        return false;
    }
    return true;
}

static bool send_line(struct log_push *l, struct sv line)
{
    char text[24 + SYSLOG_HEAD_MAX + LINE_MAX_BYTES], *at = text + 24;
    if (line.n > LINE_MAX_BYTES) line = sv_first(line, LINE_MAX_BYTES);
    size_t n = syslog_message(at, l->conf.wall_ms(), sv_cstr(l->name),
                              (int)getpid(), line);
    if (l->scheme == TO_TCP) {
        char count[24];
        size_t digits = (size_t)snprintf(count, sizeof count, "%zu ", n);
        at -= digits;
        memcpy(at, count, digits);
        n += digits;
    }
    return send_all(l, sv_of(at, n));
}

/* The whole lines that were read; what could not be sent stays. */
static void lines_send(struct log_push *l)
{
    size_t done = 0;
    while (done < l->n && connected(l)) {
        struct sv rest = sv_of(l->in + done, l->n - done);
        size_t end = sv_find(rest, '\n');
        if (end == SIZE_MAX) break;
        if (!send_line(l, sv_first(rest, end))) break;
        atomic_fetch_add(&l->sent, 1);
        l->failures = 0;
        l->failing = false;
        done += end + 1;
    }
    memmove(l->in, l->in + done, l->n - done);
    l->n -= done;
}

static uint64_t count_lines(struct sv s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == '\n';
    return n;
}

static void batch_send(struct log_push *l)
{
    struct sv all = sv_of(l->in, l->n);
    size_t end = sv_rfind(all, '\n');
    struct buf body;
    if (end == SIZE_MAX || !pusher_is_free(l->conf.pusher, PUSH_LOGS)) return;
    buf_init(&body, LOG_PUSH_BATCH_BYTES);
    buf_put(&body, sv_first(all, end + 1));
    pusher_put(l->conf.pusher, PUSH_LOGS, &body,
               count_lines(sv_first(all, end + 1)));
    memmove(l->in, l->in + end + 1, l->n - end - 1);
    l->n -= end + 1;
}

/* --- the thread ----------------------------------------------------------------------- */

/* False: the other end is closed and all was read. */
static bool take(struct log_push *l, int wait_ms)
{
    struct pollfd p = { .fd = l->fd, .events = POLLIN };
    if (l->n == LOG_PUSH_BATCH_BYTES) {
        poll(NULL, 0, wait_ms);
        return true;
    }
    if (poll(&p, 1, wait_ms) <= 0) return true;
    ssize_t n = read(l->fd, l->in + l->n, LOG_PUSH_BATCH_BYTES - l->n);
    if (n > 0) l->n += (size_t)n;
    return n != 0;
}

static int pause_ms(const struct log_push *l)
{
    unsigned doubled = l->failures < 7 ? l->failures : 7;
    int ms = PAUSE_MS << doubled;
    return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

/* The stop gives a receiver that failed one more try. Over: all was taken, it
 * fails again, or it is late. */
static bool is_over(struct log_push *l)
{
    if (!atomic_load(&l->stop_ns)) return false;
    if (!l->stopping) l->failures = 0;
    l->stopping = true;
    bool held =
        l->scheme == TO_HTTP && !pusher_is_free(l->conf.pusher, PUSH_LOGS);
    return l->failures || is_late(l) || (l->ended && !l->n && !held);
}

static void pause_after_failure(struct log_push *l)
{
    for (int ms = pause_ms(l); ms > 0 && !atomic_load(&l->stop_ns);
         ms -= SLICE_MS)
        poll(NULL, 0, SLICE_MS);
}

static void *push_main(void *arg)
{
    struct log_push *l = arg;
    while (!is_over(l)) {
        if (!l->ended) l->ended = !take(l, l->stopping ? 10 : 200);
        if (l->scheme == TO_HTTP)
            batch_send(l);
        else
            lines_send(l);
        if (l->failures) pause_after_failure(l);
        if (l->ended) poll(NULL, 0, 10);
    }
    return NULL;
}

int log_push_new(struct log_push **out, const struct log_push_conf *conf,
                 int *write_fd)
{
    int ends[2];
    struct log_push *l = NEW(struct log_push);
    l->conf = *conf;
    l->fd = l->socket = -1;
    int err = place_read(l);
    if (!err && pipe2(ends, O_CLOEXEC)) err = err_from_errno(errno);
    if (err) {
        mem_free(l);
        return err;
    }
    l->fd = ends[0];
    *write_fd = ends[1];
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* else 64 KiB: also well */
    if (gethostname(l->name, HOST_MAX)) l->name[0] = 0;
    l->in = mem_alloc(LOG_PUSH_BATCH_BYTES);
    *out = l;
    return 0;
}

int log_push_start(struct log_push *l)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    int err = pthread_create(&l->thread, &small, push_main, l);
    pthread_attr_destroy(&small);
    if (err) return err_from_errno(err);
    l->started = true;
    pthread_setname_np(l->thread, "log-push");
    return 0;
}

/* In memory and in the pipe, which is emptied. */
static uint64_t lines_left(struct log_push *l)
{
    uint64_t lines = count_lines(sv_of(l->in, l->n));
    fcntl(l->fd, F_SETFL, O_NONBLOCK);
    for (ssize_t n; (n = read(l->fd, l->in, LOG_PUSH_BATCH_BYTES)) > 0;)
        lines += count_lines(sv_of(l->in, (size_t)n));
    l->n = 0;
    return lines;
}

void log_push_stop(struct log_push *l)
{
    if (!l || !l->started) return;
    atomic_store(&l->stop_ns, clock_mono_ns());
    pthread_join(l->thread, NULL);
    l->started = false;
    uint64_t lost = lines_left(l);
    if (!lost) return;
    pusher_drop(l->conf.pusher, PUSH_LOGS, lost);
    log_warn("reach", "access log to %s: %llu lines were lost at the end",
             l->conf.to, (unsigned long long)lost);
}

void log_push_free(struct log_push **at)
{
    struct log_push *l = *at;
    if (!l) return;
    log_push_stop(l);
    if (l->socket >= 0) close(l->socket);
    close(l->fd);
    mem_free(l->in);
    mem_free(l);
    *at = NULL;
}

void log_push_metrics(const struct log_push *l, struct buf *out)
{
    metric_one(out, "typeauth_log_push_lines_total", "counter",
               "Lines of the access log that syslog took",
               l ? atomic_load(&l->sent) : 0);
    metric_one(out, "typeauth_log_push_errors_total", "counter",
               "Failures to reach syslog; lines wait meanwhile",
               l ? atomic_load(&l->errors) : 0);
}
