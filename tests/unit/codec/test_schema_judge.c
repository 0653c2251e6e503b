/* JSON Schema: what is said of values, where, and within which bounds. The
 * standard's own cases run end to end (tests/e2e/src/schema_cli.test.ts). */
#include "schema_kit.h"

static struct kit k;

static void compile(const char *schema)
{
    if (kit_compile(&k, sv_cstr(schema), SCHEMA_2020_12, true) != 0)
        fail_msg("%s: %s", schema, k.why.reason);
}

static enum schema_verdict judge(const char *value)
{
    return kit_judge(&k, sv_cstr(value));
}

static void every_violation_names_its_value_its_keyword_and_both_places(
    void **state)
{
    (void)state;
    compile("{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{"
            "\"a/b\":{\"type\":\"string\",\"minLength\":2},"
            "\"list\":{\"items\":{\"$ref\":\"#/$defs/n\"}}},"
            "\"$defs\":{\"n\":{\"maximum\":5}}}");
    assert_int_equal(judge("{\"a/b\":\"x\",\"list\":[1,9,\"y\",7]}"),
                     SCHEMA_INVALID);
    static const struct {
        const char *instance, *keyword, *location, *says;
    } want[] = {
        { "/a~1b", "minLength", "#/properties/a~1b/minLength",
          "must have at least 2 characters, has 1" },
        { "/list/1", "maximum", "#/$defs/n/maximum", "must be at most 5" },
        { "/list/3", "maximum", "#/$defs/n/maximum", "must be at most 5" },
        { "", "required", "#/required", "member \"id\" is missing" },
    };
    assert_int_equal(k.j.violations_n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        const struct schema_violation *v = &k.j.violations[i];
        assert_true(sv_eq(v->instance, sv_cstr(want[i].instance)));
        assert_true(sv_eq(v->keyword, sv_cstr(want[i].keyword)));
        assert_true(sv_eq(v->location, sv_cstr(want[i].location)));
        assert_true(sv_eq(v->says, sv_cstr(want[i].says)));
    }
    assert_false(k.j.more);
}

static void violations_stop_at_their_bound(void **state)
{
    (void)state;
    compile("{\"items\":{\"type\":\"string\"}}");
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "[0");
    for (int i = 0; i < 1000; i++) buf_puts(&b, ",1");
    buf_puts(&b, "]");
    assert_int_equal(kit_judge(&k, buf_sv(&b)), SCHEMA_INVALID);
    assert_int_equal(k.j.violations_n, 20);
    assert_true(k.j.more);
    buf_fini(&b);
}

static void numbers_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *value;
        bool valid;
    } rows[] = {
        { "{\"type\":\"integer\"}", "1.0", true },
        { "{\"type\":\"integer\"}", "1e400", true },
        { "{\"type\":\"integer\"}", "1.5e1", true },
        { "{\"type\":\"integer\"}", "1.55e1", false },
        { "{\"type\":\"integer\"}", "123456789012345678901234567890", true },
        { "{\"maximum\":9007199254740992}", "9007199254740993", false },
        { "{\"maximum\":9007199254740993}", "9007199254740993.0", true },
        { "{\"minimum\":-0.0}", "0", true },
        { "{\"exclusiveMinimum\":0}", "1e-9999999999999999999999", true },
        { "{\"exclusiveMinimum\":0}", "-0", false },
        { "{\"multipleOf\":0.01}", "4.35", true },
        { "{\"multipleOf\":0.01}", "4.351", false },
        { "{\"multipleOf\":0.0001}", "0.0075", true },
        { "{\"multipleOf\":1e-8}", "12391239123", true },
        { "{\"multipleOf\":3}", "1e400", false },
        { "{\"multipleOf\":7}", "7e99999999999", true },
        { "{\"const\":1}", "1.000", true },
        { "{\"const\":0.1}", "0.10000000000000000001", false },
        { "{\"enum\":[1e2]}", "100", true },
        { "{\"uniqueItems\":true}", "[1,1.0]", false },
        { "{\"uniqueItems\":true}", "[0.1,0.10000000000000000001]", true },
        { "{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},{\"b\":2.0,\"a\":1}]",
          false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        compile(rows[i].schema);
        if ((judge(rows[i].value) == SCHEMA_VALID) != rows[i].valid)
            fail_msg("%s %s", rows[i].schema, rows[i].value);
    }
}

