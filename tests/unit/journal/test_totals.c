/* Totals: exact under many writers, over a restart, and of nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "journal/totals.h"

enum { LANES = 3, EACH = 100000 };
static char dir[64];
static char problem[256];
static struct totals *t;
static const struct ulid one = { { 1, 2, 3 } }, two = { { 4, 5, 6 } };

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/typeauth-totals-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return totals_open(&t, dir, LANES, problem);
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    totals_close(&t);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static void again(unsigned lanes)
{
    totals_close(&t);
    assert_int_equal(totals_open(&t, dir, lanes, problem), 0);
}

static void add(unsigned lane, uint32_t num, uint8_t outcome)
{
    const struct totals_event e = {
        .num = num, .outcome = outcome, .bytes_in = 3, .bytes_out = 7, .cost = 2
    };
    totals_add(t, lane, &e);
}

static void *writer(void *arg)
{
    unsigned lane = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < EACH; i++) add(lane, 5, (uint8_t)(i % 2));
    return NULL;
}

static void sums_are_exact_with_a_writer_a_lane_and_outlive_a_restart(
    void **state)
{
    (void)state;
    struct totals_sums s;
    pthread_t threads[LANES];
    assert_int_equal(totals_reserve(t, 5, &one), 0);
    for (uintptr_t i = 0; i < LANES; i++)
        pthread_create(&threads[i], NULL, writer, (void *)i);
    for (int i = 0; i < LANES; i++) pthread_join(threads[i], NULL);
    for (unsigned lanes = 1; lanes <= LANES + 2; lanes++) {
        again(lanes);
        assert_true(totals_read(t, 5, &one, &s));
        assert_int_equal(s.requests[0][0], LANES * EACH / 2);
        assert_int_equal(s.requests[0][1], LANES * EACH / 2);
        assert_int_equal(s.bytes_in, 3 * LANES * EACH);
        assert_int_equal(s.bytes_out, 7 * LANES * EACH);
        assert_int_equal(s.cost, 2 * LANES * EACH);
    }
}

static void a_number_that_changes_hands_begins_at_nothing(void **state)
{
    (void)state;
    struct totals_sums s;
    assert_int_equal(totals_reserve(t, 9, &one), 0);
    add(0, 9, 0);
    assert_false(totals_read(t, 9, &two, &s));
    assert_int_equal(totals_reserve(t, 9, &one), 0);
    assert_true(totals_read(t, 9, &one, &s));
    assert_int_equal(s.requests[0][0], 1);
    assert_int_equal(totals_reserve(t, 9, &two), 0);
    assert_true(totals_read(t, 9, &two, &s));
    assert_int_equal(s.requests[0][0], 0);
    assert_false(totals_read(t, 9, &one, &s));
}

static void a_number_that_nobody_reserved_counts_for_nobody(void **state)
{
    (void)state;
    struct totals_sums s;
    assert_int_equal(totals_reserve(t, 100000, &one), 0);
    add(1, 16000000, 4);
    add(1, 100000, 4);
    totals_read_all(t, &s);
    assert_int_equal(s.requests[0][4], 2);
    assert_true(totals_read(t, 100000, &one, &s));
    assert_int_equal(s.requests[0][4], 1);
}

static void poke(off_t at, char byte)
{
    char path[128];
    snprintf(path, sizeof path, "%s/0.map", dir);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void a_file_of_a_later_version_or_of_nobody_is_left_alone(void **state)
{
    (void)state;
    totals_close(&t);
    poke(8, 9);
    assert_int_equal(totals_open(&t, dir, LANES, problem), ERR_VERSION);
    assert_non_null(strstr(problem, "0.map"));
    poke(8, 1);
    poke(0, 'X');
    assert_int_equal(totals_open(&t, dir, LANES, problem), ERR_CORRUPT);
    poke(0, 'T');
    assert_int_equal(totals_open(&t, dir, LANES, problem), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(sums_are_exact_with_a_writer_a_lane_and_outlive_a_restart),
        T(a_number_that_changes_hands_begins_at_nothing),
        T(a_number_that_nobody_reserved_counts_for_nobody),
        T(a_file_of_a_later_version_or_of_nobody_is_left_alone),
    };
    return cmocka_run_group_tests_name("journal/totals", tests, NULL, NULL);
}
