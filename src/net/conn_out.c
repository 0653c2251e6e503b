/* Output: slices of blocks in a queue, written when the outermost callbacks of
 * a few events have returned. Short texts are built in one block that all
 * connections of the reactor share, so that an idle connection owns none. */
#include "net/reactor_int.h"

#include <errno.h>
#include <sys/uio.h>

#include "base/err.h"

enum {
    COPY_ALWAYS = 512, /* shorter than this: copying beats an own slice */
    COPY_BEHIND = 4096 /* joins what is being built in one piece */
};

void conn_touch(struct conn *c)
{
    struct reactor *r = c->r;
    if (c->dirty) return;
    c->dirty = true;
    c->dirty_next = NULL;
    if (r->dirty)
        r->dirty_last->dirty_next = c;
    else
        r->dirty = c;
    r->dirty_last = c;
}

/* --- queue ---------------------------------------------------------------- */

static void outq_push(struct reactor *r, struct outq *q, struct block *b,
                      uint32_t off, uint32_t n)
{
    struct seg *t = q->tail;
    q->bytes += n;
    if (t && t->b == b && t->off + t->n == off) {
        t->n += n;
        return;
    }
    struct seg *s = seg_get(r);
    *s = (struct seg){ NULL, block_ref(b), off, n };
    if (t)
        t->next = s;
    else
        q->head = s;
    q->tail = s;
}

static void outq_consume(struct reactor *r, struct outq *q, size_t n)
{
    q->bytes -= n;
    for (struct seg *s; n && (s = q->head) != NULL;) {
        if (n < s->n) {
            s->off += (uint32_t)n;
            s->n -= (uint32_t)n;
            return;
        }
        n -= s->n;
        q->head = s->next;
        if (!q->head) q->tail = NULL;
        block_put(s->b);
        seg_put(r, s);
    }
}

void outq_drop(struct reactor *r, struct outq *q)
{
    outq_consume(r, q, q->bytes);
}

/* --- building ------------------------------------------------------------- */

/* n bytes of the shared block; NULL: none left. */
static char *out_room(struct reactor *r, size_t n)
{
    ENSURE(n <= BLOCK_BYTES);
    if (r->out && r->out->refs == 1) r->out_used = 0;
    if (!r->out || BLOCK_BYTES - r->out_used < n) {
        if (r->out) block_put(r->out);
        r->out_used = 0;
        if (!(r->out = block_get(r))) return NULL;
    }
    return r->out->data + r->out_used;
}

static void out_commit(struct reactor *r, struct outq *q, size_t n)
{
    outq_push(r, q, r->out, r->out_used, (uint32_t)n);
    r->out_used += (uint32_t)n;
}

static int out_copy(struct reactor *r, struct outq *q, struct sv bytes)
{
    while (bytes.n) {
        size_t left = r->out && r->out->refs > 1 ? BLOCK_BYTES - r->out_used
                                                 : BLOCK_BYTES;
        size_t n = left ? left : BLOCK_BYTES;
        if (n > bytes.n) n = bytes.n;
        char *p = out_room(r, n);
        if (!p) return ERR_NOMEM;
        memcpy(p, bytes.p, n);
        out_commit(r, q, n);
        bytes = sv_from(bytes, n);
    }
    return 0;
}

static bool deaf(const struct conn *c)
{
    return c->closing || c->finishing || c->ending || c->broken;
}

char *conn_reserve(struct conn *c, size_t n)
{
    struct reactor *r = c->r;
    r->reserved_by = c;
    r->reserved = (uint32_t)n;
    return out_room(r, n);
}

void conn_commit(struct conn *c, size_t n)
{
    struct reactor *r = c->r;
    ENSURE(r->reserved_by == c && n <= r->reserved);
    r->reserved_by = NULL;
    if (n == 0 || deaf(c)) return;
    out_commit(r, &c->out, n);
    conn_touch(c);
}

int conn_write(struct conn *c, struct sv bytes)
{
    if (deaf(c) || bytes.n == 0) return 0;
    c->r->reserved_by = NULL;
    conn_touch(c);
    return out_copy(c->r, &c->out, bytes);
}

int conn_send(struct conn *c, struct block *b, struct sv bytes)
{
    struct reactor *r = c->r;
    ENSURE(bytes.p >= b->data && bytes.p + bytes.n <= b->data + b->cap);
    if (deaf(c) || bytes.n == 0) return 0;
    struct seg *t = c->out.tail;
    bool joins = bytes.n <= COPY_BEHIND && t && t->b == r->out &&
                 t->off + t->n == r->out_used &&
                 BLOCK_BYTES - r->out_used >= bytes.n;
    if (joins || bytes.n <= COPY_ALWAYS) return conn_write(c, bytes);
    outq_push(r, &c->out, b, (uint32_t)(bytes.p - b->data), (uint32_t)bytes.n);
    conn_touch(c);
    return 0;
}

size_t conn_queued(const struct conn *c)
{
    return c->out.bytes + (c->filter ? c->filter->raw.bytes : 0);
}

/* --- writing -------------------------------------------------------------- */

static size_t gather(const struct outq *q, struct iovec *iov, size_t *asked)
{
    size_t n = 0;
    *asked = 0;
    for (struct seg *s = q->head; s && n < IOV; s = s->next) {
        iov[n++] = (struct iovec){ s->b->data + s->off, s->n };
        *asked += s->n;
    }
    return n;
}

