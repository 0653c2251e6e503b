/* What a profile's onFault makes of a check that cannot be made: told by a
 * finding either way. Apart from the runner's judge_fault: that one is about
 * who the caller is, and what depends on it (exchange.faults). */
#include "check/check.h"
#include "check/request.h"

enum verdict check_fault(struct exchange *x, enum fault_rule rule,
                         bool closed_by_default, const char *what)
{
    bool closed =
        rule == FAULT_CLOSED || (rule == FAULT_DEFAULT && closed_by_default);
    check_found(x, reason_rows[REASON_CHECK_UNAVAILABLE].code,
                closed ? DETECTOR_BLOCK : DETECTOR_MONITOR, closed,
                arena_printf(x->arena, "{\"check\":\"%s\"}", what));
    return closed ? check_deny(x, REASON_CHECK_UNAVAILABLE) : VERDICT_PASS;
}
