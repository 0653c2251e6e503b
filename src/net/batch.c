/* Reads and writes of several connections in one system call, by io_uring.
 * Each is an operation that does not wait, so that all are done when the call
 * returns: readiness stays epoll's, and nothing is left pending. What it saves
 * are not so much the calls: who is woken by the first of many writes would
 * else run, alone on this core, before the second one.
 *
 *   events -> batch_read -> each is served with what it got
 *   dirty  -> conn_write_begin … one call … -> conn_write_end
 *
 * The ring is of the thread that made it. Where the kernel has none
 * for us (a container's seccomp filter, before Linux 6.1) or fails, each read
 * and write is a call of its own. */
#include "net/reactor_int.h"

#include <errno.h>
#include <limits.h>
#include <liburing.h>

#include "base/log.h"
#include "base/mem.h"

enum {
    SLICES = BLOCK_BYTES / SLICE_BYTES,
    UNDONE = INT_MIN,
};

struct batch {
    struct io_uring ring;
    pid_t thread;
    int result[BATCH];
    struct block *slices[BATCH / SLICES];
    struct got got[BATCH];
    struct batched writes[BATCH];
};

/* --- the ring ------------------------------------------------------------- */

/* It can do what is done here, and nothing else. (liburing 2.3 does not export
 * the functions that are made for it.) */
static int restrict_ring(struct io_uring *ring)
{
    static const uint8_t ops[] = { IORING_OP_RECV, IORING_OP_SEND,
                                   IORING_OP_SENDMSG };
    struct io_uring_restriction allowed[ARRAY_LEN(ops)];
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        allowed[i] =
            (struct io_uring_restriction){ .opcode = IORING_RESTRICTION_SQE_OP,
                                           .sqe_op = ops[i] };
    return io_uring_register((unsigned)ring->ring_fd,
                             IORING_REGISTER_RESTRICTIONS, allowed,
                             ARRAY_LEN(ops));
}

