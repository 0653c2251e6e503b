/* The detectors' tables: who is found again, who gives way, who stays; and
 * many threads on few places. And the queue of what is held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/ensure.h"
#include "live/detection.h"
#include "live/hook.h"

enum { STATE = 24, NOW_S = 1000000, THREADS = 4, ROUNDS = 20000, FEW = 5 };

struct state {
    uint64_t count, twice, pad;
};

static void key_of(uint64_t i, uint64_t key[TRACK_KEY_WORDS])
{
    key[0] = i * 0x9e3779b97f4a7c15u;
    key[1] = i;
}

static enum track_found open_key(struct tracks *t, uint64_t i, bool make,
                                 uint32_t now_s, struct track *k)
{
    uint64_t key[TRACK_KEY_WORDS];
    enum track_found found;
    key_of(i, key);
    while ((found = track_open(t, key, make, now_s, k)) == TRACK_BUSY) {}
    return found;
}

static struct tracks_stats stats_of(const struct tracks *t)
{
    struct tracks_stats s;
    tracks_stats(t, &s);
    return s;
}

static void a_table_takes_memory_when_somebody_comes(void **state)
{
    struct tracks *t;
    struct track k;
    (void)state;
    tracks_new(&t, 1024, STATE, 0);
    assert_int_equal(open_key(t, 1, false, NOW_S, &k), TRACK_ABSENT);
    assert_int_equal(stats_of(t).bytes, 0);
    assert_int_equal(open_key(t, 1, true, NOW_S, &k), TRACK_OPEN);
    track_close(&k);
    assert_true(stats_of(t).bytes >= 1024 * (STATE + 24));
    assert_int_equal(open_key(t, 2, false, NOW_S, &k), TRACK_ABSENT);
    tracks_free(&t);
}

static void what_few_requests_touch_lies_apart_and_is_not_cleared(void **state)
{
    enum { MORE = 100, FIRST = 8 };
    struct tracks *t;
    struct track k;
    (void)state;
    tracks_new(&t, FIRST, STATE, MORE);
    for (uint64_t i = 0; i < FIRST; i++) {
        assert_int_equal(open_key(t, i, true, NOW_S, &k), TRACK_OPEN);
        memset(k.state, 0xff, STATE);
        memset(k.more, (int)i + 1, MORE);
        track_close(&k);
    }
    for (uint64_t i = 0; i < FIRST; i++) {
        uint8_t expected[MORE];
        memset(expected, (int)i + 1, MORE);
        assert_int_equal(open_key(t, i, false, NOW_S, &k), TRACK_OPEN);
        assert_memory_equal(k.more, expected, MORE);
        track_close(&k);
    }
    assert_int_equal(open_key(t, FIRST, true, NOW_S + 60, &k), TRACK_OPEN);
    assert_int_equal(((struct state *)k.state)->count, 0);
    assert_int_not_equal(*(uint8_t *)k.more, 0);
    track_close(&k);
    tracks_free(&t);
}

static void everybody_finds_his_own_state_again(void **state)
{
    enum { MANY = 300 };
    struct tracks *t;
    struct track k;
    (void)state;
    tracks_new(&t, 1 << 14, STATE, 0);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(open_key(t, i, true, NOW_S, &k), TRACK_OPEN);
        struct state *st = k.state;
        assert_int_equal(st->count, 0);
        assert_int_equal((uintptr_t)st % 8, 0);
        st->count = i + 1;
        track_close(&k);
    }
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(open_key(t, i, true, NOW_S + 1, &k), TRACK_OPEN);
        assert_int_equal(((struct state *)k.state)->count, i + 1);
        track_close(&k);
    }
    assert_int_equal(stats_of(t).used, MANY);
    assert_int_equal(stats_of(t).evicted, 0);
    tracks_free(&t);
}

/* One set of eight: the table has no other. */
static void the_longest_idle_gives_way_and_comes_back_as_new(void **state)
{
    struct tracks *t;
    struct track k;
    (void)state;
    tracks_new(&t, 8, STATE, 0);
    for (uint64_t i = 0; i < 8; i++) {
        assert_int_equal(open_key(t, i, true, NOW_S + (uint32_t)i * 10, &k),
                         TRACK_OPEN);
        ((struct state *)k.state)->count = 7;
        k.told = true;
        track_close(&k);
    }
    open_key(t, 0, true, NOW_S + 100, &k); /* now 1 is the longest idle */
    track_close(&k);
    assert_int_equal(open_key(t, 8, true, NOW_S + 110, &k), TRACK_OPEN);
    assert_int_equal(((struct state *)k.state)->count, 0);
    assert_false(k.told);
    track_close(&k);
    assert_int_equal(open_key(t, 1, false, NOW_S + 110, &k), TRACK_ABSENT);
    assert_int_equal(open_key(t, 0, false, NOW_S + 110, &k), TRACK_OPEN);
    assert_true(k.told);
    track_close(&k);
    assert_int_equal(stats_of(t).evicted, 1);
    tracks_free(&t);
}

