/* Carrying an exchange to the origin and back: bodies stream both ways, each
 * side's queue holds the other side's reading back.
 *
 *   client ─ upstream_body ─> call    full: the client is not read
 *   client <─ call_body ───── call    full: the origin is not read
 *
 * The request's head waits for nothing: the call queues it while connecting. */
#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "codec/ulid.h"
#include "edge/proxy_int.h"

enum {
    CONTINUE_MS = 1000
}; /* then the body is sent unasked, RFC 9110 10.1.1 */

static const struct http_call_ops call_ops;

/* --- there ------------------------------------------------------------------------ */

static void forward_head(struct proxy *p, const struct http_head *head,
                         const struct plan_origin *o, struct buf *text,
                         struct forward_facts *f)
{
    const struct exchange *x = &p->x;
    const struct plan_app *app = x->plan;
    *f = (struct forward_facts){
        .address = &p->v.address,
        .tls = p->v.tls,
        .request_id = p->v.request_id,
        .via = p->v.er->edge->via[head->minor > 0],
        .host = o->host_header,
        .base = o->at.base,
        .app_id = p->v.app_id,
        .hide = app->has_auth && app->auth.hide_credentials ? &app->auth : NULL,
        .hide_proof = app->has_auth && app->auth.hide_credentials && p->dpop,
        .ours = app->app.assertion.header,
        .route = x->route,
    };
    if (p->v.er->edge->conf.spans) {
        f->traceparent = visit_traceparent(&p->v, text);
        f->keeps_state = p->v.keeps_state;
    }
    if (x->jwt) {
        f->subject = x->jwt->subject_header;
        f->scopes = x->jwt->scopes_header;
    }
    if (!x->has_token) return;
    char *id = buf_reserve(text, 4 + ULID_TEXT);
    struct ulid u;
    memcpy(u.b, x->token.id, sizeof u.b);
    memcpy(id, "tok_", 4);
    ulid_encode(id + 4, &u);
    text->n += 4 + ULID_TEXT;
    f->token_id = sv_of(id, 4 + ULID_TEXT);
    if (!x->token.cold) return;
    f->owner = x->token.cold->owner_header;
    f->scopes = x->token.cold->scopes_header;
}

static uint32_t or_default(uint32_t own, uint32_t otherwise)
{
    return own ? own : otherwise;
}

static int call(struct proxy *p, const struct http_head *head)
{
    struct edge_reactor *er = p->v.er;
    const struct edge_conf *conf = &er->edge->conf;
    const struct plan_app *app = p->x.plan;
    const struct route_rule *rule = p->x.route ? p->x.route->rule : NULL;
    struct plan_origin o;
    struct forward_facts facts;
    struct buf text;
    edge_text(er, &text);
    int err = route_origin(p, &text, &o);
    if (err) return err;
    forward_head(p, head, &o, &text, &facts);
    err = forward_request(head, &facts, &text, &er->forward);
    if (!err) err = assertion_add(p, &o, &text, &er->forward);
    if (err) return err;
    struct http_origin origin = {
        .id = o.id,
        .generation = o.generation,
        .host = o.at.host,
        .port = o.at.port,
        .tls = o.at.tls,
        .tls_verify = o.tls_verify && !conf->origins_unverified,
        .conns_max = conf->origin_conns,
    };
    struct http_request req = {
        .method = head->method_text,
        .method_id = head->method,
        .target = er->forward.target,
        .fields = er->forward.fields,
        .fields_n = er->forward.n,
        .body = head->body,
        .content_length = head->content_length,
        .upgrade = head->upgrade,
        .expect_continue = head->expect_continue && p->has_body &&
                           p->intake == PROXY_STREAMING,
        .connect_ms = or_default(app->app.connect_ms, conf->connect_ms),
        .first_byte_ms =
            or_default(app->app.first_byte_ms, conf->first_byte_ms),
        .idle_ms = or_default(app->app.idle_ms, conf->idle_ms),
    };
    if (rule) {
        req.connect_ms = or_default(rule->connect_ms, req.connect_ms);
        req.first_byte_ms = or_default(rule->timeout_ms, req.first_byte_ms);
        req.idle_ms = or_default(rule->idle_ms, req.idle_ms);
    }
    if (rule && rule->target_method.n && !p->is_head) {
        req.method = rule->target_method;
        req.method_id = http_method_of(req.method);
    }
    return http_call_start(er->pool, &origin, &req, &call_ops, p, &p->call);
}

static void continue_anyway(struct timer *t)
{
    struct proxy *p = CONTAINER_OF(t, struct proxy, continue_timer);
    p->wants_continue = false;
    http_stream_read(p->v.stream, true);
}

