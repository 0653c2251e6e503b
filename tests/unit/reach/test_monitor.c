/* The table of monitors with a clock of the test's: who is asked when, what
 * comes of answers, what a restart finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "reach/monitor.h"
#include "scratch.h"

enum { INTERVAL_MS = 60000, START_MS = 1800000000 };
#define APP SV("app_01JD00000000000000000000")

static char scratch[64], dir[128];
static int64_t now_ms;
static struct origin_table *origins;
static struct monitors *m;
static struct monitor rules;
static struct origin_address addresses[3];
static struct origin_place places[3];
static unsigned places_n;
static bool feeds;
static const struct probe_rules no_probes;
static struct told {
    enum health_status from, to;
    enum health_cause cause;
    bool began, ended;
    int64_t at_ms;
} told[64];
static unsigned told_n;
static enum health_status wholes[64]; /* of the monitor itself */
static unsigned wholes_n;

static int64_t clock_now(void)
{
    return now_ms;
}

static void on_change(void *ctx, const struct monitor_change *c)
{
    (void)ctx;
    assert_true(sv_eq(c->application_id, APP));
    assert_true(sv_eq(c->account_id, SV("acc_1")));
    if (!c->endpoint.n) {
        wholes[wholes_n++ % 64] = c->to;
        return;
    }
    told[told_n++ % 64] =
        (struct told){ c->from, c->to, c->cause, c->began, c->ended, c->at_ms };
}

static void put(void)
{
    const struct monitor_source s = { .account_id = SV("acc_1"),
                                      .application_id = APP,
                                      .name = SV("shop"),
                                      .monitor = &rules,
                                      .origins = places,
                                      .n = places_n,
                                      .feeds = feeds };
    monitors_put(m, &s);
}

static void open_it(void)
{
    monitors_new(&m, &(struct monitors_conf){ .dir = dir,
                                              .origins = origins,
                                              .node_ms = clock_now,
                                              .wall_ms = clock_now,
                                              .changed = on_change });
    put();
}

/* As a killed process leaves it: nothing is said to anybody. */
static void restart(void)
{
    monitors_free(&m);
    open_it();
}

static int setup(void **state)
{
    (void)state;
    scratch_make(scratch);
    snprintf(dir, sizeof dir, "%s/monitors", scratch);
    now_ms = START_MS;
    told_n = wholes_n = 0;
    feeds = false;
    places_n = 1;
    rules = (struct monitor){ .enabled = true,
                              .interval_ms = INTERVAL_MS,
                              .timeout_ms = 5000,
                              .certificate_days = 14,
                              .n = 1,
                              .endpoints[0] = { .url = SV("/health?deep=1"),
                                                .method = SV("GET"),
                                                .status = 200 } };
    for (unsigned i = 0; i < 3; i++) {
        static const char *const hosts[] = { "a.test", "b.test", "::1" };
        addresses[i] = (struct origin_address){ .port = 8080,
                                                .host = sv_cstr(hosts[i]),
                                                .base = SV("/base") };
        places[i] = (struct origin_place){
            .at = &addresses[i],
            .probe = &no_probes,
            .monitored = APP,
        };
    }
    origin_table_new(&origins);
    open_it();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    monitors_free(&m);
    origin_table_free(&origins);
    scratch_remove(scratch);
    return 0;
}

/* Moves to the next check and answers it. */
static struct monitor_order next(void)
{
    struct monitor_order o;
    int64_t in;
    while (!monitors_due(m, &o, &in)) {
        assert_true(in != INT64_MAX);
        now_ms += in > 0 ? in : 1;
    }
    return o;
}

static void answer(const struct monitor_order *o, unsigned code,
                   enum health_cause cause)
{
    struct monitor_answer a = { .cause = cause,
                                .code = code,
                                .body = SV("all is well"),
                                .total_us = 2000 };
    now_ms += 2;
    monitors_done(m, o, &a);
}

static void check(unsigned code, enum health_cause cause)
{
    struct monitor_order o = next();
    answer(&o, code, cause);
}

static struct monitor_status status(void)
{
    static char memory[8192];
    static struct monitor_status s;
    struct arena a;
    arena_init(&a, sizeof memory, memory, sizeof memory);
    monitors_status(m, APP, &a, &s);
    return s;
}

static unsigned incidents(struct uptime_incident list[UPTIME_INCIDENTS])
{
    struct uptime_file f;
    assert_int_equal(monitors_file(m, APP, &f), 0);
    unsigned n = uptime_incidents_load(&f, INT64_MIN, INT64_MAX, list);
    uptime_file_close(&f);
    return n;
}

