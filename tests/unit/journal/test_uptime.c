/* An hour of probes: counts, quantiles, and the form at rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/rand.h"
#include "journal/uptime.h"

static struct rand_fast rnd;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(rand_fast_next(&rnd) % n);
}

static struct uptime_probe probe(uint16_t code, uint32_t total_us, bool failed)
{
    return (struct uptime_probe){ .failed = failed,
                                  .code = code,
                                  .total_us = total_us,
                                  .phase_us = { 100, 200, 300, total_us } };
}

static void counts_are_of_answers_and_of_probes(void **state)
{
    static const uint16_t codes[] = { 200, 500, 200, 404, 302, 301, 200 };
    struct uptime_hour h = { .hour = 1 };
    struct uptime_sum s = { 0 };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct uptime_probe p =
            probe(codes[i], (uint32_t)(i + 1) * 1000, codes[i] != 200);
        uptime_add(&h, &p);
    }
    struct uptime_probe none = { .failed = true }; /* refused */
    uptime_add(&h, &none);
    uptime_merge(&s, &h);
    uptime_merge(&s, &h);
    assert_int_equal(s.probes, 16);
    assert_int_equal(s.answers, 14);
    assert_int_equal(s.failures, 10);
    assert_int_equal(s.min_us, 1000);
    assert_int_equal(s.max_us, 7000);
    assert_int_equal(s.sum_us, 56000);
    assert_int_equal(s.phase_sum_us[UPTIME_TLS], 14 * 300);
    assert_int_equal(s.codes_n, 4);
    assert_true(s.codes[0].code == 200 && s.codes[0].n == 6);
    assert_int_equal(s.other_codes, 2); /* a fifth code an hour */
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void quantiles_of_merged_hours_are_within_a_quarter(void **state)
{
    enum { HOURS = 24, A_HOUR = 120 };
    static const double qs[] = { 0, 0.5, 0.9, 0.95, 0.99, 1 };
    static uint32_t all[HOURS * A_HOUR];
    struct uptime_sum s = { 0 };
    (void)state;
    for (unsigned i = 0; i < HOURS; i++) {
        struct uptime_hour h = { .hour = i };
        for (unsigned k = 0; k < A_HOUR; k++) {
            /* log-uniform, 0.2 ms to 26 s */
            uint32_t us = 200u << below(17);
            us += below(us);
            struct uptime_probe p = probe(200, us, false);
            uptime_add(&h, &p);
            all[i * A_HOUR + k] = us;
        }
        uptime_merge(&s, &h);
    }
    qsort(all, ARRAY_LEN(all), sizeof all[0], ascending);
    for (size_t i = 0; i < ARRAY_LEN(qs); i++) {
        size_t rank = (size_t)ceil(qs[i] * (double)ARRAY_LEN(all));
        if (rank) rank--;
        double exact = all[rank], got = (double)uptime_quantile_us(&s, qs[i]);
        if (got < exact || got > exact * 1.26)
            fail_msg("q %g: %g, exactly %g", qs[i], got, exact);
    }
    struct uptime_sum empty = { 0 };
    assert_int_equal(uptime_quantile_us(&empty, 0.5), 0);
}

static struct uptime_hour any_hour(uint32_t hour)
{
    struct uptime_hour h = { .hour = hour };
    for (unsigned n = below(130); n; n--) {
        struct uptime_probe p = probe((uint16_t)(below(3) ? 200 : below(600)),
                                      below(3000) * below(10000), !below(4));
        uptime_add(&h, &p);
    }
    return h;
}

static void an_hour_comes_back_from_rest_as_it_was(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        struct uptime_hour h = any_hour(i), back;
        struct buf b;
        buf_init(&b, 1024);
        uptime_encode(&h, &b);
        assert_true(b.n <= UPTIME_BYTES_MAX);
        assert_int_equal(uptime_decode(buf_sv(&b), i, &back), 0);
        assert_memory_equal(&back, &h, sizeof h);
        buf_fini(&b);
    }
}

/* Every cut, every bit: refused or read, never beyond. */
static void what_was_cut_or_altered_does_no_harm(void **state)
{
    struct uptime_hour h = any_hour(7), back;
    struct buf b;
    (void)state;
    buf_init(&b, 1024);
    uptime_encode(&h, &b);
    for (size_t n = 0; n < b.n; n++) {
        char *cut = malloc(n ? n : 1); /* sanitizers see its end */
        memcpy(cut, b.p, n);
        int err = uptime_decode(sv_of(cut, n), 7, &back);
        assert_true(err == 0 || err == ERR_CORRUPT);
        free(cut);
    }
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] ^= (char)(1 << bit % 8);
        int err = uptime_decode(buf_sv(&b), 7, &back);
        assert_true(err == 0 || err == ERR_CORRUPT || err == ERR_VERSION);
        b.p[bit / 8] ^= (char)(1 << bit % 8);
    }
    buf_fini(&b);
    assert_int_equal(uptime_decode(SV("\3"), 7, &back), ERR_VERSION);
    assert_int_equal(uptime_decode(SV(""), 7, &back), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_of_answers_and_of_probes),
        cmocka_unit_test(quantiles_of_merged_hours_are_within_a_quarter),
        cmocka_unit_test(an_hour_comes_back_from_rest_as_it_was),
        cmocka_unit_test(what_was_cut_or_altered_does_no_harm),
    };
    rnd.s = 20261128;
    return cmocka_run_group_tests_name("journal/uptime", tests, NULL, NULL);
}
