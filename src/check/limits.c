/* Steps 8 and 9: rate limits (and the abuse profile's, by token), refill and
 * quota, judged and taken as one step on a counter line: the token's, or that
 * of a JWT's subject. Made for every token, limited or not: the line also holds
 * how often and when it was used. */
#include "check/check.h"
#include "live/quota_watch.h"

/* remainingScope application: the profile's quota is one for all tokens, but a
 * token with a quota (or a refill that makes one) of its own counts by itself. */
static bool is_quota_shared(const struct exchange *x)
{
    const struct policy *own = x->token.own;
    return x->plan->quota_slot != UINT32_MAX &&
           !(own && (own->has_quota || own->has_refill));
}

static struct terms terms_of(const struct exchange *x)
{
    const struct plan_abuse *abuse = x->plan->abuse;
    struct terms t = policy_terms(&x->plan->auth.policy, x->token.own);
    if (abuse && abuse->counts_tokens) t.global = &abuse->limit;
    return t;
}

static void ask_build(struct exchange *x)
{
    bool shared = is_quota_shared(x);
    x->ask = (struct take_ask){
        .slot = x->token.slot,
        .tag = x->token.tag,
        .quota_slot = shared ? x->plan->quota_slot : UINT32_MAX,
        .quota_tag = shared ? x->plan->quota_tag : 0,
        .terms = terms_of(x),
        .created_ms = shared ? x->plan->created_ms : x->token.created_ms,
        /* fresh, never the loop's: a late stamp would break the bound */
        .now_ms = x->env->node_ms(),
        .cost = x->cost ? x->cost : 1,
        .peek = x->peek,
    };
}

/* Nobody in particular is counted: the application's line alone. */
static void ask_application(struct exchange *x)
{
    x->ask.slot = x->plan->quota_slot;
    x->ask.tag = x->plan->quota_tag;
    x->ask.quota_slot = UINT32_MAX;
}

static enum verdict ask_subject(struct exchange *x, struct subject *who)
{
    switch (subjects_get(x->env->subjects, x->jwt->subject_key, x->ask.now_ms,
                         who)) {
    case SUBJECT_FOUND: break;
    case SUBJECT_WAIT: return VERDICT_WAIT;
    case SUBJECT_FULL: return VERDICT_FAULT;
    }
    x->ask.slot = who->slot;
    x->ask.tag = who->tag;
    if (x->ask.quota_slot == UINT32_MAX) x->ask.created_ms = who->created_ms;
    return VERDICT_PASS;
}

static enum verdict refused(struct exchange *x)
{
    check_global_refund(x);
    if (x->take.refused_by == TAKE_BY_QUOTA)
        return check_deny(x, REASON_QUOTA_EXHAUSTED);
    const struct terms *t = &x->ask.terms;
    return check_deny(x, t->global && x->take.refused_by == t->limits_n
                             ? REASON_GLOBAL_RATE_LIMITED
                             : REASON_RATE_LIMITED);
}

static struct id id_of(struct sv text)
{
    struct id id = { "" };
    if (text.n <= ID_TEXT_MAX) memcpy(id.text, text.p, text.n);
    return id;
}

/* Alerts want to know of quotas that are nearly spent. */
static void quota_tell(const struct exchange *x)
{
    struct quota_crossing c = { .has_token = x->has_token };
    if (!quota_crossed(x->ask.terms.quota, x->take.quota_remaining, x->ask.cost,
                       &c.from, &c.to))
        return;
    if (x->ask.quota_slot != UINT32_MAX) c.has_token = false;
    if (c.has_token) memcpy(c.token.b, x->token.id, sizeof c.token.b);
    c.account_id = id_of(x->plan->app.account_id);
    c.app_id = id_of(x->plan->app.id);
    quota_watch_put(x->env->quotas, &c);
}

static enum verdict judge(struct exchange *x, enum take took)
{
    if (took == TAKE_WAIT) return VERDICT_WAIT;
    if (took == TAKE_FAULT) return VERDICT_FAULT;
    x->judged_limits = true;
    if (x->take.has_limit && x->take.nearest < terms_limits(&x->ask.terms))
        x->nearest = *terms_limit(&x->ask.terms, x->take.nearest);
    if (took == TAKE_REFUSED) return refused(x);
    check_global_tell(x);
    x->taken = !x->peek;
    if (x->taken && x->take.has_quota && quota_watch_wanted(x->env->quotas))
        quota_tell(x);
    return VERDICT_PASS;
}

static enum verdict of_subject(struct exchange *x)
{
    struct subject who = { .slot = 0 };
    const bool counted = x->plan->jwt->needs_subject;
    if (!counted) ask_application(x);
    enum verdict v = counted ? ask_subject(x, &who) : VERDICT_PASS;
    if (v != VERDICT_PASS) return v;
    enum take took = counters_take(x->env->counters, &x->ask, &x->take);
    if (!counted) return judge(x, took);
    if (took == TAKE_FAULT) return VERDICT_WAIT; /* evicted in between */
    if (took == TAKE_TAKEN && !x->peek)
        subjects_keep(x->env->subjects, &who,
                      subject_free_s(&x->ask, &x->take));
    return judge(x, took);
}

enum verdict check_limits(struct exchange *x)
{
    if (!x->has_token && !x->jwt) return VERDICT_PASS;
    ask_build(x);
    if (x->jwt) return of_subject(x);
    return judge(x, counters_take(x->env->counters, &x->ask, &x->take));
}
