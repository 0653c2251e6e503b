/* What all nouns share: pages, idempotency, the audit log; and the small
 * nouns: tags, management keys, accounts. */
#include "head.h"

#include "base/clock.h"

/* --- pages ------------------------------------------------------------------------ */

static void tag(int i)
{
    rig_post(&rig, "/{a}/tag/create", f("{\"name\":\"tag-%d\"}", i));
    rig_expect(&rig, 201);
}

static void pages_lead_through_all_though_rows_come_and_go(void **state)
{
    char last[40] = "", first[40];
    size_t seen = 0;
    (void)state;
    for (int i = 0; i < 10; i++) tag(i);
    for (int page = 0; page < 4; page++) {
        rig_get(&rig, "/{a}/tag?limit=3%s%s", last[0] ? "&starting_after=" : "",
                last);
        rig_expect(&rig, 200);
        for (size_t i = 0; i < rig_count(&rig); i++, seen++)
            assert_string_equal(rig_text(&rig, f("/data/%zu/name", i)),
                                f("tag-%zu", 9 - seen));
        assert_int_equal(yyjson_get_bool(rig_at(&rig, "/has_more")), page < 3);
        snprintf(last, sizeof last, "%s",
                 rig_text(&rig, f("/data/%zu/id", rig_count(&rig) - 1)));
        tag(100 + page);                       /* newer: in no later page */
        rig_delete(&rig, "/{a}/tag/%s", last); /* a gone cursor still works */
        rig_expect(&rig, 200);
    }
    assert_int_equal(seen, 10);
    rig_get(&rig, "/{a}/tag?limit=2");
    snprintf(first, sizeof first, "%s", rig_text(&rig, "/data/1/id"));
    rig_get(&rig, "/{a}/tag?ending_before=%s", first);
    assert_int_equal(rig_count(&rig), 1);
    assert_string_equal(rig_text(&rig, "/data/0/name"), "tag-103");
    assert_false(yyjson_get_bool(rig_at(&rig, "/has_more")));
}

