/* W3C Trace Context: what is taken, what is refused, at each byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "codec/trace_context.h"

#define GOOD "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static bool taken(const char *text)
{
    struct trace_context c;
    return trace_parent_decode(sv_cstr(text), &c) == 0;
}

static void a_parent_is_read_and_written_alike(void **state)
{
    struct trace_context c;
    char out[TRACE_PARENT_TEXT];
    (void)state;
    assert_int_equal(trace_parent_decode(SV(GOOD), &c), 0);
    assert_int_equal(c.trace_id[0], 0x0a);
    assert_int_equal(c.span_id[7], 0x31);
    assert_int_equal(c.flags, TRACE_SAMPLED);
    trace_parent_encode(out, &c);
    assert_memory_equal(out, GOOD, sizeof out);
}

static void other_flags_are_not_ours_to_pass_on(void **state)
{
    struct trace_context c;
    (void)state;
    assert_int_equal(
        trace_parent_decode(SV("00-0af7651916cd43dd8448eb211c80319c-"
                               "b7ad6b7169203331-fe"),
                            &c),
        0);
    assert_int_equal(c.flags, 0);
}

static void later_versions_are_read_as_this_one(void **state)
{
    (void)state;
    assert_true(
        taken("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    assert_true(
        taken("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
    assert_false(
        taken("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more"));
    assert_false(
        taken("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    assert_false(taken(GOOD "-more"));
}

static void zeros_are_nobodys_trace(void **state)
{
    (void)state;
    assert_false(
        taken("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
    assert_false(
        taken("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
}

static void every_other_form_is_refused(void **state)
{
    char text[sizeof GOOD];
    (void)state;
    for (size_t n = 0; n < sizeof GOOD - 1; n++) {
        struct trace_context c;
        assert_int_not_equal(trace_parent_decode(sv_of(GOOD, n), &c), 0);
    }
    for (size_t i = 0; i < sizeof GOOD - 1; i++) { /* no byte may be 'G' */
        memcpy(text, GOOD, sizeof GOOD);
        text[i] = 'G';
        assert_false(taken(text));
        text[i] = 'A'; /* upper case is no hex here */
        assert_false(taken(text));
    }
}

static void state_lists_are_judged(void **state)
{
    static const char *const good[] = {
        "rojo=00f067aa0ba902b7", "a=1,b=2", "a=1 , b=2", "a=1,,b=2",
        "fw529a3039@dt=FfAAA",   "0a@b=x",  "a=b c",
    };
    static const char *const bad[] = {
        "",      ",",       "a",    "=1",   "a=",    "A=1",    "1a=1",
        "a=1=2", "a=1,a=2", "a@=1", "@b=1", "a@1=x", "a=\x7f", "a=\x01",
    };
    char many[400];
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(trace_state_is_valid(sv_cstr(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(trace_state_is_valid(sv_cstr(bad[i])));
    for (int i = 0; i < 33; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "k%d=v,", i);
    assert_false(trace_state_is_valid(sv_of(many, n - 1)));
    assert_true(trace_state_is_valid(sv_of(many, n - 7)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parent_is_read_and_written_alike),
        cmocka_unit_test(other_flags_are_not_ours_to_pass_on),
        cmocka_unit_test(later_versions_are_read_as_this_one),
        cmocka_unit_test(zeros_are_nobodys_trace),
        cmocka_unit_test(every_other_form_is_refused),
        cmocka_unit_test(state_lists_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
