/* Tokens: which verify, and every known way of forging one. */
#include <openssl/rsa.h>
#include <pthread.h>

#include "base/clock.h"
#include "jose_kit.h"

static void the_examples_of_the_rfcs_verify(void **state)
{
    (void)state;
    static const char *const files[] = { "rfc7515", "rfc7520", "rfc8037" };
    unsigned verified = 0;
    for (size_t f = 0; f < ARRAY_LEN(files); f++) {
        size_t i, max;
        yyjson_val *c;
        yyjson_arr_foreach(vectors_read(files[f]), i, max, c)
        {
            struct jwk_set *keys = keys_of_case(c);
            struct sv token = json_text(json_find(c, "token"));
            struct jws jws;
            if (json_find(c, "refused")) {
                assert_verdict(judge(token, keys), JOSE_ALG_NONE);
            } else {
                assert_verdict(judge(token, keys), JOSE_OK);
                assert_verdict(jws_decode(token, &kit, &jws), JOSE_OK);
                assert_true(
                    sv_eq(jws.payload, json_text(json_find(c, "payload"))));
                verified++;
            }
            jwk_set_free(&keys);
        }
    }
    assert_int_equal(verified, 9);
}

/* Each token after the one before it, with one memo for all. */
static void a_header_seen_before_says_what_it_said_the_first_time(void **state)
{
    (void)state;
    char long_kid[600];
    snprintf(long_kid, sizeof long_kid,
             "{\"alg\":\"HS256\",\"kid\":\"%0200d\",\"x\":\"%0300d\"}", 1, 2);
    const struct {
        const char *header, *end;
        bool known;
    } rows[] = {
        { "{\"alg\":\"HS256\"}", ".e30.AAAA", false },
        { "{\"alg\":\"HS256\"}", ".e30.BBBB", true },
        { "{\"alg\":\"HS256\"}", ".e3.BBBB", true },
        { "{\"alg\":\"HS256\"}", ".e30.BBBB.", true },
        { "{\"alg\":\"HS256\"}", ".e30", true },
        { "{\"alg\":\"none\"}", ".e30.AAAA", false },
        { "{\"alg\":\"HS256\"}", ".e30.AAAA", true },
        { "{\"alg\":\"RS512\",\"kid\":\"k\"}", ".e30.AAAA", false },
        { "{\"alg\":\"RS512\",\"kid\":\"k\"}", ".e30.CCCC", true },
        { "{\"alg\":\"HS256\",\"crit\":[]}", ".e30.AAAA", false },
        { "{\"alg\":\"HS256\",\"crit\":[]}", ".e30.AAAA", false },
        { "", ".e30.AAAA", false },
        { "{\"alg\":\"HS256\"}", ".e30.AAAA", false },
        { long_kid, ".e30.AAAA", false },
        { long_kid, ".e30.AAAA", false },
    };
    static struct jws_memo memo;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sv header = b64(sv_cstr(rows[i].header));
        struct sv token =
            arena_printf(&kit, "%.*s%s", (int)header.n, header.p, rows[i].end);
        struct jws first, next;
        enum jose_verdict v = jws_decode(token, &kit, &first);
        assert_verdict(jws_decode_next(token, &memo, &kit, &next), v);
        if (v != JOSE_OK) continue;
        assert_int_equal(next.header == NULL, rows[i].known);
        assert_int_equal(next.alg, first.alg);
        assert_true(sv_eq(next.kid, first.kid) && !next.kid.p == !first.kid.p);
        assert_true(sv_eq(next.input, first.input));
        assert_true(sv_eq(next.payload, first.payload));
        assert_true(sv_eq(next.signature, first.signature));
    }
}

/* --- every algorithm, twice on the same contexts ------------------------- */
static struct sv rsa_sign(EVP_PKEY *key, const char *hash, bool pss, int salt,
                          struct sv input)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p;
    size_t n = 1024;
    unsigned char *to = arena_alloc(&kit, n);
    assert_int_equal(EVP_DigestSignInit_ex(c, &p, hash, NULL, NULL, key, NULL),
                     1);
    if (pss) {
        EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(p, salt);
    }
    assert_int_equal(EVP_DigestSign(c, to, &n, (const void *)input.p, input.n),
                     1);
    EVP_MD_CTX_free(c);
    return sv_of(to, n);
}

