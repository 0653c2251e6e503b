/* /metrics: origins of the applications that choose among several or judge
 * them, by application and name; at most ROWS_MAX of them. */
#include <stdio.h>

#include "base/clock.h"
#include "base/metric.h"
#include "main/server.h"

enum { ROWS_MAX = 1024, LABELS_MAX = 160 };

struct origin_rows {
    unsigned n;
    uint64_t now_ms;
    struct origin_row {
        char labels[LABELS_MAX];
        const struct origin_state *state;
    } at[ROWS_MAX];
};

static void collect(void *ctx, const struct plan_app *a)
{
    struct origin_rows *rows = ctx;
    const struct plan_balance *b = a->balance;
    for (unsigned i = 0; i < b->n && rows->n < ROWS_MAX; i++) {
        struct origin_row *r = &rows->at[rows->n++];
        struct sv name =
            b->rules->n ? b->rules->origins[i].name : SV("origin-1");
        snprintf(r->labels, sizeof r->labels,
                 "application=\"%.*s\",origin=\"%.*s\"", SV_FMT(a->app.id),
                 SV_FMT(name));
        r->state = b->states[i];
    }
}

typedef uint64_t figure_fn(const struct origin_state *s, uint64_t now_ms);

static uint64_t up(const struct origin_state *s, uint64_t now_ms)
{
    return !origin_is_ill(s) && !origin_ejected_until(s, now_ms) &&
           origin_breaker(s, now_ms) != BREAKER_OPEN;
}

static uint64_t breaker(const struct origin_state *s, uint64_t now_ms)
{
    return origin_breaker(s, now_ms);
}

static uint64_t pending(const struct origin_state *s, uint64_t now_ms)
{
    (void)now_ms;
    return origin_pending(s);
}

#define FIGURE(name)                                                    \
    static uint64_t name(const struct origin_state *s, uint64_t now_ms) \
    {                                                                   \
        (void)now_ms;                                                   \
        return atomic_load_explicit(&s->name, memory_order_relaxed);    \
    }
FIGURE(ejections)
FIGURE(opened)
FIGURE(refused)
FIGURE(probes)
FIGURE(probe_failures)

static const struct family {
    const char *name, *type, *help;
    figure_fn *of;
} families[] = {
    { "typeauth_origin_up", "gauge",
      "Does the origin take requests: healthy, not ejected, breaker not open",
      up },
    { "typeauth_origin_pending", "gauge", "Requests under way at the origin",
      pending },
    { "typeauth_origin_breaker_state", "gauge",
      "Circuit breaker: 0 closed, 1 open, 2 half-open", breaker },
    { "typeauth_origin_ejections_total", "counter",
      "Times that failures ejected the origin", ejections },
    { "typeauth_origin_breaker_opened_total", "counter",
      "Times that its circuit breaker opened", opened },
    { "typeauth_origin_breaker_refused_total", "counter",
      "Requests that its breaker or ceiling kept from it", refused },
    { "typeauth_origin_probes_total", "counter",
      "Health probes answered or not", probes },
    { "typeauth_origin_probe_failures_total", "counter",
      "Health probes that were not answered well", probe_failures },
};

static void failures(const struct origin_rows *rows, struct buf *out)
{
    static const char name[] = "typeauth_origin_failures_total";
    static const char *const kinds[] = {
#define X(id, text) text,
        ORIGIN_OUTCOMES(X)
#undef X
    };
    metric_head(out, name, "counter",
                "Requests that the origin failed, by how");
    for (unsigned i = 0; i < rows->n; i++)
        for (unsigned k = 0; k < ORIGIN_FINE; k++) {
            char labels[LABELS_MAX + 32];
            uint64_t n = atomic_load_explicit(&rows->at[i].state->outcomes[k],
                                              memory_order_relaxed);
            if (!n) continue;
            snprintf(labels, sizeof labels, "%s,kind=\"%s\"",
                     rows->at[i].labels, kinds[k]);
            metric_row(out, name, labels, n);
        }
}

void origin_metrics(const struct server *s, struct buf *out)
{
    struct origin_rows *rows = NEW(struct origin_rows);
    rows->now_ms = clock_mono_ns() / 1000000;
    plan_balanced(s->plan, collect, rows);
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        const struct family *row = &families[f];
        metric_head(out, row->name, row->type, row->help);
        for (unsigned i = 0; i < rows->n; i++)
            metric_row(out, row->name, rows->at[i].labels,
                       row->of(rows->at[i].state, rows->now_ms));
    }
    failures(rows, out);
    mem_free(rows);
}
