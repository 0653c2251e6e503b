/* The proxy door: a request becomes an exchange, the chain judges it, and it
 * is refused here or carried by upstream.c. */
#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "edge/proxy_int.h"
#include "net/tls.h"

/* --- begin and end ------------------------------------------------------------ */

static struct proxy *proxy_new(struct http_stream *s,
                               const struct http_head *head)
{
    struct edge_reactor *er = http_stream_ctx(s);
    struct proxy *p = slab_get(&er->proxies);
    memset(p, 0, offsetof(struct proxy, v));
    p->is_head = head->method == HTTP_HEAD;
    p->has_body = head->body == HTTP_BODY_CHUNKED ||
                  (head->body == HTTP_BODY_LENGTH && head->content_length);
    visit_open(&p->v, er, s);
    http_stream_set_user(s, p);
    return p;
}

static void unhold(struct proxy *p)
{
    if (p->held) plan_drop(p->held, p->v.er->index);
    p->held = NULL;
}

/* For anomaly detection. How long our own refusals took says nothing of the
 * origin, how much went through a tunnel nothing of a request. */
static void count_answer(struct proxy *p)
{
    struct http_stream_info info;
    const struct check_env *env = p->v.er->edge->conf.checks;
    if (!p->tracked) return;
    http_stream_info(p->v.stream, &info);
    const struct anomaly_sample sample = {
        .at_ms = env->node_ms(),
        .endpoint = p->x.endpoint,
        .bytes = info.bytes_in,
        .response_us = visit_origin_us(&p->v),
        .failed = info.status >= 400,
        .no_time = !p->v.origin_ns,
        .no_bytes = p->tunnel,
    };
    /* of the facts of a turn long ago the name is left */
    const struct verified named = { .subject = p->subject };
    p->x.jwt = p->subject.n ? &named : NULL;
    check_answered(&p->x, plan_find(env->plan, p->v.app_id), &sample);
    p->x.jwt = NULL;
}

/* The one event, and the end of the memory. */
static void proxy_over(struct proxy *p, enum outcome outcome, const char *code)
{
    struct edge_reactor *er = p->v.er;
    upstream_cancel(p);
    edge_unwatch(er, &p->watched);
    timer_cancel(er->reactor, &p->continue_timer);
    if (p->is_suspended) edge_unsuspend(er, &p->suspended);
    work_forget(&p->suspended);
    check_work_end(&p->x);
    intake_fini(p);
    observe_fini(p);
    unhold(p);
    count_answer(p);
    visit_report(&p->v, &(struct visit_end){
                            .outcome = outcome,
                            .code = code,
                            .token_id = p->x.has_token ? p->x.token.id : NULL,
                            .token_slot = p->x.token.slot,
                            .door = DOOR_PROXY,
                            .findings = p->x.findings,
                            .subject = p->subject,
                            .times = p->x.times,
                        });
    visit_fini(&p->v);
    slab_put(&er->proxies, p);
}

static void proxy_done(struct http_stream *s)
{
    struct proxy *p = http_stream_user(s);
    if (p->problem)
        proxy_over(p, OUTCOME_BAD_REQUEST, "bad_request");
    else
        proxy_over(p, reason_outcome(p->reason),
                   exchange_code(&p->x, p->reason));
}

static void proxy_gone(struct http_stream *s, int err)
{
    struct proxy *p = http_stream_user(s);
    if (p->reason != REASON_NONE || p->problem) {
        proxy_done(s);
        return;
    }
    bool refused =
        err == ERR_PROTOCOL || err == ERR_TOOBIG || err == ERR_TIMEOUT;
    if (refused && !p->answered) /* by http/: malformed, too slow */
        proxy_over(p, OUTCOME_BAD_REQUEST, "bad_request");
    else
        proxy_over(p, OUTCOME_CLIENT_GONE, "client_gone");
}

/* --- refusing ------------------------------------------------------------------- */

static uint32_t retry_after(const struct proxy *p, enum reason reason)
{
    if (reason == REASON_CHECK_UNAVAILABLE) return 1;
    if (reason == REASON_CHALLENGE_REQUIRED) return p->x.challenge_s;
    return reason_rows[reason].class_of == CLASS_TOO_MANY
               ? p->x.take.retry_after_s
               : 0;
}

