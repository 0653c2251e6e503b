/* A file of figures: rows in the order of their keys, written once, never
 * changed, removed whole.
 *
 *   header | block | block | … | index | footer
 *   block   u32 length, u32 CRC-32C of (its place, rows) | rows
 *   index   an entry a block: first key, place, CRC-32C of these
 *
 * The header says the version and how many sums a row has: a later version
 * adds sums at their end, and earlier files, which lack them, stay readable.
 *
 *   version 1: requests, bytes in, bytes out
 *   version 2: and cost
 *   version 3: rows are shorter; a day's details are by its hours
 *
 * What is damaged is passed over, a block at a time, and remembered. Reading
 * believes nothing: any bytes may lie there. */
#ifndef JOURNAL_FIGURE_FILE_H
#define JOURNAL_FIGURE_FILE_H

#include "journal/figure.h"

enum {
    FIGURE_HEADER = 40,
    FIGURE_FOOTER = 40,
    FIGURE_ENTRY = FIGURE_KEY_BYTES + 8 + 4,
    FIGURE_BLOCK = 8 << 10, /* a block ends with the row that reaches it */
    FIGURE_BLOCK_MAX = FIGURE_BLOCK + FIGURE_ROW_MAX,
};

struct figure_span { /* of the rows: level 0 minute, 1 hour, 2 day */
    int64_t start_s;
    uint8_t level;
    uint8_t pieces;          /* FIGURE_PIECES: rows may be of a day's hours */
};

/* --- writing: one thread -------------------------------------------------- */
struct figure_writer;
/* To path.tmp, renamed when it is whole. ERR_IO, ERR_FULL. */
int figure_writer_new(struct figure_writer **out, const char *path,
                      struct figure_span span);
/* Keys rise. Failures are told by the end; the rest may be spared then. */
void figure_writer_put(struct figure_writer *w, const struct figure_row *r);
bool figure_writer_failed(const struct figure_writer *w);
/* The last row has come: all is written under the passing name; `lasting`: and
 * on the disk. ERR_FULL, ERR_IO, ERR_TOOBIG: only abandon it. */
int figure_writer_close(struct figure_writer *w, bool lasting);
/* Renames what was closed. Without a row no file is made, an old one of that
 * name goes. Frees; *bytes_out is the file's length. */
int figure_writer_end(struct figure_writer **w, uint64_t *bytes_out);
void figure_writer_abandon(struct figure_writer **w);

/* --- reading -------------------------------------------------------------- */
struct figure_file {
    int fd;                  /* the caller's */
    struct figure_span span;
    unsigned version, sums;
    uint64_t index_at;
    uint32_t blocks;
};
/* ERR_CORRUPT: no such file; ERR_VERSION: a later one; ERR_IO. */
int figure_file_open(struct figure_file *out, int fd);

/* A walk over the rows. Zero it, then seek. */
struct figure_cursor {
    const struct figure_file *file;
    uint32_t block;          /* the next */
    uint32_t damaged;        /* blocks passed over */
    struct sv rest;
    struct figure_mark before;
    struct figure_row row;   /* the present one */
    char memory[FIGURE_BLOCK_MAX];
};
/* To the first row at or behind the key; as figure_cursor_next. */
int figure_cursor_seek(struct figure_cursor *c, const struct figure_file *f,
                       const struct figure_key *key);
/* 0: c->row is the next; ERR_NOTFOUND: there is none; ERR_IO. */
int figure_cursor_next(struct figure_cursor *c);

#endif
