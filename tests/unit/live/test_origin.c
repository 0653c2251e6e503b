/* The state machines of an origin as tables: each row moves the clock, does
 * one thing, and says what must hold then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "live/origin_table.h"

enum {
    FAILS = 1 << ORIGIN_CONNECT | 1 << ORIGIN_RESET | 1 << ORIGIN_TIMEOUT |
            1 << ORIGIN_503
};

/* --- passive health -------------------------------------------------------------- */

static const struct passive_rules passive = {
    .failures = 3,
    .on = FAILS,
    .ejected_max = 50,
    .eject_ms = 1000,
    .eject_max_ms = 4000,
};
static const struct breaker_rules no_breaker;

static const struct {
    uint64_t at_ms;
    const char *what; /* F fails, G good, 5 status 500, or nothing */
    uint64_t until;   /* ejected until; 0: not */
    const char *says;
} ejections[] = {
    { 0, "FF", 0, "two failures are not three" },
    { 1, "G", 0, "a good one begins anew" },
    { 2, "FF", 0, "so two more are none either" },
    { 3, "F", 1003, "the third in a row ejects" },
    { 500, "FFF", 1003, "late failures do not lengthen it" },
    { 1002, "", 1003, "until its end" },
    { 1003, "", 0, "then it is back" },
    { 1004, "55555", 0, "what the rules do not name is no failure" },
    { 1005, "FFF", 3005, "the next time is twice as long" },
    { 3006, "FFF", 7006, "and twice that" },
    { 7007, "FFF", 11007, "but never longer than the most" },
    { 11008, "G", 0, "good ones do not forget it at once" },
    { 14000, "FFF", 18000, "within the longest time it is the next in a row" },
    { 22001, "FFF", 23001, "after it, it is the first again" },
};

static void an_origin_is_ejected_longer_each_time(void **state)
{
    (void)state;
    static struct origin_state s;
    const struct origin_pass pass = { .probe = false };
    memset(&s, 0, sizeof s);
    for (size_t i = 0; i < ARRAY_LEN(ejections); i++) {
        for (const char *c = ejections[i].what; *c; c++)
            origin_report(&s, &passive, &no_breaker, &pass,
                          *c == 'F'   ? ORIGIN_CONNECT
                          : *c == '5' ? ORIGIN_500
                                      : ORIGIN_FINE,
                          ejections[i].at_ms);
        uint64_t until = origin_ejected_until(&s, ejections[i].at_ms);
        if (until != ejections[i].until)
            fprintf(stderr, "# %s\n", ejections[i].says);
        assert_int_equal(until, ejections[i].until);
    }
    assert_int_equal(s.ejections, 6);
    assert_int_equal(s.outcomes[ORIGIN_500], 5);
}

/* --- active health ------------------------------------------------------------------ */

static void probes_in_a_row_take_an_origin_out_and_back(void **state)
{
    (void)state;
    static struct origin_state s;
    static const char probes[] = "BBGBBBGBGGGB", ill[] = "000001111000";
    memset(&s, 0, sizeof s);
    for (size_t i = 0; probes[i]; i++) {
        origin_probed(&s, 2, 3, probes[i] == 'G');
        assert_int_equal(origin_is_ill(&s), ill[i] == '1');
    }
    assert_int_equal(s.probes, 12);
    assert_int_equal(s.probe_failures, 7);
}

/* --- the breaker ---------------------------------------------------------------------- */

static const struct passive_rules no_passive;

/* A asks and must pass, P asks and must be the probe, R asks and must be
 * refused; g and f end the oldest request well and badly, u without a word. */
static const struct {
    uint64_t at_ms;
    const char *script;
    enum breaker_state then;
    const char *says;
} in_a_row[] = {
    { 0, "AfAfAgAfAf", BREAKER_CLOSED, "failures that are not in a row" },
    { 1, "AAf", BREAKER_OPEN, "the third in a row opens" },
    { 2, "RRg", BREAKER_OPEN, "a late good answer does not close it" },
    { 1000, "R", BREAKER_OPEN, "until its time" },
    { 1001, "", BREAKER_HALF, "then it may be tried" },
    { 1001, "PPR", BREAKER_HALF, "by as many as must do well" },
    { 1002, "gR", BREAKER_HALF, "one did, the other is awaited" },
    { 1003, "f", BREAKER_OPEN, "it failed: open again" },
    { 2002, "R", BREAKER_OPEN, "for the whole time" },
    { 2003, "PPu", BREAKER_HALF, "a client left: its probe says nothing" },
    { 2004, "P", BREAKER_HALF, "and another may take its place" },
    { 2005, "gg", BREAKER_CLOSED, "both did well" },
    { 2006, "AfAfAg", BREAKER_CLOSED, "it counts anew" },
};

