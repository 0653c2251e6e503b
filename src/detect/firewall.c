#include "detect/firewall.h"

enum firewall_address firewall_address(const struct ip_lists *lists,
                                       const struct network *net,
                                       const struct ip *client,
                                       const struct cidr **entry)
{
    struct network_match m = { .side = NETWORK_NONE };
    *entry = NULL;
    if (net && client) m = network_find(net, client);
    if (m.side == NETWORK_ALLOW) return FIREWALL_PASSES;
    if (m.side == NETWORK_NONE)
        return lists->other_blocks ? FIREWALL_IN_NO_LIST : FIREWALL_PASSES;
    *entry = &lists->deny[m.index];
    return FIREWALL_DENIED;
}

static bool holds(const struct security_rule *rule, bool with_token,
                  const struct expression_request *r,
                  struct firewall_walk *walk)
{
    const struct expression *e = rule->expression;
    if (expression_names_token(e) != with_token) return false;
    if (!walk->blind || !expression_names_place(e))
        return expression_eval(e, r);
    walk->passed = true;
    return false;
}

const struct security_rule *firewall_rule_next(
    const struct security *s, bool with_token,
    const struct expression_request *r, struct firewall_walk *walk)
{
    while (!walk->over && walk->next < s->rules_n) {
        const struct security_rule *rule = &s->rules[walk->next++];
        if (!holds(rule, with_token, r, walk)) continue;
        walk->skips_waf = rule->action == RULE_SKIP;
        walk->over = walk->skips_waf || rule->action == RULE_ALLOW;
        return rule;
    }
    return NULL;
}
