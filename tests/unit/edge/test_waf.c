/* The WAF at both doors, with an engine of one word: refusing, noting, being
 * late, full, absent; clients that leave in the middle of a judgement. */
#include "base/epoch.h"
#include "doors_kit.h"

#define DETECT "\"mode\":\"detect\""
#define BLOCK "\"mode\":\"block\""
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.test\r\n" LAST
#define POST(n, body) \
    "POST /in HTTP/1.1\r\nHost: a.test\r\nContent-Length: " n "\r\n" LAST body
#define LAST "Connection: close\r\n\r\n"
#define BEARER "Authorization: Bearer k1\r\n"

static void app_with(const char *waf, const char *profile, const char *auth)
{
    char doc[512];
    snprintf(doc, sizeof doc,
             "{\"id\":\"sec_01JD0000000000000000000000\",\"name\":\"s\","
             "\"waf\":{%s}%s}",
             waf, profile);
    struct plan_fixture f = { .domain = "a.test",
                              .origin = house.origin_url,
                              .more = ",\"detailResponse\":true",
                              .auth = auth,
                              .num = 1,
                              .imported = true,
                              .forms = { [FORM_SECURITY] = doc } };
    f.quota_slot = UINT32_MAX;
    plan_fixture_publish(house.plan, &f);
}

static const struct row {
    const char *says, *waf, *profile, *request;
    bool fails;
    unsigned status;
    const char *code; /* of the event */
    unsigned judged;
} rows[] = {
    { "a good request", BLOCK, "", GET("/x"), false, 200, "", 1 },
    { "an attack in the target", BLOCK, "", GET("/x?q=evil"), false, 403,
      "waf_blocked", 1 },
    { "an attack in a field", BLOCK, "",
      "GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: evil\r\n" LAST, false, 403,
      "waf_blocked", 1 },
    { "an attack in the body", BLOCK, "", POST("4", "evil"), false, 403,
      "waf_blocked", 1 },
    { "an attack in chunks, split", BLOCK, "",
      "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n" LAST
      "2\r\nev\r\n2\r\nil\r\n0\r\n\r\n",
      false, 403, "waf_blocked", 1 },
    { "below the threshold", BLOCK, "", GET("/odd"), false, 200, "", 1 },
    { "a lower threshold", BLOCK ",\"threshold\":3", "", GET("/odd"), false,
      403, "waf_blocked", 1 },
    { "a higher threshold", BLOCK ",\"threshold\":9", "", GET("/evil"), false,
      200, "", 1 },
    { "two rules add up", BLOCK ",\"threshold\":8", "", GET("/evil/odd"), false,
      403, "waf_blocked", 1 },
    { "what is only noted passes", DETECT, "", POST("4", "evil"), false, 200,
      "", 1 },
    { "off", "\"mode\":\"off\"", "", GET("/evil"), false, 200, "", 0 },
    { "a fault is closed", BLOCK, "", GET("/x"), true, 503, "check_unavailable",
      1 },
    { "a fault where only noted is open", DETECT, "", GET("/x"), true, 200, "",
      1 },
    { "a fault is open if the profile says so", BLOCK, ",\"onFault\":\"open\"",
      GET("/x"), true, 200, "", 1 },
    { "detect refuses nothing, closed or not", DETECT,
      ",\"onFault\":\"closed\"", GET("/x"), true, 200, "", 1 },
};

static void the_proxy_door_refuses_what_the_rules_refuse(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        char status[32];
        print_message("# %s\n", r->says);
        fake_waf_state.judged = 0;
        fake_waf_state.fails = r->fails;
        app_with(r->waf, r->profile, NULL);
        const char *got = house_ask(house.gateway, r->request);
        snprintf(status, sizeof status, "HTTP/1.1 %u ", r->status);
        must_hold(got, status);
        must_lack(got, "942100"); /* no answer names a rule */
        assert_int_equal(events_n, 1);
        assert_string_equal(events[0].code, r->code);
        events_n = 0;
        assert_int_equal(fake_waf_state.judged, r->judged);
    }
}

