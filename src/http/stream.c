/* The answering half of an exchange: what a service calls. Heads are built in
 * the connection's output block in one piece; the framing is decided here. */
#include "base/ensure.h"
#include "base/err.h"
#include "base/fmt.h"
#include "http/server_int.h"

/* --- questions ------------------------------------------------------------ */

void *http_stream_ctx(const struct http_stream *s)
{
    return s->ctx;
}

void http_stream_set_user(struct http_stream *s, void *user)
{
    s->user = user;
}

void *http_stream_user(const struct http_stream *s)
{
    return s->user;
}

struct reactor *http_stream_reactor(const struct http_stream *s)
{
    return s->client->server->reactor;
}

struct conn *http_stream_conn(const struct http_stream *s)
{
    return s->client->conn;
}

bool http_stream_is_tls(const struct http_stream *s)
{
    return tls_is(s->client->conn);
}

size_t http_stream_queued(const struct http_stream *s)
{
    return conn_queued(s->client->conn);
}

void http_stream_info(const struct http_stream *s, struct http_stream_info *o)
{
    *o = (struct http_stream_info){
        .bytes_in = s->bytes_in,
        .bytes_out = s->bytes_out,
        .body_in = s->body_in,
        .body_out = s->body_out,
        .status = s->status,
        .head_sent = s->answer != ANSWER_NONE,
        .minor = s->minor,
    };
}

/* --- the request ---------------------------------------------------------- */

void http_stream_dispatch(struct http_stream *s, const struct http_service *to,
                          void *ctx, const struct http_head *head)
{
    ENSURE(s->in_request && s->answer == ANSWER_NONE);
    s->service = to;
    s->ctx = ctx;
    to->on_request(s, head);
}

void http_stream_keep(struct http_stream *s)
{
    struct client *c = s->client;
    ENSURE(s->in_request);
    if (!s->kept) s->kept = conn_keep(c->conn, c->server->head_bytes);
}

void http_stream_read(struct http_stream *s, bool on)
{
    s->reading = on;
    if (!on) {
        s->paused = true;
        return;
    }
    s->wanted = true;
    http_stream_continue(s);
    if (!s->client->in_bytes) client_read(s->client, true);
}

void http_stream_body_max(struct http_stream *s, uint64_t bytes)
{
    s->body_max = bytes;
    if (bytes && s->in_request && s->in.kind == HTTP_BODY_LENGTH &&
        s->in.left > bytes)
        s->too_big = true;
}

/* --- the answer ----------------------------------------------------------- */

static struct conn *conn_of(const struct http_stream *s)
{
    return s->client->conn;
}

static int cut(struct http_stream *s, int err)
{
    if (err) conn_abort(conn_of(s), err);
    return err;
}

void http_stream_continue(struct http_stream *s)
{
    if (!s->waits_continue || s->answer != ANSWER_NONE) return;
    s->waits_continue = false;
    struct sv line = SV("HTTP/1.1 100 Continue\r\n\r\n");
    s->bytes_out += line.n;
    cut(s, conn_write(conn_of(s), line));
}

struct text {
    char at[512]; /* a refusal holds 256 of its service */
    size_t n;
};

static void text_add(struct text *t, struct sv s)
{
    ENSURE(s.n <= sizeof t->at - t->n);
    memcpy(t->at + t->n, s.p, s.n);
    t->n += s.n;
}

static void text_add_u64(struct text *t, uint64_t v)
{
    ENSURE(FMT_U64_MAX <= sizeof t->at - t->n);
    t->n += fmt_u64(t->at + t->n, v);
}

static struct sv text_sv(const struct text *t)
{
    return sv_of(t->at, t->n);
}

static void status_line(struct text *t, unsigned status)
{
    ENSURE(status >= 100 && status <= 999);
    memcpy(t->at, "HTTP/1.1 000 ", 13);
    t->at[9] = (char)('0' + status / 100);
    t->at[10] = (char)('0' + status / 10 % 10);
    t->at[11] = (char)('0' + status % 10);
    t->n = 13;
    text_add(t, http_status_text(status));
}

static int put_head(struct http_stream *s, unsigned status,
                    const struct http_reply *reply, struct sv tail)
{
    struct text line;
    size_t before = conn_queued(conn_of(s));
    status_line(&line, status);
    int err = head_write(conn_of(s), text_sv(&line), reply->fields,
                         reply->fields_n, tail);
    if (!err) s->bytes_out += conn_queued(conn_of(s)) - before;
    return err == ERR_TOOBIG ? err : cut(s, err);
}

/* The framing that this client and this status allow. */
static struct body_out frame(const struct http_stream *s,
                             const struct http_reply *reply)
{
    struct body_out o = { reply->body, reply->content_length };
    if (reply->status == 101) return o;
    if (o.kind == HTTP_BODY_CHUNKED && s->minor == 0) o.kind = HTTP_BODY_CLOSE;
    bool bodiless = reply->status == 204 || reply->status == 304;
    if (o.kind == HTTP_BODY_NONE && !bodiless && !s->head_method)
        o.kind = HTTP_BODY_LENGTH, o.left = 0;
    if (reply->status == 204) o.kind = HTTP_BODY_NONE;
    return o;
}

