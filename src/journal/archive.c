/* Writing the archive.
 *
 *   append -> pending ── full or archive_write ──> last segment ── full ──> new
 *                      └─ fails: cut back to what was whole, counted as lost
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "journal/archive_int.h"

enum {
    PENDING_BYTES = 64 << 10,
    PENDING_MAX = PENDING_BYTES + SEGMENT_FRAME + INCIDENT_MAX,
    SEGMENTS_A_CEILING = 32,
    SEGMENT_BYTES_MIN = 64 << 10,
    SEGMENT_BYTES_USUAL = 4 << 20,
};

/* --- files ---------------------------------------------------------------------- */

static void path_of(const struct archive *a, uint32_t seq, char out[4096])
{
    snprintf(out, 4096, "%s/%s.%08u.seg", a->conf.dir, a->conf.name, seq);
}

int archive_segment_fd(const struct archive *a, const struct segment *s)
{
    char path[4096];
    path_of(a, s->seq, path);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static struct segment *segment_push(struct archive *a, const struct segment *s)
{
    if (a->n == a->cap) {
        a->cap = a->cap ? 2 * a->cap : 8;
        a->segments = mem_realloc(a->segments, a->cap * sizeof *a->segments);
    }
    a->segments[a->n] = *s;
    return &a->segments[a->n++];
}

/* Its name says the same number as its header, or it is none of ours. */
static void segment_enter(struct archive *a, uint32_t seq)
{
    char head[SEGMENT_HEADER];
    struct segment s = { .seq = seq };
    struct stat st;
    int fd = archive_segment_fd(a, &s);
    if (fd < 0) return;
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n >= 0 && fstat(fd, &st) == 0 &&
        !segment_header_decode(sv_of(head, (size_t)n), &s) && s.seq == seq) {
        s.file_bytes = (uint64_t)st.st_size;
        segment_push(a, &s);
    }
    close(fd);
}

static int by_number(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static int segments_list(struct archive *a)
{
    struct sv name = sv_cstr(a->conf.name);
    DIR *d = opendir(a->conf.dir);
    if (!d) return errno == ENOENT ? 0 : err_from_errno(errno);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct sv file = sv_cstr(e->d_name);
        uint64_t seq;
        if (file.n != name.n + 13 || !sv_starts(file, name) ||
            !sv_ends(file, SV(".seg")) || file.p[name.n] != '.' ||
            !sv_to_u64(sv_first(sv_from(file, name.n + 1), 8), UINT32_MAX - 1,
                       &seq))
            continue;
        segment_enter(a, (uint32_t)seq);
    }
    closedir(d);
    if (a->n) qsort(a->segments, a->n, sizeof *a->segments, by_number);
    return 0;
}

/* --- life ----------------------------------------------------------------------- */

int archive_open(struct archive **out, const struct archive_conf *conf)
{
    struct archive *a = NEW(struct archive);
    uint64_t share = conf->bytes_max / SEGMENTS_A_CEILING;
    a->conf = *conf;
    a->conf.dir = mem_strdup(conf->dir);
    a->fd = -1;
    a->segment_bytes = share < SEGMENT_BYTES_MIN     ? SEGMENT_BYTES_MIN
                       : share > SEGMENT_BYTES_USUAL ? SEGMENT_BYTES_USUAL
                                                     : (uint32_t)share;
    buf_init(&a->pending, PENDING_MAX);
    int err = segments_list(a);
    if (err) archive_close(&a);
    *out = a;
    return err;
}

void archive_close(struct archive **at)
{
    struct archive *a = *at;
    if (!a) return;
    archive_write(a);
    if (a->fd >= 0) close(a->fd);
    for (size_t i = 0; i < a->n; i++) segment_fini(&a->segments[i]);
    mem_free(a->segments);
    mem_free((char *)(uintptr_t)a->conf.dir);
    buf_fini(&a->pending);
    mem_free(a);
    *at = NULL;
}

struct ulid archive_last(struct archive *a)
{
    if (!a->n) return (struct ulid){ { 0 } };
    struct segment *s = &a->segments[a->n - 1];
    if (!s->indexed) {
        int fd = archive_segment_fd(a, s);
        if (fd >= 0) {
            segment_index(s, fd);
            close(fd);
        }
    }
    return s->blocks_n ? s->blocks[s->blocks_n - 1].last : s->first;
}

/* --- the segment that is written to ------------------------------------------------ */

static int write_all(int fd, struct sv bytes, uint64_t at)
{
    while (bytes.n) {
        ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? err_from_errno(errno) : ERR_FULL;
        bytes = sv_from(bytes, (size_t)n);
        at += (uint64_t)n;
    }
    return 0;
}

static void leave(struct archive *a)
{
    if (a->fd < 0) return;
    fdatasync(a->fd); /* never again changed */
    close(a->fd);
    a->fd = -1;
}

