/* What each application's requests came to, counted by the exchanges
 * themselves in files that are mapped shared: a killed process loses none that
 * was answered, nor does a restart; a power failure what the kernel had not
 * written yet (half a minute as a rule).
 *
 *   DATA/totals/0.map …  one a reactor, so that every count has one writer and
 *   is a plain addition; read by adding the files up, also those of reactors
 *   that there are no longer.
 *
 *   header 64 | record of number 0 | record of number 1 | …
 *
 * A record's place is the application's small number (model/application.h);
 * number 0 has what belongs to no application. Files grow by segments, by
 * whoever makes an application known, never by a reactor: a full disk is found
 * there, and is no fault in a request. */
#ifndef JOURNAL_TOTALS_H
#define JOURNAL_TOTALS_H

#include <stdatomic.h>

#include "codec/ulid.h"

enum { TOTALS_DOORS = 2, TOTALS_OUTCOMES = 12 };

struct totals_sums {
    uint64_t requests[TOTALS_DOORS][TOTALS_OUTCOMES];
    uint64_t bytes_in, bytes_out, cost;
};

struct totals;

/* Opens what is there, for so many writers. `problem` says what failed:
 * ERR_IO, ERR_FULL, ERR_VERSION (written by a newer program). */
int totals_open(struct totals **out, const char *dir, unsigned lanes,
                char problem[256]);
void totals_close(struct totals **t);
/* Before the application's first request; one thread at a time. A number that
 * was another application's begins at 0. ERR_FULL, ERR_IO. */
int totals_reserve(struct totals *t, uint32_t num, const struct ulid *app);

/* The reactor `lane` only. A number that was not reserved counts as 0's. */
struct totals_event {
    uint32_t num;
    uint8_t door, outcome;
    uint64_t bytes_in, bytes_out;
    uint32_t cost;
};
void totals_add(struct totals *t, unsigned lane, const struct totals_event *e);

/* Any thread. False: not that application's any more, or never reserved. */
bool totals_read(const struct totals *t, uint32_t num, const struct ulid *app,
                 struct totals_sums *out);
/* Of all applications, and of none. */
void totals_read_all(const struct totals *t, struct totals_sums *out);

#endif
