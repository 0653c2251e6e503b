/* A flood of equal incidents becomes a few whole ones and sums that add up to
 * the request; rare ones stay whole beside it; a stalled reader loses nothing
 * that is not counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "incident_fixture.h"
#include "journal/histogram.h"
#include "journal/sieve.h"

static struct sieve s;

static int setup(void **state)
{
    (void)state;
    sieve_init(&s);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sieve_fini(&s);
    return 0;
}

static void add(struct incident i, uint64_t now_s)
{
    sieve_add(&s, &i, now_s);
}

struct taken {
    uint64_t whole, sums, in_sums, findings;
};

static struct taken take_all(void)
{
    struct taken t = { 0 };
    struct incident i;
    for (struct sv bytes; (bytes = ring_peek(&s.ring)).p; ring_pop(&s.ring)) {
        assert_int_equal(incident_decode(bytes, &i), 0);
        if (i.is_sum) {
            t.sums++;
            t.in_sums += i.count;
            assert_int_equal(i.text[INCIDENT_REQUEST_ID].n, 0);
        } else {
            t.whole++;
            assert_int_equal(i.count, 1);
        }
        t.findings += i.findings_n > 0;
    }
    return t;
}

static void a_single_refusal_is_told_whole(void **state)
{
    (void)state;
    struct incident want = incident_usual(7), got;
    add(want, 100);
    assert_int_equal(incident_decode(ring_peek(&s.ring), &got), 0);
    assert_true(incident_eq(&want, &got));
    ring_pop(&s.ring);
    assert_null(ring_peek(&s.ring).p);
    assert_false(sieve_turn(&s, 101));
}

static void equal_refusals_become_a_few_and_one_sum_a_second(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 1000; n++) add(incident_usual(n), 100);
    struct taken t = take_all();
    assert_int_equal(t.whole, 8);
    assert_int_equal(t.sums, 0);
    assert_true(sieve_turn(&s, 100));
    assert_int_equal(take_all().sums, 0);
    assert_false(sieve_turn(&s, 101));
    struct incident sum;
    assert_int_equal(incident_decode(ring_peek(&s.ring), &sum), 0);
    assert_true(sum.is_sum);
    assert_int_equal(sum.count, 992);
    assert_int_equal(sum.since_ms, incident_usual(8).at_ms);
    assert_int_equal(sum.at_ms, incident_usual(999).at_ms);
    assert_true(sv_eq(sum.text[INCIDENT_CODE], SV("rate_limited")));
    assert_int_equal(sum.outcome, OUTCOME_LIMITED);
}

static void a_lasting_flood_is_one_whole_and_one_sum_a_second(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 1000; n++) add(incident_usual(n), 100);
    take_all();
    for (uint64_t second = 101; second < 161; second++)
        for (uint32_t n = 0; n < 100; n++) add(incident_usual(n), second);
    sieve_flush(&s);
    struct taken t = take_all();
    assert_int_equal(t.whole, 60);
    assert_int_equal(t.sums, 61);
    assert_int_equal(t.in_sums, 992 + 60 * 99);
}

static void a_sum_of_one_is_still_a_sum(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 9; n++) add(incident_usual(n), 100);
    sieve_flush(&s);
    struct taken t = take_all();
    assert_int_equal(t.whole, 8);
    assert_int_equal(t.sums, 1);
    assert_int_equal(t.in_sums, 1);
}

static void a_rare_finding_is_whole_amid_a_flood_of_refusals(void **state)
{
    (void)state;
    uint64_t findings = 0;
    /* nobody reads: refusals fill their half of the ring and no more */
    for (uint32_t n = 0; n < 200000; n++) {
        struct incident i = incident_usual(n);
        i.application = ulid_of(n % 40);
        add(i, 100 + n / 500);
        if (n % 4000 == 0) {
            add(incident_finding_usual(n), 100 + n / 500);
            findings++;
        }
    }
    assert_int_equal(take_all().findings, findings);
}

static void kinds_are_apart(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 100; n++) {
        add(incident_usual(n), 100);
        struct incident other = incident_usual(n);
        other.text[INCIDENT_CODE] = SV("missing_token");
        add(other, 100);
        other = incident_usual(n);
        other.application = ulid_of(5);
        add(other, 100);
        other = incident_usual(n);
        other.door = 0;
        add(other, 100);
    }
    sieve_flush(&s);
    struct taken t = take_all();
    assert_int_equal(t.whole, 4 * 8);
    assert_int_equal(t.sums, 4);
    assert_int_equal(t.in_sums, 4 * 92);
}

