/* Whom do we take the client to be? */
#include "http/address.h"
#include "heads.h"

static struct cidr trusted[2];

static const struct row {
    const char *says;
    const char *peer;
    enum address_source source;
    const char *fields;
    const char *client;
    bool trusted;
} rows[] = {
    { "without a field it is the peer", "203.0.113.9", ADDRESS_X_FORWARDED_FOR,
      "", "203.0.113.9", false },
    { "an untrusted peer is not believed", "203.0.113.9",
      ADDRESS_X_FORWARDED_FOR, "X-Forwarded-For: 1.2.3.4\r\n", "203.0.113.9",
      false },
    { "a trusted peer is", "10.0.0.1", ADDRESS_X_FORWARDED_FOR,
      "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4", true },
    { "the nearest untrusted address counts, not the first", "10.0.0.1",
      ADDRESS_X_FORWARDED_FOR, "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n",
      "1.2.3.4", true },
    { "trusted proxies in between are skipped", "10.0.0.1",
      ADDRESS_X_FORWARDED_FOR,
      "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.9.9.9\r\n", "1.2.3.4", true },
    { "several fields are one list", "10.0.0.1", ADDRESS_X_FORWARDED_FOR,
      "X-Forwarded-For: 6.6.6.6\r\nA: b\r\nX-Forwarded-For: 1.2.3.4\r\n",
      "1.2.3.4", true },
    { "all trusted: the first of them", "10.0.0.1", ADDRESS_X_FORWARDED_FOR,
      "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3", true },
    { "garbage ends the walk at the last good one", "10.0.0.1",
      ADDRESS_X_FORWARDED_FOR, "X-Forwarded-For: 1.2.3.4, what, 10.0.0.2\r\n",
      "10.0.0.2", true },
    { "garbage alone leaves the peer", "10.0.0.1", ADDRESS_X_FORWARDED_FOR,
      "X-Forwarded-For: unknown\r\n", "10.0.0.1", true },
    { "an address may have a port", "10.0.0.1", ADDRESS_X_FORWARDED_FOR,
      "X-Forwarded-For: 1.2.3.4:5678\r\n", "1.2.3.4", true },
    { "so may IPv6, in brackets", "10.0.0.1", ADDRESS_X_FORWARDED_FOR,
      "X-Forwarded-For: [2001:db8::1]:443\r\n", "2001:db8::1", true },
    { "IPv4-mapped is IPv4", "10.0.0.1", ADDRESS_X_FORWARDED_FOR,
      "X-Forwarded-For: ::ffff:1.2.3.4\r\n", "1.2.3.4", true },
    { "a lookalike name is not read", "10.0.0.1", ADDRESS_X_FORWARDED_FOR,
      "X_Forwarded_For: 1.2.3.4\r\n", "10.0.0.1", true },
    { "only the configured kind of field is read", "10.0.0.1",
      ADDRESS_X_FORWARDED_FOR, "Forwarded: for=1.2.3.4\r\n", "10.0.0.1", true },
    { "Forwarded, when it is the configured one", "10.0.0.1", ADDRESS_FORWARDED,
      "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6, "
      "proto=http;FOR=\"[2001:db8::1]:1\";by=10.0.0.1, for=10.0.0.7\r\n",
      "2001:db8::1", true },
    { "a comma in quotes does not cut an element", "10.0.0.1",
      ADDRESS_FORWARDED, "Forwarded: for=1.2.3.4;host=\"a, for=6.6.6.6\"\r\n",
      "1.2.3.4", true },
    { "nor does an escaped quote end them", "10.0.0.1", ADDRESS_FORWARDED,
      "Forwarded: for=1.2.3.4;ext=\"\\\", for=6.6.6.6\"\r\n", "1.2.3.4", true },
    { "an obfuscated node is not an address", "10.0.0.1", ADDRESS_FORWARDED,
      "Forwarded: for=_hidden, for=10.0.0.2\r\n", "10.0.0.2", true },
    { "several Forwarded fields are one list, forged ones first", "10.0.0.1",
      ADDRESS_FORWARDED,
      "Forwarded: for=6.6.6.6\r\nA: b\r\nFORWARDED: for=1.2.3.4\r\n"
      "forwarded: for=10.0.0.2;proto=https\r\n",
      "1.2.3.4", true },
    { "an element with two for= says nothing", "10.0.0.1", ADDRESS_FORWARDED,
      "Forwarded: for=6.6.6.6;for=1.2.3.4, for=10.0.0.2\r\n", "10.0.0.2",
      true },
    { "a quote that the client opens does not swallow what a proxy appends",
      "10.0.0.1", ADDRESS_FORWARDED,
      "Forwarded: for=\"6.6.6.6, for=1.2.3.4;proto=https\r\n", "1.2.3.4",
      true },
    { "nor does it close with the proxy's own", "10.0.0.1", ADDRESS_FORWARDED,
      "Forwarded: for=\"6.6.6.6, for=\"[2001:db8::1]:80\"\r\n", "2001:db8::1",
      true },
    { "an element without for= is not an address", "10.0.0.1",
      ADDRESS_FORWARDED, "Forwarded: for=6.6.6.6, proto=https\r\n", "10.0.0.1",
      true },
    { "a lookalike of Forwarded is not read", "10.0.0.1", ADDRESS_FORWARDED,
      "X-Forwarded: for=6.6.6.6\r\nForwarded-For: 6.6.6.6\r\n", "10.0.0.1",
      true },
    { "a trusted IPv6 peer", "fd00::1", ADDRESS_X_FORWARDED_FOR,
      "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4", true },
};

