/* Terms from two policies, equality, and the calendar of refills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/policy.h"

static int64_t at(int year, int month, int day, int hour)
{
    return civil_to_ms((struct civil){
        .year = year, .month = month, .day = day, .hour = hour });
}

static const struct refill hourly = { .amount = 5, .interval_s = 3600 };
static const struct refill monthly = { .amount = 5 };

static void refills_are_counted_from_creation(void **state)
{
    (void)state;
    int64_t t = at(2025, 1, 1, 0) + 123;
    assert_int_equal(refill_count(&hourly, t, t - 1), 0);
    assert_int_equal(refill_count(&hourly, t, t), 0);
    assert_int_equal(refill_count(&hourly, t, t + 3599999), 0);
    assert_int_equal(refill_count(&hourly, t, t + 3600000), 1);
    assert_int_equal(refill_count(&hourly, t, t + 48 * 3600000), 48);
    assert_true(refill_at_ms(&hourly, t, 48) == t + 48 * 3600000);
    struct refill second = { .amount = 1, .interval_s = 1 };
    assert_true(refill_count(&second, 0, INT64_MAX / 2) == UINT32_MAX);
}

static void a_month_ends_on_the_same_day_or_the_months_last(void **state)
{
    (void)state;
    int64_t t = at(2024, 1, 31, 15);
    static const int last[] = { 31, 29, 31, 30, 31, 30, 31,
                                31, 30, 31, 30, 31, 31, 28 };
    for (uint32_t n = 1; n < 14; n++) {
        int64_t due = at(2024 + (int)n / 12, (int)n % 12 + 1, last[n], 15);
        assert_true(refill_at_ms(&monthly, t, n) == due);
        assert_int_equal(refill_count(&monthly, t, due - 1), n - 1);
        assert_int_equal(refill_count(&monthly, t, due), n);
    }
}

static void each_moment_lies_between_two_monthly_refills(void **state)
{
    (void)state;
    for (int day = 1; day <= 31; day++) {
        int64_t t = at(2023, 12, day, 23) + 59 * 60000;
        for (int64_t now = t; now < at(2028, 4, 1, 0);
             now += 7 * 3600000 + 1234567) {
            uint32_t n = refill_count(&monthly, t, now);
            assert_true(n == 0 || refill_at_ms(&monthly, t, n) <= now);
            assert_true(refill_at_ms(&monthly, t, n + 1) > now);
        }
    }
}

static void a_tokens_own_part_wins_and_none_means_none(void **state)
{
    (void)state;
    struct policy profile = { .has_limits = true,
                              .limits_n = 2,
                              .has_quota = true,
                              .quota = 100,
                              .has_refill = true,
                              .refill = hourly };
    struct policy own = {
        .has_limits = true, .limits_n = 0, .has_quota = true, .quota_none = true
    };
    struct terms t = policy_terms(&profile, NULL);
    assert_int_equal(t.limits_n, 2);
    assert_int_equal(t.quota, 100);
    assert_ptr_equal(t.refill, &profile.refill);
    t = policy_terms(&profile, &own);
    assert_int_equal(t.limits_n, 0);
    assert_false(t.has_quota);
    t = policy_terms(NULL, NULL);
    assert_false(t.has_quota);
    assert_null(t.refill);
    profile.has_quota = false; /* refill without remaining: its amount */
    t = policy_terms(&profile, NULL);
    assert_true(t.has_quota);
    assert_int_equal(t.quota, 5);
    own = (struct policy){ .has_refill = true, .refill_none = true };
    t = policy_terms(&profile, &own);
    assert_false(t.has_quota);
}

static void each_part_that_is_said_makes_a_policy_another(void **state)
{
    (void)state;
    struct policy base = {
        .has_limits = true,
        .has_quota = true,
        .has_refill = true,
        .limits_n = 1,
        .quota = 10,
        .refill = hourly,
        .limits = { { .limit = 5, .window_s = 60, .name = "a" } },
    };
    struct policy other[12];
    for (int i = 0; i < 12; i++) other[i] = base;
    other[0].has_limits = false;
    other[1].has_quota = false;
    other[2].has_refill = false;
    other[3].limits_n = 2;
    other[4].quota = 11;
    other[5].quota_none = true;
    other[6].refill.amount = 6;
    other[7].refill.interval_s = 0;
    other[8].refill_none = true;
    other[9].limits[0].limit = 6;
    other[10].limits[0].name[0] = 'b';
    other[11].limits[0].algorithm = LIMIT_FIXED;
    for (int i = 0; i < 12; i++) {
        assert_false(policy_equal(&base, &other[i]));
        assert_false(policy_equal(&other[i], &base));
        assert_true(policy_hash(&base) != policy_hash(&other[i]));
        assert_true(policy_equal(&other[i], &other[i]));
    }
    struct policy same = base;
    same.limits[1].limit = 77; /* beyond limits_n: says nothing */
    assert_true(policy_equal(&base, &same));
    assert_true(policy_hash(&base) == policy_hash(&same));
    base.quota_none = same.quota_none = true;
    same.quota = 99;
    assert_true(policy_equal(&base, &same));
    assert_true(policy_hash(&base) == policy_hash(&same));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refills_are_counted_from_creation),
        cmocka_unit_test(a_month_ends_on_the_same_day_or_the_months_last),
        cmocka_unit_test(each_moment_lies_between_two_monthly_refills),
        cmocka_unit_test(a_tokens_own_part_wins_and_none_means_none),
        cmocka_unit_test(each_part_that_is_said_makes_a_policy_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
