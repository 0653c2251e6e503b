/* The verify door, from a question's bytes to the answer's. */
#include "doors_kit.h"
#include "live/counter_int.h"

#define APP "app_01JD0000000000000000000001"
#define Q(token) "{\"token\":\"" token "\",\"appID\":\"" APP "\"}"
#define KEY "Authorization: Bearer mk_secret\r\n"
#define GOOD                                                        \
    "{\"success\":true,\"message\":\"\",\"valid\":true,\"data\":[{" \
    "\"valid\":true,\"enabled\":true,"
#define BAD(code)                                                 \
    "\"valid\":false,\"data\":[{\"valid\":false,\"code\":\"" code \
    "\"}],\"error\":{\"code\":\"" code "\"}}"

static const char *ask(const char *body)
{
    return house_post("/authenticate", "", body);
}

static void a_good_token_is_answered_and_counted(void **state)
{
    (void)state;
    house_token("k1");
    house_app("\"ratelimit\":{\"limit\":5,\"timeWindow\":60},\"remaining\":9",
              "");
    const char *got = ask(Q("k1"));
    must_hold(got, "HTTP/1.1 200 OK\r\nContent-Type: application/json; "
                   "charset=utf-8\r\nCache-Control: no-store\r\n"
                   "X-Request-Id: ");
    must_hold(got, "\r\n\r\n" GOOD "\"remaining\":8,\"ratelimit\":{\"limit\":5,"
                   "\"remaining\":4,\"reset\":");
    must_hold(got, "},\"expiresAt\":null}]}");
    must_lack(got, "tokenId");
    const struct kept_event *e = the_event(OUTCOME_PASSED, "", 200);
    assert_string_equal(e->path, "/authenticate");
    assert_string_equal(e->app, APP);
    assert_int_equal(e->door, DOOR_VERIFY);
    assert_true(e->has_token);
    must_hold(got, e->id);
    got = ask("{\"token\":\"k1\",\"cost\":3,\"appID\":\"" APP "\"}");
    must_hold(got,
              "\"remaining\":5,\"ratelimit\":{\"limit\":5,\"remaining\":1");
    got = ask("{\"token\":\"k1\",\"cost\":2,\"appID\":\"" APP "\"}");
    must_hold(got, "200 OK");
    must_hold(got, "\"code\":\"rate_limited\"");
    must_hold(got, "\"retryAfter\":");
    must_hold(got, "\"error\":{\"code\":\"rate_limited\"}}");
}

/* Three kinds of clients: by `success` and top-level `valid`; by `success` and
 * data[0].valid with `message`; with "Bearer " inside the token. */
static void existing_clients_are_served(void **state)
{
    (void)state;
    house_token("k1");
    house_app("", "");
    const char *telemetry =
        "{\"token\":\"Bearer k1\",\"appID\":\"" APP "\",\"telemetry\":{\"url\""
        ":\"/x\",\"method\":\"GET\",\"headers\":{\"a\":[\"b\"],\"c\":\"d\"},"
        "\"ipaddress\":\"\",\"timestamp\":1,\"sdk\":{\"v\":[1]}},\"v\":2}";
    must_hold(ask(telemetry), GOOD);
    must_hold(ask(Q("k2")), "{\"success\":false,\"message\":\"the token is not "
                            "valid\"," BAD("invalid_token"));
}

static void what_nobody_may_learn_answers_alike(void **state)
{
    (void)state;
    char unknown[1024];
    house_token("k1");
    house_app("", "");
    snprintf(unknown, sizeof unknown, "%s", strstr(ask(Q("k2")), "\r\n\r\n"));
    must_hold(unknown, BAD("invalid_token"));
    const char *rows[] = { "", ",\"authenticate\":{\"mode\":\"off\"}",
                           ",\"authenticate\":{\"mode\":\"key\"}",
                           ",\"authenticate\":{\"from\":[\"10.0.0.0/8\"]}" };
    must_hold(ask("{\"token\":\"k1\",\"appID\":\"app_2\"}"), unknown);
    for (size_t i = 1; i < ARRAY_LEN(rows); i++) {
        house_app("", rows[i]);
        must_hold(ask(Q("k1")), unknown);
    }
    house_app("", ",\"authenticate\":{\"from\":[\"127.0.0.0/8\"]}");
    must_hold(ask(Q("k1")), GOOD);
    must_hold(ask(Q("")), BAD("missing_token"));
    must_hold(ask("{\"token\":\"\",\"appID\":\"app_2\"}"),
              BAD("missing_token"));
}