/* The body is read at once, or when the origin has said 100; of a request
 * that may be sent again, when there is a connection: until then nothing of it
 * can be lost. */
static void read_body(struct proxy *p, const struct http_head *head)
{
    struct attempt *a = p->attempt;
    if (!p->has_body) return;
    if (a && a->balance && !http_call_conn(p->call)) {
        a->waits_open = true;
        return;
    }
    if (p->intake == PROXY_HOLDING) {
        intake_give(p);
        return;
    }
    if (!head->expect_continue) {
        http_stream_read(p->v.stream, true);
        return;
    }
    p->wants_continue = true;
    p->continue_timer.fire = continue_anyway;
    timer_arm(p->v.er->reactor, &p->continue_timer, CONTINUE_MS);
}

static void start(struct proxy *p, const struct http_head *head)
{
    int err = call(p, head);
    if (err == 0) {
        read_body(p, head);
        return;
    }
    bool sent = p->attempt && p->attempt->sent;
    p->call = NULL;
    attempt_over(p);
    if (!sent) chain_refund(&p->x);
    if (err == ERR_NOTFOUND)
        proxy_refuse(p, REASON_NO_ORIGIN, 0);
    else if (err == ERR_TOOBIG)
        proxy_problem(p, 431); /* with our fields */
    else if (err == ERR_INVALID)
        proxy_refuse(p, REASON_BAD_PATH, 0);
    else if (err == ERR_CRYPTO)
        proxy_refuse(p, REASON_CHECK_UNAVAILABLE, 0); /* nothing to sign by */
    else
        proxy_refuse(p, REASON_ORIGIN_UNREACHABLE, 503);
}

void upstream_start(struct proxy *p, const struct http_head *head)
{
    if (!p->x.plan->balance || attempt_begin(p, head))
        start(p, p->x.head);
    else
        proxy_refuse(p, REASON_CHECK_UNAVAILABLE, 0);
}

void upstream_again(struct proxy *p)
{
    start(p, p->x.head);
}

size_t upstream_body(struct proxy *p, struct sv bytes)
{
    if (!p->call) return bytes.n; /* answered already: nobody wants it */
    if (p->attempt) p->attempt->spent = true;
    http_call_body(p->call, bytes, http_stream_conn(p->v.stream));
    if (p->call && http_call_queued(p->call) >= CONN_HIGH)
        http_stream_read(p->v.stream, false);
    return bytes.n;
}

void upstream_end(struct proxy *p, const struct http_head *trailers)
{
    if (!p->call || !(p->has_body || p->tunnel)) return;
    if (p->attempt && !p->attempt->whole) p->attempt->spent = true;
    struct http_field fields[HTTP_FIELDS_MAX];
    http_call_end(p->call, fields,
                  forward_trailers(trailers, p->assertion_header, fields));
    if (!p->tunnel) return;
    p->client_ended = true;
    if (p->origin_ended) p->call = NULL; /* both directions are over */
}

void upstream_room(struct proxy *p)
{
    if (p->call) http_call_read(p->call, true);
}

void upstream_cancel(struct proxy *p)
{
    if (p->call) http_call_cancel(p->call);
    p->call = NULL;
    if (p->attempt) attempt_over(p);
}

/* --- and back --------------------------------------------------------------------- */

static void stop_waiting(struct proxy *p)
{
    if (!p->wants_continue) return;
    p->wants_continue = false;
    timer_cancel(p->v.er->reactor, &p->continue_timer);
}

static void origin_continues(struct proxy *p)
{
    if (!p->wants_continue) return;
    stop_waiting(p);
    http_stream_read(p->v.stream, true); /* says 100 to the client */
}

static void call_open(struct http_call *c)
{
    struct proxy *p = http_call_ctx(c);
    struct attempt *a = p->attempt;
    if (!a || !a->waits_open) return;
    a->waits_open = false;
    read_body(p, p->x.head);
}

static void call_info(struct http_call *c, const struct http_head *head)
{
    struct proxy *p = http_call_ctx(c);
    struct forward *out = &p->v.er->forward;
    if (head->status == 100) {
        origin_continues(p);
        return;
    }
    forward_response(head, &(struct forward_answer){ .limited = true }, out);
    http_stream_head(p->v.stream, &(struct http_reply){ .status = head->status,
                                                        .fields = out->fields,
                                                        .fields_n = out->n });
}

/* The framing towards the client: see http_reply. */
static void set_framing(const struct proxy *p, const struct http_head *head,
                        struct http_reply *reply)
{
    bool bodiless = p->is_head || head->status == 304;
    reply->body =
        head->body == HTTP_BODY_CLOSE ? HTTP_BODY_CHUNKED : head->body;
    if (bodiless && head->at[HN_CONTENT_LENGTH]) reply->body = HTTP_BODY_LENGTH;
    reply->content_length = head->content_length;
}

