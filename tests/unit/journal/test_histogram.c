/* journal/histogram.h: buckets whose edges are what Prometheus calls `le`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal/histogram.h"

static void every_value_lies_between_its_buckets_edges(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < 200000; v++) {
        unsigned b = histogram_bucket(v);
        assert_true(v <= histogram_edge_us(b));
        if (b) assert_true(v > histogram_edge_us(b - 1));
    }
}

static void edges_rise_and_are_at_most_a_quarter_apart(void **state)
{
    (void)state;
    for (unsigned b = 1; b < HISTOGRAM_EDGES; b++) {
        uint64_t low = histogram_edge_us(b - 1), high = histogram_edge_us(b);
        assert_true(high > low);
        if (low >= 4) assert_true(high - low <= low / 4);
        assert_int_equal(histogram_bucket(high), b);
        assert_int_equal(histogram_bucket(high + 1), b + 1);
    }
}

static void what_is_above_all_edges_is_counted_in_the_last(void **state)
{
    (void)state;
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_EDGES);
    assert_int_equal(
        histogram_bucket(histogram_edge_us(HISTOGRAM_EDGES - 1) + 1),
        HISTOGRAM_EDGES);
    struct histogram h = { 0 };
    histogram_add(&h, UINT32_MAX);
    histogram_add(&h, 5);
    assert_int_equal(counter_read(&h.n[HISTOGRAM_EDGES]), 1);
    assert_int_equal(counter_read(&h.sum_us), (uint64_t)UINT32_MAX + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_lies_between_its_buckets_edges),
        cmocka_unit_test(edges_rise_and_are_at_most_a_quarter_apart),
        cmocka_unit_test(what_is_above_all_edges_is_counted_in_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
