/* What we sign: the vectors of RFC 8037 appendix A, and our own verifier. */
#include "codec/jws_sign.h"

#include "base/err.h"
#include "codec/hex.h"
#include "jose_kit.h"

static struct jws_signer *signer_of(enum jose_alg alg, const char *hex)
{
    uint8_t seed[JWS_SEED_BYTES];
    struct jws_signer *s;
    assert_int_equal(hex_decode(sv_cstr(hex), seed, sizeof seed), 0);
    assert_int_equal(jws_signer_new(&s, alg, seed, 2), 0);
    return s;
}

static const char seed_a1[] =
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

static void a_signature_of_ed25519_is_that_of_rfc_8037_a_4(void **state)
{
    (void)state;
    struct jws_signer *s = signer_of(JOSE_EDDSA, seed_a1);
    struct sv input =
        input_of("{\"alg\":\"EdDSA\"}", "Example of Ed25519 signing");
    uint8_t signature[JWS_SIGNED_BYTES];
    for (unsigned lane = 0; lane < 2; lane++) {
        assert_int_equal(jws_signature_make(s, lane, input, signature), 0);
        assert_string_equal(
            b64(sv_of(signature, sizeof signature)).p,
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5B"
            "hVsPt9g7sVvpAr_MuM0KAg");
    }
    jws_signer_free(&s);
}

static void a_public_key_is_published_with_its_thumbprint(void **state)
{
    (void)state;
    struct jws_signer *s = signer_of(JOSE_EDDSA, seed_a1);
    /* RFC 8037 A.2 and A.3 */
    assert_true(
        sv_eq(jws_signer_jwk(s),
              SV("{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                 "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
                 "\"alg\":\"EdDSA\",\"use\":\"sig\","
                 "\"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\"}")));
    jws_signer_free(&s);
}

static void the_public_key_of_p256_follows_from_its_scalar(void **state)
{
    (void)state;
    /* RFC 7515 A.3.1: d, x, y */
    struct jws_signer *s = signer_of(
        JOSE_ES256,
        "8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2");
    struct sv jwk = jws_signer_jwk(s);
    const char *expected =
        "{\"kty\":\"EC\",\"crv\":\"P-256\","
        "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",";
    assert_true(sv_starts(jwk, sv_cstr(expected)));
    jws_signer_free(&s);
}

static void what_we_sign_our_verifier_takes_and_nothing_bent(void **state)
{
    (void)state;
    static const enum jose_alg algs[] = { JOSE_ES256, JOSE_EDDSA };
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        uint8_t seed[JWS_SEED_BYTES];
        struct jws_signer *s;
        struct jws jws;
        jws_seed_make(algs[i], seed);
        assert_int_equal(jws_signer_new(&s, algs[i], seed, 1), 0);
        struct jwk_set *keys = keys_of(arena_cstr(&kit, jws_signer_jwk(s)));
        /* many: short numbers come once in 256 */
        for (int n = 0; n < 600; n++) {
            char text[1024];
            struct buf out;
            buf_init_fixed(&out, text, sizeof text);
            struct sv payload = arena_printf(&kit, "{\"n\":%d}", n);
            assert_int_equal(jws_sign(s, 0, SV("x+jwt"), payload, &out), 0);
            assert_verdict(judge(buf_sv(&out), keys), JOSE_OK);
            assert_verdict(jws_decode(buf_sv(&out), &kit, &jws), JOSE_OK);
            assert_true(sv_eq(jws.payload, payload));
            assert_true(sv_eq(jws.kid, jws_signer_kid(s)));
            assert_true(
                sv_eq(json_text(json_find(jws.header, "typ")), SV("x+jwt")));
            text[out.n - 40] ^= 1;
            assert_true(judge(buf_sv(&out), keys) != JOSE_OK);
        }
        jwk_set_free(&keys);
        jws_signer_free(&s);
    }
}

static void a_seed_outside_the_scalars_of_its_curve_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        /* the order of P-256, and above it */
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint8_t seed[JWS_SEED_BYTES];
        struct jws_signer *s;
        hex_decode(sv_cstr(bad[i]), seed, sizeof seed);
        assert_int_equal(jws_signer_new(&s, JOSE_ES256, seed, 1), ERR_INVALID);
        assert_null(s);
        assert_int_equal(jws_signer_new(&s, JOSE_RS256, seed, 1), ERR_INVALID);
    }
    struct jws_signer *last = signer_of(
        JOSE_ES256,
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550");
    jws_signer_free(&last);
}

static void a_token_that_does_not_fit_is_refused_at_each_length(void **state)
{
    (void)state;
    struct jws_signer *s = signer_of(JOSE_EDDSA, seed_a1);
    char text[400];
    struct buf out;
    buf_init_fixed(&out, text, sizeof text);
    assert_int_equal(jws_sign(s, 0, SV("t"), SV("{}"), &out), 0);
    for (size_t room = 0; room < out.n; room++) {
        struct buf small;
        char *exactly = mem_alloc(room + 1);
        buf_init_fixed(&small, exactly, room);
        assert_int_equal(jws_sign(s, 0, SV("t"), SV("{}"), &small), ERR_TOOBIG);
        mem_free(exactly);
    }
    jws_signer_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_signature_of_ed25519_is_that_of_rfc_8037_a_4),
        KIT_TEST(a_public_key_is_published_with_its_thumbprint),
        KIT_TEST(the_public_key_of_p256_follows_from_its_scalar),
        KIT_TEST(what_we_sign_our_verifier_takes_and_nothing_bent),
        KIT_TEST(a_seed_outside_the_scalars_of_its_curve_is_refused),
        KIT_TEST(a_token_that_does_not_fit_is_refused_at_each_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
