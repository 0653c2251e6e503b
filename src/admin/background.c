/* Every piece is bounded: at most BATCH rows in a transaction, one transaction
 * a piece, so that a request waits a few milliseconds at most. */
#include "admin/background.h"

#include "admin/hold.h"
#include "admin/hold_hook.h"

#include <pthread.h>
#include <stdio.h>

#include "admin/coverage.h"
#include "admin/publish_int.h"
#include "base/clock.h"
#include "base/epoch.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    BATCH = 1000,       /* rows that are written in place */
    PURGE_BATCH = 200,  /* rows that leave all their indexes */
    USES_MAX = 1 << 20, /* waiting checkpoints: 32 MiB; more is dropped */
    RECLAIM_MS = 10,
    USE_EVERY_MS = 5000,
    FEED_EVERY_MS = 500,
    PURGE_EVERY_MS = 60000,
    USE_DAYS = 400,
    FEED_KEPT = 100000,
};
static const int64_t TOMBSTONE_MS = 30ll * 86400000;

struct background {
    pthread_mutex_t lock;
    struct token_use *uses; /* under the lock */
    size_t uses_n, uses_cap;
    uint64_t use_due_ns, purge_due_ns, feed_due_ns, coverage_due_ns;
    uint64_t feed_seq; /* rows up to here have been looked at */
    bool purging;      /* there is more to purge: go on at once */
};

struct background *background_new(void)
{
    struct background *b = NEW(struct background);
    pthread_mutex_init(&b->lock, NULL);
    return b;
}

void background_free(struct background **bp)
{
    struct background *b = *bp;
    if (!b) return;
    pthread_mutex_destroy(&b->lock);
    mem_free(b->uses);
    mem_free(b);
    *bp = NULL;
}

void background_feed(struct background *b, uint64_t seq)
{
    b->feed_seq = seq;
}

void background_purge(struct background *b)
{
    b->purging = true;
}

/* --- counters to the store --------------------------------------------- */

void background_checkpoint(struct background *b, const struct token_use *use)
{
    pthread_mutex_lock(&b->lock);
    if (b->uses_n == b->uses_cap && b->uses_cap < USES_MAX) {
        size_t cap = b->uses_cap ? b->uses_cap * 2 : 256;
        b->uses = mem_realloc(b->uses, cap * sizeof *b->uses);
        b->uses_cap = cap;
    }
    if (b->uses_n < b->uses_cap) b->uses[b->uses_n++] = *use;
    pthread_mutex_unlock(&b->lock);
}

static size_t uses_take(struct background *b, struct token_use out[BATCH])
{
    pthread_mutex_lock(&b->lock);
    size_t n = b->uses_n < BATCH ? b->uses_n : BATCH;
    b->uses_n -= n;
    if (n) memcpy(out, b->uses + b->uses_n, n * sizeof *out);
    pthread_mutex_unlock(&b->lock);
    return n;
}

static bool uses_save(struct admin *a)
{
    static struct token_use batch[BATCH]; /* control thread only */
    struct store *s = a->conf.store;
    size_t n = uses_take(a->background, batch);
    if (!n) return false;
    int err = store_begin(s);
    if (!err) err = store_token_use_save(s, batch, n);
    if (!err) err = store_commit(s);
    if (err) store_rollback(s);
    return !err && n == BATCH;
}

/* --- outcomes to the store --------------------------------------------- */

struct drain {
    struct arena arena;
    struct use_row *rows;
    size_t n, cap;
    uint32_t day;
};

static void drain_one(void *ctx, uint32_t slot, const uint8_t id[16],
                      enum outcome outcome, const char *code, uint64_t n)
{
    struct drain *d = ctx;
    (void)slot, (void)outcome;
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 256;
        d->rows = mem_realloc(d->rows, d->cap * sizeof *d->rows);
    }
    struct use_row *row = &d->rows[d->n++];
    *row = (struct use_row){ .day = d->day,
                             .count = n,
                             .code = arena_dup(&d->arena, sv_cstr(code)) };
    memcpy(row->token.b, id, sizeof row->token.b);
    if (!row->code.p) d->n--;
}

static void outcomes_save(struct admin *a)
{
    struct store *s = a->conf.store;
    struct drain d = { .day = (uint32_t)(clock_wall_ms() / 86400000) };
    if (!a->conf.journal) return;
    arena_init(&d.arena, 64 << 20, NULL, 0);
    journal_use_drain(a->conf.journal, drain_one, &d);
    if (d.n) {
        int err = store_begin(s);
        if (!err) err = store_use_add(s, d.rows, d.n);
        if (!err) err = store_commit(s);
        if (err) store_rollback(s);
    }
    mem_free(d.rows);
    arena_fini(&d.arena);
}

/* --- purging --------------------------------------------- */

struct gone { /* a token goes with its aliases: a batch may be larger */
    uint32_t *slots;
    size_t n, cap;
};

