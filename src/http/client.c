/* Calls: one request and its answer on a connection to an origin.
 *
 *   head out ─ body… ─ end          while the request goes out, the answer
 *   head in (1xx…) ─ body… ─ end    may already come in
 *
 * Callbacks run inside the connection's own; a call that ends inside one of
 * them is noticed by upstream->call. Failures found elsewhere are told from
 * the pool's timer, so that no caller is called back before its call returns. */
#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/fmt.h"
#include "http/client_int.h"

/* --- life ----------------------------------------------------------------- */

void call_free(struct http_call *c)
{
    struct http_pool *p = c->pool;
    if (c->dial) dial_drop(c);
    if (c->head && c->head != c->head_inline) mem_free(c->head);
    COUNT(p, active, -1);
    slab_put(&p->calls, c);
}

/* The last callback. */
static void call_tell_failure(struct http_call *c)
{
    if (c->ops->on_fail) c->ops->on_fail(c, c->err, c->sent);
    call_free(c);
}

void call_fail_later(struct http_call *c, int err, const char *problem)
{
    struct http_pool *p = c->pool;
    c->err = err;
    c->problem = problem;
    c->state = CALL_FAILED;
    dial_drop(c);
    c->next = p->failed;
    p->failed = c;
    if (!p->failed_timer.at_) timer_arm(p->conf.reactor, &p->failed_timer, 0);
}

void calls_tell_failed(struct timer *t)
{
    struct http_pool *p = CONTAINER_OF(t, struct http_pool, failed_timer);
    while (p->failed) {
        struct http_call *c = p->failed;
        p->failed = c->next;
        call_tell_failure(c);
    }
}

void call_timed_out(struct http_call *c)
{
    struct upstream *u = c->up;
    if (c->state == CALL_WAITING) waiting_remove(c);
    c->err = ERR_TIMEOUT;
    c->problem = u ? "resolving the name took too long"
                   : "no connection became free in time";
    c->up = NULL;
    if (u) {
        u->call = NULL;
        upstream_lost(u, 0);
    }
    call_tell_failure(c);
}

/* --- the request ---------------------------------------------------------- */

static char *put(char *p, struct sv s)
{
    memcpy(p, s.p, s.n);
    return p + s.n;
}

struct request_text {
    const struct http_request *req;
    char tail[128];
    size_t tail_n, size;
};

static void request_text(struct request_text *t, const struct http_request *req)
{
    char *p = t->tail;
    t->req = req;
    if (req->body == HTTP_BODY_LENGTH) {
        p = put(p, SV("Content-Length: "));
        p += fmt_u64(p, req->content_length);
        p = put(p, SV("\r\n"));
    } else if (req->body == HTTP_BODY_CHUNKED) {
        p = put(p, SV("Transfer-Encoding: chunked\r\n"));
    }
    if (req->upgrade) p = put(p, SV("Connection: upgrade\r\n"));
    if (req->expect_continue) p = put(p, SV("Expect: 100-continue\r\n"));
    t->tail_n = (size_t)(p - t->tail);
    t->size = req->method.n + req->target.n + 2 +
              http1_head_size(SV("HTTP/1.1"), req->fields, req->fields_n,
                              sv_of(t->tail, t->tail_n));
}

static void request_write(const struct request_text *t, char *out)
{
    const struct http_request *req = t->req;
    char *p = put(put(out, req->method), SV(" "));
    p = put(put(p, req->target), SV(" "));
    p += http1_head_encode(p, SV("HTTP/1.1"), req->fields, req->fields_n,
                           sv_of(t->tail, t->tail_n));
    ENSURE((size_t)(p - out) == t->size);
}

/* Room for the head's wire form in the call. */
static char *head_room(struct http_call *c, size_t n)
{
    c->head = n <= sizeof c->head_inline ? c->head_inline : mem_alloc(n);
    c->head_n = (uint32_t)n;
    return c->head;
}

/* Which deadline the connection has while no answer has come. */
static void await_answer(struct http_call *c)
{
    struct conn *conn = c->up->conn;
    if (c->request_ended)
        conn_deadline(conn, DEADLINE_FIRST_BYTE, c->first_byte_ms);
    else
        conn_deadline(conn, DEADLINE_WRITE, c->idle_ms);
}

