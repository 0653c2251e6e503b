#include "reach/probe.h"

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

enum { ACTIVE_MAX = 64, ANSWER_MAX = 64 * 1024 };

struct probe {
    struct prober *p;
    struct probe *next, **prev;
    struct origin_due due;
};

struct prober {
    struct prober_conf conf;
    struct timer timer;
    struct probe *active;
    unsigned active_n;
};

static void on_timer(struct timer *t)
{
    prober_run(CONTAINER_OF(t, struct prober, timer));
}

void prober_new(struct prober **out, const struct prober_conf *conf)
{
    struct prober *p = NEW(struct prober);
    p->conf = *conf;
    p->timer.fire = on_timer;
    *out = p;
}

static void probe_free(struct probe *q)
{
    *q->prev = q->next;
    if (q->next) q->next->prev = q->prev;
    q->p->active_n--;
    mem_free(q);
}

void prober_free(struct prober **pp)
{
    struct prober *p = *pp;
    if (!p) return;
    while (p->active) probe_free(p->active);
    mem_free(p);
    *pp = NULL;
}

/* An answer whose body is too long is one all the same. */
static void on_answer(void *ctx, const struct fetch_answer *a)
{
    struct probe *q = ctx;
    struct prober *p = q->p;
    bool answered = !a->err || a->err == ERR_TOOBIG;
    origin_probe_done(p->conf.table, &q->due, answered ? a->status : 0,
                      reactor_now_ms(p->conf.reactor));
    probe_free(q);
    prober_run(p);
}

static void begin(struct prober *p, struct probe *q)
{
    q->p = p;
    q->next = p->active;
    q->prev = &p->active;
    if (p->active) p->active->prev = &q->next;
    p->active = q;
    p->active_n++;
    fetch_start(p->conf.fetcher, &(struct fetch_request){
                                     .url = sv_of(q->due.url, q->due.url_n),
                                     .allow_plain = true,
                                     .unverified = p->conf.unverified,
                                     .answer_max = ANSWER_MAX,
                                     .timeout_ms = q->due.rules.timeout_ms,
                                     .done = on_answer,
                                     .ctx = q,
                                 });
}

void prober_run(struct prober *p)
{
    uint64_t now = reactor_now_ms(p->conf.reactor), next = UINT64_MAX;
    struct probe *q = NEW(struct probe);
    while (p->active_n < ACTIVE_MAX &&
           origin_due(p->conf.table, now, &q->due, &next)) {
        begin(p, q);
        q = NEW(struct probe);
    }
    mem_free(q);
    timer_cancel(p->conf.reactor, &p->timer);
    if (next != UINT64_MAX && p->active_n < ACTIVE_MAX)
        timer_arm(p->conf.reactor, &p->timer, next > now ? next - now : 1);
}
