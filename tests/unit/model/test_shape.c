/* What creates and patches take, refuse and become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "model/record.h"
#include "model/token.h"

#define TEST(f) cmocka_unit_test(f)
#define AUTH_ID "auth_01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define NOW_MS 1700000000000

static struct arena a;
static enum role role = ROLE_OWNER;

static bool exists(void *ctx, enum kind kind, struct sv id)
{
    (void)ctx;
    return kind == KIND_AUTHENTICATION && sv_eq(id, SV(AUTH_ID));
}

static yyjson_val *parse(const char *text)
{
    yyjson_doc *doc;
    if (json_decode(sv_cstr(text), &a, &doc, NULL))
        fail_msg("bad test data: %s", text);
    return yyjson_doc_get_root(doc);
}

static struct shape_env env(void)
{
    return (struct shape_env){
        .arena = &a, .now_ms = NOW_MS, .role = role, .exists = exists
    };
}

/* The canonical document, or "code field". */
static const char *create(const struct shape *shape, const char *input)
{
    struct shape_env e = env();
    struct shape_problem why;
    yyjson_mut_doc *doc;
    int rc = shape_create(shape, &e, parse(input), &doc, &why);
    if (rc == 0) return json_encode(&a, yyjson_mut_doc_get_root(doc)).p;
    assert_null(doc);
    assert_true(why.message[0] != '\0');
    assert_int_equal(rc, strcmp(why.code, "not_permitted") ? ERR_INVALID
                                                           : ERR_DENIED);
    return arena_printf(&a, "%s %s", why.code, why.field).p;
}

static const char *patch(const struct shape *shape, const char *present,
                         const char *input)
{
    struct shape_env e = env();
    struct shape_problem why;
    yyjson_mut_doc *doc;
    int rc = shape_patch(shape, &e, parse(present), parse(input), &doc, &why);
    if (rc == 0) return json_encode(&a, yyjson_mut_doc_get_root(doc)).p;
    return arena_printf(&a, "%s %s", why.code, why.field).p;
}

struct row {
    const char *input, *result;
};

static void check(const struct shape *shape, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        arena_reset(&a);
        const char *result = create(shape, rows[i].input);
        if (strcmp(result, rows[i].result) != 0)
            fail_msg("%s\n  gave %s\n  not  %s", rows[i].input, result,
                     rows[i].result);
    }
}

