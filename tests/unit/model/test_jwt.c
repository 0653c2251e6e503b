/* JWT profiles, key sets and rules: what is taken, what it becomes, and what
 * is refused by which name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "codec/jwk.h"
#include "model/jwt.h"
#include "model/record.h"

#define TEST(f) cmocka_unit_test(f)
#define JWK_ID "jwk_01ARZ3NDEKTSV4RRFFQ69G5FAV"
/* RFC 7515 A.3 and A.1 */
#define EC                                                   \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"               \
    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":" \
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define EC_PRIVATE                                           \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"               \
    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":" \
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"d\":" \
    "\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}"
#define OCT                                                               \
    "{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":"                           \
    "\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iP" \
    "S4hcgUuTwjAzZr1Z9CAow\"}"
#define SHORT "{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"c2hvcnQ\"}"
#define PEM                                                               \
    "-----BEGIN PUBLIC KEY-----\\n"                                       \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\\n" \
    "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\\n"     \
    "-----END PUBLIC KEY-----\\n"
#define HEAD "{\"id\":\"x_1\",\"account_id\":\"acc_1\",\"name\":\"n\""

static struct arena a;
static bool insecure;

static bool exists(void *ctx, enum kind kind, struct sv id)
{
    (void)ctx;
    return kind == KIND_JWK && sv_eq(id, SV(JWK_ID));
}

static yyjson_val *parse(const char *text)
{
    yyjson_doc *doc;
    if (json_decode(sv_cstr(text), &a, &doc, NULL))
        fail_msg("bad test data: %s", text);
    return yyjson_doc_get_root(doc);
}

/* The canonical document, or "code field". */
static const char *ask(const struct shape *shape, const char *present,
                       const char *input)
{
    struct shape_env env = { .arena = &a,
                             .role = ROLE_OWNER,
                             .insecure_key_urls = insecure,
                             .exists = exists };
    struct shape_problem why;
    yyjson_mut_doc *doc;
    int rc = present ? shape_patch(shape, &env, parse(present), parse(input),
                                   &doc, &why)
                     : shape_create(shape, &env, parse(input), &doc, &why);
    if (rc == 0) return json_encode(&a, yyjson_mut_doc_get_root(doc)).p;
    assert_int_equal(rc, ERR_INVALID);
    assert_true(why.message[0] != '\0');
    return arena_printf(&a, "%s %s", why.code, why.field).p;
}

struct row {
    const char *input, *result;
};

static void check(const struct shape *shape, const char *present,
                  const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        arena_reset(&a);
        const char *result = ask(shape, present, rows[i].input);
        if (strcmp(result, rows[i].result) != 0)
            fail_msg("%s\n  gave %s\n  not  %s", rows[i].input, result,
                     rows[i].result);
    }
}

/* A profile with further members. */
#define P(more) "{\"name\":\"p\",\"jwk\":\"" JWK_ID "\"," more "}"
#define BARE(more) "{\"name\":\"p\"" more "}"

static void a_profile_is_taken_with_its_defaults(void **state)
{
    (void)state;
    assert_string_equal(
        ask(&shape_jwt, NULL, P("\"kid\":true")),
        "{\"name\":\"p\",\"path\":[],\"exp\":null,\"nbf\":null,\"kid\":true,"
        "\"jwk\":\"" JWK_ID "\",\"keys\":[],\"algorithms\":[],\"issuer\":null,"
        "\"audience\":null,\"discovery\":\"\",\"rules\":null,\"binding\":null,"
        "\"introspection\":null,\"tags\":[]}");
}

