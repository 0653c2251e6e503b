/* DPoP proofs: the RFC's own, and each member bent in turn. */
#include "codec/dpop.h"

#include "codec/digest.h"
#include "codec/jws_sign.h"
#include "jose_kit.h"

enum { NOW = 1700000000 };

static struct jws_signer *es256, *eddsa, *stranger;
static uint8_t jkt_es256[JWK_THUMBPRINT_BYTES], jkt_eddsa[JWK_THUMBPRINT_BYTES];

static const char access_token[] = "an.access.token";

static struct jws_signer *signer(enum jose_alg alg, uint8_t first)
{
    uint8_t seed[JWS_SEED_BYTES] = { first };
    struct jws_signer *s;
    assert_int_equal(jws_signer_new(&s, alg, seed, 1), 0);
    return s;
}

static int keys_start(void **state)
{
    (void)state;
    es256 = signer(JOSE_ES256, 1);
    eddsa = signer(JOSE_EDDSA, 2);
    stranger = signer(JOSE_ES256, 3);
    base64url_decode(jws_signer_kid(es256), jkt_es256);
    base64url_decode(jws_signer_kid(eddsa), jkt_eddsa);
    return 0;
}

static int keys_end(void **state)
{
    (void)state;
    jws_signer_free(&es256);
    jws_signer_free(&eddsa);
    jws_signer_free(&stranger);
    return 0;
}

static struct dpop_ask asked(void)
{
    return (struct dpop_ask){
        .method = SV("GET"),
        .url = SV("https://api.example/a/b?c=d"),
        .access_token = sv_cstr(access_token),
        .jkt = jkt_es256,
        .now_s = NOW,
    };
}

static enum dpop_verdict judged(struct sv proof, const struct dpop_ask *ask,
                                struct dpop_proof *out)
{
    struct arena a;
    struct sv copy = exact(proof);
    arena_init(&a, DPOP_ARENA_BYTES, NULL, 0);
    enum dpop_verdict v = dpop_judge(copy, ask, &a, out);
    arena_fini(&a);
    exact_free(copy);
    return v;
}

static struct sv signed_by(struct jws_signer *s, struct sv input)
{
    uint8_t signature[JWS_SIGNED_BYTES];
    assert_int_equal(jws_signature_make(s, 0, input, signature), 0);
    return token_with(input, sv_of(signature, sizeof signature));
}

/* ath as it must be. */
static const char *hash(void)
{
    uint8_t digest[SHA256_BYTES];
    sha256(sv_cstr(access_token), digest);
    return b64(sv_of(digest, sizeof digest)).p;
}

/* Text in which $K is the key's JWK, $A the hash, $N the time. */
static const char *expand(const char *text)
{
    struct buf b;
    buf_init(&b, 8192);
    for (const char *p = text; *p; p++) {
        if (*p != '$')
            buf_putc(&b, *p);
        else if (*++p == 'K')
            buf_put(&b, jws_signer_jwk(es256));
        else if (*p == 'E')
            buf_put(&b, jws_signer_jwk(eddsa));
        else if (*p == 'S')
            buf_put(&b, jws_signer_jwk(stranger));
        else if (*p == 'A')
            buf_puts(&b, hash());
        else
            buf_put_i64(&b, NOW);
    }
    const char *out = arena_cstr(&kit, buf_sv(&b));
    buf_fini(&b);
    return out;
}

#define HEAD "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":$K}"
#define CLAIMS(jti, htm, htu, iat, ath)                             \
    "{\"jti\":" jti ",\"htm\":" htm ",\"htu\":" htu ",\"iat\":" iat \
    ",\"ath\":" ath "}"
#define URL_ "\"https://api.example/a/b\""
#define GOOD CLAIMS("\"1\"", "\"GET\"", URL_, "$N", "\"$A\"")

