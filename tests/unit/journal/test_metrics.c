/* /metrics: sums over reactors, Prometheus' own rules, and the same list as
 * api/metrics.json describes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/ensure.h"
#include "base/metric.h"
#include "event_fixture.h"

static struct journal *j;
static struct buf out;

static int setup(void **state)
{
    (void)state;
    const struct journal_conf conf = { .reactors = 3,
                                       .access_fd = -1,
                                       .sample = 1 };
    buf_init(&out, 1 << 20);
    return journal_new(&j, &conf);
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&out);
    journal_free(&j);
    return 0;
}

static void render(void)
{
    buf_clear(&out);
    metrics_render(j, &out);
    buf_putc(&out, '\0');
    assert_false(out.overflow);
}

static uint64_t value(const char *row)
{
    const char *at = strstr(out.p, row);
    if (!at) fail_msg("no row %s", row);
    return strtoull(at + strlen(row), NULL, 10);
}

static void events_of_all_reactors_add_up(void **state)
{
    (void)state;
    struct event e = event_usual();
    for (unsigned r = 0; r < 3; r++) journal_event(j, r, &e);
    e.outcome = OUTCOME_LIMITED;
    e.status = 429;
    e.door = 1;
    journal_event(j, 1, &e);
    e.status = 0;
    journal_event(j, 1, &e);
    e.status = 999;
    journal_event(j, 1, &e);
    render();
    assert_int_equal(value("typeauth_exchanges_total{door=\"proxy\",outcome="
                           "\"passed\"} "),
                     3);
    assert_int_equal(value("typeauth_exchanges_total{door=\"verify\",outcome="
                           "\"limited\"} "),
                     3);
    assert_int_equal(value("typeauth_responses_total{door=\"verify\",status="
                           "\"4xx\"} "),
                     1);
    assert_int_equal(value("typeauth_responses_total{door=\"verify\",status="
                           "\"none\"} "),
                     2);
    assert_int_equal(value("typeauth_received_bytes_total{door=\"proxy\"} "),
                     3 * 231);
    assert_int_equal(value("typeauth_sent_bytes_total{door=\"verify\"} "),
                     3 * 1480);
}

static void histograms_are_cumulative_and_end_in_their_count(void **state)
{
    (void)state;
    struct event e = event_usual();
    const uint32_t us[] = { 1, 32, 33, 48, 49, 1000000, 60000000 };
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(us); i++) {
        e.total_us = us[i];
        e.origin_us = i % 2 ? us[i] : 0;
        sum += us[i];
        journal_event(j, 0, &e);
    }
    render();
#define BUCKET "typeauth_exchange_seconds_bucket{door=\"proxy\",le="
    assert_int_equal(value(BUCKET "\"0.000032\"} "), 2);
    assert_int_equal(value(BUCKET "\"0.000048\"} "), 4);
    assert_int_equal(value(BUCKET "\"0.000064\"} "), 5);
    assert_int_equal(value(BUCKET "\"0.786432\"} "), 5);
    assert_int_equal(value(BUCKET "\"1.048576\"} "), 6);
    assert_int_equal(value(BUCKET "\"50.331648\"} "), 6);
    assert_int_equal(value(BUCKET "\"+Inf\"} "), 7);
    assert_int_equal(value("typeauth_exchange_seconds_count{door=\"proxy\"} "),
                     7);
    char text[64];
    snprintf(text, sizeof text,
             "typeauth_exchange_seconds_sum{door=\"proxy\"} %u.%06u\n",
             (unsigned)(sum / 1000000), (unsigned)(sum % 1000000));
    assert_non_null(strstr(out.p, text));
    assert_int_equal(value("typeauth_origin_seconds_count "), 3);
    assert_int_equal(value("typeauth_origin_seconds_bucket{le=\"+Inf\"} "), 3);
}

static void other_owner(void *ctx, struct buf *to)
{
    metric_head(to, "typeauth_other", "gauge", "Of another owner.");
    metric_row(to, "typeauth_other", "", *(uint64_t *)ctx);
}

static void other_owners_rows_follow(void **state)
{
    (void)state;
    uint64_t seven = 7;
    metrics_add(j, other_owner, &seven);
    render();
    assert_non_null(strstr(out.p, "# HELP typeauth_other Of another owner.\n"
                                  "# TYPE typeauth_other gauge\n"
                                  "typeauth_other 7\n"));
}

static void nothing_of_an_event_but_classes_becomes_a_label(void **state)
{
    (void)state;
    struct event e = event_usual();
    render();
    size_t before = 0, after = 0;
    for (const char *c = out.p; *c; c++) before += *c == '\n';
    e.host = SV("labelled.example");
    e.code = "labelled_code";
    e.outcome = OUTCOME_FORBIDDEN;
    journal_event(j, 0, &e);
    render();
    for (const char *c = out.p; *c; c++) after += *c == '\n';
    assert_int_equal(after, before);
    assert_null(strstr(out.p, "labelled"));
    assert_null(strstr(out.p, "192.0.2"));
    assert_null(strstr(out.p, "tok_"));
}

static void the_described_metrics_are_those_that_are_shown(void **state)
{
    (void)state;
    yyjson_doc *d =
        yyjson_read_file(TEST_SOURCE_ROOT "/api/metrics.json", 0, NULL, NULL);
    assert_non_null(d);
    render();
    size_t shown = 0, described = 0, i, n;
    for (const char *at = out.p; (at = strstr(at, "# TYPE ")); at++) shown++;
    yyjson_val *m;
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(d), "metrics"), i, n,
                       m)
    {
        const char *owner = yyjson_get_str(yyjson_obj_get(m, "owner"));
        if (!owner || strcmp(owner, "journal")) continue;
        char text[512];
        const char *name = yyjson_get_str(yyjson_obj_get(m, "name"));
        snprintf(text, sizeof text, "# HELP %s %s\n# TYPE %s %s\n", name,
                 yyjson_get_str(yyjson_obj_get(m, "help")), name,
                 yyjson_get_str(yyjson_obj_get(m, "type")));
        if (!strstr(out.p, text)) fail_msg("not shown: %s", text);
        described++;
    }
    assert_int_equal(shown, described);
    yyjson_doc_free(d);
}

#define METRICS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        METRICS_TEST(events_of_all_reactors_add_up),
        METRICS_TEST(histograms_are_cumulative_and_end_in_their_count),
        METRICS_TEST(other_owners_rows_follow),
        METRICS_TEST(nothing_of_an_event_but_classes_becomes_a_label),
        METRICS_TEST(the_described_metrics_are_those_that_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
