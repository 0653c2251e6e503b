/* The mapped files: growing them, the header, whose run it is, who lives.
 *
 * An I/O error on a mapped page is a SIGBUS; growing by posix_fallocate keeps
 * a full disk from being one. What remains is a failing disk: the signal's
 * default action, an end without core, is what we want, since a loop over
 * counters that cannot be read must not go on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "live/counter_int.h"

static const char MAGIC[8] = "TAcount1";
enum { VERSION = 1, SYNC_SLICE = 1 << 20 };

/* --- one mapped file --------------------------------------------------------- */
int map_file_open(struct map_file *m, const char *dir, const char *name,
                  size_t reserve)
{
    char path[4096];
    struct stat st;
    *m = (struct map_file){ .fd = -1, .reserved = reserve };
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return ERR_TOOBIG;
    m->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (m->fd < 0 || fstat(m->fd, &st) != 0) goto failed;
    m->size = (size_t)st.st_size;
    m->base = mmap(NULL, reserve, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE, m->fd, 0);
    if (m->base == MAP_FAILED) goto failed;
    madvise(m->base, reserve, MADV_DONTDUMP);
    return 0;
failed:;
    int err = err_from_errno(errno);
    m->base = NULL;
    map_file_close(m);
    return err;
}

void map_file_close(struct map_file *m)
{
    if (m->base) munmap(m->base, m->reserved);
    if (m->fd >= 0) close(m->fd);
    *m = (struct map_file){ .fd = -1 };
}

int map_file_grow(struct map_file *m, size_t size)
{
    if (size <= m->size) return 0;
    if (size > m->reserved) return ERR_FULL;
    int e = posix_fallocate(m->fd, (off_t)m->size, (off_t)(size - m->size));
    /* EFBIG: a limit on file sizes; for us one more full disk */
    if (e) return e == EFBIG ? ERR_FULL : err_from_errno(e);
    m->size = size;
    return 0;
}

/* Starts the writing slice by slice, so that no reader of the disk waits for
 * all of it, then waits. */
static int map_file_sync(struct map_file *m)
{
    for (size_t at = 0; at < m->size; at += SYNC_SLICE)
        (void)sync_file_range(m->fd, (off_t)at, SYNC_SLICE,
                              SYNC_FILE_RANGE_WAIT_BEFORE |
                                  SYNC_FILE_RANGE_WRITE);
    return fsync(m->fd) == 0 ? 0 : err_from_errno(errno);
}

/* --- who lives ------------------------------------------------------------------ */
/* OFD locks belong to the open file: they end with the process, however it
 * ends, and a second opening in the same process meets them too. */
static bool byte_lock(int fd, int command, off_t at, off_t n,
                      struct flock *answer)
{
    struct flock f = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = n
    };
    bool ok = fcntl(fd, command, &f) == 0;
    if (answer) *answer = f;
    return ok;
}

static void byte_unlock(int fd, off_t at)
{
    struct flock f = {
        .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1
    };
    (void)fcntl(fd, F_OFD_SETLK, &f);
}

static bool any_lives(int fd, off_t at, off_t n)
{
    struct flock f;
    return !byte_lock(fd, F_OFD_GETLK, at, n, &f) || f.l_type != F_UNLCK;
}

bool counter_run_lives(struct counters *c, uint32_t run)
{
    return run != 0 && run != c->run &&
           any_lives(c->map.fd, RUN_BYTE + (off_t)run, 1);
}

/* Run numbers begin anew after LINE_RUN_MAX starts: no line may still carry
 * the lock of their first use. Once in 4,095 starts this reads every line. */
static void forget_runs(struct counters *c)
{
    uint32_t n = LOAD(c->slots);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w = LOAD(c->lines[i].lock);
        if (line_run(w) == 0 || counter_run_lives(c, line_run(w))) continue;
        atomic_compare_exchange_strong(&c->lines[i].lock, &w,
                                       line_shape(w) << LINE_SHAPE_SHIFT);
    }
}