static void both_forms_of_rules_become_one(void **state)
{
    (void)state;
    static const struct {
        const char *input, *exp, *nbf, *rules;
    } rows[] = {
        { P("\"exp\":true"), "true", "null", "null" },
        { P("\"rules\":{\"verify_exp\":true}"), "true", "null", "{}" },
        { P("\"exp\":true,\"rules\":{\"verify_exp\":true,\"clock_skew\":7}"),
          "true", "null", "{\"clock_skew\":7}" },
        { P("\"exp\":false,\"nbf\":true,\"rules\":{\"verify_exp\":false,"
            "\"verify_nbf\":true,\"verify_iat\":true}"),
          "false", "true", "{\"verify_iat\":true}" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        arena_reset(&a);
        yyjson_val *made = parse(ask(&shape_jwt, NULL, rows[i].input));
        const char *want[] = { rows[i].exp, rows[i].nbf, rows[i].rules };
        static const char *const names[] = { "exp", "nbf", "rules" };
        for (int k = 0; k < 3; k++)
            assert_string_equal(
                json_encode_val(&a, json_find(made, names[k])).p, want[k]);
    }
    static const struct row bad[] = {
        { P("\"exp\":true,\"rules\":{\"verify_exp\":false}"),
          "invalid_value exp" },
        { P("\"exp\":false,\"rules\":{\"verify_exp\":true}"),
          "invalid_value exp" },
        { P("\"nbf\":true,\"rules\":{\"verify_nbf\":false}"),
          "invalid_value nbf" },
    };
    check(&shape_jwt, NULL, bad, ARRAY_LEN(bad));
    /* a patch of one form wins over what was there */
    static const char was[] = P("\"exp\":true,\"rules\":{\"clock_skew\":7}");
    yyjson_val *now =
        parse(ask(&shape_jwt, was, "{\"rules\":{\"verify_exp\":false}}"));
    assert_true(yyjson_is_false(json_find(now, "exp")));
    assert_string_equal(json_encode_val(&a, json_find(now, "rules")).p,
                        "{\"clock_skew\":7}");
}

static void keys_come_from_somewhere(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { BARE(""), "required keys" },
        { BARE(",\"keys\":[]"), "required keys" },
        { BARE(",\"jwk\":\"jwk_01ARZ3NDEKTSV4RRFFQ69G5FAW\""),
          "not_found jwk" },
        { BARE(",\"jwk\":\"auth_01ARZ3NDEKTSV4RRFFQ69G5FAW\""),
          "invalid_value jwk" },
        { BARE(",\"jwk\":\"http://a.example/jwks\""), "invalid_value jwk" },
        { BARE(",\"jwk\":\"https://a.example/j\",\"discovery\":"
               "\"https://a.example\""),
          "invalid_value discovery" },
        { BARE(",\"discovery\":\"https://a.example/?x\""),
          "invalid_value discovery" },
        { BARE(",\"discovery\":\"http://a.example\""),
          "invalid_value discovery" },
    };
    check(&shape_jwt, NULL, rows, ARRAY_LEN(rows));
    static const char *const good[] = {
        BARE(",\"jwk\":\"https://a.example:8443/jwks?x=1\""),
        BARE(",\"jwk\":\"https://[::1]/jwks\""),
        BARE(",\"discovery\":\"https://a.example/tenant\""),
        BARE(",\"keys\":[" EC "]"),
        BARE(",\"keys\":[\"" PEM "\"," OCT "]"),
        BARE(",\"keys\":[" EC "],\"jwk\":\"https://a.example/j\""),
        BARE(",\"introspection\":{\"url\":\"https://a.example/i\","
             "\"clientId\":\"c\",\"clientSecret\":\"s\"}"),
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        arena_reset(&a);
        const char *made = ask(&shape_jwt, NULL, good[i]);
        if (made[0] != '{') fail_msg("%s: %s", good[i], made);
    }
    insecure = true;
    assert_int_equal(
        ask(&shape_jwt, NULL, BARE(",\"jwk\":\"http://a.example/j\""))[0], '{');
    insecure = false;
}

static void discovery_takes_the_configurations_address_too(void **state)
{
    (void)state;
    yyjson_val *made =
        parse(ask(&shape_jwt, NULL,
                  BARE(",\"discovery\":\"https://a.example/t/.well-known/"
                       "openid-configuration\"")));
    assert_string_equal(json_find(made, "discovery")->uni.str,
                        "https://a.example/t");
}

