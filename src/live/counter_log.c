/* What a power failure leaves of the counters (design §3, hot-path §2.5).
 *
 * The map by itself survives a killed process. Against power failure a thread
 * appends, once a second, an image of each line that changed to a log, with
 * one sync for all. A checkpoint begins a new log, brings the map to the disk
 * and removes the old ones.
 *
 *   counters.SEQ.log   header | record | record | ...
 *   record             crc slot columns | line 64 | columns x 32
 *
 * Lines that changed are found by a bitmap, not by a list a reactor: whoever
 * first changes a line in a second sets its bit (the line's `listed` bit saves
 * the second look). No memory to run out of, nothing to hand over, and the
 * log is written in the order of the map. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "live/counter_int.h"

enum {
    CHUNK = 256 << 10, /* bytes a write */
    ROOM = 1 << 20,    /* preallocated ahead of changes by the API */
    CHECKPOINT_BYTES = 64 << 20,
    CHECKPOINT_S = 600,
    MARK = -1, /* slot of a record that only carries the time */
};

struct log_header {
    char magic[8];
    uint32_t seed; /* of every CRC in the file: another file's do not fit */
    uint32_t crc;
};
static const char MAGIC[8] = "TAclog01";

struct log_record {
    uint32_t crc; /* CRC-32C of all behind it */
    uint32_t slot;
    uint32_t columns;
    uint32_t zero;
    uint64_t line[sizeof(struct counter) / 8];
    uint64_t column[COLUMNS_MAX][sizeof(struct column) / 8];
};

struct counter_log {
    pthread_t thread;
    bool started;
    /* work: a whole flush or checkpoint; write: buffer, descriptor, size. */
    pthread_mutex_t work, write;
    pthread_cond_t wake;
    bool stop, checkpoint_due, failing;
    int fd;
    uint32_t seq, seed;
    uint64_t size, room; /* bytes: written, preallocated */
    char *buf;
    size_t n;
    uint64_t *touched, *reported; /* since the checkpoint; being reported */
    uint64_t checkpoint_ns, synced_ns;
};

static const uint64_t NS_A_SECOND = 1000000000;

/* --- files --------------------------------------------------------------------- */
static void log_path(const struct counters *c, uint32_t seq, char out[4096])
{
    snprintf(out, 4096, "%s/counters.%08u.log", c->dir, seq);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sequence numbers of the logs in the folder, rising; the caller frees. */
static int logs_list(const struct counters *c, uint32_t **out, size_t *n)
{
    DIR *d = opendir(c->dir);
    if (!d) return err_from_errno(errno);
    *out = NULL;
    *n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct sv name = sv_cstr(e->d_name);
        uint64_t seq;
        if (!sv_starts(name, SV("counters.")) || !sv_ends(name, SV(".log")) ||
            name.n < 14 ||
            !sv_to_u64(sv_first(sv_from(name, 9), name.n - 13), UINT32_MAX - 1,
                       &seq))
            continue;
        *out = mem_realloc(*out, (*n + 1) * sizeof **out);
        (*out)[(*n)++] = (uint32_t)seq;
    }
    closedir(d);
    if (*n) qsort(*out, *n, sizeof **out, by_number);
    return 0;
}

static void logs_remove(const struct counters *c, uint32_t below)
{
    uint32_t *seq = NULL;
    size_t n = 0;
    char path[4096];
    if (logs_list(c, &seq, &n) != 0) return;
    for (size_t i = 0; i < n && seq[i] < below; i++) {
        log_path(c, seq[i], path);
        unlink(path);
    }
    mem_free(seq);
}

static int dir_sync(const struct counters *c)
{
    int fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_from_errno(errno);
    int err = fsync(fd) == 0 ? 0 : err_from_errno(errno);
    close(fd);
    return err;
}

static int write_all(int fd, const void *p, size_t n, uint64_t at)
{
    const char *from = p;
    while (n) {
        ssize_t done = pwrite(fd, from, n, (off_t)at);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return done < 0 ? err_from_errno(errno) : ERR_FULL;
        from += done, at += (uint64_t)done, n -= (size_t)done;
    }
    return 0;
}

