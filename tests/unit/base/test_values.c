/* Views, numbers, hashes, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/fmt.h"
#include "base/hash.h"
#include "base/rand.h"
#include "base/sv.h"

/* --- hashes --------------------------------------------------------------- */

static void crcs_give_their_check_values(void **state)
{
    (void)state;
    assert_int_equal(crc32_ieee(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32_ieee(0, "", 0), 0);
    /* RFC 3720 B.4: 32 bytes of zeros, of ones, rising */
    unsigned char b[32];
    memset(b, 0, sizeof b);
    assert_int_equal(crc32c(0, b, sizeof b), 0x8a9136aa);
    memset(b, 0xff, sizeof b);
    assert_int_equal(crc32c(0, b, sizeof b), 0x62a8ab43);
    for (int i = 0; i < 32; i++) b[i] = (unsigned char)i;
    assert_int_equal(crc32c(0, b, sizeof b), 0x46dd794e);
}

static void crcs_may_be_taken_in_pieces(void **state)
{
    unsigned char b[64];
    (void)state;
    rand_bytes(b, sizeof b);
    for (size_t cut = 0; cut <= sizeof b; cut++) {
        assert_int_equal(crc32_ieee(crc32_ieee(0, b, cut), b + cut, 64 - cut),
                         crc32_ieee(0, b, 64));
        assert_int_equal(crc32c(crc32c(0, b, cut), b + cut, 64 - cut),
                         crc32c(0, b, 64));
    }
}

/* SipHash-1-3 of 0, 1 .. n-1 under the key 0, 1 .. 15, made with an
 * implementation written from the paper independently of ours (the same one
 * with 2 and 4 rounds gives the paper's appendix A, a129ca6149be45e5). */
static void siphash_gives_its_vectors(void **state)
{
    static const uint64_t want[] = {
        0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u, 0x82cb9b024dc7d44du,
        0x8bf80ab8e7ddf7fbu, 0xcf75576088d38328u, 0xdef9d52f49533b67u,
        0xc50d2b50c59f22a7u, 0xd3927d989bb11140u, 0x369095118d299a8eu,
        0x25a48eb36c063de4u, 0x79de85ee92ff097fu, 0x70c118c1f94dc352u,
        0x78a384b157b4d9a2u, 0x306f760c1229ffa7u, 0x605aa111c0f95d34u,
        0xd320d86d2a519956u, 0xcc4fdd1a7d908b66u, 0x9cf2689063dbd80cu,
        0x8ffc389cb473e63eu, 0xf21f9de58d297d1cu, 0xc0dc2f46a6cce040u,
        0xb992abfe2b45f844u, 0x7ffe7b9ba320872eu, 0x525a0e7fdae6c123u,
    };
    uint64_t key[2] = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };
    unsigned char in[64];
    (void)state;
    for (size_t n = 0; n < ARRAY_LEN(want); n++) {
        in[n] = (unsigned char)n;
        assert_int_equal(hash_sv_keyed(sv_of(in, n), key), want[n]);
    }
}

static void the_process_key_is_random_but_stays(void **state)
{
    uint64_t zero[2] = { 0 };
    (void)state;
    assert_int_equal(hash_sv(SV("x")), hash_sv(SV("x")));
    assert_int_not_equal(hash_sv(SV("x")), hash_sv_keyed(SV("x"), zero));
    assert_int_not_equal(hash_sv(SV("x")), hash_sv(SV("y")));
}

/* --- views ---------------------------------------------------------------- */

static void views_compare(void **state)
{
    (void)state;
    assert_true(sv_eq(SV(""), sv_of(NULL, 0)));
    assert_false(sv_eq(SV("a"), SV("b")));
    assert_true(sv_eq_nocase(SV("Host"), SV("hOST")));
    assert_false(sv_eq_nocase(SV("Host"), SV("Hosts")));
    assert_false(sv_eq_nocase(SV("@"), SV("`"))); /* only letters fold */
    assert_false(sv_eq_nocase(SV("["), SV("{")));
    assert_true(sv_starts(SV("abc"), SV("ab")));
    assert_false(sv_starts(SV("a"), SV("ab")));
    assert_true(sv_starts(SV(""), (struct sv){ NULL, 0 }));
    assert_true(sv_ends(SV("abc"), SV("bc")));
    assert_true(sv_ends((struct sv){ NULL, 0 }, (struct sv){ NULL, 0 }));
    assert_false(sv_ends(SV("c"), SV("bc")));
    assert_true(sv_starts_nocase(SV("Bearer x"), SV("bearer ")));
    assert_true(sv_cmp(SV("a"), SV("b")) < 0);
    assert_true(sv_cmp(SV("ab"), SV("a")) > 0);
    assert_true(sv_cmp(SV("a"), SV("ab")) < 0);
    assert_int_equal(sv_cmp(SV(""), SV("")), 0);
    assert_true(sv_cmp(SV("\x7f"), SV("\x80")) < 0); /* unsigned */
}