static void token_creates(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "{}", "{\"amount\":1,\"enabled\":true}" },
        { "{\"amount\":100,\"tags\":[\"a\",\"b c\"]}",
          "{\"amount\":100,\"tags\":[\"a\",\"b c\"],\"enabled\":true}" },
        { "{\"amount\":2.0}", "{\"amount\":2,\"enabled\":true}" },
        { "{\"amount\":null,\"name\":\"\",\"owner\":null}",
          "{\"amount\":1,\"enabled\":true}" },
        { "{\"amount\":101}", "out_of_range amount" },
        { "{\"amount\":0}", "out_of_range amount" },
        { "{\"amount\":1e300}", "out_of_range amount" },
        { "{\"amount\":99999999999999999999}", "out_of_range amount" },
        { "{\"amount\":\"2\"}", "invalid_type amount" },
        { "{\"amount\":1.5}", "invalid_type amount" },
        { "{\"amount\":true}", "invalid_type amount" },
        { "{\"amont\":1}", "unknown_field amont" },
        { "{\"id\":\"x\"}", "unknown_field id" },
        { "[]", "invalid_type " },
        { "7", "invalid_type " },
        { "{\"tags\":[\"a\",\"a\"]}", "invalid_value tags[1]" },
        { "{\"tags\":[\"\"]}", "out_of_range tags[0]" },
        { "{\"tags\":[\"a\",7]}", "invalid_type tags[1]" },
        { "{\"tags\":\"a\"}", "invalid_type tags" },
        { "{\"tags\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]}",
          "out_of_range tags" },
        { "{\"name\":\"a\\u0000b\"}", "invalid_value name" },
        { "{\"metadata\":{\"a\":{\"b\":null}}}",
          "{\"amount\":1,\"metadata\":{\"a\":{\"b\":null}},"
          "\"enabled\":true}" },
        { "{\"metadata\":[]}", "invalid_type metadata" },
        { "{\"expires\":10}",
          "{\"amount\":1,\"expires\":1700000010000,\"enabled\":true}" },
        { "{\"expires\":\"2023-11-14T22:13:21Z\"}",
          "{\"amount\":1,\"expires\":1700000001000,\"enabled\":true}" },
        { "{\"expires\":false}",
          "{\"amount\":1,\"expires\":false,\"enabled\":true}" },
        { "{\"expires\":\"2001-01-01T00:00:00Z\"}", "invalid_value expires" },
        { "{\"expires\":\"tomorrow\"}", "invalid_value expires" },
        { "{\"expires\":1000000000}", "out_of_range expires" },
        { "{\"expires\":0}", "out_of_range expires" },
        { "{\"expires\":true}", "invalid_type expires" },
        { "{\"remaining\":0,\"refill\":{\"tokens\":5,"
          "\"interval\":\"dalily\"}}",
          "{\"amount\":1,\"enabled\":true,\"remaining\":0,"
          "\"refill\":{\"amount\":5,\"interval\":\"daily\"}}" },
        { "{\"remaining\":{\"add\":1}}", "invalid_type remaining" },
        { "{\"remaining\":true}", "invalid_type remaining" },
        { "{\"refill\":{\"amount\":1,\"interval\":86401}}",
          "out_of_range refill.interval" },
        { "{\"refill\":{\"amount\":1,\"interval\":\"yearly\"}}",
          "invalid_value refill.interval" },
        { "{\"refill\":{\"tokens\":0,\"interval\":1}}",
          "out_of_range refill.tokens" },
        { "{\"refill\":{\"interval\":1}}", "required refill.amount" },
        { "{\"ratelimit\":false}",
          "{\"amount\":1,\"enabled\":true,\"ratelimit\":false}" },
        { "{\"ratelimit\":{\"requests\":5,\"window\":60}}",
          "{\"amount\":1,\"enabled\":true,"
          "\"ratelimit\":{\"limit\":5,\"timeWindow\":60}}" },
        { "{\"ratelimit\":{\"requests\":0,\"window\":60}}",
          "out_of_range ratelimit.requests" },
        { "{\"ratelimit\":{\"requests\":5,\"limit\":5,\"window\":60}}",
          "duplicate_field ratelimit.limit" },
        { "{\"ratelimit\":{\"limit\":5}}", "required ratelimit.timeWindow" },
        { "{\"ratelimits\":[{\"limit\":5,\"window\":60,\"x\":1}]}",
          "unknown_field ratelimits[0].x" },
        { "{\"ratelimits\":[{\"name\":\"a\",\"limit\":5,\"timeWindow\":1},"
          "{\"limit\":5,\"window\":0}]}",
          "out_of_range ratelimits[1].window" },
        { "{\"ratelimits\":[{\"name\":\"a\",\"limit\":5,\"timeWindow\":1},"
          "{\"name\":\"a\",\"limit\":5,\"timeWindow\":1}]}",
          "invalid_value ratelimits[1].name" },
        { "{\"ratelimits\":[{\"limit\":5,\"timeWindow\":1,\"burst\":2}]}",
          "invalid_value ratelimits[0].burst" },
        { "{\"ratelimits\":[{\"limit\":5,\"timeWindow\":1}]}",
          "{\"amount\":1,\"enabled\":true,\"ratelimits\":[{\"limit\":5,"
          "\"timeWindow\":1,\"algorithm\":\"sliding\","
          "\"scope\":\"node\"}]}" },
        { "{\"ratelimits\":[1]}", "invalid_type ratelimits[0]" },
        { "{\"ratelimits\":[]}", "out_of_range ratelimits" },
        { "{\"ratelimit\":{\"limit\":1,\"window\":1},\"ratelimits\":"
          "[{\"limit\":5,\"timeWindow\":1}]}",
          "invalid_value ratelimits" },
        { "{\"scopes\":[\"a b\"]}", "invalid_value scopes[0]" },
        { "{\"scopes\":[\"a\",\"a\"]}", "invalid_value scopes[1]" },
        { "{\"ipAllowlist\":[\"10.0.0.1/24\"]}",
          "invalid_value ipAllowlist[0]" },
        { "{\"ipAllowlist\":[]}",
          "{\"amount\":1,\"enabled\":true,\"ipAllowlist\":[]}" },
    };
    check(&shape_token_create, rows, ARRAY_LEN(rows));
}