static const struct row {
    const char *header, *claims;
    enum dpop_verdict v;
} rows[] = {
    { HEAD, GOOD, DPOP_OK },
    /* header */
    { "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"jwk\":$K}", GOOD, DPOP_TYP },
    { "{\"alg\":\"ES256\",\"jwk\":$K}", GOOD, DPOP_TYP },
    { "{\"typ\":\"DPoP+JWT\",\"alg\":\"ES256\",\"jwk\":$K}", GOOD, DPOP_TYP },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"none\",\"jwk\":$K}", GOOD, DPOP_ALG },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"HS256\",\"jwk\":$K}", GOOD, DPOP_ALG },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"RS256\",\"jwk\":$K}", GOOD, DPOP_ALG },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"ES384\",\"jwk\":$K}", GOOD, DPOP_ALG },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"EdDSA\",\"jwk\":$K}", GOOD, DPOP_JWK },
    { "{\"typ\":\"dpop+jwt\",\"jwk\":$K}", GOOD, DPOP_ALG },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\"}", GOOD, DPOP_JWK },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":\"$A\"}", GOOD,
      DPOP_JWK },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":$E}", GOOD, DPOP_JWK },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":$S}", GOOD, DPOP_KEY },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":\"oct\","
      "\"k\":\"$A\"}}",
      GOOD, DPOP_JWK },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\","
      "\"crv\":\"P-256\",\"x\":\"$A\",\"y\":\"$A\",\"d\":\"$A\"}}",
      GOOD, DPOP_JWK },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\","
      "\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"$A\"}}",
      GOOD, DPOP_JWK },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"crit\":[\"x\"],\"x\":1,"
      "\"jwk\":$K}",
      GOOD, DPOP_FORM },
    { "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"alg\":\"ES256\","
      "\"jwk\":$K}",
      GOOD, DPOP_FORM },
    /* claims */
    { HEAD, "[]", DPOP_CLAIMS },
    { HEAD, "{\"jti\":\"1\",\"jti\":\"2\"}", DPOP_CLAIMS },
    { HEAD, CLAIMS("\"\"", "\"GET\"", URL_, "$N", "\"$A\""), DPOP_JTI },
    { HEAD, CLAIMS("1", "\"GET\"", URL_, "$N", "\"$A\""), DPOP_JTI },
    { HEAD, CLAIMS("\"1\"", "\"POST\"", URL_, "$N", "\"$A\""), DPOP_HTM },
    { HEAD, CLAIMS("\"1\"", "\"get\"", URL_, "$N", "\"$A\""), DPOP_HTM },
    { HEAD, CLAIMS("\"1\"", "\"GET\"", "\"/a/b\"", "$N", "\"$A\""), DPOP_HTU },
    { HEAD,
      CLAIMS("\"1\"", "\"GET\"", "\"https://api.example/a\"", "$N", "\"$A\""),
      DPOP_HTU },
    { HEAD,
      CLAIMS("\"1\"", "\"GET\"", "\"http://api.example/a/b\"", "$N", "\"$A\""),
      DPOP_HTU },
    { HEAD,
      CLAIMS("\"1\"", "\"GET\"", "\"https://evil.example/a/b\"", "$N",
             "\"$A\""),
      DPOP_HTU },
    { HEAD,
      CLAIMS("\"1\"", "\"GET\"", "\"HTTPS://API.example:443/x/../a/%62?e#f\"",
             "$N", "\"$A\""),
      DPOP_OK },
    { HEAD, CLAIMS("\"1\"", "\"GET\"", URL_, "\"$N\"", "\"$A\""), DPOP_IAT },
    { HEAD, CLAIMS("\"1\"", "\"GET\"", URL_, "1", "\"$A\""), DPOP_IAT },
    { HEAD, CLAIMS("\"1\"", "\"GET\"", URL_, "1e300", "\"$A\""), DPOP_IAT },
    { HEAD, CLAIMS("\"1\"", "\"GET\"", URL_, "$N", "\"\""), DPOP_ATH },
    { HEAD, CLAIMS("\"1\"", "\"GET\"", URL_, "$N", "\"$A=\""), DPOP_ATH },
    { HEAD, "{\"jti\":\"1\",\"htm\":\"GET\",\"htu\":" URL_ ",\"iat\":$N}",
      DPOP_ATH },
};

static void each_member_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dpop_ask ask = asked();
        struct dpop_proof out;
        struct sv proof = signed_by(
            es256, input_of(expand(rows[i].header), expand(rows[i].claims)));
        enum dpop_verdict v = judged(proof, &ask, &out);
        if (v != rows[i].v)
            fail_msg("%s %s: %s", rows[i].header, rows[i].claims,
                     dpop_verdict_text(v));
    }
}

