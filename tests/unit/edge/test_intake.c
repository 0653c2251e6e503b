/* Bodies that a check judges: what comes to the origin, what is refused, and
 * when. A row sends its pieces with turns between them. */
#include "doors_kit.h"

enum { LIMIT = 1024, PIECES = 4 };

#define DETECT "\"mode\":\"detect\",\"inspectBytes\":1024"
#define BLOCK "\"mode\":\"block\",\"inspectBytes\":1024"
#define POST(more) "POST /in HTTP/1.1\r\nHost: a.test\r\n" more
#define LAST "Connection: close\r\n\r\n"
#define K100                                                                 \
    "0123456789012345678901234567890123456789012345678901234567890123456789" \
    "012345678901234567890123456789"
#define K500 K100 K100 K100 K100 K100
#define K1000 K500 K500
#define K1024 K1000 "012345678901234567890123"
#define K1025 K1024 "!"

static void app_with(const char *waf, const char *auth, const char *more)
{
    char doc[512];
    snprintf(doc, sizeof doc,
             "{\"id\":\"sec_01JD0000000000000000000000\",\"name\":\"s\","
             "\"waf\":{%s}}",
             waf);
    struct plan_fixture f = { .domain = "a.test",
                              .origin = house.origin_url,
                              .more = more,
                              .auth = auth,
                              .num = 1,
                              .imported = true,
                              .forms = { [FORM_SECURITY] = doc } };
    f.quota_slot = UINT32_MAX;
    plan_fixture_publish(house.plan, &f);
}

static void public_app(const char *waf)
{
    app_with(waf, NULL, ",\"public\":true,\"detailResponse\":true");
}

