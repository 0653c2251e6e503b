/* Words for doors and outcomes, in the order of their numbers. */
#include "journal/names.h"

const struct sv event_door_names[EVENT_DOORS] = {
    { "proxy", 5 },
    { "verify", 6 },
    { "management", 10 },
};

#define NAME(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }
const struct sv outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_PASSED] = NAME("passed"),
    [OUTCOME_UNAUTHORIZED] = NAME("unauthorized"),
    [OUTCOME_FORBIDDEN] = NAME("forbidden"),
    [OUTCOME_LIMITED] = NAME("limited"),
    [OUTCOME_QUOTA] = NAME("quota"),
    [OUTCOME_BAD_REQUEST] = NAME("bad_request"),
    [OUTCOME_UNAVAILABLE] = NAME("unavailable"),
    [OUTCOME_ORIGIN_FAILED] = NAME("origin_failed"),
    [OUTCOME_UNKNOWN] = NAME("unknown"),
    [OUTCOME_CLIENT_GONE] = NAME("client_gone"),
};