#define UNSET_REFS                                                \
    "\"llmcache_id\":\"\",\"abuse_id\":\"\",\"routing_id\":\"\"," \
    "\"security_id\":\"\",\"schema_id\":\"\",\"tags\":[],"        \
    "\"enabled\":true,"
#define DEFAULT_MONITOR                                                 \
    "\"monitor\":{\"enabled\":true,\"url\":\"/\",\"method\":\"GET\","   \
    "\"status_code\":200,\"headers\":{},\"interval\":60,\"timeout\":5," \
    "\"certificate_days\":14,\"maintenance\":false,\"endpoints\":[]},"
#define UNSET_TAIL                                       \
    "\"origins\":[],\"balancing\":null,\"health\":null," \
    "\"breaker\":null,\"retries\":null,\"cors\":null,"   \
    "\"timeouts\":null,\"maxBodyBytes\":null,"           \
    "\"authenticate\":{\"mode\":\"open\",\"from\":[]},"  \
    "\"originAssertion\":null," DEFAULT_MONITOR "\"jwtValidation\":null}"

static void application_creates(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "{\"name\":\"a\"}",
          "{\"name\":\"a\",\"description\":\"\",\"domain\":\"\","
          "\"originHostname\":\"\",\"detailResponse\":false,"
          "\"auth_id\":\"\"," UNSET_REFS "\"public\":true," UNSET_TAIL },
        { "{\"name\":\"a\",\"domain\":\"EX.ample.\",\"origin_hostname\":"
          "\"o.example:81\",\"auth_id\":\"" AUTH_ID "\"}",
          "{\"name\":\"a\",\"description\":\"\",\"domain\":\"ex.ample\","
          "\"originHostname\":\"o.example:81\",\"detailResponse\":false,"
          "\"auth_id\":\"" AUTH_ID "\"," UNSET_REFS
          "\"public\":false," UNSET_TAIL },
        { "{}", "required name" },
        { "{\"name\":\"\"}", "out_of_range name" },
        { "{\"name\":null}", "required name" },
        { "{\"name\":\"a\\nb\"}", "invalid_value name" },
        { "{\"name\":\"a\",\"auth_id\":\"x\"}", "not_found auth_id" },
        { "{\"name\":\"a\",\"auth_id\":\"auth_01ARZ3NDEKTSV4RRFFQ69G5FAA\"}",
          "not_found auth_id" },
        { "{\"name\":\"a\",\"schema_id\":\"" AUTH_ID "\"}",
          "not_found schema_id" },
        { "{\"name\":\"a\",\"public\":true,\"auth_id\":\"" AUTH_ID "\"}",
          "invalid_value public" },
        { "{\"name\":\"a\",\"createdAt\":\"x\"}", "read_only createdAt" },
        { "{\"name\":\"a\",\"origin_hostname\":\"x\","
          "\"originHostname\":\"x\"}",
          "duplicate_field originHostname" },
        { "{\"name\":\"a\",\"origin_hostname\":\"ftp://x\"}",
          "invalid_value origin_hostname" },
        { "{\"name\":\"a\",\"originHostname\":\"http://u:p@x\"}",
          "invalid_value originHostname" },
        { "{\"name\":\"a\",\"domain\":\"a:80\"}", "invalid_value domain" },
        { "{\"name\":\"a\",\"authenticate\":{\"from\":[\"10.0.0.1/8\"]}}",
          "invalid_value authenticate.from[0]" },
        { "{\"name\":\"a\",\"authenticate\":{\"mode\":\"shut\"}}",
          "invalid_value authenticate.mode" },
        { "{\"name\":\"a\",\"timeouts\":{\"idle\":0.5}}",
          "invalid_type timeouts.idle" },
    };
    check(&shape_application, rows, ARRAY_LEN(rows));
}

