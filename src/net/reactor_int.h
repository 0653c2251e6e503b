/* What the files of net/ share: the layout of reactor, connection and block.
 *
 *   epoll event -> slab[index] -> read into the reactor's block -> callback
 *              -> settle: write what was dirtied, tell who was closed
 */
#ifndef NET_REACTOR_INT_H
#define NET_REACTOR_INT_H

#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/rand.h"
#include "net/conn.h"
#include "net/filter.h"
#include "net/listener.h"
#include "net/reactor.h"

enum {
    SMALL_BYTES = 1024,            /* a kept rest of at most this is copied */
    TURN_BYTES = 256 * 1024,       /* read a turn and connection */
    TICK_MS = 100,                 /* of deadlines */
    BATCH = 32,                    /* events are served before answers leave */
    SLICE_BYTES = 2048,            /* what is read together with others */
    IOV = 16,
    EVENTS_MAX = 64,
    TURN_NS = 500000,              /* no batch is begun after so long: mail and
                                    * timers wait for it */
    LINGER_MS = 5000,
    STALL_MIN_MS = 1000,           /* nobody is dropped for less */
    SHAKES_A_TURN = 16,            /* steps of handshakes with clients, and */
    SHAKES_NS = 1000000,           /* none is begun after so long */
};
#define DUE_NONE INT32_MAX

struct block {
    struct reactor *r;
    struct block *next; /* in the free list */
    uint32_t refs, cap;
    _Alignas(16) char data[];
};

/* A slice of a block that waits to be written. */
struct seg {
    struct seg *next;
    struct block *b;
    uint32_t off, n;
};

struct outq {
    struct seg *head, *tail;
    size_t bytes;
};

/* Input that was offered and not consumed; owns a reference to b if n. */
struct rest {
    struct block *b;
    uint32_t off, n;
};

struct link {
    struct link *next, *prev;
};

/* Only connections with a filter have one. `out` of the connection is then
 * plain, `raw` is what goes to the kernel; likewise for the two rests. */
struct filter {
    const struct filter_ops *ops;
    void *state;
    struct outq raw;
    struct rest plain;
    struct block *up; /* filter_up_room's answer */
    uint32_t up_at;
    bool open;     /* handshake done: plain bytes may be sent */
    bool held;     /* it was told that the user does not want more now */
    bool finished; /* on_finish was called */
};

struct conn {
    struct reactor *r;
    const struct conn_ops *ops;
    void *ctx;
    struct filter *filter;
    struct link queue;             /* ready, starved or shaking; next NULL: in
                                      none of them */
    struct link stall;             /* stalled; next NULL: not */
    struct conn *dirty_next;       /* output to be flushed */
    struct conn *closing_next;     /* closing, then grave, then free list */
    struct rest rest;
    struct outq out;
    uint64_t bytes_in, bytes_out;
    struct listener *listener;     /* that accepted it, or NULL */
    struct addr peer;
    int fd;
    uint32_t gen;
    uint32_t stall_ms;             /* loop time, mod 2^32, of joining */
    int16_t err;
    uint8_t which;                 /* enum deadline */
    bool live : 1;
    bool connecting : 1;
    bool reading : 1;              /* conn_read */
    bool can_read : 1;             /* the kernel may have bytes */
    bool can_write : 1;
    bool hup : 1;                  /* read until EOF: no edge will follow */
    bool eof : 1;                  /* of the transport */
    bool eof_told : 1;             /* by the filter: close_notify */
    bool again : 1;                /* offer the rest again */
    bool in_bytes : 1;             /* inside on_bytes */
    bool dirty : 1;
    bool finishing : 1;
    bool ending : 1;               /* half-closed, or to be */
    bool fin_sent : 1;
    bool broken : 1;               /* writing failed; input may be left */
    bool closing : 1;
    bool rst : 1;
    bool streams : 1;              /* the last read was more than a slice */
    bool aside : 1;                /* queue is starved or shaking, not ready */
};
_Static_assert(sizeof(struct conn) <= 192, "an idle connection is small");

/* What was read together with others: n bytes at `at` of b, or -errno. */
struct got {
    struct block *b;               /* NULL: nothing was read */
    uint32_t at;
    int n;
};