static void a_schema_with_a_mistake_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *place, *reason;
    } rows[] = {
        { "3", "", "must be an object" },
        { "{\"type\":\"strin\"}", "/type", "name of a type" },
        { "{\"type\":[]}", "/type", "name of a type" },
        { "{\"items\":[{}]}", "/items", "a schema must be" },
        { "{\"properties\":{\"a\":{\"minLength\":-1}}}",
          "/properties/a/minLength", "integer from 0" },
        { "{\"allOf\":[{},{\"pattern\":\"(\"}]}", "/allOf/1/pattern",
          "not closed" },
        { "{\"patternProperties\":{\"[a\":{}}}", "/patternProperties/[a",
          "not closed" },
        { "{\"anyOf\":[]}", "/anyOf", "list of schemas" },
        { "{\"required\":\"a\"}", "/required", "list of names" },
        { "{\"multipleOf\":0}", "/multipleOf", "above 0" },
        { "{\"$ref\":\"#/$defs/no\"}", "/$ref", "nothing is at" },
        { "{\"$ref\":\"other.json\"}", "/$ref", "do not leave" },
        { "{\"$ref\":5}", "/$ref", "must be a text" },
        { "{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}",
          "/$schema", "2020-12" },
        { "{\"$defs\":{\"a\":{\"$id\":\"x\"},\"b\":{\"$id\":\"x\"}}}",
          "/$defs/b/$id", "two schemas" },
        { "{\"$anchor\":\"#a\"}", "/$anchor", "plain name" },
        { "{\"$defs\":{\"never used\":{\"type\":7}}}", "/$defs/never used/type",
          "name of a type" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int rc = kit_compile(&k, sv_cstr(rows[i].schema), SCHEMA_2020_12, true);
        if (rc != ERR_INVALID || !sv_eq(k.place, sv_cstr(rows[i].place)) ||
            !strstr(k.why.reason, rows[i].reason))
            fail_msg("%s: %d %.*s: %s", rows[i].schema, rc, SV_FMT(k.place),
                     k.why.reason);
    }
}

static void what_never_ends_is_over(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        "{\"$ref\":\"#\"}",
        "{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}",
        "{\"not\":{\"$ref\":\"#\"}}",
        "{\"$dynamicAnchor\":\"a\",\"allOf\":[{\"$dynamicRef\":\"#a\"}]}",
        "{\"pattern\":\"^(a+)+$\"}",
        "{\"pattern\":\"^(a|aa)+$\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
        compile(schemas[i]);
        assert_int_equal(
            judge("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\""),
            SCHEMA_OVER);
    }
}

/* 2^20 paths through 20 levels of alternatives that look alike */
static void an_exponential_schema_ends_by_its_steps(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"$ref\":\"#/$defs/n0\",\"$defs\":{");
    for (int i = 0; i < 30; i++)
        buf_printf(&b,
                   "\"n%d\":{\"oneOf\":[{\"$ref\":\"#/$defs/n%d\"},{\"$ref\":"
                   "\"#/$defs/n%d\"}]},",
                   i, i + 1, i + 1);
    buf_puts(&b, "\"n30\":{\"type\":\"string\"}}}");
    assert_int_equal(kit_compile(&k, buf_sv(&b), SCHEMA_2020_12, true), 0);
    assert_int_equal(judge("5"), SCHEMA_OVER);
    buf_fini(&b);
}

