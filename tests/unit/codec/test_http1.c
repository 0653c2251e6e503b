/* The scanner against its vectors, against llhttp, cut and flipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../fuzz/http1_oracle.h"
#include "vectors.h"

static const struct http1_limits limits = { 16384, 8192, 64 };
static struct http_head head;
static struct http1_refusal why;

static int scan(struct sv in)
{
    size_t searched = 0;
    why = (struct http1_refusal){ 0, NULL };
    return http1_request_scan(in, &searched, &limits, &head, &why);
}

static int scan_text(const char *text)
{
    return scan(sv_cstr(text));
}

static void fail_vector(const struct vector *v, int n)
{
    fail_msg("%s: wanted %s, got %d (%d %s)", v->name, v->verdict, n,
             why.status, why.reason ? why.reason : "");
}

/* --- vectors -------------------------------------------------------------- */

static void request_has_its_verdict(const struct vector *v)
{
    char *p = exact(v->bytes, v->n);
    struct sv in = sv_of(p, v->n);
    int n = scan(in);
    if (!strcmp(v->verdict, "ok")) {
        if (n <= 0) fail_vector(v, n);
        assert_true(oracle_request(in));
    } else if (!strcmp(v->verdict, "wait")) {
        if (n != 0) fail_vector(v, n);
    } else if (n != ERR_PROTOCOL || why.status != atoi(v->verdict)) {
        fail_vector(v, n);
    }
    free(p);
}

static void every_request_shape_has_its_verdict(void **state)
{
    (void)state;
    assert_in_range(vectors_each("requests.txt", request_has_its_verdict), 150,
                    1000);
}

static enum http_method asked_of(struct vector *v)
{
    if (v->n < 6 || memcmp(v->bytes, "head: ", 6) != 0) return HTTP_GET;
    memmove(v->bytes, v->bytes + 6, v->n -= 6);
    return HTTP_HEAD;
}

static void response_has_its_verdict(const struct vector *given)
{
    struct vector v = *given;
    enum http_method asked = asked_of(&v);
    char *p = exact(v.bytes, v.n);
    size_t searched = 0;
    why = (struct http1_refusal){ 0, NULL };
    int n = http1_response_scan(sv_of(p, v.n), &searched, &limits, asked, &head,
                                &why);
    if (!strcmp(v.verdict, "ok")) {
        if (n <= 0) fail_vector(&v, n);
        assert_true(oracle_response(sv_of(p, v.n), asked));
    } else if (!strcmp(v.verdict, "wait") ? n != 0 : n != ERR_PROTOCOL) {
        fail_vector(&v, n);
    }
    free(p);
}

static void every_response_shape_has_its_verdict(void **state)
{
    (void)state;
    assert_in_range(vectors_each("responses.txt", response_has_its_verdict), 35,
                    1000);
}

/* --- cut and flipped ------------------------------------------------------ */

static void request_in_pieces(const struct vector *v)
{
    int whole = scan(sv_of(v->bytes, v->n));
    struct http1_refusal refusal = why;
    for (size_t cut = 0; cut <= v->n; cut++) {
        char *p = exact(v->bytes, cut);
        int n = scan(sv_of(p, cut));
        if (whole > 0) assert_int_equal(n, cut < (size_t)whole ? 0 : whole);
        if (whole < 0) assert_true(n == 0 || n == ERR_PROTOCOL);
        free(p);
    }
    size_t searched = 0;
    int n = 0;
    for (size_t have = 0; n == 0 && have <= v->n; have++) {
        char *p = exact(v->bytes, have);
        why = (struct http1_refusal){ 0, NULL };
        n = http1_request_scan(sv_of(p, have), &searched, &limits, &head, &why);
        free(p);
    }
    if (whole > 0) assert_int_equal(n, whole);
    if (n < 0) {
        assert_int_equal(whole, n);
        assert_int_equal(why.status, refusal.status);
    }
}

static void a_request_in_any_pieces_is_judged_alike(void **state)
{
    (void)state;
    vectors_each("requests.txt", request_in_pieces);
}

static void flip_request(const struct vector *v)
{
    char *p = exact(v->bytes, v->n);
    for (size_t bit = 0; bit < 8 * v->n; bit++) {
        p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
        oracle_request(sv_of(p, v->n));
        p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
    }
    free(p);
}

