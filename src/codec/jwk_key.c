/* From numbers to a prepared key: the one place that judges keys. Every key,
 * also one out of a certificate, is built anew from its numbers on a curve
 * that we name, so parameters that travel inside a PEM have no effect. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/base64url.h"
#include "codec/digest.h"
#include "codec/jose_int.h"

enum {
    EXPONENT_MIN = 65537,
    EXPONENT_BYTES_MAX = 4,
    THUMBPRINT_TEXT_MAX = 2 * JWK_SECRET_BYTES_MAX, /* an RSA n is no longer */
};

static const struct jose_curve_row curves[JOSE_CURVE_COUNT] = {
    [JOSE_P256] = { "P-256", "P-256", JOSE_KTY_EC, 32, 64 },
    [JOSE_P384] = { "P-384", "P-384", JOSE_KTY_EC, 48, 96 },
    [JOSE_P521] = { "P-521", "P-521", JOSE_KTY_EC, 66, 132 },
    [JOSE_C25519] = { "Ed25519", "ED25519", JOSE_KTY_OKP, 32, 64 },
    [JOSE_C448] = { "Ed448", "ED448", JOSE_KTY_OKP, 57, 114 },
};

const struct jose_curve_row *jose_curve_row(enum jose_curve curve)
{
    ENSURE(curve < JOSE_CURVE_COUNT);
    return &curves[curve];
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    ENSURE(params && c && EVP_PKEY_fromdata_init(c) == 1);
    if (EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(params);
    return key;
}

/* The library's own validation: of EC the equation and the order, of RSA that
 * of NIST SP 800-89 (odd, no small factor, composite). */
static bool is_valid(EVP_PKEY *key)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    ENSURE(c);
    bool ok = EVP_PKEY_public_check(c) == 1;
    EVP_PKEY_CTX_free(c);
    return ok;
}

static struct sv without_zeros(struct sv s)
{
    while (s.n && s.p[0] == 0) s = sv_from(s, 1);
    return s;
}

static unsigned bits_of(struct sv number)
{
    unsigned top = number.n ? (uint8_t)number.p[0] : 0, bits = 0;
    for (; top; top >>= 1) bits++;
    return (unsigned)(number.n ? (number.n - 1) * 8 : 0) + bits;
}

static bool exponent_is_good(struct sv e)
{
    uint64_t v = 0;
    if (e.n == 0 || e.n > EXPONENT_BYTES_MAX) return false;
    for (size_t i = 0; i < e.n; i++) v = v << 8 | (uint8_t)e.p[i];
    return v >= EXPONENT_MIN && v % 2 == 1;
}

static const char *rsa_make(struct jwk_parts *p, struct jwk_inner *in)
{
    p->n = without_zeros(p->n);
    p->e = without_zeros(p->e);
    unsigned bits =
        p->n.n > JWK_RSA_BITS_MAX / 8 ? JWK_RSA_BITS_MAX + 1 : bits_of(p->n);
    if (bits < JWK_RSA_BITS_MIN) return "an RSA key below 2048 bits";
    if (bits > JWK_RSA_BITS_MAX) return "an RSA key above 8192 bits";
    if (!exponent_is_good(p->e))
        return "an RSA exponent that is even, below 65537 or above 32 bits";
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn((const void *)p->n.p, (int)p->n.n, NULL);
    BIGNUM *e = BN_bin2bn((const void *)p->e.p, (int)p->e.n, NULL);
    ENSURE(b && n && e && OSSL_PARAM_BLD_push_BN(b, "n", n) &&
           OSSL_PARAM_BLD_push_BN(b, "e", e));
    in->pkey = from_params("RSA", b);
    OSSL_PARAM_BLD_free(b);
    BN_free(n);
    BN_free(e);
    in->signature_bytes = p->n.n;
    return in->pkey && is_valid(in->pkey) ? NULL
                                          : "an RSA modulus that is "
                                            "even, prime or has a "
                                            "small factor";
}

static const char *ec_make(struct jwk_parts *p, struct jwk_inner *in)
{
    const struct jose_curve_row *row = jose_curve_row(p->curve);
    uint8_t point[1 + 2 * JOSE_COORDINATE_MAX] = { 4 };
    if (p->x.n != row->bytes || p->y.n != row->bytes)
        return "a coordinate of the wrong length";
    memcpy(point + 1, p->x.p, row->bytes);
    memcpy(point + 1 + row->bytes, p->y.p, row->bytes);
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    ENSURE(b &&
           OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME,
                                           row->group, 0) &&
           OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point,
                                            1 + 2 * row->bytes));
    in->pkey = from_params("EC", b);
    OSSL_PARAM_BLD_free(b);
    if (!in->pkey || !is_valid(in->pkey)) return "a point off the curve";
    BIGNUM *order = NULL;
    ENSURE(EVP_PKEY_get_bn_param(in->pkey, OSSL_PKEY_PARAM_EC_ORDER, &order) ==
               1 &&
           BN_bn2binpad(order, in->order, (int)row->bytes) > 0);
    BN_free(order);
    in->coordinate_bytes = row->bytes;
    in->signature_bytes = row->signature_bytes;
    return NULL;
}

