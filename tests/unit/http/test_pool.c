/* Connections to origins: made, kept, found stale, waited for. */
#include "client_kit.h"

/* --- stale connections ---------------------------------------------------- */

static void a_stale_connection_is_noticed_while_idle(void **state)
{
    (void)state;
    serve_one(&rig.a);
    wire_fini(&rig.o);
    turns();
    assert_int_equal(STAT(idle), 0);
    serve_one(&rig.a);
    assert_int_equal(STAT(stale_retries), 0);
}

static void a_stale_connection_is_replaced_once(void **state)
{
    (void)state;
    serve_one(&rig.a);
    start(&rig.a, "GET");
    expect(GET);
    wire_fini(&rig.o);
    accept_origin();
    expect(GET);
    assert_int_equal(STAT(stale_retries), 1);
    wire_fini(&rig.o); /* the fresh one: no further try */
    turns();
    EXPECT_LOG(&rig.a, "F ");
    assert_int_equal(rig.a.err, ERR_CLOSED);
    assert_true(rig.a.sent);
}

/* RFC 9110 9.2.2 */
static void what_is_not_idempotent_is_not_sent_again(void **state)
{
    (void)state;
    serve_one(&rig.a);
    start(&rig.a, "POST");
    expect("POST /x HTTP/1.1\r\nHost: a\r\n\r\n");
    wire_fini(&rig.o);
    turns();
    EXPECT_LOG(&rig.a, "F ");
    assert_true(rig.a.sent);
}

