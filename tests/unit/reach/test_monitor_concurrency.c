/* The control thread changes what is watched while the monitors' thread judges
 * and writes: nobody is lost, each incident has one begin and one end, in that
 * order, for the receiver and in the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/ensure.h"
#include "base/err.h"
#include "reach/monitor.h"
#include "scratch.h"

enum { APPS = 3, PATHS = 4, CHANGES = 3000, INTERVAL_MS = 1000 };
static const char *const paths[PATHS] = { "/a", "/b", "/c", "/d" };

static char scratch[64], dir[128];
static _Atomic int64_t now_ms;
static _Atomic bool over;
static struct origin_table *origins;
static struct monitors *m;
static struct origin_address at = { .port = 80,
                                    .host = { "a.test", 6 },
                                    .base = { "", 0 } };
static const struct probe_rules no_probes;

/* Under its lock: how many incidents of each are open, as it was told. */
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static int open_of[APPS][PATHS];
static unsigned begun, ended;

static int64_t clock_now(void)
{
    return now_ms;
}

static struct sv app_id(unsigned app)
{
    static const char *const ids[APPS] = { "app_01JD00000000000000000000001",
                                           "app_01JD00000000000000000000002",
                                           "app_01JD00000000000000000000003" };
    return sv_cstr(ids[app]);
}

static void on_change(void *ctx, const struct monitor_change *c)
{
    (void)ctx;
    if (!c->endpoint.n) return;
    unsigned app =
        (unsigned)(c->application_id.p[c->application_id.n - 1] - '1');
    unsigned path = (unsigned)(c->endpoint.p[c->endpoint.n - 1] - 'a');
    ENSURE(app < APPS && path < PATHS);
    pthread_mutex_lock(&told_lock);
    open_of[app][path] += c->began - c->ended;
    begun += c->began;
    ended += c->ended;
    ENSURE(open_of[app][path] == 0 || open_of[app][path] == 1);
    pthread_mutex_unlock(&told_lock);
}

/* The nth state of an application: which paths are asked, in which order. */
static void put(unsigned app, unsigned n)
{
    struct monitor rules = { .enabled = true,
                             .interval_ms = INTERVAL_MS,
                             .timeout_ms = 500,
                             .maintenance = n % 7 == 3 };
    for (unsigned i = 0; i < PATHS; i++)
        if (n % 5 == 4 || (n >> i & 1))
            rules.endpoints[rules.n++] = (struct monitor_endpoint){
                .url = sv_cstr(paths[i]), .method = SV("GET"), .status = 200
            };
    struct origin_place place = { .at = &at,
                                  .probe = &no_probes,
                                  .monitored = app_id(app) };
    const struct monitor_source s = { .account_id = SV("acc_1"),
                                      .application_id = app_id(app),
                                      .name = SV("shop"),
                                      .monitor = &rules,
                                      .origins = &place,
                                      .n = 1,
                                      .feeds = true };
    monitors_put(m, &s);
}

/* The monitors' thread: some checks are under way at a time; good and bad ones
 * come in rows of four, so that each is DOWN and back. */
static void *ask(void *arg)
{
    enum { ACTIVE = 5 };
    struct monitor_order active[ACTIVE];
    unsigned n = 0, asked = 0;
    (void)arg;
    while (!over || n) {
        int64_t in;
        while (!over && n < ACTIVE && monitors_due(m, &active[n], &in)) n++;
        now_ms += INTERVAL_MS / 8;
        if (!n) continue;
        struct monitor_answer a = { .code = asked++ / 4 % 2 ? 200 : 500,
                                    .body = SV("x"),
                                    .total_us = 1 };
        monitors_done(m, &active[0], &a);
        memmove(&active[0], &active[1], --n * sizeof active[0]);
    }
    return NULL;
}

static unsigned open_in_file(unsigned app)
{
    struct uptime_incident list[UPTIME_INCIDENTS];
    struct uptime_file f;
    unsigned open = 0;
    assert_int_equal(monitors_file(m, app_id(app), &f), 0);
    unsigned n = uptime_incidents_load(&f, INT64_MIN, INT64_MAX, list);
    for (unsigned i = 0; i < n; i++) open += list[i].end_ms == 0;
    uptime_file_close(&f);
    return open;
}

static void changes_meet_checks(void **state)
{
    struct monitor_figures figures;
    pthread_t thread;
    (void)state;
    for (unsigned app = 0; app < APPS; app++) put(app, 15);
    assert_int_equal(pthread_create(&thread, NULL, ask, NULL), 0);
    for (unsigned i = 1; i <= CHANGES; i++) {
        static char memory[16384];
        struct arena a;
        struct monitor_status st;
        arena_init(&a, sizeof memory, memory, sizeof memory);
        int64_t from = now_ms; /* checks come between changes as well */
        put(i % APPS, i);
        while (now_ms == from) sched_yield();
        monitors_status(m, app_id(i % APPS), &a, &st);
        monitors_figures(m, &figures);
        assert_true(figures.targets <= APPS * PATHS);
    }
    over = true;
    pthread_join(thread, NULL);
    monitors_figures(m, &figures);
    assert_int_equal(figures.active, 0);
    assert_int_equal(figures.unwritten, 0);
    assert_true(begun > 10 && ended > 0);
    unsigned open = 0;
    for (unsigned app = 0; app < APPS; app++) {
        unsigned told = 0;
        for (unsigned i = 0; i < PATHS; i++) told += (unsigned)open_of[app][i];
        assert_int_equal(open_in_file(app), told);
        open += told;
    }
    assert_int_equal(begun - ended, open);
    for (unsigned app = 0; app < APPS; app++)
        put(app, 0); /* nothing is asked */
    for (unsigned app = 0; app < APPS; app++)
        assert_int_equal(open_in_file(app), 0);
    assert_int_equal(begun, ended);
}

/* An application goes while its checks are written. */
static void one_that_goes_leaves_no_file(void **state)
{
    struct monitor_figures figures;
    struct uptime_file f;
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, ask, NULL), 0);
    for (unsigned i = 1; i <= CHANGES / 2; i++) {
        put(i % APPS, 15);
        int64_t from = now_ms; /* some checks come */
        while (now_ms < from + INTERVAL_MS) sched_yield();
        monitors_remove(m, app_id(i % APPS));
        pthread_mutex_lock(&told_lock);
        memset(open_of[i % APPS], 0, sizeof open_of[0]);
        pthread_mutex_unlock(&told_lock);
        assert_int_equal(monitors_file(m, app_id(i % APPS), &f), ERR_NOTFOUND);
    }
    over = true;
    pthread_join(thread, NULL);
    monitors_figures(m, &figures);
    assert_int_equal(figures.active, 0);
    assert_int_equal(figures.targets, 0);
    assert_int_equal(figures.unwritten, 0);
}

static int setup(void **state)
{
    (void)state;
    scratch_make(scratch);
    snprintf(dir, sizeof dir, "%s/monitors", scratch);
    now_ms = 1800000000;
    over = false;
    begun = ended = 0;
    memset(open_of, 0, sizeof open_of);
    origin_table_new(&origins);
    monitors_new(&m, &(struct monitors_conf){ .dir = dir,
                                              .origins = origins,
                                              .node_ms = clock_now,
                                              .wall_ms = clock_now,
                                              .changed = on_change });
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    monitors_free(&m);
    origin_table_free(&origins);
    scratch_remove(scratch);
    return 0;
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(changes_meet_checks),
        T(one_that_goes_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