static void urls_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "https://",
        "https:///x",
        "https://u@a.example/",
        "https://u:p@a.x/",
        "https://a b.x/",
        "https://a.x/#f",
        "https://a.x/a b",
        "ftp://a.x/",
        "a.x/jwks",
        "https://a.x:0/",
        "https://a.x:99999/",
        "https://*.a.x/",
        "https://a.x/\\u0000",
        "https://a.x?a\\\\b",
        "javascript:alert(1)",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        arena_reset(&a);
        const char *text =
            arena_printf(&a, "{\"name\":\"p\",\"url\":\"%s\"}", bad[i]).p;
        const char *result = ask(&shape_jwk, NULL, text);
        if (strcmp(result, "invalid_value url"))
            fail_msg("%s: %s", text, result);
    }
}

static void a_bad_key_is_named_by_its_place(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { BARE(",\"keys\":{}"), "invalid_type keys" },
        { BARE(",\"keys\":[7]"), "invalid_value keys[0]" },
        { BARE(",\"keys\":[\"\"]"), "invalid_value keys[0]" },
        { BARE(",\"keys\":[\"{}\"]"), "invalid_value keys[0]" },
        { BARE(",\"keys\":[{}]"), "invalid_value keys[0]" },
        { BARE(",\"keys\":[" EC "," SHORT "]"), "invalid_value keys[1]" },
        { BARE(",\"keys\":[" EC "," EC_PRIVATE "]"), "invalid_value keys[1]" },
        { BARE(",\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]"),
          "invalid_value keys[0]" },
        { BARE(",\"keys\":[{\"keys\":[" EC "]}]"), "invalid_value keys[0]" },
        { BARE(",\"keys\":[\"" PEM PEM "\"]"), "invalid_value keys[0]" },
        { BARE(",\"keys\":[\"-----BEGIN PUBLIC KEY-----\\nAA\\n-----END PUBLIC "
               "KEY-----\\n\"]"),
          "invalid_value keys[0]" },
        { BARE(",\"keys\":[1,2,3,4,5,6,7,8,9,10,11]"), "out_of_range keys" },
    };
    check(&shape_jwt, NULL, rows, ARRAY_LEN(rows));
    static const struct row sets[] = {
        { BARE(""), "required keys" },
        { BARE(",\"keys\":[]"), "out_of_range keys" },
        { BARE(",\"keys\":{\"keys\":[]}"), "out_of_range keys" },
        { BARE(",\"keys\":{}"), "invalid_type keys" },
        { BARE(",\"keys\":\"x\""), "invalid_type keys" },
        { BARE(",\"keys\":[\"" PEM "\"]"), "invalid_value keys[0]" },
        { BARE(",\"keys\":[" EC "],\"url\":\"https://a.x/\""),
          "invalid_value url" },
        { BARE(",\"url\":\"https://a.x/\",\"cacheSeconds\":29"),
          "out_of_range cacheSeconds" },
        { BARE(",\"keys\":{\"keys\":[" EC "]}"),
          "{\"name\":\"p\",\"keys\":[" EC "],\"url\":null,"
          "\"cacheSeconds\":null,\"rotationGrace\":300,\"maxStale\":86400,"
          "\"tags\":[]}" },
    };
    check(&shape_jwk, NULL, sets, ARRAY_LEN(sets));
}

