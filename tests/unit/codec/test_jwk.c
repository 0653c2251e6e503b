/* Keys: which are taken, which are refused, what becomes of them. */
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "jose_kit.h"

/* --- base64url ----------------------------------------------------------- */
static void base64url_gives_the_values_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "", "" },
        { "f", "Zg" },
        { "fo", "Zm8" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg" },
        { "fooba", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy" },
        { "\xff\xfe\xfd\xfb\xef", "__79--8" },
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct sv back, text = exact(sv_cstr(pairs[i][1]));
        assert_string_equal(b64_text(pairs[i][0]), pairs[i][1]);
        assert_int_equal(base64url_take(&kit, text, &back), 0);
        assert_true(sv_eq(back, sv_cstr(pairs[i][0])));
        exact_free(text);
    }
}

static void base64url_has_one_spelling_a_value(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z",    "Zg=",  "Zg==",  "Zm8=",       "Zh",   "Zm9", "Zm9v\n", "Zm 9v",
        "Zm9+", "Zm9/", "Zm9vZ", "\xc3\xa4oo", "Zm9.", "=",   "Zg\r\n", "A",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char out[16];
        assert_int_equal(base64url_decode(sv_cstr(bad[i]), out), ERR_INVALID);
    }
    /* Of all texts of two and three characters, as many are good as there
     * are values. */
    unsigned good = 0;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            char text[2] = { (char)a, (char)b }, out[1];
            good += base64url_decode(sv_of(text, 2), out) == 0;
        }
    assert_int_equal(good, 256);
}

/* --- sets ---------------------------------------------------------------- */
static void key_sets_of_rfc_7517_and_their_thumbprints(void **state)
{
    (void)state;
    size_t i, max, j, n;
    yyjson_val *c, *v;
    yyjson_arr_foreach(vectors_read("rfc7517"), i, max, c)
    {
        struct jwk_set *set = keys_of_case(c);
        yyjson_arr_foreach(json_find(c, "kids"), j, n, v)
            assert_true(sv_eq(set->keys[j].kid, json_text(v)));
        yyjson_arr_foreach(json_find(c, "skipped"), j, n, v)
            assert_int_equal(set->skipped[j].index, yyjson_get_uint(v));
        assert_int_equal(set->n_skipped,
                         yyjson_arr_size(json_find(c, "skipped")));
        yyjson_arr_foreach(json_find(c, "thumbprints"), j, n, v) assert_true(
            sv_eq(b64(sv_of(set->keys[j].thumbprint, 32)), json_text(v)));
        jwk_set_free(&set);
    }
    assert_int_equal(max, 3);
}