static const struct row {
    const char *says, *waf, *pieces[PIECES];
    unsigned status;
    const char *origin; /* what it got behind the head; NULL: nothing at all */
    const char *code;   /* of the event */
} rows[] = {
    { "a body that came with its head",
      DETECT,
      { POST("Content-Length: 5\r\n" LAST "hello") },
      200,
      "hello",
      "" },
    { "a body in pieces",
      DETECT,
      { POST("Content-Length: 5\r\n" LAST), "he", "llo" },
      200,
      "hello",
      "" },
    { "no body", DETECT, { POST(LAST) }, 200, "", "" },
    { "an empty body",
      DETECT,
      { POST("Content-Length: 0\r\n" LAST) },
      200,
      "",
      "" },
    { "chunks",
      DETECT,
      { POST("Transfer-Encoding: chunked\r\n" LAST), "2\r\nhe\r\n",
        "3\r\nllo\r\n0\r\n", "\r\n" },
      200,
      "5\r\nhello\r\n0\r\n\r\n",
      "" },
    { "an empty body in chunks",
      DETECT,
      { POST("Transfer-Encoding: chunked\r\n" LAST), "0\r\n\r\n" },
      200,
      "0\r\n\r\n",
      "" },
    { "trailers",
      DETECT,
      { POST("Transfer-Encoding: chunked\r\n" LAST), "2\r\nhe\r\n0\r\n",
        "X-Sum: 1\r\nX-Typeauth-Owner: evil\r\n\r\n" },
      200,
      "2\r\nhe\r\n0\r\nX-Sum: 1\r\n\r\n",
      "" },
    { "the body of a GET",
      BLOCK,
      { "GET /in HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n" LAST,
        "hello" },
      200,
      "hello",
      "" },
    { "the body of a HEAD",
      BLOCK,
      { "HEAD /in HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n" LAST,
        "hello" },
      200,
      "hello",
      "" },
    { "a body of HTTP/1.0",
      BLOCK,
      { "POST /in HTTP/1.0\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n",
        "hello" },
      200,
      "hello",
      "" },
    { "a body of just the limit",
      BLOCK,
      { POST("Content-Length: 1024\r\n" LAST), K1024 },
      200,
      K1024,
      "" },
    { "chunks of just the limit",
      BLOCK,
      { POST("Transfer-Encoding: chunked\r\n" LAST), "400\r\n" K1024 "\r\n",
        "0\r\n\r\n" },
      200,
      "0\r\n\r\n",
      "" },
    { "a longer body is refused by its length alone",
      BLOCK,
      { POST("Content-Length: 1025\r\n" LAST) },
      413,
      NULL,
      "body_too_large" },
    { "longer chunks are refused when they are longer",
      BLOCK,
      { POST("Transfer-Encoding: chunked\r\n" LAST), "400\r\n" K1024 "\r\n",
        "1\r\n!\r\n" },
      413,
      NULL,
      "body_too_large" },
    { "a longer body passes whole where it may",
      DETECT,
      { POST("Content-Length: 1025\r\n" LAST), K1000,
        "012345678901234567890123!" },
      200,
      K1025,
      "" },
    { "block may let longer bodies pass",
      BLOCK ",\"overLimit\":\"pass\"",
      { POST("Content-Length: 3008\r\n" LAST), K1000 K1000, K1000, "the end." },
      200,
      K1000 K1000 K1000 "the end.",
      "" },
    { "detect may refuse longer bodies",
      DETECT ",\"overLimit\":\"block\"",
      { POST("Content-Length: 1025\r\n" LAST) },
      413,
      NULL,
      "body_too_large" },
    { "longer chunks pass whole, with trailers",
      DETECT,
      { POST("Transfer-Encoding: chunked\r\n" LAST), "401\r\n" K1025 "\r\n",
        "0\r\nX-Sum: 1\r\n\r\n" },
      200,
      "1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n",
      "" },
    { "an encoded body is refused",
      BLOCK,
      { POST("Content-Encoding: gzip\r\nContent-Length: 5\r\n" LAST) },
      415,
      NULL,
      "unsupported_encoding" },
    { "one of two encodings is enough",
      BLOCK,
      { POST("Content-Encoding: identity\r\nContent-Encoding: br\r\n"
             "Content-Length: 5\r\n" LAST) },
      415,
      NULL,
      "unsupported_encoding" },
    { "identity is no encoding",
      BLOCK,
      { POST("Content-Encoding: Identity\r\nContent-Length: 5\r\n" LAST
             "hello") },
      200,
      "hello",
      "" },
    { "an encoded body of no bytes",
      BLOCK,
      { POST("Content-Encoding: gzip\r\nContent-Length: 0\r\n" LAST) },
      200,
      "",
      "" },
    { "an encoded body streams where nothing is refused",
      DETECT,
      { POST("Content-Encoding: gzip\r\nContent-Length: 5\r\n" LAST), "hello" },
      200,
      "hello",
      "" },
    { "a profile without a WAF",
      "\"mode\":\"off\",\"inspectBytes\":1024",
      { POST("Content-Length: 1025\r\n" LAST), K1025 },
      200,
      K1025,
      "" },
    { "a broken chunk",
      BLOCK,
      { POST("Transfer-Encoding: chunked\r\n" LAST), "2\r\nhe\r\n", "x\r\n" },
      400,
      NULL,
      "bad_request" },
};

static bool has_settled(struct house *h)
{
    return some_turns(h) || client_is_over(h);
}

/* What the origin answers when the body's last bytes have come. */
static void answer_behind(const char *body)
{
    size_t n = strlen(body);
    house.origin.until = n ? body + (n > 8 ? n - 8 : 0) : "\r\n\r\n";
}

