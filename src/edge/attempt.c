/* One request among several origins: which takes it, what its end tells of
 * that origin, whether it goes to another (gateway.md §3).
 *
 *   begin ─ choose ─ call ─┬─ head passed on ──> settled ─ ended
 *             ^            ├─ failed, may be repeated ─┐
 *             └────────────┼──(timer: same origin)─────┘
 *                          └─ failed ──> refused
 *
 * While it may be sent again it holds its image and its head. The image goes when
 * the answer begins, so that a long one does not hold it; the head's block is the
 * stream's, until the exchange ends. */
#include "base/ensure.h"
#include "base/err.h"
#include "base/rand.h"
#include "edge/proxy_int.h"

enum { AGAIN_MS = 25 }; /* to the same origin: 25, 50, 100 … and as much more */

static uint64_t now_ms(const struct proxy *p)
{
    return reactor_now_ms(p->v.er->reactor);
}

static const struct route_rule *rule_of(const struct proxy *p)
{
    return p->x.route ? p->x.route->rule : NULL;
}

/* --- what it is kept with ----------------------------------------------------------- */

/* What a JWT says lies in the cache for this turn only. */
static bool keep_jwt(struct proxy *p)
{
    struct arena *a = &p->v.arena;
    const struct verified *from = p->x.jwt;
    struct verified *v = ARENA_NEW(a, struct verified);
    struct sv *scopes = ARENA_ARRAY(a, struct sv, from->scopes_n + 1u);
    if (!v || !scopes) return false;
    *v = *from;
    v->subject = arena_dup(a, from->subject);
    v->subject_header = arena_dup(a, from->subject_header);
    v->scopes_header = arena_dup(a, from->scopes_header);
    for (unsigned i = 0; i < from->scopes_n; i++)
        scopes[i] = arena_dup(a, from->scopes[i]);
    v->scopes = scopes;
    v->dynamic = NULL;
    v->dynamic_n = 0;
    p->x.jwt = v;
    return !a->overflow;
}

/* The image, the head and its bytes, as for a check that waits. */
static bool keep(struct proxy *p, const struct http_head *head)
{
    if (p->x.jwt && !keep_jwt(p)) return false;
    if (!proxy_keep_head(p, head)) return false;
    plan_hold(p->x.plan, p->v.er->index);
    p->attempt->balance = p->x.plan->balance;
    return true;
}

static bool is_idempotent(const struct proxy *p, const struct http_head *head)
{
    const struct route_rule *rule = rule_of(p);
    bool other = rule && rule->target_method.n && !p->is_head;
    return http_method_is_idempotent(other ? http_method_of(rule->target_method)
                                           : head->method);
}

bool attempt_begin(struct proxy *p, const struct http_head *head)
{
    const struct plan_balance *b = p->x.plan->balance;
    const struct route_rule *rule = rule_of(p);
    if (!b) return true;
    struct attempt *a = ARENA_NEW(&p->v.arena, struct attempt);
    if (!a) return false;
    p->attempt = a;
    a->proxy = p;
    a->passive = b->rules->passive;
    a->breaker = b->rules->breaker;
    a->retry = b->rules->retry;
    if (b->n < 2) a->passive.failures = 0; /* nobody could take over */
    if (rule && rule->has_retries) {
        a->retry.attempts = rule->retries;
        if (!a->retry.on) a->retry.on = retry_defaults.on;
        if (!a->retry.budget) a->retry.budget = retry_defaults.budget;
    }
    if (!b->retries) return true;
    retry_request(b->budget, now_ms(p));
    a->whole = p->body_ended && p->intake == PROXY_HOLDING;
    a->left = head->upgrade ? 0 : a->retry.attempts;
    a->idempotent = is_idempotent(p, head);
    return a->left == 0 || keep(p, head);
}

void attempt_settle(struct proxy *p)
{
    struct attempt *a = p->attempt;
    if (!a || !a->balance) return;
    a->balance = NULL;
    plan_drop(p->x.plan, p->v.er->index);
    if (a->whole && p->intake == PROXY_STREAMING) intake_fini(p);
}

/* --- which origin --------------------------------------------------------------------- */

static uint64_t key_of(const struct exchange *x)
{
    if (x->has_token)
        return balance_key(sv_of(x->token.id, sizeof x->token.id));
    if (x->jwt && x->jwt->subject.n) return balance_key(x->jwt->subject);
    if (x->jwt) return balance_key(sv_of(x->digest, sizeof x->digest));
    return balance_key(sv_of(&x->client, sizeof x->client));
}