static void a_key_is_for_the_algorithms_of_its_kind_size_and_words(void **state)
{
    (void)state;
    static const struct {
        const char *jwk, *algs;
    } rows[] = {
        { HS_JWK, "HS256" },
        { "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
          "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
          "EdDSA,Ed25519" },
        { "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"EdDSA\","
          "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
          "EdDSA" },
        { "{\"kty\":\"EC\",\"crv\":\"P-256\","
          "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
          "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
          "\"key_ops\":[\"sign\",\"verify\"]}",
          "ES256" },
        { "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_"
          "T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
          "HS256,HS384,HS512" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct jwk_set *set = keys_of(rows[i].jwk);
        uint32_t algs;
        assert_int_equal(jose_algs_decode(sv_cstr(rows[i].algs), &algs, NULL),
                         0);
        assert_int_equal(set->keys[0].algs, algs);
        assert_false(set->keys[0].is_private);
        jwk_set_free(&set);
    }
}

#define X_GOOD "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y_GOOD "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC(more) "{\"kty\":\"EC\"," more "}"
#define ED(x) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" x "\"}"
#define A40 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void unusable_keys_are_refused_with_their_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } rows[] = {
        { "", "neither" },
        { " ", "neither" },
        { "[]", "neither" },
        { "{", "strict" },
        { "{}", "kty" },
        { "{\"kty\":5}", "kty" },
        { "{\"kty\":\"rsa\"}", "kty" },
        { "{\"keys\":[]}", "neither" },
        { "{\"keys\":{}}", "array" },
        { "{\"keys\":[7]}", "object" },
        { "{\"kty\":\"oct\",\"kty\":\"oct\"}", "strict" },
        { HS_JWK "x", "strict" },
        { "{\"kty\":\"oct\"}", "missing" },
        { "{\"kty\":\"oct\",\"k\":\"\"}", "missing" },
        { "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}", "shorter than the hash" },
        { "{\"kty\":\"oct\",\"alg\":\"HS512\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxM"
          "jM0NTY3ODlhYmNkZWY\"}",
          "shorter than the hash" },
        { "{\"kty\":\"oct\",\"k\":\"c2hvcnQ=\"}", "base64url" },
        { EC("\"crv\":\"P-256\",\"x\":\"" X_GOOD "\""), "missing" },
        { EC("\"crv\":\"secp256k1\",\"x\":\"" X_GOOD "\",\"y\":\"" Y_GOOD "\""),
          "crv" },
        { EC("\"crv\":\"P-256\",\"x\":\"" X_GOOD "\",\"y\":\"" X_GOOD "\""),
          "off the curve" },
        { EC("\"crv\":\"P-256\",\"x\":\"" A40 "AAA\",\"y\":\"" A40 "AAA\""),
          "off the curve" },
        { EC("\"crv\":\"P-384\",\"x\":\"" X_GOOD "\",\"y\":\"" Y_GOOD "\""),
          "length" },
        { EC("\"crv\":\"P-256\",\"x\":\"AA" X_GOOD "\",\"y\":\"" Y_GOOD "\""),
          "base64url" },
        { EC("\"crv\":\"P-256\",\"alg\":\"ES384\",\"x\":\"" X_GOOD
             "\",\"y\":\"" Y_GOOD "\""),
          "alg does not fit" },
        { EC("\"crv\":\"P-256\",\"alg\":\"none\",\"x\":\"" X_GOOD
             "\",\"y\":\"" Y_GOOD "\""),
          "alg is not" },
        { EC("\"crv\":\"P-256\",\"use\":\"enc\",\"x\":\"" X_GOOD
             "\",\"y\":\"" Y_GOOD "\""),
          "use" },
        { EC("\"crv\":\"P-256\",\"key_ops\":[\"sign\"],\"x\":\"" X_GOOD
             "\",\"y\":\"" Y_GOOD "\""),
          "key_ops" },
        { EC("\"crv\":\"P-256\",\"kid\":\"\",\"x\":\"" X_GOOD
             "\",\"y\":\"" Y_GOOD "\""),
          "kid" },
        { EC("\"crv\":\"P-256\",\"kid\":7,\"x\":\"" X_GOOD "\",\"y\":\"" Y_GOOD
             "\""),
          "kid" },
        { "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X_GOOD "\"}", "crv" },
        { ED("AA"), "length" },
        { ED(A40 "AAA"), "small order" },    /* y = 0 */
        { ED("AQ" A40 "A"), "small order" }, /* y = 1 */
        { ED("7P_______________________________________38"),
          "small order" }, /* y = -1 */
        { ED("7f_______________________________________38"),
          "small order" }, /* y = p */
        { ED("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "curve" },
        /* the two points of order 8, up to sign */
        { ED("JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU"), "small order" },
        { ED("xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o"), "small order" },
        { "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
          "DER" },
        { "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
          "private" },
        { "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
          "no PUBLIC KEY" },
        { "-----BEGIN PUBLIC KEY-----\nAAAA\n", "neither" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *reason;
        struct jwk_set *set = keys_try(sv_cstr(rows[i].text), &reason);
        if (set || !strstr(reason, rows[i].reason))
            fail_msg("%s: %s, not %s", rows[i].text, reason, rows[i].reason);
    }
}

static void a_private_part_is_noted_and_changes_nothing(void **state)
{
    (void)state;
    yyjson_val *c = yyjson_arr_get(vectors_read("rfc7515"), 2);
    struct jwk_set *set = keys_of_case(c);
    struct jwk_set *without = keys_of(
        EC("\"crv\":\"P-256\",\"x\":\"" X_GOOD "\",\"y\":\"" Y_GOOD "\""));
    assert_true(set->keys[0].is_private);
    assert_false(without->keys[0].is_private);
    assert_memory_equal(set->keys[0].thumbprint, without->keys[0].thumbprint,
                        32);
    jwk_set_free(&set);
    jwk_set_free(&without);
}

/* --- RSA ----------------------------------------------------------------- */
static struct sv modulus_of(EVP_PKEY *key)
{
    BIGNUM *n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, "n", &n), 1);
    size_t size = (size_t)BN_num_bytes(n);
    unsigned char *to = arena_alloc(&kit, size);
    BN_bn2bin(n, to);
    BN_free(n);
    return sv_of(to, size);
}

