/* The proxy door, from the client's bytes to the origin's and back. */
#include "doors_kit.h"

#define GET(more) \
    "GET /x?y=1 HTTP/1.1\r\nHost: a.test\r\n" more "Connection: close\r\n\r\n"
#define BEARER "Authorization: Bearer k1\r\n"

static void a_request_goes_there_and_back(void **state)
{
    (void)state;
    house_app(NULL, ",\"public\":true");
    house.origin.reply = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n"
                         "X-Typeauth-Owner: evil\r\nServer: o\r\n\r\nok";
    const char *got = house_ask(house.gateway, GET("A: 1\r\n"));
    must_hold(got, "HTTP/1.1 201 Created\r\nServer: o\r\nX-Request-Id: ");
    must_hold(got, "\r\n\r\nok");
    must_lack(got, "evil");
    const char *seen = origin_text();
    char host[64];
    snprintf(host, sizeof host, "Host: 127.0.0.1:%u\r\n", house.origin.at.port);
    must_hold(seen, "GET /x?y=1 HTTP/1.1\r\n");
    must_hold(seen, host);
    must_hold(seen, "\r\nA: 1\r\nX-Request-Id: ");
    must_hold(seen, "X-Forwarded-For: 127.0.0.1\r\n");
    must_hold(seen, "Via: 1.1 gw\r\n");
    const struct kept_event *e = the_event(OUTCOME_PASSED, "", 201);
    assert_string_equal(e->path, "/x");
    assert_string_equal(e->method, "GET");
    assert_string_equal(e->app, plan_fixture_id(1));
    assert_false(e->has_token);
    must_hold(got, e->id);
    must_hold(seen, e->id);
    assert_true(e->bytes_in > 0 && e->bytes_out > 0);
}

static const struct refusal_row {
    const char *says, *auth, *more, *request;
    unsigned status;
    const char *holds;
    enum outcome outcome;
    const char *code;
} refusals[] = {
    { "another host", NULL, "",
      "GET / HTTP/1.1\r\nHost: b.test\r\n"
      "Connection: close\r\n\r\n",
      404, "\"code\":\"unknown_domain\"", OUTCOME_UNKNOWN, "unknown_domain" },
    { "no token", "", "", GET(""), 401,
      "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n",
      OUTCOME_UNAUTHORIZED, "missing_token" },
    { "a wrong token, without detail", "", "",
      GET("Authorization: Bearer k2\r\n"), 401,
      "{\"success\":false,\"message\":\"Unauthorized\",\"data\":[],\"error\":"
      "{\"code\":\"unauthorized\"}}",
      OUTCOME_UNAUTHORIZED, "invalid_token" },
    { "a wrong token, with detail", "", ",\"detailResponse\":true",
      GET("Authorization: Bearer k2\r\n"), 401, "\"code\":\"invalid_token\"",
      OUTCOME_UNAUTHORIZED, "invalid_token" },
    { "TRACE", NULL, ",\"public\":true",
      "TRACE / HTTP/1.1\r\nHost: a.test"
      "\r\nConnection: close\r\n\r\n",
      405, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n",
      OUTCOME_BAD_REQUEST, "bad_request" },
    { "CONNECT", NULL, ",\"public\":true",
      "CONNECT a.test:80 HTTP/1.1\r\n"
      "Host: a.test:80\r\n\r\n",
      501, "", OUTCOME_BAD_REQUEST, "bad_request" },
    { "a switched-off application", NULL, ",\"public\":true,\"enabled\":false",
      GET(""), 503, "\"code\":\"unavailable\"", OUTCOME_UNAVAILABLE,
      "application_disabled" },
    { "an announced body above the application's maximum", NULL,
      ",\"public\":true,\"maxBodyBytes\":4",
      "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n"
      "Connection: close\r\n\r\n12345",
      413, "\"code\":\"bad_request\"", OUTCOME_BAD_REQUEST, "body_too_large" },
    { "malformed HTTP", NULL, ",\"public\":true",
      "GET / HTTP/1.1\r\nHost : a.test\r\n\r\n", 400,
      "\"code\":\"bad_request\"", OUTCOME_BAD_REQUEST, "bad_request" },
};

static void a_refusal_reaches_the_client_and_not_the_origin(void **state)
{
    (void)state;
    house_token("k1");
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal_row *r = &refusals[i];
        char status[32];
        house_app(r->auth, r->more);
        const char *got = house_ask(house.gateway, r->request);
        snprintf(status, sizeof status, "HTTP/1.1 %u ", r->status);
        must_hold(got, status);
        must_hold(got, r->holds);
        the_event(r->outcome, r->code, r->status);
        assert_int_equal(house.origin.conns, 0);
    }
}

