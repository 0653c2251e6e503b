/* What came once does not pass again, while it would hold; and of many threads
 * with one key one at most is the first. */
#include "live/replay.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1700000000 };

static const uint8_t *key_of(uint64_t n)
{
    static _Thread_local uint8_t key[REPLAY_KEY_BYTES];
    /* as hashes are: every bit depends on n */
    for (int i = 0; i < 2; i++) {
        uint64_t z = (n * 2 + (uint64_t)i + 1) * 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        memcpy(key + 8 * i, &z, 8);
    }
    return key;
}

static void a_key_passes_once_until_its_time_is_over(void **state)
{
    (void)state;
    struct replay *r = replay_new(1024);
    const uint8_t *k = key_of(1);
    assert_int_equal(replay_take(r, k, NOW, NOW + 60), REPLAY_FIRST);
    assert_int_equal(replay_take(r, k, NOW, NOW + 60), REPLAY_SEEN);
    assert_int_equal(replay_take(r, k, NOW + 59, NOW + 60), REPLAY_SEEN);
    assert_int_equal(replay_take(r, key_of(2), NOW, NOW + 60), REPLAY_FIRST);
    k = key_of(1);
    assert_int_equal(replay_take(r, k, NOW + 60, NOW + 70), REPLAY_FIRST);
    assert_int_equal(replay_take(r, k, NOW + 69, NOW + 70), REPLAY_SEEN);
    replay_free(&r);
    assert_null(r);
}

static void what_is_over_already_still_passes_once(void **state)
{
    (void)state;
    struct replay *r = replay_new(16);
    assert_int_equal(replay_take(r, key_of(1), NOW, NOW - 5), REPLAY_FIRST);
    assert_int_equal(replay_take(r, key_of(1), NOW, NOW - 5), REPLAY_SEEN);
    replay_free(&r);
}

static void the_wrap_of_the_stored_seconds_forgets_nothing(void **state)
{
    (void)state;
    for (int64_t now = (NOW | 0xffff) - 30; now < (NOW | 0xffff) + 5; now++) {
        struct replay *r = replay_new(16);
        assert_int_equal(replay_take(r, key_of(7), now, now + 60),
                         REPLAY_FIRST);
        for (int64_t at = now; at < now + 60; at++)
            assert_int_equal(replay_take(r, key_of(7), at, at + 60),
                             REPLAY_SEEN);
        assert_int_equal(replay_take(r, key_of(7), now + 60, now + 90),
                         REPLAY_FIRST);
        replay_free(&r);
    }
}

static void a_full_table_says_so_and_forgets_nothing(void **state)
{
    (void)state;
    struct replay *r = replay_new(1024);
    static bool first[4096];
    unsigned taken = 0, full = 0;
    for (unsigned n = 0; n < 4096; n++) {
        enum replay_verdict v = replay_take(r, key_of(n), NOW, NOW + 60);
        assert_int_not_equal(v, REPLAY_SEEN);
        first[n] = v == REPLAY_FIRST;
        taken += first[n];
        full += v == REPLAY_FULL;
    }
    assert_in_range(taken, 900, 1024);
    assert_int_equal(taken + full, 4096);
    for (unsigned n = 0; n < 4096; n++)
        assert_int_equal(replay_take(r, key_of(n), NOW + 59, NOW + 90),
                         first[n] ? REPLAY_SEEN : REPLAY_FULL);
    /* and a minute later there is room again; places are drawn by a random
     * key, so that a few sets of a half full table may be full */
    for (unsigned n = full = 0; n < 512; n++)
        full += replay_take(r, key_of(9000 + n), NOW + 60, NOW + 90) !=
                REPLAY_FIRST;
    assert_in_range(full, 0, 25);
    replay_free(&r);
}

static void half_full_it_still_takes_all(void **state)
{
    (void)state;
    struct replay *r = replay_new(1 << 16);
    unsigned full = 0;
    for (unsigned n = 0; n < 1 << 15; n++)
        full += replay_take(r, key_of(n), NOW, NOW + 60) == REPLAY_FULL;
    assert_in_range(full, 0, (1 << 15) / 200);
    replay_free(&r);
}

/* --- threads ---------------------------------------------------------------- */
enum { THREADS = 4, KEYS = 20000 };
static struct replay *shared;
static _Atomic unsigned firsts[KEYS];

static void *take_all(void *arg)
{
    (void)arg;
    for (unsigned n = 0; n < KEYS; n++)
        if (replay_take(shared, key_of(n), NOW, NOW + 60) == REPLAY_FIRST)
            atomic_fetch_add(&firsts[n], 1);
    return NULL;
}

static void of_threads_with_one_key_one_is_the_first(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    shared = replay_new(KEYS * 4);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, NULL), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (unsigned n = 0; n < KEYS; n++) assert_int_equal(firsts[n], 1);
    replay_free(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_passes_once_until_its_time_is_over),
        cmocka_unit_test(what_is_over_already_still_passes_once),
        cmocka_unit_test(the_wrap_of_the_stored_seconds_forgets_nothing),
        cmocka_unit_test(a_full_table_says_so_and_forgets_nothing),
        cmocka_unit_test(half_full_it_still_takes_all),
        cmocka_unit_test(of_threads_with_one_key_one_is_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