static void views_are_cut(void **state)
{
    struct sv rest, part;
    (void)state;
    part = sv_cut(SV("a,b"), ',', &rest);
    assert_true(sv_eq(part, SV("a")) && sv_eq(rest, SV("b")));
    part = sv_cut(SV("a,"), ',', &rest);
    assert_true(sv_eq(part, SV("a")) && rest.n == 0 && rest.p != NULL);
    part = sv_cut(SV("a"), ',', &rest);
    assert_true(sv_eq(part, SV("a")) && rest.p == NULL);
    part = sv_cut(SV(""), ',', &rest);
    assert_true(part.n == 0 && rest.p == NULL);
    assert_true(sv_eq(sv_trim(SV(" \t a b\t ")), SV("a b")));
    assert_int_equal(sv_trim(SV(" \t ")).n, 0);
    assert_true(sv_eq(sv_from(SV("abc"), 2), SV("c")));
    assert_int_equal(sv_from(SV("abc"), 9).n, 0);
    assert_true(sv_eq(sv_first(SV("abc"), 9), SV("abc")));
    assert_int_equal(sv_find(SV("abca"), 'a'), 0);
    assert_int_equal(sv_rfind(SV("abca"), 'a'), 3);
    assert_int_equal(sv_find(SV("abc"), 'x'), SIZE_MAX);
    assert_int_equal(sv_rfind(sv_of(NULL, 0), 'x'), SIZE_MAX);
}

static void only_plain_decimal_is_a_number(void **state)
{
    static const char *const bad[] = { "",    "-1",
                                       "+1",  " 1",
                                       "1 ",  "0x1",
                                       "1e3", "18446744073709551616",
                                       "1.0", "000000000000000000001" };
    uint64_t v = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (sv_to_u64(sv_cstr(bad[i]), UINT64_MAX, &v))
            fail_msg("accepted: %s", bad[i]);
    assert_true(sv_to_u64(SV("18446744073709551615"), UINT64_MAX, &v));
    assert_true(v == UINT64_MAX);
    assert_true(sv_to_u64(SV("007"), 7, &v));
    assert_int_equal(v, 7);
    assert_false(sv_to_u64(SV("8"), 7, &v));
}

/* --- numbers to text ------------------------------------------------------ */

static void decimal_agrees_with_printf(void **state)
{
    struct rand_fast r = { 3 };
    (void)state;
    for (int i = 0; i < 5000; i++) {
        uint64_t v = rand_fast_next(&r) >> (i % 64);
        if (i < 300) v = (uint64_t)i;
        if (i == 300) v = UINT64_MAX;
        char got[FMT_U64_MAX], want[32];
        size_t n = fmt_u64(got, v);
        snprintf(want, sizeof want, "%llu", (unsigned long long)v);
        assert_true(sv_eq(sv_of(got, n), sv_cstr(want)));
    }
}

static void hexadecimal_is_lower_case(void **state)
{
    unsigned char b[256];
    char out[512], want[3];
    (void)state;
    for (int i = 0; i < 256; i++) b[i] = (unsigned char)i;
    fmt_hex(out, b, 256);
    for (int i = 0; i < 256; i++) {
        snprintf(want, sizeof want, "%02x", i);
        assert_memory_equal(out + 2 * i, want, 2);
    }
}

/* --- errors --------------------------------------------------------------- */

static void every_failure_has_a_number_and_a_text_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(err_text(0), "ok");
    for (int i = 1; i < ERR_COUNT_; i++) {
        assert_non_null(err_text(-i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(err_text(-i), err_text(-k));
    }
    assert_true(ERR_NOMEM < 0 && ERR_UNSURE < 0);
    assert_string_equal(err_text(ERR_NOTFOUND), "not found");
    assert_string_equal(err_text(-ERR_COUNT_), "unknown failure");
    assert_string_equal(err_text(1), "unknown failure");
}

static void errno_values_have_a_nearest_failure(void **state)
{
    (void)state;
    assert_int_equal(err_from_errno(0), 0);
    assert_int_equal(err_from_errno(EMFILE), ERR_LIMIT);
    assert_int_equal(err_from_errno(ENOSPC), ERR_FULL);
    assert_int_equal(err_from_errno(ECONNREFUSED), ERR_REFUSED);
    assert_int_equal(err_from_errno(ECONNRESET), ERR_CLOSED);
    for (int e = 1; e < 200; e++) assert_true(err_from_errno(e) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crcs_give_their_check_values),
        cmocka_unit_test(crcs_may_be_taken_in_pieces),
        cmocka_unit_test(siphash_gives_its_vectors),
        cmocka_unit_test(the_process_key_is_random_but_stays),
        cmocka_unit_test(views_compare),
        cmocka_unit_test(views_are_cut),
        cmocka_unit_test(only_plain_decimal_is_a_number),
        cmocka_unit_test(decimal_agrees_with_printf),
        cmocka_unit_test(hexadecimal_is_lower_case),
        cmocka_unit_test(every_failure_has_a_number_and_a_text_of_its_own),
        cmocka_unit_test(errno_values_have_a_nearest_failure),
    };
    return cmocka_run_group_tests_name("base/values", tests, NULL, NULL);
}