/* A new log becomes the current one; the old stays where it is. */
static int log_begin_file(struct counters *c, uint32_t seq)
{
    struct counter_log *log = c->log;
    char path[4096];
    struct log_header h = { .seed = 0 };
    memcpy(h.magic, MAGIC, 8);
    rand_bytes(&h.seed, sizeof h.seed);
    h.crc = crc32c(0, &h, offsetof(struct log_header, crc));
    log_path(c, seq, path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_from_errno(errno);
    int err = write_all(fd, &h, sizeof h, 0);
    if (!err && fdatasync(fd) != 0) err = err_from_errno(errno);
    if (!err) err = dir_sync(c);
    if (err) {
        close(fd);
        unlink(path);
        return err;
    }
    pthread_mutex_lock(&log->write);
    if (log->fd >= 0) close(log->fd);
    log->fd = fd;
    log->seq = seq;
    log->seed = h.seed;
    log->size = log->room = sizeof h;
    pthread_mutex_unlock(&log->write);
    return 0;
}

/* --- appending (write held) ----------------------------------------------------- */
static size_t record_size(uint32_t columns)
{
    return offsetof(struct log_record, column) +
           columns * sizeof(struct column);
}

static void record_put(struct counter_log *log, struct log_record *r)
{
    size_t n = record_size(r->columns);
    r->crc = crc32c(log->seed, &r->slot, n - offsetof(struct log_record, slot));
    memcpy(log->buf + log->n, r, n);
    log->n += n;
}

static uint32_t columns_used(struct counters *c)
{
    uint32_t n = COLUMNS_MAX;
    while (n && !atomic_load(&c->columns[n - 1])) n--;
    return n;
}

/* Fields of 4 bytes are read by eights: the line's lock is held. */
static void words_read(uint64_t *to, const void *from, size_t bytes)
{
    const _Atomic uint64_t *w = from;
    for (size_t i = 0; i < bytes / 8; i++) to[i] = LOAD(w[i]);
}

/* False: contended; the line stays listed. */
static bool line_put(struct counters *c, uint32_t slot)
{
    struct counter *l = &c->lines[slot];
    struct log_record r = { .slot = slot, .columns = columns_used(c) };
    uint32_t word;
    if (!line_lock(c, l, SPINS_PATIENT, &word)) {
        atomic_fetch_or(&c->dirty[slot / 64], (uint64_t)1 << slot % 64);
        return false;
    }
    words_read(r.line, l, sizeof *l);
    for (uint32_t k = 0; k < r.columns; k++) {
        struct column *col = atomic_load(&c->columns[k]);
        if (col) words_read(r.column[k], &col[slot], sizeof *col);
    }
    line_unlock(l, word & ~(uint32_t)LINE_LISTED);
    record_put(c->log, &r);
    c->log->touched[slot / 64] |= (uint64_t)1 << slot % 64;
    return true;
}

static void relist(struct counters *c)
{
    struct counter_log *log = c->log;
    struct log_record r;
    for (size_t at = 0; at < log->n; at += record_size(r.columns)) {
        memcpy(&r, log->buf + at, offsetof(struct log_record, line));
        if (r.slot != (uint32_t)MARK)
            atomic_fetch_or(&c->dirty[r.slot / 64], (uint64_t)1 << r.slot % 64);
    }
}

static void note_failure(struct counters *c, int err)
{
    struct counter_log *log = c->log;
    if (err) {
        atomic_fetch_add(&c->stats.log_errors, 1);
        if (!log->failing)
            log_error("counters", "%s: the counters' log: %s", c->dir,
                      err_text(err));
    } else if (log->failing) {
        log_info("counters", "%s: the counters' log is written again", c->dir);
    }
    log->failing = err != 0;
}

/* What could not be written is cut off again and stays dirty. */
static int buffer_write(struct counters *c)
{
    struct counter_log *log = c->log;
    int err = write_all(log->fd, log->buf, log->n, log->size);
    if (err) {
        (void)!ftruncate(log->fd, (off_t)log->size);
        log->room = log->size;
        relist(c);
    } else {
        log->size += log->n;
        atomic_fetch_add(&c->stats.log_bytes, log->n);
    }
    log->n = 0;
    return err;
}

static void mark_put(struct counters *c)
{
    struct log_record r = { .slot = (uint32_t)MARK };
    r.line[0] = (uint64_t)LOAD(c->header->high_water_ms);
    record_put(c->log, &r);
}

/* --- the second's work ------------------------------------------------------------- */
static void high_water(struct counters *c)
{
    int64_t now = clock_node_ms();
    if (now > LOAD(c->header->high_water_ms))
        STORE(c->header->high_water_ms, now);
}

static int word_flush(struct counters *c, uint32_t word, uint64_t *records)
{
    struct counter_log *log = c->log;
    uint64_t bits = atomic_exchange(&c->dirty[word], 0);
    int err = 0;
    pthread_mutex_lock(&log->write);
    for (; bits; bits &= bits - 1) {
        uint32_t bit = (uint32_t)__builtin_ctzll(bits);
        *records += line_put(c, word * 64 + bit);
    }
    /* a word's worth and a mark must still fit */
    if (log->n > CHUNK) err = buffer_write(c);
    pthread_mutex_unlock(&log->write);
    return err;
}

static int flush(struct counters *c)
{
    struct counter_log *log = c->log;
    uint64_t begin = clock_mono_ns(), records = 0;
    uint32_t words = (atomic_load(&c->slots) + 63) / 64;
    int err = 0;
    high_water(c);
    for (uint32_t i = 0; i < words && !err; i++)
        if (LOAD(c->dirty[i])) err = word_flush(c, i, &records);
    if (!records) return err;
    pthread_mutex_lock(&log->write);
    mark_put(c);
    if (!err) err = buffer_write(c);
    log->n = 0;
    pthread_mutex_unlock(&log->write);
    if (!err && fdatasync(log->fd) != 0) {
        err = err_from_errno(errno);
        log->checkpoint_due = true; /* what the log lost, the map still has */
    }
    /* read after a power failure, if ever (decision 0078) */
    if (!err) posix_fadvise(log->fd, 0, 0, POSIX_FADV_DONTNEED);
    note_failure(c, err);
    if (!err) {
        log->synced_ns = begin;
        atomic_fetch_add(&c->stats.log_records, records);
    }
    return err;
}

int counter_log_flush(struct counters *c)
{
    pthread_mutex_lock(&c->log->work);
    int err = flush(c);
    pthread_mutex_unlock(&c->log->work);
    return err;
}

/* --- checkpoint --------------------------------------------------------------------- */
static void report_line(struct counters *c, uint32_t slot)
{
    struct counter *l = &c->lines[slot];
    uint32_t word;
    if (!line_lock(c, l, SPINS_PATIENT, &word)) {
        c->log->touched[slot / 64] |= (uint64_t)1 << slot % 64;
        return; /* next time */
    }
    uint32_t tag = LOAD(l->tag), refills = LOAD(l->refills);
    int64_t used = LOAD(l->used);
    uint32_t last_s = (uint32_t)((LOAD(l->last) >> LAST_MS_SHIFT) / 1000);
    line_unlock(l, word);
    c->conf.on_checkpoint(c->conf.ctx, slot, tag, used, refills, last_s);
}

static void report(struct counters *c)
{
    struct counter_log *log = c->log;
    pthread_mutex_lock(&log->write);
    uint64_t *touched = log->touched;
    log->touched = log->reported;
    log->reported = touched;
    pthread_mutex_unlock(&log->write);
    uint32_t words = (atomic_load(&c->slots) + 63) / 64;
    for (uint32_t i = 0; i < words; i++) {
        uint64_t bits = touched[i];
        if (!bits) continue;
        touched[i] = 0;
        for (; c->conf.on_checkpoint && bits; bits &= bits - 1)
            report_line(c, i * 64 + (uint32_t)__builtin_ctzll(bits));
    }
}

/* While a second process writes a log of its own, old logs must stay. */
static int checkpoint(struct counters *c)
{
    struct counter_log *log = c->log;
    log->checkpoint_ns = clock_mono_ns();
    if (!counter_map_alone(c)) return ERR_CONFLICT;
    int err = log_begin_file(c, log->seq + 1);
    if (!err) err = counter_map_sync(c);
    if (err) {
        note_failure(c, err);
        return err;
    }
    log->checkpoint_due = false;
    logs_remove(c, log->seq);
    report(c);
    atomic_fetch_add(&c->stats.checkpoints, 1);
    return 0;
}

int counter_log_checkpoint(struct counters *c)
{
    pthread_mutex_lock(&c->log->work);
    int err = checkpoint(c);
    pthread_mutex_unlock(&c->log->work);
    return err;
}

static bool checkpoint_is_due(const struct counter_log *log)
{
    uint64_t age = clock_mono_ns() - log->checkpoint_ns;
    if (log->checkpoint_due || log->size >= CHECKPOINT_BYTES) /* or try again */
        return age >= NS_A_SECOND;
    return age >= CHECKPOINT_S * NS_A_SECOND &&
           log->size > sizeof(struct log_header);
}

static struct timespec next_time(uint32_t every_ms)
{
    struct timespec t;
    if (!every_ms) every_ms = 1000;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += every_ms / 1000;
    t.tv_nsec += every_ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
    return t;
}

static void *log_main(void *arg)
{
    struct counters *c = arg;
    struct counter_log *log = c->log;
    pthread_mutex_lock(&log->work);
    while (!log->stop) {
        struct timespec until = next_time(c->conf.log_every_ms);
        while (!log->stop &&
               pthread_cond_timedwait(&log->wake, &log->work, &until) == 0) {}
        if (log->stop) break;
        flush(c);
        if (c->conf.on_second) c->conf.on_second(c->conf.ctx);
        if (checkpoint_is_due(log)) checkpoint(c);
        uint64_t lag = clock_mono_ns() - log->synced_ns;
        atomic_store(&c->stats.log_lag_ms, log->failing ? lag / 1000000 : 0);
    }
    pthread_mutex_unlock(&log->work);
    return NULL;
}

/* --- changes by the API ---------------------------------------------------------------- */
int counter_log_begin(struct counters *c)
{
    struct counter_log *log = c->log;
    pthread_mutex_lock(&log->write);
    if (log->n && buffer_write(c) != 0) goto full;
    if (log->room < log->size + sizeof(struct log_record)) {
        if (fallocate(log->fd, FALLOC_FL_KEEP_SIZE, (off_t)log->size, ROOM) ==
                0 ||
            errno == EOPNOTSUPP)
            log->room = log->size + ROOM;
        else
            goto full;
    }
    return 0;
full:
    pthread_mutex_unlock(&log->write);
    return ERR_FULL;
}

int counter_log_end(struct counters *c, uint32_t slot, int err)
{
    struct counter_log *log = c->log;
    if (!err) {
        if (!line_put(c, slot) || buffer_write(c) != 0 ||
            fdatasync(log->fd) != 0)
            err = ERR_UNSURE;
        note_failure(c, err);
    }
    pthread_mutex_unlock(&log->write);
    return err;
}

/* --- replay ------------------------------------------------------------------------------ */
static bool column_counts(const struct log_record *r, uint32_t k)
{
    static const uint64_t nothing[sizeof(struct column) / 8];
    return memcmp(r->column[k], nothing, sizeof nothing) != 0;
}

/* Only those that hold something: a column before the last used one may have
 * had no file. */
static int columns_reserve(struct counters *c, const struct log_record *r)
{
    int err = 0;
    for (uint32_t k = 0; k < r->columns && !err; k++)
        if (column_counts(r, k)) err = counter_column_reserve(c, k);
    return err;
}

/* The image of a line that nobody holds and no run owns. */
static int record_apply(struct counters *c, struct log_record *r)
{
    if (r->slot == (uint32_t)MARK) {
        if ((int64_t)r->line[0] > LOAD(c->header->high_water_ms))
            STORE(c->header->high_water_ms, (int64_t)r->line[0]);
        return 0;
    }
    if (r->slot >= SLOTS_MAX) return ERR_CORRUPT;
    int err = counters_reserve(c, r->slot + 1);
    if (!err) err = columns_reserve(c, r);
    if (err) return err;
    uint64_t lock = r->line[0] & UINT32_MAX;
    r->line[0] -= lock;
    r->line[0] |= line_shape((uint32_t)lock) << LINE_SHAPE_SHIFT;
    memcpy((void *)&c->lines[r->slot], r->line, sizeof r->line);
    for (uint32_t k = 0; k < r->columns; k++) {
        struct column *col = atomic_load(&c->columns[k]);
        if (col) memcpy((void *)&col[r->slot], r->column[k], sizeof *col);
    }
    return 0;
}

/* False: the end, or what a write that was cut short left of one. */
static bool record_read(FILE *f, uint32_t seed, struct log_record *r)
{
    if (fread(r, offsetof(struct log_record, column), 1, f) != 1) return false;
    if (r->columns > COLUMNS_MAX) return false;
    if (r->columns &&
        fread(r->column, sizeof(struct column), r->columns, f) != r->columns)
        return false;
    return r->crc ==
           crc32c(seed, &r->slot,
                  record_size(r->columns) - offsetof(struct log_record, slot));
}

static int log_replay(struct counters *c, uint32_t seq, uint64_t *records)
{
    char path[4096];
    struct log_header h;
    struct log_record r;
    int err = 0;
    log_path(c, seq, path);
    FILE *f = fopen(path, "re");
    if (!f) return err_from_errno(errno);
    if (fread(&h, sizeof h, 1, f) == 1 && memcmp(h.magic, MAGIC, 8) == 0 &&
        h.crc == crc32c(0, &h, offsetof(struct log_header, crc)))
        while (!err && record_read(f, h.seed, &r)) {
            err = record_apply(c, &r);
            *records += 1;
        }
    if (!err && ferror(f)) err = ERR_IO;
    fclose(f);
    return err;
}

static int replay_all(struct counters *c, const uint32_t *seq, size_t n)
{
    uint64_t records = 0;
    int err = 0;
    for (size_t i = 0; i < n && !err; i++)
        err = log_replay(c, seq[i], &records);
    if (!err) err = counter_map_sync(c);
    if (!err && n)
        log_info("counters", "%s: %llu records of %zu logs replayed", c->dir,
                 (unsigned long long)records, n);
    return err;
}

/* --- open and close -------------------------------------------------------------------------- */
static struct counter_log *log_new(void)
{
    struct counter_log *log = NEW(struct counter_log);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&log->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&log->work, NULL);
    pthread_mutex_init(&log->write, NULL);
    log->fd = -1;
    log->buf = mem_alloc(CHUNK + 66 * sizeof(struct log_record));
    log->touched = counter_bitmap_new();
    log->reported = counter_bitmap_new();
    log->checkpoint_ns = log->synced_ns = clock_mono_ns();
    return log;
}

