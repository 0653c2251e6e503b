/* The checks, one a file, as the runner sees them. A check reads the exchange
 * and the clocks in it, answers a verdict, never looks at the door's protocol
 * and never blocks. A denial sets exchange.reason through check_deny. */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "check/exchange.h"

typedef enum verdict check_fn(struct exchange *x);

check_fn check_enabled, check_credential, check_token_state, check_expiry,
    check_limits, check_scopes, check_address;

static inline enum verdict check_deny(struct exchange *x, enum reason why)
{
    x->reason = why;
    return VERDICT_DENY;
}

#endif
