#include "base/ticks.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

bool ticks_by_counter_;
static uint64_t first_ticks, first_ns;

/* AMD64 and Intel manuals: CPUID 8000_0007h EDX bit 8, "invariant TSC". */
static bool has_counter(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & 1u << 8);
#else
    return false;
#endif
}

__attribute__((constructor)) static void ticks_begin(void)
{
    ticks_by_counter_ = has_counter();
    first_ns = clock_mono_ns();
    first_ticks = ticks_now();
}

struct ticks_rate ticks_rate(void)
{
    if (!ticks_by_counter_) return (struct ticks_rate){ 1 };
    uint64_t ns = clock_mono_ns() - first_ns;
    uint64_t ticks = ticks_now() - first_ticks;
    return (struct ticks_rate){ ticks ? (double)ns / (double)ticks : 1 };
}
