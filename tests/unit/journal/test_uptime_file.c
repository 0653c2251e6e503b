/* A monitor's file: what was written comes back, after a restart and a kill;
 * what is damaged is left out; files of older formats are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/hash.h"
#include "journal/uptime_file.h"
#include "scratch.h"

#define NAME SV("app_01JD00000000000000000000")

static char scratch[64];
static char dir[128], path[256];
static struct uptime_file f;

static int setup(void **state)
{
    (void)state;
    scratch_make(scratch);
    snprintf(dir, sizeof dir, "%s/monitors", scratch);
    snprintf(path, sizeof path, "%s/%.*s", dir, SV_FMT(NAME));
    assert_int_equal(uptime_file_open(&f, dir, NAME, UPTIME_CREATE), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    uptime_file_close(&f);
    scratch_remove(scratch);
    return 0;
}

static void again(void)
{
    uptime_file_close(&f);
    assert_int_equal(uptime_file_open(&f, dir, NAME, UPTIME_WRITE), 0);
}

static struct uptime_hour hour_of(uint32_t hour, unsigned probes)
{
    struct uptime_hour h = { .hour = hour };
    for (unsigned i = 0; i < probes; i++)
        uptime_add(&h, &(struct uptime_probe){ .code = 200, .total_us = 1000 });
    return h;
}

struct seen {
    unsigned n;
    uint64_t probes;
    uint32_t first, last;
};

static void count(void *ctx, unsigned endpoint, const struct uptime_hour *h)
{
    struct seen *s = ctx;
    (void)endpoint;
    if (!s->n++ || h->hour < s->first) s->first = h->hour;
    if (h->hour > s->last) s->last = h->hour;
    s->probes += h->probes;
}

static struct seen between(uint32_t first, uint32_t last)
{
    struct seen s = { .n = 0 };
    uptime_hours_each(&f, first, last, count, &s);
    return s;
}

static void hours_come_back_and_the_oldest_make_room(void **state)
{
    struct uptime_hour back;
    (void)state;
    for (uint32_t h = 1000; h < 1000 + UPTIME_KEPT_H + 10; h++) {
        struct uptime_hour x = hour_of(h, h % 60 + 1);
        assert_int_equal(uptime_hour_save(&f, h & 1, &x), 0);
    }
    again();
    struct seen all = between(0, UINT32_MAX);
    assert_int_equal(all.n, UPTIME_KEPT_H);
    assert_int_equal(all.first, 1010);
    assert_int_equal(between(1020, 1029).n, 10);
    assert_int_equal(uptime_hour_load(&f, 0, 1500, &back), 0);
    assert_int_equal(back.probes, 1500 % 60 + 1);
    assert_int_equal(uptime_hour_load(&f, 0, 1501, &back), ERR_NOTFOUND);
    assert_int_equal(uptime_hour_load(&f, 0, 1000, &back), ERR_NOTFOUND);
}

static void a_file_never_grows_beyond_its_size(void **state)
{
    struct stat st;
    (void)state;
    for (unsigned e = 0; e < UPTIME_ENDPOINTS; e++)
        for (uint32_t h = 0; h < 3 * UPTIME_KEPT_H; h += 7) {
            struct uptime_hour x = hour_of(h, 60);
            assert_int_equal(uptime_hour_save(&f, e, &x), 0);
        }
    for (uint64_t n = 1; n < 2000; n++) {
        struct uptime_incident i = { .seq = n, .start_ms = 1, .cause = 3 };
        assert_int_equal(uptime_incident_save(&f, &i), 0);
    }
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= 750 * 1024);
}

static void incidents_and_states_come_back(void **state)
{
    struct uptime_incident list[UPTIME_INCIDENTS];
    struct uptime_state states[UPTIME_STATES];
    const struct uptime_state s = {
        .key = 7, .status = 3, .cause = 2, .since_ms = 55, .incident = 300
    };
    (void)state;
    for (uint64_t n = 1; n <= 300; n++) {
        struct uptime_incident i = { .seq = n,
                                     .start_ms = (int64_t)n * 1000,
                                     .end_ms =
                                         n < 300 ? (int64_t)n * 1000 + 500 : 0,
                                     .code = 503,
                                     .cause = 8,
                                     .url = "https://origin.test/health" };
        assert_int_equal(uptime_incident_save(&f, &i), 0);
    }
    assert_int_equal(uptime_state_save(&f, 35, &s), 0);
    again();
    assert_int_equal(uptime_incidents_last(&f), 300);
    /* an open one touches all that comes after its start */
    assert_int_equal(uptime_incidents_load(&f, 290000, 290400, list), 1);
    assert_int_equal(list[0].seq, 290);
    assert_string_equal(list[0].url, "https://origin.test/health");
    assert_int_equal(uptime_incidents_load(&f, 900000, 900001, list), 1);
    assert_int_equal(list[0].end_ms, 0);
    assert_int_equal(uptime_incidents_load(&f, 0, INT64_MAX, list),
                     UPTIME_INCIDENTS);
    uptime_states_load(&f, states);
    assert_memory_equal(&states[35], &s, sizeof s);
    assert_int_equal(states[0].key, 0);
}

