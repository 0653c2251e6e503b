/* Regular expressions in linear time: what they match, what is refused and
 * where, against the C library's engine, and what hostile ones cost. */
#include <regex.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "codec/regex.h"
#include "codec_kit.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static const struct regex *compiled(const char *pattern, bool fold)
{
    const struct regex *re;
    struct regex_error why;
    if (regex_compile(sv_cstr(pattern), fold, &arena, &re, &why))
        fail_msg("%s: %s at %zu", pattern, why.reason, why.at);
    return re;
}

static void texts_match_as_the_common_language_says(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        { "", "", true },
        { "", "x", true },
        { "abc", "xxabcxx", true },
        { "abc", "ab", false },
        { "^abc$", "abc", true },
        { "^abc$", "xabc", false },
        { "^abc$", "abc\n", false },
        { "a.c", "a\nc", false },
        { "a.c",
          "a\xff"
          "c",
          true },
        { "a|b|", "zzz", true },
        { "^(?:a|bc)+$", "abcabc", true },
        { "^(?:a|bc)+$", "abcab", false },
        { "(?i)union\\s+select", "UnIoN \t SELECT", true },
        { "union(?i:\\s+SELECT)", "union select", true },
        { "union(?i:\\s+SELECT)", "UNION select", false },
        { "a(?i)b|c", "aB", true },
        { "a(?i)b|c", "C", true },
        { "(a(?i)b)c", "aBC", false },
        { "^[a-c]{2,3}$", "abca", false },
        { "^[a-c]{2,3}$", "abc", true },
        { "^[a-c]{2}$", "abc", false },
        { "^a{3,}$", "aaaaaaa", true },
        { "^a{0}b$", "b", true },
        { "x{,3}", "x{,3}", true }, /* a literal, as everywhere */
        { "a{b}", "a{b}", true },
        { "^[^a-z]+$", "ABC1", true },
        { "^[^a-z]+$", "ABc1", false },
        { "(?i)^[^a-z]+$", "ABC", false },
        { "[]a]", "]", true },
        { "[^]a]", "]", false },
        { "[a-]", "-", true },
        { "[\\]\\-]", "-", true },
        { "[\\d_]+$", "12_", true },
        { "^\\D$", "1", false },
        { "^\\W\\S$", " x", true },
        { "[[:xdigit:][:space:]]", "g", false },
        { "[[:^digit:]]", "7", false },
        { "\\bbot\\b", "a bot.", true },
        { "\\bbot\\b", "robot", false },
        { "\\bbot\\b", "bot", true },
        { "\\Bbot", "robot", true },
        { "\\Bbot", "bot", false },
        { "^\\x41\\x{42}\\n$", "AB\n", true },
        { "\\.\\*\\$", "a.*$", true },
        { "^b\xc3\xbc{2}$", "b\xc3\xbc\xc3\xbc", true },
        { "a*?b+?", "b", true },
        { "\\Aab\\z", "ab", true },
        { "(?:a*)*$", "aaab", true },
        { "^(?:a*)*$", "aaab", false },
        { "(?:)*x", "x", true },
        { "$^", "", true },
        { "a^b", "ab", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sv text = exact(sv_cstr(rows[i].text));
        if (regex_search(compiled(rows[i].pattern, false), text) !=
            rows[i].matches)
            fail_msg("%s on %s", rows[i].pattern, rows[i].text);
        exact_free(text);
    }
    const struct regex *folding = compiled("^[a-c]x+$", true);
    assert_true(regex_search(folding, SV("BXx")));
    assert_false(regex_search(compiled("^Bx$", true), SV("BX")));
}

static void what_is_not_understood_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        size_t at;
        const char *reason;
    } rows[] = {
        { "a(b", 1, "unclosed group" },
        { "a)b", 1, "no group" },
        { "*a", 0, "nothing to repeat" },
        { "a|+", 2, "nothing to repeat" },
        { "a**", 2, "cannot be repeated" },
        { "a++", 2, "cannot be repeated" },
        { "a{2}{3}", 4, "cannot be repeated" },
        { "a{3,2}", 1, "below the first" },
        { "a{1001}", 1, "1000" },
        { "ab[c", 4, "unclosed set" },
        { "[z-a]", 2, "not a range" },
        { "[a-\\d]", 2, "not a range" },
        { "[[:nope:]]", 3, "unknown class" },
        { "[\xc3\xbc]", 1, "ASCII" },
        { "(a)\\1", 4, "back-references" },
        { "a(?=b)", 3, "look-around" },
        { "(?<name>b)", 2, "look-around" },
        { "(?-i)b", 2, "look-around" },
        { "\\pL", 1, "Unicode" },
        { "\\q", 1, "unknown escape" },
        { "ab\\", 3, "ends the pattern" },
        { "\\x4", 3, "hexadecimal" },
        { "\\x{zz}", 3, "hexadecimal" },
        { "(?:(?:a{1000}){1000}){1000}", 0, "too large" },
        { "(?:(?:(?:){1000}){1000}){1000}", 0, "too large" },
        { "(?:x.{0,400}y){2}", 0, "states" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct regex *re;
        struct regex_error why = { 0, "none" };
        struct sv text = exact(sv_cstr(rows[i].pattern));
        int rc = regex_compile(text, false, &arena, &re, &why);
        exact_free(text);
        if (rc != ERR_INVALID || why.at != rows[i].at ||
            !strstr(why.reason, rows[i].reason))
            fail_msg("%s: %d, %s at %zu", rows[i].pattern, rc, why.reason,
                     why.at);
    }
    char deep[200];
    memset(deep, '(', sizeof deep);
    struct regex_error why;
    const struct regex *re;
    assert_int_equal(
        regex_compile(sv_of(deep, sizeof deep), false, &arena, &re, &why),
        ERR_INVALID);
    assert_string_equal(why.reason, "groups are nested too deeply");
}