static void run_row(const struct row *r)
{
    char status[32];
    struct origin *o = &house.origin;
    buf_clear(&o->seen);
    o->from = 0;
    public_app(r->waf);
    if (r->origin) answer_behind(r->origin);
    house_dial(house.gateway);
    for (size_t i = 0; i < PIECES && r->pieces[i]; i++) {
        if (house.client.closed) break;
        house_send(sv_cstr(r->pieces[i]));
        turns_until = 20;
        house_run(has_settled);
    }
    if (!house.client.closed) house_run(client_is_over);
    snprintf(status, sizeof status, " %u ", r->status);
    must_hold(client_text(), status);
    const char *head_end = strstr(origin_text(), "\r\n\r\n");
    assert_int_equal(head_end != NULL, r->origin != NULL);
    if (r->origin && !strstr(head_end + 4, r->origin)) {
        fprintf(stderr, "# origin got: %s\n", head_end + 4);
        fail();
    }
    assert_string_equal(events[0].code, r->code);
    assert_int_equal(events_n, 1);
    events_n = 0;
    log_fini(&house.client);
}

static void bodies_are_taken_in_and_given_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("# %s\n", rows[i].says);
        run_row(&rows[i]);
    }
}

static bool has_100(struct house *h)
{
    return h->client.in.n &&
           memmem(h->client.in.p, h->client.in.n, "100 Continue\r\n\r\n", 16);
}

static void who_waits_for_100_gets_it_from_us_and_the_origin_no_expect(void **s)
{
    (void)s;
    public_app(BLOCK);
    house.origin.until = "hi";
    house_dial(house.gateway);
    house_send(SV(POST("Content-Length: 2\r\nExpect: 100-continue\r\n" LAST)));
    house_run(has_100);
    assert_int_equal(house.origin.conns, 0);
    house_send(SV("hi"));
    house_run(client_is_over);
    must_hold(client_text(), "200 OK");
    must_lack(origin_text(), "Expect");
    log_fini(&house.client);
}

static void a_length_above_the_limit_is_refused_before_100(void **state)
{
    (void)state;
    public_app(BLOCK);
    const char *got = house_ask(
        house.gateway,
        POST("Content-Length: 4000\r\nExpect: 100-continue\r\n" LAST));
    must_hold(got, "HTTP/1.1 413 ");
    must_lack(got, "100 Continue");
}

static void pipelined_requests_wait_behind_a_held_body(void **state)
{
    (void)state;
    public_app(BLOCK);
    house.origin.until = "llo";
    house_dial(house.gateway);
    house_send(SV(POST("Content-Length: 5\r\n\r\nhe")));
    turns_until = 20;
    house_run(has_settled);
    assert_int_equal(house.origin.conns, 0);
    house_send(SV("llo" POST(
        "Content-Length: 5\r\n\r\nhello") "GET /last HTTP/1.1\r\nHost: "
                                          "b.test\r\n" LAST));
    house_run(client_is_over);
    const char *got = client_text();
    must_hold(got, "HTTP/1.1 200 OK");
    must_hold(strstr(got, "200 OK") + 1, "HTTP/1.1 200 OK");
    must_hold(got, "HTTP/1.1 404 ");
    assert_int_equal(events_n, 3);
    log_fini(&house.client);
}

static void a_client_that_leaves_with_half_a_body_is_forgotten(void **state)
{
    (void)state;
    public_app(BLOCK);
    house_dial(house.gateway);
    house_send(SV(POST("Content-Length: 5\r\n" LAST "he")));
    turns_until = 20;
    house_run(has_settled);
    conn_abort(house.client.c, ERR_CLOSED);
    turns_until = 20;
    house_run(some_turns);
    the_event(OUTCOME_CLIENT_GONE, "client_gone", 0);
    assert_int_equal(house.origin.conns, 0);
    log_fini(&house.client);
}