int attempt_choose(struct proxy *p, const struct http_head *head,
                   struct plan_origin *out)
{
    struct attempt *a = p->attempt;
    const struct plan_app *app = p->x.plan;
    const struct plan_balance *b = app->balance;
    unsigned reactor = p->v.er->index;
    struct balance_ask ask = {
        .head = head,
        .turn = app->holds[reactor].turn++ + app->serial * 7919 +
                reactor * UINT64_C(104729),
        .tried = a->tried,
        .now_ms = now_ms(p),
    };
    if (b->rules->balancing == BALANCE_HASH) ask.key = key_of(&p->x);
    int i = balance_take(b, &ask, &a->pass);
    if (i < 0) {
        edge_count(&p->v.er->stats.breaker_refused);
        return ERR_LIMIT;
    }
    a->index = (uint8_t)i;
    a->state = b->states[i];
    a->judged = false;
    *out = b->origins[i];
    return 0;
}

/* --- what its end tells ------------------------------------------------------------------ */

void attempt_ended(struct proxy *p)
{
    struct attempt *a = p->attempt;
    if (!a || !a->state) return;
    if (!a->judged) origin_unreported(a->state, &a->pass);
    origin_leave(a->state);
    a->state = NULL;
}

void attempt_over(struct proxy *p)
{
    struct attempt *a = p->attempt;
    if (!a) return;
    timer_cancel(p->v.er->reactor, &a->timer);
    attempt_ended(p);
    attempt_settle(p);
}

static void judge(struct proxy *p, enum origin_outcome what)
{
    struct attempt *a = p->attempt;
    if (!a->state || a->judged) return;
    a->judged = true;
    origin_report(a->state, &a->passive, &a->breaker, &a->pass, what,
                  now_ms(p));
}

/* A token that was revoked meanwhile is not sent again; what lies beside it
 * may have moved. */
static bool token_holds(struct proxy *p)
{
    struct exchange *x = &p->x;
    return !x->has_token ||
           (tokens_view(x->env->tokens, x->token.slot, x->token.tag,
                        x->env->wall_ms(), &x->token) &&
            !(x->token.state & TOKEN_REVOKED));
}

static bool may_repeat(struct proxy *p, enum origin_outcome what)
{
    struct attempt *a = p->attempt;
    if (!a->balance || !a->left || a->spent || !outcome_in(a->retry.on, what) ||
        !(a->idempotent || what == ORIGIN_CONNECT) ||
        reactor_stopping(p->v.er->reactor) || !token_holds(p))
        return false;
    if (retry_take(a->balance->budget, a->retry.budget, now_ms(p))) return true;
    edge_count(&p->v.er->stats.retries_refused);
    return false;
}

static void again_due(struct timer *t)
{
    upstream_again(CONTAINER_OF(t, struct attempt, timer)->proxy);
}

/* Another origin is asked at once; the same one gets a moment. */
static void again(struct proxy *p)
{
    struct attempt *a = p->attempt;
    const struct plan_balance *b = a->balance;
    struct rand_fast jitter = { p->v.start_ns };
    edge_count(&p->v.er->stats.retries);
    if (b->n) a->tried |= 1u << a->index;
    bool own = !rule_of(p) || !rule_of(p)->host.n;
    if (own && b->weighted & ~a->tried) {
        a->left--;
        upstream_again(p);
        return;
    }
    uint64_t ms = AGAIN_MS << (a->retry.attempts - a->left);
    a->left--;
    if (p->has_body) http_stream_read(p->v.stream, false);
    a->timer.fire = again_due;
    timer_arm(p->v.er->reactor, &a->timer, ms + rand_fast_next(&jitter) % ms);
}

bool attempt_failed(struct proxy *p, enum origin_outcome what, bool ours)
{
    struct attempt *a = p->attempt;
    if (!ours) judge(p, what);
    if (ours || what == ORIGIN_FINE || !may_repeat(p, what)) {
        attempt_settle(p);
        return false;
    }
    if (what > ORIGIN_TIMEOUT) { /* an answer, which nobody reads */
        a->sent = true;
        http_call_cancel(p->call);
    }
    p->call = NULL;
    p->wants_continue = a->waits_open = false;
    timer_cancel(p->v.er->reactor, &p->continue_timer);
    attempt_ended(p);
    p->given = 0;
    if (a->whole) p->intake = PROXY_HOLDING;
    again(p);
    return true;
}
