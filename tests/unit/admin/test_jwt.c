/* JWT profiles, key sets and rules on an application: what is stored, what is
 * shown, and that a secret is in neither. */
#include "head.h"

#include "base/ensure.h"
#include "base/err.h"

#define SECRET "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"
#define OCT_SHOWN "\"kty\":\"oct\",\"kid\":\"h\",\"alg\":\"HS256\""
#define OCT "{" OCT_SHOWN ",\"k\":\"" SECRET "EstJQLr_T-1qS0gAAA\"}"
#define EC                                                   \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"               \
    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":" \
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define ASKING                                                           \
    "\"introspection\":{\"url\":\"https://i.test/\",\"clientId\":\"c\"," \
    "\"clientSecret\":\"tops3cret\"}"

static void make(const char *noun, const char *body, char id[40])
{
    rig_post(&rig, f("/{a}/%s/create", noun), body);
    rig_expect(&rig, 201);
    snprintf(id, 40, "%s", rig_text(&rig, "/data/0/id"));
}

static void says_no_secret(void)
{
    struct sv said = buf_sv(&rig.a.body);
    assert_null(memmem(said.p, said.n, SECRET, strlen(SECRET)));
    assert_null(memmem(said.p, said.n, "tops3cret", 9));
}

/* In no file of the store either. */
static void keeps_no_secret(void)
{
    char command[256];
    snprintf(command, sizeof command,
             "cat %s/typeauth.db* | grep -qaE '%s|tops3cret'", rig.dir, SECRET);
    assert_int_not_equal(system(command), 0);
}

/* The sealed row of that record, or "". */
static const char *sealed_of(const char *id)
{
    static struct arena a;
    struct sv text;
    arena_fini(&a);
    arena_init(&a, 1 << 20, NULL, 0);
    int err = store_sealed_get(rig.store, id, &a, &text);
    if (err == ERR_NOTFOUND) return "";
    assert_int_equal(err, 0);
    return arena_cstr(&a, text);
}

static void a_profile_keeps_its_secrets_to_itself(void **state)
{
    char id[40];
    (void)state;
    make("jwt", "{\"name\":\"p\",\"keys\":[" EC "," OCT "]," ASKING "}", id);
    says_no_secret();
    assert_string_equal(rig_text(&rig, "/data/0/keys/1/kid"), "h");
    assert_null(rig_at(&rig, "/data/0/keys/1/k"));
    assert_string_equal(rig_text(&rig, "/data/0/introspection/clientId"), "c");
    rig_get(&rig, "/{a}/jwt/%s", id);
    says_no_secret();
    rig_get(&rig, "/{a}/jwt");
    says_no_secret();
    assert_non_null(strstr(sealed_of(id), SECRET));
    assert_non_null(strstr(sealed_of(id), "tops3cret"));
    rig_patch(&rig, f("/{a}/jwt/%s", id), "{\"name\":\"q\"}");
    rig_expect(&rig, 200);
    says_no_secret();
    rig_get(&rig, "/{a}/audit");
    rig_expect(&rig, 200);
    assert_int_equal(rig_count(&rig), 2);
    says_no_secret();
    keeps_no_secret();
    assert_non_null(strstr(sealed_of(id), SECRET));
    rig_delete(&rig, "/{a}/jwt/%s", id);
    rig_expect(&rig, 200);
    assert_string_equal(sealed_of(id), "");
    keeps_no_secret();
}

static void what_a_get_showed_can_be_written_back(void **state)
{
    static const char *const nouns[] = { "jwt", "jwk" };
    char id[40];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(nouns); i++) {
        make(nouns[i], "{\"name\":\"p\",\"keys\":[" EC "," OCT "]}", id);
        rig_get(&rig, "/{a}/%s/%s", nouns[i], id);
        char *shown = yyjson_val_write(rig_at(&rig, "/data/0"), 0, NULL);
        rig_patch(&rig, f("/{a}/%s/%s", nouns[i], id), shown);
        free(shown);
        rig_expect(&rig, 200);
        assert_non_null(strstr(sealed_of(id), SECRET));
        /* in another order, without one, and as a set */
        rig_patch(&rig, f("/{a}/%s/%s", nouns[i], id),
                  "{\"keys\":[{" OCT_SHOWN "}]}");
        rig_expect(&rig, 200);
        assert_non_null(strstr(sealed_of(id), SECRET));
        /* a key that was never there needs its secret */
        rig_patch(&rig, f("/{a}/%s/%s", nouns[i], id),
                  "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"x\"}]}");
        rig_expect_error(&rig, 400, "invalid_value", "keys[0]");
        rig_patch(&rig, f("/{a}/%s/%s", nouns[i], id), "{\"keys\":[" EC "]}");
        rig_expect(&rig, 200);
        assert_null(strstr(sealed_of(id), SECRET));
    }
}

