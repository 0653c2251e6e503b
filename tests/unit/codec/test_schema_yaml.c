/* YAML to the values that JSON gives. */
#include "codec/json.h"
#include "codec/yaml.h"
#include "codec_kit.h"

static struct arena a;

static int decode(const char *text, struct yaml_doc *doc, struct yaml_why *why)
{
    struct sv copy = exact(sv_cstr(text));
    arena_reset(&a);
    int rc = yaml_decode(copy, &a, doc, why);
    exact_free(copy);
    return rc;
}

static void yaml_reads_as_the_json_that_it_means(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *json;
    } rows[] = {
        { "a: 1\nb: [x, 'y', \"\\u00e9\"]", "{\"a\":1,\"b\":[\"x\",\"y\","
                                            "\"\xc3\xa9\"]}" },
        { "- null\n- ~\n-\n- ''\n", "[null,null,null,\"\"]" },
        { "[true, False, TRUE, yes, no, on]",
          "[true,false,true,\"yes\",\"no\",\"on\"]" },
        { "[12, +12, -0, 012, 0x1F, 0o17, 0b1]",
          "[12,12,-0,12,31,15,\"0b1\"]" },
        { "[1.0, .5, 5., 1e3, -.5E-2, 1.2.3, 1_000]",
          "[1.0,0.5,5,1e3,-0.5E-2,\"1.2.3\",\"1_000\"]" },
        { "[.inf, .nan, -, +, ., e5, 0x, 0xg]",
          "[\".inf\",\".nan\",\"-\",\"+\",\".\",\"e5\",\"0x\",\"0xg\"]" },
        { "[2020-01-01, 12:30, 3.0.3, 123456789012345678901234567890]",
          "[\"2020-01-01\",\"12:30\",\"3.0.3\","
          "123456789012345678901234567890]" },
        { "200: ok\nnull: x\ntrue: y", "{\"200\":\"ok\",\"null\":\"x\","
                                       "\"true\":\"y\"}" },
        { "!!str 5", "\"5\"" },
        { "! 5", "\"5\"" },
        { "!!int '5'", "5" },
        { "a: &x {b: [1, 2]}\nc: *x\nd: [*x, *x]",
          "{\"a\":{\"b\":[1,2]},\"c\":{\"b\":[1,2]},\"d\":[{\"b\":[1,2]},{"
          "\"b\":[1,2]}]}" },
        { "a: &k key\n*k : 1", "{\"a\":\"key\",\"key\":1}" },
        { "a: |\n  two\n  lines\n", "{\"a\":\"two\\nlines\\n\"}" },
        { "--- 5\n...\n", "5" },
        { "{}", "{}" },
        { "[]", "[]" },
        { "a: {}\nb: []\n", "{\"a\":{},\"b\":[]}" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct yaml_doc doc;
        struct yaml_why why = { .reason = "" };
        int rc = decode(rows[i].yaml, &doc, &why);
        struct sv text = rc ? SV("") : json_encode_val(&a, doc.root);
        if (rc != 0 || !sv_eq(text, sv_cstr(rows[i].json)))
            fail_msg("%s: %d %s, %.*s", rows[i].yaml, rc, why.reason,
                     SV_FMT(text));
    }
}

static void what_json_cannot_say_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *reason;
        uint32_t line, column;
    } rows[] = {
        { "", "nothing", 1, 1 },
        { "a: 1\nb: 2\na: 3", "twice", 3, 1 },
        { "x:\n  - {k: 1, k: 2}", "twice", 2, 12 },
        { "a: 1\n--- 2", "one document", 2, 5 },
        { "? [a]\n: 1", "must be a scalar", 1, 3 },
        { "<<: {a: 1}", "merge", 1, 1 },
        { "a: !!binary aGk=", "tag", 1, 4 },
        { "a: !mine {}", "tag", 1, 4 },
        { "a: *b", "anchor", 1, 4 },
        { "a: &a [*a]", "anchor", 1, 8 },
        { "a: [1", "", 0, 0 },
        { "\tb: 1", "", 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct yaml_doc doc;
        struct yaml_why why = { .reason = "" };
        int rc = decode(rows[i].yaml, &doc, &why);
        if (rc != ERR_INVALID || !strstr(why.reason, rows[i].reason) ||
            (rows[i].line &&
             (why.at.line != rows[i].line || why.at.column != rows[i].column)))
            fail_msg("%s: %d %u:%u %s", rows[i].yaml, rc, why.at.line,
                     why.at.column, why.reason);
    }
}

