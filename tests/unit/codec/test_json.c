/* JSON as strict as the API promises. */
#include "codec/json.h"
#include "codec_kit.h"

static struct arena a;

static int decode(struct sv text, yyjson_doc **out, struct json_why *why)
{
    struct sv copy = exact(text);
    arena_reset(&a);
    int rc = json_decode(copy, &a, out, why);
    exact_free(copy);
    return rc;
}

static void what_the_standard_forbids_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "[01]",
        "[+1]",
        "[.5]",
        "[1.]",
        "[0x10]",
        "[NaN]",
        "[Infinity]",
        "[1e999]",
        "nul",
        "tru",
        "[1] x",
        "[1]]",
        "{\"a\" 1}",
        "[\"\t\"]",
        "[\"\\x\"]",
        "[\"\\ud800\"]",
        "[\"\\udc00\\ud800\"]",
        "[\"\xff\"]",
        "[\"\xc0\x80\"]",
        "[\"\xed\xa0\x80\"]",
        "\xef\xbb\xbf[]",
        "// c\n[]",
        "/* c */[]",
        "[1,,2]",
        "[\"a\" \"b\"]",
    };
    yyjson_doc *doc;
    struct json_why why;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (decode(sv_cstr(bad[i]), &doc, &why) != ERR_INVALID)
            fail_msg("%s", bad[i]);
        assert_non_null(why.reason);
        assert_null(doc);
    }
    assert_int_equal(decode(SV("[\"a\0b\"]"), &doc, NULL), ERR_INVALID);
}

static void duplicate_members_are_refused_by_name_at_any_depth(void **state)
{
    (void)state;
    yyjson_doc *doc;
    struct json_why why;
    assert_int_equal(
        decode(SV("[{\"x\":{\"a\":1,\"b\":2,\"a\":3}}]"), &doc, &why),
        ERR_INVALID);
    assert_true(sv_eq(why.member, SV("a")));
    assert_int_equal(decode(SV("{\"a\":1,\"\\u0061\":2}"), &doc, &why),
                     ERR_INVALID);
    assert_int_equal(decode(SV("{\"\":1,\"\":2}"), &doc, &why), ERR_INVALID);
    assert_int_equal(
        decode(SV("{\"a\":{\"a\":1},\"A\":{\"a\":1}}"), &doc, &why), 0);
    /* also among many */
    struct buf b;
    for (int twice = 0; twice < 2; twice++) {
        buf_init(&b, 1 << 20);
        buf_putc(&b, '{');
        for (int i = 0; i < 1000; i++)
            buf_printf(&b, "%s\"m%d\":%d", i ? "," : "",
                       twice && i == 900 ? 17 : i, i);
        buf_putc(&b, '}');
        assert_int_equal(decode(buf_sv(&b), &doc, &why),
                         twice ? ERR_INVALID : 0);
        buf_fini(&b);
    }
    assert_true(sv_eq(why.member, SV("m17")));
}

static void sixty_four_levels_and_no_more(void **state)
{
    (void)state;
    yyjson_doc *doc;
    char text[200];
    for (int n = 1; n <= 70; n++) {
        memset(text, '[', (size_t)n);
        memset(text + n, ']', (size_t)n);
        assert_int_equal(decode(sv_of(text, 2 * (size_t)n), &doc, NULL),
                         n <= JSON_DEPTH_MAX ? 0 : ERR_INVALID);
    }
    char *deep = malloc(1 << 20);
    memset(deep, '[', 1 << 20);
    assert_int_equal(decode(sv_of(deep, 1 << 20), &doc, NULL), ERR_INVALID);
    memset(deep + (1 << 19), ']', 1 << 19);
    assert_int_equal(decode(sv_of(deep, 1 << 20), &doc, NULL), ERR_INVALID);
    free(deep);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct sv text = SV("{\"a\":[1,-2.5e3,true,null,\"\\u00fc\\n\"],\"b\":{}}");
    yyjson_doc *doc;
    for (size_t n = 0; n < text.n; n++)
        assert_int_equal(decode(sv_first(text, n), &doc, NULL), ERR_INVALID);
    assert_int_equal(decode(text, &doc, NULL), 0);
}

static void every_flipped_bit_ends_well(void **state)
{
    (void)state;
    char text[] = "{\"a\":[1,-2.5e3,true,null,\"\\u00fc\\n\"],\"b\":{}}";
    yyjson_doc *doc;
    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        int rc = decode(sv_of(text, sizeof text - 1), &doc, NULL);
        assert_true(rc == 0 || rc == ERR_INVALID);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
}

static void integers_are_what_json_schema_calls_so(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is;
        int64_t value;
    } rows[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "1.0", true, 1 },
        { "1e2", true, 100 },
        { "-5", true, -5 },
        { "1.5", false, 0 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "9007199254740992.0", true, 9007199254740992 },
        { "1e17", false, 0 },
        { "\"1\"", false, 0 },
        { "true", false, 0 },
        { "null", false, 0 },
        { "[1]", false, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        yyjson_doc *doc;
        int64_t v = 0;
        assert_int_equal(decode(sv_cstr(rows[i].text), &doc, NULL), 0);
        bool is = json_is_int(yyjson_doc_get_root(doc), &v);
        if (is != rows[i].is || (is && v != rows[i].value))
            fail_msg("%s", rows[i].text);
    }
    int64_t v;
    assert_false(json_is_int(NULL, &v));
}

static void a_full_arena_is_no_malformed_text(void **state)
{
    (void)state;
    struct arena small;
    yyjson_doc *doc;
    char text[4000];
    memset(text, '1', sizeof text);
    for (size_t i = 1; i < sizeof text; i += 2) text[i] = ',';
    text[0] = '[';
    text[sizeof text - 1] = ']';
    text[sizeof text - 2] = '1';
    text[1] = '1';
    arena_init(&small, 4096, NULL, 0);
    assert_int_equal(json_decode(sv_of(text, sizeof text), &small, &doc, NULL),
                     ERR_NOMEM);
    arena_fini(&small);
}

static void written_text_reads_back(void **state)
{
    (void)state;
    char mem[100];
    struct buf b;
    yyjson_doc *doc;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_putc(&b, '{');
    json_put_name(&b, "a");
    json_put_text(&b, SV("x\"\\\n\x01\x7f\xc3\xbc\0y"));
    json_put_name(&b, "b");
    buf_puts(&b, "[]}");
    assert_int_equal(decode(buf_sv(&b), &doc, NULL), 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_true(sv_eq(json_text(json_find(root, "a")),
                      SV("x\"\\\n\x01\x7f\xc3\xbc\0y")));
    assert_true(yyjson_is_arr(json_find(root, "b")));
    assert_null(json_text(json_find(root, "b")).p);
    assert_null(json_text(json_find(root, "c")).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_standard_forbids_is_refused),
        TEST(duplicate_members_are_refused_by_name_at_any_depth),
        TEST(sixty_four_levels_and_no_more),
        TEST(every_truncation_is_refused),
        TEST(every_flipped_bit_ends_well),
        TEST(integers_are_what_json_schema_calls_so),
        TEST(a_full_arena_is_no_malformed_text),
        TEST(written_text_reads_back),
    };
    arena_init(&a, 64 << 20, NULL, 0);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&a);
    return rc;
}
