/* PEM blocks to numbers. OpenSSL reads the DER; only the numbers leave here,
 * and jwk_key.c judges them as it judges a JWK's. A certificate lends its key:
 * neither its validity nor its issuer is looked at. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/ensure.h"
#include "base/err.h"
#include "codec/jose_int.h"

static EVP_PKEY *spki_read(const unsigned char **p, long n)
{
    return d2i_PUBKEY(NULL, p, n);
}

static EVP_PKEY *pkcs1_read(const unsigned char **p, long n)
{
    return d2i_PublicKey(EVP_PKEY_RSA, NULL, p, n);
}

static EVP_PKEY *certificate_read(const unsigned char **p, long n)
{
    X509 *certificate = d2i_X509(NULL, p, n);
    EVP_PKEY *key = certificate ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
    return key;
}

static const struct {
    const char *label;
    EVP_PKEY *(*read)(const unsigned char **p, long n);
} forms[] = {
    { PEM_STRING_PUBLIC, spki_read },
    { PEM_STRING_RSA_PUBLIC, pkcs1_read },
    { PEM_STRING_X509, certificate_read },
};

static const char *number_take(EVP_PKEY *key, const char *name, size_t n,
                               struct arena *a, struct sv *out)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
        return "a key without its numbers";
    if (n == 0) n = (size_t)BN_num_bytes(number);
    void *to = n <= JWK_TEXT_BYTES_MAX ? arena_alloc(a, n + 1) : NULL;
    bool ok = to && BN_bn2binpad(number, to, (int)n) >= 0;
    BN_free(number);
    *out = sv_of(to, n);
    return ok ? NULL : "a number that is too large";
}

static const char *rsa_take(EVP_PKEY *key, struct arena *a,
                            struct jwk_parts *out)
{
    const char *reason = number_take(key, "n", 0, a, &out->n);
    return reason ? reason : number_take(key, "e", 0, a, &out->e);
}

static const char *ec_take(EVP_PKEY *key, struct arena *a,
                           struct jwk_parts *out)
{
    static const struct {
        const char *group;
        enum jose_curve curve;
    } names[] = { { "prime256v1", JOSE_P256 },
                  { "secp384r1", JOSE_P384 },
                  { "secp521r1", JOSE_P521 } };
    char group[32] = "";
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1)
        return "an EC key without a named curve";
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(group, names[i].group)) out->curve = names[i].curve;
    if (!out->curve) return "a curve that is not supported for signatures";
    size_t n = jose_curve_row(out->curve)->bytes;
    const char *reason =
        number_take(key, OSSL_PKEY_PARAM_EC_PUB_X, n, a, &out->x);
    return reason ? reason
                  : number_take(key, OSSL_PKEY_PARAM_EC_PUB_Y, n, a, &out->y);
}

static const char *okp_take(EVP_PKEY *key, struct arena *a,
                            struct jwk_parts *out)
{
    size_t n = jose_curve_row(out->curve)->bytes;
    unsigned char *to = arena_alloc(a, n);
    if (!to || EVP_PKEY_get_raw_public_key(key, to, &n) != 1)
        return "a key without its numbers";
    out->x = sv_of(to, n);
    return NULL;
}

static const char *key_take(EVP_PKEY *key, struct arena *a,
                            struct jwk_parts *out)
{
    static const struct {
        int id;
        enum jose_kty kty;
        enum jose_curve curve;
        const char *(*take)(EVP_PKEY *, struct arena *, struct jwk_parts *);
    } kinds[] = {
        { EVP_PKEY_RSA, JOSE_KTY_RSA, 0, rsa_take },
        { EVP_PKEY_EC, JOSE_KTY_EC, 0, ec_take },
        { EVP_PKEY_ED25519, JOSE_KTY_OKP, JOSE_C25519, okp_take },
        { EVP_PKEY_ED448, JOSE_KTY_OKP, JOSE_C448, okp_take },
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (EVP_PKEY_get_base_id(key) != kinds[i].id) continue;
        *out = (struct jwk_parts){ .kty = kinds[i].kty,
                                   .curve = kinds[i].curve,
                                   .algs = JOSE_ALGS_ALL };
        return kinds[i].take(key, a, out);
    }
    return "a kind of key that is not supported for signatures";
}

static const char *block_take(const char *label, const char *headers,
                              struct sv der, struct arena *a,
                              struct jwk_parts *out)
{
    const unsigned char *at = (const unsigned char *)der.p;
    if (strstr(label, "PRIVATE KEY"))
        return "a private key: give its public key";
    if (*headers) return "a PEM block with headers";
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (strcmp(label, forms[i].label) != 0) continue;
        EVP_PKEY *key = forms[i].read(&at, (long)der.n);
        const char *reason = "DER that cannot be read";
        if (key && at == (const unsigned char *)der.p + der.n)
            reason = key_take(key, a, out);
        EVP_PKEY_free(key);
        return reason;
    }
    return "a PEM block that is no PUBLIC KEY and no CERTIFICATE";
}

int jwk_pem_each(struct sv text, struct arena *a, jwk_pem_fn *fn, void *ctx)
{
    if (text.n == 0) return 0;
    BIO *in = BIO_new_mem_buf(text.p, (int)text.n);
    ENSURE(in);
    char *label, *headers;
    unsigned char *der;
    long n;
    int rc = 0;
    while (rc == 0 && PEM_read_bio(in, &label, &headers, &der, &n) == 1) {
        struct jwk_parts parts;
        const char *reason =
            block_take(label, headers, sv_of(der, (size_t)n), a, &parts);
        rc = fn(ctx, reason ? NULL : &parts, reason);
        OPENSSL_free(label);
        OPENSSL_free(headers);
        OPENSSL_clear_free(der, (size_t)n);
    }
    BIO_free(in);
    ERR_clear_error();
    return rc;
}
