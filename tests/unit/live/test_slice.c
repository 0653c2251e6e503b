/* Slices of one region against a plain map of who has which line, by random
 * takes and gives; and that what is given back comes again. */
#include "live/slice_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"

enum { LINES = 1 << 14, HELD_MAX = 200, STEPS = 20000 };

static struct slices x;

static int setup(void **state)
{
    (void)state;
    return slices_init(&x, LINES * SLICE_LINE);
}

static int teardown(void **state)
{
    (void)state;
    slices_fini(&x);
    return 0;
}

static size_t offset(const void *p)
{
    return (size_t)((const char *)p - x.region.base);
}

static void the_lowest_place_that_is_long_enough(void **state)
{
    (void)state;
    void *a = slices_take(&x, 2 * SLICE_LINE);
    void *b = slices_take(&x, SLICE_LINE + 1);
    void *c = slices_take(&x, 1);
    assert_int_equal(offset(a), 0);
    assert_int_equal(offset(b), 2 * SLICE_LINE);
    assert_int_equal(offset(c), 4 * SLICE_LINE);
    slices_give(&x, a, 2 * SLICE_LINE);
    assert_int_equal(offset(slices_take(&x, 3 * SLICE_LINE)), 5 * SLICE_LINE);
    assert_ptr_equal(slices_take(&x, SLICE_LINE), a);
    slices_give(&x, b, SLICE_LINE + 1);
    assert_int_equal(offset(slices_take(&x, 3 * SLICE_LINE)), SLICE_LINE);
}

static void neighbours_join_and_the_last_shortens_what_is_in_use(void **state)
{
    (void)state;
    void *p[4];
    for (int i = 0; i < 4; i++) p[i] = slices_take(&x, SLICE_LINE);
    slices_give(&x, p[0], SLICE_LINE);
    slices_give(&x, p[2], SLICE_LINE);
    assert_int_equal(x.free_n, 2);
    slices_give(&x, p[1], SLICE_LINE);
    assert_int_equal(x.free_n, 1);
    assert_int_equal(x.free[0].n, 3);
    slices_give(&x, p[3], SLICE_LINE);
    assert_int_equal(x.free_n, 0);
    assert_int_equal(x.end, 0);
}

static void a_full_region_says_so(void **state)
{
    (void)state;
    size_t all = x.region.reserved;
    void *p = slices_take(&x, all - SLICE_LINE);
    assert_non_null(p);
    assert_null(slices_take(&x, 2 * SLICE_LINE));
    assert_non_null(slices_take(&x, SLICE_LINE));
    assert_null(slices_take(&x, 1));
    slices_give(&x, p, all - SLICE_LINE);
    assert_ptr_equal(slices_take(&x, all - SLICE_LINE), p);
}

struct held {
    unsigned char *p;
    size_t n;
    unsigned char mark;
};

static void marks_hold(const struct held *h)
{
    for (size_t i = 0; i < h->n; i++) assert_int_equal(h->p[i], h->mark);
}

static void nobodys_bytes_are_anothers(void **state)
{
    (void)state;
    static struct held held[HELD_MAX];
    struct rand_fast rnd = { 20261129 };
    unsigned n = 0;
    for (int step = 0; step < STEPS; step++) {
        uint64_t dice = rand_fast_next(&rnd);
        if (n == HELD_MAX || (n && dice % 5 < 2)) {
            struct held *h = &held[dice / 5 % n];
            marks_hold(h);
            slices_give(&x, h->p, h->n);
            *h = held[--n];
        } else {
            size_t bytes = dice / 5 % (64 * SLICE_LINE) + 1;
            unsigned char *p = slices_take(&x, bytes);
            assert_non_null(p);
            assert_int_equal(offset(p) % SLICE_LINE, 0);
            held[n] = (struct held){ p, bytes, (unsigned char)step };
            memset(p, held[n++].mark, bytes);
        }
        for (uint32_t i = 1; i < x.free_n; i++)
            assert_true(x.free[i - 1].at + x.free[i - 1].n < x.free[i].at);
    }
    slices_settle(&x); /* moves nothing */
    for (; n; n--) {
        marks_hold(&held[n - 1]);
        slices_give(&x, held[n - 1].p, held[n - 1].n);
    }
    assert_int_equal(x.end, 0);
    assert_int_equal(x.free_n, 0);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROW(the_lowest_place_that_is_long_enough),
        ROW(neighbours_join_and_the_last_shortens_what_is_in_use),
        ROW(a_full_region_says_so),
        ROW(nobodys_bytes_are_anothers),
    };
#undef ROW
    return cmocka_run_group_tests(tests, NULL, NULL);
}
