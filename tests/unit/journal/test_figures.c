/* Analytics: what was counted is found again, by every key, at every level, in
 * files that are damaged, old or cut; memory and disk keep their bounds. */
#include <pthread.h>
#include <sys/stat.h>

#include "base/rand.h"
#include "figures_kit.h"

static void what_was_counted_is_found_when_its_minute_is_over(void **state)
{
    (void)state;
    struct sums s;
    figures_round(f);
    for (uint32_t i = 0; i < 1000; i++) {
        struct figure_sample one = usual(1 + i % 10);
        one.status = i % 4 ? 200 : 429;
        figures_add(f, i % 2, &one);
    }
    figures_round(f);
    assert_int_equal(requests(START, START + 60, APP), 0);
    to_minute(1);
    /* outcome, status, country, route of the application; of the account the
     * first three */
    assert_int_equal(requests(START, START + 60, APP), 4 * 1000);
    assert_int_equal(requests(START, START + 60, ACCOUNT), 3 * 1000);
    assert_int_equal(requests(START, START + 60, OTHER), 0);
    assert_int_equal(requests(START + 60, START + 3600, APP), 0);
    assert_true(ask(START, START + 60, key_of_token(3), 4, &s));
    assert_int_equal(s.n, 100);
    assert_int_equal(s.in, 100 * 100);
    assert_int_equal(s.out, 100 * 1000);
    assert_int_equal(s.cost, 100);
    assert_int_equal(s.times[sketch_bucket(500)], 100);
    assert_int_equal(figures_until_s(f), START + 60);
}

static void minutes_become_hours_and_days_without_loss(void **state)
{
    (void)state;
    struct sums s;
    uint64_t told = 0;
    for (int minute = 0; minute < 26 * 60; minute += 7) {
        to_minute(minute);
        for (uint32_t i = 0; i < 20; i++, told++) {
            struct figure_sample one = usual(1 + i);
            one.total_us = 100 * (i + 1);
            figures_add(f, 0, &one);
        }
    }
    to_minute(27 * 60);
    assert_int_equal(requests(START, START + 27 * 3600, APP), 4 * told);
    uint64_t parts = 0;
    for (int hour = 0; hour < 27; hour++)
        parts += requests(START + hour * 3600, START + (hour + 1) * 3600, APP);
    assert_int_equal(parts, 4 * told);
    /* by odd edges: minutes, hours and a day together */
    uint64_t odd = requests(START, START + 660, APP) +
                   requests(START + 660, START + 26 * 3600 + 60, APP) +
                   requests(START + 26 * 3600 + 60, START + 27 * 3600, APP);
    assert_int_equal(odd, 4 * told);
    assert_true(ask(START, START + 27 * 3600, key_of_token(2), 4, &s));
    assert_int_equal(s.n, told / 20);
    assert_int_equal(s.times[sketch_bucket(200)], told / 20);
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/d-%d.detail", dir, START);
    assert_int_equal(stat(path, &st), 0);
}

static void the_most_used_are_listed_and_the_others_summed(void **state)
{
    (void)state;
    struct sums s;
    uint64_t told = 0;
    figures_round(f);
    for (uint32_t token = 1; token <= 200; token++)
        for (uint32_t i = 0; i < token; i++, told++) {
            struct figure_sample one = usual(token);
            figures_add(f, token % 2, &one);
        }
    to_minute(1);
    const struct figure_key list = { { APP, FIGURE_TOKEN_TOP, 0, 0, 0 } };
    assert_true(ask(START, START + 60, list, 2, &s));
    assert_int_equal(s.rows, 50 + 1);
    assert_int_equal(s.n, told);
    const struct figure_key rest = { { APP, FIGURE_TOKEN_TOP, UINT64_MAX,
                                       UINT64_MAX, 0 } };
    assert_true(ask(START, START + 60, rest, 4, &s));
    assert_int_equal(s.n, 150 * 151 / 2); /* all but the 50 most used */
}

static void a_table_that_is_full_is_written_and_nothing_is_lost(void **state)
{
    (void)state;
    struct sums s;
    const uint32_t tokens = 300000; /* more than a table takes */
    struct figures_stats st;
    figures_round(f);
    for (uint32_t i = 0; i < tokens; i++) {
        struct figure_sample one = usual(i + 1);
        figures_add(f, 0, &one);
        if (i % 5000 == 0) figures_round(f);
    }
    to_minute(1);
    assert_int_equal(requests(START, START + 60, APP), 4ull * tokens);
    for (uint32_t token = 1; token <= tokens; token += 29999) {
        assert_true(ask(START, START + 60, key_of_token(token), 4, &s));
        assert_int_equal(s.n, 1);
    }
    figures_stats(f, &st);
    assert_true(st.memory <= 48u << 20);
    assert_int_equal(st.dropped, 0);
    assert_int_equal(st.counted, tokens);
}

