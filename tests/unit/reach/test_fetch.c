/* One request, one answer, bounded in size and time. */
#include "reach_kit.h"

static struct reach_kit t;

static struct {
    unsigned called, status;
    int err;
    char problem[128], body[256], etag[64];
} got;

static void on_done(void *ctx, const struct fetch_answer *a)
{
    assert_ptr_equal(ctx, &got);
    got.called++;
    got.err = a->err;
    got.status = a->status;
    snprintf(got.problem, sizeof got.problem, "%s",
             a->problem ? a->problem : "");
    snprintf(got.body, sizeof got.body, "%.*s", SV_FMT(a->body));
    const struct http_field *etag = http_head_find(a->head, HN_ETAG);
    if (etag) snprintf(got.etag, sizeof got.etag, "%.*s", SV_FMT(etag->value));
}

static int set_up(void **state)
{
    (void)state;
    memset(&got, 0, sizeof got);
    reach_kit_open(&t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    reach_kit_close(&t);
    return 0;
}

static char url_text[128];

static struct fetch_request request(const char *path)
{
    snprintf(url_text, sizeof url_text, "http://127.0.0.1:%u%s", t.at.port,
             path);
    return (struct fetch_request){ .url = sv_cstr(url_text),
                                   .allow_plain = true,
                                   .answer_max = 100,
                                   .timeout_ms = 1000,
                                   .done = on_done,
                                   .ctx = &got };
}

static struct fetch *start(const char *path)
{
    struct fetch_request req = request(path);
    struct fetch *f = fetch_start(t.fetcher, &req);
    assert_int_equal(got.called, 0);
    return f;
}

static void expect_failure(int err, const char *problem)
{
    pump_turns(&t.kit, 6);
    assert_int_equal(got.called, 1);
    assert_int_equal(got.err, err);
    if (problem) assert_string_equal(got.problem, problem);
}

static void an_answer_comes_whole(void **state)
{
    char host[64];
    (void)state;
    start("/k?a=b");
    origin_asked(&t, "GET /k?a=b HTTP/1.1\r\n");
    snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%u\r\n", t.at.port);
    assert_non_null(strstr(t.wire.got, host));
    origin_says(&t, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n"
                    "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
    assert_int_equal(got.called, 1);
    assert_int_equal(got.err, 0);
    assert_int_equal(got.status, 200);
    assert_string_equal(got.body, "hello");
    assert_string_equal(got.etag, "\"x\"");
}

static void without_a_path_the_root_is_asked(void **state)
{
    (void)state;
    start("?x");
    origin_asked(&t, "GET /?x HTTP/1.1\r\n");
    origin_says(&t, "HTTP/1.1 204 No\r\n\r\n");
    assert_int_equal(got.status, 204);
}

static void a_body_is_posted(void **state)
{
    (void)state;
    struct fetch_request req = request("/introspect");
    struct http_field type = { SV("Content-Type"), SV("a/b"), HN_CONTENT_TYPE };
    req.body = SV("token=abc");
    req.fields = &type;
    req.fields_n = 1;
    fetch_start(t.fetcher, &req);
    origin_asked(&t, "POST /introspect HTTP/1.1\r\n");
    assert_non_null(strstr(t.wire.got, "Content-Length: 9\r\n"));
    assert_non_null(strstr(t.wire.got, "Content-Type: a/b\r\n"));
    assert_non_null(strstr(t.wire.got, "\r\n\r\ntoken=abc"));
    origin_says(&t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert_string_equal(got.body, "{}");
}

static void a_connection_serves_the_next_fetch(void **state)
{
    (void)state;
    start("/1");
    origin_asked(&t, "GET /1 ");
    wire_send(&t.wire, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    pump_turns(&t.kit, 6);
    assert_string_equal(got.body, "a");
    got.called = 0;
    start("/2");
    t.wire.n = 0;
    assert_true(pump(&t.kit, request_is_there, &t.wire));
    origin_says(&t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb");
    assert_string_equal(got.body, "b");
}

static void a_redirect_is_an_answer(void **state)
{
    (void)state;
    start("/");
    origin_asked(&t, "GET / ");
    origin_says(&t, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n"
                    "Content-Length: 0\r\n\r\n");
    assert_int_equal(got.err, 0);
    assert_int_equal(got.status, 302);
    assert_int_equal(got.called, 1);
}

static void an_answer_that_is_announced_too_large_is_not_read(void **state)
{
    (void)state;
    start("/");
    origin_asked(&t, "GET / ");
    wire_send(&t.wire, "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n");
    expect_failure(ERR_TOOBIG, "the answer is larger than allowed");
    t.wire.n = 0;
    wire_expect_closed(&t.kit, &t.wire);
}

static void an_answer_that_grows_too_large_is_cut(void **state)
{
    (void)state;
    start("/");
    origin_asked(&t, "GET / ");
    wire_send(&t.wire, "HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 11; i++) wire_send(&t.wire, "0123456789");
    expect_failure(ERR_TOOBIG, "the answer is larger than allowed");
    t.wire.n = 0;
    wire_expect_closed(&t.kit, &t.wire);
}

static void a_slow_answer_ends_with_its_time_however_it_drips(void **state)
{
    (void)state;
    start("/");
    origin_asked(&t, "GET / ");
    wire_send(&t.wire, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n");
    for (int i = 0; i < 9; i++) {
        wire_send(&t.wire, ".");
        pump_ms(&t.kit, 100);
    }
    assert_int_equal(got.called, 0);
    pump_ms(&t.kit, 200);
    expect_failure(ERR_TIMEOUT, "no whole answer within 1000 ms");
}

static void a_cut_answer_is_a_failure(void **state)
{
    (void)state;
    start("/");
    origin_asked(&t, "GET / ");
    origin_says(&t, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf");
    expect_failure(ERR_CLOSED, NULL);
    assert_int_not_equal(got.problem[0], '\0');
}

static void garbage_is_a_failure(void **state)
{
    (void)state;
    start("/");
    origin_asked(&t, "GET / ");
    origin_says(&t, "220 mail.example ESMTP\r\n\r\n");
    expect_failure(ERR_PROTOCOL, NULL);
}

static void plain_http_wants_leave(void **state)
{
    (void)state;
    struct fetch_request req = request("/");
    req.allow_plain = false;
    fetch_start(t.fetcher, &req);
    expect_failure(ERR_DENIED, "plain HTTP is not allowed");
}

static void what_is_no_url_fails_later_like_all_else(void **state)
{
    (void)state;
    struct fetch_request req = request("/");
    req.url = SV("gopher://x/");
    fetch_start(t.fetcher, &req);
    assert_int_equal(got.called, 0);
    expect_failure(ERR_INVALID, "not an absolute http or https URL");
}

static void the_egress_policy_is_asked(void **state)
{
    (void)state;
    t.egress.mode = EGRESS_PUBLIC;
    start("/");
    expect_failure(ERR_DENIED, NULL);
    assert_non_null(strstr(got.problem, "loopback"));
}

static void fetches_at_once_are_bounded(void **state)
{
    (void)state;
    struct fetch *f[4];
    for (int i = 0; i < 4; i++) f[i] = start("/");
    start("/");
    expect_failure(ERR_LIMIT, "too many fetches at once");
    for (int i = 0; i < 4; i++) fetch_cancel(f[i]);
    assert_int_equal(got.called, 1);
}

static void after_a_cancel_nothing_is_heard(void **state)
{
    (void)state;
    struct fetch *f = start("/");
    origin_asked(&t, "GET / ");
    fetch_cancel(f);
    pump_ms(&t.kit, 2000);
    assert_int_equal(got.called, 0);
}

#define FETCH_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FETCH_TEST(an_answer_comes_whole),
        FETCH_TEST(without_a_path_the_root_is_asked),
        FETCH_TEST(a_body_is_posted),
        FETCH_TEST(a_connection_serves_the_next_fetch),
        FETCH_TEST(a_redirect_is_an_answer),
        FETCH_TEST(an_answer_that_is_announced_too_large_is_not_read),
        FETCH_TEST(an_answer_that_grows_too_large_is_cut),
        FETCH_TEST(a_slow_answer_ends_with_its_time_however_it_drips),
        FETCH_TEST(a_cut_answer_is_a_failure),
        FETCH_TEST(garbage_is_a_failure),
        FETCH_TEST(plain_http_wants_leave),
        FETCH_TEST(what_is_no_url_fails_later_like_all_else),
        FETCH_TEST(the_egress_policy_is_asked),
        FETCH_TEST(fetches_at_once_are_bounded),
        FETCH_TEST(after_a_cancel_nothing_is_heard),
    };
    return cmocka_run_group_tests_name("reach/fetch", tests, NULL, NULL);
}