static void wide_values_are_judged_within_their_memory(void **state)
{
    (void)state;
    compile("{\"uniqueItems\":true,\"items\":{\"type\":\"integer\"}}");
    struct buf b;
    buf_init(&b, 4 << 20);
    for (int twice = 0; twice < 2; twice++) {
        buf_clear(&b);
        buf_puts(&b, "[0");
        for (int i = 1; i < 20000; i++)
            buf_printf(&b, ",%d", twice && i == 19999 ? 77 : i);
        buf_puts(&b, "]");
        assert_int_equal(kit_judge(&k, buf_sv(&b)),
                         twice ? SCHEMA_INVALID : SCHEMA_VALID);
    }
    k.j.steps = 1000;
    assert_int_equal(kit_judge(&k, buf_sv(&b)), SCHEMA_OVER);
    buf_fini(&b);
}

static void read_only_members_are_not_for_requests(void **state)
{
    (void)state;
    compile("{\"required\":[\"id\",\"name\",\"secret\"],\"properties\":{"
            "\"id\":{\"readOnly\":true},\"name\":{},"
            "\"secret\":{\"$ref\":\"#/$defs/w\"}},"
            "\"$defs\":{\"w\":{\"writeOnly\":true}}}");
    static const struct {
        enum schema_way way;
        const char *value;
        bool valid;
    } rows[] = {
        { SCHEMA_EITHER_WAY, "{\"id\":1,\"name\":2,\"secret\":3}", true },
        { SCHEMA_EITHER_WAY, "{\"name\":2,\"secret\":3}", false },
        { SCHEMA_REQUEST, "{\"name\":2,\"secret\":3}", true },
        { SCHEMA_REQUEST, "{\"id\":1,\"name\":2,\"secret\":3}", false },
        { SCHEMA_REQUEST, "{\"name\":2}", false },
        { SCHEMA_RESPONSE, "{\"id\":1,\"name\":2}", true },
        { SCHEMA_RESPONSE, "{\"id\":1,\"name\":2,\"secret\":3}", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        k.j.way = rows[i].way;
        assert_int_equal(judge(rows[i].value),
                         rows[i].valid ? SCHEMA_VALID : SCHEMA_INVALID);
    }
    k.j.way = SCHEMA_EITHER_WAY;
}

static void openapi_30_is_a_dialect_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *value;
        int valid; /* -1: no schema */
    } rows[] = {
        { "{\"type\":\"string\",\"nullable\":true}", "null", 1 },
        { "{\"nullable\":true,\"minimum\":1}", "null", 1 },
        { "{\"type\":\"string\"}", "null", 0 },
        { "{\"type\":\"string\",\"nullable\":true,\"enum\":[\"a\"]}", "null",
          0 },
        { "{\"minimum\":5,\"exclusiveMinimum\":true}", "5", 0 },
        { "{\"minimum\":5,\"exclusiveMinimum\":false}", "5", 1 },
        { "{\"maximum\":5,\"exclusiveMaximum\":true}", "5", 0 },
        { "{\"exclusiveMaximum\":5}", "4", -1 },
        { "{\"type\":[\"string\"]}", "\"\"", -1 },
        { "{\"type\":\"null\"}", "null", 1 },
        { "true", "null", -1 },
        { "{\"const\":5}", "6", 1 },
        { "{\"additionalProperties\":false}", "{\"a\":1}", 0 },
        { "{\"additionalProperties\":true}", "{\"a\":1}", 1 },
        { "{\"properties\":{\"a\":{\"$ref\":\"#/properties/b\",\"minimum\":"
          "9}, \"b\":{\"type\":\"number\"}}}",
          "{\"a\":1}", 1 },
        { "{\"format\":\"int32\"}", "2147483648", 0 },
        { "{\"format\":\"int64\"}", "9223372036854775807", 1 },
        { "{\"format\":\"int64\"}", "9223372036854775808", 0 },
        { "{\"format\":\"byte\"}", "\"YWI=\"", 1 },
        { "{\"format\":\"byte\"}", "\"YWI\"", 0 },
        { "{\"format\":\"password\"}", "\"x\"", 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int rc =
            kit_compile(&k, sv_cstr(rows[i].schema), SCHEMA_OPENAPI_30, true);
        int valid = rc ? -1 : judge(rows[i].value) == SCHEMA_VALID;
        if (valid != rows[i].valid)
            fail_msg("%s %s: %d %s", rows[i].schema, rows[i].value, valid,
                     k.why.reason);
    }
}

