/* Counters after a kill, a power failure, a full disk. A child process does
 * the counting and dies; what it had answered stands in a shared page. A power
 * failure is a line lost from the map and another boot id in its header. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/rand.h"
#include "live/counter_int.h"
#include "scratch.h"

enum { SLOT = 7, TAG = 77, THREADS = 2, KILLS = 150 };
static const int64_t T0 = 1750000000000;

static struct scratch dir;

static int setup(void **state)
{
    (void)state;
    scratch_make(&dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&dir);
    return 0;
}

/* --- opening and counting --------------------------------------------- */
/* The log is written when the test says so, not by the second. */
static int open_err(struct counters **c, bool durable)
{
    char problem[256];
    struct counters_conf conf = { .dir = dir.path,
                                  .durable = durable,
                                  .log_every_ms = 3600000 };
    return counters_open(c, &conf, problem);
}

static struct counters *open_counters(bool durable)
{
    struct counters *c;
    if (open_err(&c, durable) != 0 || counters_reserve(c, 100) != 0 ||
        counters_reserve_limits(c, 2) != 0)
        abort();
    return c;
}

static const struct limit limits[2] = {
    { .limit = LIMIT_MAX, .window_s = 60 },
    { .limit = LIMIT_MAX, .window_s = 86400, .algorithm = LIMIT_FIXED },
};

static struct take_ask ask_of(int64_t now_ms)
{
    return (struct take_ask){
        .slot = SLOT,
        .tag = TAG,
        .quota_slot = UINT32_MAX,
        .now_ms = now_ms,
        .cost = 1,
        .terms = { .limits = limits,
                   .limits_n = 2,
                   .has_quota = true,
                   .quota = (int64_t)1 << 50 },
    };
}

static void take_n(struct counters *c, unsigned n)
{
    struct take_answer a;
    struct take_ask ask = ask_of(T0);
    for (unsigned i = 0; i < n; i++)
        if (counters_take(c, &ask, &a) != TAKE_TAKEN) abort();
}

static struct counter_state state_of(struct counters *c, int64_t now_ms)
{
    struct counter_state st;
    struct take_ask ask = ask_of(now_ms);
    assert_int_equal(counters_read(c, &ask, &st), 0);
    return st;
}

/* A child that does this and is killed at its end, without closing. */
static void in_child(void (*work)(struct counters *c), bool durable)
{
    pid_t pid = fork();
    if (pid == 0) {
        work(open_counters(durable));
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* --- kills at any moment ---------------------------------------------- */
struct shared_page {
    _Atomic uint64_t answered[THREADS];
};
static struct shared_page *page;
static int64_t kill_now_ms;

struct worker {
    struct counters *c;
    int number;
};

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct take_ask ask = ask_of(kill_now_ms);
    for (;;) {
        struct take_answer a;
        switch (counters_take(w->c, &ask, &a)) {
        case TAKE_TAKEN: atomic_fetch_add(&page->answered[w->number], 1); break;
        case TAKE_WAIT: sched_yield(); break;
        case TAKE_REFUSED: ask.now_ms += 86400000; break;
        default: abort();
        }
    }
    return NULL;
}

static pid_t counting_child(bool durable)
{
    pid_t pid = fork();
    if (pid) return pid;
    struct worker w[THREADS];
    struct counters *c = open_counters(durable);
    for (int i = 0; i < THREADS; i++) {
        pthread_t t;
        w[i] = (struct worker){ c, i };
        pthread_create(&t, NULL, worker_main, &w[i]);
    }
    for (;;) pause();
}

static uint64_t answered(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < THREADS; i++) sum += atomic_load(&page->answered[i]);
    return sum;
}

