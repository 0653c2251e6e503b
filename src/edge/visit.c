/* A visit: what one HTTP exchange leaves behind as its event. */
#include "base/clock.h"
#include "base/fmt.h"
#include "base/rand.h"
#include "edge/edge_int.h"

/* 128 bits as hex: a random prefix of this reactor, and a counter that is
 * mixed so that ids do not tell how many there were (splitmix64 is a
 * bijection: no id comes twice). */
static void request_id_make(struct edge_reactor *er, char out[REQUEST_ID_TEXT])
{
    struct rand_fast mix = { er->id_key + er->id_next++ * 0x9e3779b97f4a7c15u };
    uint64_t id = rand_fast_next(&mix);
    memcpy(out, er->id_prefix, sizeof er->id_prefix);
    fmt_hex(out + sizeof er->id_prefix, &id, sizeof id);
}

static char *put(char *at, struct sv *view, struct sv text)
{
    *view = sv_of(at, text.n);
    if (text.n) memcpy(at, text.p, text.n);
    return at + text.n;
}

/* One allocation for all texts; without room only the id is kept. */
static void copy_texts(struct visit *v, const struct http_head *h,
                       struct sv given_id)
{
    size_t id_n = given_id.n ? given_id.n : REQUEST_ID_TEXT;
    size_t fixed = id_n + h->method_text.n + h->host.n;
    char *at = arena_alloc(&v->arena, fixed + h->path.n);
    if (!at) {
        at = v->text;
        v->method = v->host = v->path = SV("");
        v->request_id = sv_of(at, REQUEST_ID_TEXT);
        request_id_make(v->er, at);
        return;
    }
    if (given_id.n) {
        at = put(at, &v->request_id, given_id);
    } else {
        request_id_make(v->er, at);
        v->request_id = sv_of(at, REQUEST_ID_TEXT);
        at += REQUEST_ID_TEXT;
    }
    at = put(at, &v->method, h->method_text);
    at = put(at, &v->host, h->host);
    put(at, &v->path, h->path);
}

void visit_open(struct visit *v, struct edge_reactor *er, struct http_stream *s)
{
    v->er = er;
    v->stream = s;
    v->start_ns = clock_mono_ns();
    v->origin_ns = 0;
    v->times.n = 0;
    v->counted = (struct event_counted){ .app = 0 };
    v->app_id = SV("");
    arena_init(&v->arena, VISIT_BUDGET, v->text, sizeof v->text);
}

void visit_begin(struct visit *v, const struct http_head *h)
{
    const struct edge *edge = v->er->edge;
    v->wall_ms = edge_wall_ms(v->er);
    v->tls = http_stream_is_tls(v->stream);
    v->address = address_of(h, &conn_peer(http_stream_conn(v->stream))->ip,
                            &edge->conf.trust);
    if (edge->conf.spans) visit_span(v, h);
    copy_texts(v, h, v->address.peer_trusted ? forward_request_id(h) : SV(""));
}

void visit_fini(struct visit *v)
{
    arena_fini(&v->arena);
}

