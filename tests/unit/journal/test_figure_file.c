/* Files of rows: every form is read as it was written, earlier versions too,
 * and of damaged ones only what is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "journal/figure_file.h"

enum { APP = 11, START = 1764288000 /* a day's */ };
static char path[64];

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/typeauth-figures-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_rows(unsigned n)
{
    struct figure_writer *w;
    struct figure_row r = { .pairs_n = 1 };
    uint64_t bytes;
    assert_int_equal(
        figure_writer_new(&w, path, (struct figure_span){ 60, 0, 0 }), 0);
    for (unsigned i = 0; i < n; i++) {
        r.key = (struct figure_key){ { APP, FIGURE_TOKEN, 1, i, 5 } };
        r.sum[FIGURE_REQUESTS] = i + 1;
        r.pairs[0] = (struct figure_pair){ i % SKETCH_BUCKETS, i + 1 };
        figure_writer_put(w, &r);
    }
    assert_int_equal(figure_writer_close(w, false), 0);
    assert_int_equal(figure_writer_end(&w, &bytes), 0);
}

/* Reads all rows; every row that is told is one that was written. */
static unsigned read_rows(int fd)
{
    struct figure_file file;
    struct figure_cursor *c = mem_zalloc(sizeof *c);
    static const struct figure_key first = { { 0 } };
    unsigned n = 0;
    int err = figure_file_open(&file, fd);
    if (!err) err = figure_cursor_seek(c, &file, &first);
    for (; !err; err = figure_cursor_next(c), n++) {
        assert_int_equal(c->row.sum[FIGURE_REQUESTS], c->row.key.w[3] + 1);
        assert_int_equal(c->row.pairs[0].n, c->row.key.w[3] + 1);
    }
    mem_free(c);
    return n;
}

static void a_file_that_is_cut_or_flipped_tells_only_what_is_right(void **state)
{
    (void)state;
    enum { ROWS = 1500 };
    write_rows(ROWS);
    int fd = open(path, O_RDWR);
    off_t bytes = lseek(fd, 0, SEEK_END);
    assert_int_equal(read_rows(fd), ROWS);
    for (off_t at = 0; at < bytes;
         at += at < 200 || at > bytes - 200 ? 1 : 97) {
        char was, is;
        assert_int_equal(pread(fd, &was, 1, at), 1);
        is = (char)(was ^ (1 << at % 8));
        assert_int_equal(pwrite(fd, &is, 1, at), 1);
        assert_true(read_rows(fd) <= ROWS);
        assert_int_equal(pwrite(fd, &was, 1, at), 1);
    }
    assert_int_equal(read_rows(fd), ROWS);
    for (off_t at = bytes - 1; at >= 0; at -= 211) {
        assert_int_equal(ftruncate(fd, at), 0);
        assert_int_equal(read_rows(fd), 0);
    }
    close(fd);
}

/* Of every form there is, over many blocks. */
static void rows_of_any_form_and_piece_are_read_as_written(void **state)
{
    (void)state;
    enum { KEYS = 400 };
    struct figure_writer *w;
    struct figure_file file;
    struct figure_row r = { .pairs_n = 0 };
    struct figure_cursor *c = mem_zalloc(sizeof *c);
    uint64_t bytes;
    const struct figure_span day = { START, 2, FIGURE_PIECES };
    assert_int_equal(figure_writer_new(&w, path, day), 0);
    for (unsigned i = 0; i < KEYS; i++)
        for (unsigned piece = 0; piece <= FIGURE_PIECES; piece++) {
            r.key = (struct figure_key){ { APP, FIGURE_TOKEN, 1, i, 5 } };
            r.piece = (uint8_t)piece;
            r.sum[FIGURE_REQUESTS] = 3;
            r.sum[FIGURE_COST] = i % 3 ? 3 : 7; /* odd */
            r.text = i % 5 ? SV("") : SV("name");
            r.pairs_n = i % 4;
            for (unsigned k = 0; k < r.pairs_n; k++)
                r.pairs[k] = (struct figure_pair){ piece + 100 * k,
                                                   r.pairs_n == 1 ? 3 : 1 };
            figure_writer_put(w, &r);
        }
    assert_int_equal(figure_writer_close(w, false), 0);
    assert_int_equal(figure_writer_end(&w, &bytes), 0);
    int fd = open(path, O_RDONLY);
    assert_int_equal(figure_file_open(&file, fd), 0);
    assert_int_equal(file.span.pieces, FIGURE_PIECES);
    assert_true(file.blocks > 5);
    for (unsigned i = 0; i < KEYS; i++) {
        const struct figure_key key = { { APP, FIGURE_TOKEN, 1, i, 5 } };
        int err = figure_cursor_seek(c, &file, &key);
        for (unsigned piece = 0; piece <= FIGURE_PIECES; piece++) {
            assert_int_equal(err, 0);
            assert_int_equal(figure_key_cmp(&c->row.key, &key), 0);
            assert_int_equal(c->row.piece, piece);
            assert_int_equal(c->row.sum[FIGURE_REQUESTS], 3);
            assert_int_equal(c->row.sum[FIGURE_COST], i % 3 ? 3 : 7);
            assert_int_equal(c->row.text.n, i % 5 ? 0 : 4);
            assert_int_equal(c->row.pairs_n, i % 4);
            for (unsigned k = 0; k < i % 4; k++) {
                assert_int_equal(c->row.pairs[k].bucket, piece + 100 * k);
                assert_int_equal(c->row.pairs[k].n, i % 4 == 1 ? 3 : 1);
            }
            err = figure_cursor_next(c);
        }
    }
    close(fd);
    mem_free(c);
}