static void slot_gone(void *ctx, uint32_t slot)
{
    struct gone *g = ctx;
    if (g->n == g->cap) {
        g->cap = g->cap ? g->cap * 2 : PURGE_BATCH * 2;
        g->slots = mem_realloc(g->slots, g->cap * sizeof *g->slots);
    }
    g->slots[g->n++] = slot;
}

static int purge_rows(struct admin *a, bool of_apps, struct gone *g,
                      unsigned *n)
{
    struct store *s = a->conf.store;
    int err = store_begin(s);
    if (!err)
        err = of_apps ? store_token_purge_app(s, PURGE_BATCH, slot_gone, g, n)
                      : store_token_purge_old(s, clock_wall_ms() - TOMBSTONE_MS,
                                              PURGE_BATCH, slot_gone, g, n);
    if (!err) err = store_commit(s); /* nothing to write costs nothing */
    store_rollback(s);               /* without an open one: nothing */
    return err;
}

/* True when there may be more. */
static bool purge_batch(struct admin *a, bool of_apps)
{
    struct gone g = { .n = 0 };
    unsigned n = 0;
    int err = purge_rows(a, of_apps, &g, &n);
    for (size_t i = 0; !err && i < g.n; i++) {
        if (tokens_has(a->conf.tokens, g.slots[i])) /* not: never in force */
            tokens_remove(a->conf.tokens, g.slots[i]);
        tokens_slot_give(a->conf.tokens, g.slots[i]);
    }
    mem_free(g.slots);
    return !err && n >= PURGE_BATCH;
}

/* After a fault: a transaction with nothing to prune writes nothing, and would
 * say that the store can be written to. */
static int probe(struct admin *a, int64_t now_ms)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)now_ms);
    if (!atomic_load(&a->store_fault)) return 0;
    return store_meta_set(a->conf.store, "probe", sv_of(text, (size_t)n));
}

static bool prune(struct admin *a)
{
    struct store *s = a->conf.store;
    int64_t now_ms = clock_wall_ms();
    uint32_t day = (uint32_t)(now_ms / 86400000);
    unsigned answers = 0, days = 0;
    int err = store_begin(s);
    if (!err) err = store_idempotency_prune(s, now_ms, BATCH, &answers);
    if (!err) err = store_use_prune(s, day - USE_DAYS, BATCH, &days);
    if (!err) err = store_change_prune(s, FEED_KEPT);
    if (!err) err = store_hold_prune(s, now_ms);
    if (!err) err = probe(a, now_ms);
    if (!err) err = store_commit(s);
    if (!err) atomic_store(&a->store_fault, 0); /* it can be written to */
    if (err) store_rollback(s);
    return answers == BATCH || days == BATCH;
}

static bool purge(struct admin *a)
{
    bool more = purge_batch(a, true);
    more |= purge_batch(a, false);
    return prune(a) || more;
}

/* --- the change feed --------------------------------------------- */

struct feed {
    uint64_t seq;
    bool keys;
};

static int feed_row(void *ctx, uint64_t seq, enum kind kind, struct sv id)
{
    struct feed *f = ctx;
    (void)id;
    f->seq = seq;
    if (kind == KIND_MANAGEMENT_KEY) f->keys = true;
    return 0;
}

/* Our own rows were applied before their answers. What another process wrote
 * (the command line: keys) is taken up here. */
static void feed_follow(struct admin *a)
{
    struct background *b = a->background;
    struct feed f = { b->feed_seq, false };
    if (store_change_each(a->conf.store, b->feed_seq, feed_row, &f)) return;
    if (f.keys && key_ring_load(a->keys, a->conf.store)) return;
    b->feed_seq = f.seq;
}

/* --- the tick --------------------------------------------- */

void background_settle(struct admin *a)
{
    while (uses_save(a)) {}
    holds_save(a);
    outcomes_save(a);
}

unsigned admin_tick(void *ctx)
{
    struct admin *a = ctx;
    if (atomic_load(&a->diverged)) repair_run(a, UINT64_MAX);
    struct background *b = a->background;
    uint64_t now_ns = clock_mono_ns();
    bool more = uses_save(a);
    holds_save(a);
    hold_hook_read(a);
    alerting_tick(a->alerting);
    if (now_ns >= b->use_due_ns) {
        outcomes_save(a);
        b->use_due_ns = now_ns + USE_EVERY_MS * 1000000ull;
    }
    if (b->purging || now_ns >= b->purge_due_ns ||
        atomic_load(&a->store_fault)) {
        b->purging = purge(a);
        b->purge_due_ns = now_ns + PURGE_EVERY_MS * 1000000ull;
        more |= b->purging;
    }
    if (now_ns >= b->feed_due_ns) {
        feed_follow(a);
        assertion_tick(a, clock_wall_ms());
        b->feed_due_ns = now_ns + FEED_EVERY_MS * 1000000ull;
    }
    coverage_fold(a->coverage);
    if (now_ns >= b->coverage_due_ns) {
        coverage_save(a->coverage);
        b->coverage_due_ns = now_ns + PURGE_EVERY_MS * 1000000ull;
    }
    return epoch_reclaim() || more ? RECLAIM_MS : FEED_EVERY_MS;
}