static void a_killed_process_has_counted_all_that_it_answered(void **state)
{
    (void)state;
    struct rand_fast rnd = { 99 };
    uint32_t stolen = 0;
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct counters *c = open_counters(false);
    counters_slot_init(c, SLOT, TAG);
    counters_close(&c);
    int64_t used = 0;
    uint64_t passed = 0;
    for (int round = 0; round < KILLS; round++) {
        kill_now_ms = T0 + round * (int64_t)86400000;
        memset((void *)page, 0, sizeof *page);
        uint64_t until = rand_fast_next(&rnd) % 3000;
        pid_t pid = counting_child(round % 8 == 0);
        int status;
        while (answered() < until) sched_yield();
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        uint64_t told = answered();
        c = open_counters(false);
        stolen += atomic_load(&c->lines[SLOT].lock) & LINE_HELD;
        struct counter_state st = state_of(c, kill_now_ms);
        uint64_t counted = (uint64_t)(st.used - used);
        assert_in_range(counted, told, told + THREADS);
        assert_in_range(st.passed - passed, told, told + THREADS);
        if (told < LIMIT_MAX - THREADS)
            for (int i = 0; i < 2; i++)
                assert_in_range(st.limits[i].used, told, told + THREADS);
        used = st.used, passed = st.passed;
        counters_close(&c);
    }
    assert_true(stolen > 0); /* or the test never hit a step */
    munmap(page, sizeof *page);
}

/* --- another boot ----------------------------------------------------- */
static int file_open(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir.path, name);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    return fd;
}

/* What a power failure leaves when no page of the line reached the disk. */
static void power_failure(void)
{
    static const char zero[64];
    int fd = file_open("counters.map");
    assert_int_equal(pwrite(fd, "another boot", 12,
                            offsetof(struct counters_header, boot_id)),
                     12);
    assert_int_equal(pwrite(fd, zero, 64, HEADER_BYTES + SLOT * 64), 64);
    close(fd);
    fd = file_open("columns.1.map");
    assert_int_equal(pwrite(fd, zero, 32, SLOT * 32), 32);
    close(fd);
}

static unsigned logs_there(void)
{
    unsigned n = 0;
    DIR *d = opendir(dir.path);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += sv_ends(sv_cstr(e->d_name), SV(".log"));
    closedir(d);
    return n;
}

static void five_logged_and_three_not(struct counters *c)
{
    counters_slot_init(c, SLOT, TAG);
    take_n(c, 5);
    if (counter_log_flush(c) != 0) abort();
    take_n(c, 3);
}

static void the_same_boot_keeps_all_and_another_what_was_logged(void **state)
{
    (void)state;
    in_child(five_logged_and_three_not, true);
    struct counters *c = open_counters(false); /* leaves the log alone */
    assert_int_equal(state_of(c, T0).used, 8);
    counters_close(&c);
    power_failure();
    c = open_counters(true);
    struct counter_state st = state_of(c, T0);
    assert_int_equal(st.used, 5);
    assert_int_equal(st.passed, 5);
    assert_int_equal(st.limits[0].used, 5);
    assert_int_equal(st.limits[1].used, 5);
    take_n(c, 1); /* nobody holds the line */
    counters_close(&c);
    assert_int_equal(logs_there(), 0);
}

static const struct limit of_all = { .limit = 9, .window_s = 86400 };

static struct take_ask global_ask(void)
{
    struct take_ask ask = ask_of(T0);
    ask.terms.limits_n = 1;
    ask.terms.global = &of_all;
    return ask;
}

static void six_of_the_global_limit(struct counters *c)
{
    struct take_answer a;
    struct take_ask ask = global_ask();
    counters_slot_init(c, SLOT, TAG);
    if (counters_reserve_global(c) != 0) abort();
    for (int i = 0; i < 6; i++)
        if (counters_take(c, &ask, &a) != TAKE_TAKEN) abort();
    if (counter_log_flush(c) != 0) abort();
}

