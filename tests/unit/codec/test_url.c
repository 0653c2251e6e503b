/* URLs that we call ourselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/url.h"

static void urls_are_split_into_what_a_call_needs(void **state)
{
    static const struct {
        const char *text, *host, *target;
        uint16_t port;
        bool tls, port_given;
    } cases[] = {
        { "https://a.example", "a.example", "", 443, true, false },
        { "HTTPS://A.Example:443/", "a.example", "/", 443, true, false },
        { "http://a.example:8080/k?x=%2F", "a.example", "/k?x=%2F", 8080, false,
          true },
        { "https://a.example?x", "a.example", "?x", 443, true, false },
        { "https://[::1]:8443/x", "::1", "/x", 8443, true, true },
        { "https://127.0.0.1/", "127.0.0.1", "/", 443, true, false },
        { "https://b\xc3\xbc"
          "cher.example/",
          "xn--bcher-kva.example", "/", 443, true, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct url u;
        assert_int_equal(url_decode(sv_cstr(cases[i].text), &u), 0);
        assert_string_equal(u.host.text, cases[i].host);
        assert_true(sv_eq(u.target, sv_cstr(cases[i].target)));
        assert_int_equal(u.port, cases[i].port);
        assert_int_equal(u.tls, cases[i].tls);
        assert_int_equal(u.port_given, cases[i].port_given);
    }
}

static void what_two_readers_could_take_differently_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "a.example",
        "ftp://a.example/",
        "https:/a.example",
        "https://",
        "https:///x",
        "https://user@a.example/",
        "https://a:b@c.example/",
        "https://a.example/#x",
        "https://a.example#x",
        "https://a.example\\b/",
        "https://a.example/ x",
        "https://a.example/\r\nX: y",
        "https://a.example/\x7f",
        "https://a.example/\xc3\xbc",
        "https://a.example/%",
        "https://a.example/%0",
        "https://a.example/%0g",
        "https://a.example:0/",
        "https://a.example:65536/",
        "https://a.example:/",
        "https://::1/",
        "https://[::1/",
        "https://*.example/",
        " https://a.example/",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct url u;
        if (url_decode(sv_cstr(cases[i]), &u) == 0)
            fail_msg("taken: %s", cases[i]);
    }
    char longest[URL_BYTES_MAX + 2];
    snprintf(longest, sizeof longest, "https://a.example/%*s", 1, "");
    memset(longest + 18, 'x', sizeof longest - 18);
    struct url u;
    assert_int_equal(url_decode(sv_of(longest, URL_BYTES_MAX), &u), 0);
    assert_int_not_equal(url_decode(sv_of(longest, URL_BYTES_MAX + 1), &u), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_split_into_what_a_call_needs),
        cmocka_unit_test(what_two_readers_could_take_differently_is_refused),
    };
    return cmocka_run_group_tests_name("codec/url", tests, NULL, NULL);
}
