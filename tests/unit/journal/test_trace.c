/* Traces: from an event into the keep, found by id and account, bounded,
 * losses counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "event_fixture.h"
#include "journal/journal.h"

enum { MAX = 16 };
static struct journal *j;
static struct ulid account, stranger;
static const struct sv account_id = { "acc_01JD0000000000000000000001", 30 };

static int setup(void **state)
{
    (void)state;
    const struct journal_conf conf = {
        .reactors = 2, .access_fd = -1, .sample = 1, .traces_max = MAX
    };
    assert_int_equal(ulid_decode(sv_from(account_id, 4), &account), 0);
    stranger = account;
    stranger.b[15] ^= 1;
    return journal_new(&j, &conf);
}

static int teardown(void **state)
{
    (void)state;
    journal_free(&j);
    return 0;
}

static void tell(unsigned r, struct sv request_id)
{
    const struct trace_step steps[] = {
        { .name = "credential", .ns = 120, .verdict = TRACE_PASS },
        { .name = "limits", .ns = 80, .verdict = TRACE_DENY },
    };
    const struct trace_run run = { .account_id = account_id,
                                   .steps_n = 2,
                                   .steps = steps };
    struct event e = event_usual();
    e.outcome = OUTCOME_LIMITED;
    e.code = "rate_limited";
    e.request_id = request_id;
    e.trace = &run;
    journal_event(j, r, &e);
}

static void a_trace_is_found_by_its_request_and_only_by_its_account(
    void **state)
{
    (void)state;
    struct trace t;
    tell(1, SV("one"));
    tell(0, SV("two"));
    assert_true(traces_find(j, &account, SV("one"), &t));
    assert_int_equal(t.steps_n, 2);
    assert_string_equal(t.steps[1].name, "limits");
    assert_int_equal(t.steps[1].verdict, TRACE_DENY);
    assert_int_equal(t.steps[0].ns, 120);
    assert_int_equal(t.outcome, OUTCOME_LIMITED);
    assert_int_equal(t.code_n, strlen("rate_limited"));
    assert_true(t.has_token);
    assert_false(traces_find(j, &stranger, SV("one"), &t));
    assert_false(traces_find(j, &account, SV("on"), &t));
    assert_false(traces_find(j, &account, SV(""), &t));
}

static void count(void *ctx, const struct trace *t)
{
    uint64_t *last = ctx;
    assert_true(t->number > *last);
    *last = t->number;
}

static void the_oldest_give_way_and_a_reader_sees_that_numbers_leap(
    void **state)
{
    (void)state;
    struct trace t;
    uint64_t last = 0;
    for (int i = 0; i < MAX + 5; i++) tell(0, i ? SV("later") : SV("first"));
    assert_false(traces_find(j, &account, SV("first"), &t));
    assert_int_equal(traces_after(j, 0, 3, count, &last), 3);
    assert_int_equal(last, 5 + 3);
    assert_int_equal(traces_after(j, last, 1000, count, &last), MAX - 3);
    assert_int_equal(last, MAX + 5);
    assert_int_equal(traces_after(j, last, 1000, count, &last), 0);
}

static void steps_are_those_of_the_request_however_many(void **state)
{
    (void)state;
    struct trace_step steps[TRACE_STEPS_MAX];
    for (unsigned i = 0; i < TRACE_STEPS_MAX; i++)
        steps[i] = (struct trace_step){ .name = "step", .ns = i };
    struct trace_run run = { .account_id = account_id, .steps = steps };
    struct event e = event_usual();
    e.request_id = SV("many");
    e.trace = &run;
    for (unsigned i = 0; i < 20 * MAX; i++) { /* shorter over longer and back */
        struct trace t;
        run.steps_n = (uint8_t)(i * 7 % (TRACE_STEPS_MAX + 1));
        journal_event(j, 0, &e);
        assert_true(traces_find(j, &account, SV("many"), &t));
        assert_int_equal(t.number, i + 1);
        assert_int_equal(t.steps_n, run.steps_n);
        for (unsigned k = 0; k < t.steps_n; k++)
            assert_int_equal(t.steps[k].ns, k);
    }
}

static void what_a_full_ring_does_not_take_is_counted(void **state)
{
    (void)state;
    struct traces_stats s;
    const uint64_t told = 2000;
    for (uint64_t i = 0; i < told; i++) tell(0, SV("flood"));
    traces_take(j);
    traces_stats(j, &s);
    assert_true(s.dropped > 0);
    assert_int_equal(s.kept + s.dropped, told);
}

static void long_texts_are_cut_and_an_event_without_account_is_none(
    void **state)
{
    (void)state;
    char id[300];
    struct trace t;
    struct traces_stats s;
    memset(id, 'x', sizeof id);
    tell(0, sv_of(id, sizeof id));
    assert_true(traces_find(j, &account, sv_of(id, TRACE_REQUEST_ID_MAX), &t));
    const struct trace_run run = { .account_id = SV("") };
    struct event e = event_usual();
    e.trace = &run;
    journal_event(j, 0, &e);
    traces_take(j);
    traces_stats(j, &s);
    assert_int_equal(s.kept, 1);
    assert_int_equal(s.dropped, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_trace_is_found_by_its_request_and_only_by_its_account),
        T(the_oldest_give_way_and_a_reader_sees_that_numbers_leap),
        T(steps_are_those_of_the_request_however_many),
        T(what_a_full_ring_does_not_take_is_counted),
        T(long_texts_are_cut_and_an_event_without_account_is_none),
    };
    return cmocka_run_group_tests_name("journal/trace", tests, NULL, NULL);
}