/* A write that goes to the kernel together with others. */
struct batched {
    struct conn *c;
    size_t before, asked;          /* bytes queued, bytes offered */
    struct msghdr m;
    struct iovec iov[IOV];
};

struct reactor {
    struct reactor_conf conf;
    struct reactor_stats stats;
    void *user;
    int epoll_fd, wake_fd, spare_fd;
    uint64_t now_ms, start_ms;

    /* connections: address space for max_conns, touched as needed */
    struct conn *slab;
    int32_t *due;                  /* ticks since start_ms, a slot each */
    int32_t due_next;              /* not later than the earliest of due */
    unsigned slots, high, conns, accepted;
    struct conn *free_conns, *grave, *closing;
    struct conn *dirty, *dirty_last;
    struct link ready, starved, shaking, stalled;
    unsigned ready_n;
    struct epoll_event events[EVENTS_MAX];
    int events_at, events_n;       /* what is left of them, after a long turn */
    struct batch *batch;           /* NULL: none */
    bool batches;                  /* it is used */

    /* blocks */
    struct block *free_blocks, *free_small;
    unsigned free_n;
    size_t pool_bytes;
    struct seg *free_segs, *seg_chunks;
    struct block *in, *plain, *out; /* current ones; NULL: none yet */
    struct block *offered;         /* under the slice of the on_bytes */
    struct conn *reserved_by;
    uint32_t out_used, reserved;

    struct timer **heap;           /* 1-based */
    uint32_t heap_n, heap_cap;

    struct listener *listeners;
    struct addr local;             /* conn_local's answer */
    struct rand_fast rand;
    bool running, paused, draining;
    bool gathers;                  /* writes wait for reactor_write */
    bool shakes;                   /* run_handshakes is on the stack */
    uint64_t drain_until_ms;
    uint64_t cpu_base_ns, cpu_short_ns; /* measure_turn */
    unsigned cpu_base_turns;

    _Alignas(64) struct mail *_Atomic mail; /* newest first */
    _Atomic bool asleep;
    _Atomic uint64_t stop_ms;      /* drain time + 1; 0: run on */
    _Atomic unsigned load;         /* published once a turn */
};

struct listener {
    struct listener *next;         /* of the reactor */
    struct reactor *r;
    struct listener_conf conf;
    struct addr bound;
    int fd;                        /* -1: closed */
    uint32_t number;
    bool paused;
    struct timer resume;
    struct listener *const *group; /* listener_share; NULL: alone */
    unsigned group_n;
};

/* recv and send as bare system calls: those of libc are points of thread
 * cancellation, which costs two atomic operations each and serves nobody. */
static inline ssize_t raw_recv(int fd, void *p, size_t n)
{
    return syscall(SYS_recvfrom, fd, p, n, 0, NULL, NULL);
}
static inline ssize_t raw_send(int fd, const void *p, size_t n)
{
    return syscall(SYS_sendto, fd, p, n, MSG_NOSIGNAL, NULL, 0);
}

#define STAT_ADD(r, field, k) \
    atomic_store_explicit(&(r)->stats.field, \
        atomic_load_explicit(&(r)->stats.field, memory_order_relaxed) + \
            (k), memory_order_relaxed)

/* --- reactor.c ------------------------------------------------------------ */
#define KEY_WAKE     UINT32_MAX
#define KEY_LISTENER (UINT32_MAX - 1)
/* NULL: it is gone, or the event is of something else. */
struct conn *reactor_conn(struct reactor *r, const struct epoll_event *e);
void reactor_watch(struct reactor *r, int op, int fd, uint32_t events,
                   uint64_t data);
/* Writes what was dirtied, unless writes are gathered, and buries what was
 * closed, until nothing is left: after each outermost callback. */
void reactor_settle(struct reactor *r);
/* The same, and writes what was gathered. */
void reactor_write(struct reactor *r);
static inline void settle(struct reactor *r)
{
    if ((r->dirty && !r->gathers) || r->closing) reactor_settle(r);
}

/* --- timer.c -------------------------------------------------------------- */
uint64_t timers_next_ms(const struct reactor *r); /* UINT64_MAX: none */
void timers_fire(struct reactor *r);