static const char *rsa_jwk(struct sv n, const char *e)
{
    return arena_printf(&kit, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}",
                        b64(n).p, e)
        .p;
}

static void rsa_keys_are_of_2048_bits_with_an_odd_exponent_from_65537(
    void **state)
{
    (void)state;
    EVP_PKEY *small = EVP_RSA_gen(1024), *key = EVP_RSA_gen(2048);
    struct sv n = modulus_of(key), longer;
    const char *reason;
    char *zero = arena_zalloc(&kit, n.n + 1);
    static const struct {
        const char *e, *says;
    } rows[] = {
        { "AQ", "exponent" },      { "Aw", "exponent" },
        { "AQAA", "exponent" },    { "AQAC", "exponent" },
        { "AAAA", "exponent" },    { "__8", "exponent" },
        { "AQAAAAE", "exponent" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_null(keys_try(sv_cstr(rsa_jwk(n, rows[i].e)), &reason));
        assert_non_null(strstr(reason, rows[i].says));
    }
    assert_null(keys_try(sv_cstr(rsa_jwk(modulus_of(small), "AQAB")), &reason));
    assert_non_null(strstr(reason, "below 2048"));
    assert_null(keys_try(pem_of(small), &reason));
    assert_non_null(strstr(reason, "below 2048"));
    char *huge = arena_zalloc(&kit, 2048);
    huge[0] = huge[2047] = 1;
    assert_null(keys_try(sv_cstr(rsa_jwk(sv_of(huge, 2048), "AQAB")), &reason));
    assert_non_null(strstr(reason, "above 8192"));
    /* An even modulus, and one with a small factor. */
    char *odd = (char *)arena_dup(&kit, n).p;
    odd[n.n - 1] &= (char)0xfe;
    assert_null(keys_try(sv_cstr(rsa_jwk(sv_of(odd, n.n), "AQAB")), &reason));
    assert_non_null(strstr(reason, "modulus"));
    memset(odd, 0xff, n.n); /* 2^2048 - 1 = 3 * ... */
    assert_null(keys_try(sv_cstr(rsa_jwk(sv_of(odd, n.n), "AQAB")), &reason));
    /* A zero in front is no other key. */
    memcpy(zero + 1, n.p, n.n);
    longer = sv_of(zero, n.n + 1);
    struct jwk_set *a = keys_of(rsa_jwk(n, "AQAB"));
    struct jwk_set *b = keys_of(rsa_jwk(longer, "AAEAAQ"));
    assert_memory_equal(a->keys[0].thumbprint, b->keys[0].thumbprint, 32);
    jwk_set_free(&a);
    jwk_set_free(&b);
    EVP_PKEY_free(small);
    EVP_PKEY_free(key);
}

/* --- PEM ----------------------------------------------------------------- */
static struct sv certificate_of(EVP_PKEY *key)
{
    X509 *x = X509_new();
    BIO *out = BIO_new(BIO_s_mem());
    char *p;
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 60);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(out, x), 1);
    long n = BIO_get_mem_data(out, &p);
    struct sv text = arena_dup(&kit, sv_of(p, (size_t)n));
    BIO_free(out);
    X509_free(x);
    return text;
}

