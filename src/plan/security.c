#include "plan/security.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
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
                                  .blocks = w->mode == WAF_BLOCK,
                                  .closed = plan_waf_closed(&s->profile) };
}

/* An event names a rule: its name is made JSON once. */
static struct sv name_json(struct arena *a, struct sv name)
{
    struct buf b;
    buf_init(&b, 6 * name.n + 2);
    json_put_text(&b, name);
    struct sv text = arena_dup(a, buf_sv(&b));
    buf_fini(&b);
    return text;
}

static int rules_build(struct plan_security *s, struct arena *a)
{
    uint32_t n = s->profile.rules_n;
    struct sv *names = ARENA_ARRAY(a, struct sv, n + 1);
    s->rule_names = names;
    for (uint32_t i = 0; names && i < n; i++) {
        const struct security_rule *r = &s->profile.rules[i];
        if (expression_names_token(r->expression))
            s->token_rules = true;
        else
            s->early_rules = true;
        s->place_rules |= expression_names_place(r->expression);
        names[i] = name_json(a, r->name);
    }
    return a->overflow ? ERR_NOMEM : 0;
}

static int security_build(struct sv doc, struct arena *a, const void **value,
                          struct plan_problem *why)
{
    struct plan_security *s = ARENA_NEW(a, struct plan_security);
    if (!s) return ERR_NOMEM;
    int err = security_decode(doc, a, &s->profile);
    if (!err) err = lists_build(s, a, why);
    if (!err) body_wish(s);
    if (!err) err = rules_build(s, a);
    s->firewall = s->network || s->profile.ip.other_blocks ||
                  s->profile.geoblock.on || s->early_rules;
    *value = s;
    return err;
}

const struct compiled_type plan_security_type = {
    .name = "security",
    .budget = SECURITY_BUDGET_BYTES,
    .build = security_build,
};