void proxy_refuse(struct proxy *p, enum reason reason, unsigned status)
{
    struct edge_reactor *er = p->v.er;
    struct http_field limits[LIMITS_FIELDS_MAX];
    struct reply reply;
    struct buf text;
    p->reason = reason;
    p->answered = true;
    edge_text(er, &text);
    struct refusal why = {
        .reason = reason,
        .detail = p->detail,
        .dpop = p->dpop,
        .status = status,
        .retry_after_s = retry_after(p, reason),
        .limit =
            reason == REASON_RATE_LIMITED ? sv_cstr(p->limit_name) : SV(""),
        .challenge = reason == REASON_CHALLENGE_REQUIRED
                         ? id_sv(&p->x.challenge)
                         : SV(""),
        .claim = reason == p->x.reason ? p->x.claim : SV(""),
        .violations = reason == p->x.reason ? p->x.violations : SV(""),
        .allow = reason == p->x.reason ? p->x.allow : SV(""),
        .request_id = p->v.request_id,
        .limits = limits,
        .limits_n = limits_fields(&p->limits, &text, limits),
        .cors = p->cors,
    };
    reply_refusal(er->edge->replies, &why, &text, &reply);
    if (p->shows_times)
        reply.fields[reply.head.fields_n++] = visit_server_timing(&p->v, &text);
    reply.head.close = reason == REASON_SHUTTING_DOWN;
    http_stream_answer(p->v.stream, &reply.head, reply.body);
}

