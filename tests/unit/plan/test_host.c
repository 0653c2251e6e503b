/* plan/host.c: what clients send and what is configured become one key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "plan/host.h"

static const struct {
    const char *host, *key;
} HOSTS[] = {
    { "api.example.com", "api.example.com" },
    { "API.Example.COM", "api.example.com" },
    { "api.example.com:8080", "api.example.com" },
    { "api.example.com.", "api.example.com" },
    { "api.example.com.:443", "api.example.com" },
    { "api.example.com:", "api.example.com" },
    { "[::1]", "::1" },
    { "[::1]:8443", "::1" },
    { "[0:0:0:0:0:0:0:1]", "::1" },
    { "[2001:DB8::0001]", "2001:db8::1" },
    { "[::ffff:192.0.2.1]", "192.0.2.1" },
    { "192.0.2.1:80", "192.0.2.1" },
    { "@[`{AZaz09-_\x80\xff", "@[`{azaz09-_\x80\xff" },
    /* what no application can be called */
    { "", "" },
    { ".", "" },
    { ":80", "" },
    { ".example.com", "" },
    { "a:b", "" },
    { "a:80:80", "" },
    { "a:65536", "" },
    { "::1", "" },
    { "[::1", "" },
    { "[::1]x", "" },
    { "[::1]:x", "" },
    { "[]", "" },
    { "[192.0.2.1]", "" },
    { "[fe80::1%25eth0]", "" },
};

static void every_way_of_writing_a_host_becomes_one_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(HOSTS); i++) {
        char out[HOST_KEY_MAX + 1];
        size_t n = host_key(sv_cstr(HOSTS[i].host), out);
        out[n] = '\0';
        assert_string_equal(out, HOSTS[i].key);
    }
}

static const struct {
    const char *domain, *key;
} DOMAINS[] = {
    { "API.example.com", "api.example.com" },
    { "*.Example.com", ".example.com" },
    { "2001:db8::1", "2001:db8::1" },
    { "[2001:db8::1]", "2001:db8::1" },
    { "192.0.2.1", "192.0.2.1" },
    { "*..a", "" },
};

static void a_configured_wildcard_has_a_key_that_no_host_has(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(DOMAINS); i++) {
        char out[HOST_KEY_MAX + 1], again[HOST_KEY_MAX];
        size_t n = host_domain_key(sv_cstr(DOMAINS[i].domain), out);
        out[n] = '\0';
        assert_string_equal(out, DOMAINS[i].key);
        if (out[0] == '.') assert_int_equal(host_key(sv_of(out, n), again), 0);
    }
}

static void a_name_of_any_length_stays_within_its_bounds(void **state)
{
    (void)state;
    char in[HOST_KEY_MAX + 64], out[HOST_KEY_MAX];
    memset(in, 'A', sizeof in);
    for (size_t n = 0; n <= sizeof in; n++) {
        size_t got = host_key(sv_of(in, n), out);
        assert_int_equal(got, n < HOST_KEY_MAX ? n : 0);
        for (size_t i = 0; i < got; i++) assert_int_equal(out[i], 'a');
    }
}

static void letters_are_lowered_at_every_place_and_nothing_else(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 1; at < 17; at++) {
            char in[18], out[HOST_KEY_MAX];
            memset(in, 'q', sizeof in);
            in[at] = (char)c;
            if (c == ':') continue;
            assert_int_equal(host_key(sv_of(in, 18), out), 18);
            assert_int_equal((uint8_t)out[at],
                             (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_of_writing_a_host_becomes_one_key),
        cmocka_unit_test(a_configured_wildcard_has_a_key_that_no_host_has),
        cmocka_unit_test(a_name_of_any_length_stays_within_its_bounds),
        cmocka_unit_test(letters_are_lowered_at_every_place_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
