/* Applications: names, domains, profiles, and what reaches the plan. */
#include "head.h"

#define CREATE "/{a}/applications/create"

static void one_without_a_profile_is_public_and_says_so(void **state)
{
    (void)state;
    rig_post(&rig, CREATE, "{\"name\":\"a\"}");
    rig_expect(&rig, 201);
    assert_non_null(strstr(rig_text(&rig, "/message"), "public"));
    assert_true(yyjson_get_bool(rig_at(&rig, "/data/0/public")));
    assert_string_equal(rig_text(&rig, "/data/0/auth_id"), "");
    assert_string_equal(rig.a.etag, "\"1\"");
    assert_memory_equal(rig_text(&rig, "/data/0/id"), "app_", 4);
    assert_int_equal(strlen(rig_text(&rig, "/data/0/createdAt")), 24);
}

static void the_fields_of_the_seed_are_never_null(void **state)
{
    static const char *const fields[] = {
        "id",          "name",      "description",    "domain",
        "createdAt",   "updatedAt", "originHostname", "auth_id",
        "llmcache_id", "abuse_id",
    };
    (void)state;
    rig_post(&rig, CREATE, "{\"name\":\"a\"}");
    for (size_t i = 0; i < 10; i++)
        assert_true(yyjson_is_str(rig_at(&rig, f("/data/0/%s", fields[i]))));
    assert_true(yyjson_is_bool(rig_at(&rig, "/data/0/detailResponse")));
    assert_true(yyjson_is_arr(rig_at(&rig, "/data/0/tags")));
}

static void a_domain_is_made_up_with_the_smallest_free_number(void **state)
{
    char id[40];
    (void)state;
    rig_post(&rig, CREATE, "{\"name\":\"a\"}");
    assert_string_equal(rig_text(&rig, "/data/0/domain"),
                        "api1-first-proxy.base.test");
    snprintf(id, sizeof id, "%s", rig_text(&rig, "/data/0/id"));
    rig_post(&rig, CREATE, "{\"name\":\"b\"}");
    assert_string_equal(rig_text(&rig, "/data/0/domain"),
                        "api2-first-proxy.base.test");
    rig_delete(&rig, "/{a}/applications/%s", id);
    rig_expect(&rig, 200);
    rig_post(&rig, CREATE, "{\"name\":\"c\"}");
    assert_string_equal(rig_text(&rig, "/data/0/domain"),
                        "api1-first-proxy.base.test");
}

static void traffic_finds_it_by_its_domain_until_it_is_deleted(void **state)
{
    char id[40];
    (void)state;
    rig_post(&rig, CREATE, "{\"name\":\"a\",\"domain\":\"Shop.Example\"}");
    rig_expect(&rig, 201);
    assert_string_equal(rig_text(&rig, "/data/0/domain"), "shop.example");
    snprintf(id, sizeof id, "%s", rig_text(&rig, "/data/0/id"));
    assert_non_null(plan_match(rig.plan, SV("shop.example:443")));
    rig_patch(&rig, f("/{a}/applications/%s", id),
              "{\"domain\":\"new.example\"}");
    rig_expect(&rig, 200);
    assert_null(plan_match(rig.plan, SV("shop.example")));
    assert_non_null(plan_match(rig.plan, SV("new.example")));
    rig_delete(&rig, "/{a}/applications/%s", id);
    rig_expect(&rig, 200);
    assert_null(plan_match(rig.plan, SV("new.example")));
    rig_get(&rig, "/{a}/applications/%s", id);
    rig_expect_error(&rig, 404, "not_found", NULL);
}

static void a_name_is_unique_in_the_account(void **state)
{
    (void)state;
    rig_post(&rig, CREATE, "{\"name\":\"a\"}");
    rig_post(&rig, CREATE, "{\"name\":\"a\"}");
    rig_expect_error(&rig, 409, "duplicate", "name");
}