static void call_begin(struct http_call *c)
{
    c->state = CALL_OPEN;
    c->sent_base = c->tick_out = conn_bytes_out(c->up->conn);
    await_answer(c);
}

/* On a pooled connection the head is built in its output block; a copy is
 * kept only if it may have to be sent once more. */
static int start_pooled(struct http_call *c, const struct request_text *t)
{
    struct conn *conn = c->up->conn;
    char *p = conn_reserve(conn, t->size);
    if (!p) return ERR_NOMEM;
    request_write(t, p);
    if (c->retryable) memcpy(head_room(c, t->size), p, t->size);
    conn_commit(conn, t->size);
    call_begin(c);
    return 0;
}

int http_call_start(struct http_pool *p, const struct http_origin *origin,
                    const struct http_request *req,
                    const struct http_call_ops *ops, void *ctx,
                    struct http_call **out)
{
    struct request_text t;
    request_text(&t, req);
    if (t.size > BLOCK_BYTES) return ERR_TOOBIG;
    struct http_call *c = slab_get(&p->calls);
    memset(c, 0, offsetof(struct http_call, peer));
    c->pool = p;
    c->peer = (struct addr){ .port = 0 };
    c->origin = origin_get(p, origin);
    c->ops = ops;
    c->ctx = ctx;
    c->method = (uint8_t)req->method_id;
    c->asks_upgrade = req->upgrade;
    c->fresh = req->fresh;
    c->reading = true;
    c->first_byte_ms = req->first_byte_ms ? req->first_byte_ms : 60000;
    c->idle_ms = req->idle_ms ? req->idle_ms : 60000;
    c->out = (struct body_out){ req->body, req->content_length };
    c->request_ended =
        req->body == HTTP_BODY_NONE ||
        (req->body == HTTP_BODY_LENGTH && req->content_length == 0);
    c->retryable = http_method_is_idempotent(req->method_id) && !req->upgrade;
    COUNT(p, active, 1);
    *out = c;
    struct upstream *u = req->fresh ? NULL : upstream_reuse(c->origin);
    c->connect_ms = req->connect_ms ? req->connect_ms : 5000;
    if (u) {
        upstream_attach(u, c);
        int err = start_pooled(c, &t);
        if (err) {
            upstream_release(u, true);
            call_free(c);
        }
        return err;
    }
    request_write(&t, head_room(c, t.size));
    call_dial(c, req->times);
    call_seek(c);
    return 0;
}

/* Connected, or given a connection that another call had: write what waits. */
void call_opened(struct http_call *c)
{
    struct conn *conn = c->up->conn;
    struct buf *early = &c->dial->early;
    struct http_call_times *times = c->dial->times;
    if (times) {
        times->open_ns = clock_mono_ns();
        times->connected_ns = tls_connected_ns(conn);
        if (!times->connected_ns) times->connected_ns = times->open_ns;
    }
    if (c->fresh) c->up->last = true;
    int err = conn_write(conn, sv_of(c->head, c->head_n));
    if (!err) err = conn_write(conn, buf_sv(early));
    if (early->n) c->retryable = false;
    dial_drop(c);
    call_begin(c);
    if (err)
        conn_abort(conn, err);
    else if (c->ops->on_open)
        c->ops->on_open(c);
}

/* --- its body ------------------------------------------------------------- */

/* Before there is a connection: the same bytes into the call's buffer. */
static int early_body(struct http_call *c, struct sv bytes)
{
    char head[CHUNK_HEAD_MAX];
    struct buf *early = &c->dial->early;
    bool chunked = c->out.kind == HTTP_BODY_CHUNKED;
    if (c->out.kind == HTTP_BODY_LENGTH) {
        if (bytes.n > c->out.left) return ERR_PROTOCOL;
        c->out.left -= bytes.n;
    }
    if (chunked) buf_put(early, sv_of(head, chunk_head(head, bytes.n)));
    buf_put(early, bytes);
    if (chunked) buf_put(early, SV("\r\n"));
    return early->overflow ? ERR_LIMIT : 0;
}

static int early_end(struct http_call *c, const struct http_field *trailers,
                     size_t n)
{
    if (c->out.kind == HTTP_BODY_LENGTH && c->out.left) return ERR_PROTOCOL;
    if (c->out.kind != HTTP_BODY_CHUNKED) return 0;
    size_t size = http1_head_size(SV("0"), trailers, n, SV(""));
    char *p = buf_reserve(&c->dial->early, size);
    if (!p) return ERR_LIMIT;
    http1_head_encode(p, SV("0"), trailers, n, SV(""));
    c->dial->early.n += size;
    return 0;
}

