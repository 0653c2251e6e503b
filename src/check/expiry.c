/* Step 7: expiry, by wall time; the moment itself is past. */
#include "check/check.h"

enum verdict check_expiry(struct exchange *x)
{
    if (x->has_token && x->token.expires_ms &&
        x->wall_ms >= x->token.expires_ms)
        return check_deny(x, REASON_TOKEN_EXPIRED);
    return VERDICT_PASS;
}