static void what_the_limits_took_is_told_and_the_quota_comes_back(void **state)
{
    (void)state;
    house_token("k1");
    app_with(BLOCK,
             "\"ratelimit\":{\"limit\":5,\"timeWindow\":60},\"remaining\":1",
             ",\"detailResponse\":true");
    const char *got =
        house_ask(house.gateway, POST("Authorization: Bearer k1\r\n"
                                      "Transfer-Encoding: chunked\r\n" LAST
                                      "402\r\n" K1025 "!\r\n0\r\n\r\n"));
    must_hold(got, "HTTP/1.1 413 ");
    must_hold(got, "X-RateLimit-Remaining: 4\r\n");
    got = house_ask(house.gateway, POST("Authorization: Bearer k1\r\n"
                                        "Content-Length: 2\r\n" LAST "hi"));
    must_hold(got, "HTTP/1.1 200 ");
    must_hold(got, "X-RateLimit-Remaining: 3\r\n");
}

static void a_token_revoked_while_its_body_came_is_refused(void **state)
{
    (void)state;
    uint32_t slot = house_token("k1");
    app_with(BLOCK, "", "");
    house_dial(house.gateway);
    house_send(SV(
        POST("Authorization: Bearer k1\r\nContent-Length: 5\r\n" LAST "he")));
    turns_until = 20;
    house_run(has_settled);
    tokens_revoke(house.tokens, slot);
    house_send(SV("llo"));
    house_run(client_is_over);
    the_event(OUTCOME_UNAUTHORIZED, "token_revoked", 401);
    assert_int_equal(house.origin.conns, 0);
    log_fini(&house.client);
}

static void a_body_beyond_the_maximum_of_the_application_is_cut(void **state)
{
    (void)state;
    app_with(DETECT, NULL, ",\"public\":true,\"maxBodyBytes\":4");
    must_hold(
        house_ask(house.gateway, POST("Transfer-Encoding: chunked\r\n" LAST
                                      "5\r\nhello\r\n0\r\n\r\n")),
        "413 ");
    the_event(OUTCOME_BAD_REQUEST, "body_too_large", 413);
    assert_int_equal(house.origin.conns, 0);
}

static void large_bodies_pass_whole_and_the_origin_holds_them_back(void **state)
{
    (void)state;
    enum { BODY = 5 << 20 };
    static const char *const waf[] = {
        "\"mode\":\"block\",\"inspectBytes\":8388608",
        "\"mode\":\"detect\",\"inspectBytes\":1000000",
    };
    struct buf text;
    buf_init(&text, BODY + 200);
    buf_printf(&text, POST("Content-Length: %d\r\n" LAST), BODY);
    size_t head = text.n;
    for (int i = 0; i < BODY - 1; i++) buf_putc(&text, (char)('a' + i % 23));
    buf_putc(&text, '!');
    for (size_t i = 0; i < ARRAY_LEN(waf); i++) {
        buf_clear(&house.origin.seen);
        house.origin.from = 0;
        house.origin.until = "!";
        public_app(waf[i]);
        house_dial(house.gateway);
        house_send(buf_sv(&text));
        house_run(client_is_over);
        must_hold(client_text(), "200 OK");
        const char *body = strstr(origin_text(), "\r\n\r\n") + 4;
        assert_memory_equal(body, text.p + head, BODY);
        log_fini(&house.client);
    }
    buf_fini(&text);
}

static int small_setup(void **state)
{
    house_bodies_max = 4096;
    return house_setup(state);
}

static int small_teardown(void **state)
{
    house_bodies_max = 0;
    return house_teardown(state);
}