static void findings_of_other_verdicts_are_other_kinds(void **state)
{
    (void)state;
    struct incident sum;
    for (uint32_t n = 0; n < 101; n++) add(incident_finding_usual(n), 100);
    take_all();
    sieve_flush(&s);
    assert_int_equal(incident_decode(ring_peek(&s.ring), &sum), 0);
    assert_int_equal(sum.findings_n, 2);
    assert_true(sv_eq(sum.findings[1].code, SV("waf_blocked")));
    assert_int_equal(sum.findings[1].action, DETECTOR_BLOCK);
    assert_true(sum.findings[1].enforced);
    assert_int_equal(sum.findings[0].evidence.n, 0);
    ring_pop(&s.ring);
    struct incident other = incident_finding_usual(1);
    other.findings[1].enforced = false;
    add(other, 100);
    assert_int_equal(take_all().whole, 1);
}

static void whoever_cycles_through_kinds_is_bounded_too(void **state)
{
    (void)state;
    struct taken t = { 0 };
    for (uint32_t n = 0; n < 100000; n++) {
        struct incident i = incident_usual(n);
        i.application = ulid_of(n % 5000);
        add(i, 100 + n / 1000);
        if (n % 100) continue;
        sieve_turn(&s, 100 + n / 1000);
        struct taken now = take_all();
        t.whole += now.whole;
        t.sums += now.sums;
        t.in_sums += now.in_sums;
    }
    sieve_flush(&s);
    struct taken now = take_all();
    assert_int_equal(t.whole + t.in_sums + now.whole + now.in_sums +
                         counter_read(&s.dropped),
                     100000);
    assert_true(t.whole + now.whole <= 256 + 100 * 32);
    assert_true(t.sums + now.sums <= 101 * SIEVE_KINDS);
}

/* Of n requests with a reader that comes only at the end, or never before it:
 * what it finds and what is counted as dropped are n. */
static void a_stalled_reader_loses_exactly_what_is_counted(void **state)
{
    (void)state;
    static const uint32_t kinds[] = { 1, 3, 64, 500 };
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        uint64_t n = 0;
        sieve_fini(&s);
        sieve_init(&s);
        for (uint32_t second = 0; second < 600; second++) {
            for (uint32_t i = 0; i < 100; i++, n++) {
                struct incident x =
                    i % 3 ? incident_usual(i) : incident_finding_usual(i);
                x.application = ulid_of((uint32_t)n % kinds[k]);
                add(x, 100 + second);
            }
            sieve_turn(&s, 101 + second);
        }
        struct taken sum = take_all();
        for (int i = 0; i < 4; i++) {
            sieve_flush(&s);
            struct taken t = take_all();
            sum.whole += t.whole;
            sum.in_sums += t.in_sums;
        }
        assert_int_equal(sum.whole + sum.in_sums + counter_read(&s.dropped), n);
        assert_true(kinds[k] > 3 || counter_read(&s.dropped) == 0);
    }
}

static void long_texts_are_cut_and_long_evidence_left_out(void **state)
{
    (void)state;
    static char text[20000];
    struct incident i = incident_finding_usual(1), got;
    memset(text, 'x', sizeof text);
    for (unsigned k = 0; k < INCIDENT_TEXTS; k++)
        i.text[k] = sv_of(text, sizeof text);
    i.findings_n = FINDINGS_MAX;
    for (unsigned k = 0; k < FINDINGS_MAX; k++)
        i.findings[k] =
            (struct incident_finding){ .code = sv_of(text, 200),
                                       .evidence = sv_of(text, 3000 + k) };
    add(i, 100);
    assert_int_equal(incident_decode(ring_peek(&s.ring), &got), 0);
    assert_true(got.cut);
    assert_int_equal(got.text[INCIDENT_PATH].n, INCIDENT_PATH_MAX);
    assert_int_equal(got.findings_n, FINDINGS_MAX);
    assert_int_equal(got.findings[0].evidence.n, 3000);
    assert_int_equal(got.findings[1].evidence.n, 3001);
    for (unsigned k = 2; k < FINDINGS_MAX; k++)
        assert_int_equal(got.findings[k].evidence.n, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_single_refusal_is_told_whole),
        T(equal_refusals_become_a_few_and_one_sum_a_second),
        T(a_lasting_flood_is_one_whole_and_one_sum_a_second),
        T(a_sum_of_one_is_still_a_sum),
        T(a_rare_finding_is_whole_amid_a_flood_of_refusals),
        T(kinds_are_apart),
        T(findings_of_other_verdicts_are_other_kinds),
        T(whoever_cycles_through_kinds_is_bounded_too),
        T(a_stalled_reader_loses_exactly_what_is_counted),
        T(long_texts_are_cut_and_long_evidence_left_out),
    };
    return cmocka_run_group_tests_name("sieve", tests, NULL, NULL);
}
