/* The verify door: POST /authenticate and /authenticate/batch (api.md §10).
 * A well-formed question is always answered 200, whatever the verdict. */
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "check/place.h"
#include "check/request.h"
#include "edge/verify_int.h"

/* --- replies ------------------------------------------------------------------------ */

void verify_answer(struct verify *vf, struct sv body)
{
    struct reply reply;
    reply_json(body, vf->v.request_id, &reply);
    vf->answered = true;
    http_stream_answer(vf->v.stream, &reply.head, reply.body);
}

static void verify_problem(struct verify *vf, unsigned status,
                           struct sv message, struct sv field)
{
    struct problem problem = {
        .status = status,
        .code = status == 404   ? SV("not_found")
                : status == 503 ? SV("unavailable")
                                : SV("bad_request"),
        .message = message,
        .field = field,
        .allow = status == 405 ? SV("POST") : SV(""),
    };
    struct reply reply;
    struct buf text;
    edge_text(vf->v.er, &text);
    reply_problem(&problem, vf->v.request_id, &text, &reply);
    vf->answered = true;
    http_stream_answer(vf->v.stream, &reply.head, reply.body);
}

/* --- a question ---------------------------------------------------------------------- */

static bool is_key_of(const struct verify *vf, const struct plan_app *app)
{
    const struct edge_keys *keys = &vf->v.er->edge->conf.keys;
    return vf->key_n && keys->is_of_account &&
           keys->is_of_account(keys->ctx, sv_of(vf->key, vf->key_n),
                               app->app.account_id);
}

/* The caller's own address and key, not those that telemetry tells of. */
static bool may_ask(const struct verify *vf, const struct application *app,
                    bool has_key)
{
    if (app->authenticate == AUTHENTICATE_OFF ||
        (app->authenticate == AUTHENTICATE_KEY && !has_key))
        return false;
    return app->authenticate_from_n == 0 ||
           (vf->v.address.known &&
            cidr_any(app->authenticate_from, app->authenticate_from_n,
                     &vf->v.address.client));
}

/* For anomaly detection: what time it took and how large it was, only its
 * asker knows. */
static void count_answer(struct exchange *x, enum verdict v)
{
    const struct anomaly_sample sample = { .at_ms = x->env->node_ms(),
                                           .endpoint = x->endpoint,
                                           .failed = v != VERDICT_PASS,
                                           .no_time = true,
                                           .no_bytes = true };
    check_answered(x, x->plan, &sample);
}

/* An unknown application, one that the caller may not ask about, and an
 * unknown token answer alike; so does a question without a token, always.
 * False: refused with x->reason. */
static bool exchange_begin(struct verify *vf, const struct question *q,
                           struct exchange *x)
{
    const struct check_env *env = vf->v.er->edge->conf.checks;
    memset(x, 0, sizeof *x);
    vf->detailed = false;
    x->reason = q->token.n ? REASON_INVALID_TOKEN : REASON_MISSING_TOKEN;
    if (q->token.n == 0) return false;
    const struct plan_app *app = plan_find(env->plan, q->app_id);
    bool has_key = app && is_key_of(vf, app);
    if (!app || !may_ask(vf, &app->app, has_key)) return false;
    vf->detailed = has_key;
    x->reason = REASON_NONE;
    x->env = env;
    x->door = DOOR_VERIFY;
    x->reactor = vf->v.er->index;
    x->plan = app;
    x->arena = &vf->v.arena;
    x->times = visit_times(&vf->v, false);
    return true;
}

/* What is asked, as it was read in this turn. */
static void exchange_ask(const struct verify *vf, struct exchange *x,
                         const struct question *q)
{
    x->credential = q->token;
    x->client = q->client;
    x->has_client = q->has_client;
    x->cost = q->cost;
    x->peek = q->peek;
    x->headers = q->headers;
    x->method = q->method;
    x->url = q->url;
    /* none said: as of the run, not of this visit's beginning */
    x->sent_ms = q->at_ms != vf->v.wall_ms ? q->at_ms : 0;
    x->certificate = q->has_certificate ? q->certificate : NULL;
    x->scopes = q->scopes;
    x->scopes_n = q->scopes_n;
}

static void unhold(struct verify *vf)
{
    if (vf->held) plan_drop(vf->held, vf->v.er->index);
    vf->held = NULL;
}

/* The exchange and its image over a wait. */
static bool hold(struct verify *vf, struct exchange **x)
{
    if (vf->held) return true;
    if (!vf->kept) vf->kept = arena_alloc(&vf->v.arena, sizeof *vf->kept);
    if (!vf->kept) return false;
    *vf->kept = **x;
    *x = vf->kept;
    vf->held = vf->kept->plan;
    plan_hold(vf->held, vf->v.er->index);
    return true;
}

