/* The longest turn of the last minutes: readers take nothing from each other,
 * and what was long is told for a minute at least, for two at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "net/longest.h"

#define S 1000000000ull
enum { ROUNDS = 200000 };

static void each_reader_sees_the_same(void **state)
{
    struct longest l = { 0 };
    (void)state;
    assert_int_equal(longest_ns(&l, 100 * S), 0);
    longest_add(&l, 100 * S, 7);
    longest_add(&l, 101 * S, 9);
    longest_add(&l, 102 * S, 8);
    for (int reader = 0; reader < 3; reader++)
        assert_int_equal(longest_ns(&l, 103 * S), 9);
}

static void one_who_asks_each_minute_misses_none(void **state)
{
    (void)state;
    for (uint64_t when = 0; when < 120; when++)
        for (uint64_t asked = when; asked <= when + 60; asked++) {
            struct longest l = { 0 };
            longest_add(&l, (600 + when) * S, 5);
            for (uint64_t s = when; s < asked; s++) /* short ones go on */
                longest_add(&l, (600 + s) * S, 1);
            assert_int_equal(longest_ns(&l, (600 + asked) * S), 5);
        }
}

static void what_is_two_minutes_old_is_over(void **state)
{
    struct longest l = { 0 };
    (void)state;
    longest_add(&l, 600 * S, 5);
    assert_int_equal(longest_ns(&l, 719 * S), 5);
    assert_int_equal(longest_ns(&l, 720 * S), 0); /* it slept since */
    longest_add(&l, 720 * S, 1);
    assert_int_equal(longest_ns(&l, 721 * S), 1);
    longest_add(&l, 3600 * S, 2);
    assert_int_equal(longest_ns(&l, 3600 * S), 2);
}

static void *measures(void *arg)
{
    for (uint64_t i = 0; i < ROUNDS; i++)
        longest_add(arg, 600 * S + i * (S / 100), 1 + i % 5);
    return NULL;
}

static void a_reader_beside_the_writer_sees_only_what_was(void **state)
{
    static struct longest l;
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, measures, &l), 0);
    for (uint64_t i = 0; i < ROUNDS; i++)
        assert_in_range(longest_ns(&l, 600 * S), 0, 5);
    pthread_join(thread, NULL);
    assert_int_equal(longest_ns(&l, 600 * S + ROUNDS * (S / 100)), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reader_sees_the_same),
        cmocka_unit_test(one_who_asks_each_minute_misses_none),
        cmocka_unit_test(what_is_two_minutes_old_is_over),
        cmocka_unit_test(a_reader_beside_the_writer_sees_only_what_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
