/* Two sources of orders, one way of asking: see probe.h. */
#include "reach/probe.h"

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    ACTIVE_MAX = 64,
    ORIGINS_SHARE = 8,         /* of the places, for active health alone */
    ANSWER_MAX = 64 * 1024,    /* what of a body is read */
    LOOK_AGAIN_MS = 60 * 1000, /* clocks may be moved */
#ifdef TEST_HOOKS
    LOOK_AGAIN_TEST_MS = 20,
#else
    LOOK_AGAIN_TEST_MS = LOOK_AGAIN_MS,
#endif
};

struct probe {
    struct prober *p;
    struct probe *next, **prev;
    bool of_monitor;
    union {
        struct origin_due origin;
        struct monitor_order monitor;
    } of;
};

struct prober {
    struct prober_conf conf;
    struct timer timer;
    struct probe *active;
    unsigned active_n;
    struct probe *spare; /* for the next that is due */
};

static void on_timer(struct timer *t)
{
    prober_run(CONTAINER_OF(t, struct prober, timer));
}

void prober_new(struct prober **out, const struct prober_conf *conf)
{
    struct prober *p = NEW(struct prober);
    p->conf = *conf;
    if (!p->conf.active_max) p->conf.active_max = ACTIVE_MAX;
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
    mem_free(p->spare);
    mem_free(p);
    *pp = NULL;
}

/* --- answers ---------------------------------------------------------------- */

static uint32_t us_between(uint64_t from_ns, uint64_t to_ns)
{
    if (!from_ns || to_ns <= from_ns) return 0;
    uint64_t us = (to_ns - from_ns) / 1000;
    return us > UINT32_MAX ? UINT32_MAX : us ? (uint32_t)us : 1;
}

static enum health_cause cause_of(const struct fetch_answer *a)
{
    const struct http_call_times *t = &a->times;
    switch (a->err) {
    case 0: return HEALTH_CAUSE_NONE;
    case ERR_RESOLVE: return HEALTH_CAUSE_RESOLVE;
    case ERR_DENIED: return HEALTH_CAUSE_DENIED;
    case ERR_TIMEOUT:
        return t->start_ns && !t->resolved_ns ? HEALTH_CAUSE_RESOLVE
                                              : HEALTH_CAUSE_TIMEOUT;
    case ERR_TLS:
        return tls_failure_is_expiry(a->problem) ? HEALTH_CAUSE_CERTIFICATE
                                                 : HEALTH_CAUSE_TLS;
    default: return t->open_ns ? HEALTH_CAUSE_PROTOCOL : HEALTH_CAUSE_CONNECT;
    }
}

/* Our own want of room says nothing of the origin. */
static bool is_ours(int err)
{
    return err == ERR_LIMIT || err == ERR_NOMEM || err == ERR_SHUTDOWN;
}

static void monitor_done(struct probe *q, const struct fetch_answer *f)
{
    const struct http_call_times *t = &f->times;
    struct monitor_answer a = {
        .cause = cause_of(f),
        .skipped = is_ours(f->err),
        .code = f->first_byte_ns ? f->status : 0,
        .body = f->body,
        .total_us = us_between(t->start_ns, clock_mono_ns()),
        .phase_us = { [UPTIME_DNS] = us_between(t->start_ns, t->resolved_ns),
                      [UPTIME_CONNECT] =
                          us_between(t->resolved_ns, t->connected_ns),
                      [UPTIME_TLS] = us_between(t->connected_ns, t->open_ns),
                      [UPTIME_FIRST_BYTE] =
                          us_between(t->open_ns, f->first_byte_ns) },
        .certificate_ms = f->certificate_ms,
    };
    monitors_done(q->p->conf.monitors, &q->of.monitor, &a);
}

static void on_answer(void *ctx, const struct fetch_answer *a)
{
    struct probe *q = ctx;
    struct prober *p = q->p;
    if (q->of_monitor)
        monitor_done(q, a);
    else
        origin_probe_done(p->conf.table, &q->of.origin, a->err ? 0 : a->status,
                          reactor_now_ms(p->conf.reactor));
    probe_free(q);
    prober_run(p);
}

/* --- orders ------------------------------------------------------------------- */

static void begin(struct prober *p, struct probe *q)
{
    const struct monitor_order *m = q->of_monitor ? &q->of.monitor : NULL;
    const struct origin_due *o = &q->of.origin;
    q->p = p;
    q->next = p->active;
    q->prev = &p->active;
    if (p->active) p->active->prev = &q->next;
    p->active = q;
    p->active_n++;
    struct fetch_request req = {
        .url = m ? m->url : sv_of(o->url, o->url_n),
        .allow_plain = true,
        .unverified = p->conf.unverified,
        .fresh = true,
        .cut = true,
        .answer_max = ANSWER_MAX,
        .timeout_ms = m ? m->timeout_ms : o->rules.timeout_ms,
        .done = on_answer,
        .ctx = q,
    };
    if (m) {
        req.method = m->endpoint->method;
        req.fields = m->endpoint->headers;
        req.fields_n = m->endpoint->headers_n;
    }
    fetch_start(p->conf.fetcher, &req);
}

/* The next that is due; else *in_ms says when there may be one. */
static bool take(struct prober *p, struct probe *q, int64_t *in_ms)
{
    uint64_t now = reactor_now_ms(p->conf.reactor), next = UINT64_MAX;
    int64_t in = INT64_MAX;
    q->of_monitor = false;
    if (p->conf.table && p->active_n < p->conf.active_max &&
        origin_due(p->conf.table, now, &q->of.origin, &next))
        return true;
    if (next != UINT64_MAX) *in_ms = next > now ? (int64_t)(next - now) : 1;
    q->of_monitor = true;
    if (p->conf.monitors &&
        p->active_n < p->conf.active_max - p->conf.active_max / ORIGINS_SHARE &&
        monitors_due(p->conf.monitors, &q->of.monitor, &in))
        return true;
    if (in < *in_ms) *in_ms = in;
    return false;
}

void prober_run(struct prober *p)
{
    int64_t in_ms = LOOK_AGAIN_TEST_MS;
    if (reactor_stopping(p->conf.reactor)) return;
    for (;;) {
        struct probe *q = p->spare ? p->spare : NEW(struct probe);
        p->spare = NULL;
        if (!take(p, q, &in_ms)) {
            p->spare = q;
            break;
        }
        begin(p, q);
    }
    timer_cancel(p->conf.reactor, &p->timer);
    timer_arm(p->conf.reactor, &p->timer, in_ms > 1 ? (uint64_t)in_ms : 1);
}