static void a_request_whose_body_went_out_is_not_sent_again(void **state)
{
    (void)state;
    serve_one(&rig.a);
    struct http_request req = request("PUT", HTTP_BODY_LENGTH, 2);
    start_as(&rig.a, &req);
    http_call_body(rig.a.call, SV("ab"), NULL);
    http_call_end(rig.a.call, NULL, 0);
    expect("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
    wire_fini(&rig.o);
    turns();
    EXPECT_LOG(&rig.a, "F ");
}

static void a_request_that_was_partly_answered_is_not_sent_again(void **state)
{
    (void)state;
    serve_one(&rig.a);
    start(&rig.a, "GET");
    expect(GET);
    answer("HTTP/1.1 2");
    wire_fini(&rig.o);
    turns();
    EXPECT_LOG(&rig.a, "F ");
}

/* --- connecting ----------------------------------------------------------- */

static void a_refused_connection_fails_the_call_unsent(void **state)
{
    (void)state;
    struct addr at;
    int other = origin_listen(&at);
    close(other);
    rig.origin.port = at.port;
    start(&rig.a, "GET");
    EXPECT_LOG(&rig.a, "");
    turns();
    EXPECT_LOG(&rig.a, "F ");
    assert_int_equal(rig.a.err, ERR_REFUSED);
    assert_false(rig.a.sent);
    assert_int_equal(STAT(connect_failures), 1);
    assert_int_equal(STAT(active), 0);
}

static bool is_over(void *ctx)
{
    return ((struct seen *)ctx)->call == NULL;
}

static void an_unknown_name_fails_the_call(void **state)
{
    (void)state;
    rig.origin.host = SV("no such name");
    start(&rig.a, "GET");
    EXPECT_LOG(&rig.a, "");
    assert_true(pump(&rig.kit, is_over, &rig.a));
    assert_int_equal(rig.a.err, ERR_RESOLVE);
}

static void an_address_that_egress_refuses_is_not_tried(void **state)
{
    tear_down(state);
    struct egress egress = { .mode = EGRESS_PUBLIC };
    open_with((struct http_pool_conf){ .egress = &egress });
    start(&rig.a, "GET");
    turns();
    EXPECT_LOG(&rig.a, "F ");
    assert_int_equal(rig.a.err, ERR_DENIED);
    assert_string_equal(rig.a.problem, "loopback");
    assert_int_equal(STAT(connects), 0);
}

static void a_call_waits_at_the_cap_and_takes_what_gets_free(void **state)
{
    (void)state;
    rig.origin.conns_max = 1;
    start(&rig.a, "GET");
    start(&rig.b, "GET");
    accept_origin();
    expect(GET);
    assert_int_equal(STAT(waiting), 1);
    answer(OK);
    EXPECT_LOG(&rig.a, "H200 Bhi E ");
    expect(GET);
    answer(OK);
    EXPECT_LOG(&rig.b, "H200 Bhi E ");
    assert_int_equal(STAT(connects), 1);
    assert_int_equal(STAT(waiting), 0);
}

static void a_call_waits_at_the_cap_and_replaces_what_closes(void **state)
{
    (void)state;
    rig.origin.conns_max = 1;
    start(&rig.a, "GET");
    start(&rig.b, "GET");
    accept_origin();
    expect(GET);
    answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    EXPECT_LOG(&rig.a, "H200 E ");
    wire_fini(&rig.o);
    accept_origin();
    expect(GET);
    answer(OK);
    EXPECT_LOG(&rig.b, "H200 Bhi E ");
}

static void the_waiting_list_has_an_end_in_length_and_time(void **state)
{
    tear_down(state);
    open_with((struct http_pool_conf){ .waiting_max = 1, .reactors = 4 });
    rig.origin.conns_max = 3; /* over 4 reactors: 1 */
    static struct seen c;
    c = (struct seen){ .take = SIZE_MAX };
    start(&rig.a, "GET");
    start(&rig.b, "GET");
    start(&c, "GET");
    turns();
    EXPECT_LOG(&c, "F ");
    assert_int_equal(c.err, ERR_LIMIT);
    accept_origin();
    pump_ms(&rig.kit, 5200);
    EXPECT_LOG(&rig.b, "F ");
    assert_int_equal(rig.b.err, ERR_TIMEOUT);
    assert_false(rig.b.sent);
    EXPECT_LOG(&rig.a, "");
}

static void another_generation_leaves_the_old_connections(void **state)
{
    (void)state;
    serve_one(&rig.a);
    rig.origin.generation++;
    start(&rig.a, "GET");
    wire_expect_closed(&rig.kit, &rig.o);
    accept_origin();
    expect(GET);
    rig.origin.generation++;
    start(&rig.b, "GET");
    origin_accept(&rig.kit, rig.listener, &rig.o2);
    wire_expect(&rig.kit, &rig.o2, GET);
    answer(OK);
    EXPECT_LOG(&rig.a, "H200 Bhi E ");
    wire_expect_closed(&rig.kit, &rig.o);
}

static void the_newest_idle_connection_is_used_first(void **state)
{
    (void)state;
    start(&rig.a, "GET");
    accept_origin();
    start(&rig.b, "GET");
    origin_accept(&rig.kit, rig.listener, &rig.o2);
    expect(GET);
    wire_expect(&rig.kit, &rig.o2, GET);
    wire_send(&rig.o2, OK);
    turns();
    answer(OK);
    start(&rig.a, "GET");
    expect(GET);
    assert_int_equal(STAT(idle), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_stale_connection_is_noticed_while_idle),
        T(a_stale_connection_is_replaced_once),
        T(what_is_not_idempotent_is_not_sent_again),
        T(a_request_whose_body_went_out_is_not_sent_again),
        T(a_request_that_was_partly_answered_is_not_sent_again),
        T(a_refused_connection_fails_the_call_unsent),
        T(an_unknown_name_fails_the_call),
        T(an_address_that_egress_refuses_is_not_tried),
        T(a_call_waits_at_the_cap_and_takes_what_gets_free),
        T(a_call_waits_at_the_cap_and_replaces_what_closes),
        T(the_waiting_list_has_an_end_in_length_and_time),
        T(another_generation_leaves_the_old_connections),
        T(the_newest_idle_connection_is_used_first),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
