/* Work of a check, done by a worker thread while its exchange is suspended.
 *
 *   work_start ─> queue ─> worker ─> mail ─> the exchange is resumed
 *        │ full: false       └ nobody waits any more (the client has gone, or
 *                              it was late): what it reads stays until it ends
 *
 * The job holds the image and the body by itself. Late is WORK_LATE_MS unless
 * conf says otherwise: then the exchange goes on with a fault. */
#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "edge/edge_int.h"

struct work_job {
    struct job job;
    struct check_work *work;
    struct suspended *waiting; /* NULL: nobody */
    struct exchange *x;        /* its; as long as somebody waits */
    struct edge_reactor *er;   /* the same */
    const struct plan_app *plan;
    unsigned reactor;
    struct held_body *body;
    _Atomic bool forgotten; /* not begun: not worth it */
    uint64_t asked_ns, begun_ns, ended_ns;
};

static void run(struct job *base)
{
    struct work_job *j = CONTAINER_OF(base, struct work_job, job);
    if (atomic_load(&j->forgotten)) return;
    j->begun_ns = clock_mono_ns();
    j->work->run(j->work);
    j->ended_ns = clock_mono_ns();
}

static void add(_Atomic uint64_t *n, uint64_t more)
{
    atomic_store_explicit(n,
                          atomic_load_explicit(n, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

/* The exchange takes its work back. */
static void hand_back(struct work_job *j)
{
    struct work_stats *stats = &j->er->stats.works[j->work->kind];
    edge_count(&stats->done);
    add(&stats->waited_us, (j->begun_ns - j->asked_ns) / 1000);
    add(&stats->ran_us, (j->ended_ns - j->begun_ns) / 1000);
    edge_unsuspend(j->er, j->waiting);
    j->waiting->job = NULL;
    j->x->worked = WORK_DONE;
}

static void done(struct job *base)
{
    struct work_job *j = CONTAINER_OF(base, struct work_job, job);
    struct suspended *waiting = j->waiting;
    plan_drop(j->plan, j->reactor);
    held_body_drop(j->body);
    if (waiting)
        hand_back(j);
    else
        j->work->free(j->work);
    mem_free(j);
    if (waiting) waiting->resume(waiting);
}

bool work_start(struct edge_reactor *er, struct suspended *s,
                struct exchange *x, struct held_body *body)
{
    struct workers *workers = er->edge->conf.judges;
    struct work_job *j = mem_alloc(sizeof *j);
    *j = (struct work_job){
        .job = { .reply_to = er->reactor, .run = run, .done = done },
        .work = x->work,
        .waiting = s,
        .x = x,
        .er = er,
        .plan = x->plan,
        .reactor = er->index,
        .body = body,
        .asked_ns = clock_mono_ns(),
    };
    /* before a worker can be done with it */
    plan_hold(j->plan, j->reactor);
    if (body) body->refs++;
    if (workers && workers_submit(workers, &j->job) == 0) {
        s->job = j;
        edge_suspend(er, s, er->edge->conf.work_late_ms);
        return true;
    }
    plan_drop(j->plan, j->reactor);
    held_body_drop(body);
    mem_free(j);
    edge_count(&er->stats.works[x->work->kind].refused);
    check_work_end(x);
    x->worked = WORK_FAILED;
    return false;
}

void work_forget(struct suspended *s)
{
    struct work_job *j = s->job;
    if (!j) return;
    j->x->work = NULL;
    j->waiting = NULL;
    s->job = NULL;
    atomic_store(&j->forgotten, true);
}

void work_late(struct suspended *s)
{
    struct exchange *x = s->job->x;
    edge_count(&s->job->er->stats.works[x->work->kind].late);
    work_forget(s);
    x->worked = WORK_FAILED;
}
