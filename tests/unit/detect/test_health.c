/* Statuses of a monitor: rows of probes and what they make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/ensure.h"
#include "detect/health.h"

/* A probe a letter, a minute apart: + good, - failed, s slow, M and m:
 * maintenance begins, ends. A status a letter: ? H G (degraded) D M. */
struct row {
    const char *probes, *statuses;
    unsigned began, ended;
};

static const struct row rows[] = {
    { "", "", 0, 0 },
    { "+", "H", 0, 0 },
    { "++++", "HHHH", 0, 0 },
    { "-", "G", 0, 0 },
    { "--", "GD", 1, 0 },
    { "+-+", "HGG", 0, 0 },
    { "+-++", "HGGH", 0, 0 },
    { "+-+-+-+", "HGGGGGG", 0, 0 }, /* no flapping */
    { "+--", "HGD", 1, 0 },
    { "+--+", "HGDD", 1, 0 },
    { "+--+-+-", "HGDDDDD", 1, 0 },
    { "+--++", "HGDDH", 1, 1 },
    { "+--++--++", "HGDDHGDDH", 2, 2 },
    { "+s", "HG", 0, 0 },
    { "+ss+s++", "HGGGGGH", 0, 0 },
    { "--ss", "GDDG", 1, 1 },
    { "--ss++", "GDDGGH", 1, 1 },
    { "--s+", "GDDH", 1, 1 },
    { "--M", "GDM", 1, 1 },
    { "+M--m", "HMMM?", 0, 0 },
    { "+Mm-", "HM?G", 0, 0 },
    { "+Mm--", "HM?GD", 1, 0 },
    { "m", "?", 0, 0 },
};

static struct health_change step(struct health_state *s, char probe,
                                 int64_t at_ms)
{
    if (probe == 'M' || probe == 'm')
        return health_maintain(s, probe == 'M', at_ms);
    const struct health_probe p = {
        .failed = probe == '-',
        .cause = probe == '-'   ? HEALTH_CAUSE_CONNECT
                 : probe == 's' ? HEALTH_CAUSE_SLOW
                                : HEALTH_CAUSE_NONE,
        .at_ms = at_ms,
    };
    return health_judge(s, &p);
}

static void statuses_follow_probes_and_do_not_flap(void **state)
{
    static const char letters[] = "?HGDM";
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct health_state s = { 0 };
        unsigned began = 0, ended = 0;
        for (size_t k = 0; rows[i].probes[k]; k++) {
            uint8_t before = s.status;
            struct health_change c =
                step(&s, rows[i].probes[k], (int64_t)k * 60000);
            if (letters[s.status] != rows[i].statuses[k])
                fail_msg("%s: %c at %zu", rows[i].probes, letters[s.status], k);
            assert_int_equal(c.changed, before != s.status);
            assert_int_equal(c.from, before);
            began += c.began;
            ended += c.ended;
        }
        assert_int_equal(began, rows[i].began);
        assert_int_equal(ended, rows[i].ended);
    }
}

static void an_incident_lasts_from_the_first_failure_to_the_first_success(
    void **state)
{
    struct health_state s = { 0 };
    (void)state;
    step(&s, '+', 0);
    step(&s, '-', 60000);
    struct health_change began = step(&s, '-', 120000);
    assert_true(began.began && began.at_ms == 60000);
    assert_int_equal(s.cause, HEALTH_CAUSE_CONNECT);
    step(&s, '-', 180000);
    step(&s, '+', 240000);
    struct health_change ended = step(&s, '+', 300000);
    assert_true(ended.ended && ended.at_ms == 240000);
    assert_int_equal(s.since_ms, 240000);
    assert_int_equal(s.cause, HEALTH_CAUSE_NONE);
}

static void several_endpoints_have_one_status(void **state)
{
    enum { U = HEALTH_UNKNOWN, H, G, D, M };
    static const struct {
        uint8_t n, of[4], together;
    } cases[] = {
        { 0, { 0 }, U },       { 1, { U }, U },       { 2, { U, H }, H },
        { 2, { H, H }, H },    { 3, { H, H, G }, G }, { 3, { H, H, D }, G },
        { 2, { D, D }, D },    { 3, { D, U, D }, D }, { 2, { M, M }, M },
        { 3, { D, D, G }, G },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct health_state s[4] = { 0 };
        for (unsigned k = 0; k < cases[i].n; k++) s[k].status = cases[i].of[k];
        assert_int_equal(health_together(s, cases[i].n), cases[i].together);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_follow_probes_and_do_not_flap),
        cmocka_unit_test(
            an_incident_lasts_from_the_first_failure_to_the_first_success),
        cmocka_unit_test(several_endpoints_have_one_status),
    };
    return cmocka_run_group_tests_name("detect/health", tests, NULL, NULL);
}