static void each_value_knows_its_line_and_column(void **state)
{
    (void)state;
    struct yaml_doc doc;
    struct yaml_why why;
    assert_int_equal(decode("a: 1\nlist:\n  - x\n  - {b: y}\n", &doc, &why), 0);
    static const struct yaml_mark want[] = {
        { 1, 1 }, { 1, 1 }, { 1, 4 }, { 2, 1 }, { 3, 3 },
        { 3, 5 }, { 4, 5 }, { 4, 6 }, { 4, 9 },
    };
    assert_int_equal(doc.values_n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_int_equal(doc.marks[i].line, want[i].line);
        assert_int_equal(doc.marks[i].column, want[i].column);
    }
}

static void a_bomb_of_aliases_and_a_deep_text_are_refused(void **state)
{
    (void)state;
    struct yaml_doc doc;
    struct yaml_why why;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++)
        buf_printf(&b, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n",
                   i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
                   i - 1);
    buf_putc(&b, '\0');
    assert_int_equal(decode(b.p, &doc, &why), ERR_INVALID);
    assert_non_null(strstr(why.reason, "aliases repeat"));
    for (int deep = 64; deep <= 65; deep++) {
        buf_clear(&b);
        for (int i = 0; i < deep; i++) buf_putc(&b, '[');
        for (int i = 0; i < deep; i++) buf_putc(&b, ']');
        buf_putc(&b, '\0');
        assert_int_equal(decode(b.p, &doc, &why), deep == 64 ? 0 : ERR_INVALID);
    }
    /* through an alias too */
    buf_clear(&b);
    buf_puts(&b, "- &d ");
    for (int i = 0; i < 40; i++) buf_putc(&b, '[');
    for (int i = 0; i < 40; i++) buf_putc(&b, ']');
    buf_puts(&b, "\n- ");
    for (int i = 0; i < 40; i++) buf_putc(&b, '[');
    buf_puts(&b, "*d");
    for (int i = 0; i < 40; i++) buf_putc(&b, ']');
    buf_putc(&b, '\0');
    assert_int_equal(decode(b.p, &doc, &why), ERR_INVALID);
    assert_non_null(strstr(why.reason, "64 levels"));
    buf_fini(&b);
}

static void every_truncation_and_flip_ends_well(void **state)
{
    (void)state;
    char text[] =
        "a: &x {b: [1, 'q', \"\\n\"]}\nc: *x\nd: |\n  t\n? e\n: 0x1\n";
    struct yaml_doc doc;
    struct yaml_why why;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct sv copy = exact(sv_of(text, n));
        arena_reset(&a);
        int rc = yaml_decode(copy, &a, &doc, &why);
        assert_true(rc == 0 || rc == ERR_INVALID);
        exact_free(copy);
    }
    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        arena_reset(&a);
        int rc = yaml_decode(sv_of(text, sizeof text - 1), &a, &doc, &why);
        assert_true(rc == 0 || rc == ERR_INVALID);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(yaml_reads_as_the_json_that_it_means),
        TEST(what_json_cannot_say_is_refused_at_its_place),
        TEST(each_value_knows_its_line_and_column),
        TEST(a_bomb_of_aliases_and_a_deep_text_are_refused),
        TEST(every_truncation_and_flip_ends_well),
    };
    arena_init(&a, 512 << 20, NULL, 0);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&a);
    return rc;
}
