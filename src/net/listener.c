/* Accepting: one socket a reactor (SO_REUSEPORT), level-triggered, so that
 * what one turn leaves is told again. The kernel spreads by hash, which is
 * uneven for few connections; two random choices even it out (hot-path §8). */
#include "net/reactor_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

enum {
    ACCEPTS_A_TURN = 64,
    BACKLOG_DEFAULT = 4096,
    PAUSE_MS = 100, /* without descriptors */
    LEAD_MIN = 4,   /* hand over above this and 1/8 (12 %) more than other */
};

/* A fresh descriptor on its way to another reactor. */
struct handover {
    struct mail mail;
    struct listener *to;
    struct addr peer;
    int fd;
};

/* --- opening -------------------------------------------------------------- */

static int open_socket(const struct listener_conf *conf, int *fd_out)
{
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(&conf->addr, &sa);
    int on = 1, off = 0;
    int fd =
        socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_from_errno(errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (sa.ss_family == AF_INET6) {
        static const struct ip any;
        bool both = ip_eq(&conf->addr.ip, &any);
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, both ? &off : &on, sizeof on);
    }
    if (bind(fd, (struct sockaddr *)&sa, n) < 0 ||
        listen(fd, conf->backlog ? conf->backlog : BACKLOG_DEFAULT) < 0) {
        int err = err_from_errno(errno);
        close(fd);
        return err;
    }
    *fd_out = fd;
    return 0;
}

static int check_inherited(int fd)
{
    int accepts = 0, on = 1;
    socklen_t n = sizeof accepts;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &n) < 0 ||
        !accepts || ioctl(fd, FIONBIO, &on) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return ERR_INVALID;
    return 0;
}

static void resume(struct timer *t)
{
    struct listener *l = CONTAINER_OF(t, struct listener, resume);
    l->paused = false;
    if (l->fd >= 0)
        reactor_watch(l->r, EPOLL_CTL_MOD, l->fd, EPOLLIN,
                      (uint64_t)l->number << 32 | KEY_LISTENER);
}

int listener_open(struct reactor *r, const struct listener_conf *conf,
                  struct listener **out)
{
    int fd = conf->inherited_fd, on = 1;
    int err = fd < 0 ? open_socket(conf, &fd) : check_inherited(fd);
    if (err < 0) return err;
    /* what is accepted inherits these */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    struct listener *l = NEW(struct listener);
    l->r = r;
    l->conf = *conf;
    l->fd = fd;
    l->resume.fire = resume;
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0)
        addr_from_sockaddr((struct sockaddr *)&sa, &l->bound);
    l->number = r->listeners ? r->listeners->number + 1 : 0;
    l->next = r->listeners;
    r->listeners = l;
    reactor_watch(r, EPOLL_CTL_ADD, fd, EPOLLIN,
                  (uint64_t)l->number << 32 | KEY_LISTENER);
    *out = l;
    return 0;
}

void listener_addr(const struct listener *l, struct addr *out)
{
    *out = l->bound;
}

void listener_share(struct listener *const *all, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        all[i]->group = n > 1 ? all : NULL;
        all[i]->group_n = n;
    }
}

/* --- accepting ------------------------------------------------------------ */

static void accepted(struct listener *l, int fd, const struct addr *peer)
{
    struct reactor *r = l->r;
    struct conn *c = NULL;
    if (r->accepted < (r->slots + 1) / 2)
        c = conn_new(r, fd, l->conf.ops, l->conf.ctx);
    if (!c) {
        STAT_ADD(r, accept_errors, 1);
        close(fd);
        return;
    }
    c->peer = *peer;
    c->listener = l;
    r->accepted++;
    STAT_ADD(r, accepts, 1);
    if (l->conf.on_accept) l->conf.on_accept(c, l->conf.ctx);
    ENSURE(c->ops);
    settle(r);
}

static void handed_over(struct mail *m)
{
    struct handover *h = CONTAINER_OF(m, struct handover, mail);
    accepted(h->to, h->fd, &h->peer);
    mem_free(h);
}

static struct listener *lighter_one(struct listener *l)
{
    if (!l->group) return NULL;
    struct listener *other = l->group[rand_fast_next(&l->r->rand) % l->group_n];
    unsigned mine = l->r->conns + l->r->ready_n;
    unsigned its = atomic_load_explicit(&other->r->load, memory_order_relaxed);
    unsigned lead = mine > its ? mine - its : 0;
    return other != l && lead > LEAD_MIN && lead > its / 8 ? other : NULL;
}

static bool hand_over(struct listener *l, int fd, const struct addr *peer)
{
    struct listener *to = lighter_one(l);
    if (!to) return false;
    struct handover *h = NEW(struct handover);
    *h = (struct handover){
        .mail.deliver = handed_over, .to = to, .peer = *peer, .fd = fd
    };
    if (reactor_post(to->r, &h->mail) < 0) {
        mem_free(h);
        return false;
    }
    /* it will publish its own; until then others should see this one */
    atomic_fetch_add_explicit(&to->r->load, 1, memory_order_relaxed);
    STAT_ADD(l->r, handed_over, 1);
    return true;
}

/* Out of descriptors: the one in reserve takes the waiting connection off the
 * queue, so that its peer learns, then the listener rests: being told of it
 * again and again would burn the processor. */
static void out_of_descriptors(struct listener *l)
{
    struct reactor *r = l->r;
    STAT_ADD(r, accept_errors, 1);
    if (r->spare_fd >= 0) {
        close(r->spare_fd);
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) close(fd);
        r->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    l->paused = true;
    reactor_watch(r, EPOLL_CTL_MOD, l->fd, 0,
                  (uint64_t)l->number << 32 | KEY_LISTENER);
    timer_arm(r, &l->resume, PAUSE_MS);
}

/* False: nothing waits any more, or nothing can be accepted now. */
static bool accept_one(struct listener *l, bool share)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    struct addr peer = { 0 };
    int fd = accept4(l->fd, (struct sockaddr *)&sa, &n,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int e = errno;
        if (e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM)
            out_of_descriptors(l);
        /* ECONNABORTED and what the network reports: of that one peer only */
        return e != EAGAIN && !l->paused;
    }
    addr_from_sockaddr((struct sockaddr *)&sa, &peer);
    if (!share || !hand_over(l, fd, &peer)) accepted(l, fd, &peer);
    return true;
}

void listener_event(struct reactor *r, uint32_t number)
{
    struct listener *l = r->listeners;
    while (l && l->number != number) l = l->next;
    for (int i = 0; i < ACCEPTS_A_TURN && l && l->fd >= 0 && !l->paused; i++)
        if (!accept_one(l, true)) break;
}

void listener_close(struct listener *l)
{
    if (l->fd < 0) return;
    /* closing resets what waits in the queue */
    for (unsigned i = 0; i < l->r->slots && !l->paused; i++)
        if (!accept_one(l, false)) break;
    timer_cancel(l->r, &l->resume);
    close(l->fd);
    l->fd = -1;
}

void listeners_stop(struct reactor *r)
{
    for (struct listener *l = r->listeners; l; l = l->next) listener_close(l);
}

void listeners_free(struct reactor *r)
{
    while (r->listeners) {
        struct listener *l = r->listeners;
        r->listeners = l->next;
        if (l->fd >= 0) close(l->fd);
        mem_free(l);
    }
}
