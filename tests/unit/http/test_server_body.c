/* Requests: their bodies, their refusal, the time that they may take. */
#include "server_kit.h"

/* --- bodies of requests --------------------------------------------------- */

static void a_body_comes_by_length(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" GET(
            "/2"));
    turns();
    EXPECT_LOG("R/ Bhello E ");
    answer_hi(rig.s);
    expect(HI);
    EXPECT_LOG("D R/2 E ");
    assert_int_equal(rig.info.body_in, 5);
    assert_int_equal(rig.info.bytes_in, 47 + 5);
    assert_int_equal(rig.info.bytes_out, strlen(HI));
}

static void a_body_comes_in_chunks_with_trailers(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        "\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nA: b\r\nC: d\r\n\r\n" GET("/2"));
    turns();
    EXPECT_LOG("R/ Bab Bc ET A=b C=d ");
    answer_hi(rig.s);
    expect(HI);
    EXPECT_LOG("D R/2 E ");
}

static void nothing_is_read_before_the_service_wants_it(void **state)
{
    (void)state;
    rig.answer = rig.read = false;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
    turns();
    EXPECT_LOG("R/ ");
    http_stream_read(rig.s, true);
    turns();
    EXPECT_LOG("Bab E ");
}

static void the_end_comes_although_reading_was_stopped_at_it(void **state)
{
    (void)state;
    rig.answer = false;
    rig.pause = true;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
    turns();
    EXPECT_LOG("R/ Bab E ");
}

static void what_the_service_does_not_take_comes_again(void **state)
{
    (void)state;
    rig.answer = false;
    rig.take = 1;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
              "\r\n3\r\nabc\r\n0\r\n\r\n");
    turns();
    EXPECT_LOG("R/ Ba ");
    http_stream_read(rig.s, true);
    turns();
    EXPECT_LOG("Bb ");
    http_stream_read(rig.s, true);
    turns();
    EXPECT_LOG("Bc E ");
}

/* The other connection has room again before what was not taken is put
 * aside. */
static void reading_may_go_on_before_on_body_has_quite_returned(void **state)
{
    (void)state;
    rig.answer = false;
    send_text(GET("/sink"));
    turns();
    struct http_stream *sink = rig.s;
    struct http_reply r = { .status = 200, .body = HTTP_BODY_CHUNKED };
    http_stream_head(sink, &r);
    wire_dial(&rig.w2, &rig.at);
    wire_send(&rig.w2, "POST / HTTP/1.1\r\nHost: a\r\n"
                       "Content-Length: 3\r\n\r\n");
    turns();
    http_stream_set_user(sink, rig.s);
    http_stream_set_user(rig.s, sink);
    rig.fill_other = true;
    wire_send(&rig.w2, "abc");
    turns();
    assert_int_equal(rig.body_n, 3);
}

/* A full block waits; new bytes come at the moment when it is wanted. */
static void what_waits_is_offered_before_new_bytes_are_read(void **state)
{
    (void)state;
    static char data[3 * BLOCK_BYTES];
    rig.answer = false;
    rig.pause = true;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n");
    turns();
    wire_send_n(&rig.kit, &rig.w, data, sizeof data);
    turns();
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(send(rig.w.fd, data, BLOCK_BYTES, MSG_NOSIGNAL),
                         BLOCK_BYTES);
        http_stream_read(rig.s, true);
        turns();
        assert_int_equal(rig.gone, 0);
        assert_true(rig.body_n >= i * BLOCK_BYTES);
    }
}

static void a_large_body_passes_through_little_memory(void **state)
{
    (void)state;
    static char data[1000];
    uint32_t sum = 0;
    char head[200];
    rig.answer = false;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i * 7);
    sprintf(head, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
            3000 * 1000);
    send_text(head);
    for (int i = 0; i < 3000; i++) {
        for (size_t j = 0; j < sizeof data; j++)
            sum = sum * 31 + (uint8_t)data[j];
        wire_send_n(&rig.kit, &rig.w, data, sizeof data);
    }
    turns();
    assert_int_equal(rig.body_n, 3000000);
    assert_int_equal(rig.body_sum, sum);
    assert_in_range(reactor_stats(rig.kit.r)->blocks_used, 0, 4);
}

/* RFC 9110 10.1.1 */
static void a_client_that_waits_is_told_to_go_on(void **state)
{
    (void)state;
    rig.answer = rig.read = false;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
              "Content-Length: 2\r\n\r\n");
    wire_expect_silence(&rig.kit, &rig.w);
    http_stream_read(rig.s, true);
    expect("HTTP/1.1 100 Continue\r\n\r\n");
    send_text("ab");
    turns();
    EXPECT_LOG("R/ Bab E ");
    answer_hi(rig.s);
    expect(HI);
}

