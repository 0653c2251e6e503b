/* The clocks (gateway.md §4). Two kinds of time:
 *  - wall: milliseconds since 1970 UTC; may step. For expiresAt, exp, logs.
 *  - node: wall time at start advanced by CLOCK_BOOTTIME: never backwards
 *    within a process; limits and refills run on it. clock_node_start() takes
 *    the persisted high-water mark so that it does not go backwards across
 *    restarts either.
 * All are safe from any thread. In builds with TEST_HOOKS both can be moved
 * through TYPEAUTH_TEST_CLOCK (a file mapped shared: int64 wall_offset_ms,
 * int64 node_offset_ms), so that tests move time and never wait. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_node_ms(void);       /* fresh; about 36 ns */
uint64_t clock_mono_ns(void);      /* CLOCK_MONOTONIC: durations only */
uint64_t clock_thread_cpu_ns(void);
/* Once, before other threads; not earlier than `high_water_ms` (0: none). */
void clock_node_start(int64_t high_water_ms);
#ifdef TEST_HOOKS
int clock_test_map(const char *path); /* 0 or ERR_* */
#endif

/* Calendar, UTC, proleptic Gregorian. */
struct civil {
    int year, month, day;           /* month 1-12, day 1-31 */
    int hour, minute, second, ms;
};
struct civil civil_from_ms(int64_t ms);
int64_t civil_to_ms(struct civil c);
int civil_days_in_month(int year, int month);

#endif