/* --- deadline.c ----------------------------------------------------------- */
void deadline_set(struct conn *c, enum deadline which, uint32_t ms);
size_t deadlines_slots(unsigned conns); /* whole groups */
void deadlines_cover(struct reactor *r, unsigned slot); /* a new one */
void deadlines_sweep(struct reactor *r);
uint64_t deadlines_next_ms(const struct reactor *r);

/* --- block.c -------------------------------------------------------------- */
struct block *block_get(struct reactor *r); /* NULL: at the ceiling */
struct block *block_get_input(struct reactor *r); /* NULL: earlier */
struct block *block_get_small(struct reactor *r);
bool blocks_left(const struct reactor *r, unsigned n); /* for input */
void blocks_fini(struct reactor *r);
struct seg *seg_get(struct reactor *r);
void seg_put(struct reactor *r, struct seg *s);

/* --- stall.c ---------------------------------------------------------------- */
/* After each writing; `roomy`: the queue has fallen to the low mark. */
void stall_note(struct conn *c, bool roomy);
void stall_end(struct conn *c);
void stalls_relieve(struct reactor *r);
uint64_t stalls_next_ms(const struct reactor *r); /* UINT64_MAX: none */

/* --- conn.c: life --------------------------------------------------------- */
struct conn *conn_new(struct reactor *r, int fd, const struct conn_ops *ops,
                      void *ctx);
void conn_free(struct conn *c);         /* at the turn's end */
/* `got`: what was read for it already, or NULL. */
void conn_event(struct conn *c, uint32_t events, const struct got *got);
void conn_opened(struct conn *c);
void conn_queue_ready(struct conn *c);
void conn_unqueue(struct conn *c);
void conn_starve(struct conn *c);       /* until there are blocks again */
void conn_shake(struct conn *c);        /* until its handshake may go on */
void conn_timed_out(struct conn *c);
void conn_fail(struct conn *c, int err);
void conn_bury(struct conn *c);         /* closes, tells on_closed */

/* --- conn_in.c: input ------------------------------------------------------ */
bool conn_wants_input(const struct conn *c);
void conn_read_turn(struct conn *c);
bool conn_reads_short(const struct conn *c); /* and has nothing left over */
void conn_came(struct conn *c, const struct got *g);
void conn_ready(struct conn *c);        /* from the ready list */
/* Where new bytes go: behind the rest, in the connection's own block if it has
 * one, else in the reactor's. NULL: no block now. *at == BLOCK_BYTES: the rest
 * fills a block. */
struct block *conn_input_room(struct conn *c, struct rest *rest,
                              struct block **current, uint32_t *at);
/* n new bytes lie at `at` of what conn_input_room answered. */
void conn_input(struct conn *c, struct rest *rest, struct block **current,
                uint32_t at, uint32_t n);
void rest_drop(struct rest *rest);

/* --- conn_out.c: output ---------------------------------------------------- */
void conn_touch(struct conn *c);         /* output or its end to be written */
void conn_write_out(struct conn *c);
/* The same in two steps, for one that was dirty: what is to be given to the
 * kernel (false: nothing, all is done), and its answer, bytes or -errno. */
bool conn_write_begin(struct conn *c, struct batched *w);
void conn_write_end(const struct batched *w, int result);
void outq_drop(struct reactor *r, struct outq *q);

/* --- batch.c ---------------------------------------------------------------- */
/* For this thread, which runs the reactor; nothing if it is there already or not
 * wanted. */
void batch_open(struct reactor *r);
void batch_close(struct reactor *r);
/* While r->batches: writes for up to BATCH of the dirty connections; */
void batch_write(struct reactor *r);
/* reads for the connections of n <= BATCH events, where a slice is enough: an
 * answer for each, or NULL: for none. */
const struct got *batch_read(struct reactor *r, const struct epoll_event *e,
                             unsigned n);

/* --- filter.c --------------------------------------------------------------- */
void filter_free(struct conn *c);

/* --- listener.c ----------------------------------------------------------- */
void listener_event(struct reactor *r, uint32_t number);
void listeners_stop(struct reactor *r);
void listeners_free(struct reactor *r);

#endif
