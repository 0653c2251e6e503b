/* Client connections: requests come in here, one exchange at a time.
 *
 *   idle ─ bytes ─> head incomplete ─ head ─> exchange ─┬─> idle
 *     └──────── deadline, EOF, refusal ────────────────┴─> closing
 *
 * Everything is driven by client_bytes: what it does not consume stays with
 * the connection (the next pipelined request too) and is offered again by
 * conn_read(true). An exchange that ends while client_bytes runs is completed
 * by it; one that ends from elsewhere waits for the turn's timers, so that a
 * service is never called from inside its own call. */
#include "http/server.h"

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "http/server_int.h"

static const struct conn_ops client_ops;

/* --- small pieces --------------------------------------------------------- */

uint32_t server_tick_ms(const struct http_server *s)
{
    uint32_t w = s->conf.write_timeout_ms;
    return w < TICK_MS ? w : TICK_MS;
}

void client_read(struct client *c, bool on)
{
    if (on == !c->read_off) return;
    c->read_off = !on;
    conn_read(c->conn, on);
}

struct sv server_date(struct http_server *s)
{
    uint64_t now_s = reactor_now_ms(s->reactor) / 1000 + 1;
    if (now_s != s->date_s) {
        s->date_s = now_s;
        memcpy(s->date, "Date: ", 6);
        http_date(s->date + 6, clock_wall_ms());
        memcpy(s->date + 35, "\r\n", 2);
    }
    return sv_of(s->date, sizeof s->date);
}

static void stream_free(struct http_stream *s, struct http_server *server)
{
    if (s->in_ended_list) {
        struct http_stream **p = &server->ended;
        while (*p != s) p = &(*p)->next_ended;
        *p = s->next_ended;
    }
    if (s->kept) block_put(s->kept);
    slab_put(&server->streams, s);
}

/* Back to idle, or to the end. */
static void client_next(struct client *c, bool keep_alive)
{
    c->stream = NULL;
    if (!keep_alive || c->eof) {
        conn_finish(c->conn);
        return;
    }
    conn_deadline(c->conn, DEADLINE_IDLE, c->server->conf.idle_timeout_ms);
    client_read(c, true);
}

/* The service's part is over; the request may still be coming in. */
static void stream_done(struct http_stream *s)
{
    struct client *c = s->client;
    if (!s->detached) {
        s->detached = true;
        if (s->service->on_done) s->service->on_done(s);
    }
    bool droppable = s->keep_alive && !s->waits_continue && !c->eof &&
                     (s->in.kind != HTTP_BODY_LENGTH || s->in.left <= DROP_MAX);
    if (!s->in.ended && droppable) {
        s->body_max = s->body_in + DROP_MAX;
        client_read(c, true);
        return;
    }
    bool keep_alive = s->keep_alive && s->in.ended;
    stream_free(s, c->server);
    client_next(c, keep_alive);
}

static bool stream_may_complete(const struct http_stream *s)
{
    if (s->answer != ANSWER_ENDED) return false;
    if (s->in.kind == HTTP_BODY_TUNNEL && !s->in.ended) return false;
    return s->detached || conn_queued(s->client->conn) <= CONN_LOW;
}

static void complete_ended(struct timer *t)
{
    struct http_server *server =
        CONTAINER_OF(t, struct http_server, ended_timer);
    while (server->ended) {
        struct http_stream *s = server->ended;
        server->ended = s->next_ended;
        s->in_ended_list = false;
        if (stream_may_complete(s)) stream_done(s);
    }
}

void stream_ended(struct http_stream *s)
{
    struct client *c = s->client;
    struct http_server *server = c->server;
    if (c->in_bytes || s->in_ended_list) return;
    s->in_ended_list = true;
    s->next_ended = server->ended;
    if (!server->ended) timer_arm(server->reactor, &server->ended_timer, 0);
    server->ended = s;
}

