/* Clocks and calendar arithmetic (days algorithm: Howard Hinnant,
 * "chrono-compatible low-level date algorithms", 2013). */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#ifdef TEST_HOOKS
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"

static _Atomic int64_t zero_offset[2];
static _Atomic int64_t *offset = zero_offset;

int clock_test_map(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return ERR_NOTFOUND;
    void *p = mmap(NULL, sizeof zero_offset, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED) return ERR_IO;
    offset = p;
    return 0;
}
#define WALL_OFFSET atomic_load_explicit(&offset[0], memory_order_relaxed)
#define NODE_OFFSET atomic_load_explicit(&offset[1], memory_order_relaxed)
#else
#define WALL_OFFSET 0
#define NODE_OFFSET 0
#endif

/* Wall minus boot time. Set once; threads may read the time before. */
static _Atomic int64_t node_base_ms;

static int64_t read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000 + WALL_OFFSET;
}

int64_t clock_node_ms(void)
{
    return read_ns(CLOCK_BOOTTIME) / 1000000 + NODE_OFFSET +
           atomic_load_explicit(&node_base_ms, memory_order_relaxed);
}

uint64_t clock_mono_ns(void)
{
    return (uint64_t)read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_thread_cpu_ns(void)
{
    return (uint64_t)read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void clock_node_start(int64_t high_water_ms)
{
    node_base_ms =
        clock_wall_ms() - read_ns(CLOCK_BOOTTIME) / 1000000 - NODE_OFFSET;
    int64_t now = clock_node_ms();
    if (now < high_water_ms) node_base_ms += high_water_ms - now;
}

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

struct civil civil_from_ms(int64_t ms)
{
    int64_t day = ms / 86400000, rest = ms % 86400000;
    if (rest < 0) rest += 86400000, day--;
    int64_t z = day + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);
    return (struct civil){
        .year = (int)(yoe + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
        .hour = (int)(rest / 3600000),
        .minute = (int)(rest / 60000 % 60),
        .second = (int)(rest / 1000 % 60),
        .ms = (int)(rest % 1000),
    };
}

int64_t civil_to_ms(struct civil c)
{
    return days_from_civil(c.year, c.month, c.day) * 86400000 +
           c.hour * 3600000LL + c.minute * 60000LL + c.second * 1000LL + c.ms;
}

int civil_days_in_month(int year, int month)
{
    static const int days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}
