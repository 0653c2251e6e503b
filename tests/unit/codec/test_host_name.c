/* Host names to the one form that we compare. */
#include "codec/host.h"
#include "codec_kit.h"

static void names_come_to_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *form;
        enum host_kind kind;
    } rows[] = {
        { "example.com", "example.com", HOST_NAME },
        { "EXAMPLE.Com.", "example.com", HOST_NAME },
        { "localhost", "localhost", HOST_NAME },
        { "a-b.c1", "a-b.c1", HOST_NAME },
        { "1a.2b", "1a.2b", HOST_NAME },
        { "b\xc3\xbc"
          "cher.example",
          "xn--bcher-kva.example", HOST_NAME },
        { "B\xc3\x9c"
          "CHER.example",
          "xn--bcher-kva.example", HOST_NAME },
        { "stra\xc3\x9f"
          "e.de",
          "xn--strae-oqa.de", HOST_NAME },
        { "XN--BCHER-KVA.example", "xn--bcher-kva.example", HOST_NAME },
        { "\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88",
          "xn--r8jz45g.xn--zckzah", HOST_NAME },
        { "*.Example.com", "*.example.com", HOST_WILDCARD },
        { "*.b\xc3\xbc"
          "cher.example",
          "*.xn--bcher-kva.example", HOST_WILDCARD },
        { "127.0.0.1", "127.0.0.1", HOST_IP },
        { "[::1]", "::1", HOST_IP },
        { "2001:DB8:0:0::1", "2001:db8::1", HOST_IP },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct host h;
        struct sv text = exact(sv_cstr(rows[i].text));
        if (host_parse(text, true, &h) || h.kind != rows[i].kind ||
            strcmp(h.text, rows[i].form) != 0 || h.n != strlen(h.text))
            fail_msg("%s: %s", rows[i].text, h.text);
        exact_free(text);
    }
}

static void what_is_no_host_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "-a.b",
        "a-.b",
        "a_b.c",
        "a b",
        "a/b",
        "a:80",
        "http://a",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "a.1",
        "a.123",
        "[1.2.3.4]",
        "[::1",
        "::1]",
        "[a]",
        "*",
        "*.",
        "*.com",
        "*.1.2",
        "a.*.com",
        "**.a.com",
        "*a.b.com",
        "a@b",
        "a?b",
        "a#b",
        "\xff.com",
        "xn--a.com",
        "xn--\xc3\xbc.com",
        ("a\xe2\x80\x8d"
         "b.com"),
        "\xe3\x80\x82",
        "*.127.0.0.1",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct host h;
        struct sv text = exact(sv_cstr(bad[i]));
        if (host_parse(text, true, &h) != ERR_INVALID)
            fail_msg("%s: %s", bad[i], h.text);
        exact_free(text);
    }
    struct host h;
    assert_int_equal(host_parse(SV("*.example.com"), false, &h), ERR_INVALID);
    assert_int_equal(host_parse(SV("a\0b.com"), false, &h), ERR_INVALID);
    assert_int_equal(host_parse(SV("\xc3\xbc\0b.com"), false, &h), ERR_INVALID);
}

static void labels_and_names_have_a_longest(void **state)
{
    (void)state;
    char name[300];
    struct host h;
    memset(name, 'a', sizeof name);
    name[63] = '.';
    assert_int_equal(host_parse(sv_of(name, 65), false, &h), 0);
    assert_int_equal(host_parse(sv_of(name + 64, 64), false, &h), ERR_INVALID);
    for (size_t i = 1; i < sizeof name; i += 2) name[i] = '.';
    assert_int_equal(host_parse(sv_of(name, 253), false, &h), 0);
    assert_int_equal(host_parse(sv_of(name, 255), false, &h), ERR_INVALID);
    name[0] = '*';
    assert_int_equal(host_parse(sv_of(name, 253), true, &h), 0);
    assert_int_equal(h.n, 253);
    assert_int_equal(host_parse(sv_of(name, 255), true, &h), ERR_INVALID);
}

static void a_port_is_split_off(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        int port; /* -1: refused */
    } rows[] = {
        { "a.b", "a.b", 0 },
        { "a.b:80", "a.b", 80 },
        { "[::1]:8080", "[::1]", 8080 },
        { "[::1]", "[::1]", 0 },
        { "::1", "::1", 0 },
        { "a:65535", "a", 65535 },
        { "a:65536", "", -1 },
        { "a:0", "", -1 },
        { "a:", "", -1 },
        { "a:x", "", -1 },
        { "a:-1", "", -1 },
        { "a: 80", "", -1 },
        { ":80", "", 80 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sv host;
        uint16_t port;
        int rc = host_split(sv_cstr(rows[i].text), &host, &port);
        if (rows[i].port < 0) {
            if (rc != ERR_INVALID) fail_msg("%s", rows[i].text);
        } else if (rc || port != rows[i].port ||
                   !sv_eq(host, sv_cstr(rows[i].host))) {
            fail_msg("%s", rows[i].text);
        }
    }
}

static void a_wildcard_covers_every_depth_but_not_its_own_name(void **state)
{
    (void)state;
    struct sv w = SV("*.example.com");
    assert_true(host_under(SV("a.example.com"), w));
    assert_true(host_under(SV("b.a.example.com"), w));
    assert_false(host_under(SV("example.com"), w));
    assert_false(host_under(SV("xexample.com"), w));
    assert_false(host_under(SV(".example.com"), w));
    assert_false(host_under(SV("a.example.com"), SV("a.example.com")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_come_to_one_form),
        TEST(what_is_no_host_is_refused),
        TEST(labels_and_names_have_a_longest),
        TEST(a_port_is_split_off),
        TEST(a_wildcard_covers_every_depth_but_not_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
