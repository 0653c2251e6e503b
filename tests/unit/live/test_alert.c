/* Alerts: queues that merge and drop exactly, groups that make one message of
 * an outage, pauses that grow and scatter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "live/alert_group.h"

enum { WINDOW_MS = 60000 };

static struct alert_occurrence occurrence(const char *key,
                                          enum alert_state state, int64_t at)
{
    struct alert_occurrence o = {
        .kind = ALERT_MONITOR, .state = state, .at_ms = at, .count = 1
    };
    snprintf(o.key, sizeof o.key, "%s", key);
    snprintf(o.title, sizeof o.title, "%s is down", key);
    return o;
}

/* --- queues ---------------------------------------------------------------------- */

static struct alerts *alerts_open(void)
{
    struct alerts *a;
    alerts_new(&a, &(struct alerts_conf){ 0 });
    return a;
}

static void raise(struct alerts *a, const char *key, enum alert_state state)
{
    struct alert_occurrence o = occurrence(key, state, 1);
    alerts_raise(a, &o);
}

static void what_waits_already_counts_on(void **state)
{
    struct alerts *a = alerts_open();
    struct alert_occurrence o;
    (void)state;
    for (int i = 0; i < 1000; i++) raise(a, "x", ALERT_EVENT);
    raise(a, "y", ALERT_EVENT);
    assert_true(alerts_take(a, &o));
    assert_string_equal(o.key, "x");
    assert_int_equal(o.count, 1000);
    assert_true(alerts_take(a, &o));
    assert_string_equal(o.key, "y");
    assert_false(alerts_take(a, &o));
    alerts_free(&a);
}

static void an_end_between_two_beginnings_keeps_its_place(void **state)
{
    static const enum alert_state flap[] = { ALERT_OPEN, ALERT_RESOLVED,
                                             ALERT_OPEN };
    struct alerts *a = alerts_open();
    struct alert_occurrence o;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(flap); i++) raise(a, "x", flap[i]);
    for (size_t i = 0; i < ARRAY_LEN(flap); i++) {
        assert_true(alerts_take(a, &o));
        assert_int_equal(o.state, flap[i]);
    }
    assert_false(alerts_take(a, &o));
    alerts_free(&a);
}

static void a_full_queue_drops_and_counts_exactly(void **state)
{
    struct alerts *a = alerts_open();
    struct alert_occurrence o;
    struct buf out;
    char key[16];
    unsigned n = 0;
    (void)state;
    for (int i = 0; i < ALERTS_QUEUE + 7; i++) {
        snprintf(key, sizeof key, "k%d", i);
        raise(a, key, ALERT_EVENT);
    }
    buf_init(&out, 65536);
    alerts_metrics(a, &out);
    buf_putc(&out, 0);
    assert_non_null(strstr(out.p, "{state=\"raised\"} 263\n"));
    assert_non_null(strstr(out.p, "{state=\"dropped\"} 7\n"));
    buf_fini(&out);
    while (alerts_take(a, &o)) n++;
    assert_int_equal(n, ALERTS_QUEUE);
    alerts_free(&a);
}

/* --- groups ---------------------------------------------------------------------- */

static unsigned kept_n;
static enum alert_state kept_state;

static void kept(void *ctx, const struct alert_item *i)
{
    (void)ctx;
    kept_n++;
    kept_state = i->state;
}

static void add(struct alert_group *g, const char *key, enum alert_state state,
                int64_t at)
{
    struct alert_occurrence o = occurrence(key, state, at);
    alert_group_add(g, &o);
}

/* Title of the message that is due at `at`; "" none is. */
static const char *message(struct alert_group *g, int64_t at, char *body,
                           size_t max)
{
    static char title[400];
    struct buf b;
    title[0] = 0;
    if (!alert_group_is_due(g, at, WINDOW_MS)) return title;
    buf_init_fixed(&b, title, sizeof title - 1);
    alert_group_title(g, &b);
    title[b.n] = 0;
    if (body) {
        buf_init_fixed(&b, body, max - 1);
        alert_group_show(g, &b);
        body[b.n] = 0;
        assert_false(b.overflow);
    }
    kept_n = 0;
    alert_group_told(g, at, WINDOW_MS, kept, NULL);
    return title;
}

static void the_first_goes_at_once_and_the_rest_together(void **state)
{
    struct alert_group g = { .n = 0 };
    char body[8192];
    (void)state;
    add(&g, "a", ALERT_OPEN, 1000);
    assert_string_equal(message(&g, 1000, NULL, 0), "a is down");
    add(&g, "b", ALERT_OPEN, 2000);
    add(&g, "c", ALERT_OPEN, 3000);
    add(&g, "a", ALERT_OPEN, 3000); /* known */
    assert_string_equal(message(&g, 60999, NULL, 0), "");
    assert_string_equal(message(&g, 61000, body, sizeof body),
                        "b is down, and 1 more");
    assert_non_null(strstr(body, "\"more\":0"));
    assert_null(strstr(body, "a is down"));
    assert_string_equal(message(&g, 999999, NULL, 0), "");
    alert_group_fini(&g);
}

