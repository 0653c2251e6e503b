/* What tests of networking share: a reactor with a clock that tests move, a
 * recorder of callbacks, socket pairs. The reactor runs in the test's thread;
 * a step function is called at each turn's end and drives the test. */
#ifndef SUPPORT_NETKIT_H
#define SUPPORT_NETKIT_H

#include "base/buf.h"
#include "net/conn.h"
#include "net/listener.h"

struct kit;
typedef void kit_step(struct kit *k);

struct kit {
    struct reactor *r;
    uint64_t clock_ns;
    kit_step *step;    /* after each turn */
    unsigned turns;    /* since kit_run */
    unsigned sleeps, wakes;
    bool done;         /* set by a step or a callback: kit_run returns */
    void *test;        /* the test's own */
    struct timer busy; /* kit_run_busy */
    bool patient;
};

/* Calls that a connection made. */
struct log_of {
    struct kit *kit;
    struct conn *c;
    struct buf in;     /* all that was consumed */
    unsigned opened, offered, rooms, eofs, drains, closed, timeouts;
    enum deadline which;
    int err;
    size_t consume_max; /* a call; SIZE_MAX: all */
    bool finish_at_eof, done_at_close;
};

void kit_init(struct kit *k, const struct reactor_conf *conf);
void kit_fini(struct kit *k);
/* Runs until `done`; fails the test after 20,000 turns. */
void kit_run(struct kit *k, kit_step *step);
/* The same without ever sleeping: for steps that drive the other end. */
void kit_run_busy(struct kit *k, kit_step *step);
/* Sleeps as long as it takes: for what other threads bring. */
void kit_run_patient(struct kit *k);
void kit_forward_ms(struct kit *k, uint64_t ms);

void log_init(struct log_of *l, struct kit *k);
void log_fini(struct log_of *l);
extern const struct conn_ops LOG_OPS;

/* One end becomes a connection with LOG_OPS, the other is returned, blocking
 * without a time-out: a call with one ends with EINTR when a ring of io_uring
 * that an earlier test closed is taken apart; without, it goes on. */
int kit_pair(struct kit *k, struct log_of *l);
/* A TCP pair over loopback: both ends plain descriptors. */
void kit_tcp_pair(int out[2]);
/* Loopback listener of the kit's reactor that accepts one after the other. */
struct addr kit_loopback(uint16_t port);
int kit_dial(const struct addr *to); /* blocking */
size_t kit_read_all(int fd, char *out, size_t max); /* to EOF or error */

#endif
