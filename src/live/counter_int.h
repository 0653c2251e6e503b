/* The counter line, its lock, and what counter*.c and take.c share.
 *
 *   counters.map    header page | line 0 | line 1 | ...      64 bytes each
 *   columns.K.map   column K of slot 0 | of slot 1 | ...     32 bytes each
 *
 * The line holds the first limit; column K (1-3) the limit K of tokens that
 * have further ones, column 4 the global limit. The line's lock covers its
 * columns. A column without any limit may have no file.
 *
 * Every store inside a line is a release store, in an order (take.c) in which
 * a process killed between any two leaves it counting at least what it has
 * answered. On x86 they are plain moves. */
#ifndef LIVE_COUNTER_INT_H
#define LIVE_COUNTER_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "live/counter.h"
#include "live/limit_int.h"

/* lock:  bit 0      held
 *        bit 1      listed: marked dirty for the log since it last read it
 *        bits 2-13  number of the run whose lock this is (0: none)
 *        bits 14-31 shape of the limit in the line (limit_int.h), 0 none
 * last:  bits 0-2   generation of the quota: a refund must not meet a used
 *                   that was set, reset or refilled to 0 since its take
 *        bits 3-19  the refill interval that `refills` counts (take.c)
 *        bits 20-63 node time of the last admitted request, ms */
struct counter {
    _Atomic uint32_t lock;
    _Atomic uint32_t tag;     /* low 32 bits of the owner's id */
    _Atomic uint32_t head;    /* of the line's limit */
    _Atomic uint32_t refills; /* intervals applied since creation */
    _Atomic uint64_t last;
    _Atomic int64_t used;     /* negative after a top-up */
    _Atomic uint32_t passed, limited; /* lifetime, mod 2^32 */
    _Atomic uint64_t lane[GAUGE_WORDS];
};
struct column {
    _Atomic uint32_t shape, head;
    _Atomic uint64_t lane[GAUGE_WORDS];
};
_Static_assert(sizeof(struct counter) == 64, "one cache line");
_Static_assert(sizeof(struct column) == 32, "two a cache line");

enum {
    LINE_HELD = 1,
    LINE_LISTED = 2,
    LINE_RUN_SHIFT = 2,
    LINE_RUN_MAX = (1 << 12) - 1,
    LINE_RUN_MASK = LINE_RUN_MAX << LINE_RUN_SHIFT,
    LINE_SHAPE_SHIFT = 14,

    LAST_GENERATION_MASK = 7,
    LAST_CODE_SHIFT = 3,
    LAST_CODE_MASK = (1 << 17) - 1,
    LAST_MS_SHIFT = 20,

    COLUMN_GLOBAL = POLICY_LIMITS_MAX - 1, /* behind those of further limits */
    COLUMNS_MAX = POLICY_LIMITS_MAX,
    SLOTS_MAX = 1 << 26,
    SLOTS_STEP = 1 << 16, /* files grow by so many */
    HEADER_BYTES = 4096,
    RUN_BYTE = HEADER_BYTES, /* OFD lock of run r: byte RUN_BYTE + r */
};

/* First page of counters.map. Fields are written under the OFD lock of byte
 * 0, but `high_water_ms` by the log's thread. */
struct counters_header {
    char magic[8];
    uint32_t version, lanes; /* 9: the ring's k + 1 */
    uint32_t run, clean;
    char boot_id[40];
    _Atomic int64_t high_water_ms;
};

/* A file mapped shared whose address space is reserved at once, so that it
 * never moves; pages behind its end are not touched. */
struct map_file {
    int fd;
    char *base;
    size_t reserved, size; /* bytes: address space, file */
};

struct counter_log; /* counter_log.c */

struct counters {
    struct map_file map, column_files[COLUMNS_MAX];
    struct counters_header *header;
    struct counter *lines;
    struct column *_Atomic columns[COLUMNS_MAX]; /* NULL: not needed yet */
    _Atomic uint32_t slots;
    uint32_t run;
    bool durable;
    /* a bit a slot: changed since the log last read it. Set once a second
     * and line by the taker, who holds the line. */
    _Atomic uint64_t *dirty;
    struct counter_log *log;
    struct counters_stats stats;
    struct counters_conf conf;
    char *dir;
};

