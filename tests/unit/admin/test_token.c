/* Tokens: each change acts on what the data plane finds, at once. */
#include "head.h"

#include "base/clock.h"
#include "codec/digest.h"
#include "model/token.h"

static char app[40], auth[40], id[40], secret[300];

static int setup_app(void **state)
{
    setup(state);
    make_app("a", "{\"name\":\"p\",\"prefix\":\"live_\",\"remaining\":5}", app,
             auth);
    return 0;
}

static void created_tokens_are_found_and_shown_once(void **state)
{
    struct token_view v;
    (void)state;
    rig_post(&rig, f("/{a}/token/create/%s", app),
             "{\"amount\":3,\"tags\":[\"t\"]}");
    rig_expect(&rig, 201);
    assert_int_equal(rig_count(&rig), 3);
    for (int i = 0; i < 3; i++) {
        const char *s = rig_text(&rig, f("/data/%d/token", i));
        assert_memory_equal(s, "live_", 5);
        assert_true(token_secret_is_ours(sv_cstr(s)));
        assert_true(rig_finds(&rig, app, s, &v));
        assert_int_equal(v.state, TOKEN_ENABLED);
        assert_memory_equal(rig_text(&rig, f("/data/%d/start", i)), s, 9);
        assert_string_equal(rig_text(&rig, f("/data/%d/applicationId", i)),
                            app);
        assert_true(yyjson_is_null(rig_at(&rig, f("/data/%d/expiresAt", i))));
    }
    rig_get(&rig, "/{a}/token");
    assert_int_equal(rig_count(&rig), 3);
    assert_null(rig_at(&rig, "/data/0/token"));
}

static void a_missing_amount_makes_one(void **state)
{
    (void)state;
    rig_post(&rig, f("/{a}/keys/create/%s", app), "{}");
    rig_expect(&rig, 201);
    assert_int_equal(rig_count(&rig), 1);
}

