/* The one thread that decides about configuration: jobs come from reactors
 * through a bounded queue, run one after another and find their own way back
 * (door.c mails the answer). Between jobs it does housekeeping. */
#ifndef ADMIN_CONTROL_H
#define ADMIN_CONTROL_H

#include <stdint.h>

struct control;

struct control_job {
    void (*run)(struct control_job *j); /* on the control thread; owns j */
    struct control_job *next_;
};

struct control_conf {
    unsigned queue_max;
    /* Housekeeping on the control thread; returns in how many milliseconds it
     * wants to be called again (at most a second); soon after a job, too,
     * which may have left something behind. NULL: none. */
    unsigned (*tick)(void *ctx);
    void *ctx;
};

int control_start(struct control **out, const struct control_conf *conf);
/* Any thread, never waits. ERR_LIMIT: the queue is full; ERR_SHUTDOWN: it is
 * stopping; the job stays the caller's in both cases. */
int control_submit(struct control *c, struct control_job *j);
/* There is something for the tick, which comes within 10 ms; what was left for
 * it is done before the stop. Any thread, never waits long. */
void control_wake(struct control *c);
/* Runs what is queued, then joins. */
void control_stop(struct control **c);

#endif