static void good_bad_good(struct jwk_set *keys, struct sv input,
                          struct sv signature)
{
    char *bent = (char *)arena_dup(&kit, signature).p;
    struct sv good = token_with(input, signature), bad, other;
    bent[signature.n - 1] ^= 1;
    bad = token_with(input, sv_of(bent, signature.n));
    struct sv other_input = sv_first(input, input.n - 4);
    other = token_with(other_input, signature);
    for (int i = 0; i < 3; i++) {
        assert_verdict(judge(good, keys), JOSE_OK);
        assert_verdict(judge(bad, keys), JOSE_SIGNATURE_WRONG);
        assert_verdict(judge(other, keys), JOSE_SIGNATURE_WRONG);
    }
    assert_verdict(
        judge(token_with(input, sv_first(signature, signature.n - 1)), keys),
        JOSE_SIGNATURE_FORM);
}

static void every_algorithm_verifies_and_refuses_on_kept_contexts(void **state)
{
    (void)state;
    static const struct {
        const char *alg, *hash, *curve;
        size_t half;
    } rows[] = {
        { "RS256", "SHA256", "", 0 },       { "RS384", "SHA384", "", 0 },
        { "RS512", "SHA512", "", 0 },       { "PS256", "SHA256", "", 32 },
        { "PS384", "SHA384", "", 48 },      { "PS512", "SHA512", "", 64 },
        { "ES256", "SHA256", "P-256", 32 }, { "ES384", "SHA384", "P-384", 48 },
        { "ES512", "SHA512", "P-521", 66 }, { "EdDSA", NULL, "ED25519", 0 },
        { "Ed25519", NULL, "ED25519", 0 },  { "EdDSA", NULL, "ED448", 0 },
        { "Ed448", NULL, "ED448", 0 },
    };
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool okp = !rows[i].hash, ec = !okp && rows[i].curve[0];
        EVP_PKEY *key = okp  ? EVP_PKEY_Q_keygen(NULL, NULL, rows[i].curve)
                        : ec ? EVP_EC_gen(rows[i].curve)
                             : rsa;
        struct jwk_set *keys = keys_of(pem_of(key).p);
        struct sv header = arena_printf(&kit, "{\"alg\":\"%s\"}", rows[i].alg);
        struct sv input = input_of(header.p, "{\"sub\":\"12\"}");
        struct sv signature =
            okp  ? evp_sign(key, NULL, input)
            : ec ? raw_of(evp_sign(key, rows[i].hash, input), rows[i].half)
                 : rsa_sign(key, rows[i].hash, rows[i].half > 0,
                            (int)rows[i].half, input);
        good_bad_good(keys, input, signature);
        jwk_set_free(&keys);
        if (key != rsa) EVP_PKEY_free(key);
    }
    /* Another salt than the hash's length is not PS256 (RFC 7518, 3.5). */
    struct jwk_set *keys = keys_of(pem_of(rsa).p);
    struct sv input = input_of("{\"alg\":\"PS256\"}", "{}");
    assert_verdict(
        judge(token_with(input, rsa_sign(rsa, "SHA256", true, 20, input)),
              keys),
        JOSE_SIGNATURE_WRONG);
    jwk_set_free(&keys);
    EVP_PKEY_free(rsa);
}

