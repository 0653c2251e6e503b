/* What is due when: a binary heap of the earliest first. Not thread-safe; no
 * clock of its own. */
#ifndef REACH_SCHEDULE_H
#define REACH_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

struct schedule_item { /* zeros: not in a schedule */
    int64_t due_ms;
    uint32_t at;       /* its place + 1 */
};
struct schedule {
    struct schedule_item **items;
    uint32_t n, cap;
};
void schedule_fini(struct schedule *s); /* items stay the caller's */
/* Also moves one that is in it. */
void schedule_put(struct schedule *s, struct schedule_item *i, int64_t due_ms);
void schedule_remove(struct schedule *s, struct schedule_item *i);
struct schedule_item *schedule_first(const struct schedule *s); /* or NULL */

/* An interval less up to a tenth of it: what began together drifts apart, and
 * nothing comes later than was asked. */
int64_t schedule_jitter_ms(int64_t interval_ms, uint64_t random);

#endif
