/* /openapi.json: the customer's operation word for word (the facts of
 * spec/seed-create-token.md, written here by hand), and that the whole is one
 * consistent document. */
#include "head.h"

#define OPERATION "/paths/~1{account_id}~1token~1create~1{application_id}/post"
#define SCHEMAS "/components/schemas/"

static bool deep_has(yyjson_val *whole, yyjson_val *part);

static bool obj_has(yyjson_val *whole, yyjson_val *part)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(
        part, i, max, key,
        value) if (!deep_has(yyjson_obj_get(whole, yyjson_get_str(key)),
                             value)) return false;
    return true;
}

static bool arr_has(yyjson_val *whole, yyjson_val *part)
{
    size_t i, j, max, jmax;
    yyjson_val *want, *have;
    yyjson_arr_foreach(part, i, max, want)
    {
        bool hit = false;
        yyjson_arr_foreach(whole, j, jmax, have) hit |= deep_has(have, want);
        if (!hit) return false;
    }
    return true;
}

/* Is all that `part` says also said by `whole`? */
static bool deep_has(yyjson_val *whole, yyjson_val *part)
{
    if (!whole) return false;
    if (yyjson_is_obj(part))
        return yyjson_is_obj(whole) && obj_has(whole, part);
    if (yyjson_is_arr(part))
        return yyjson_is_arr(whole) && arr_has(whole, part);
    return yyjson_equals(whole, part);
}

static void says(const char *pointer, const char *json)
{
    yyjson_doc *want = yyjson_read(json, strlen(json), 0);
    assert_non_null(want);
    if (!deep_has(rig_at(&rig, pointer), yyjson_doc_get_root(want))) {
        char *have = yyjson_val_write(rig_at(&rig, pointer), 0, NULL);
        fail_msg("%s is %s, not %s", pointer, have ? have : "absent", json);
    }
    yyjson_doc_free(want);
}

static int setup_document(void **state)
{
    setup(state);
    rig_ask(&rig, NULL, "GET", "/openapi.json", NULL);
    assert_int_equal(rig.a.status, 200);
    assert_non_null(rig.doc);
    return 0;
}

static void the_customers_operation_is_there_word_for_word(void **state)
{
    (void)state;
    says("", "{\"openapi\":\"3.1.0\",\"security\":[],\"info\":{\"title\":"
             "\"Type Auth API\"}}");
    says(OPERATION,
         "{\"tags\":[\"Token\"],\"summary\":\"Create a new Token\","
         "\"parameters\":["
         "{\"name\":\"account_id\",\"in\":\"path\",\"required\":true,"
         "\"schema\":{\"type\":\"string\"}},"
         "{\"name\":\"application_id\",\"in\":\"path\",\"required\":true,"
         "\"schema\":{\"type\":\"string\"}}],"
         "\"requestBody\":{\"required\":true,\"content\":{"
         "\"application/json\":{\"schema\":{\"$ref\":"
         "\"#/components/schemas/CreateTokenRequest\"}}}},"
         "\"responses\":{\"201\":{\"description\":"
         "\"Application created successfully\",\"content\":{"
         "\"application/json\":{\"schema\":{\"$ref\":"
         "\"#/components/schemas/ApplicationResponse\"}}}}},"
         "\"security\":[{\"bearerAuth\":[]}]}");
    says(SCHEMAS "CreateTokenRequest",
         "{\"type\":\"object\",\"properties\":{"
         "\"amount\":{\"type\":\"integer\",\"maximum\":100},"
         "\"tags\":{\"type\":\"array\",\"maxItems\":5,\"uniqueItems\":true,"
         "\"description\":\"Tags of the application\","
         "\"items\":{\"type\":\"string\"}}}}");
    says(SCHEMAS "ApplicationResponse",
         "{\"type\":\"object\",\"properties\":{"
         "\"success\":{\"type\":\"boolean\"},"
         "\"message\":{\"type\":\"string\"},"
         "\"data\":{\"type\":\"array\",\"items\":{\"$ref\":"
         "\"#/components/schemas/Application\"}}}}");
    says(SCHEMAS "Application",
         "{\"type\":\"object\",\"properties\":{"
         "\"id\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},"
         "\"description\":{\"type\":\"string\"},"
         "\"domain\":{\"type\":\"string\"},"
         "\"createdAt\":{\"type\":\"string\",\"format\":\"date-time\"},"
         "\"updatedAt\":{\"type\":\"string\",\"format\":\"date-time\"},"
         "\"originHostname\":{\"type\":\"string\"},"
         "\"detailResponse\":{\"type\":\"boolean\"},"
         "\"auth_id\":{\"type\":\"string\"},"
         "\"llmcache_id\":{\"type\":\"string\"},"
         "\"abuse_id\":{\"type\":\"string\"},"
         "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}");
    says("/components/securitySchemes/bearerAuth",
         "{\"type\":\"http\",\"scheme\":\"bearer\"}");
}