void proxy_problem(struct proxy *p, unsigned status)
{
    struct problem problem = {
        .status = status,
        .code = SV("bad_request"),
        .message = http_status_text(status),
        .allow = status == 405
                     ? SV("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
                     : SV(""),
    };
    struct reply reply;
    struct buf text;
    edge_text(p->v.er, &text);
    reply_problem(&problem, p->v.request_id, &text, &reply);
    p->answered = true;
    p->problem = true;
    http_stream_answer(p->v.stream, &reply.head, reply.body);
}

/* Served, and nothing of it reaches the origin. */
static void answer_preflight(struct proxy *p, const struct http_head *head)
{
    struct reply reply;
    struct buf text;
    edge_text(p->v.er, &text);
    p->answered = true;
    reply_own(204, SV(""), SV(""), p->v.request_id, &reply);
    reply.head.fields_n +=
        cors_preflight_put(p->x.plan->app.cors, head, p->cors, &text,
                           reply.fields + reply.head.fields_n);
    http_stream_answer(p->v.stream, &reply.head, reply.body);
}

/* --- judging -------------------------------------------------------------------- */

/* A TLS client that named one application in its handshake and another in its
 * request has reused a connection that is not for it (RFC 9110 15.5.20). */
static bool is_misdirected(const struct proxy *p, const struct plan_app *app)
{
    struct tls_info tls;
    if (!p->v.tls || !tls_info(http_stream_conn(p->v.stream), &tls) ||
        tls.sni.n == 0)
        return false;
    const struct plan_app *named =
        plan_match(p->v.er->edge->conf.checks->plan, tls.sni);
    return named && named != app;
}

/* What is still needed when the image may be gone. */
static bool take_facts(struct proxy *p, const struct plan_app *app,
                       const struct http_head *head)
{
    p->detail = app->app.detail;
    p->limited = app->limited;
    p->tracked = app->tracked;
    p->body_max = app->app.max_body_bytes;
    p->app_num = app->app.num;
    p->v.counted = (struct event_counted){ .app = app->scope,
                                           .account = app->account_scope,
                                           .app_num = app->app.num,
                                           .cost = 1 };
    p->v.app_id = arena_dup(&p->v.arena, app->app.id);
    if (app->app.assertion.header.n)
        p->assertion_header = arena_dup(&p->v.arena, app->app.assertion.header);
    const struct cors *cors = app->app.cors;
    if (cors) p->cors = cors_answer_new(cors, head, &p->v.arena);
    return p->v.app_id.p && (p->cors || !cors);
}

/* What shows that the sender is the one whom a JWT is bound to. */
static void take_binding(struct proxy *p, const struct plan_app *app,
                         const struct http_head *head)
{
    struct exchange *x = &p->x;
    enum jwt_binding by = app->jwt ? app->jwt->profile.binding : JWT_BEARER;
    p->dpop = by == JWT_DPOP;
    if (by == JWT_DPOP)
        forward_said(head, &p->v.address, p->v.tls, &x->scheme, &x->host);
    if (by == JWT_CERTIFICATE &&
        tls_client_cert(http_stream_conn(p->v.stream), p->certificate))
        x->certificate = p->certificate;
}

/* What is asked, but for the client. */
static void exchange_begin(struct proxy *p, const struct plan_app *app,
                           const struct http_head *head)
{
    struct exchange *x = &p->x;
    x->env = p->v.er->edge->conf.checks;
    x->door = DOOR_PROXY;
    x->reactor = p->v.er->index;
    x->plan = app;
    x->head = head;
    x->cost = 1;
    x->arena = &p->v.arena;
}

static void exchange_client(struct proxy *p, const struct plan_app *app,
                            const struct http_head *head)
{
    struct exchange *x = &p->x;
    x->client = p->v.address.client;
    x->has_client = p->v.address.known;
    p->shows_times = visit_may_see_times(&p->v, head, app->app.account_id);
    x->times = visit_times(&p->v, p->shows_times);
    take_binding(p, app, head);
}

/* What the answer will show of the limits: the policies live no longer than
 * this turn. */
static void keep_limits(struct proxy *p)
{
    if (p->limits_kept) return;
    p->limits_kept = p->x.judged_limits;
    p->limits = limits_of(&p->x);
    if (!p->limits.any) return;
    struct sv name = p->limits.name;
    size_t n = name.n < LIMIT_NAME_MAX ? name.n : LIMIT_NAME_MAX;
    memcpy(p->limit_name, name.p, n);
    p->limits.name = sv_of(p->limit_name, n);
    p->limited = true;
}

static void keep_key(struct proxy *p)
{
    p->by_jwt = p->x.jwt != NULL;
    if (p->by_jwt) memcpy(p->key, p->x.jwt->thumbprint, sizeof p->key);
}

/* For the incident: what the cache holds of the JWT lasts this turn only. */
static void keep_subject(struct proxy *p, enum verdict v)
{
    const struct exchange *x = &p->x;
    if (p->subject.n || !x->jwt) return;
    if (v == VERDICT_DENY || x->findings || x->plan->tracked)
        p->subject = arena_dup(&p->v.arena, x->jwt->subject);
}

bool proxy_keep_head(struct proxy *p, const struct http_head *head)
{
    size_t n = http_head_bytes(head);
    if (!p->head) {
        p->head = arena_alloc(&p->v.arena, n);
        if (!p->head) return false;
        memcpy(p->head, head, n);
        http_stream_keep(p->v.stream);
    }
    p->x.head = p->head;
    return true;
}

/* The image, the head and its bytes stay until the checks have been made. */
static bool hold(struct proxy *p, const struct http_head *head)
{
    if (p->held) return true;
    if (!proxy_keep_head(p, head)) return false;
    p->held = p->x.plan;
    plan_hold(p->held, p->v.er->index);
    return true;
}

static void wait(struct proxy *p)
{
    p->is_suspended = true;
    edge_suspend(p->v.er, &p->suspended, p->x.retry_ms);
}

void proxy_later(struct proxy *p)
{
    p->is_suspended = true;
    edge_suspend_shortly(p->v.er, &p->suspended);
}

static enum verdict run(struct proxy *p, const struct http_head *head)
{
    enum verdict v;
    do {
        v = chain_run(&p->x);
        keep_limits(p);
        keep_subject(p, v);
        visit_count(&p->x, &p->v.counted);
        bool later =
            v == VERDICT_WAIT || v == VERDICT_BODY || v == VERDICT_WORK;
        if (!later || hold(p, head)) continue;
        chain_refund(&p->x);
        p->x.reason = REASON_CHECK_UNAVAILABLE;
        v = VERDICT_DENY;
    } while (v == VERDICT_WORK &&
             !work_start(p->v.er, &p->suspended, &p->x, p->held_body));
    return v;
}

static void judge(struct proxy *p, const struct http_head *head)
{
    enum verdict v = run(p, head);
    switch (v) {
    case VERDICT_WAIT: wait(p); return;
    case VERDICT_BODY: intake_start(p); return;
    case VERDICT_WORK: p->is_suspended = true; return;
    case VERDICT_PASS:
        keep_key(p);
        observe_begin(p);
        upstream_start(p, head);
        break;
    case VERDICT_ANSWER:
        if (p->x.preflight)
            answer_preflight(p, head);
        else
            route_answer(p);
        break;
    default: proxy_refuse(p, p->x.reason, p->x.refused_by);
    }
    unhold(p);
}

void proxy_resume(struct suspended *s)
{
    struct proxy *p = CONTAINER_OF(s, struct proxy, suspended);
    p->is_suspended = false;
    judge(p, p->head);
}

static void proxy_request(struct http_stream *s, const struct http_head *head)
{
    struct proxy *p = proxy_new(s, head);
    const struct plan_app *app =
        plan_match(p->v.er->edge->conf.checks->plan, head->host);
    p->suspended.resume = proxy_resume;
    if (app) {
        exchange_begin(p, app, head);
        chain_ahead(&p->x);
    }
    visit_begin(&p->v, head);
    if (head->method == HTTP_TRACE || head->method == HTTP_CONNECT) {
        proxy_problem(p, head->method == HTTP_TRACE ? 405 : 501);
        return;
    }
    enum reason reason = REASON_NONE;
    if (reactor_stopping(p->v.er->reactor))
        reason = REASON_SHUTTING_DOWN;
    else if (!app)
        reason = REASON_UNKNOWN_DOMAIN;
    else if (is_misdirected(p, app))
        reason = REASON_MISDIRECTED;
    else if (!take_facts(p, app, head))
        reason = REASON_CHECK_UNAVAILABLE;
    else if (p->body_max && head->body == HTTP_BODY_LENGTH &&
             head->content_length > p->body_max)
        reason = REASON_BODY_TOO_LARGE;
    if (reason != REASON_NONE) {
        proxy_refuse(p, reason, 0);
        return;
    }
    exchange_client(p, app, head);
    judge(p, head);
}

/* --- the rest of the request ------------------------------------------------------ */

/* Above the application's own maximum, whoever reads it. */
static void body_too_large(struct proxy *p)
{
    upstream_cancel(p);
    if (p->answered) {
        p->reason = REASON_BODY_TOO_LARGE;
        http_stream_abort(p->v.stream, ERR_TOOBIG);
        return;
    }
    if (p->intake != PROXY_STREAMING) chain_refund(&p->x);
    proxy_refuse(p, REASON_BODY_TOO_LARGE, 0);
}

static size_t proxy_body(struct http_stream *s, struct sv bytes)
{
    struct proxy *p = http_stream_user(s);
    if (!p->tunnel && p->body_max && bytes.n > p->body_max - p->body_n) {
        body_too_large(p);
        return bytes.n;
    }
    size_t taken = p->intake == PROXY_TAKING ? intake_body(p, bytes)
                                             : upstream_body(p, bytes);
    p->body_n += taken;
    return taken;
}

static void proxy_end(struct http_stream *s, const struct http_head *trailers)
{
    struct proxy *p = http_stream_user(s);
    if (p->intake == PROXY_TAKING)
        intake_end(p, trailers);
    else
        upstream_end(p, trailers);
}

static void proxy_room(struct http_stream *s)
{
    upstream_room(http_stream_user(s));
}

/* --- streams that outlive their token ---------------------------------------------- */

/* A JWT is revoked by taking its key away, or its application's profile. Its
 * exp may pass, its rules may change: they are of the start. */
static enum reason jwt_still_holds(const struct proxy *p)
{
    const struct check_env *env = p->v.er->edge->conf.checks;
    const struct plan_app *app = plan_find(env->plan, p->v.app_id);
    return app && app->jwt && jwt_key_holds(env, app, p->key)
               ? REASON_NONE
               : REASON_TOKEN_REVOKED;
}

/* The digest, not the slot, is asked for: a secret that was rotated away ends
 * with its grace although its token lives on. A token that merely expires in
 * the course of time lets its running streams end; one whose expiry was moved
 * does not. */
static enum reason still_holds(const struct proxy *p)
{
    const struct check_env *env = p->v.er->edge->conf.checks;
    int64_t now = env->wall_ms();
    struct token_view t;
    if (!tokens_find(env->tokens, p->app_num, p->x.digest, now, &t) ||
        t.slot != p->x.token.slot || t.tag != p->x.token.tag ||
        t.state & TOKEN_REVOKED)
        return REASON_TOKEN_REVOKED;
    if (!(t.state & TOKEN_ENABLED)) return REASON_TOKEN_DISABLED;
    bool moved = t.expires_ms != p->x.token.expires_ms;
    return moved && t.expires_ms && t.expires_ms <= now ? REASON_TOKEN_EXPIRED
                                                        : REASON_NONE;
}

void proxy_recheck(struct watched *w)
{
    struct proxy *p = CONTAINER_OF(w, struct proxy, watched);
    enum reason reason = p->by_jwt ? jwt_still_holds(p) : still_holds(p);
    if (reason == REASON_NONE) return;
    p->reason = reason;
    upstream_cancel(p);
    http_stream_abort(p->v.stream, ERR_DENIED);
}

static void proxy_refusal(void *ctx, const struct conn *c,
                          struct http_stream *s,
                          const struct http1_refusal *why,
                          struct http_refused *out)
{
    struct proxy *p = s ? http_stream_user(s) : NULL;
    if (p)
        edge_refusal(&p->v, why, out);
    else
        edge_refusal_early(ctx, c, why, out);
}

const struct http_service edge_proxy_service = {
    .on_request = proxy_request,
    .on_body = proxy_body,
    .on_end = proxy_end,
    .on_room = proxy_room,
    .on_done = proxy_done,
    .on_gone = proxy_gone,
    .on_refusal = proxy_refusal,
};
