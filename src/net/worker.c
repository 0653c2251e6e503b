/* Threads for what blocks. One queue, one lock: jobs are rare and long. */
#include "net/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *first, *last;
    unsigned queued, queue_max, threads_n;
    bool ending;
    pthread_t threads[];
};

static void deliver(struct mail *m)
{
    struct job *j = CONTAINER_OF(m, struct job, mail_);
    j->done(j);
}

/* Waits for a job; NULL: the end. */
static struct job *next_job(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->ending) pthread_cond_wait(&w->more, &w->lock);
    struct job *j = w->first;
    if (j) {
        w->first = j->next_;
        if (!w->first) w->last = NULL;
        w->queued--;
    }
    pthread_mutex_unlock(&w->lock);
    return j;
}

static void *work(void *arg)
{
    struct workers *w = arg;
    for (struct job *j; (j = next_job(w)) != NULL;) {
        j->run(j);
        j->mail_.deliver = deliver;
        /* workers end before the reactors that they reply to */
        ENSURE(reactor_post(j->reply_to, &j->mail_) == 0);
    }
    return NULL;
}

int workers_new(struct workers **out, unsigned threads, unsigned queue_max)
{
    struct workers *w = mem_zalloc(sizeof *w + threads * sizeof w->threads[0]);
    w->queue_max = queue_max;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    /* signals are for the main thread */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (w->threads_n < threads &&
           pthread_create(&w->threads[w->threads_n], NULL, work, w) == 0) {
        pthread_setname_np(w->threads[w->threads_n], "worker");
        w->threads_n++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *out = w;
    if (w->threads_n == threads) return 0;
    workers_free(out);
    return ERR_LIMIT;
}

void workers_free(struct workers **wp)
{
    struct workers *w = *wp;
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->threads_n; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
    *wp = NULL;
}

int workers_submit(struct workers *w, struct job *j)
{
    int err = 0;
    j->next_ = NULL;
    pthread_mutex_lock(&w->lock);
    if (w->ending) {
        err = ERR_SHUTDOWN;
    } else if (w->queued >= w->queue_max) {
        err = ERR_LIMIT;
    } else {
        if (w->last)
            w->last->next_ = j;
        else
            w->first = j;
        w->last = j;
        w->queued++;
        pthread_cond_signal(&w->more);
    }
    pthread_mutex_unlock(&w->lock);
    return err;
}
