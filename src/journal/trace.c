/* Traces: from rings into the keep, and out of it. */
#include "base/mem.h"
#include "journal/journal_int.h"

enum { RING_BYTES = 128 << 10 }; /* 200 traces or more between two rounds */

const struct sv trace_verdict_names[TRACE_VERDICTS] = {
    [TRACE_PASS] = { "pass", 4 },
    [TRACE_DENY] = { "deny", 4 },
    [TRACE_ANSWER] = { "answer", 6 },
    [TRACE_FAULT] = { "fault", 5 },
};

void trace_lane_init(struct trace_lane *l)
{
    ring_init(&l->ring, RING_BYTES);
}

void trace_lane_fini(struct trace_lane *l)
{
    ring_fini(&l->ring);
}

/* As long as its steps say: most have few. */
static size_t bytes_of(unsigned steps_n)
{
    return offsetof(struct trace, steps) + steps_n * sizeof(struct trace_step);
}

/* --- on the reactor ------------------------------------------------------- */

static uint8_t put_text(char *out, struct sv text, size_t max)
{
    size_t n = text.n < max ? text.n : max;
    if (n) memcpy(out, text.p, n);
    return (uint8_t)n;
}

/* An id with its prefix; false: there is none. */
static bool put_id(struct ulid *out, struct sv id)
{
    size_t under = sv_find(id, '_');
    return under != SIZE_MAX && !ulid_decode(sv_from(id, under + 1), out);
}

void trace_add(struct trace_lane *l, const struct event *e)
{
    const struct trace_run *run = e->trace;
    uint8_t n = run->steps_n < TRACE_STEPS_MAX ? run->steps_n : TRACE_STEPS_MAX;
    struct trace *t = ring_reserve(&l->ring, bytes_of(n), 0);
    struct ulid account, application;
    bool known =
        put_id(&account, run->account_id) && put_id(&application, e->app_id);
    if (!t || !known) {
        if (known) counter_add(&l->dropped, 1);
        return;
    }
    memset(t, 0, offsetof(struct trace, request_id));
    t->at_ms = e->wall_ms;
    t->account = account;
    t->application = application;
    t->has_token = e->token_id != NULL;
    if (e->token_id) memcpy(t->token.b, e->token_id, sizeof t->token.b);
    t->sampled = run->sampled;
    t->door = e->door;
    t->outcome = (uint8_t)e->outcome;
    t->status = (uint16_t)e->status;
    t->total_us = e->total_us;
    t->origin_us = e->origin_us;
    t->request_id_n =
        put_text(t->request_id, e->request_id, TRACE_REQUEST_ID_MAX);
    t->method_n = put_text(t->method, e->method, TRACE_METHOD_MAX);
    if (run->context) {
        t->context = *run->context;
        t->has_parent = run->has_parent;
        memcpy(t->span_id, run->span_id, sizeof t->span_id);
    }
    t->code_n = put_text(t->code, sv_cstr(e->code), TRACE_CODE_MAX);
    t->steps_n = n;
    if (n)
        memcpy((char *)t + bytes_of(0), run->steps, bytes_of(n) - bytes_of(0));
    ring_commit(&l->ring);
}

/* --- the keep ------------------------------------------------------------- */

static struct trace **slot_of(struct trace_keep *k, uint64_t number)
{
    return &k->at[(number - 1) % k->max];
}

static uint64_t oldest_of(const struct trace_keep *k)
{
    return k->last > k->max ? k->last - k->max + 1 : 1;
}

static void keep(struct trace_keep *k, struct sv bytes)
{
    if (!k->at) k->at = mem_zalloc(k->max * sizeof *k->at);
    struct trace **t = slot_of(k, ++k->last);
    if (!*t || bytes_of((*t)->steps_n) != bytes.n) {
        mem_free(*t);
        *t = mem_alloc(bytes.n);
    }
    memcpy(*t, bytes.p, bytes.n);
    (*t)->number = k->last;
}

void trace_keep_fini(struct trace_keep *k)
{
    for (unsigned i = 0; k->at && i < k->max; i++) mem_free(k->at[i]);
    mem_free(k->at);
    pthread_mutex_destroy(&k->lock);
}

/* The lock is held. */
static void take(struct journal *j)
{
    for (unsigned i = 0; i < j->reactors; i++) {
        struct ring *ring = &j->lanes[i].trace.ring;
        for (struct sv one; (one = ring_peek(ring)).p; ring_pop(ring))
            keep(&j->traces, one);
    }
    atomic_store_explicit(&j->traces.kept, j->traces.last,
                          memory_order_relaxed);
}

void traces_take(struct journal *j)
{
    if (!j->traces.max) return;
    pthread_mutex_lock(&j->traces.lock);
    take(j);
    pthread_mutex_unlock(&j->traces.lock);
}

bool traces_find(struct journal *j, const struct ulid *account,
                 struct sv request_id, struct trace *out)
{
    struct trace_keep *k = &j->traces;
    bool found = false;
    if (!k->max) return false;
    pthread_mutex_lock(&k->lock);
    take(j);
    for (uint64_t n = k->last; n >= oldest_of(k) && n && !found; n--) {
        const struct trace *t = *slot_of(k, n);
        found = sv_eq(sv_of(t->request_id, t->request_id_n), request_id) &&
                ulid_cmp(&t->account, account) == 0;
        if (found) memcpy(out, t, bytes_of(t->steps_n));
    }
    pthread_mutex_unlock(&k->lock);
    return found;
}

unsigned traces_after(struct journal *j, uint64_t after, unsigned max,
                      trace_fn *fn, void *ctx)
{
    struct trace_keep *k = &j->traces;
    unsigned told = 0;
    if (!k->max) return 0;
    pthread_mutex_lock(&k->lock);
    take(j);
    uint64_t n = after + 1 > oldest_of(k) ? after + 1 : oldest_of(k);
    for (; n <= k->last && told < max; n++, told++) fn(ctx, *slot_of(k, n));
    pthread_mutex_unlock(&k->lock);
    return told;
}

void traces_stats(const struct journal *j, struct traces_stats *out)
{
    *out = (struct traces_stats){
        .kept = atomic_load_explicit(&j->traces.kept, memory_order_relaxed),
    };
    for (unsigned i = 0; i < j->reactors; i++)
        out->dropped += counter_read(&j->lanes[i].trace.dropped);
}