static void bad_fields_store_nothing(void **state)
{
    static const char *const bad[][3] = {
        { "{\"amount\":0}", "out_of_range", "amount" },
        { "{\"amount\":101}", "out_of_range", "amount" },
        { "{\"amount\":\"2\"}", "invalid_type", "amount" },
        { "{\"what\":1}", "unknown_field", "what" },
        { "{\"expires\":\"2001-01-01T00:00:00Z\"}", "invalid_value",
          "expires" },
        { "{\"ratelimit\":{\"limit\":0,\"timeWindow\":1}}", "out_of_range",
          "ratelimit.limit" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rig_post(&rig, f("/{a}/token/create/%s", app), bad[i][0]);
        rig_expect_error(&rig, 400, bad[i][1], bad[i][2]);
    }
    rig_get(&rig, "/{a}/token");
    assert_int_equal(rig_count(&rig), 0);
    rig_post(&rig, "/{a}/token/create/app_00000000000000000000000000", "{}");
    rig_expect_error(&rig, 404, "not_found", NULL);
}

static void own_values_and_what_holds_are_told_apart(void **state)
{
    (void)state;
    make_token(app,
               "{\"ratelimit\":{\"limit\":7,\"timeWindow\":60},"
               "\"owner\":\"o\",\"metadata\":{\"k\":1},"
               "\"scopes\":[\"read\"],\"name\":\"n\"}",
               id, secret);
    rig_get(&rig, "/{a}/token/%s", id);
    rig_expect(&rig, 200);
    assert_int_equal(rig_int(&rig, "/data/0/ratelimit/limit"), 7);
    assert_true(yyjson_is_null(rig_at(&rig, "/data/0/remaining")));
    assert_int_equal(rig_int(&rig, "/data/0/effective/quota"), 5);
    assert_int_equal(rig_int(&rig, "/data/0/effective/remaining"), 5);
    assert_int_equal(rig_int(&rig, "/data/0/effective/ratelimits/0/limit"), 7);
    assert_int_equal(rig_int(&rig, "/data/0/metadata/k"), 1);
    assert_string_equal(rig_text(&rig, "/data/0/owner"), "o");
    assert_string_equal(rig_text(&rig, "/data/0/name"), "n");
}

static void revocation_acts_at_once_and_is_remembered(void **state)
{
    struct token_view v;
    (void)state;
    make_token(app, "{}", id, secret);
    rig_delete(&rig, "/{a}/token/%s", id);
    rig_expect(&rig, 200);
    assert_true(rig_finds(&rig, app, secret, &v));
    assert_true(v.state & TOKEN_REVOKED);
    rig_get(&rig, "/{a}/token/%s", id);
    rig_expect_error(&rig, 404, "not_found", NULL);
    rig_get(&rig, "/{a}/token/%s?revoked=true", id);
    rig_expect(&rig, 200);
    assert_true(yyjson_is_str(rig_at(&rig, "/data/0/revokedAt")));
    rig_delete(&rig, "/{a}/token/%s", id);
    rig_expect(&rig, 404);
    rig_get(&rig, "/{a}/token");
    assert_int_equal(rig_count(&rig), 0);
}

static void disabling_and_new_limits_act_at_once(void **state)
{
    struct token_view v;
    (void)state;
    make_token(app, "{}", id, secret);
    rig_patch(&rig, f("/{a}/token/%s", id), "{\"enabled\":false}");
    rig_expect(&rig, 200);
    assert_true(rig_finds(&rig, app, secret, &v));
    assert_false(v.state & TOKEN_ENABLED);
    rig_patch(&rig, f("/{a}/token/%s", id),
              "{\"enabled\":true,\"ratelimit\":{\"limit\":2,"
              "\"timeWindow\":9},\"expires\":3600}");
    rig_expect(&rig, 200);
    assert_true(rig_finds(&rig, app, secret, &v));
    assert_int_equal(v.state, TOKEN_ENABLED);
    assert_int_equal(v.own->limits[0].limit, 2);
    assert_true(v.expires_ms > clock_wall_ms());
    rig_patch(&rig, f("/{a}/token/%s", id),
              "{\"ratelimit\":null,\"expires\":null}");
    rig_expect(&rig, 200);
    assert_true(rig_finds(&rig, app, secret, &v));
    assert_null(v.own);
    assert_int_equal(v.expires_ms, 0);
}

static void a_quota_is_taken_added_to_and_set(void **state)
{
    struct take_answer take;
    (void)state;
    make_token(app, "{}", id, secret);
    for (int i = 0; i < 5; i++)
        assert_int_equal(rig_take(&rig, app, secret, &take), TAKE_TAKEN);
    assert_int_equal(rig_take(&rig, app, secret, &take), TAKE_REFUSED);
    rig_patch(&rig, f("/{a}/token/%s", id), "{\"remaining\":{\"add\":2}}");
    rig_expect(&rig, 200);
    assert_int_equal(rig_int(&rig, "/data/0/effective/remaining"), 2);
    assert_true(yyjson_is_null(rig_at(&rig, "/data/0/remaining")));
    assert_int_equal(rig_take(&rig, app, secret, &take), TAKE_TAKEN);
    rig_patch(&rig, f("/{a}/token/%s", id), "{\"remaining\":9}");
    rig_expect(&rig, 200);
    assert_int_equal(rig_int(&rig, "/data/0/remaining"), 9);
    assert_int_equal(rig_int(&rig, "/data/0/effective/remaining"), 9);
    assert_int_equal(rig_take(&rig, app, secret, &take), TAKE_TAKEN);
    rig_patch(&rig, f("/{a}/token/%s", id), "{\"remaining\":9}");
    assert_int_equal(rig_int(&rig, "/data/0/effective/remaining"), 9);
    rig_patch(&rig, f("/{a}/token/%s", id), "{\"remaining\":false}");
    rig_expect(&rig, 200);
}

static void counters_are_read_and_reset(void **state)
{
    struct take_answer take;
    (void)state;
    make_token(app, "{\"ratelimit\":{\"limit\":3,\"timeWindow\":3600}}", id,
               secret);
    rig_take(&rig, app, secret, &take);
    rig_take(&rig, app, secret, &take);
    rig_get(&rig, "/{a}/token/%s/counters", id);
    rig_expect(&rig, 200);
    assert_int_equal(rig_int(&rig, "/data/0/used"), 2);
    assert_int_equal(rig_int(&rig, "/data/0/remaining"), 3);
    assert_int_equal(rig_int(&rig, "/data/0/limits/0/used"), 2);
    assert_int_equal(rig_int(&rig, "/data/0/limits/0/remaining"), 1);
    assert_int_equal(rig_int(&rig, "/data/0/passed"), 2);
    rig_delete(&rig, "/{a}/token/%s/counters", id);
    rig_expect(&rig, 200);
    assert_int_equal(rig_int(&rig, "/data/0/used"), 0);
    assert_int_equal(rig_int(&rig, "/data/0/limits/0/remaining"), 3);
    rig_get(&rig, "/{a}/token/%s/usage", id);
    rig_expect(&rig, 200);
    assert_true(yyjson_is_arr(rig_at(&rig, "/data/0/days")));
    rig_get(&rig, "/{a}/token/%s/usage?start=yesterday", id);
    rig_expect_error(&rig, 400, "invalid_value", "start");
}

static void a_shared_quota_is_one_for_all_tokens(void **state)
{
    char other[40], second[300];
    struct take_answer take;
    (void)state;
    rig_patch(&rig, f("/{a}/authentication/%s", auth),
              "{\"remainingScope\":\"application\",\"remaining\":2}");
    rig_expect(&rig, 200);
    make_token(app, "{}", id, secret);
    make_token(app, "{}", other, second);
    assert_int_equal(rig_take(&rig, app, secret, &take), TAKE_TAKEN);
    assert_int_equal(rig_take(&rig, app, second, &take), TAKE_TAKEN);
    assert_int_equal(rig_take(&rig, app, secret, &take), TAKE_REFUSED);
    rig_patch(&rig, f("/{a}/token/%s", id), "{\"remaining\":{\"add\":1}}");
    rig_expect(&rig, 200);
    rig_restart(&rig);
    assert_int_equal(rig_take(&rig, app, second, &take), TAKE_TAKEN);
    assert_int_equal(rig_take(&rig, app, second, &take), TAKE_REFUSED);
    rig_delete(&rig, "/{a}/applications/%s", app);
    rig_expect(&rig, 200);
}

static void rotation_keeps_the_old_secret_for_its_grace(void **state)
{
    char second[300], third[300];
    struct token_view v;
    (void)state;
    make_token(app, "{}", id, secret);
    rig_post(&rig, f("/{a}/token/%s/rotate", id), "{\"gracePeriod\":600}");
    rig_expect(&rig, 200);
    assert_string_equal(rig_text(&rig, "/data/0/id"), id);
    snprintf(second, sizeof second, "%s", rig_text(&rig, "/data/0/token"));
    assert_string_not_equal(second, secret);
    assert_true(rig_finds(&rig, app, second, &v));
    assert_int_equal(v.state, TOKEN_ENABLED);
    assert_true(rig_finds(&rig, app, secret, &v));
    assert_int_equal(v.state, TOKEN_ENABLED | TOKEN_ALIAS);
    rig_post(&rig, f("/{a}/token/%s/rotate", id), "{}");
    rig_expect(&rig, 200);
    snprintf(third, sizeof third, "%s", rig_text(&rig, "/data/0/token"));
    assert_true(rig_finds(&rig, app, secret, &v));
    assert_true(v.state & TOKEN_REVOKED);
    assert_true(rig_finds(&rig, app, second, &v));
    assert_true(v.state & TOKEN_REVOKED);
    assert_true(rig_finds(&rig, app, third, &v));
    assert_false(v.state & TOKEN_REVOKED);
    rig_post(&rig, f("/{a}/token/%s/rotate", id), "{\"gracePeriod\":2592001}");
    rig_expect_error(&rig, 400, "out_of_range", "gracePeriod");
}

static void all_of_it_survives_a_restart(void **state)
{
    char gone[40], dead[300], second[300];
    struct token_view v;
    struct take_answer take;
    (void)state;
    make_token(app, "{\"scopes\":[\"a\"],\"remaining\":3}", id, secret);
    make_token(app, "{}", gone, dead);
    rig_delete(&rig, "/{a}/token/%s", gone);
    rig_take(&rig, app, secret, &take);
    rig_post(&rig, f("/{a}/token/%s/rotate", id), "{\"gracePeriod\":600}");
    snprintf(second, sizeof second, "%s", rig_text(&rig, "/data/0/token"));
    rig_restart(&rig);
    assert_true(rig_finds(&rig, app, secret, &v));
    assert_true(v.state & TOKEN_ALIAS);
    assert_true(rig_finds(&rig, app, second, &v));
    assert_int_equal(v.cold->scopes_n, 1);
    assert_true(rig_finds(&rig, app, dead, &v));
    assert_true(v.state & TOKEN_REVOKED);
    rig_get(&rig, "/{a}/token/%s", id);
    assert_int_equal(rig_int(&rig, "/data/0/effective/remaining"), 2);
}

static void imports_are_all_or_none(void **state)
{
    char hash[65];
    uint8_t digest[SHA256_BYTES];
    struct token_view v;
    (void)state;
    sha256(SV("old-style-key"), digest);
    for (int i = 0; i < 32; i++) sprintf(hash + 2 * i, "%02x", digest[i]);
    assert_true(plan_find(rig.plan, sv_cstr(app))->checksum);
    rig_post(&rig, f("/{a}/token/import/%s", app),
             f("{\"tokens\":[{\"hash\":\"%s\",\"owner\":\"me\"}]}", hash));
    rig_expect(&rig, 201);
    assert_false(plan_find(rig.plan, sv_cstr(app))->checksum);
    assert_true(rig_finds(&rig, app, "old-style-key", &v));
    assert_string_equal(rig_text(&rig, "/data/0/owner"), "me");
    rig_post(
        &rig, f("/{a}/token/import/%s", app),
        f("{\"tokens\":[{\"hash\":\"%064d\"},{\"hash\":\"%s\"}]}", 1, hash));
    rig_expect_error(&rig, 409, "duplicate", "tokens[1].hash");
    /* 128 equal bits are the same token to the table in memory */
    rig_post(
        &rig, f("/{a}/token/import/%s", app),
        f("{\"tokens\":[{\"hash\":\"%064d\"},{\"hash\":\"%064d\"}]}", 2, 3));
    rig_expect_error(&rig, 409, "duplicate", "tokens[1].hash");
    rig_post(&rig, f("/{a}/token/import/%s", app),
             f("{\"tokens\":[{\"hash\":\"%064d\",\"nope\":1}]}", 3));
    rig_expect_error(&rig, 400, "unknown_field", "tokens[0].nope");
    rig_post(&rig, f("/{a}/token/import/%s", app), "{\"tokens\":[]}");
    rig_expect_error(&rig, 400, "out_of_range", "tokens");
    rig_get(&rig, "/{a}/token");
    assert_int_equal(rig_count(&rig), 1);
}

static void ten_thousand_are_imported_at_once(void **state)
{
    struct buf b;
    struct plan_app *before;
    (void)state;
    buf_init(&b, 4 << 20);
    buf_puts(&b, "{\"tokens\":[");
    for (int i = 0; i < 10000; i++)
        buf_printf(&b, "%s{\"hash\":\"%08d%056d\"}", i ? "," : "", i, 0);
    buf_puts(&b, "]}");
    buf_putc(&b, 0);
    rig_post(&rig, f("/{a}/token/import/%s", app), b.p);
    rig_expect(&rig, 201);
    assert_int_equal(rig_count(&rig), 10000);
    buf_fini(&b);
    before = (void *)plan_find(rig.plan, sv_cstr(app));
    make_token(app, "{}", id, secret);
    rig_delete(&rig, "/{a}/token/%s", id);
    assert_ptr_equal(before, plan_find(rig.plan, sv_cstr(app)));
    rig_restart(&rig);
    rig_get(&rig, "/{a}/token?limit=1000");
    assert_int_equal(rig_count(&rig), 1000);
}

static void lists_are_filtered(void **state)
{
    char second_app[40], second_auth[40], other[40], s[300];
    (void)state;
    make_app("b", "{\"name\":\"q\"}", second_app, second_auth);
    make_token(app, "{\"owner\":\"x\",\"tags\":[\"t:1\"]}", id, secret);
    make_token(second_app, "{\"enabled\":false}", other, s);
    rig_get(&rig, "/{a}/token?applicationId=%s", app);
    assert_int_equal(rig_count(&rig), 1);
    assert_string_equal(rig_text(&rig, "/data/0/id"), id);
    rig_get(&rig, "/{a}/token?owner=x");
    assert_int_equal(rig_count(&rig), 1);
    rig_get(&rig, "/{a}/token?enabled=false");
    assert_string_equal(rig_text(&rig, "/data/0/id"), other);
    rig_get(&rig, "/api/v1/keys?tags%%5Bt%%5D=1");
    assert_int_equal(rig_count(&rig), 1);
    rig_get(&rig, "/{a}/token?enabled=perhaps");
    rig_expect_error(&rig, 400, "invalid_value", "enabled");
    rig_get(&rig, "/{a}/token?color=red");
    rig_expect_error(&rig, 400, "unknown_parameter", "color");
    rig_post(&rig, f("/api/v1/keys/%s/tags", other), "{\"name\":\"env:eu\"}");
    rig_expect(&rig, 200);
    rig_get(&rig, "/{a}/token?tag=env:eu");
    assert_int_equal(rig_count(&rig), 1);
}

static void a_whole_token_can_be_sent_back_though_it_was_used(void **state)
{
    struct take_answer take;
    (void)state;
    make_token(app, "{\"owner\":\"x\"}", id, secret);
    rig_get(&rig, "/{a}/token/%s", id);
    char *same = yyjson_val_write(rig_at(&rig, "/data/0"), 0, NULL);
    rig_take(&rig, app, secret, &take);
    rig_patch(&rig, f("/{a}/token/%s", id), same);
    rig_expect(&rig, 200);
    free(same);
    rig_patch(&rig, f("/{a}/token/%s", id), "{\"start\":\"x\"}");
    rig_expect_error(&rig, 400, "read_only", "start");
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_app, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(created_tokens_are_found_and_shown_once),
        TEST(a_missing_amount_makes_one),
        TEST(bad_fields_store_nothing),
        TEST(own_values_and_what_holds_are_told_apart),
        TEST(revocation_acts_at_once_and_is_remembered),
        TEST(disabling_and_new_limits_act_at_once),
        TEST(a_quota_is_taken_added_to_and_set),
        TEST(counters_are_read_and_reset),
        TEST(a_shared_quota_is_one_for_all_tokens),
        TEST(rotation_keeps_the_old_secret_for_its_grace),
        TEST(all_of_it_survives_a_restart),
        TEST(imports_are_all_or_none),
        TEST(ten_thousand_are_imported_at_once),
        TEST(lists_are_filtered),
        TEST(a_whole_token_can_be_sent_back_though_it_was_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
