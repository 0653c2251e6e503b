/* A segment cut at any byte, or with any bit turned over, is never read wrong:
 * what is read are the first of its records, as they were written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "base/err.h"
#include "base/mem.h"
#include "incident_fixture.h"
#include "journal/segment.h"

enum { RECORDS = 6 };

static char file[64 << 10];
static size_t file_n, ends[RECORDS + 1];

static struct incident record_of(uint32_t n)
{
    return n % 2 ? incident_finding_usual(n + 1) : incident_usual(n + 1);
}

static int setup(void **state)
{
    (void)state;
    struct segment s = { .seq = 3, .seed = 0x5eed, .first = ulid_of(1) };
    segment_header_encode(&s, file);
    file_n = SEGMENT_HEADER;
    ends[0] = file_n;
    for (uint32_t n = 0; n < RECORDS; n++) {
        struct incident i = record_of(n);
        incident_encode(&i, file + file_n + SEGMENT_FRAME);
        segment_frame(&s, file + file_n, (uint32_t)incident_size(&i));
        file_n += SEGMENT_FRAME + incident_size(&i);
        ends[n + 1] = file_n;
    }
    return 0;
}

/* How many records are read, all of them right; the reader sees memory that
 * ends where the bytes do. */
static uint32_t readable(const char *bytes, size_t n)
{
    char *copy = mem_alloc(n + 1);
    struct segment s;
    struct incident i;
    uint32_t size, found = 0;
    memcpy(copy, bytes, n);
    struct sv rest = sv_of(copy, n);
    if (segment_header_decode(rest, &s) == 0) {
        rest = sv_from(rest, SEGMENT_HEADER);
        while (segment_record(&s, rest, &i, &size) == 0) {
            struct incident want = record_of(found);
            assert_true(incident_eq(&want, &i));
            rest = sv_from(rest, size);
            found++;
        }
    }
    mem_free(copy);
    return found;
}

static void a_whole_segment_is_read_to_its_end(void **state)
{
    (void)state;
    assert_int_equal(readable(file, file_n), RECORDS);
}

static void cut_at_any_byte_its_whole_records_are_read(void **state)
{
    (void)state;
    for (size_t n = 0; n < file_n; n++) {
        uint32_t whole = 0;
        while (whole < RECORDS && ends[whole + 1] <= n) whole++;
        assert_int_equal(readable(file, n), n < SEGMENT_HEADER ? 0 : whole);
    }
}

static void with_any_bit_turned_over_nothing_wrong_is_read(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < file_n * 8; bit++) {
        file[bit / 8] ^= (char)(1 << bit % 8);
        uint32_t before = 0;
        while (before < RECORDS && ends[before + 1] <= bit / 8) before++;
        uint32_t want = bit / 8 < SEGMENT_HEADER ? 0 : before;
        assert_int_equal(readable(file, file_n), want);
        file[bit / 8] ^= (char)(1 << bit % 8);
    }
}

static void a_record_of_another_segment_is_none(void **state)
{
    (void)state;
    struct segment s;
    struct incident i;
    uint32_t size;
    assert_int_equal(segment_header_decode(sv_of(file, file_n), &s), 0);
    struct sv rest = sv_from(sv_of(file, file_n), SEGMENT_HEADER);
    assert_int_equal(segment_record(&s, rest, &i, &size), 0);
    s.seed++;
    assert_int_equal(segment_record(&s, rest, &i, &size), ERR_CORRUPT);
}

static int written(void)
{
    char path[] = "/tmp/typeauth-unit-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, file, file_n), file_n);
    return fd;
}

static void an_index_knows_accounts_times_and_damage(void **state)
{
    (void)state;
    struct segment s;
    int fd = written();
    assert_int_equal(segment_header_decode(sv_of(file, file_n), &s), 0);
    assert_int_equal(segment_index(&s, fd), 0);
    assert_true(s.indexed);
    assert_false(s.damaged);
    assert_int_equal(s.bytes, file_n);
    assert_int_equal(s.blocks_n, 1);
    assert_int_equal(s.blocks[0].at, SEGMENT_HEADER);
    assert_int_equal(s.blocks[0].bytes, file_n - SEGMENT_HEADER);
    assert_int_equal(s.blocks[0].min_ms, record_of(0).at_ms);
    assert_int_equal(s.blocks[0].max_ms, record_of(RECORDS - 1).at_ms);
    struct incident any = record_of(0);
    assert_int_equal(s.blocks[0].accounts, segment_account_bit(&any.account));
    segment_fini(&s);
    assert_int_equal(ftruncate(fd, (off_t)file_n - 1), 0);
    assert_int_equal(segment_header_decode(sv_of(file, file_n), &s), 0);
    assert_int_equal(segment_index(&s, fd), 0);
    assert_true(s.damaged);
    assert_int_equal(s.bytes, ends[RECORDS - 1]);
    segment_fini(&s);
    close(fd);
}

static void ids_that_do_not_rise_end_an_index(void **state)
{
    (void)state;
    struct segment s;
    struct incident i = record_of(0);
    int fd;
    assert_int_equal(segment_header_decode(sv_of(file, file_n), &s), 0);
    i.id = ulid_of(RECORDS);
    incident_encode(&i, file + file_n + SEGMENT_FRAME);
    segment_frame(&s, file + file_n, (uint32_t)incident_size(&i));
    file_n += SEGMENT_FRAME + incident_size(&i);
    fd = written();
    assert_int_equal(segment_index(&s, fd), 0);
    assert_true(s.damaged);
    assert_int_equal(s.bytes, ends[RECORDS]);
    segment_fini(&s);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_whole_segment_is_read_to_its_end, setup),
        cmocka_unit_test_setup(cut_at_any_byte_its_whole_records_are_read,
                               setup),
        cmocka_unit_test_setup(with_any_bit_turned_over_nothing_wrong_is_read,
                               setup),
        cmocka_unit_test_setup(a_record_of_another_segment_is_none, setup),
        cmocka_unit_test_setup(an_index_knows_accounts_times_and_damage, setup),
        cmocka_unit_test_setup(ids_that_do_not_rise_end_an_index, setup),
    };
    return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