static uint32_t micros(uint64_t from_ns, uint64_t to_ns)
{
    uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

uint32_t visit_origin_us(const struct visit *v)
{
    return v->origin_ns ? micros(v->start_ns, v->origin_ns) : 0;
}

/* What simply passed is nobody's concern but the counters'; nor is a client
 * that left, unless something was found. */
static bool is_incident(const struct visit *v, const struct visit_end *end)
{
    bool faulty = end->outcome != OUTCOME_CLIENT_GONE &&
                  (end->outcome != OUTCOME_PASSED || end->code[0]);
    return (faulty || end->findings) && v->app_id.n;
}

/* The owner of a token that is still there. */
static struct sv owner_of(const struct visit *v, const struct visit_end *end)
{
    const struct tokens *tokens = v->er->edge->conf.checks->tokens;
    struct token_view t;
    struct ulid id;
    if (!end->token_id || !tokens) return SV("");
    memcpy(id.b, end->token_id, sizeof id.b);
    return tokens_view(tokens, end->token_slot, ulid_tag(&id), v->wall_ms,
                       &t) &&
                   t.cold
               ? t.cold->owner
               : SV("");
}

/* The image of the exchange may be gone: the account is asked for by id. */
static struct sv account_of(const struct visit *v)
{
    const struct plan_app *app =
        plan_find(v->er->edge->conf.checks->plan, v->app_id);
    return app ? app->app.account_id : SV("");
}

static struct event_more more_of(const struct visit *v,
                                 const struct visit_end *end)
{
    const struct visit_asked *asked = end->asked;
    return (struct event_more){
        .account_id = account_of(v),
        .now_ms = reactor_now_ms(v->er->reactor),
        .method = asked ? asked->method : v->method,
        .host = asked ? asked->host : v->host,
        .path = asked ? asked->path : v->path,
        .subject = end->subject,
        .owner = owner_of(v, end),
        .findings = end->findings,
    };
}

void visit_report(struct visit *v, const struct visit_end *end)
{
    struct http_stream_info info;
    struct event_more more;
    struct trace_run run;
    struct trace_step steps[TRACE_STEPS_MAX];
    http_stream_info(v->stream, &info);
    struct event e = {
        .wall_ms = v->wall_ms,
        .door = end->door,
        .outcome = end->outcome,
        .code = end->code,
        .request_id = v->request_id,
        .method = v->method,
        .host = v->host,
        .path = v->path,
        .app_id = v->app_id,
        .token_id = end->token_id,
        .token_slot = end->token_slot,
        .counted = end->counted ? *end->counted : v->counted,
        .end_s = (uint32_t)(edge_wall_ms(v->er) / 1000),
        .client = v->address.client,
        .status = info.status,
        .total_us = micros(v->start_ns, clock_mono_ns()),
        .origin_us = visit_origin_us(v),
        .http_minor = info.minor,
        .tls = v->tls,
    };
    if (!end->no_bytes) {
        e.bytes_in = info.bytes_in;
        e.bytes_out = info.bytes_out;
    }
    if (is_incident(v, end)) {
        more = more_of(v, end);
        e.more = &more;
    }
    bool spans = v->er->edge->conf.spans;
    if (end->times && visit_is_traced(v, end->outcome)) {
        run = (struct trace_run){
            .account_id = account_of(v),
            .sampled = end->outcome == OUTCOME_PASSED ||
                       end->outcome == OUTCOME_CLIENT_GONE,
            .steps_n = visit_trace(end->times, steps),
            .steps = steps,
            .context = spans ? &v->context : NULL,
            .span_id = v->span_id,
            .has_parent = spans && v->has_parent,
        };
        e.trace = &run;
    }
    journal_event(v->er->edge->conf.journal, v->er->index, &e);
    if (spans && end->asked) visit_span_next(v);
}

void visit_count(const struct exchange *x, struct event_counted *out)
{
    const struct plan_app *app = x->plan;
    *out = (struct event_counted){ .app = app->scope,
                                   .account = app->account_scope,
                                   .app_num = app->app.num,
                                   .cost = x->cost,
                                   .route = x->route ? x->route->rule->id : 0 };
    /* as far as a check has asked for it */
    if (x->place_state && x->place.country)
        country_text(x->place.country, out->country);
}

/* --- refusals of HTTP itself ------------------------------------------------ */

static struct sv code_of(unsigned status)
{
    return status >= 500 && status != 501 && status != 505 ? SV("unavailable")
                                                           : SV("bad_request");
}

static void refusal_fill(struct sv id, const struct http1_refusal *why,
                         struct http_refused *out)
{
    problem_body(&(struct problem){ .status = why->status,
                                    .code = code_of(why->status),
                                    .message = sv_cstr(why->reason) },
                 &out->body);
    buf_puts(&out->fields, "X-Request-Id: ");
    buf_put(&out->fields, id);
    buf_puts(&out->fields, "\r\n");
}

void edge_refusal(const struct visit *v, const struct http1_refusal *why,
                  struct http_refused *out)
{
    refusal_fill(v->request_id, why, out);
}

/* Nothing of such a request can be trusted: its event has no host or path. */
void edge_refusal_early(struct edge_reactor *er, const struct conn *c,
                        const struct http1_refusal *why,
                        struct http_refused *out)
{
    char id[REQUEST_ID_TEXT];
    request_id_make(er, id);
    refusal_fill(sv_of(id, sizeof id), why, out);
    struct event e = {
        .wall_ms = edge_wall_ms(er),
        .outcome = OUTCOME_BAD_REQUEST,
        .code = "bad_request",
        .request_id = sv_of(id, sizeof id),
        .method = SV(""),
        .host = SV(""),
        .path = SV(""),
        .app_id = SV(""),
        .client = conn_peer(c)->ip,
        .status = why->status,
        .http_minor = 1,
    };
    journal_event(er->edge->conf.journal, er->index, &e);
}
