/* How requests are shared among origins: the three ways alone, by properties,
 * and balance_take by a table of situations. */
#include <math.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "heads.h"
#include "plan_fixture.h"

#define KEYS_OF_FIRST_RELEASE "22232032321322112213333123213330"

enum { N = 8 };
static const struct {
    unsigned n;
    uint16_t weights[N];
    uint32_t among;
} lines[] = {
    { 1, { 1 }, 1 },
    { 2, { 1, 1 }, 3 },
    { 2, { 99, 1 }, 3 },
    { 3, { 5, 3, 2 }, 7 },
    { 3, { 5, 3, 2 }, 6 },    /* the heaviest is out */
    { 4, { 0, 0, 7, 3 }, 3 }, /* by header: evenly */
    { 8, { 1000, 1, 1, 1, 1, 1, 1, 1 }, 255 },
    { 8, { 13, 11, 7, 5, 3, 2, 1, 1 }, 0xaa },
};

static struct balance_line line_of(size_t i)
{
    return (struct balance_line){ lines[i].weights, lines[i].n,
                                  lines[i].among };
}

static double share_of(size_t i, unsigned k)
{
    double all = 0;
    const uint16_t *w = lines[i].weights;
    for (unsigned j = 0; j < lines[i].n; j++)
        if (lines[i].among >> j & 1) all += w[j] ? w[j] : 1;
    return lines[i].among >> k & 1 ? (w[k] ? w[k] : 1) / all : 0;
}

/* From wherever one begins to count, and at any length. */
static void weights_are_kept_in_every_run_of_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        for (uint64_t start = 0; start < 40; start++) {
            struct balance_line line = line_of(i);
            unsigned seen[N] = { 0 };
            for (unsigned t = 0; t < 2000; t++) {
                seen[balance_by_weight(&line, start * 7919 + t)]++;
                for (unsigned k = 0; k < lines[i].n; k++)
                    assert_true(fabs(seen[k] - (t + 1) * share_of(i, k)) < 5);
            }
        }
}

/* Three-gap theorem: no origin is asked in bursts, none waits long. */
static void between_two_of_an_origin_are_three_distances_at_most(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        for (unsigned k = 0; k < lines[i].n; k++) {
            struct balance_line line = line_of(i);
            unsigned gaps[4] = { 0 }, n = 0;
            uint64_t last = 0;
            for (uint64_t t = 1; t < 20000; t++) {
                if (balance_by_weight(&line, t) != k) continue;
                unsigned gap = (unsigned)(t - last), g = 0;
                if (last) {
                    while (g < n && gaps[g] != gap) g++;
                    if (g == n) gaps[n++] = gap;
                    assert_true(n <= 3);
                    assert_true(gap < 3.5 / share_of(i, k) + 1);
                }
                last = t;
            }
        }
}

static void the_least_loaded_is_taken_by_its_weight(void **state)
{
    (void)state;
    static const struct {
        uint16_t weights[3];
        uint32_t pending[3], among;
        unsigned takes;
        const char *says;
    } rows[] = {
        { { 1, 1, 1 }, { 4, 2, 3 }, 7, 1, "fewest under way" },
        { { 1, 1, 1 }, { 4, 2, 3 }, 5, 2, "of those that may" },
        { { 10, 1, 1 }, { 18, 2, 2 }, 7, 0, "two for each of its weight" },
        { { 10, 1, 1 }, { 29, 3, 1 }, 7, 2, "no more than its weight" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct balance_line line = { rows[i].weights, 3, rows[i].among };
        for (uint64_t t = 0; t < 50; t++) {
            unsigned got = balance_by_load(&line, rows[i].pending, t);
            if (got != rows[i].takes) fprintf(stderr, "# %s\n", rows[i].says);
            assert_int_equal(got, rows[i].takes);
        }
    }
    const struct balance_line even = { (const uint16_t[]){ 1, 1, 1 }, 3, 7 };
    unsigned seen[3] = { 0 };
    for (uint64_t t = 0; t < 300; t++)
        seen[balance_by_load(&even, (const uint32_t[]){ 2, 2, 2 }, t)]++;
    for (unsigned k = 0; k < 3; k++) assert_true(seen[k] > 90);
}

/* --- keys ------------------------------------------------------------------------- */

enum { KEYS = 60000 };
static const uint64_t seeds[N] = { 11, 22, 33, 44, 55, 66, 77, 88 };

static uint64_t key_number(unsigned i)
{
    char text[32];
    int n = snprintf(text, sizeof text, "tok_%u", i);
    return balance_key(sv_of(text, (size_t)n));
}

static void keys_are_spread_by_weight(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct balance_line line = line_of(i);
        unsigned seen[N] = { 0 };
        for (unsigned k = 0; k < KEYS; k++)
            seen[balance_by_key(&line, seeds, key_number(k))]++;
        for (unsigned k = 0; k < lines[i].n; k++) {
            double want = KEYS * share_of(i, k);
            assert_true(fabs(seen[k] - want) < 6 * sqrt(want + 1) + 1);
        }
    }
}

static void an_origin_that_goes_moves_its_own_keys_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        for (unsigned gone = 0; gone < lines[i].n; gone++) {
            struct balance_line before = line_of(i), after = before;
            after.among &= ~(1u << gone);
            if (!after.among) continue;
            for (unsigned k = 0; k < 5000; k++) {
                uint64_t key = key_number(k);
                unsigned was = balance_by_key(&before, seeds, key);
                unsigned is = balance_by_key(&after, seeds, key);
                assert_int_not_equal(is, gone);
                if (was != gone) assert_int_equal(is, was);
            }
        }
}