static void each_hmac_verifies_and_refuses_on_kept_contexts(void **state)
{
    (void)state;
    static const char secret[64] = "any 64 bytes of a secret";
    struct jwk_set *keys =
        keys_of(arena_printf(&kit, "{\"kty\":\"oct\",\"k\":\"%s\"}",
                             b64(sv_of(secret, 64)).p)
                    .p);
    static const char *const rows[][2] = {
        { "{\"alg\":\"HS256\"}", "SHA256" },
        { "{\"alg\":\"HS384\"}", "SHA384" },
        { "{\"alg\":\"HS512\"}", "SHA512" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sv input = input_of(rows[i][0], "{\"sub\":\"12\"}");
        good_bad_good(keys, input,
                      hmac_sign(rows[i][1], sv_of(secret, 64), input));
    }
    jwk_set_free(&keys);
}

/* --- form ---------------------------------------------------------------- */
static void headers_that_are_not_strict_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum jose_verdict v;
    } rows[] = {
        { "{\"alg\":\"none\"}", JOSE_ALG_NONE },
        { "{\"alg\":\"None\"}", JOSE_ALG_NONE },
        { "{\"alg\":\"NONE\"}", JOSE_ALG_NONE },
        { "{\"alg\":\"nOnE\"}", JOSE_ALG_NONE },
        { "{\"alg\":\"\\u006eone\"}", JOSE_ALG_NONE },
        { "{\"alg\":\"none \"}", JOSE_ALG_UNKNOWN },
        { "{\"alg\":\"none\\u0000\"}", JOSE_ALG_UNKNOWN },
        { "{\"alg\":\"\"}", JOSE_ALG_UNKNOWN },
        { "{\"alg\":\"hs256\"}", JOSE_ALG_UNKNOWN },
        { "{\"alg\":\"HS256\\u0000\"}", JOSE_ALG_UNKNOWN },
        { "{\"alg\":\"HS1\"}", JOSE_ALG_UNKNOWN },
        { "{\"alg\":\"RSA1_5\",\"enc\":\"A128GCM\"}", JOSE_ALG_UNKNOWN },
        { "{\"alg\":null}", JOSE_ALG_MISSING },
        { "{\"alg\":[\"HS256\"]}", JOSE_ALG_MISSING },
        { "{\"Alg\":\"HS256\"}", JOSE_ALG_MISSING },
        { "{}", JOSE_ALG_MISSING },
        { "{\"alg\":\"HS256\",\"alg\":\"none\"}", JOSE_HEADER_JSON },
        { "{\"alg\":\"none\",\"alg\":\"HS256\"}", JOSE_HEADER_JSON },
        { "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", JOSE_HEADER_JSON },
        { "{\"alg\":\"HS256\"} ", JOSE_OK },
        { "{\"alg\":\"HS256\"}x", JOSE_HEADER_JSON },
        { "{\"alg\":\"HS256\"}{}", JOSE_HEADER_JSON },
        { "{\"alg\":\"HS256\",}", JOSE_HEADER_JSON },
        { "{'alg':'HS256'}", JOSE_HEADER_JSON },
        { "\xef\xbb\xbf{\"alg\":\"HS256\"}", JOSE_HEADER_JSON },
        { "{\"alg\":\"HS256\",\"x\":\"\xff\"}", JOSE_HEADER_JSON },
        { "{\"alg\":\"HS256\",\"x\":\"\\ud800\"}", JOSE_HEADER_JSON },
        { "[\"HS256\"]", JOSE_HEADER_JSON },
        { "\"HS256\"", JOSE_HEADER_JSON },
        { "", JOSE_HEADER_JSON },
        { "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", JOSE_CRIT },
        { "{\"alg\":\"HS256\",\"crit\":[]}", JOSE_CRIT },
        { "{\"alg\":\"HS256\",\"crit\":null}", JOSE_CRIT },
        { "{\"alg\":\"HS256\",\"crit\":[\"alg\"]}", JOSE_CRIT },
        { "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", JOSE_CRIT },
        { "{\"alg\":\"HS256\",\"b64\":false}", JOSE_B64 },
        { "{\"alg\":\"HS256\",\"b64\":true}", JOSE_B64 },
        { "{\"alg\":\"HS256\",\"kid\":7}", JOSE_KID },
        { "{\"alg\":\"HS256\",\"kid\":\"\"}", JOSE_KID },
        /* Where a key may lie is not for the token to say. */
        { "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"},"
          "\"jku\":\"http://127.0.0.1/\",\"x5u\":\"file:///dev/zero\","
          "\"x5c\":[\"AAAA\"]}",
          JOSE_OK },
        { "{\"alg\":\"HS256\",\"kid\":\"../../../../dev/null\"}", JOSE_OK },
        { "{\"alg\":\"HS256\",\"kid\":\"' OR 1=1; --\"}", JOSE_OK },
    };
    struct jwk_set *keys = keys_of(HS_JWK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sv token = hs256(rows[i].header, "{}", SV(HS_SECRET));
        enum jose_verdict v = judge(token, keys);
        if (v != rows[i].v)
            fail_msg("%s: %s", rows[i].header, jose_verdict_text(v));
    }
    jwk_set_free(&keys);
}

