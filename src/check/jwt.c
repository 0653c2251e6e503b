/* Steps 5 to 7 for keyType jwt: whose token is it, and does it hold?
 *
 *   credential ─ digest ─ cache ─┬─ facts, same keys ──────────────┐
 *                                └─ budget ─ form ─ key ─┬─ facts ─┼─> times,
 *                                     spent: limited     │ (kept)  │   claims,
 *                                                        │         │   DYNAMIC
 *                    kid not known: ask for keys, WAIT ──┘         v
 *
 * Refusals that a good signature stands behind are kept as well: who sends
 * the same refused token again does not buy another signature check. What
 * binds a token to its sender (DPoP, a certificate) is a step of its own
 * behind this one, and reads exchange.jwt. */
#include "check/jwt.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "check/check.h"
#include "codec/digest.h"
#include "live/subject.h"

enum { RETRY_MS = 20, RETRY_DOUBLINGS = 4 };

struct jwt_lane *jwt_lanes_new(const struct jwt_check_conf *conf)
{
    struct jwt_lane *lanes =
        mem_aligned(64, conf->reactors * sizeof(struct jwt_lane));
    for (unsigned i = 0; i < conf->reactors; i++)
        lanes[i].cache = verified_cache_new(conf->cache_bytes / conf->reactors);
    return lanes;
}

void jwt_lanes_free(struct jwt_lane **lanes, unsigned reactors)
{
    for (unsigned i = 0; *lanes && i < reactors; i++) {
        struct jwt_lane *l = &(*lanes)[i];
        verified_cache_free(&l->cache);
        failures_fini(&l->failures);
        if (l->scratch) mem_wipe(l->scratch, JWT_SCRATCH_BYTES);
        mem_free(l->scratch);
        mem_free(l->proof);
    }
    mem_free(*lanes);
    *lanes = NULL;
}

const char *const jwt_verdict_labels[JWT_VERDICT_COUNT] = {
#define X(name, label) label,
    JWT_VERDICTS(X)
#undef X
};

