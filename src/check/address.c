/* Step 10: the token's own list of networks. Who does not say where the
 * client is (a question without telemetry) is not on it. */
#include "check/check.h"

enum verdict check_address(struct exchange *x)
{
    const struct token_cold *cold = x->has_token ? x->token.cold : NULL;
    if (!cold || !cold->has_allow) return VERDICT_PASS;
    if (x->has_client && cidr_any(cold->allow, cold->allow_n, &x->client))
        return VERDICT_PASS;
    return check_deny(x, REASON_IP_NOT_ALLOWED);
}