static void a_body_that_goes_on_is_judged_as_a_part(void **state)
{
    (void)state;
    char text[4096], body[1501];
    memset(body, 'a', 1500);
    memcpy(body + 1200, "evil", 5);
    body[1204] = 'b';
    body[1500] = '\0';
    snprintf(text, sizeof text, POST("1500", "%s"), body);
    house.origin.until = "aaa";
    app_with(BLOCK ",\"inspectBytes\":1024,\"overLimit\":\"pass\"", "", NULL);
    must_hold(house_ask(house.gateway, text), "HTTP/1.1 200 ");
    assert_true(fake_waf_state.partial);
    assert_int_equal(fake_waf_state.body_n, 1024);
    app_with(BLOCK, "", NULL);
    must_hold(house_ask(house.gateway, text), "HTTP/1.1 403 ");
    assert_false(fake_waf_state.partial);
    assert_int_equal(fake_waf_state.body_n, 1500);
}

static void a_refusal_takes_from_the_limit_and_not_from_the_quota(void **state)
{
    (void)state;
    house_token("k1");
    app_with(BLOCK, "",
             "\"ratelimit\":{\"limit\":5,\"timeWindow\":60},\"remaining\":1");
    const char *got =
        house_ask(house.gateway, "POST / HTTP/1.1\r\nHost: a.test\r\n" BEARER
                                 "Content-Length: 4\r\n" LAST "evil");
    must_hold(got, "HTTP/1.1 403 ");
    must_hold(got, "X-RateLimit-Remaining: 4\r\n");
    got = house_ask(house.gateway,
                    "GET / HTTP/1.1\r\nHost: a.test\r\n" BEARER LAST);
    must_hold(got, "HTTP/1.1 200 ");
    must_hold(got, "X-RateLimit-Remaining: 3\r\n");
}

/* --- late and full ------------------------------------------------------------ */

static bool a_judgement_has_begun(struct house *h)
{
    return fake_waf_state.begun > 0 || client_is_over(h);
}

static bool is_judged(struct house *h)
{
    (void)h;
    return fake_waf_state.judged > 0;
}

/* The worker goes on, and what it read may go. */
static void gate_open(void)
{
    fake_waf_gate(false);
    house_run(is_judged);
    turns_until = 20;
    house_run(some_turns);
}

static void a_late_judgement_is_a_fault_and_what_it_reads_stays(void **state)
{
    (void)state;
    for (int blocks = 0; blocks < 2; blocks++) {
        fake_waf_reset();
        events_n = 0;
        fake_waf_gate(true);
        house.origin.until = "hello";
        app_with(blocks ? BLOCK : DETECT, "", NULL);
        const char *got = house_ask(house.gateway, POST("5", "hello"));
        must_hold(got, blocks ? "HTTP/1.1 503 " : "HTTP/1.1 200 ");
        if (blocks) must_hold(got, "Retry-After: 1\r\n");
        if (blocks)
            the_event(OUTCOME_UNAVAILABLE, "check_unavailable", 503);
        else
            the_event(OUTCOME_PASSED, "", 200);
        assert_int_equal(edge_stats(house.er)->works[WORK_OF_WAF].late,
                         blocks + 1);
        gate_open();
        assert_int_equal(fake_waf_state.body_n, 5);
    }
    assert_int_equal(edge_stats(house.er)->works[WORK_OF_WAF].done, 0);
}

static void a_client_may_leave_while_it_is_judged(void **state)
{
    (void)state;
    app_with(BLOCK, "", NULL);
    uint64_t images = plan_images(house.plan);
    fake_waf_gate(true);
    house_dial(house.gateway);
    house_send(SV(POST("5", "hello")));
    house_run(a_judgement_has_begun);
    conn_abort(house.client.c, ERR_CLOSED);
    turns_until = 20;
    house_run(some_turns);
    the_event(OUTCOME_CLIENT_GONE, "client_gone", 0);
    log_fini(&house.client);
    app_with(BLOCK ",\"paranoia\":2", "", NULL); /* the old image waits */
    epoch_reclaim();
    assert_int_equal(plan_images(house.plan), images + 1);
    assert_int_equal(fake_waf_state.alive, 2);
    gate_open();
    epoch_reclaim();
    assert_int_equal(plan_images(house.plan), images);
    assert_int_equal(fake_waf_state.alive, 1);
}