static void tokens_that_are_not_three_canonical_parts_are_refused(void **state)
{
    (void)state;
    struct jwk_set *keys = keys_of(HS_JWK);
    struct sv good = hs256("{\"alg\":\"HS256\"}", "{}", SV(HS_SECRET));
    const char *g = good.p;
    const struct {
        struct sv token;
        enum jose_verdict v;
    } rows[] = {
        { good, JOSE_OK },
        { SV(""), JOSE_PARTS },
        { SV("."), JOSE_PARTS },
        { SV(".."), JOSE_HEADER_JSON },
        { SV("..."), JOSE_PARTS },
        { SV("...."), JOSE_ENCRYPTED },
        { SV("....."), JOSE_PARTS },
        { arena_printf(&kit, "%s.", g), JOSE_PARTS },
        { arena_printf(&kit, ".%s", g), JOSE_PARTS },
        { arena_printf(&kit, "%s..", g), JOSE_ENCRYPTED },
        { arena_printf(&kit, "%s\n", g), JOSE_SIGNATURE_BASE64 },
        { arena_printf(&kit, "%s=", g), JOSE_SIGNATURE_BASE64 },
        { arena_printf(&kit, "%s ", g), JOSE_SIGNATURE_BASE64 },
        { arena_printf(&kit, " %s", g), JOSE_HEADER_BASE64 },
        { arena_printf(&kit, "Bearer %s", g), JOSE_HEADER_BASE64 },
        { sv_of(g, good.n + 1), JOSE_SIGNATURE_BASE64 }, /* NUL */
        { sv_first(good, sv_rfind(good, '.') + 1), JOSE_SIGNATURE_FORM },
        { arena_printf(&kit, "%.*s=%s", (int)sv_find(good, '.'), g,
                       g + sv_find(good, '.')),
          JOSE_HEADER_BASE64 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum jose_verdict v = judge(rows[i].token, keys);
        if (v != rows[i].v)
            fail_msg("%s: %s", rows[i].token.p, jose_verdict_text(v));
    }
    jwk_set_free(&keys);
}

static struct sv repeated(const char *before, const char *part, size_t n,
                          const char *after)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, before);
    for (size_t i = 0; i < n; i++) buf_puts(&b, part);
    buf_puts(&b, after);
    struct sv text = arena_dup(&kit, buf_sv(&b));
    buf_fini(&b);
    return text;
}