static void flip_response(const struct vector *given)
{
    struct vector v = *given;
    enum http_method asked = asked_of(&v);
    char *p = exact(v.bytes, v.n);
    for (size_t bit = 0; bit < 8 * v.n; bit++) {
        p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
        oracle_response(sv_of(p, v.n), asked);
        p[bit / 8] = (char)(p[bit / 8] ^ 1 << bit % 8);
    }
    free(p);
}

static void llhttp_accepts_whatever_we_accept_with_any_bit_flipped(void **state)
{
    (void)state;
    vectors_each("requests.txt", flip_request);
    vectors_each("responses.txt", flip_response);
}

/* --- what a head says ----------------------------------------------------- */

static void the_parts_of_a_request_are_found(void **state)
{
    (void)state;
    const char *text = "POST /a/b?c=d&e HTTP/1.1\r\nHost: x.example:81\r\n"
                       "X-A:  1 \r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello";
    assert_int_equal(scan_text(text), (int)strlen(text) - 5);
    assert_int_equal(head.method, HTTP_POST);
    assert_true(sv_eq(head.target, SV("/a/b?c=d&e")));
    assert_true(sv_eq(head.path, SV("/a/b")));
    assert_true(head.has_query && sv_eq(head.query, SV("c=d&e")));
    assert_true(sv_eq(head.host, SV("x.example:81")));
    assert_int_equal(head.fields_n, 4);
    assert_true(sv_eq(head.fields[1].value, SV("1")));
    assert_int_equal(head.body, HTTP_BODY_LENGTH);
    assert_int_equal(head.content_length, 5);
    assert_true(head.keep_alive && head.minor == 1);
    assert_ptr_equal(http_head_find(&head, HN_HOST), &head.fields[0]);
    assert_null(http_head_find(&head, HN_COOKIE));
    unsigned next = 0;
    assert_ptr_equal(http_head_find_text(&head, SV("X-A"), &next),
                     &head.fields[1]);
    assert_ptr_equal(http_head_find_text(&head, SV("X-A"), &next),
                     &head.fields[2]);
    assert_null(http_head_find_text(&head, SV("X-A"), &next));
}

static void an_empty_query_is_told_from_none(void **state)
{
    (void)state;
    assert_true(scan_text("GET /? HTTP/1.1\r\nHost: a\r\n\r\n") > 0);
    assert_true(head.has_query && head.query.n == 0);
    assert_true(scan_text("GET / HTTP/1.1\r\nHost: a\r\n\r\n") > 0);
    assert_false(head.has_query);
}

static void an_absolute_form_without_path_means_the_root(void **state)
{
    (void)state;
    assert_true(scan_text("GET http://a?q HTTP/1.1\r\nHost: A\r\n\r\n") > 0);
    assert_true(sv_eq(head.path, SV("/")) && sv_eq(head.query, SV("q")));
    assert_true(scan_text("GET http://a/x HTTP/1.0\r\n\r\n") > 0);
    assert_true(sv_eq(head.host, SV("a")) && sv_eq(head.path, SV("/x")));
}

/* RFC 9112 9.3 */
static void connections_persist_by_version_and_option(void **state)
{
    (void)state;
    static const struct {
        const char *version, *option;
        bool keep;
    } cases[] = {
        { "1.1", "", true },
        { "1.1", "close", false },
        { "1.1", "keep-alive, close", false },
        { "1.1", "X, CLOSE ", false },
        { "1.1", "closed", true },
        { "1.0", "", false },
        { "1.0", "Keep-Alive", true },
        { "1.0", "keep-alive, close", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "GET / HTTP/%s\r\nHost: a\r\nConnection: %s\r\n\r\n",
                 cases[i].version, cases[i].option);
        assert_true(scan_text(text) > 0);
        assert_int_equal(head.keep_alive, cases[i].keep);
    }
    assert_true(scan_text("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\n"
                          "Connection: close\r\n\r\n") > 0);
    assert_false(head.keep_alive);
}

static bool upgrades(const char *version, const char *fields)
{
    char text[200];
    snprintf(text, sizeof text, "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", version,
             fields);
    assert_true(scan_text(text) > 0);
    return head.upgrade;
}

