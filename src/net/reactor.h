/* One event loop a thread (design §3, Reactor). Who is ready is told by epoll;
 * reads and writes for several connections are one call of io_uring, where the
 * kernel has it. Everything here belongs to the reactor's own thread unless it
 * says "any thread".
 *
 *   turn: epoll_wait -> events -> ready list -> handshakes -> mail -> timers
 *         -> sweep of deadlines -> freeing of closed connections -> turn hook
 *
 * Callbacks run to completion and are never re-entered for one connection.
 * Output is written when the outermost callback returns; of the events of one
 * wait, after every 32nd and the last. */
#ifndef NET_REACTOR_H
#define NET_REACTOR_H

#include <stdatomic.h>

#include "base/sv.h"
#include "net/long_turn.h"
#include "net/longest.h"

struct reactor;

struct reactor_conf {
    unsigned index;           /* number of this reactor, 0-based */
    size_t blocks_bytes;      /* ceiling of the block pool; default 64 MiB */
    unsigned max_conns;       /* clients and origins together; at most half
                                 of it is accepted. Default 1024 */
    bool single_calls;        /* no io_uring: a system call each */
    /* All optional. A turn always ends with on_turn; on_sleep and on_wake
     * stand right before and after a wait that may block. */
    void (*on_turn)(void *ctx);
    void (*on_sleep)(void *ctx);
    void (*on_wake)(void *ctx);
    /* Tests: loop time; waits are then cut to 1 ms. NULL: CLOCK_MONOTONIC. */
    uint64_t (*clock_ns)(void *ctx);
    void *ctx;
};

/* The fixed size of every I/O block. */
enum { BLOCK_BYTES = 16384 };

int reactor_new(struct reactor **out, const struct reactor_conf *conf);
void reactor_free(struct reactor **r);
/* Until reactor_stop and the last connection, or `drain_ms` after the stop. */
int reactor_run(struct reactor *r);
/* Any thread. Listeners stop accepting at once (what waits in their queues is
 * accepted first); on_drain of each connection is called; what is left after
 * drain_ms is closed. */
void reactor_stop(struct reactor *r, unsigned drain_ms);
/* reactor_run returns at this turn's end; nothing is closed and it may be run
 * again. For tests and for programs that serve one question. */
void reactor_pause(struct reactor *r);
bool reactor_stopping(const struct reactor *r);

unsigned reactor_index(const struct reactor *r);
/* Loop time, refreshed once a turn: for deadlines and idle times only. */
uint64_t reactor_now_ms(const struct reactor *r);
/* Per-thread context of upper layers, set once before run. */
void reactor_set_user(struct reactor *r, void *user);
void *reactor_user(const struct reactor *r);
/* NULL outside reactor threads. */
struct reactor *reactor_current(void);

/* --- mail: intrusive, any thread to one reactor ------------------------- */
struct mail {
    struct mail *_Atomic next_;
    void (*deliver)(struct mail *m); /* on the reactor's thread; owns m then */
};
/* Wakes the reactor only if it sleeps; delivered in the order of posting. What
 * waits when reactor_free is begun is delivered by it; what comes later is
 * refused with ERR_SHUTDOWN and stays the caller's. */
int reactor_post(struct reactor *r, struct mail *m);

/* --- fine timers (retry, health, refresh): binary heap ------------------
 * Zero-initialised by the owner, who cancels before freeing. */
struct timer {
    uint64_t due_ms; /* reactor clock */
    uint32_t at_;    /* place in the heap, 0: not armed */
    void (*fire)(struct timer *t);
};
void timer_arm(struct reactor *r, struct timer *t, uint64_t in_ms);
void timer_cancel(struct reactor *r, struct timer *t); /* harmless if unarmed */

/* --- figures, relaxed atomics, readable from any thread ------------------ */
struct reactor_stats {
    _Atomic uint64_t turns, accepts, reads, writes, bytes_in, bytes_out;
    _Atomic uint64_t batches; /* calls for several reads or writes */
    _Atomic uint64_t conns, blocks_used, blocks_refused, accept_errors;
    struct longest turns_cpu; /* by clock_mono_ns */
    struct long_turns long_turns; /* of more than 2 ms of CPU */
    _Atomic uint64_t handed_over, deadlines_hit, stalled_dropped;
    _Atomic uint64_t handshakes, handshakes_resumed; /* of clients, done */
};
struct reactor_stats *reactor_stats(struct reactor *r);

#endif
