/* What took a reactor long: told once each, of too many the latest, and none that
 * is half one turn and half another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "net/long_turn.h"

enum { ROUNDS = 2000000 };

static void add(struct long_turns *l, uint64_t i)
{
    long_turns_add(l, &(struct long_turn){ i, i + 1, i + 2, i + 3 });
}

static void check(const struct long_turn *t, uint64_t i)
{
    assert_int_equal(t->ended_ns, i);
    assert_int_equal(t->wall_ns, i + 1);
    assert_int_equal(t->cpu_ns, i + 2);
    assert_int_equal(t->processor, i + 3);
}

static void each_is_told_once(void **state)
{
    struct long_turns l = { 0 };
    struct long_turn got[LONG_TURNS_KEPT];
    uint64_t seen = 0;
    (void)state;
    assert_int_equal(long_turns_since(&l, &seen, got), 0);
    for (uint64_t n = 0; n < LONG_TURNS_KEPT; n++) {
        uint64_t first = seen;
        for (uint64_t i = 0; i < n; i++) add(&l, first + i);
        assert_int_equal(long_turns_since(&l, &seen, got), n);
        for (uint64_t i = 0; i < n; i++) check(&got[i], first + i);
        assert_int_equal(long_turns_since(&l, &seen, got), 0);
    }
}

static void of_too_many_the_latest_are_told(void **state)
{
    struct long_turns l = { 0 };
    struct long_turn got[LONG_TURNS_KEPT];
    uint64_t seen = 0;
    (void)state;
    for (uint64_t i = 0; i < 100; i++) add(&l, i);
    unsigned n = long_turns_since(&l, &seen, got);
    assert_int_equal(n, LONG_TURNS_KEPT - 1); /* one place may be written */
    for (unsigned i = 0; i < n; i++) check(&got[i], 100 - n + i);
    assert_int_equal(atomic_load(&l.n), 100); /* all are counted */
    assert_int_equal(seen, 100);
}

static void *adds(void *arg)
{
    for (uint64_t i = 0; i < ROUNDS; i++) add(arg, i);
    return NULL;
}

static void none_is_half_another(void **state)
{
    static struct long_turns l;
    struct long_turn got[LONG_TURNS_KEPT];
    pthread_t thread;
    uint64_t seen = 0, told = 0, next = 0;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, adds, &l), 0);
    while (seen < ROUNDS) {
        unsigned n = long_turns_since(&l, &seen, got);
        for (unsigned i = 0; i < n; i++) {
            assert_in_range(got[i].ended_ns, next, seen - 1);
            check(&got[i], got[i].ended_ns);
            next = got[i].ended_ns + 1;
        }
        told += n;
    }
    pthread_join(thread, NULL);
    assert_in_range(told, 1, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_told_once),
        cmocka_unit_test(of_too_many_the_latest_are_told),
        cmocka_unit_test(none_is_half_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
