/* Tokens: no input breaks the reader; what it takes is spelled in the one
 * canonical way; and only what OpenSSL's one-shot HMAC confirms verifies. */
#include <openssl/evp.h>
#include <stdlib.h>

#include "codec/base64url.h"
#include "codec/claims.h"
#include "codec/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

/* Of RFC 7515 A.1 and A.3 and RFC 8037 A.2. A token's kid that no key has
 * still finds them: none has one. */
static const char keys_text[] =
    "{\"keys\":["
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0"
    "gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static bool encodes_to(struct sv bytes, struct sv text)
{
    static char back[JWS_BYTES_MAX];
    base64url_encode(bytes, back);
    return sv_eq(sv_of(back, base64url_encoded_chars(bytes.n)), text);
}

static void agrees_with_openssl(const struct jws *t, enum jose_verdict v)
{
    static const char *const hash[] = { "SHA256", "SHA384", "SHA512" };
    uint8_t secret[64], mac[64];
    size_t n = sizeof mac;
    if (t->alg < JOSE_HS256 || t->alg > JOSE_HS512) return;
    must(!base64url_decode(sv_of(strstr(keys_text, "AyM1"), 86), secret));
    must(EVP_Q_mac(NULL, "HMAC", NULL, hash[t->alg - JOSE_HS256], NULL, secret,
                   sizeof secret, (const void *)t->input.p, t->input.n, mac,
                   sizeof mac, &n) != NULL);
    must((v == JOSE_OK) == sv_eq(t->signature, sv_of(mac, n)));
}

/* One memo for all inputs: what it holds is of the ones before. */
static void same_with_memo(struct sv token, const struct jws *t,
                           enum jose_verdict v)
{
    static struct jws_memo memo;
    for (int i = 0; i < 2; i++) {
        struct arena a;
        struct jws next;
        arena_init(&a, JWS_ARENA_BYTES, NULL, 0);
        must(jws_decode_next(token, &memo, &a, &next) == v);
        must(v != JOSE_OK ||
             (next.alg == t->alg && sv_eq(next.kid, t->kid) &&
              !next.kid.p == !t->kid.p && sv_eq(next.payload, t->payload)));
        arena_fini(&a);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwk_set *keys;
    struct jwk_why why;
    struct arena a;
    struct jws t;
    const yyjson_val *claims;
    if (!keys) must(!jwk_set_decode(sv_cstr(keys_text), 1, &keys, &why));
    arena_init(&a, JWS_ARENA_BYTES, NULL, 0);
    enum jose_verdict v = jws_decode(sv_of(data, size), &a, &t);
    must(v != JOSE_MEMORY);
    same_with_memo(sv_of(data, size), &t, v);
    if (v == JOSE_OK) {
        struct sv rest = sv_from(sv_of(data, size), t.input.n + 1), payload;
        sv_cut(t.input, '.', &payload);
        must(encodes_to(t.signature, rest) && encodes_to(t.payload, payload));
        v = jws_verify(&t, keys, JOSE_ALGS_ALL, 0, NULL);
        must(v != JOSE_FAULT);
        agrees_with_openssl(&t, v);
        if (claims_decode(t.payload, &a, &claims) == JOSE_OK)
            claims_check_times(claims,
                               &(struct claim_times){ .now_s = 1 << 30 });
    }
    arena_fini(&a);
    return 0;
}