static void profile_tag_and_key_creates(void **state)
{
    (void)state;
    static const struct row profiles[] = {
        { "{\"name\":\"p\",\"keyType\":\"jwt\"}", "required jwt_id" },
        { "{\"name\":\"p\",\"jwt_id\":\"" AUTH_ID "\"}", "not_found jwt_id" },
        { "{\"name\":\"p\",\"byteLength\":15}", "out_of_range byteLength" },
        { "{\"name\":\"p\",\"prefix\":\"a.b\"}", "invalid_value prefix" },
        { "{\"name\":\"p\",\"ratelimit\":false}", "invalid_type ratelimit" },
        { "{\"name\":\"p\",\"tokenLocation\":{\"in\":\"header\"}}",
          "required tokenLocation.name" },
        { "{\"name\":\"p\",\"tokenLocation\":{\"in\":\"header\","
          "\"name\":\"Host\"}}",
          "invalid_value tokenLocation.name" },
        { "{\"name\":\"p\",\"tokenLocation\":{\"name\":\"x\"}}",
          "required tokenLocation.in" },
    };
    static const struct row tags[] = {
        { "{\"name\":\"environment:production\"}",
          "{\"name\":\"environment:production\",\"key\":\"environment\","
          "\"value\":\"production\"}" },
        { "{\"key\":\"environment\",\"value\":\"production\"}",
          "{\"name\":\"environment:production\",\"key\":\"environment\","
          "\"value\":\"production\"}" },
        { "{\"key\":\"abc\"}",
          "{\"name\":\"abc\",\"key\":\"abc\",\"value\":\"\"}" },
        { "{\"name\":\"abc:\"}",
          "{\"name\":\"abc\",\"key\":\"abc\",\"value\":\"\"}" },
        { "{}", "required name" },
        { "{\"value\":\"x\"}", "required key" },
        { "{\"name\":\"ab\"}", "invalid_value name" },
        { "{\"name\":\"a b c:x\"}", "invalid_value name" },
        { "{\"name\":\"abc\",\"key\":\"abd\"}", "invalid_value name" },
    };
    static const struct row attach[] = {
        { "{\"key\":\"abc\",\"value\":\"x\"}", "{\"tags\":[\"abc:x\"]}" },
        { "{\"key\":\"abc\"}", "{\"tags\":[\"abc\"]}" },
        { "{\"key\":\"abc\",\"value\":null}", "{\"tags\":[\"abc\"]}" },
        { "{\"tags\":[\"a\"]}", "{\"tags\":[\"a\"]}" },
        { "{\"tags\":[\"a\"],\"name\":\"abc\"}", "invalid_value tags" },
        { "{}", "required name" },
    };
    static const struct row keys[] = {
        { "{\"name\":\"k\",\"role\":\"viewer\",\"expires\":10}",
          "{\"name\":\"k\",\"role\":\"viewer\","
          "\"expiresAt\":\"2023-11-14T22:13:30.000Z\"}" },
        { "{\"name\":\"k\",\"role\":\"viewer\"}",
          "{\"name\":\"k\",\"role\":\"viewer\",\"expiresAt\":null}" },
        { "{\"name\":\"k\",\"role\":\"root\"}", "invalid_value role" },
        { "{\"name\":\"k\"}", "required role" },
    };
    static const struct row accounts[] = {
        { "{\"name\":\"A\",\"slug\":\"a-1\"}",
          "{\"name\":\"A\",\"slug\":\"a-1\"}" },
        { "{\"name\":\"A\",\"slug\":\"ab\"}", "out_of_range slug" },
        { "{\"name\":\"A\",\"slug\":\"Abc\"}", "invalid_value slug" },
    };
    check(&shape_authentication, profiles, ARRAY_LEN(profiles));
    check(&shape_tag, tags, ARRAY_LEN(tags));
    check(&shape_tag_attach, attach, ARRAY_LEN(attach));
    check(&shape_management_key, keys, ARRAY_LEN(keys));
    check(&shape_account, accounts, ARRAY_LEN(accounts));
}

static void a_profile_has_its_defaults(void **state)
{
    (void)state;
    arena_reset(&a);
    assert_string_equal(
        create(&shape_authentication, "{\"name\":\"p\"}"),
        "{\"name\":\"p\",\"keyType\":\"token\",\"jwt_id\":\"\","
        "\"ratelimit\":null,\"ratelimits\":null,\"remaining\":null,"
        "\"remainingScope\":\"token\",\"refill\":null,\"expires\":null,"
        "\"byteLength\":32,\"prefix\":\"\","
        "\"tokenLocation\":{\"in\":\"bearer\"},\"hideCredentials\":true,"
        "\"identityClaim\":null,\"onFault\":\"closed\",\"tags\":[]}");
}

