/* The runner: an application's steps in the order of plan/, each once.
 *
 *   step ── PASS ──> next step … ──> PASS
 *     ├─── DENY ──> quota back if it was taken ──> DENY
 *     ├─── WAIT ──> (door runs it again next turn: token looked up anew)
 *     ├─── WORK ──> (door runs it again when a worker has done it)
 *     ├─── BODY ──> (door runs it again when the body has come)
 *     └─── FAULT ─> onFault open: as PASS, counted; closed: DENY
 */
#include <string.h>

#include "base/ensure.h"
#include "base/ticks.h"
#include "check/check.h"
#include "check/tracked.h"

static check_fn *const checks[STEP_COUNT] = {
    [STEP_ENABLED] = check_enabled,
    [STEP_PREFLIGHT] = check_preflight,
    [STEP_ROUTE] = check_route,
    [STEP_FIREWALL] = check_firewall,
    [STEP_CREDENTIAL] = check_credential,
    [STEP_TOKEN_STATE] = check_token_state,
    [STEP_EXPIRY] = check_expiry,
    [STEP_JWT] = check_jwt,
    [STEP_BINDING] = check_binding,
    [STEP_LIMITS] = check_limits,
    [STEP_SCOPES] = check_scopes,
    [STEP_ADDRESS] = check_address,
    [STEP_TOKEN_RULES] = check_token_rules,
    [STEP_TRAVEL] = check_travel,
    [STEP_ANOMALY] = check_anomaly,
    [STEP_BODY] = check_body,
    [STEP_WAF] = check_waf,
    [STEP_SCHEMA] = check_schema,
    [STEP_GLOBAL_LIMIT] = check_global_limit,
    [STEP_MAIL] = check_mail,
    [STEP_ANSWER] = check_answer,
};

const char *const step_names[STEP_COUNT] = {
    [STEP_ENABLED] = "enabled",
    [STEP_PREFLIGHT] = "preflight",
    [STEP_ROUTE] = "route",
    [STEP_FIREWALL] = "firewall",
    [STEP_GLOBAL_LIMIT] = "global_limit",
    [STEP_CREDENTIAL] = "credential",
    [STEP_TOKEN_STATE] = "token_state",
    [STEP_EXPIRY] = "expiry",
    [STEP_JWT] = "jwt",
    [STEP_BINDING] = "binding",
    [STEP_LIMITS] = "limits",
    [STEP_SCOPES] = "scopes",
    [STEP_ADDRESS] = "address",
    [STEP_TOKEN_RULES] = "token_rules",
    [STEP_TRAVEL] = "travel",
    [STEP_ANOMALY] = "anomaly",
    [STEP_BODY] = "body",
    [STEP_MAIL] = "mail",
    [STEP_WAF] = "waf",
    [STEP_SCHEMA] = "schema",
    [STEP_ANSWER] = "answer",
};

void chain_refund(struct exchange *x)
{
    if (!x->taken) return;
    x->taken = false;
    /* the policies behind the terms may be gone: a refund needs none */
    struct take_ask ask = x->ask;
    ask.terms.limits = NULL;
    ask.terms.limits_n = 0;
    ask.terms.refill = NULL;
    ask.terms.global = NULL;
    counters_refund(x->env->counters, &ask, &x->take);
}

/* What onFault of the profile says. */
static enum verdict judge_fault(struct exchange *x)
{
    if (!x->plan->auth.fault_open)
        return check_deny(x, REASON_CHECK_UNAVAILABLE);
    x->faults++;
    return VERDICT_PASS;
}

static enum verdict step_run(struct exchange *x, enum plan_step step)
{
    x->retry_ms = 0;
    enum verdict v = checks[step](x);
    if (v == VERDICT_WAIT && x->waits++ == WAITS_MAX) v = VERDICT_FAULT;
    return v == VERDICT_FAULT ? judge_fault(x) : v;
}

void check_work_end(struct exchange *x)
{
    if (x->work) x->work->free(x->work);
    x->work = NULL;
    x->worked = WORK_UNASKED;
}

/* Facts of a JWT are of the turn: it is judged anew, unless the steps have not
 * come to it. What lies between it and x->step has been done, and is not done
 * twice. */
static enum verdict resume_jwt(struct exchange *x)
{
    const struct plan_steps *steps = &x->plan->steps[x->door];
    for (uint8_t i = 0; i < x->step; i++)
        if (steps->at[i] == STEP_JWT) return step_run(x, STEP_JWT);
    return VERDICT_PASS;
}

/* After a wait: what was found may have changed owner, been disabled or have
 * expired meanwhile. */
static enum verdict resume(struct exchange *x)
{
    if (x->plan->jwt) return resume_jwt(x);
    if (!x->has_token) return VERDICT_PASS;
    if (!tokens_view(x->env->tokens, x->token.slot, x->token.tag, x->wall_ms,
                     &x->token))
        return check_deny(x, REASON_INVALID_TOKEN);
    enum verdict v = check_token_state(x);
    return v == VERDICT_PASS ? check_expiry(x) : v;
}

/* They compare what is in hand, in less time than reading the counter takes: it
 * is counted to the step behind them. None of them is ever in fault. */
static inline bool is_instant(enum plan_step step)
{
    const uint32_t steps =
        1u << STEP_TOKEN_STATE | 1u << STEP_EXPIRY | 1u << STEP_SCOPES;
    return steps >> step & 1;
}

/* What a step took goes to it, again after each wait; reading the counter
 * twice a step would double what measuring costs. */
static inline uint64_t lap(struct step_times *t, const struct exchange *x,
                           uint64_t since)
{
    uint64_t now = ticks_now(), sum = t->ticks[x->step] + (now - since);
    t->ticks[x->step] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    t->faulty |= (uint32_t)(x->faults != t->faults) << x->step;
    t->faults = x->faults;
    return now;
}

static void laps_end(struct step_times *t, const struct exchange *x,
                     const struct plan_steps *steps, enum verdict v)
{
    t->n = (uint8_t)(x->step < steps->n ? x->step + 1 : steps->n);
    t->last = (uint8_t)v;
    memcpy(t->step, steps->at, sizeof t->step);
}

void chain_ahead(struct exchange *x)
{
    const struct plan_steps *steps = &x->plan->steps[x->door];
    if (steps->n && steps->at[0] == STEP_CREDENTIAL) check_credential_ahead(x);
}

enum verdict chain_run(struct exchange *x)
{
    const struct plan_steps *steps = &x->plan->steps[x->door];
    enum verdict v = VERDICT_PASS;
    if (steps->n) x->wall_ms = x->env->wall_ms();
    x->request = NULL;
    struct step_times *times = x->times;
    uint64_t since = times ? ticks_now() : 0;
    if (x->again)
        v = resume(x);
    else
        check_global_ahead(x);
    x->again = true;
    if (times && v == VERDICT_DENY) lap(times, x, since);
    while (v == VERDICT_PASS && x->step < steps->n) {
        enum plan_step step = (enum plan_step)steps->at[x->step];
        v = step_run(x, step);
        if (times && !(v == VERDICT_PASS && is_instant(step)))
            since = lap(times, x, since);
        if (v == VERDICT_PASS) x->step++;
    }
    if (times) laps_end(times, x, steps, v);
    if (v == VERDICT_DENY) {
        chain_refund(x);
        check_work_end(x); /* refused before its check saw it */
    }
    if (x->plan->tracked && v != VERDICT_WAIT) check_mark(x);
    return v;
}
