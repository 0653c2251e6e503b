/* Files of figures: see figure_file.h. */
#include "journal/figure_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    FRAME = 8,
    WRITE_BYTES = 64 << 10,
    INDEX_MAX = 256 << 20,
    SUMS_MAX = 16, /* of files of later versions that we would still read */
};
static const char MAGIC[8] = "TAFIGURE";

struct header {
    char magic[8];
    uint16_t version;
    uint8_t level, sums;
    uint8_t pieces, spare[3];
    int64_t start_s;
    uint64_t spare2;
    uint32_t spare3, crc;
};
struct footer {
    uint64_t index_at, rows;
    uint32_t blocks, spare;
    char magic[8];
    uint32_t spare2, crc;
};
struct entry {
    uint64_t key[5], at; /* little endian words: compared as numbers */
    uint32_t crc;
} __attribute__((packed));
_Static_assert(sizeof(struct header) == FIGURE_HEADER, "as on the disk");
_Static_assert(sizeof(struct footer) == FIGURE_FOOTER, "as on the disk");
_Static_assert(sizeof(struct entry) == FIGURE_ENTRY, "as on the disk");

/* --- writing -------------------------------------------------------------- */

struct figure_writer {
    char *path, *tmp;
    int fd, err;
    struct buf block, out, index;
    struct figure_mark first, last; /* of the block */
    uint64_t at, rows;              /* at: of what comes next in the file */
    uint32_t blocks;
};

static void flush(struct figure_writer *w)
{
    struct sv rest = buf_sv(&w->out);
    while (rest.n && !w->err) {
        ssize_t n = write(w->fd, rest.p, rest.n);
        if (n < 0 && errno != EINTR) w->err = err_from_errno(errno);
        if (n > 0) rest = sv_from(rest, (size_t)n);
    }
    buf_clear(&w->out);
}

static void put_bytes(struct figure_writer *w, const void *p, size_t n)
{
    buf_put(&w->out, sv_of(p, n));
    w->at += n;
    if (w->out.n >= WRITE_BYTES) flush(w);
}

static uint32_t block_crc(uint64_t at, struct sv rows)
{
    return crc32c(crc32c(0, &at, sizeof at), rows.p, rows.n);
}

static void end_block(struct figure_writer *w)
{
    struct sv rows = buf_sv(&w->block);
    if (!rows.n) return;
    uint32_t frame[2] = { (uint32_t)rows.n, block_crc(w->at, rows) };
    struct entry e = { .at = w->at };
    memcpy(e.key, w->first.key.w, sizeof e.key);
    e.crc = crc32c(0, &e, offsetof(struct entry, crc));
    buf_put(&w->index, sv_of((const char *)&e, sizeof e));
    put_bytes(w, frame, sizeof frame);
    put_bytes(w, rows.p, rows.n);
    w->blocks++;
    buf_clear(&w->block);
}

