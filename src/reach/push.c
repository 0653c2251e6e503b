#include "reach/push.h"

#include <pthread.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rand.h"

enum {
    ANSWER_MAX = 16 * 1024,
    PAUSE_MS = 1000,
    PAUSE_MAX_MS = 60000,
    ATTEMPTS = 10, /* some five minutes */
};

enum state { FREE, FULL, SENDING, PAUSED };

struct place {
    struct pusher *p;
    enum state state; /* under the lock */
    struct buf body;
    uint64_t items;
    unsigned attempts;
    bool failing; /* told in the log; until one is taken */
    struct timer again;
    _Atomic uint64_t sent, dropped, failures;
};

struct pusher {
    struct pusher_conf conf;
    pthread_mutex_t lock;
    struct reactor *reactor;
    struct fetcher *fetcher;
    struct rand_fast random;
    struct place places[PUSH_PLACES];
};

static const char *const names[PUSH_PLACES] = {
    [PUSH_METRICS] = "metrics",
    [PUSH_TRACES] = "traces",
    [PUSH_LOGS] = "logs",
};

void pusher_new(struct pusher **out, const struct pusher_conf *conf)
{
    struct pusher *p = NEW(struct pusher);
    ENSURE(conf->fields_n <= PUSH_FIELDS_MAX);
    p->conf = *conf;
    pthread_mutex_init(&p->lock, NULL);
    rand_fast_init(&p->random);
    for (int i = 0; i < PUSH_PLACES; i++) p->places[i].p = p;
    *out = p;
}

void pusher_free(struct pusher **at)
{
    struct pusher *p = *at;
    if (!p) return;
    for (int i = 0; i < PUSH_PLACES; i++) buf_fini(&p->places[i].body);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
    *at = NULL;
}

/* --- any thread ------------------------------------------------------------------ */

bool pusher_has(const struct pusher *p, enum push_place place)
{
    return p && p->conf.places[place].url != NULL;
}

static enum state state_of(struct place *pl)
{
    pthread_mutex_lock(&pl->p->lock);
    enum state s = pl->state;
    pthread_mutex_unlock(&pl->p->lock);
    return s;
}

static void state_set(struct place *pl, enum state s)
{
    pthread_mutex_lock(&pl->p->lock);
    pl->state = s;
    pthread_mutex_unlock(&pl->p->lock);
}

bool pusher_is_free(struct pusher *p, enum push_place place)
{
    return state_of(&p->places[place]) == FREE;
}

void pusher_put(struct pusher *p, enum push_place place, struct buf *body,
                uint64_t items)
{
    struct place *pl = &p->places[place];
    ENSURE(state_of(pl) == FREE);
    buf_fini(&pl->body);
    pl->body = *body;
    *body = (struct buf){ 0 };
    pl->items = items;
    pl->attempts = 0;
    state_set(pl, FULL);
    p->conf.wake(p->conf.ctx);
}

void pusher_drop(struct pusher *p, enum push_place place, uint64_t items)
{
    atomic_fetch_add(&p->places[place].dropped, items);
}

static void rows(struct pusher *p, struct buf *out, const char *name,
                 const char *help, size_t at)
{
    metric_head(out, name, "counter", help);
    for (int i = 0; i < PUSH_PLACES; i++) {
        const _Atomic uint64_t *v =
            (const void *)((const char *)&p->places[i] + at);
        metric_row_of(out, name, "signal", names[i], atomic_load(v));
    }
}

void pusher_metrics(struct pusher *p, struct buf *out)
{
    rows(p, out, "typeauth_push_items_total",
         "Spans, metrics documents and log lines that a collector took",
         offsetof(struct place, sent));
    rows(p, out, "typeauth_push_dropped_total",
         "Spans, metrics documents and log lines that were given up or had no "
         "room",
         offsetof(struct place, dropped));
    rows(p, out, "typeauth_push_failures_total",
         "Attempts to reach a collector that failed",
         offsetof(struct place, failures));
}

