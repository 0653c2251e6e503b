#include "live/alert.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/ensure.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/metric.h"

/* A ring of equal parts; its memory comes with the first. */
struct ring {
    char *at;
    size_t size;
    unsigned max, first, n;
};

struct alerts {
    struct alerts_conf conf;
    pthread_mutex_t lock;
    struct ring occurrences, messages, outcomes;
    uint64_t raised, dropped; /* occurrences, by their counts */
    _Atomic uint64_t counts[ALERTS_COUNTS], waiting;
};

/* --- rings: under the lock ------------------------------------------------------ */

static void *ring_at(const struct ring *r, unsigned i)
{
    return r->at + (r->first + i) % r->max * r->size;
}

static bool ring_put(struct ring *r, const void *part)
{
    if (!r->at) r->at = mem_alloc_try(r->max * r->size);
    if (!r->at || r->n == r->max) return false;
    memcpy(ring_at(r, r->n++), part, r->size);
    return true;
}

static bool ring_take(struct ring *r, void *out)
{
    if (!r->n) return false;
    void *first = ring_at(r, 0);
    memcpy(out, first, r->size);
    mem_wipe(first, r->size);
    r->first = (r->first + 1) % r->max;
    r->n--;
    return true;
}

static void ring_fini(struct ring *r)
{
    if (r->at) mem_wipe(r->at, r->max * r->size);
    mem_free(r->at);
}

/* --- life ------------------------------------------------------------------------- */

void alerts_new(struct alerts **out, const struct alerts_conf *conf)
{
    struct alerts *a = NEW(struct alerts);
    a->conf = *conf;
    a->occurrences = (struct ring){ .size = sizeof(struct alert_occurrence),
                                    .max = ALERTS_QUEUE };
    a->messages = (struct ring){ .size = sizeof(struct alert_message),
                                 .max = ALERTS_SENDING };
    a->outcomes = (struct ring){ .size = sizeof(struct alert_outcome),
                                 .max = ALERTS_SENDING };
    pthread_mutex_init(&a->lock, NULL);
    *out = a;
}

void alerts_free(struct alerts **at)
{
    struct alerts *a = *at;
    if (!a) return;
    pthread_mutex_destroy(&a->lock);
    ring_fini(&a->occurrences);
    ring_fini(&a->messages);
    ring_fini(&a->outcomes);
    mem_free(a);
    *at = NULL;
}

/* --- what happened ------------------------------------------------------------------ */

static bool is_same(const struct alert_occurrence *a,
                    const struct alert_occurrence *b)
{
    return a->kind == b->kind && a->state == b->state &&
           !strcmp(a->key, b->key) &&
           sv_eq(id_sv(&a->app_id), id_sv(&b->app_id)) &&
           sv_eq(id_sv(&a->account_id), id_sv(&b->account_id));
}

/* Only beside the newest of its kind and key: an end between two beginnings
 * keeps its place. */
static bool merge(struct ring *r, const struct alert_occurrence *o)
{
    for (unsigned i = r->n; i--;) {
        struct alert_occurrence *have = ring_at(r, i);
        enum alert_state state = have->state;
        have->state = o->state;
        bool same = is_same(have, o);
        have->state = state;
        if (!same) continue;
        if (state != o->state) return false;
        int from = have->from < o->from ? have->from : o->from;
        uint32_t count = have->count + o->count;
        if (count < o->count) count = UINT32_MAX;
        *have = *o;
        have->from = from;
        have->count = count;
        return true;
    }
    return false;
}

void alerts_raise(struct alerts *a, const struct alert_occurrence *o)
{
    ENSURE(o->count && o->state != ALERT_NONE);
    pthread_mutex_lock(&a->lock);
    bool taken = merge(&a->occurrences, o) || ring_put(&a->occurrences, o);
    bool first = taken && a->occurrences.n == 1;
    a->raised += o->count;
    if (!taken) a->dropped += o->count;
    pthread_mutex_unlock(&a->lock);
    if (first && a->conf.wake_control) a->conf.wake_control(a->conf.ctx);
}

static bool take(struct alerts *a, struct ring *r, void *out)
{
    pthread_mutex_lock(&a->lock);
    bool has = ring_take(r, out);
    pthread_mutex_unlock(&a->lock);
    return has;
}

bool alerts_take(struct alerts *a, struct alert_occurrence *out)
{
    return take(a, &a->occurrences, out);
}

/* --- what is sent ------------------------------------------------------------------- */

bool alerts_send(struct alerts *a, const struct alert_message *m)
{
    pthread_mutex_lock(&a->lock);
    bool room = ring_put(&a->messages, m);
    pthread_mutex_unlock(&a->lock);
    if (room && a->conf.wake_reach) a->conf.wake_reach(a->conf.ctx);
    return room;
}

bool alerts_send_take(struct alerts *a, struct alert_message *out)
{
    return take(a, &a->messages, out);
}

void alerts_report(struct alerts *a, const struct alert_outcome *o)
{
    pthread_mutex_lock(&a->lock);
    bool room = ring_put(&a->outcomes, o);
    pthread_mutex_unlock(&a->lock);
    ENSURE(room); /* no more than ALERTS_SENDING are on their way */
    if (a->conf.wake_control) a->conf.wake_control(a->conf.ctx);
}

bool alerts_outcome_take(struct alerts *a, struct alert_outcome *out)
{
    return take(a, &a->outcomes, out);
}

/* --- figures ------------------------------------------------------------------------- */

void alerts_count(struct alerts *a, enum alerts_count what, uint64_t n)
{
    atomic_fetch_add(&a->counts[what], n);
}

void alerts_waiting(struct alerts *a, uint64_t n)
{
    atomic_store(&a->waiting, n);
}

void alerts_metrics(struct alerts *a, struct buf *out)
{
    static const char *const names[ALERTS_COUNTS] = {
        [ALERTS_DELIVERED] = "delivered",
        [ALERTS_FAILED] = "failed",
        [ALERTS_DEAD] = "dead",
        [ALERTS_LOST] = "lost",
    };
    pthread_mutex_lock(&a->lock);
    uint64_t raised = a->raised, dropped = a->dropped;
    pthread_mutex_unlock(&a->lock);
    const char *name = "typeauth_alert_occurrences_total";
    metric_head(out, name, "counter",
                "What happened that alerts tell of, and what had no room in "
                "the queue");
    metric_row_of(out, name, "state", "raised", raised);
    metric_row_of(out, name, "state", "dropped", dropped);
    name = "typeauth_alert_messages_total";
    metric_head(out, name, "counter",
                "Attempts to deliver alerts and what came of them; dead: given "
                "up, lost: of the given up, those that nothing keeps any more");
    for (int i = 0; i < ALERTS_COUNTS; i++)
        metric_row_of(out, name, "outcome", names[i],
                      atomic_load(&a->counts[i]));
    metric_one(out, "typeauth_alert_messages_waiting", "gauge",
               "Alerts that are still to be delivered",
               atomic_load(&a->waiting));
}