static void a_pem_file_holds_keys_of_every_kind(void **state)
{
    (void)state;
    EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-384");
    EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    EVP_PKEY *koblitz = EVP_EC_gen("secp256k1");
    struct sv text = arena_printf(
        &kit, "words before\n%s%s%s%s%s%s", pem_of(rsa).p, pem_of(ec).p,
        pem_of(ed).p, pem_of(koblitz).p, pem_of(ed448).p, certificate_of(ec).p);
    struct jwk_set *set = keys_of(text.p);
    static const enum jose_kty kinds[] = { JOSE_KTY_RSA, JOSE_KTY_EC,
                                           JOSE_KTY_OKP, JOSE_KTY_OKP,
                                           JOSE_KTY_EC };
    assert_int_equal(set->n, ARRAY_LEN(kinds));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        assert_int_equal(set->keys[i].kty, kinds[i]);
        assert_null(set->keys[i].kid.p);
    }
    assert_int_equal(set->n_skipped, 1);
    assert_int_equal(set->skipped[0].index, 3);
    assert_memory_equal(set->keys[1].thumbprint, set->keys[4].thumbprint, 32);
    struct jwk_set *as_jwk = keys_of(rsa_jwk(modulus_of(rsa), "AQAB"));
    assert_memory_equal(set->keys[0].thumbprint, as_jwk->keys[0].thumbprint,
                        32);
    jwk_set_free(&as_jwk);
    jwk_set_free(&set);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
    EVP_PKEY_free(ed448);
    EVP_PKEY_free(koblitz);
}

static void truncated_and_flipped_key_texts_are_harmless(void **state)
{
    (void)state;
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    struct sv texts[] = { pem_of(ec), SV(HS_JWK) };
    for (size_t t = 0; t < ARRAY_LEN(texts); t++)
        for (size_t i = 0; i < texts[t].n; i++) {
            struct jwk_set *set = keys_try(sv_first(texts[t], i), NULL);
            /* the end line's last line break is not needed */
            assert_true(!set || i == texts[t].n - 1);
            jwk_set_free(&set);
            char *bent = (char *)arena_dup(&kit, texts[t]).p;
            for (int bit = 0; bit < 8; bit++) {
                bent[i] ^= (char)(1 << bit);
                set = keys_try(sv_of(bent, texts[t].n), NULL);
                jwk_set_free(&set);
                bent[i] ^= (char)(1 << bit);
            }
        }
    EVP_PKEY_free(ec);
}

static void a_set_holds_at_most_100_keys_and_256_kib(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"keys\":[" HS_JWK);
    for (int i = 1; i < 100; i++) buf_puts(&b, "," HS_JWK);
    size_t n = b.n;
    buf_puts(&b, "]}");
    struct jwk_set *set = keys_try(buf_sv(&b), NULL);
    assert_int_equal(set->n, 100);
    jwk_set_free(&set);
    b.n = n;
    buf_puts(&b, "," HS_JWK "]}");
    assert_null(keys_try(buf_sv(&b), NULL));
    buf_clear(&b);
    while (b.n <= JWK_TEXT_BYTES_MAX) buf_putc(&b, ' ');
    assert_null(keys_try(buf_sv(&b), NULL));
    buf_clear(&b); /* the worst for the reader: as many values as fit */
    buf_puts(&b, "{\"kty\":[");
    while (b.n < JWK_TEXT_BYTES_MAX - 4) buf_puts(&b, "1,");
    buf_puts(&b, "1]}");
    const char *reason;
    assert_null(keys_try(buf_sv(&b), &reason));
    assert_non_null(strstr(reason, "kty"));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(base64url_gives_the_values_of_rfc_4648),
        KIT_TEST(base64url_has_one_spelling_a_value),
        KIT_TEST(key_sets_of_rfc_7517_and_their_thumbprints),
        KIT_TEST(a_key_is_for_the_algorithms_of_its_kind_size_and_words),
        KIT_TEST(unusable_keys_are_refused_with_their_reason),
        KIT_TEST(a_private_part_is_noted_and_changes_nothing),
        KIT_TEST(rsa_keys_are_of_2048_bits_with_an_odd_exponent_from_65537),
        KIT_TEST(a_pem_file_holds_keys_of_every_kind),
        KIT_TEST(truncated_and_flipped_key_texts_are_harmless),
        KIT_TEST(a_set_holds_at_most_100_keys_and_256_kib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