static void what_is_damaged_is_left_out_and_the_rest_is_read(void **state)
{
    (void)state;
    for (uint32_t h = 10; h < 20; h++) {
        struct uptime_hour x = hour_of(h, 5);
        uptime_hour_save(&f, 0, &x);
    }
    for (off_t at = 53248 + 12 * 192; at < 53248 + 13 * 192; at++) {
        char was, is;
        assert_int_equal(pread(f.fd, &was, 1, at), 1);
        is = (char)(was ^ 0x10);
        assert_int_equal(pwrite(f.fd, &is, 1, at), 1);
        struct seen s = between(0, 100);
        assert_true(s.n == 9 || s.n == 10); /* behind its end it is no harm */
        assert_true(s.probes == s.n * 5);
        if (at < 53248 + 12 * 192 + 40) assert_int_equal(s.n, 9);
        assert_int_equal(pwrite(f.fd, &was, 1, at), 1);
    }
    /* a slot in another's place is no slot */
    char slot[192];
    assert_int_equal(pread(f.fd, slot, sizeof slot, 53248 + 15 * 192),
                     sizeof slot);
    assert_int_equal(pwrite(f.fd, slot, sizeof slot, 53248 + 30 * 192),
                     sizeof slot);
    assert_int_equal(between(0, 100).n, 10);
}

static void other_files_and_newer_ones_are_left_alone(void **state)
{
    struct uptime_file other;
    uint32_t version = 2, crc;
    char head[16];
    (void)state;
    assert_int_equal(
        uptime_file_open(&other, dir, SV("app_nobody"), UPTIME_READ),
        ERR_NOTFOUND);
    assert_int_equal(
        uptime_file_open(&other, dir, SV("app_nobody"), UPTIME_WRITE),
        ERR_NOTFOUND);
    assert_int_equal(pread(f.fd, head, sizeof head, 0), sizeof head);
    memcpy(head + 8, &version, 4);
    assert_int_equal(pwrite(f.fd, head, sizeof head, 0), sizeof head);
    assert_int_equal(uptime_file_open(&other, dir, NAME, UPTIME_CREATE),
                     ERR_CORRUPT);
    crc = crc32c(0, head, 12);
    memcpy(head + 12, &crc, 4);
    assert_int_equal(pwrite(f.fd, head, sizeof head, 0), sizeof head);
    assert_int_equal(uptime_file_open(&other, dir, NAME, UPTIME_CREATE),
                     ERR_VERSION);
    assert_int_equal(ftruncate(f.fd, 5), 0);
    assert_int_equal(uptime_file_open(&other, dir, NAME, UPTIME_CREATE),
                     ERR_CORRUPT);
}

/* Offsets and bytes, as a program wrote them before hours had `degraded`. */
static void lay_out(const char *vector)
{
    char line[512];
    long at;
    int used;
    FILE *from = fopen(vector, "r");
    assert_non_null(from);
    assert_int_equal(ftruncate(f.fd, 0), 0);
    while (fgets(line, sizeof line, from)) {
        if (line[0] == '#' || sscanf(line, "%ld %n", &at, &used) != 1) continue;
        unsigned byte;
        for (const char *p = line + used; sscanf(p, "%2x", &byte) == 1;
             p += 2) {
            char c = (char)byte;
            assert_int_equal(pwrite(f.fd, &c, 1, at++), 1);
        }
    }
    fclose(from);
}

static void a_file_of_an_older_format_is_read_and_written_on(void **state)
{
    struct uptime_hour h;
    (void)state;
    lay_out(TEST_SOURCE_ROOT "/tests/vectors/uptime-file-hours-1.txt");
    again();
    assert_int_equal(uptime_hour_load(&f, 0, 482000, &h), 0);
    assert_int_equal(h.probes, 60);
    assert_int_equal(h.failures, 2);
    assert_int_equal(h.answers, 59);
    assert_int_equal(h.min_us, 900);
    assert_int_equal(h.max_us, 250000);
    assert_int_equal(h.phase_sum_us[UPTIME_FIRST_BYTE], 90000);
    assert_int_equal(h.codes[1].code, 503);
    assert_int_equal(h.degraded, 0);
    assert_int_equal(h.maintained, 0);
    /* the hour that was under way when the program was replaced goes on */
    assert_int_equal(uptime_hour_load(&f, 0, 482001, &h), 0);
    uptime_add(&h, &(struct uptime_probe){
                       .code = 200, .total_us = 1000, .degraded = true });
    uptime_add(&h, &(struct uptime_probe){ .maintained = true });
    assert_int_equal(uptime_hour_save(&f, 0, &h), 0);
    again();
    assert_int_equal(uptime_hour_load(&f, 0, 482001, &h), 0);
    assert_int_equal(h.probes, 61);
    assert_int_equal(h.degraded, 1);
    assert_int_equal(h.maintained, 1);
    assert_int_equal(between(482000, 482001).probes, 121);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(hours_come_back_and_the_oldest_make_room),
        T(a_file_never_grows_beyond_its_size),
        T(incidents_and_states_come_back),
        T(what_is_damaged_is_left_out_and_the_rest_is_read),
        T(other_files_and_newer_ones_are_left_alone),
        T(a_file_of_an_older_format_is_read_and_written_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