/* A file as version 1 wrote it: three sums, no cost. */
static void a_file_of_the_first_version_is_read(void **state)
{
    (void)state;
    struct figure_file file;
    struct figure_cursor *c = mem_zalloc(sizeof *c);
    const struct figure_key key = { { APP, FIGURE_TOKEN, 1, 2, 3 } };
    int fd =
        open(TEST_SOURCE_ROOT "/tests/vectors/figures-v1.detail", O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(figure_file_open(&file, fd), 0);
    assert_int_equal(file.version, 1);
    assert_int_equal(figure_cursor_seek(c, &file, &key), 0);
    assert_int_equal(figure_key_cmp(&c->row.key, &key), 0);
    assert_int_equal(c->row.sum[FIGURE_REQUESTS], 300);
    assert_int_equal(c->row.sum[FIGURE_BYTES_IN], 7);
    assert_int_equal(c->row.sum[FIGURE_BYTES_OUT], 70000);
    assert_int_equal(c->row.sum[FIGURE_COST], 0);
    assert_int_equal(c->row.pairs_n, 1);
    assert_int_equal(figure_cursor_next(c), ERR_NOTFOUND);
    close(fd);
    mem_free(c);
}

/* As version 2 wrote it: all sums, times and texts with their numbers. */
static void a_file_of_the_second_version_is_read(void **state)
{
    (void)state;
    struct figure_file file;
    struct figure_cursor *c = mem_zalloc(sizeof *c);
    const struct figure_key key = { { APP, FIGURE_TOKEN, 1, 2, 0 } };
    int fd =
        open(TEST_SOURCE_ROOT "/tests/vectors/figures-v2.detail", O_RDONLY);
    assert_int_equal(figure_file_open(&file, fd), 0);
    assert_int_equal(file.version, 2);
    assert_int_equal(file.span.pieces, 0);
    assert_int_equal(figure_cursor_seek(c, &file, &key), 0);
    assert_int_equal(c->row.key.w[4], figure_word(FIGURE_FACT, 3));
    assert_int_equal(c->row.piece, 0);
    assert_int_equal(c->row.sum[FIGURE_REQUESTS], 300);
    assert_int_equal(c->row.sum[FIGURE_BYTES_IN], 7);
    assert_int_equal(c->row.sum[FIGURE_BYTES_OUT], 70000);
    assert_int_equal(c->row.sum[FIGURE_COST], 900);
    assert_int_equal(c->row.pairs_n, 2);
    assert_int_equal(c->row.pairs[0].bucket, 20);
    assert_int_equal(c->row.pairs[0].n, 100);
    assert_int_equal(c->row.pairs[1].bucket, 150);
    assert_int_equal(c->row.pairs[1].n, 200);
    assert_int_equal(figure_cursor_next(c), 0);
    assert_int_equal(c->row.key.w[1], FIGURE_OWNER);
    assert_true(sv_eq(c->row.text, SV("customer-5")));
    assert_int_equal(figure_cursor_next(c), ERR_NOTFOUND);
    close(fd);
    mem_free(c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_file_that_is_cut_or_flipped_tells_only_what_is_right),
        T(rows_of_any_form_and_piece_are_read_as_written),
        T(a_file_of_the_first_version_is_read),
        T(a_file_of_the_second_version_is_read),
    };
    return cmocka_run_group_tests_name("journal/figure_file", tests, NULL,
                                       NULL);
}
