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
    bool early_rules, token_rules; /* there are rules that name no token
                                      field, and such that do */
    struct plan_body body;         /* of the WAF */
    bool wants_place;              /* geoblock, or a rule, asks where */
};
extern const struct compiled_type plan_security_type;

#endif
