/* The archive: pages in both directions, bounded reading that gets on, a
 * ceiling, an age, restarts, damage and a disk that takes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "incident_fixture.h"
#include "journal/archive.h"
#include "scratch.h"

enum { DAY_MS = 86400000 };

static char scratch[64];
static const char *dir;
static struct archive *a;
static uint64_t bytes_max;

static void open_it(void)
{
    const struct archive_conf conf = { .dir = dir,
                                       .name = "refusals",
                                       .bytes_max = bytes_max,
                                       .age_ms = 30ll * DAY_MS };
    assert_int_equal(archive_open(&a, &conf), 0);
}

static void again(void)
{
    archive_close(&a);
    open_it();
}

static int setup(void **state)
{
    (void)state;
    dir = scratch_make(scratch);
    bytes_max = 64 << 20;
    open_it();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    archive_close(&a);
    scratch_remove(scratch);
    return 0;
}

static void append(struct incident i)
{
    char bytes[INCIDENT_MAX];
    incident_encode(&i, bytes);
    archive_append(a, sv_of(bytes, incident_size(&i)));
}

/* Account n % accounts, ids 1 to n. */
static void fill(uint32_t from, uint32_t to, uint32_t accounts)
{
    for (uint32_t n = from; n <= to; n++) {
        struct incident i = incident_usual(n);
        i.account = ulid_of(n % accounts);
        append(i);
    }
    archive_write(a);
}

static struct archive_walk *walk_of(uint32_t account, bool newer,
                                    struct ulid bound, size_t budget)
{
    struct archive_walk *w = mem_alloc(sizeof *w);
    w->account = ulid_of(account);
    w->newer = newer;
    w->bound = bound;
    w->min_ms = 0;
    w->max_ms = INT64_MAX;
    w->budget = budget;
    archive_walk_begin(a, w);
    return w;
}

static struct ulid highest(void)
{
    struct ulid u;
    memset(&u, 0xff, sizeof u);
    return u;
}

static uint32_t number_of(const struct incident *i)
{
    uint32_t n = 0;
    for (int k = 12; k < 16; k++) n = n << 8 | i->id.b[k];
    return n;
}

/* All of an account by as many walks as it takes; how many walks. */
static unsigned all_of(uint32_t account, bool newer, size_t budget,
                       uint32_t accounts, uint32_t total)
{
    struct ulid bound = newer ? ulid_of(0) : highest();
    uint32_t next = account ? account : accounts;
    unsigned walks = 1;
    if (!newer)
        for (next = total; next % accounts != account;) next--;
    for (;; walks++) {
        struct archive_walk *w = walk_of(account, newer, bound, budget);
        while (archive_walk_next(w) == WALK_HAS) {
            assert_int_equal(number_of(&w->now), next);
            next = newer ? next + accounts : next - accounts;
        }
        bool spent = w->state == WALK_SPENT;
        assert_true(!spent || ulid_cmp(&w->seen, &bound) != 0);
        bound = w->seen;
        archive_walk_end(w);
        mem_free(w);
        if (!spent) break;
        assert_true(walks < 10000);
    }
    assert_true(newer ? next > total : next < 1 || next > total);
    return walks;
}

static void an_empty_archive_makes_no_folder_and_holds_nothing(void **state)
{
    (void)state;
    struct archive_walk *w = walk_of(0, false, highest(), 1 << 20);
    assert_int_equal(archive_walk_next(w), WALK_END);
    archive_walk_end(w);
    mem_free(w);
    assert_int_equal(access(dir, F_OK), -1);
}

static void an_account_reads_its_own_in_both_directions(void **state)
{
    (void)state;
    fill(1, 5000, 7);
    for (uint32_t account = 0; account < 7; account++) {
        assert_int_equal(all_of(account, false, SIZE_MAX, 7, 5000), 1);
        assert_int_equal(all_of(account, true, SIZE_MAX, 7, 5000), 1);
    }
    again();
    assert_int_equal(all_of(3, false, SIZE_MAX, 7, 5000), 1);
}

/* 200 accounts: the blocks' bits tell them apart no longer. */
static void reading_is_bounded_and_gets_on(void **state)
{
    (void)state;
    fill(1, 60000, 200);
    struct archive_stats st;
    archive_stats(a, &st);
    assert_true(st.segments > 2);
    for (int i = 0; i < 2; i++) {
        assert_true(all_of(3, false, 100000, 200, 60000) > 50);
        assert_true(all_of(3, true, 100000, 200, 60000) > 50);
        again(); /* without the indexes */
    }
}

static void others_cost_no_reading(void **state)
{
    (void)state;
    fill(1, 20000, 1);
    struct archive_walk *w = walk_of(5, false, highest(), 1 << 20);
    assert_int_equal(archive_walk_next(w), WALK_END);
    assert_int_equal(w->budget, 1 << 20);
    archive_walk_end(w);
    mem_free(w);
}

static void times_pass_blocks_over(void **state)
{
    (void)state;
    fill(1, 20000, 1);
    struct archive_walk *w = walk_of(0, false, highest(), 1 << 20);
    w->min_ms = incident_usual(100).at_ms;
    w->max_ms = incident_usual(102).at_ms;
    for (uint32_t n = 102; n >= 100; n--) {
        assert_int_equal(archive_walk_next(w), WALK_HAS);
        assert_int_equal(number_of(&w->now), n);
    }
    assert_int_equal(archive_walk_next(w), WALK_END);
    assert_true(w->budget > (1 << 20) - 3 * SEGMENT_BLOCK_MAX);
    archive_walk_end(w);
    mem_free(w);
}