static struct uptime_sum sums(void);
static void merge(void *ctx, unsigned endpoint, const struct uptime_hour *h)
{
    (void)endpoint;
    uptime_merge(ctx, h);
}
static struct uptime_sum sums(void)
{
    struct uptime_sum s = { .probes = 0 };
    struct uptime_file f;
    assert_int_equal(monitors_file(m, APP, &f), 0);
    uptime_hours_each(&f, 0, UINT32_MAX, merge, &s);
    uptime_file_close(&f);
    return s;
}

static void the_first_check_comes_at_once_then_each_interval(void **state)
{
    struct monitor_order o;
    int64_t in, last;
    (void)state;
    assert_true(monitors_due(m, &o, &in));
    assert_true(sv_eq(o.url, SV("http://a.test:8080/base/health?deep=1")));
    assert_int_equal(o.timeout_ms, 5000);
    assert_false(monitors_due(m, &o, &in)); /* not twice at once */
    assert_int_equal(in, INT64_MAX);
    answer(&o, 200, HEALTH_CAUSE_NONE);
    assert_int_equal(status().status, HEALTH_HEALTHY);
    for (unsigned i = 0; i < 50; i++) {
        last = now_ms;
        o = next();
        assert_in_range(now_ms - last, INTERVAL_MS * 9 / 10 - 2, INTERVAL_MS);
        answer(&o, 200, HEALTH_CAUSE_NONE);
    }
    assert_int_equal(told_n, 0);
}

static void an_origin_that_dies_is_down_within_two_intervals(void **state)
{
    struct uptime_incident list[UPTIME_INCIDENTS];
    (void)state;
    check(200, HEALTH_CAUSE_NONE);
    int64_t died = now_ms;
    check(0, HEALTH_CAUSE_CONNECT);
    int64_t first = now_ms - 2;
    assert_int_equal(status().status, HEALTH_DEGRADED);
    check(0, HEALTH_CAUSE_CONNECT);
    assert_int_equal(status().status, HEALTH_DOWN);
    assert_true(now_ms - died < 2 * INTERVAL_MS);
    for (unsigned i = 0; i < 10; i++) check(0, HEALTH_CAUSE_CONNECT);
    assert_int_equal(incidents(list), 1);
    assert_int_equal(list[0].start_ms, first);
    assert_int_equal(list[0].end_ms, 0);
    assert_string_equal(list[0].url, "http://a.test:8080/base/health");
    check(200, HEALTH_CAUSE_NONE);
    int64_t back = now_ms - 2;
    assert_int_equal(status().status, HEALTH_DOWN);
    check(200, HEALTH_CAUSE_NONE);
    assert_int_equal(status().status, HEALTH_HEALTHY);
    assert_int_equal(incidents(list), 1);
    assert_int_equal(list[0].end_ms, back);
    assert_int_equal(told_n, 3); /* degraded, down, healthy */
    assert_true(told[1].began && told[1].at_ms == first);
    assert_int_equal(told[1].cause, HEALTH_CAUSE_CONNECT);
    assert_true(told[2].ended && told[2].at_ms == back);
    assert_int_equal(wholes_n, 3);
    assert_int_equal(wholes[1], HEALTH_DOWN);
}

static void one_that_flaps_is_no_incident_and_none_ends_early(void **state)
{
    struct uptime_incident list[UPTIME_INCIDENTS];
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        check(i % 2 ? 200 : 500, HEALTH_CAUSE_NONE);
    assert_int_equal(status().status, HEALTH_DEGRADED);
    assert_int_equal(incidents(list), 0);
    check(500, HEALTH_CAUSE_NONE);
    check(500, HEALTH_CAUSE_NONE);
    for (unsigned i = 0; i < 40; i++)
        check(i % 2 ? 500 : 200, HEALTH_CAUSE_NONE);
    assert_int_equal(status().status, HEALTH_DOWN);
    assert_int_equal(incidents(list), 1);
    assert_int_equal(list[0].cause, HEALTH_CAUSE_STATUS);
    assert_int_equal(list[0].code, 500);
}

