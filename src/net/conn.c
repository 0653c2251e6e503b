/* A connection's life and its input: read into the reactor's current block,
 * offered, kept only when not consumed.
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

/* --- queue membership: ready or starved, never both ----------------------- */

static void unqueue(struct conn *c)
{
    if (!c->queue.next) return;
    c->queue.next->prev = c->queue.prev;
    c->queue.prev->next = c->queue.next;
    c->queue.next = NULL;
    if (!c->starved) c->r->ready_n--;
    c->starved = false;
}

static void enqueue(struct conn *c, struct link *list)
{
    unqueue(c);
    c->queue = (struct link){ list, list->prev };
    list->prev->next = &c->queue;
    list->prev = &c->queue;
}

void conn_queue_ready(struct conn *c)
{
    if (c->closing || (c->queue.next && !c->starved)) return;
    enqueue(c, &c->r->ready);
    c->r->ready_n++;
}

void conn_starve(struct conn *c)
{
    enqueue(c, &c->r->starved);
    c->starved = true;
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
    *c = (struct conn){ .r = r, .ops = ops, .ctx = ctx, .fd = fd,
                        .gen = c->gen, .live = true, .reading = true,
                        .can_write = true };
    r->conns++;
    STAT_ADD(r, conns, 1);
    uint64_t key = (uint64_t)c->gen << 32 | (uint32_t)(c - r->slab);
    reactor_watch(r, EPOLL_CTL_ADD, fd,
                  EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, key);
    return c;
}

int conn_adopt(struct reactor *r, int fd, const struct conn_ops *ops,
               void *ctx, struct conn **out)
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
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    0);
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
    unqueue(c);
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

void rest_drop(struct rest *rest)
{
    if (rest->b) block_put(rest->b);
    *rest = (struct rest){ 0 };
}

void conn_free(struct conn *c)
{
    rest_drop(&c->rest);
    filter_free(c);
    c->gen++;
    c->closing_next = c->r->free_conns;
    c->r->free_conns = c;
}

/* --- input ---------------------------------------------------------------- */

static bool wants_input(const struct conn *c)
{
    return c->reading || c->finishing || (c->filter && !c->filter->open);
}

/* Where new bytes go: behind the rest, in the connection's own block if it
 * has one, else in the reactor's. NULL: no block now. *at == BLOCK_BYTES: the
 * rest fills a block. */
struct block *conn_input_room(struct conn *c, struct rest *rest,
                              struct block **current, uint32_t *at)
{
    struct block *b = rest->b;
    if (b && b->cap == BLOCK_BYTES) {
        if (rest->off && rest->off + rest->n > BLOCK_BYTES / 4 * 3) {
            if (b->refs > 1) { /* somebody keeps what lies before */
                if (!(b = block_get_input(c->r))) return NULL;
                memcpy(b->data, rest->b->data + rest->off, rest->n);
                block_put(rest->b);
                rest->b = b;
            } else {
                memmove(b->data, b->data + rest->off, rest->n);
            }
            rest->off = 0;
        }
        *at = rest->off + rest->n;
        return b;
    }
    if (*current && (*current)->refs > 1) {
        block_put(*current);
        *current = NULL;
    }
    if (!*current && !(*current = block_get_input(c->r))) return NULL;
    if (rest->n) memcpy((*current)->data, b->data + rest->off, rest->n);
    *at = rest->n;
    return *current;
}

static size_t offer(struct conn *c, struct rest *rest, struct block *b,
                    struct sv in)
{
    struct filter *f = c->filter;
    size_t used;
    if (f && rest == &c->rest) {
        used = f->ops->on_raw(c, f->state, in);
    } else {
        c->r->offered = b;
        c->in_bytes = true;
        used = c->ops->on_bytes(c, in);
        c->in_bytes = false;
        c->r->offered = NULL;
    }
    ENSURE(used <= in.n);
    settle(c->r);
    return used;
}

static void keep_rest(struct conn *c, struct rest *rest,
                      struct block **current, struct block *b, uint32_t off,
                      uint32_t left)
{
    struct block *old = rest->b;
    if (left <= SMALL_BYTES) {
        bool fits = old && old->cap == SMALL_BYTES && old->refs == 1;
        struct block *small = fits ? old : block_get_small(c->r);
        if (small) {
            memcpy(small->data, b->data + off, left);
            if (old && !fits) block_put(old);
            *rest = (struct rest){ small, 0, left };
            return;
        }
    }
    if (b == *current) {
        if (old) block_put(old);
        *current = NULL;
    }
    *rest = (struct rest){ b, off, left };
}

/* n new bytes lie at `at` of what conn_input_room answered. */
void conn_input(struct conn *c, struct rest *rest, struct block **current,
                uint32_t at, uint32_t n)
{
    bool own = rest->b && rest->b->cap == BLOCK_BYTES;
    struct block *b = own ? rest->b : *current;
    uint32_t off = at - rest->n, have = rest->n + n;
    uint32_t used = (uint32_t)offer(c, rest, b, sv_of(b->data + off, have));
    if (c->closing) return;
    if (used == have) rest_drop(rest);
    else keep_rest(c, rest, current, b, off + used, have - used);
    c->again = c->again && rest->n;
    if (c->again) conn_queue_ready(c);
}