static void keys_that_look_alike_keep_their_own_secrets(void **state)
{
    char id[40];
    (void)state;
    make("jwk",
         "{\"name\":\"s\",\"keys\":[{\"kty\":\"oct\",\"k\":\"" SECRET
         "EstJQLr_T-1qS0gAAA\"},{\"kty\":\"oct\",\"k\":\"AA" SECRET
         "EstJQLr_T-1qS0gA\"}]}",
         id);
    char *before = strdup(sealed_of(id));
    rig_patch(&rig, f("/{a}/jwk/%s", id),
              "{\"keys\":[{\"kty\":\"oct\"},{\"kty\":\"oct\"}]}");
    rig_expect(&rig, 200);
    assert_string_equal(sealed_of(id), before);
    free(before);
}

static void another_introspection_url_asks_for_the_secret(void **state)
{
    char id[40];
    (void)state;
    make("jwt", "{\"name\":\"p\"," ASKING "}", id);
    rig_patch(&rig, f("/{a}/jwt/%s", id),
              "{\"introspection\":{\"url\":\"https://evil.test/\"}}");
    rig_expect_error(&rig, 400, "required", "introspection.clientSecret");
    rig_patch(&rig, f("/{a}/jwt/%s", id),
              "{\"introspection\":{\"clientId\":\"d\"}}");
    rig_expect(&rig, 200);
    assert_non_null(strstr(sealed_of(id), "tops3cret"));
    rig_patch(&rig, f("/{a}/jwt/%s", id),
              "{\"keys\":[" EC "],\"introspection\":null}");
    rig_expect(&rig, 200);
    assert_null(strstr(sealed_of(id), "tops3cret"));
}

static void an_algorithm_that_no_key_can_serve_is_refused(void **state)
{
    char set[40];
    (void)state;
    rig_post(&rig, "/{a}/jwt/create",
             "{\"name\":\"p\",\"keys\":[" EC
             "],\"algorithms\":[\"ES256\",\"RS256\"]}");
    rig_expect_error(&rig, 400, "invalid_value", "algorithms[1]");
    make("jwk", "{\"name\":\"s\",\"keys\":{\"keys\":[" OCT "]}}", set);
    rig_post(
        &rig, "/{a}/jwt/create",
        f("{\"name\":\"p\",\"jwk\":\"%s\",\"algorithms\":[\"HS384\"]}", set));
    rig_expect_error(&rig, 400, "invalid_value", "algorithms[0]");
    rig_post(&rig, "/{a}/jwt/create",
             f("{\"name\":\"p\",\"jwk\":\"%s\",\"keys\":[" EC
               "],\"algorithms\":[\"HS256\",\"ES256\"]}",
               set));
    rig_expect(&rig, 201);
    /* what will be fetched may serve anything */
    rig_post(&rig, "/{a}/jwt/create",
             "{\"name\":\"p\",\"jwk\":\"https://k.test/\",\"algorithms\":"
             "[\"RS256\"]}");
    rig_expect(&rig, 201);
}

static void keys_are_fetched_over_https_alone(void **state)
{
    (void)state;
    rig_post(&rig, "/{a}/jwk/create",
             "{\"name\":\"s\",\"url\":\"http://k.test/\"}");
    rig_expect_error(&rig, 400, "invalid_value", "url");
    rig_post(&rig, "/{a}/jwt/create",
             "{\"name\":\"s\",\"jwk\":\"http://k.test/\"}");
    rig_expect_error(&rig, 400, "invalid_value", "jwk");
}