static void count(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static struct jwt_lane *lane_of(const struct exchange *x)
{
    return &x->env->jwt[x->reactor];
}

static enum verdict deny(struct exchange *x, enum reason why, struct sv claim)
{
    static const uint8_t verdict_of[REASON_COUNT] = {
        [REASON_INVALID_SIGNATURE] = JWT_VERDICT_INVALID_SIGNATURE,
        [REASON_TOKEN_EXPIRED] = JWT_VERDICT_TOKEN_EXPIRED,
        [REASON_TOKEN_NOT_ACTIVE] = JWT_VERDICT_TOKEN_NOT_ACTIVE,
        [REASON_MISSING_CLAIM] = JWT_VERDICT_MISSING_CLAIM,
        [REASON_INVALID_CLAIM] = JWT_VERDICT_INVALID_CLAIM,
        [REASON_RATE_LIMITED] = JWT_VERDICT_RATE_LIMITED,
        [REASON_INVALID_TOKEN] = JWT_VERDICT_INACTIVE,
    };
    count(&lane_of(x)->stats.verdicts[verdict_of[why]]);
    x->claim = claim;
    return check_deny(x, why);
}

/* --- a token that the cache does not know --------------------------------------- */

static struct failures_of failures_of(const struct exchange *x, int64_t now_ms)
{
    return (struct failures_of){ .app = x->plan->app.num,
                                 .client = x->has_client ? &x->client : NULL,
                                 .now_ms = now_ms };
}

static enum verdict wait_for(struct exchange *x)
{
    unsigned doublings =
        x->waits < RETRY_DOUBLINGS ? x->waits : RETRY_DOUBLINGS;
    count(&lane_of(x)->stats.waits);
    x->retry_ms = (uint32_t)RETRY_MS << doublings;
    return VERDICT_WAIT;
}

/* No key of ours fits. A fetch may bring one; without any image of a set we
 * cannot know. */
static enum verdict ask_for_keys(struct exchange *x, const struct jwt_keys *k,
                                 struct sv kid)
{
    bool wait = false, blind = k->n == 0;
    for (unsigned i = 0; i < k->n; i++) {
        wait |= keysets_ask(x->env->keysets, x->plan->keysets[i],
                            kid.p ? kid : SV(""), k->node_ms) == KEYSET_WAIT;
        blind |= !k->images[i];
    }
    struct jwt_stats *stats = &lane_of(x)->stats;
    if (wait) return wait_for(x);
    if (!blind) return deny(x, REASON_INVALID_SIGNATURE, SV(""));
    count(&stats->verdicts[JWT_VERDICT_NO_KEYS]);
    return VERDICT_FAULT;
}

static bool may_be_new_key(const struct jws *jws, enum jose_verdict v,
                           bool is_known)
{
    if (v == JOSE_KEY_UNKNOWN || v == JOSE_KEY_ALG) return !is_known;
    return jws->kid.p && !is_known && v != JOSE_ALG_NOT_ALLOWED;
}

static enum verdict verify_signature(struct exchange *x,
                                     const struct jwt_keys *k,
                                     const struct jws *jws, struct verified *v)
{
    const struct jwk *by;
    bool is_known;
    enum jose_verdict jose =
        jwt_keys_verify(k, jws, x->plan->jwt->algorithms, x->reactor, &by,
                        &v->until_ms, &is_known);
    if (jose == JOSE_OK) {
        memcpy(v->thumbprint, by->thumbprint, sizeof v->thumbprint);
        return VERDICT_PASS;
    }
    if (jose == JOSE_FAULT) return VERDICT_FAULT;
    if (jose == JOSE_SIGNATURE_WRONG) {
        struct failures_of who = failures_of(x, k->node_ms);
        failures_add(&lane_of(x)->failures, &who);
    }
    if (may_be_new_key(jws, jose, is_known))
        return ask_for_keys(x, k, jws->kid);
    return deny(x, REASON_INVALID_SIGNATURE, SV(""));
}

static enum verdict verify_jws(struct exchange *x, const struct jwt_keys *k,
                               struct sv token, struct arena *a,
                               struct verified *v, const yyjson_val **claims)
{
    struct jws jws;
    if (jws_decode_next(token, &lane_of(x)->memo, a, &jws) != JOSE_OK)
        return deny(x, REASON_INVALID_SIGNATURE, SV(""));
    if (x->plan->jwt->kid_required && !jws.kid.p)
        return deny(x, REASON_MISSING_CLAIM, SV("kid"));
    enum verdict verdict = verify_signature(x, k, &jws, v);
    if (verdict != VERDICT_PASS) return verdict;
    if (claims_decode(jws.payload, a, claims) != JOSE_OK)
        return deny(x, REASON_INVALID_CLAIM, SV(""));
    return VERDICT_PASS;
}

/* Behind a good signature the issuer only says whether the token still holds;
 * without keys its answer is all that is known. */
static enum verdict ask_issuer(struct exchange *x, const struct jwt_keys *k,
                               struct sv token, struct arena *a,
                               struct verified *v, const yyjson_val **claims)
{
    const yyjson_val *answer;
    struct failures_of who = failures_of(x, k->node_ms);
    int64_t until_ms;
    switch (jwt_introspect(x, token, k->node_ms, a, &answer, &until_ms)) {
    case INTROSPECTED_ACTIVE: break;
    case INTROSPECTED_WAIT: return wait_for(x);
    case INTROSPECTED_INACTIVE:
        failures_add(&lane_of(x)->failures, &who);
        return deny(x, REASON_INVALID_TOKEN, SV(""));
    case INTROSPECTED_FAILED:
        count(&lane_of(x)->stats.verdicts[JWT_VERDICT_NO_ANSWER]);
        return VERDICT_FAULT;
    }
    if (until_ms < v->until_ms) v->until_ms = until_ms;
    if (!*claims) *claims = answer;
    return VERDICT_PASS;
}

static enum verdict verify(struct exchange *x, const struct jwt_keys *k,
                           struct sv token, struct arena *a)
{
    const yyjson_val *claims = NULL;
    bool asks = x->plan->jwt->profile.introspection.url.n > 0;
    enum verdict verdict = VERDICT_PASS;
    struct verified *v = ARENA_NEW(a, struct verified);
    if (!v) return VERDICT_FAULT;
    v->until_ms = INT64_MAX;
    if (!asks || k->n) verdict = verify_jws(x, k, token, a, v, &claims);
    if (verdict == VERDICT_PASS && asks)
        verdict = ask_issuer(x, k, token, a, v, &claims);
    if (verdict != VERDICT_PASS) return verdict;
    if (!jwt_facts(x, claims, a, v)) return VERDICT_FAULT;
    memcpy(v->digest, x->digest, sizeof v->digest);
    v->image = x->plan->serial;
    for (unsigned i = 0; i < k->n; i++)
        v->keys[i] = k->images[i] ? k->images[i]->generation : 0;
    const struct verified *kept = verified_put(lane_of(x)->cache, v);
    x->jwt = kept ? kept : v;
    return VERDICT_PASS;
}

/* In memory that is used again by the next token of this reactor. */
static enum verdict verify_first(struct exchange *x, const struct jwt_keys *k,
                                 struct sv token)
{
    struct jwt_lane *lane = lane_of(x);
    struct failures_of who = failures_of(x, k->node_ms);
    struct arena a;
    if (failures_spent(&lane->failures, &who)) {
        x->take.retry_after_s = 1;
        return deny(x, REASON_RATE_LIMITED, SV(""));
    }
    if (!lane->scratch) lane->scratch = mem_alloc_try(JWT_SCRATCH_BYTES);
    if (!lane->scratch) return VERDICT_FAULT;
    arena_init(&a, 0, lane->scratch, JWT_SCRATCH_BYTES);
    count(&lane->stats.misses);
    return verify(x, k, token, &a);
}

/* --- facts and this moment -------------------------------------------------------- */

static enum reason reason_of(enum jose_verdict v)
{
    switch (v) {
    case JOSE_EXPIRED: return REASON_TOKEN_EXPIRED;
    case JOSE_NOT_ACTIVE:
    case JOSE_ISSUED_LATER: return REASON_TOKEN_NOT_ACTIVE;
    case JOSE_EXP_MISSING:
    case JOSE_NBF_MISSING:
    case JOSE_IAT_MISSING: return REASON_MISSING_CLAIM;
    default: return REASON_INVALID_CLAIM;
    }
}

static struct sv claim_of(enum jose_verdict v)
{
    switch (v) {
    case JOSE_EXPIRED:
    case JOSE_EXP_MISSING:
    case JOSE_EXP_FORM: return SV("exp");
    case JOSE_NOT_ACTIVE:
    case JOSE_NBF_MISSING:
    case JOSE_NBF_FORM: return SV("nbf");
    default: return SV("iat");
    }
}

static enum verdict judge_times(struct exchange *x, const struct verified *v)
{
    const struct plan_jwt *p = x->plan->jwt;
    for (unsigned i = 0; i < p->times_n; i++) {
        struct claim_times times = p->times[i];
        times.now_s = x->wall_ms / 1000;
        enum jose_verdict jose = claims_judge_times(&v->times, &times);
        if (jose != JOSE_OK) return deny(x, reason_of(jose), claim_of(jose));
    }
    return VERDICT_PASS;
}

/* What the answer shows as expiresAt. */
static int64_t expires_ms(const struct verified *v)
{
    const double most_s = 253402300799.0; /* the year 9999 */
    unsigned exp = 1u << CLAIM_EXP;
    double at_s = v->times.at_s[CLAIM_EXP];
    if (!(v->times.present & ~v->times.malformed & exp)) return 0;
    return at_s > 0 && at_s <= most_s ? (int64_t)(at_s * 1000) : 0;
}

static enum verdict judge(struct exchange *x)
{
    const struct verified *v = x->jwt;
    enum verdict verdict = judge_times(x, v);
    if (verdict != VERDICT_PASS) return verdict;
    if (v->refused) return deny(x, (enum reason)v->refused, v->refused_claim);
    const struct jwt_rule *rule = jwt_dynamic_refuses(x, v);
    if (rule) return deny(x, REASON_INVALID_CLAIM, rule->shown);
    x->token.expires_ms = expires_ms(v);
    count(&lane_of(x)->stats.verdicts[JWT_VERDICT_OK]);
    return VERDICT_PASS;
}

enum verdict check_jwt(struct exchange *x)
{
    struct sv token;
    struct jwt_keys keys;
    switch (check_credential_find(x, &token)) {
    case FOUND_ONE: break;
    case FOUND_NONE: return check_deny(x, REASON_MISSING_TOKEN);
    case FOUND_UNCLEAR: return check_deny(x, REASON_INVALID_TOKEN);
    case FOUND_NO_ROOM: return VERDICT_FAULT;
    }
    if (token.n > JWS_BYTES_MAX)
        return deny(x, REASON_INVALID_SIGNATURE, SV(""));
    sha256(token, x->digest);
    jwt_keys_view(&keys, x->env, x->plan);
    x->jwt = verified_find(lane_of(x)->cache, x->digest, x->plan->serial);
    if (x->jwt && jwt_keys_same(&keys, x->jwt)) {
        count(&lane_of(x)->stats.hits);
        if (x->plan->jwt->needs_subject)
            subjects_expect(x->env->subjects, x->jwt->subject_key);
        return judge(x);
    }
    x->jwt = NULL;
    enum verdict verdict = verify_first(x, &keys, token);
    return verdict == VERDICT_PASS ? judge(x) : verdict;
}
