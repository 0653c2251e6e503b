/* Quotas nearly spent: what is told, and that many writers lose nothing that is
 * not counted. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "live/quota_watch.h"

enum { WRITERS = 4, EACH = 20000 };

static void a_percent_above_half_is_told_once(void **state)
{
    uint8_t from, to;
    unsigned told = 0;
    (void)state;
    for (int64_t used = 1; used <= 1000; used++) {
        if (!quota_crossed(1000, 1000 - used, 1, &from, &to)) continue;
        told++;
        assert_int_equal(used % 10, 0);
        assert_int_equal(to, used / 10);
        assert_int_equal(from, to - 1);
    }
    assert_int_equal(told, 51); /* 50 % … 100 % */
}

static void large_steps_and_quotas_hold(void **state)
{
    uint8_t from, to;
    int64_t big = INT64_C(9007199254740991);
    (void)state;
    assert_true(quota_crossed(10, 1, 9, &from, &to));
    assert_int_equal(from, 0);
    assert_int_equal(to, 90);
    assert_true(quota_crossed(1, 0, 1, &from, &to));
    assert_int_equal(to, 100);
    assert_true(quota_crossed(big, 0, big, &from, &to));
    assert_int_equal(to, 100);
    assert_false(quota_crossed(big, 0, 1, &from, &to) && to == from);
    assert_false(quota_crossed(100, 150, 1, &from, &to)); /* topped up */
    assert_false(quota_crossed(0, 0, 1, &from, &to));
}

static struct quota_watch *watch;

static void *writer(void *arg)
{
    struct quota_crossing c = { .to = (uint8_t)(uintptr_t)arg };
    for (int i = 0; i < EACH; i++) {
        memcpy(c.token.b, &i, sizeof i);
        quota_watch_put(watch, &c);
    }
    return NULL;
}

static uint64_t dropped(void)
{
    char text[512];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text - 1);
    quota_watch_metrics(watch, &b);
    text[b.n] = 0;
    return strtoull(strrchr(text, ' '), NULL, 10);
}

static void many_writers_lose_only_what_is_counted(void **state)
{
    pthread_t threads[WRITERS];
    struct quota_crossing c;
    uint64_t taken = 0;
    int last[WRITERS];
    (void)state;
    memset(last, -1, sizeof last);
    quota_watch_new(&watch);
    for (uintptr_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, writer, (void *)i),
                         0);
    for (int joined = 0; joined <= WRITERS;) {
        while (quota_watch_take(watch, &c)) {
            int i;
            memcpy(&i, c.token.b, sizeof i);
            assert_true(c.to < WRITERS && i > last[c.to]);
            last[c.to] = i;
            taken++;
        }
        if (joined < WRITERS) pthread_join(threads[joined], NULL);
        joined++;
    }
    while (quota_watch_take(watch, &c)) taken++;
    assert_int_equal(taken + dropped(), (uint64_t)WRITERS * EACH);
    quota_watch_free(&watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_percent_above_half_is_told_once),
        cmocka_unit_test(large_steps_and_quotas_hold),
        cmocka_unit_test(many_writers_lose_only_what_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