static void samples_that_find_a_full_ring_are_counted(void **state)
{
    (void)state;
    struct figures_stats st;
    const uint64_t told = 50000;
    figures_round(f);
    for (uint64_t i = 0; i < told; i++) {
        struct figure_sample one = usual(7);
        figures_add(f, 1, &one);
    }
    to_minute(1);
    figures_stats(f, &st);
    assert_true(st.dropped > 0);
    assert_int_equal(st.counted + st.dropped, told);
    assert_int_equal(requests(START, START + 60, APP), 4 * st.counted);
}

static int by_size(const void *a, const void *b)
{
    return *(const uint64_t *)a < *(const uint64_t *)b ? -1 : 1;
}

static void times_of_many_kinds_are_within_their_error(void **state)
{
    (void)state;
    struct sums s;
    enum { N = 20000 };
    static uint64_t us[N];
    struct rand_fast r = { 42 };
    figures_round(f);
    for (int i = 0; i < N; i++) {
        us[i] = (uint64_t)1 << rand_fast_next(&r) % 24;
        us[i] += rand_fast_next(&r) % us[i];
        struct figure_sample one = usual((uint32_t)(1 + i % 3));
        one.total_us = (uint32_t)us[i];
        figures_add(f, 0, &one);
        if (i % 5000 == 0) figures_round(f);
    }
    to_minute(1);
    const struct figure_key every = { { APP, FIGURE_APP, 0, 0, 0 } };
    assert_true(ask(START, START + 60, every, 2, &s));
    for (int k = 0; k < SKETCH_BUCKETS; k++) s.times[k] /= 4; /* dimensions */
    qsort(us, N, sizeof us[0], by_size);
    for (unsigned q = 1; q <= 999; q++) {
        double is = (double)us[(q * N + 999) / 1000 - 1];
        double says = (double)sketch_quantile(s.times, q);
        assert_true(says >= is * (1 - 1.0 / 32) - 1);
        assert_true(says <= is * (1 + 1.0 / 32) + 1);
    }
}

static void a_restart_goes_on_in_the_same_minute(void **state)
{
    (void)state;
    struct figure_sample one = usual(5);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(figures_start(f), 0);
        figures_add(f, 0, &one);
        figures_free(&f); /* stops: all that came is written */
        begin((uint64_t)1 << 32);
    }
    assert_int_equal(requests(START, START + 60, APP), 4 * 3);
    to_minute(1);
    assert_int_equal(requests(START, START + 60, APP), 4 * 3);
}

enum { EACH = 20000 };

static void *writer(void *arg)
{
    unsigned lane = (unsigned)(uintptr_t)arg;
    for (uint32_t i = 0; i < EACH; i++) {
        struct figure_sample one = usual(1 + i % 50);
        figures_add(f, lane, &one);
        if (i % 500 == 0) sched_yield();
    }
    return NULL;
}

static void writers_the_thread_and_a_reader_do_not_disturb_each_other(
    void **state)
{
    (void)state;
    struct sums s;
    struct figures_stats st;
    pthread_t writers[2];
    assert_int_equal(figures_start(f), 0);
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&writers[i], NULL, writer, (void *)i);
    for (int i = 0; i < 50; i++) {
        ask(START, START + 3600, key_of_token(1), 4, &s);
        figures_stats(f, &st);
        sched_yield();
    }
    for (int i = 0; i < 2; i++) pthread_join(writers[i], NULL);
    figures_stop(f);
    figures_stats(f, &st);
    assert_int_equal(st.counted + st.dropped, 2 * EACH);
    assert_int_equal(requests(START, START + 3600, APP), 4 * st.counted);
}

static void details_go_before_lists_when_there_is_too_much(void **state)
{
    (void)state;
    struct sums s;
    struct figures_stats st;
    figures_free(&f);
    begin(2 << 20);
    for (int minute = 0; minute < 30 * 60; minute += 10) {
        to_minute(minute);
        for (uint32_t i = 0; i < 1000; i++) {
            struct figure_sample one = usual(1 + i);
            figures_add(f, 0, &one);
        }
    }
    to_minute(30 * 60);
    figures_stats(f, &st);
    assert_true(st.bytes <= 2 << 20);
    assert_int_equal(requests(START, START + 30 * 3600, APP), 4 * 180 * 1000);
    assert_false(ask(START, START + 600, key_of_token(3), 4, &s));
}

/* --- days by their hours -------------------------------------------------- */

static off_t size_of(const char *letter, int64_t start_s, const char *kind)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s-%lld.%s", dir, letter,
             (long long)start_s, kind);
    return stat(path, &st) ? -1 : st.st_size;
}