/* Last call of an exchange that did not come to its end. */
static void stream_gone(struct http_stream *s, int err)
{
    struct client *c = s->client;
    c->stream = NULL;
    if (!s->detached && s->service->on_gone) s->service->on_gone(s, err);
    stream_free(s, c->server);
}

static void refuse(struct client *c, const struct http1_refusal *why, int err)
{
    struct http_stream *s = c->stream;
    if (s && (s->answer != ANSWER_NONE || s->detached))
        conn_abort(c->conn, err);
    else
        stream_refuse(c, s, why);
    if (s) stream_gone(s, err);
}

/* --- requests ------------------------------------------------------------- */

static struct http_stream *stream_open(struct client *c,
                                       const struct http_head *head)
{
    struct http_server *server = c->server;
    const struct http_server_conf *conf = &server->conf;
    struct http_stream *s = slab_get(&server->streams);
    *s = (struct http_stream){
        .client = c,
        .service = conf->service,
        .ctx = conf->ctx,
        .minor = head->minor,
        .head_method = head->method == HTTP_HEAD,
        .keep_alive = head->keep_alive &&
                      (!conf->requests_max || c->requests < conf->requests_max),
        .waits_continue = head->expect_continue,
        .in_request = true,
        .tick_out = conn_bytes_out(c->conn),
    };
    body_in_init(&s->in, head->body, head->content_length);
    s->in.ended = head->body == HTTP_BODY_NONE ||
                  (head->body == HTTP_BODY_LENGTH && !head->content_length);
    c->stream = s;
    return s;
}

static void request_ended(struct http_stream *s,
                          const struct http_head *trailers)
{
    if (s->answer == ANSWER_ENDED || s->detached || !s->service->on_end) return;
    s->service->on_end(s, trailers && trailers->fields_n ? trailers : NULL);
}

/* Returns the head's length; 0: incomplete or refused. */
static size_t request_begin(struct client *c, struct sv in)
{
    struct http_server *server = c->server;
    struct http_head *head = &server->head;
    struct http1_refusal why;
    int n =
        http1_request_scan(in, &c->searched, &server->conf.limits, head, &why);
    if (n < 0) {
        refuse(c, &why, ERR_PROTOCOL);
        return 0;
    }
    if (n == 0) {
        if (!c->head_begun)
            conn_deadline(c->conn, DEADLINE_HEAD, server->conf.head_timeout_ms);
        c->head_begun = true;
        return 0;
    }
    c->head_begun = false;
    c->requests++;
    struct http_stream *s = stream_open(c, head);
    s->bytes_in = (uint64_t)n;
    if ((size_t)n < in.n) s->waits_continue = false; /* it did not wait */
    conn_deadline(c->conn, DEADLINE_BODY, server_tick_ms(server));
    server->head_bytes = sv_first(in, (size_t)n);
    s->service->on_request(s, head);
    server->head_bytes = SV("");
    s->in_request = false;
    if (s->too_big)
        refuse(c, &(struct http1_refusal){ 413, "body too large" }, ERR_TOOBIG);
    else if (s->in.ended)
        request_ended(s, NULL);
    return (size_t)n;
}

/* Body bytes to the service, or nowhere. False: stop for now. */
static bool body_offer(struct client *c, struct sv *in, struct sv data)
{
    struct http_stream *s = c->stream;
    if (!s->detached && !s->reading) return false;
    if (s->body_max && s->body_in + data.n > s->body_max) {
        if (s->detached) {
            stream_free(s, c->server);
            client_next(c, false);
        } else {
            refuse(c, &(struct http1_refusal){ 413, "body too large" },
                   ERR_TOOBIG);
        }
        return false;
    }
    size_t taken = s->detached ? data.n : s->service->on_body(s, data);
    ENSURE(taken <= data.n);
    body_in_take(&s->in, in, taken);
    s->body_in += taken;
    s->bytes_in += taken;
    if (taken < data.n) s->reading = false;
    return true;
}