/* Its column is the last; those before it may have no file. */
static void the_global_limit_outlives_a_power_failure_too(void **state)
{
    static const char zero[32];
    char path[512];
    struct take_answer a;
    struct take_ask ask = global_ask();
    (void)state;
    in_child(six_of_the_global_limit, true);
    power_failure();
    int fd = file_open("columns.4.map");
    assert_int_equal(pwrite(fd, zero, 32, SLOT * 32), 32);
    close(fd);
    snprintf(path, sizeof path, "%s/columns.3.map", dir.path);
    assert_int_equal(access(path, F_OK), -1);
    struct counters *c = open_counters(true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(counters_take(c, &ask, &a), TAKE_TAKEN);
    assert_int_equal(counters_take(c, &ask, &a), TAKE_REFUSED);
    assert_int_equal(a.refused_by, 1);
    counters_close(&c);
}

static void top_up(struct counters *c)
{
    counters_slot_init(c, SLOT, TAG);
    take_n(c, 2);
    if (counters_add(c, SLOT, TAG, 100) != 0) abort();
}

static void a_change_by_the_api_is_on_disk_before_its_return(void **state)
{
    (void)state;
    in_child(top_up, true);
    power_failure();
    struct counters *c = open_counters(true);
    assert_int_equal(state_of(c, T0).used, -98);
    counters_close(&c);
}

static void killed_after_two_checkpoints(struct counters *c)
{
    counters_slot_init(c, SLOT, TAG);
    take_n(c, 5);
    if (counter_log_flush(c) || counter_log_checkpoint(c)) abort();
    take_n(c, 1);
    if (counter_log_flush(c) || counter_log_checkpoint(c)) abort();
    take_n(c, 1);
    if (counter_log_flush(c)) abort();
}

static void a_checkpoint_needs_no_older_log(void **state)
{
    (void)state;
    in_child(killed_after_two_checkpoints, true);
    assert_int_equal(logs_there(), 1);
    power_failure();
    struct counters *c = open_counters(true);
    assert_int_equal(state_of(c, T0).used, 7);
    counters_close(&c);
}

/* A map newer than its log must not be set back by it when the power fails
 * after a kill: the first thing after a kill is a checkpoint. */
static void nothing_old_is_replayed_after_a_kill_and_a_power_failure(
    void **state)
{
    (void)state;
    in_child(five_logged_and_three_not, true);
    struct counters *c = open_counters(true);
    assert_int_equal(counter_log_checkpoint(c), 0);
    assert_int_equal(logs_there(), 1);
    assert_int_equal(state_of(c, T0).used, 8);
    counters_close(&c);
}

static void one_more_and_logged(struct counters *c)
{
    take_n(c, 1);
    if (counter_log_flush(c) != 0) abort();
}

/* The mark "listed" of a dead run says nothing about our list. */
static void a_line_left_dirty_by_a_killed_run_is_logged_by_the_next(
    void **state)
{
    (void)state;
    in_child(five_logged_and_three_not, true);
    in_child(one_more_and_logged, true);
    power_failure();
    struct counters *c = open_counters(true);
    assert_int_equal(state_of(c, T0).used, 9);
    counters_close(&c);
}

static void a_clean_end_needs_no_log_on_another_boot(void **state)
{
    (void)state;
    struct counters *c = open_counters(true);
    counters_slot_init(c, SLOT, TAG);
    take_n(c, 4);
    counters_close(&c);
    assert_int_equal(logs_there(), 0);
    int fd = file_open("counters.map");
    assert_int_equal(pwrite(fd, "another boot", 12,
                            offsetof(struct counters_header, boot_id)),
                     12);
    close(fd);
    c = open_counters(true);
    assert_int_equal(state_of(c, T0).used, 4);
    assert_true(counters_high_water_ms(c) > 0);
    counters_close(&c);
}

/* --- a torn log ------------------------------------------------------- */
static void two_records(struct counters *c)
{
    counters_slot_init(c, SLOT, TAG);
    take_n(c, 5);
    if (counter_log_flush(c) != 0) abort();
    take_n(c, 3);
    if (counter_log_flush(c) != 0) abort();
}

static char log_bytes[4096];
static size_t log_n;
static char log_name[64];

static void log_read(void)
{
    DIR *d = opendir(dir.path);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (sv_ends(sv_cstr(e->d_name), SV(".log")))
            snprintf(log_name, sizeof log_name, "%.60s", e->d_name);
    closedir(d);
    int fd = file_open(log_name);
    ssize_t n = read(fd, log_bytes, sizeof log_bytes);
    assert_in_range(n, 100, sizeof log_bytes - 1);
    log_n = (size_t)n;
    close(fd);
}

static int64_t used_after_replay_of(const char *bytes, size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir.path, log_name);
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    power_failure();
    int fd = file_open("counters.map");
    uint32_t zero = 0; /* not clean */
    assert_int_equal(
        pwrite(fd, &zero, 4, offsetof(struct counters_header, clean)), 4);
    close(fd);
    struct counters *c = open_counters(true);
    int64_t used = counters_slot_has(c, SLOT, TAG) ? state_of(c, T0).used : -1;
    counters_close(&c);
    return used;
}

/* header | line | mark | line | mark: a line's record has one column. */
enum { LINE_BYTES = 16 + 64 + 32, MARK_BYTES = 16 + 64, HEAD_BYTES = 16 };

