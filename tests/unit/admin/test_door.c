/* The door: bytes in, one job on the control thread, bytes out. The reactor
 * and the control thread are real, the judge behind them is the test's. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/door.h"
#include "admin/envelope.h"
#include "netkit.h"

enum { BODY_MAX_HERE = 1000, QUEUE_MAX = 2 };

static struct {
    struct reactor *reactor;
    struct http_server *server;
    struct control *control;
    struct api_door *door;
    struct addr at;
    pthread_t thread;
    sem_t begun, go;
    _Atomic bool gated; /* serve waits for `go` */
    _Atomic unsigned served;
    size_t answer_bytes; /* of padding */
} rig;

/* --- the judge ------------------------------------------------------------------ */

static void serve(void *ctx, const struct request *q, struct answer *a)
{
    (void)ctx;
    if (rig.gated) {
        sem_post(&rig.begun);
        sem_wait(&rig.go);
    }
    char peer[IP_TEXT_MAX];
    size_t n = ip_format(&q->peer, peer);
    answer_begin(a, 201, "");
    buf_printf(&a->body, "\"%.*s?%.*s %zu\",\"%.*s\"", SV_FMT(q->path),
               SV_FMT(q->query), q->body.n, (int)n, peer);
    for (size_t i = 0; i < rig.answer_bytes; i++) buf_putc(&a->body, ' ');
    answer_end(a);
    snprintf(a->etag, sizeof a->etag, "\"7\"");
    rig.served++;
}

static size_t body_max(void *ctx, enum http_method m, struct sv path)
{
    (void)ctx, (void)m, (void)path;
    return BODY_MAX_HERE;
}

static bool ready(void *ctx, char why[128])
{
    (void)ctx;
    snprintf(why, 128, "starting");
    return false;
}

/* --- set-up ------------------------------------------------------------------------ */

static void *reactor_thread(void *arg)
{
    reactor_run(arg);
    return NULL;
}

static int setup(void **state)
{
    static struct cidr trusted;
    struct control_conf cc = { .queue_max = QUEUE_MAX };
    struct reactor_conf rc = { .blocks_bytes = 8 << 20, .max_conns = 64 };
    (void)state;
    memset(&rig, 0, sizeof rig);
    sem_init(&rig.begun, 0, 0);
    sem_init(&rig.go, 0, 0);
    cidr_parse(SV("127.0.0.1"), &trusted);
    assert_int_equal(reactor_new(&rig.reactor, &rc), 0);
    assert_int_equal(control_start(&rig.control, &cc), 0);
    struct door_conf dc = {
        .control = rig.control,
        .serve = serve,
        .body_max = body_max,
        .ready = ready,
        .ops_open = true,
        .trust = { .peers = &trusted, .peers_n = 1 },
        .bodies_max_bytes = 1500,
    };
    assert_int_equal(door_new(&rig.door, &dc), 0);
    struct http_server_conf hc = { .service = door_service(), .ctx = rig.door };
    struct addr at = kit_loopback(0);
    assert_int_equal(http_server_open(rig.reactor, &at, -1, &hc, &rig.server),
                     0);
    listener_addr(http_server_listener(rig.server), &rig.at);
    return pthread_create(&rig.thread, NULL, reactor_thread, rig.reactor);
}

static int teardown(void **state)
{
    (void)state;
    reactor_stop(rig.reactor, 0);
    pthread_join(rig.thread, NULL);
    control_stop(&rig.control);
    http_server_free(&rig.server);
    reactor_free(&rig.reactor);
    door_free(&rig.door);
    return 0;
}

/* --- a client ----------------------------------------------------------------------- */

static int begin(const char *text)
{
    int fd = kit_dial(&rig.at);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
                     (ssize_t)strlen(text));
    return fd;
}

/* The whole answer; the server closes behind it. */
static const char *end(int fd)
{
    static char got[1 << 20];
    size_t n = kit_read_all(fd, got, sizeof got - 1);
    got[n] = 0;
    close(fd);
    return got;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("no %s in %s", part, text);
}

#define HEAD(method, path) \
    method " " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"

/* --- tests ------------------------------------------------------------------------------ */

static void a_request_is_judged_and_its_answer_comes_back(void **state)
{
    (void)state;
    const char *got =
        end(begin(HEAD("POST", "/x/y?z=1") "Content-Length: 5\r\n\r\nhello"));
    has(got, "HTTP/1.1 201 Created\r\n");
    has(got, "Content-Type: application/json; charset=utf-8\r\n");
    has(got, "X-Request-Id: ");
    has(got, "Cache-Control: no-store\r\n");
    has(got, "ETag: \"7\"\r\n");
    has(got, "\"/x/y?z=1 5\"");
}

static void a_chunked_body_is_collected(void **state)
{
    (void)state;
    has(end(begin(HEAD("POST", "/") "Transfer-Encoding: chunked\r\n\r\n"
                                    "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")),
        "\"/? 7\"");
}

static void a_body_that_is_too_long_is_refused_unread(void **state)
{
    char text[BODY_MAX_HERE + 600];
    (void)state;
    const char *got =
        end(begin(HEAD("POST", "/") "Content-Length: 1001\r\n\r\n"));
    has(got, "HTTP/1.1 413 ");
    has(got, "\"code\":\"body_too_large\"");
    int n = snprintf(text, sizeof text, "%s%s%x\r\n", HEAD("POST", "/"),
                     "Transfer-Encoding: chunked\r\n\r\n", BODY_MAX_HERE + 1);
    memset(text + n, 'x', BODY_MAX_HERE + 1);
    text[n + BODY_MAX_HERE + 1] = 0;
    has(end(begin(text)), "HTTP/1.1 413 ");
    assert_int_equal(rig.served, 0);
}

