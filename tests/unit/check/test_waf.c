/* The step WAF by itself, at both doors: what it lets a worker do, what it makes
 * of it, and what the event will tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/epoch.h"
#include "base/ensure.h"
#include "check/check.h"
#include "codec/http1.h"
#include "fake_waf.h"
#include "plan_fixture.h"

#define BLOCK "\"mode\":\"block\""
#define DETECT "\"mode\":\"detect\""
#define NO_WAF "{\"check\":\"waf\"}"
#define EVIL "{\"score\":5,\"rules\":[942100]}"

enum fate { DOES, CANNOT, REFUSED, SKIPPED, ABSENT };

static const struct row {
    const char *says, *waf, *target;
    enum fate fate;
    enum verdict verdict;
    enum reason reason;
    const char *code, *evidence; /* of the finding; NULL: none */
    bool enforced;
} rows[] = {
    { "nothing found, nothing told", BLOCK, "/x", DOES, VERDICT_PASS,
      REASON_NONE, NULL, NULL, false },
    { "a refusal tells what matched", BLOCK, "/evil", DOES, VERDICT_DENY,
      REASON_WAF_BLOCKED, "waf_blocked", EVIL, true },
    { "detect tells the same and passes", DETECT, "/evil", DOES, VERDICT_PASS,
      REASON_NONE, "waf_blocked", EVIL, false },
    { "several rules", DETECT, "/evil/odd", DOES, VERDICT_PASS, REASON_NONE,
      "waf_blocked", "{\"score\":8,\"rules\":[920100,942100]}", false },
    { "below the threshold nothing is told", DETECT, "/odd", DOES, VERDICT_PASS,
      REASON_NONE, NULL, NULL, false },
    { "an engine that fails refuses", BLOCK, "/x", CANNOT, VERDICT_DENY,
      REASON_CHECK_UNAVAILABLE, "check_unavailable", NO_WAF, true },
    { "an engine that fails is noted", DETECT, "/evil", CANNOT, VERDICT_PASS,
      REASON_NONE, "check_unavailable", NO_WAF, false },
    { "no worker refuses", BLOCK, "/x", REFUSED, VERDICT_DENY,
      REASON_CHECK_UNAVAILABLE, "check_unavailable", NO_WAF, true },
    { "no worker is noted", DETECT, "/x", REFUSED, VERDICT_PASS, REASON_NONE,
      "check_unavailable", NO_WAF, false },
    { "a rule of the firewall leaves it out", BLOCK, "/evil", SKIPPED,
      VERDICT_PASS, REASON_NONE, NULL, NULL, false },
    { "no rules refuse", BLOCK, "/x", ABSENT, VERDICT_DENY,
      REASON_CHECK_UNAVAILABLE, "check_unavailable", NO_WAF, true },
    { "no rules are noted", DETECT, "/x", ABSENT, VERDICT_PASS, REASON_NONE,
      "check_unavailable", NO_WAF, false },
};

static struct plan *plan_with(const char *waf, struct plan_app **app)
{
    struct plan *p;
    char doc[256];
    assert_int_equal(plan_new(&p, 1), 0);
    plan_waf_conf(p, &(struct waf_sets_conf){ .engine = &fake_waf });
    snprintf(doc, sizeof doc, "{\"id\":\"sec_1\",\"name\":\"s\",\"waf\":{%s}}",
             waf);
    struct plan_fixture f = { .more = ",\"public\":true",
                              .num = 1,
                              .quota_slot = UINT32_MAX,
                              .forms = { [FORM_SECURITY] = doc } };
    *app = plan_fixture_publish(p, &f);
    return p;
}

static void head_of(const char *target, struct http_head *h, char text[256])
{
    size_t searched = 0;
    struct http1_refusal why;
    struct http1_limits limits = { 16384, 8192, 64 };
    int n =
        snprintf(text, 256, "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n", target);
    assert_int_equal(
        http1_request_scan(sv_of(text, (size_t)n), &searched, &limits, h, &why),
        n);
}

