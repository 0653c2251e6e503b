/* Deferred freeing: rules in one thread, then readers and a writer at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/mem.h"

static unsigned freed;

static void note_free(void *obj)
{
    (void)obj;
    freed++;
}

static bool may_go;

static bool is_ready(void *obj)
{
    (void)obj;
    return may_go;
}

static void without_readers_all_is_freed(void **state)
{
    int x;
    (void)state;
    freed = 0;
    epoch_retire(&x, note_free, NULL);
    assert_int_equal(freed, 0); /* only reclaim frees */
    assert_int_equal(epoch_reclaim(), 0);
    assert_int_equal(freed, 1);
}

static void an_awake_reader_holds_until_its_next_turn(void **state)
{
    struct epoch_reader r;
    int x;
    (void)state;
    freed = 0;
    epoch_join(&r);
    epoch_wake(&r);
    epoch_retire(&x, note_free, NULL);
    assert_int_equal(epoch_reclaim(), 1);
    assert_int_equal(freed, 0);
    epoch_turn(&r);
    assert_int_equal(epoch_reclaim(), 0);
    assert_int_equal(freed, 1);
    epoch_sleep(&r);
    epoch_leave(&r);
}

static void a_sleeping_reader_holds_nothing(void **state)
{
    struct epoch_reader r;
    int x;
    (void)state;
    freed = 0;
    epoch_join(&r);
    epoch_wake(&r);
    epoch_retire(&x, note_free, NULL);
    epoch_sleep(&r);
    assert_int_equal(epoch_reclaim(), 0);
    assert_int_equal(freed, 1);
    epoch_leave(&r);
}

static void a_later_waker_does_not_hold_what_was_retired_before(void **state)
{
    struct epoch_reader r;
    int x;
    (void)state;
    freed = 0;
    epoch_join(&r);
    epoch_retire(&x, note_free, NULL);
    epoch_wake(&r);
    assert_int_equal(epoch_reclaim(), 0);
    assert_int_equal(freed, 1);
    epoch_sleep(&r);
    epoch_leave(&r);
}

static void what_is_not_ready_waits_on(void **state)
{
    int x;
    (void)state;
    freed = 0;
    may_go = false;
    epoch_retire(&x, note_free, is_ready);
    assert_int_equal(epoch_reclaim(), 1);
    may_go = true;
    assert_int_equal(epoch_reclaim(), 0);
    assert_int_equal(freed, 1);
}

/* --- threads -------------------------------------------------------------- */

enum { READERS = 3, SWAPS = 3000, ALIVE = 0x600d, DEAD = 0xdead };

struct thing {
    unsigned state; /* plain: a race with the free would show */
};

static struct thing *_Atomic shared;
static _Atomic bool stop;

static void kill_thing(void *obj)
{
    struct thing *t = obj;
    t->state = DEAD;
    mem_free(t);
}

static void *read_on(void *arg)
{
    struct epoch_reader r;
    uintptr_t bad = 0;
    unsigned turns = (unsigned)(uintptr_t)arg;
    epoch_join(&r);
    epoch_wake(&r);
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        struct thing *t = atomic_load(&shared);
        for (int i = 0; i < 10; i++) bad += t->state != ALIVE;
        if (++turns % 7 == 0) {
            epoch_sleep(&r);
            epoch_wake(&r);
        } else {
            epoch_turn(&r);
        }
    }
    epoch_sleep(&r);
    epoch_leave(&r);
    return (void *)bad;
}

static struct thing *thing_new(void)
{
    struct thing *t = NEW(struct thing);
    t->state = ALIVE;
    return t;
}

static void readers_never_see_what_was_freed(void **state)
{
    pthread_t thread[READERS];
    (void)state;
    atomic_store(&shared, thing_new());
    atomic_store(&stop, false);
    for (uintptr_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, read_on, (void *)i),
                         0);
    for (int i = 0; i < SWAPS; i++) {
        struct thing *old = atomic_exchange(&shared, thing_new());
        epoch_retire(old, kill_thing, NULL);
        epoch_reclaim();
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        void *bad;
        pthread_join(thread[i], &bad);
        assert_null(bad);
    }
    assert_int_equal(epoch_reclaim(), 0);
    mem_free(atomic_load(&shared));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_readers_all_is_freed),
        cmocka_unit_test(an_awake_reader_holds_until_its_next_turn),
        cmocka_unit_test(a_sleeping_reader_holds_nothing),
        cmocka_unit_test(a_later_waker_does_not_hold_what_was_retired_before),
        cmocka_unit_test(what_is_not_ready_waits_on),
        cmocka_unit_test(readers_never_see_what_was_freed),
    };
    return cmocka_run_group_tests_name("base/epoch", tests, NULL, NULL);
}