static void a_log_cut_at_each_byte_is_replayed_to_its_last_whole_record(
    void **state)
{
    (void)state;
    in_child(two_records, true);
    log_read();
    size_t first = HEAD_BYTES + LINE_BYTES, second = first + MARK_BYTES;
    assert_int_equal(log_n, second + LINE_BYTES + MARK_BYTES);
    for (size_t n = 0; n <= log_n; n++) {
        int64_t want = n < first ? -1 : n < second + LINE_BYTES ? 5 : 8;
        assert_int_equal(used_after_replay_of(log_bytes, n), want);
    }
}

static void a_flipped_bit_ends_the_replay(void **state)
{
    (void)state;
    in_child(two_records, true);
    log_read();
    size_t second = HEAD_BYTES + LINE_BYTES + MARK_BYTES;
    for (size_t at = 0; at < second + LINE_BYTES; at++) {
        char bytes[sizeof log_bytes];
        memcpy(bytes, log_bytes, log_n);
        bytes[at] ^= (char)(1 << at % 8);
        int64_t want = at < HEAD_BYTES + LINE_BYTES ? -1 : 5;
        assert_int_equal(used_after_replay_of(bytes, log_n), want);
    }
}

/* --- a full disk ------------------------------------------------------ */
static void files_up_to(rlim_t bytes)
{
    struct rlimit r = { bytes, RLIM_INFINITY };
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &r) != 0) abort();
}

static bool no_room_for_slots(void)
{
    struct counters *c;
    if (open_err(&c, false) != 0) return false;
    files_up_to(1 << 20);
    bool full = counters_reserve(c, 100) == ERR_FULL &&
                counters_slot_init(c, SLOT, TAG) == ERR_NOTFOUND;
    files_up_to(RLIM_INFINITY);
    return full && counters_reserve(c, 100) == 0 &&
           counters_slot_init(c, SLOT, TAG) == 0;
}

static bool no_room_for_columns(void)
{
    struct counters *c;
    if (open_err(&c, false) != 0 || counters_reserve(c, 100) != 0) return false;
    files_up_to(1 << 20);
    return counters_reserve_limits(c, 2) == ERR_FULL;
}

static bool no_room_for_the_log(void)
{
    struct counter_state st;
    struct take_ask ask = ask_of(T0);
    struct counters *c = open_counters(true);
    counters_slot_init(c, SLOT, TAG);
    take_n(c, 2);
    files_up_to(16);
    bool refused = counters_add(c, SLOT, TAG, 9) == ERR_FULL &&
                   counters_read(c, &ask, &st) == 0 && st.used == 2;
    bool noted = counter_log_flush(c) != 0 &&
                 atomic_load(&counters_stats(c)->log_errors) > 0;
    files_up_to(RLIM_INFINITY);
    bool again = counter_log_flush(c) == 0 &&
                 atomic_load(&counters_stats(c)->log_records) == 1 &&
                 counters_add(c, SLOT, TAG, 9) == 0;
    return refused && noted && again;
}

