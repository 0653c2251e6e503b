#include "netkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/ensure.h"

enum { TURNS_MAX = 20000 };

static uint64_t kit_clock(void *ctx)
{
    return ((struct kit *)ctx)->clock_ns;
}

static void kit_turn(void *ctx)
{
    struct kit *k = ctx;
    k->turns++;
    if (k->step) k->step(k);
    if (k->done || (k->turns >= TURNS_MAX && !k->patient)) reactor_pause(k->r);
}

static void kit_sleep(void *ctx)
{
    ((struct kit *)ctx)->sleeps++;
}

static void kit_wake(void *ctx)
{
    ((struct kit *)ctx)->wakes++;
}

void kit_init(struct kit *k, const struct reactor_conf *conf)
{
    struct reactor_conf c = conf ? *conf : (struct reactor_conf){ 0 };
    *k = (struct kit){ .clock_ns = 1000000000 };
    c.clock_ns = kit_clock;
    c.on_turn = kit_turn;
    c.on_sleep = kit_sleep;
    c.on_wake = kit_wake;
    c.ctx = k;
    assert_int_equal(reactor_new(&k->r, &c), 0);
}

void kit_fini(struct kit *k)
{
    reactor_free(&k->r);
}

void kit_run(struct kit *k, kit_step *step)
{
    k->step = step;
    k->turns = 0;
    k->done = false;
    assert_int_equal(reactor_run(k->r), 0);
    assert_true(k->turns < TURNS_MAX);
}

static void stay_busy(struct timer *t)
{
    timer_arm(CONTAINER_OF(t, struct kit, busy)->r, t, 0);
}

void kit_run_busy(struct kit *k, kit_step *step)
{
    k->busy.fire = stay_busy;
    timer_arm(k->r, &k->busy, 0);
    kit_run(k, step);
    timer_cancel(k->r, &k->busy);
}

void kit_run_patient(struct kit *k)
{
    k->patient = true;
    k->step = NULL;
    k->done = false;
    assert_int_equal(reactor_run(k->r), 0);
    k->patient = false;
}

void kit_forward_ms(struct kit *k, uint64_t ms)
{
    k->clock_ns += ms * 1000000;
}

/* --- recorder ------------------------------------------------------------- */

void log_init(struct log_of *l, struct kit *k)
{
    *l = (struct log_of){ .kit = k, .consume_max = SIZE_MAX };
    buf_init(&l->in, 64 << 20);
}

void log_fini(struct log_of *l)
{
    buf_fini(&l->in);
}

static void on_open(struct conn *c)
{
    ((struct log_of *)conn_ctx(c))->opened++;
}

static size_t on_bytes(struct conn *c, struct sv in)
{
    struct log_of *l = conn_ctx(c);
    size_t n = in.n < l->consume_max ? in.n : l->consume_max;
    l->offered++;
    buf_put(&l->in, sv_first(in, n));
    return n;
}

static void on_room(struct conn *c)
{
    ((struct log_of *)conn_ctx(c))->rooms++;
}

static void on_eof(struct conn *c)
{
    struct log_of *l = conn_ctx(c);
    l->eofs++;
    if (l->finish_at_eof) conn_finish(c);
}

static void on_timeout(struct conn *c, enum deadline which)
{
    struct log_of *l = conn_ctx(c);
    l->timeouts++;
    l->which = which;
}

static void on_drain(struct conn *c)
{
    ((struct log_of *)conn_ctx(c))->drains++;
}

static void on_closed(struct conn *c, int err)
{
    struct log_of *l = conn_ctx(c);
    l->closed++;
    l->err = err;
    l->c = NULL;
    if (l->done_at_close) l->kit->done = true;
}

const struct conn_ops LOG_OPS = {
    .on_open = on_open,
    .on_bytes = on_bytes,
    .on_room = on_room,
    .on_eof = on_eof,
    .on_timeout = on_timeout,
    .on_drain = on_drain,
    .on_closed = on_closed,
};

/* --- sockets -------------------------------------------------------------- */

int kit_pair(struct kit *k, struct log_of *l)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(conn_adopt(k->r, fd[0], &LOG_OPS, l, &l->c), 0);
    return fd[1];
}

struct addr kit_loopback(uint16_t port)
{
    struct addr a = { .port = port };
    assert_int_equal(ip_parse(SV("127.0.0.1"), &a.ip), 0);
    return a;
}

int kit_dial(const struct addr *to)
{
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(to, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, n), 0);
    return fd;
}

void kit_tcp_pair(int out[2])
{
    struct addr any = kit_loopback(0);
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(&any, &sa);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(l, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&sa, &n), 0);
    assert_true(addr_from_sockaddr((struct sockaddr *)&sa, &any));
    out[0] = kit_dial(&any);
    out[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    assert_true(out[1] >= 0);
    close(l);
}

size_t kit_read_all(int fd, char *out, size_t max)
{
    size_t n = 0;
    while (n < max) {
        ssize_t k = recv(fd, out + n, max - n, 0);
        if (k <= 0) break;
        n += (size_t)k;
    }
    return n;
}
