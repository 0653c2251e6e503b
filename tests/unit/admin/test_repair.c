/* Changes that were committed and could not be put in force. */
#include "head.h"

#include "base/err.h"

static char app[40], auth[40], id[40], secret[300];

static int setup_token(void **state)
{
    setup(state);
    make_app("a", "{\"name\":\"p\"}", app, auth);
    make_token(app, "{}", id, secret);
    return 0;
}

static bool ready(void)
{
    char why[128];
    return admin_ready(rig.admin, why);
}

/* Fails now, is red and stays so while the fault lasts; then a tick mends. */
static void until_mended(void)
{
    assert_false(ready());
    admin_tick(rig.admin);
    assert_false(ready());
    rig.publish_fault = 0;
    admin_tick(rig.admin);
    assert_true(ready());
}

static unsigned state_of(const char *of)
{
    struct token_view v;
    return rig_finds(&rig, app, of, &v) ? v.state : 0xFFu;
}

static void a_change_is_put_in_force_when_that_is_possible_again(void **state)
{
    (void)state;
    assert_true(ready());
    rig.publish_fault = ERR_IO;
    rig_patch(&rig, f("/{a}/token/%s", id), "{\"enabled\":false}");
    rig_expect_error(&rig, 503, "unsure", NULL);
    assert_int_equal(state_of(secret), TOKEN_ENABLED);
    until_mended();
    assert_int_equal(state_of(secret), 0);
}

static void a_new_token_is_there_later_and_its_answer_is_replayed(void **state)
{
    char made[300];
    (void)state;
    rig.publish_fault = ERR_FULL;
    rig.idempotency_key = "0123456789abcdef0";
    rig_post(&rig, f("/{a}/token/create/%s", app), "{\"owner\":\"o\"}");
    rig_expect_error(&rig, 503, "unsure", NULL);
    rig.idempotency_key = "0123456789abcdef0";
    rig_post(&rig, f("/{a}/token/create/%s", app), "{\"owner\":\"o\"}");
    rig_expect(&rig, 201);
    snprintf(made, sizeof made, "%s", rig_text(&rig, "/data/0/token"));
    assert_int_equal(state_of(made), 0xFF);
    until_mended();
    assert_int_equal(state_of(made), TOKEN_ENABLED);
}

static void what_never_got_in_force_can_be_revoked(void **state)
{
    char made[40];
    (void)state;
    rig.publish_fault = ERR_IO;
    rig_post(&rig, f("/{a}/token/create/%s", app), "{}");
    rig_expect(&rig, 503);
    rig_get(&rig, "/{a}/token");
    snprintf(made, sizeof made, "%s", rig_text(&rig, "/data/0/id"));
    rig_delete(&rig, "/{a}/token/%s", made);
    rig_expect(&rig, 503);
    rig_delete(&rig, "/{a}/applications/%s", app); /* with its tokens */
    rig_expect(&rig, 200);
    until_mended();
    for (int i = 0; i < 3; i++) admin_tick(rig.admin);
    assert_true(ready());
    assert_int_equal(state_of(secret), 0xFF);
}

static void rotate(const char *key, const char *body, char out[300])
{
    rig.idempotency_key = key;
    rig_post(&rig, f("/{a}/token/%s/rotate", id), body);
    rig_expect(&rig, 503);
    rig.idempotency_key = key;
    rig_post(&rig, f("/{a}/token/%s/rotate", id), body);
    rig_expect(&rig, 200);
    snprintf(out, 300, "%s", rig_text(&rig, "/data/0/token"));
}

static void two_rotations_and_a_change_arrive_in_their_order(void **state)
{
    char second[300], third[300];
    (void)state;
    rig.publish_fault = ERR_NOMEM;
    rotate("0123456789abcdef1", "{\"gracePeriod\":3600}", second);
    rotate("0123456789abcdef2", "{\"gracePeriod\":1800}", third);
    rig_patch(&rig, f("/{a}/token/%s", id), "{\"owner\":\"late\"}");
    rig_expect(&rig, 503);
    assert_int_equal(state_of(secret), TOKEN_ENABLED);
    until_mended();
    struct token_view v;
    assert_true(rig_finds(&rig, app, third, &v));
    assert_int_equal(v.state, TOKEN_ENABLED);
    assert_true(sv_eq(v.cold->owner, SV("late")));
    assert_int_equal(state_of(second), TOKEN_ENABLED | TOKEN_ALIAS);
    assert_true(state_of(secret) & TOKEN_REVOKED); /* its grace has ended */
    rig_restart(&rig);
    assert_int_equal(state_of(third), TOKEN_ENABLED);
    assert_int_equal(state_of(second), TOKEN_ENABLED | TOKEN_ALIAS);
}

static void other_changes_go_on_meanwhile(void **state)
{
    (void)state;
    rig.publish_fault = ERR_IO;
    rig_delete(&rig, "/{a}/token/%s", id);
    rig_expect(&rig, 503);
    rig_patch(&rig, f("/{a}/applications/%s", app), "{\"enabled\":false}");
    rig_expect(&rig, 200);
    rig.publish_fault = 0;
    make_token(app, "{}", id, secret); /* mends the first on its way */
    assert_true(ready());
    assert_int_equal(state_of(secret), TOKEN_ENABLED);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, setup_token, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_change_is_put_in_force_when_that_is_possible_again),
        WITH(a_new_token_is_there_later_and_its_answer_is_replayed),
        WITH(what_never_got_in_force_can_be_revoked),
        WITH(two_rotations_and_a_change_arrive_in_their_order),
        WITH(other_changes_go_on_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