static void holds_in_child(bool (*claim)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        _exit(claim() ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_full_disk_refuses_slots_and_takes_them_later(void **state)
{
    (void)state;
    holds_in_child(no_room_for_slots);
}

static void a_full_disk_refuses_columns(void **state)
{
    (void)state;
    holds_in_child(no_room_for_columns);
}

static void a_full_disk_refuses_changes_and_keeps_the_dirty_for_later(
    void **state)
{
    (void)state;
    holds_in_child(no_room_for_the_log);
}

/* --- two processes, many runs ----------------------------------------- */
static void only_the_lock_of_a_dead_run_is_stolen(void **state)
{
    (void)state;
    struct take_answer a;
    struct take_ask ask = ask_of(T0);
    uint32_t word;
    struct counters *old = open_counters(false), *new = open_counters(false);
    assert_true(old->run != new->run);
    counters_slot_init(old, SLOT, TAG);
    take_n(old, 3);
    take_n(new, 3); /* the line passes to and fro */
    take_n(old, 3);
    assert_true(line_lock(old, &old->lines[SLOT], 0, &word));
    assert_int_equal(counters_take(new, &ask, &a), TAKE_WAIT);
    counters_close(&old); /* dies holding it */
    assert_int_equal(counters_take(new, &ask, &a), TAKE_TAKEN);
    assert_int_equal(state_of(new, T0).used, 10);
    assert_int_equal(state_of(new, T0).limits[0].used, 10);
    counters_close(&new);
}

static void run_numbers_begin_anew_without_meeting_old_locks(void **state)
{
    (void)state;
    struct counters *c = open_counters(false);
    counters_slot_init(c, SLOT, TAG);
    take_n(c, 3);
    uint32_t shape = line_shape(atomic_load(&c->lines[SLOT].lock));
    atomic_store(&c->lines[SLOT].lock,
                 shape << LINE_SHAPE_SHIFT | 1 << LINE_RUN_SHIFT | LINE_HELD);
    c->header->run = LINE_RUN_MAX;
    counters_close(&c);
    c = open_counters(false);
    assert_int_equal(c->run, 1);
    take_n(c, 1);
    assert_int_equal(state_of(c, T0).limits[0].used, 4);
    counters_close(&c);
}

static void a_foreign_or_newer_file_is_refused_with_its_name(void **state)
{
    (void)state;
    char problem[256];
    struct counters *c = open_counters(false);
    struct counters_conf conf = { .dir = dir.path };
    c->header->version = 99;
    counters_close(&c);
    assert_int_equal(counters_open(&c, &conf, problem), ERR_VERSION);
    assert_non_null(strstr(problem, "counters.map"));
    int fd = file_open("counters.map");
    assert_int_equal(pwrite(fd, "SQLite f", 8, 0), 8);
    close(fd);
    assert_int_equal(counters_open(&c, &conf, problem), ERR_CORRUPT);
    assert_null(c);
    conf.dir = "/nonexistent/typeauth";
    assert_int_equal(counters_open(&c, &conf, problem), ERR_NOTFOUND);
    assert_true(problem[0] != '\0');
}

/* --- what the store is told ------------------------------------------- */
static unsigned reports;

static void on_checkpoint(void *ctx, uint32_t slot, uint32_t tag, int64_t used,
                          uint32_t refills, uint32_t last_s)
{
    (void)ctx, (void)refills;
    reports++;
    if (slot != SLOT) return;
    assert_int_equal(tag, TAG);
    assert_int_equal(used, 5);
    assert_int_equal(last_s, T0 / 1000);
}

static void a_checkpoint_reports_the_lines_touched_since_the_last(void **state)
{
    (void)state;
    char problem[256];
    struct counters *c;
    struct counters_conf conf = { .dir = dir.path,
                                  .durable = true,
                                  .log_every_ms = 3600000,
                                  .on_checkpoint = on_checkpoint };
    assert_int_equal(counters_open(&c, &conf, problem), 0);
    assert_int_equal(counters_reserve(c, 100), 0);
    assert_int_equal(counters_reserve_limits(c, 2), 0);
    counters_slot_init(c, SLOT, TAG);
    counters_slot_restore(c, 8, 8, -3, 2);
    take_n(c, 5);
    assert_int_equal(counter_log_flush(c), 0);
    assert_int_equal(counter_log_checkpoint(c), 0);
    assert_int_equal(reports, 2);
    assert_int_equal(counter_log_checkpoint(c), 0);
    assert_int_equal(reports, 2);
    counters_close(&c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_killed_process_has_counted_all_that_it_answered),
        T(the_same_boot_keeps_all_and_another_what_was_logged),
        T(the_global_limit_outlives_a_power_failure_too),
        T(a_change_by_the_api_is_on_disk_before_its_return),
        T(a_checkpoint_needs_no_older_log),
        T(nothing_old_is_replayed_after_a_kill_and_a_power_failure),
        T(a_line_left_dirty_by_a_killed_run_is_logged_by_the_next),
        T(a_clean_end_needs_no_log_on_another_boot),
        T(a_log_cut_at_each_byte_is_replayed_to_its_last_whole_record),
        T(a_flipped_bit_ends_the_replay),
        T(a_full_disk_refuses_slots_and_takes_them_later),
        T(a_full_disk_refuses_columns),
        T(a_full_disk_refuses_changes_and_keeps_the_dirty_for_later),
        T(only_the_lock_of_a_dead_run_is_stolen),
        T(run_numbers_begin_anew_without_meeting_old_locks),
        T(a_foreign_or_newer_file_is_refused_with_its_name),
        T(a_checkpoint_reports_the_lines_touched_since_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
