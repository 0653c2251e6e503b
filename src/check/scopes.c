/* Step 10: every scope that is asked for must be held. */
#include "check/check.h"

static bool is_in(const struct sv *scopes, unsigned n, struct sv scope)
{
    for (unsigned i = 0; i < n; i++)
        if (sv_eq(scopes[i], scope)) return true;
    return false;
}

static bool holds(const struct exchange *x, struct sv scope)
{
    const struct token_cold *cold = x->token.cold;
    if (x->jwt) return is_in(x->jwt->scopes, x->jwt->scopes_n, scope);
    return cold && is_in(cold->scopes, cold->scopes_n, scope);
}

enum verdict check_scopes(struct exchange *x)
{
    /* passed over by onFault: open, with nobody to ask */
    if (!x->has_token && !x->jwt && x->faults) return VERDICT_PASS;
    for (unsigned i = 0; i < x->scopes_n; i++)
        if (!holds(x, x->scopes[i]))
            return check_deny(x, REASON_INSUFFICIENT_SCOPE);
    return VERDICT_PASS;
}