static size_t refs_checked;

/* Every $ref leads somewhere. */
static void refs_check(yyjson_val *v)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(v, i, max, key, value)
    {
        if (yyjson_equals_str(key, "$ref")) {
            char pointer[300];
            const char *p = yyjson_get_str(value);
            size_t n = 0;
            assert_int_equal(*p, '#');
            for (p++; *p; p++)
                if (*p == '%') {
                    pointer[n++] = p[2] == 'B' ? '{' : '}';
                    p += 2;
                } else
                    pointer[n++] = *p;
            pointer[n] = 0;
            if (!rig_at(&rig, pointer)) fail_msg("nothing at %s", pointer);
            refs_checked++;
        }
        refs_check(value);
    }
    yyjson_arr_foreach(v, i, max, value) refs_check(value);
}

static void every_reference_leads_somewhere(void **state)
{
    (void)state;
    refs_check(rig_at(&rig, ""));
    assert_in_range(refs_checked, 100, 10000);
}

static bool unique(yyjson_val *object)
{
    size_t i, j, max, jmax;
    yyjson_val *key, *value, *other, *ignored;
    yyjson_obj_foreach(object, i, max, key, value) yyjson_obj_foreach(
        object, j, jmax, other,
        ignored) if (j < i && yyjson_equals(key, other)) return false;
    return true;
}

static void names_are_unique_and_operations_complete(void **state)
{
    size_t i, j, k, max, jmax, kmax;
    yyjson_val *path, *item, *method, *operation, *name, *schema;
    (void)state;
    assert_true(unique(rig_at(&rig, "/paths")));
    assert_true(unique(rig_at(&rig, "/components/schemas")));
    yyjson_obj_foreach(rig_at(&rig, "/components/schemas"), i, max, name,
                       schema)
        assert_true(unique(yyjson_obj_get(schema, "properties")));
    yyjson_obj_foreach(rig_at(&rig, "/paths"), j, jmax, path, item)
    {
        assert_int_equal(yyjson_get_str(path)[0], '/');
        if (yyjson_obj_get(item, "$ref")) continue;
        yyjson_obj_foreach(item, k, kmax, method, operation)
        {
            assert_non_null(yyjson_obj_get(operation, "operationId"));
            assert_non_null(yyjson_obj_get(operation, "responses"));
        }
    }
    assert_non_null(rig_at(&rig, "/paths/~1{account_id}~1keys~1create~1"
                                 "{application_id}/$ref"));
    assert_non_null(rig_at(&rig, "/paths/~1api~1v1~1keys/get"));
    assert_non_null(rig_at(&rig, "/paths/~1authenticate/post"));
}

#undef TEST
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, setup_document, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_customers_operation_is_there_word_for_word),
        TEST(every_reference_leads_somewhere),
        TEST(names_are_unique_and_operations_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