/* Takes a number that no living process has. */
static int run_begin(struct counters *c)
{
    uint32_t run = c->header->run;
    for (int i = 0; i < LINE_RUN_MAX; i++) {
        run = run % LINE_RUN_MAX + 1;
        if (run == 1) forget_runs(c);
        if (byte_lock(c->map.fd, F_OFD_SETLK, RUN_BYTE + (off_t)run, 1, NULL)) {
            c->run = c->header->run = run;
            return 0;
        }
    }
    return ERR_LIMIT;
}

/* --- the header -------------------------------------------------------------------- */
static void boot_id_read(char out[40])
{
    memset(out, 0, 40);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t n = read(fd, out, 36);
    close(fd);
    if (n != 36) memset(out, 0, 40);
}

static int header_judge(struct counters *c, char problem[256])
{
    struct counters_header *h = c->header;
    static const char zero[8];
    if (memcmp(h->magic, zero, 8) == 0) { /* new, or its birth was cut short */
        h->version = VERSION;
        h->lanes = RING_LANES;
        h->clean = 1;
        memcpy(h->magic, MAGIC, 8);
        return 0;
    }
    if (memcmp(h->magic, MAGIC, 8) != 0) {
        snprintf(problem, 256, "%s/counters.map is not a counters file",
                 c->dir);
        return ERR_CORRUPT;
    }
    if (h->version != VERSION || h->lanes != RING_LANES) {
        snprintf(problem, 256, "%s/counters.map has format %u, not %u", c->dir,
                 h->version, VERSION);
        return ERR_VERSION;
    }
    return 0;
}

/* Same boot: the pages in memory are the truth, whoever was killed. Another
 * boot (or none that can be named) and not clean: the log must be replayed.
 * While another process serves from the map, it is the truth. */
static bool needs_replay(struct counters *c, bool alone, const char boot[40])
{
    const struct counters_header *h = c->header;
    bool same = boot[0] && memcmp(h->boot_id, boot, 40) == 0;
    return alone && !h->clean && !same;
}

static int header_open(struct counters *c, bool *replay, char problem[256])
{
    int err = map_file_grow(&c->map, HEADER_BYTES);
    if (err) return err;
    c->header = (void *)c->map.base;
    c->lines = (void *)(c->map.base + HEADER_BYTES);
    if ((err = header_judge(c, problem)) != 0) return err;
    uint64_t n = (c->map.size - HEADER_BYTES) / sizeof(struct counter);
    atomic_store(&c->slots, (uint32_t)(n < SLOTS_MAX ? n : SLOTS_MAX));

    char boot[40];
    boot_id_read(boot);
    bool alone = !any_lives(c->map.fd, RUN_BYTE, LINE_RUN_MAX + 1);
    *replay = needs_replay(c, alone, boot);
    return run_begin(c);
}

int counter_map_open(struct counters *c, bool *replay, char problem[256])
{
    size_t reserve = HEADER_BYTES + sizeof(struct counter) * (size_t)SLOTS_MAX;
    int err = map_file_open(&c->map, c->dir, "counters.map", reserve);
    if (err) return err;
    if (!byte_lock(c->map.fd, F_OFD_SETLKW, 0, 1, NULL))
        return err_from_errno(errno);
    return header_open(c, replay, problem); /* byte 0 stays locked: */
}

static int header_sync(struct counters *c)
{
    return msync(c->map.base, HEADER_BYTES, MS_SYNC) == 0
               ? 0
               : err_from_errno(errno);
}

/* … until replay is done and the header says whose boot this is. From here on
 * a power failure needs the log. */
int counter_map_begin(struct counters *c)
{
    boot_id_read(c->header->boot_id);
    c->header->clean = 0;
    int err = c->durable ? header_sync(c) : 0;
    byte_unlock(c->map.fd, 0);
    return err;
}

int counter_map_sync(struct counters *c)
{
    int err = map_file_sync(&c->map);
    for (int k = 0; k < COLUMNS_MAX && !err; k++)
        if (atomic_load(&c->columns[k]))
            err = map_file_sync(&c->column_files[k]);
    return err;
}

bool counter_map_alone(struct counters *c)
{
    return !any_lives(c->map.fd, RUN_BYTE, LINE_RUN_MAX + 1);
}