static void a_discriminator_chooses_the_alternative(void **state)
{
    (void)state;
    const char *schema =
        "{\"oneOf\":[{\"$ref\":\"#/components/schemas/Cat\"},"
        "{\"$ref\":\"#/components/schemas/Dog\"}],"
        "\"discriminator\":{\"propertyName\":\"kind\",\"mapping\":{"
        "\"hound\":\"Dog\",\"pup\":\"#/components/schemas/Dog\"}},"
        "\"components\":{\"schemas\":{"
        "\"Cat\":{\"required\":[\"lives\"]},"
        "\"Dog\":{\"required\":[\"bark\"]}}}}";
    static const struct {
        const char *value;
        const char *says; /* NULL: valid */
    } rows[] = {
        { "{\"kind\":\"Cat\",\"lives\":9}", NULL },
        { "{\"kind\":\"Cat\",\"bark\":9}", "member \"lives\" is missing" },
        { "{\"kind\":\"hound\",\"bark\":9}", NULL },
        { "{\"kind\":\"pup\",\"lives\":9}", "member \"bark\" is missing" },
        { "{\"kind\":\"Fish\"}", "names no known kind" },
        { "{\"kind\":5}", "names no known kind" },
        { "{}", "member \"kind\", which says the kind, is missing" },
        { "[]", "must be an object" },
    };
    for (int dialect = 0; dialect < 2; dialect++) {
        assert_int_equal(kit_compile(&k, sv_cstr(schema),
                                     (enum schema_dialect)dialect, true),
                         0);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            enum schema_verdict v = judge(rows[i].value);
            assert_int_equal(v, rows[i].says ? SCHEMA_INVALID : SCHEMA_VALID);
            if (rows[i].says)
                assert_true(
                    sv_eq(k.j.violations[0].says, sv_cstr(rows[i].says)));
        }
    }
}

static void every_truncated_or_flipped_schema_ends_well(void **state)
{
    (void)state;
    char text[] =
        "{\"$id\":\"http://a/b\",\"type\":[\"object\",\"null\"],\"$defs\":{"
        "\"a\":{\"$anchor\":\"n\",\"pattern\":\"^a[b-d]{2,3}$\"}},"
        "\"properties\":{\"x\":{\"$ref\":\"#n\"},\"y\":{\"enum\":[1,\"2\"]}},"
        "\"if\":{\"minProperties\":2},\"then\":{\"required\":[\"x\"]},"
        "\"unevaluatedProperties\":false}";
    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        if (kit_compile(&k, sv_of(text, sizeof text - 1), SCHEMA_2020_12,
                        true) == 0)
            judge("{\"x\":\"abb\",\"y\":1,\"z\":[null]}");
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t n = 0; n < sizeof text - 1; n++)
        assert_int_equal(kit_compile(&k, sv_of(text, n), SCHEMA_2020_12, true),
                         ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_violation_names_its_value_its_keyword_and_both_places),
        TEST(violations_stop_at_their_bound),
        TEST(numbers_are_exact),
        TEST(a_schema_with_a_mistake_is_refused_at_its_place),
        TEST(what_never_ends_is_over),
        TEST(an_exponential_schema_ends_by_its_steps),
        TEST(wide_values_are_judged_within_their_memory),
        TEST(read_only_members_are_not_for_requests),
        TEST(openapi_30_is_a_dialect_of_its_own),
        TEST(a_discriminator_chooses_the_alternative),
        TEST(every_truncated_or_flipped_schema_ends_well),
    };
    kit_init(&k);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    kit_fini(&k);
    return rc;
}
