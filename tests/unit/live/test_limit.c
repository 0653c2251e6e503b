/* The three ways to count against an exact log, by random schedules, through
 * counters_take (gateway.md §4). LONG=1: ten times as many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rand.h"
#include "live/counter_int.h"
#include "scratch.h"

enum { EVENTS = 24, TAG = 5 };
static const int64_t T0 = 1750000000000;

static struct scratch dir;
static struct counters *c;
static struct rand_fast rnd = { 20260101 };

static int setup(void **state)
{
    (void)state;
    char problem[256];
    scratch_make(&dir);
    struct counters_conf conf = { .dir = dir.path };
    if (counters_open(&c, &conf, problem) != 0) return -1;
    if (counters_reserve(c, 10) != 0) return -1;
    return counters_reserve_limits(c, POLICY_LIMITS_MAX);
}

static int teardown(void **state)
{
    (void)state;
    counters_close(&c);
    scratch_remove(&dir);
    return 0;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(rand_fast_next(&rnd) % n);
}

static uint32_t rounds(uint32_t n)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    n /= 20;
#endif
    return getenv("LONG") ? n * 10 : n;
}

/* --- a schedule: one token, one limit, an exact log beside it ------------------- */
struct schedule {
    struct limit limit;
    int64_t now, last;  /* the line's time never goes back */
    int64_t at[EVENTS]; /* exact log of what was taken */
    uint32_t cost[EVENTS];
    unsigned n;
};

static int64_t window_of(const struct schedule *s)
{
    return s->limit.window_s * 1000;
}

static uint32_t some_limit(void)
{
    static const uint32_t some[] = { 1, 1, 2, 3, 7, 10, 100, 1000000 };
    return some[below(8)];
}

static uint32_t some_cost(uint32_t limit)
{
    if (below(2)) return 1;
    return 1 + below(limit < 4 ? 4 : limit);
}

/* Edges of sub-windows and windows are likelier than between. */
static int64_t some_pause(const struct schedule *s)
{
    int64_t w = window_of(s) / 8;
    switch (below(8)) {
    case 0: return 0;
    case 1: return 1;
    case 2: return below((uint32_t)w);
    case 3: return w - s->now % w;     /* the edge */
    case 4: return w - s->now % w - 1; /* just before */
    case 5: return below((uint32_t)window_of(s));
    case 6: return window_of(s) - below(2);
    default: return w * below(10);
    }
}

static void schedule_begin(struct schedule *s, uint8_t algorithm)
{
    *s = (struct schedule){ .now = T0 + below(100000) };
    s->limit = (struct limit){ .limit = some_limit(),
                               .algorithm = algorithm,
                               .window_s = below(4) ? 1 + below(3) : 86400 };
    counters_slot_init(c, 1, TAG);
}

static struct take_ask ask_of(const struct schedule *s, uint32_t cost)
{
    return (struct take_ask){
        .slot = 1,
        .tag = TAG,
        .quota_slot = UINT32_MAX,
        .cost = cost,
        .now_ms = s->now,
        .terms = { .limits = &s->limit, .limits_n = 1 },
    };
}

static bool schedule_take(struct schedule *s, uint32_t cost,
                          struct take_answer *a)
{
    struct take_ask ask = ask_of(s, cost);
    enum take t = counters_take(c, &ask, a);
    if (s->now < s->last) s->now = s->last;
    if (t != TAKE_TAKEN) return false;
    s->last = s->now;
    s->at[s->n] = s->now;
    s->cost[s->n++] = cost;
    return true;
}

/* What was taken less than `ms` before now. */
static uint64_t taken_within(const struct schedule *s, int64_t ms)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < s->n; i++)
        if (s->now - s->at[i] < ms) sum += s->cost[i];
    return sum;
}

/* --- sliding ----------------------------------------------------------------------- */
static void sliding_schedule(bool clock_steps_back)
{
    struct schedule s;
    struct take_answer a;
    schedule_begin(&s, LIMIT_SLIDING);
    int64_t window = window_of(&s);
    while (s.n < EVENTS && s.now < T0 + 40 * window) {
        s.now += some_pause(&s) + 1;
        if (clock_steps_back && below(4) == 0)
            s.now -= below((uint32_t)window * 2);
        uint32_t cost = some_cost(s.limit.limit);
        if (schedule_take(&s, cost, &a)) {
            assert_true(taken_within(&s, window) <= s.limit.limit);
        } else {
            assert_true(taken_within(&s, window + window / 8) + cost >
                        s.limit.limit);
        }
    }
}

static void a_million_schedules_keep_both_bounds_of_the_sliding_limit(
    void **state)
{
    (void)state;
    for (uint32_t i = rounds(1000000); i > 0; i--) sliding_schedule(false);
}

