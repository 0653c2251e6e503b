/* A reactor, turned by hand, for targets that drive whole connections. Its
 * clock is the target's. */
#ifndef FUZZ_HTTP_DRIVER_H
#define FUZZ_HTTP_DRIVER_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"
#include "net/listener.h"

static struct {
    struct reactor *r;
    uint64_t clock_ns;
    struct timer busy;
} drive = {.clock_ns = 1000000000};

static uint64_t drive_clock(void *ctx)
{
    (void)ctx;
    return drive.clock_ns;
}

static void drive_turn_end(void *ctx)
{
    (void)ctx;
    reactor_pause(drive.r);
}

static void drive_stay_busy(struct timer *t)
{
    timer_arm(drive.r, t, 0);
}

static void drive_begin(void)
{
    struct reactor_conf conf = {.clock_ns = drive_clock,
                                .on_turn = drive_turn_end};
    ENSURE(reactor_new(&drive.r, &conf) == 0);
    drive.busy.fire = drive_stay_busy;
    timer_arm(drive.r, &drive.busy, 0);
}

static void drive_turns(unsigned n)
{
    while (n--) reactor_run(drive.r);
}

static struct addr drive_loopback(void)
{
    struct addr a = {.port = 0};
    ENSURE(ip_parse(SV("127.0.0.1"), &a.ip) == 0);
    return a;
}

/* Not blocking; closing it resets, so that no port stays taken. */
static void drive_own(int fd)
{
    struct linger hard = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    ENSURE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
}

static inline int drive_dial(const struct addr *to)
{
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(to, &sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ENSURE(fd >= 0);
    /* the fuzzer's own timer may interrupt it: then it goes on by itself */
    if (connect(fd, (struct sockaddr *)&sa, n) != 0) {
        struct pollfd ready = {fd, POLLOUT, 0};
        int problem = 0;
        socklen_t size = sizeof problem;
        ENSURE(errno == EINTR);
        while (poll(&ready, 1, -1) < 0) ENSURE(errno == EINTR);
        ENSURE(getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) == 0);
        ENSURE(problem == 0);
    }
    drive_own(fd);
    return fd;
}

/* Sends `in` in pieces whose sizes follow from `seed`, with turns in between;
 * what comes back is added to out. */
static size_t drive_receive(int fd, char *out, size_t n, size_t max, bool *eof)
{
    ssize_t got = recv(fd, out + n, max - n, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) *eof = true;
    return got > 0 ? n + (size_t)got : n;
}

static size_t drive_send(int fd, struct sv in, uint32_t seed, char *out,
                         size_t max, bool *eof)
{
    size_t n = 0;
    while (in.n && !*eof) {
        seed = seed * 1664525 + 1013904223;
        struct sv piece = sv_first(in, (seed >> 16) % (seed >> 31 ? 8 : 600)
                                           + 1);
        ssize_t sent = send(fd, piece.p, piece.n, MSG_NOSIGNAL);
        if (sent > 0) in = sv_from(in, (size_t)sent);
        else if (errno != EAGAIN) *eof = true;
        drive_turns(1);
        n = drive_receive(fd, out, n, max, eof);
    }
    return n;
}

#endif