static void wrong_answers_and_slow_ones_are_told_apart(void **state)
{
    (void)state;
    rules.endpoints[0].body_match = SV("is well");
    rules.slow_ms = 1;
    put();
    check(200, HEALTH_CAUSE_NONE);
    assert_int_equal(status().status, HEALTH_DEGRADED);
    assert_int_equal(status().targets[0].cause, HEALTH_CAUSE_SLOW);
    rules.slow_ms = 0;
    rules.endpoints[0].body_match = SV("ill");
    put();
    check(200, HEALTH_CAUSE_NONE);
    check(200, HEALTH_CAUSE_NONE);
    assert_int_equal(status().status, HEALTH_DOWN);
    assert_int_equal(status().targets[0].cause, HEALTH_CAUSE_BODY);
    struct uptime_sum s = sums();
    assert_int_equal(s.probes, 3);
    assert_int_equal(s.failures, 2);
    assert_int_equal(s.degraded, 1);
}

static void a_certificate_that_ends_soon_is_degraded(void **state)
{
    struct monitor_order o = next();
    struct monitor_answer a = { .code = 200,
                                .total_us = 1,
                                .certificate_ms = now_ms + 13ll * 86400000 };
    (void)state;
    monitors_done(m, &o, &a);
    assert_int_equal(status().targets[0].cause, HEALTH_CAUSE_CERTIFICATE_SOON);
    assert_int_equal(status().targets[0].certificate_ms, a.certificate_ms);
}

static void a_restart_goes_on_where_it_was(void **state)
{
    struct uptime_incident list[UPTIME_INCIDENTS];
    (void)state;
    check(200, HEALTH_CAUSE_NONE);
    check(0, HEALTH_CAUSE_TIMEOUT);
    check(0, HEALTH_CAUSE_TIMEOUT);
    told_n = 0;
    restart();
    assert_int_equal(status().status, HEALTH_DOWN);
    assert_int_equal(sums().probes, 3);
    int64_t before = now_ms;
    check(0, HEALTH_CAUSE_TIMEOUT);
    assert_true(now_ms - before <= INTERVAL_MS + 2);
    assert_int_equal(incidents(list), 1);
    assert_int_equal(told_n, 0);
    check(200, HEALTH_CAUSE_NONE);
    check(200, HEALTH_CAUSE_NONE);
    assert_int_equal(incidents(list), 1);
    assert_true(list[0].end_ms > 0);
    assert_int_equal(told_n, 1);
    assert_int_equal(sums().probes, 6);
    assert_int_equal(sums().failures, 3);
}

static void maintenance_judges_nothing_and_ends_an_incident(void **state)
{
    struct uptime_incident list[UPTIME_INCIDENTS];
    (void)state;
    check(0, HEALTH_CAUSE_CONNECT);
    check(0, HEALTH_CAUSE_CONNECT);
    rules.maintenance = true;
    put();
    assert_int_equal(status().status, HEALTH_MAINTENANCE);
    for (unsigned i = 0; i < 5; i++) check(0, HEALTH_CAUSE_CONNECT);
    assert_int_equal(incidents(list), 1);
    assert_true(list[0].end_ms > 0);
    assert_int_equal(sums().failures, 2);
    assert_int_equal(sums().maintained, 5);
    rules.maintenance = false;
    put();
    check(200, HEALTH_CAUSE_NONE);
    assert_int_equal(status().status, HEALTH_HEALTHY);
}

static void what_is_no_longer_asked_ends_its_incident(void **state)
{
    struct uptime_incident list[UPTIME_INCIDENTS];
    (void)state;
    check(0, HEALTH_CAUSE_CONNECT);
    check(0, HEALTH_CAUSE_CONNECT);
    told_n = 0;
    rules.endpoints[0].url = SV("https://elsewhere.test/");
    put();
    assert_int_equal(status().status, HEALTH_UNKNOWN);
    assert_int_equal(incidents(list), 1);
    assert_int_equal(list[0].end_ms, now_ms);
    assert_int_equal(told_n, 1);
    assert_true(told[0].ended);
    check(200, HEALTH_CAUSE_NONE);
    rules.enabled = false;
    put();
    struct monitor_order o;
    int64_t in;
    now_ms += 10 * INTERVAL_MS;
    assert_false(monitors_due(m, &o, &in));
    assert_false(status().known);
}

