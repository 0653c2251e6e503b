/* Signatures on EVP. What OpenSSL 3 looks up by name (algorithms, their
 * providers) is looked up once; a verification then runs on kept contexts:
 * the digest by its own context, EVP_PKEY_verify() on one whose padding and
 * digest were set once. EVP_DigestVerifyInit() at each token would fetch and
 * allocate anew (docs/decisions/0010 has the figures). */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <pthread.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "codec/jose_int.h"

enum {
    HASH_BYTES_MAX = 64,
    /* SEQUENCE of two INTEGERs, each maybe with a zero in front */
    DER_BYTES_MAX = 3 + 2 * (2 + 1 + JOSE_COORDINATE_MAX),
};

static const char *const hash_names[JOSE_HASHES] = { "SHA256", "SHA384",
                                                     "SHA512" };
static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *hashes[JOSE_HASHES];
static EVP_MAC *hmac;

static void fetch(void)
{
    for (int i = 0; i < JOSE_HASHES; i++) {
        hashes[i] = EVP_MD_fetch(NULL, hash_names[i], NULL);
        ENSURE(hashes[i]);
    }
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    ENSURE(hmac);
}

/* --- made once ----------------------------------------------------------- */
static bool hmac_ready(struct jose_ready *r, const struct jwk *key,
                       const struct jose_alg_row *row)
{
    struct sv secret = secret_expose(&key->inner->secret);
    if (row->hash == JOSE_SHA256) {
        hmac_key_init(&r->hs256, secret);
        return true;
    }
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(
                                OSSL_MAC_PARAM_DIGEST,
                                (char *)(uintptr_t)hash_names[row->hash], 0),
                            OSSL_PARAM_END };
    r->mac = EVP_MAC_CTX_new(hmac);
    return r->mac &&
           EVP_MAC_init(r->mac, (const void *)secret.p, secret.n, params) == 1;
}

/* Anew for each token: whether a context may be used again after a one-shot
 * verification differs between versions of OpenSSL 3, and next to the
 * verification itself this costs nothing that we could measure. */
static bool okp_init(struct jose_ready *r, const struct jwk *key)
{
    return EVP_MD_CTX_reset(r->hash) == 1 &&
           EVP_DigestVerifyInit_ex(r->hash, NULL, NULL, NULL, NULL,
                                   key->inner->pkey, NULL) == 1;
}

static bool okp_ready(struct jose_ready *r, const struct jwk *key)
{
    r->hash = EVP_MD_CTX_new();
    return r->hash && okp_init(r, key);
}

static bool public_ready(struct jose_ready *r, const struct jwk *key,
                         const struct jose_alg_row *row)
{
    r->hash = EVP_MD_CTX_new();
    r->verify = EVP_PKEY_CTX_new_from_pkey(NULL, key->inner->pkey, NULL);
    EVP_PKEY_CTX *c = r->verify;
    const EVP_MD *md = hashes[row->hash];
    if (!r->hash || EVP_DigestInit_ex2(r->hash, md, NULL) != 1 || !c ||
        EVP_PKEY_verify_init(c) != 1)
        return false;
    if (row->kty == JOSE_KTY_RSA &&
        EVP_PKEY_CTX_set_rsa_padding(c, row->pss ? RSA_PKCS1_PSS_PADDING
                                                 : RSA_PKCS1_PADDING) != 1)
        return false;
    if (EVP_PKEY_CTX_set_signature_md(c, md) != 1) return false;
    /* RFC 7518 section 3.5: MGF1 with the same hash, salt as long as it. */
    return !row->pss || (EVP_PKEY_CTX_set_rsa_mgf1_md(c, md) == 1 &&
                         EVP_PKEY_CTX_set_rsa_pss_saltlen(
                             c, (int)jose_hash_bytes(row->hash)) == 1);
}

struct jose_ready *jose_ready_new(const struct jwk *key, enum jose_alg alg)
{
    const struct jose_alg_row *row = jose_alg_row(alg);
    struct jose_ready *r = NEW(struct jose_ready);
    pthread_once(&once, fetch);
    bool ok = row->kty == JOSE_KTY_OCT   ? hmac_ready(r, key, row)
              : row->kty == JOSE_KTY_OKP ? okp_ready(r, key)
                                         : public_ready(r, key, row);
    if (!ok) jose_ready_free(&r);
    return r;
}

void jose_ready_free(struct jose_ready **r)
{
    if (!*r) return;
    EVP_PKEY_CTX_free((*r)->verify);
    EVP_MD_CTX_free((*r)->hash);
    EVP_MAC_CTX_free((*r)->mac);
    mem_wipe(&(*r)->hs256, sizeof(*r)->hs256);
    mem_free(*r);
    *r = NULL;
}

/* --- a token ------------------------------------------------------------- */
static size_t der_integer(uint8_t *to, const uint8_t *number, size_t n)
{
    while (n > 1 && number[0] == 0) {
        number++;
        n--;
    }
    size_t zero = number[0] >> 7;
    to[0] = 0x02;
    to[1] = (uint8_t)(n + zero);
    to[2] = 0;
    memcpy(to + 2 + zero, number, n);
    return 2 + zero + n;
}

