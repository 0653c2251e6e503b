/* The index: 1,024 shards of open addressing with linear probing, all entries of
 * a cache line before those of the next: few look-ups wait for a second one. An
 * entry is 8 bytes, so that a reader sees all of it or nothing. The position is
 * the fingerprint times the shard's size (no power of two needed: a shard grows
 * by a quarter, and each at another load, so that all together are never half
 * empty). Only the fingerprint is needed to move an entry. */
#include "base/ensure.h"
#include "base/epoch.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "live/counter_int.h"
#include "live/token_int.h"

enum {
    ENTRY_EMPTY = 0,
    ENTRY_GONE = 1,
    LINE = 64 / sizeof(uint64_t), /* a size is a multiple of it */
    WAITING_MAX = 1 << 20, /* bytes of replaced shards before a reclaim */
};

struct place {
    struct index_shard *shard;
    uint32_t fingerprint; /* never 0: an entry is neither empty nor gone */
};

/* Keyed multiply of both halves: whoever chooses digests without knowing the
 * secret spreads them evenly, also with all leading bits equal. */
static inline struct place place_of(const struct token_index *x,
                                    const struct token_key *key)
{
    static const uint64_t APP = 0x9e3779b97f4a7c15u;
    __extension__ typedef unsigned __int128 wide;
    wide m = (wide)(key->digest[0] ^ x->secret[0] ^ key->app * APP) *
             (key->digest[1] ^ x->secret[1]);
    m = (wide)((uint64_t)m ^ (uint64_t)(m >> 64)) * x->secret[2];
    uint64_t h = (uint64_t)m ^ (uint64_t)(m >> 64);
    uint32_t fingerprint = (uint32_t)h;
    return (struct place){
        .shard = (struct index_shard *)&x->shard[h >> 54],
        .fingerprint = fingerprint ? fingerprint : 1,
    };
}

static inline uint32_t position(uint32_t fingerprint, uint32_t n)
{
    return (uint32_t)((uint64_t)fingerprint * n >> 32);
}

/* Where to look behind entry i, of those that began at `first`. */
static inline uint32_t behind(uint32_t i, uint32_t first, uint32_t n)
{
    uint32_t next = (i & ~(LINE - 1u)) | ((i + 1) & (LINE - 1u));
    if ((next ^ first) & (LINE - 1u)) return next;
    return next + LINE < n ? next + LINE : next + LINE - n;
}

static inline bool record_has(const struct token *r,
                              const struct token_key *key)
{
    uint64_t differ = (LOAD_ACQ(r->digest[0]) ^ key->digest[0]) |
                      (LOAD_ACQ(r->digest[1]) ^ key->digest[1]) |
                      ((LOAD_ACQ(r->app) >> 8) ^ key->app);
    return differ == 0;
}

static uint32_t shard_find(const struct tokens *t, struct place at,
                           const struct token_key *key)
{
    struct index_table table = index_table_of(at.shard);
    if (!table.n) return UINT32_MAX;
    uint32_t first = position(at.fingerprint, table.n);
    for (uint32_t i = first;; i = behind(i, first, table.n)) {
        uint64_t e = atomic_load(&table.e[i]);
        if (e == ENTRY_EMPTY) return UINT32_MAX;
        if (e >> 32 == at.fingerprint) {
            uint32_t slot = (uint32_t)e;
            if (t->counters) __builtin_prefetch(&t->counters->lines[slot], 1);
            if (record_has(&t->record[slot], key)) return slot;
        }
    }
}

void index_ahead(const struct tokens *t, const struct token_key *key)
{
    struct place at = place_of(&t->index, key);
    struct index_table table = index_table_of(at.shard);
    if (table.n)
        __builtin_prefetch((void *)&table.e[position(at.fingerprint, table.n)]);
}

uint32_t index_find(const struct tokens *t, const struct token_key *key)
{
    struct place at = place_of(&t->index, key);
    for (;;) {
        uint32_t version = atomic_load(&at.shard->version);
        uint32_t slot = shard_find(t, at, key);
        if (__builtin_expect(slot != UINT32_MAX, 1)) return slot;
        if (atomic_load(&at.shard->version) == version) return UINT32_MAX;
    }
}

void index_moved(struct tokens *t, const struct token_key *key)
{
    atomic_fetch_add(&place_of(&t->index, key).shard->version, 1);
}

/* --- the writer ------------------------------------------------------------------ */
enum { TABLE_MAX = 0xfffff };

static size_t table_bytes(uint32_t n)
{
    return n * sizeof(uint64_t);
}