/* Token n is used n times in hour n of the day. */
static void a_day_of_use(void)
{
    for (int hour = 0; hour < 24; hour++) {
        to_minute(hour * 60);
        for (int i = 0; i < hour; i++) {
            struct figure_sample one = usual((uint32_t)hour);
            figures_add(f, 0, &one);
        }
    }
}

static uint64_t of_token(uint32_t token, int from_hour, int to_hour, bool whole)
{
    struct sums s;
    bool is_whole = ask(START + from_hour * 3600, START + to_hour * 3600,
                        key_of_token(token), 4, &s);
    assert_int_equal(is_whole, whole);
    return s.n;
}

static void the_hours_of_a_day_are_found_in_the_days_file(void **state)
{
    (void)state;
    a_day_of_use();
    to_minute(24 * 60 + 1);
    for (int round = 0; round < 2; round++) {
        for (int hour = 0; hour < 24; hour++) {
            int64_t at_s = START + hour * 3600;
            assert_int_equal(size_of("h", at_s, "detail"), hour ? 0 : -1);
            for (int token = 1; token < 24; token++)
                assert_int_equal(of_token((uint32_t)token, hour, hour + 1, 1),
                                 token == hour ? token : 0);
        }
        assert_int_equal(of_token(5, 0, 24, true), 5);
        assert_int_equal(of_token(5, 3, 6, true), 5); /* a part of the day */
        assert_int_equal(of_token(5, 6, 24, true), 0);
        figures_free(&f); /* what is on the disk is known again */
        begin((uint64_t)1 << 32);
    }
}

/* Killed between the day's file and the end of its hours'. */
static void hours_that_their_day_has_taken_are_counted_once(void **state)
{
    (void)state;
    char command[256];
    a_day_of_use();
    snprintf(command, sizeof command, "cp -r %s %s.kept", dir, dir);
    assert_int_equal(system(command), 0);
    to_minute(24 * 60 + 1);
    figures_free(&f);
    snprintf(command, sizeof command, "cp %s.kept/h-*.detail %s; rm -r %s.kept",
             dir, dir, dir);
    assert_int_equal(system(command), 0);
    begin((uint64_t)1 << 32);
    assert_true(size_of("h", START + 5 * 3600, "detail") > 0);
    assert_int_equal(of_token(5, 0, 24, true), 5);
    assert_int_equal(of_token(5, 5, 6, true), 5);
    to_minute(24 * 60 + 2);
    assert_int_equal(size_of("h", START + 5 * 3600, "detail"), 0);
    assert_int_equal(of_token(5, 5, 6, true), 5);
}

static void hours_go_before_days_when_there_is_too_much(void **state)
{
    (void)state;
    struct figures_stats st;
    struct sums s;
    for (int hour = 0; hour < 24; hour++) {
        to_minute(hour * 60);
        for (uint32_t i = 0; i < 1000; i++) {
            struct figure_sample one = usual(1 + i);
            figures_add(f, 0, &one);
        }
    }
    to_minute(72 * 60 + 1); /* minutes are too old, all is in the day */
    figures_stats(f, &st);
    off_t by_hours = size_of("d", START, "detail");
    figures_free(&f);
    begin(st.bytes - 1);
    figures_round(f);
    assert_true(size_of("d", START, "detail") < by_hours);
    assert_int_equal(of_token(5, 0, 24, true), 24);
    assert_int_equal(of_token(5, 3, 4, false), 0);
    assert_int_equal(requests(START, START + 3600, APP), 4 * 1000);
    figures_free(&f);
    begin(st.bytes - 1);
    assert_int_equal(of_token(5, 0, 24, true), 24);
    assert_int_equal(of_token(5, 3, 4, false), 0);
    assert_true(ask(START, START + 86400, key_of_token(7), 4, &s));
    assert_int_equal(s.times[sketch_bucket(500)], 24);
}

static void what_is_too_old_goes_by_whole_days_and_stays_gone(void **state)
{
    (void)state;
    a_day_of_use();
    to_minute(31 * 1440 - 1);
    assert_int_equal(of_token(5, 5, 6, true), 5);
    for (int minute = 0; minute < 3; minute++) {
        struct figure_sample one = usual(1);
        to_minute(31 * 1440 + minute);
        figures_add(f, 0, &one);
        assert_int_equal(size_of("d", START, "detail"), -1);
        assert_int_equal(size_of("d", START, "general"), -1);
        assert_int_equal(size_of("h", START + 23 * 3600, "general"), -1);
    }
}

/* --- files change while they are read ------------------------------------- */

enum { READ_DAYS = 12 };
static _Atomic bool days_over;
static _Atomic unsigned answers, wrong;