/* Figures 12 and 8 of RFC 9449. */
static void the_proof_of_rfc_9449_7_1_holds(void **state)
{
    (void)state;
    uint8_t jkt[JWK_THUMBPRINT_BYTES];
    struct dpop_proof out;
    base64url_decode(SV("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"), jkt);
    struct dpop_ask ask = {
        .method = SV("GET"),
        .url = SV("https://resource.example.org/protectedresource"),
        .access_token = SV("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
        .jkt = jkt,
        .now_s = 1562262618,
    };
    struct sv proof =
        SV("eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
           "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldW"
           "QVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWcl"
           "UwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1"
           "MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtc"
           "GxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXR"
           "oIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFb"
           "yJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqy"
           "Vnmcw6Fy1dqd-jfxSYoMxhAJpLjA");
    assert_string_equal(dpop_verdict_text(judged(proof, &ask, &out)), "ok");
    ask.now_s += 66;
    assert_int_equal(judged(proof, &ask, &out), DPOP_IAT);
}

static void a_proof_of_ed25519_holds_for_its_key_only(void **state)
{
    (void)state;
    struct dpop_ask ask = asked();
    struct dpop_proof out;
    struct sv proof = signed_by(
        eddsa,
        input_of(expand("{\"typ\":\"dpop+jwt\",\"alg\":\"EdDSA\",\"jwk\":$E}"),
                 expand(GOOD)));
    assert_int_equal(judged(proof, &ask, &out), DPOP_KEY);
    ask.jkt = jkt_eddsa;
    assert_int_equal(judged(proof, &ask, &out), DPOP_OK);
}

static void a_signature_by_another_key_is_refused(void **state)
{
    (void)state;
    struct dpop_ask ask = asked();
    struct dpop_proof out;
    struct sv proof = signed_by(stranger, input_of(expand(HEAD), expand(GOOD)));
    assert_int_equal(judged(proof, &ask, &out), DPOP_SIGNATURE);
}

static void a_proof_holds_for_a_minute_and_the_skew(void **state)
{
    (void)state;
    static const struct {
        int64_t at;
        uint32_t skew;
        enum dpop_verdict v;
    } times[] = {
        { NOW - 5, 0, DPOP_OK },   { NOW - 6, 0, DPOP_IAT },
        { NOW + 65, 0, DPOP_OK },  { NOW + 66, 0, DPOP_IAT },
        { NOW - 30, 30, DPOP_OK }, { NOW - 31, 30, DPOP_IAT },
        { NOW + 90, 30, DPOP_OK }, { NOW + 91, 30, DPOP_IAT },
    };
    struct sv proof = signed_by(es256, input_of(expand(HEAD), expand(GOOD)));
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct dpop_ask ask = asked();
        struct dpop_proof out;
        ask.now_s = times[i].at;
        ask.skew_s = times[i].skew;
        assert_int_equal(judged(proof, &ask, &out), times[i].v);
        /* while it may hold, it must be remembered */
        if (times[i].v == DPOP_OK) assert_true(out.until_s > ask.now_s);
    }
}

static void a_jti_is_another_for_another_key(void **state)
{
    (void)state;
    struct dpop_ask ask = asked();
    struct dpop_proof one, same, other;
    struct sv input = input_of(expand(HEAD), expand(GOOD));
    assert_int_equal(judged(signed_by(es256, input), &ask, &one), DPOP_OK);
    /* ECDSA signs differently each time: it is the same proof all the same */
    assert_int_equal(judged(signed_by(es256, input), &ask, &same), DPOP_OK);
    assert_memory_equal(one.key, same.key, DPOP_KEY_BYTES);
    input = input_of(expand(HEAD),
                     expand(CLAIMS("\"2\"", "\"GET\"", URL_, "$N", "\"$A\"")));
    assert_int_equal(judged(signed_by(es256, input), &ask, &other), DPOP_OK);
    assert_memory_not_equal(one.key, other.key, DPOP_KEY_BYTES);
}