/* --- the lock of a line ----------------------------------------------------- */
bool counter_run_lives(struct counters *c, uint32_t run); /* counter_map.c */

static inline uint32_t line_run(uint32_t word)
{
    return (word & LINE_RUN_MASK) >> LINE_RUN_SHIFT;
}
static inline uint32_t line_shape(uint32_t word)
{
    return word >> LINE_SHAPE_SHIFT;
}

static inline void cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* False: still held after `spins` looks. A line of another run is adopted; a
 * lock that a dead run left behind is void. *word is the lock word as held,
 * to be given to line_unlock. */
bool line_lock_slow(struct counters *c, struct counter *l, unsigned spins,
                    uint32_t *word);
static inline bool line_lock(struct counters *c, struct counter *l,
                             unsigned spins, uint32_t *word)
{
    uint32_t w = atomic_load_explicit(&l->lock, memory_order_relaxed);
    if (__builtin_expect(!(w & LINE_HELD) && line_run(w) == c->run, 1) &&
        atomic_compare_exchange_strong_explicit(
            &l->lock, &w, w | LINE_HELD, memory_order_acquire,
            memory_order_relaxed)) {
        *word = w | LINE_HELD;
        return true;
    }
    return line_lock_slow(c, l, spins, word);
}

static inline void line_unlock(struct counter *l, uint32_t word)
{
    atomic_store_explicit(&l->lock, word & ~(uint32_t)LINE_HELD,
                          memory_order_release);
}

/* Under the lock, after a change: the log will read the line. */
static inline uint32_t line_list(struct counters *c, uint32_t slot,
                                 uint32_t word)
{
    if (word & LINE_LISTED || !c->durable) return word;
    atomic_fetch_or_explicit(&c->dirty[slot / 64], (uint64_t)1 << slot % 64,
                             memory_order_relaxed);
    return word | LINE_LISTED;
}

enum {
    SPINS_TAKE = 64,      /* then TAKE_WAIT: a holder may be off its core */
    SPINS_PATIENT = 4096, /* what may not be dropped */
};

#define LOAD(field)     atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, v) \
    atomic_store_explicit(&(field), (v), memory_order_release)

/* --- files (counter_map.c) --------------------------------------------------- */
int map_file_open(struct map_file *m, const char *dir, const char *name,
                  size_t reserve);
void map_file_close(struct map_file *m);
/* ERR_FULL when the disk (or a limit on file sizes) says so. */
int map_file_grow(struct map_file *m, size_t size);
/* Open: the header is judged, a run number taken, the door held shut until
 * begin, which is called when the map is true again. */
int counter_map_open(struct counters *c, bool *replay, char problem[256]);
int counter_map_columns(struct counters *c);
int counter_column_reserve(struct counters *c, unsigned k);
int counter_map_begin(struct counters *c);
bool counter_map_alone(struct counters *c); /* no other living process */
int counter_map_sync(struct counters *c);  /* on disk, in slices */
void counter_map_close(struct counters *c, bool clean);

void *counter_bitmap_new(void); /* a bit a slot */
void counter_bitmap_free(void *p);

/* --- the log (counter_log.c) -------------------------------------------------- */
/* Replays what other runs left when `replay`; starts the thread. */
int counter_log_open(struct counters *c, bool replay, char problem[256]);
/* Stops the thread; 0 when all is on disk in the map and no log is left. */
int counter_log_close(struct counters *c);
void counter_log_abandon(struct counters *c); /* after a failed open */
/* What the thread does each second, and at a checkpoint. */
int counter_log_flush(struct counters *c);
int counter_log_checkpoint(struct counters *c);
/* Around one change by the API: begin reserves room in the log (ERR_FULL)
 * and keeps the thread out; end writes the line's image and syncs, unless the
 * change failed (`err`, which it then returns). */
int counter_log_begin(struct counters *c);
int counter_log_end(struct counters *c, uint32_t slot, int err);

#endif