static void huge_and_deep_tokens_are_refused_within_their_room(void **state)
{
    (void)state;
    struct jwk_set *keys = keys_of(HS_JWK);
    const struct {
        struct sv header, payload;
        enum jose_verdict v;
    } rows[] = {
        { repeated("{\"alg\":\"HS256\",\"x\":\"", "x", 8000, "\"}"), SV("{}"),
          JOSE_OK },
        { repeated("{\"alg\":\"HS256\",\"x\":\"", "x", 9000, "\"}"), SV("{}"),
          JOSE_HEADER_LONG },
        { repeated("{\"alg\":\"HS256\",\"x\":", "[", 4000, ""), SV("{}"),
          JOSE_HEADER_JSON },
        { arena_printf(&kit, "%s%s}",
                       repeated("{\"alg\":\"HS256\",\"x\":", "[", 64, "").p,
                       repeated("", "]", 64, "").p),
          SV("{}"), JOSE_HEADER_JSON },
        { repeated("{\"alg\":\"HS256\",\"x\":[0", ",1", 4000, "]}"), SV("{}"),
          JOSE_OK },
        { SV("{\"alg\":\"HS256\"}"), repeated("", "x", 12000, ""), JOSE_OK },
        { SV("{\"alg\":\"HS256\"}"), repeated("", "x", 12300, ""),
          JOSE_TOO_LONG },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_verdict(
            judge(hs256(rows[i].header.p, rows[i].payload.p, SV(HS_SECRET)),
                  keys),
            rows[i].v);
    /* The worst that fits has room with its claims. */
    struct arena a;
    struct jws jws;
    const yyjson_val *claims;
    arena_init(&a, JWS_ARENA_BYTES, NULL, 0);
    struct sv worst =
        hs256(repeated("{\"alg\":\"HS256\",\"x\":[0", ",1", 600, "]}").p,
              repeated("{\"x\":[0", ",1", 5200, "]}").p, SV(HS_SECRET));
    assert_verdict(jws_decode(worst, &a, &jws), JOSE_OK);
    assert_verdict(claims_decode(jws.payload, &a, &claims), JOSE_OK);
    arena_fini(&a);
    jwk_set_free(&keys);
}

/* --- forgeries ----------------------------------------------------------- */
static void a_public_key_is_no_secret(void **state)
{
    (void)state;
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    struct sv pem = pem_of(rsa);
    struct jwk_set *keys = keys_of(pem.p), *both;
    assert_verdict(judge(hs256("{\"alg\":\"HS256\"}", "{}", pem), keys),
                   JOSE_KEY_ALG);
    assert_verdict(judge(hs256("{\"alg\":\"HS256\"}", "{}", SV("")), keys),
                   JOSE_KEY_ALG);
    jwk_set_free(&keys);
    both = keys_of("{\"keys\":[" HS_JWK "]}");
    struct sv input = input_of("{\"alg\":\"RS256\"}", "{}");
    assert_verdict(
        judge(token_with(input, evp_sign(rsa, "SHA256", input)), both),
        JOSE_KEY_ALG);
    jwk_set_free(&both);
    EVP_PKEY_free(rsa);
}

#define ORDER                                                      \
    "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff" \
    "\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"
static const char zero[32], one[32] = { [31] = 1 };

static void psychic_and_der_signatures_are_refused(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct jwk_set *keys = keys_of(pem_of(key).p);
    struct sv input = input_of("{\"alg\":\"ES256\"}", "{}");
    struct sv der = evp_sign(key, "SHA256", input), raw = raw_of(der, 32);
    const char *const bad[] = {
        zero, ORDER,
        "\xff\xff\xff\xff\xff\xff\xff\xff"
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
        "\xff\xff\xff\xff\xff\xff\xff\xff"
    };
    char rs[64];
    assert_verdict(judge(token_with(input, raw), keys), JOSE_OK);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        for (int half = 0; half < 3; half++) {
            memcpy(rs, raw.p, 64);
            if (half != 1) memcpy(rs, bad[i], 32);
            if (half != 0) memcpy(rs + 32, bad[i], 32);
            assert_verdict(judge(token_with(input, sv_of(rs, 64)), keys),
                           JOSE_SIGNATURE_FORM);
        }
    memcpy(rs, one, 32);
    memcpy(rs + 32, one, 32);
    assert_verdict(judge(token_with(input, sv_of(rs, 64)), keys),
                   JOSE_SIGNATURE_WRONG);
    assert_verdict(judge(token_with(input, der), keys), JOSE_SIGNATURE_FORM);
    char padded[66] = { 0 };
    memcpy(padded + 1, raw.p, 32);
    memcpy(padded + 34, raw.p + 32, 32);
    assert_verdict(judge(token_with(input, sv_of(padded, 66)), keys),
                   JOSE_SIGNATURE_FORM);
    jwk_set_free(&keys);
    EVP_PKEY_free(key);
}

static void other_curves_and_hashes_are_not_the_keys_algorithm(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-384");
    struct jwk_set *keys = keys_of(pem_of(key).p);
    struct sv input = input_of("{\"alg\":\"ES256\"}", "{}");
    assert_verdict(
        judge(token_with(input, raw_of(evp_sign(key, "SHA256", input), 48)),
              keys),
        JOSE_KEY_ALG);
    jwk_set_free(&keys);
    EVP_PKEY_free(key);
}

static void truncated_and_flipped_tokens_never_verify(void **state)
{
    (void)state;
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    struct sv input = input_of("{\"alg\":\"ES256\"}", "{}");
    struct sv tokens[] = {
        hs256("{\"alg\":\"HS256\"}", "{\"a\":1}", SV(HS_SECRET)),
        token_with(input, raw_of(evp_sign(ec, "SHA256", input), 32)),
    };
    struct jwk_set *sets[] = { keys_of(HS_JWK), keys_of(pem_of(ec).p) };
    for (size_t t = 0; t < 2; t++) {
        char *bent = (char *)arena_dup(&kit, tokens[t]).p;
        for (size_t i = 0; i < tokens[t].n; i++) {
            assert_int_not_equal(judge(sv_first(tokens[t], i), sets[t]),
                                 JOSE_OK);
            for (int bit = 0; bit < 8; bit++) {
                bent[i] ^= (char)(1 << bit);
                assert_int_not_equal(judge(sv_of(bent, tokens[t].n), sets[t]),
                                     JOSE_OK);
                bent[i] ^= (char)(1 << bit);
            }
        }
        assert_verdict(judge(tokens[t], sets[t]), JOSE_OK);
        jwk_set_free(&sets[t]);
    }
    EVP_PKEY_free(ec);
}

/* --- which key ----------------------------------------------------------- */
#define KEY(kid, k) "{\"kty\":\"oct\"," kid "\"k\":\"" k "\"}"
#define K_A "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE"
#define K_B "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI"
#define K_C "Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2M"
#define SECRET_A SV("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
#define SECRET_B SV("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
#define SECRET_C SV("cccccccccccccccccccccccccccccccc")

static void the_kid_chooses_and_does_not_excuse(void **state)
{
    (void)state;
    struct jwk_set *named = keys_of("{\"keys\":[" KEY(
        "\"kid\":\"a\",", K_A) "," KEY("\"kid\":\"b\",", K_B) "]}");
    struct jwk_set *mixed =
        keys_of("{\"keys\":[" KEY("\"kid\":\"a\",", K_A) "," KEY("", K_C) "]}");
    const struct {
        const char *header;
        struct sv secret;
        struct jwk_set *keys;
        enum jose_verdict v;
    } rows[] = {
        { "{\"alg\":\"HS256\",\"kid\":\"b\"}", SECRET_B, named, JOSE_OK },
        { "{\"alg\":\"HS256\",\"kid\":\"a\"}", SECRET_B, named,
          JOSE_SIGNATURE_WRONG },
        { "{\"alg\":\"HS256\"}", SECRET_B, named, JOSE_OK },
        { "{\"alg\":\"HS256\"}", SECRET_C, named, JOSE_SIGNATURE_WRONG },
        { "{\"alg\":\"HS256\",\"kid\":\"x\"}", SECRET_B, named,
          JOSE_KEY_UNKNOWN },
        { "{\"alg\":\"HS512\",\"kid\":\"a\"}", SECRET_A, named, JOSE_KEY_ALG },
        { "{\"alg\":\"HS256\",\"kid\":\"x\"}", SECRET_C, mixed, JOSE_OK },
        { "{\"alg\":\"HS256\",\"kid\":\"x\"}", SECRET_A, mixed,
          JOSE_SIGNATURE_WRONG },
        { "{\"alg\":\"HS256\",\"kid\":\"a\"}", SECRET_C, mixed,
          JOSE_SIGNATURE_WRONG },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum jose_verdict v =
            judge(hs256(rows[i].header, "{}", rows[i].secret), rows[i].keys);
        if (v != rows[i].v) fail_msg("%zu: %s", i, jose_verdict_text(v));
    }
    jwk_set_free(&named);
    jwk_set_free(&mixed);
}

static void at_most_ten_keys_are_tried(void **state)
{
    (void)state;
    for (unsigned before = 9; before < 11; before++) {
        struct buf b;
        buf_init(&b, 1 << 16);
        buf_puts(&b, "{\"keys\":[");
        for (unsigned i = 0; i < before; i++) buf_puts(&b, KEY("", K_A) ",");
        buf_puts(&b, KEY("", K_B) "]}");
        struct jwk_set *keys = keys_try(buf_sv(&b), NULL);
        assert_verdict(
            judge(hs256("{\"alg\":\"HS256\"}", "{}", SECRET_B), keys),
            before < 10 ? JOSE_OK : JOSE_SIGNATURE_WRONG);
        jwk_set_free(&keys);
        buf_fini(&b);
    }
}

static void an_algorithm_outside_the_list_is_refused(void **state)
{
    (void)state;
    struct jwk_set *keys = keys_of(HS_JWK);
    struct sv unknown;
    const struct jwk *by;
    struct jws jws;
    uint32_t algs;
    struct sv token = hs256("{\"alg\":\"HS256\"}", "{}", SV(HS_SECRET));
    assert_int_equal(jose_algs_decode(SV("RS256, HS512"), &algs, NULL), 0);
    assert_verdict(jws_decode(token, &kit, &jws), JOSE_OK);
    assert_verdict(jws_verify(&jws, keys, algs, 0, &by), JOSE_ALG_NOT_ALLOWED);
    assert_null(by);
    assert_verdict(jws_verify(&jws, keys, 1 << JOSE_HS256, 1, &by), JOSE_OK);
    assert_ptr_equal(by, &keys->keys[0]);
    static const char *const bad[] = { "",      "none",        "HS256,",
                                       "hs256", "HS256 RS256", ",RS256" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(jose_algs_decode(sv_cstr(bad[i]), &algs, &unknown),
                         ERR_INVALID);
    jwk_set_free(&keys);
}

struct lane {
    const struct jwk_set *keys;
    const struct jws *token;
    unsigned number, good;
};

static void *lane_run(void *arg)
{
    struct lane *lane = arg;
    for (int i = 0; i < 50; i++)
        lane->good += jws_verify(lane->token, lane->keys, JOSE_ALGS_ALL,
                                 lane->number, NULL) == JOSE_OK;
    return NULL;
}

static void two_lanes_verify_with_one_key_at_the_same_time(void **state)
{
    (void)state;
    EVP_PKEY *made[] = { EVP_RSA_gen(2048), EVP_EC_gen("P-256") };
    static const char *const algs[] = { "RS256", "ES256" };
    for (size_t i = 0; i < 2; i++) {
        struct jwk_set *keys = keys_of(pem_of(made[i]).p);
        struct sv input =
            input_of(arena_printf(&kit, "{\"alg\":\"%s\"}", algs[i]).p, "{}");
        struct sv signature = evp_sign(made[i], "SHA256", input);
        struct jws jws;
        if (i == 1) signature = raw_of(signature, 32);
        assert_verdict(jws_decode(token_with(input, signature), &kit, &jws),
                       JOSE_OK);
        struct lane lanes[2] = { { keys, &jws, 0, 0 }, { keys, &jws, 1, 0 } };
        pthread_t other;
        pthread_create(&other, NULL, lane_run, &lanes[1]);
        lane_run(&lanes[0]);
        pthread_join(other, NULL);
        assert_int_equal(lanes[0].good + lanes[1].good, 100);
        jwk_set_free(&keys);
        EVP_PKEY_free(made[i]);
    }
}

/* --- claims -------------------------------------------------------------- */
static void times_are_judged_with_the_skew_to_the_second(void **state)
{
    (void)state;
    static const struct claim_times plain = { .now_s = 1000 };
    static const struct claim_times skewed = { .now_s = 1000, .skew_s = 60 };
    static const struct claim_times strict = { .now_s = 1000,
                                               .exp = CLAIM_REQUIRED,
                                               .nbf = CLAIM_REQUIRED,
                                               .iat = CLAIM_REQUIRED };
    static const struct claim_times ignoring = { .now_s = 1000,
                                                 .exp = CLAIM_IGNORED,
                                                 .nbf = CLAIM_IGNORED,
                                                 .iat = CLAIM_IGNORED };
    static const struct {
        const struct claim_times *times;
        const char *claims;
        enum jose_verdict v;
    } rows[] = {
        { &plain, "{}", JOSE_OK },
        { &plain, "{\"exp\":1001}", JOSE_OK },
        { &plain, "{\"exp\":1000}", JOSE_EXPIRED },
        { &plain, "{\"exp\":1000.5}", JOSE_OK },
        { &plain, "{\"exp\":0}", JOSE_EXPIRED },
        { &plain, "{\"exp\":-5}", JOSE_EXPIRED },
        { &plain, "{\"exp\":1e300}", JOSE_OK },
        { &plain, "{\"exp\":\"2000\"}", JOSE_EXP_FORM },
        { &plain, "{\"exp\":null}", JOSE_EXP_FORM },
        { &plain, "{\"exp\":[2000]}", JOSE_EXP_FORM },
        { &plain, "{\"nbf\":1000}", JOSE_OK },
        { &plain, "{\"nbf\":1000.5}", JOSE_NOT_ACTIVE },
        { &plain, "{\"nbf\":1001}", JOSE_NOT_ACTIVE },
        { &plain, "{\"nbf\":true}", JOSE_NBF_FORM },
        { &plain, "{\"iat\":1000}", JOSE_OK },
        { &plain, "{\"iat\":1001}", JOSE_ISSUED_LATER },
        { &plain, "{\"iat\":\"1\"}", JOSE_IAT_FORM },
        { &skewed, "{\"exp\":941}", JOSE_OK },
        { &skewed, "{\"exp\":940}", JOSE_EXPIRED },
        { &skewed, "{\"nbf\":1060,\"iat\":1060}", JOSE_OK },
        { &skewed, "{\"nbf\":1061}", JOSE_NOT_ACTIVE },
        { &skewed, "{\"iat\":1061}", JOSE_ISSUED_LATER },
        { &strict, "{\"nbf\":1,\"iat\":1}", JOSE_EXP_MISSING },
        { &strict, "{\"exp\":2000,\"iat\":1}", JOSE_NBF_MISSING },
        { &strict, "{\"exp\":2000,\"nbf\":1}", JOSE_IAT_MISSING },
        { &strict, "{\"exp\":2000,\"nbf\":1,\"iat\":1}", JOSE_OK },
        { &ignoring, "{\"exp\":1,\"nbf\":\"x\",\"iat\":5000}", JOSE_OK },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const yyjson_val *claims;
        assert_verdict(claims_decode(sv_cstr(rows[i].claims), &kit, &claims),
                       JOSE_OK);
        enum jose_verdict v = claims_check_times(claims, rows[i].times);
        if (v != rows[i].v)
            fail_msg("%zu %s: %s", i, rows[i].claims, jose_verdict_text(v));
    }
}

static void a_payload_is_a_strict_object(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "7",
        "{",
        "{\"exp\":1,\"exp\":2}",
        "{} {}",
        "{\"a\":NaN}",
        "{\"a\":\"\xff\"}",
        "{\"exp\":1e999}",
    };
    const yyjson_val *claims;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_verdict(claims_decode(sv_cstr(bad[i]), &kit, &claims),
                       JOSE_PAYLOAD_JSON);
}

static void claims_are_found_by_their_whole_name(void **state)
{
    (void)state;
    static const char text[] =
        "{\"ex\":1,\"expires\":2,\"exp\":3,\"\":4,\"scopes\":5,\"scope\":6,"
        "\"permission\":7,\"permissions\":8,\"SUB\":9,\"nbf\\u0000\":10,"
        "\"cnf\":{\"sub\":11},\"aud\":12}";
    static const int found[CLAIM_NAMES] = { [CLAIM_EXP] = 3,
                                            [CLAIM_SCOPE] = 6,
                                            [CLAIM_PERMISSIONS] = 8,
                                            [CLAIM_AUD] = 12 };
    const yyjson_val *claims;
    struct claims_named named;
    assert_verdict(claims_decode(sv_cstr(text), &kit, &claims), JOSE_OK);
    claims_find_named(claims, &named);
    for (unsigned i = 0; i < CLAIM_NAMES; i++)
        if (i == CLAIM_CNF)
            assert_true(yyjson_is_obj(named.at[i]));
        else
            assert_int_equal(yyjson_get_int(named.at[i]), found[i]);
}

static void every_verdict_has_one_of_the_published_codes(void **state)
{
    (void)state;
    static const char *const codes[] = {
        "ok",
        "invalid_signature",
        "token_expired",
        "token_not_active",
        "missing_claim",
        "invalid_claim",
    };
    for (enum jose_verdict v = 0; v < JOSE_VERDICT_COUNT; v++) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(codes); i++)
            known |= !strcmp(jose_verdict_code(v), codes[i]);
        assert_true(known);
        assert_true(strlen(jose_verdict_text(v)) > 1);
    }
}

