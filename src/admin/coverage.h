/* What was seen of the operations of schema profiles: folded out of the
 * reactors' counters, kept in the store, shown. Control thread. */
#ifndef ADMIN_COVERAGE_H
#define ADMIN_COVERAGE_H

#include "admin/admin.h"

enum {
    COVERAGE_MISSED_MAX = 100, /* shapes that hit no operation, a profile */
    COVERAGE_ROWS_MAX = 20000, /* operations, also of earlier documents */
};

struct coverage_set;

struct coverage_set *coverage_new(struct admin *a);
/* Saves what was counted, if the store still takes it. */
void coverage_free(struct coverage_set **s);
/* Takes what the reactors counted since. Microseconds a profile in use. */
void coverage_fold(struct coverage_set *s);
/* Writes what changed, in a transaction of its own; none may be open. */
void coverage_save(struct coverage_set *s);
/* The profile is gone. */
void coverage_forget(struct coverage_set *s, struct sv id);

#endif
