/* Counters through their contract, on files in a scratch folder. Time is a
 * parameter everywhere. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/rand.h"
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
        .slot = 7,
        .tag = 77,
        .quota_slot = UINT32_MAX,
        .now_ms = T0,
        .created_ms = T0,
        .cost = 1,
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

/* --- quota ------------------------------------------------------------------- */
static struct take_ask quota_ask(int64_t quota, const struct refill *r)
{
    struct take_ask ask = ask_of(NULL, 0);
    ask.terms.has_quota = true;
    ask.terms.quota = quota;
    ask.terms.refill = r;
    return ask;
}

static enum take take_cost(struct counters *c, struct take_ask *ask,
                           uint32_t cost, struct take_answer *a)
{
    ask->cost = cost;
    return counters_take(c, ask, a);
}

static void a_quota_is_taken_to_its_end_and_not_beyond(void **state)
{
    struct take_answer a;
    struct take_ask ask = quota_ask(10, NULL);
    assert_int_equal(take_cost(*state, &ask, 7, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 3);
    assert_int_equal(take_cost(*state, &ask, 4, &a), TAKE_REFUSED);
    assert_int_equal(a.refused_by, TAKE_BY_QUOTA);
    assert_int_equal(a.quota_remaining, 3);
    assert_int_equal(a.retry_after_s, 0);
    assert_int_equal(take_cost(*state, &ask, 3, &a), TAKE_TAKEN);
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_REFUSED);
    ask.terms.quota = 5; /* a change acts at once, below 0 is shown as 0 */
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_REFUSED);
    assert_int_equal(a.quota_remaining, 0);
    ask.terms.quota = 12;
    assert_int_equal(take_cost(*state, &ask, 2, &a), TAKE_TAKEN);
}

static void a_refused_quota_takes_nothing_from_the_limits(void **state)
{
    struct take_answer a;
    struct take_ask ask = quota_ask(3, NULL);
    ask.terms.limits = &per_second_10;
    ask.terms.limits_n = 1;
    for (int i = 0; i < 3; i++)
        assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_REFUSED);
        assert_int_equal(a.refused_by, TAKE_BY_QUOTA);
        assert_int_equal(a.remaining, 7);
    }
}

static const struct refill hourly_4 = { .amount = 4, .interval_s = 3600 };
static const struct refill daily_4 = { .amount = 4, .interval_s = 86400 };
static const int64_t HOUR = 3600000;

static void a_due_refill_is_added_before_the_quota_is_judged(void **state)
{
    struct take_answer a;
    struct take_ask ask = quota_ask(10, &hourly_4);
    assert_int_equal(take_cost(*state, &ask, 10, &a), TAKE_TAKEN);
    ask.now_ms = T0 + HOUR / 2;
    assert_int_equal(take_cost(*state, &ask, 4, &a), TAKE_REFUSED);
    assert_int_equal(a.retry_after_s, 1800);
    assert_int_equal(take_cost(*state, &ask, 5, &a), TAKE_REFUSED);
    assert_int_equal(a.retry_after_s, 1800 + 3600);
    assert_int_equal(take_cost(*state, &ask, 11, &a), TAKE_REFUSED);
    assert_int_equal(a.retry_after_s, 0); /* above the quota: never */
    ask.now_ms = T0 + HOUR;
    assert_int_equal(take_cost(*state, &ask, 4, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 0);
    ask.now_ms = T0 + 3 * HOUR; /* two missed: 8 */
    assert_int_equal(take_cost(*state, &ask, 9, &a), TAKE_REFUSED);
    assert_int_equal(take_cost(*state, &ask, 8, &a), TAKE_TAKEN);
    ask.now_ms = T0 + 1000 * HOUR; /* never above the quota */
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 9);
}

static void a_refill_once_given_is_not_given_again(void **state)
{
    struct take_answer a;
    struct take_ask ask = quota_ask(100, &hourly_4);
    assert_int_equal(take_cost(*state, &ask, 50, &a), TAKE_TAKEN);
    ask.now_ms = T0 + HOUR;
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
        assert_int_equal(a.quota_remaining, 100 - 50 + 4 - i);
    }
    ask.now_ms = T0; /* the clock steps back */
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    ask.now_ms = T0 + HOUR;
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 100 - 50 + 4 - 12);
}

