/* Counters as a whole: opening, slots of owners, changes by the API. */
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "live/counter_int.h"

static int open_all(struct counters *c, char problem[256])
{
    bool replay = false;
    int err = counter_map_open(c, &replay, problem);
    if (!err) err = counter_map_columns(c);
    if (!err && c->durable) err = counter_log_open(c, replay, problem);
    if (!err) err = counter_map_begin(c);
    return err;
}

static size_t bitmap_bytes(void)
{
    return SLOTS_MAX / 8;
}

/* Address space only: a page appears where a bit is set. */
void *counter_bitmap_new(void)
{
    void *p = mmap(NULL, bitmap_bytes(), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void counter_bitmap_free(void *p)
{
    if (p) munmap(p, bitmap_bytes());
}

static void counters_free(struct counters *c)
{
    counter_bitmap_free((void *)c->dirty);
    mem_free(c->dir);
    mem_free(c);
}

int counters_open(struct counters **out, const struct counters_conf *conf,
                  char problem[256])
{
    struct counters *c = mem_aligned(64, sizeof *c);
    c->conf = *conf;
    c->durable = conf->durable;
    c->dir = mem_strdup(conf->dir);
    c->map.fd = -1;
    for (int k = 0; k < COLUMNS_MAX; k++) c->column_files[k].fd = -1;
    problem[0] = '\0';
    *out = NULL;
    int err =
        (c->dirty = counter_bitmap_new()) ? open_all(c, problem) : ERR_NOMEM;
    if (err) {
        if (!problem[0])
            snprintf(problem, 256, "%s: counters: %s", conf->dir,
                     err_text(err));
        counter_log_abandon(c);
        counter_map_close(c, false);
        counters_free(c);
        return err;
    }
    *out = c;
    return 0;
}

void counters_close(struct counters **cp)
{
    struct counters *c = *cp;
    if (!c) return;
    *cp = NULL;
    int err = c->durable ? counter_log_close(c) : ERR_CLOSED;
    counter_map_close(c, err == 0);
    counters_free(c);
}

int64_t counters_high_water_ms(const struct counters *c)
{
    return LOAD(c->header->high_water_ms);
}

struct counters_stats *counters_stats(struct counters *c)
{
    return &c->stats;
}

/* --- slots ------------------------------------------------------------------- */
/* The control thread may wait for a holder that is off its core. */
static int line_lock_wait(struct counters *c, struct counter *l, uint32_t *word)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    for (int tries = 0; tries < 300; tries++) {
        if (line_lock(c, l, SPINS_PATIENT, word)) return 0;
        nanosleep(&pause, NULL);
    }
    return ERR_AGAIN;
}

static bool slot_known(const struct counters *c, uint32_t slot)
{
    return slot < atomic_load(&c->slots);
}

/* Lanes before the shapes that give them meaning, the tag last of all: a line
 * cut short has no owner that matches. */
static void limits_clear(struct counters *c, uint32_t slot)
{
    for (int i = 0; i < GAUGE_WORDS; i++) STORE(c->lines[slot].lane[i], 0);
    for (int k = 0; k < COLUMNS_MAX; k++) {
        struct column *col = atomic_load(&c->columns[k]);
        if (!col) continue;
        for (int i = 0; i < GAUGE_WORDS; i++) STORE(col[slot].lane[i], 0);
    }
}

static void line_clear(struct counters *c, uint32_t slot, uint32_t tag,
                       int64_t used, uint32_t refills)
{
    struct counter *l = &c->lines[slot];
    STORE(l->tag, ~tag);
    limits_clear(c, slot);
    STORE(l->head, 0);
    STORE(l->last, 0);
    STORE(l->refills, refills);
    STORE(l->used, used);
    STORE(l->passed, 0);
    STORE(l->limited, 0);
    STORE(l->tag, tag);
}

static int line_init(struct counters *c, uint32_t slot, uint32_t tag,
                     int64_t used, uint32_t refills)
{
    uint32_t word;
    if (!slot_known(c, slot)) return ERR_NOTFOUND;
    struct counter *l = &c->lines[slot];
    int err = line_lock_wait(c, l, &word);
    if (err) return err;
    line_clear(c, slot, tag, used, refills);
    line_unlock(l, line_list(c, slot, word));
    return 0;
}

int counters_slot_clear(struct counters *c, uint32_t slot, uint32_t tag)
{
    uint32_t word;
    if (!slot_known(c, slot)) return ERR_NOTFOUND;
    struct counter *l = &c->lines[slot];
    if (!line_lock(c, l, SPINS_TAKE, &word)) return ERR_AGAIN;
    line_clear(c, slot, tag, 0, 0);
    line_unlock(l, line_list(c, slot, word));
    return 0;
}

int counters_slot_init(struct counters *c, uint32_t slot, uint32_t tag)
{
    return line_init(c, slot, tag, 0, 0);
}

int counters_slot_restore(struct counters *c, uint32_t slot, uint32_t tag,
                          int64_t used, uint32_t refills)
{
    return line_init(c, slot, tag, used, refills);
}

bool counters_slot_has(const struct counters *c, uint32_t slot, uint32_t tag)
{
    return slot_known(c, slot) && LOAD(c->lines[slot].tag) == tag;
}

/* --- changes by the API ------------------------------------------------------- */
static const int64_t USED_MAX = (int64_t)1 << 61; /* sums do not overflow */

struct change {
    void (*make)(struct counters *c, uint32_t slot, int64_t n);
    int64_t n;
};

static int64_t clamp(int64_t n)
{
    return n > USED_MAX ? USED_MAX : n < -USED_MAX ? -USED_MAX : n;
}

/* A refund of a take before this must not meet it. */
static void next_generation(struct counter *l)
{
    uint64_t w = LOAD(l->last);
    STORE(l->last, (w & ~(uint64_t)LAST_GENERATION_MASK) |
                       ((w + 1) & LAST_GENERATION_MASK));
}

static void make_reset(struct counters *c, uint32_t slot, int64_t n)
{
    (void)n;
    next_generation(&c->lines[slot]);
    limits_clear(c, slot);
    STORE(c->lines[slot].used, 0);
}

static void make_add(struct counters *c, uint32_t slot, int64_t n)
{
    struct counter *l = &c->lines[slot];
    STORE(l->used, clamp(clamp(LOAD(l->used)) - clamp(n)));
}

static void make_set(struct counters *c, uint32_t slot, int64_t n)
{
    next_generation(&c->lines[slot]);
    STORE(c->lines[slot].used, clamp(n));
}

static int line_change(struct counters *c, uint32_t slot, uint32_t tag,
                       struct change change)
{
    uint32_t word;
    struct counter *l = &c->lines[slot];
    int err = line_lock_wait(c, l, &word);
    if (err) return err;
    bool ours = LOAD(l->tag) == tag;
    if (ours) change.make(c, slot, change.n);
    line_unlock(l, ours ? line_list(c, slot, word) : word);
    return ours ? 0 : ERR_NOTFOUND;
}

static int changed(struct counters *c, uint32_t slot, uint32_t tag,
                   struct change change)
{
    if (!slot_known(c, slot)) return ERR_NOTFOUND;
    if (!c->durable) return line_change(c, slot, tag, change);
    int err = counter_log_begin(c);
    if (err) return err;
    err = line_change(c, slot, tag, change);
    return counter_log_end(c, slot, err);
}

int counters_reset(struct counters *c, uint32_t slot, uint32_t tag)
{
    return changed(c, slot, tag, (struct change){ make_reset, 0 });
}

int counters_add(struct counters *c, uint32_t slot, uint32_t tag, int64_t n)
{
    return changed(c, slot, tag, (struct change){ make_add, n });
}

int counters_set_used(struct counters *c, uint32_t slot, uint32_t tag,
                      int64_t used)
{
    return changed(c, slot, tag, (struct change){ make_set, used });
}
