/* Who may ask what: keys, accounts, roles; and the answers to what nobody
 * may ask. */
#include "head.h"

#include "admin/endpoint.h"
#include "base/clock.h"
#include "base/err.h"

static void without_a_good_key_nothing_is_told(void **state)
{
    (void)state;
    rig_ask(&rig, NULL, "GET", "/{a}/applications", NULL);
    rig_expect_error(&rig, 401, "missing_key", NULL);
    assert_true(rig.a.challenge);
    rig_ask(&rig, "tam_0000", "GET", "/{a}/applications", NULL);
    rig_expect_error(&rig, 401, "invalid_key", NULL);
    char bent[80];
    snprintf(bent, sizeof bent, "%s", rig.owner);
    bent[10] = bent[10] == 'a' ? 'b' : 'a';
    rig_ask(&rig, bent, "GET", "/{a}/applications", NULL);
    rig_expect_error(&rig, 401, "invalid_key", NULL);
}

static void an_address_that_keeps_failing_is_limited(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        rig.peer = "2001:db8::1";
        rig_ask(&rig, "bad", "GET", "/{a}/applications", NULL);
        rig_expect(&rig, 401);
    }
    rig.peer = "2001:db8::2"; /* the same /64 */
    rig_ask(&rig, "bad", "GET", "/{a}/applications", NULL);
    rig_expect_error(&rig, 429, "too_many_failures", NULL);
    assert_in_range(rig.a.retry_after_s, 1, 60);
    rig.peer = "2001:db8::2"; /* a good key is not punished for it */
    rig_ask(&rig, rig.owner, "GET", "/{a}/applications", NULL);
    rig_expect(&rig, 200);
    rig.peer = "2001:db8:1::2";
    rig_ask(&rig, "bad", "GET", "/{a}/applications", NULL);
    rig_expect(&rig, 401);
}

static void another_account_is_not_there(void **state)
{
    char other[40], key[80], app[40];
    (void)state;
    rig_post(&rig, "/{a}/applications/create", "{\"name\":\"a\"}");
    snprintf(app, sizeof app, "%s", rig_text(&rig, "/data/0/id"));
    rig_account(&rig, "second", other, key);
    rig_ask(&rig, key, "GET", "/{a}/applications", NULL);
    rig_expect_error(&rig, 404, "not_found", NULL);
    rig_ask(&rig, key, "GET", f("/%s/applications/%s", other, app), NULL);
    rig_expect_error(&rig, 404, "not_found", NULL);
    rig_ask(&rig, key, "POST", f("/%s/token/create/%s", other, app), "{}");
    rig_expect_error(&rig, 404, "not_found", NULL);
    rig_ask(&rig, key, "DELETE", f("/%s/applications/%s", other, app), NULL);
    rig_expect(&rig, 404);
}

static void root_acts_everywhere_and_says_where(void **state)
{
    (void)state;
    rig_ask(&rig, rig.root, "GET", "/{a}/applications", NULL);
    rig_expect(&rig, 200);
    rig_ask(&rig, rig.root, "GET", "/api/v1/applications", NULL);
    rig_expect_error(&rig, 400, "required", "account_id");
    rig_ask(&rig, rig.root, "GET",
            f("/api/v1/applications?account_id=%s", rig.account), NULL);
    rig_expect(&rig, 200);
    rig_ask(&rig, rig.root, "GET",
            "/acc_00000000000000000000000000/applications", NULL);
    rig_expect(&rig, 404);
    rig_ask(&rig, rig.owner, "GET", "/accounts", NULL);
    rig_expect_error(&rig, 403, "forbidden", NULL);
}

/* A path of the row with ids that lead nowhere. */
static const char *sample(const struct endpoint *e)
{
    static char out[256];
    size_t n = 0;
    const char *p = e->path;
    while (*p && n < sizeof out - 60) {
        if (*p == '|')
            p += strcspn(p, "/");
        else if (!strncmp(p, "{account_id}", 12)) {
            n += (size_t)sprintf(out + n, "{a}");
            p += 12;
        } else if (*p == '{') {
            n += (size_t)sprintf(out + n, "nothing");
            p += strcspn(p, "}") + 1;
        } else
            out[n++] = *p++;
    }
    out[n] = 0;
    return out;
}

/* Every row of the table with every role: below its least role 403, from
 * there on anything else. */