static void a_changed_interval_counts_from_the_change(void **state)
{
    struct take_answer a;
    struct take_ask ask = quota_ask(1000, &daily_4);
    assert_int_equal(take_cost(*state, &ask, 900, &a), TAKE_TAKEN);
    ask.now_ms = T0 + 10 * 24 * HOUR;
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 139);
    ask.terms.refill = &hourly_4; /* not 240 intervals at once */
    ask.now_ms += HOUR / 2;
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 138);
    ask.now_ms += HOUR / 2;
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 141);
    ask.terms.refill = &daily_4; /* and back: no wait of 230 days */
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    ask.now_ms += 24 * HOUR;
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 143);
    ask.terms.refill = NULL; /* days without refill are not made up for */
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    ask.now_ms += 50 * 24 * HOUR;
    ask.terms.refill = &daily_4;
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 141);
}

static void a_top_up_may_lift_above_the_quota(void **state)
{
    struct take_answer a;
    struct take_ask ask = quota_ask(10, &hourly_4);
    assert_int_equal(counters_add(*state, 7, 77, 5), 0);
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 14);
    ask.now_ms = T0 + 100 * HOUR; /* a refill neither adds nor takes there */
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 13);
    assert_int_equal(counters_set_used(*state, 7, 77, 3), 0);
    ask.peek = true;
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_TAKEN);
    assert_int_equal(a.quota_remaining, 7);
    assert_int_equal(take_cost(*state, &ask, 8, &a), TAKE_REFUSED);
}

static void a_top_up_comes_on_top_of_refills_that_were_due(void **state)
{
    struct take_answer a;
    struct take_ask ask = quota_ask(10, &hourly_4);
    struct counter_state now;
    assert_int_equal(take_cost(*state, &ask, 8, &a), TAKE_TAKEN);
    ask.now_ms = T0 + 100 * HOUR;
    assert_int_equal(counters_settle(*state, &ask), 0);
    assert_int_equal(counters_add(*state, 7, 77, 5), 0);
    assert_int_equal(counters_read(*state, &ask, &now), 0);
    assert_int_equal(now.quota_remaining, 15);
    assert_int_equal(now.last_used_s, T0 / 1000); /* nobody used it */
    ask.tag = 78;
    assert_int_equal(counters_settle(*state, &ask), ERR_NOTFOUND);
}

static void the_largest_numbers_do_not_overflow(void **state)
{
    static const int64_t extreme[] = { INT64_MIN, INT64_MAX, 0, 1 };
    static const struct refill huge = { .amount = INT64_MAX, .interval_s = 1 };
    struct take_answer a;
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) {
            struct take_ask ask =
                quota_ask(extreme[k] < 0 ? 0 : extreme[k], &huge);
            assert_int_equal(counters_set_used(*state, 7, 77, extreme[i]), 0);
            counters_add(*state, 7, 77, extreme[k]);
            counters_add(*state, 7, 77, extreme[k]);
            ask.now_ms = T0 + i * 100000 * HOUR;
            enum take t = take_cost(*state, &ask, LIMIT_MAX, &a);
            assert_true(t == TAKE_TAKEN || t == TAKE_REFUSED);
            assert_true(a.quota_remaining >= 0);
        }
}

static void a_refund_gives_the_quota_back_and_not_the_limit(void **state)
{
    struct take_answer a, b;
    struct take_ask ask = quota_ask(10, NULL);
    ask.terms.limits = &per_second_10;
    ask.terms.limits_n = 1;
    assert_int_equal(take_cost(*state, &ask, 4, &a), TAKE_TAKEN);
    counters_refund(*state, &ask, &a);
    assert_int_equal(take_cost(*state, &ask, 6, &b), TAKE_TAKEN);
    assert_int_equal(b.quota_remaining, 4);
    assert_int_equal(b.remaining, 0);
}

static void a_refund_does_not_meet_another_quota(void **state)
{
    struct take_answer a, b;
    struct take_ask ask = quota_ask(10, &hourly_4), peek;
    assert_int_equal(take_cost(*state, &ask, 4, &a), TAKE_TAKEN);
    assert_int_equal(counters_set_used(*state, 7, 77, 0), 0);
    counters_refund(*state, &ask, &a); /* set since */
    peek = ask, peek.peek = true;
    counters_take(*state, &peek, &b);
    assert_int_equal(b.quota_remaining, 10);
    assert_int_equal(take_cost(*state, &ask, 4, &a), TAKE_TAKEN);
    peek.now_ms = ask.now_ms = T0 + HOUR; /* refilled to nothing used */
    assert_int_equal(take_cost(*state, &ask, 1, &b), TAKE_TAKEN);
    ask.cost = 4;
    counters_refund(*state, &ask, &a);
    counters_take(*state, &peek, &b);
    assert_int_equal(b.quota_remaining, 9);
    assert_int_equal(counters_slot_init(*state, 7, 78), 0); /* a new owner */
    counters_refund(*state, &ask, &a);
    peek.tag = 78;
    counters_take(*state, &peek, &b);
    assert_int_equal(b.quota_remaining, 10);
}

