/* Judging a DPoP proof, the cheap before the dear: see dpop.h. */
#include "codec/dpop.h"

#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "codec/base64url.h"
#include "codec/claims.h"
#include "codec/digest.h"
#include "codec/jose_int.h"
#include "codec/jws.h"

enum {
    JTI_MAX = 256,
    URL_MAX = 8 * 1024,
    HASH_CHARS = (SHA256_BYTES * 4 + 2) / 3,
};
static const uint32_t algs_taken =
    1u << JOSE_ES256 | 1u << JOSE_EDDSA | 1u << JOSE_ED25519;

const char *dpop_verdict_text(enum dpop_verdict v)
{
    static const char *const texts[DPOP_VERDICT_COUNT] = {
#define X(name, member, text) [DPOP_##name] = text,
        DPOP_VERDICTS(X)
#undef X
    };
    return texts[v];
}

struct sv dpop_verdict_member(enum dpop_verdict v)
{
    static const char *const members[DPOP_VERDICT_COUNT] = {
#define X(name, member, text) [DPOP_##name] = member,
        DPOP_VERDICTS(X)
#undef X
    };
    return sv_cstr(members[v]);
}

/* --- the header ------------------------------------------------------------------ */

static enum dpop_verdict form_judge(struct sv proof, struct arena *a,
                                    struct jws *out)
{
    if (proof.n > DPOP_BYTES_MAX) return DPOP_FORM;
    enum jose_verdict v = jws_decode(proof, a, out);
    if (v == JOSE_MEMORY) return DPOP_MEMORY;
    if (v == JOSE_ALG_NONE || v == JOSE_ALG_UNKNOWN || v == JOSE_ALG_MISSING)
        return DPOP_ALG;
    if (v != JOSE_OK) return DPOP_FORM;
    if (!sv_eq(json_text(json_find(out->header, "typ")), SV("dpop+jwt")))
        return DPOP_TYP;
    return algs_taken >> out->alg & 1 ? DPOP_OK : DPOP_ALG;
}

static enum dpop_verdict key_judge(const struct jws *proof,
                                   const struct dpop_ask *ask, struct arena *a,
                                   struct jwk_parts *out)
{
    uint8_t thumbprint[JWK_THUMBPRINT_BYTES];
    const yyjson_val *jwk = json_find(proof->header, "jwk");
    const struct jose_alg_row *row = jose_alg_row(proof->alg);
    if (jwk_parts_decode(jwk, a, out)) return DPOP_JWK;
    enum jose_curve curve = row->kty == JOSE_KTY_EC ? row->curve : JOSE_C25519;
    if (out->is_private || out->kty != row->kty || out->curve != curve ||
        !(out->algs >> proof->alg & 1))
        return DPOP_JWK;
    /* so that their text is as long as a thumbprint's may be */
    size_t bytes = jose_curve_row(curve)->bytes;
    if (out->x.n != bytes || (out->kty == JOSE_KTY_EC && out->y.n != bytes))
        return DPOP_JWK;
    jwk_parts_thumbprint(out, thumbprint);
    return mem_equal_ct(thumbprint, ask->jkt, sizeof thumbprint) ? DPOP_OK
                                                                 : DPOP_KEY;
}

/* --- the claims ------------------------------------------------------------------- */

static bool url_holds(struct sv htu, struct sv url)
{
    char said_text[URL_MAX], asked_text[URL_MAX];
    struct buf said, asked;
    buf_init_fixed(&said, said_text, sizeof said_text);
    buf_init_fixed(&asked, asked_text, sizeof asked_text);
    if (!dpop_url_put(htu, &said) || !dpop_url_put(url, &asked)) return false;
    struct sv s = buf_sv(&said), u = buf_sv(&asked);
    if (s.p[0] == '/') return false; /* a htu is absolute */
    if (u.p[0] != '/') return sv_eq(s, u);
    /* only the path is known */
    size_t host = sv_find(s, ':') + 3;
    return sv_eq(sv_from(sv_from(s, host), sv_find(sv_from(s, host), '/')), u);
}

static bool time_holds(const yyjson_val *iat, const struct dpop_ask *ask,
                       struct dpop_proof *out)
{
    if (!yyjson_is_num((yyjson_val *)(uintptr_t)iat)) return false;
    double at = yyjson_get_num((yyjson_val *)(uintptr_t)iat);
    int64_t skew =
        ask->skew_s > DPOP_SKEW_MIN_S ? ask->skew_s : DPOP_SKEW_MIN_S;
    int64_t least = ask->now_s - DPOP_AGE_MAX_S - skew;
    if (!(at >= (double)least && at <= (double)(ask->now_s + skew)))
        return false;
    out->until_s = (int64_t)at + DPOP_AGE_MAX_S + skew + 1;
    return true;
}

static bool hash_holds(struct sv ath, struct sv access_token)
{
    uint8_t digest[SHA256_BYTES];
    char text[HASH_CHARS];
    sha256(access_token, digest);
    base64url_encode(sv_of(digest, sizeof digest), text);
    return sv_eq(ath, sv_of(text, sizeof text));
}

static enum dpop_verdict claims_judge(const yyjson_val *claims,
                                      const struct dpop_ask *ask,
                                      struct dpop_proof *out)
{
    struct sv jti = json_text(json_find(claims, "jti"));
    if (jti.n == 0 || jti.n > JTI_MAX) return DPOP_JTI;
    if (!sv_eq(json_text(json_find(claims, "htm")), ask->method))
        return DPOP_HTM;
    if (!url_holds(json_text(json_find(claims, "htu")), ask->url))
        return DPOP_HTU;
    if (!time_holds(json_find(claims, "iat"), ask, out)) return DPOP_IAT;
    if (!hash_holds(json_text(json_find(claims, "ath")), ask->access_token))
        return DPOP_ATH;
    uint8_t digest[SHA256_BYTES];
    struct sv parts[] = { sv_of(ask->jkt, JWK_THUMBPRINT_BYTES), jti };
    sha256_parts(parts, ARRAY_LEN(parts), digest);
    memcpy(out->key, digest, sizeof out->key);
    return DPOP_OK;
}

/* --- the signature ------------------------------------------------------------------ */

static enum dpop_verdict signature_judge(const struct jws *proof,
                                         const struct jwk_parts *parts)
{
    struct jwk key;
    const char *reason;
    if (jwk_make(parts, 1, &key, &reason)) return DPOP_JWK;
    enum dpop_verdict v = DPOP_JWK;
    if (key.algs >> proof->alg & 1)
        v = jose_signature_check(&key, proof->alg, 0, proof->input,
                                 proof->signature) == JOSE_OK
                ? DPOP_OK
                : DPOP_SIGNATURE;
    jwk_drop(&key);
    return v;
}

enum dpop_verdict dpop_judge(struct sv proof, const struct dpop_ask *ask,
                             struct arena *a, struct dpop_proof *out)
{
    struct jws jws;
    struct jwk_parts parts;
    const yyjson_val *claims;
    *out = (struct dpop_proof){ .until_s = 0 };
    enum dpop_verdict v = form_judge(proof, a, &jws);
    if (v == DPOP_OK) v = key_judge(&jws, ask, a, &parts);
    if (v != DPOP_OK) return v;
    enum jose_verdict jose = claims_decode(jws.payload, a, &claims);
    if (jose != JOSE_OK) return jose == JOSE_MEMORY ? DPOP_MEMORY : DPOP_CLAIMS;
    v = claims_judge(claims, ask, out);
    return v == DPOP_OK ? signature_judge(&jws, &parts) : v;
}
