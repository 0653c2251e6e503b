/* Input: read into the reactor's current block, offered, kept only when not
 * consumed: a short rest is copied to a small block, a long one takes the block
 * along.
 *
 *   conn_input_room -> recv -> conn_input -> on_bytes -> keep_rest
 *                                `-> filter -> conn_input_room ... on_bytes
 */
#include "net/reactor_int.h"

#include <errno.h>

#include "base/err.h"

void rest_drop(struct rest *rest)
{
    if (rest->b) block_put(rest->b);
    *rest = (struct rest){ 0 };
}

bool conn_wants_input(const struct conn *c)
{
    return c->reading || c->finishing || (c->filter && !c->filter->open);
}

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
    if (b) memcpy((*current)->data, b->data + rest->off, rest->n);
    *at = rest->n;
    return *current;
}

static size_t offer(struct conn *c, struct rest *rest, struct block *b,
                    struct sv in)
{
    struct filter *f = c->filter;
    size_t used;
    if (f && rest == &c->rest) {
        f->held = false;
        used = f->ops->on_raw(c, f->state, in);
    } else {
        c->r->offered = b;
        c->in_bytes = true;
        used = c->ops->on_bytes(c, in);
        c->r->offered = NULL;
    }
    ENSURE(used <= in.n);
    settle(c->r);
    c->in_bytes = false; /* a conn_read(true) until here means this rest */
    return used;
}

/* A block that others read into as well is not taken along. */
static bool keep_copy(struct conn *c, struct rest *rest, const char *p,
                      uint32_t left)
{
    struct block *own = block_get(c->r);
    if (!own) return false;
    memcpy(own->data, p, left);
    *rest = (struct rest){ own, 0, left };
    return true;
}

static void keep_rest(struct conn *c, struct rest *rest, struct block **current,
                      struct block *b, uint32_t off, uint32_t left)
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
    if (!current) {
        if (!keep_copy(c, rest, b->data + off, left)) conn_fail(c, ERR_NOMEM);
        return;
    }
    if (b == *current) {
        if (old) block_put(old);
        *current = NULL;
    }
    *rest = (struct rest){ b, off, left };
}

static bool has_rest(const struct conn *c)
{
    const struct filter *f = c->filter;
    return c->rest.n || (f && (f->plain.n || f->held));
}

static void input(struct conn *c, struct rest *rest, struct block **current,
                  struct block *b, uint32_t off, uint32_t have)
{
    uint32_t used = (uint32_t)offer(c, rest, b, sv_of(b->data + off, have));
    if (c->closing) return;
    if (used == have)
        rest_drop(rest);
    else
        keep_rest(c, rest, current, b, off + used, have - used);
    c->again = c->again && has_rest(c);
    if (c->again) conn_queue_ready(c);
}

void conn_input(struct conn *c, struct rest *rest, struct block **current,
                uint32_t at, uint32_t n)
{
    bool own = rest->b && rest->b->cap == BLOCK_BYTES;
    struct block *b = own ? rest->b : *current;
    input(c, rest, current, b, at - rest->n, rest->n + n);
}

static void offer_again(struct conn *c, struct rest *rest)
{
    size_t used =
        offer(c, rest, rest->b,
              sv_of(rest->b ? rest->b->data + rest->off : "", rest->n));
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

/* n bytes have come of `room` that were asked for. */
static void came(struct conn *c, size_t room, size_t n)
{
    if (n < room && !c->hup) c->can_read = false;
    c->bytes_in += n;
    STAT_ADD(c->r, bytes_in, n);
}

/* Until a short read: the kernel then has no more, and new bytes make a new
 * edge. After HUP no edge follows, so until the end. */
void conn_read_turn(struct conn *c)
{
    struct reactor *r = c->r;
    size_t budget = TURN_BYTES;
    if (!r->shakes && c->listener && c->filter && !c->filter->open) {
        conn_shake(c);
        return;
    }
    while (c->can_read && conn_wants_input(c) && !c->closing) {
        uint32_t at;
        struct block *b;
        if (budget == 0 || c->again) { /* what waits comes before new bytes */
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
        __builtin_prefetch(c->ctx); /* its user's, wanted right after */
        ssize_t n = raw_recv(c->fd, b->data + at, room);
        STAT_ADD(r, reads, 1);
        if (n > 0) {
            came(c, room, (size_t)n);
            c->streams = n > SLICE_BYTES;
            budget -= (size_t)n < budget ? (size_t)n : budget;
            if (!c->finishing) conn_input(c, &c->rest, &r->in, at, (uint32_t)n);
            if (c->can_read)
                reactor_write(r); /* a stream goes on as it comes */
        } else if (n == 0) {
            input_ended(c);
        } else {
            input_failed(c, errno);
        }
    }
}

bool conn_reads_short(const struct conn *c)
{
    return !c->connecting && !c->closing && !c->eof && !c->rest.b &&
           !c->queue.next && !c->streams && conn_wants_input(c) &&
           (!c->filter || (c->filter->open && !c->filter->plain.b));
}

/* What was read together with others. Meanwhile those may have stopped this
 * one: bytes are then kept, and an end is met again. */
void conn_came(struct conn *c, const struct got *g)
{
    STAT_ADD(c->r, reads, 1);
    if (g->n > 0) {
        uint32_t n = (uint32_t)g->n;
        came(c, SLICE_BYTES, n);
        c->streams = n == SLICE_BYTES;
        if (c->finishing) return;
        if (conn_wants_input(c))
            input(c, &c->rest, NULL, g->b, g->at, n);
        else
            keep_rest(c, &c->rest, NULL, g->b, g->at, n);
        if (c->can_read)
            reactor_write(c->r); /* a stream, or its end, follows */
    } else if (g->n < 0) {
        input_failed(c, -g->n);
    } else if (conn_wants_input(c)) {
        input_ended(c);
    }
}

void conn_ready(struct conn *c)
{
    conn_unqueue(c);
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
    conn_read_turn(c);
}

void conn_read(struct conn *c, bool on)
{
    c->reading = on;
    if (!on) return;
    struct filter *f = c->filter;
    c->again = c->in_bytes || c->rest.n || (f && (f->plain.n || f->held));
    if (!c->in_bytes && (c->again || c->can_read)) conn_queue_ready(c);
}

struct block *conn_keep(struct conn *c, struct sv in)
{
    struct block *b = c->r->offered;
    ENSURE(c->in_bytes && b && in.p >= b->data &&
           in.p + in.n <= b->data + b->cap);
    return block_ref(b);
}
