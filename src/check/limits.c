/* Steps 8 and 9: rate limits, refill and quota, judged and taken as one step
 * on the token's counter line. Made for every token, limited or not: the line
 * also holds how often and when it was used. */
#include "check/check.h"

/* remainingScope application: the profile's quota is one for all tokens, but a
 * token with a quota (or a refill that makes one) of its own counts by itself. */
static bool is_quota_shared(const struct exchange *x)
{
    const struct policy *own = x->token.own;
    return x->plan->quota_slot != UINT32_MAX &&
           !(own && (own->has_quota || own->has_refill));
}

static void ask_build(struct exchange *x)
{
    bool shared = is_quota_shared(x);
    x->ask = (struct take_ask){
        .slot = x->token.slot,
        .tag = x->token.tag,
        .quota_slot = shared ? x->plan->quota_slot : UINT32_MAX,
        .quota_tag = shared ? x->plan->quota_tag : 0,
        .terms = policy_terms(&x->plan->auth.policy, x->token.own),
        .created_ms = shared ? x->plan->created_ms : x->token.created_ms,
        /* fresh, never the loop's: a late stamp would break the bound */
        .now_ms = x->env->node_ms(),
        .cost = x->cost ? x->cost : 1,
        .peek = x->peek,
    };
}

enum verdict check_limits(struct exchange *x)
{
    if (!x->has_token) return VERDICT_PASS;
    ask_build(x);
    enum take took = counters_take(x->env->counters, &x->ask, &x->take);
    if (took == TAKE_WAIT) return VERDICT_WAIT;
    if (took == TAKE_FAULT) return VERDICT_FAULT;
    x->judged_limits = true;
    if (x->take.has_limit && x->take.nearest < x->ask.terms.limits_n)
        x->nearest = x->ask.terms.limits[x->take.nearest];
    if (took == TAKE_REFUSED)
        return check_deny(x, x->take.refused_by == TAKE_BY_QUOTA
                                 ? REASON_QUOTA_EXHAUSTED
                                 : REASON_RATE_LIMITED);
    x->taken = !x->peek;
    return VERDICT_PASS;
}
