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
void workers_free(struct workers **w); /* runs out, joins */
/* ERR_LIMIT when the queue is full: the caller degrades, never waits. */
int workers_submit(struct workers *w, struct job *j);

#endif
