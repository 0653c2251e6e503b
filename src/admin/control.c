/* A plain loop behind a mutex: management is rare, so nothing here is clever. */
#include "admin/control.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

enum { TICK_MAX_MS = 1000, TICK_AFTER_JOB_MS = 10 };

struct control {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct control_job *first, **last;
    unsigned n;
    bool stopping, woken;
    struct control_conf conf;
};

/* Waits until there is a job, the stop, or the time. Under the lock. */
static void wait_until(struct control *c, uint64_t due_ns)
{
    struct timespec at = { (time_t)(due_ns / 1000000000u),
                           (long)(due_ns % 1000000000u) };
    while (!c->first && !c->stopping && !c->woken)
        if (pthread_cond_timedwait(&c->some, &c->lock, &at) == ETIMEDOUT)
            return;
}

static struct control_job *take_first(struct control *c)
{
    struct control_job *j = c->first;
    if (!j) return NULL;
    c->first = j->next_;
    if (!c->first) c->last = &c->first;
    c->n--;
    return j;
}

static uint64_t tick(struct control *c)
{
    unsigned ms = c->conf.tick ? c->conf.tick(c->conf.ctx) : TICK_MAX_MS;
    if (ms > TICK_MAX_MS) ms = TICK_MAX_MS;
    return clock_mono_ns() + ms * 1000000ull;
}

static void *control_loop(void *arg)
{
    struct control *c = arg;
    uint64_t due_ns = tick(c);
    for (;;) {
        pthread_mutex_lock(&c->lock);
        wait_until(c, due_ns);
        struct control_job *j = take_first(c);
        bool end = !j && c->stopping, woken = c->woken;
        c->woken = false;
        pthread_mutex_unlock(&c->lock);
        if (end && woken) tick(c);
        if (end) return NULL;
        if (j) j->run(j);
        uint64_t now_ns = clock_mono_ns();
        uint64_t soon_ns = now_ns + TICK_AFTER_JOB_MS * 1000000u;
        if (now_ns >= due_ns)
            due_ns = tick(c);
        else if ((j || woken) && due_ns > soon_ns)
            due_ns = soon_ns;
    }
}

int control_start(struct control **out, const struct control_conf *conf)
{
    struct control *c = NEW(struct control);
    pthread_condattr_t attr;
    sigset_t all, before;
    c->conf = *conf;
    c->last = &c->first;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->some, &attr);
    pthread_condattr_destroy(&attr);
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&c->thread, NULL, control_loop, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        mem_free(c);
        return err_from_errno(err);
    }
    *out = c;
    return 0;
}

int control_submit(struct control *c, struct control_job *j)
{
    int err = 0;
    pthread_mutex_lock(&c->lock);
    if (c->stopping)
        err = ERR_SHUTDOWN;
    else if (c->n >= c->conf.queue_max)
        err = ERR_LIMIT;
    if (!err) {
        j->next_ = NULL;
        *c->last = j;
        c->last = &j->next_;
        c->n++;
        pthread_cond_signal(&c->some);
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

void control_wake(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    c->woken = true;
    pthread_cond_signal(&c->some);
    pthread_mutex_unlock(&c->lock);
}

void control_stop(struct control **cp)
{
    struct control *c = *cp;
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->some);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    ENSURE(!c->first);
    pthread_cond_destroy(&c->some);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
    *cp = NULL;
}
