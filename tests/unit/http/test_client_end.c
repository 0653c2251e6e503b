/* Calls that end otherwise: time, giving up, tunnels. */
#include "client_kit.h"

/* --- time ----------------------------------------------------------------- */

static void an_answer_that_does_not_begin_is_given_up(void **state)
{
    (void)state;
    struct http_request req = request("GET", HTTP_BODY_NONE, 0);
    req.first_byte_ms = 3000;
    start_as(&rig.a, &req);
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 20");
    pump_ms(&rig.kit, 2800);
    EXPECT_LOG(&rig.a, "I103 ");
    pump_ms(&rig.kit, 500);
    EXPECT_LOG(&rig.a, "F ");
    assert_int_equal(rig.a.err, ERR_TIMEOUT);
    assert_true(rig.a.sent);
    wire_expect_closed(&rig.kit, &rig.o);
}

static void an_answer_that_stalls_is_given_up(void **state)
{
    (void)state;
    struct http_request req = request("GET", HTTP_BODY_NONE, 0);
    req.idle_ms = 3000;
    start_as(&rig.a, &req);
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
    pump_ms(&rig.kit, 2500);
    answer("ho");
    pump_ms(&rig.kit, 2500);
    EXPECT_LOG(&rig.a, "H200 Bhi Bho ");
    pump_ms(&rig.kit, 900);
    EXPECT_LOG(&rig.a, "F ");
    assert_int_equal(rig.a.err, ERR_TIMEOUT);
}

static void a_slow_body_from_us_is_not_the_origins_fault(void **state)
{
    (void)state;
    struct http_request req = request("POST", HTTP_BODY_LENGTH, 2);
    req.idle_ms = req.first_byte_ms = 3000;
    start_as(&rig.a, &req);
    accept_origin();
    expect("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    pump_ms(&rig.kit, 30000);
    EXPECT_LOG(&rig.a, "");
    http_call_body(rig.a.call, SV("ab"), NULL);
    http_call_end(rig.a.call, NULL, 0);
    expect("ab");
    pump_ms(&rig.kit, 3500);
    EXPECT_LOG(&rig.a, "F ");
}

static void an_origin_that_takes_nothing_is_given_up(void **state)
{
    (void)state;
    static char data[1 << 20];
    struct http_request req = request("POST", HTTP_BODY_CHUNKED, 0);
    req.idle_ms = 3000;
    start_as(&rig.a, &req);
    accept_origin();
    for (int i = 0; i < 12; i++)
        http_call_body(rig.a.call, sv_of(data, sizeof data), NULL);
    turns();
    pump_ms(&rig.kit, 9000);
    EXPECT_LOG(&rig.a, "F ");
    assert_int_equal(rig.a.err, ERR_TIMEOUT);
}

static void idle_connections_are_closed_before_the_origin_does(void **state)
{
    (void)state;
    serve_one(&rig.a);
    pump_ms(&rig.kit, 3700);
    wire_expect_silence(&rig.kit, &rig.o);
    pump_ms(&rig.kit, 500);
    wire_expect_closed(&rig.kit, &rig.o);
    rig.o.fd = -1;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 200 OK\r\nKeep-Alive: max=9, timeout=3\r\n"
           "Content-Length: 0\r\n\r\n");
    pump_ms(&rig.kit, 1700);
    wire_expect_silence(&rig.kit, &rig.o);
    pump_ms(&rig.kit, 500);
    wire_expect_closed(&rig.kit, &rig.o);
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\n"
           "Content-Length: 0\r\n\r\n");
    wire_expect_closed(&rig.kit, &rig.o);
}

/* --- giving up ------------------------------------------------------------ */

static void a_call_can_be_cancelled_in_every_state(void **state)
{
    (void)state;
    rig.origin.conns_max = 1;
    start(&rig.a, "GET"); /* connecting */
    start(&rig.b, "GET"); /* waiting */
    http_call_cancel(rig.b.call);
    http_call_cancel(rig.a.call);
    turns();
    start(&rig.a, "GET");
    origin_accept(&rig.kit, rig.listener, &rig.o2);
    wire_fini(&rig.o2); /* the cancelled one */
    accept_origin();
    expect(GET);
    http_call_cancel(rig.a.call); /* open */
    wire_expect_closed(&rig.kit, &rig.o);
    rig.origin.host = SV("no such name");
    rig.origin.generation++;
    start(&rig.a, "GET");
    http_call_cancel(rig.a.call); /* failed, or being resolved */
    turns();
    EXPECT_LOG(&rig.a, "");
    EXPECT_LOG(&rig.b, "");
    assert_int_equal(STAT(active), 0);
    assert_int_equal(STAT(waiting), 0);
}