static void each_role_may_what_its_row_says(void **state)
{
    static const char *const methods[] = {
        [HTTP_GET] = "GET",     [HTTP_POST] = "POST",     [HTTP_PUT] = "PUT",
        [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    };
    char keys[ROLE_COUNT][80];
    (void)state;
    for (int role = 0; role < ROLE_ROOT; role++)
        rig_key(&rig, role_name((enum role)role), keys[role]);
    snprintf(keys[ROLE_ROOT], 80, "%s", rig.root);
    for (size_t i = 0; i < endpoints_n; i++) {
        const struct endpoint *e = &endpoints[i];
        if (e->flags & (EP_OPEN | EP_DOC)) continue;
        for (int role = 0; role < ROLE_COUNT; role++) {
            rig_ask(&rig, keys[role], methods[e->method], sample(e), "{}");
            bool refused = rig.a.status == 403;
            if (refused != (role < (int)e->role))
                fail_msg("%s %s as %s: %u", methods[e->method], e->path,
                         role_name((enum role)role), rig.a.status);
        }
    }
}

static void the_rights_are_those_of_the_specification(void **state)
{
    static const struct {
        const char *key, *method, *path, *body;
        unsigned status;
    } cases[] = {
        { "verifier", "GET", "/{a}/applications", NULL, 403 },
        { "viewer", "GET", "/{a}/applications", NULL, 200 },
        { "viewer", "GET", "/{a}/management-key", NULL, 200 },
        { "viewer", "GET", "/{a}/audit", NULL, 403 },
        { "viewer", "POST", "/{a}/tag/create", "{\"name\":\"abc\"}", 403 },
        { "editor", "POST", "/{a}/tag/create", "{\"name\":\"abc\"}", 201 },
        { "editor", "POST", "/{a}/applications/create", "{\"name\":\"x\"}",
          403 },
        { "editor", "POST", "/{a}/authentication/create", "{\"name\":\"x\"}",
          403 },
        { "admin", "POST", "/{a}/authentication/create", "{\"name\":\"x\"}",
          201 },
        { "admin", "GET", "/{a}/audit", NULL, 200 },
        { "admin", "POST", "/{a}/management-key/create",
          "{\"name\":\"x\",\"role\":\"viewer\"}", 403 },
        { "owner", "POST", "/{a}/management-key/create",
          "{\"name\":\"x\",\"role\":\"viewer\"}", 201 },
    };
    char keys[ROLE_COUNT][80];
    (void)state;
    for (int role = 0; role < ROLE_ROOT; role++)
        rig_key(&rig, role_name((enum role)role), keys[role]);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum role role;
        assert_true(role_parse(sv_cstr(cases[i].key), &role));
        rig_ask(&rig, keys[role], cases[i].method, cases[i].path,
                cases[i].body);
        rig_expect(&rig, cases[i].status);
    }
}

static void an_editor_edits_only_words_of_an_application(void **state)
{
    char editor[80], app[40];
    (void)state;
    rig_key(&rig, "editor", editor);
    rig_post(&rig, "/{a}/applications/create", "{\"name\":\"a\"}");
    snprintf(app, sizeof app, "%s", rig_text(&rig, "/data/0/id"));
    rig_ask(&rig, editor, "PATCH", f("/{a}/applications/%s", app),
            "{\"name\":\"b\",\"description\":\"d\",\"tags\":[\"t\"]}");
    rig_expect(&rig, 200);
    rig_ask(&rig, editor, "PATCH", f("/{a}/applications/%s", app),
            "{\"enabled\":false}");
    rig_expect_error(&rig, 403, "forbidden", "enabled");
    rig_ask(&rig, editor, "PATCH", f("/{a}/applications/%s", app),
            "{\"enabled\":true,\"name\":\"c\"}"); /* as it is: no change */
    rig_expect(&rig, 200);
}

static void unknown_paths_and_methods_have_envelopes(void **state)
{
    (void)state;
    rig_get(&rig, "/nowhere");
    rig_expect_error(&rig, 404, "not_found", NULL);
    rig_get(&rig, "/{a}/applications/");
    rig_expect(&rig, 404);
    rig_get(&rig, "/authenticate");
    rig_expect(&rig, 404); /* edge's */
    rig_ask(&rig, rig.owner, "PUT", "/{a}/applications", NULL);
    rig_expect_error(&rig, 405, "method_not_allowed", NULL);
    assert_string_equal(rig.a.allow, "GET, HEAD");
    rig_get(&rig, "/{a}/applications/create");
    rig_expect(&rig, 405);
    assert_string_equal(rig.a.allow, "POST");
    rig_post(&rig, "/{a}/applications/app_00000000000000000000000000", "{}");
    rig_expect(&rig, 405);
    assert_string_equal(rig.a.allow, "GET, HEAD, PATCH, DELETE");
    rig_ask(&rig, rig.owner, "HEAD", "/{a}/applications", NULL);
    rig_expect(&rig, 200);
}

