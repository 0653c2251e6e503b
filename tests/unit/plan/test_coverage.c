/* Coverage: shapes, counters of two reactors, a ring that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "base/ensure.h"
#include "plan/coverage.h"

static void a_shape_has_no_values(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *shape;
    } rows[] = {
        { "GET", "/", "GET /" },
        { "GET", "", "GET " },
        { "GET", "/pets/12/toys", "GET /pets/{}/toys" },
        { "GET", "/v1/pets", "GET /v1/pets" },
        { "PUT", "/a//b/", "PUT /a//b/" },
        { "GET", "/u/01JD0000000000000000000000", "GET /u/{}" },
        { "GET", "/u/3f2a-77", "GET /u/3f2a-77" },
        { "GET", "/u/3f2a-771", "GET /u/{}" },
        { "GET", "/aaaaaaaaaabbbbbbbbbbccccccccccdd", "GET /{}" },
        { "GET", "/a\"b\x01\xff", "GET /a?b??" },
    };
    char out[COVERAGE_SHAPE_MAX];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = plan_coverage_shape(sv_cstr(rows[i].method),
                                       sv_cstr(rows[i].path), out);
        if (!sv_eq(sv_of(out, n), sv_cstr(rows[i].shape)))
            fail_msg("%s: %.*s", rows[i].path, (int)n, out);
    }
    char path[4096];
    for (size_t i = 0; i < sizeof path; i++) path[i] = i % 9 ? 'x' : '/';
    for (size_t n = 0; n <= sizeof path; n += 7)
        assert_true(plan_coverage_shape(SV("GET"), sv_of(path, n), out) <=
                    COVERAGE_SHAPE_MAX);
}

static uint64_t hits[4], misses, lost;

static void on_hit(void *ctx, unsigned operation, uint64_t n, int64_t last_ms)
{
    (void)ctx, (void)last_ms;
    hits[operation] += n;
}
static void on_missed(void *ctx, struct sv shape, int64_t last_ms)
{
    (void)ctx, (void)last_ms;
    assert_true(sv_eq(shape, SV("GET /x")));
    misses++;
}
static void on_lost(void *ctx, uint64_t n)
{
    (void)ctx;
    lost += n;
}
static const struct plan_coverage_fns fns = { on_hit, on_missed, on_lost };

static void counts_of_reactors_are_taken_once(void **state)
{
    (void)state;
    struct plan_coverage *c = plan_coverage_new(4);
    hits[1] = hits[3] = 0;
    plan_coverage_hit(c, 0, 1, 1000);
    plan_coverage_hit(c, 255, 1, 2000);
    plan_coverage_hit(c, 255, 3, 2000);
    for (int i = 0; i < 2; i++) plan_coverage_take(c, &fns, NULL);
    assert_int_equal(hits[1], 2);
    assert_int_equal(hits[3], 1);
    plan_coverage_free(&c);
    assert_null(c);
}

static void a_full_ring_loses_shapes_and_counts_them(void **state)
{
    (void)state;
    struct plan_coverage *c = plan_coverage_new(0);
    misses = lost = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COVERAGE_RING + 5; i++)
            plan_coverage_missed(c, 2, SV("GET"), SV("/x"), 1);
        plan_coverage_take(c, &fns, NULL);
        assert_int_equal(misses, (uint64_t)(round + 1) * COVERAGE_RING);
        assert_int_equal(lost, (uint64_t)(round + 1) * 5);
    }
    plan_coverage_free(&c);
}

enum { COUNTED = 200000 };

static void *count_on(void *arg)
{
    for (int i = 0; i < COUNTED; i++) {
        plan_coverage_hit(arg, 1, (unsigned)i % 4, 1000);
        plan_coverage_missed(arg, 1, SV("GET"), SV("/x"), 1);
    }
    return NULL;
}

static void nothing_is_lost_between_counting_and_taking(void **state)
{
    (void)state;
    struct plan_coverage *c = plan_coverage_new(4);
    pthread_t thread;
    memset(hits, 0, sizeof hits);
    misses = lost = 0;
    assert_int_equal(pthread_create(&thread, NULL, count_on, c), 0);
    for (int i = 0; i < 1000; i++) plan_coverage_take(c, &fns, NULL);
    pthread_join(thread, NULL);
    plan_coverage_take(c, &fns, NULL);
    for (int i = 0; i < 4; i++) assert_int_equal(hits[i], COUNTED / 4);
    assert_int_equal(misses + lost, COUNTED);
    plan_coverage_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shape_has_no_values),
        cmocka_unit_test(counts_of_reactors_are_taken_once),
        cmocka_unit_test(a_full_ring_loses_shapes_and_counts_them),
        cmocka_unit_test(nothing_is_lost_between_counting_and_taking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
