#include "plan/security.h"

#include <stdio.h>

#include "base/err.h"
#include "plan/plan.h"

enum { SECURITY_BUDGET_BYTES = 64 << 20 };

static int lists_build(struct plan_security *s, struct arena *a,
                       struct plan_problem *why)
{
    const struct ip_lists *ip = &s->profile.ip;
    struct network_why bad;
    if (!ip->allow_n && !ip->deny_n) return 0;
    int err = network_build(a, ip->allow, ip->allow_n, ip->deny, ip->deny_n,
                            &s->network, &bad);
    if (err == ERR_INVALID) {
        snprintf(why->field, sizeof why->field, "ip.%s[%zu]",
                 bad.deny ? "deny" : "allow", bad.index);
        snprintf(why->message, sizeof why->message, "is not a network");
    }
    return err;
}

static void body_wish(struct plan_security *s)
{
    const struct waf_profile *w = &s->profile.waf;
    if (w->mode == WAF_OFF) return;
    s->body = (struct plan_body){ .inspect_bytes = w->inspect_bytes,
                                  .over_blocks = w->over_blocks,
                                  .blocks = w->mode == WAF_BLOCK };
}

static int security_build(struct sv doc, struct arena *a, const void **value,
                          struct plan_problem *why)
{
    struct plan_security *s = ARENA_NEW(a, struct plan_security);
    if (!s) return ERR_NOMEM;
    int err = security_decode(doc, a, &s->profile);
    if (!err) err = lists_build(s, a, why);
    for (uint32_t i = 0; !err && i < s->profile.rules_n; i++) {
        const struct security_rule *r = &s->profile.rules[i];
        if (expression_names_token(r->expression))
            s->token_rules = true;
        else
            s->early_rules = true;
    }
    if (!err) body_wish(s);
    *value = s;
    return err;
}

const struct compiled_type plan_security_type = {
    .name = "security",
    .budget = SECURITY_BUDGET_BYTES,
    .build = security_build,
};
