/* Expression rules: what they say of one request, what is refused and where. */
#include "codec/expression.h"
#include "base/buf.h"
#include "codec_kit.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 32 << 20, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

#define FIELD(n, v)                                          \
    {                                                        \
        { n, sizeof(n) - 1 }, { v, sizeof(v) - 1 }, HN_OTHER \
    }
static const struct http_field sent[] = {
    FIELD("Host", "api.example.com"),
    FIELD("User-Agent", "sqlmap/1.7 (https://sqlmap.org)"),
    FIELD("X-Tag", "one"),
    FIELD("x-tag", "two"),
    FIELD("Cookie", "a=1; session=\"abc\"; mail=x%40y"),
    FIELD("Cookie", "b=2"),
};
static const struct sv scopes[] = { { "read", 4 }, { "write", 5 } };

static struct expression_request request(void)
{
    struct expression_request r = {
        .method = SV("POST"),
        .host = SV("api.example.com"),
        .target = SV("/Admin/%61b?q=a+b%2fc&q=2&e="),
        .path = SV("/Admin/%61b"),
        .query = SV("q=a+b%2fc&q=2&e="),
        .fields = sent,
        .fields_n = ARRAY_LEN(sent),
        .has_ip = true,
        .country = SV("DE"),
        .asn = 64500,
        .token_id = SV("tok_1"),
        .token_owner = SV("alice"),
        .token_scopes = scopes,
        .token_scopes_n = ARRAY_LEN(scopes),
    };
    assert_int_equal(ip_parse(SV("10.1.2.3"), &r.ip), 0);
    return r;
}

static const struct expression *compiled(const char *text)
{
    const struct expression *e;
    struct expression_error why;
    struct sv source = exact(sv_cstr(text));
    if (expression_compile(source, &arena, &e, &why))
        fail_msg("%s\n%u:%u: %s", text, why.line, why.column, why.message);
    exact_free(source);
    return e;
}

