/* Questions to issuers: asked once, answered to all who wait, believed for
 * their time, and never more than fit. */
#include "live/introspection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct introspections *t;
static struct arena a;
static unsigned woken;
static int64_t now;

static void wake(void *ctx)
{
    (void)ctx;
    woken++;
}

static int begin(void **state)
{
    (void)state;
    struct introspections_conf conf = { .entries = 64, .wake = wake };
    introspections_new(&t, &conf);
    arena_init(&a, 1 << 20, NULL, 0);
    woken = 0;
    now = 1000000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    introspections_free(&t);
    arena_fini(&a);
    return 0;
}

static struct introspection_known known;

static enum introspection ask_for(unsigned n, uint32_t cache_s)
{
    struct introspection_ask ask = {
        .url = SV("https://issuer/i"),
        .authorization = SV("Basic eA=="),
        .token = arena_printf(&a, "token %u", n),
        .cache_s = cache_s,
    };
    memcpy(ask.key, &(uint32_t){ n * 2654435761u }, 4);
    memcpy(ask.key + 4, &n, 4);
    return introspections_ask(t, &ask, now, &a, &known);
}

static uint32_t take(const char *token)
{
    struct introspection_due due;
    assert_true(introspections_take(t, &due));
    assert_true(sv_eq(due.url, SV("https://issuer/i")));
    assert_true(sv_eq(due.authorization, SV("Basic eA==")));
    assert_true(sv_eq(due.token, sv_cstr(token)));
    return due.ticket;
}

static void a_token_is_asked_about_once_and_all_hear(void **state)
{
    (void)state;
    struct introspection_due due;
    assert_int_equal(ask_for(1, 30), INTROSPECTION_WAIT);
    assert_int_equal(ask_for(1, 30), INTROSPECTION_WAIT);
    assert_int_equal(woken, 1);
    uint32_t ticket = take("token 1");
    assert_false(introspections_take(t, &due));
    assert_int_equal(ask_for(1, 30), INTROSPECTION_WAIT);
    introspections_report(t, ticket, true, SV("{\"active\":true}"), now);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask_for(1, 30), INTROSPECTION_KNOWN);
        assert_true(known.active);
        assert_true(sv_eq(known.text, SV("{\"active\":true}")));
        assert_int_equal(known.until_ms, now + 30000);
    }
    assert_int_equal(woken, 1);
}

static void an_answer_is_believed_for_its_time(void **state)
{
    (void)state;
    static const struct {
        uint32_t cache_s;
        bool active, failed;
        int64_t ms;
    } lives[] = {
        { 30, true, false, 30000 }, { 0, true, false, 1000 },
        { 30, false, false, 5000 }, { 2, false, false, 2000 },
        { 30, false, true, 1000 },  { 3600, true, false, 3600000 },
    };
    for (unsigned i = 0; i < sizeof lives / sizeof *lives; i++) {
        struct introspection_due due;
        assert_int_equal(ask_for(i, lives[i].cache_s), INTROSPECTION_WAIT);
        assert_true(introspections_take(t, &due));
        introspections_report(t, due.ticket, lives[i].active,
                              lives[i].failed ? (struct sv){ 0 } : SV("{}"),
                              now);
        enum introspection expected =
            lives[i].failed ? INTROSPECTION_FAILED : INTROSPECTION_KNOWN;
        now += lives[i].ms - 1;
        assert_int_equal(ask_for(i, lives[i].cache_s), expected);
        now += 1;
        assert_int_equal(ask_for(i, lives[i].cache_s), INTROSPECTION_WAIT);
        assert_true(introspections_take(t, &due));
        introspections_report(t, due.ticket, false, SV("{}"), now);
    }
}

static void a_long_answer_is_a_failure(void **state)
{
    (void)state;
    static char text[INTROSPECTION_ANSWER_MAX + 1];
    memset(text, ' ', sizeof text);
    ask_for(1, 30);
    introspections_report(t, take("token 1"), true, sv_of(text, sizeof text),
                          now);
    assert_int_equal(ask_for(1, 30), INTROSPECTION_FAILED);
    ask_for(2, 30);
    introspections_report(t, take("token 2"), true,
                          sv_of(text, sizeof text - 1), now);
    assert_int_equal(ask_for(2, 30), INTROSPECTION_KNOWN);
}

static void what_does_not_fit_waits_and_nothing_asked_is_forgotten(void **state)
{
    (void)state;
    struct introspection_due due[256];
    unsigned taken = 0;
    for (unsigned n = 0; n < 1000; n++)
        assert_int_equal(ask_for(n, 30), INTROSPECTION_WAIT);
    while (introspections_take(t, &due[taken])) taken++;
    assert_in_range(taken, 32, INTROSPECTION_FLIGHT_MAX);
    assert_true(sv_eq(due[0].token, SV("token 0")));
    for (unsigned i = 0; i < taken; i++)
        introspections_report(t, due[i].ticket, true, SV("{}"), now);
    assert_int_equal(ask_for(0, 30), INTROSPECTION_KNOWN);
}

static void the_one_that_ends_first_gives_way(void **state)
{
    (void)state;
    struct introspection_due due;
    for (unsigned n = 0; n < 1000; n++) {
        now++;
        if (ask_for(n, n == 500 ? 3600 : 60) != INTROSPECTION_WAIT) continue;
        if (introspections_take(t, &due))
            introspections_report(t, due.ticket, true, SV("{}"), now);
    }
    assert_int_equal(ask_for(999, 60), INTROSPECTION_KNOWN);
    assert_int_equal(ask_for(500, 3600), INTROSPECTION_KNOWN);
    assert_int_equal(ask_for(0, 60), INTROSPECTION_WAIT);
}

static void questions_that_nobody_answered_are_freed(void **state)
{
    (void)state;
    ask_for(1, 30);
    ask_for(2, 30);
    take("token 1"); /* the end of the table frees both */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(a_token_is_asked_about_once_and_all_hear),
        T(an_answer_is_believed_for_its_time),
        T(a_long_answer_is_a_failure),
        T(what_does_not_fit_waits_and_nothing_asked_is_forgotten),
        T(the_one_that_ends_first_gives_way),
        T(questions_that_nobody_answered_are_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