static void a_taken_domain_is_refused(void **state)
{
    char other[40], key[80];
    (void)state;
    rig_post(&rig, CREATE, "{\"name\":\"a\",\"domain\":\"*.w.example\"}");
    rig_expect(&rig, 201);
    rig_post(&rig, CREATE, "{\"name\":\"b\",\"domain\":\"*.w.example\"}");
    rig_expect_error(&rig, 409, "domain_taken", "domain");
    rig_post(&rig, CREATE, "{\"name\":\"b\",\"domain\":\"mine.w.example\"}");
    rig_expect(&rig, 201);
    rig_account(&rig, "second", other, key);
    rig_ask(&rig, key, "POST", f("/%s/applications/create", other),
            "{\"name\":\"c\",\"domain\":\"x.w.example\"}");
    rig_expect_error(&rig, 409, "domain_taken", "domain");
}

static void names_of_the_server_are_refused(void **state)
{
    static const char *const names[] = {
        "base.test",   "*.base.test", "api9-first-proxy.base.test",
        "x.base.test", "api.test",
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rig_post(&rig, CREATE,
                 f("{\"name\":\"a\",\"domain\":\"%s\"}", names[i]));
        rig_expect_error(&rig, 400, "domain_reserved", "domain");
    }
    rig_post(&rig, CREATE, "{\"name\":\"a\",\"domain\":\"otherbase.test\"}");
    rig_expect(&rig, 201);
}

static void a_made_up_domain_survives_a_patch(void **state)
{
    char id[40];
    (void)state;
    rig_post(&rig, CREATE, "{\"name\":\"a\"}");
    snprintf(id, sizeof id, "%s", rig_text(&rig, "/data/0/id"));
    rig_patch(&rig, f("/{a}/applications/%s", id),
              "{\"description\":\"d\",\"domain\":"
              "\"api1-first-proxy.base.test\"}");
    rig_expect(&rig, 200);
    rig_patch(&rig, f("/{a}/applications/%s", id), "{\"domain\":\"x.y\"}");
    rig_expect(&rig, 200);
    rig_patch(&rig, f("/{a}/applications/%s", id), "{\"domain\":null}");
    rig_expect(&rig, 200);
    assert_string_equal(rig_text(&rig, "/data/0/domain"),
                        "api1-first-proxy.base.test");
}

static void bad_fields_are_named(void **state)
{
    (void)state;
    rig_post(&rig, CREATE, "{}");
    rig_expect_error(&rig, 400, "required", "name");
    rig_post(&rig, CREATE, "{\"name\":\"a\",\"nmae\":1}");
    rig_expect_error(&rig, 400, "unknown_field", "nmae");
    rig_post(&rig, CREATE, "{\"name\":\"a\",\"enabled\":\"yes\"}");
    rig_expect_error(&rig, 400, "invalid_type", "enabled");
    rig_post(
        &rig, CREATE,
        "{\"name\":\"a\",\"auth_id\":\"auth_00000000000000000000000000\"}");
    rig_expect(&rig, 400);
    assert_string_equal(rig_text(&rig, "/error/field"), "auth_id");
    rig_post(&rig, CREATE, "{\"name\":\"a\",\"origin_hostname\":\"ftp://x\"}");
    rig_expect(&rig, 400);
    rig_get(&rig, "/{a}/applications");
    assert_int_equal(rig_count(&rig), 0);
}

static void an_account_has_at_most_so_many(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        rig_post(&rig, CREATE, f("{\"name\":\"a%d\"}", i));
        rig_expect(&rig, 201);
    }
    rig_post(&rig, CREATE, "{\"name\":\"a5\"}");
    rig_expect_error(&rig, 409, "limit_reached", NULL);
}

static void one_that_loses_its_profile_is_shut_until_it_is_public(void **state)
{
    char app[40], auth[40];
    (void)state;
    make_app("a", "{\"name\":\"p\"}", app, auth);
    assert_int_equal(plan_find(rig.plan, sv_cstr(app))->app.lost_auth, false);
    rig_patch(&rig, f("/{a}/applications/%s", app), "{\"auth_id\":\"\"}");
    rig_expect(&rig, 200);
    assert_true(plan_find(rig.plan, sv_cstr(app))->app.lost_auth);
    rig_patch(&rig, f("/{a}/applications/%s", app), "{\"public\":true}");
    rig_expect(&rig, 200);
    assert_false(plan_find(rig.plan, sv_cstr(app))->app.lost_auth);
}

