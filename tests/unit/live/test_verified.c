/* The cache of verified tokens: what comes back is what was put, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/digest.h"
#include "live/failures.h"
#include "live/verified.h"

enum { TOKENS = 4000, TEXT_MAX = 600 };

static char text[TEXT_MAX];

/* Facts made of a number, so that they can be told later. */
struct made {
    struct verified v;
    struct sv scopes[8], values[4];
    struct verified_claim dynamic[2];
};

static struct sv text_of(unsigned i, unsigned most)
{
    return sv_of(text + i % 7, i * 2654435761u % (most + 1));
}

static const struct verified *make(struct made *m, unsigned i)
{
    memset(m, 0, sizeof *m);
    sha256(sv_of(&i, sizeof i), m->v.digest);
    m->v.image = 1 + i % 3;
    m->v.keys[0] = i;
    m->v.until_ms = INT64_MAX;
    m->v.subject = text_of(i, 40);
    m->v.subject_header = text_of(i + 1, 120);
    m->v.scopes_header = text_of(i + 2, TEXT_MAX - 10);
    if (i % 3 == 0) m->v.cnf_key = (const uint8_t *)text + i % 200;
    if (i % 5 == 0) m->v.cnf_cert = (const uint8_t *)text + i % 100;
    m->v.scopes = m->scopes;
    m->v.scopes_n = i % 9;
    for (unsigned k = 0; k < m->v.scopes_n; k++)
        m->scopes[k] = text_of(i + k, 20);
    m->v.dynamic = m->dynamic;
    m->v.dynamic_n = i % 3;
    for (unsigned k = 0; k < m->v.dynamic_n; k++) {
        m->dynamic[k] = (struct verified_claim){ m->values, i % 5, true };
        for (unsigned j = 0; j < i % 5; j++) m->values[j % 4] = text_of(j, 9);
        if (m->dynamic[k].values_n > 4) m->dynamic[k].values_n = 4;
    }
    return &m->v;
}

static void same_texts(const struct sv *a, const struct sv *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) assert_true(sv_eq(a[i], b[i]));
}

static void same_hash(const uint8_t *a, const uint8_t *b)
{
    assert_int_equal(!a, !b);
    if (a) assert_memory_equal(a, b, JWK_THUMBPRINT_BYTES);
}

static void must_equal(const struct verified *a, const struct verified *b)
{
    assert_memory_equal(a->digest, b->digest, 32);
    assert_int_equal(a->image, b->image);
    assert_int_equal(a->keys[0], b->keys[0]);
    same_hash(a->cnf_key, b->cnf_key);
    same_hash(a->cnf_cert, b->cnf_cert);
    const struct sv x[] = { a->subject, a->subject_header, a->scopes_header };
    const struct sv y[] = { b->subject, b->subject_header, b->scopes_header };
    same_texts(x, y, 3);
    assert_int_equal(a->scopes_n, b->scopes_n);
    same_texts(a->scopes, b->scopes, a->scopes_n);
    assert_int_equal(a->dynamic_n, b->dynamic_n);
    for (unsigned i = 0; i < a->dynamic_n; i++) {
        assert_int_equal(a->dynamic[i].values_n, b->dynamic[i].values_n);
        same_texts(a->dynamic[i].values, b->dynamic[i].values,
                   a->dynamic[i].values_n);
    }
}

static void what_was_written_over_is_gone_and_the_rest_is_whole(void **state)
{
    (void)state;
    struct verified_cache *c = verified_cache_new(1 << 17);
    struct made m;
    unsigned found = 0;
    for (unsigned i = 0; i < TOKENS; i++) {
        const struct verified *kept = verified_put(c, make(&m, i));
        assert_non_null(kept);
        must_equal(kept, &m.v);
        assert_ptr_equal(verified_find(c, m.v.digest, m.v.image), kept);
    }
    for (unsigned i = 0; i < TOKENS; i++) {
        make(&m, i);
        const struct verified *v = verified_find(c, m.v.digest, m.v.image);
        if (v) must_equal(v, &m.v);
        found += v != NULL;
    }
    struct verified_stats stats;
    verified_stats(c, &stats);
    assert_int_equal(stats.puts, TOKENS);
    assert_true(stats.bytes <= 1 << 17);
    assert_in_range(found, 100, TOKENS - stats.evicted);
    verified_cache_free(&c);
}

