/* A proxy of nothing but http/ on both sides: what the wire costs before any
 * policy. For benchmarks and profiles.
 *
 *   min_proxy LISTEN_PORT ORIGIN_PORT      both on 127.0.0.1 */
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "http/client.h"
#include "http/server.h"

struct relay {
    struct http_stream *stream; /* NULL: gone or done */
    struct http_call *call;     /* NULL: over */
    struct relay *next;
};

static struct http_pool *pool;
static struct http_origin origin = { .host = { "127.0.0.1", 9 } };
static struct relay *spare;

static void relay_put(struct relay *r)
{
    if (r->stream || r->call) return;
    r->next = spare;
    spare = r;
}

static bool hop_by_hop(enum http_name id)
{
    static const uint64_t hop =
        1ull << HN_CONNECTION | 1ull << HN_KEEP_ALIVE |
        1ull << HN_PROXY_CONNECTION | 1ull << HN_TE | 1ull << HN_TRAILER |
        1ull << HN_TRANSFER_ENCODING | 1ull << HN_CONTENT_LENGTH |
        1ull << HN_UPGRADE | 1ull << HN_EXPECT;
    return hop >> id & 1;
}

static size_t pass(struct http_field *to, const struct http_head *head)
{
    size_t n = 0;
    for (unsigned i = 0; i < head->fields_n; i++)
        if (!hop_by_hop(head->fields[i].id)) to[n++] = head->fields[i];
    return n;
}

/* --- from the origin ------------------------------------------------------ */

static void call_head(struct http_call *c, const struct http_head *head)
{
    struct relay *r = http_call_ctx(c);
    struct http_field fields[HTTP_FIELDS_MAX];
    struct http_reply reply = {
        .status = head->status,
        .fields = fields,
        .fields_n = pass(fields, head),
        .body = head->body == HTTP_BODY_CLOSE ? HTTP_BODY_CHUNKED : head->body,
        .content_length = head->content_length,
    };
    if (head->body == HTTP_BODY_NONE && head->at[HN_CONTENT_LENGTH])
        reply.body = HTTP_BODY_LENGTH;
    if (r->stream) http_stream_head(r->stream, &reply);
}

static size_t call_body(struct http_call *c, struct sv bytes)
{
    struct relay *r = http_call_ctx(c);
    if (!r->stream) return bytes.n;
    http_stream_body(r->stream, bytes, http_call_conn(c));
    if (http_stream_queued(r->stream) >= CONN_HIGH) http_call_read(c, false);
    return bytes.n;
}

static void call_end(struct http_call *c, const struct http_head *trailers)
{
    struct relay *r = http_call_ctx(c);
    r->call = NULL;
    if (r->stream)
        http_stream_end(r->stream, trailers ? trailers->fields : NULL,
                        trailers ? trailers->fields_n : 0);
    relay_put(r);
}

static void call_room(struct http_call *c)
{
    struct relay *r = http_call_ctx(c);
    if (r->stream) http_stream_read(r->stream, true);
}

static void call_fail(struct http_call *c, int err, bool sent)
{
    struct relay *r = http_call_ctx(c);
    struct http_stream_info info;
    (void)sent;
    r->call = NULL;
    if (r->stream) {
        http_stream_info(r->stream, &info);
        if (info.head_sent)
            http_stream_abort(r->stream, err);
        else
            http_stream_answer(r->stream, &(struct http_reply){ .status = 502 },
                               SV(""));
    }
    relay_put(r);
}

static const struct http_call_ops call_ops = {
    .on_head = call_head,
    .on_body = call_body,
    .on_end = call_end,
    .on_room = call_room,
    .on_fail = call_fail,
};

/* --- from the client ------------------------------------------------------ */

static void on_request(struct http_stream *s, const struct http_head *head)
{
    struct http_field fields[HTTP_FIELDS_MAX];
    struct relay *r = spare;
    if (r)
        spare = r->next;
    else
        r = NEW(struct relay);
    *r = (struct relay){ .stream = s };
    http_stream_set_user(s, r);
    struct http_request req = {
        .method = head->method_text,
        .method_id = head->method,
        .target = head->target,
        .fields = fields,
        .fields_n = pass(fields, head),
        .body = head->body,
        .content_length = head->content_length,
    };
    http_call_start(pool, &origin, &req, &call_ops, r, &r->call);
    http_stream_read(s, true);
}

static size_t on_body(struct http_stream *s, struct sv bytes)
{
    struct relay *r = http_stream_user(s);
    if (!r->call) return bytes.n;
    http_call_body(r->call, bytes, http_stream_conn(s));
    if (http_call_queued(r->call) >= CONN_HIGH) http_stream_read(s, false);
    return bytes.n;
}

static void on_end(struct http_stream *s, const struct http_head *trailers)
{
    struct relay *r = http_stream_user(s);
    if (r->call)
        http_call_end(r->call, trailers ? trailers->fields : NULL,
                      trailers ? trailers->fields_n : 0);
}

static void on_room(struct http_stream *s)
{
    struct relay *r = http_stream_user(s);
    if (r->call) http_call_read(r->call, true);
}

static void on_done(struct http_stream *s)
{
    struct relay *r = http_stream_user(s);
    r->stream = NULL;
    relay_put(r);
}

static void on_gone(struct http_stream *s, int err)
{
    struct relay *r = http_stream_user(s);
    (void)err;
    if (r->call) http_call_cancel(r->call);
    r->call = NULL;
    on_done(s);
}

static const struct http_service service = {
    .on_request = on_request,
    .on_body = on_body,
    .on_end = on_end,
    .on_room = on_room,
    .on_done = on_done,
    .on_gone = on_gone,
};

int main(int argc, char **argv)
{
    struct reactor *r;
    struct dns *dns;
    struct workers *workers;
    struct http_server *server;
    struct addr at = { .port = 0 };
    if (argc != 3) return 2;
    ENSURE(ip_parse(SV("127.0.0.1"), &at.ip) == 0);
    at.port = (uint16_t)atoi(argv[1]);
    origin.port = (uint16_t)atoi(argv[2]);
    ENSURE(reactor_new(&r, &(struct reactor_conf){ .max_conns = 40000 }) == 0);
    ENSURE(workers_new(&workers, 1, 16) == 0);
    ENSURE(dns_new(&dns, &(struct dns_conf){ .reactor = r,
                                             .workers = workers,
                                             .fresh_ms = 1000,
                                             .stale_ms = 1000,
                                             .max_names = 4 }) == 0);
    http_pool_new(&pool, &(struct http_pool_conf){ .reactor = r, .dns = dns });
    ENSURE(http_server_open(r, &at, -1,
                            &(struct http_server_conf){ .service = &service },
                            &server) == 0);
    printf("listening\n");
    fflush(stdout);
    return reactor_run(r);
}