/* WAIT, WORK: nothing is decided yet, and vf->kept is to be run again. */
static enum verdict judge(struct verify *vf, const struct question *q,
                          struct exchange **x)
{
    enum verdict v;
    if (vf->held)
        *x = vf->kept;
    else if (!exchange_begin(vf, q, *x))
        return VERDICT_DENY;
    exchange_ask(vf, *x, q);
    do {
        v = chain_run(*x);
        if ((v != VERDICT_WAIT && v != VERDICT_WORK) || hold(vf, x)) continue;
        chain_refund(*x);
        check_work_end(*x);
        (*x)->reason = REASON_CHECK_UNAVAILABLE;
        v = VERDICT_DENY;
    } while (v == VERDICT_WORK &&
             !work_start(vf->v.er, &vf->suspended, *x, NULL));
    if ((*x)->plan->tracked && v != VERDICT_WAIT && v != VERDICT_WORK)
        count_answer(*x, v);
    return v;
}

/* Those of a single question stay in the visit; a batch's are overwritten by
 * the next one. */
static const struct step_times *keep_times(struct verify *vf,
                                           const struct step_times *t)
{
    struct step_times *copy = NULL;
    if (!vf->batch) return t;
    copy = arena_alloc(&vf->v.arena, sizeof *copy);
    if (copy) *copy = *t;
    return copy;
}

static void remember(struct verify *vf, const struct question *q,
                     const struct answer *a)
{
    struct verify_judged *j = &vf->judged[vf->judged_n++];
    *j = (struct verify_judged){ .outcome = OUTCOME_BAD_REQUEST,
                                 .code = "bad_request",
                                 .client = vf->v.address.client,
                                 .at_ms = vf->v.wall_ms };
    if (!a->x) return;
    if (a->x->plan) {
        j->app_id = arena_dup(&vf->v.arena, a->x->plan->app.id);
        visit_count(a->x, &j->counted);
    }
    if (q->has_client) j->client = q->client;
    j->at_ms = q->at_ms;
    j->outcome = reason_outcome(a->reason);
    j->code = exchange_code(a->x, a->reason);
    if (a->x->times) j->times = keep_times(vf, a->x->times);
    j->has_token = a->x->has_token;
    j->token_slot = a->x->token.slot;
    memcpy(j->token_id, a->x->token.id, sizeof j->token_id);
}

/* What telemetry told, for the incident: the question is gone by then. */
static void remember_asked(struct verify *vf, const struct question *q,
                           struct exchange *x)
{
    struct arena *a = &vf->v.arena;
    struct verify_judged *j = &vf->judged[vf->judged_n - 1];
    bool simple = j->outcome == OUTCOME_PASSED && !j->code[0] && !x->findings;
    if (simple || !x->plan) return;
    j->findings = x->findings;
    j->asked.method = arena_dup(a, q->method);
    struct expression_request *r = check_request(x);
    if (r) {
        j->asked.host = arena_dup(a, r->host);
        j->asked.path = arena_dup(a, r->path);
    }
    if (x->jwt) j->subject = arena_dup(a, x->jwt->subject);
}

static void put_answer(struct verify *vf, const struct answer *a,
                       struct buf *out)
{
    struct answer_hole *hole = &vf->holes[vf->holes_n];
    if (vf->batch && vf->judged_n > 1) buf_putc(out, ',');
    if (vf->batch)
        answer_item(out, a, true, hole);
    else
        answer_single(out, a, hole);
    if (hole->at) vf->holes_n++;
}

/* --- all questions of a body ----------------------------------------------------------- */

static bool keep_body(struct verify *vf, struct sv bytes);

/* From its own copy of the body the question is read again. */
static void suspend(struct verify *vf, struct sv body, enum verdict v)
{
    if (vf->body.n == 0 && !keep_body(vf, body)) {
        work_forget(&vf->suspended);
        edge_unsuspend(vf->v.er, &vf->suspended);
        return;
    }
    vf->is_suspended = true;
    if (v == VERDICT_WAIT)
        edge_suspend(vf->v.er, &vf->suspended, vf->kept->retry_ms);
}