static void rules_are_refused_by_the_claims_name(void **state)
{
    (void)state;
#define CLAIMS(more) "{\"required_claims\":{" more "}}"
    static const struct row rows[] = {
        { "{}", "{}" },
        { "{\"clock_skew\":900}", "{\"clock_skew\":900}" },
        { "{\"clock_skew\":901}", "out_of_range clock_skew" },
        { "{\"verify_exp\":1}", "invalid_type verify_exp" },
        { "{\"required_claims\":[]}", "invalid_type required_claims" },
        { CLAIMS("\"a\":null"), "invalid_value required_claims.a" },
        { CLAIMS("\"a\":{}"), "invalid_value required_claims.a" },
        { CLAIMS("\"a\":[]"), "invalid_value required_claims.a" },
        { CLAIMS("\"a\":[[1]]"), "invalid_value required_claims.a" },
        { CLAIMS("\"a\":\"\""), "invalid_value required_claims.a" },
        { CLAIMS("\"a\":\"{x y}\""), "invalid_value required_claims.a" },
        { CLAIMS("\"\":1"), "invalid_value required_claims." },
        { CLAIMS("\".a\":1"), "invalid_value required_claims..a" },
        { CLAIMS("\"a.\":1"), "invalid_value required_claims.a." },
        { CLAIMS("\"a.b.c.d.e\":1"),
          "invalid_value required_claims.a.b.c.d.e" },
        { CLAIMS("\"a\\\\b\":1"), "invalid_value required_claims.a\\b" },
        { "{\"optional_claims\":{\"b\":{}}}",
          "invalid_value optional_claims.b" },
    };
    check(&shape_jwt_rules, NULL, rows, ARRAY_LEN(rows));
    struct buf b;
    buf_init(&b, 4096);
    buf_puts(&b, "{\"required_claims\":{");
    for (int i = 0; i <= JWT_RULES_MAX; i++)
        buf_printf(&b, "%s\"c%d\":1", i ? "," : "", i);
    buf_puts(&b, "}}");
    buf_putc(&b, '\0');
    assert_string_equal(ask(&shape_jwt_rules, NULL, b.p),
                        "out_of_range required_claims");
    buf_fini(&b);
    assert_string_equal(ask(&shape_jwt, NULL,
                            P("\"rules\":{\"required_claims\":{\"a\":null}}")),
                        "invalid_value rules.required_claims.a");
}

static void another_introspection_url_asks_for_the_secret(void **state)
{
    (void)state;
    static const char was[] =
        BARE(",\"introspection\":{\"url\":\"https://a.x/\",\"clientId\":\"c\","
             "\"clientSecret\":\"s\",\"cacheSeconds\":30}");
    static const struct row rows[] = {
        { "{\"introspection\":{\"url\":\"https://b.x/\"}}",
          "required introspection.clientSecret" },
        { "{\"introspection\":{\"url\":\"https://a.x/\",\"clientSecret\":"
          "null}}",
          "required introspection.clientSecret" },
    };
    check(&shape_jwt, was, rows, ARRAY_LEN(rows));
    assert_int_equal(
        ask(&shape_jwt, was, "{\"introspection\":{\"cacheSeconds\":5}}")[0],
        '{');
    assert_int_equal(ask(&shape_jwt, was,
                         "{\"introspection\":{\"url\":\"https://b.x/\","
                         "\"clientSecret\":\"t\"}}")[0],
                     '{');
}

/* --- typed ------------------------------------------------------------------------ */

