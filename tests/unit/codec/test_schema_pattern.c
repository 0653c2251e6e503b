/* Patterns of ECMA-262: read alike, or refused. */
#include "codec/pattern.h"
#include "codec_kit.h"

static struct pattern_room *room;

static void a_pattern_finds_what_ecmascript_finds(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool found;
    } rows[] = {
        { "", "", true },
        { "b", "abc", true },
        { "^b", "abc", false },
        { "^abc$", "abc", true },
        { "^abc$", "abc\n", false },
        { "^.$", "\xf0\x9f\x90\xb2", true },
        { "^.$", "\xe2\x80\xa8", false },
        { "^\\d+$", "42", true },
        { "^\\d$", "\xdf\xa0", false },
        { "^\\w$", "\xc3\xa9", false },
        { "^\\W$", "\xc3\xa9", true },
        { "^\\s$", "\xc2\xa0", true },
        { "^\\s$", "\xef\xbb\xbf", true },
        { "^\\S$", "\xef\xbb\xbf", false },
        { "^[\\s]$", "\xc2\xa0", true },
        { "^[\\S]$", "a", true },
        { "^[^\\S]$", "a", false },
        { "^[\\s\\S]$", "\n", true },
        { "^[^]$", "\n", true },
        { "[]", "a", false },
        { "^[[a]$", "[", true },
        { "^[[:alpha:]$", ":", true },
        { "^\\u00e9$", "\xc3\xa9", true },
        { "^\\ud83d\\udc32$", "\xf0\x9f\x90\xb2", true },
        { "^\\u{1F432}$", "\xf0\x9f\x90\xb2", true },
        { "^\\x41\\cA$", "A\x01", true },
        { "^\\p{L}$", "\xc3\xa9", true },
        { "^\\p{Letter}$", "\xc3\xa9", true },
        { "^\\p{Script=Greek}$", "\xce\xb1", true },
        { "^\\P{Lu}$", "A", false },
        { "^[\\p{Lu}-]$", "-", true },
        { "^a{2}$", "aa", true },
        { "^a{,2}$", "a{,2}", true },
        { "^{$", "{", true },
        { "^}]$", "}]", true },
        { "^(a)?b\\1$", "b", true },
        { "^(?<x>a)\\k<x>$", "aa", true },
        { "^(?!a)", "a", false },
        { "(?<=a)b", "ab", true },
        { "^a+?$", "aa", true },
        { "^\\-\\/\\.\\@$", "-/.@", true },
        { "^[a\\-z]$", "-", true },
        { "^[\\b]$", "\b", true },
        { "\\bfoo\\b", "a foo", true },
        { "^#x y$", "#x y", true },
        { "^(?:)*a$", "a", true },
        { "^a|b$", "xb", true },
    };
    for (int jit = 0; jit < 2; jit++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct pattern *p;
            struct pattern_why why;
            struct sv source = exact(sv_cstr(rows[i].pattern));
            if (pattern_new(source, jit, &p, &why) != 0)
                fail_msg("%s: %s", rows[i].pattern, why.reason);
            exact_free(source);
            struct sv text = exact(sv_cstr(rows[i].text));
            enum pattern_verdict v = pattern_find(p, room, text, 10000);
            exact_free(text);
            if (v != (rows[i].found ? PATTERN_YES : PATTERN_NO))
                fail_msg("%s in %s: %d", rows[i].pattern, rows[i].text, v);
            pattern_free(&p);
        }
}

static void what_ecmascript_does_not_have_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "(",        ")",         "[",           "a**",      "a++",
        "*",        "a{2}{3}",   "+a",          "(?i)a",    "(?>a)",
        "(?#c)",    "(*ACCEPT)", "\\A",         "\\Z",      "\\z",
        "\\a",      "\\Qa\\E",   "\\K",         "\\h",      "\\R",
        "\\G",      "\\C",       "\\N",         "\\X",      "\\",
        "\\u12",    "\\ud83d",   "\\xg0",       "\\c1",     "\\p",
        "\\p{}",    "\\p{L",     "\\p{Nope}",   "\\k<x>",   "(?P<x>a)",
        "(?<1>a)",  "\\01",      "[\\S\\d]",    "a{99999}", "a{3,2}",
        "(?<=a+)b", "[b-a]",     "\\u{110000}", "(?|a)",    "(?=a",
        "^*",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct pattern *p = NULL;
        struct pattern_why why = { .reason = "" };
        if (pattern_new(sv_cstr(bad[i]), true, &p, &why) != ERR_INVALID)
            fail_msg("%s", bad[i]);
        assert_null(p);
        assert_true(why.reason[0]);
    }
}

static void a_pattern_that_doubles_its_work_is_stopped(void **state)
{
    (void)state;
    static const char *const slow[] = { "^(a+)+$", "^(a|a)*$", "(a*)*b",
                                        "^(([a-z])+.)+[A-Z]([a-z])+$" };
    char text[64];
    memset(text, 'a', sizeof text);
    text[63] = '!';
    for (int jit = 0; jit < 2; jit++)
        for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
            struct pattern *p;
            struct pattern_why why;
            assert_int_equal(pattern_new(sv_cstr(slow[i]), jit, &p, &why), 0);
            enum pattern_verdict v =
                pattern_find(p, room, sv_of(text, sizeof text), 20000);
            /* (a*)*b is known to be impossible before it is tried */
            assert_true(v == PATTERN_LIMIT || i == 2);
            pattern_free(&p);
        }
}

static void any_source_ends_well(void **state)
{
    (void)state;
    static const char parts[] = "()[]{}\\*+?|^$.,-=!<>:abuxpk01Ss";
    uint32_t seed = 12345;
    for (int round = 0; round < 20000; round++) {
        char text[12];
        size_t n = 0;
        for (; n < sizeof text; n++) {
            seed = seed * 1664525 + 1013904223;
            text[n] = parts[(seed >> 16) % (sizeof parts - 1)];
        }
        struct pattern *p = NULL;
        struct pattern_why why;
        struct sv source = exact(sv_of(text, (seed >> 8) % sizeof text));
        if (pattern_new(source, false, &p, &why) == 0)
            pattern_find(p, room, SV("aab01xu-"), 1000);
        pattern_free(&p);
        exact_free(source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pattern_finds_what_ecmascript_finds),
        TEST(what_ecmascript_does_not_have_is_refused),
        TEST(a_pattern_that_doubles_its_work_is_stopped),
        TEST(any_source_ends_well),
    };
    room = pattern_room_new();
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    pattern_room_free(&room);
    return rc;
}
