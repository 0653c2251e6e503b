#include "httpkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    bool (*ok)(void *ctx);
    void *ctx;
    unsigned turns_max;
    bool met;
} until;

static void until_step(struct kit *k)
{
    until.met = until.ok && until.ok(until.ctx);
    if (until.met || k->turns >= until.turns_max) k->done = true;
}

/* Loopback delivers at once, but on a busy machine a moment later: turns that
 * find nothing wait a millisecond. */
bool pump(struct kit *k, bool (*ok)(void *ctx), void *ctx)
{
    until.ok = ok;
    until.ctx = ctx;
    until.turns_max = 10000;
    kit_run(k, until_step);
    return until.met;
}

void pump_turns(struct kit *k, unsigned turns)
{
    until.ok = NULL;
    until.turns_max = turns;
    kit_run(k, until_step);
}

void pump_ms(struct kit *k, uint32_t ms)
{
    uint32_t step = ms > 5000 ? 1000 : 100;
    for (uint32_t at = 0; at < ms; at += step) {
        kit_forward_ms(k, ms - at < step ? ms - at : step);
        pump_turns(k, 1);
    }
    pump_turns(k, 3);
}

void kit_stop(struct kit *k)
{
    reactor_stop(k->r, 0);
    kit_run(k, NULL);
}

void wire_take(struct wire *w, int fd)
{
    w->fd = fd;
    w->closed = false;
    w->n = 0;
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

void wire_dial(struct wire *w, const struct addr *to)
{
    wire_take(w, kit_dial(to));
}

void wire_send(struct wire *w, const char *text)
{
    size_t n = strlen(text);
    assert_int_equal(send(w->fd, text, n, MSG_NOSIGNAL), n);
}

void wire_fini(struct wire *w)
{
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
}

static void wire_read(struct wire *w)
{
    while (!w->closed && w->n < sizeof w->got - 1) {
        ssize_t n = recv(w->fd, w->got + w->n, sizeof w->got - 1 - w->n, 0);
        if (n > 0)
            w->n += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            w->closed = true;
        else
            break;
    }
    w->got[w->n] = '\0';
}

struct sending {
    struct wire *w;
    const char *p;
    size_t n;
};

static bool all_sent(void *ctx)
{
    struct sending *s = ctx;
    ssize_t n = send(s->w->fd, s->p, s->n, MSG_NOSIGNAL);
    wire_read(s->w);
    if (n > 0) {
        s->p += n;
        s->n -= (size_t)n;
    }
    return s->n == 0;
}

void wire_send_n(struct kit *k, struct wire *w, const void *p, size_t n)
{
    assert_true(pump(k, all_sent, &(struct sending){ w, p, n }));
}

struct expecting {
    struct wire *w;
    size_t n;
};

static void cut_dates(struct wire *w)
{
    for (char *p; (p = strstr(w->got, "Date: ")) != NULL;) {
        char *end = strstr(p, "\r\n");
        if (!end) return;
        memmove(p, end + 2, (size_t)(w->got + w->n + 1 - (end + 2)));
        w->n -= (size_t)(end + 2 - p);
    }
}

static bool has_come(void *ctx)
{
    struct expecting *e = ctx;
    wire_read(e->w);
    cut_dates(e->w);
    return e->w->n >= e->n || e->w->closed;
}

void wire_expect(struct kit *k, struct wire *w, const char *text)
{
    pump(k, has_come, &(struct expecting){ w, strlen(text) });
    pump_turns(k, 3);
    wire_read(w);
    cut_dates(w);
    assert_string_equal(w->got, text);
    w->n = 0;
}

void wire_expect_n(struct kit *k, struct wire *w, size_t n)
{
    assert_true(pump(k, has_come, &(struct expecting){ w, n }));
    assert_int_equal(w->n, n);
}

static bool has_closed(void *ctx)
{
    struct wire *w = ctx;
    wire_read(w);
    return w->closed;
}

void wire_expect_closed(struct kit *k, struct wire *w)
{
    assert_true(pump(k, has_closed, w));
    assert_int_equal(w->n, 0);
}

void wire_expect_silence(struct kit *k, struct wire *w)
{
    pump_turns(k, 10);
    wire_read(w);
    assert_int_equal(w->n, 0);
    assert_false(w->closed);
}

int origin_listen(struct addr *at)
{
    struct addr a = kit_loopback(0);
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(&a, &sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    assert_true(addr_from_sockaddr((struct sockaddr *)&sa, at));
    return fd;
}

struct accepting {
    int listener, fd;
};

static bool has_accepted(void *ctx)
{
    struct accepting *a = ctx;
    a->fd = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC);
    return a->fd >= 0;
}

void origin_accept(struct kit *k, int listener, struct wire *w)
{
    struct accepting a = { listener, -1 };
    assert_true(pump(k, has_accepted, &a));
    wire_take(w, a.fd);
}
