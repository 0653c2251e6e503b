/* Answers and tunnels. */
#include "server_kit.h"

/* --- answers -------------------------------------------------------------- */

static void a_streamed_answer_is_chunked(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/"));
    turns();
    struct http_field f[] = { { SV("X-A"), SV("b"), HN_OTHER } };
    struct http_reply r = chunked_reply();
    r.fields = f;
    r.fields_n = 1;
    http_stream_head(rig.s, &r);
    http_stream_body(rig.s, SV("hello"), NULL);
    expect("HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5\r\nhello\r\n");
    http_stream_end(rig.s, f, 1);
    expect("0\r\nX-A: b\r\n\r\n");
    EXPECT_LOG("R/ E D ");
    assert_int_equal(rig.info.body_out, 5);
    assert_int_equal(rig.info.bytes_out, 55 + 10 + 13);
}

static void an_old_client_gets_a_stream_until_close(void **state)
{
    (void)state;
    rig.answer = false;
    send_text("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    turns();
    struct http_reply r = chunked_reply();
    http_stream_head(rig.s, &(struct http_reply){ .status = 103 });
    http_stream_head(rig.s, &r);
    http_stream_body(rig.s, SV("hello"), NULL);
    http_stream_end(rig.s, NULL, 0);
    expect("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
    wire_expect_closed(&rig.kit, &rig.w);
}

static void head_gets_the_length_and_no_body(void **state)
{
    (void)state;
    send_text("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET("/"));
    expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" HI);
}

static void no_content_has_no_length(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/") GET("/"));
    turns();
    http_stream_answer(rig.s, &(struct http_reply){ .status = 204 }, SV(""));
    expect("HTTP/1.1 204 No Content\r\n\r\n");
    http_stream_head(rig.s, &(struct http_reply){ .status = 304 });
    http_stream_end(rig.s, NULL, 0);
    expect("HTTP/1.1 304 Not Modified\r\n\r\n");
}

static void an_answer_without_body_says_so(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/"));
    turns();
    http_stream_head(rig.s, &(struct http_reply){ .status = 404 });
    http_stream_end(rig.s, NULL, 0);
    expect("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

static void interim_answers_come_before(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/"));
    turns();
    struct http_field f[] = { { SV("Link"), SV("</a>"), HN_OTHER } };
    http_stream_head(rig.s, &(struct http_reply){
                                .status = 103, .fields = f, .fields_n = 1 });
    answer_hi(rig.s);
    expect("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" HI);
}

static void own_answers_are_dated(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/"));
    turns();
    http_stream_answer(rig.s,
                       &(struct http_reply){ .status = 200, .add_date = true },
                       SV("hi"));
    wire_expect_n(&rig.kit, &rig.w, strlen(HI)); /* the date is cut out */
    assert_int_equal(rig.s == NULL, 1);
    assert_int_equal(rig.info.bytes_out, strlen(HI) + 37);
}

static void an_answer_cut_short_cuts_the_connection(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/"));
    turns();
    http_stream_head(rig.s, &(struct http_reply){ .status = 200,
                                                  .body = HTTP_BODY_LENGTH,
                                                  .content_length = 3 });
    http_stream_body(rig.s, SV("ab"), NULL);
    turns();
    http_stream_end(rig.s, NULL, 0);
    turns();
    EXPECT_LOG("R/ E G ");
    assert_int_equal(rig.gone, ERR_PROTOCOL);
}

static void an_abort_is_seen_by_the_client(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/"));
    turns();
    http_stream_abort(rig.s, ERR_IO);
    EXPECT_LOG("R/ E ");
    wire_expect_closed(&rig.kit, &rig.w);
    EXPECT_LOG("G ");
    assert_int_equal(rig.gone, ERR_IO);
}

static void a_head_that_fits_no_block_can_be_replaced(void **state)
{
    (void)state;
    static char big[17000];
    rig.answer = false;
    memset(big, 'x', sizeof big);
    send_text(GET("/"));
    turns();
    struct http_field f[] = { { SV("X"), sv_of(big, sizeof big), HN_OTHER } };
    assert_int_equal(
        http_stream_head(
            rig.s,
            &(struct http_reply){ .status = 200, .fields = f, .fields_n = 1 }),
        ERR_TOOBIG);
    answer_hi(rig.s);
    expect(HI);
}

static void a_large_answer_is_done_when_it_has_left(void **state)
{
    (void)state;
    static char data[200000];
    rig.answer = false;
    memset(data, 'x', sizeof data);
    send_text(GET("/1") GET("/2"));
    turns();
    for (int i = 0; i < 100; i++) {
        if (i == 0) {
            struct http_reply r = chunked_reply();
            http_stream_head(rig.s, &r);
        }
        http_stream_body(rig.s, sv_of(data, sizeof data), NULL);
    }
    http_stream_end(rig.s, NULL, 0);
    turns();
    EXPECT_LOG("R/1 E ");
    size_t all = 0;
    for (int i = 0; i < 5000 && !strstr(rig.log, "R/2"); i++) {
        static char sink[65536];
        pump_turns(&rig.kit, 1);
        ssize_t n = recv(rig.w.fd, sink, sizeof sink, 0);
        if (n > 0) all += (size_t)n;
    }
    EXPECT_LOG("D R/2 E ");
    assert_true(all > 6000000); /* the kernel holds the rest */
}

static void room_is_told_to_who_waits_for_it(void **state)
{
    (void)state;
    static char data[1 << 20];
    rig.answer = false;
    send_text(GET("/"));
    turns();
    struct http_reply r = chunked_reply();
    http_stream_head(rig.s, &r);
    while (http_stream_queued(rig.s) < CONN_HIGH) {
        http_stream_body(rig.s, sv_of(data, sizeof data), NULL);
        turns();
    }
    rig.log[0] = '\0';
    while (!strstr(rig.log, "O")) {
        static char sink[65536];
        ssize_t n = recv(rig.w.fd, sink, sizeof sink, 0);
        assert_true(n != 0);
        pump_turns(&rig.kit, 1);
    }
    assert_true(http_stream_queued(rig.s) <= CONN_LOW);
}

static void what_is_kept_outlives_on_request(void **state)
{
    (void)state;
    rig.answer = false;
    rig.keep = true;
    send_text("GET /kept HTTP/1.1\r\nHost: keep.example\r\n\r\n");
    turns();
    wire_dial(&rig.w2, &rig.at);
    rig.keep = false;
    struct http_stream *first = rig.s;
    struct http_head head = rig.head;
    wire_send(&rig.w2, "GET /other HTTP/1.1\r\nHost: other.example\r\n\r\n");
    turns();
    assert_true(sv_eq(head.host, SV("keep.example")));
    assert_true(sv_eq(head.path, SV("/kept")));
    answer_hi(first);
    expect(HI);
}

/* --- tunnels -------------------------------------------------------------- */

#define SWITCHED                                         \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n" \
    "Connection: upgrade\r\n\r\n"

static void open_tunnel(void)
{
    rig.answer = false;
    send_text("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
              "Upgrade: x\r\n\r\n");
    turns();
    assert_true(rig.head.upgrade);
    EXPECT_LOG("R/ E ");
    struct http_field f[] = { { SV("Upgrade"), SV("x"), HN_UPGRADE } };
    struct http_reply r = {
        .status = 101, .body = HTTP_BODY_TUNNEL, .fields = f, .fields_n = 1
    };
    assert_int_equal(http_stream_head(rig.s, &r), 0);
    http_stream_read(rig.s, true);
    expect(SWITCHED);
}

static void a_tunnel_carries_bytes_both_ways(void **state)
{
    (void)state;
    open_tunnel();
    send_text("ping");
    http_stream_body(rig.s, SV("pong"), NULL);
    expect("pong");
    EXPECT_LOG("Bping ");
}

static void a_tunnel_ends_one_direction_after_the_other(void **state)
{
    (void)state;
    open_tunnel();
    shutdown(rig.w.fd, SHUT_WR);
    turns();
    EXPECT_LOG("E ");
    http_stream_body(rig.s, SV("still"), NULL);
    expect("still");
    http_stream_end(rig.s, NULL, 0);
    wire_expect_closed(&rig.kit, &rig.w);
    turns();
    EXPECT_LOG("D ");
}

static void a_tunnel_may_be_ended_from_our_side_first(void **state)
{
    (void)state;
    open_tunnel();
    http_stream_body(rig.s, SV("last"), NULL);
    http_stream_end(rig.s, NULL, 0);
    expect("last");
    assert_true(rig.w.closed);
    EXPECT_LOG("");
    send_text("more");
    turns();
    EXPECT_LOG("Bmore ");
    shutdown(rig.w.fd, SHUT_WR);
    turns();
    EXPECT_LOG("D ");
}

static void a_tunnel_ended_by_us_does_not_wait_for_ever(void **state)
{
    (void)state;
    open_tunnel();
    http_stream_end(rig.s, NULL, 0);
    turns();
    pump_ms(&rig.kit, 100000);
    EXPECT_LOG("G ");
    assert_int_equal(rig.gone, ERR_TIMEOUT);
}

static void a_tunnel_is_held_back(void **state)
{
    (void)state;
    open_tunnel();
    rig.take = 2;
    send_text("abcdef");
    turns();
    EXPECT_LOG("Bab ");
    rig.take = SIZE_MAX;
    http_stream_read(rig.s, true);
    turns();
    EXPECT_LOG("Bcdef ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_streamed_answer_is_chunked),
        T(an_old_client_gets_a_stream_until_close),
        T(head_gets_the_length_and_no_body),
        T(no_content_has_no_length),
        T(an_answer_without_body_says_so),
        T(interim_answers_come_before),
        T(own_answers_are_dated),
        T(an_answer_cut_short_cuts_the_connection),
        T(an_abort_is_seen_by_the_client),
        T(a_head_that_fits_no_block_can_be_replaced),
        T(a_large_answer_is_done_when_it_has_left),
        T(room_is_told_to_who_waits_for_it),
        T(what_is_kept_outlives_on_request),
        T(a_tunnel_carries_bytes_both_ways),
        T(a_tunnel_ends_one_direction_after_the_other),
        T(a_tunnel_may_be_ended_from_our_side_first),
        T(a_tunnel_ended_by_us_does_not_wait_for_ever),
        T(a_tunnel_is_held_back),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
