/* Lists of networks: which entry holds an address, against a plain reading of
 * the same lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "detect/network.h"

#define TEST(f) cmocka_unit_test(f)

enum { LIST_MAX = 400, BUDGET = 64 << 20 };

struct lists {
    struct cidr allow[LIST_MAX], deny[LIST_MAX];
    size_t allow_n, deny_n;
};

static struct arena a;
static uint64_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(sv_cstr(text), &ip), 0);
    return ip;
}

/* "10.0.0.0/8 ::1" */
static size_t list_of(const char *text, struct cidr *out)
{
    struct sv rest = sv_cstr(text), part;
    size_t n = 0;
    while (rest.n) {
        part = sv_cut(rest, ' ', &rest);
        assert_int_equal(cidr_parse(part, &out[n++]), 0);
    }
    return n;
}

static const struct network *build(const struct lists *l)
{
    const struct network *net;
    struct network_why why;
    assert_int_equal(
        network_build(&a, l->allow, l->allow_n, l->deny, l->deny_n, &net, &why),
        0);
    return net;
}

/* The rule, read plainly. */
static struct network_match plain(const struct lists *l, const struct ip *ip)
{
    struct network_match best = { NETWORK_NONE, 0 };
    int bits = -1;
    for (size_t i = 0; i < l->allow_n; i++)
        if (cidr_has(&l->allow[i], ip) && l->allow[i].bits > bits) {
            bits = l->allow[i].bits;
            best = (struct network_match){ NETWORK_ALLOW, (uint32_t)i };
        }
    for (size_t i = 0; i < l->deny_n; i++)
        if (cidr_has(&l->deny[i], ip) && l->deny[i].bits >= bits) {
            if (best.side == NETWORK_DENY && l->deny[i].bits == bits) continue;
            bits = l->deny[i].bits;
            best = (struct network_match){ NETWORK_DENY, (uint32_t)i };
        }
    return best;
}