/* The request cannot go on; on_fail follows. */
static int call_break(struct http_call *c, int err)
{
    if (!err || c->state == CALL_FAILED) return err;
    struct upstream *u = c->up;
    if (c->state == CALL_OPEN) {
        c->err = err;
        conn_abort(u->conn, err);
        return err;
    }
    if (c->state == CALL_WAITING) waiting_remove(c);
    call_fail_later(c, err, "the request's body broke its framing");
    c->up = NULL;
    if (u) {
        u->call = NULL;
        if (u->conn)
            conn_close(u->conn);
        else
            upstream_lost(u, 0);
    }
    return err;
}

int http_call_body(struct http_call *c, struct sv bytes, struct conn *from)
{
    ENSURE(!c->request_ended || c->in.kind == HTTP_BODY_TUNNEL);
    if (c->state == CALL_FAILED || bytes.n == 0) return 0;
    if (c->state != CALL_OPEN) return call_break(c, early_body(c, bytes));
    struct conn *conn = c->up->conn;
    c->retryable = false;
    if (!c->head_seen) conn_deadline(conn, DEADLINE_WRITE, c->idle_ms);
    return call_break(c, body_out_write(&c->out, conn, bytes, from));
}

static void tunnel_out_ended(struct http_call *c)
{
    struct upstream *u = c->up;
    conn_end(u->conn);
    if (!c->in.ended) return;
    u->call = NULL;
    conn_finish(u->conn);
    call_free(c);
}

void http_call_end(struct http_call *c, const struct http_field *trailers,
                   size_t trailers_n)
{
    bool tunnel = c->in.kind == HTTP_BODY_TUNNEL;
    if (c->request_ended) return;
    c->request_ended = true;
    if (c->state == CALL_FAILED) return;
    if (tunnel) {
        tunnel_out_ended(c);
        return;
    }
    if (c->state != CALL_OPEN) {
        call_break(c, early_end(c, trailers, trailers_n));
        return;
    }
    if (c->out.kind == HTTP_BODY_CHUNKED) c->retryable = false;
    int err = body_out_end(&c->out, c->up->conn, trailers, trailers_n);
    if (!call_break(c, err) && !c->head_seen) await_answer(c);
}

/* --- the answer ----------------------------------------------------------- */

static void answer_broken(struct http_call *c, int err, const char *problem)
{
    c->err = err;
    c->problem = problem;
    conn_abort(c->up->conn, err);
}

/* "timeout=n": the origin closes after n seconds of idling. */
static void heed_keep_alive(struct upstream *u, const struct http_head *head)
{
    const struct http_field *f = http_head_find(head, HN_KEEP_ALIVE);
    if (!f) return;
    struct sv list = f->value;
    while (list.n) {
        struct sv item = sv_trim(sv_cut(list, ',', &list)), value;
        uint64_t s;
        if (!sv_eq_nocase(sv_cut(item, '=', &value), SV("timeout")) ||
            !sv_to_u64(value, 1000000, &s))
            continue;
        uint64_t ms = s * 1000 > KEEP_ALIVE_MARGIN_MS
                          ? s * 1000 - KEEP_ALIVE_MARGIN_MS
                          : 0;
        uint32_t most = u->origin->conf.idle_ms;
        u->idle_ms = ms < most ? (uint32_t)ms : most;
    }
}