/* --- against the C library ------------------------------------------------------ */

static uint32_t seed = 20240229;

static unsigned random_below(unsigned n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void pattern_make(struct buf *b, int depth)
{
    static const char *const atoms[] = { "a",    "b",    "c",    ".",
                                         "[ab]", "[^a]", "[b-c]" };
    static const char *const repeats[] = { "*",   "+",     "?",
                                           "{2}", "{1,2}", "{0,3}" };
    for (unsigned n = 1 + random_below(3); n > 0; n--) {
        if (depth > 0 && random_below(3) == 0) {
            buf_puts(b, "(");
            pattern_make(b, depth - 1);
            if (random_below(2)) {
                buf_puts(b, "|");
                pattern_make(b, depth - 1);
            }
            buf_puts(b, ")");
        } else {
            buf_puts(b, atoms[random_below(ARRAY_LEN(atoms))]);
        }
        if (random_below(3) == 0)
            buf_puts(b, repeats[random_below(ARRAY_LEN(repeats))]);
    }
}

static void one_pattern_agrees(const char *pattern)
{
    regex_t other;
    assert_int_equal(regcomp(&other, pattern, REG_EXTENDED | REG_NOSUB), 0);
    const struct regex *re = compiled(pattern, false);
    for (int i = 0; i < 20; i++) {
        char text[12];
        unsigned n = random_below(sizeof text);
        for (unsigned k = 0; k < n; k++)
            text[k] = (char)('a' + random_below(3));
        text[n] = '\0';
        bool theirs = regexec(&other, text, 0, NULL, 0) == 0;
        if (regex_search(re, sv_of(text, n)) != theirs)
            fail_msg("%s on %s: C library says %d", pattern, text, theirs);
    }
    regfree(&other);
}

static void random_patterns_agree_with_the_c_library(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        char text[512];
        struct buf b;
        buf_init_fixed(&b, text, sizeof text - 1);
        if (random_below(4) == 0) buf_puts(&b, "^");
        pattern_make(&b, 2);
        if (random_below(4) == 0) buf_puts(&b, "$");
        if (b.overflow) continue;
        text[b.n] = '\0';
        one_pattern_agrees(text);
        arena_reset(&arena);
    }
}

/* --- cost ----------------------------------------------------------------------- */

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void hostile_patterns_stay_linear(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "(?:a*)*b",   "(?:a|aa)+$",          "^(?:(?:a+)+)+$",
        "(?:a|a)*x",  "(?:.*a){12}",         "(?:a?){200}a{200}",
        "a.{0,200}b", "(?:a[ab]{0,70}b){3}", "(?i)<script.{0,200}src=",
    };
    static char text[16384];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        double start = cpu_s();
        const struct regex *re = compiled(patterns[i], false);
        double built = cpu_s();
        regex_search(re, sv_of(text, sizeof text));
        double end = cpu_s();
        if (built - start > 2 || end - built > 2)
            fail_msg("%s: %.3f s to compile, %.3f s to search", patterns[i],
                     built - start, end - built);
        print_message("# %-28s cost %4u: %.1f ms, 16 KiB in %.2f ms\n",
                      patterns[i], regex_cost(re), (built - start) * 1e3,
                      (end - built) * 1e3);
    }
}

static void sets_of_states_and_the_table_say_the_same(void **state)
{
    (void)state;
    /* The first has no table, the second is the same behind an anchor. */
    const struct regex *sets = compiled("\\bx[xy]{0,60}z\\b", false);
    const struct regex *folded = compiled("\\bx[xy]{0,60}z\\b", true);
    assert_true(regex_search(sets, SV("y xyxyz.")));
    assert_false(regex_search(sets, SV("yxyxyz")));
    assert_false(regex_search(sets, SV("y xyxyzy")));
    assert_true(regex_search(folded, SV("Y XYXyZ")));
}

static void an_arena_that_is_too_small_is_no_crash(void **state)
{
    (void)state;
    for (size_t budget = 0; budget < 40000; budget += 997) {
        struct arena small;
        const struct regex *re;
        struct regex_error why;
        arena_init(&small, budget, NULL, 0);
        int rc =
            regex_compile(SV("(?:a|b)[c-x]{3,9}.*q"), false, &small, &re, &why);
        assert_true(rc == 0 || rc == ERR_NOMEM);
        arena_fini(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(texts_match_as_the_common_language_says,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_is_not_understood_is_refused_with_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(
            random_patterns_agree_with_the_c_library, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_patterns_stay_linear, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            sets_of_states_and_the_table_say_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(an_arena_that_is_too_small_is_no_crash,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