static void expressions_hold_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool holds;
    } rows[] = {
        /* fields, by both names */
        { "http.request.method eq \"POST\"", true },
        { "method eq \"post\"", false },
        { "lower(method) eq \"post\"", true },
        { "http.host eq \"API.example.com\"", true },
        { "host ends_with \".example.com\"", true },
        { "host matches \"^API\"", true },
        { "host contains \"EXAMPLE\"", true },
        { "host in {\"x\" \"Api.Example.com\"}", true },
        { "http.request.uri contains \"?q=\"", true },
        { "path eq \"/Admin/%61b\"", true },
        { "url_decode(path) eq \"/Admin/ab\"", true },
        { "lower(url_decode(path)) starts_with \"/admin/ab\"", true },
        { "url_decode(lower(path)) eq \"/admin/ab\"", true },
        { "lower(path) contains \"/admin\"", true },
        { "lower(path) contains \"nothing\"", false },
        { "http.request.uri.query eq \"q=a+b%2fc&q=2&e=\"", true },
        { "user_agent contains \"sqlmap\"", true },
        { "http.user_agent matches \"(?i)SQLMAP/\\d\"", true },
        { "referer eq \"\"", true },
        { "cookie contains \"session\"", true },
        { "country eq \"de\"", true },
        { "ip.geoip.country in {\"FR\" \"DE\"}", true },
        { "ip.src.asnum eq 64500", true },
        { "asn in {1..5 64496..64511}", true },
        { "asn in {1..5, 64501}", false },
        { "asn not in {1..5}", true },
        { "asn ge 64500 and asn le 64500", true },
        { "asn gt 64500 or asn lt 64500", false },
        { "asn >= 64500 && asn < 64501 && asn != 7", true },
        /* addresses */
        { "ip.src in {10.0.0.0/8 192.0.2.1}", true },
        { "ip.src in {192.0.2.1 2001:db8::/32}", false },
        { "ip eq 10.1.2.3", true },
        { "ip ne 10.1.2.3", false },
        { "ip == 10.1.2.0/24", true },
        { "ip in {10.1.2.4..10.1.2.9}", false },
        { "ip in {10.1.2.1..10.1.2.3}", true },
        { "ip in {::/0}", false },
        { "ip in {::..1::}", false },
        { "ip in {::/0 10.1.2.3}", true },
        { "ip in {::/0 0.0.0.0/0}", true },
        { "ip in {::ffff:10.0.0.0/104}", true },
        { "ip in {10.0.0.0/8 10.1.0.0/16 10.1.2.3 0.0.0.0/0}", true },
        { "not ip in {10.0.0.0/8}", false },
        { "ip not in {10.0.0.0/8}", false },
        /* texts: any of them */
        { "headers[\"X-TAG\"] eq \"two\"", true },
        { "headers[\"x-tag\"] eq \"three\"", false },
        { "headers[\"x-tag\"] ne \"two\"", false },
        { "headers[\"x-tag\"] ne \"three\"", true },
        { "any(http.request.headers[\"x-tag\"][*] eq \"one\")", true },
        { "headers[\"x-none\"] eq \"\"", true },
        { "cookies[\"session\"] eq \"abc\"", true },
        { "cookies[\"b\"] eq \"2\"", true },
        { "cookies[\"c\"] eq \"2\"", false },
        { "args[\"q\"] eq \"a b/c\"", true },
        { "http.request.uri.args[\"q\"] eq \"2\"", true },
        { "args[\"e\"] eq \"\"", true },
        { "len(args[\"q\"]) eq 5", true },
        { "len(path) gt 100", false },
        { "len(headers[\"x-tag\"]) in {3}", true },
        /* token */
        { "token.id eq \"tok_1\" and token.owner eq \"alice\"", true },
        { "token.scopes eq \"write\"", true },
        { "token.scopes in {\"admin\" \"none\"}", false },
        { "token.tags eq \"\"", true },
        { "token.subject eq \"\"", true },
        /* texts and sets */
        { "method in {\"GET\" \"POST\" \"PUT\"}", true },
        { "method in {\"A\", \"Z\"}", false },
        { "path contains \"\"", true },
        { "path starts_with \"/Admin\"", true },
        { "starts_with(path, \"/Admin\")", true },
        { "ends_with(lower(path), \"%61c\")", false },
        { "ends_with(path, \"%61b\")", true },
        { "path eq r\"/Admin/%61b\"", true },
        { "user_agent matches r#\"sqlmap/[0-9.]+ \\(\"#", true },
        { "path eq \"\\x2fAdmin/%61b\"", true },
        { "user_agent matches \"\\\"\"", false },
        /* connectives */
        { "not method eq \"GET\" and not method eq \"PUT\"", true },
        { "method eq \"GET\" and path eq \"\" or asn eq 64500", true },
        { "method eq \"GET\" and (path eq \"\" or asn eq 64500)", false },
        { "asn eq 64500 or method eq \"GET\" and path eq \"\"", true },
        { "not (asn eq 1 or asn eq 64500)", false },
        { "!(asn == 1 || asn == 2) && !!(asn == 64500)", true },
        { "not not not asn eq 1", true },
        { "asn eq 1 or asn eq 2 or asn eq 64500 or asn eq 3", true },
        { "asn eq 64500 and asn eq 64500 and asn eq 1", false },
        { "((((((asn eq 64500))))))", true },
        { "ip.src in {10.0.0.0/8 192.0.2.1} and http.request.uri.path "
          "contains \"/Admin\"\n and not http.user_agent matches \"^Moz\"",
          true },
    };
    struct expression_request r = request();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (expression_eval(compiled(rows[i].text), &r) != rows[i].holds)
            fail_msg("%s: not %d", rows[i].text, rows[i].holds);
}

static void a_head_gives_what_it_has(void **state)
{
    (void)state;
    static struct http_head head;
    struct expression_request r = { 0 };
    head.method_text = SV("GET");
    head.target = SV("/a%20b?c=d");
    head.path = SV("/a%20b");
    head.query = SV("c=d");
    head.host = SV("API.example.com:8443");
    head.fields[0] = (struct http_field){ SV("Cookie"), SV("k=v"), HN_COOKIE };
    head.fields_n = 1;
    expression_request_of_head(&r, &head);
    assert_true(expression_eval(
        compiled("method eq \"GET\" and host eq \"api.example.com\" and "
                 "path eq \"/a%20b\" and args[\"c\"] eq \"d\" and "
                 "cookies[\"k\"] eq \"v\" and uri eq \"/a%20b?c=d\""),
        &r));
}