/* Known answers: a release must not move keys. */
static void keys_stay_where_earlier_processes_put_them(void **state)
{
    (void)state;
    const struct balance_line line = { (const uint16_t[]){ 1, 2, 3, 4 }, 4,
                                       15 };
    char got[33] = "";
    for (unsigned k = 0; k < 32; k++)
        got[k] = (char)('0' + balance_by_key(&line, seeds, key_number(k)));
    assert_string_equal(got, KEYS_OF_FIRST_RELEASE);
}

/* --- situations ------------------------------------------------------------------------ */

static struct plan *plan;

static const struct plan_balance *balance_of(const char *more)
{
    const struct plan_fixture f = { .num = 7, .more = more };
    const struct plan_app *a = plan_fixture_publish(plan, &f);
    assert_non_null(a->balance);
    return a->balance;
}

#define FOUR                                                           \
    ",\"origins\":[{\"address\":\"a.test\"},{\"address\":\"b.test\"}," \
    "{\"address\":\"c.test\"},{\"address\":\"d.test\",\"weight\":0,"   \
    "\"header\":\"X-Canary: on\"}]"

static const struct {
    const char *says, *fields;
    uint32_t tried, ejected, ill, open; /* bits */
    uint32_t takes; /* which of them get requests; 0: refused */
} situations[] = {
    { "those with a weight", "", 0, 0, 0, 0, 7 },
    { "the one that is asked for", "X-Canary: on\r\n", 0, 0, 0, 0, 8 },
    { "by the whole value", "X-Canary: one\r\n", 0, 0, 0, 0, 7 },
    { "a canary that is ejected is not waited for", "X-Canary: on\r\n", 0, 8, 0,
      0, 7 },
    { "nor one that was tried", "X-Canary: on\r\n", 8, 0, 0, 0, 7 },
    { "nor one whose breaker is open", "X-Canary: on\r\n", 0, 0, 0, 8, 7 },
    { "another than was tried", "", 1, 0, 0, 0, 6 },
    { "if there is one", "", 7, 0, 0, 0, 7 },
    { "without ejected ones", "", 0, 3, 0, 0, 4 },
    { "of which half may be: the first in time is back", "", 0, 7, 0, 0, 1 },
    { "without ill ones", "", 0, 0, 5, 0, 2 },
    { "all are ill: all may try", "", 0, 0, 7, 0, 7 },
    { "what was tried is worse than what is ill", "", 6, 0, 1, 0, 1 },
    { "breakers let others have it", "", 0, 0, 0, 3, 4 },
    { "also ill ones", "", 0, 0, 1, 6, 1 },
    { "and when all are open nobody has it", "", 0, 0, 0, 7, 0 },
};

static void make(const struct plan_balance *b, size_t row)
{
    for (unsigned i = 0; i < 4; i++) {
        struct origin_state *s = b->states[i];
        memset(s, 0, sizeof *s);
        if (situations[row].ejected >> i & 1)
            s->ejection = (uint64_t)(2000 + i) << 16 | 1;
        if (situations[row].ill >> i & 1) s->probed = UINT32_C(1) << 31;
        if (situations[row].open >> i & 1)
            s->breaker = (uint64_t)BREAKER_OPEN << 62 | 5000;
    }
}

static void a_request_goes_where_it_may(void **state)
{
    (void)state;
    char memory[1024];
    const struct plan_balance *b =
        balance_of(FOUR ",\"health\":{\"active\":{\"path\":\"/\"}},"
                        "\"breaker\":{\"failures\":1}");
    for (size_t i = 0; i < ARRAY_LEN(situations); i++) {
        struct http_head head;
        uint32_t seen = 0;
        make(b, i);
        head_request(&head, memory, sizeof memory, NULL, situations[i].fields);
        for (uint64_t t = 0; t < 64; t++) {
            struct origin_pass pass;
            const struct balance_ask ask = { .head = &head,
                                             .turn = t,
                                             .tried = situations[i].tried,
                                             .now_ms = 1000 };
            int got = balance_take(b, &ask, &pass);
            if (got < 0) continue;
            seen |= 1u << got;
            origin_leave(b->states[got]);
        }
        if (seen != situations[i].takes)
            fprintf(stderr, "# %s: %x\n", situations[i].says, seen);
        assert_int_equal(seen, situations[i].takes);
    }
}

static void states_outlive_images_and_nothing_else(void **state)
{
    (void)state;
    struct origin_state *s = balance_of(FOUR)->states[1];
    s->failures = 2;
    assert_ptr_equal(balance_of(FOUR ",\"description\":\"changed\"")->states[1],
                     s);
    assert_int_equal(s->failures, 2);
    const struct plan_fixture f = { .num = 7, .origin = "http://o.test" };
    assert_null(plan_fixture_publish(plan, &f)->balance);
    plan_remove(plan, sv_cstr(plan_fixture_id(7)));
    epoch_reclaim();
    assert_int_equal(origin_table_count(plan_origin_table(plan)), 0);
}

static int setup(void **state)
{
    (void)state;
    return plan_new(&plan, 1);
}

static int teardown(void **state)
{
    (void)state;
    plan_free(&plan);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_kept_in_every_run_of_requests),
        cmocka_unit_test(between_two_of_an_origin_are_three_distances_at_most),
        cmocka_unit_test(the_least_loaded_is_taken_by_its_weight),
        cmocka_unit_test(keys_are_spread_by_weight),
        cmocka_unit_test(an_origin_that_goes_moves_its_own_keys_only),
        cmocka_unit_test(keys_stay_where_earlier_processes_put_them),
        cmocka_unit_test_setup_teardown(a_request_goes_where_it_may, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(states_outlive_images_and_nothing_else,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