static void cut_or_bent_anywhere_it_is_refused(void **state)
{
    (void)state;
    struct dpop_ask ask = asked();
    struct dpop_proof out;
    struct sv proof = signed_by(es256, input_of(expand(HEAD), expand(GOOD)));
    for (size_t n = 0; n < proof.n; n++)
        assert_int_not_equal(judged(sv_first(proof, n), &ask, &out), DPOP_OK);
    char *bent = (char *)(uintptr_t)proof.p;
    for (size_t i = 0; i < proof.n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bent[i] ^= (char)(1 << bit);
            assert_int_not_equal(judged(proof, &ask, &out), DPOP_OK);
            bent[i] ^= (char)(1 << bit);
        }
    assert_int_equal(judged(proof, &ask, &out), DPOP_OK);
}

static void where_only_the_path_is_known_it_alone_is_compared(void **state)
{
    (void)state;
    struct dpop_ask ask = asked();
    struct dpop_proof out;
    struct sv proof = signed_by(es256, input_of(expand(HEAD), expand(GOOD)));
    ask.url = SV("/a/./b");
    assert_int_equal(judged(proof, &ask, &out), DPOP_OK);
    ask.url = SV("/a/b/");
    assert_int_equal(judged(proof, &ask, &out), DPOP_HTU);
    ask.url = SV("");
    assert_int_equal(judged(proof, &ask, &out), DPOP_HTU);
}

static void spellings_of_a_url_become_one(void **state)
{
    (void)state;
    static const struct {
        const char *url, *normal; /* NULL: refused */
    } urls[] = {
        { "https://a.example", "https://a.example/" },
        { "HTTPS://A.Example:443/", "https://a.example/" },
        { "http://a.example:443/", "http://a.example:443/" },
        { "http://a.example:80", "http://a.example/" },
        { "https://a.example./x", "https://a.example/x" },
        { "https://a.example:/x", "https://a.example/x" },
        { "https://[::1]:8443/x", "https://[::1]:8443/x" },
        { "https://[::1]/x", "https://[::1]/x" },
        { "https://a.example/%7euser/%2f%41", "https://a.example/~user/%2FA" },
        { "https://a.example/a/../../b", "https://a.example/b" },
        { "https://a.example/a/b/..", "https://a.example/a/" },
        { "https://a.example/a/./", "https://a.example/a/" },
        { "https://a.example/a/%2e%2E/b", "https://a.example/b" },
        { "https://a.example//a", "https://a.example//a" },
        { "https://a.example/a?b/../c#d", "https://a.example/a" },
        { "https://a.example?b", "https://a.example/" },
        { "/a/../b?c", "/b" },
        { "//a.example/b", "//a.example/b" },
        { "ftp://a.example/", NULL },
        { "a.example/", NULL },
        { "", NULL },
        { "https://", NULL },
        { "https:///a", NULL },
        { "https://user@a.example/", NULL },
        { "https://a.example:8x/", NULL },
        { "https://a.example/%4", NULL },
        { "https://a.example/%zz", NULL },
        { "https://a.example/a b", NULL },
        { "https://a.example/\xc3\xa9", NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        char text[256];
        struct buf out;
        struct sv url = exact(sv_cstr(urls[i].url));
        buf_init_fixed(&out, text, sizeof text - 1);
        bool good = dpop_url_put(url, &out);
        exact_free(url);
        text[out.n] = 0;
        if (good != (urls[i].normal != NULL) ||
            (good && strcmp(text, urls[i].normal) != 0))
            fail_msg("%s: %s", urls[i].url, good ? text : "refused");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(each_member_is_judged),
        KIT_TEST(the_proof_of_rfc_9449_7_1_holds),
        KIT_TEST(a_proof_of_ed25519_holds_for_its_key_only),
        KIT_TEST(a_signature_by_another_key_is_refused),
        KIT_TEST(a_proof_holds_for_a_minute_and_the_skew),
        KIT_TEST(a_jti_is_another_for_another_key),
        KIT_TEST(cut_or_bent_anywhere_it_is_refused),
        KIT_TEST(where_only_the_path_is_known_it_alone_is_compared),
        KIT_TEST(spellings_of_a_url_become_one),
    };
    return cmocka_run_group_tests(tests, keys_start, keys_end);
}