static void the_client_is_the_nearest_untrusted_address(void **state)
{
    (void)state;
    static struct http_head h;
    char memory[2048];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct ip peer = ip_of(r->peer), client = ip_of(r->client);
        struct address_trust trust = { trusted, 2, r->source };
        head_request(&h, memory, sizeof memory, NULL, r->fields);
        struct address a = address_of(&h, &peer, &trust);
        if (!a.known || a.peer_trusted != r->trusted ||
            !ip_eq(&a.client, &client) || !ip_eq(&a.peer, &peer))
            head_fail(r->says, r->fields);
    }
}

static void a_long_list_is_read_from_its_near_end(void **state)
{
    (void)state;
    static struct http_head h;
    char memory[8192], fields[4096];
    struct ip peer = ip_of("10.0.0.1"), client = ip_of("1.2.3.4");
    struct address_trust trust = { trusted, 2, ADDRESS_X_FORWARDED_FOR };
    int n = snprintf(fields, sizeof fields, "X-Forwarded-For: ");
    for (int i = 0; i < 100; i++)
        n += snprintf(fields + n, sizeof fields - (size_t)n, "6.6.6.6, ");
    snprintf(fields + n, sizeof fields - (size_t)n, "1.2.3.4, 10.0.0.2\r\n");
    head_request(&h, memory, sizeof memory, NULL, fields);
    struct address a = address_of(&h, &peer, &trust);
    assert_true(ip_eq(&a.client, &client));
}

static void without_an_address_nobody_is_known(void **state)
{
    (void)state;
    static struct http_head h;
    char memory[512];
    struct ip zero = { { 0 } };
    struct address_trust trust = { trusted, 2, ADDRESS_X_FORWARDED_FOR };
    head_request(&h, memory, sizeof memory, NULL,
                 "X-Forwarded-For: 1.2.3.4\r\n");
    assert_false(address_of(&h, &zero, &trust).known);
    assert_false(address_of(&h, NULL, &trust).known);
}

int main(void)
{
    assert_int_equal(cidr_parse(SV("10.0.0.0/8"), &trusted[0]), 0);
    assert_int_equal(cidr_parse(SV("fd00::/8"), &trusted[1]), 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_is_the_nearest_untrusted_address),
        cmocka_unit_test(a_long_list_is_read_from_its_near_end),
        cmocka_unit_test(without_an_address_nobody_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