/* One is judged, two wait: the queue of the kit. */
static void a_full_queue_is_a_fault_at_once(void **state)
{
    (void)state;
    struct log_of first[3];
    app_with(BLOCK, "", NULL);
    fake_waf_gate(true);
    for (int i = 0; i < 3; i++) {
        house_dial(house.gateway);
        house_send(SV(GET("/x")));
        house_run(a_judgement_has_begun);
        turns_until = 20;
        house_run(some_turns);
        first[i] = house.client;
        conn_set_ops(first[i].c, &LOG_OPS, &first[i]);
    }
    must_hold(house_ask(house.gateway, GET("/x")), "HTTP/1.1 503 ");
    the_event(OUTCOME_UNAVAILABLE, "check_unavailable", 503);
    assert_int_equal(edge_stats(house.er)->works[WORK_OF_WAF].refused, 1);
    fake_waf_gate(false);
    turns_until = 200;
    house_run(some_turns);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(first[i].closed, 1);
        buf_putc(&first[i].in, '\0');
        must_hold(first[i].in.p, "HTTP/1.1 200 ");
        log_fini(&first[i]);
    }
    assert_int_equal(edge_stats(house.er)->works[WORK_OF_WAF].done, 3);
}

static void a_token_revoked_while_it_is_judged_is_refused(void **state)
{
    (void)state;
    uint32_t slot = house_token("k1");
    app_with(BLOCK, "", "");
    fake_waf_gate(true);
    house_dial(house.gateway);
    house_send(SV("GET / HTTP/1.1\r\nHost: a.test\r\n" BEARER LAST));
    house_run(a_judgement_has_begun);
    tokens_revoke(house.tokens, slot);
    fake_waf_gate(false);
    house_run(client_is_over);
    the_event(OUTCOME_UNAUTHORIZED, "token_revoked", 401);
    log_fini(&house.client);
}

/* --- rules -------------------------------------------------------------------- */

static void rules_are_shared_by_what_changes_them(void **state)
{
    (void)state;
    app_with(BLOCK, "", NULL);
    app_with(BLOCK ",\"threshold\":7,\"inspectBytes\":2048", "", NULL);
    app_with(DETECT, "", NULL);
    assert_int_equal(fake_waf_state.compiled, 1);
    app_with(BLOCK ",\"exclusions\":[\"942100\"]", "", NULL);
    assert_int_equal(fake_waf_state.compiled, 2);
    app_with("\"mode\":\"off\"", "", NULL);
    epoch_reclaim();
    assert_int_equal(fake_waf_state.compiled, 2);
    assert_int_equal(fake_waf_state.alive, 0);
    assert_int_equal(plan_waf_sets(house.plan), 0);
}

static void an_image_without_rules_is_not_built_unless_it_may(void **state)
{
    (void)state;
    static const char application[] =
        "{\"id\":\"app_01JD0000000000000000000001\",\"account_id\":"
        "\"acc_01JD0000000000000000000000\",\"name\":\"a\",\"public\":true,"
        "\"domain\":\"a.test\"%s}";
    char text[512];
    struct plan_app *image;
    struct plan_problem why;
    struct plan_source src = {
        .forms[FORM_SECURITY] = SV("{\"id\":\"sec_1\",\"name\":\"s\","
                                   "\"waf\":{\"mode\":\"block\"}}"),
        .quota_slot = UINT32_MAX,
    };
    fake_waf_state.missing = true;
    snprintf(text, sizeof text, application, "");
    src.application = sv_cstr(text);
    assert_int_equal(plan_build(house.plan, &src, &image, &why), ERR_NOTFOUND);
    assert_string_equal(why.field, "waf");
    assert_string_equal(why.message, "apt install fake");
    snprintf(text, sizeof text, application, ",\"enabled\":false");
    src.application = sv_cstr(text);
    assert_int_equal(plan_build(house.plan, &src, &image, &why), 0);
    plan_discard(house.plan, &image);
    snprintf(text, sizeof text, application, "");
    src.application = sv_cstr(text);
    src.waf_may_miss = true;
    assert_int_equal(plan_build(house.plan, &src, &image, &why), 0);
    plan_publish(house.plan, image);
    must_hold(house_ask(house.gateway, GET("/x")), "HTTP/1.1 503 ");
    the_event(OUTCOME_UNAVAILABLE, "check_unavailable", 503);
}

/* --- the verify door ------------------------------------------------------------ */