static void the_sliding_limit_keeps_its_bounds_when_the_clock_steps_back(
    void **state)
{
    (void)state;
    for (uint32_t i = rounds(100000); i > 0; i--) sliding_schedule(true);
}

static void a_limit_of_one_is_exact(void **state)
{
    (void)state;
    struct schedule s;
    struct take_answer a;
    for (uint32_t i = 0; i < 1000; i++) {
        schedule_begin(&s, LIMIT_SLIDING);
        s.limit.limit = 1;
        for (unsigned k = 0; k < 10; k++) {
            assert_true(schedule_take(&s, 1, &a));
            s.now += window_of(&s) - 1;
            assert_false(schedule_take(&s, 1, &a));
            s.now += 1;
        }
    }
}

static void the_whole_limit_at_once_every_window_is_never_refused(void **state)
{
    (void)state;
    struct schedule s;
    struct take_answer a;
    schedule_begin(&s, LIMIT_SLIDING);
    s.limit.limit = LIMIT_MAX;
    for (unsigned k = 0; k < 20; k++) {
        s.now += window_of(&s);
        assert_true(schedule_take(&s, LIMIT_MAX, &a));
        assert_false(schedule_take(&s, 1, &a));
    }
}

static void the_ring_lives_through_a_wrap_of_its_head(void **state)
{
    (void)state;
    struct schedule s;
    struct take_answer a;
    schedule_begin(&s, LIMIT_SLIDING);
    s.limit = (struct limit){ .limit = 8, .window_s = 1 };
    s.now = ((int64_t)1 << 32) * 125 * 4 - 600; /* head = 2^32 - 5 */
    for (unsigned k = 0; k < 8; k++, s.now += 125)
        assert_true(schedule_take(&s, 1, &a));
    assert_false(schedule_take(&s, 1, &a));
    s.now += 125;
    assert_true(schedule_take(&s, 1, &a));
}

static void a_year_of_rest_clears_the_ring(void **state)
{
    (void)state;
    for (int64_t days = 1; days < 4000; days += 13) {
        struct schedule s;
        struct take_answer a;
        schedule_begin(&s, LIMIT_SLIDING);
        assert_true(schedule_take(&s, s.limit.limit, &a));
        s.now += days * 86400000;
        assert_true(schedule_take(&s, s.limit.limit, &a));
    }
}

/* --- fixed -------------------------------------------------------------------------- */
static void the_fixed_limit_counts_each_window_exactly(void **state)
{
    (void)state;
    for (uint32_t i = rounds(50000); i > 0; i--) {
        struct schedule s;
        struct take_answer a;
        schedule_begin(&s, LIMIT_FIXED);
        while (s.n < EVENTS && s.now < T0 + 40 * window_of(&s)) {
            s.now += some_pause(&s) + 1;
            uint32_t cost = some_cost(s.limit.limit);
            bool taken = schedule_take(&s, cost, &a);
            uint64_t sum = taken_within(&s, s.now % window_of(&s) + 1);
            if (taken)
                assert_true(sum <= s.limit.limit);
            else
                assert_true(sum + cost > s.limit.limit);
        }
    }
}

/* --- token bucket -------------------------------------------------------------------- */
static void the_bucket_keeps_limit_and_burst_and_no_less(void **state)
{
    (void)state;
    for (uint32_t i = rounds(100000); i > 0; i--) {
        struct schedule s;
        struct take_answer a;
        long double level = 0;
        int64_t before;
        schedule_begin(&s, LIMIT_TOKEN_BUCKET);
        s.limit.burst = below(2) ? 0 : some_limit();
        uint32_t burst = limit_capacity(&s.limit);
        before = s.now;
        while (s.n < EVENTS && s.now < T0 + 40 * window_of(&s)) {
            s.now += some_pause(&s) + 1;
            uint32_t cost = some_cost(burst);
            level -=
                (long double)(s.now - before) * s.limit.limit / window_of(&s);
            if (level < 0) level = 0;
            before = s.now;
            if (schedule_take(&s, cost, &a)) {
                level += cost;
                assert_true(taken_within(&s, window_of(&s)) <=
                            (uint64_t)burst + s.limit.limit);
                assert_true(level <= burst + 1e-6L);
            } else { /* but for what rounding keeps: 2^-20 a take */
                assert_true(level + cost > burst - EVENTS * 1e-6L);
            }
        }
    }
}