/* False: the call is over or waits for more. */
static bool answer_head(struct upstream *u, struct sv *in)
{
    struct http_call *c = u->call;
    struct http_pool *p = c->pool;
    struct http_head *head = &p->head;
    struct http1_refusal why;
    c->answer_begun = true;
    int n = http1_response_scan(*in, &c->searched, &p->conf.limits,
                                (enum http_method)c->method, head, &why);
    if (n < 0) answer_broken(c, ERR_PROTOCOL, why.reason);
    if (n <= 0) return false;
    *in = sv_from(*in, (size_t)n);
    bool interim = head->status < 200 && head->status != 101;
    if (interim && ++c->interims > INTERIM_MAX) {
        answer_broken(c, ERR_PROTOCOL, "too many interim answers");
        return false;
    }
    if (interim) {
        if (c->ops->on_info) c->ops->on_info(c, head);
        return u->call == c;
    }
    if (head->status == 101 && !c->asks_upgrade) {
        answer_broken(c, ERR_PROTOCOL, "101 that nobody asked for");
        return false;
    }
    c->head_seen = true;
    if (!head->keep_alive) u->last = true;
    heed_keep_alive(u, head);
    body_in_init(&c->in, head->body, head->content_length);
    if (head->status == 101) {
        c->out.kind = HTTP_BODY_TUNNEL;
        c->request_ended = false;
    }
    c->tick_out = conn_bytes_out(u->conn);
    conn_deadline(u->conn, DEADLINE_IDLE, c->idle_ms);
    c->ops->on_head(c, head);
    return u->call == c;
}

/* Nothing may follow an answer that nobody asked for: bytes behind it are an
 * attempt to answer the next request. */
static void answer_ended(struct upstream *u, struct sv rest,
                         const struct http_head *trailers)
{
    struct http_call *c = u->call;
    bool tunnel = c->in.kind == HTTP_BODY_TUNNEL;
    bool over = !tunnel || c->request_ended;
    bool reusable = !tunnel && c->in.kind != HTTP_BODY_CLOSE &&
                    c->request_ended && rest.n == 0 &&
                    conn_queued(u->conn) == 0;
    c->ops->on_end(c, trailers && trailers->fields_n ? trailers : NULL);
    if (!over) return;
    call_free(c);
    if (tunnel) {
        u->call = NULL;
        conn_finish(u->conn);
    } else {
        upstream_release(u, reusable);
    }
}

/* False: the call is over, has a full stomach, or waits for more. */
static bool answer_body(struct upstream *u, struct sv *in)
{
    struct http_call *c = u->call;
    struct http_pool *p = c->pool;
    struct http1_refusal why;
    struct sv data;
    switch (body_in_next(&c->in, in, &data, &p->conf.limits, &p->head, &why)) {
    case BODY_MORE: return false;
    case BODY_BAD: answer_broken(c, ERR_PROTOCOL, why.reason); return false;
    case BODY_END: answer_ended(u, *in, &p->head); return false;
    case BODY_DATA: break;
    }
    if (!c->reading) return false;
    size_t taken = c->ops->on_body(c, data);
    if (u->call != c) return false;
    ENSURE(taken <= data.n);
    body_in_take(&c->in, in, taken);
    if (taken < data.n) c->reading = false;
    return true;
}

static void upstream_read(struct upstream *u, bool on)
{
    if (on == !u->read_off) return;
    u->read_off = !on;
    conn_read(u->conn, on);
}

static size_t upstream_bytes(struct conn *conn, struct sv all)
{
    struct upstream *u = conn_ctx(conn);
    struct http_call *c = u->call;
    struct sv in = all;
    if (!c) { /* idle: nothing was asked */
        conn_close(conn);
        return all.n;
    }
    __builtin_prefetch(c->ctx);
    if (c->head_seen) conn_deadline(conn, DEADLINE_IDLE, c->idle_ms);
    while (
        u->call == c && !conn_closing(conn) &&
        (c->head_seen ? answer_body(u, &in) : in.n > 0 && answer_head(u, &in)))
        ;
    if (u->call != c || conn_closing(conn)) return all.n;
    if (!c->reading && in.n) upstream_read(u, false);
    return all.n - in.n;
}

/* --- other events --------------------------------------------------------- */

static void upstream_open(struct conn *conn)
{
    struct upstream *u = conn_ctx(conn);
    u->connected = true;
    COUNT(u->origin->pool, connects, 1);
    if (u->call)
        call_opened(u->call);
    else
        conn_close(conn);
}

static void upstream_room(struct conn *conn)
{
    struct upstream *u = conn_ctx(conn);
    if (u->call && u->call->ops->on_room) u->call->ops->on_room(u->call);
}

static void upstream_eof(struct conn *conn)
{
    struct upstream *u = conn_ctx(conn);
    struct http_call *c = u->call;
    if (!c || !c->head_seen || !body_in_eof(&c->in)) {
        conn_close(conn);
        return;
    }
    u->last = true;
    answer_ended(u, SV(""), NULL);
}

