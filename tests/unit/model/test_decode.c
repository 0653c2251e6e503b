/* From canonical documents to typed values: applications, profiles, tokens;
 * records, ids, ETags, secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "model/application.h"
#include "model/authentication.h"
#include "model/record.h"
#include "model/token.h"

#define TEST(f) cmocka_unit_test(f)
#define HEAD "{\"id\":\"x_1\",\"account_id\":\"acc_1\",\"name\":\"n\""

static struct arena a;

static void origins_are_parsed_as_the_api_says(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *base;
        int port; /* 0: refused */
        bool tls;
    } rows[] = {
        { "o.example", "o.example", "", 443, true },
        { "O.Example:8080", "o.example", "", 8080, true },
        { "http://o.example", "o.example", "", 80, false },
        { "HTTPS://o.example:444/base/", "o.example", "/base", 444, true },
        { "http://[::1]:81/a/b", "::1", "/a/b", 81, false },
        { "http://127.0.0.1/", "127.0.0.1", "", 80, false },
        { "http://b\xc3\xbc"
          "cher.example",
          "xn--bcher-kva.example", "", 80, false },
        { .text = "" },
        { .text = "http://" },
        { .text = "o.example/base" },
        { .text = "ftp://o" },
        { .text = "http://u@o" },
        { .text = "http://o:0" },
        { .text = "http://o:70000" },
        { .text = "http://o/?q" },
        { .text = "http://o/#f" },
        { .text = "http://o/a b" },
        { .text = "http://o/../x" },
        { .text = "http://o/./x" },
        { .text = "http://*.o.x" },
        { .text = "http:///x" },
        { .text = "https://o\\x" },
        { .text = "http://o/\xc3\xbc" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct origin_address o;
        int rc = origin_address_parse(sv_cstr(rows[i].text), &a, &o);
        if (!rows[i].port) {
            if (rc != ERR_INVALID) fail_msg("%s", rows[i].text);
        } else if (rc || o.port != rows[i].port || o.tls != rows[i].tls ||
                   !sv_eq(o.host, sv_cstr(rows[i].host)) ||
                   !sv_eq(o.base, sv_cstr(rows[i].base))) {
            fail_msg("%s", rows[i].text);
        }
    }
}

static void an_application_is_decoded(void **state)
{
    (void)state;
    struct application app;
    assert_int_equal(
        application_decode(
            SV(HEAD ",\"domain\":\"d.x\",\"originHostname\":\"http://o:1/b\","
                    "\"enabled\":false,\"detailResponse\":true,\"public\":true,"
                    "\"maxBodyBytes\":77,\"timeouts\":{\"connect\":1,"
                    "\"firstByte\":2,\"idle\":3},\"authenticate\":{\"mode\":"
                    "\"key\",\"from\":[\"10.0.0.0/8\"]}}"),
            &a, &app),
        0);
    assert_true(sv_eq(app.id, SV("x_1")) && sv_eq(app.domain, SV("d.x")));
    assert_true(app.has_origin && app.origin.port == 1);
    assert_true(app.is_public && !app.lost_auth && app.detail);
    assert_false(app.enabled);
    assert_int_equal(app.max_body_bytes, 77);
    assert_int_equal(app.connect_ms, 1);
    assert_int_equal(app.first_byte_ms, 2);
    assert_int_equal(app.idle_ms, 3);
    assert_int_equal(app.authenticate, AUTHENTICATE_KEY);
    assert_int_equal(app.authenticate_from_n, 1);
}

static void an_application_is_open_only_if_it_says_so(void **state)
{
    (void)state;
    struct application app;
    assert_int_equal(application_decode(SV(HEAD "}"), &a, &app), 0);
    assert_true(app.lost_auth && !app.is_public && app.enabled);
    assert_int_equal(
        application_decode(SV(HEAD ",\"public\":true,\"auth_id\":\"auth_1\"}"),
                           &a, &app),
        0);
    assert_true(!app.lost_auth && !app.is_public);
}

