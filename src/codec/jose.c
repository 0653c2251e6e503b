/* The tables behind codec/jose.h, and what codec/jose_int.h tells of each
 * algorithm. */
#include "codec/jose.h"

#include "base/ensure.h"
#include "base/err.h"
#include "codec/jose_int.h"

static const struct jose_alg_row rows[JOSE_ALG_COUNT] = {
    [JOSE_RS256] = { "RS256", JOSE_KTY_RSA, 0, JOSE_SHA256, false },
    [JOSE_RS384] = { "RS384", JOSE_KTY_RSA, 0, JOSE_SHA384, false },
    [JOSE_RS512] = { "RS512", JOSE_KTY_RSA, 0, JOSE_SHA512, false },
    [JOSE_PS256] = { "PS256", JOSE_KTY_RSA, 0, JOSE_SHA256, true },
    [JOSE_PS384] = { "PS384", JOSE_KTY_RSA, 0, JOSE_SHA384, true },
    [JOSE_PS512] = { "PS512", JOSE_KTY_RSA, 0, JOSE_SHA512, true },
    [JOSE_ES256] = { "ES256", JOSE_KTY_EC, JOSE_P256, JOSE_SHA256, false },
    [JOSE_ES384] = { "ES384", JOSE_KTY_EC, JOSE_P384, JOSE_SHA384, false },
    [JOSE_ES512] = { "ES512", JOSE_KTY_EC, JOSE_P521, JOSE_SHA512, false },
    [JOSE_HS256] = { "HS256", JOSE_KTY_OCT, 0, JOSE_SHA256, false },
    [JOSE_HS384] = { "HS384", JOSE_KTY_OCT, 0, JOSE_SHA384, false },
    [JOSE_HS512] = { "HS512", JOSE_KTY_OCT, 0, JOSE_SHA512, false },
    [JOSE_EDDSA] = { "EdDSA", JOSE_KTY_OKP, 0, 0, false },
    [JOSE_ED25519] = { "Ed25519", JOSE_KTY_OKP, JOSE_C25519, 0, false },
    [JOSE_ED448] = { "Ed448", JOSE_KTY_OKP, JOSE_C448, 0, false },
};

const struct jose_alg_row *jose_alg_row(enum jose_alg alg)
{
    ENSURE(alg < JOSE_ALG_COUNT);
    return &rows[alg];
}

const char *jose_alg_name(enum jose_alg alg)
{
    return jose_alg_row(alg)->name;
}

bool jose_alg_find(struct sv name, enum jose_alg *out)
{
    for (enum jose_alg alg = 0; alg < JOSE_ALG_COUNT; alg++)
        if (sv_eq(name, sv_cstr(rows[alg].name))) {
            *out = alg;
            return true;
        }
    return false;
}

int jose_algs_decode(struct sv list, uint32_t *out, struct sv *unknown)
{
    uint32_t algs = 0;
    do {
        struct sv rest, name = sv_trim(sv_cut(list, ',', &rest));
        enum jose_alg alg;
        if (!jose_alg_find(name, &alg)) {
            if (unknown) *unknown = name;
            return ERR_INVALID;
        }
        algs |= 1u << alg;
        list = rest;
    } while (list.p);
    *out = algs;
    return 0;
}

static const struct {
    const char *code, *text;
} verdicts[JOSE_VERDICT_COUNT] = {
#define X(name, code, text) { code, text },
    JOSE_VERDICTS(X)
#undef X
};

const char *jose_verdict_code(enum jose_verdict v)
{
    ENSURE(v < JOSE_VERDICT_COUNT);
    return verdicts[v].code;
}

const char *jose_verdict_text(enum jose_verdict v)
{
    ENSURE(v < JOSE_VERDICT_COUNT);
    return verdicts[v].text;
}