static void what_changed_its_place_is_remembered_as_it_was_last(void **state)
{
    struct uptime_incident list[UPTIME_INCIDENTS];
    (void)state;
    rules.n = 2;
    rules.endpoints[1] = (struct monitor_endpoint){ .url = SV("/second"),
                                                    .method = SV("GET"),
                                                    .status = 200 };
    put();
    for (unsigned i = 0; i < 4; i++) check(200, HEALTH_CAUSE_NONE);
    rules.n = 1;
    rules.endpoints[0] = rules.endpoints[1];
    put();
    check(0, HEALTH_CAUSE_CONNECT);
    check(0, HEALTH_CAUSE_CONNECT);
    assert_int_equal(status().status, HEALTH_DOWN);
    restart();
    assert_int_equal(status().status, HEALTH_DOWN);
    assert_int_equal(incidents(list), 1);
    assert_int_equal(list[0].end_ms, 0);
    check(200, HEALTH_CAUSE_NONE);
    check(200, HEALTH_CAUSE_NONE);
    restart();
    assert_int_equal(status().status, HEALTH_HEALTHY);
    assert_int_equal(incidents(list), 1);
    assert_true(list[0].end_ms > 0);
}

static void each_of_several_origins_is_asked_and_the_balancer_told(void **state)
{
    (void)state;
    places_n = 3;
    feeds = true;
    rules.n = 2;
    rules.endpoints[1] = (struct monitor_endpoint){ .url = SV("/second"),
                                                    .method = SV("HEAD"),
                                                    .status = 204 };
    put();
    struct origin_state *b = origin_hold(origins, &places[1]);
    assert_int_equal(status().n, 4); /* /health at three, /second at one */
    assert_true(sv_eq(status().targets[2].url,
                      SV("http://[::1]:8080/base/health?deep=1")));
    for (unsigned i = 0; i < 8; i++) {
        struct monitor_order o = next();
        bool ill = sv_starts(o.url, SV("http://b.test"));
        answer(&o, ill ? 0 : o.endpoint->status,
               ill ? HEALTH_CAUSE_TIMEOUT : HEALTH_CAUSE_NONE);
    }
    assert_int_equal(status().status, HEALTH_DEGRADED);
    assert_true(origin_is_ill(b));
    origin_drop(origins, b);
}

static void our_own_want_of_room_is_nobodys_fault(void **state)
{
    struct monitor_figures f;
    (void)state;
    check(200, HEALTH_CAUSE_NONE);
    for (unsigned i = 0; i < 5; i++) {
        struct monitor_order o = next();
        monitors_done(m, &o, &(struct monitor_answer){ .skipped = true });
    }
    assert_int_equal(status().status, HEALTH_HEALTHY);
    assert_int_equal(sums().probes, 1);
    monitors_figures(m, &f);
    assert_int_equal(f.skipped, 5);
    assert_int_equal(f.applications[HEALTH_HEALTHY], 1);
}

static void how_late_the_checks_are_is_told(void **state)
{
    struct monitor_figures f;
    struct monitor_order o = next();
    (void)state;
    now_ms += 30000; /* under way is not late */
    monitors_figures(m, &f);
    assert_int_equal(f.late_ms, 0);
    answer(&o, 200, HEALTH_CAUSE_NONE);
    monitors_figures(m, &f);
    assert_int_equal(f.late_ms, 0);
    now_ms += 61000; /* at most 60 s until the next */
    monitors_figures(m, &f);
    assert_in_range(f.late_ms, 1000, 61000);
    o = next();
    monitors_figures(m, &f);
    assert_int_equal(f.late_ms, 0);
    answer(&o, 200, HEALTH_CAUSE_NONE);
}

static void one_that_goes_while_it_is_asked_leaves_nothing(void **state)
{
    struct monitor_order o = next();
    struct uptime_file f;
    (void)state;
    put(); /* changed while it is asked */
    struct monitor_order p = next();
    monitors_remove(m, APP);
    answer(&o, 200, HEALTH_CAUSE_NONE);
    answer(&p, 0, HEALTH_CAUSE_TIMEOUT);
    assert_int_equal(monitors_file(m, APP, &f), ERR_NOTFOUND);
    struct monitor_figures figures;
    monitors_figures(m, &figures);
    assert_int_equal(figures.targets, 0);
    assert_int_equal(figures.active, 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_check_comes_at_once_then_each_interval),
        T(an_origin_that_dies_is_down_within_two_intervals),
        T(one_that_flaps_is_no_incident_and_none_ends_early),
        T(wrong_answers_and_slow_ones_are_told_apart),
        T(a_certificate_that_ends_soon_is_degraded),
        T(a_restart_goes_on_where_it_was),
        T(maintenance_judges_nothing_and_ends_an_incident),
        T(what_is_no_longer_asked_ends_its_incident),
        T(what_changed_its_place_is_remembered_as_it_was_last),
        T(each_of_several_origins_is_asked_and_the_balancer_told),
        T(our_own_want_of_room_is_nobodys_fault),
        T(how_late_the_checks_are_is_told),
        T(one_that_goes_while_it_is_asked_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