/* --- the reach thread -------------------------------------------------------------- */

static void post(struct place *pl);

static void on_again(struct timer *t)
{
    post(CONTAINER_OF(t, struct place, again));
}

static void done(struct place *pl, _Atomic uint64_t *count)
{
    atomic_fetch_add(count, pl->items);
    buf_fini(&pl->body);
    pl->body = (struct buf){ 0 };
    state_set(pl, FREE);
}

/* What a collector calls malformed will be so again (OTLP: 400 is final). */
static bool is_final(const struct fetch_answer *f)
{
    return !f->err && f->status >= 400 && f->status < 500 && f->status != 408 &&
           f->status != 429;
}

static void failed(struct place *pl, const struct fetch_answer *f)
{
    const char *name = names[pl - pl->p->places];
    atomic_fetch_add(&pl->failures, 1);
    if (!pl->failing) {
        if (f->err)
            log_warn("reach", "collector (%s): %s", name, f->problem);
        else
            log_warn("reach", "collector (%s): HTTP %u", name, f->status);
    }
    pl->failing = true;
    if (is_final(f) || pl->attempts == ATTEMPTS) {
        done(pl, &pl->dropped);
        return;
    }
    uint64_t ms = (uint64_t)PAUSE_MS << (pl->attempts - 1);
    if (ms > PAUSE_MAX_MS) ms = PAUSE_MAX_MS;
    ms = ms / 2 + rand_fast_next(&pl->p->random) % (ms / 2 + 1);
    state_set(pl, PAUSED);
    pl->again.fire = on_again;
    timer_arm(pl->p->reactor, &pl->again, ms);
}

static void on_answer(void *ctx, const struct fetch_answer *f)
{
    struct place *pl = ctx;
    if (f->err || f->status < 200 || f->status > 299) {
        failed(pl, f);
        return;
    }
    if (pl->failing)
        log_info("reach", "collector (%s): it answers again",
                 names[pl - pl->p->places]);
    pl->failing = false;
    done(pl, &pl->sent);
}

static void post(struct place *pl)
{
    const struct pusher *p = pl->p;
    size_t at = (size_t)(pl - p->places);
    struct http_field fields[PUSH_FIELDS_MAX + 1];
    fields[0] =
        (struct http_field){ SV("Content-Type"),
                             at == PUSH_LOGS ? SV("application/x-ndjson")
                                             : SV("application/json"),
                             HN_CONTENT_TYPE };
    for (size_t i = 0; i < p->conf.fields_n; i++)
        fields[1 + i] = p->conf.fields[i];
    const struct fetch_request req = {
        .url = sv_cstr(p->conf.places[at].url),
        .allow_plain = true, /* the operator's own; often beside us */
        .body = buf_sv(&pl->body),
        .fields = fields,
        .fields_n = p->conf.fields_n + 1,
        .answer_max = ANSWER_MAX,
        .timeout_ms = p->conf.timeout_ms,
        .done = on_answer,
        .ctx = pl,
    };
    pl->attempts++;
    state_set(pl, SENDING);
    fetch_start(p->fetcher, &req);
}

void pusher_stop(struct pusher *p)
{
    for (int i = 0; i < PUSH_PLACES; i++) {
        struct place *pl = &p->places[i];
        if (pl->state == FREE) continue;
        log_warn("reach", "collector (%s): %llu were lost at the end", names[i],
                 (unsigned long long)pl->items);
        done(pl, &pl->dropped);
    }
}

void pusher_start(struct pusher *p, struct reactor *r, struct fetcher *f)
{
    p->reactor = r;
    p->fetcher = f;
}

void pusher_run(struct pusher *p)
{
    for (int i = 0; i < PUSH_PLACES; i++)
        if (state_of(&p->places[i]) == FULL) post(&p->places[i]);
}
