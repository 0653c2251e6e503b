/* Records come out as they went in, in order, whatever their lengths; a full
 * ring takes nothing; two threads need no lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "base/ensure.h"
#include "base/rand.h"
#include "journal/ring.h"

static struct ring r;

static bool put(uint32_t n, size_t length, size_t spare)
{
    char *at = ring_reserve(&r, length, spare);
    if (!at) return false;
    memset(at, (int)(n & 0xff), length);
    memcpy(at, &n, sizeof n);
    ring_commit(&r);
    return true;
}

static bool take(uint32_t n, size_t length)
{
    struct sv s = ring_peek(&r);
    uint32_t got;
    if (!s.p) return false;
    memcpy(&got, s.p, sizeof got);
    assert_int_equal(got, n);
    assert_int_equal(s.n, length);
    assert_int_equal((uintptr_t)s.p % 8, 0);
    for (size_t i = sizeof n; i < length; i++)
        assert_int_equal((unsigned char)s.p[i], n & 0xff);
    ring_pop(&r);
    return true;
}

static size_t length_of(uint32_t n)
{
    struct rand_fast mix = { n };
    return 4 + rand_fast_next(&mix) % 300;
}

static void an_unused_ring_holds_no_memory(void **state)
{
    (void)state;
    ring_init(&r, 1024);
    assert_null(r.memory);
    assert_null(ring_peek(&r).p);
    assert_null(r.memory);
    ring_fini(&r);
}

static void records_of_any_length_come_out_in_order(void **state)
{
    (void)state;
    uint32_t in = 0, out = 0;
    ring_init(&r, 1024);
    for (int round = 0; round < 20000; round++) {
        while (put(in, length_of(in), 0)) in++;
        assert_true(in > out);
        for (int i = 0; i <= round % 4 && out < in; i++, out++)
            assert_true(take(out, length_of(out)));
    }
    for (; out < in; out++) assert_true(take(out, length_of(out)));
    assert_null(ring_peek(&r).p);
    ring_fini(&r);
}

static void what_must_stay_free_stays_free(void **state)
{
    (void)state;
    ring_init(&r, 1024);
    for (uint32_t n = 0; n < 4; n++) assert_true(put(n, 120, 512));
    assert_false(put(4, 120, 512));
    assert_true(put(4, 120, 0));
    assert_false(put(5, 2000, 0));
    ring_fini(&r);
}

static void what_finds_it_empty_begins_at_the_start(void **state)
{
    (void)state;
    ring_init(&r, 1024);
    const char *first = ring_reserve(&r, 100, 0);
    for (uint32_t n = 0; n < 50; n++) {
        assert_ptr_equal(ring_reserve(&r, 100, 0), first);
        assert_true(put(n, 100, 0));
        assert_ptr_not_equal(ring_reserve(&r, 100, 0), first);
        assert_true(take(n, 100));
    }
    for (uint32_t n = 0; n < 4; n++) { /* all of it, whatever was before */
        assert_true(put(n, 100 + n, 0));
        assert_true(take(n, 100 + n));
        assert_true(put(n, 1016, 0));
        assert_true(take(n, 1016));
    }
    ring_fini(&r);
}

enum { PASSED_OVER = 200000 };

static void *produce(void *arg)
{
    (void)arg;
    for (uint32_t n = 0; n < PASSED_OVER;)
        if (put(n, length_of(n), 0))
            n++;
        else
            sched_yield();
    return NULL;
}

static void two_threads_pass_records_without_a_lock(void **state)
{
    (void)state;
    pthread_t producer;
    ring_init(&r, 4096);
    assert_int_equal(pthread_create(&producer, NULL, produce, NULL), 0);
    for (uint32_t n = 0; n < PASSED_OVER;)
        if (take(n, length_of(n)))
            n++;
        else
            sched_yield();
    pthread_join(producer, NULL);
    assert_null(ring_peek(&r).p);
    ring_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unused_ring_holds_no_memory),
        cmocka_unit_test(records_of_any_length_come_out_in_order),
        cmocka_unit_test(what_must_stay_free_stays_free),
        cmocka_unit_test(what_finds_it_empty_begins_at_the_start),
        cmocka_unit_test(two_threads_pass_records_without_a_lock),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