static void a_named_set_stays_until_it_is_detached(void **state)
{
    char set[40], jwt[40];
    (void)state;
    make("jwk", "{\"name\":\"s\",\"url\":\"https://k.test/\"}", set);
    make("jwt", f("{\"name\":\"p\",\"jwk\":\"%s\",\"keys\":[" OCT "]}", set),
         jwt);
    rig_delete(&rig, "/{a}/jwk/%s", set);
    rig_expect_error(&rig, 409, "in_use", NULL);
    assert_string_equal(rig_text(&rig, "/data/0/id"), jwt);
    assert_string_equal(rig_text(&rig, "/data/0/name"), "p");
    rig_delete(&rig, "/{a}/jwk/%s?detach=true", set);
    rig_expect(&rig, 200);
    rig_get(&rig, "/{a}/jwt/%s", jwt);
    assert_string_equal(rig_text(&rig, "/data/0/jwk"), "");
    assert_non_null(strstr(sealed_of(jwt), SECRET));
    rig_get(&rig, "/{a}/jwk/%s", set);
    rig_expect(&rig, 404);
}

static void another_accounts_set_cannot_be_named(void **state)
{
    char set[40], other[40], key[80];
    (void)state;
    make("jwk", "{\"name\":\"s\",\"url\":\"https://k.test/\"}", set);
    rig_account(&rig, "second", other, key);
    rig_ask(&rig, key, "POST", f("/%s/jwt/create", other),
            f("{\"name\":\"p\",\"jwk\":\"%s\"}", set));
    rig_expect_error(&rig, 400, "not_found", "jwk");
    rig_ask(&rig, key, "GET", f("/%s/jwk/%s", other, set), NULL);
    rig_expect(&rig, 404);
}

static void a_set_that_nobody_uses_says_so(void **state)
{
    char id[40];
    (void)state;
    make("jwk", "{\"name\":\"s\",\"keys\":[" EC "," OCT "]}", id);
    says_no_secret();
    rig_get(&rig, "/{a}/jwk/%s", id);
    assert_true(yyjson_is_false(rig_at(&rig, "/data/0/status/inUse")));
    assert_int_equal(rig_int(&rig, "/data/0/status/keys"), 2);
    assert_true(yyjson_is_null(rig_at(&rig, "/data/0/status/age")));
    assert_true(yyjson_is_null(rig_at(&rig, "/data/0/status/nextFetch")));
    assert_true(yyjson_is_null(rig_at(&rig, "/data/0/status/lastError")));
    rig_post(&rig, "/{a}/jwk/create",
             "{\"name\":\"s\",\"keys\":[" EC "],\"status\":{\"inUse\":true}}");
    rig_expect_error(&rig, 400, "read_only", "status");
}

static void rules_on_an_application_are_written_whole(void **state)
{
    char app[40], auth[40];
    (void)state;
    make_app("a", "{\"name\":\"p\"}", app, auth);
    const char *path = f("/api/v1/applications/%s/jwt/validation", app);
    rig_get(&rig, "%s", path);
    rig_expect(&rig, 404);
    rig_post(&rig, path,
             "{\"verify_exp\":true,\"required_claims\":{\"a.b\":[1,2]}}");
    rig_expect(&rig, 200);
    assert_int_equal(rig_int(&rig, "/data/0/required_claims/a.b/1"), 2);
    assert_string_equal(rig.a.etag, "\"2\"");
    rig_post(&rig, path, "{\"clock_skew\":9}");
    rig_expect(&rig, 200);
    rig_get(&rig, "/{a}/applications/%s/jwt/validation", app);
    rig_expect(&rig, 200);
    assert_null(rig_at(&rig, "/data/0/required_claims"));
    assert_int_equal(rig_int(&rig, "/data/0/clock_skew"), 9);
    rig_get(&rig, "/{a}/applications/%s", app);
    assert_int_equal(rig_int(&rig, "/data/0/jwtValidation/clock_skew"), 9);
    assert_string_equal(rig_text(&rig, "/data/0/auth_id"), auth);
    rig_patch(&rig, f("/{a}/applications/%s", app), "{\"name\":\"b\"}");
    rig_get(&rig, "%s", path);
    rig_expect(&rig, 200);
    rig_post(&rig, path, "{\"clock_skew\":901}");
    rig_expect_error(&rig, 400, "out_of_range", "clock_skew");
    rig.if_match = "\"1\"";
    rig_post(&rig, path, "{}");
    rig_expect(&rig, 412);
    rig_delete(&rig, "%s", path);
    rig_expect(&rig, 200);
    rig_delete(&rig, "%s", path);
    rig_expect(&rig, 404);
}