static void what_is_not_known_reads_as_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool holds;
    } rows[] = {
        { "method eq \"\"", true },
        { "path contains \"a\"", false },
        { "path matches \"^$\"", true },
        { "asn eq 0", true },
        { "ip in {0.0.0.0/0 ::/0}", false },
        { "ip ne ::", true },
        { "ip not in {::/0}", true },
        { "args[\"a\"] eq \"\"", true },
        { "cookies[\"a\"] eq \"\"", true },
        { "token.scopes eq \"\"", true },
        { "lower(path) contains \"\"", true },
        { "path ends_with \"\"", true },
        { "len(path) lt 1", true },
        { "url_decode(path) in {\"\"}", true },
    };
    struct expression_request nothing = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (expression_eval(compiled(rows[i].text), &nothing) != rows[i].holds)
            fail_msg("%s: not %d", rows[i].text, rows[i].holds);
}

static void an_error_says_where_and_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line, column;
        const char *message;
    } rows[] = {
        { "", 1, 1, "expected a field, found the end" },
        { "path", 1, 5, "expected eq, ne, contains" },
        { "path is \"a\"", 1, 6, "found \"is\"" },
        { "path eq a", 1, 9, "expected a text in quotes, found \"a\"" },
        { "path eq 12", 1, 9, "expected a text in quotes" },
        { "path eq \"a", 1, 9, "unclosed text" },
        { "path eq r#\"a\"", 1, 9, "unclosed text" },
        { "path eq \"\\q\"", 1, 10, "unknown escape" },
        { "path lt \"a\"", 1, 6, "lt does not compare a text" },
        { "ip contains \"a\"", 1, 4, "contains does not compare an address" },
        { "asn matches \"a\"", 1, 5, "matches does not compare a number" },
        { "asn eq \"a\"", 1, 8, "expected a number" },
        { "asn eq -1", 1, 8, "expected a number" },
        { "asn eq 1x", 1, 8, "expected a number" },
        { "asn eq 99999999999999999999", 1, 8, "expected a number" },
        { "asn in {5..1}", 1, 10, "ends before" },
        { "ip eq 10.0.0.1/8", 1, 7, "host bits" },
        { "ip eq \"10.0.0.1\"", 1, 7, "expected an address" },
        { "ip in {10.0.0.9..10.0.0.1}", 1, 8, "not a range" },
        { "ip in {10.0.0.1..::1}", 1, 8, "not a range" },
        { "ip in 10.0.0.1", 1, 7, "expected {" },
        { "ip in {}", 1, 8, "expected an address" },
        { "ip in {10.0.0.1", 1, 16, "found the end" },
        { "nothing eq 1", 1, 1, "no field \"nothing\"" },
        { "upper(path) eq \"A\"", 1, 1, "no function \"upper\"" },
        { "len(ip) eq 1", 1, 1, "takes a text" },
        { "lower(path eq \"a\"", 1, 12, "expected )" },
        { "lower(path) eq \"A\"", 1, 16, "never holds an upper-case" },
        { "starts_with(asn, \"a\")", 1, 13, "takes a text" },
        { "starts_with(path \"a\")", 1, 18, "expected ," },
        { "headers eq \"a\"", 1, 9, "expected [\"name\"]" },
        { "headers[x] eq \"a\"", 1, 9, "expected a text" },
        { "headers[\"x\"][0] eq \"a\"", 1, 14, "expected [*]" },
        { "asn eq 1 asn eq 2", 1, 10, "expected and, or" },
        { "asn eq 1 and", 1, 13, "expected a field, found the end" },
        { "(asn eq 1", 1, 10, "expected and, or, or )" },
        { "asn eq 1)", 1, 9, "expected and, or, or the end, found \")\"" },
        { "asn not 1", 1, 9, "expected in" },
        { "asn eq 1\n  and\n  path eq", 3, 10, "found the end" },
        { "asn eq 1 \x01", 1, 10, "byte 0x01" },
        { "path matches \"a(b\"", 1, 16, "in the pattern: unclosed group" },
        { "path matches \"\\\"\\\"(\"", 1, 19, "unclosed group" },
        { "path matches r#\"a(b\"#", 1, 18, "unclosed group" },
        { "host matches \"ab(\"", 1, 17, "unclosed group" },
        { "path matches \"\\1\"", 1, 16, "back-references" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct expression *e;
        struct expression_error why = { .message = "none" };
        struct sv text = exact(sv_cstr(rows[i].text));
        int rc = expression_compile(text, &arena, &e, &why);
        exact_free(text);
        if (rc != ERR_INVALID || why.line != rows[i].line ||
            why.column != rows[i].column ||
            !strstr(why.message, rows[i].message))
            fail_msg("%s\n%d, %u:%u: %s", rows[i].text, rc, why.line,
                     why.column, why.message);
    }
}