static int open_ring(struct io_uring *ring)
{
    struct io_uring_params p = { .flags = IORING_SETUP_SUBMIT_ALL |
                                          IORING_SETUP_SINGLE_ISSUER |
                                          IORING_SETUP_DEFER_TASKRUN |
                                          IORING_SETUP_R_DISABLED };
    int err = io_uring_queue_init_params(BATCH, ring, &p);
    if (err) return err;
    err = restrict_ring(ring);
    if (!err)
        err = io_uring_register((unsigned)ring->ring_fd,
                                IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (err) io_uring_queue_exit(ring);
    return err;
}

void batch_open(struct reactor *r)
{
    pid_t self = (pid_t)syscall(SYS_gettid);
    if (r->conf.single_calls || (r->batch && r->batch->thread == self)) return;
    batch_close(r);
    struct batch *b = NEW(struct batch);
    b->thread = self;
    int err = open_ring(&b->ring);
    if (err) {
        if (r->conf.index == 0)
            log_info("net",
                     "no io_uring (%s): each read and write is a system call",
                     strerror(-err));
        mem_free(b);
        return;
    }
    r->batch = b;
    r->batches = true;
}

void batch_close(struct reactor *r)
{
    struct batch *b = r->batch;
    if (!b) return;
    for (size_t i = 0; i < ARRAY_LEN(b->slices); i++)
        if (b->slices[i]) block_put(b->slices[i]);
    io_uring_queue_exit(&b->ring);
    mem_free(b);
    r->batch = NULL;
    r->batches = false;
}

static struct io_uring_sqe *next_op(struct batch *b, unsigned k)
{
    struct io_uring_sqe *e = io_uring_get_sqe(&b->ring);
    ENSURE(e && k < BATCH);
    b->result[k] = UNDONE;
    return e;
}

/* Results of 0 … n are there when this returns. UNDONE: the kernel took no
 * more, and will not be asked again. */
static void submit(struct reactor *r, unsigned n)
{
    struct batch *b = r->batch;
    int taken = io_uring_submit(&b->ring);
    STAT_ADD(r, batches, 1);
    for (int i = 0; i < taken; i++) {
        struct io_uring_cqe *e;
        int err;
        do err = io_uring_wait_cqe(&b->ring, &e); /* it is there */
        while (err == -EINTR);
        ENSURE(err == 0);
        b->result[e->user_data] = e->res;
        io_uring_cqe_seen(&b->ring, e);
    }
    if (taken == (int)n) return;
    r->batches = false;
    log_warn("net", "io_uring failed (%s): it is not used any more",
             strerror(taken < 0 ? -taken : EAGAIN));
}

/* --- writes --------------------------------------------------------------- */

static void ask_write(struct batch *b, unsigned k)
{
    const struct batched *w = &b->writes[k];
    struct io_uring_sqe *e = next_op(b, k);
    enum { FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT };
    if (w->m.msg_iovlen == 1)
        io_uring_prep_send(e, w->c->fd, w->iov[0].iov_base, w->iov[0].iov_len,
                           FLAGS);
    else
        io_uring_prep_sendmsg(e, w->c->fd, &w->m, FLAGS);
    e->user_data = k;
}

void batch_write(struct reactor *r)
{
    struct batch *b = r->batch;
    unsigned n = 0;
    while (r->dirty && n < BATCH) {
        struct conn *c = r->dirty;
        r->dirty = c->dirty_next;
        if (conn_write_begin(c, &b->writes[n])) ask_write(b, n++);
    }
    if (!n) return;
    submit(r, n);
    for (unsigned i = 0; i < n; i++)
        if (b->result[i] == UNDONE)
            conn_write_out(b->writes[i].c);
        else
            conn_write_end(&b->writes[i], b->result[i]);
}

/* --- reads ---------------------------------------------------------------- */

/* The block of slice k; one that somebody has kept bytes of is left to him. */
static struct block *block_of(struct reactor *r, unsigned k)
{
    struct block **b = &r->batch->slices[k / SLICES];
    if (k % SLICES == 0 && *b && (*b)->refs > 1) {
        block_put(*b);
        *b = NULL;
    }
    if (!*b) *b = block_get_input(r);
    return *b;
}

/* The connection of an event, if it has something to read that a slice is
 * enough for. */
static struct conn *reader(struct reactor *r, const struct epoll_event *e)
{
    struct conn *c = e->events & EPOLLIN ? reactor_conn(r, e) : NULL;
    return c && conn_reads_short(c) ? c : NULL;
}

static bool ask_read(struct reactor *r, const struct conn *c, unsigned k,
                     struct got *got)
{
    /* each may leave so much that it needs a block of its own */
    struct block *b = blocks_left(r, k + 2) ? block_of(r, k) : NULL;
    if (!b) return false;
    *got = (struct got){ .b = b, .at = k % SLICES * SLICE_BYTES };
    struct io_uring_sqe *e = next_op(r->batch, k);
    io_uring_prep_recv(e, c->fd, b->data + got->at, SLICE_BYTES, MSG_DONTWAIT);
    e->user_data = k;
    return true;
}

const struct got *batch_read(struct reactor *r, const struct epoll_event *e,
                             unsigned n)
{
    struct batch *b = r->batch;
    unsigned asked = 0;
    for (unsigned i = 0; i < n; i++) {
        struct conn *c = reader(r, &e[i]);
        b->got[i].b = NULL;
        if (c && ask_read(r, c, asked, &b->got[i])) asked++;
    }
    if (!asked) return NULL;
    submit(r, asked);
    for (unsigned i = 0, k = 0; i < n; i++) {
        struct got *g = &b->got[i];
        if (!g->b) continue;
        g->n = b->result[k++];
        if (g->n == UNDONE) g->b = NULL;
    }
    return b->got;
}