static void lengths_count_characters_not_bytes(void **state)
{
    (void)state;
    char input[700];
    for (int n = 99; n <= 101; n++) {
        arena_reset(&a);
        struct buf b;
        buf_init_fixed(&b, input, sizeof input - 1);
        buf_puts(&b, "{\"name\":\"");
        for (int i = 0; i < n; i++) buf_puts(&b, "\xf0\x9f\x98\x80");
        buf_puts(&b, "\",\"slug\":\"abc\"}");
        input[b.n] = '\0';
        const char *result = create(&shape_account, input);
        assert_int_equal(strcmp(result, "out_of_range name") == 0, n == 101);
    }
}

/* --- patches ------------------------------------------------------------------- */

static const char shown[] =
    "{\"id\":\"app_X\",\"account_id\":\"acc_X\",\"name\":\"a\","
    "\"description\":\"d\",\"domain\":\"a.example\",\"originHostname\":\"o.x\","
    "\"detailResponse\":false,\"auth_id\":\"" AUTH_ID "\"," UNSET_REFS
    "\"public\":false,\"timeouts\":{\"connect\":5,\"idle\":7},"
    "\"maxBodyBytes\":null,\"authenticate\":{\"mode\":\"open\",\"from\":[]},"
    "\"createdAt\":\"T1\",\"updatedAt\":\"T2\"}";

static struct sv member(const char *document, const char *name)
{
    if (document[0] != '{') fail_msg("%s", document);
    return json_encode_val(&a, json_find(parse(document), name));
}

static void a_patch_merges_and_null_clears(void **state)
{
    (void)state;
    arena_reset(&a);
    const char *r = patch(&shape_application, shown,
                          "{\"timeouts\":{\"connect\":null,\"firstByte\":9},"
                          "\"description\":null,\"enabled\":false}");
    assert_string_equal(member(r, "timeouts").p,
                        "{\"firstByte\":9,\"idle\":7}");
    assert_string_equal(member(r, "description").p, "\"\"");
    assert_string_equal(member(r, "enabled").p, "false");
    assert_string_equal(member(r, "domain").p, "\"a.example\"");
    assert_null(member(r, "id").p);
    assert_null(member(r, "createdAt").p);
    r = patch(&shape_application, shown, "{\"enabled\":null,\"tags\":[\"t\"]}");
    assert_string_equal(member(r, "enabled").p, "true");
    assert_string_equal(member(r, "tags").p, "[\"t\"]");
    assert_string_equal(patch(&shape_application, shown, "{\"name\":null}"),
                        "required name");
    assert_string_equal(
        patch(&shape_application, shown, "{\"timeouts\":{\"idle\":0}}"),
        "out_of_range timeouts.idle");
    assert_string_equal(
        patch(&shape_application, shown, "{\"timeouts\":{\"other\":1}}"),
        "unknown_field timeouts.other");
}

static void an_application_that_loses_its_profile_is_not_public(void **state)
{
    (void)state;
    arena_reset(&a);
    const char *r = patch(&shape_application, shown, "{\"auth_id\":\"\"}");
    assert_string_equal(member(r, "auth_id").p, "\"\"");
    assert_string_equal(member(r, "public").p, "false");
    r = patch(&shape_application, shown, "{\"auth_id\":null,\"public\":true}");
    assert_string_equal(member(r, "public").p, "true");
    assert_string_equal(patch(&shape_application, shown, "{\"public\":true}"),
                        "invalid_value public");
}

static void what_was_read_can_be_written_back(void **state)
{
    (void)state;
    for (int r = ROLE_EDITOR; r <= ROLE_OWNER; r++) {
        arena_reset(&a);
        role = (enum role)r;
        const char *same = patch(&shape_application, shown, shown);
        const char *nothing = patch(&shape_application, shown, "{}");
        assert_string_equal(same, nothing);
        assert_int_equal(same[0], '{');
    }
    role = ROLE_OWNER;
    assert_string_equal(
        patch(&shape_application, shown, "{\"createdAt\":\"T3\"}"),
        "read_only createdAt");
    assert_string_equal(patch(&shape_application, shown, "{\"id\":null}"),
                        "read_only id");
}

