/* Signing on EVP. As in jws_signature.c what OpenSSL looks up by name is
 * looked up once; a lane keeps the contexts that it signs with. The public
 * key is computed here, not stored: a seed cannot come apart from it. */
#include "codec/jws_sign.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/secret.h"
#include "codec/base64url.h"
#include "codec/digest.h"
#include "codec/jwk.h"
#include "codec/jws.h"

enum {
    HALF = 32, /* r, s, x, y, d */
    POINT = 1 + 2 * HALF,
    DER_MAX = 2 + 2 * (2 + 1 + HALF),
    JWK_TEXT = 320,
    KID_CHARS = (JWK_THUMBPRINT_BYTES * 4 + 2) / 3,
};

struct jws_signer {
    enum jose_alg alg;
    EVP_PKEY *key;
    char kid[KID_CHARS], jwk[JWK_TEXT];
    size_t jwk_n;
    unsigned lanes;
    struct signing {
        EVP_PKEY_CTX *ec;
        EVP_MD_CTX *okp;
    } at[]; /* by lane */
};

static const char *curve_of(enum jose_alg alg)
{
    return alg == JOSE_ES256 ? "P-256" : "Ed25519";
}

/* --- keys -------------------------------------------------------------------- */

static EC_GROUP *p256(void)
{
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    ENSURE(g);
    return g;
}

/* 0 < d < order; else NULL. */
static BIGNUM *scalar_take(const EC_GROUP *g, const uint8_t seed[HALF])
{
    BIGNUM *d = BN_secure_new();
    ENSURE(d && BN_bin2bn(seed, HALF, d));
    BN_set_flags(d, BN_FLG_CONSTTIME);
    if (!BN_is_zero(d) && BN_cmp(d, EC_GROUP_get0_order(g)) < 0) return d;
    BN_clear_free(d);
    return NULL;
}

static EVP_PKEY *ec_from(const BIGNUM *d, const uint8_t point[POINT])
{
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    ENSURE(b &&
           OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME,
                                           "P-256", 0) &&
           OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point,
                                            POINT) &&
           OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d));
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    ENSURE(params && c && EVP_PKEY_fromdata_init(c) == 1);
    if (EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params) != 1) key = NULL;
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    return key;
}

/* x || y of d * G. */
static int ec_make(struct jws_signer *s, const uint8_t seed[HALF],
                   uint8_t public[2 * HALF])
{
    EC_GROUP *g = p256();
    BIGNUM *d = scalar_take(g, seed);
    uint8_t point[POINT];
    if (d) {
        EC_POINT *q = EC_POINT_new(g);
        ENSURE(q && EC_POINT_mul(g, q, d, NULL, NULL, NULL) == 1 &&
               EC_POINT_point2oct(g, q, POINT_CONVERSION_UNCOMPRESSED, point,
                                  POINT, NULL) == POINT);
        EC_POINT_free(q);
        s->key = ec_from(d, point);
        memcpy(public, point + 1, POINT - 1);
    }
    BN_clear_free(d);
    EC_GROUP_free(g);
    return !d ? ERR_INVALID : s->key ? 0 : ERR_CRYPTO;
}

static int okp_make(struct jws_signer *s, const uint8_t seed[HALF],
                    uint8_t public[HALF])
{
    size_t n = HALF;
    s->key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, HALF);
    if (!s->key || EVP_PKEY_get_raw_public_key(s->key, public, &n) != 1)
        return ERR_CRYPTO;
    return 0;
}

void jws_seed_make(enum jose_alg alg, uint8_t seed[JWS_SEED_BYTES])
{
    EC_GROUP *g = p256();
    BIGNUM *d = NULL;
    while (!d) { /* once, but with a chance of 2^-32 */
        rand_bytes(seed, JWS_SEED_BYTES);
        if (alg != JOSE_ES256) break;
        d = scalar_take(g, seed);
    }
    BN_clear_free(d);
    EC_GROUP_free(g);
}

static void put_number(struct buf *b, const char *name, const uint8_t *number)
{
    char text[(HALF * 4 + 2) / 3];
    base64url_encode(sv_of(number, HALF), text);
    buf_printf(b, ",\"%s\":\"", name);
    buf_put(b, sv_of(text, sizeof text));
    buf_putc(b, '"');
}

/* The verifier reads what we publish, names it, and must find our own
 * signature good: nothing is published that would not serve. */
static int publish(struct jws_signer *s, const uint8_t *public)
{
    struct buf b;
    struct jwk_set *set;
    struct jwk_why why;
    buf_init_fixed(&b, s->jwk, sizeof s->jwk);
    buf_printf(&b, "{\"kty\":\"%s\",\"crv\":\"%s\"",
               s->alg == JOSE_ES256 ? "EC" : "OKP", curve_of(s->alg));
    put_number(&b, "x", public);
    if (s->alg == JOSE_ES256) put_number(&b, "y", public + HALF);
    buf_printf(&b, ",\"alg\":\"%s\",\"use\":\"sig\"}", jose_alg_name(s->alg));
    if (jwk_set_decode(buf_sv(&b), 1, &set, &why)) return ERR_CRYPTO;
    base64url_encode(sv_of(set->keys[0].thumbprint, JWK_THUMBPRINT_BYTES),
                     s->kid);
    struct jws probe = { .alg = s->alg, .input = SV("probe") };
    uint8_t signature[JWS_SIGNED_BYTES];
    int err = jws_signature_make(s, 0, probe.input, signature);
    probe.signature = sv_of(signature, sizeof signature);
    if (!err && jws_verify(&probe, set, 1u << s->alg, 0, NULL) != JOSE_OK)
        err = ERR_CRYPTO;
    jwk_set_free(&set);
    b.n--; /* the brace */
    buf_puts(&b, ",\"kid\":\"");
    buf_put(&b, jws_signer_kid(s));
    buf_puts(&b, "\"}");
    ENSURE(!b.overflow);
    s->jwk_n = b.n;
    return err;
}