static void damaged_documents_are_corrupt_and_nothing_else(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"id\":\"x\"}",
        "null",
        HEAD,
        HEAD ",\"originHostname\":\"a b\"}",
        HEAD ",\"authenticate\":{\"from\":[\"x\"]}}",
    };
    static const char *const bad_profiles[] = {
        "",
        "{}",
        HEAD ",\"byteLength\":5}",
        HEAD ",\"ratelimit\":{\"limit\":0,\"timeWindow\":1}}",
        HEAD ",\"ratelimit\":{}}",
        HEAD ",\"remaining\":-1}",
        HEAD ",\"refill\":{\"amount\":1,\"interval\":\"never\"}}",
        HEAD ",\"refill\":{\"amount\":1,\"interval\":0}}",
        HEAD ",\"ratelimits\":[1]}",
    };
    struct application app;
    struct authentication auth;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (application_decode(sv_cstr(bad[i]), &a, &app) != ERR_CORRUPT)
            fail_msg("%s", bad[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad_profiles); i++)
        if (authentication_decode(sv_cstr(bad_profiles[i]), &a, &auth) !=
            ERR_CORRUPT)
            fail_msg("%s", bad_profiles[i]);
}

static void a_profile_is_decoded(void **state)
{
    (void)state;
    struct authentication p;
    assert_int_equal(
        authentication_decode(
            SV(HEAD
               ",\"keyType\":\"token\",\"ratelimits\":[{\"name\":\"m\","
               "\"limit\":5,\"timeWindow\":60,\"algorithm\":\"token_bucket\","
               "\"scope\":\"cluster\"},{\"limit\":9,\"timeWindow\":86400}],"
               "\"remaining\":100,\"remainingScope\":\"application\","
               "\"refill\":{\"amount\":3,\"interval\":\"monthly\"},"
               "\"expires\":3600,\"byteLength\":16,\"prefix\":\"p_\","
               "\"tokenLocation\":{\"in\":\"cookie\",\"name\":\"sid\"},"
               "\"onFault\":\"open\"}"),
            &a, &p),
        0);
    assert_int_equal(p.policy.limits_n, 2);
    assert_string_equal(p.policy.limits[0].name, "m");
    assert_int_equal(p.policy.limits[0].burst, 5);
    assert_int_equal(p.policy.limits[0].algorithm, LIMIT_TOKEN_BUCKET);
    assert_int_equal(p.policy.limits[0].scope, LIMIT_CLUSTER);
    assert_int_equal(p.policy.limits[1].window_s, 86400);
    assert_int_equal(p.policy.limits[1].algorithm, LIMIT_SLIDING);
    assert_true(p.policy.has_quota && p.policy.quota == 100);
    assert_true(p.policy.has_refill && p.policy.refill.interval_s == 0);
    assert_int_equal(p.policy.refill.amount, 3);
    assert_true(p.quota_of_application && p.fault_open);
    assert_true(p.hide_credentials);
    assert_int_equal(p.expires_s, 3600);
    assert_int_equal(p.byte_length, 16);
    assert_int_equal(p.place, PLACE_COOKIE);
    assert_true(sv_eq(p.place_name, SV("sid")));
    assert_int_equal(authentication_decode(
                         SV(HEAD ",\"ratelimit\":null,\"remaining\":null,"
                                 "\"refill\":{\"amount\":1,\"interval\":60},"
                                 "\"keyType\":\"jwt\"}"),
                         &a, &p),
                     0);
    assert_false(p.policy.has_limits || p.policy.has_quota);
    assert_int_equal(p.policy.refill.interval_s, 60);
    assert_false(p.hide_credentials);
    assert_int_equal(p.byte_length, 32);
    assert_int_equal(p.place, PLACE_BEARER);
}