static void an_editor_changes_name_description_and_tags_alone(void **state)
{
    (void)state;
    arena_reset(&a);
    role = ROLE_EDITOR;
    assert_int_equal(patch(&shape_application, shown,
                           "{\"name\":\"b\",\"description\":\"e\","
                           "\"tags\":[\"t\"]}")[0],
                     '{');
    assert_string_equal(patch(&shape_application, shown, "{\"enabled\":false}"),
                        "not_permitted enabled");
    assert_string_equal(patch(&shape_application, shown, "{\"auth_id\":\"\"}"),
                        "not_permitted auth_id");
    role = ROLE_OWNER;
}

static void token_patches_keep_own_values_and_top_up(void **state)
{
    (void)state;
    arena_reset(&a);
    static const char present[] =
        "{\"id\":\"tok_X\",\"applicationId\":\"app_X\",\"name\":null,"
        "\"owner\":\"u\",\"metadata\":{\"a\":1,\"b\":2},\"enabled\":true,"
        "\"expiresAt\":null,\"remaining\":10,\"ratelimit\":null,"
        "\"effective\":{\"remaining\":10},\"createdAt\":\"T\"}";
    assert_string_equal(
        patch(&shape_token_patch, present,
              "{\"metadata\":{\"a\":null,\"c\":3},\"remaining\":{\"add\":5},"
              "\"effective\":{\"remaining\":10}}"),
        "{\"owner\":\"u\",\"metadata\":{\"b\":2,\"c\":3},\"enabled\":true,"
        "\"remaining\":{\"add\":5}}");
    assert_string_equal(patch(&shape_token_patch, present,
                              "{\"remaining\":null,\"owner\":\"\"}"),
                        "{\"metadata\":{\"a\":1,\"b\":2},\"enabled\":true}");
    assert_string_equal(
        patch(&shape_token_patch, present, "{\"remaining\":{\"sub\":1}}"),
        "unknown_field remaining.sub");
    assert_string_equal(
        patch(&shape_token_patch, present, "{\"expiresAt\":\"T\"}"),
        "read_only expiresAt");
    assert_string_equal(patch(&shape_token_patch, present,
                              "{\"effective\":{\"remaining\":11}}"),
                        "read_only effective");
}

static void a_key_keeps_its_end_unless_asked(void **state)
{
    (void)state;
    arena_reset(&a);
    static const char present[] =
        "{\"id\":\"key_X\",\"name\":\"k\",\"role\":\"viewer\","
        "\"expiresAt\":\"2030-01-01T00:00:00.000Z\"}";
    const char *r = patch(&shape_management_key, present, "{\"name\":\"l\"}");
    assert_string_equal(member(r, "expiresAt").p,
                        "\"2030-01-01T00:00:00.000Z\"");
    r = patch(&shape_management_key, present, "{\"expires\":null}");
    assert_string_equal(member(r, "expiresAt").p, "null");
    r = patch(&shape_management_key, present, "{\"expires\":1}");
    assert_string_equal(member(r, "expiresAt").p,
                        "\"2023-11-14T22:13:21.000Z\"");
}

static void a_small_arena_is_an_error_and_no_answer(void **state)
{
    (void)state;
    arena_reset(&a);
    yyjson_val *input = parse("{\"name\":\"abc\",\"description\":\"d\","
                              "\"tags\":[\"t\",\"u\"]}");
    int taken = 0;
    for (size_t budget = 0; budget < 40000; budget += 61) {
        struct arena small;
        struct shape_problem why;
        yyjson_mut_doc *doc;
        arena_init(&small, budget, NULL, 0);
        struct shape_env e = env();
        e.arena = &small;
        int rc = shape_create(&shape_application, &e, input, &doc, &why);
        assert_true(rc == 0 || rc == ERR_NOMEM);
        taken += rc == 0;
        arena_fini(&small);
    }
    assert_true(taken > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(token_creates),
        TEST(application_creates),
        TEST(profile_tag_and_key_creates),
        TEST(a_profile_has_its_defaults),
        TEST(lengths_count_characters_not_bytes),
        TEST(a_patch_merges_and_null_clears),
        TEST(an_application_that_loses_its_profile_is_not_public),
        TEST(what_was_read_can_be_written_back),
        TEST(an_editor_changes_name_description_and_tags_alone),
        TEST(token_patches_keep_own_values_and_top_up),
        TEST(a_key_keeps_its_end_unless_asked),
        TEST(a_small_arena_is_an_error_and_no_answer),
    };
    arena_init(&a, 16 << 20, NULL, 0);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&a);
    return rc;
}