static void a_profile_is_decoded(void **state)
{
    (void)state;
    struct jwt_profile p;
    assert_int_equal(
        jwt_profile_decode(
            SV(HEAD
               ",\"path\":[\"app\",\"x.y\"],\"exp\":true,\"nbf\":false,"
               "\"kid\":true,\"jwk\":\"" JWK_ID "\",\"keys\":[" EC ",\"" PEM
               "\"],\"algorithms\":[\"ES256\",\"HS256\"],\"issuer\":\"i\","
               "\"audience\":[\"a\",\"b\"],\"rules\":{\"clock_skew\":30,"
               "\"required_claims\":{\"role\":[\"admin\",7,true],\"t\":\"*\"},"
               "\"optional_claims\":{\"o\":\"{tenant}\"}},"
               "\"binding\":\"dpop\",\"introspection\":{\"url\":"
               "\"https://a.x/\",\"clientId\":\"c\",\"cacheSeconds\":9}}"),
            &a, &p),
        0);
    assert_true(sv_eq(p.jwk_id, SV(JWK_ID)) && !p.jwk_url.n);
    assert_int_equal(p.keys_n, 2);
    assert_true(sv_eq(p.keys[0], SV(EC)));
    assert_true(sv_starts(p.keys[1], SV("-----BEGIN")));
    assert_int_equal(p.algorithms, 1u << JOSE_ES256 | 1u << JOSE_HS256);
    assert_int_equal(p.issuers_n, 1);
    assert_int_equal(p.audiences_n, 2);
    assert_true(sv_eq(p.audiences[1], SV("b")));
    assert_int_equal(p.rules.times.exp, CLAIM_REQUIRED);
    assert_int_equal(p.rules.times.nbf, CLAIM_IGNORED);
    assert_int_equal(p.rules.times.iat, CLAIM_IF_PRESENT);
    assert_int_equal(p.rules.times.skew_s, 30);
    assert_true(p.rules.has_skew && p.rules.kid_required);
    assert_int_equal(p.rules.rules_n, 3);
    const struct jwt_rule *r = p.rules.rules;
    assert_int_equal(r[0].path_n, 3);
    assert_true(sv_eq(r[0].path[0], SV("app")));
    assert_true(sv_eq(r[0].path[1], SV("x.y")));
    assert_true(sv_eq(r[0].path[2], SV("role")));
    assert_true(sv_eq(r[0].shown, SV("role")) && !r[0].optional);
    assert_int_equal(r[0].match, JWT_ANY_OF);
    assert_int_equal(r[0].values_n, 3);
    assert_true(sv_eq(r[0].values[0].text, SV("admin")));
    assert_int_equal(r[0].values[1].kind, JWT_NUMBER);
    assert_true(r[0].values[1].number == 7);
    assert_true(sv_eq(r[0].values[1].text, SV("7")));
    assert_true(r[0].values[2].boolean);
    assert_int_equal(r[1].match, JWT_PRESENT);
    assert_int_equal(r[2].match, JWT_DYNAMIC);
    assert_true(r[2].optional && sv_eq(r[2].name, SV("tenant")));
    assert_int_equal(p.binding, JWT_DPOP);
    assert_int_equal(p.introspection.cache_s, 9);
    assert_int_equal(p.introspection.secret.n, 0);
}

static void an_issuer_found_by_discovery_is_pinned(void **state)
{
    (void)state;
    struct jwt_profile p;
    assert_int_equal(
        jwt_profile_decode(SV(HEAD ",\"discovery\":\"https://a.x\"}"), &a, &p),
        0);
    assert_int_equal(p.issuers_n, 1);
    assert_true(sv_eq(p.issuers[0], SV("https://a.x")));
    assert_int_equal(
        jwt_profile_decode(SV(HEAD ",\"discovery\":\"https://a.x\",\"issuer\":"
                                   "[\"b\",\"c\"]}"),
                           &a, &p),
        0);
    assert_int_equal(p.issuers_n, 2);
}

