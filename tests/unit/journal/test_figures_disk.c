/* Analytics that cannot be written: what is lost is counted, and nothing else
 * is lost. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/ensure.h"
#include "figures_kit.h"

/* What would make a file larger fails, as on a full disk; RLIM_INFINITY: no
 * more. */
static void files_at_most(rlim_t bytes)
{
    struct rlimit r;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = bytes < r.rlim_max ? bytes : r.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static void what_cannot_be_written_is_counted_as_lost(void **state)
{
    (void)state;
    struct figures_stats st;
    figures_round(f);
    for (uint32_t i = 0; i < 100; i++) {
        struct figure_sample one = usual(1 + i);
        figures_add(f, 0, &one);
    }
    figures_round(f);
    files_at_most(64);
    to_minute(1);
    files_at_most(RLIM_INFINITY);
    figures_stats(f, &st);
    assert_int_equal(st.lost, 100);
    assert_int_equal(st.counted, 0);
    assert_int_equal(requests(START, START + 60, APP), 0);
    struct figure_sample one = usual(1);
    figures_add(f, 0, &one);
    to_minute(2);
    assert_int_equal(requests(START, START + 120, APP), 4);
}

static void a_part_that_cannot_be_written_costs_no_other(void **state)
{
    (void)state;
    const uint32_t tokens = 600000; /* two tables and a piece */
    struct figures_stats st;
    figures_round(f);
    for (uint32_t i = 0; i < tokens; i++) {
        struct figure_sample one = usual(i + 1);
        figures_add(f, 0, &one);
        if (i == 300000) files_at_most(4096);
        if (i % 5000 == 0) figures_round(f);
    }
    files_at_most(RLIM_INFINITY);
    to_minute(1);
    figures_stats(f, &st);
    assert_in_range(st.lost, 1, tokens / 2); /* that part, and only that */
    assert_int_equal(st.counted + st.lost, tokens);
    assert_int_equal(requests(START, START + 60, APP), 4 * st.counted);
}

/* --- a disk that is really full ------------------------------------------- */

enum { CANNOT = 77, DISK_PAGES = 256, PAGE = 4096 };

static bool say(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool said = fd >= 0 && write(fd, text, strlen(text)) > 0;
    if (fd >= 0) close(fd);
    return said;
}

/* Who may mount needs no user namespace, which a process with threads (those
 * of a sanitizer) cannot have. */
static bool namespace_enter(void)
{
    if (!geteuid() && !unshare(CLONE_NEWNS)) return true;
    char user[32], group[32];
    snprintf(user, sizeof user, "0 %u 1", (unsigned)geteuid());
    snprintf(group, sizeof group, "0 %u 1", (unsigned)getegid());
    return !unshare(CLONE_NEWUSER | CLONE_NEWNS) &&
           say("/proc/self/setgroups", "deny") &&
           say("/proc/self/uid_map", user) && say("/proc/self/gid_map", group);
}

/* A disk of a MiB over `dir`, for this process alone. */
static bool disk_mount(void)
{
    return namespace_enter() &&
           !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
           !mount("none", dir, "tmpfs", 0, "size=1m");
}

/* How many pages another takes of it; all that are free. */
static int filler_make(void)
{
    static const char page[PAGE] = "x";
    char path[128];
    int pages = 0;
    snprintf(path, sizeof path, "%s/filler", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ENSURE(fd >= 0);
    while (write(fd, page, sizeof page) == PAGE) pages++;
    close(fd);
    return pages;
}

static void filler_set(int pages)
{
    char path[128];
    snprintf(path, sizeof path, "%s/filler", dir);
    ENSURE(!truncate(path, (off_t)pages * PAGE));
}

/* Nothing lies there that is not known, and no half of a pair. */
static void disk_check(void)
{
    struct figures_stats st;
    struct dirent *e;
    uint64_t bytes = 0, files = 0;
    unsigned kinds[2] = { 0, 0 };
    DIR *d = opendir(dir);
    figures_stats(f, &st);
    while ((e = readdir(d)) != NULL) {
        struct stat is;
        const char *dot = strrchr(e->d_name, '.');
        if (e->d_name[0] == '.' || !strcmp(e->d_name, "filler")) continue;
        ENSURE(!fstatat(dirfd(d), e->d_name, &is, 0));
        bytes += (uint64_t)is.st_size;
        files++;
        ENSURE(!strcmp(dot, ".general") || !strcmp(dot, ".detail"));
        kinds[dot[1] == 'd']++;
    }
    closedir(d);
    ENSURE(kinds[0] == kinds[1]);
    ENSURE(bytes == st.bytes && files == st.files);
}

static unsigned told(int log, const char *what)
{
    static char text[1 << 16];
    unsigned n = 0;
    ssize_t got = pread(log, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = 0;
    for (const char *at = text; (at = strstr(at, what)); at++) n++;
    return n;
}

static void count_some(int64_t *minute, uint32_t tokens)
{
    for (uint32_t i = 0; i < tokens; i++) {
        struct figure_sample one = usual(1 + i);
        figures_add(f, 0, &one);
    }
    to_minute(++*minute);
    disk_check();
}

enum { SOME = 1000, FULL_MINUTES = 130 };

static int on_a_full_disk(void)
{
    int64_t minute = 0;
    struct figures_stats st, first;
    if (!disk_mount()) return CANNOT;
    int log = memfd_create("log", MFD_CLOEXEC);
    ENSURE(log >= 0 && dup2(log, 2) == 2);
    figures_round(f);
    count_some(&minute, SOME); /* there is room */
    int pages = filler_make();
    ENSURE(pages > 0 && pages < DISK_PAGES);
    count_some(&minute, SOME);
    figures_stats(f, &first);
    ENSURE(first.counted == SOME && first.lost == SOME);
    while (minute < FULL_MINUTES) count_some(&minute, SOME); /* hours, too */
    figures_stats(f, &st);
    ENSURE(st.lost == (uint64_t)(minute - 1) * SOME && st.counted == SOME);
    ENSURE(st.memory == first.memory && st.bytes == first.bytes);
    ENSURE(told(log, "figures are lost") == 1);
    /* a page more each minute: sometimes one of two files has room */
    for (int left = pages; left > pages - 40; left--) {
        filler_set(left);
        count_some(&minute, SOME);
    }
    figures_stats(f, &st);
    ENSURE(st.counted + st.lost == (uint64_t)minute * SOME);
    ENSURE(requests(START, START + 86400, APP) == 4 * st.counted);
    filler_set(0);
    count_some(&minute, SOME);
    figures_stats(f, &first);
    ENSURE(first.counted == st.counted + SOME && first.lost == st.lost);
    ENSURE(requests(START, START + 86400, APP) == 4 * first.counted);
    ENSURE(told(log, "it can be written to again") ==
           told(log, "figures are lost"));
    figures_free(&f);
    return 0;
}

static void a_full_disk_costs_its_minutes_and_nothing_else(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (!child) _exit(on_a_full_disk());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
        fputs("no namespaces of one's own are allowed here\n", stderr);
        return;
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void what_is_too_old_goes_from_a_full_disk_too(void **state)
{
    (void)state;
    struct figures_stats st;
    figures_round(f);
    struct figure_sample one = usual(1);
    figures_add(f, 0, &one);
    to_minute(1);
    figures_stats(f, &st);
    assert_int_equal(st.files, 2);
    files_at_most(64);
    to_minute(49 * 60); /* minutes are kept for 48 hours */
    files_at_most(RLIM_INFINITY);
    figures_stats(f, &st);
    assert_int_equal(st.files, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_cannot_be_written_is_counted_as_lost),
        T(a_part_that_cannot_be_written_costs_no_other),
        T(a_full_disk_costs_its_minutes_and_nothing_else),
        T(what_is_too_old_goes_from_a_full_disk_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