static void all_bodies_together_have_a_limit(void **state)
{
    char text[BODY_MAX_HERE + 200];
    (void)state;
    /* 900 of 1,500 bytes lie in a request that waits for its last one */
    int n = snprintf(text, sizeof text, "%s",
                     HEAD("POST", "/") "Content-Length: 901\r\n\r\n");
    memset(text + n, 'x', 900);
    text[n + 900] = 0;
    int first = begin(text);
    char *at = strstr(text, "901");
    memcpy(at, "900", 3);
    const char *got;
    do got = end(begin(text)); /* until the first one's bytes have come */
    while (!strstr(got, " 503 "));
    has(got, "Retry-After: 1\r\n");
    assert_int_equal(send(first, "x", 1, MSG_NOSIGNAL), 1);
    has(end(first), "\"/? 901\"");
    has(end(begin(text)), "\"/? 900\"");
}

static void a_full_queue_answers_at_once(void **state)
{
    int waiting[QUEUE_MAX + 1];
    (void)state;
    rig.gated = true;
    waiting[0] = begin(HEAD("GET", "/first") "\r\n");
    sem_wait(&rig.begun); /* it is with the judge; the queue is empty */
    for (int i = 1; i <= QUEUE_MAX; i++)
        waiting[i] = begin(HEAD("GET", "/next") "\r\n");
    const char *got = NULL;
    do { /* whoever comes after the queue is full */
        int fd = begin(HEAD("GET", "/late") "\r\n");
        struct timeval brief = { 0, 200000 };
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief);
        got = end(fd);
    } while (!strstr(got, " 503 "));
    has(got, "\"code\":\"busy\"");
    has(got, "Retry-After: 1\r\n");
    has(end(begin(HEAD("GET", "/healthz") "\r\n")), " 200 OK");
    rig.gated = false;
    for (int i = 0; i < 8; i++) sem_post(&rig.go);
    has(end(waiting[0]), "/first");
}

static void a_client_that_goes_away_is_no_loss(void **state)
{
    (void)state;
    rig.gated = true;
    int fd = begin(HEAD("GET", "/gone") "\r\n");
    sem_wait(&rig.begun);
    struct linger now = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
    rig.gated = false;
    sem_post(&rig.go);
    has(end(begin(HEAD("GET", "/next") "\r\n")), "/next");
    assert_int_equal(rig.served, 2);
}

static void a_long_answer_comes_whole(void **state)
{
    (void)state;
    rig.answer_bytes = 500000;
    const char *got = end(begin(HEAD("GET", "/long") "\r\n"));
    const char *body = strstr(got, "\r\n\r\n") + 4;
    assert_int_equal(strlen(body),
                     strtoul(strstr(got, "Content-Length: ") + 16, NULL, 10));
    assert_string_equal(body + strlen(body) - 2, "]}");
}

static void requests_on_one_connection_follow_each_other(void **state)
{
    (void)state;
    const char *got = end(begin(
        "POST /1 HTTP/1.1\r\nHost: a\r\n"
        "Content-Length: 2\r\n\r\nab"
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" HEAD("GET", "/2") "\r\n"));
    has(got, "\"/1? 2\"");
    has(got, "\"message\":\"ok\"");
    has(got, "\"/2? 0\"");
}

static void health_tells_what_it_is(void **state)
{
    (void)state;
    const char *got = end(begin(HEAD("GET", "/readyz") "\r\n"));
    has(got, "HTTP/1.1 503 ");
    has(got, "\"message\":\"starting\"");
    assert_int_equal(rig.served, 0);
}

static void a_trusted_peer_tells_the_clients_address(void **state)
{
    (void)state;
    has(end(begin(HEAD("GET", "/") "\r\n")), "\"127.0.0.1\"");
    has(end(begin(HEAD(
            "GET", "/") "X-Forwarded-For: 192.0.2.9, 198.51.100.7\r\n\r\n")),
        "\"198.51.100.7\"");
    has(end(begin(HEAD(
            "GET", "/") "X-Forwarded-For: 198.51.100.7, 127.0.0.1\r\n\r\n")),
        "\"198.51.100.7\"");
    /* the client wrote the first field, the proxy the second */
    has(end(begin(HEAD("GET", "/") "X-Forwarded-For: 192.0.2.9\r\n"
                                   "X-Forwarded-For: 198.51.100.7\r\n\r\n")),
        "\"198.51.100.7\"");
    has(end(begin(HEAD("GET", "/") "X-Forwarded-For: unknown\r\n\r\n")),
        "\"127.0.0.1\"");
}

static void what_is_no_http_gets_an_envelope(void **state)
{
    (void)state;
    const char *got = end(begin("GET / HTTP/1.1\r\nHost : a\r\n\r\n"));
    has(got, "HTTP/1.1 400 ");
    has(got, "\"success\":false");
    has(got, "\"code\":\"bad_request\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_judged_and_its_answer_comes_back),
        TEST(a_chunked_body_is_collected),
        TEST(a_body_that_is_too_long_is_refused_unread),
        TEST(all_bodies_together_have_a_limit),
        TEST(a_full_queue_answers_at_once),
        TEST(a_client_that_goes_away_is_no_loss),
        TEST(a_long_answer_comes_whole),
        TEST(requests_on_one_connection_follow_each_other),
        TEST(health_tells_what_it_is),
        TEST(a_trusted_peer_tells_the_clients_address),
        TEST(what_is_no_http_gets_an_envelope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