/* One step of the request's body. False: stop for now. */
static bool body_step(struct client *c, struct sv *in)
{
    struct http_stream *s = c->stream;
    struct http1_refusal why;
    struct sv data;
    size_t before = in->n;
    enum body_event event = body_in_next(
        &s->in, in, &data, &c->server->conf.limits, &c->server->head, &why);
    s->bytes_in += before - in->n;
    switch (event) {
    case BODY_DATA: return body_offer(c, in, data);
    case BODY_END: request_ended(s, &c->server->head); return true;
    case BODY_BAD: refuse(c, &why, ERR_PROTOCOL); return false;
    case BODY_MORE: break;
    }
    return false;
}

static size_t client_bytes(struct conn *conn, struct sv all)
{
    struct client *c = conn_ctx(conn);
    struct sv in = all;
    c->in_bytes = true;
    while (!conn_closing(conn)) {
        struct http_stream *s = c->stream;
        if (s && stream_may_complete(s) && !s->in_ended_list &&
            (!s->detached || s->in.ended))
            stream_done(s);
        else if (!s) {
            size_t n = in.n ? request_begin(c, in) : 0;
            if (n == 0) break;
            in = sv_from(in, n);
        } else if (s->in.ended || !body_step(c, &in))
            break;
    }
    c->in_bytes = false;
    if (conn_closing(conn)) return all.n;
    struct http_stream *s = c->stream;
    if (s && s->answer == ANSWER_ENDED && !s->in_ended_list &&
        stream_may_complete(s) && !s->detached)
        stream_ended(s);
    /* Unread bytes wait without being offered while an exchange is open; so
     * does the kernel, once there are some. */
    if (s)
        client_read(c, in.n == 0 || (s->reading && !s->in.ended) ||
                           (s->detached && !s->in.ended));
    return all.n - in.n;
}

/* --- other events --------------------------------------------------------- */

static void client_room(struct conn *conn)
{
    struct client *c = conn_ctx(conn);
    struct http_stream *s = c->stream;
    if (!s || s->detached) return;
    if (stream_may_complete(s))
        stream_ended(s);
    else if (s->answer != ANSWER_ENDED && s->service->on_room)
        s->service->on_room(s);
}

/* Half-closed clients get their answer; a request cut short gets none. */
static void client_eof(struct conn *conn)
{
    struct client *c = conn_ctx(conn);
    struct http_stream *s = c->stream;
    c->eof = true;
    if (!s) {
        conn_close(conn);
    } else if (!body_in_eof(&s->in)) {
        if (s->answer != ANSWER_ENDED)
            conn_abort(conn, ERR_CLOSED);
        else if (s->detached)
            stream_done(s);
    } else if (s->in.kind == HTTP_BODY_TUNNEL) {
        request_ended(s, NULL);
        if (stream_may_complete(s)) stream_ended(s);
    }
}

/* While an exchange is open: does the client send fast enough what we want to
 * read, and take what we want to send? */
static void client_tick(struct client *c)
{
    struct http_stream *s = c->stream;
    const struct http_server_conf *conf = &c->server->conf;
    uint32_t tick = server_tick_ms(c->server);
    bool wants = !s->in.ended && s->in.kind != HTTP_BODY_TUNNEL &&
                 (s->detached || (s->reading && !s->paused));
    s->window_ms += tick;
    if (s->window_ms >= TICK_MS || !wants) {
        uint64_t least = (uint64_t)conf->body_min_rate * s->window_ms / 1000;
        if (wants && s->body_in - s->tick_in < least) {
            refuse(c, &(struct http1_refusal){ 408, "body too slow" },
                   ERR_TIMEOUT);
            return;
        }
        s->quiet_ms = s->body_in == s->tick_in ? s->quiet_ms + s->window_ms : 0;
        s->window_ms = 0;
        s->tick_in = s->body_in;
        s->paused = !s->reading;
    }
    uint64_t out = conn_bytes_out(c->conn);
    bool stalled = conn_queued(c->conn) > 0 && out == s->tick_out;
    s->stalled_ms = stalled ? s->stalled_ms + tick : 0;
    s->tick_out = out;
    bool half_dead = s->in.kind == HTTP_BODY_TUNNEL &&
                     s->answer == ANSWER_ENDED &&
                     s->quiet_ms >= conf->idle_timeout_ms;
    if (s->stalled_ms >= conf->write_timeout_ms || half_dead)
        conn_abort(c->conn, ERR_TIMEOUT);
    else
        conn_deadline(c->conn, DEADLINE_BODY, tick);
}