static void call_head(struct http_call *c, const struct http_head *head)
{
    struct proxy *p = http_call_ctx(c);
    struct edge_reactor *er = p->v.er;
    struct http_field limits[LIMITS_FIELDS_MAX];
    struct buf text;
    if (p->attempt && attempt_failed(p, origin_outcome_of(head->status), false))
        return;
    edge_text(er, &text);
    if (p->tracked) check_expect_answered(&p->x);
    p->v.origin_ns = clock_mono_ns();
    p->answered = true;
    p->x.taken = false; /* served: nothing is given back any more */
    stop_waiting(p);
    struct forward_answer answer = {
        .request_id = p->v.request_id,
        .limits = limits,
        .limits_n = limits_fields(&p->limits, &text, limits),
        .limited = p->limited,
        .edit = p->edit,
        .values = p->edit_values,
        .cors = p->cors,
    };
    forward_response(head, &answer, &er->forward);
    if (p->shows_times)
        er->forward.fields[er->forward.n++] = visit_server_timing(&p->v, &text);
    struct http_reply reply = {
        .status = head->status,
        .fields = er->forward.fields,
        .fields_n = er->forward.n,
        .add_date = !head->at[HN_DATE],
    };
    set_framing(p, head, &reply);
    int err = http_stream_head(p->v.stream, &reply);
    if (err) {
        p->reason = REASON_ORIGIN_INVALID;
        upstream_cancel(p);
        http_stream_abort(p->v.stream, ERR_PROTOCOL);
        return;
    }
    observe_head(p, head);
    if (head->status == 101) {
        p->tunnel = true;
        http_stream_read(p->v.stream, true);
    }
    if (p->x.has_token || p->by_jwt) edge_watch(er, &p->watched);
}

static size_t call_body(struct http_call *c, struct sv bytes)
{
    struct proxy *p = http_call_ctx(c);
    observe_body(p, bytes);
    if (http_stream_body(p->v.stream, bytes, http_call_conn(c)) == 0 &&
        http_stream_queued(p->v.stream) >= CONN_HIGH)
        http_call_read(c, false);
    return bytes.n;
}

static void call_end(struct http_call *c, const struct http_head *trailers)
{
    struct proxy *p = http_call_ctx(c);
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t n = forward_trailers(trailers, SV(""), fields);
    if (!p->tunnel || p->client_ended) {
        p->call = NULL;
        if (p->attempt) attempt_ended(p);
    }
    p->origin_ended = true;
    observe_end(p);
    http_stream_end(p->v.stream, fields, n);
}

static void call_room(struct http_call *c)
{
    struct proxy *p = http_call_ctx(c);
    if (p->intake == PROXY_GIVING)
        intake_give(p);
    else if (!p->wants_continue)
        http_stream_read(p->v.stream, true);
}

static enum reason reason_of(int err)
{
    switch (err) {
    case ERR_TIMEOUT: return REASON_ORIGIN_TIMEOUT;
    case ERR_PROTOCOL:
    case ERR_TOOBIG: return REASON_ORIGIN_INVALID;
    default: return REASON_ORIGIN_UNREACHABLE;
    }
}

/* Nobody but us is to blame. */
static bool is_ours(int err)
{
    return err == ERR_LIMIT || err == ERR_DENIED || err == ERR_SHUTDOWN ||
           err == ERR_NOMEM;
}

static enum origin_outcome outcome_of(int err, bool sent)
{
    if (!sent) return ORIGIN_CONNECT;
    return err == ERR_TIMEOUT ? ORIGIN_TIMEOUT : ORIGIN_RESET;
}

static void call_fail(struct http_call *c, int err, bool sent)
{
    struct proxy *p = http_call_ctx(c);
    if (p->attempt && !p->answered) {
        p->attempt->sent |= sent;
        sent = p->attempt->sent;
        if (http_call_answer_begun(c)) attempt_settle(p);
        if (attempt_failed(p, outcome_of(err, sent), is_ours(err))) return;
    }
    p->call = NULL;
    attempt_over(p);
    stop_waiting(p);
    if (p->answered) {
        p->reason = reason_of(err);
        http_stream_abort(p->v.stream, ERR_CLOSED);
        return;
    }
    if (!sent) chain_refund(&p->x);
    /* our own ceiling of connections is not the origin's fault */
    proxy_refuse(p, reason_of(err), err == ERR_LIMIT ? 503 : 0);
}

static const struct http_call_ops call_ops = {
    .on_open = call_open,
    .on_info = call_info,
    .on_head = call_head,
    .on_body = call_body,
    .on_end = call_end,
    .on_room = call_room,
    .on_fail = call_fail,
};