static void the_longest_prefix_wins_between_the_lists(void **state)
{
    (void)state;
    static const struct {
        const char *allow, *deny, *ip;
        enum network_side side;
        uint32_t index;
    } rows[] = {
        { "", "", "10.0.0.1", NETWORK_NONE, 0 },
        { "", "", "::1", NETWORK_NONE, 0 },
        { "10.1.0.0/16", "10.0.0.0/8", "10.1.2.3", NETWORK_ALLOW, 0 },
        { "10.1.0.0/16", "10.0.0.0/8", "10.2.0.0", NETWORK_DENY, 0 },
        { "10.1.0.0/16", "10.0.0.0/8", "10.0.255.255", NETWORK_DENY, 0 },
        { "10.1.0.0/16", "10.0.0.0/8", "11.0.0.0", NETWORK_NONE, 0 },
        { "10.1.0.0/16", "10.0.0.0/8", "9.255.255.255", NETWORK_NONE, 0 },
        { "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", NETWORK_DENY, 0 },
        { "10.0.0.0/8 10.1.2.0/24", "10.1.0.0/16", "10.1.2.3", NETWORK_ALLOW,
          1 },
        { "10.0.0.0/8 10.1.2.0/24", "10.1.0.0/16", "10.1.3.0", NETWORK_DENY,
          0 },
        { "10.0.0.0/8 10.1.2.0/24", "10.1.0.0/16", "10.2.0.0", NETWORK_ALLOW,
          0 },
        /* the same prefix in both is denied */
        { "10.0.0.0/8", "10.0.0.0/8", "10.2.0.0", NETWORK_DENY, 0 },
        { "0.0.0.0/0", "", "255.255.255.255", NETWORK_ALLOW, 0 },
        { "0.0.0.0/0", "255.255.255.255", "255.255.255.255", NETWORK_DENY, 0 },
        { "0.0.0.0/0", "255.255.255.255", "255.255.255.254", NETWORK_ALLOW, 0 },
        { "0.0.0.0/0", "0.0.0.0", "0.0.0.0", NETWORK_DENY, 0 },
        { "0.0.0.0/0", "0.0.0.0", "0.0.0.1", NETWORK_ALLOW, 0 },
        /* the families are apart */
        { "0.0.0.0/0", "", "::1", NETWORK_NONE, 0 },
        { "::/0", "", "1.2.3.4", NETWORK_NONE, 0 },
        { "::/0", "", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NETWORK_ALLOW,
          0 },
        { "::ffff:10.0.0.0/104", "", "10.9.9.9", NETWORK_ALLOW, 0 },
        { "2001:db8::/32", "2001:db8:1::/48 2001:db8:1::7", "2001:db8:1::7",
          NETWORK_DENY, 1 },
        { "2001:db8::/32", "2001:db8:1::/48 2001:db8:1::7", "2001:db8:1::8",
          NETWORK_DENY, 0 },
        { "2001:db8::/32", "2001:db8:1::/48", "2001:db8:2::", NETWORK_ALLOW,
          0 },
        { "2001:db8::/32", "2001:db8:1::/48", "2001:db9::", NETWORK_NONE, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct lists l;
        struct ip ip = ip_of(rows[i].ip);
        l.allow_n = list_of(rows[i].allow, l.allow);
        l.deny_n = list_of(rows[i].deny, l.deny);
        struct network_match m = network_find(build(&l), &ip);
        if (m.side != rows[i].side || m.index != rows[i].index)
            fail_msg("%s | %s: %s is %d of %u", rows[i].allow, rows[i].deny,
                     rows[i].ip, (int)m.side, m.index);
    }
}

/* Few bits are in play, so that prefixes nest, touch and repeat. */
static struct cidr any_network(bool v4)
{
    struct cidr c = { .bits = (uint8_t)(v4 ? 96 + any(33) : any(129)) };
    if (v4) c.ip.b[10] = c.ip.b[11] = 0xff;
    for (size_t i = v4 ? 12 : 0; i < 16; i++)
        c.ip.b[i] = (uint8_t)(any(3) == 0 ? 0xff : any(2) << any(8));
    if (!v4 && c.bits >= 96) c.ip.b[0] = 0x20;
    for (unsigned i = c.bits; i < 128; i++)
        c.ip.b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    return c;
}

/* An address inside or just outside of a network. */
static struct ip near(const struct cidr *c)
{
    struct ip ip = c->ip;
    uint8_t fill = any(2) ? 0xff : 0;
    for (unsigned i = c->bits; i < 128; i++)
        if (fill) ip.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
    int step = (int)any(3) - 1;
    for (int i = 15; i >= 0 && step; i--) {
        int v = ip.b[i] + step;
        ip.b[i] = (uint8_t)v;
        step = v < 0 ? -1 : v > 255 ? 1 : 0;
    }
    return ip;
}

static void random_lists_answer_as_a_plain_reading(void **state)
{
    (void)state;
    static struct lists l;
    for (int round = 0; round < 300; round++) {
        l.allow_n = any(round % 3 ? 20 : LIST_MAX);
        l.deny_n = any(round % 3 ? 20 : LIST_MAX);
        for (size_t i = 0; i < l.allow_n; i++) l.allow[i] = any_network(any(2));
        for (size_t i = 0; i < l.deny_n; i++)
            l.deny[i] = l.allow_n && any(4) == 0
                            ? l.allow[any((uint32_t)l.allow_n)]
                            : any_network(any(2));
        const struct network *net = build(&l);
        for (int i = 0; i < 400; i++) {
            struct cidr c = any_network(any(2));
            if (l.allow_n && any(3)) c = l.allow[any((uint32_t)l.allow_n)];
            if (l.deny_n && any(3)) c = l.deny[any((uint32_t)l.deny_n)];
            struct ip ip = near(&c);
            struct network_match want = plain(&l, &ip);
            struct network_match got = network_find(net, &ip);
            const struct cidr *w = want.side == NETWORK_ALLOW
                                       ? &l.allow[want.index]
                                       : &l.deny[want.index];
            const struct cidr *g = got.side == NETWORK_ALLOW
                                       ? &l.allow[got.index]
                                       : &l.deny[got.index];
            assert_int_equal(got.side, want.side);
            /* of equal entries of one list either may be named */
            if (want.side) assert_int_equal(g->bits, w->bits);
            if (want.side) assert_true(ip_eq(&g->ip, &w->ip));
        }
        arena_reset(&a);
    }
}

static void what_is_no_network_is_refused_with_its_index(void **state)
{
    (void)state;
    struct cidr good[3], bad[3];
    const struct network *net;
    struct network_why why;
    assert_int_equal(list_of("10.0.0.0/8 ::/0 1.2.3.4", good), 3);
    memcpy(bad, good, sizeof bad);
    bad[1].bits = 129;
    assert_int_equal(network_build(&a, good, 3, bad, 3, &net, &why),
                     ERR_INVALID);
    assert_true(why.deny);
    assert_int_equal(why.index, 1);
    bad[1] = good[1];
    bad[2].bits = 100; /* host bits are set */
    assert_int_equal(network_build(&a, bad, 3, good, 3, &net, &why),
                     ERR_INVALID);
    assert_false(why.deny);
    assert_int_equal(why.index, 2);
    assert_int_equal(
        network_build(&a, good, NETWORK_ENTRIES_MAX, good, 1, &net, &why),
        ERR_TOOBIG);
    assert_null(net);
}

static void a_hundred_thousand_entries_are_compact(void **state)
{
    (void)state;
    enum { N = 100000 };
    static struct cidr list[N];
    const struct network *net;
    struct network_why why;
    for (uint32_t v4 = 0; v4 <= 1; v4++) {
        for (uint32_t i = 0; i < N; i++) {
            list[i] = (struct cidr){ .bits = 128 };
            if (v4) list[i].ip.b[10] = list[i].ip.b[11] = 0xff;
            list[i].ip.b[v4 ? 12 : 1] = 0x20;
            list[i].ip.b[13] = (uint8_t)(i >> 15);
            list[i].ip.b[14] = (uint8_t)(i >> 7);
            list[i].ip.b[15] = (uint8_t)(i << 1); /* none touches the next */
        }
        struct arena tight;
        arena_init(&tight, N * (v4 ? 17 : 46) + 4096, NULL, 0);
        assert_int_equal(network_build(&tight, NULL, 0, list, N, &net, &why),
                         0);
        for (uint32_t i = 0; i < N; i += 97) {
            struct network_match m = network_find(net, &list[i].ip);
            assert_int_equal(m.side, NETWORK_DENY);
            assert_int_equal(m.index, i);
            list[i].ip.b[15] |= 1;
            assert_int_equal(network_find(net, &list[i].ip).side, NETWORK_NONE);
        }
        arena_fini(&tight);
    }
}

static void an_arena_that_is_over_is_told(void **state)
{
    (void)state;
    static struct lists l;
    struct network_why why;
    l.allow_n = l.deny_n = 100;
    for (size_t i = 0; i < 100; i++) {
        l.allow[i] = any_network(true);
        l.deny[i] = any_network(false);
    }
    for (size_t budget = 0; budget < 8192; budget += 512) {
        struct arena small;
        const struct network *net;
        arena_init(&small, budget, NULL, 0);
        int rc = network_build(&small, l.allow, 100, l.deny, 100, &net, &why);
        assert_true(rc == ERR_NOMEM || (rc == 0 && net));
        if (budget == 0) assert_int_equal(rc, ERR_NOMEM);
        arena_fini(&small);
    }
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&a, BUDGET, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_longest_prefix_wins_between_the_lists),
        TEST(random_lists_answer_as_a_plain_reading),
        TEST(what_is_no_network_is_refused_with_its_index),
        TEST(a_hundred_thousand_entries_are_compact),
        TEST(an_arena_that_is_over_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