static void a_restart_goes_on_in_the_same_segment(void **state)
{
    (void)state;
    struct archive_stats st;
    fill(1, 10, 1);
    again();
    struct ulid last = archive_last(a), want = ulid_of(10);
    assert_int_equal(ulid_cmp(&last, &want), 0);
    fill(11, 20, 1);
    archive_stats(a, &st);
    assert_int_equal(st.segments, 1);
    assert_int_equal(all_of(0, false, SIZE_MAX, 1, 20), 1);
}

static void behind_a_torn_tail_another_segment_begins(void **state)
{
    (void)state;
    struct archive_stats st;
    char path[200];
    fill(1, 10, 1);
    archive_close(&a);
    snprintf(path, sizeof path, "%s/refusals.00000001.seg", dir);
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "torn", 4), 4);
    close(fd);
    open_it();
    fill(11, 20, 1);
    archive_stats(a, &st);
    assert_int_equal(st.segments, 2);
    assert_int_equal(all_of(0, false, SIZE_MAX, 1, 20), 1);
    again();
    assert_int_equal(all_of(0, true, SIZE_MAX, 1, 20), 1);
}

static void files_that_are_none_of_ours_are_left_alone(void **state)
{
    (void)state;
    char path[200];
    fill(1, 10, 1);
    static const char *const names[] = { "refusals.00000009.seg",
                                         "refusals.x0000010.seg", "notes" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_int_equal(write(fd, "something", 9), 9);
        close(fd);
    }
    again();
    assert_int_equal(all_of(0, false, SIZE_MAX, 1, 10), 1);
    fill(11, 20, 1);
    assert_int_equal(all_of(0, false, SIZE_MAX, 1, 20), 1);
    assert_int_equal(access(path, F_OK), 0);
}

static void the_ceiling_holds_and_the_oldest_go(void **state)
{
    (void)state;
    struct archive_stats st;
    bytes_max = 1 << 20;
    again();
    for (uint32_t n = 0; n < 50; n++) {
        fill(n * 1000 + 1, n * 1000 + 1000, 1);
        archive_stats(a, &st);
        assert_true(st.bytes <= bytes_max);
    }
    assert_true(st.bytes > bytes_max - 3 * (64 << 10));
    struct archive_walk *w = walk_of(0, false, highest(), SIZE_MAX);
    uint32_t n = 50000;
    while (archive_walk_next(w) == WALK_HAS)
        assert_int_equal(number_of(&w->now), n--);
    assert_true(n > 40000 && n < 49000);
    archive_walk_end(w);
    mem_free(w);
}

static void what_is_too_old_goes(void **state)
{
    (void)state;
    struct ulid u = ulid_of(1);
    int64_t begin = ulid_ms(&u);
    struct archive_stats st;
    fill(1, 10, 1);
    archive_expire(a, begin + 29ll * DAY_MS);
    archive_stats(a, &st);
    assert_int_equal(st.segments, 1);
    archive_expire(a, begin + 31ll * DAY_MS);
    archive_stats(a, &st);
    assert_int_equal(st.segments, 0);
    fill(11, 20, 1);
    assert_int_equal(archive_last(a).b[15], 20);
}

/* A file may not grow beyond what it has: as a full disk is. */
static void a_disk_that_takes_nothing_loses_what_is_counted(void **state)
{
    (void)state;
    struct archive_stats before, st;
    struct rlimit was, now;
    fill(1, 10, 1);
    archive_stats(a, &before);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    now = was;
    now.rlim_cur = before.bytes + 100; /* in the middle of a record */
    setrlimit(RLIMIT_FSIZE, &now);
    fill(11, 30, 1);
    struct incident sum = incident_usual(31);
    sum.is_sum = true;
    sum.count = 1000;
    sum.account = ulid_of(0);
    append(sum);
    archive_write(a);
    setrlimit(RLIMIT_FSIZE, &was);
    archive_stats(a, &st);
    assert_int_equal(st.lost, 1020);
    assert_int_equal(st.told, 10);
    assert_int_equal(st.bytes, before.bytes);
    for (uint32_t n = 32; n <= 40; n++) {
        struct incident i = incident_usual(n);
        i.account = ulid_of(0);
        append(i);
    }
    archive_write(a);
    again();
    struct archive_walk *w = walk_of(0, true, ulid_of(0), SIZE_MAX);
    for (uint32_t n = 1; n <= 40; n = n == 10 ? 32 : n + 1) {
        assert_int_equal(archive_walk_next(w), WALK_HAS);
        assert_int_equal(number_of(&w->now), n);
    }
    assert_int_equal(archive_walk_next(w), WALK_END);
    archive_walk_end(w);
    mem_free(w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_empty_archive_makes_no_folder_and_holds_nothing),
        T(an_account_reads_its_own_in_both_directions),
        T(reading_is_bounded_and_gets_on),
        T(others_cost_no_reading),
        T(times_pass_blocks_over),
        T(a_restart_goes_on_in_the_same_segment),
        T(behind_a_torn_tail_another_segment_begins),
        T(files_that_are_none_of_ours_are_left_alone),
        T(the_ceiling_holds_and_the_oldest_go),
        T(what_is_too_old_goes),
        T(a_disk_that_takes_nothing_loses_what_is_counted),
    };
    return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