/* Two clients: the one holds all the memory there is while the other asks. */
static void without_memory_for_bodies_nobody_is_judged(void **state)
{
    (void)state;
    struct log_of first;
    for (int blocks = 0; blocks < 2; blocks++) {
        events_n = 0;
        house.origin.until = "hi";
        public_app(blocks ? "\"mode\":\"block\"" : "\"mode\":\"detect\"");
        house_dial(house.gateway);
        house_send(SV(POST("Content-Length: 9000\r\n" LAST) K1000 K1000));
        turns_until = 20;
        house_run(has_settled);
        house_send(SV(K1000 K1000 K500));
        turns_until = 20;
        house_run(has_settled);
        first = house.client;
        conn_set_ops(first.c, &LOG_OPS, &first);
        const char *got =
            house_ask(house.gateway, POST("Content-Length: 2\r\n" LAST "hi"));
        must_hold(got, blocks ? "HTTP/1.1 503 " : "HTTP/1.1 200 ");
        if (blocks) must_hold(got, "\"code\":\"check_unavailable\"");
        if (blocks)
            the_event(OUTCOME_UNAVAILABLE, "check_unavailable", 503);
        else
            the_event(OUTCOME_PASSED, "", 200);
        conn_abort(first.c, ERR_CLOSED);
        turns_until = 20;
        house_run(some_turns);
        events_n = 0;
        must_hold(
            house_ask(house.gateway, POST("Content-Length: 2\r\n" LAST "hi")),
            "HTTP/1.1 200 ");
        log_fini(&first);
    }
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

/* --- sent again ----------------------------------------------------------------- */

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
#define PUT(more) "PUT /in HTTP/1.1\r\nHost: a.test\r\n" more LAST

static bool origin_recovers(struct house *h)
{
    if (h->origin.from) h->origin.reply = OK;
    return client_is_over(h);
}

static const struct {
    const char *says, *waf, *request, *until;
    unsigned status, times;
} repeats[] = {
    { "a body that is held whole is given again", DETECT,
      PUT("Content-Length: 5\r\n") "hello", "hello", 200, 2 },
    { "in chunks too, to its end", DETECT,
      PUT("Transfer-Encoding: chunked\r\n") "5\r\nhello\r\n0\r\n\r\n",
      "hello\r\n0\r\n\r\n", 200, 2 },
    { "one that streams is gone", "\"mode\":\"off\"",
      PUT("Content-Length: 5\r\n") "hello", "hello", 503, 1 },
    { "so is one that is not idempotent", DETECT,
      POST("Content-Length: 5\r\n" LAST) "hello", "hello", 503, 1 },
};

static void a_body_that_is_held_may_be_sent_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(repeats); i++) {
        struct origin *o = &house.origin;
        app_with(repeats[i].waf, NULL,
                 ",\"public\":true,\"retries\":{\"attempts\":2,"
                 "\"on\":[\"connect\",\"503\"]}");
        o->reply = BUSY;
        o->until = repeats[i].until;
        o->seen.n = o->from = 0;
        house_dial(house.gateway);
        house_send(sv_cstr(repeats[i].request));
        house_run(origin_recovers);
        char line[32];
        snprintf(line, sizeof line, "HTTP/1.1 %u ", repeats[i].status);
        if (!strstr(client_text(), line))
            fprintf(stderr, "# %s\n", repeats[i].says);
        must_hold(client_text(), line);
        unsigned times = 0;
        for (const char *at = origin_text();
             (at = strstr(at, repeats[i].until)); at++)
            times++;
        assert_int_equal(times, repeats[i].times);
        the_event(OUTCOME_PASSED, "", repeats[i].status);
        buf_fini(&house.client.in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bodies_are_taken_in_and_given_on),
        TEST(who_waits_for_100_gets_it_from_us_and_the_origin_no_expect),
        TEST(a_length_above_the_limit_is_refused_before_100),
        TEST(pipelined_requests_wait_behind_a_held_body),
        TEST(a_client_that_leaves_with_half_a_body_is_forgotten),
        TEST(what_the_limits_took_is_told_and_the_quota_comes_back),
        TEST(a_token_revoked_while_its_body_came_is_refused),
        TEST(a_body_beyond_the_maximum_of_the_application_is_cut),
        cmocka_unit_test_setup_teardown(
            without_memory_for_bodies_nobody_is_judged, small_setup,
            small_teardown),
        TEST(a_body_that_is_held_may_be_sent_again),
        TEST(large_bodies_pass_whole_and_the_origin_holds_them_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