static void the_slowest_bucket_refills_under_constant_asking(void **state)
{
    (void)state;
    struct schedule s;
    struct take_answer a;
    schedule_begin(&s, LIMIT_TOKEN_BUCKET);
    s.limit = (struct limit){ .limit = 1,
                              .window_s = 86400,
                              .algorithm = LIMIT_TOKEN_BUCKET };
    assert_true(schedule_take(&s, 1, &a));
    int64_t begin = s.now;
    while (s.now < begin + 86400000 - 1000) {
        s.now += 997;
        assert_false(schedule_take(&s, 1, &a));
    }
    s.now = begin + 86400000;
    assert_true(schedule_take(&s, 1, &a));
}

/* --- what the answers promise ---------------------------------------------------------- */
static bool would_take(const struct schedule *s, int64_t at, uint32_t cost)
{
    struct take_answer a;
    struct take_ask ask = ask_of(s, cost);
    ask.now_ms = at;
    ask.peek = true;
    return counters_take(c, &ask, &a) == TAKE_TAKEN;
}

/* Waits as told; is told no more than needed. */
static void obeying_client(uint8_t algorithm)
{
    struct schedule s;
    struct take_answer a;
    schedule_begin(&s, algorithm);
    if (algorithm == LIMIT_TOKEN_BUCKET && below(2)) s.limit.burst = 5;
    uint32_t most = limit_capacity(&s.limit);
    for (unsigned k = 0; k < EVENTS; k++) {
        uint32_t cost = 1 + below(most < 5 ? most : 5);
        bool taken = schedule_take(&s, cost, &a);
        if (!taken) {
            assert_true(a.retry_after_s > 0);
            assert_int_equal(a.retry_after_s, a.reset_s);
            /* a bucket may round one 2^-20 of a request up: 82 ms at most */
            int64_t slack_ms = algorithm == LIMIT_TOKEN_BUCKET ? 83 : 0;
            assert_false(would_take(
                &s, s.now + (a.retry_after_s - 1) * 1000LL - slack_ms, cost));
            s.now += a.retry_after_s * 1000LL;
            assert_true(schedule_take(&s, cost, &a));
        } else if (a.remaining < cost) {
            assert_true(a.reset_s > 0);
            assert_true(would_take(&s, s.now + a.reset_s * 1000LL, cost));
        } else if (a.remaining < a.limit) { /* it will have grown */
            assert_true(
                would_take(&s, s.now + a.reset_s * 1000LL, a.remaining + 1));
        }
        s.now += below(3) ? below(50) : some_pause(&s);
        s.n = 0;
    }
}

static void a_client_that_obeys_reset_and_retry_after_is_never_refused(
    void **state)
{
    (void)state;
    for (uint32_t i = rounds(60000); i > 0; i--)
        obeying_client((uint8_t)(i % 3));
}

static void a_cost_above_the_limit_has_no_retry_after(void **state)
{
    (void)state;
    for (uint8_t algorithm = 0; algorithm < 3; algorithm++) {
        struct schedule s;
        struct take_answer a;
        schedule_begin(&s, algorithm);
        s.limit.limit = 10;
        assert_true(schedule_take(&s, 3, &a));
        assert_false(schedule_take(&s, 11, &a));
        assert_int_equal(a.retry_after_s, 0);
        assert_int_equal(a.remaining, 7);
    }
}

/* --- changes of the limit ----------------------------------------------------------------- */
static void a_changed_number_acts_at_once(void **state)
{
    (void)state;
    for (uint8_t algorithm = 0; algorithm < 3; algorithm++) {
        struct schedule s;
        struct take_answer a;
        schedule_begin(&s, algorithm);
        s.limit.window_s = 3600;
        s.limit.limit = 10;
        assert_true(schedule_take(&s, 6, &a));
        s.limit.limit = 7;
        assert_false(schedule_take(&s, 2, &a));
        assert_true(schedule_take(&s, 1, &a));
        s.limit.limit = 3; /* below what is counted */
        assert_false(schedule_take(&s, 1, &a));
        assert_int_equal(a.remaining, 0);
        s.limit.limit = 20;
        assert_true(schedule_take(&s, 13, &a));
        assert_false(schedule_take(&s, 1, &a));
    }
}

static void a_changed_window_or_algorithm_starts_empty(void **state)
{
    (void)state;
    struct schedule s;
    struct take_answer a;
    schedule_begin(&s, LIMIT_SLIDING);
    s.limit.limit = 10;
    for (uint32_t i = 0; i < 300; i++) { /* each window differs from the last */
        s.limit.window_s = 1 + i * 288;
        s.limit.algorithm = (uint8_t)(i % 3);
        assert_true(schedule_take(&s, 10, &a));
        assert_false(schedule_take(&s, 1, &a));
        s.n = 0;
    }
}