/* RFC 9110 7.8; a switch to another HTTP would leave every check behind */
static void an_upgrade_needs_both_fields_and_is_never_to_http(void **state)
{
    (void)state;
    assert_true(upgrades("1.1", "Connection: Upgrade\r\nUpgrade: a\r\n"));
    assert_false(upgrades("1.1", "Upgrade: a\r\n"));
    assert_false(upgrades("1.1", "Connection: upgrade\r\n"));
    assert_false(upgrades("1.0", "Connection: Upgrade\r\nUpgrade: a\r\n"));
    assert_false(upgrades("1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\n"));
    assert_false(upgrades("1.1", "Connection: Upgrade\r\nUpgrade: a, H2C\r\n"));
    assert_false(
        upgrades("1.1", "Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n"));
}

/* RFC 9110 10.1.1 */
static void an_old_client_does_not_wait_for_100(void **state)
{
    (void)state;
    assert_true(scan_text("POST / HTTP/1.0\r\nExpect: 100-continue\r\n"
                          "Content-Length: 1\r\n\r\n") > 0);
    assert_false(head.expect_continue);
}

static void a_response_to_head_keeps_the_length_it_speaks_of(void **state)
{
    (void)state;
    size_t searched = 0;
    struct sv in = SV("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    assert_int_equal(
        http1_response_scan(in, &searched, &limits, HTTP_HEAD, &head, &why),
        (int)in.n);
    assert_int_equal(head.body, HTTP_BODY_NONE);
    assert_int_equal(head.content_length, 9);
    assert_int_not_equal(head.at[HN_CONTENT_LENGTH], 0);
}

/* --- limits --------------------------------------------------------------- */

static struct sv many(const char *before, char c, size_t n, const char *after)
{
    static char text[40000];
    size_t b = strlen(before);
    memcpy(text, before, b);
    memset(text + b, c, n);
    memcpy(text + b + n, after, strlen(after) + 1);
    return sv_of(text, b + n + strlen(after));
}

static void a_target_above_its_limit_is_414(void **state)
{
    (void)state;
    const char *rest = " HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_true(scan(many("GET /", 'a', 8191, rest)) > 0);
    assert_int_equal(scan(many("GET /", 'a', 8192, rest)), ERR_PROTOCOL);
    assert_int_equal(why.status, 414);
    assert_int_equal(scan(many("GET /", 'a', 8192, "")), ERR_PROTOCOL);
    assert_int_equal(why.status, 414);
}

static void a_head_above_its_limit_is_431(void **state)
{
    (void)state;
    const char *before = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    size_t most = 16384 - strlen(before) - 4;
    assert_int_equal(scan(many(before, 'a', most, "\r\n\r\n")), 16384);
    assert_int_equal(scan(many(before, 'a', most + 1, "\r\n\r\n")),
                     ERR_PROTOCOL);
    assert_int_equal(why.status, 431);
    assert_int_equal(scan(many(before, 'a', most + 4, "")), ERR_PROTOCOL);
    assert_int_equal(why.status, 431);
}

static void a_large_body_behind_a_head_does_not_count(void **state)
{
    (void)state;
    struct sv in = many("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "
                        "20000\r\n\r\n",
                        'x', 20000, "");
    assert_int_equal(scan(in), (int)in.n - 20000);
}

static void fields_above_their_limit_are_431(void **state)
{
    (void)state;
    char text[2000];
    for (int fields = 63; fields <= 64; fields++) {
        char *p = text + sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 0; i < fields; i++) p += sprintf(p, "X-%d: y\r\n", i);
        strcpy(p, "\r\n");
        assert_int_equal(scan_text(text) > 0, fields == 63);
    }
    assert_int_equal(why.status, 431);
}