static struct origin_pass under_way[64];
static unsigned first_way, next_way;

static void ask(struct origin_state *s, const struct breaker_rules *r,
                uint64_t now, char how)
{
    struct origin_pass pass;
    static const char letters[] = {
        [BREAKER_PASS] = 'A', [BREAKER_PROBE] = 'P', [BREAKER_REFUSED] = 'R'
    };
    enum breaker_answer got = origin_admit(s, r, now, &pass);
    assert_int_equal(letters[got], how);
    if (got != BREAKER_REFUSED) under_way[next_way++ % 64] = pass;
}

static void end(struct origin_state *s, const struct breaker_rules *r,
                uint64_t now, char how)
{
    const struct origin_pass *pass = &under_way[first_way++ % 64];
    if (how == 'u')
        origin_unreported(s, pass);
    else
        origin_report(s, &no_passive, r, pass,
                      how == 'f' ? ORIGIN_503 : ORIGIN_FINE, now);
    origin_leave(s);
}

static void play(struct origin_state *s, const struct breaker_rules *r,
                 uint64_t now, const char *script)
{
    for (; *script; script++)
        if (strchr("APR", *script))
            ask(s, r, now, *script);
        else
            end(s, r, now, *script);
}

static void a_breaker_opens_by_failures_in_a_row_and_is_tried_again(
    void **state)
{
    (void)state;
    static struct origin_state s;
    const struct breaker_rules r = { .failures = 3,
                                     .on = FAILS,
                                     .probes = 2,
                                     .open_ms = 1000,
                                     .least = 20,
                                     .window_ms = 10000 };
    memset(&s, 0, sizeof s);
    first_way = next_way = 0;
    for (size_t i = 0; i < ARRAY_LEN(in_a_row); i++) {
        play(&s, &r, in_a_row[i].at_ms, in_a_row[i].script);
        if (origin_breaker(&s, in_a_row[i].at_ms) != in_a_row[i].then)
            fprintf(stderr, "# %s\n", in_a_row[i].says);
        assert_int_equal(origin_breaker(&s, in_a_row[i].at_ms),
                         in_a_row[i].then);
    }
    assert_int_equal(s.opened, 2);
    assert_int_equal(origin_pending(&s), 0);
}

static const struct {
    uint64_t at_ms;
    const char *script;
    enum breaker_state then;
    const char *says;
} by_ratio[] = {
    { 0, "AfAfAfAgAgAgAgAgAg", BREAKER_CLOSED, "nine are too few to judge" },
    { 1, "Ag", BREAKER_CLOSED, "three of ten are not half" },
    { 2, "AfAfAf", BREAKER_CLOSED, "six of thirteen neither" },
    { 3, "Af", BREAKER_OPEN, "seven of fourteen are" },
    { 503, "Pg", BREAKER_CLOSED, "one did well" },
    { 504, "AfAfAfAfAfAfAfAfAf", BREAKER_CLOSED, "counted anew" },
    { 1000, "AfAfAfAfAfAfAfAfAf", BREAKER_CLOSED, "another window" },
    { 1001, "Af", BREAKER_OPEN, "all ten of it" },
};

static void a_breaker_opens_by_the_share_of_failures_in_a_window(void **state)
{
    (void)state;
    static struct origin_state s;
    const struct breaker_rules r = { .ratio = 50,
                                     .on = FAILS,
                                     .probes = 1,
                                     .open_ms = 500,
                                     .least = 10,
                                     .window_ms = 1000 };
    memset(&s, 0, sizeof s);
    first_way = next_way = 0;
    for (size_t i = 0; i < ARRAY_LEN(by_ratio); i++) {
        play(&s, &r, by_ratio[i].at_ms, by_ratio[i].script);
        if (origin_breaker(&s, by_ratio[i].at_ms) != by_ratio[i].then)
            fprintf(stderr, "# %s\n", by_ratio[i].says);
        assert_int_equal(origin_breaker(&s, by_ratio[i].at_ms),
                         by_ratio[i].then);
    }
}