static void a_viewer_reads_and_an_editor_does_not_write(void **state)
{
    char viewer[80], editor[80], id[40];
    (void)state;
    make("jwt", "{\"name\":\"p\",\"keys\":[" EC "]}", id);
    rig_key(&rig, "viewer", viewer);
    rig_key(&rig, "editor", editor);
    rig_ask(&rig, viewer, "GET", f("/{a}/jwt/%s", id), NULL);
    rig_expect(&rig, 200);
    rig_ask(&rig, editor, "PATCH", f("/{a}/jwt/%s", id), "{\"kid\":true}");
    rig_expect(&rig, 403);
    rig_ask(&rig, editor, "POST", "/{a}/jwk/create",
            "{\"name\":\"s\",\"keys\":[" EC "]}");
    rig_expect(&rig, 403);
}

/* --- what traffic gets ------------------------------------------------------------ */

/* An application that demands JWTs of that profile. */
static void make_jwt_app(const char *name, const char *jwt, char app[40],
                         char auth[40])
{
    make_app(
        name,
        f("{\"name\":\"%s\",\"keyType\":\"jwt\",\"jwt_id\":\"%s\"}", name, jwt),
        app, auth);
}

static const struct plan_app *image_of(const char *app)
{
    return plan_find(rig.plan, sv_cstr(app));
}

/* How many hold that set; 0: it is gone. */
static unsigned holders(struct keyset_ref ref)
{
    struct keyset_status status;
    return keysets_status(rig.keysets, ref, &status) ? status.holders : 0;
}

static void an_image_holds_the_sets_of_its_profile(void **state)
{
    char set[40], jwt[40], app[40], auth[40], second[40];
    (void)state;
    make("jwk", "{\"name\":\"s\",\"url\":\"https://k.test/\"}", set);
    make("jwt",
         f("{\"name\":\"p\",\"jwk\":\"%s\",\"keys\":[" EC "," OCT "]}", set),
         jwt);
    make_jwt_app("a", jwt, app, auth);
    const struct plan_app *image = image_of(app);
    assert_int_equal(image->keysets_n, 2);
    assert_non_null(image->jwt);
    struct keyset_ref own = image->keysets[0], named = image->keysets[1];
    assert_int_equal(holders(own), 1);
    assert_int_equal(holders(named), 1);
    struct keyset_status status;
    keysets_status(rig.keysets, own, &status);
    assert_int_equal(status.keys, 2); /* the secret was opened */
    make_jwt_app("b", jwt, second, auth);
    assert_int_equal(holders(own), 2);
    rig_get(&rig, "/{a}/jwk/%s", set);
    assert_true(yyjson_is_true(rig_at(&rig, "/data/0/status/inUse")));
    rig_delete(&rig, "/{a}/applications/%s", second);
    rig_expect(&rig, 200);
    assert_int_equal(holders(own), 1);
    rig_restart(&rig);
    image = image_of(app);
    assert_int_equal(image->keysets_n, 2);
    assert_int_equal(holders(image->keysets[0]), 1);
}

static void a_change_of_a_set_reaches_its_applications(void **state)
{
    char set[40], jwt[40], app[40], auth[40];
    (void)state;
    make("jwk", "{\"name\":\"s\",\"keys\":[" EC "]}", set);
    make("jwt", f("{\"name\":\"p\",\"jwk\":\"%s\"}", set), jwt);
    make_jwt_app("a", jwt, app, auth);
    struct keyset_ref before = image_of(app)->keysets[0];
    rig_patch(&rig, f("/{a}/jwk/%s", set), "{\"keys\":[" EC "," OCT "]}");
    rig_expect(&rig, 200);
    const struct plan_app *image = image_of(app);
    assert_int_equal(holders(before), 0);
    assert_int_equal(holders(image->keysets[0]), 1);
    before = image->keysets[0];
    /* a change that leaves the keys leaves their set */
    rig_patch(&rig, f("/{a}/jwt/%s", jwt), "{\"kid\":true}");
    rig_expect(&rig, 200);
    image = image_of(app);
    assert_true(image->jwt->kid_required);
    assert_memory_equal(&image->keysets[0], &before, sizeof before);
    assert_int_equal(holders(before), 1);
}