/* The door's part, without threads. */
static enum verdict run(struct exchange *x, enum fate fate)
{
    enum verdict v = check_waf(x);
    if (v != VERDICT_WORK) return v;
    assert_non_null(x->work);
    assert_true(fate == DOES || fate == CANNOT || fate == REFUSED);
    if (fate == REFUSED) {
        check_work_end(x);
        x->worked = WORK_FAILED;
    } else {
        x->work->run(x->work);
        x->worked = WORK_DONE;
    }
    return check_waf(x);
}

/* What the row asks for, as each door has it. */
static void ask(struct exchange *x, enum door door, const char *target)
{
    static struct http_head head;
    static char text[256];
    x->door = door;
    if (door == DOOR_PROXY) {
        head_of(target, &head, text);
        x->head = &head;
    } else {
        x->url = sv_cstr(target);
    }
}

static void run_row(const struct row *r, enum door door)
{
    struct plan_app *app;
    struct arena arena;
    print_message("# %s, %s\n", r->says,
                  door == DOOR_PROXY ? "proxy" : "verify");
    fake_waf_reset();
    fake_waf_state.fails = r->fate == CANNOT;
    struct plan *p = plan_with(r->waf, &app);
    arena_init(&arena, 1 << 16, NULL, 0);
    struct exchange x = { .plan = app,
                          .arena = &arena,
                          .skips_waf = r->fate == SKIPPED };
    ask(&x, door, r->target);
    struct waf_set *rules = app->waf;
    if (r->fate == ABSENT) app->waf = NULL;
    assert_int_equal(run(&x, r->fate), r->verdict);
    app->waf = rules;
    assert_int_equal(x.reason, r->reason);
    assert_int_equal(x.faults, 0); /* that is about who the caller is */
    assert_null(x.work);
    assert_int_equal(x.findings != NULL, r->code != NULL);
    if (r->code) {
        const struct finding *f = &x.findings->at[0];
        assert_int_equal(x.findings->n, 1);
        assert_string_equal(f->code, r->code);
        assert_int_equal(f->enforced, r->enforced);
        assert_int_equal(f->evidence.n, strlen(r->evidence));
        assert_memory_equal(f->evidence.p, r->evidence, f->evidence.n);
    }
    arena_fini(&arena);
    plan_free(&p);
}

static void what_matched_is_told_by_the_event(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int door = 0; door < DOOR_COUNT; door++)
            run_row(&rows[i], (enum door)door);
}

/* Nor is a question whose telemetry tells of no request. */
static void nobody_is_judged_whose_profile_has_it_off(void **state)
{
    static const struct {
        const char *waf;
        bool step;
    } cases[] = { { "\"mode\":\"off\"", false },
                  { DETECT, true },
                  { BLOCK, true } };
    struct plan_app *app;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plan *p = plan_with(cases[i].waf, &app);
        for (int door = 0; door < DOOR_COUNT; door++) {
            bool step = false, body = false;
            for (unsigned k = 0; k < app->steps[door].n; k++) {
                step |= app->steps[door].at[k] == STEP_WAF;
                body |= app->steps[door].at[k] == STEP_BODY;
            }
            assert_int_equal(step, cases[i].step);
            assert_int_equal(body, cases[i].step && door == DOOR_PROXY);
        }
        struct exchange x = { .plan = app, .door = DOOR_VERIFY };
        struct arena arena;
        arena_init(&arena, 1 << 16, NULL, 0);
        x.arena = &arena;
        assert_int_equal(!cases[i].step || check_waf(&x) == VERDICT_PASS, true);
        assert_null(x.work);
        arena_fini(&arena);
        plan_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_matched_is_told_by_the_event),
        cmocka_unit_test(nobody_is_judged_whose_profile_has_it_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
