/* What an answer says about its own life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/freshness.h"
#include "codec/http1.h"

static uint32_t fresh(const char *fields)
{
    char text[1024];
    struct http_head head;
    struct http1_refusal why;
    size_t searched = 0;
    struct http1_limits limits = { 16384, 8192, 64 };
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", fields);
    assert_true(http1_response_scan(sv_cstr(text), &searched, &limits, HTTP_GET,
                                    &head, &why) > 0);
    return freshness_s(&head);
}

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static void freshness_follows_the_fields(void **state)
{
    static const struct {
        const char *fields;
        uint32_t s;
    } cases[] = {
        { "", 0 },
        { "Cache-Control: max-age=60\r\n", 60 },
        { "Cache-Control: public , MAX-AGE=\"60\" ,x=y\r\n", 60 },
        { "Cache-Control: max-age=60, max-age=30\r\n", 30 },
        { "Cache-Control: max-age=60\r\nCache-Control: max-age=20\r\n", 20 },
        { "Cache-Control: max-age=60\r\nAge: 10\r\n", 50 },
        { "Cache-Control: max-age=60\r\nAge: 100\r\n", 1 },
        { "Cache-Control: max-age=60\r\nAge: x\r\n", 60 },
        { "Cache-Control: max-age=0\r\n", 1 },
        { "Cache-Control: no-store, max-age=60\r\n", 1 },
        { "Cache-Control: no-cache\r\n", 1 },
        { "Cache-Control: max-age=99999999999999999999\r\n", UINT32_MAX },
        { "Cache-Control: max-age=-1\r\n", 0 },
        { "Cache-Control: max-age=\r\n", 0 },
        { "Cache-Control: max-age\r\n", 0 },
        { "Cache-Control: s-maxage=5\r\n", 0 },
        { "Cache-Control: ,,=,\r\n", 0 },
        { DATE "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", 60 },
        { DATE "Expires: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 1 },
        { DATE "Expires: 0\r\n", 1 },
        { "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", 1 },
        { DATE "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n"
               "Cache-Control: max-age=5\r\n",
          5 },
        { DATE "Expires: Sun, 31 Dec 9999 23:59:59 GMT\r\n", UINT32_MAX },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (fresh(cases[i].fields) != cases[i].s)
            fail_msg("%s: %u", cases[i].fields, fresh(cases[i].fields));
}

static void dates_are_read_as_they_are_written(void **state)
{
    char text[29];
    int64_t ms;
    static const int64_t times[] = { 0, 784111777000, 951782400000,
                                     4102444799000 };
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        http_date(text, times[i]);
        assert_int_equal(http_date_decode(sv_of(text, 29), &ms), 0);
        assert_int_equal(ms, times[i]);
        for (size_t n = 0; n < 29; n++)
            assert_int_not_equal(http_date_decode(sv_of(text, n), &ms), 0);
    }
    static const char *const bad[] = {
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nuv 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08-49-37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_not_equal(http_date_decode(sv_cstr(bad[i]), &ms), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freshness_follows_the_fields),
        cmocka_unit_test(dates_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests_name("codec/freshness", tests, NULL, NULL);
}
