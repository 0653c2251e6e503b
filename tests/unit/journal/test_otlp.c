/* OTLP's JSON: metrics as the text has them, traces as spans. That OpenTelemetry
 * understands it is told by exports.test.ts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <yyjson.h>

#include "base/ensure.h"
#include "journal/otlp.h"

static const struct otlp_attribute attributes[] = {
    { { "service.name", 12 }, { "a \"b\"", 5 } },
};
static const struct otlp_resource resource = { attributes, 1, { "1.2", 3 } };

static yyjson_doc *parsed(struct buf *b)
{
    yyjson_doc *doc = yyjson_read(b->p, b->n, 0);
    if (!doc) fail_msg("no JSON: %.*s", (int)b->n, b->p);
    assert_false(b->overflow);
    return doc;
}

static const char *text_at(yyjson_doc *doc, const char *pointer)
{
    const char *s = yyjson_get_str(yyjson_doc_ptr_get(doc, pointer));
    return s ? s : "";
}

static yyjson_doc *metrics(const char *text, struct buf *b)
{
    buf_init(b, 1 << 20);
    otlp_metrics(&resource, sv_cstr(text), 1000, 2000, b);
    return parsed(b);
}

#define METRICS "/resourceMetrics/0/scopeMetrics/0/metrics"

static void counters_are_monotonic_sums_since_the_start(void **state)
{
    struct buf b;
    (void)state;
    yyjson_doc *doc =
        metrics("# HELP a_total A.\n# TYPE a_total counter\n"
                "a_total{x=\"1\",y=\"p q\"} 7\na_total{x=\"2\"} 0\n",
                &b);
    assert_string_equal(text_at(doc, METRICS "/0/name"), "a_total");
    assert_string_equal(text_at(doc, METRICS "/0/description"), "A.");
    assert_string_equal(text_at(doc, METRICS "/0/sum/dataPoints/0/asInt"), "7");
    assert_string_equal(
        text_at(doc, METRICS "/0/sum/dataPoints/0/startTimeUnixNano"),
        "1000000000");
    assert_string_equal(
        text_at(doc, METRICS "/0/sum/dataPoints/0/timeUnixNano"), "2000000000");
    assert_string_equal(text_at(doc, METRICS "/0/sum/dataPoints/0/attributes/1/"
                                             "value/stringValue"),
                        "p q");
    assert_true(
        yyjson_is_true(yyjson_doc_ptr_get(doc, METRICS "/0/sum/isMonotonic")));
    assert_string_equal(text_at(doc, "/resourceMetrics/0/resource/attributes/0/"
                                     "value/stringValue"),
                        "a \"b\"");
    yyjson_doc_free(doc);
    buf_fini(&b);
}

static void gauges_are_whole_or_not(void **state)
{
    struct buf b;
    (void)state;
    yyjson_doc *doc =
        metrics("# HELP g_seconds G\n# TYPE g_seconds gauge\n"
                "g_seconds 1.500000\n"
                "# HELP h H\n# TYPE h gauge\nh -3\nh{x=\"y\"} NaN\n",
                &b);
    assert_true(yyjson_get_num(yyjson_doc_ptr_get(
                    doc, METRICS "/0/gauge/dataPoints/0/asDouble")) == 1.5);
    assert_string_equal(text_at(doc, METRICS "/0/unit"), "s");
    assert_string_equal(text_at(doc, METRICS "/1/gauge/dataPoints/0/asInt"),
                        "-3");
    assert_int_equal(
        yyjson_arr_size(yyjson_doc_ptr_get(doc, METRICS "/1/gauge/dataPoints")),
        1);
    yyjson_doc_free(doc);
    buf_fini(&b);
}

static void buckets_are_counted_each_by_itself(void **state)
{
    struct buf b;
    (void)state;
    yyjson_doc *doc =
        metrics("# HELP h_seconds H\n# TYPE h_seconds histogram\n"
                "h_seconds_bucket{d=\"p\",le=\"0.1\"} 2\n"
                "h_seconds_bucket{d=\"p\",le=\"1\"} 5\n"
                "h_seconds_bucket{d=\"p\",le=\"+Inf\"} 9\n"
                "h_seconds_sum{d=\"p\"} 12.5\nh_seconds_count{d=\"p\"} 9\n"
                "h_seconds_bucket{d=\"q\",le=\"+Inf\"} 1\n"
                "h_seconds_sum{d=\"q\"} 0.000000\nh_seconds_count{d=\"q\"} 1\n",
                &b);
#define POINT METRICS "/0/histogram/dataPoints/0"
    assert_string_equal(text_at(doc, POINT "/bucketCounts/0"), "2");
    assert_string_equal(text_at(doc, POINT "/bucketCounts/1"), "3");
    assert_string_equal(text_at(doc, POINT "/bucketCounts/2"), "4");
    assert_string_equal(text_at(doc, POINT "/count"), "9");
    assert_int_equal(
        yyjson_arr_size(yyjson_doc_ptr_get(doc, POINT "/explicitBounds")), 2);
    assert_int_equal(
        yyjson_arr_size(yyjson_doc_ptr_get(doc, POINT "/attributes")), 1);
    assert_string_equal(
        text_at(doc, METRICS "/0/histogram/dataPoints/1/bucketCounts/0"), "1");
    yyjson_doc_free(doc);
    buf_fini(&b);
}

static void an_exchange_is_a_server_span_and_one_of_the_origin(void **state)
{
    struct trace t = {
        .at_ms = 5,
        .status = 503,
        .steps_n = 1,
        .total_us = 900,
        .origin_us = 800,
        .method_n = 3,
        .has_parent = true,
        .context = { .trace_id = { 1 }, .span_id = { 2 }, .flags = 1 },
        .span_id = { 3 },
        .method = "GET",
        .steps = { { "credential", 1000, TRACE_PASS } }
    };
    struct buf b;
    (void)state;
    buf_init(&b, 1 << 20);
    otlp_traces_begin(&resource, &b);
    otlp_trace(&t, &b);
    otlp_trace(&t, &b);
    otlp_traces_end(&b);
    yyjson_doc *doc = parsed(&b);
#define SPANS "/resourceSpans/0/scopeSpans/0/spans"
    assert_int_equal(yyjson_arr_size(yyjson_doc_ptr_get(doc, SPANS)), 4);
    assert_string_equal(text_at(doc, SPANS "/0/traceId"),
                        "01000000000000000000000000000000");
    assert_string_equal(text_at(doc, SPANS "/0/parentSpanId"),
                        "0200000000000000");
    assert_string_equal(text_at(doc, SPANS "/0/name"), "GET");
    assert_string_equal(text_at(doc, SPANS "/0/endTimeUnixNano"), "5900000");
    assert_string_equal(text_at(doc, SPANS "/0/events/0/name"), "credential");
    assert_int_equal(
        yyjson_get_int(yyjson_doc_ptr_get(doc, SPANS "/0/status/code")), 2);
    assert_string_equal(text_at(doc, SPANS "/1/parentSpanId"),
                        "0300000000000000");
    assert_string_equal(text_at(doc, SPANS "/1/spanId"), "0300000000000001");
    assert_string_equal(text_at(doc, SPANS "/1/startTimeUnixNano"), "5001000");
    assert_string_equal(text_at(doc, SPANS "/1/endTimeUnixNano"), "5800000");
    yyjson_doc_free(doc);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_monotonic_sums_since_the_start),
        cmocka_unit_test(gauges_are_whole_or_not),
        cmocka_unit_test(buckets_are_counted_each_by_itself),
        cmocka_unit_test(an_exchange_is_a_server_span_and_one_of_the_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