static void an_outage_is_told_once_and_its_end_once(void **state)
{
    struct alert_group g = { .n = 0 };
    (void)state;
    add(&g, "a", ALERT_OPEN, 1000);
    message(&g, 1000, NULL, 0);
    for (int i = 0; i < 100; i++) add(&g, "a", ALERT_OPEN, 2000 + i);
    assert_string_equal(message(&g, 500000, NULL, 0), "");
    add(&g, "a", ALERT_RESOLVED, 500000);
    assert_string_equal(message(&g, 500000, NULL, 0), "Resolved: a is down");
    assert_int_equal(kept_n, 1);
    assert_int_equal(kept_state, ALERT_NONE);
    add(&g, "a", ALERT_RESOLVED, 600000); /* nothing is open */
    assert_string_equal(message(&g, 700000, NULL, 0), "");
    alert_group_fini(&g);
}

static void what_flaps_within_a_window_is_one_message(void **state)
{
    struct alert_group g = { .n = 0 };
    char body[8192];
    (void)state;
    add(&g, "a", ALERT_OPEN, 1000);
    message(&g, 1000, NULL, 0);
    for (int i = 0; i < 5; i++) {
        add(&g, "a", ALERT_RESOLVED, 2000 + i);
        add(&g, "a", ALERT_OPEN, 3000 + i);
    }
    add(&g, "a", ALERT_RESOLVED, 9000);
    assert_string_equal(message(&g, 61000, body, sizeof body),
                        "Resolved: a is down");
    assert_non_null(strstr(body, "\"state\":\"resolved\""));
    assert_non_null(strstr(body, "\"count\":5"));
    alert_group_fini(&g);
}

static void more_than_there_is_room_for_is_counted(void **state)
{
    struct alert_group g = { .n = 0 };
    static char body[65536];
    char key[16];
    (void)state;
    for (int i = 0; i < ALERT_ITEMS_MAX + 11; i++) {
        snprintf(key, sizeof key, "k%d", i);
        add(&g, key, ALERT_EVENT, 1000);
    }
    message(&g, 1000, body, sizeof body);
    assert_non_null(strstr(body, "\"more\":91")); /* 80 unlisted and 11 */
    assert_null(strstr(body, "\"k20\""));
    assert_int_equal(kept_n, 0);
    assert_string_equal(message(&g, 999999, NULL, 0), "");
    alert_group_fini(&g);
}

static void a_clock_set_back_silences_nobody(void **state)
{
    struct alert_group g = { .n = 0 };
    (void)state;
    add(&g, "a", ALERT_OPEN, 10000000);
    message(&g, 10000000, NULL, 0);
    add(&g, "b", ALERT_OPEN, 1000);
    assert_string_equal(message(&g, 1000, NULL, 0), "b is down");
    alert_group_fini(&g);
}

static void what_was_kept_is_not_told_again(void **state)
{
    struct alert_group g = { .n = 0 };
    struct alert_item i = { .state = ALERT_OPEN,
                            .told = ALERT_OPEN,
                            .key = "a",
                            .title = "a is down" };
    (void)state;
    alert_group_load(&g, &i);
    add(&g, "a", ALERT_OPEN, 1000);
    assert_string_equal(message(&g, 1000, NULL, 0), "");
    add(&g, "a", ALERT_RESOLVED, 2000);
    assert_string_equal(message(&g, 2000, NULL, 0), "Resolved: a is down");
    alert_group_fini(&g);
}

/* --- pauses ----------------------------------------------------------------------- */

static void pauses_grow_within_their_bounds_and_scatter(void **state)
{
    static const int64_t most[] = { 5000,    20000,   80000,  320000,
                                    1280000, 3600000, 3600000 };
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(most); i++) {
        assert_int_equal(alert_pause_ms(i + 1, 0), most[i] / 2);
        assert_int_equal(alert_pause_ms(i + 1, (uint64_t)most[i] / 2), most[i]);
        for (uint64_t r = 0; r < 100; r++) {
            int64_t ms =
                alert_pause_ms(i + 1, r * UINT64_C(0x9e3779b97f4a7c15));
            assert_true(ms >= most[i] / 2 && ms <= most[i]);
        }
    }
    assert_int_equal(alert_pause_ms(UINT32_MAX, 0), 1800000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_already_counts_on),
        cmocka_unit_test(an_end_between_two_beginnings_keeps_its_place),
        cmocka_unit_test(a_full_queue_drops_and_counts_exactly),
        cmocka_unit_test(the_first_goes_at_once_and_the_rest_together),
        cmocka_unit_test(an_outage_is_told_once_and_its_end_once),
        cmocka_unit_test(what_flaps_within_a_window_is_one_message),
        cmocka_unit_test(more_than_there_is_room_for_is_counted),
        cmocka_unit_test(a_clock_set_back_silences_nobody),
        cmocka_unit_test(what_was_kept_is_not_told_again),
        cmocka_unit_test(pauses_grow_within_their_bounds_and_scatter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
