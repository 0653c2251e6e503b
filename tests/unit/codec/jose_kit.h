/* Makes keys and tokens, good and bad, for the tests of JOSE. */
#ifndef TESTS_JOSE_KIT_H
#define TESTS_JOSE_KIT_H

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "codec/base64url.h"
#include "codec/claims.h"
#include "codec/jwk.h"
#include "codec/jws.h"
#include "codec_kit.h"

/* Texts of a test; forgotten at the next test's kit_start(). */
static struct arena kit;

static inline int kit_start(void **state)
{
    (void)state;
    arena_init(&kit, 64 << 20, NULL, 0);
    return 0;
}
static inline int kit_end(void **state)
{
    (void)state;
    arena_fini(&kit);
    return 0;
}
#define KIT_TEST(f) cmocka_unit_test_setup_teardown(f, kit_start, kit_end)

static inline struct sv b64(struct sv bytes)
{
    size_t n = base64url_encoded_chars(bytes.n);
    char *to = arena_alloc(&kit, n + 1);
    base64url_encode(bytes, to);
    to[n] = 0;
    return sv_of(to, n);
}

static inline const char *b64_text(const char *text)
{
    return b64(sv_cstr(text)).p;
}

/* NULL when refused; *reason then says why. */
static inline struct jwk_set *keys_try(struct sv text, const char **reason)
{
    struct jwk_set *set;
    struct jwk_why why;
    struct sv copy = exact(text);
    int rc = jwk_set_decode(copy, 2, &set, &why);
    exact_free(copy);
    if (reason) *reason = rc ? why.reason : NULL;
    assert_true(rc == 0 || why.reason);
    return set;
}

static inline struct jwk_set *keys_of(const char *text)
{
    const char *reason;
    struct jwk_set *set = keys_try(sv_cstr(text), &reason);
    if (!set) fail_msg("%s: %s", text, reason);
    return set;
}

static inline enum jose_verdict judge(struct sv token,
                                      const struct jwk_set *keys)
{
    struct arena a;
    struct jws jws;
    struct sv copy = exact(token);
    arena_init(&a, JWS_ARENA_BYTES, NULL, 0);
    enum jose_verdict v = jws_decode(copy, &a, &jws);
    if (v == JOSE_OK) v = jws_verify(&jws, keys, JOSE_ALGS_ALL, 0, NULL);
    arena_fini(&a);
    exact_free(copy);
    return v;
}

#define assert_verdict(v, expected) \
    assert_string_equal(jose_verdict_text(v), jose_verdict_text(expected))

/* header.payload, both encoded here */
static inline struct sv input_of(const char *header, const char *payload)
{
    return arena_printf(&kit, "%s.%s", b64_text(header), b64_text(payload));
}

static inline struct sv token_with(struct sv input, struct sv signature)
{
    struct sv text = b64(signature);
    return arena_printf(&kit, "%.*s.%.*s", SV_FMT(input), SV_FMT(text));
}

/* --- signing, by OpenSSL's other interface ------------------------------- */
static inline struct sv hmac_sign(const char *hash, struct sv key,
                                  struct sv input)
{
    size_t n = 64;
    unsigned char *mac = arena_alloc(&kit, n);
    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, hash, NULL, key.p, key.n,
                              (const void *)input.p, input.n, mac, n, &n));
    return sv_of(mac, n);
}

static inline struct sv hs256(const char *header, const char *payload,
                              struct sv key)
{
    struct sv input = input_of(header, payload);
    return token_with(input, hmac_sign("SHA256", key, input));
}

/* DER of ECDSA, as OpenSSL has it. */
static inline struct sv evp_sign(EVP_PKEY *key, const char *hash,
                                 struct sv input)
{
    size_t n = 1024;
    unsigned char *to = arena_alloc(&kit, n);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit_ex(c, NULL, hash, NULL, NULL, key,
                                           NULL), 1);
    assert_int_equal(EVP_DigestSign(c, to, &n, (const void *)input.p,
                                    input.n), 1);
    EVP_MD_CTX_free(c);
    return sv_of(to, n);
}

/* DER -> r || s of `half` bytes each. */
static inline struct sv raw_of(struct sv der, size_t half)
{
    unsigned char *to = arena_zalloc(&kit, 2 * half);
    const unsigned char *in = (const unsigned char *)der.p;
    const unsigned char *at = in + (in[1] & 0x80 ? 3 : 2);
    for (int i = 0; i < 2; i++) {
        size_t n = at[1];
        const unsigned char *p = at + 2;
        for (; n && *p == 0; n--) p++;
        memcpy(to + half * (size_t)(i + 1) - n, p, n);
        at = p + n;
    }
    return sv_of(to, 2 * half);
}

static inline struct sv pem_of(EVP_PKEY *key)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *p;
    assert_int_equal(PEM_write_bio_PUBKEY(out, key), 1);
    long n = BIO_get_mem_data(out, &p);
    struct sv text = arena_dup(&kit, sv_of(p, (size_t)n));
    BIO_free(out);
    return text;
}

/* A file of tests/vectors/jose, in the arena. */
static inline yyjson_val *vectors_read(const char *name)
{
    char path[512];
    enum { MAX = 64 * 1024 };
    char *text = arena_alloc(&kit, MAX);
    snprintf(path, sizeof path, "%s/tests/vectors/jose/%s.json",
             TEST_SOURCE_ROOT, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, MAX, f);
    fclose(f);
    yyjson_doc *doc;
    assert_int_equal(json_decode(sv_of(text, n), &kit, &doc, NULL), 0);
    return json_find(yyjson_doc_get_root(doc), "cases");
}

static inline struct jwk_set *keys_of_case(const yyjson_val *c)
{
    return keys_of(json_encode_val(&kit, json_find(c, "keys")).p);
}

/* One secret, as bytes and as a key. */
#define HS_SECRET "0123456789abcdef0123456789abcdef"
#define HS_JWK "{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlh" \
               "YmNkZWY\"}"

#endif