static void client_timeout(struct conn *conn, enum deadline which)
{
    struct client *c = conn_ctx(conn);
    if (c->stream)
        client_tick(c);
    else if (which == DEADLINE_HEAD && c->head_begun)
        refuse(c, &(struct http1_refusal){ 408, "head too slow" }, ERR_TIMEOUT);
    else
        conn_close(conn);
}

static void client_drain(struct conn *conn)
{
    struct client *c = conn_ctx(conn);
    if (c->stream)
        c->stream->keep_alive = false;
    else if (!c->head_begun)
        conn_close(conn);
}

static void client_closed(struct conn *conn, int err)
{
    struct client *c = conn_ctx(conn);
    struct http_server *server = c->server;
    if (c->stream) stream_gone(c->stream, err ? err : ERR_CLOSED);
    slab_put(&server->clients, c);
}

static const struct conn_ops client_ops = {
    .on_bytes = client_bytes,
    .on_room = client_room,
    .on_eof = client_eof,
    .on_timeout = client_timeout,
    .on_drain = client_drain,
    .on_closed = client_closed,
};

/* --- the listener --------------------------------------------------------- */

static void client_accept(struct conn *conn, void *ctx)
{
    struct http_server *server = ctx;
    struct client *c = slab_get(&server->clients);
    *c = (struct client){ .server = server, .conn = conn };
    conn_set_ops(conn, &client_ops, c);
    conn_deadline(conn, DEADLINE_HEAD, server->conf.head_timeout_ms);
    struct tls_server *tls =
        server->conf.tls ? atomic_load(server->conf.tls) : NULL;
    if (tls && tls_accept(conn, tls) != 0) conn_close(conn);
}

static void or_default(uint32_t *v, uint32_t otherwise)
{
    if (*v == 0) *v = otherwise;
}

int http_server_open(struct reactor *r, const struct addr *at, int inherited_fd,
                     const struct http_server_conf *conf,
                     struct http_server **out)
{
    struct http_server *s = NEW(struct http_server);
    s->conf = *conf;
    s->reactor = r;
    s->ended_timer.fire = complete_ended;
    struct http1_limits *l = &s->conf.limits;
    or_default(&l->head_bytes, BLOCK_BYTES);
    or_default(&l->target_bytes, 8192);
    if (!l->fields) l->fields = 64;
    ENSURE(l->head_bytes <= BLOCK_BYTES && l->fields <= HTTP_FIELDS_MAX);
    or_default(&s->conf.head_timeout_ms, 10000);
    or_default(&s->conf.idle_timeout_ms, 75000);
    or_default(&s->conf.body_min_rate, 240);
    or_default(&s->conf.write_timeout_ms, 60000);
    slab_init(&s->clients, sizeof(struct client));
    slab_init(&s->streams, sizeof(struct http_stream));
    struct listener_conf lc = {
        .addr = *at,
        .inherited_fd = inherited_fd,
        .on_accept = client_accept,
        .ctx = s,
        .ops = &client_ops,
    };
    int err = listener_open(r, &lc, &s->listener);
    if (err) {
        http_server_free(&s);
        return err;
    }
    *out = s;
    return 0;
}

struct listener *http_server_listener(struct http_server *s)
{
    return s->listener;
}

void http_server_free(struct http_server **sp)
{
    struct http_server *s = *sp;
    if (!s) return;
    timer_cancel(s->reactor, &s->ended_timer);
    slab_fini(&s->clients);
    slab_fini(&s->streams);
    mem_free(s);
    *sp = NULL;
}