static ssize_t write_some(struct conn *c, const struct outq *q, size_t *asked)
{
    struct iovec iov[IOV];
    struct msghdr m = { .msg_iov = iov };
    if (!q->head->next) {
        *asked = q->head->n;
        return raw_send(c->fd, q->head->b->data + q->head->off, q->head->n);
    }
    m.msg_iovlen = gather(q, iov, asked);
    return sendmsg(c->fd, &m, MSG_NOSIGNAL);
}

/* What the kernel answered: bytes, or -errno. A short write fills the socket:
 * room makes an edge. */
static int wrote(struct conn *c, struct outq *q, size_t asked, ssize_t n)
{
    STAT_ADD(c->r, writes, 1);
    if (n < 0) {
        if (n == -EINTR) return 0;
        c->can_write = false;
        return n == -EAGAIN ? 0 : err_from_errno((int)-n);
    }
    if ((size_t)n < asked) c->can_write = false;
    c->bytes_out += (uint64_t)n;
    STAT_ADD(c->r, bytes_out, (uint64_t)n);
    outq_consume(c->r, q, (size_t)n);
    if (c->finishing) deadline_set(c, DEADLINE_LINGER, LINGER_MS);
    return 0;
}

static int write_queue(struct conn *c, struct outq *q)
{
    int err = 0;
    while (q->head && c->can_write && !err) {
        size_t asked;
        ssize_t n = write_some(c, q, &asked);
        err = wrote(c, q, asked, n < 0 ? -errno : n);
    }
    return err;
}

/* Plain output through the filter, until it is written or enough is queued. */
static int filter_out(struct conn *c)
{
    struct filter *f = c->filter;
    while (f->open && c->out.head && f->raw.bytes < CONN_HIGH) {
        struct seg *s = c->out.head;
        uint32_t n = s->n;
        int err = f->ops->on_plain(c, f->state, sv_of(s->b->data + s->off, n));
        if (err) return err;
        outq_consume(c->r, &c->out, n);
    }
    if ((c->finishing || c->ending) && !f->finished &&
        (!c->out.head || !f->open)) {
        f->finished = true;
        f->ops->on_finish(c, f->state);
    }
    return 0;
}

static int write_all(struct conn *c)
{
    struct filter *f = c->filter;
    int err;
    if (!f) return write_queue(c, &c->out);
    do {
        err = filter_out(c);
        if (!err) err = write_queue(c, &f->raw);
    } while (!err && f->open && c->out.head && c->can_write);
    return err;
}

/* Writing is over. What the peer has sent may still be an answer: read it,
 * then say so. */
static void write_failed(struct conn *c, int err)
{
    stall_end(c);
    outq_drop(c->r, &c->out);
    if (c->filter) outq_drop(c->r, &c->filter->raw);
    if (!c->reading || c->finishing || c->eof) {
        conn_fail(c, err);
        return;
    }
    c->broken = c->hup = c->can_read = true;
    conn_queue_ready(c);
}

static void finish_step(struct conn *c)
{
    struct filter *f = c->filter;
    bool left = f ? f->raw.head || (f->open && c->out.head) : c->out.head != 0;
    if (left) return;
    if (!c->fin_sent) {
        c->fin_sent = true;
        shutdown(c->fd, SHUT_WR);
        if (c->finishing) deadline_set(c, DEADLINE_LINGER, LINGER_MS);
    }
    if (c->finishing && c->eof) conn_fail(c, 0);
}

static void written(struct conn *c, size_t before, int err)
{
    if (c->closing) return;
    if (err) {
        write_failed(c, err);
        return;
    }
    bool roomy = before > CONN_LOW && conn_queued(c) <= CONN_LOW;
    if (c->stall.next || conn_queued(c)) stall_note(c, roomy);
    if (c->connecting) return;
    if (c->finishing || c->ending) finish_step(c);
    if (!c->finishing && roomy && c->ops->on_room) c->ops->on_room(c);
}

void conn_write_out(struct conn *c)
{
    if (c->closing) return;
    size_t before = conn_queued(c);
    written(c, before, c->connecting ? 0 : write_all(c));
}

bool conn_write_begin(struct conn *c, struct batched *w)
{
    *w = (struct batched){ .c = c, .before = conn_queued(c) };
    int err = c->connecting || c->closing || !c->filter ? 0 : filter_out(c);
    c->dirty = false; /* what the filter has added leaves with the rest */
    if (c->closing) return false;
    struct outq *q = c->filter ? &c->filter->raw : &c->out;
    if (err || c->connecting || !c->can_write || !q->head) {
        written(c, w->before, err);
        return false;
    }
    w->m.msg_iov = w->iov;
    w->m.msg_iovlen = gather(q, w->iov, &w->asked);
    return true;
}

void conn_write_end(const struct batched *w, int result)
{
    struct conn *c = w->c;
    if (c->closing) return;
    struct outq *q = c->filter ? &c->filter->raw : &c->out;
    int err = wrote(c, q, w->asked, result);
    written(c, w->before, err ? err : write_all(c));
}

void conn_flush(struct conn *c)
{
    if (c->r->running || c->closing) return;
    settle(c->r);
}

/* --- what filters use ----------------------------------------------------- */

void filter_fail(struct conn *c, int err)
{
    if (!c->closing && !c->connecting) write_queue(c, &c->filter->raw);
    conn_fail(c, err);
}

int filter_down(struct conn *c, struct sv raw)
{
    if (c->closing || c->broken) return 0;
    conn_touch(c);
    return out_copy(c->r, &c->filter->raw, raw);
}