/* r || s, as JOSE has it, to what OpenSSL takes. */
static size_t der_encode(uint8_t to[DER_BYTES_MAX], struct sv rs)
{
    uint8_t body[DER_BYTES_MAX];
    const uint8_t *r = (const uint8_t *)rs.p;
    size_t half = rs.n / 2, at = 0;
    size_t n = der_integer(body, r, half);
    n += der_integer(body + n, r + half, half);
    to[at++] = 0x30;
    if (n > 127) to[at++] = 0x81;
    to[at++] = (uint8_t)n;
    memcpy(to + at, body, n);
    return at + n;
}

/* 0 < number < order; all are public. */
static bool is_in_range(const struct jwk_inner *in, const char *number)
{
    static const uint8_t zero[JOSE_COORDINATE_MAX];
    size_t n = in->coordinate_bytes;
    return memcmp(number, zero, n) != 0 && memcmp(number, in->order, n) < 0;
}

static bool form_is_good(const struct jwk *key, const struct jose_alg_row *row,
                         struct sv signature)
{
    const struct jwk_inner *in = key->inner;
    if (row->kty == JOSE_KTY_OCT)
        return signature.n == jose_hash_bytes(row->hash);
    if (signature.n != in->signature_bytes) return false;
    return row->kty != JOSE_KTY_EC ||
           (is_in_range(in, signature.p) &&
            is_in_range(in, signature.p + in->coordinate_bytes));
}

static bool mac_run(struct jose_ready *r, struct sv input, uint8_t *out,
                    size_t *n)
{
    if (!r->mac) {
        hmac_key_run(&r->hs256, &input, 1, out);
        *n = SHA256_BYTES;
        return true;
    }
    return EVP_MAC_init(r->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(r->mac, (const void *)input.p, input.n) == 1 &&
           EVP_MAC_final(r->mac, out, n, HASH_BYTES_MAX) == 1;
}

static enum jose_verdict hmac_check(struct jose_ready *r, struct sv input,
                                    struct sv signature)
{
    uint8_t mac[HASH_BYTES_MAX];
    size_t n = 0;
    if (!mac_run(r, input, mac, &n) || n != signature.n) return JOSE_FAULT;
    bool equal = mem_equal_ct(mac, signature.p, n);
    mem_wipe(mac, sizeof mac);
    return equal ? JOSE_OK : JOSE_SIGNATURE_WRONG;
}

static enum jose_verdict okp_check(struct jose_ready *r, const struct jwk *key,
                                   struct sv input, struct sv signature)
{
    if (!okp_init(r, key)) return JOSE_FAULT;
    int rc = EVP_DigestVerify(r->hash, (const void *)signature.p, signature.n,
                              (const void *)input.p, input.n);
    return rc == 1 ? JOSE_OK : JOSE_SIGNATURE_WRONG;
}

static enum jose_verdict public_check(struct jose_ready *r,
                                      const struct jose_alg_row *row,
                                      struct sv input, struct sv signature)
{
    uint8_t hash[HASH_BYTES_MAX], der[DER_BYTES_MAX];
    if (EVP_DigestInit_ex2(r->hash, NULL, NULL) != 1 ||
        EVP_DigestUpdate(r->hash, input.p, input.n) != 1 ||
        EVP_DigestFinal_ex(r->hash, hash, NULL) != 1)
        return JOSE_FAULT;
    if (row->kty == JOSE_KTY_EC)
        signature = sv_of(der, der_encode(der, signature));
    int rc = EVP_PKEY_verify(r->verify, (const void *)signature.p, signature.n,
                             hash, jose_hash_bytes(row->hash));
    return rc == 1 ? JOSE_OK : JOSE_SIGNATURE_WRONG;
}

enum jose_verdict jose_signature_check(const struct jwk *key, enum jose_alg alg,
                                       unsigned lane, struct sv input,
                                       struct sv signature)
{
    const struct jose_alg_row *row = jose_alg_row(alg);
    ENSURE(lane < key->inner->lanes && key->algs & 1u << alg);
    if (!form_is_good(key, row, signature)) return JOSE_SIGNATURE_FORM;
    struct jose_ready **ready = &key->inner->ready[lane * JOSE_ALG_COUNT + alg];
    if (!*ready) *ready = jose_ready_new(key, alg);
    enum jose_verdict v = JOSE_FAULT;
    if (*ready)
        v = row->kty == JOSE_KTY_OCT ? hmac_check(*ready, input, signature)
            : row->kty == JOSE_KTY_OKP
                ? okp_check(*ready, key, input, signature)
                : public_check(*ready, row, input, signature);
    /* A refusal leaves its reasons in the thread's queue, where TLS would
     * find them. */
    if (v != JOSE_OK) ERR_clear_error();
    return v;
}