static void a_management_key_of_the_account_sees_details(void **state)
{
    (void)state;
    struct sv tags[] = { SV("env:prod") };
    struct token_record r = house_record("k1");
    r.owner = SV("me");
    r.tags = tags;
    r.tags_n = 1;
    r.metadata = SV("{\"plan\":\"gold\"}");
    house_put(&r);
    house_app("", ",\"authenticate\":{\"mode\":\"key\"}");
    const char *got = house_post("/authenticate", KEY, Q("k1"));
    must_hold(got, "\"tokenId\":\"tok_");
    must_hold(got, "\"applicationId\":\"" APP "\",\"owner\":\"me\",\"scopes\":"
                   "[],\"tags\":[\"env:prod\"],\"metadata\":{\"plan\":"
                   "\"gold\"}}]}");
    assert_string_equal(account_asked, "acc_01JD0000000000000000000000");
    must_hold(house_post("/authenticate", "Authorization: Bearer mk_other\r\n",
                         Q("k1")),
              BAD("invalid_token"));
    house_app("", "");
    must_lack(house_post("/authenticate", "Authorization: Bearer mk_other\r\n",
                         Q("k1")),
              "tokenId");
}

static void long_metadata_is_read_by_a_worker(void **state)
{
    (void)state;
    static char metadata[1024], expected[1100];
    memset(metadata, 'x', 1000);
    memcpy(metadata, "{\"a\":\"", 6);
    memcpy(metadata + 998, "\"}", 3);
    struct token_record r = house_record("k1");
    r.metadata = sv_cstr(metadata);
    house_put(&r);
    house_app("", "");
    snprintf(expected, sizeof expected, "\"metadata\":%s}", metadata);
    must_hold(house_post("/authenticate", KEY, Q("k1")), expected);
    must_lack(ask(Q("k1")), "xxxx");
    char *got = strstr(
        (char *)(uintptr_t)house_post("/authenticate/batch", KEY,
                                      "[" Q("k1") "," Q("k2") "," Q("k1") "]"),
        expected);
    assert_non_null(got);
    must_hold(got + 1, expected);
    must_hold(got, "},{\"valid\":false,\"code\":\"invalid_token\",\"message\":"
                   "\"the token is not valid\"},{");
}

static void telemetry_says_where_the_client_is(void **state)
{
    (void)state;
    struct cidr allow;
    assert_int_equal(cidr_parse(SV("203.0.113.0/24"), &allow), 0);
    struct token_record r = house_record("k1");
    r.allow = &allow;
    r.allow_n = 1;
    r.has_allow = true;
    house_put(&r);
    house_app("", "");
#define FROM(ip)                                             \
    "{\"token\":\"k1\",\"appID\":\"" APP "\",\"telemetry\":" \
    "{\"ipaddress\":\"" ip "\"}}"
    must_hold(ask(FROM("203.0.113.9")), GOOD);
    must_hold(ask(FROM("::ffff:203.0.113.9")), GOOD);
    must_hold(ask(FROM("198.51.100.1")), BAD("ip_not_allowed"));
    must_hold(ask(FROM("")), BAD("ip_not_allowed"));
    must_hold(ask(Q("k1")), BAD("ip_not_allowed"));
}

static void scopes_that_are_asked_for_must_be_held(void **state)
{
    (void)state;
    struct sv scopes[] = { SV("read"), SV("write") };
    struct token_record r = house_record("k1");
    r.scopes = scopes;
    r.scopes_n = 2;
    house_put(&r);
    house_app("", "");
    must_hold(ask("{\"token\":\"k1\",\"appID\":\"" APP "\",\"scopes\":"
                  "[\"write\",\"read\"]}"),
              GOOD);
    must_hold(ask("{\"token\":\"k1\",\"appID\":\"" APP "\",\"scopes\":"
                  "[\"write\",\"admin\"]}"),
              BAD("insufficient_scope"));
}

static void tokens_are_judged_where_the_gateway_is_public(void **state)
{
    (void)state;
    house_token("k1");
    house_app(NULL, ",\"public\":true");
    must_hold(ask(Q("k1")), GOOD);
    must_hold(ask(Q("k2")), BAD("invalid_token"));
}