static void another_image_knows_nothing_of_a_token(void **state)
{
    (void)state;
    struct verified_cache *c = verified_cache_new(1 << 17);
    struct made m;
    make(&m, 7);
    assert_non_null(verified_put(c, &m.v));
    assert_null(verified_find(c, m.v.digest, m.v.image + 1));
    m.v.image++;
    assert_non_null(verified_put(c, &m.v)); /* in the older one's place */
    assert_non_null(verified_find(c, m.v.digest, m.v.image));
    assert_null(verified_find(c, m.v.digest, m.v.image - 1));
    m.v.digest[31] ^= 1;
    assert_null(verified_find(c, m.v.digest, m.v.image));
    verified_cache_free(&c);
}

static void what_is_too_large_or_has_no_room_is_not_kept(void **state)
{
    (void)state;
    struct made m;
    char *large = mem_zalloc(1 << 16);
    make(&m, 3);
    struct verified_cache *c = verified_cache_new(0);
    assert_null(verified_find(c, m.v.digest, m.v.image));
    assert_null(verified_put(c, &m.v));
    verified_cache_free(&c);
    c = verified_cache_new(1 << 17);
    m.v.subject = sv_of(large, 1 << 16);
    assert_null(verified_put(c, &m.v));
    assert_null(verified_find(c, m.v.digest, m.v.image));
    verified_cache_free(&c);
    mem_free(large);
}

/* --- budgets of failed signatures ------------------------------------------------ */

static struct ip address(const char *s)
{
    struct ip ip;
    assert_int_equal(ip_parse(sv_cstr(s), &ip), 0);
    return ip;
}

static unsigned fails_until_spent(struct failures *f, struct failures_of who)
{
    unsigned n = 0;
    while (!failures_spent(f, &who) && n < 100000) {
        failures_add(f, &who);
        n++;
    }
    return n;
}

static void a_budget_is_an_address_and_applications_own(void **state)
{
    (void)state;
    struct failures f = { .table = NULL };
    struct ip a = address("192.0.2.1"), b = address("192.0.2.2");
    struct ip six = address("2001:db8:1:2::1"),
              near = address("2001:db8:1:2::9"),
              far = address("2001:db8:1:3::1");
    int64_t now = 1000000;
    assert_int_equal(fails_until_spent(&f, (struct failures_of){ 1, &a, now }),
                     FAILURES_BURST);
    assert_int_equal(fails_until_spent(&f, (struct failures_of){ 1, &b, now }),
                     FAILURES_BURST);
    assert_int_equal(fails_until_spent(&f, (struct failures_of){ 2, &a, now }),
                     FAILURES_BURST);
    assert_int_equal(
        fails_until_spent(&f, (struct failures_of){ 1, &six, now }),
        FAILURES_BURST);
    struct failures_of neighbour = { 1, &near, now }, other = { 1, &far, now };
    assert_true(failures_spent(&f, &neighbour));
    assert_false(failures_spent(&f, &other));
    assert_int_equal(
        fails_until_spent(&f, (struct failures_of){ 1, NULL, now }),
        FAILURES_BURST_UNKNOWN);
    now += 10 * FAILURE_MS;
    assert_int_equal(fails_until_spent(&f, (struct failures_of){ 1, &a, now }),
                     10);
    now += 1000 * FAILURE_MS;
    assert_int_equal(fails_until_spent(&f, (struct failures_of){ 1, &a, now }),
                     FAILURES_BURST);
    failures_fini(&f);
}

static void many_forging_addresses_do_not_free_one_that_still_forges(
    void **state)
{
    (void)state;
    struct failures f = { .table = NULL };
    struct ip bad = address("198.51.100.1");
    int64_t now = 1000000;
    struct failures_of worst = { 1, &bad, now };
    fails_until_spent(&f, worst);
    for (uint32_t i = 0; i < 100000; i++) {
        struct ip ip = address("10.0.0.0");
        memcpy(ip.b + 12, &i, sizeof i);
        ip.b[12] = 10;
        failures_add(&f, &(struct failures_of){ 1, &ip, now });
    }
    assert_true(failures_spent(&f, &worst));
    failures_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_over_is_gone_and_the_rest_is_whole),
        cmocka_unit_test(another_image_knows_nothing_of_a_token),
        cmocka_unit_test(what_is_too_large_or_has_no_room_is_not_kept),
        cmocka_unit_test(a_budget_is_an_address_and_applications_own),
        cmocka_unit_test(
            many_forging_addresses_do_not_free_one_that_still_forges),
    };
    for (int i = 0; i < TEXT_MAX; i++) text[i] = (char)('a' + i % 26);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