/* Prints what a verification costs; fails only when something is very wrong. */
static void a_verification_takes_nothing_from_our_heap_and_tells_its_cost(
    void **state)
{
    (void)state;
    EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-256");
    EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct sv r = input_of("{\"alg\":\"RS256\"}", "{\"sub\":\"1\"}");
    struct sv e = input_of("{\"alg\":\"ES256\"}", "{\"sub\":\"1\"}");
    struct sv d = input_of("{\"alg\":\"EdDSA\"}", "{\"sub\":\"1\"}");
    const struct {
        const char *name;
        struct jwk_set *keys;
        struct sv token;
    } rows[] = {
        { "HS256", keys_of(HS_JWK),
          hs256("{\"alg\":\"HS256\"}", "{\"sub\":\"1\"}", SV(HS_SECRET)) },
        { "RS256", keys_of(pem_of(rsa).p),
          token_with(r, evp_sign(rsa, "SHA256", r)) },
        { "ES256", keys_of(pem_of(ec).p),
          token_with(e, raw_of(evp_sign(ec, "SHA256", e), 32)) },
        { "EdDSA", keys_of(pem_of(ed).p),
          token_with(d, evp_sign(ed, NULL, d)) },
    };
    static char first[32 * 1024];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum { TIMES = 300 };
        uint64_t best = UINT64_MAX;
        for (int round = 0; round < 5; round++) {
            uint64_t from = clock_thread_cpu_ns();
            for (int n = 0; n < TIMES; n++) {
                struct arena a;
                struct jws jws;
                arena_init(&a, JWS_ARENA_BYTES, first, sizeof first);
                jws_decode(rows[i].token, &a, &jws);
                assert_int_equal(
                    jws_verify(&jws, rows[i].keys, JOSE_ALGS_ALL, 0, NULL),
                    JOSE_OK);
                assert_int_equal(a.used, 0); /* nothing from the heap */
                arena_fini(&a);
            }
            uint64_t took = (clock_thread_cpu_ns() - from) / TIMES;
            if (took < best) best = took;
        }
        print_message("# %s %u ns\n", rows[i].name, (unsigned)best);
        assert_true(best < 5000000);
        jwk_set_free(&(struct jwk_set *){ rows[i].keys });
    }
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(the_examples_of_the_rfcs_verify),
        KIT_TEST(a_header_seen_before_says_what_it_said_the_first_time),
        KIT_TEST(every_algorithm_verifies_and_refuses_on_kept_contexts),
        KIT_TEST(each_hmac_verifies_and_refuses_on_kept_contexts),
        KIT_TEST(headers_that_are_not_strict_are_refused),
        KIT_TEST(tokens_that_are_not_three_canonical_parts_are_refused),
        KIT_TEST(huge_and_deep_tokens_are_refused_within_their_room),
        KIT_TEST(a_public_key_is_no_secret),
        KIT_TEST(psychic_and_der_signatures_are_refused),
        KIT_TEST(other_curves_and_hashes_are_not_the_keys_algorithm),
        KIT_TEST(truncated_and_flipped_tokens_never_verify),
        KIT_TEST(the_kid_chooses_and_does_not_excuse),
        KIT_TEST(at_most_ten_keys_are_tried),
        KIT_TEST(two_lanes_verify_with_one_key_at_the_same_time),
        KIT_TEST(an_algorithm_outside_the_list_is_refused),
        KIT_TEST(times_are_judged_with_the_skew_to_the_second),
        KIT_TEST(a_payload_is_a_strict_object),
        KIT_TEST(claims_are_found_by_their_whole_name),
        KIT_TEST(every_verdict_has_one_of_the_published_codes),
        KIT_TEST(a_verification_takes_nothing_from_our_heap_and_tells_its_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