/* The probe of an earlier half-open time says nothing of this one. */
static void a_late_probe_changes_nothing(void **state)
{
    (void)state;
    static struct origin_state s;
    const struct breaker_rules r = { .failures = 1,
                                     .on = FAILS,
                                     .probes = 2,
                                     .open_ms = 100,
                                     .least = 1,
                                     .window_ms = 1000 };
    struct origin_pass late, quick, now;
    memset(&s, 0, sizeof s);
    first_way = next_way = 0;
    play(&s, &r, 0, "Af");
    assert_int_equal(origin_admit(&s, &r, 100, &late), BREAKER_PROBE);
    assert_int_equal(origin_admit(&s, &r, 100, &quick), BREAKER_PROBE);
    origin_report(&s, &no_passive, &r, &quick, ORIGIN_RESET, 100);
    assert_int_equal(origin_admit(&s, &r, 200, &now), BREAKER_PROBE);
    origin_report(&s, &no_passive, &r, &late, ORIGIN_RESET, 201);
    assert_int_equal(origin_breaker(&s, 201), BREAKER_HALF);
    origin_report(&s, &no_passive, &r, &late, ORIGIN_FINE, 201);
    origin_report(&s, &no_passive, &r, &now, ORIGIN_FINE, 202);
    assert_int_equal(origin_breaker(&s, 202), BREAKER_HALF);
}

static void a_ceiling_refuses_what_is_above_it(void **state)
{
    (void)state;
    static struct origin_state s;
    const struct breaker_rules r = { .pending_max = 2 };
    memset(&s, 0, sizeof s);
    first_way = next_way = 0;
    play(&s, &r, 0, "AARRgAR");
    assert_int_equal(origin_pending(&s), 2);
    assert_int_equal(s.refused, 3);
}

/* --- retries ---------------------------------------------------------------------------- */

static const struct {
    uint64_t at_ms;
    unsigned requests, asked, got;
    const char *says;
} budgets[] = {
    { 0, 1, 50, 50, "few requests may all be repeated" },
    { 1, 0, 60, 50, "as far as the reserve goes" },
    { 2, 1000, 300, 200, "and a fifth of the requests" },
    { 10000, 0, 10, 0, "the last window still counts" },
    { 20000, 100, 200, 120, "then it is forgotten" },
    { 50000, 0, 150, 100, "after a silence all is" },
};

static void retries_are_a_share_of_the_requests(void **state)
{
    (void)state;
    static struct retry_budget b;
    memset(&b, 0, sizeof b);
    for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
        unsigned got = 0;
        for (unsigned k = 0; k < budgets[i].requests; k++)
            retry_request(&b, budgets[i].at_ms);
        for (unsigned k = 0; k < budgets[i].asked; k++)
            got += retry_take(&b, 20, budgets[i].at_ms);
        if (got != budgets[i].got) fprintf(stderr, "# %s\n", budgets[i].says);
        assert_int_equal(got, budgets[i].got);
    }
}

/* --- threads --------------------------------------------------------------------------------- */

static struct origin_state shared;
static struct retry_budget shared_budget;
static _Atomic unsigned taken;
static const struct breaker_rules shared_rules = {
    .failures = 4,
    .ratio = 90,
    .on = FAILS,
    .probes = 3,
    .open_ms = 1,
    .least = 10,
    .window_ms = 1000,
};

static void *hammer(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < 20000; i++) {
        struct origin_pass pass;
        seed = seed * 1103515245u + 12345u;
        taken += retry_take(&shared_budget, 20, 0);
        if (origin_admit(&shared, &shared_rules, i / 10, &pass) ==
            BREAKER_REFUSED)
            continue;
        if (seed >> 28 < 2)
            origin_unreported(&shared, &pass);
        else
            origin_report(&shared, &passive, &shared_rules, &pass,
                          seed >> 31 ? ORIGIN_RESET : ORIGIN_FINE, i / 10);
        origin_leave(&shared);
    }
    return NULL;
}

/* Whatever the interleaving: nothing stays taken, no budget is exceeded, and
 * the breaker still closes. */
