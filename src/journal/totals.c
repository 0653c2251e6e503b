/* Totals in mapped files: see totals.h. */
#include "journal/totals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "journal/histogram.h"

enum {
    HEADER_BYTES = 64,
    VERSION = 1,
    SEGMENT_BYTES = 64 << 10,
    LANES_MAX = 256,
};
/* 2^24 numbers: address space, not memory. */
static const size_t RESERVED = HEADER_BYTES + ((size_t)256 << 24);

struct header {
    char magic[8]; /* "TATOTALS" */
    uint32_t version, record_bytes;
    char spare[48];
};
struct record { /* four cache lines, written by one reactor */
    _Atomic uint64_t requests[TOTALS_DOORS][TOTALS_OUTCOMES];
    _Atomic uint64_t bytes_in, bytes_out, cost;
    _Atomic uint64_t app[2]; /* its id; the control thread's */
    uint64_t spare[3];
};
_Static_assert(sizeof(struct header) == HEADER_BYTES, "as on the disk");
_Static_assert(sizeof(struct record) == 256, "as on the disk");

struct file {
    int fd; /* -1: there is none */
    char *base;
    _Atomic uint32_t records;
};

struct totals {
    char *dir;
    unsigned lanes, files_n;
    struct file files[LANES_MAX];
};

static struct record *record_of(const struct file *f, uint32_t num)
{
    return (struct record *)(void *)(f->base + HEADER_BYTES) + num;
}

/* --- files ---------------------------------------------------------------- */

static int fails(const struct totals *t, unsigned i, int err, char problem[256])
{
    snprintf(problem, 256, "%s/%u.map: %s", t->dir, i, err_text(err));
    return err;
}

/* The file's length follows: no hole, hence no fault when the disk is full. */
static int grow(struct file *f, uint32_t records)
{
    size_t bytes = HEADER_BYTES + (size_t)records * sizeof(struct record);
    bytes = (bytes + SEGMENT_BYTES - 1) / SEGMENT_BYTES * SEGMENT_BYTES;
    int err = posix_fallocate(f->fd, 0, (off_t)bytes);
    if (err) return err_from_errno(err);
    atomic_store_explicit(
        &f->records, (uint32_t)((bytes - HEADER_BYTES) / sizeof(struct record)),
        memory_order_release);
    return 0;
}

static int header_check(struct file *f, off_t bytes)
{
    struct header *h = (void *)f->base;
    if (bytes < HEADER_BYTES) {
        int err = grow(f, 1);
        if (err) return err;
        *h = (struct header){ .magic = "TATOTALS",
                              .version = VERSION,
                              .record_bytes = sizeof(struct record) };
        return 0;
    }
    if (memcmp(h->magic, "TATOTALS", 8) != 0) return ERR_CORRUPT;
    if (h->version != VERSION || h->record_bytes != sizeof(struct record))
        return ERR_VERSION;
    uint32_t records =
        (uint32_t)(((size_t)bytes - HEADER_BYTES) / sizeof(struct record));
    atomic_store(&f->records, records);
    return records ? 0 : grow(f, 1);
}