static void a_head_without_end_costs_one_search(void **state)
{
    (void)state;
    size_t searched = 0;
    struct sv in = many("GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', 9000, "");
    assert_int_equal(http1_request_scan(in, &searched, &limits, &head, &why),
                     0);
    assert_int_equal(searched, in.n);
}

/* --- trailers and encoding ------------------------------------------------ */

static int scan_trailers(const char *text)
{
    size_t searched = 0;
    return http1_trailers_scan(sv_cstr(text), &searched, &limits, &head, &why);
}

static void trailers_are_fields_and_an_empty_line(void **state)
{
    (void)state;
    assert_int_equal(scan_trailers("\r\n"), 2);
    assert_int_equal(head.fields_n, 0);
    assert_int_equal(scan_trailers("A: b\r\nC: d\r\n\r\nrest"), 14);
    assert_int_equal(head.fields_n, 2);
    assert_int_equal(scan_trailers("\r"), 0);
    assert_int_equal(scan_trailers("A: b\r\n"), 0);
}

/* RFC 9110 6.5.1 */
static void trailers_cannot_change_framing_routing_or_identity(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Content-Length", "transfer-encoding",
        "HOST",           "Authorization",
        "Cookie",         "Connection",
        "Trailer",        "TE",
        "Content-Type",   "Expect",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char text[100];
        snprintf(text, sizeof text, "%s: 1\r\n\r\n", names[i]);
        assert_int_equal(scan_trailers(text), ERR_PROTOCOL);
    }
}

static void a_head_is_encoded_as_it_is_scanned(void **state)
{
    (void)state;
    const char *text = "GET / HTTP/1.1\r\nHost: a\r\nX-A:b\r\nX-B:  c \r\n"
                       "X-C:\r\nX-D: e\r\nX-E: f\r\n\r\n";
    char out[300];
    assert_true(scan_text(text) > 0);
    struct http_field f[10];
    memcpy(f, head.fields, 6 * sizeof *f);
    f[6] = (struct http_field){ SV("X-F"), { NULL, 0 }, HN_OTHER };
    f[7] = f[0];
    struct sv line = SV("GET /x HTTP/1.1"), tail = SV("Content-Length: 3\r\n");
    size_t n = http1_head_encode(out, line, f, 8, tail);
    struct sv want = SV("GET /x HTTP/1.1\r\nHost: a\r\nX-A: b\r\nX-B: c\r\n"
                        "X-C: \r\nX-D: e\r\nX-E: f\r\nX-F: \r\nHost: a\r\n"
                        "Content-Length: 3\r\n\r\n");
    assert_int_equal(n, http1_head_size(line, f, 8, tail));
    assert_int_equal(n, want.n);
    assert_memory_equal(out, want.p, n);
    n = http1_head_encode(out, line, NULL, 0, SV(""));
    assert_memory_equal(out, "GET /x HTTP/1.1\r\n\r\n", n);
}

static void values_are_searched_alike_at_every_length(void **state)
{
    (void)state;
    for (size_t n = 0; n < 70; n++) {
        for (size_t bad = 0; bad <= n; bad++) {
            char text[200];
            int b = sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nX:");
            memset(text + b, 0xe4, n);
            memcpy(text + b + n, "\r\n\r\n", 5);
            if (bad < n) text[b + (int)bad] = bad % 2 ? 0x1f : 0x7f;
            size_t size = (size_t)b + n + 4;
            char *p = exact(text, size);
            assert_int_equal(scan(sv_of(p, size)) > 0, bad == n);
            free(p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_shape_has_its_verdict),
        cmocka_unit_test(every_response_shape_has_its_verdict),
        cmocka_unit_test(a_request_in_any_pieces_is_judged_alike),
        cmocka_unit_test(
            llhttp_accepts_whatever_we_accept_with_any_bit_flipped),
        cmocka_unit_test(the_parts_of_a_request_are_found),
        cmocka_unit_test(an_empty_query_is_told_from_none),
        cmocka_unit_test(an_absolute_form_without_path_means_the_root),
        cmocka_unit_test(connections_persist_by_version_and_option),
        cmocka_unit_test(an_upgrade_needs_both_fields_and_is_never_to_http),
        cmocka_unit_test(an_old_client_does_not_wait_for_100),
        cmocka_unit_test(a_response_to_head_keeps_the_length_it_speaks_of),
        cmocka_unit_test(a_target_above_its_limit_is_414),
        cmocka_unit_test(a_head_above_its_limit_is_431),
        cmocka_unit_test(a_large_body_behind_a_head_does_not_count),
        cmocka_unit_test(fields_above_their_limit_are_431),
        cmocka_unit_test(a_head_without_end_costs_one_search),
        cmocka_unit_test(trailers_are_fields_and_an_empty_line),
        cmocka_unit_test(trailers_cannot_change_framing_routing_or_identity),
        cmocka_unit_test(a_head_is_encoded_as_it_is_scanned),
        cmocka_unit_test(values_are_searched_alike_at_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