static void one_quota_may_serve_many_tokens(void **state)
{
    struct take_answer a;
    struct take_ask ask = quota_ask(10, NULL);
    assert_int_equal(counters_slot_init(*state, 3, 33), 0);
    assert_int_equal(counters_slot_init(*state, 9, 99), 0);
    ask.quota_slot = 3, ask.quota_tag = 33; /* below and above their slots */
    assert_int_equal(take_cost(*state, &ask, 6, &a), TAKE_TAKEN);
    ask.slot = 3, ask.tag = 33;
    assert_int_equal(take_cost(*state, &ask, 2, &a), TAKE_TAKEN);
    ask.slot = 9, ask.tag = 99;
    assert_int_equal(take_cost(*state, &ask, 3, &a), TAKE_REFUSED);
    assert_int_equal(take_cost(*state, &ask, 2, &a), TAKE_TAKEN);
    counters_refund(*state, &ask, &a);
    assert_int_equal(take_cost(*state, &ask, 2, &a), TAKE_TAKEN);
    ask.quota_tag = 34;
    assert_int_equal(take_cost(*state, &ask, 1, &a), TAKE_FAULT);
}

/* --- the rest of the contract ---------------------------------------------------- */
static void peek_judges_and_takes_nothing(void **state)
{
    struct take_answer a;
    struct counter_state st;
    struct take_ask ask = quota_ask(5, NULL);
    ask.terms.limits = &per_second_10;
    ask.terms.limits_n = 1;
    ask.peek = true;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(take_cost(*state, &ask, 5, &a), TAKE_TAKEN);
        assert_int_equal(a.remaining, 10);
        assert_int_equal(a.reset_s, 0);
        assert_int_equal(a.quota_remaining, 5);
        assert_int_equal(take_cost(*state, &ask, 6, &a), TAKE_REFUSED);
    }
    assert_int_equal(counters_read(*state, &ask, &st), 0);
    assert_int_equal(st.passed + st.limited + st.used + st.last_used_s, 0);
}

static void read_tells_what_was_counted(void **state)
{
    struct take_answer a;
    struct counter_state st;
    struct take_ask ask = quota_ask(100, NULL);
    ask.terms.limits = &per_second_10;
    ask.terms.limits_n = 1;
    for (int i = 0; i < 3; i++)
        assert_int_equal(take_cost(*state, &ask, 4, &a),
                         i < 2 ? TAKE_TAKEN : TAKE_REFUSED);
    assert_int_equal(counters_read(*state, &ask, &st), 0);
    assert_int_equal(st.passed, 2);
    assert_int_equal(st.limited, 1);
    assert_int_equal(st.used, 8);
    assert_int_equal(st.quota_remaining, 92);
    assert_int_equal(st.last_used_s, T0 / 1000);
    assert_int_equal(st.limits[0].used, 8);
    assert_int_equal(st.limits[0].remaining, 2);
    assert_int_equal(counters_reset(*state, 7, 77), 0);
    assert_int_equal(counters_read(*state, &ask, &st), 0);
    assert_int_equal(st.limits[0].used, 0);
    assert_int_equal(st.used, 0);
    assert_int_equal(st.passed, 2);
    ask.tag = 1;
    assert_int_equal(counters_read(*state, &ask, &st), ERR_NOTFOUND);
}

static void another_owners_line_is_a_fault(void **state)
{
    struct take_answer a;
    struct take_ask ask = ask_of(&per_second_10, 1);
    ask.tag = 78;
    assert_int_equal(counters_take(*state, &ask, &a), TAKE_FAULT);
    ask.slot = 1 << 25;
    assert_int_equal(counters_take(*state, &ask, &a), TAKE_FAULT);
    assert_int_equal(counters_reset(*state, 7, 78), ERR_NOTFOUND);
    assert_int_equal(counters_add(*state, 1 << 25, 77, 1), ERR_NOTFOUND);
    assert_true(counters_slot_has(*state, 7, 77));
    assert_false(counters_slot_has(*state, 7, 78));
    assert_int_equal(counters_reserve(*state, SLOTS_MAX + 1u), ERR_FULL);
}