static void only_json_objects_are_taken(void **state)
{
    static const struct {
        const char *type, *body;
        unsigned status;
        const char *code;
    } cases[] = {
        { "text/plain", "{\"name\":\"a\"}", 415, "unsupported_media_type" },
        { "application/x-www-form-urlencoded", "name=a", 415,
          "unsupported_media_type" },
        { "application/json", "", 400, "invalid_json" },
        { "application/json", "{", 400, "invalid_json" },
        { "application/json", "[]", 400, "invalid_type" },
        { "application/json", "{\"name\":\"a\",\"name\":\"b\"}", 400,
          "invalid_json" },
        { "application/json", "{\"name\":\"\xff\"}", 400, "invalid_json" },
        { "Application/JSON; charset=utf-8", "{\"name\":\"a\"}", 201, "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rig.content_type = cases[i].type;
        rig_post(&rig, "/{a}/applications/create", cases[i].body);
        rig_expect(&rig, cases[i].status);
        assert_string_equal(rig_text(&rig, "/error/code"), cases[i].code);
    }
}

static void a_body_beyond_its_limit_is_refused(void **state)
{
    size_t n = BODY_MAX_BYTES + 1;
    char *big = malloc(n + 1);
    (void)state;
    memset(big, ' ', n);
    big[n] = 0;
    rig_post(&rig, "/{a}/applications/create", big);
    rig_expect_error(&rig, 413, "body_too_large", NULL);
    rig_post(&rig, "/{a}/token/import/app_00000000000000000000000000", big);
    rig_expect(&rig, 400); /* within its own, larger limit: bad JSON */
    free(big);
}

static void an_expired_key_is_unknown(void **state)
{
    char key[80];
    (void)state;
    rig_post(&rig, "/{a}/management-key/create",
             "{\"name\":\"k\",\"role\":\"viewer\",\"expires\":60}");
    snprintf(key, sizeof key, "%s", rig_text(&rig, "/data/0/key"));
    char field[100];
    struct caller who;
    snprintf(field, sizeof field, "Bearer %s", key);
    int64_t now = clock_wall_ms(); /* time() may lag behind it */
    assert_true(admin_caller(rig.admin, sv_cstr(field), now, &who));
    assert_int_equal(who.role, ROLE_VIEWER);
    assert_false(admin_caller(rig.admin, sv_cstr(field), now + 61000, &who));
}

static void a_key_made_at_the_machine_is_taken_up(void **state)
{
    struct admin_key_ask ask = { .account_id = sv_cstr(rig.account),
                                 .role = ROLE_EDITOR,
                                 .name = SV("cli") };
    struct admin_key_made made;
    (void)state;
    assert_int_equal(admin_key_create(rig.store, &ask, 1, &made), 0);
    rig_ask(&rig, made.secret, "GET", "/{a}/tag", NULL);
    rig_expect(&rig, 401);
    rig_post(&rig, "/{a}/tag/create", "{\"name\":\"abc\"}"); /* a newer row */
    admin_tick(rig.admin);
    rig_ask(&rig, made.secret, "GET", "/{a}/tag", NULL);
    rig_expect(&rig, 200);
    ask.account_id = SV("acc_00000000000000000000000000");
    assert_int_equal(admin_key_create(rig.store, &ask, 1, &made), ERR_NOTFOUND);
}

static void health_is_open_and_figures_are_not(void **state)
{
    (void)state;
    rig_ask(&rig, NULL, "GET", "/healthz", NULL);
    rig_expect(&rig, 200);
    rig_ask(&rig, NULL, "GET", "/metrics", NULL);
    rig_expect(&rig, 401);
    rig_ask(&rig, NULL, "GET", "/readyz", NULL);
    rig_expect(&rig, 401);
    rig.ops_open = true;
    rig_ask(&rig, NULL, "GET", "/readyz", NULL);
    rig_expect(&rig, 200);
    rig.ops_open = true;
    rig_ask(&rig, NULL, "GET", "/metrics", NULL);
    assert_int_equal(rig.a.status, 200);
    assert_memory_equal(rig.a.content_type, "text/plain", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_good_key_nothing_is_told),
        TEST(an_address_that_keeps_failing_is_limited),
        TEST(another_account_is_not_there),
        TEST(root_acts_everywhere_and_says_where),
        TEST(each_role_may_what_its_row_says),
        TEST(the_rights_are_those_of_the_specification),
        TEST(an_editor_edits_only_words_of_an_application),
        TEST(unknown_paths_and_methods_have_envelopes),
        TEST(only_json_objects_are_taken),
        TEST(a_body_beyond_its_limit_is_refused),
        TEST(an_expired_key_is_unknown),
        TEST(a_key_made_at_the_machine_is_taken_up),
        TEST(health_is_open_and_figures_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