static void offer_again(struct conn *c, struct rest *rest)
{
    size_t used = offer(c, rest, rest->b,
                        sv_of(rest->b ? rest->b->data + rest->off : "",
                              rest->n));
    if (c->closing || !rest->b) return;
    rest->off += (uint32_t)used;
    rest->n -= (uint32_t)used;
    if (!rest->n) rest_drop(rest);
}

static void input_ended(struct conn *c)
{
    c->eof = true;
    c->can_read = false;
    if (c->finishing) {
        if (c->fin_sent) conn_fail(c, 0);
    } else if (c->filter) {
        c->filter->ops->on_raw_eof(c, c->filter->state);
    } else if (c->ops->on_eof) {
        c->ops->on_eof(c);
    } else {
        conn_fail(c, 0);
    }
    if (c->broken) conn_fail(c, ERR_CLOSED);
    settle(c->r);
}

static void input_failed(struct conn *c, int e)
{
    if (e == EINTR) return;
    c->can_read = false;
    if (e == EAGAIN) return;
    /* a peer that resets after our FIN has got what it wanted */
    conn_fail(c, c->fin_sent ? 0 : err_from_errno(e));
    settle(c->r);
}

/* Until a short read: the kernel then has no more, and new bytes make a new
 * edge. After HUP no edge follows, so until the end. */
static void read_turn(struct conn *c)
{
    struct reactor *r = c->r;
    size_t budget = TURN_BYTES;
    while (c->can_read && wants_input(c) && !c->closing) {
        uint32_t at;
        struct block *b;
        if (budget == 0) {
            conn_queue_ready(c);
            return;
        }
        if (!(b = conn_input_room(c, &c->rest, &r->in, &at))) {
            conn_starve(c);
            return;
        }
        if (at == BLOCK_BYTES) {
            conn_fail(c, ERR_TOOBIG);
            settle(r);
            return;
        }
        size_t room = BLOCK_BYTES - at;
        ssize_t n = recv(c->fd, b->data + at, room, 0);
        STAT_ADD(r, reads, 1);
        if (n > 0) {
            if ((size_t)n < room && !c->hup) c->can_read = false;
            c->bytes_in += (uint64_t)n;
            STAT_ADD(r, bytes_in, (uint64_t)n);
            budget -= (size_t)n < budget ? (size_t)n : budget;
            if (!c->finishing)
                conn_input(c, &c->rest, &r->in, at, (uint32_t)n);
        } else if (n == 0) {
            input_ended(c);
        } else {
            input_failed(c, errno);
        }
    }
}

void conn_ready(struct conn *c)
{
    unqueue(c);
    if (c->connecting) return;
    if (c->finishing) {
        rest_drop(&c->rest);
        if (c->filter) rest_drop(&c->filter->plain);
    } else if (c->again && c->reading) {
        struct filter *f = c->filter;
        c->again = false;
        if (f && f->plain.n) offer_again(c, &f->plain);
        if ((f && f->open) || c->rest.n)
            if (c->reading && !c->closing && !c->finishing)
                offer_again(c, &c->rest);
        if (c->again) conn_queue_ready(c);
    }
    read_turn(c);
}

void conn_read(struct conn *c, bool on)
{
    c->reading = on;
    if (!on) return;
    struct filter *f = c->filter;
    c->again = c->in_bytes || c->rest.n || f;
    if (!c->in_bytes && (c->again || c->can_read)) conn_queue_ready(c);
}

struct block *conn_keep(struct conn *c, struct sv in)
{
    struct block *b = c->r->offered;
    ENSURE(c->in_bytes && b && in.p >= b->data &&
           in.p + in.n <= b->data + b->cap);
    return block_ref(b);
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
    if (!c->filter) conn_opened(c);
    else if (c->filter->ops->on_start)
        c->filter->ops->on_start(c, c->filter->state);
}

/* Reset while nobody reads: said at once, unless input is left to be read. */
static void lost_unread(struct conn *c)
{
    int left = 0;
    if (c->rest.n || (ioctl(c->fd, FIONREAD, &left) == 0 && left > 0)) return;
    conn_fail(c, ERR_CLOSED);
}

void conn_event(struct conn *c, uint32_t events)
{
    enum { GONE = EPOLLERR | EPOLLHUP };
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
    if (wants_input(c)) read_turn(c);
    else if (events & GONE) lost_unread(c);
    settle(c->r);
}

void conn_timed_out(struct conn *c)
{
    if (!c->live || c->closing) return;
    if (c->finishing) conn_fail(c, c->fin_sent ? 0 : ERR_TIMEOUT);
    else if (c->ops->on_timeout) c->ops->on_timeout(c, c->which);
    else conn_fail(c, ERR_TIMEOUT);
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
