/* The vocabulary: names, classes, methods, statuses, dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "codec/http.h"

static enum http_name name_of(const char *s)
{
    return http_name_of(sv_cstr(s));
}

static void every_known_name_is_found_in_any_case(void **state)
{
    (void)state;
    for (unsigned id = 1; id < HN_OURS; id++) {
        struct sv t = http_name_text((enum http_name)id);
        char *p = malloc(t.n); /* exact: nothing is read behind it */
        for (int shape = 0; shape < 3; shape++) {
            for (size_t i = 0; i < t.n; i++)
                p[i] = shape == 0 ? t.p[i] : ascii_lower(t.p[i]);
            for (size_t i = 0; shape == 2 && i < t.n; i++)
                if (p[i] >= 'a' && p[i] <= 'z') p[i] = (char)(p[i] - 32);
            assert_int_equal(http_name_of(sv_of(p, t.n)), id);
        }
        free(p);
    }
}

static void a_name_with_any_other_byte_is_another(void **state)
{
    (void)state;
    for (unsigned id = 1; id < HN_OURS; id++) {
        struct sv t = http_name_text((enum http_name)id);
        char p[40];
        for (size_t i = 0; i < t.n; i++) {
            for (unsigned c = 0; c < 256; c++) {
                if (ascii_lower((char)c) == ascii_lower(t.p[i])) continue;
                memcpy(p, t.p, t.n);
                p[i] = (char)c;
                assert_int_not_equal(http_name_of(sv_of(p, t.n)), id);
            }
        }
    }
    assert_int_equal(http_name_of(SV("")), HN_OTHER);
    assert_int_equal(name_of("H"), HN_OTHER);
    assert_int_equal(name_of("Hostx"), HN_OTHER);
}

/* gateway.md section 3, headers to the origin */
static void names_that_are_read_as_ours_are_known(void **state)
{
    (void)state;
    static const char *const ours[] = {
        "X-Typeauth-Owner",
        "x-typeauth-",
        "X_Typeauth_Scopes",
        "X-TYPEAUTH_SUBJECT",
        "X-Typeauth-Something-Nobody-Has-Thought-Of-Yet",
        "X_Request_Id",
        "x-request_id",
        "X_Forwarded_For",
        "X-Forwarded_Proto",
        "x_forwarded-host",
        "Content_Length",
        "Transfer_Encoding",
    };
    static const char *const others[] = {
        "X-Typeauth",        "XTypeauth-Owner",   "X-Request-Idx",
        "X_Request_I",       "X_Other",           "Content_Type",
        "_X-Typeauth-Owner", "X-_Typeauth-Owner",
    };
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (name_of(ours[i]) != HN_OURS) fail_msg("%s", ours[i]);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (name_of(others[i]) != HN_OTHER) fail_msg("%s", others[i]);
    assert_int_equal(name_of("X-REQUEST-ID"), HN_X_REQUEST_ID);
    assert_int_equal(name_of("via"), HN_VIA);
}

static void tokens_are_those_of_the_rfc(void **state)
{
    (void)state;
    const char *allowed = "!#$%&'*+-.^_`|~0123456789"
                          "abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (unsigned c = 0; c < 256; c++) {
        char b = (char)c;
        bool want = c && strchr(allowed, b);
        assert_int_equal(http_is_token(sv_of(&b, 1)), want);
    }
    assert_false(http_is_token(SV("")));
}

static void field_values_hold_no_controls_and_no_outer_blanks(void **state)
{
    (void)state;
    assert_true(http_is_field_value(SV("")));
    assert_true(http_is_field_value(SV("a\tb \xc3\xa4")));
    assert_false(http_is_field_value(SV("a\r\nb")));
    assert_false(http_is_field_value(sv_of("a\0b", 3)));
    assert_false(http_is_field_value(SV("\x7f")));
    assert_false(http_is_field_value(SV(" a")));
    assert_false(http_is_field_value(SV("a\t")));
}

static void lists_are_searched_by_item(void **state)
{
    (void)state;
    assert_true(http_list_has(SV("a, B ,c"), SV("b")));
    assert_false(http_list_has(SV("ab, c"), SV("b")));
    assert_false(http_list_has(SV(""), SV("b")));
}

static void methods_have_their_traits(void **state)
{
    (void)state;
    assert_int_equal(http_method_of(SV("GET")), HTTP_GET);
    assert_int_equal(http_method_of(SV("get")), HTTP_OTHER);
    assert_int_equal(http_method_of(SV("TRACE")), HTTP_TRACE);
    assert_true(http_method_is_safe(HTTP_HEAD));
    assert_false(http_method_is_safe(HTTP_PUT));
    assert_true(http_method_is_idempotent(HTTP_PUT));
    assert_true(http_method_is_idempotent(HTTP_DELETE));
    assert_false(http_method_is_idempotent(HTTP_POST));
    assert_false(http_method_is_idempotent(HTTP_OTHER));
}

static void statuses_have_their_text(void **state)
{
    (void)state;
    assert_true(sv_eq(http_status_text(404), SV("Not Found")));
    assert_true(sv_eq(http_status_text(100), SV("Continue")));
    assert_true(
        sv_eq(http_status_text(511), SV("Network Authentication Required")));
    assert_true(sv_eq(http_status_text(599), SV("Unknown")));
    unsigned known = 0;
    for (unsigned s = 0; s < 1000; s++)
        known += !sv_eq(http_status_text(s), SV("Unknown"));
    assert_int_equal(known, 54);
}

/* RFC 9110 5.6.7 */
static void dates_are_imf_fixdates(void **state)
{
    (void)state;
    char out[29];
    http_date(out, 784111777000);
    assert_memory_equal(out, "Sun, 06 Nov 1994 08:49:37 GMT", 29);
    http_date(out, 0);
    assert_memory_equal(out, "Thu, 01 Jan 1970 00:00:00 GMT", 29);
    http_date(out, 951782400000);
    assert_memory_equal(out, "Tue, 29 Feb 2000 00:00:00 GMT", 29);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_name_is_found_in_any_case),
        cmocka_unit_test(a_name_with_any_other_byte_is_another),
        cmocka_unit_test(names_that_are_read_as_ours_are_known),
        cmocka_unit_test(tokens_are_those_of_the_rfc),
        cmocka_unit_test(field_values_hold_no_controls_and_no_outer_blanks),
        cmocka_unit_test(lists_are_searched_by_item),
        cmocka_unit_test(methods_have_their_traits),
        cmocka_unit_test(statuses_have_their_text),
        cmocka_unit_test(dates_are_imf_fixdates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