int jws_signer_new(struct jws_signer **out, enum jose_alg alg,
                   const uint8_t seed[JWS_SEED_BYTES], unsigned lanes)
{
    uint8_t public[2 * HALF];
    ENSURE(lanes > 0);
    *out = NULL;
    if (alg != JOSE_ES256 && alg != JOSE_EDDSA) return ERR_INVALID;
    struct jws_signer *s =
        mem_zalloc(sizeof *s + lanes * sizeof(struct signing));
    s->alg = alg;
    s->lanes = lanes;
    int err = alg == JOSE_ES256 ? ec_make(s, seed, public)
                                : okp_make(s, seed, public);
    if (!err) err = publish(s, public);
    ERR_clear_error();
    if (err) jws_signer_free(&s);
    *out = s;
    return err;
}

void jws_signer_free(struct jws_signer **at)
{
    struct jws_signer *s = *at;
    if (!s) return;
    for (unsigned i = 0; i < s->lanes; i++) {
        EVP_PKEY_CTX_free(s->at[i].ec);
        EVP_MD_CTX_free(s->at[i].okp);
    }
    EVP_PKEY_free(s->key);
    mem_free(s);
    *at = NULL;
}

struct sv jws_signer_kid(const struct jws_signer *s)
{
    return sv_of(s->kid, sizeof s->kid);
}

struct sv jws_signer_jwk(const struct jws_signer *s)
{
    return sv_of(s->jwk, s->jwk_n);
}

/* --- signatures ---------------------------------------------------------------- */

/* One INTEGER of a DER signature to its 32 bytes; NULL: not one. */
static const uint8_t *number_take(const uint8_t *at, const uint8_t *end,
                                  uint8_t out[HALF])
{
    if (end - at < 2 || at[0] != 0x02 || end - at < 2 + at[1]) return NULL;
    size_t n = at[1];
    at += 2;
    const uint8_t *next = at + n;
    while (n > HALF && *at == 0) {
        at++;
        n--;
    }
    if (n > HALF) return NULL;
    memset(out, 0, HALF - n);
    memcpy(out + HALF - n, at, n);
    return next;
}

static int ec_sign(struct jws_signer *s, struct signing *l, struct sv input,
                   uint8_t out[JWS_SIGNED_BYTES])
{
    uint8_t hash[SHA256_BYTES], der[DER_MAX];
    size_t n = sizeof der;
    if (!l->ec) {
        l->ec = EVP_PKEY_CTX_new_from_pkey(NULL, s->key, NULL);
        if (!l->ec || EVP_PKEY_sign_init(l->ec) != 1) return ERR_CRYPTO;
    }
    sha256(input, hash);
    if (EVP_PKEY_sign(l->ec, der, &n, hash, sizeof hash) != 1)
        return ERR_CRYPTO;
    const uint8_t *at = der + 2, *end = der + n;
    at = number_take(at, end, out);
    if (at) at = number_take(at, end, out + HALF);
    return at == end ? 0 : ERR_CRYPTO;
}

static int okp_sign(struct jws_signer *s, struct signing *l, struct sv input,
                    uint8_t out[JWS_SIGNED_BYTES])
{
    size_t n = JWS_SIGNED_BYTES;
    if (!l->okp) l->okp = EVP_MD_CTX_new();
    /* anew each time: see okp_init in jws_signature.c */
    if (!l->okp || EVP_MD_CTX_reset(l->okp) != 1 ||
        EVP_DigestSignInit_ex(l->okp, NULL, NULL, NULL, NULL, s->key, NULL) !=
            1)
        return ERR_CRYPTO;
    return EVP_DigestSign(l->okp, out, &n, (const void *)input.p, input.n) ==
                       1 &&
                   n == JWS_SIGNED_BYTES
               ? 0
               : ERR_CRYPTO;
}

int jws_signature_make(struct jws_signer *s, unsigned lane, struct sv input,
                       uint8_t out[JWS_SIGNED_BYTES])
{
    ENSURE(lane < s->lanes);
    struct signing *l = &s->at[lane];
    int err = s->alg == JOSE_ES256 ? ec_sign(s, l, input, out)
                                   : okp_sign(s, l, input, out);
    if (err) ERR_clear_error();
    return err;
}

static void put_base64url(struct buf *out, struct sv bytes)
{
    size_t n = base64url_encoded_chars(bytes.n);
    char *to = buf_reserve(out, n);
    if (!to) return;
    base64url_encode(bytes, to);
    out->n += n;
}

int jws_sign(struct jws_signer *s, unsigned lane, struct sv typ,
             struct sv payload, struct buf *out)
{
    char text[192];
    struct buf head;
    uint8_t signature[JWS_SIGNED_BYTES];
    const size_t start = out->n;
    buf_init_fixed(&head, text, sizeof text);
    buf_printf(&head, "{\"alg\":\"%s\",\"typ\":\"%.*s\",\"kid\":\"%.*s\"}",
               jose_alg_name(s->alg), SV_FMT(typ), SV_FMT(jws_signer_kid(s)));
    ENSURE(!head.overflow);
    put_base64url(out, buf_sv(&head));
    buf_putc(out, '.');
    put_base64url(out, payload);
    if (out->overflow) return ERR_TOOBIG;
    int err = jws_signature_make(s, lane, buf_since(out, start), signature);
    if (err) return err;
    buf_putc(out, '.');
    put_base64url(out, sv_of(signature, sizeof signature));
    return out->overflow ? ERR_TOOBIG : 0;
}