static void rules_on_the_application_reach_its_image(void **state)
{
    char jwt[40], app[40], auth[40];
    (void)state;
    make("jwt", "{\"name\":\"p\",\"keys\":[" EC "]}", jwt);
    make_jwt_app("a", jwt, app, auth);
    assert_int_equal(image_of(app)->jwt->fixed_n, 0);
    rig_post(&rig, f("/api/v1/applications/%s/jwt/validation", app),
             "{\"required_claims\":{\"role\":\"admin\"}}");
    rig_expect(&rig, 200);
    assert_int_equal(image_of(app)->jwt->fixed_n, 1);
    rig_delete(&rig, "/api/v1/applications/%s/jwt/validation", app);
    assert_int_equal(image_of(app)->jwt->fixed_n, 0);
}

static void what_lost_its_profile_or_keys_lets_nobody_pass(void **state)
{
    char set[40], jwt[40], app[40], auth[40];
    (void)state;
    make("jwk", "{\"name\":\"s\",\"keys\":[" EC "]}", set);
    make("jwt", f("{\"name\":\"p\",\"jwk\":\"%s\"}", set), jwt);
    make_jwt_app("a", jwt, app, auth);
    rig_delete(&rig, "/{a}/jwk/%s?detach=true", set);
    rig_expect(&rig, 200);
    assert_int_equal(image_of(app)->keysets_n, 0);
    assert_null(image_of(app)->jwt);
    rig_delete(&rig, "/{a}/jwt/%s", jwt);
    rig_expect_error(&rig, 409, "in_use", NULL);
    assert_string_equal(rig_text(&rig, "/data/0/id"), auth);
    rig_delete(&rig, "/{a}/jwt/%s?detach=true", jwt);
    rig_expect(&rig, 200);
    const struct plan_app *image = image_of(app);
    assert_null(image->jwt);
    for (int door = 0; door < DOOR_COUNT; door++) {
        assert_int_equal(image->steps[door].n, 1);
        assert_int_equal(image->steps[door].at[0], STEP_ENABLED);
    }
    rig_get(&rig, "/{a}/authentication/%s", auth);
    assert_string_equal(rig_text(&rig, "/data/0/jwt_id"), "");
    rig_restart(&rig);
    assert_null(image_of(app)->jwt);
}

static void what_cannot_be_held_is_rolled_back(void **state)
{
    char jwt[40], app[40], auth[40], name[8];
    (void)state;
    /* the rig has room for 8 sets */
    for (int i = 0; i < 4; i++) {
        make("jwt",
             f("{\"name\":\"p\",\"jwk\":\"https://k%d.test/\",\"keys\":[{"
               "\"kty\":\"oct\",\"kid\":\"%d\",\"k\":\"" SECRET
               "EstJQLr_T-1qS0gAAA\"}]}",
               i, i),
             jwt);
        snprintf(name, sizeof name, "a%d", i);
        make_jwt_app(name, jwt, app, auth);
    }
    struct keyset_ref before[2];
    memcpy(before, image_of(app)->keysets, sizeof before);
    rig_patch(&rig, f("/{a}/jwt/%s", jwt), "{\"keys\":[" EC "]}");
    rig_expect_error(&rig, 503, "key_sets_full", NULL);
    assert_memory_equal(image_of(app)->keysets, before, sizeof before);
    assert_int_equal(holders(before[0]), 1);
    assert_int_equal(holders(before[1]), 1);
    assert_non_null(strstr(sealed_of(jwt), SECRET));
    rig_ask(&rig, NULL, "GET", "/healthz", NULL);
    rig_expect(&rig, 200);
    rig_delete(&rig, "/{a}/applications/%s", app);
    assert_int_equal(holders(before[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_profile_keeps_its_secrets_to_itself),
        TEST(what_a_get_showed_can_be_written_back),
        TEST(keys_that_look_alike_keep_their_own_secrets),
        TEST(another_introspection_url_asks_for_the_secret),
        TEST(an_algorithm_that_no_key_can_serve_is_refused),
        TEST(keys_are_fetched_over_https_alone),
        TEST(a_named_set_stays_until_it_is_detached),
        TEST(another_accounts_set_cannot_be_named),
        TEST(a_set_that_nobody_uses_says_so),
        TEST(rules_on_an_application_are_written_whole),
        TEST(an_image_holds_the_sets_of_its_profile),
        TEST(a_change_of_a_set_reaches_its_applications),
        TEST(rules_on_the_application_reach_its_image),
        TEST(what_lost_its_profile_or_keys_lets_nobody_pass),
        TEST(what_cannot_be_held_is_rolled_back),
        TEST(a_viewer_reads_and_an_editor_does_not_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
