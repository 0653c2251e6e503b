#include "detect/health.h"

static const char *const statuses[HEALTH_STATUSES] = {
    "UNKNOWN", "HEALTHY", "DEGRADED", "DOWN", "MAINTENANCE",
};
static const char *const causes[HEALTH_CAUSE_COUNT] = {
#define X(name, text) text,
    HEALTH_CAUSES(X)
#undef X
};

const char *health_status_name(enum health_status s)
{
    return statuses[s];
}

const char *health_cause_name(enum health_cause c)
{
    return causes[c];
}

static struct health_change become(struct health_state *s,
                                   enum health_status to,
                                   enum health_cause cause, int64_t at_ms)
{
    struct health_change c = { .from = (enum health_status)s->status,
                               .at_ms = at_ms };
    s->cause = (uint8_t)cause;
    if (s->status == to) return c;
    c.changed = true;
    c.began = to == HEALTH_DOWN;
    c.ended = s->status == HEALTH_DOWN;
    s->status = (uint8_t)to;
    s->since_ms = at_ms;
    return c;
}

static struct health_change judge_failure(struct health_state *s,
                                          const struct health_probe *p)
{
    s->successes = 0;
    if (s->failures == 0) s->run_ms = p->at_ms;
    if (s->failures < HEALTH_FAILURES) s->failures++;
    if (s->status == HEALTH_DOWN || s->failures == HEALTH_FAILURES)
        return become(s, HEALTH_DOWN, p->cause, s->run_ms);
    return become(s, HEALTH_DEGRADED, p->cause, p->at_ms);
}

static struct health_change judge_success(struct health_state *s,
                                          const struct health_probe *p)
{
    enum health_status well = p->cause ? HEALTH_DEGRADED : HEALTH_HEALTHY;
    s->failures = 0;
    /* not all well: up again, but no step towards HEALTHY */
    if (p->cause && s->status != HEALTH_DOWN) s->successes = 0;
    if (s->successes == 0) s->run_ms = p->at_ms;
    if (s->successes < HEALTH_SUCCESSES) s->successes++;
    bool ill = s->status == HEALTH_DOWN || s->status == HEALTH_DEGRADED;
    if (ill && s->status != well && s->successes < HEALTH_SUCCESSES)
        return (struct health_change){ .from = (enum health_status)s->status };
    if (p->cause) s->successes = 0;
    return become(s, well, p->cause, ill ? s->run_ms : p->at_ms);
}

struct health_change health_judge(struct health_state *s,
                                  const struct health_probe *p)
{
    if (s->status == HEALTH_MAINTENANCE)
        return (struct health_change){ .from = HEALTH_MAINTENANCE };
    return p->failed ? judge_failure(s, p) : judge_success(s, p);
}

struct health_change health_maintain(struct health_state *s, bool on,
                                     int64_t at_ms)
{
    s->failures = s->successes = 0;
    if (on) return become(s, HEALTH_MAINTENANCE, HEALTH_CAUSE_NONE, at_ms);
    if (s->status != HEALTH_MAINTENANCE)
        return (struct health_change){ .from = (enum health_status)s->status };
    return become(s, HEALTH_UNKNOWN, HEALTH_CAUSE_NONE, at_ms);
}

enum health_status health_together(const struct health_state *s, unsigned n)
{
    unsigned count[HEALTH_STATUSES] = { 0 };
    for (unsigned i = 0; i < n; i++) count[s[i].status]++;
    n -= count[HEALTH_UNKNOWN];
    if (n == 0) return HEALTH_UNKNOWN;
    for (int status = HEALTH_HEALTHY; status < HEALTH_STATUSES; status++)
        if (count[status] == n) return (enum health_status)status;
    return HEALTH_DEGRADED;
}
