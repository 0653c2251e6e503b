/* A connection's life.
 *
 *   new -> [connecting] -> open -> finishing -> closing -> grave -> free
 *                            `------------------^
 *
 * closing: nothing is called any more but on_closed, when the outermost
 * callback has returned; grave: until the turn's end, because callers further
 * up the stack still look at the object. */
#include "net/reactor_int.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"

/* --- queue membership: at most one of ready, starved, shaking ------------- */

void conn_unqueue(struct conn *c)
{
    if (!c->queue.next) return;
    c->queue.next->prev = c->queue.prev;
    c->queue.prev->next = c->queue.next;
    c->queue.next = NULL;
    if (!c->aside) c->r->ready_n--;
    c->aside = false;
}

static void enqueue(struct conn *c, struct link *list)
{
    conn_unqueue(c);
    c->queue = (struct link){ list, list->prev };
    list->prev->next = &c->queue;
    list->prev = &c->queue;
}

void conn_queue_ready(struct conn *c)
{
    if (c->closing || (c->queue.next && !c->aside)) return;
    enqueue(c, &c->r->ready);
    c->r->ready_n++;
}

void conn_starve(struct conn *c)
{
    enqueue(c, &c->r->starved);
    c->aside = true;
}

/* Bytes of a client's handshake stay in the kernel until it is its turn. */
void conn_shake(struct conn *c)
{
    if (c->queue.next) return;
    enqueue(c, &c->r->shaking);
    c->aside = true;
}

/* --- life ----------------------------------------------------------------- */

struct conn *conn_new(struct reactor *r, int fd, const struct conn_ops *ops,
                      void *ctx)
{
    struct conn *c = r->free_conns;
    if (c) {
        r->free_conns = c->closing_next;
    } else {
        if (r->high == r->slots) return NULL;
        deadlines_cover(r, r->high);
        c = &r->slab[r->high++];
    }
    *c = (struct conn){ .r = r,
                        .ops = ops,
                        .ctx = ctx,
                        .fd = fd,
                        .gen = c->gen,
                        .live = true,
                        .reading = true,
                        .can_write = true };
    r->conns++;
    STAT_ADD(r, conns, 1);
    uint64_t key = (uint64_t)c->gen << 32 | (uint32_t)(c - r->slab);
    reactor_watch(r, EPOLL_CTL_ADD, fd,
                  EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, key);
    return c;
}

int conn_adopt(struct reactor *r, int fd, const struct conn_ops *ops, void *ctx,
               struct conn **out)
{
    int on = 1;
    struct conn *c = NULL;
    if (ioctl(fd, FIONBIO, &on) < 0) return err_from_errno(errno);
    if (!(c = conn_new(r, fd, ops, ctx))) return ERR_LIMIT;
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    if (getpeername(fd, (struct sockaddr *)&sa, &n) == 0)
        addr_from_sockaddr((struct sockaddr *)&sa, &c->peer);
    *out = c;
    return 0;
}

int conn_connect(struct reactor *r, const struct addr *to,
                 const struct conn_ops *ops, void *ctx, struct conn **out)
{
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(to, &sa);
    int on = 1;
    int fd =
        socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_from_errno(errno);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    /* connected before it is watched: an unconnected socket reports HUP */
    int e = connect(fd, (struct sockaddr *)&sa, n) < 0 ? errno : 0;
    struct conn *c = conn_new(r, fd, ops, ctx);
    if (!c) {
        close(fd);
        return ERR_LIMIT;
    }
    c->peer = *to;
    c->connecting = true;
    c->can_write = false;
    if (e && e != EINPROGRESS) conn_fail(c, err_from_errno(e));
    *out = c;
    return 0;
}

void conn_fail(struct conn *c, int err)
{
    if (c->closing) return;
    c->closing = true;
    c->err = (int16_t)err;
    c->closing_next = c->r->closing;
    c->r->closing = c;
}

void conn_close(struct conn *c)
{
    conn_fail(c, 0);
}

void conn_abort(struct conn *c, int err)
{
    if (!c->closing) c->rst = true;
    conn_fail(c, err);
}

void conn_finish(struct conn *c)
{
    if (c->finishing || c->closing) return;
    if (c->connecting) {
        conn_fail(c, 0);
        return;
    }
    c->finishing = true;
    deadline_set(c, DEADLINE_LINGER, LINGER_MS);
    conn_queue_ready(c); /* drops the rest, reads on */
    conn_touch(c);
}

void conn_end(struct conn *c)
{
    if (c->ending || c->finishing || c->closing) return;
    c->ending = true;
    conn_touch(c);
}

