/* A small pool of threads for work that would block a reactor: name
 * resolution, large file reads, slow hashing. Bounded queue. */
#ifndef NET_WORKER_H
#define NET_WORKER_H

#include "net/reactor.h"

struct workers;

struct job {
    struct mail mail_;          /* way back */
    struct reactor *reply_to;
    void (*run)(struct job *j);  /* on a worker thread; may block */
    void (*done)(struct job *j); /* on reply_to's thread; owns j again */
    struct job *next_;
};

int workers_new(struct workers **out, unsigned threads, unsigned queue_max);
/* The same, but a thread is made when a job finds none idle (the first costs
 * nothing before it is needed), and the scheduler serves them behind others:
 * `nice` 1 to 19. */
void workers_new_background(struct workers **out, unsigned threads,
                            unsigned queue_max, int nice);
/* How many jobs wait now. Any thread. */
unsigned workers_queued(struct workers *w);
/* Runs what is queued, joins. Before the reactors that are replied to are
 * freed: they deliver what is done. */
void workers_free(struct workers **w);
/* ERR_LIMIT when the queue is full: the caller degrades, never waits.
 * ERR_SHUTDOWN when workers_free is begun. In both cases j stays the
 * caller's. */
int workers_submit(struct workers *w, struct job *j);

#endif