#define ITEM(telemetry) \
    "{\"token\":\"k1\",\"appID\":\"%s\",\"telemetry\":{" telemetry "}}"

static const struct question_row {
    const char *says, *telemetry, *code; /* code NULL: valid */
    unsigned judged;
} questions[] = {
    { "nothing is told of the request", "\"ipaddress\":\"192.0.2.1\"", NULL,
      0 },
    { "a good url", "\"url\":\"https://a.test/x?y=1\"", NULL, 1 },
    { "an attack in the url", "\"url\":\"https://a.test/x?y=evil\"",
      "waf_blocked", 1 },
    { "an attack in a field", "\"headers\":{\"User-Agent\":\"evil\"}",
      "waf_blocked", 1 },
};

static void the_verify_door_judges_what_telemetry_tells(void **state)
{
    (void)state;
    house_token("k1");
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        const struct question_row *r = &questions[i];
        char text[1024], code[64];
        print_message("# %s\n", r->says);
        fake_waf_state.judged = 0;
        app_with(BLOCK, "", "\"remaining\":2");
        snprintf(text, sizeof text,
                 "{\"token\":\"k1\",\"appID\":\"%s\",\"telemetry\":{%s},"
                 "\"peek\":true}",
                 plan_fixture_id(1), r->telemetry);
        const char *got = house_post("/authenticate", "", text);
        snprintf(code, sizeof code, "\"code\":\"%s\"", r->code ? r->code : "");
        must_hold(got, "200 OK");
        if (r->code)
            must_hold(got, code);
        else
            must_hold(got, "\"valid\":true");
        assert_int_equal(fake_waf_state.judged, r->judged);
        if (r->judged) assert_true(fake_waf_state.has_host);
    }
}

static void a_batch_is_judged_one_by_one_and_counted_once_each(void **state)
{
    (void)state;
    char text[2048];
    house_token("k1");
    app_with(BLOCK, "", "\"ratelimit\":{\"limit\":9,\"timeWindow\":60}");
    const char *id = plan_fixture_id(1);
    snprintf(text, sizeof text,
             "[" ITEM("\"url\":\"/a\"") "," ITEM("\"url\":\"/evil\"") "," ITEM(
                 "\"url\":\"/c\"") "]",
             id, id, id);
    const char *got = house_post("/authenticate/batch", "", text);
    must_hold(got, "200 OK");
    must_hold(got, "\"code\":\"waf_blocked\"");
    must_hold(got, "\"remaining\":8");
    must_hold(got, "\"remaining\":6");
    assert_int_equal(fake_waf_state.judged, 3);
    assert_int_equal(events_n, 3);
}

static void who_asks_may_leave_while_it_is_judged(void **state)
{
    (void)state;
    char text[1024], body[512];
    house_token("k1");
    app_with(BLOCK, "", "");
    fake_waf_gate(true);
    snprintf(body, sizeof body, ITEM("\"url\":\"/a\""), plan_fixture_id(1));
    snprintf(text, sizeof text,
             "POST /authenticate HTTP/1.1\r\nHost: v.test\r\nContent-Length: "
             "%zu\r\n\r\n%s",
             strlen(body), body);
    house_dial(house.verify);
    house_send(sv_cstr(text));
    house_run(a_judgement_has_begun);
    conn_abort(house.client.c, ERR_CLOSED);
    turns_until = 20;
    house_run(some_turns);
    the_event(OUTCOME_CLIENT_GONE, "client_gone", 0);
    log_fini(&house.client);
    gate_open();
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_proxy_door_refuses_what_the_rules_refuse),
        TEST(a_body_that_goes_on_is_judged_as_a_part),
        TEST(a_refusal_takes_from_the_limit_and_not_from_the_quota),
        TEST(a_late_judgement_is_a_fault_and_what_it_reads_stays),
        TEST(a_client_may_leave_while_it_is_judged),
        TEST(a_full_queue_is_a_fault_at_once),
        TEST(a_token_revoked_while_it_is_judged_is_refused),
        TEST(rules_are_shared_by_what_changes_them),
        TEST(an_image_without_rules_is_not_built_unless_it_may),
        TEST(the_verify_door_judges_what_telemetry_tells),
        TEST(a_batch_is_judged_one_by_one_and_counted_once_each),
        TEST(who_asks_may_leave_while_it_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
