/* Exchanges on client connections, seen as bytes from outside and as calls of
 * the service from inside: how connections live. */
#include "server_kit.h"

/* --- connections ---------------------------------------------------------- */

static void a_connection_serves_one_request_after_the_other(void **state)
{
    (void)state;
    send_text(GET("/1"));
    expect(HI);
    send_text(GET("/2"));
    expect(HI);
    EXPECT_LOG("R/1 D R/2 D ");
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    send_text(GET("/1") GET("/2") GET("/3"));
    expect(HI HI HI);
    EXPECT_LOG("R/1 D R/2 D R/3 D ");
}

static void pipelined_requests_wait_for_an_answer_given_later(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/1") GET("/2") "GET /3 HTT");
    turns();
    EXPECT_LOG("R/1 E ");
    answer_hi(rig.s);
    expect(HI);
    EXPECT_LOG("D R/2 E ");
    answer_hi(rig.s);
    expect(HI);
    send_text("P/1.1\r\nHost: a\r\n\r\n");
    turns();
    EXPECT_LOG("D R/3 E ");
    answer_hi(rig.s);
    expect(HI);
    EXPECT_LOG("D ");
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    const char *text = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                       "chunked\r\n\r\n2\r\nab\r\n0\r\nA: b\r\n\r\n";
    rig.answer = false;
    for (const char *p = text; *p; p++) {
        wire_send(&rig.w, (char[]){ *p, 0 });
        pump_turns(&rig.kit, 1);
    }
    turns();
    EXPECT_LOG("R/x Ba Bb ET A=b ");
    answer_hi(rig.s);
    expect(HI);
}

static void done_is_never_called_inside_the_services_own_call(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/"));
    turns();
    answer_hi(rig.s);
    EXPECT_LOG("R/ E ");
    turns();
    EXPECT_LOG("D ");
}

/* RFC 9112 9.3 */
static void an_old_client_is_closed_unless_it_asks(void **state)
{
    (void)state;
    send_text("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
           "Connection: keep-alive\r\n\r\nhi");
    send_text("GET / HTTP/1.0\r\n\r\n");
    expect(HI_CLOSE);
    wire_expect_closed(&rig.kit, &rig.w);
}

static void a_client_may_ask_to_close(void **state)
{
    (void)state;
    send_text(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/never"));
    expect(HI_CLOSE);
    wire_expect_closed(&rig.kit, &rig.w);
    EXPECT_LOG("R/ D ");
}

static void a_connection_ends_after_its_last_request(void **state)
{
    tear_down(state);
    open_with((struct http_server_conf){ .requests_max = 2 });
    send_text(GET("/1") GET("/2") GET("/3"));
    expect(HI HI_CLOSE);
    wire_expect_closed(&rig.kit, &rig.w);
}

static void an_idle_connection_holds_no_block(void **state)
{
    (void)state;
    send_text(GET("/1"));
    expect(HI);
    uint64_t before = reactor_stats(rig.kit.r)->blocks_used;
    wire_dial(&rig.w2, &rig.at);
    wire_send(&rig.w2, GET("/2"));
    wire_expect(&rig.kit, &rig.w2, HI);
    assert_int_equal(reactor_stats(rig.kit.r)->blocks_used, before);
}

static void a_half_closed_client_gets_its_answer(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/"));
    shutdown(rig.w.fd, SHUT_WR);
    turns();
    EXPECT_LOG("R/ E ");
    answer_hi(rig.s);
    expect(HI_CLOSE);
    wire_expect_closed(&rig.kit, &rig.w);
    EXPECT_LOG("D ");
}

static void pipelined_requests_before_a_half_close_are_all_answered(void **st)
{
    (void)st;
    rig.answer = false;
    send_text(GET("/1") GET("/2"));
    shutdown(rig.w.fd, SHUT_WR);
    turns();
    answer_hi(rig.s);
    expect(HI);
    answer_hi(rig.s);
    expect(HI_CLOSE);
    EXPECT_LOG("R/1 E D R/2 E D ");
}

static void a_client_that_goes_away_ends_its_exchange(void **state)
{
    (void)state;
    rig.answer = false;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
    turns();
    shutdown(rig.w.fd, SHUT_WR);
    turns();
    EXPECT_LOG("R/ Bab G ");
    assert_int_equal(rig.gone, ERR_CLOSED);
}

/* --- handing over --------------------------------------------------------- */

static void other_request(struct http_stream *s, const struct http_head *head)
{
    note("other%.*s ", SV_FMT(head->path));
    assert_string_equal(http_stream_ctx(s), "other");
    http_stream_set_user(s, rig.host);
    answer_hi(s);
}

static void other_done(struct http_stream *s)
{
    assert_ptr_equal(http_stream_user(s), rig.host);
    note("otherD ");
}

static void first_request(struct http_stream *s, const struct http_head *head)
{
    static const struct http_service other = { .on_request = other_request,
                                               .on_done = other_done };
    http_stream_dispatch(s, &other, (void *)(uintptr_t) "other", head);
}

static void an_exchange_can_be_handed_to_another_service(void **state)
{
    tear_down(state);
    set_up(state);
    static const struct http_service first = { .on_request = first_request };
    struct http_server *second;
    struct addr at = kit_loopback(0);
    struct http_server_conf conf = { .service = &first };
    assert_int_equal(http_server_open(rig.kit.r, &at, -1, &conf, &second), 0);
    listener_addr(http_server_listener(second), &at);
    wire_dial(&rig.w2, &at);
    wire_send(&rig.w2, GET("/x"));
    wire_expect(&rig.kit, &rig.w2, HI);
    EXPECT_LOG("other/x otherD ");
    kit_stop(&rig.kit);
    http_server_free(&second);
}

/* --- stopping ------------------------------------------------------------- */

static void a_stop_closes_idle_connections_and_lets_answers_end(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/"));
    wire_dial(&rig.w2, &rig.at);
    turns();
    reactor_stop(rig.kit.r, 10000);
    wire_expect_closed(&rig.kit, &rig.w2);
    answer_hi(rig.s);
    expect(HI_CLOSE);
    wire_expect_closed(&rig.kit, &rig.w);
    EXPECT_LOG("R/ E D ");
}

static void what_has_not_ended_at_the_end_is_told(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/"));
    turns();
    kit_stop(&rig.kit);
    EXPECT_LOG("R/ E G ");
    assert_int_equal(rig.gone, ERR_SHUTDOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_connection_serves_one_request_after_the_other),
        T(pipelined_requests_are_answered_in_order),
        T(pipelined_requests_wait_for_an_answer_given_later),
        T(a_request_may_come_byte_by_byte),
        T(done_is_never_called_inside_the_services_own_call),
        T(an_old_client_is_closed_unless_it_asks),
        T(a_client_may_ask_to_close),
        T(a_connection_ends_after_its_last_request),
        T(an_idle_connection_holds_no_block),
        T(a_half_closed_client_gets_its_answer),
        T(pipelined_requests_before_a_half_close_are_all_answered),
        T(a_client_that_goes_away_ends_its_exchange),
        T(an_exchange_can_be_handed_to_another_service),
        T(a_stop_closes_idle_connections_and_lets_answers_end),
        T(what_has_not_ended_at_the_end_is_told),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
