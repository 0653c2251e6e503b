/* A security profile as traffic reads it (gateway.md §1, steps 3, 10 and 13):
 * compiled once (plan/compiled.h), shared by the images that name it. */
#ifndef PLAN_SECURITY_H
#define PLAN_SECURITY_H

#include "detect/network.h"
#include "model/security.h"
#include "plan/body.h"
#include "plan/compiled.h"

struct plan_security {
    struct security profile;
    const struct network *network; /* NULL: no lists */
    const struct sv *rule_names;   /* as JSON texts, with quotes */
    bool early_rules, token_rules; /* there are rules that name no token
                                      field, and such that do */
    struct plan_body body;         /* of the WAF */
    bool place_rules;              /* and such that ask where the client is */
    bool firewall;                 /* there is something for step 3 */
};
extern const struct compiled_type plan_security_type;

/* Does a fault of the WAF refuse? (api.md §1: closed in mode block.) */
static inline bool plan_waf_closed(const struct security *s)
{
    return s->waf.mode == WAF_BLOCK && s->on_fault != FAULT_OPEN;
}

#endif