static void a_tokens_own_values_are_decoded(void **state)
{
    (void)state;
    struct token_own own;
    assert_int_equal(token_own_decode(SV(""), &a, &own), 0);
    assert_false(own.has_policy || own.has_allow || own.metadata.n);
    assert_int_equal(
        token_own_decode(SV("{\"owner\":\"u\",\"metadata\":{\"a\":1},"
                            "\"tags\":[\"t\"],\"scopes\":[\"r\",\"w\"],"
                            "\"ipAllowlist\":[\"10.0.0.0/8\"],"
                            "\"ratelimit\":false,\"remaining\":false}"),
                         &a, &own),
        0);
    assert_true(sv_eq(own.owner, SV("u")));
    assert_true(sv_eq(own.metadata, SV("{\"a\":1}")));
    assert_int_equal(own.scopes_n, 2);
    assert_int_equal(own.tags_n, 1);
    assert_true(own.has_allow && own.allow_n == 1 && own.has_policy);
    assert_true(own.policy.has_limits && own.policy.limits_n == 0);
    assert_true(own.policy.has_quota && own.policy.quota_none);
    assert_false(own.policy.has_refill);
    assert_int_equal(token_own_decode(SV("{\"ipAllowlist\":[]}"), &a, &own), 0);
    assert_true(own.has_allow && own.allow_n == 0);
    assert_int_equal(token_own_decode(SV("{\"ipAllowlist\":false}"), &a, &own),
                     0);
    assert_false(own.has_allow);
    assert_int_equal(token_own_decode(SV("{\"tags\":[1]}"), &a, &own),
                     ERR_CORRUPT);
    assert_int_equal(token_own_decode(SV("{"), &a, &own), ERR_CORRUPT);
}

static void a_canonical_token_comes_apart_into_its_row(void **state)
{
    (void)state;
    struct token_row row = { .expires_ms = 5 };
    struct shape_env env = { .arena = &a, .now_ms = 1700000000000 };
    struct shape_problem why;
    yyjson_doc *in;
    yyjson_mut_doc *doc;
    assert_int_equal(
        json_decode(SV("{\"hash\":\"00112233445566778899aabbccddeeff"
                       "00112233445566778899AABBCCDDEEFF\",\"owner\":\"u\","
                       "\"tags\":[\"t\"],\"enabled\":false,"
                       "\"expires\":1}"),
                    &a, &in, NULL),
        0);
    assert_int_equal(shape_create(&shape_token_import_item, &env,
                                  yyjson_doc_get_root(in), &doc, &why),
                     0);
    assert_int_equal(token_row_fill(&row, doc, &a), 0);
    assert_true(sv_eq(row.body, SV("{\"tags\":[\"t\"],\"owner\":\"u\"}")));
    assert_true(sv_eq(row.owner, SV("u")) && row.tags_n == 1);
    assert_false(row.enabled);
    assert_int_equal(row.expires_ms, 1700000001000);
    assert_int_equal(row.digest[1], 0x11);
    assert_int_equal(row.digest[31], 0xff);
    assert_int_equal(
        json_decode(SV("{\"tags\":[],\"expires\":false}"), &a, &in, NULL), 0);
    assert_int_equal(shape_create(&shape_token_create, &env,
                                  yyjson_doc_get_root(in), &doc, &why),
                     0);
    assert_int_equal(token_row_fill(&row, doc, &a), 0);
    assert_int_equal(row.body.n, 0);
    assert_int_equal(row.expires_ms, 0);
    assert_true(row.enabled);
}

static void secrets_have_the_published_form(void **state)
{
    (void)state;
    char s[TOKEN_SECRET_MAX], again[TOKEN_SECRET_MAX];
    size_t n = token_secret_make(s, SV("live_"), 32);
    assert_int_equal(n, 5 + 43 + 6);
    assert_memory_equal(s, "live_", 5);
    assert_true(token_secret_is_ours(sv_of(s, n)));
    token_secret_make(again, SV("live_"), 32);
    assert_memory_not_equal(s, again, n);
    for (size_t i = 0; i < n; i++) { /* a slip of one character shows */
        char was = s[i];
        s[i] = was == 'x' ? 'y' : 'x';
        assert_false(token_secret_is_ours(sv_of(s, n)));
        s[i] = was;
    }
    for (size_t cut = 0; cut < n; cut++)
        assert_false(token_secret_is_ours(sv_of(s, cut)));
    char prefix[TOKEN_PREFIX_MAX];
    memset(prefix, 'p', sizeof prefix);
    n = token_secret_make(s, sv_of(prefix, sizeof prefix), 128);
    assert_int_equal(n, TOKEN_SECRET_MAX);
}

