/* Calls to origins: answers and bodies. */
#include "client_kit.h"

/* --- answers -------------------------------------------------------------- */

static void a_call_is_answered_and_its_connection_used_again(void **state)
{
    (void)state;
    serve_one(&rig.a);
    serve_one(&rig.a);
    serve_one(&rig.a);
    assert_int_equal(STAT(connects), 1);
    assert_int_equal(STAT(reused), 2);
    assert_int_equal(STAT(idle), 1);
    assert_int_equal(STAT(active), 0);
}

static void an_answer_may_come_byte_by_byte(void **state)
{
    (void)state;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    for (const char *p = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "2\r\nhi\r\n0\r\nA: b\r\n\r\n";
         *p; p++) {
        wire_send(&rig.o, (char[]){ *p, 0 });
        pump_turns(&rig.kit, 1);
    }
    turns();
    EXPECT_LOG(&rig.a, "H200 Bh Bi E A=b ");
    serve_one(&rig.a);
    assert_int_equal(STAT(connects), 1);
}

static void an_answer_until_close_ends_with_it(void **state)
{
    (void)state;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 200 OK\r\n\r\nhello");
    EXPECT_LOG(&rig.a, "H200 Bhello ");
    wire_fini(&rig.o);
    turns();
    EXPECT_LOG(&rig.a, "E ");
    assert_int_equal(STAT(idle), 0);
}

