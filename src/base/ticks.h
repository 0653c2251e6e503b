/* The processor's time-stamp counter, for durations that are measured often
 * and read seldom: a third of what a clock costs. Where there is none that
 * runs at one rate through all states of the processor, CLOCK_MONOTONIC takes
 * its place. Any thread; ticks of two threads are comparable. */
#ifndef BASE_TICKS_H
#define BASE_TICKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

extern bool ticks_by_counter_; /* settled before main() */

static inline uint64_t ticks_now(void)
{
#if defined(__x86_64__)
    if (__builtin_expect(ticks_by_counter_, true))
        return __builtin_ia32_rdtsc();
#endif
    return clock_mono_ns();
}

/* Nanoseconds of a difference. The rate is what the counter has run against
 * the clock since the program began: the longer, the better (a millisecond
 * gives three digits). Costs a clock reading. */
struct ticks_rate { double ns; };
struct ticks_rate ticks_rate(void);
static inline uint32_t ticks_ns(struct ticks_rate rate, uint64_t ticks)
{
    double ns = (double)ticks * rate.ns;
    return ns < 4294967295.0 ? (uint32_t)ns : UINT32_MAX;
}

#endif