static void names_of_claims_are_split_at_dots(void **state)
{
    (void)state;
    static const struct {
        const char *name; /* in JSON */
        unsigned n;
        const char *last;
    } rows[] = {
        { "sub", 1, "sub" },
        { "realm_access.roles", 2, "roles" },
        { "a.b.c.d", 4, "d" },
        { "https://a.example/c.d", 1, "https://a.example/c.d" },
        { "kubernetes\\\\.io.namespace", 2, "namespace" },
        { "a.b\\\\\\\\c", 2, "b\\c" },
        { "a\\\\.b", 1, "a.b" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct jwt_rules r;
        arena_reset(&a);
        struct sv doc = arena_printf(&a, "{\"required_claims\":{\"%s\":\"x\"}}",
                                     rows[i].name);
        assert_int_equal(jwt_rules_decode(doc, &a, &r), 0);
        assert_int_equal(r.rules_n, 1);
        assert_int_equal(r.rules[0].path_n, rows[i].n);
        assert_true(
            sv_eq(r.rules[0].path[rows[i].n - 1], sv_cstr(rows[i].last)));
    }
}

static void rules_alone_say_nothing_of_times_that_they_do_not_name(void **state)
{
    (void)state;
    struct jwt_rules r;
    assert_int_equal(jwt_rules_decode(SV("{\"verify_iat\":true}"), &a, &r), 0);
    assert_int_equal(r.times.exp, CLAIM_IGNORED);
    assert_int_equal(r.times.nbf, CLAIM_IGNORED);
    assert_int_equal(r.times.iat, CLAIM_REQUIRED);
    assert_false(r.has_skew);
    assert_int_equal(r.rules_n, 0);
}

static void a_key_set_is_decoded(void **state)
{
    (void)state;
    struct key_set k;
    uint32_t algs = 0;
    assert_int_equal(
        key_set_decode(SV(HEAD ",\"keys\":[" EC "," OCT "],\"url\":null,"
                               "\"cacheSeconds\":60,\"rotationGrace\":5,"
                               "\"maxStale\":7}"),
                       &a, &k),
        0);
    assert_true(sv_eq(k.keys, SV("{\"keys\":[" EC "," OCT "]}")));
    assert_int_equal(k.cache_s, 60);
    assert_int_equal(k.rotation_grace_s, 5);
    assert_int_equal(k.max_stale_s, 7);
    jwt_key_algs(k.keys, &algs);
    assert_int_equal(algs, 1u << JOSE_ES256 | 1u << JOSE_HS256);
    assert_int_equal(
        key_set_decode(SV(HEAD ",\"url\":\"https://a.x/\"}"), &a, &k), 0);
    assert_int_equal(k.keys.n, 0);
}

static void damaged_documents_are_corrupt(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        HEAD,
        HEAD ",\"algorithms\":[\"none\"]}",
        HEAD ",\"issuer\":[7]}",
        HEAD ",\"path\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}",
        HEAD ",\"binding\":\"x\"}",
        HEAD ",\"rules\":{\"clock_skew\":901}}",
        HEAD ",\"rules\":{\"required_claims\":{\"a..b\":1}}}",
        HEAD ",\"rules\":{\"required_claims\":{\"a\":{}}}}",
        HEAD ",\"keys\":[1,2,3,4,5,6,7,8,9,10,11]}",
    };
    struct jwt_profile p;
    struct key_set k;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        arena_reset(&a);
        if (jwt_profile_decode(sv_cstr(bad[i]), &a, &p) != ERR_CORRUPT)
            fail_msg("%s", bad[i]);
    }
    assert_int_equal(key_set_decode(SV(HEAD "}"), &a, &k), ERR_CORRUPT);
}

/* Decoders must end, whatever the budget, and say so. */
static void too_little_memory_is_said(void **state)
{
    (void)state;
    const struct sv doc = SV(
        HEAD ",\"path\":[\"app\"],\"jwk\":\"https://a.x/\",\"keys\":[" EC "],"
             "\"issuer\":\"i\",\"rules\":{\"required_claims\":{\"a.b\":"
             "[\"x\",1]}}}");
    for (size_t budget = 0; budget < 2000; budget += 40) {
        struct arena small;
        struct jwt_profile p;
        arena_init(&small, budget, NULL, 0);
        int rc = jwt_profile_decode(doc, &small, &p);
        assert_true(rc == ERR_NOMEM || (rc == 0 && !small.overflow));
        arena_fini(&small);
    }
}

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 32 << 20, NULL, 0);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_profile_is_taken_with_its_defaults),
        TEST(both_forms_of_rules_become_one),
        TEST(keys_come_from_somewhere),
        TEST(discovery_takes_the_configurations_address_too),
        TEST(urls_that_are_none_are_refused),
        TEST(a_bad_key_is_named_by_its_place),
        TEST(rules_are_refused_by_the_claims_name),
        TEST(another_introspection_url_asks_for_the_secret),
        TEST(a_profile_is_decoded),
        TEST(an_issuer_found_by_discovery_is_pinned),
        TEST(names_of_claims_are_split_at_dots),
        TEST(rules_alone_say_nothing_of_times_that_they_do_not_name),
        TEST(a_key_set_is_decoded),
        TEST(damaged_documents_are_corrupt),
        TEST(too_little_memory_is_said),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