static void what_is_held_stays_until_its_end(void **state)
{
    struct tracks *t;
    struct track k;
    (void)state;
    tracks_new(&t, 8, STATE, 0);
    for (uint64_t i = 0; i < 8; i++) {
        open_key(t, i, true, NOW_S, &k);
        k.keep_s = i == 3 ? NOW_S + 300 : TRACK_KEPT;
        track_close(&k);
    }
    assert_int_equal(open_key(t, 8, true, NOW_S + 200, &k), TRACK_FULL);
    assert_int_equal(stats_of(t).full, 1);
    /* being asked about prolongs nothing */
    assert_int_equal(open_key(t, 3, false, NOW_S + 250, &k), TRACK_OPEN);
    assert_int_equal(k.keep_s, NOW_S + 300);
    track_close(&k);
    assert_int_equal(open_key(t, 8, true, NOW_S + 301, &k), TRACK_OPEN);
    track_close(&k);
    assert_int_equal(open_key(t, 3, false, NOW_S + 301, &k), TRACK_ABSENT);
    /* and who is let go of gives way as others do */
    open_key(t, 5, false, NOW_S + 302, &k);
    k.keep_s = 0;
    track_close(&k);
    assert_int_equal(open_key(t, 9, true, NOW_S + 400, &k), TRACK_OPEN);
    track_close(&k);
    tracks_free(&t);
}

/* --- threads ------------------------------------------------------------------- */

static struct {
    struct tracks *t;
    _Atomic uint64_t counted[FEW];
} w;

static void *count(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    struct track k;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t who = (seed * 7 + (uint64_t)i) % FEW;
        ENSURE(open_key(w.t, who, true, NOW_S, &k) == TRACK_OPEN);
        struct state *st = k.state;
        ENSURE(st->twice == 2 * st->count);
        st->count++;
        st->twice += 2;
        track_close(&k);
        atomic_fetch_add(&w.counted[who], 1);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    pthread_t threads[THREADS];
    struct track k;
    (void)state;
    tracks_new(&w.t, 1024, STATE, 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (uint64_t i = 0; i < FEW; i++) {
        assert_int_equal(open_key(w.t, i, false, NOW_S, &k), TRACK_OPEN);
        assert_int_equal(((struct state *)k.state)->count, w.counted[i]);
        track_close(&k);
    }
    tracks_free(&w.t);
}

/* --- the queue ------------------------------------------------------------------- */

static struct {
    struct holds *holds;
    _Atomic unsigned woken, taken, put, ended;
} q;

static void woken(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&q.woken, 1);
}

static void *put_many(void *arg)
{
    struct hold h = { .detector = HOLD_TRAVEL, .subject_n = 3 };
    (void)arg;
    memcpy(h.subject, "abc", 3);
    for (int i = 0; i < 2000; i++)
        if (holds_put(q.holds, &h)) atomic_fetch_add(&q.put, 1);
    atomic_fetch_add(&q.ended, 1);
    return NULL;
}