static void table_set(struct index_shard *s, struct index_table table)
{
    uint64_t at = (uint64_t)(uintptr_t)table.e;
    ENSURE(!(at & 63) && at >> 48 == 0);
    ENSURE(table.n % LINE == 0 && table.n <= TABLE_MAX);
    atomic_store(&s->table, at >> 4 << 20 | table.n);
}

/* An entry takes up to 8 / 0.7 * 1.25 bytes. Twice that for what waits for its
 * readers and for gaps; and all shards begun. */
int index_init(struct token_index *x, uint32_t max)
{
    enum { BYTES_A_TOKEN = 30 };
    rand_bytes(x->secret, sizeof x->secret);
    x->secret[2] |= 1;
    return slices_init(&x->memory, (size_t)max * BYTES_A_TOKEN + WAITING_MAX +
                                       (size_t)SHARDS * 4 * table_bytes(LINE));
}

void index_fini(struct token_index *x)
{
    slices_fini(&x->memory);
}

static uint32_t most_used(const struct token_index *x,
                          const struct index_shard *s, uint32_t n)
{
    uint64_t per_mille = 700 + (uint64_t)(s - x->shard) * 100 / SHARDS;
    return (uint32_t)(n * per_mille / 1000);
}

static void entry_add(struct index_table table, uint64_t e)
{
    uint32_t first = position((uint32_t)(e >> 32), table.n), i = first;
    while (atomic_load_explicit(&table.e[i], memory_order_relaxed) > 1)
        i = behind(i, first, table.n);
    STORE_REL(table.e[i], e);
}

struct dropped {
    struct slices *memory;
    struct index_table table;
};

static void dropped_free(void *obj)
{
    struct dropped *d = obj;
    slices_give(d->memory, (void *)d->table.e, table_bytes(d->table.n));
    mem_free(d);
}

/* Another table for a shard that is full, or full of what is gone. */
static int shard_renew(struct token_index *x, struct index_shard *s)
{
    struct index_table old = index_table_of(s);
    uint32_t n = old.n ? old.n : LINE;
    if (old.n && s->live > most_used(x, s, n) / 4 * 3)
        n += (n / 4 + LINE - 1) & ~(LINE - 1u);
    if (n > TABLE_MAX) return ERR_NOMEM;
    struct index_table table = { slices_take(&x->memory, table_bytes(n)), n };
    if (!table.e) return ERR_NOMEM;
    memset((void *)table.e, 0, table_bytes(n));
    for (uint32_t i = 0; i < old.n; i++) {
        uint64_t e = atomic_load_explicit(&old.e[i], memory_order_relaxed);
        if (e > ENTRY_GONE) entry_add(table, e);
    }
    s->used = s->live;
    table_set(s, table);
    x->bytes += table_bytes(n);
    if (!old.n) return 0;
    x->bytes -= table_bytes(old.n);
    x->waiting_bytes += table_bytes(old.n);
    struct dropped *d = NEW(struct dropped);
    *d = (struct dropped){ &x->memory, old };
    epoch_retire(d, dropped_free, NULL);
    if (x->waiting_bytes > WAITING_MAX) {
        epoch_reclaim();
        x->waiting_bytes = 0;
    }
    return 0;
}

void index_loaded(struct token_index *x)
{
    slices_settle(&x->memory);
}

int index_put(struct tokens *t, const struct token_key *key, uint32_t slot)
{
    struct token_index *x = &t->index;
    struct place at = place_of(x, key);
    struct index_shard *s = at.shard;
    struct index_table table = index_table_of(s);
    if (!table.n || s->used + 1 > most_used(x, s, table.n)) {
        int err = shard_renew(x, s);
        if (err) return err;
        table = index_table_of(s);
    }
    uint32_t first = position(at.fingerprint, table.n), i = first;
    uint64_t e;
    while ((e = atomic_load(&table.e[i])) > ENTRY_GONE)
        i = behind(i, first, table.n);
    if (e == ENTRY_EMPTY) s->used++;
    s->live++;
    x->live++;
    atomic_store(&table.e[i], (uint64_t)at.fingerprint << 32 | slot);
    return 0;
}

void index_remove(struct tokens *t, const struct token_key *key, uint32_t slot)
{
    struct place at = place_of(&t->index, key);
    struct index_table table = index_table_of(at.shard);
    uint64_t want = (uint64_t)at.fingerprint << 32 | slot;
    ENSURE(table.n > 0);
    uint32_t first = position(at.fingerprint, table.n);
    for (uint32_t i = first;; i = behind(i, first, table.n)) {
        uint64_t e = atomic_load(&table.e[i]);
        ENSURE(e != ENTRY_EMPTY);
        if (e == want) {
            atomic_store(&table.e[i], (uint64_t)ENTRY_GONE);
            at.shard->live--;
            t->index.live--;
            return;
        }
    }
}
