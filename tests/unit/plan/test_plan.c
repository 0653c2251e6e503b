/* The root: who answers to a host, what a change does, what it leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/err.h"
#include "plan/plan.h"
#include "plan_fixture.h"

static struct plan *p;

static int setup(void **state)
{
    (void)state;
    return plan_new(&p, 2);
}

static int teardown(void **state)
{
    (void)state;
    epoch_reclaim();
    plan_free(&p); /* ensures that no image was lost */
    return 0;
}

static uint32_t num_of(const char *host)
{
    const struct plan_app *a = plan_match(p, sv_cstr(host));
    return a ? a->app.num : 0;
}

static void publish(uint32_t num, const char *domain)
{
    plan_fixture_publish(
        p, &(struct plan_fixture){ .num = num,
                                   .domain = domain,
                                   .origin = "http://10.0.0.1:8000" });
}

static void an_exact_name_wins_then_the_longest_wildcard(void **state)
{
    (void)state;
    publish(1, "example.com");
    publish(2, "*.example.com");
    publish(3, "api.example.com");
    publish(4, "*.eu.example.com");
    publish(5, "2001:db8::1");
    const struct {
        const char *host;
        uint32_t num;
    } rows[] = {
        { "example.com", 1 },       { "EXAMPLE.com.:80", 1 },
        { "a.example.com", 2 },     { "a.b.example.com", 2 },
        { "api.example.com", 3 },   { "x.api.example.com", 2 },
        { "a.eu.example.com", 4 },  { "eu.example.com", 2 },
        { "[2001:DB8:0::1]:9", 5 }, { "badexample.com", 0 },
        { "example.org", 0 },       { "com", 0 },
        { ".example.com", 0 },      { "", 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(num_of(rows[i].host), rows[i].num);
}

static void an_application_is_found_by_its_id(void **state)
{
    (void)state;
    publish(7, "a.example");
    const char *id = plan_fixture_id(7);
    assert_int_equal(plan_find(p, sv_cstr(id))->app.num, 7);
    assert_null(plan_find(p, SV("app_unknown")));
    assert_null(plan_find(p, sv_first(sv_cstr(id), strlen(id) - 1)));
}

static void a_changed_domain_frees_the_old_name(void **state)
{
    (void)state;
    publish(1, "*.old.example");
    publish(1, "new.example");
    assert_int_equal(num_of("a.old.example"), 0);
    assert_int_equal(num_of("new.example"), 1);
    publish(1, NULL);
    assert_int_equal(num_of("new.example"), 0);
    assert_non_null(plan_find(p, sv_cstr(plan_fixture_id(1))));
}

static void two_applications_can_exchange_their_names(void **state)
{
    (void)state;
    publish(1, "a.example");
    publish(2, "b.example");
    publish(1, "b.example"); /* the feed may show this before the other */
    publish(2, "a.example");
    assert_int_equal(num_of("a.example"), 2);
    assert_int_equal(num_of("b.example"), 1);
    plan_remove(p, sv_cstr(plan_fixture_id(2)));
    assert_int_equal(num_of("a.example"), 0);
    assert_int_equal(num_of("b.example"), 1);
}

static void a_removed_application_is_gone_and_its_name_free(void **state)
{
    (void)state;
    publish(1, "a.example");
    plan_remove(p, sv_cstr(plan_fixture_id(1)));
    plan_remove(p, sv_cstr(plan_fixture_id(1)));
    assert_null(plan_find(p, sv_cstr(plan_fixture_id(1))));
    publish(2, "a.example");
    assert_int_equal(num_of("a.example"), 2);
}

static void a_held_image_outlives_its_change(void **state)
{
    (void)state;
    publish(1, "a.example");
    const struct plan_app *held = plan_match(p, SV("a.example"));
    plan_hold(held, 1);
    publish(1, "b.example");
    epoch_reclaim();
    assert_int_equal(plan_images(p), 2);
    assert_true(sv_eq(held->app.domain, SV("a.example")));
    plan_drop(held, 1);
    assert_int_equal(epoch_reclaim(), 0);
    assert_int_equal(plan_images(p), 1);
}

static void a_reader_in_its_turn_keeps_what_it_saw(void **state)
{
    (void)state;
    struct epoch_reader r;
    epoch_join(&r);
    epoch_wake(&r);
    publish(1, "a.example");
    const struct plan_app *seen = plan_match(p, SV("a.example"));
    plan_remove(p, sv_cstr(plan_fixture_id(1)));
    assert_true(epoch_reclaim() > 0);
    assert_int_equal(seen->app.num, 1);
    epoch_turn(&r);
    assert_int_equal(epoch_reclaim(), 0);
    epoch_sleep(&r);
    epoch_leave(&r);
}

#define TOKEN_STEPS                                                  \
    {                                                                \
        STEP_CREDENTIAL, STEP_TOKEN_STATE, STEP_EXPIRY, STEP_LIMITS, \
            STEP_SCOPES, STEP_ADDRESS, -1                            \
    }
#define JWT_STEPS                              \
    {                                          \
        STEP_JWT, STEP_LIMITS, STEP_SCOPES, -1 \
    }
#define LIMIT ",\"ratelimit\":{\"limit\":1,\"timeWindow\":1}"
struct steps_row {
    const char *more, *auth, *jwt;
    int steps[DOOR_COUNT][STEP_COUNT + 1];
};
static const struct steps_row STEPS[] = {
    { ",\"public\":true", NULL, NULL, { { -1 }, TOKEN_STEPS } },
    { ",\"public\":false",
      NULL,
      NULL,
      { { STEP_ENABLED, -1 }, { STEP_ENABLED, -1 } } },
    { ",\"enabled\":false",
      NULL,
      NULL,
      { { STEP_ENABLED, -1 }, { STEP_ENABLED, -1 } } },
    { ",\"enabled\":false",
      "",
      NULL,
      { { STEP_ENABLED, -1 }, { STEP_ENABLED, -1 } } },
    { NULL, "", NULL, { TOKEN_STEPS, TOKEN_STEPS } },
    { NULL,
      "\"keyType\":\"jwt\"",
      "",
      { { STEP_JWT, STEP_SCOPES, -1 }, { STEP_JWT, STEP_SCOPES, -1 } } },
    { NULL, "\"keyType\":\"jwt\"" LIMIT, "", { JWT_STEPS, JWT_STEPS } },
    { NULL,
      "\"keyType\":\"jwt\"",
      NULL,
      { { STEP_ENABLED, -1 }, { STEP_ENABLED, -1 } } },
};

static void assert_steps(const struct plan_steps *steps, const int *expected)
{
    size_t n = 0;
    for (; expected[n] >= 0; n++) {
        assert_true(n < steps->n);
        assert_int_equal(steps->at[n], expected[n]);
    }
    assert_int_equal(steps->n, n);
}

static void an_image_holds_only_the_checks_it_needs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(STEPS); i++) {
        const struct plan_app *a = plan_fixture_publish(
            p, &(struct plan_fixture){ .num = 1,
                                       .more = STEPS[i].more,
                                       .auth = STEPS[i].auth,
                                       .jwt = STEPS[i].jwt });
        for (int door = 0; door < DOOR_COUNT; door++)
            assert_steps(&a->steps[door], STEPS[i].steps[door]);
    }
}

