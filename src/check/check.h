/* The checks, one a file, as the runner sees them. A check reads the exchange
 * and the clocks in it, answers a verdict, never looks at the door's protocol
 * and never blocks. A denial sets exchange.reason through check_deny. */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "check/exchange.h"

typedef enum verdict check_fn(struct exchange *x);

check_fn check_enabled, check_credential, check_token_state, check_expiry,
    check_jwt, check_binding, check_limits, check_scopes, check_address,
    check_route, check_preflight, check_body, check_waf, check_schema,
    check_answer, check_firewall, check_token_rules, check_travel,
    check_anomaly, check_global_limit, check_mail;

/* The credential at the door's or the profile's place, without `Bearer`. */
enum place_found check_credential_find(struct exchange *x, struct sv *secret);
/* The value of the route's variable if its rule defines one of that name, else
 * of the header field. False: the field is not there exactly once. */
bool check_variable(const struct exchange *x, struct sv name, struct sv *value);
/* The value of a header field that the request has exactly once. */
bool check_header_once(const struct exchange *x, struct sv name,
                       struct sv *value);

/* A check of a security or abuse profile cannot be made: PASS or DENY by the
 * profile's onFault, with a finding that names the check (static, no quotes). */
enum verdict check_fault(struct exchange *x, enum fault_rule rule,
                         bool closed_by_default, const char *what);

/* The credential is found and hashed; what step CREDENTIAL will look into is on
 * its way. That step does it itself where it was not done before. */
void check_credential_ahead(struct exchange *x);
/* What step GLOBAL_LIMIT will touch is on its way while those before it run. */
void check_global_ahead(struct exchange *x);
/* Of the limit by address or header and those behind it the one that is
 * nearest to refusing is told. */
void check_global_tell(struct exchange *x);
/* A limit behind it has refused: it counts nothing. */
void check_global_refund(struct exchange *x);

static inline enum verdict check_deny(struct exchange *x, enum reason why)
{
    x->reason = why;
    return VERDICT_DENY;
}

#endif