/* False: it waits, or could not be read at all. */
static bool judge_one(struct verify *vf, const struct questions *qs,
                      struct sv body, struct buf *out)
{
    struct question q;
    struct question_problem problem;
    struct exchange fresh, *x = &fresh;
    struct answer a = { .x = NULL };
    if (questions_get(qs, vf->judged_n, vf->v.wall_ms, &q, &problem) != 0) {
        if (!vf->batch) {
            verify_problem(vf, 400, sv_cstr(problem.text),
                           sv_cstr(problem.field));
            return false;
        }
        a.problem = &problem;
    } else {
        enum verdict v = judge(vf, &q, &x);
        if (v == VERDICT_WAIT || v == VERDICT_WORK) {
            suspend(vf, body, v);
            return false;
        }
        a.x = x;
        a.detailed = vf->detailed;
        if (v != VERDICT_PASS) a.reason = x->reason;
    }
    remember(vf, &q, &a);
    if (a.x) remember_asked(vf, &q, x);
    put_answer(vf, &a, out);
    unhold(vf);
    return true;
}

static bool batch_begin(struct verify *vf, size_t n)
{
    struct arena *a = &vf->v.arena;
    if (vf->judged) return true;
    a->budget += n * QUESTION_BUDGET;
    buf_init(&vf->answer, VERIFY_ANSWER_MAX);
    buf_put(&vf->answer, SV("{\"success\":true,\"message\":\"\",\"data\":["));
    vf->judged = arena_alloc(a, (n + 1) * sizeof *vf->judged);
    vf->holes = arena_alloc(a, (n + 1) * sizeof *vf->holes);
    return vf->judged && vf->holes;
}

static void read_batch(struct verify *vf, const struct questions *qs,
                       struct sv body)
{
    if (!batch_begin(vf, qs->n)) {
        verify_problem(vf, 503, SV("out of memory"), SV(""));
        return;
    }
    while (vf->judged_n < qs->n)
        if (!judge_one(vf, qs, body, &vf->answer)) return;
    buf_put(&vf->answer, SV("]}"));
    if (vf->answer.overflow)
        verify_problem(vf, 503, SV("the answer is too large"), SV(""));
    else if (vf->holes_n)
        metadata_fetch(vf);
    else
        verify_answer(vf, buf_sv(&vf->answer));
}

/* The usual case writes into the reactor's memory and sends from there. */
static void read_single(struct verify *vf, const struct questions *qs,
                        struct sv body)
{
    struct buf out;
    edge_text(vf->v.er, &out);
    vf->judged = &vf->one;
    vf->holes = &vf->one_hole;
    if (!judge_one(vf, qs, body, &out)) return;
    if (out.overflow) {
        verify_problem(vf, 503, SV("the answer is too large"), SV(""));
    } else if (vf->holes_n) {
        buf_init(&vf->answer, VERIFY_ANSWER_MAX);
        buf_put(&vf->answer, buf_sv(&out));
        metadata_fetch(vf);
    } else {
        verify_answer(vf, buf_sv(&out));
    }
}

static void verify_read(struct verify *vf, struct sv body)
{
    struct edge_reactor *er = vf->v.er;
    struct questions qs;
    struct question_problem problem = { "", "" };
    vf->begun = true;
    int err = questions_open(&qs, body, vf->batch, &er->questions, &problem);
    if (err == ERR_INVALID)
        verify_problem(vf, 400, sv_cstr(problem.text), sv_cstr(problem.field));
    else if (err)
        verify_problem(vf, 503, SV("out of memory"), SV(""));
    else if (vf->batch)
        read_batch(vf, &qs, body);
    else
        read_single(vf, &qs, body);
    arena_reset(&er->questions);
}

static void verify_resume(struct suspended *s)
{
    struct verify *vf = CONTAINER_OF(s, struct verify, suspended);
    vf->is_suspended = false;
    verify_read(vf, buf_sv(&vf->body));
}

/* --- the request ------------------------------------------------------------------------ */

static void take_key(struct verify *vf, const struct http_head *head)
{
    const struct http_field *field = http_head_find(head, HN_AUTHORIZATION);
    if (!field) return;
    bool bearer;
    struct sv key = place_without_bearer(field->value, &bearer);
    if (!bearer || key.n > sizeof vf->key) return;
    memcpy(vf->key, key.p, key.n);
    vf->key_n = key.n;
}

static void verify_request(struct http_stream *s, const struct http_head *head)
{
    struct edge_reactor *er = http_stream_ctx(s);
    struct verify *vf = slab_get(&er->verifies);
    memset(vf, 0, offsetof(struct verify, key));
    vf->suspended.resume = verify_resume;
    visit_open(&vf->v, er, s);
    visit_begin(&vf->v, head);
    http_stream_set_user(s, vf);
    vf->batch = sv_eq(head->path, SV("/authenticate/batch"));
    if (!vf->batch && !sv_eq(head->path, SV("/authenticate"))) {
        verify_problem(vf, 404, SV("there is nothing here"), SV(""));
        return;
    }
    if (head->method != HTTP_POST) {
        verify_problem(vf, 405, SV("questions are asked by POST"), SV(""));
        return;
    }
    take_key(vf, head);
    vf->announced = head->body == HTTP_BODY_LENGTH;
    vf->length = head->content_length;
    buf_init(&vf->body, QUESTION_BODY_MAX);
    http_stream_body_max(s, QUESTION_BODY_MAX);
    http_stream_read(s, true);
}