static void answers_without_a_body_end_at_once(void **state)
{
    (void)state;
    struct http_request head = request("HEAD", HTTP_BODY_NONE, 0);
    start_as(&rig.a, &head);
    accept_origin();
    expect("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    answer("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
    EXPECT_LOG(&rig.a, "H200 E ");
    assert_int_equal(rig.a.head.content_length, 99);
    start(&rig.a, "GET");
    expect(GET);
    answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n");
    EXPECT_LOG(&rig.a, "H304 E ");
    start(&rig.a, "GET");
    expect(GET);
    answer("HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_LOG(&rig.a, "H204 E ");
    assert_int_equal(STAT(connects), 1);
}

static void interim_answers_are_told_apart(void **state)
{
    (void)state;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
           "HTTP/1.1 100 Continue\r\n\r\n" OK);
    EXPECT_LOG(&rig.a, "I103 I100 H200 Bhi E ");
}

static void endless_interim_answers_are_refused(void **state)
{
    (void)state;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    for (int i = 0; i < 33; i++)
        wire_send(&rig.o, "HTTP/1.1 103 Early Hints\r\n\r\n");
    turns();
    assert_int_equal(rig.a.err, ERR_PROTOCOL);
}

static void what_is_malformed_fails_the_call(void **state)
{
    static const char *const cases[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
        "SSH-2.0-x\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
        "Upgrade: x\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tear_down(state);
        set_up(state);
        start(&rig.a, "GET");
        accept_origin();
        expect(GET);
        answer(cases[i]);
        EXPECT_LOG(&rig.a, "F ");
        assert_int_equal(rig.a.err, ERR_PROTOCOL);
        assert_true(rig.a.sent);
        wire_expect_closed(&rig.kit, &rig.o);
    }
}

static void a_broken_body_is_a_cut_answer(void **state)
{
    (void)state;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    EXPECT_LOG(&rig.a, "H200 F ");
    assert_int_equal(rig.a.err, ERR_PROTOCOL);
}

static void an_answer_cut_short_is_told(void **state)
{
    (void)state;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
    wire_fini(&rig.o);
    turns();
    EXPECT_LOG(&rig.a, "H200 Bhi F ");
    assert_int_equal(rig.a.err, ERR_CLOSED);
}

/* Response smuggling: the next call must not read what nobody asked for. */
static void bytes_behind_an_answer_close_its_connection(void **state)
{
    (void)state;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer(OK OK);
    EXPECT_LOG(&rig.a, "H200 Bhi E ");
    wire_expect_closed(&rig.kit, &rig.o);
    assert_int_equal(STAT(idle), 0);
}

static void bytes_on_an_idle_connection_close_it(void **state)
{
    (void)state;
    serve_one(&rig.a);
    answer(OK);
    wire_expect_closed(&rig.kit, &rig.o);
    assert_int_equal(STAT(idle), 0);
    EXPECT_LOG(&rig.a, "");
}

static void back_pressure_keeps_what_is_not_taken(void **state)
{
    (void)state;
    rig.a.take = 2;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_LOG(&rig.a, "H200 Bhe ");
    rig.a.take = SIZE_MAX;
    http_call_read(rig.a.call, true);
    turns();
    EXPECT_LOG(&rig.a, "Bllo E ");
}

static void the_end_comes_although_reading_was_stopped_at_it(void **state)
{
    (void)state;
    rig.a.pause = true;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer(OK);
    EXPECT_LOG(&rig.a, "H200 Bhi E ");
    rig.a.pause = false;
    serve_one(&rig.a);
}

static void a_paused_answer_is_not_too_slow(void **state)
{
    (void)state;
    rig.a.pause = true;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    pump_ms(&rig.kit, 200000);
    EXPECT_LOG(&rig.a, "H200 Bhe ");
    rig.a.pause = false;
    http_call_read(rig.a.call, true);
    answer("llo");
    EXPECT_LOG(&rig.a, "Bllo E ");
}

/* --- requests with a body ------------------------------------------------- */

static void a_body_may_be_given_before_there_is_a_connection(void **state)
{
    (void)state;
    struct http_request req = request("POST", HTTP_BODY_CHUNKED, 0);
    struct http_field trailer[] = { { { "T", 1 }, { "1", 1 }, HN_OTHER } };
    start_as(&rig.a, &req);
    http_call_body(rig.a.call, SV("hello"), NULL);
    assert_true(http_call_queued(rig.a.call) > 0);
    http_call_end(rig.a.call, trailer, 1);
    accept_origin();
    expect("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5\r\nhello\r\n0\r\nT: 1\r\n\r\n");
    answer(OK);
    EXPECT_LOG(&rig.a, "H200 Bhi E ");
    assert_int_equal(STAT(idle), 1);
}

static void a_body_is_streamed(void **state)
{
    (void)state;
    struct http_request req = request("POST", HTTP_BODY_LENGTH, 5);
    start_as(&rig.a, &req);
    accept_origin();
    expect("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    http_call_body(rig.a.call, SV("hel"), NULL);
    expect("hel");
    http_call_body(rig.a.call, SV("lo"), NULL);
    http_call_end(rig.a.call, NULL, 0);
    expect("lo");
    answer(OK);
    EXPECT_LOG(&rig.a, "H200 Bhi E ");
    assert_int_equal(STAT(idle), 1);
}

static void a_body_unlike_its_length_fails_the_call(void **state)
{
    (void)state;
    struct http_request req = request("POST", HTTP_BODY_LENGTH, 3);
    start_as(&rig.a, &req);
    assert_int_equal(http_call_body(rig.a.call, SV("hello"), NULL),
                     ERR_PROTOCOL);
    EXPECT_LOG(&rig.a, "");
    turns();
    EXPECT_LOG(&rig.a, "F ");
    assert_false(rig.a.sent);
    origin_accept(&rig.kit, rig.listener, &rig.o2);
    start_as(&rig.a, &req);
    accept_origin();
    expect("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
    http_call_end(rig.a.call, NULL, 0);
    turns();
    EXPECT_LOG(&rig.a, "F ");
    assert_true(rig.a.sent);
}

static void an_answer_before_the_bodys_end_closes_the_connection(void **state)
{
    (void)state;
    struct http_request req = request("POST", HTTP_BODY_LENGTH, 5);
    start_as(&rig.a, &req);
    accept_origin();
    expect("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    EXPECT_LOG(&rig.a, "H403 Bno E ");
    wire_expect_closed(&rig.kit, &rig.o);
}

static void expectations_are_passed_on(void **state)
{
    (void)state;
    struct http_request req = request("POST", HTTP_BODY_LENGTH, 2);
    req.expect_continue = true;
    start_as(&rig.a, &req);
    accept_origin();
    expect("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
           "Expect: 100-continue\r\n\r\n");
    answer("HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_LOG(&rig.a, "I100 ");
    http_call_body(rig.a.call, SV("ab"), NULL);
    http_call_end(rig.a.call, NULL, 0);
    expect("ab");
    answer(OK);
    EXPECT_LOG(&rig.a, "H200 Bhi E ");
}

static void a_head_that_fits_no_block_is_refused_at_once(void **state)
{
    (void)state;
    static char big[17000];
    memset(big, 'x', sizeof big);
    struct http_field f[] = { { { "X", 1 }, { big, sizeof big }, HN_OTHER } };
    struct http_request req = request("GET", HTTP_BODY_NONE, 0);
    req.fields = f;
    assert_int_equal(
        http_call_start(rig.pool, &rig.origin, &req, &ops, &rig.a, &rig.a.call),
        ERR_TOOBIG);
}

static void a_long_head_is_sent_again_as_well(void **state)
{
    (void)state;
    static char big[5000], want[5100];
    memset(big, 'x', sizeof big);
    struct http_field f[] = { { { "X", 1 }, { big, sizeof big }, HN_OTHER } };
    struct http_request req = request("GET", HTTP_BODY_NONE, 0);
    req.fields = f;
    snprintf(want, sizeof want, "GET /x HTTP/1.1\r\nX: %.5000s\r\n\r\n", big);
    serve_one(&rig.a);
    start_as(&rig.a, &req);
    expect(want);
    wire_fini(&rig.o);
    accept_origin();
    expect(want);
    answer(OK);
    EXPECT_LOG(&rig.a, "H200 Bhi E ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_call_is_answered_and_its_connection_used_again),
        T(an_answer_may_come_byte_by_byte),
        T(an_answer_until_close_ends_with_it),
        T(answers_without_a_body_end_at_once),
        T(interim_answers_are_told_apart),
        T(endless_interim_answers_are_refused),
        T(what_is_malformed_fails_the_call),
        T(a_broken_body_is_a_cut_answer),
        T(an_answer_cut_short_is_told),
        T(bytes_behind_an_answer_close_its_connection),
        T(bytes_on_an_idle_connection_close_it),
        T(back_pressure_keeps_what_is_not_taken),
        T(the_end_comes_although_reading_was_stopped_at_it),
        T(a_paused_answer_is_not_too_slow),
        T(a_body_may_be_given_before_there_is_a_connection),
        T(a_body_is_streamed),
        T(a_body_unlike_its_length_fails_the_call),
        T(an_answer_before_the_bodys_end_closes_the_connection),
        T(expectations_are_passed_on),
        T(a_head_that_fits_no_block_is_refused_at_once),
        T(a_long_head_is_sent_again_as_well),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
