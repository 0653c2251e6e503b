/* A file of figures: no bytes break its reader, keys rise, and what is read can
 * be written and read again. Sums are put right where an odd last byte says
 * so, so that damage gets through to the decoder. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "journal/figure_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One block over all of the bytes: header, block, index, footer as they must
 * be, rows as they come. */
static int file_of(const uint8_t *data, size_t size, bool right)
{
    int fd = memfd_create("figures", 0);
    ENSURE(fd >= 0);
    if (!right) {
        ENSURE(write(fd, data, size) == (ssize_t)size);
        return fd;
    }
    struct figure_writer *w;
    struct figure_row row = { .key = { { 1, 1, 0, 0, 1 } } };
    char path[64];
    uint64_t bytes;
    snprintf(path, sizeof path, "/tmp/typeauth-fuzz-figures-%d", getpid());
    ENSURE(figure_writer_new(&w, path, (struct figure_span){ 0, 0, 0 }) == 0);
    figure_writer_put(w, &row);
    ENSURE(figure_writer_close(w, false) == 0);
    ENSURE(figure_writer_end(&w, &bytes) == 0);
    FILE *f = fopen(path, "r");
    static char whole[4096];
    ENSURE(f && fread(whole, 1, sizeof whole, f) == bytes);
    fclose(f);
    unlink(path);
    ENSURE(write(fd, whole, FIGURE_HEADER) == FIGURE_HEADER);
    uint64_t at = FIGURE_HEADER;
    uint32_t frame[2] = { (uint32_t)size,
                          crc32c(crc32c(0, &at, sizeof at), data, size) };
    ENSURE(write(fd, frame, sizeof frame) == sizeof frame);
    ENSURE(write(fd, data, size) == (ssize_t)size);
    char *entry = whole + bytes - FIGURE_FOOTER - FIGURE_ENTRY;
    ENSURE(write(fd, entry, FIGURE_ENTRY) == FIGURE_ENTRY);
    char *footer = whole + bytes - FIGURE_FOOTER;
    at += sizeof frame + size;
    memcpy(footer, &at, sizeof at);
    uint32_t crc = crc32c(0, footer, FIGURE_FOOTER - 4);
    memcpy(footer + FIGURE_FOOTER - 4, &crc, sizeof crc);
    ENSURE(write(fd, footer, FIGURE_FOOTER) == FIGURE_FOOTER);
    return fd;
}

static void check_row(const struct figure_row *r)
{
    static const struct figure_mark none = { .piece = 0 };
    static struct figure_row again;
    struct buf out;
    buf_init(&out, FIGURE_ROW_MAX);
    figure_row_encode(r, &none, &out);
    struct sv rest = buf_sv(&out);
    ENSURE(!out.overflow);
    ENSURE(figure_row_decode(&rest, &none, FIGURE_VERSION, FIGURE_SUMS,
                             &again) == 0 &&
           !rest.n && again.piece == r->piece);
    ENSURE(figure_key_cmp(&again.key, &r->key) == 0);
    ENSURE(again.pairs_n == r->pairs_n && sv_eq(again.text, r->text));
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct figure_cursor c;
    static const struct figure_key first = { { 0 } };
    struct figure_file file;
    struct figure_mark last = { .piece = 0 };
    if (size > FIGURE_BLOCK_MAX) return 0;
    int fd = file_of(data, size, size && data[size - 1] & 1);
    int err = figure_file_open(&file, fd);
    if (!err) err = figure_cursor_seek(&c, &file, &first);
    for (int n = 0; !err && n < 100000; err = figure_cursor_next(&c), n++) {
        /* rows of one block rise; blocks may lie anyhow */
        const struct figure_mark now = figure_mark_of(&c.row);
        if (figure_mark_cmp(&now, &last) <= 0) ENSURE(file.blocks > 1);
        last = now;
        check_row(&c.row);
    }
    close(fd);
    return 0;
}