static void what_was_queued_is_taken_once(void **state)
{
    pthread_t threads[THREADS];
    struct holds_conf conf = { woken, NULL };
    struct holds_stats stats;
    struct hold h;
    (void)state;
    holds_new(&q.holds, &conf);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, put_many, NULL);
    for (bool last = false; !last;) {
        last = q.ended == THREADS;
        while (holds_take(q.holds, &h)) {
            assert_memory_equal(h.subject, "abc", 3);
            q.taken++;
        }
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    holds_stats(q.holds, &stats);
    assert_int_equal(q.taken, q.put);
    assert_int_equal(q.woken, q.put);
    assert_int_equal(stats.opened[HOLD_TRAVEL], q.put);
    assert_int_equal(stats.lost, THREADS * 2000 - q.put);
    holds_free(&q.holds);
}

static void a_full_queue_says_so(void **state)
{
    struct holds_conf conf = { NULL, NULL };
    struct hold h = { .detector = HOLD_ANOMALY }, out;
    (void)state;
    holds_new(&q.holds, &conf);
    for (int i = 0; i < HOLDS_QUEUE; i++) {
        h.opened_ms = i;
        assert_true(holds_put(q.holds, &h));
    }
    assert_false(holds_put(q.holds, &h));
    assert_true(holds_take(q.holds, &out));
    assert_int_equal(out.opened_ms, 0);
    assert_true(holds_put(q.holds, &h));
    holds_free(&q.holds);
}

/* --- webhooks ---------------------------------------------------------------------- */

static void what_a_webhook_verified_comes_back_once(void **state)
{
    static struct hook hook, out;
    const struct hooks_conf conf = { .wake_control = woken };
    struct hooks *h;
    struct id account;
    struct ulid id;
    (void)state;
    q.woken = 0;
    hooks_new(&h, &conf);
    assert_false(hooks_take(h, &out));
    hook.account_id = (struct id){ "acc_x" };
    for (uint8_t i = 0; i < HOOKS_QUEUE; i++) {
        hook.id.b[0] = i;
        assert_true(hooks_put(h, &hook));
    }
    assert_false(hooks_put(h, &hook));
    for (uint8_t i = 0; hooks_take(h, &out); i++) {
        assert_int_equal(out.id.b[0], i);
        hooks_report(h, &out, i == 9 ? HOOK_VERIFIED : i % 2);
    }
    assert_int_equal(q.woken, 1);
    assert_true(hooks_verified(h, &account, &id));
    assert_int_equal(id.b[0], 9);
    assert_string_equal(account.text, "acc_x");
    assert_false(hooks_verified(h, &account, &id));
    hooks_free(&h);
}

static void ids_of_holds_differ_by_everything_they_are_made_of(void **state)
{
    const uint64_t keys[2][2] = { { 1, 2 }, { 2, 1 } };
    (void)state;
    struct ulid ids[] = { hold_id(HOLD_TRAVEL, keys[0], NOW_S),
                          hold_id(HOLD_ANOMALY, keys[0], NOW_S),
                          hold_id(HOLD_TRAVEL, keys[1], NOW_S),
                          hold_id(HOLD_TRAVEL, keys[0], NOW_S + 1) };
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < i; j++)
            assert_int_not_equal(ulid_cmp(&ids[i], &ids[j]), 0);
        assert_int_equal(ulid_ms(&ids[i]), (NOW_S + (i == 3)) * 1000ll);
    }
    struct ulid again = hold_id(HOLD_TRAVEL, keys[0], NOW_S);
    assert_int_equal(ulid_cmp(&again, &ids[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_takes_memory_when_somebody_comes),
        cmocka_unit_test(what_few_requests_touch_lies_apart_and_is_not_cleared),
        cmocka_unit_test(everybody_finds_his_own_state_again),
        cmocka_unit_test(the_longest_idle_gives_way_and_comes_back_as_new),
        cmocka_unit_test(what_is_held_stays_until_its_end),
        cmocka_unit_test(threads_lose_no_count),
        cmocka_unit_test(what_was_queued_is_taken_once),
        cmocka_unit_test(a_full_queue_says_so),
        cmocka_unit_test(what_a_webhook_verified_comes_back_once),
        cmocka_unit_test(ids_of_holds_differ_by_everything_they_are_made_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
