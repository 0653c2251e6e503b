/* Step 2: an application that is switched off, or that lost its
 * authentication and did not say that it is public, serves nobody. Compiled
 * only into such images (plan/build.c). */
#include "check/check.h"

enum verdict check_enabled(struct exchange *x)
{
    return check_deny(x, x->plan->app.enabled ? REASON_NO_AUTHENTICATION
                                              : REASON_APPLICATION_DISABLED);
}