void counter_map_close(struct counters *c, bool clean)
{
    if (c->header && clean && counter_map_alone(c)) {
        c->header->clean = 1;
        int err = header_sync(c);
        if (err)
            log_error("counters", "%s/counters.map: %s", c->dir, err_text(err));
    }
    for (int k = 0; k < COLUMNS_MAX; k++) map_file_close(&c->column_files[k]);
    map_file_close(&c->map);
}

/* --- slots ------------------------------------------------------------------------ */
static size_t steps(uint32_t slots)
{
    return ((size_t)slots + SLOTS_STEP - 1) / SLOTS_STEP * SLOTS_STEP;
}

static int column_grow(struct counters *c, int k, size_t slots)
{
    struct map_file *f = &c->column_files[k];
    if (f->fd < 0) {
        char name[32];
        snprintf(name, sizeof name, "columns.%d.map", k + 1);
        int err = map_file_open(f, c->dir, name,
                                sizeof(struct column) * (size_t)SLOTS_MAX);
        if (err) return err;
    }
    int err = map_file_grow(f, slots * sizeof(struct column));
    if (!err) atomic_store(&c->columns[k], (struct column *)(void *)f->base);
    return err;
}

int counters_reserve(struct counters *c, uint32_t slots)
{
    if (slots <= atomic_load(&c->slots)) return 0;
    if (slots > SLOTS_MAX) return ERR_FULL;
    size_t n = steps(slots);
    int err = 0;
    for (int k = 0; k < COLUMNS_MAX && !err; k++)
        if (atomic_load(&c->columns[k])) err = column_grow(c, k, n);
    if (!err)
        err = map_file_grow(&c->map, HEADER_BYTES + n * sizeof(struct counter));
    if (!err) atomic_store(&c->slots, (uint32_t)n);
    return err;
}

int counter_column_reserve(struct counters *c, unsigned k)
{
    size_t n = steps(atomic_load(&c->slots));
    if (atomic_load(&c->columns[k])) return 0;
    return column_grow(c, (int)k, n ? n : SLOTS_STEP);
}

int counters_reserve_limits(struct counters *c, unsigned limits)
{
    ENSURE(limits <= POLICY_LIMITS_MAX);
    int err = 0;
    for (unsigned k = 0; k + 1 < limits && !err; k++)
        err = counter_column_reserve(c, k);
    return err;
}

int counters_reserve_global(struct counters *c)
{
    return counter_column_reserve(c, COLUMN_GLOBAL);
}

/* At open: columns that an earlier run needed. */
int counter_map_columns(struct counters *c)
{
    for (int k = 0; k < COLUMNS_MAX; k++) {
        char path[4096];
        struct stat st;
        snprintf(path, sizeof path, "%s/columns.%d.map", c->dir, k + 1);
        if (stat(path, &st) != 0) continue;
        size_t n = steps(atomic_load(&c->slots));
        int err = column_grow(c, k, n ? n : SLOTS_STEP);
        if (err) return err;
    }
    return 0;
}

/* --- the lock, when it is not simply free ------------------------------------------ */
bool line_lock_slow(struct counters *c, struct counter *l, unsigned spins,
                    uint32_t *word)
{
    uint32_t asked = UINT32_MAX; /* about this run */
    bool dead = false;
    uint32_t w = atomic_load_explicit(&l->lock, memory_order_relaxed);
    for (;;) {
        bool ours = line_run(w) == c->run;
        if (w & LINE_HELD && !ours && asked != line_run(w)) {
            asked = line_run(w);
            dead = !counter_run_lives(c, asked);
        }
        if (!(w & LINE_HELD) || (!ours && dead)) {
            uint32_t mine = (w & ~(uint32_t)LINE_RUN_MASK) | LINE_HELD |
                            c->run << LINE_RUN_SHIFT;
            if (!ours) mine &= ~(uint32_t)LINE_LISTED;
            if (atomic_compare_exchange_weak_explicit(&l->lock, &w, mine,
                                                      memory_order_acquire,
                                                      memory_order_relaxed)) {
                if (!ours) atomic_fetch_add(&c->stats.adopted, 1);
                *word = mine;
                return true;
            }
            continue;
        }
        if (spins-- == 0) {
            atomic_fetch_add(&c->stats.contended, 1);
            return false;
        }
        cpu_pause();
        w = atomic_load_explicit(&l->lock, memory_order_relaxed);
    }
}
