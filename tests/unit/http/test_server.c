/* Exchanges on client connections, seen as bytes from outside and as calls of
 * the service from inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "base/ensure.h"
#include "base/err.h"
#include "http/server.h"
#include "httpkit.h"

/* The service under which everything runs: it writes down its calls and does
 * what the test has switched on. */
static struct {
    struct kit kit;
    struct http_server *server;
    struct addr at;
    struct wire w, w2;
    char log[4096];        /* "R/path", "B<n>", "E", "T<n>", "O", "D", "G" */
    struct http_stream *s; /* the open exchange */
    struct http_head head;
    bool answer, read, keep, pause, fill_other;
    size_t take; /* of one on_body */
    uint64_t body_max, body_n;
    uint32_t body_sum;
    int gone;
    struct http_stream_info info;
    char host[32];
} rig;

static void note(const char *fmt, ...)
{
    size_t n = strlen(rig.log);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(rig.log + n, sizeof rig.log - n, fmt, ap);
    va_end(ap);
}

#define EXPECT_LOG(text)                    \
    do {                                    \
        assert_string_equal(rig.log, text); \
        rig.log[0] = '\0';                  \
    } while (0)

static void answer_hi(struct http_stream *s)
{
    http_stream_answer(s, &(struct http_reply){ .status = 200 }, SV("hi"));
}

static void on_request(struct http_stream *s, const struct http_head *head)
{
    rig.s = s;
    rig.head = *head;
    note("R%.*s ", SV_FMT(head->path));
    if (rig.keep) http_stream_keep(s);
    if (rig.body_max) http_stream_body_max(s, rig.body_max);
    if (rig.read) http_stream_read(s, true);
    if (rig.answer) answer_hi(s);
}

static size_t on_body(struct http_stream *s, struct sv bytes)
{
    size_t n = bytes.n < rig.take ? bytes.n : rig.take;
    if (rig.fill_other) {
        static char data[CONN_LOW + 4096];
        http_stream_body(http_stream_user(s), sv_of(data, sizeof data), NULL);
        http_stream_read(s, false);
        n = 1;
    }
    if (rig.pause) http_stream_read(s, false);
    for (size_t i = 0; i < n; i++)
        rig.body_sum = rig.body_sum * 31 + (uint8_t)bytes.p[i];
    rig.body_n += n;
    if (n < 100) note("B%.*s ", (int)n, bytes.p);
    return n;
}

static void on_end(struct http_stream *s, const struct http_head *trailers)
{
    (void)s;
    note("E%s ", trailers ? "T" : "");
    for (unsigned i = 0; trailers && i < trailers->fields_n; i++)
        note("%.*s=%.*s ", SV_FMT(trailers->fields[i].name),
             SV_FMT(trailers->fields[i].value));
}

static void on_room(struct http_stream *s)
{
    if (rig.fill_other) http_stream_read(http_stream_user(s), true);
    note("O ");
}

static void on_done(struct http_stream *s)
{
    http_stream_info(s, &rig.info);
    rig.s = NULL;
    note("D ");
}

static void on_gone(struct http_stream *s, int err)
{
    http_stream_info(s, &rig.info);
    rig.s = NULL;
    rig.gone = err;
    note("G ");
}

static void on_refusal(void *ctx, const struct conn *c, struct http_stream *s,
                       const struct http1_refusal *why,
                       struct http_refused *out)
{
    (void)c;
    assert_ptr_equal(ctx, &rig);
    note("X%u%s ", why->status, s ? "s" : "");
    buf_puts(&out->body, "{}");
}

static const struct http_service service = {
    .on_request = on_request,
    .on_body = on_body,
    .on_end = on_end,
    .on_room = on_room,
    .on_done = on_done,
    .on_gone = on_gone,
    .on_refusal = on_refusal,
};

static void open_with(struct http_server_conf conf)
{
    memset(&rig, 0, sizeof rig);
    rig.w.fd = rig.w2.fd = -1;
    rig.answer = rig.read = true;
    rig.take = SIZE_MAX;
    conf.service = &service;
    conf.ctx = &rig;
    kit_init(&rig.kit, NULL);
    struct addr at = kit_loopback(0);
    assert_int_equal(http_server_open(rig.kit.r, &at, -1, &conf, &rig.server),
                     0);
    listener_addr(http_server_listener(rig.server), &rig.at);
    wire_dial(&rig.w, &rig.at);
}

static int set_up(void **state)
{
    (void)state;
    open_with((struct http_server_conf){ .requests_max = 0 });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kit_stop(&rig.kit);
    http_server_free(&rig.server);
    kit_fini(&rig.kit);
    wire_fini(&rig.w);
    wire_fini(&rig.w2);
    return 0;
}

static void send_text(const char *text)
{
    wire_send(&rig.w, text);
}

static void expect(const char *text)
{
    wire_expect(&rig.kit, &rig.w, text);
}

static void turns(void)
{
    pump_turns(&rig.kit, 5);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define HI_CLOSE \
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"

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

#define REFUSED(line)                                       \
    "HTTP/1.1 " line "\r\nContent-Type: application/json; " \
    "charset=utf-8\r\nCache-Control: no-store\r\n"          \
    "Content-Length: 2\r\nConnection: close\r\n\r\n{}"

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

static struct http_reply chunked_reply(void)
{
    return (struct http_reply){ .status = 200, .body = HTTP_BODY_CHUNKED };
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

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

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
        T(an_exchange_can_be_handed_to_another_service),
        T(a_stop_closes_idle_connections_and_lets_answers_end),
        T(what_has_not_ended_at_the_end_is_told),
        T(a_tunnel_carries_bytes_both_ways),
        T(a_tunnel_ends_one_direction_after_the_other),
        T(a_tunnel_may_be_ended_from_our_side_first),
        T(a_tunnel_ended_by_us_does_not_wait_for_ever),
        T(a_tunnel_is_held_back),
    };
    if (getenv("ONLY")) cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