static void a_client_that_did_not_wait_is_not_told(void **state)
{
    (void)state;
    rig.answer = false;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
              "Content-Length: 2\r\n\r\na");
    wire_expect_silence(&rig.kit, &rig.w);
    EXPECT_LOG("R/ Ba ");
}

static void an_answer_without_100_closes_since_the_body_may_come_or_not(
    void **state)
{
    (void)state;
    rig.read = false;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
              "Content-Length: 2\r\n\r\n");
    expect(HI_CLOSE);
    wire_expect_closed(&rig.kit, &rig.w);
}

static void a_short_body_that_nobody_read_is_dropped(void **state)
{
    (void)state;
    rig.read = false;
    send_text("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    expect(HI);
    EXPECT_LOG("R/1 D ");
    send_text("llo" GET("/2"));
    expect(HI);
    EXPECT_LOG("R/2 D ");
}

static void a_chunked_body_that_nobody_read_is_dropped(void **state)
{
    (void)state;
    rig.read = false;
    send_text("POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
              "\r\n3\r\nabc\r\n");
    expect(HI);
    send_text("0\r\n\r\n" GET("/2"));
    expect(HI);
    EXPECT_LOG("R/1 D R/2 D ");
}

static void a_long_body_that_nobody_read_ends_the_connection(void **state)
{
    (void)state;
    rig.read = false;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\nhe");
    expect(HI_CLOSE);
    wire_expect_closed(&rig.kit, &rig.w);
}

static void an_endless_body_that_nobody_read_ends_the_connection(void **state)
{
    (void)state;
    static char chunk[1007] = "3e8\r\n";
    rig.read = false;
    memset(chunk + 5, 'x', 1000);
    memcpy(chunk + 1005, "\r\n", 2);
    send_text("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
              "\r\n");
    expect(HI);
    for (int i = 0; i < 70; i++)
        wire_send_n(&rig.kit, &rig.w, chunk, sizeof chunk);
    wire_expect_closed(&rig.kit, &rig.w);
}

/* --- refusals ------------------------------------------------------------- */

static void what_is_malformed_is_refused_and_closed(void **state)
{
    (void)state;
    send_text(GET("/1") "GET /2 HTTP/1.1\r\n\r\n" GET("/3"));
    expect(HI REFUSED("400 Bad Request"));
    wire_expect_closed(&rig.kit, &rig.w);
    EXPECT_LOG("R/1 D X400 ");
}

static void each_refusal_has_its_status(void **state)
{
    static const struct {
        const char *text, *line;
    } cases[] = {
        { "GET / HTTP/3.0\r\n\r\n", "505 HTTP Version Not Supported" },
        { "CONNECT a:1 HTTP/1.1\r\n\r\n", "501 Not Implemented" },
        { "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
          "417 Expectation Failed" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char want[300];
        tear_down(state);
        set_up(state);
        send_text(cases[i].text);
        snprintf(want, sizeof want, REFUSED("%s"), cases[i].line);
        expect(want);
        wire_expect_closed(&rig.kit, &rig.w);
    }
}

static void a_head_that_fills_a_block_is_431(void **state)
{
    (void)state;
    static char text[17000] = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    size_t n = strlen(text);
    memset(text + n, 'x', sizeof text - n);
    wire_send_n(&rig.kit, &rig.w, text, sizeof text);
    expect(REFUSED("431 Request Header Fields Too Large"));
}

static void a_broken_body_ends_the_exchange_with_400(void **state)
{
    (void)state;
    rig.answer = false;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
              "\r\n2\r\nab\r\nzz\r\n");
    expect(REFUSED("400 Bad Request"));
    wire_expect_closed(&rig.kit, &rig.w);
    EXPECT_LOG("R/ Bab X400s G ");
    assert_int_equal(rig.gone, ERR_PROTOCOL);
    assert_int_equal(rig.info.status, 400);
}

static void an_announced_body_above_the_maximum_is_413_unread(void **state)
{
    (void)state;
    rig.answer = false;
    rig.body_max = 4;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    expect(REFUSED("413 Content Too Large"));
    EXPECT_LOG("R/ X413s G ");
    assert_int_equal(rig.gone, ERR_TOOBIG);
}

static void a_chunked_body_is_413_when_it_passes_the_maximum(void **state)
{
    (void)state;
    rig.answer = false;
    rig.body_max = 4;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
              "\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    expect(REFUSED("413 Content Too Large"));
    EXPECT_LOG("R/ Babc X413s G ");
}

/* --- time ----------------------------------------------------------------- */

static void a_head_has_ten_seconds_from_its_first_byte(void **state)
{
    (void)state;
    send_text(GET("/"));
    expect(HI);
    pump_ms(&rig.kit, 60000);
    for (int i = 0; i < 9; i++) {
        send_text(i ? "x" : "GET /x");
        pump_ms(&rig.kit, 1000);
        wire_expect_silence(&rig.kit, &rig.w);
    }
    pump_ms(&rig.kit, 1200);
    expect(REFUSED("408 Request Timeout"));
    wire_expect_closed(&rig.kit, &rig.w);
}

static void who_says_nothing_is_closed_without_a_word(void **state)
{
    (void)state;
    turns();
    pump_ms(&rig.kit, 10200);
    wire_expect_closed(&rig.kit, &rig.w);
    EXPECT_LOG("");
}

static void an_idle_connection_is_closed_after_75_seconds(void **state)
{
    (void)state;
    send_text(GET("/"));
    expect(HI);
    pump_ms(&rig.kit, 74000);
    wire_expect_silence(&rig.kit, &rig.w);
    pump_ms(&rig.kit, 1200);
    wire_expect_closed(&rig.kit, &rig.w);
}

static void a_body_slower_than_its_minimum_is_408(void **state)
{
    (void)state;
    char part[2400];
    rig.answer = false;
    memset(part, 'x', sizeof part);
    send_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n");
    wire_send_n(&rig.kit, &rig.w, part, 2400); /* exactly 240 a second */
    turns();
    pump_ms(&rig.kit, 10200);
    assert_non_null(rig.s);
    wire_send_n(&rig.kit, &rig.w, part, 2399);
    pump_ms(&rig.kit, 10500);
    expect(REFUSED("408 Request Timeout"));
    assert_int_equal(rig.gone, ERR_TIMEOUT);
}

static void a_body_that_we_do_not_read_is_not_too_slow(void **state)
{
    (void)state;
    rig.answer = rig.read = false;
    send_text("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n");
    turns();
    pump_ms(&rig.kit, 60000);
    assert_non_null(rig.s);
}

static void a_client_that_takes_nothing_is_cut_off(void **state)
{
    (void)state;
    static char data[1 << 20];
    struct http_reply r = chunked_reply();
    rig.answer = false;
    send_text(GET("/"));
    turns();
    http_stream_head(rig.s, &r);
    for (int i = 0; i < 8; i++)
        http_stream_body(rig.s, sv_of(data, sizeof data), NULL);
    turns();
    pump_ms(&rig.kit, 50000);
    assert_non_null(rig.s);
    pump_ms(&rig.kit, 30000);
    EXPECT_LOG("R/ E G ");
    assert_int_equal(rig.gone, ERR_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_body_comes_by_length),
        T(a_body_comes_in_chunks_with_trailers),
        T(nothing_is_read_before_the_service_wants_it),
        T(the_end_comes_although_reading_was_stopped_at_it),
        T(what_the_service_does_not_take_comes_again),
        T(reading_may_go_on_before_on_body_has_quite_returned),
        T(what_waits_is_offered_before_new_bytes_are_read),
        T(a_large_body_passes_through_little_memory),
        T(a_client_that_waits_is_told_to_go_on),
        T(a_client_that_did_not_wait_is_not_told),
        T(an_answer_without_100_closes_since_the_body_may_come_or_not),
        T(a_short_body_that_nobody_read_is_dropped),
        T(a_chunked_body_that_nobody_read_is_dropped),
        T(a_long_body_that_nobody_read_ends_the_connection),
        T(an_endless_body_that_nobody_read_ends_the_connection),
        T(what_is_malformed_is_refused_and_closed),
        T(each_refusal_has_its_status),
        T(a_head_that_fills_a_block_is_431),
        T(a_broken_body_ends_the_exchange_with_400),
        T(an_announced_body_above_the_maximum_is_413_unread),
        T(a_chunked_body_is_413_when_it_passes_the_maximum),
        T(a_head_has_ten_seconds_from_its_first_byte),
        T(who_says_nothing_is_closed_without_a_word),
        T(an_idle_connection_is_closed_after_75_seconds),
        T(a_body_slower_than_its_minimum_is_408),
        T(a_body_that_we_do_not_read_is_not_too_slow),
        T(a_client_that_takes_nothing_is_cut_off),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