void counter_log_abandon(struct counters *c)
{
    struct counter_log *log = c->log;
    if (!log) return;
    if (log->fd >= 0) close(log->fd);
    counter_bitmap_free(log->touched);
    counter_bitmap_free(log->reported);
    pthread_mutex_destroy(&log->work);
    pthread_mutex_destroy(&log->write);
    pthread_cond_destroy(&log->wake);
    mem_free(log->buf);
    mem_free(log);
    c->log = NULL;
}

int counter_log_open(struct counters *c, bool replay, char problem[256])
{
    uint32_t *seq = NULL;
    size_t n = 0;
    struct counter_log *log = c->log = log_new();
    if (!log->touched || !log->reported) return ERR_NOMEM;
    int err = logs_list(c, &seq, &n);
    if (!err && replay) err = replay_all(c, seq, n);
    if (err)
        snprintf(problem, 256, "%s: replay of the counters' log: %s", c->dir,
                 err_text(err));
    if (!err) err = log_begin_file(c, n ? seq[n - 1] + 1 : 1);
    if (!err && (replay || c->header->clean)) logs_remove(c, log->seq);
    /* Same boot, not clean: the map knows more than these logs and must be on
     * disk before a power failure would replay them over it. */
    log->checkpoint_due = !err && n && !replay && !c->header->clean;
    mem_free(seq);
    if (err) return err;
    sigset_t all, before; /* signals are for the main thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    log->started = pthread_create(&log->thread, NULL, log_main, c) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return log->started ? 0 : ERR_NOMEM;
}

int counter_log_close(struct counters *c)
{
    struct counter_log *log = c->log;
    pthread_mutex_lock(&log->work);
    log->stop = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->work);
    if (log->started) pthread_join(log->thread, NULL);
    int err = flush(c);
    if (!err) err = checkpoint(c);
    if (!err) logs_remove(c, log->seq + 1);
    counter_log_abandon(c);
    return err;
}