static void bad_pages_are_refused(void **state)
{
    static const char *const bad[][3] = {
        { "limit=0", "out_of_range", "limit" },
        { "limit=1001", "out_of_range", "limit" },
        { "limit=x", "out_of_range", "limit" },
        { "starting_after=app_00000000000000000000000000", "invalid_value",
          "starting_after" },
        { "starting_after=tag_00000000000000000000000000&"
          "ending_before=tag_00000000000000000000000000",
          "invalid_value", "ending_before" },
        { "tag=a&tag=b", "invalid_value", "tag" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rig_get(&rig, "/{a}/tag?%s", bad[i][0]);
        rig_expect_error(&rig, 400, bad[i][1], bad[i][2]);
    }
    rig_get(&rig, "/{a}/tag?a=%%zz");
    rig_expect_error(&rig, 400, "invalid_query", NULL);
}

/* --- idempotency --------------------------------------------------------------------- */

#define KEY "0123456789abcdef"

static void a_repeated_create_gives_the_same_answer(void **state)
{
    char first[4096], app[40];
    (void)state;
    rig_post(&rig, "/{a}/applications/create", "{\"name\":\"a\"}");
    snprintf(app, sizeof app, "%s", rig_text(&rig, "/data/0/id"));
    for (int i = 0; i < 2; i++) {
        rig.idempotency_key = KEY;
        rig_post(&rig, f("/{a}/token/create/%s", app), "{\"amount\":1}");
        rig_expect(&rig, 201);
        assert_int_equal(rig.a.replayed, i == 1);
        assert_string_equal(rig.a.etag, "\"1\"");
        if (i)
            assert_memory_equal(rig.a.body.p, first, rig.a.body.n);
        else
            memcpy(first, rig.a.body.p, rig.a.body.n);
    }
    rig_get(&rig, "/{a}/token");
    assert_int_equal(rig_count(&rig), 1);
    rig_restart(&rig);
    rig.idempotency_key = KEY;
    rig_post(&rig, f("/{a}/token/create/%s", app), "{\"amount\":1}");
    assert_true(rig.a.replayed);
    rig.idempotency_key = KEY;
    rig_post(&rig, f("/{a}/token/create/%s", app), "{\"amount\":2}");
    rig_expect_error(&rig, 409, "idempotency_mismatch", "Idempotency-Key");
    rig.idempotency_key = KEY; /* another path: another scope */
    rig_post(&rig, "/{a}/tag/create", "{\"name\":\"abc\"}");
    rig_expect(&rig, 201);
    assert_false(rig.a.replayed);
}

static void a_refused_create_may_be_repeated_with_a_better_body(void **state)
{
    (void)state;
    rig.idempotency_key = KEY;
    rig_post(&rig, "/{a}/tag/create", "{\"name\":\"\"}");
    rig_expect(&rig, 400);
    rig.idempotency_key = KEY;
    rig_post(&rig, "/{a}/tag/create", "{\"name\":\"abc\"}");
    rig_expect(&rig, 201);
    rig.idempotency_key = "short";
    rig_post(&rig, "/{a}/tag/create", "{\"name\":\"abd\"}");
    rig_expect_error(&rig, 400, "invalid_value", "Idempotency-Key");
    rig.idempotency_key = "sixteen or more but spaces";
    rig_post(&rig, "/{a}/tag/create", "{\"name\":\"abd\"}");
    rig_expect(&rig, 400);
}

/* --- audit ------------------------------------------------------------------------------ */

static void every_change_is_logged_and_no_secret_is(void **state)
{
    static const char *const actions[] = {
        "token.delete",          "token.rotate",          "token.update",
        "token.create",          "application.update",    "application.create",
        "authentication.create", "management-key.create",
    };
    char app[40], auth[40], id[40], secret[300], key[80];
    (void)state;
    rig_key(&rig, "viewer", key);
    make_app("a", "{\"name\":\"p\"}", app, auth);
    rig_patch(&rig, f("/{a}/applications/%s", app), "{\"name\":\"b\"}");
    make_token(app, "{}", id, secret);
    rig_patch(&rig, f("/{a}/token/%s", id), "{\"owner\":\"me\"}");
    rig_post(&rig, f("/{a}/token/%s/rotate", id), "{}");
    char second[300];
    snprintf(second, sizeof second, "%s", rig_text(&rig, "/data/0/token"));
    rig_delete(&rig, "/{a}/token/%s", id);
    rig_patch(&rig, f("/{a}/applications/%s", app), "{\"bad\":1}");
    rig_expect(&rig, 400);
    rig_get(&rig, "/{a}/audit");
    rig_expect(&rig, 200);
    assert_int_equal(rig_count(&rig), 8);
    for (int i = 0; i < 8; i++) {
        assert_string_equal(rig_text(&rig, f("/data/%d/action", i)),
                            actions[i]);
        assert_string_equal(rig_text(&rig, f("/data/%d/from", i)), "192.0.2.1");
        assert_memory_equal(rig_text(&rig, f("/data/%d/key_id", i)), "key_", 4);
    }
    assert_string_equal(rig_text(&rig, "/data/4/before/name"), "a");
    assert_string_equal(rig_text(&rig, "/data/4/after/name"), "b");
    assert_string_equal(rig_text(&rig, "/data/2/after/owner"), "me");
    buf_putc(&rig.a.body, 0);
    const char *const secrets[] = { secret, second, key };
    for (int i = 0; i < 3; i++) assert_null(strstr(rig.a.body.p, secrets[i]));
    rig_get(&rig, "/{a}/audit?object_id=%s&limit=2", id);
    assert_int_equal(rig_count(&rig), 2);
    assert_true(yyjson_get_bool(rig_at(&rig, "/has_more")));
    rig_get(&rig, "/{a}/audit?starting_after=%s", rig_text(&rig, "/data/1/id"));
    assert_int_equal(rig_count(&rig), 6);
}

/* --- the small nouns ------------------------------------------------------------------------ */

static void tags_tell_their_usage(void **state)
{
    char app[40], auth[40], id[40], secret[300];
    (void)state;
    rig_post(&rig, "/tags", "{\"key\":\"env\",\"value\":\"eu\"}");
    rig_expect(&rig, 201);
    assert_string_equal(rig_text(&rig, "/data/0/name"), "env:eu");
    char tag_id[40];
    snprintf(tag_id, sizeof tag_id, "%s", rig_text(&rig, "/data/0/id"));
    make_app("a", "{\"name\":\"p\"}", app, auth);
    make_token(app, "{\"tags\":[\"env:eu\"]}", id, secret);
    make_token(app, "{\"tags\":[\"env:eu\",\"x\"]}", id, secret);
    rig_get(&rig, "/{a}/tag/%s", tag_id);
    assert_int_equal(rig_int(&rig, "/data/0/usage/tokens"), 2);
    assert_int_equal(rig_int(&rig, "/data/0/usage/applications"), 0);
    rig_post(&rig, "/{a}/tags/create", "{\"name\":\"env:eu\"}");
    rig_expect_error(&rig, 409, "duplicate", "name");
    rig_post(&rig, "/tags", "{\"name\":\"ab\"}");
    rig_expect(&rig, 400);
    rig_post(&rig, f("/api/v1/keys/%s/tags", id),
             "{\"tags\":[\"1\",\"2\",\"3\",\"4\"]}");
    rig_expect_error(&rig, 400, "out_of_range", "tags");
}

static void the_last_owner_key_stays(void **state)
{
    char id[40], second[80];
    (void)state;
    rig_get(&rig, "/{a}/management-key");
    assert_int_equal(rig_count(&rig), 1);
    assert_null(rig_at(&rig, "/data/0/key"));
    snprintf(id, sizeof id, "%s", rig_text(&rig, "/data/0/id"));
    rig_delete(&rig, "/{a}/management-key/%s", id);
    rig_expect_error(&rig, 409, "last_owner_key", NULL);
    rig_patch(&rig, f("/{a}/management-key/%s", id), "{\"role\":\"admin\"}");
    rig_expect_error(&rig, 409, "last_owner_key", NULL);
    rig_patch(&rig, f("/{a}/management-key/%s", id), "{\"expires\":3600}");
    rig_expect_error(&rig, 409, "last_owner_key", NULL);
    rig_post(&rig, "/{a}/management-key/create",
             "{\"name\":\"t\",\"role\":\"owner\",\"expires\":3600}");
    rig_expect(&rig, 201);
    rig_delete(&rig, "/{a}/management-key/%s", id);
    rig_expect_error(&rig, 409, "last_owner_key", NULL);
    rig_key(&rig, "owner", second);
    rig_delete(&rig, "/{a}/management-key/%s", id);
    rig_expect(&rig, 200);
    rig_get(&rig, "/{a}/tag");
    rig_expect_error(&rig, 401, "invalid_key", NULL);
    rig_ask(&rig, second, "GET", "/{a}/tag", NULL);
    rig_expect(&rig, 200);
}

static void a_changed_role_acts_at_once(void **state)
{
    char key[80], id[40];
    (void)state;
    rig_key(&rig, "viewer", key);
    snprintf(id, sizeof id, "%s", rig_text(&rig, "/data/0/id"));
    rig_ask(&rig, key, "POST", "/{a}/tag/create", "{\"name\":\"abc\"}");
    rig_expect(&rig, 403);
    rig_patch(&rig, f("/{a}/management-key/%s", id), "{\"role\":\"editor\"}");
    rig_expect(&rig, 200);
    rig_ask(&rig, key, "POST", "/{a}/tag/create", "{\"name\":\"abc\"}");
    rig_expect(&rig, 201);
}

static void accounts_are_made_and_go_when_empty(void **state)
{
    char id[40], key[80];
    (void)state;
    rig_account(&rig, "second", id, key);
    rig_ask(&rig, rig.root, "POST", "/accounts/create",
            "{\"name\":\"x\",\"slug\":\"second\"}");
    rig_expect_error(&rig, 409, "duplicate", "slug");
    rig_ask(&rig, key, "POST", f("/%s/applications/create", id),
            "{\"name\":\"a\"}");
    rig_expect(&rig, 201);
    assert_string_equal(rig_text(&rig, "/data/0/domain"),
                        "api1-second-proxy.base.test");
    char app[40];
    snprintf(app, sizeof app, "%s", rig_text(&rig, "/data/0/id"));
    rig_ask(&rig, rig.root, "DELETE", f("/accounts/%s", id), NULL);
    rig_expect_error(&rig, 409, "in_use", NULL);
    rig_ask(&rig, key, "DELETE", f("/%s/applications/%s", id, app), NULL);
    rig_expect(&rig, 200);
    rig_ask(&rig, rig.root, "PATCH", f("/accounts/%s", id),
            "{\"name\":\"New\"}");
    rig_expect(&rig, 200);
    rig_ask(&rig, rig.root, "DELETE", f("/accounts/%s", id), NULL);
    rig_expect(&rig, 200);
    rig_ask(&rig, key, "GET", f("/%s/applications", id), NULL);
    rig_expect(&rig, 401);
}

/* --- housekeeping --------------------------------------------------------------------------- */

static void a_deleted_applications_tokens_go_in_the_background(void **state)
{
    char app[40], auth[40], id[40], secret[300];
    struct tokens_stats before, after;
    (void)state;
    tokens_stats(rig.tokens, &before);
    make_app("a", "{\"name\":\"p\"}", app, auth);
    for (int i = 0; i < 20; i++) {
        rig_post(&rig, f("/{a}/token/create/%s", app), "{\"amount\":100}");
        rig_expect(&rig, 201);
    }
    make_token(app, "{}", id, secret);
    rig_delete(&rig, "/{a}/applications/%s", app);
    rig_expect(&rig, 200);
    rig_get(&rig, "/{a}/token/%s", id);
    rig_expect(&rig, 404);
    rig_get(&rig, "/{a}/token");
    assert_int_equal(rig_count(&rig), 0);
    for (int i = 0; i < 20; i++) admin_tick(rig.admin);
    tokens_stats(rig.tokens, &after);
    assert_int_equal(after.live, before.live);
    rig_restart(&rig);
    tokens_stats(rig.tokens, &after);
    assert_int_equal(after.live, before.live);
}

static void readiness_follows_the_load(void **state)
{
    char why[128];
    (void)state;
    uint64_t before = plan_seq(rig.plan);
    assert_true(admin_ready(rig.admin, why));
    tag(1);
    assert_true(plan_seq(rig.plan) > before);
    assert_true(admin_ready(rig.admin, why));
    plan_set_seq(rig.plan, before); /* committed, not in force */
    assert_false(admin_ready(rig.admin, why));
    assert_true(why[0] != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_lead_through_all_though_rows_come_and_go),
        TEST(bad_pages_are_refused),
        TEST(a_repeated_create_gives_the_same_answer),
        TEST(a_refused_create_may_be_repeated_with_a_better_body),
        TEST(every_change_is_logged_and_no_secret_is),
        TEST(tags_tell_their_usage),
        TEST(the_last_owner_key_stays),
        TEST(a_changed_role_acts_at_once),
        TEST(accounts_are_made_and_go_when_empty),
        TEST(a_deleted_applications_tokens_go_in_the_background),
        TEST(readiness_follows_the_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