static void threads_share_a_state(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, hammer, (void *)(i + 1)), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    assert_int_equal(origin_pending(&shared), 0);
    assert_true(taken <= RETRIES_RESERVE);
    for (uint64_t now = 100000; now < 100010; now++) {
        struct origin_pass pass;
        if (origin_admit(&shared, &shared_rules, now, &pass) == BREAKER_REFUSED)
            continue;
        origin_report(&shared, &passive, &shared_rules, &pass, ORIGIN_FINE,
                      now);
        origin_leave(&shared);
    }
    assert_int_equal(origin_breaker(&shared, 100010), BREAKER_CLOSED);
}

/* --- the table -------------------------------------------------------------------------------- */

static unsigned woken;
static void wake(void *ctx)
{
    (void)ctx;
    woken++;
}

static void states_are_shared_by_place_and_probe(void **state)
{
    (void)state;
    struct origin_table *t;
    const struct origin_address at = {
        .tls = true, .port = 443, .host = { "a.test", 6 }, .base = { "/b", 2 }
    };
    const struct origin_address v6 = { .port = 80,
                                       .host = { "::1", 3 },
                                       .base = { "", 0 } };
    const struct probe_rules none = { .path = { "", 0 } };
    const struct probe_rules probe = { .path = { "/up", 3 },
                                       .healthy = 1,
                                       .interval_ms = 1000,
                                       .unhealthy = 1,
                                       .timeout_ms = 500 };
    origin_table_new(&t);
    origin_table_on_due(t, wake, NULL);
    struct origin_state *a =
        origin_hold(t, &(struct origin_place){ &at, &none, true });
    struct origin_state *same =
        origin_hold(t, &(struct origin_place){ &at, &none, true });
    struct origin_state *probed =
        origin_hold(t, &(struct origin_place){ &at, &probe, true });
    struct origin_state *other =
        origin_hold(t, &(struct origin_place){ &v6, &probe, false });
    assert_ptr_equal(a, same);
    assert_ptr_not_equal(a, probed);
    assert_int_equal(woken, 2);
    assert_int_equal(origin_table_count(t), 3);

    struct origin_due due;
    uint64_t next;
    unsigned urls = 0;
    struct origin_due got[2];
    while (origin_due(t, 5, &due, &next)) {
        assert_true(urls < 2);
        got[urls++] = due;
    }
    assert_int_equal(urls, 2);
    assert_int_equal(next, UINT64_MAX);
    bool first_v6 = strcmp(got[0].url, "http://[::1]:80/up") == 0;
    assert_string_equal(got[first_v6 ? 1 : 0].url, "https://a.test:443/b/up");
    for (unsigned i = 0; i < 2; i++)
        origin_probe_done(t, &got[i], i == (first_v6 ? 0u : 1u) ? 500 : 302,
                          10);
    assert_true(origin_is_ill(other));
    assert_false(origin_is_ill(probed));
    assert_false(origin_due(t, 1009, &due, &next));
    assert_int_equal(next, 1010);
    assert_true(origin_due(t, 1010, &due, &next));

    /* nobody names it, but its probe is under way: it stays until that ends */
    struct origin_state *mine = due.state;
    origin_drop(t, mine);
    assert_int_equal(origin_table_count(t), 3);
    origin_probe_done(t, &due, 200, 1011);
    /* a request under way keeps a state that nobody names */
    struct origin_pass pass;
    origin_admit(a, NULL, 0, &pass);
    origin_drop(t, a);
    origin_drop(t, a);
    assert_int_equal(origin_table_count(t), 2);
    origin_leave(a);
    origin_drop(t, mine == other ? probed : other);
    assert_int_equal(origin_table_count(t), 0);

    struct retry_budget *b = retry_hold(t, SV("app_1"));
    assert_ptr_equal(b, retry_hold(t, SV("app_1")));
    retry_drop(t, b);
    retry_drop(t, b);
    assert_int_equal(origin_table_count(t), 0);
    origin_table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_origin_is_ejected_longer_each_time),
        cmocka_unit_test(probes_in_a_row_take_an_origin_out_and_back),
        cmocka_unit_test(
            a_breaker_opens_by_failures_in_a_row_and_is_tried_again),
        cmocka_unit_test(a_breaker_opens_by_the_share_of_failures_in_a_window),
        cmocka_unit_test(a_late_probe_changes_nothing),
        cmocka_unit_test(a_ceiling_refuses_what_is_above_it),
        cmocka_unit_test(retries_are_a_share_of_the_requests),
        cmocka_unit_test(threads_share_a_state),
        cmocka_unit_test(states_are_shared_by_place_and_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