static void limits_without_their_columns_are_a_fault(void **state)
{
    static const struct limit two[2] = { { .limit = 5, .window_s = 1 },
                                         { .limit = 5, .window_s = 9 } };
    struct take_answer a;
    struct take_ask ask = ask_of(two, 2);
    assert_int_equal(counters_take(*state, &ask, &a), TAKE_FAULT);
    assert_int_equal(counters_reserve_limits(*state, 2), 0);
    assert_int_equal(counters_take(*state, &ask, &a), TAKE_TAKEN);
    assert_int_equal(counters_reserve(*state, SLOTS_STEP * 2), 0);
    assert_int_equal(counters_slot_init(*state, SLOTS_STEP + 9, 1), 0);
    ask.slot = SLOTS_STEP + 9, ask.tag = 1; /* columns grew along */
    assert_int_equal(counters_take(*state, &ask, &a), TAKE_TAKEN);
}

static void a_held_line_answers_wait(void **state)
{
    struct counters *c = *state;
    uint32_t word;
    struct take_answer a;
    struct take_ask ask = ask_of(&per_second_10, 1);
    assert_true(line_lock(c, &c->lines[7], 0, &word));
    assert_int_equal(counters_take(c, &ask, &a), TAKE_WAIT);
    assert_int_equal(atomic_load(&counters_stats(c)->contended), 1);
    line_unlock(&c->lines[7], word);
    assert_int_equal(counters_take(c, &ask, &a), TAKE_TAKEN);
}

/* --- many threads ------------------------------------------------------------------ */
enum { THREADS = 4, QUOTA = 60000 };

struct crowd {
    struct counters *c;
    const struct limit *limits;
    unsigned limits_n;
    _Atomic int64_t admitted, peak;
    uint32_t quota_slot;
};

static void peak_note(struct crowd *x, int64_t now)
{
    int64_t peak = atomic_load(&x->peak);
    while (now > peak && !atomic_compare_exchange_weak(&x->peak, &peak, now))
        ;
}

static void *crowd_main(void *arg)
{
    struct crowd *x = arg;
    struct rand_fast rnd;
    rand_fast_init(&rnd);
    struct take_ask ask = quota_ask(QUOTA, NULL);
    ask.terms.limits = x->limits;
    ask.terms.limits_n = (uint8_t)x->limits_n;
    if (x->quota_slot) ask.quota_slot = x->quota_slot, ask.quota_tag = 5;
    for (int refused = 0; refused < 200;) {
        struct take_answer a;
        uint32_t cost = refused ? 1 : 1 + (uint32_t)rand_fast_next(&rnd) % 9;
        switch (take_cost(x->c, &ask, cost, &a)) {
        case TAKE_TAKEN: {
            peak_note(x, atomic_fetch_add(&x->admitted, cost) + cost);
            break;
        }
        case TAKE_REFUSED: refused++; break;
        case TAKE_WAIT: sched_yield(); break;
        case TAKE_FAULT: atomic_store(&x->peak, INT64_MAX); return NULL;
        }
    }
    return NULL;
}

static void crowd_run(struct crowd *x)
{
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, crowd_main, x);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
}

static void threads_share_a_quota_exactly(void **state)
{
    struct crowd x = { .c = *state };
    crowd_run(&x);
    assert_int_equal(atomic_load(&x.admitted), QUOTA);
    assert_int_equal(atomic_load(&x.peak), QUOTA);
    struct counter_state st;
    struct take_ask ask = quota_ask(QUOTA, NULL);
    assert_int_equal(counters_read(*state, &ask, &st), 0);
    assert_int_equal(st.used, QUOTA);
}

