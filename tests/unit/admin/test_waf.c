/* Profiles whose WAF cannot be had, and what management says of it. */
#include "fake_waf.h"
#include "head.h"

#define APPLICATION "/{a}/applications/%s"

static char app[40], profile[40];

/* A change needs the old set and the new one at a time. */
static void make(unsigned max)
{
    rig.waf = (struct waf_sets_conf){ .engine = &fake_waf, .max = max };
    fake_waf_reset();
    rig_restart(&rig);
    rig_post(&rig, "/{a}/applications/create",
             "{\"name\":\"a\",\"domain\":\"a.test\"}");
    snprintf(app, sizeof app, "%s", rig_text(&rig, "/data/0/id"));
    rig_post(&rig, "/{a}/security/create",
             "{\"name\":\"s\",\"waf\":{\"mode\":\"block\"}}");
    rig_expect(&rig, 201);
    snprintf(profile, sizeof profile, "%s", rig_text(&rig, "/data/0/id"));
}

static unsigned attach(void)
{
    return rig_patch(&rig, f("/{a}/applications/%s", app),
                     f("{\"security_id\":\"%s\"}", profile));
}

static const struct plan_app *image(void)
{
    const struct plan_app *a = plan_match(rig.plan, SV("a.test"));
    assert_non_null(a);
    return a;
}

static void without_its_package_a_profile_cannot_be_attached(void **state)
{
    (void)state;
    make(2);
    fake_waf_state.missing = true;
    attach();
    rig_expect_error(&rig, 409, "waf_unavailable", "waf");
    assert_non_null(strstr(rig_text(&rig, "/message"), "apt install fake"));
    assert_null(image()->security); /* nothing has changed */
    rig_get(&rig, APPLICATION, app);
    assert_string_equal(rig_text(&rig, "/data/0/security_id"), "");
    fake_waf_state.missing = false;
    attach();
    rig_expect(&rig, 200);
    assert_non_null(image()->waf);
    fake_waf_state.missing =
        true; /* another set of rules is another question */
    rig_patch(&rig, f("/{a}/security/%s", profile),
              "{\"waf\":{\"paranoia\":2}}");
    rig_expect_error(&rig, 409, "waf_unavailable", "waf");
    assert_non_null(image()->waf);
}

static void a_start_without_the_package_serves_and_repairs_itself(void **state)
{
    (void)state;
    make(2);
    attach();
    rig_expect(&rig, 200);
    fake_waf_state.missing = true;
    rig_restart(&rig);
    assert_non_null(image()->security);
    assert_null(image()->waf);
    rig_patch(&rig, f("/{a}/applications/%s", app), "{\"enabled\":false}");
    rig_expect(&rig, 200); /* switching off is possible */
    fake_waf_state.missing = false;
    rig_patch(&rig, f("/{a}/applications/%s", app), "{\"enabled\":true}");
    rig_expect(&rig, 200);
    assert_non_null(image()->waf);
}

static void sets_of_rules_are_as_many_as_there_may_be(void **state)
{
    (void)state;
    make(1);
    attach();
    rig_post(&rig, "/{a}/security/create",
             "{\"name\":\"t\",\"waf\":{\"mode\":\"block\",\"paranoia\":3}}");
    snprintf(profile, sizeof profile, "%s", rig_text(&rig, "/data/0/id"));
    rig_post(&rig, "/{a}/applications/create",
             f("{\"name\":\"b\",\"security_id\":\"%s\"}", profile));
    rig_expect_error(&rig, 503, "waf_rules_full", "waf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_its_package_a_profile_cannot_be_attached),
        TEST(a_start_without_the_package_serves_and_repairs_itself),
        TEST(sets_of_rules_are_as_many_as_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