static void a_batch_judges_each_alone_in_order(void **state)
{
    (void)state;
    house_token("k1");
    house_app("\"ratelimit\":{\"limit\":2,\"timeWindow\":60}", "");
    const char *got = house_post(
        "/authenticate/batch", "",
        "[" Q("k1") "," Q("k2") ",7,{\"token\":\"k1\",\"appID\":\"" APP
                                "\",\"cost\":0}," Q("k1") "," Q("k1") "]");
    must_hold(got, "200 OK");
    must_hold(got, "{\"success\":true,\"message\":\"\",\"data\":[{\"valid\":"
                   "true,");
    must_hold(got, "},{\"valid\":false,\"code\":\"invalid_token\",");
    must_hold(got, "},{\"valid\":false,\"code\":\"bad_request\",\"message\":"
                   "\"a question is an object\"},{\"valid\":false,\"code\":"
                   "\"bad_request\",");
    must_hold(got, "\"field\":\"cost\"},{\"valid\":true,");
    must_hold(got, "},{\"valid\":false,\"code\":\"rate_limited\",");
    assert_int_equal(events_n, 6);
    static const char *codes[] = {
        "", "invalid_token", "bad_request", "bad_request", "", "rate_limited"
    };
    for (unsigned i = 0; i < 6; i++) {
        assert_string_equal(events[i].code, codes[i]);
        assert_string_equal(events[i].id, events[0].id);
        assert_int_equal(events[i].bytes_out > 0, i == 5);
    }
    must_hold(house_post("/authenticate/batch", "", "{\"questions\":[]}"),
              "\"data\":[]}");
}

static const struct {
    const char *says, *request;
    unsigned status;
    const char *holds;
} refusals[] = {
    { "GET",
      "GET /authenticate HTTP/1.1\r\nHost: v\r\nConnection: close\r\n"
      "\r\n",
      405, "\r\nAllow: POST\r\n" },
    { "another path",
      "POST /authenticate/x HTTP/1.1\r\nHost: v\r\n"
      "Connection: close\r\nContent-Length: 2\r\n\r\n{}",
      404, "\"code\":\"not_found\"" },
    { "no JSON",
      "POST /authenticate HTTP/1.1\r\nHost: v\r\n"
      "Connection: close\r\nContent-Length: 2\r\n\r\n{x",
      400, "\"code\":\"bad_request\"" },
    { "no body",
      "POST /authenticate HTTP/1.1\r\nHost: v\r\n"
      "Connection: close\r\n\r\n",
      400, "\"message\":\"the body is empty\"" },
    { "no token",
      "POST /authenticate HTTP/1.1\r\nHost: v\r\n"
      "Connection: close\r\nContent-Length: 13\r\n\r\n{\"appID\":\"a\"}",
      400, "\"field\":\"token\"" },
    { "more than 1 MiB",
      "POST /authenticate HTTP/1.1\r\nHost: v\r\n"
      "Connection: close\r\nContent-Length: 1048577\r\n\r\n",
      413, "\"success\":false" },
};

static void what_is_no_question_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        char status[32];
        const char *got = house_ask(house.verify, refusals[i].request);
        snprintf(status, sizeof status, "HTTP/1.1 %u ", refusals[i].status);
        must_hold(got, status);
        must_hold(got, refusals[i].holds);
        the_event(OUTCOME_BAD_REQUEST, "bad_request", refusals[i].status);
    }
}

/* --- bodies in pieces ----------------------------------------------------------- */

static struct sv to_send;
static bool send_a_byte(struct house *h)
{
    if (to_send.n && !h->client.closed) {
        conn_write(h->client.c, sv_first(to_send, 1));
        conn_flush(h->client.c);
        to_send = sv_from(to_send, 1);
    }
    return client_is_over(h);
}

static void a_body_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char *requests[] = {
        "POST /authenticate HTTP/1.1\r\nHost: v\r\nConnection: close\r\n"
        "Content-Length: 55\r\n\r\n" Q("k1"),
        "POST /authenticate HTTP/1.1\r\nHost: v\r\nConnection: close\r\n"
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{ \r\n38\r\n \"token\":\"k1\","
        "\"appID\":\"" APP "\" }\r\n0\r\n\r\n"
    };
    house_token("k1");
    house_app("", "");
    assert_int_equal(strlen(Q("k1")), 55);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        to_send = sv_cstr(requests[i]);
        house_dial(house.verify);
        house_run(send_a_byte);
        must_hold(client_text(), GOOD);
        the_event(OUTCOME_PASSED, "", 200);
        log_fini(&house.client);
    }
}

static bool an_event_came(struct house *h)
{
    (void)h;
    return events_n > 0;
}

static void a_client_that_leaves_midway_is_told_of_once(void **state)
{
    (void)state;
    house_dial(house.verify);
    house_send(SV("POST /authenticate HTTP/1.1\r\nHost: v\r\n"
                  "Content-Length: 55\r\n\r\n{\"token\""));
    turns_until = 50;
    house_run(some_turns);
    conn_abort(house.client.c, ERR_CLOSED);
    house_run(an_event_came);
    the_event(OUTCOME_CLIENT_GONE, "client_gone", 0);
    log_fini(&house.client);
}