static void a_token_passes_and_is_hidden_and_named(void **state)
{
    (void)state;
    struct sv scopes[] = { SV("read"), SV("write") };
    struct token_record r = house_record("k1");
    r.owner = SV("m\xc3\xbcller");
    r.scopes = scopes;
    r.scopes_n = 2;
    house_put(&r);
    house_app("", "");
    must_hold(house_ask(house.gateway, GET(BEARER)), "200 OK");
    const char *seen = origin_text();
    must_lack(seen, "k1");
    must_lack(seen, "Authorization");
    must_hold(seen, "X-Typeauth-Token-Id: tok_");
    must_hold(seen, "X-Typeauth-Owner: m%C3%BCller\r\n");
    must_hold(seen, "X-Typeauth-Scopes: read");
    assert_true(the_event(OUTCOME_PASSED, "", 200)->has_token);
}

static void limits_are_shown_and_refused_with_retry_after(void **state)
{
    (void)state;
    house_token("k1");
    house_app("\"ratelimit\":{\"limit\":2,\"timeWindow\":60}",
              ",\"detailResponse\":true");
    house.origin.reply = "HTTP/1.1 200 OK\r\nRateLimit: evil\r\n"
                         "X-RateLimit-Limit: evil\r\nContent-Length: 0\r\n"
                         "\r\n";
    const char *got = house_ask(house.gateway, GET(BEARER));
    must_hold(got, "RateLimit-Policy: \"default\";q=2;w=60\r\n");
    must_hold(got, "RateLimit: \"default\";r=1;t=");
    must_hold(got, "X-RateLimit-Remaining: 1\r\n");
    must_lack(got, "evil");
    house_ask(house.gateway, GET(BEARER));
    events_n = 0;
    got = house_ask(house.gateway, GET(BEARER));
    must_hold(got, "429 Too Many Requests");
    must_hold(got, "\r\nRetry-After: ");
    must_hold(got, "X-RateLimit-Remaining: 0\r\n");
    must_hold(got, "\"code\":\"rate_limited\"");
    the_event(OUTCOME_LIMITED, "rate_limited", 429);
}

static uint64_t remaining(void)
{
    const char *got = house_post("/authenticate", "",
                                 "{\"token\":\"k1\",\"peek\":true,\"appID\":"
                                 "\"app_01JD0000000000000000000001\"}");
    const char *at = strstr(got, "\"remaining\":");
    if (!at) head_fail("no remaining", got);
    events_n--;
    return strtoull(at + 12, NULL, 10);
}

static void the_quota_comes_back_only_if_the_origin_got_nothing(void **state)
{
    (void)state;
    house_token("k1");
    house_app("\"remaining\":10", "");
    assert_int_equal(remaining(), 10);
    must_hold(house_ask(house.gateway, GET(BEARER)), "200 OK");
    the_event(OUTCOME_PASSED, "", 200);
    assert_int_equal(remaining(), 9);
    /* the origin takes the request and goes away */
    house.origin.reply = NULL;
    house.origin.closes = true;
    must_hold(house_ask(house.gateway,
                        "POST / HTTP/1.1\r\nHost: a.test\r\n" BEARER
                        "Content-Length: 1\r\nConnection: close\r\n\r\nx"),
              "502 Bad Gateway");
    the_event(OUTCOME_ORIGIN_FAILED, "origin_unreachable", 502);
    assert_int_equal(remaining(), 8);
    /* nobody listens */
    snprintf(house.origin_url, sizeof house.origin_url, "http://127.0.0.1:1");
    house_app("\"remaining\":10", "");
    must_hold(house_ask(house.gateway, GET(BEARER)), "502 Bad Gateway");
    the_event(OUTCOME_ORIGIN_FAILED, "origin_unreachable", 502);
    assert_int_equal(remaining(), 8);
}

static void an_origin_that_is_silent_or_talks_nonsense(void **state)
{
    (void)state;
    house_app(NULL, ",\"public\":true,\"timeouts\":{\"firstByte\":1}");
    house.origin.reply = NULL;
    must_hold(house_ask(house.gateway, GET("")), "504 Gateway Timeout");
    the_event(OUTCOME_ORIGIN_FAILED, "origin_timeout", 504);
    house.origin.reply = "HTTP/1.1 2x0 OK\r\n\r\n";
    must_hold(house_ask(house.gateway, GET("")), "502 Bad Gateway");
    the_event(OUTCOME_ORIGIN_FAILED, "origin_invalid", 502);
    house.origin.reply = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    house.origin.closes = true;
    must_hold(house_ask(house.gateway, GET("")), "\r\n\r\nhalf");
    the_event(OUTCOME_ORIGIN_FAILED, "origin_unreachable", 200);
}

