/* Failed signatures by address and application: who sends forged tokens is
 * soon refused without a look at the next (api.md §10). A table of a fixed
 * size a reactor, allocated at the first failure.
 *
 * An address (IPv6: its /64) may fail FAILURES_BURST times at once and then
 * once in FAILURE_MS; those that are not known (questions without telemetry)
 * share a budget that is larger. A forger costs at most that many signature
 * checks, a reactor. With more forging addresses than places (8,192) the one
 * that is nearest to its full budget gives way. */
#ifndef LIVE_FAILURES_H
#define LIVE_FAILURES_H

#include <stdatomic.h>

#include "base/ip.h"

enum {
    FAILURES_BURST = 20,
    FAILURE_MS = 500,
    FAILURES_BURST_UNKNOWN = 1000, /* of all without an address */
    FAILURE_UNKNOWN_MS = 5,
    FAILURES_PLACES = 8192,
};

struct failure;
struct failures { /* zero: none has failed */
    struct failure *table;
    _Atomic uint64_t refused; /* budgets asked for and spent */
};

struct failures_of {
    uint32_t app;
    const struct ip *client; /* NULL: not known */
    int64_t now_ms;          /* node clock */
};
bool failures_spent(struct failures *f, const struct failures_of *who);
void failures_add(struct failures *f, const struct failures_of *who);
void failures_fini(struct failures *f);

#endif