int figure_writer_new(struct figure_writer **out, const char *path,
                      struct figure_span span)
{
    struct figure_writer *w = NEW(struct figure_writer);
    size_t n = strlen(path);
    w->path = mem_strdup(path);
    w->tmp = mem_alloc(n + 5);
    memcpy(w->tmp, path, n);
    memcpy(w->tmp + n, ".tmp", 5);
    w->fd = open(w->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err = w->fd < 0 ? err_from_errno(errno) : 0;
    buf_init(&w->block, 2 * FIGURE_BLOCK_MAX);
    buf_init(&w->out, WRITE_BYTES + FIGURE_BLOCK_MAX + FRAME);
    buf_init(&w->index, INDEX_MAX);
    struct header h = { .version = FIGURE_VERSION,
                        .level = span.level,
                        .sums = FIGURE_SUMS,
                        .pieces = span.pieces,
                        .start_s = span.start_s };
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    h.crc = crc32c(0, &h, offsetof(struct header, crc));
    put_bytes(w, &h, sizeof h);
    if (err) {
        figure_writer_abandon(&w);
        return err;
    }
    *out = w;
    return 0;
}

void figure_writer_put(struct figure_writer *w, const struct figure_row *r)
{
    if (w->block.n == 0) {
        w->first = figure_mark_of(r);
        w->last = (struct figure_mark){ .piece = 0 };
    }
    figure_row_encode(r, &w->last, &w->block);
    w->last = figure_mark_of(r);
    w->rows++;
    if (w->block.n >= FIGURE_BLOCK) end_block(w);
}

static void writer_free(struct figure_writer *w)
{
    if (w->fd >= 0) close(w->fd);
    buf_fini(&w->block);
    buf_fini(&w->out);
    buf_fini(&w->index);
    mem_free(w->path);
    mem_free(w->tmp);
    mem_free(w);
}

void figure_writer_abandon(struct figure_writer **at)
{
    struct figure_writer *w = *at;
    if (!w) return;
    unlink(w->tmp);
    writer_free(w);
    *at = NULL;
}

static void put_end(struct figure_writer *w)
{
    end_block(w);
    struct footer f = { .index_at = w->at,
                        .rows = w->rows,
                        .blocks = w->blocks };
    memcpy(f.magic, MAGIC, sizeof MAGIC);
    f.crc = crc32c(0, &f, offsetof(struct footer, crc));
    flush(w);
    w->out.n = 0;
    struct sv index = buf_sv(&w->index);
    for (size_t n; index.n; index = sv_from(index, n)) {
        n = index.n < WRITE_BYTES ? index.n : WRITE_BYTES;
        put_bytes(w, index.p, n);
    }
    put_bytes(w, &f, sizeof f);
    flush(w);
}

bool figure_writer_failed(const struct figure_writer *w)
{
    return w->err || w->index.overflow || w->block.overflow;
}

int figure_writer_close(struct figure_writer *w, bool lasting)
{
    put_end(w);
    int err = w->index.overflow || w->block.overflow ? ERR_TOOBIG : w->err;
    if (!err && lasting && fdatasync(w->fd)) err = err_from_errno(errno);
    return err;
}

int figure_writer_end(struct figure_writer **at, uint64_t *bytes_out)
{
    struct figure_writer *w = *at;
    int err = 0;
    *at = NULL;
    *bytes_out = 0;
    if (w->rows && rename(w->tmp, w->path)) err = err_from_errno(errno);
    if (!err && !w->rows) unlink(w->path);
    if (err || !w->rows) unlink(w->tmp);
    if (!err && w->rows) *bytes_out = w->at;
    writer_free(w);
    return err;
}

/* --- reading -------------------------------------------------------------- */

/* Exactly n bytes: ERR_CORRUPT if there are fewer. */
static int read_at(int fd, void *out, size_t n, uint64_t at)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got =
            pread(fd, (char *)out + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_from_errno(errno);
        if (got == 0) return ERR_CORRUPT;
        done += (size_t)got;
    }
    return 0;
}

static int header_read(struct figure_file *out, int fd)
{
    struct header h;
    int err = read_at(fd, &h, sizeof h, 0);
    if (err) return err;
    if (memcmp(h.magic, MAGIC, sizeof MAGIC) != 0 ||
        h.crc != crc32c(0, &h, offsetof(struct header, crc)))
        return ERR_CORRUPT;
    if (h.version > FIGURE_VERSION) return ERR_VERSION;
    if (!h.version || !h.sums || h.sums > SUMS_MAX || h.level > 2 ||
        h.start_s < 0 || h.pieces > FIGURE_PIECES)
        return ERR_CORRUPT;
    *out = (struct figure_file){ .fd = fd,
                                 .span = { h.start_s, h.level, h.pieces },
                                 .version = h.version,
                                 .sums = h.sums };
    return 0;
}