/* False: answered, there is no room. */
static bool keep_body(struct verify *vf, struct sv bytes)
{
    struct edge_reactor *er = vf->v.er;
    size_t had = vf->body.cap;
    if (er->bodies_bytes <= VERIFY_BODIES_MAX) {
        if (vf->body.cap == 0 && vf->announced)
            buf_reserve(&vf->body, vf->length);
        buf_put(&vf->body, bytes);
        er->bodies_bytes += vf->body.cap - had;
        if (!vf->body.overflow) return true;
    }
    verify_problem(vf, 503, SV("out of memory"), SV(""));
    return false;
}

static size_t verify_body(struct http_stream *s, struct sv bytes)
{
    struct verify *vf = http_stream_user(s);
    if (vf->answered || vf->begun) return bytes.n;
    if (vf->announced && vf->body.n == 0 && bytes.n == vf->length)
        verify_read(vf, bytes);
    else
        keep_body(vf, bytes);
    return bytes.n;
}

static void verify_end(struct http_stream *s, const struct http_head *trailers)
{
    struct verify *vf = http_stream_user(s);
    (void)trailers;
    if (!vf->answered && !vf->begun) verify_read(vf, buf_sv(&vf->body));
}

/* --- the end ------------------------------------------------------------------------------ */

/* One event a question: a batch is as many exchanges. The bytes are told by
 * the last. */
static void report(struct verify *vf, enum outcome otherwise, const char *code)
{
    struct visit_end end = { .outcome = otherwise,
                             .code = code,
                             .door = DOOR_VERIFY };
    if (vf->judged_n == 0) visit_report(&vf->v, &end);
    for (size_t i = 0; i < vf->judged_n; i++) {
        const struct verify_judged *j = &vf->judged[i];
        end.outcome = j->outcome;
        end.code = j->code;
        end.token_id = j->has_token ? j->token_id : NULL;
        end.token_slot = j->token_slot;
        end.no_bytes = i + 1 < vf->judged_n;
        end.findings = j->findings;
        end.asked = &j->asked;
        end.subject = j->subject;
        end.times = j->times;
        end.counted = &j->counted;
        vf->v.app_id = j->app_id;
        vf->v.address.client = j->client;
        vf->v.wall_ms = j->at_ms;
        visit_report(&vf->v, &end);
    }
}

static void verify_over(struct verify *vf, enum outcome otherwise,
                        const char *code)
{
    struct edge_reactor *er = vf->v.er;
    if (vf->is_suspended) edge_unsuspend(er, &vf->suspended);
    work_forget(&vf->suspended);
    if (vf->held) check_work_end(vf->kept);
    unhold(vf);
    if (vf->job) metadata_forget(vf);
    report(vf, otherwise, code);
    er->bodies_bytes -= vf->body.cap;
    if (vf->body.p) mem_wipe(vf->body.p, vf->body.n);
    buf_fini(&vf->body);
    buf_fini(&vf->answer);
    if (vf->key_n) mem_wipe(vf->key, vf->key_n);
    visit_fini(&vf->v);
    slab_put(&er->verifies, vf);
}

static void verify_done(struct http_stream *s)
{
    verify_over(http_stream_user(s), OUTCOME_BAD_REQUEST, "bad_request");
}

static void verify_gone(struct http_stream *s, int err)
{
    struct verify *vf = http_stream_user(s);
    bool refused = err == ERR_PROTOCOL || err == ERR_TOOBIG ||
                   err == ERR_TIMEOUT || vf->answered;
    if (refused)
        verify_over(vf, OUTCOME_BAD_REQUEST, "bad_request");
    else
        verify_over(vf, OUTCOME_CLIENT_GONE, "client_gone");
}

static void verify_refusal(void *ctx, const struct conn *c,
                           struct http_stream *s,
                           const struct http1_refusal *why,
                           struct http_refused *out)
{
    struct verify *vf = s ? http_stream_user(s) : NULL;
    if (vf)
        edge_refusal(&vf->v, why, out);
    else
        edge_refusal_early(ctx, c, why, out);
}

const struct http_service edge_verify_service = {
    .on_request = verify_request,
    .on_body = verify_body,
    .on_end = verify_end,
    .on_done = verify_done,
    .on_gone = verify_gone,
    .on_refusal = verify_refusal,
};
