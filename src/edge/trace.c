/* The times of an exchange's checks: as a trace for the journal, and as a
 * Server-Timing field (W3C, Server Timing) for a client that shows a
 * management key of the application's account. The key travels in a field of
 * ours, X-Typeauth-Trace, which no origin ever sees (forward.c); without that
 * field nothing is looked for. */
#include "base/ticks.h"
#include "edge/edge_int.h"

struct step_times *visit_times(struct visit *v, bool shown)
{
    v->times.n = 0;
    if (!v->er->edge->conf.traces && !shown) return NULL;
    v->times = (struct step_times){ 0 };
    return &v->times;
}

bool visit_may_see_times(const struct visit *v, const struct http_head *head,
                         struct sv account_id)
{
    const struct edge_keys *keys = &v->er->edge->conf.keys;
    if (!head->at[HN_OURS] || !keys->is_of_account) return false;
    const struct http_field *f =
        http_head_find_text(head, SV("X-Typeauth-Trace"), NULL);
    return f && f->value.n &&
           keys->is_of_account(keys->ctx, f->value, account_id);
}

bool visit_sample(struct edge_reactor *er)
{
    uint32_t one_in = er->edge->conf.trace_sample;
    if (!one_in || ++er->untraced < one_in) return false;
    er->untraced = 0;
    return true;
}

static uint8_t verdict_of(uint8_t v)
{
    return v == VERDICT_PASS     ? TRACE_PASS
           : v == VERDICT_ANSWER ? TRACE_ANSWER
           : v == VERDICT_FAULT  ? TRACE_FAULT
                                 : TRACE_DENY;
}

/* With spans it was settled when the visit began, and others were told; a
 * refusal is told to nobody but the collector. */
bool visit_is_traced(struct visit *v, enum outcome outcome)
{
    const struct edge_conf *conf = &v->er->edge->conf;
    bool refused = outcome != OUTCOME_PASSED && outcome != OUTCOME_CLIENT_GONE;
    if (!conf->traces) return false;
    if (!conf->spans) return refused || visit_sample(v->er);
    if (refused && !v->has_parent) v->context.flags |= TRACE_SAMPLED;
    return refused || (v->context.flags & TRACE_SAMPLED);
}

uint8_t visit_trace(const struct step_times *t,
                    struct trace_step out[TRACE_STEPS_MAX])
{
    _Static_assert(STEP_COUNT <= (int)TRACE_STEPS_MAX, "a trace holds a chain");
    const struct ticks_rate rate = ticks_rate();
    for (uint8_t i = 0; i < t->n; i++)
        out[i] =
            (struct trace_step){ .name = step_names[t->step[i]],
                                 .ns = ticks_ns(rate, t->ticks[i]),
                                 .verdict = verdict_of(step_verdict(t, i)) };
    return t->n;
}

static void put_time(struct buf *text, const char *name, uint64_t ns)
{
    buf_printf(text, "%s;dur=%llu.%06llu", name,
               (unsigned long long)(ns / 1000000),
               (unsigned long long)(ns % 1000000));
}

/* dur is in milliseconds. */
struct http_field visit_server_timing(const struct visit *v, struct buf *text)
{
    const struct ticks_rate rate = ticks_rate();
    size_t start = text->n;
    for (uint8_t i = 0; i < v->times.n; i++) {
        put_time(text, step_names[v->times.step[i]],
                 ticks_ns(rate, v->times.ticks[i]));
        buf_puts(text, ", ");
    }
    if (v->origin_ns) {
        put_time(text, "origin", v->origin_ns - v->start_ns);
        buf_puts(text, ", ");
    }
    put_time(text, "total", clock_mono_ns() - v->start_ns);
    return (struct http_field){ SV("Server-Timing"), buf_since(text, start),
                                HN_OTHER };
}