static int compile(const struct buf *b, struct expression_error *why)
{
    const struct expression *e;
    return expression_compile(buf_sv(b), &arena, &e, why);
}

static void length_depth_number_and_cost_are_bounded(void **state)
{
    (void)state;
    struct expression_error why;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < EXPRESSION_DEPTH_MAX + 1; i++) buf_puts(&b, "(");
    buf_puts(&b, "asn eq 1");
    for (int i = 0; i < EXPRESSION_DEPTH_MAX + 1; i++) buf_puts(&b, ")");
    assert_int_equal(compile(&b, &why), ERR_INVALID);
    assert_non_null(strstr(why.message, "nested more than"));

    buf_clear(&b);
    buf_puts(&b, "asn eq 1");
    while (b.n < EXPRESSION_TEXT_MAX - 20) buf_puts(&b, " or asn eq 1");
    assert_int_equal(compile(&b, &why), ERR_INVALID);
    assert_non_null(strstr(why.message, "comparisons"));

    buf_clear(&b);
    buf_puts(&b, "asn in {");
    while (b.n < EXPRESSION_TEXT_MAX - 4) buf_puts(&b, "7 ");
    buf_puts(&b, "}");
    assert_int_equal(compile(&b, &why), 0);
    while (b.n <= EXPRESSION_TEXT_MAX) buf_puts(&b, " ");
    assert_int_equal(compile(&b, &why), ERR_INVALID);
    assert_non_null(strstr(why.message, "longer than"));

    buf_clear(&b);
    for (int i = 0; i < 5; i++)
        buf_printf(&b, "%spath matches \"(?:a[ab]{0,70}b){3}\"",
                   i ? " or " : "");
    assert_int_equal(compile(&b, &why), ERR_INVALID);
    assert_non_null(strstr(why.message, "too costly"));
    buf_fini(&b);
}

static void a_rule_knows_whether_it_needs_the_token(void **state)
{
    (void)state;
    assert_false(expression_names_token(compiled("path eq \"token.id\"")));
    assert_true(
        expression_names_token(compiled("asn eq 1 or token.tags eq \"x\"")));
}

static void cut_and_flipped_texts_never_break_the_reader(void **state)
{
    (void)state;
    static const char whole[] =
        "(ip.src in {10.0.0.0/8 192.0.2.1} and lower(path) matches "
        "\"a\\\"[x-z]{2,3}\") or not headers[\"x\"] in {\"a\" r#\"b\"#} or "
        "asn in {1..5}";
    struct expression_request r = request();
    for (size_t i = 0; i < 2 * (sizeof whole - 1) * 8; i++) {
        char text[sizeof whole];
        const struct expression *e;
        struct expression_error why;
        memcpy(text, whole, sizeof whole);
        size_t n = sizeof whole - 1, at = i / 16;
        if (i % 16 < 8)
            text[at] = (char)(text[at] ^ 1 << i % 8);
        else
            n = at;
        struct sv s = exact(sv_of(text, n));
        int rc = expression_compile(s, &arena, &e, &why);
        exact_free(s);
        if (rc == 0) expression_eval(e, &r);
        assert_true(rc == 0 || (rc == ERR_INVALID && why.at <= n));
        arena_reset(&arena);
    }
}

static void an_arena_without_room_is_said(void **state)
{
    (void)state;
    for (size_t budget = 0; budget < 20000; budget += 500) {
        struct arena small;
        const struct expression *e;
        struct expression_error why;
        arena_init(&small, budget, NULL, 0);
        int rc = expression_compile(
            SV("path matches \"a[b-d]{2,40}e\" and host contains \"x\""),
            &small, &e, &why);
        assert_true(rc == 0 || rc == ERR_NOMEM);
        arena_fini(&small);
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(expressions_hold_or_not),
        CASE(a_head_gives_what_it_has),
        CASE(what_is_not_known_reads_as_nothing),
        CASE(an_error_says_where_and_what_was_expected),
        CASE(length_depth_number_and_cost_are_bounded),
        CASE(a_rule_knows_whether_it_needs_the_token),
        CASE(cut_and_flipped_texts_never_break_the_reader),
        CASE(an_arena_without_room_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