static void put_framing(const struct http_stream *s, struct text *tail,
                        const struct body_out *o)
{
    switch (o->kind) {
    case HTTP_BODY_LENGTH:
        text_add(tail, SV("Content-Length: "));
        text_add_u64(tail, o->left);
        text_add(tail, SV("\r\n"));
        break;
    case HTTP_BODY_CHUNKED:
        text_add(tail, SV("Transfer-Encoding: chunked\r\n"));
        break;
    case HTTP_BODY_TUNNEL:
        text_add(tail, SV("Connection: upgrade\r\n"));
        return;
    default: break;
    }
    if (!s->keep_alive)
        text_add(tail, SV("Connection: close\r\n"));
    else if (s->minor == 0)
        text_add(tail, SV("Connection: keep-alive\r\n"));
}

/* Will what is left of the request be worth reading? A client that still
 * waits for 100 may send the body or not: only closing is unambiguous. */
static bool rest_is_readable(const struct http_stream *s)
{
    if (s->in.ended || s->wanted) return true;
    return !s->waits_continue &&
           (s->in.kind != HTTP_BODY_LENGTH || s->in.left <= DROP_MAX);
}

int http_stream_head(struct http_stream *s, const struct http_reply *reply)
{
    struct text tail = { .n = 0 };
    ENSURE(s->answer == ANSWER_NONE);
    if (reply->status < 200 && reply->status != 101) {
        if (s->minor == 0) return 0;
        if (reply->status == 100) s->waits_continue = false;
        return put_head(s, reply->status, reply, SV(""));
    }
    struct body_out o = frame(s, reply);
    s->keep_alive = s->keep_alive && !reply->close && !s->client->eof &&
                    o.kind != HTTP_BODY_CLOSE && o.kind != HTTP_BODY_TUNNEL &&
                    rest_is_readable(s) &&
                    !reactor_stopping(s->client->server->reactor);
    put_framing(s, &tail, &o);
    if (reply->add_date) text_add(&tail, server_date(s->client->server));
    int err = put_head(s, reply->status, reply, text_sv(&tail));
    if (err) return err;
    s->status = (uint16_t)reply->status;
    s->answer = ANSWER_OPEN;
    bool bodiless = s->head_method || reply->status == 304;
    s->out = bodiless ? (struct body_out){ HTTP_BODY_NONE, 0 } : o;
    if (reply->status == 101) {
        body_in_init(&s->in, HTTP_BODY_TUNNEL, 0);
        if (!s->client->in_bytes) client_read(s->client, s->reading);
    }
    return 0;
}

int http_stream_body(struct http_stream *s, struct sv bytes, struct conn *from)
{
    struct conn *conn = conn_of(s);
    ENSURE(s->answer == ANSWER_OPEN);
    size_t before = conn_queued(conn);
    int err = body_out_write(&s->out, conn, bytes, from);
    s->bytes_out += conn_queued(conn) - before;
    if (!err && s->out.kind != HTTP_BODY_NONE) s->body_out += bytes.n;
    return cut(s, err);
}

void http_stream_end(struct http_stream *s, const struct http_field *trailers,
                     size_t trailers_n)
{
    struct conn *conn = conn_of(s);
    ENSURE(s->answer == ANSWER_OPEN);
    size_t before = conn_queued(conn);
    if (cut(s, body_out_end(&s->out, conn, trailers, trailers_n))) return;
    s->bytes_out += conn_queued(conn) - before;
    s->answer = ANSWER_ENDED;
    if (s->out.kind == HTTP_BODY_TUNNEL && !s->in.ended) conn_end(conn);
    stream_ended(s);
}

void http_stream_answer(struct http_stream *s, const struct http_reply *reply,
                        struct sv body)
{
    struct http_reply r = *reply;
    r.body = HTTP_BODY_LENGTH;
    r.content_length = body.n;
    if (http_stream_head(s, &r) != 0) {
        cut(s, ERR_TOOBIG);
        return;
    }
    if (http_stream_body(s, body, NULL) == 0) http_stream_end(s, NULL, 0);
}

void http_stream_abort(struct http_stream *s, int err)
{
    conn_abort(conn_of(s), err);
}

void stream_refuse(struct client *c, struct http_stream *s,
                   const struct http1_refusal *why)
{
    struct http_server *server = c->server;
    const struct http_service *service = s ? s->service : server->conf.service;
    char json[2048], fields[256];
    struct http_refused out;
    struct text line, tail = { .n = 0 };
    buf_init_fixed(&out.body, json, sizeof json);
    buf_init_fixed(&out.fields, fields, sizeof fields);
    if (service->on_refusal)
        service->on_refusal(s ? s->ctx : server->conf.ctx, c->conn, s, why,
                            &out);
    status_line(&line, why->status);
    if (out.body.n)
        text_add(&tail, SV("Content-Type: application/json; charset=utf-8\r\n"
                           "Cache-Control: no-store\r\n"));
    text_add(&tail, buf_sv(&out.fields));
    text_add(&tail, SV("Content-Length: "));
    text_add_u64(&tail, out.body.n);
    text_add(&tail, SV("\r\nConnection: close\r\n"));
    text_add(&tail, server_date(server));
    size_t before = conn_queued(c->conn);
    if (head_write(c->conn, text_sv(&line), NULL, 0, text_sv(&tail)) == 0 &&
        !(s && s->head_method))
        conn_write(c->conn, buf_sv(&out.body));
    if (s) {
        s->status = why->status;
        s->bytes_out += conn_queued(c->conn) - before;
    }
    conn_finish(c->conn);
}
