/* Calls to origins, which are sockets of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "http/client.h"
#include "httpkit.h"

struct seen {       /* what a call has told */
    char log[2048]; /* "I103", "H200", "B<bytes>", "E", "ET", "O", "F" */
    struct http_call *call; /* NULL: over */
    struct http_head head;
    int err;
    bool sent, pause, cancel_at_head, cancel_at_body;
    size_t take, body_n;
    char problem[96];
};

static struct {
    struct kit kit;
    struct workers *workers;
    struct dns *dns;
    struct http_pool *pool;
    struct http_origin origin;
    int listener;
    struct wire o, o2; /* the origin's ends */
    struct seen a, b;
} rig;

static void note(struct seen *s, const char *fmt, ...)
{
    size_t n = strlen(s->log);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->log + n, sizeof s->log - n, fmt, ap);
    va_end(ap);
}

#define EXPECT_LOG(s, text)                  \
    do {                                     \
        assert_string_equal((s)->log, text); \
        (s)->log[0] = '\0';                  \
    } while (0)

static void on_info(struct http_call *c, const struct http_head *head)
{
    note(http_call_ctx(c), "I%u ", head->status);
}

static void on_head(struct http_call *c, const struct http_head *head)
{
    struct seen *s = http_call_ctx(c);
    s->head = *head;
    note(s, "H%u ", head->status);
    if (!s->cancel_at_head) return;
    http_call_cancel(c);
    s->call = NULL;
}

static size_t on_body(struct http_call *c, struct sv bytes)
{
    struct seen *s = http_call_ctx(c);
    size_t n = bytes.n < s->take ? bytes.n : s->take;
    s->body_n += n;
    if (n < 100) note(s, "B%.*s ", (int)n, bytes.p);
    if (s->pause) http_call_read(c, false);
    if (s->cancel_at_body) {
        http_call_cancel(c);
        s->call = NULL;
    }
    return n;
}

static void on_end(struct http_call *c, const struct http_head *trailers)
{
    struct seen *s = http_call_ctx(c);
    note(s, "E ");
    for (unsigned i = 0; trailers && i < trailers->fields_n; i++)
        note(s, "%.*s=%.*s ", SV_FMT(trailers->fields[i].name),
             SV_FMT(trailers->fields[i].value));
    s->call = NULL;
}

static void on_room(struct http_call *c)
{
    note(http_call_ctx(c), "O ");
}

static void on_fail(struct http_call *c, int err, bool sent)
{
    struct seen *s = http_call_ctx(c);
    note(s, "F ");
    s->call = NULL;
    s->err = err;
    s->sent = sent;
    snprintf(s->problem, sizeof s->problem, "%s", http_call_problem(c));
}

static const struct http_call_ops ops = {
    .on_info = on_info,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_room = on_room,
    .on_fail = on_fail,
};

static void open_with(struct http_pool_conf conf)
{
    struct addr at;
    memset(&rig, 0, sizeof rig);
    rig.o.fd = rig.o2.fd = -1;
    kit_init(&rig.kit, NULL);
    assert_int_equal(workers_new(&rig.workers, 1, 8), 0);
    struct dns_conf dc = { .reactor = rig.kit.r,
                           .workers = rig.workers,
                           .fresh_ms = 1000,
                           .stale_ms = 9000,
                           .max_names = 4 };
    assert_int_equal(dns_new(&rig.dns, &dc), 0);
    conf.reactor = rig.kit.r;
    conf.dns = rig.dns;
    assert_int_equal(http_pool_new(&rig.pool, &conf), 0);
    rig.listener = origin_listen(&at);
    rig.origin = (struct http_origin){ .id = 3,
                                       .host = SV("127.0.0.1"),
                                       .port = at.port };
    rig.a.take = rig.b.take = SIZE_MAX;
}

static int set_up(void **state)
{
    (void)state;
    open_with((struct http_pool_conf){ .reactors = 1 });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kit_stop(&rig.kit);
    dns_free(&rig.dns);
    http_pool_free(&rig.pool);
    workers_free(&rig.workers);
    kit_fini(&rig.kit);
    close(rig.listener);
    wire_fini(&rig.o);
    wire_fini(&rig.o2);
    return 0;
}

static struct http_field host[] = { { { "Host", 4 }, { "a", 1 }, HN_HOST } };

static struct http_request request(const char *method, enum http_body body,
                                   uint64_t length)
{
    return (struct http_request){
        .method = sv_cstr(method),
        .method_id = http_method_of(sv_cstr(method)),
        .target = SV("/x"),
        .fields = host,
        .fields_n = 1,
        .body = body,
        .content_length = length,
    };
}

static void start_as(struct seen *s, const struct http_request *req)
{
    assert_int_equal(
        http_call_start(rig.pool, &rig.origin, req, &ops, s, &s->call), 0);
}

static void start(struct seen *s, const char *method)
{
    struct http_request req = request(method, HTTP_BODY_NONE, 0);
    start_as(s, &req);
}

static void accept_origin(void)
{
    origin_accept(&rig.kit, rig.listener, &rig.o);
}

static void expect(const char *text)
{
    wire_expect(&rig.kit, &rig.o, text);
}

static void turns(void)
{
    pump_turns(&rig.kit, 6);
}

static void answer(const char *text)
{
    wire_send(&rig.o, text);
    turns();
}

static uint64_t stat(_Atomic uint64_t *v)
{
    return atomic_load(v);
}

#define STAT(name) ((int)stat(&http_pool_stats(rig.pool)->name))
#define GET "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static void serve_one(struct seen *s)
{
    start(s, "GET");
    if (rig.o.fd < 0) accept_origin();
    expect(GET);
    answer(OK);
    EXPECT_LOG(s, "H200 Bhi E ");
}

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

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

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
