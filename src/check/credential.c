/* Step 5: finds the credential and the token that it is the secret of. Form,
 * length and checksum may be judged in the open; beyond them nothing branches
 * on the secret's bytes: it is hashed, and hashes are compared in constant
 * time (live/token.h). */
#include "base/hash.h"
#include "check/check.h"
#include "check/tracked.h"
#include "codec/base62.h"
#include "codec/digest.h"

enum { CREDENTIAL_MAX = 4096 };

/* RFC 9449 7.1: a token that is bound to a key comes as such. */
static struct sv scheme_of(const struct exchange *x)
{
    bool dpop = x->plan->jwt && x->plan->jwt->profile.binding == JWT_DPOP;
    return dpop ? SV("DPoP") : SV("Bearer");
}

enum place_found check_credential_find(struct exchange *x, struct sv *secret)
{
    if (x->door == DOOR_VERIFY) {
        bool bearer;
        *secret = place_without_bearer(x->credential, &bearer);
        if (!bearer)
            *secret = place_without_scheme(*secret, scheme_of(x), &bearer);
        return secret->n ? FOUND_ONE : FOUND_NONE;
    }
    struct place_credential at;
    enum place_found found =
        place_find_as(x->head, &x->plan->auth, scheme_of(x), x->arena, &at);
    x->credential_field = at.field;
    *secret = at.text;
    if (found == FOUND_ONE && x->plan->jwt &&
        place_has_another(x->head, &x->plan->auth, x->arena, at.text))
        return FOUND_UNCLEAR;
    return found;
}

/* Tokens that we made end in six base62 digits of the CRC-32 of what is
 * before (api.md §3): one that somebody made up is refused without a look-up. */
static bool checksum_holds(struct sv secret)
{
    uint32_t said;
    if (secret.n <= BASE62_U32_TEXT) return false;
    struct sv body = sv_first(secret, secret.n - BASE62_U32_TEXT);
    return base62_decode_u32(sv_from(secret, body.n), &said) == 0 &&
           said == crc32_ieee(0, body.p, body.n);
}

void check_credential_ahead(struct exchange *x)
{
    _Static_assert(sizeof x->digest == SHA256_BYTES, "digest");
    x->sought = true;
    x->found = check_credential_find(x, &x->secret);
    if (x->found != FOUND_ONE) return;
    if (x->secret.n > CREDENTIAL_MAX) {
        x->found = FOUND_UNCLEAR;
        return;
    }
    sha256(x->secret, x->digest);
    tokens_ahead(x->env->tokens, x->plan->app.num, x->digest);
}

enum verdict check_credential(struct exchange *x)
{
    if (!x->sought) check_credential_ahead(x);
    switch (x->found) {
    case FOUND_ONE: break;
    case FOUND_NONE: return check_deny(x, REASON_MISSING_TOKEN);
    case FOUND_UNCLEAR: return check_deny(x, REASON_INVALID_TOKEN);
    case FOUND_NO_ROOM: return VERDICT_FAULT;
    }
    if (x->plan->checksum && !checksum_holds(x->secret))
        return check_deny(x, REASON_INVALID_TOKEN);
    x->has_token = tokens_find(x->env->tokens, x->plan->app.num, x->digest,
                               x->wall_ms, &x->token);
    if (!x->has_token) return check_deny(x, REASON_INVALID_TOKEN);
    check_expect(x);
    return VERDICT_PASS;
}
