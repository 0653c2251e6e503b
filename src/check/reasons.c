/* The published words for each denial. */
#include "check/exchange.h"

const struct reason_row reason_rows[REASON_COUNT] = {
    [REASON_NONE] = { "", "", CLASS_UNAVAILABLE },
#define X(name, code, class, text) \
    [REASON_##name] = { code, text, CLASS_##class },
    REASONS(X)
#undef X
};

const char *exchange_code(const struct exchange *x, enum reason why)
{
    if (why == REASON_NONE && x->faults) why = REASON_CHECK_UNAVAILABLE;
    return reason_rows[why].code;
}
