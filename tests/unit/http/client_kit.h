/* Calls to origins, which are sockets of the test. */
#ifndef CLIENT_KIT_H
#define CLIENT_KIT_H

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

static inline void note(struct seen *s, const char *fmt, ...)
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

static inline void on_info(struct http_call *c, const struct http_head *head)
{
    note(http_call_ctx(c), "I%u ", head->status);
}

static inline void on_head(struct http_call *c, const struct http_head *head)
{
    struct seen *s = http_call_ctx(c);
    s->head = *head;
    note(s, "H%u ", head->status);
    if (!s->cancel_at_head) return;
    http_call_cancel(c);
    s->call = NULL;
}

static inline size_t on_body(struct http_call *c, struct sv bytes)
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

static inline void on_end(struct http_call *c, const struct http_head *trailers)
{
    struct seen *s = http_call_ctx(c);
    note(s, "E ");
    for (unsigned i = 0; trailers && i < trailers->fields_n; i++)
        note(s, "%.*s=%.*s ", SV_FMT(trailers->fields[i].name),
             SV_FMT(trailers->fields[i].value));
    s->call = NULL;
}

static inline void on_room(struct http_call *c)
{
    note(http_call_ctx(c), "O ");
}

static inline void on_fail(struct http_call *c, int err, bool sent)
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

static inline void open_with(struct http_pool_conf conf)
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

static inline int set_up(void **state)
{
    (void)state;
    open_with((struct http_pool_conf){ .reactors = 1 });
    return 0;
}

static inline int tear_down(void **state)
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

static inline struct http_request request(const char *method,
                                          enum http_body body, uint64_t length)
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

static inline void start_as(struct seen *s, const struct http_request *req)
{
    assert_int_equal(
        http_call_start(rig.pool, &rig.origin, req, &ops, s, &s->call), 0);
}

static inline void start(struct seen *s, const char *method)
{
    struct http_request req = request(method, HTTP_BODY_NONE, 0);
    start_as(s, &req);
}

static inline void accept_origin(void)
{
    origin_accept(&rig.kit, rig.listener, &rig.o);
}

static inline void expect(const char *text)
{
    wire_expect(&rig.kit, &rig.o, text);
}

static inline void turns(void)
{
    pump_turns(&rig.kit, 6);
}

static inline void answer(const char *text)
{
    wire_send(&rig.o, text);
    turns();
}

static inline uint64_t stat(_Atomic uint64_t *v)
{
    return atomic_load(v);
}

#define STAT(name) ((int)stat(&http_pool_stats(rig.pool)->name))
#define GET "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static inline void serve_one(struct seen *s)
{
    start(s, "GET");
    if (rig.o.fd < 0) accept_origin();
    expect(GET);
    answer(OK);
    EXPECT_LOG(s, "H200 Bhi E ");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
