/* Behind the check of a JWT: does its sender hold what the token is bound to
 * (its `cnf` claim, RFC 7800)? A key that signs a proof of this request
 * (RFC 9449), or the certificate of this connection (RFC 8705). The profile
 * says which: a token without that binding is refused, so that none can be
 * used as if it were a plain one. */
#include "base/ensure.h"
#include "base/mem.h"
#include "check/check.h"
#include "check/jwt.h"
#include "codec/dpop.h"

static enum verdict unbound(struct exchange *x)
{
    x->claim = SV("cnf");
    return check_deny(x, REASON_MISSING_CLAIM);
}

static enum verdict judge_certificate(struct exchange *x)
{
    if (!x->jwt->cnf_cert) return unbound(x);
    if (x->certificate &&
        mem_equal_ct(x->certificate, x->jwt->cnf_cert, JWK_THUMBPRINT_BYTES))
        return VERDICT_PASS;
    return check_deny(x, REASON_INVALID_TOKEN);
}

/* --- DPoP --------------------------------------------------------------------- */

/* `member`: of the proof, that is not what it must be. */
static enum verdict refuse(struct exchange *x, struct sv member)
{
    x->claim = member;
    return check_deny(x, REASON_INVALID_PROOF);
}

/* As the client wrote it; in the exchange's arena. */
static struct sv url_of(const struct exchange *x)
{
    if (!x->head) return x->url;
    return arena_printf(x->arena, "%.*s://%.*s%.*s", SV_FMT(x->scheme),
                        SV_FMT(x->host), SV_FMT(x->head->path));
}

/* Only a proof that is good but for that is remembered: nobody can fill the
 * memory but with tokens that hold. A question that takes nothing is free. */
static enum verdict take(struct exchange *x, const struct dpop_proof *proof)
{
    if (x->peek) return VERDICT_PASS;
    switch (replay_take(x->env->replay, proof->key, x->wall_ms / 1000,
                        proof->until_s)) {
    case REPLAY_FIRST: return VERDICT_PASS;
    case REPLAY_SEEN: return refuse(x, SV("jti"));
    case REPLAY_FULL: break;
    }
    return VERDICT_FAULT;
}

static enum verdict judge_proof(struct exchange *x, struct sv text,
                                struct sv token)
{
    struct jwt_lane *lane = &x->env->jwt[x->reactor];
    const struct failures_of who = {
        .app = x->plan->app.num,
        .client = x->has_client ? &x->client : NULL,
        .now_ms = x->env->node_ms(),
    };
    if (failures_spent(&lane->failures, &who)) {
        x->take.retry_after_s = 1;
        return check_deny(x, REASON_RATE_LIMITED);
    }
    const struct dpop_ask ask = {
        .method = x->head ? x->head->method_text : x->method,
        .url = url_of(x),
        .access_token = token,
        .jkt = x->jwt->cnf_key,
        .now_s = x->wall_ms / 1000,
        .skew_s = x->plan->jwt->profile.rules.times.skew_s,
    };
    struct arena a;
    struct dpop_proof proof;
    if (!lane->proof) lane->proof = mem_alloc_try(DPOP_ARENA_BYTES);
    if (!lane->proof || !ask.url.p) return VERDICT_FAULT;
    arena_init(&a, 0, lane->proof, DPOP_ARENA_BYTES);
    enum dpop_verdict v = dpop_judge(text, &ask, &a, &proof);
    if (v == DPOP_OK) return take(x, &proof);
    if (v == DPOP_SIGNATURE) failures_add(&lane->failures, &who);
    return v == DPOP_MEMORY ? VERDICT_FAULT : refuse(x, dpop_verdict_member(v));
}

static enum verdict judge_key(struct exchange *x)
{
    struct sv text, token;
    if (!x->jwt->cnf_key) return unbound(x);
    if (!check_header_once(x, SV("DPoP"), &text)) return refuse(x, SV(""));
    if (check_credential_find(x, &token) != FOUND_ONE) return VERDICT_FAULT;
    return judge_proof(x, text, token);
}

/* Once: what waits behind this step begins anew, and its proof has been seen. */
enum verdict check_binding(struct exchange *x)
{
    ENSURE(x->jwt);
    if (x->bound) return VERDICT_PASS;
    enum verdict v = x->plan->jwt->profile.binding == JWT_DPOP
                         ? judge_key(x)
                         : judge_certificate(x);
    x->bound = v == VERDICT_PASS;
    return v;
}