static void upstream_timeout(struct conn *conn, enum deadline which)
{
    struct upstream *u = conn_ctx(conn);
    struct http_call *c = u->call;
    if (!c) {
        conn_close(conn);
        return;
    }
    if (!u->connected) {
        conn_abort(conn, ERR_TIMEOUT);
        return;
    }
    uint64_t out = conn_bytes_out(conn);
    bool idle_out = conn_queued(conn) == 0; /* not the origin's fault */
    bool moved = out != c->tick_out;
    c->tick_out = out;
    if (which == DEADLINE_WRITE && (moved || idle_out)) {
        await_answer(c);
    } else if (which == DEADLINE_IDLE && (moved || !c->reading)) {
        conn_deadline(conn, DEADLINE_IDLE, c->idle_ms);
    } else {
        answer_broken(c, ERR_TIMEOUT,
                      which == DEADLINE_WRITE  ? "the origin takes no bytes"
                      : which == DEADLINE_IDLE ? "the answer stalled"
                                               : "no answer in time");
    }
}

static void upstream_drain(struct conn *conn)
{
    struct upstream *u = conn_ctx(conn);
    u->last = true;
    if (!u->call) conn_close(conn);
}

/* Did it fail only because the origin had just closed an idle connection? */
static bool is_stale(const struct upstream *u, const struct http_call *c,
                     int err)
{
    return u->pooled && c->retryable && !c->retried && !c->answer_begun &&
           !c->err && (err == 0 || err == ERR_CLOSED || err == ERR_IO);
}

static void upstream_closed(struct conn *conn, int err)
{
    struct upstream *u = conn_ctx(conn);
    struct http_call *c = u->call;
    if (!c || !u->connected) {
        upstream_lost(u, err);
        return;
    }
    u->call = NULL;
    c->up = NULL;
    c->peer = *conn_peer(conn);
    c->sent = c->sent || conn_bytes_out(conn) > c->sent_base;
    if (is_stale(u, c, err)) {
        c->retried = true;
        COUNT(c->pool, stale_retries, 1);
        upstream_lost(u, err);
        call_seek(c);
        return;
    }
    if (!c->err) c->err = err ? err : ERR_CLOSED;
    if (!c->problem) c->problem = err_text(c->err);
    upstream_lost(u, err);
    call_tell_failure(c);
}

const struct conn_ops upstream_ops = {
    .on_open = upstream_open,
    .on_bytes = upstream_bytes,
    .on_room = upstream_room,
    .on_eof = upstream_eof,
    .on_timeout = upstream_timeout,
    .on_drain = upstream_drain,
    .on_closed = upstream_closed,
};

/* --- what callers ask ----------------------------------------------------- */

void *http_call_ctx(const struct http_call *c)
{
    return c->ctx;
}

struct conn *http_call_conn(const struct http_call *c)
{
    return c->state == CALL_OPEN && c->up ? c->up->conn : NULL;
}

size_t http_call_queued(const struct http_call *c)
{
    struct conn *conn = http_call_conn(c);
    return conn ? conn_queued(conn) : c->dial ? c->dial->early.n : 0;
}

void http_call_read(struct http_call *c, bool on)
{
    struct conn *conn = http_call_conn(c);
    c->reading = on;
    if (conn && on) upstream_read(c->up, true);
    if (conn && on && c->head_seen)
        conn_deadline(conn, DEADLINE_IDLE, c->idle_ms);
}

void http_call_cancel(struct http_call *c)
{
    struct upstream *u = c->up;
    if (c->state == CALL_WAITING) waiting_remove(c);
    if (c->state == CALL_FAILED) {
        struct http_call **p = &c->pool->failed;
        while (*p != c) p = &(*p)->next;
        *p = c->next;
    }
    if (u) {
        u->call = NULL;
        if (u->conn)
            conn_close(u->conn);
        else
            upstream_lost(u, 0);
    }
    call_free(c);
}

bool http_call_answer_begun(const struct http_call *c)
{
    return c->answer_begun;
}

const char *http_call_problem(const struct http_call *c)
{
    return c->problem;
}

const struct addr *http_call_peer(const struct http_call *c)
{
    const struct conn *conn = http_call_conn(c);
    return conn ? conn_peer(conn) : &c->peer;
}
