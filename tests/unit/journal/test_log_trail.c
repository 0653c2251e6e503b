/* What a log leaves in the page cache, on a real file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "journal/log_trail.h"

enum { MIB = 1 << 20, PAGE = 4096, TMPFS = 0x01021994 };

static char path[64];
static int fd;

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/var/tmp/trail-XXXXXX");
    fd = mkostemp(path, O_APPEND | O_CLOEXEC);
    return fd < 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(fd);
    return unlink(path);
}

static void write_mib(int n)
{
    static char bytes[MIB];
    for (int i = 0; i < n; i++) {
        memset(bytes, 'a' + i % 26, sizeof bytes);
        assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
    }
}

/* MiB of [from, to) that are in the page cache; -1: it cannot be told. */
static int cached_mib(int from, int to)
{
    static unsigned char in[256 * MIB / PAGE];
    struct statfs fs;
    size_t n = (size_t)(to - from) * MIB, pages = 0;
    assert_int_equal(fstatfs(fd, &fs), 0);
    if (fs.f_type == TMPFS) return -1;
    int read_fd = open(path, O_RDONLY | O_CLOEXEC);
    void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, read_fd, (off_t)from * MIB);
    assert_true(p != MAP_FAILED);
    assert_int_equal(mincore(p, n, in), 0);
    for (size_t i = 0; i < n / PAGE; i++) pages += in[i] & 1;
    munmap(p, n);
    close(read_fd);
    return (int)(pages * PAGE / MIB);
}

static void only_the_last_stays_in_memory(void **state)
{
    (void)state;
    struct log_trail t = { 0 };
    log_trail_follow(&t, fd);
    for (int i = 0; i < 16; i++) {
        write_mib(4);
        log_trail_follow(&t, fd);
        fsync(fd); /* as a disk that is fast enough */
    }
    log_trail_follow(&t, fd);
    int first = cached_mib(0, 44), last = cached_mib(48, 64);
    if (first >= 0) {
        assert_in_range(first, 0, 4);
        assert_int_equal(last, 16);
    }
    /* and nothing is lost */
    for (int i = 0; i < 64; i++) {
        char c;
        assert_int_equal(pread(fd, &c, 1, (off_t)i * MIB), 1);
        assert_int_equal(c, 'a' + i % 4);
    }
}

static void what_was_there_before_is_left_alone(void **state)
{
    (void)state;
    struct log_trail t = { 0 };
    write_mib(40);
    fsync(fd);
    log_trail_follow(&t, fd);
    log_trail_follow(&t, fd);
    int all = cached_mib(0, 40);
    if (all >= 0) assert_int_equal(all, 40);
    assert_int_equal(t.dropped, 40 * MIB);
}

static void a_file_cut_short_is_a_new_one(void **state)
{
    (void)state;
    struct log_trail t = { 0 };
    log_trail_follow(&t, fd);
    write_mib(30);
    log_trail_follow(&t, fd);
    assert_int_equal(t.started, 30 * MIB);
    assert_int_equal(ftruncate(fd, 0), 0);
    write_mib(2);
    log_trail_follow(&t, fd);
    assert_int_equal(t.started, 2 * MIB);
    assert_int_equal(t.dropped, 2 * MIB);
}

static void small_logs_cost_the_disk_nothing(void **state)
{
    (void)state;
    struct log_trail t = { 0 };
    log_trail_follow(&t, fd);
    assert_int_equal(write(fd, "a line\n", 7), 7);
    log_trail_follow(&t, fd);
    assert_int_equal(t.started, 0);
}

static void a_pipe_and_nothing_at_all_are_no_files(void **state)
{
    (void)state;
    int pipes[2];
    struct log_trail t = { 0 };
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    log_trail_follow(&t, pipes[1]);
    log_trail_follow(&t, -1);
    assert_int_equal(t.ino, 0);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(only_the_last_stays_in_memory),
        TEST(what_was_there_before_is_left_alone),
        TEST(a_file_cut_short_is_a_new_one),
        TEST(small_logs_cost_the_disk_nothing),
        TEST(a_pipe_and_nothing_at_all_are_no_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