static void bodies_and_trailers_stream_both_ways(void **state)
{
    (void)state;
    house_app(NULL, ",\"public\":true");
    house.origin.until = "X-Sum: 1\r\n";
    house.origin.reply =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        "0\r\nX-Back: 2\r\nX-Typeauth-Owner: evil\r\n\r\n";
    const char *got = house_ask(
        house.gateway,
        "POST /in HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"
        "Connection: close\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n"
        "X_Typeauth_Owner: evil\r\n\r\n");
    must_hold(got, "3\r\nabc\r\n0\r\nX-Back: 2\r\n");
    must_lack(got, "evil");
    const char *seen = origin_text();
    must_hold(seen, "Transfer-Encoding: chunked\r\n");
    must_hold(seen, "5\r\nhello\r\n");
    must_lack(seen, "evil");
    the_event(OUTCOME_PASSED, "", 200);
}

static void a_chunked_body_above_the_maximum_is_cut(void **state)
{
    (void)state;
    house_app(NULL, ",\"public\":true,\"maxBodyBytes\":4");
    must_hold(house_ask(house.gateway,
                        "POST /in HTTP/1.1\r\nHost: "
                        "a.test\r\nTransfer-Encoding: chunked\r\n"
                        "Connection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
              "413 ");
    the_event(OUTCOME_BAD_REQUEST, "body_too_large", 413);
}

static void head_keeps_the_length_and_sends_no_body(void **state)
{
    (void)state;
    house_app(NULL, ",\"public\":true");
    house.origin.reply = "HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n";
    const char *got = house_ask(
        house.gateway,
        "HEAD / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    must_hold(got, "Content-Length: 123\r\n");
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
    got = house_ask(
        house.gateway,
        "HEAD / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n");
    must_hold(got, "404 Not Found");
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
}

static void the_origin_decides_on_expect(void **state)
{
    (void)state;
    house_app(NULL, ",\"public\":true");
    house.origin.reply = "HTTP/1.1 100 Continue\r\n\r\n";
    house_dial(house.gateway);
    house_send(SV("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n"
                  "Expect: 100-continue\r\nConnection: close\r\n\r\n"));
    bool has_interim(struct house * h);
    house_run(has_interim);
    must_hold(origin_text(), "Expect: 100-continue\r\n");
    house.origin.until = "hi";
    house.origin.reply = "HTTP/1.1 204 No Content\r\n\r\n";
    house_send(SV("hi"));
    house_run(client_is_over);
    must_hold(client_text(), "HTTP/1.1 204 No Content\r\n");
    log_fini(&house.client);
}

bool has_interim(struct house *h);
bool has_interim(struct house *h)
{
    return h->client.in.n &&
           memmem(h->client.in.p, h->client.in.n, "100 Continue\r\n\r\n", 16);
}

/* --- tunnels and long streams --------------------------------------------------------- */

static bool has_hello_back(struct house *h)
{
    return h->client.in.n >= 5 &&
           memmem(h->client.in.p, h->client.in.n, "hello", 5);
}

static void tunnel_open(void)
{
    house.origin.reply = "HTTP/1.1 101 Switching Protocols\r\n"
                         "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    house.origin.echoes = true;
    house_dial(house.gateway);
    house_send(SV("GET / HTTP/1.1\r\nHost: a.test\r\n" BEARER
                  "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello"));
    house_run(has_hello_back);
    must_hold(origin_text(), "Upgrade: websocket\r\n");
    must_hold(client_text(), "101 Switching Protocols\r\n");
    must_hold(client_text(), "Upgrade: websocket\r\n");
}

static void a_tunnel_carries_bytes_until_one_side_ends(void **state)
{
    (void)state;
    house_token("k1");
    house_app("", "");
    tunnel_open();
    assert_int_equal(events_n, 0);
    conn_finish(house.client.c);
    house_run(client_is_over);
    the_event(OUTCOME_PASSED, "", 101);
    log_fini(&house.client);
}

static bool a_second(struct house *h)
{
    return some_turns(h) || client_is_over(h); /* a turn is a millisecond */
}

static void revoking_a_token_ends_its_tunnel_within_a_second(void **state)
{
    (void)state;
    uint32_t slot = house_token("k1");
    house_app("", "");
    tunnel_open();
    turns_until = 1000;
    house_run(a_second); /* it holds while the token does */
    assert_int_equal(house.client.closed, 0);
    tokens_revoke(house.tokens, slot);
    turns_until = 1000;
    house_run(a_second);
    assert_int_equal(house.client.closed, 1);
    the_event(OUTCOME_UNAUTHORIZED, "token_revoked", 101);
    log_fini(&house.client);
}

static void a_rotated_secret_ends_its_tunnel_with_its_grace(void **state)
{
    (void)state;
    uint8_t digest[32];
    uint32_t slot = house_token("k1");
    house_app("", "");
    tunnel_open();
    sha256(SV("k2"), digest);
    assert_int_equal(tokens_rotate(house.tokens, slot, digest,
                                   tokens_slot_take(house.tokens), 0),
                     0);
    house_run(client_is_over);
    the_event(OUTCOME_UNAUTHORIZED, "token_revoked", 101);
    log_fini(&house.client);
}

/* --- clients that leave, and what is in flight ------------------------------------------ */

static bool origin_was_asked(struct house *h)
{
    return h->origin.from > 0;
}

static bool an_event_came(struct house *h)
{
    (void)h;
    return events_n > 0;
}

static void a_client_that_leaves_ends_the_call(void **state)
{
    (void)state;
    house_app(NULL, ",\"public\":true");
    house.origin.reply = NULL;
    house_dial(house.gateway);
    house_send(SV("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"));
    house_run(origin_was_asked);
    conn_abort(house.client.c, ERR_CLOSED);
    house_run(an_event_came);
    the_event(OUTCOME_CLIENT_GONE, "client_gone", 0);
    log_fini(&house.client);
}

static void requests_on_one_connection_reuse_the_origins(void **state)
{
    (void)state;
    house_app(NULL, ",\"public\":true");
    const char *got = house_ask(
        house.gateway,
        "GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n"
        "GET /2 HTTP/1.1\r\nHost: b.test\r\n\r\n"
        "GET /3 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    must_hold(got, "404 Not Found");
    assert_int_equal(house.origin.conns, 1);
    must_hold(origin_text(), "GET /3 HTTP/1.1\r\n");
    assert_int_equal(events_n, 3);
}

/* --- back-pressure ------------------------------------------------------------------------ */

static size_t most_queued;
static bool big_is_over(struct house *h)
{
    if (h->origin.last && conn_queued(h->origin.last) > most_queued)
        most_queued = conn_queued(h->origin.last);
    return client_is_over(h);
}

static void a_large_answer_arrives_whole(void **state)
{
    (void)state;
    enum { BODY = 4 << 20 };
    char *reply = mem_alloc(BODY + 200);
    int n = snprintf(reply, 200,
                     "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
                     "\r\n",
                     BODY);
    for (int i = 0; i < BODY; i++) reply[n + i] = (char)('a' + i % 23);
    house_app(NULL, ",\"public\":true");
    house.origin.reply = reply;
    house.origin.reply_n = (size_t)n + BODY;
    house_dial(house.gateway);
    house_send(SV(GET("")));
    house_run(big_is_over);
    const char *body = strstr(client_text(), "\r\n\r\n") + 4;
    assert_memory_equal(body, reply + n, BODY);
    the_event(OUTCOME_PASSED, "", 200);
    log_fini(&house.client);
    mem_free(reply);
}

static void a_large_request_arrives_whole(void **state)
{
    (void)state;
    enum { BODY = 4 << 20 };
    struct buf text;
    buf_init(&text, BODY + 200);
    buf_puts(&text, "POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n"
                    "Content-Length: 4194304\r\n\r\n");
    size_t head = text.n;
    for (int i = 0; i < BODY - 1; i++) buf_putc(&text, (char)('a' + i % 23));
    buf_putc(&text, '!');
    house_app(NULL, ",\"public\":true");
    house.origin.until = "!";
    house_dial(house.gateway);
    house_send(buf_sv(&text));
    house_run(client_is_over);
    must_hold(client_text(), "200 OK");
    const char *body = strstr(origin_text(), "\r\n\r\n") + 4;
    assert_memory_equal(body, text.p + head, BODY);
    log_fini(&house.client);
    buf_fini(&text);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_goes_there_and_back),
        TEST(a_refusal_reaches_the_client_and_not_the_origin),
        TEST(a_token_passes_and_is_hidden_and_named),
        TEST(limits_are_shown_and_refused_with_retry_after),
        TEST(the_quota_comes_back_only_if_the_origin_got_nothing),
        TEST(an_origin_that_is_silent_or_talks_nonsense),
        TEST(bodies_and_trailers_stream_both_ways),
        TEST(a_chunked_body_above_the_maximum_is_cut),
        TEST(head_keeps_the_length_and_sends_no_body),
        TEST(the_origin_decides_on_expect),
        TEST(a_tunnel_carries_bytes_until_one_side_ends),
        TEST(revoking_a_token_ends_its_tunnel_within_a_second),
        TEST(a_rotated_secret_ends_its_tunnel_with_its_grace),
        TEST(a_client_that_leaves_ends_the_call),
        TEST(requests_on_one_connection_reuse_the_origins),
        TEST(a_large_answer_arrives_whole),
        TEST(a_large_request_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
