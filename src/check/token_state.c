/* Step 6: revoked and disabled tokens. An old secret past its grace is found
 * as revoked (live/token.h). */
#include "check/check.h"

enum verdict check_token_state(struct exchange *x)
{
    if (!x->has_token) return VERDICT_PASS;
    if (x->token.state & TOKEN_REVOKED)
        return check_deny(x, REASON_TOKEN_REVOKED);
    if (!(x->token.state & TOKEN_ENABLED))
        return check_deny(x, REASON_TOKEN_DISABLED);
    return VERDICT_PASS;
}
