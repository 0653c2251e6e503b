/* The calendar and the clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#ifdef TEST_HOOKS
#include <fcntl.h>
#endif

#include "base/clock.h"
#include "base/ensure.h"

static struct civil date(int y, int m, int d)
{
    return (struct civil){ .year = y, .month = m, .day = d };
}

static void known_days_have_their_numbers(void **state)
{
    static const struct {
        int y, m, d;
        int64_t days;
    } rows[] = {
        { 1970, 1, 1, 0 },         { 1969, 12, 31, -1 },
        { 2000, 2, 29, 11016 },    { 2000, 3, 1, 11017 },
        { 1900, 2, 28, -25509 },   { 1900, 3, 1, -25508 },
        { 2024, 2, 29, 19782 },    { 2100, 2, 28, 47540 },
        { 2100, 3, 1, 47541 },     { 1, 1, 1, -719162 },
        { 0, 2, 29, -719469 },     { -1, 12, 31, -719529 },
        { 9999, 12, 31, 2932896 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = rows[i].days * 86400000;
        struct civil c = civil_from_ms(ms);
        assert_int_equal(civil_to_ms(date(rows[i].y, rows[i].m, rows[i].d)),
                         ms);
        assert_int_equal(c.year, rows[i].y);
        assert_int_equal(c.month, rows[i].m);
        assert_int_equal(c.day, rows[i].d);
    }
}

static void four_centuries_agree_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t s = -5000000000; s < 8000000000; s += 86400 * 3 + 3661) {
        time_t t = (time_t)s;
        struct tm tm;
        gmtime_r(&t, &tm);
        struct civil c = civil_from_ms(s * 1000 + 7);
        if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 ||
            c.day != tm.tm_mday || c.hour != tm.tm_hour ||
            c.minute != tm.tm_min || c.second != tm.tm_sec || c.ms != 7)
            fail_msg("at %lld", (long long)s);
        assert_int_equal(civil_to_ms(c), s * 1000 + 7);
    }
}

static void months_have_their_lengths(void **state)
{
    static const int days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };
    (void)state;
    for (int m = 1; m <= 12; m++)
        assert_int_equal(civil_days_in_month(2023, m), days[m - 1]);
    assert_int_equal(civil_days_in_month(2024, 2), 29);
    assert_int_equal(civil_days_in_month(1900, 2), 28);
    assert_int_equal(civil_days_in_month(2000, 2), 29);
}

static void the_node_clock_starts_at_wall_time_or_its_high_water(void **state)
{
    (void)state;
    clock_node_start(0);
    int64_t ahead = clock_node_ms() - clock_wall_ms();
    assert_in_range(ahead + 1000, 0, 2000);
    int64_t high = clock_wall_ms() + 3600000;
    clock_node_start(high);
    assert_true(clock_node_ms() >= high);
    assert_true(clock_node_ms() < high + 10000);
    clock_node_start(0);
}

static void clocks_do_not_go_backwards(void **state)
{
    uint64_t mono = 0, cpu = 0;
    int64_t node = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t m = clock_mono_ns(), c = clock_thread_cpu_ns();
        int64_t n = clock_node_ms();
        assert_true(m >= mono && c >= cpu && n >= node);
        mono = m;
        cpu = c;
        node = n;
    }
}

#ifdef TEST_HOOKS
static void a_test_moves_both_clocks(void **state)
{
    char path[] = "/tmp/test-clock-XXXXXX";
    int64_t zero[2] = { 0 }, moved[2] = { 86400000, -5000 };
    int fd = mkstemp(path);
    (void)state;
    assert_int_equal(write(fd, zero, sizeof zero), sizeof zero);
    assert_int_equal(clock_test_map(path), 0);
    int64_t wall = clock_wall_ms(), node = clock_node_ms();
    assert_int_equal(pwrite(fd, moved, sizeof moved, 0), sizeof moved);
    assert_in_range(clock_wall_ms() - wall, 86400000, 86410000);
    assert_in_range(clock_node_ms() - node + 5000, 0, 10000);
    assert_int_equal(pwrite(fd, zero, sizeof zero, 0), sizeof zero);
    assert_true(clock_test_map("/nonexistent") < 0);
    close(fd);
    unlink(path);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_days_have_their_numbers),
        cmocka_unit_test(four_centuries_agree_with_the_c_library),
        cmocka_unit_test(months_have_their_lengths),
        cmocka_unit_test(the_node_clock_starts_at_wall_time_or_its_high_water),
        cmocka_unit_test(clocks_do_not_go_backwards),
#ifdef TEST_HOOKS
        cmocka_unit_test(a_test_moves_both_clocks),
#endif
    };
    return cmocka_run_group_tests_name("base/time", tests, NULL, NULL);
}