static int file_open(struct totals *t, unsigned i, bool create)
{
    char path[4096];
    struct stat st;
    struct file *f = &t->files[i];
    if ((size_t)snprintf(path, sizeof path, "%s/%u.map", t->dir, i) >=
        sizeof path)
        return ERR_TOOBIG;
    f->fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    if (f->fd < 0) return err_from_errno(errno);
    if (fstat(f->fd, &st)) return err_from_errno(errno);
    void *p =
        mmap(NULL, RESERVED, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    if (p == MAP_FAILED) return ERR_NOMEM;
    madvise(p, RESERVED, MADV_DONTDUMP);
    f->base = p;
    return header_check(f, st.st_size);
}

int totals_open(struct totals **out, const char *dir, unsigned lanes,
                char problem[256])
{
    ENSURE(lanes && lanes <= LANES_MAX);
    struct totals *t = NEW(struct totals);
    t->dir = mem_strdup(dir);
    t->lanes = lanes;
    for (unsigned i = 0; i < LANES_MAX; i++) t->files[i].fd = -1;
    int err = mkdir(dir, 0700) && errno != EEXIST ? err_from_errno(errno) : 0;
    for (unsigned i = 0; !err && i < LANES_MAX; i++) {
        err = file_open(t, i, i < lanes);
        if (err == ERR_NOTFOUND && i >= lanes) {
            err = 0; /* files are dense: the first that lacks is the end */
            break;
        }
        t->files_n = i + 1;
    }
    if (err) {
        fails(t, t->files_n ? t->files_n - 1 : 0, err, problem);
        totals_close(&t);
        return err;
    }
    *out = t;
    return 0;
}

void totals_close(struct totals **at)
{
    struct totals *t = *at;
    if (!t) return;
    for (unsigned i = 0; i < LANES_MAX; i++) {
        if (t->files[i].base) munmap(t->files[i].base, RESERVED);
        if (t->files[i].fd >= 0) close(t->files[i].fd);
    }
    mem_free(t->dir);
    mem_free(t);
    *at = NULL;
}

static bool is_of(const struct record *r, const struct ulid *app)
{
    uint64_t id[2];
    memcpy(id, app->b, sizeof id);
    return atomic_load_explicit(&r->app[0], memory_order_relaxed) == id[0] &&
           atomic_load_explicit(&r->app[1], memory_order_relaxed) == id[1];
}

static void take_over(struct record *r, const struct ulid *app)
{
    uint64_t id[2];
    memcpy(id, app->b, sizeof id);
    _Atomic uint64_t *n = &r->requests[0][0];
    for (unsigned i = 0; i < TOTALS_DOORS * TOTALS_OUTCOMES; i++)
        atomic_store_explicit(&n[i], 0, memory_order_relaxed);
    atomic_store_explicit(&r->bytes_in, 0, memory_order_relaxed);
    atomic_store_explicit(&r->bytes_out, 0, memory_order_relaxed);
    atomic_store_explicit(&r->cost, 0, memory_order_relaxed);
    atomic_store_explicit(&r->app[0], id[0], memory_order_relaxed);
    atomic_store_explicit(&r->app[1], id[1], memory_order_relaxed);
}

int totals_reserve(struct totals *t, uint32_t num, const struct ulid *app)
{
    int err = 0;
    for (unsigned i = 0; i < t->files_n && !err; i++) {
        struct file *f = &t->files[i];
        if (num >= atomic_load(&f->records)) err = grow(f, num + 1);
        if (!err && !is_of(record_of(f, num), app))
            take_over(record_of(f, num), app);
    }
    return err;
}

/* --- counting ------------------------------------------------------------- */

void totals_add(struct totals *t, unsigned lane, const struct totals_event *e)
{
    struct file *f = &t->files[lane];
    uint32_t known = atomic_load_explicit(&f->records, memory_order_acquire);
    struct record *r = record_of(f, e->num < known ? e->num : 0);
    counter_add(&r->requests[e->door][e->outcome], 1);
    counter_add(&r->bytes_in, e->bytes_in);
    counter_add(&r->bytes_out, e->bytes_out);
    counter_add(&r->cost, e->cost);
}

/* --- reading -------------------------------------------------------------- */

static void sum_up(const struct record *r, struct totals_sums *out)
{
    for (unsigned d = 0; d < TOTALS_DOORS; d++)
        for (unsigned o = 0; o < TOTALS_OUTCOMES; o++)
            out->requests[d][o] += counter_read(&r->requests[d][o]);
    out->bytes_in += counter_read(&r->bytes_in);
    out->bytes_out += counter_read(&r->bytes_out);
    out->cost += counter_read(&r->cost);
}

bool totals_read(const struct totals *t, uint32_t num, const struct ulid *app,
                 struct totals_sums *out)
{
    bool found = false;
    *out = (struct totals_sums){ 0 };
    for (unsigned i = 0; i < t->files_n; i++) {
        const struct file *f = &t->files[i];
        if (num >= atomic_load(&f->records) || !is_of(record_of(f, num), app))
            continue;
        found = true;
        sum_up(record_of(f, num), out);
    }
    return found;
}

void totals_read_all(const struct totals *t, struct totals_sums *out)
{
    *out = (struct totals_sums){ 0 };
    for (unsigned i = 0; i < t->files_n; i++)
        for (uint32_t n = 0; n < atomic_load(&t->files[i].records); n++)
            sum_up(record_of(&t->files[i], n), out);
}