static const char *okp_make(struct jwk_parts *p, struct jwk_inner *in)
{
    const struct jose_curve_row *row = jose_curve_row(p->curve);
    if (p->x.n != row->bytes) return "a coordinate of the wrong length";
    if (!jwk_okp_is_good(p->curve, p->x))
        return "a point off the curve, or of small order";
    in->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, row->group, NULL,
                                              (const void *)p->x.p, p->x.n);
    in->signature_bytes = row->signature_bytes;
    return in->pkey ? NULL : "an Edwards key that OpenSSL refuses";
}

static const char *oct_make(struct jwk_parts *p, struct jwk_inner *in)
{
    if (p->k.n > JWK_SECRET_BYTES_MAX) return "a secret above 1024 bytes";
    secret_take_copy(&in->secret, p->k.p, p->k.n);
    return NULL;
}

/* Those of the key's own words that its kind, curve and size can serve. */
static uint32_t algs_of(const struct jwk_parts *p)
{
    uint32_t algs = 0;
    for (enum jose_alg alg = 0; alg < JOSE_ALG_COUNT; alg++) {
        const struct jose_alg_row *row = jose_alg_row(alg);
        bool fits =
            row->kty == p->kty && (!row->curve || row->curve == p->curve) &&
            (p->kty != JOSE_KTY_OCT || p->k.n >= jose_hash_bytes(row->hash));
        if (fits) algs |= 1u << alg;
    }
    return algs & p->algs;
}

static void put_number(struct buf *b, struct sv bytes)
{
    size_t n = base64url_encoded_chars(bytes.n);
    char *to = buf_reserve(b, n);
    ENSURE(to);
    base64url_encode(bytes, to);
    b->n += n;
}

/* RFC 7638: the needed members alone, in the order of their names. */
void jwk_parts_thumbprint(const struct jwk_parts *p,
                          uint8_t out[JWK_THUMBPRINT_BYTES])
{
    char text[THUMBPRINT_TEXT_MAX];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    if (p->curve)
        buf_printf(&b, "{\"crv\":\"%s\",\"kty\":\"%s\",\"x\":\"",
                   jose_curve_row(p->curve)->name,
                   p->kty == JOSE_KTY_EC ? "EC" : "OKP");
    switch (p->kty) {
    case JOSE_KTY_EC:
        put_number(&b, p->x);
        buf_puts(&b, "\",\"y\":\"");
        put_number(&b, p->y);
        buf_puts(&b, "\"}");
        break;
    case JOSE_KTY_OKP:
        put_number(&b, p->x);
        buf_puts(&b, "\"}");
        break;
    case JOSE_KTY_RSA:
        buf_puts(&b, "{\"e\":\"");
        put_number(&b, p->e);
        buf_puts(&b, "\",\"kty\":\"RSA\",\"n\":\"");
        put_number(&b, p->n);
        buf_puts(&b, "\"}");
        break;
    case JOSE_KTY_OCT:
        buf_puts(&b, "{\"k\":\"");
        put_number(&b, p->k);
        buf_puts(&b, "\",\"kty\":\"oct\"}");
        break;
    }
    ENSURE(!b.overflow);
    sha256(buf_sv(&b), out);
    mem_wipe(text, sizeof text);
}

static const char *parts_make(struct jwk_parts *p, struct jwk *out)
{
    static const char *(*const make[])(struct jwk_parts *,
                                       struct jwk_inner *) = {
        [JOSE_KTY_RSA] = rsa_make,
        [JOSE_KTY_EC] = ec_make,
        [JOSE_KTY_OCT] = oct_make,
        [JOSE_KTY_OKP] = okp_make,
    };
    const char *reason = make[p->kty](p, out->inner);
    if (reason) return reason;
    out->algs = algs_of(p);
    if (!out->algs && p->kty == JOSE_KTY_OCT)
        return "a secret shorter than the hash of its alg";
    if (!out->algs) return "alg does not fit the key's kty and curve";
    /* What this OpenSSL cannot do must show now, not under traffic. */
    for (enum jose_alg alg = 0; alg < JOSE_ALG_COUNT; alg++) {
        if (!(out->algs & 1u << alg)) continue;
        struct jose_ready *ready = jose_ready_new(out, alg);
        if (!ready) return "this OpenSSL cannot verify with the key";
        jose_ready_free(&ready);
    }
    jwk_parts_thumbprint(p, out->thumbprint);
    return NULL;
}

int jwk_make(const struct jwk_parts *parts, unsigned lanes, struct jwk *out,
             const char **reason)
{
    struct jwk_parts p = *parts;
    *out = (struct jwk){ .kty = p.kty,
                         .curve = p.curve,
                         .is_private = p.is_private };
    out->inner = mem_zalloc(sizeof *out->inner +
                            sizeof(void *) * lanes * JOSE_ALG_COUNT);
    out->inner->lanes = lanes;
    *reason = parts_make(&p, out);
    ERR_clear_error();
    if (*reason) {
        jwk_drop(out);
        return ERR_INVALID;
    }
    if (p.kid.p) out->kid = sv_of(mem_dup_sv(p.kid), p.kid.n);
    return 0;
}

void jwk_drop(struct jwk *key)
{
    struct jwk_inner *in = key->inner;
    for (size_t i = 0; i < (size_t)in->lanes * JOSE_ALG_COUNT; i++)
        jose_ready_free(&in->ready[i]);
    EVP_PKEY_free(in->pkey);
    secret_fini(&in->secret);
    mem_free(in);
    mem_free((void *)(uintptr_t)key->kid.p);
    *key = (struct jwk){ 0 };
}
