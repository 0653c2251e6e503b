/* Counters through their contract, on files in a scratch folder. Time is a
 * parameter everywhere. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "live/counter_int.h"
#include "scratch.h"

static const int64_t T0 = 1750000000000; /* some day in 2025 */

static struct scratch dir;

static struct counters *open_counters(bool durable)
{
    struct counters *c;
    char problem[256];
    struct counters_conf conf = { .dir = dir.path, .durable = durable };
    int err = counters_open(&c, &conf, problem);
    if (err) print_message("%s\n", problem);
    assert_int_equal(err, 0);
    assert_int_equal(counters_reserve(c, 100), 0);
    return c;
}

static int setup(void **state)
{
    scratch_make(&dir);
    struct counters *c = open_counters(false);
    assert_int_equal(counters_slot_init(c, 7, 77), 0);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    counters_close((struct counters **)state);
    scratch_remove(&dir);
    return 0;
}

static const struct limit per_second_10 = { .limit = 10, .window_s = 1 };

static struct take_ask ask_of(const struct limit *limits, unsigned n)
{
    return (struct take_ask){
        .slot = 7, .tag = 77, .quota_slot = UINT32_MAX, .now_ms = T0,
        .created_ms = T0, .cost = 1,
        .terms = { .limits = limits, .limits_n = (uint8_t)n },
    };
}

static enum take take_at(struct counters *c, struct take_ask *ask, int64_t at,
                         struct take_answer *out)
{
    ask->now_ms = at;
    return counters_take(c, ask, out);
}

static void a_limit_admits_its_number_and_refuses_the_next(void **state)
{
    struct take_ask ask = ask_of(&per_second_10, 1);
    struct take_answer a;
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(take_at(*state, &ask, T0 + i, &a), TAKE_TAKEN);
        assert_int_equal(a.remaining, 9 - i);
        assert_int_equal(a.limit, 10);
    }
    assert_int_equal(take_at(*state, &ask, T0 + 10, &a), TAKE_REFUSED);
    assert_int_equal(a.refused_by, 0);
    assert_int_equal(a.remaining, 0);
    assert_int_equal(a.retry_after_s, 1);
    assert_int_equal(a.reset_s, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_limit_admits_its_number_and_refuses_the_next, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