int figure_file_open(struct figure_file *out, int fd)
{
    struct stat st;
    struct footer f;
    int err = header_read(out, fd);
    if (err) return err;
    if (fstat(fd, &st)) return err_from_errno(errno);
    uint64_t bytes = (uint64_t)st.st_size;
    if (bytes < FIGURE_HEADER + FIGURE_FOOTER) return ERR_CORRUPT;
    err = read_at(fd, &f, sizeof f, bytes - FIGURE_FOOTER);
    if (err) return err;
    if (memcmp(f.magic, MAGIC, sizeof MAGIC) != 0 ||
        f.crc != crc32c(0, &f, offsetof(struct footer, crc)) ||
        f.index_at < FIGURE_HEADER || f.index_at > bytes ||
        bytes - f.index_at != (uint64_t)f.blocks * FIGURE_ENTRY + FIGURE_FOOTER)
        return ERR_CORRUPT;
    out->index_at = f.index_at;
    out->blocks = f.blocks;
    return 0;
}

static int entry_read(const struct figure_file *f, uint32_t i, struct entry *e)
{
    int err =
        read_at(f->fd, e, sizeof *e, f->index_at + (uint64_t)i * FIGURE_ENTRY);
    if (err) return err;
    return e->crc == crc32c(0, e, offsetof(struct entry, crc)) ? 0
                                                               : ERR_CORRUPT;
}

static int block_read(struct figure_cursor *c, uint32_t i)
{
    const struct figure_file *f = c->file;
    struct entry e;
    uint32_t frame[2];
    int err = entry_read(f, i, &e);
    if (!err && (e.at < FIGURE_HEADER || e.at >= f->index_at))
        err = ERR_CORRUPT;
    if (!err) err = read_at(f->fd, frame, sizeof frame, e.at);
    if (err) return err;
    if (!frame[0] || frame[0] > FIGURE_BLOCK_MAX) return ERR_CORRUPT;
    err = read_at(f->fd, c->memory, frame[0], e.at + FRAME);
    if (err) return err;
    struct sv rows = sv_of(c->memory, frame[0]);
    if (frame[1] != block_crc(e.at, rows)) return ERR_CORRUPT;
    c->rest = rows;
    c->before = (struct figure_mark){ .piece = 0 };
    return 0;
}

/* The block in which a key, or the first of its pieces, would lie: the last
 * whose first key is before it. A damaged entry sends the search to the left:
 * too early is only slow. */
static uint32_t block_of(const struct figure_file *f,
                         const struct figure_key *key)
{
    uint32_t from = 0, to = f->blocks;
    while (to - from > 1) {
        struct entry e;
        struct figure_key first;
        uint32_t middle = from + (to - from) / 2;
        bool behind = entry_read(f, middle, &e) != 0;
        if (!behind) {
            memcpy(first.w, e.key, sizeof first.w);
            behind = figure_key_cmp(&first, key) >= 0;
        }
        if (behind)
            to = middle;
        else
            from = middle;
    }
    return from;
}

int figure_cursor_next(struct figure_cursor *c)
{
    for (;;) {
        int err = figure_row_decode(&c->rest, &c->before, c->file->version,
                                    c->file->sums, &c->row);
        if (!err) {
            c->before = figure_mark_of(&c->row);
            return 0;
        }
        if (err != ERR_NOTFOUND) c->damaged++;
        do {
            c->rest = SV("");
            if (c->block >= c->file->blocks) return ERR_NOTFOUND;
            err = block_read(c, c->block++);
            if (err == ERR_CORRUPT) c->damaged++;
        } while (err == ERR_CORRUPT);
        if (err) return err;
    }
}

int figure_cursor_seek(struct figure_cursor *c, const struct figure_file *f,
                       const struct figure_key *key)
{
    c->file = f;
    c->damaged = 0;
    c->rest = SV("");
    c->block = block_of(f, key);
    int err;
    while ((err = figure_cursor_next(c)) == 0)
        if (figure_key_cmp(&c->row.key, key) >= 0) break;
    return err;
}
