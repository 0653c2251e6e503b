/* Authentication profiles: a change acts on every application that names the
 * profile, and one that is named cannot just go. */
#include "head.h"

static char app[40], auth[40];

static int setup_app(void **state)
{
    setup(state);
    make_app("a",
             "{\"name\":\"p\",\"ratelimit\":{\"requests\":5,"
             "\"window\":60}}",
             app, auth);
    return 0;
}

static void a_change_reaches_all_its_applications(void **state)
{
    const struct plan_app *image;
    (void)state;
    rig_post(&rig, "/{a}/applications/create",
             f("{\"name\":\"b\",\"auth_id\":\"%s\"}", auth));
    rig_expect(&rig, 201);
    char second[40];
    snprintf(second, sizeof second, "%s", rig_text(&rig, "/data/0/id"));
    image = plan_find(rig.plan, sv_cstr(app));
    assert_int_equal(image->auth.policy.limits[0].limit, 5);
    rig_patch(&rig, f("/{a}/authentication/%s", auth),
              "{\"ratelimit\":{\"limit\":9}}");
    rig_expect(&rig, 200);
    assert_int_equal(rig_int(&rig, "/data/0/ratelimit/limit"), 9);
    assert_int_equal(rig_int(&rig, "/data/0/ratelimit/timeWindow"), 60);
    image = plan_find(rig.plan, sv_cstr(app));
    assert_int_equal(image->auth.policy.limits[0].limit, 9);
    image = plan_find(rig.plan, sv_cstr(second));
    assert_int_equal(image->auth.policy.limits[0].limit, 9);
}

static void several_limits_have_their_columns(void **state)
{
    struct take_answer take;
    char id[40], secret[300];
    (void)state;
    rig_patch(&rig, f("/{a}/authentication/%s", auth),
              "{\"ratelimit\":null,\"ratelimits\":["
              "{\"name\":\"a\",\"limit\":3,\"timeWindow\":1},"
              "{\"name\":\"b\",\"limit\":2,\"timeWindow\":3600}]}");
    rig_expect(&rig, 200);
    make_token(app, "{}", id, secret);
    assert_int_equal(rig_take(&rig, app, secret, &take), TAKE_TAKEN);
    assert_int_equal(rig_take(&rig, app, secret, &take), TAKE_TAKEN);
    assert_int_equal(rig_take(&rig, app, secret, &take), TAKE_REFUSED);
    assert_int_equal(take.refused_by, 1);
    rig_restart(&rig);
    assert_int_equal(rig_take(&rig, app, secret, &take), TAKE_REFUSED);
}

static void an_attached_one_stays_and_names_its_applications(void **state)
{
    (void)state;
    rig_delete(&rig, "/{a}/authentication/%s", auth);
    rig_expect_error(&rig, 409, "in_use", NULL);
    assert_string_equal(rig_text(&rig, "/data/0/id"), app);
    assert_string_equal(rig_text(&rig, "/data/0/name"), "a");
    rig_get(&rig, "/{a}/authentication/%s", auth);
    rig_expect(&rig, 200);
}

static void detach_deletes_it_and_shuts_its_applications(void **state)
{
    (void)state;
    rig_delete(&rig, "/{a}/authentication/%s?detach=true", auth);
    rig_expect(&rig, 200);
    assert_true(plan_find(rig.plan, sv_cstr(app))->app.lost_auth);
    rig_get(&rig, "/{a}/applications/%s", app);
    assert_string_equal(rig_text(&rig, "/data/0/auth_id"), "");
    rig_get(&rig, "/{a}/authentication/%s", auth);
    rig_expect(&rig, 404);
}

static void new_tokens_take_its_form_and_lifetime(void **state)
{
    char id[40], secret[300];
    (void)state;
    make_token(app, "{}", id, secret);
    rig_patch(&rig, f("/{a}/authentication/%s", auth),
              "{\"prefix\":\"p_\",\"byteLength\":16,\"expires\":60}");
    rig_expect(&rig, 200);
    rig_get(&rig, "/{a}/token/%s", id);
    assert_true(yyjson_is_null(rig_at(&rig, "/data/0/expiresAt")));
    make_token(app, "{}", id, secret);
    assert_memory_equal(secret, "p_", 2);
    assert_int_equal(strlen(secret), 2 + 22 + 6);
    assert_true(yyjson_is_str(rig_at(&rig, "/data/0/expiresAt")));
    rig_post(&rig, f("/{a}/token/create/%s", app), "{\"expires\":false}");
    assert_true(yyjson_is_null(rig_at(&rig, "/data/0/expiresAt")));
}

static void a_plan_that_does_not_build_rolls_back(void **state)
{
    (void)state;
    rig_patch(&rig, f("/{a}/authentication/%s", auth), "{\"keyType\":\"jwt\"}");
    rig_expect(&rig, 400);
    rig_get(&rig, "/{a}/authentication/%s", auth);
    assert_string_equal(rig_text(&rig, "/data/0/keyType"), "token");
    assert_string_equal(rig.a.etag, "\"1\"");
}

static void another_accounts_profile_cannot_be_named(void **state)
{
    char other[40], key[80];
    (void)state;
    rig_account(&rig, "second", other, key);
    rig_ask(&rig, key, "POST", f("/%s/applications/create", other),
            f("{\"name\":\"x\",\"auth_id\":\"%s\"}", auth));
    rig_expect(&rig, 400);
    assert_string_equal(rig_text(&rig, "/error/field"), "auth_id");
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_app, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_reaches_all_its_applications),
        TEST(several_limits_have_their_columns),
        TEST(an_attached_one_stays_and_names_its_applications),
        TEST(detach_deletes_it_and_shuts_its_applications),
        TEST(new_tokens_take_its_form_and_lifetime),
        TEST(a_plan_that_does_not_build_rolls_back),
        TEST(another_accounts_profile_cannot_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
