/* Exchanges on client connections: a service that writes down its calls, a
 * client that is bytes. */
#ifndef SERVER_KIT_H
#define SERVER_KIT_H

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

static inline void note(const char *fmt, ...)
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

static inline void answer_hi(struct http_stream *s)
{
    http_stream_answer(s, &(struct http_reply){ .status = 200 }, SV("hi"));
}

static inline void on_request(struct http_stream *s,
                              const struct http_head *head)
{
    rig.s = s;
    rig.head = *head;
    note("R%.*s ", SV_FMT(head->path));
    if (rig.keep) http_stream_keep(s);
    if (rig.body_max) http_stream_body_max(s, rig.body_max);
    if (rig.read) http_stream_read(s, true);
    if (rig.answer) answer_hi(s);
}

static inline size_t on_body(struct http_stream *s, struct sv bytes)
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

static inline void on_end(struct http_stream *s,
                          const struct http_head *trailers)
{
    (void)s;
    note("E%s ", trailers ? "T" : "");
    for (unsigned i = 0; trailers && i < trailers->fields_n; i++)
        note("%.*s=%.*s ", SV_FMT(trailers->fields[i].name),
             SV_FMT(trailers->fields[i].value));
}

static inline void on_room(struct http_stream *s)
{
    if (rig.fill_other) http_stream_read(http_stream_user(s), true);
    note("O ");
}

static inline void on_done(struct http_stream *s)
{
    http_stream_info(s, &rig.info);
    rig.s = NULL;
    note("D ");
}

static inline void on_gone(struct http_stream *s, int err)
{
    http_stream_info(s, &rig.info);
    rig.s = NULL;
    rig.gone = err;
    note("G ");
}

static inline void on_refusal(void *ctx, const struct conn *c,
                              struct http_stream *s,
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

static inline void open_with(struct http_server_conf conf)
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

static inline int set_up(void **state)
{
    (void)state;
    open_with((struct http_server_conf){ .requests_max = 0 });
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    kit_stop(&rig.kit);
    http_server_free(&rig.server);
    kit_fini(&rig.kit);
    wire_fini(&rig.w);
    wire_fini(&rig.w2);
    return 0;
}

static inline void send_text(const char *text)
{
    wire_send(&rig.w, text);
}

static inline void expect(const char *text)
{
    wire_expect(&rig.kit, &rig.w, text);
}

static inline void turns(void)
{
    pump_turns(&rig.kit, 5);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define HI_CLOSE \
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"

#define REFUSED(line)                                       \
    "HTTP/1.1 " line "\r\nContent-Type: application/json; " \
    "charset=utf-8\r\nCache-Control: no-store\r\n"          \
    "Content-Length: 2\r\nConnection: close\r\n\r\n{}"

static inline struct http_reply chunked_reply(void)
{
    return (struct http_reply){ .status = 200, .body = HTTP_BODY_CHUNKED };
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
