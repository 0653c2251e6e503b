/* Step 4: the abuse profile's limit by address or header value, before anybody
 * is asked who he is. (By token it is one more limit of step 8.) */
#include "check/check.h"
#include "check/request.h"

static const struct plan_abuse *abuse_of(const struct exchange *x)
{
    return x->plan->abuse;
}

/* A header that is not there, or given twice, is no name to count by. */
static void ask_build(struct exchange *x, struct visitor_ask *ask)
{
    const struct plan_abuse *a = abuse_of(x);
    *ask = (struct visitor_ask){ .limit = &a->limit,
                                 .app = x->plan->app.num,
                                 .scope = a->scope,
                                 .client = &x->client,
                                 .key = x->visitor,
                                 .cost = x->cost ? x->cost : 1,
                                 .peek = x->peek };
    if (a->profile.scope == ABUSE_BY_HEADER)
        check_header_once(x, a->profile.scope_header, &ask->value);
}

void check_global_tell(struct exchange *x)
{
    const struct global_take *g = &x->global;
    struct take_answer *take = &x->take;
    if (!g->done) return;
    if (x->judged_limits && take->has_limit && take->remaining <= g->remaining)
        return;
    if (!x->judged_limits)
        *take = (struct take_answer){ .refused_by = TAKE_BY_NONE };
    take->has_limit = true;
    take->limit = g->limit;
    take->remaining = g->remaining;
    take->reset_s = g->reset_s;
    x->nearest = abuse_of(x)->limit;
    x->judged_limits = true;
}

void check_global_refund(struct exchange *x)
{
    if (!x->global.done || !abuse_of(x)->counts_visitors) return;
    visitors_refund(x->env->visitors, &abuse_of(x)->limit, &x->global.visit);
    x->global.visit.cost = 0;
}

static struct sv network_text(struct exchange *x)
{
    char text[IP_TEXT_MAX];
    struct ip ip = x->client;
    bool v4 = ip_is_v4(&ip);
    memset(ip.b + (v4 ? 15 : 6), 0, v4 ? 1 : 10);
    size_t n = ip_format(&ip, text);
    return arena_printf(x->arena, "{\"countedWith\":\"%.*s/%d\"}", (int)n, text,
                        v4 ? 24 : 48);
}

/* The table has no place for this one: somebody makes addresses up. */
static void note_crowd(struct exchange *x, const struct visitor_ask *ask,
                       bool refused)
{
    check_found(x, reason_rows[REASON_GLOBAL_RATE_LIMITED].code,
                refused ? DETECTOR_BLOCK : DETECTOR_ALERT, refused,
                ask->value.n ? SV("{\"countedWith\":\"other values\"}")
                             : network_text(x));
}

static enum verdict judge(struct exchange *x, const struct visitor_ask *ask,
                          enum take took, const struct take_answer *answer)
{
    struct global_take *g = &x->global;
    if (took == TAKE_FAULT)
        return check_fault(x, abuse_of(x)->profile.on_fault, true,
                           "globalRateLimit");
    if (g->visit.by_network) note_crowd(x, ask, took == TAKE_REFUSED);
    g->done = true;
    g->limit = answer->limit;
    g->remaining = answer->remaining;
    g->reset_s = answer->reset_s;
    check_global_tell(x);
    if (took != TAKE_REFUSED) return VERDICT_PASS;
    x->take.retry_after_s = answer->retry_after_s;
    return check_deny(x, REASON_GLOBAL_RATE_LIMITED);
}

void check_global_ahead(struct exchange *x)
{
    struct visitor_ask ask;
    if (!abuse_of(x) || !abuse_of(x)->counts_visitors) return;
    ask_build(x, &ask);
    if (ask.value.n || x->has_client)
        x->visitor = visitors_ahead(x->env->visitors, &ask);
}

enum verdict check_global_limit(struct exchange *x)
{
    struct visitor_ask ask;
    struct take_answer answer;
    ask_build(x, &ask);
    if (!ask.value.n && !x->has_client) return VERDICT_PASS;
    ask.now_ms = x->env->node_ms();
    enum take took =
        visitors_take(x->env->visitors, &ask, &answer, &x->global.visit);
    return took == TAKE_WAIT ? VERDICT_WAIT : judge(x, &ask, took, &answer);
}
