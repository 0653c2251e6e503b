/* hex, base62, UTF-8 and text rules. */
#include <math.h>

#include "base/fmt.h"
#include "codec/base62.h"
#include "codec/hex.h"
#include "codec/text.h"
#include "codec_kit.h"

static void hex_takes_both_cases_and_nothing_else(void **state)
{
    (void)state;
    uint8_t out[4];
    assert_int_equal(hex_decode(SV("00fFaB7e"), out, 4), 0);
    assert_memory_equal(out, "\x00\xff\xab\x7e", 4);
    assert_int_equal(hex_decode(SV("00fFaB7"), out, 4), ERR_INVALID);
    assert_int_equal(hex_decode(SV("00fFaB7"), out, 3), ERR_INVALID);
    assert_int_equal(hex_decode(SV("00fFaB7g"), out, 4), ERR_INVALID);
    assert_int_equal(hex_decode(SV("0x000000"), out, 4), ERR_INVALID);
    assert_int_equal(hex_decode(SV(""), out, 0), 0);
}

static void base62_has_the_smallest_length_that_holds_all_values(void **state)
{
    (void)state;
    uint8_t all[BASE62_BYTES_MAX], back[BASE62_BYTES_MAX];
    char text[BASE62_TEXT_MAX];
    memset(all, 0xff, sizeof all);
    for (size_t n = 0; n <= BASE62_BYTES_MAX; n++) {
        size_t size = base62_size(n);
        assert_int_equal(size, (size_t)ceil((double)n * 8 / log2(62)));
        assert_int_equal(base62_encode(text, all, n), size);
        assert_int_equal(base62_decode(sv_of(text, size), back, n), 0);
        assert_memory_equal(back, all, n);
    }
    assert_int_equal(base62_size(BASE62_BYTES_MAX), BASE62_TEXT_MAX);
    assert_int_equal(base62_size(32), 43);
}

static void base62_of_random_bytes_comes_back(void **state)
{
    (void)state;
    uint8_t bytes[BASE62_BYTES_MAX], back[BASE62_BYTES_MAX];
    char text[BASE62_TEXT_MAX];
    for (size_t n = 1; n <= BASE62_BYTES_MAX; n++) {
        rand_bytes(bytes, n);
        size_t size = base62_encode(text, bytes, n);
        assert_int_equal(base62_decode(sv_of(text, size), back, n), 0);
        assert_memory_equal(back, bytes, n);
        for (size_t i = 0; i < size; i++) assert_true(base62_is_digit(text[i]));
        text[size / 2] = '-';
        assert_int_equal(base62_decode(sv_of(text, size), back, n),
                         ERR_INVALID);
        memset(text, 'z', size); /* above what n bytes hold */
        assert_int_equal(base62_decode(sv_of(text, size), back, n),
                         ERR_INVALID);
    }
}

static void base62_of_known_numbers(void **state)
{
    (void)state;
    char text[8];
    uint32_t v;
    assert_int_equal(base62_encode(text, "\x00\x3d", 2), 3);
    assert_memory_equal(text, "00z", 3);
    base62_encode_u32(text, 61);
    assert_memory_equal(text, "00000z", 6);
    base62_encode_u32(text, 62);
    assert_memory_equal(text, "000010", 6);
    base62_encode_u32(text, UINT32_MAX);
    assert_int_equal(base62_decode_u32(sv_of(text, 6), &v), 0);
    assert_int_equal(v, UINT32_MAX);
    text[5]++;
    assert_int_equal(base62_decode_u32(sv_of(text, 6), &v), ERR_INVALID);
    assert_int_equal(base62_decode_u32(SV("zzzzzz"), &v), ERR_INVALID);
    assert_int_equal(base62_decode_u32(SV("00000"), &v), ERR_INVALID);
    assert_int_equal(base62_decode_u32(SV("00 000"), &v), ERR_INVALID);
}

/* The definition: a code point in its shortest form, no surrogate. */
static size_t encode(uint32_t c, char *out)
{
    if (c < 0x80) return out[0] = (char)c, 1;
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void every_code_point_is_utf8_and_no_surrogate_is(void **state)
{
    (void)state;
    char text[4];
    for (uint32_t c = 0; c < 0x120000; c++) {
        size_t n = encode(c, text);
        bool good = c < 0x110000 && !(c >= 0xd800 && c < 0xe000);
        if (utf8_is_valid(sv_of(text, n)) != good) fail_msg("U+%04x", c);
        if (good && utf8_count(sv_of(text, n)) != 1) fail_msg("U+%04x", c);
        for (size_t cut = 1; good && cut < n; cut++)
            if (utf8_is_valid(sv_of(text, cut))) fail_msg("U+%04x cut", c);
    }
}

static void overlong_and_lone_bytes_are_not_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\x80",
        "\xbf",
        "\xfe",
        "\xff",
        "a\xc3",
        "\xc3(",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(utf8_is_valid(sv_cstr(bad[i])));
    assert_true(utf8_is_valid(SV("gr\xc3\xbc\xc3\x9f"
                                 "e \xf0\x9f\x98\x80")));
    assert_int_equal(utf8_count(SV("gr\xc3\xbc\xc3\x9f"
                                   "e")),
                     5);
}

static void rules_hold_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const struct text_rule *rule;
        struct sv text;
        bool ok;
    } rows[] = {
        { &text_plain, { "a b\xc3\xbc", 5 }, true },
        { &text_plain, { "a\nb", 3 }, false },
        { &text_plain, { "a\0b", 3 }, false },
        { &text_plain, { "\x7f", 1 }, false },
        { &text_plain, { "\xc2\x85", 2 }, false }, /* NEL */
        { &text_plain, { "\xc2\xa0", 2 }, true },
        { &text_lines, { "a\nb\tc\r", 6 }, true },
        { &text_lines, { "a\0", 2 }, false },
        { &text_lines, { "\x1b[0m", 4 }, false },
        { &text_slug, { "a-9", 3 }, true },
        { &text_slug, { "A", 1 }, false },
        { &text_slug, { "a_", 2 }, false },
        { &text_word, { "A_z-9", 5 }, true },
        { &text_word, { "a.b", 3 }, false },
        { &text_word, { "a\0", 2 }, false },
        { &text_visible, { "!~", 2 }, true },
        { &text_visible, { "a b", 3 }, false },
        { &text_visible, { "\xc3\xbc", 2 }, false },
        { &text_cookie, { "X-Api.Key~", 10 }, true },
        { &text_cookie, { "a:b", 3 }, false },
        { &text_cookie, { "a\0", 2 }, false },
        { &text_hex, { "09afAF", 6 }, true },
        { &text_hex, { "g", 1 }, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sv text = exact(rows[i].text);
        if (rows[i].rule->ok(text) != rows[i].ok) fail_msg("row %zu", i);
        exact_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hex_takes_both_cases_and_nothing_else),
        TEST(base62_has_the_smallest_length_that_holds_all_values),
        TEST(base62_of_random_bytes_comes_back),
        TEST(base62_of_known_numbers),
        TEST(every_code_point_is_utf8_and_no_surrogate_is),
        TEST(overlong_and_lone_bytes_are_not_utf8),
        TEST(rules_hold_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