static int segment_begin(struct archive *a, const struct ulid *first)
{
    char path[4096], head[SEGMENT_HEADER];
    struct segment s = { .seq = a->n ? a->segments[a->n - 1].seq + 1 : 1,
                         .first = *first,
                         .bytes = SEGMENT_HEADER,
                         .file_bytes = SEGMENT_HEADER,
                         .indexed = true };
    rand_bytes(&s.seed, sizeof s.seed);
    leave(a);
    if (mkdir(a->conf.dir, 0700) && errno != EEXIST)
        return err_from_errno(errno);
    path_of(a, s.seq, path);
    unlink(path); /* one without a good header */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_from_errno(errno);
    segment_header_encode(&s, head);
    int err = write_all(fd, sv_of(head, sizeof head), 0);
    if (err) {
        unlink(path);
        close(fd);
        return err;
    }
    a->fd = fd;
    segment_push(a, &s);
    return 0;
}

/* The last one goes on, also one of before, if it is whole, has room and does
 * not keep old incidents from being removed. */
static bool segment_continue(struct archive *a, const struct ulid *next)
{
    char path[4096];
    if (!a->n) return false;
    archive_last(a);
    struct segment *s = &a->segments[a->n - 1];
    if (!s->indexed || s->damaged || s->bytes != s->file_bytes ||
        s->bytes + a->pending.n > a->segment_bytes ||
        ulid_ms(next) - ulid_ms(&s->first) > a->conf.age_ms / 8)
        return false;
    if (a->fd >= 0) return true;
    path_of(a, s->seq, path);
    a->fd = open(path, O_RDWR | O_CLOEXEC);
    return a->fd >= 0;
}

/* --- what is kept for the next write ------------------------------------------------ */

static struct sv pending_at(const struct archive *a, size_t at)
{
    uint32_t n;
    memcpy(&n, a->pending.p + at, sizeof n);
    return sv_of(a->pending.p + at + SEGMENT_FRAME, n);
}

static void fail(struct archive *a, int err)
{
    for (size_t at = 0; at < a->pending.n;) {
        struct sv i = pending_at(a, at);
        a->lost += incident_count(i.p);
        at += SEGMENT_FRAME + i.n;
    }
    if (!a->failing)
        log_error("journal", "events in %s: %s; they are lost", a->conf.dir,
                  err_text(err));
    a->failing = true;
}

static void frame_all(struct archive *a, const struct segment *s)
{
    for (size_t at = 0; at < a->pending.n;) {
        size_t n = pending_at(a, at).n;
        segment_frame(s, a->pending.p + at, (uint32_t)n);
        at += SEGMENT_FRAME + n;
    }
}

static void enter_all(struct archive *a, struct segment *s)
{
    struct incident i;
    for (size_t at = 0; at < a->pending.n;) {
        struct sv bytes = pending_at(a, at);
        uint32_t size = (uint32_t)(SEGMENT_FRAME + bytes.n);
        ENSURE(incident_decode(bytes, &i) == 0);
        segment_index_add(s, s->bytes, size, &i);
        *(i.is_sum ? &a->summed : &a->told) += i.count;
        at += size;
    }
    s->file_bytes = s->bytes;
    a->failing = false;
}

static uint64_t bytes_of(const struct archive *a)
{
    uint64_t n = 0;
    for (size_t i = 0; i < a->n; i++) n += a->segments[i].file_bytes;
    return n;
}

static void remove_oldest(struct archive *a)
{
    char path[4096];
    if (a->n == 1) leave(a);
    path_of(a, a->segments[0].seq, path);
    unlink(path);
    segment_fini(&a->segments[0]);
    memmove(a->segments, a->segments + 1, --a->n * sizeof *a->segments);
}

void archive_write(struct archive *a)
{
    struct incident first;
    if (!a->pending.n) return;
    ENSURE(incident_decode(pending_at(a, 0), &first) == 0);
    int err = segment_continue(a, &first.id) ? 0 : segment_begin(a, &first.id);
    if (!err) {
        struct segment *s = &a->segments[a->n - 1];
        frame_all(a, s);
        err = write_all(a->fd, buf_sv(&a->pending), s->bytes);
        if (!err)
            enter_all(a, s);
        else if (ftruncate(a->fd, (off_t)s->bytes))
            s->damaged = true; /* another one is begun behind it */
    }
    if (err) fail(a, err);
    buf_fini(&a->pending); /* it may be long until the next */
    buf_init(&a->pending, PENDING_MAX);
    while (a->n > 1 && bytes_of(a) > a->conf.bytes_max) remove_oldest(a);
}

void archive_append(struct archive *a, struct sv incident)
{
    uint32_t frame[2] = { (uint32_t)incident.n, 0 };
    if (a->pending.n >= PENDING_BYTES) archive_write(a);
    buf_put(&a->pending, sv_of(frame, sizeof frame));
    buf_put(&a->pending, incident);
    ENSURE(!a->pending.overflow);
}

void archive_expire(struct archive *a, int64_t wall_ms)
{
    int64_t oldest = wall_ms - a->conf.age_ms;
    while (a->n > 1 && ulid_ms(&a->segments[1].first) < oldest)
        remove_oldest(a);
    if (a->n != 1 || ulid_ms(&a->segments[0].first) >= oldest) return;
    struct ulid last = archive_last(a);
    if (ulid_ms(&last) < oldest) remove_oldest(a);
}

void archive_stats(const struct archive *a, struct archive_stats *out)
{
    *out = (struct archive_stats){ .bytes = bytes_of(a),
                                   .segments = a->n,
                                   .told = a->told,
                                   .summed = a->summed,
                                   .lost = a->lost };
}
