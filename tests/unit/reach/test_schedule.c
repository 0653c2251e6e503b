/* What is due comes out in its order, whatever was moved or taken out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rand.h"
#include "reach/schedule.h"

enum { ITEMS = 500, STEPS = 20000 };

static void the_earliest_is_first_after_any_change(void **state)
{
    static struct schedule_item items[ITEMS];
    struct schedule s = { .n = 0 };
    struct rand_fast r = { 11 };
    (void)state;
    for (unsigned step = 0; step < STEPS; step++) {
        struct schedule_item *i = &items[rand_fast_next(&r) % ITEMS];
        if (rand_fast_next(&r) % 3)
            schedule_put(&s, i, (int64_t)(rand_fast_next(&r) % 1000));
        else
            schedule_remove(&s, i);
        const struct schedule_item *first = schedule_first(&s), *least = NULL;
        unsigned in = 0;
        for (unsigned k = 0; k < ITEMS; k++) {
            if (!items[k].at) continue;
            in++;
            if (!least || items[k].due_ms < least->due_ms) least = &items[k];
        }
        assert_int_equal(in, s.n);
        if (!least) assert_null(first);
        if (least) assert_int_equal(first->due_ms, least->due_ms);
    }
    int64_t last = -1;
    for (struct schedule_item *i; (i = schedule_first(&s));) {
        assert_true(i->due_ms >= last);
        last = i->due_ms;
        schedule_remove(&s, i);
    }
    schedule_fini(&s);
}

/* 10,000 that began together are spread over the tenth that may vary, and no
 * second has more than twice its share after an hour. */
static void what_began_together_drifts_apart(void **state)
{
    enum { N = 10000, INTERVAL = 60000, ROUNDS = 60 };
    static unsigned seconds[INTERVAL / 1000];
    struct rand_fast r = { 5 };
    (void)state;
    for (unsigned i = 0; i < N; i++) {
        int64_t at = 0;
        for (unsigned k = 0; k < ROUNDS; k++) {
            int64_t in = schedule_jitter_ms(INTERVAL, rand_fast_next(&r));
            assert_in_range(in, INTERVAL - INTERVAL / 10, INTERVAL);
            at += in;
        }
        seconds[at / 1000 % (INTERVAL / 1000)]++;
    }
    for (unsigned i = 0; i < INTERVAL / 1000; i++)
        assert_true(seconds[i] < 4 * N / (INTERVAL / 1000));
    assert_int_equal(schedule_jitter_ms(5, 3), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_is_first_after_any_change),
        cmocka_unit_test(what_began_together_drifts_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