static void no_two_windows_or_algorithms_share_a_shape(void **state)
{
    (void)state;
    uint32_t last = 0;
    for (uint8_t algorithm = 0; algorithm < 3; algorithm++)
        for (uint32_t w = 1; w <= WINDOW_MAX_S; w++) {
            struct limit l = { .limit = 1,
                               .window_s = w,
                               .algorithm = algorithm };
            assert_true(limit_shape(&l) == last + 1);
            last = limit_shape(&l);
        }
    assert_true(last < 1u << (32 - LINE_SHAPE_SHIFT));
}

/* --- several limits --------------------------------------------------------------------------- */
static void several_limits_are_taken_together_or_not_at_all(void **state)
{
    (void)state;
    struct limit four[POLICY_LIMITS_MAX] = {
        { .limit = 20, .window_s = 1 },
        { .limit = 5, .window_s = 60, .algorithm = LIMIT_FIXED },
        { .limit = 8, .window_s = 3600, .algorithm = LIMIT_TOKEN_BUCKET },
        { .limit = 100, .window_s = 86400 },
    };
    struct take_answer a;
    counters_slot_init(c, 1, TAG);
    struct take_ask ask = { .slot = 1,
                            .tag = TAG,
                            .quota_slot = UINT32_MAX,
                            .now_ms = T0 - T0 % 60000,
                            .cost = 4,
                            .terms = { .limits = four, .limits_n = 4 } };
    assert_int_equal(counters_take(c, &ask, &a), TAKE_TAKEN);
    assert_int_equal(a.nearest, 1);
    assert_int_equal(a.remaining, 1);
    for (int i = 0; i < 50; i++) { /* refusals take nothing from any */
        assert_int_equal(counters_take(c, &ask, &a), TAKE_REFUSED);
        assert_int_equal(a.refused_by, 1);
        assert_int_equal(a.retry_after_s, 60);
    }
    ask.now_ms += 60000;
    assert_int_equal(counters_take(c, &ask, &a), TAKE_TAKEN);
    ask.now_ms += 60000; /* 100/60 of a request ran out of the bucket's 8 */
    assert_int_equal(counters_take(c, &ask, &a), TAKE_REFUSED);
    assert_int_equal(a.refused_by, 2);
    four[2].limit = 100;
    assert_int_equal(counters_take(c, &ask, &a), TAKE_TAKEN);
    struct counter_state st;
    assert_int_equal(counters_read(c, &ask, &st), 0);
    assert_int_equal(st.limits[3].used, 12);
    assert_int_equal(st.limits[0].used, 4);
}

static void a_limit_that_went_and_came_back_does_not_count_anew(void **state)
{
    (void)state;
    struct limit two[2] = { { .limit = 50, .window_s = 1 },
                            { .limit = 10, .window_s = 10 } };
    struct take_answer a;
    counters_slot_init(c, 1, TAG);
    struct take_ask ask = { .slot = 1,
                            .tag = TAG,
                            .quota_slot = UINT32_MAX,
                            .now_ms = T0,
                            .cost = 10,
                            .terms = { .limits = two, .limits_n = 2 } };
    assert_int_equal(counters_take(c, &ask, &a), TAKE_TAKEN);
    ask.terms.limits_n = 1;
    for (int i = 0; i < 9; i++) {
        ask.now_ms += 1200;
        assert_int_equal(counters_take(c, &ask, &a), TAKE_TAKEN);
    }
    ask.now_ms += 1200; /* 12 s after the ten */
    ask.terms.limits_n = 2;
    assert_int_equal(counters_take(c, &ask, &a), TAKE_TAKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_million_schedules_keep_both_bounds_of_the_sliding_limit),
        cmocka_unit_test(
            the_sliding_limit_keeps_its_bounds_when_the_clock_steps_back),
        cmocka_unit_test(a_limit_of_one_is_exact),
        cmocka_unit_test(the_whole_limit_at_once_every_window_is_never_refused),
        cmocka_unit_test(the_ring_lives_through_a_wrap_of_its_head),
        cmocka_unit_test(a_year_of_rest_clears_the_ring),
        cmocka_unit_test(the_fixed_limit_counts_each_window_exactly),
        cmocka_unit_test(the_bucket_keeps_limit_and_burst_and_no_less),
        cmocka_unit_test(the_slowest_bucket_refills_under_constant_asking),
        cmocka_unit_test(
            a_client_that_obeys_reset_and_retry_after_is_never_refused),
        cmocka_unit_test(a_cost_above_the_limit_has_no_retry_after),
        cmocka_unit_test(a_changed_number_acts_at_once),
        cmocka_unit_test(a_changed_window_or_algorithm_starts_empty),
        cmocka_unit_test(no_two_windows_or_algorithms_share_a_shape),
        cmocka_unit_test(several_limits_are_taken_together_or_not_at_all),
        cmocka_unit_test(a_limit_that_went_and_came_back_does_not_count_anew),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