/* --- waiting --------------------------------------------------------------------- */

static uint32_t held_word;
static void hold_line(uint32_t slot)
{
    assert_true(
        line_lock(house.counters, &house.counters->lines[slot], 1, &held_word));
}

static void release_line(uint32_t slot)
{
    line_unlock(&house.counters->lines[slot], held_word);
}

static void a_contended_question_waits_and_is_answered(void **state)
{
    (void)state;
    uint32_t slot = house_token("k1");
    house_app("\"remaining\":10", "");
    for (int batch = 0; batch < 2; batch++) {
        hold_line(slot);
        house_dial(house.verify);
        house_send(batch ? SV("POST /authenticate/batch HTTP/1.1\r\nHost: v\r\n"
                              "Connection: close\r\nContent-Length: 113\r\n"
                              "\r\n[" Q("zz") "," Q("k1") "]")
                         : SV("POST /authenticate HTTP/1.1\r\nHost: v\r\n"
                              "Connection: close\r\nContent-Length: 55\r\n"
                              "\r\n" Q("k1")));
        turns_until = 50;
        house_run(some_turns);
        assert_int_equal(house.client.in.n, 0);
        release_line(slot);
        house_run(client_is_over);
        must_hold(client_text(), batch ? "\"remaining\":8" : "\"remaining\":9");
        assert_int_equal(events_n, batch + 1);
        events_n = 0;
        log_fini(&house.client);
    }
}

static void a_line_that_stays_held_is_a_fault(void **state)
{
    (void)state;
    uint32_t slot = house_token("k1");
    house_app("", "");
    hold_line(slot);
    must_hold(ask(Q("k1")), BAD("check_unavailable"));
    the_event(OUTCOME_UNAVAILABLE, "check_unavailable", 200);
    release_line(slot);
}

static void a_contended_request_waits_and_goes_on(void **state)
{
    (void)state;
    uint32_t slot = house_token("k1");
    house_app("", "");
    hold_line(slot);
    house_dial(house.gateway);
    house_send(SV("POST /w HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n"
                  "Authorization: Bearer k1\r\nContent-Length: 3\r\n\r\nabc"));
    turns_until = 50;
    house_run(some_turns);
    /* a new image is published; the exchange keeps the one it began with */
    house_app("", ",\"enabled\":false");
    release_line(slot);
    house.origin.until = "abc";
    house_run(client_is_over);
    must_hold(client_text(), "200 OK");
    must_hold(origin_text(), "POST /w HTTP/1.1\r\n");
    the_event(OUTCOME_PASSED, "", 200);
    log_fini(&house.client);
}

static void a_client_may_leave_while_it_waits(void **state)
{
    (void)state;
    uint32_t slot = house_token("k1");
    house_app("", "");
    hold_line(slot);
    for (int door = 0; door < 2; door++) {
        house_dial(door ? house.verify : house.gateway);
        house_send(door ? SV("POST /authenticate HTTP/1.1\r\nHost: v\r\n"
                             "Content-Length: 55\r\n\r\n" Q("k1"))
                        : SV("GET / HTTP/1.1\r\nHost: a.test\r\n"
                             "Authorization: Bearer k1\r\n\r\n"));
        turns_until = 50;
        house_run(some_turns);
        conn_abort(house.client.c, ERR_CLOSED);
        house_run(an_event_came);
        the_event(OUTCOME_CLIENT_GONE, "client_gone", 0);
        log_fini(&house.client);
    }
    release_line(slot);
    assert_int_equal(house.origin.conns, 0);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_token_is_answered_and_counted),
        TEST(existing_clients_are_served),
        TEST(what_nobody_may_learn_answers_alike),
        TEST(a_management_key_of_the_account_sees_details),
        TEST(long_metadata_is_read_by_a_worker),
        TEST(telemetry_says_where_the_client_is),
        TEST(scopes_that_are_asked_for_must_be_held),
        TEST(tokens_are_judged_where_the_gateway_is_public),
        TEST(a_batch_judges_each_alone_in_order),
        TEST(what_is_no_question_is_refused),
        TEST(a_body_may_come_byte_by_byte),
        TEST(a_client_that_leaves_midway_is_told_of_once),
        TEST(a_contended_question_waits_and_is_answered),
        TEST(a_line_that_stays_held_is_a_fault),
        TEST(a_contended_request_waits_and_goes_on),
        TEST(a_client_may_leave_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
