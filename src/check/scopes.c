/* Step 10: every scope that is asked for must be held. */
#include "check/check.h"

static bool holds(const struct token_cold *cold, struct sv scope)
{
    for (unsigned i = 0; cold && i < cold->scopes_n; i++)
        if (sv_eq(cold->scopes[i], scope)) return true;
    return false;
}

enum verdict check_scopes(struct exchange *x)
{
    if (!x->has_token) return VERDICT_PASS;
    for (unsigned i = 0; i < x->scopes_n; i++)
        if (!holds(x->token.cold, x->scopes[i]))
            return check_deny(x, REASON_INSUFFICIENT_SCOPE);
    return VERDICT_PASS;
}
