/* Threads for what blocks. One queue, one lock: jobs are rare and long. */
#include "net/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *first, *last;
    unsigned queued, queue_max, threads_n, threads_max, idle;
    int nice; /* 0: as the process */
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
    w->idle++;
    while (!w->first && !w->ending) pthread_cond_wait(&w->more, &w->lock);
    w->idle--;
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
    /* of this thread alone; a refusal leaves it where it is */
    id_t self = (id_t)syscall(SYS_gettid);
    if (w->nice)
        setpriority(PRIO_PROCESS, self,
                    getpriority(PRIO_PROCESS, self) + w->nice);
    for (struct job *j; (j = next_job(w)) != NULL;) {
        j->run(j);
        j->mail_.deliver = deliver;
        /* workers end before the reactors that they reply to */
        ENSURE(reactor_post(j->reply_to, &j->mail_) == 0);
    }
    return NULL;
}

/* False: the system has no more threads. */
static bool thread_add(struct workers *w)
{
    /* signals are for the main thread */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = pthread_create(&w->threads[w->threads_n], NULL, work, w) == 0;
    if (made) pthread_setname_np(w->threads[w->threads_n++], "worker");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return made;
}

void workers_new_background(struct workers **out, unsigned threads,
                            unsigned queue_max, int nice)
{
    struct workers *w = mem_zalloc(sizeof *w + threads * sizeof w->threads[0]);
    w->queue_max = queue_max;
    w->threads_max = threads;
    w->nice = nice;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    *out = w;
}

int workers_new(struct workers **out, unsigned threads, unsigned queue_max)
{
    workers_new_background(out, threads, queue_max, 0);
    struct workers *w = *out;
    pthread_mutex_lock(&w->lock); /* they count themselves */
    while (w->threads_n < threads && thread_add(w)) continue;
    pthread_mutex_unlock(&w->lock);
    if (w->threads_n == threads) return 0;
    workers_free(out);
    return ERR_LIMIT;
}

unsigned workers_queued(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    unsigned n = w->queued;
    pthread_mutex_unlock(&w->lock);
    return n;
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

/* Is there, or can there be, a thread for one job more? A thread that was just
 * made is not idle yet: what it will do is counted as queued. */
static bool thread_for(struct workers *w)
{
    if (w->idle <= w->queued && w->threads_n < w->threads_max) thread_add(w);
    return w->threads_n > 0 || w->threads_max == 0;
}

int workers_submit(struct workers *w, struct job *j)
{
    int err = 0;
    j->next_ = NULL;
    pthread_mutex_lock(&w->lock);
    if (w->ending) {
        err = ERR_SHUTDOWN;
    } else if (w->queued >= w->queue_max || !thread_for(w)) {
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