static void a_record_is_shown_with_its_times(void **state)
{
    (void)state;
    struct record r = { .kind = KIND_TAG,
                        .created_ms = 0,
                        .updated_ms = 1709208000001,
                        .id = { "tag_01ARZ3NDEKTSV4RRFFQ69G5FAV" },
                        .account_id = { "acc_01ARZ3NDEKTSV4RRFFQ69G5FAV" } };
    struct shape_env env = { .arena = &a, .role = ROLE_OWNER };
    struct shape_problem why;
    yyjson_doc *in;
    yyjson_mut_doc *doc;
    assert_int_equal(json_decode(SV("{\"name\":\"env:eu\"}"), &a, &in, NULL),
                     0);
    assert_int_equal(
        shape_create(&shape_tag, &env, yyjson_doc_get_root(in), &doc, &why), 0);
    assert_int_equal(record_fill(&r, &shape_tag, doc, &a), 0);
    assert_true(sv_eq(r.name, SV("env:eu")) && sv_eq(r.unique, r.name));
    char mem[500];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    record_show(&r, &b);
    assert_true(sv_eq(buf_sv(&b),
                      SV("{\"id\":\"tag_01ARZ3NDEKTSV4RRFFQ69G5FAV\","
                         "\"account_id\":\"acc_01ARZ3NDEKTSV4RRFFQ69G5FAV\","
                         "\"name\":\"env:eu\",\"key\":\"env\",\"value\":\"eu\","
                         "\"createdAt\":\"1970-01-01T00:00:00.000Z\","
                         "\"updatedAt\":\"2024-02-29T12:00:00.001Z\"}")));
}

static void etags_match_strongly(void **state)
{
    (void)state;
    char tag[ETAG_TEXT_MAX];
    assert_true(sv_eq(sv_of(tag, etag_encode(tag, 17)), SV("\"17\"")));
    assert_int_equal(etag_encode(tag, UINT64_MAX), 22);
    assert_true(etag_matches(SV("\"17\""), 17));
    assert_true(etag_matches(SV(" \"1\" , \"17\""), 17));
    assert_true(etag_matches(SV("*"), 17));
    assert_false(etag_matches(SV("W/\"17\""), 17));
    assert_false(etag_matches(SV("17"), 17));
    assert_false(etag_matches(SV("\"170\""), 17));
    assert_false(etag_matches(SV(""), 17));
}

static void ids_know_their_kind(void **state)
{
    (void)state;
    struct ulid u;
    for (int kind = KIND_NONE + 1; kind < KIND_COUNT; kind++) {
        assert_int_equal(ulid_decode(SV("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &u), 0);
        struct id id = id_make((enum kind)kind, &u);
        assert_int_equal(id_kind(id_sv(&id)), kind);
        assert_int_equal(id_parse((enum kind)kind, id_sv(&id), &u), 0);
        assert_int_equal(
            id_parse(kind == KIND_TAG ? KIND_JWT : KIND_TAG, id_sv(&id), &u),
            ERR_INVALID);
    }
    assert_int_equal(id_kind(SV("app_")), KIND_NONE);
    assert_int_equal(id_kind(SV("")), KIND_NONE);
    enum role role;
    for (int r = 0; r < ROLE_ROOT; r++) {
        assert_true(role_parse(sv_cstr(role_name((enum role)r)), &role));
        assert_int_equal(role, r);
    }
    assert_false(role_parse(SV("root"), &role));
    assert_false(role_parse(SV(""), &role));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(origins_are_parsed_as_the_api_says),
        TEST(an_application_is_decoded),
        TEST(an_application_is_open_only_if_it_says_so),
        TEST(damaged_documents_are_corrupt_and_nothing_else),
        TEST(a_profile_is_decoded),
        TEST(a_tokens_own_values_are_decoded),
        TEST(a_canonical_token_comes_apart_into_its_row),
        TEST(secrets_have_the_published_form),
        TEST(a_record_is_shown_with_its_times),
        TEST(etags_match_strongly),
        TEST(ids_know_their_kind),
    };
    arena_init(&a, 16 << 20, NULL, 0);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&a);
    return rc;
}
