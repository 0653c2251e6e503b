/* Asking a token's issuer whether it holds (RFC 7662), for a token that the
 * cache of verified tokens does not know. The answer comes by another thread;
 * meanwhile the exchange waits as it does for keys. */
#include "check/check.h"
#include "check/jwt.h"
#include "codec/digest.h"
#include "live/introspection.h"

static void ask_make(const struct exchange *x, struct sv token,
                     struct introspection_ask *out)
{
    const struct plan_jwt *p = x->plan->jwt;
    const struct sv parts[] = { p->profile.introspection.url, SV("\n"),
                                p->introspection_authorization, SV("\n"),
                                sv_of(x->digest, sizeof x->digest) };
    *out = (struct introspection_ask){
        .url = p->profile.introspection.url,
        .authorization = p->introspection_authorization,
        .token = token,
        .cache_s = p->profile.introspection.cache_s,
    };
    _Static_assert(sizeof out->key == SHA256_BYTES, "key");
    sha256_parts(parts, sizeof parts / sizeof *parts, out->key);
}

/* An answer is not believed longer than the token says that it holds. */
static int64_t until_ms(const struct exchange *x, const yyjson_val *answer,
                        int64_t node_ms, int64_t until)
{
    struct claims_named named;
    struct claim_moments times;
    claims_find_named(answer, &named);
    claims_read_times(&named, &times);
    unsigned exp = 1u << CLAIM_EXP;
    if (!(times.present & ~times.malformed & exp)) return until;
    double left_ms = times.at_s[CLAIM_EXP] * 1000 - (double)x->wall_ms;
    if (left_ms >= (double)(until - node_ms)) return until;
    return left_ms > 0 ? node_ms + (int64_t)left_ms : node_ms;
}

enum introspected jwt_introspect(struct exchange *x, struct sv token,
                                 int64_t node_ms, struct arena *a,
                                 const yyjson_val **answer, int64_t *until)
{
    struct introspection_ask ask;
    struct introspection_known known;
    if (!x->env->introspections) return INTROSPECTED_FAILED;
    ask_make(x, token, &ask);
    switch (
        introspections_ask(x->env->introspections, &ask, node_ms, a, &known)) {
    case INTROSPECTION_WAIT: return INTROSPECTED_WAIT;
    case INTROSPECTION_FAILED: return INTROSPECTED_FAILED;
    case INTROSPECTION_KNOWN: break;
    }
    if (!known.active) return INTROSPECTED_INACTIVE;
    if (claims_decode(known.text, a, answer) != JOSE_OK)
        return INTROSPECTED_FAILED;
    *until = until_ms(x, *answer, node_ms, known.until_ms);
    return INTROSPECTED_ACTIVE;
}