static void an_etag_guards_a_change(void **state)
{
    char id[40], etag[48];
    (void)state;
    rig_post(&rig, CREATE, "{\"name\":\"a\"}");
    snprintf(id, sizeof id, "%s", rig_text(&rig, "/data/0/id"));
    rig_get(&rig, "/{a}/applications/%s", id);
    snprintf(etag, sizeof etag, "%s", rig.a.etag);
    rig.if_match = etag;
    rig_patch(&rig, f("/{a}/applications/%s", id), "{\"description\":\"1\"}");
    rig_expect(&rig, 200);
    rig.if_match = etag;
    rig_patch(&rig, f("/{a}/applications/%s", id), "{\"description\":\"2\"}");
    rig_expect_error(&rig, 412, "precondition_failed", "If-Match");
    rig.if_match = etag;
    rig_delete(&rig, "/{a}/applications/%s", id);
    rig_expect(&rig, 412);
    rig_get(&rig, "/{a}/applications/%s", id);
    assert_string_equal(rig_text(&rig, "/data/0/description"), "1");
}

static void a_whole_object_can_be_sent_back(void **state)
{
    char id[40];
    (void)state;
    rig_post(&rig, CREATE, "{\"name\":\"a\"}");
    snprintf(id, sizeof id, "%s", rig_text(&rig, "/data/0/id"));
    char *same = yyjson_val_write(rig_at(&rig, "/data/0"), 0, NULL);
    rig_patch(&rig, f("/{a}/applications/%s", id), same);
    rig_expect(&rig, 200);
    free(same);
    rig_patch(&rig, f("/{a}/applications/%s", id),
              "{\"createdAt\":\"2001-01-01T00:00:00.000Z\"}");
    rig_expect_error(&rig, 400, "read_only", "createdAt");
}

static void the_published_paths_lead_to_the_same(void **state)
{
    char id[40];
    (void)state;
    rig_post(&rig, "/{a}/application/create",
             "{\"name\":\"a\",\"tags\":[\"environment:production\"]}");
    rig_expect(&rig, 201);
    snprintf(id, sizeof id, "%s", rig_text(&rig, "/data/0/id"));
    rig_get(&rig, "/{a}/application/%s", id);
    rig_expect(&rig, 200);
    rig_get(&rig, "/api/v1/applications?tags[environment]=production");
    assert_int_equal(rig_count(&rig), 1);
    rig_get(&rig, "/api/v1/applications?tags[environment]=staging");
    assert_int_equal(rig_count(&rig), 0);
    rig_post(&rig, f("/api/v1/applications/%s/tags", id),
             "{\"key\":\"team\",\"value\":\"blue\"}");
    rig_expect(&rig, 200);
    assert_string_equal(rig_text(&rig, "/data/0/tags/1"), "team:blue");
    rig_get(&rig, "/{a}/applications?tag=team:blue");
    assert_int_equal(rig_count(&rig), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_without_a_profile_is_public_and_says_so),
        TEST(the_fields_of_the_seed_are_never_null),
        TEST(a_domain_is_made_up_with_the_smallest_free_number),
        TEST(traffic_finds_it_by_its_domain_until_it_is_deleted),
        TEST(a_name_is_unique_in_the_account),
        TEST(a_taken_domain_is_refused),
        TEST(names_of_the_server_are_refused),
        TEST(a_made_up_domain_survives_a_patch),
        TEST(bad_fields_are_named),
        TEST(an_account_has_at_most_so_many),
        TEST(one_that_loses_its_profile_is_shut_until_it_is_public),
        TEST(an_etag_guards_a_change),
        TEST(a_whole_object_can_be_sent_back),
        TEST(the_published_paths_lead_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