static void threads_share_limits_and_an_applications_quota_exactly(void **state)
{
    static const struct limit two[2] = {
        { .limit = QUOTA / 2, .window_s = 60 },
        { .limit = QUOTA / 3, .window_s = 3600 },
    };
    assert_int_equal(counters_reserve_limits(*state, 2), 0);
    assert_int_equal(counters_slot_init(*state, 5, 5), 0);
    struct crowd x = {
        .c = *state, .limits = two, .limits_n = 2, .quota_slot = 5
    };
    crowd_run(&x);
    assert_int_equal(atomic_load(&x.admitted), QUOTA / 3);
    struct counter_state st;
    struct take_ask ask = quota_ask(QUOTA, NULL);
    ask.quota_slot = ask.quota_tag = 5;
    assert_int_equal(counters_read(*state, &ask, &st), 0);
    assert_int_equal(st.used, QUOTA / 3);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* --- the global limit ----------------------------------------------------------- */
static const struct limit global_3 = { .limit = 3, .window_s = 60 };

static void the_global_limit_is_one_more_of_the_same_step(void **state)
{
    struct counters *c = *state;
    struct take_ask ask = quota_ask(100, NULL);
    struct take_answer a;
    ask.terms.limits = &per_second_10;
    ask.terms.global = &global_3;
    for (unsigned n = 0; n < 2; n++) { /* with and without limits before it */
        ask.terms.limits_n = (uint8_t)n;
        counters_slot_init(c, 7, 77);
        if (n == 0) /* without its column it is a fault, not a pass */
            assert_int_equal(take_at(c, &ask, T0, &a), TAKE_FAULT);
        assert_int_equal(counters_reserve_global(c), 0);
        for (uint32_t i = 0; i < 3; i++) {
            assert_int_equal(take_at(c, &ask, T0, &a), TAKE_TAKEN);
            assert_int_equal(a.nearest, n);
            assert_int_equal(a.limit, 3);
            assert_int_equal(a.remaining, 2 - i);
        }
        assert_int_equal(take_at(c, &ask, T0, &a), TAKE_REFUSED);
        assert_int_equal(a.refused_by, n);
        assert_int_equal(a.quota_remaining, 97);
        assert_true(a.retry_after_s >= 60 && a.retry_after_s <= 68);
    }
    /* nothing was taken from the limit before it */
    ask.terms.global = NULL;
    assert_int_equal(take_at(c, &ask, T0, &a), TAKE_TAKEN);
    assert_int_equal(a.remaining, 6);
}

static void what_another_limit_refuses_the_global_does_not_count(void **state)
{
    struct counters *c = *state;
    static const struct limit two = { .limit = 2, .window_s = 1 };
    struct take_ask ask = ask_of(&two, 1);
    struct take_answer a;
    ask.terms.global = &global_3;
    assert_int_equal(counters_reserve_global(c), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(take_at(c, &ask, T0, &a), TAKE_TAKEN);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(take_at(c, &ask, T0, &a), TAKE_REFUSED);
        assert_int_equal(a.refused_by, 0);
    }
    assert_int_equal(take_at(c, &ask, T0 + 2000, &a), TAKE_TAKEN);
    assert_int_equal(take_at(c, &ask, T0 + 2000, &a), TAKE_REFUSED);
    assert_int_equal(a.refused_by, 1);
}

/* The number of a token's own limits does not move it. */
static void the_global_limit_keeps_its_count_when_others_come_and_go(
    void **state)
{
    struct counters *c = *state;
    static const struct limit own[] = { { .limit = 9, .window_s = 60 },
                                        { .limit = 9, .window_s = 60 },
                                        { .limit = 9, .window_s = 60 },
                                        { .limit = 9, .window_s = 60 } };
    struct take_ask ask = ask_of(own, 0);
    struct take_answer a;
    static const struct limit five = { .limit = 5, .window_s = 60 };
    ask.terms.global = &five;
    assert_int_equal(counters_reserve_global(c), 0);
    assert_int_equal(counters_reserve_limits(c, POLICY_LIMITS_MAX), 0);
    for (uint8_t n = 0; n <= POLICY_LIMITS_MAX; n++) {
        ask.terms.limits_n = n;
        assert_int_equal(take_at(c, &ask, T0, &a), TAKE_TAKEN);
    }
    assert_int_equal(take_at(c, &ask, T0, &a), TAKE_REFUSED);
    assert_int_equal(a.refused_by, POLICY_LIMITS_MAX);
    assert_int_equal(counters_reset(c, 7, 77), 0);
    assert_int_equal(take_at(c, &ask, T0, &a), TAKE_TAKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_limit_admits_its_number_and_refuses_the_next),
        T(the_global_limit_is_one_more_of_the_same_step),
        T(what_another_limit_refuses_the_global_does_not_count),
        T(the_global_limit_keeps_its_count_when_others_come_and_go),
        T(a_quota_is_taken_to_its_end_and_not_beyond),
        T(a_refused_quota_takes_nothing_from_the_limits),
        T(a_due_refill_is_added_before_the_quota_is_judged),
        T(a_refill_once_given_is_not_given_again),
        T(a_changed_interval_counts_from_the_change),
        T(a_top_up_may_lift_above_the_quota),
        T(a_top_up_comes_on_top_of_refills_that_were_due),
        T(the_largest_numbers_do_not_overflow),
        T(a_refund_gives_the_quota_back_and_not_the_limit),
        T(a_refund_does_not_meet_another_quota),
        T(one_quota_may_serve_many_tokens),
        T(peek_judges_and_takes_nothing),
        T(read_tells_what_was_counted),
        T(another_owners_line_is_a_fault),
        T(limits_without_their_columns_are_a_fault),
        T(a_held_line_answers_wait),
        T(threads_share_a_quota_exactly),
        T(threads_share_limits_and_an_applications_quota_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