void conn_bury(struct conn *c)
{
    struct reactor *r = c->r;
    conn_unqueue(c);
    stall_end(c);
    deadline_set(c, DEADLINE_NONE, 0);
    if (c->ops->on_closed) c->ops->on_closed(c, c->err);
    outq_drop(r, &c->out);
    if (c->filter) outq_drop(r, &c->filter->raw);
    if (c->rst) {
        struct linger hard = { .l_onoff = 1 };
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    close(c->fd);
    c->fd = -1;
    c->live = false;
    if (c->listener) r->accepted--;
    r->conns--;
    STAT_ADD(r, conns, -1ull);
    c->closing_next = r->grave;
    r->grave = c;
}

void conn_free(struct conn *c)
{
    rest_drop(&c->rest);
    filter_free(c);
    c->gen++;
    c->closing_next = c->r->free_conns;
    c->r->free_conns = c;
}

/* --- events --------------------------------------------------------------- */

void conn_opened(struct conn *c)
{
    if (c->which == DEADLINE_CONNECT || c->which == DEADLINE_HANDSHAKE)
        deadline_set(c, DEADLINE_NONE, 0);
    if (c->ops->on_open) c->ops->on_open(c);
}

static void connected(struct conn *c)
{
    int e = 0;
    socklen_t n = sizeof e;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n) < 0) e = errno;
    if (e) {
        conn_fail(c, err_from_errno(e));
        return;
    }
    c->connecting = false;
    c->can_write = true;
    conn_touch(c);
    if (!c->filter)
        conn_opened(c);
    else if (c->filter->ops->on_start)
        c->filter->ops->on_start(c, c->filter->state);
}

/* Reset while nobody reads: said at once, unless input is left to be read. */
static void lost_unread(struct conn *c)
{
    const struct filter *f = c->filter;
    int left = 0;
    if (c->rest.n || (f && (f->plain.n || f->held))) return;
    if (ioctl(c->fd, FIONREAD, &left) < 0 || left == 0)
        conn_fail(c, ERR_CLOSED);
}

void conn_event(struct conn *c, uint32_t events, const struct got *got)
{
    enum { GONE = EPOLLERR | EPOLLHUP };
    /* what others of this wait have left here goes before what it is told */
    if (c->dirty) conn_write_out(c);
    if (c->connecting && events & (EPOLLOUT | GONE)) {
        connected(c);
        settle(c->r);
    }
    if (c->connecting || c->closing) return;
    if (events & (EPOLLOUT | GONE) && !c->can_write) {
        c->can_write = true;
        conn_touch(c);
        settle(c->r);
    }
    if (c->closing || !(events & (EPOLLIN | EPOLLRDHUP | GONE))) return;
    c->can_read = !c->eof;
    if (events & (EPOLLRDHUP | GONE)) c->hup = true;
    if (got) {
        conn_came(c, got);
        settle(c->r);
        if (c->closing) return;
    }
    /* what is queued has a rest to offer before more is read behind it */
    if (c->queue.next && !c->aside) return;
    if (conn_wants_input(c))
        conn_read_turn(c);
    else if (events & GONE)
        lost_unread(c);
    settle(c->r);
}

void conn_timed_out(struct conn *c)
{
    if (!c->live || c->closing) return;
    if (c->finishing)
        conn_fail(c, c->fin_sent ? 0 : ERR_TIMEOUT);
    else if (c->ops->on_timeout)
        c->ops->on_timeout(c, c->which);
    else
        conn_fail(c, ERR_TIMEOUT);
}

/* --- small questions ------------------------------------------------------ */

void conn_set_ops(struct conn *c, const struct conn_ops *ops, void *ctx)
{
    c->ops = ops;
    c->ctx = ctx;
}

void *conn_ctx(const struct conn *c)
{
    return c->ctx;
}

struct reactor *conn_reactor(const struct conn *c)
{
    return c->r;
}

const struct addr *conn_peer(const struct conn *c)
{
    return &c->peer;
}

const struct addr *conn_local(const struct conn *c)
{
    struct addr *local = &c->r->local;
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    *local = (struct addr){ 0 };
    if (getsockname(c->fd, (struct sockaddr *)&sa, &n) == 0)
        addr_from_sockaddr((struct sockaddr *)&sa, local);
    return local;
}

bool conn_closing(const struct conn *c)
{
    return c->closing || c->finishing;
}

uint64_t conn_bytes_in(const struct conn *c)
{
    return c->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *c)
{
    return c->bytes_out;
}