static void a_call_can_be_cancelled_in_its_callbacks(void **state)
{
    (void)state;
    rig.a.cancel_at_head = true;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer(OK);
    EXPECT_LOG(&rig.a, "H200 ");
    wire_expect_closed(&rig.kit, &rig.o);
    rig.a.cancel_at_head = false;
    rig.a.cancel_at_body = true;
    start(&rig.a, "GET");
    accept_origin();
    expect(GET);
    answer(OK);
    EXPECT_LOG(&rig.a, "H200 Bhi ");
    wire_expect_closed(&rig.kit, &rig.o);
    assert_int_equal(STAT(active), 0);
}

static void a_call_being_resolved_can_be_cancelled(void **state)
{
    (void)state;
    rig.origin.host = SV("localhost");
    start(&rig.a, "GET");
    http_call_cancel(rig.a.call);
    pump_turns(&rig.kit, 50);
    EXPECT_LOG(&rig.a, "");
}

static void what_is_open_at_the_end_is_told(void **state)
{
    (void)state;
    rig.origin.conns_max = 1;
    start(&rig.a, "GET");
    start(&rig.b, "GET");
    accept_origin();
    expect(GET);
    kit_stop(&rig.kit);
    EXPECT_LOG(&rig.a, "F ");
    assert_int_equal(rig.a.err, ERR_SHUTDOWN);
    EXPECT_LOG(&rig.b, "");
    dns_free(&rig.dns);
    http_pool_free(&rig.pool);
    EXPECT_LOG(&rig.b, "F ");
    assert_int_equal(rig.b.err, ERR_SHUTDOWN);
}

static void a_stop_closes_idle_connections_and_lets_calls_end(void **state)
{
    (void)state;
    serve_one(&rig.a);
    start(&rig.b, "GET");
    expect(GET);
    start(&rig.a, "GET");
    origin_accept(&rig.kit, rig.listener, &rig.o2);
    wire_expect(&rig.kit, &rig.o2, GET);
    answer(OK);
    EXPECT_LOG(&rig.b, "H200 Bhi E ");
    reactor_stop(rig.kit.r, 10000);
    wire_expect_closed(&rig.kit, &rig.o);
    wire_send(&rig.o2, OK);
    wire_expect_closed(&rig.kit, &rig.o2);
    EXPECT_LOG(&rig.a, "H200 Bhi E ");
}

/* --- tunnels -------------------------------------------------------------- */

static void open_tunnel(void)
{
    struct http_field f[] = { { { "Host", 4 }, { "a", 1 }, HN_HOST },
                              { { "Upgrade", 7 }, { "x", 1 }, HN_UPGRADE } };
    struct http_request req = request("GET", HTTP_BODY_NONE, 0);
    req.fields = f;
    req.fields_n = 2;
    req.upgrade = true;
    start_as(&rig.a, &req);
    accept_origin();
    expect("GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n"
           "Connection: upgrade\r\n\r\n");
    answer("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
           "Upgrade: x\r\n\r\nfirst");
    EXPECT_LOG(&rig.a, "H101 Bfirst ");
}

static void a_tunnel_carries_bytes_both_ways_and_ends_one_way_first(void **st)
{
    (void)st;
    open_tunnel();
    struct http_call *call = rig.a.call;
    http_call_body(call, SV("ping"), NULL);
    expect("ping");
    answer("pong");
    EXPECT_LOG(&rig.a, "Bpong ");
    shutdown(rig.o.fd, SHUT_WR);
    turns();
    EXPECT_LOG(&rig.a, "E ");
    http_call_body(call, SV("still"), NULL);
    expect("still");
    http_call_end(call, NULL, 0);
    wire_expect_closed(&rig.kit, &rig.o);
    turns();
    assert_int_equal(STAT(active), 0);
}

static void a_tunnel_may_be_ended_from_our_side_first(void **state)
{
    (void)state;
    open_tunnel();
    http_call_body(rig.a.call, SV("last"), NULL);
    http_call_end(rig.a.call, NULL, 0);
    expect("last");
    assert_true(rig.o.closed);
    answer("more");
    EXPECT_LOG(&rig.a, "Bmore ");
    wire_fini(&rig.o);
    turns();
    EXPECT_LOG(&rig.a, "E ");
    assert_int_equal(STAT(active), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_answer_that_does_not_begin_is_given_up),
        T(an_answer_that_stalls_is_given_up),
        T(a_slow_body_from_us_is_not_the_origins_fault),
        T(an_origin_that_takes_nothing_is_given_up),
        T(idle_connections_are_closed_before_the_origin_does),
        T(a_call_can_be_cancelled_in_every_state),
        T(a_call_can_be_cancelled_in_its_callbacks),
        T(a_call_being_resolved_can_be_cancelled),
        T(what_is_open_at_the_end_is_told),
        T(a_stop_closes_idle_connections_and_lets_calls_end),
        T(a_tunnel_carries_bytes_both_ways_and_ends_one_way_first),
        T(a_tunnel_may_be_ended_from_our_side_first),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