static void what_the_checks_need_is_decided_at_the_build(void **state)
{
    (void)state;
    struct plan_app *a = plan_fixture_publish(
        p, &(struct plan_fixture){
               .num = 3,
               .seq = 77,
               .auth = "\"ratelimit\":{\"limit\":5,"
                       "\"timeWindow\":60},\"remaining\":10,\"remainingScope\":"
                       "\"application\"",
               .quota_slot = 9,
               .quota_tag = 8 });
    assert_true(a->limited && a->checksum && a->has_auth);
    assert_int_equal(a->quota_slot, 9);
    assert_int_equal(a->quota_tag, 8);
    assert_int_equal(a->seq, 77);
    assert_int_equal(a->app.num, 3);
    a = plan_fixture_publish(
        p, &(struct plan_fixture){ .id = "app_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                   .auth = "",
                                   .imported = true,
                                   .quota_slot = 9 });
    assert_false(a->limited || a->checksum);
    assert_int_equal(a->quota_slot, UINT32_MAX);
    assert_int_equal(a->created_ms, 1469922850259); /* the ULID spec's own */
}

static void the_origin_sees_its_own_name(void **state)
{
    (void)state;
    const struct {
        const char *origin, *host;
    } rows[] = {
        { "o.example", "o.example" },
        { "o.example:8443", "o.example:8443" },
        { "http://o.example:80", "o.example" },
        { "http://o.example:8080", "o.example:8080" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct plan_app *a = plan_fixture_publish(
            p, &(struct plan_fixture){ .num = 1, .origin = rows[i].origin });
        assert_true(sv_eq(a->origin.host_header, sv_cstr(rows[i].host)));
        assert_int_equal(a->origin.tls_verify, a->origin.at.tls);
    }
}

static const struct plan_origin *origin_of(uint32_t num, const char *origin)
{
    return &plan_fixture_publish(
                p, &(struct plan_fixture){ .num = num, .origin = origin })
                ->origin;
}

static void an_origin_keeps_its_id_while_anyone_names_it(void **state)
{
    (void)state;
    struct plan_origin first = *origin_of(1, "http://o.example:8000");
    assert_int_equal(origin_of(2, "http://o.example:8000")->id, first.id);
    assert_int_not_equal(origin_of(3, "http://o.example:8001")->id, first.id);
    assert_int_not_equal(origin_of(4, "o.example:8000")->id, first.id);
    for (int i = 0; i < 3; i++) { /* changes of an application */
        struct plan_origin now = *origin_of(1, "http://o.example:8000");
        epoch_reclaim();
        assert_int_equal(now.id, first.id);
        assert_int_equal(now.generation, first.generation);
    }
    plan_remove(p, sv_cstr(plan_fixture_id(1)));
    epoch_reclaim();
    assert_int_equal(origin_of(5, "http://o.example:8000")->id, first.id);
}

static void a_freed_origin_id_returns_with_another_generation(void **state)
{
    (void)state;
    struct plan_origin first = *origin_of(1, "http://a.example");
    plan_remove(p, sv_cstr(plan_fixture_id(1)));
    epoch_reclaim();
    struct plan_origin second = *origin_of(1, "http://b.example");
    assert_int_equal(second.id, first.id);
    assert_int_not_equal(second.generation, first.generation);
}

static void what_does_not_build_says_why_and_leaves_nothing(void **state)
{
    (void)state;
    const struct {
        struct plan_fixture f;
        int err;
        const char *field;
    } rows[] = {
        { { .domain = "*..x" }, ERR_INVALID, "domain" },
        { { .domain = "a:b" }, ERR_INVALID, "domain" },
        { { .auth = "\"keyType\":\"jwt\"", .jwt = "\"algorithms\":[\"x\"]" },
          ERR_CORRUPT,
          "jwt_id" },
        { { .more = "]" }, ERR_CORRUPT, "" },
        { { .auth = "\"onFault\":" }, ERR_CORRUPT, "auth_id" },
        { { .more = ",\"auth_id\":\"auth_1\"" }, ERR_INVALID, "auth_id" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct plan_app *a;
        struct plan_problem why;
        assert_int_equal(plan_fixture_build(p, &rows[i].f, &a, &why),
                         rows[i].err);
        assert_string_equal(why.field, rows[i].field);
        assert_int_not_equal(why.message[0], 0);
    }
    assert_int_equal(plan_images(p), 0);
}

static void a_built_image_can_be_discarded(void **state)
{
    (void)state;
    struct plan_app *a;
    struct plan_problem why;
    const struct plan_fixture f = { .num = 1, .domain = "a.example" };
    assert_int_equal(plan_fixture_build(p, &f, &a, &why), 0);
    plan_discard(p, &a);
    assert_null(a);
    assert_int_equal(num_of("a.example"), 0);
}

static double change_us(uint32_t num, const char *domain)
{
    struct timespec from, to;
    double best = 1e9;
    for (int i = 0; i < 200; i++) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        publish(num, domain);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        double us = (double)(to.tv_sec - from.tv_sec) * 1e6 +
                    (double)(to.tv_nsec - from.tv_nsec) / 1e3;
        if (us < best) best = us;
        epoch_reclaim();
    }
    return best;
}

static void a_change_costs_the_same_among_100000_applications(void **state)
{
    (void)state;
    char domain[64];
    publish(1, "api.example");
    double few = change_us(1, "api.example");
    size_t empty = mallinfo2().uordblks;
    for (uint32_t i = 2; i <= 100000; i++) {
        snprintf(domain, sizeof domain, "app%u.example.com", i);
        publish(i, domain);
        if (i % 1000 == 0) epoch_reclaim();
    }
    epoch_reclaim();
    size_t before = mallinfo2().uordblks;
    printf("# %zu bytes an application\n", (before - empty) / 100000);
    double many = change_us(1, "api.example");
    epoch_reclaim();
    size_t after = mallinfo2().uordblks;
    printf("# a change: %.1f us among 1, %.1f us among 100,000\n", few, many);
    assert_true(many < few * 4 + 20);
    assert_in_range(after, before > 4096 ? before - 4096 : 0, before + 4096);
    assert_int_equal(num_of("app77777.example.com"), 77777);
    assert_int_equal(num_of("app77777.example.com.x"), 0);
}

#define PLAN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAN_TEST(an_exact_name_wins_then_the_longest_wildcard),
        PLAN_TEST(an_application_is_found_by_its_id),
        PLAN_TEST(a_changed_domain_frees_the_old_name),
        PLAN_TEST(two_applications_can_exchange_their_names),
        PLAN_TEST(a_removed_application_is_gone_and_its_name_free),
        PLAN_TEST(a_held_image_outlives_its_change),
        PLAN_TEST(a_reader_in_its_turn_keeps_what_it_saw),
        PLAN_TEST(an_image_holds_only_the_checks_it_needs),
        PLAN_TEST(what_the_checks_need_is_decided_at_the_build),
        PLAN_TEST(the_origin_sees_its_own_name),
        PLAN_TEST(an_origin_keeps_its_id_while_anyone_names_it),
        PLAN_TEST(a_freed_origin_id_returns_with_another_generation),
        PLAN_TEST(what_does_not_build_says_why_and_leaves_nothing),
        PLAN_TEST(a_built_image_can_be_discarded),
        PLAN_TEST(a_change_costs_the_same_among_100000_applications),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