/* What was there is there, in whichever file it is by now. */
static void *day_reader(void *arg)
{
    struct sums s;
    uint64_t seen[2] = { 0, 0 };
    (void)arg;
    while (!days_over)
        for (int i = 0; i < 2; i++) {
            int64_t end_s = START + READ_DAYS * 86400 - i * 43200;
            bool whole = ask(START, end_s, key_of_token(1), 4, &s);
            if (!whole || s.n < seen[i]) wrong++;
            seen[i] = s.n;
            answers++;
        }
    return NULL;
}

static void a_reader_misses_nothing_when_days_take_their_hours(void **state)
{
    (void)state;
    struct figures_stats st;
    pthread_t thread;
    days_over = false;
    answers = wrong = 0;
    pthread_create(&thread, NULL, day_reader, NULL);
    for (int hour = 0; hour < READ_DAYS * 24; hour++) {
        to_minute(hour * 60);
        for (int i = 0; i < 2; i++) {
            struct figure_sample one = usual(1);
            figures_add(f, 0, &one);
            to_minute(hour * 60 + 1 + i);
        }
    }
    to_minute(READ_DAYS * 1440 + 1);
    days_over = true;
    pthread_join(thread, NULL);
    figures_stats(f, &st);
    assert_true(answers > 10);
    assert_int_equal(wrong, 0);
    assert_int_equal(st.damaged, 0);
}

/* --- files of earlier versions ------------------------------------------- */

/* A file of the first goes into what is made of it. */
static void a_minute_of_the_first_version_becomes_part_of_its_hour(void **state)
{
    (void)state;
    struct sums s;
    char command[256];
    snprintf(command, sizeof command,
             "cp %s/tests/vectors/figures-v1.detail %s/m-%d.detail",
             TEST_SOURCE_ROOT, dir, START);
    figures_free(&f);
    assert_int_equal(system(command), 0);
    begin((uint64_t)1 << 32);
    to_minute(61);
    const struct figure_key key = { { APP, FIGURE_TOKEN, 1, 2, 0 } };
    assert_true(ask(START, START + 3600, key, 4, &s));
    assert_int_equal(s.n, 300);
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/h-%d.detail", dir, START);
    assert_int_equal(stat(path, &st), 0);
}

static void put_v2(const char *letter, int64_t start_s)
{
    char command[256];
    snprintf(command, sizeof command,
             "cp %s/tests/vectors/figures-v2.detail %s/%s-%lld.detail",
             TEST_SOURCE_ROOT, dir, letter, (long long)start_s);
    assert_int_equal(system(command), 0);
}

/* Of days that an earlier version wrote the hours keep their own details; what
 * was not yet a day becomes one by its hours. */
static void hours_and_days_of_the_second_version_go_on(void **state)
{
    (void)state;
    struct sums s;
    const struct figure_key key = { { APP, FIGURE_TOKEN, 1, 2, 0 } };
    const int64_t next_s = START + 86400;
    figures_free(&f);
    put_v2("d", START);
    put_v2("h", START + 3 * 3600);
    put_v2("h", next_s + 3600);
    put_v2("h", next_s + 2 * 3600);
    begin((uint64_t)1 << 32);
    to_minute(2 * 1440 + 1);
    assert_true(size_of("h", START + 3 * 3600, "detail") > 0);
    assert_int_equal(size_of("h", next_s + 3600, "detail"), 0);
    assert_true(ask(START, next_s, key, 4, &s));
    assert_int_equal(s.n, 300);
    assert_true(ask(START + 3 * 3600, START + 4 * 3600, key, 4, &s));
    assert_int_equal(s.n, 300);
    assert_true(ask(next_s, next_s + 86400, key, 4, &s));
    assert_int_equal(s.n, 600);
    assert_int_equal(s.cost, 1800);
    assert_true(ask(next_s + 3600, next_s + 7200, key, 4, &s));
    assert_int_equal(s.n, 300);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_was_counted_is_found_when_its_minute_is_over),
        T(minutes_become_hours_and_days_without_loss),
        T(the_most_used_are_listed_and_the_others_summed),
        T(a_table_that_is_full_is_written_and_nothing_is_lost),
        T(samples_that_find_a_full_ring_are_counted),
        T(times_of_many_kinds_are_within_their_error),
        T(a_restart_goes_on_in_the_same_minute),
        T(writers_the_thread_and_a_reader_do_not_disturb_each_other),
        T(details_go_before_lists_when_there_is_too_much),
        T(the_hours_of_a_day_are_found_in_the_days_file),
        T(hours_that_their_day_has_taken_are_counted_once),
        T(hours_go_before_days_when_there_is_too_much),
        T(what_is_too_old_goes_by_whole_days_and_stays_gone),
        T(a_reader_misses_nothing_when_days_take_their_hours),
        T(a_minute_of_the_first_version_becomes_part_of_its_hour),
        T(hours_and_days_of_the_second_version_go_on),
    };
    return cmocka_run_group_tests_name("journal/figures", tests, NULL, NULL);
}
