/* Addresses and networks, against inet_pton and inet_ntop where they agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/rand.h"

static struct ip ip(const char *text)
{
    struct ip a;
    if (ip_parse(sv_cstr(text), &a) < 0) fail_msg("%s", text);
    return a;
}

static void addresses_are_written_in_their_one_form(void **state)
{
    static const struct {
        const char *in, *out; /* RFC 5952 */
    } rows[] = {
        { "1.2.3.4", "1.2.3.4" },
        { "0.0.0.0", "0.0.0.0" },
        { "::", "::" },
        { "::1", "::1" },
        { "1::", "1::" },
        { "2001:DB8::ABCD", "2001:db8::abcd" },
        { "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },    /* first of equal */
        { "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },          /* longest */
        { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" }, /* one stays */
        { "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
        { "0001:0002:0003:0004:0005:0006:0007:0008", "1:2:3:4:5:6:7:8" },
        { "::ffff:1.2.3.4", "1.2.3.4" },
        { "::ffff:102:304", "1.2.3.4" },
        { "64:ff9b::1.2.3.4", "64:ff9b::102:304" },
        { "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
        { "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
        { "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
        { "fe80::", "fe80::" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[IP_TEXT_MAX];
        struct ip a = ip(rows[i].in);
        size_t n = ip_format(&a, text);
        if (!sv_eq(sv_of(text, n), sv_cstr(rows[i].out)))
            fail_msg("%s: %.*s", rows[i].in, (int)n, text);
    }
}

static void malformed_addresses_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.04",
        "1.2.3.4 ",
        " 1.2.3.4",
        "0x1.2.3.4",
        "1.2.3.-4",
        "1.2.3.4/8",
        ":",
        ":::",
        "1:",
        ":1",
        "1::2::3",
        "::1:",
        ":1::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "12345::",
        "g::",
        "::1%eth0",
        "[::1]",
        "::1.2.3",
        "1.2.3.4::",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::ffff:1.2.3.256",
        "::-1",
        "1:2:3:4::5:6:7:8",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:00",
    };
    struct ip a;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (ip_parse(sv_cstr(texts[i]), &a) != ERR_INVALID)
            fail_msg("accepted: %s", texts[i]);
    assert_int_equal(ip_parse(sv_of("1.2.3.4\0", 8), &a), ERR_INVALID);
}

static void random_addresses_agree_with_the_c_library(void **state)
{
    struct rand_fast r = { 11 };
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct ip a, b;
        char ours[IP_TEXT_MAX + 1], theirs[64];
        for (int k = 0; k < 16; k++)
            a.b[k] = rand_fast_next(&r) & 3 ? 0 : (uint8_t)rand_fast_next(&r);
        if (a.b[0] == 0) a.b[0] = 1; /* they write ::1.2.3.4, we do not */
        ours[ip_format(&a, ours)] = 0;
        inet_ntop(AF_INET6, a.b, theirs, sizeof theirs);
        assert_string_equal(ours, theirs);
        assert_int_equal(ip_parse(sv_cstr(ours), &b), 0);
        assert_true(ip_eq(&a, &b));
    }
}

/* Every mutation of a good text: what we accept they accept alike. */
static void whatever_we_accept_the_c_library_accepts_alike(void **state)
{
    static const char *const seeds[] = { "192.168.10.254", "2001:db8::1:0:0:1",
                                         "::ffff:10.20.30.40" };
    struct rand_fast r = { 5 };
    unsigned accepted = 0;
    (void)state;
    for (int i = 0; i < 60000; i++) {
        char text[64];
        struct ip a;
        unsigned char theirs[16];
        snprintf(text, sizeof text, "%s", seeds[i % 3]);
        for (int k = 0; k < 2; k++)
            text[rand_fast_next(&r) % strlen(text)] =
                "0123456789abcdef:.: \x80%/"[rand_fast_next(&r) % 23];
        if (ip_parse(sv_cstr(text), &a) < 0) continue;
        accepted++;
        if (strchr(text, ':')) {
            assert_int_equal(inet_pton(AF_INET6, text, theirs), 1);
            assert_memory_equal(a.b, theirs, 16);
        } else {
            assert_int_equal(inet_pton(AF_INET, text, theirs), 1);
            assert_memory_equal(a.b + 12, theirs, 4);
        }
    }
    assert_true(accepted > 1000);
}

/* --- networks ------------------------------------------------------------- */

static void networks_hold_their_hosts_and_no_others(void **state)
{
    static const struct {
        const char *net, *host;
        bool in;
    } rows[] = {
        { "10.0.0.0/8", "10.255.255.255", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "10.1.2.3", "10.1.2.3", true },
        { "10.1.2.3", "10.1.2.2", false },
        { "192.168.4.0/22", "192.168.7.255", true },
        { "192.168.4.0/22", "192.168.8.0", false },
        { "0.0.0.0/0", "255.1.2.3", true },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "1.2.3.4", false },
        { "2001:db8::/33", "2001:db8:7fff::1", true },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "::1", "::1", true },
        { "::1", "::2", false },
        { "1.2.3.4/31", "1.2.3.5", true },
        { "1.2.3.4/31", "1.2.3.6", false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cidr c;
        struct ip a = ip(rows[i].host);
        assert_int_equal(cidr_parse(sv_cstr(rows[i].net), &c), 0);
        if (cidr_has(&c, &a) != rows[i].in)
            fail_msg("%s %s", rows[i].net, rows[i].host);
        assert_int_equal(cidr_any(&c, 1, &a), rows[i].in);
        assert_false(cidr_any(&c, 0, &a));
    }
}

static void malformed_networks_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/08",
        "10.0.0.0/8 ",
        "10.0.0.1/8",
        "10.0.0.0/8/8",
        "::1/129",
        "::1/127",
        "::/0x1",
        "2001:db8::1/64",
        "1.2.3.4/0",
        "10.0.0.0/255.0.0.0",
    };
    struct cidr c;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (cidr_parse(sv_cstr(texts[i]), &c) != ERR_INVALID)
            fail_msg("accepted: %s", texts[i]);
}

static void special_ranges_have_their_names(void **state)
{
    static const struct {
        const char *ip, *name;
    } rows[] = {
        { "8.8.8.8", NULL },
        { "2606:4700::1111", NULL },
        { "127.255.255.255", "loopback" },
        { "128.0.0.1", NULL },
        { "::1", "loopback" },
        { "::", "unspecified" },
        { "0.0.0.0", "unspecified" },
        { "0.0.0.1", "reserved" },
        { "10.0.0.1", "private" },
        { "172.31.255.255", "private" },
        { "172.32.0.0", NULL },
        { "192.168.0.0", "private" },
        { "192.169.0.0", NULL },
        { "100.127.255.255", "cgnat" },
        { "100.128.0.0", NULL },
        { "100.100.100.200", "metadata" },
        { "169.254.169.254", "metadata" },
        { "169.254.169.253", "link-local" },
        { "198.19.255.255", "reserved" },
        { "198.20.0.0", NULL },
        { "239.255.255.255", "multicast" },
        { "240.0.0.1", "reserved" },
        { "255.255.255.255", "broadcast" },
        { "fc00::1", "ula" },
        { "fdff::1", "ula" },
        { "fe80::1", "link-local" },
        { "febf::1", "link-local" },
        { "fec0::1", "reserved" },
        { "ff02::1", "multicast" },
        { "2001:db8::1", "reserved" },
        { "2001::1", "reserved" },
        { "2001:200::1", NULL },
        { "64:ff9b::10.0.0.1", "private" },
        { "64:ff9b::8.8.8.8", NULL },
        { "2002:7f00:1::", "loopback" },
        { "2002:808:808::1", NULL },
        { "::10.0.0.1", "reserved" },
        { "64:ff9b:1::1", "reserved" },
        { "fd00:ec2::254", "metadata" },
        { "100::1", "reserved" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip a = ip(rows[i].ip);
        const char *got = ip_special(&a);
        if (!got != !rows[i].name || (got && strcmp(got, rows[i].name) != 0))
            fail_msg("%s: %s", rows[i].ip, got ? got : "none");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_written_in_their_one_form),
        cmocka_unit_test(malformed_addresses_are_refused),
        cmocka_unit_test(random_addresses_agree_with_the_c_library),
        cmocka_unit_test(whatever_we_accept_the_c_library_accepts_alike),
        cmocka_unit_test(networks_hold_their_hosts_and_no_others),
        cmocka_unit_test(malformed_networks_are_refused),
        cmocka_unit_test(special_ranges_have_their_names),
    };
    return cmocka_run_group_tests_name("base/ip", tests, NULL, NULL);
}
