/* The sharded index. A shard:
 *
 *   mask, n, [hash | key*] [hash | key*] …     open addressing, at most half
 *                     └─> cell, text           full; an empty place has no key
 */
#include "plan/cell_index.h"

#include "base/epoch.h"
#include "base/hash.h"
#include "base/mem.h"

struct cell_key {
    struct plan_cell *cell;
    size_t n;
    char text[];
};

struct cell_entry {
    uint64_t hash;
    struct cell_key *key;
};

struct cell_shard {
    uint32_t mask, n;
    struct cell_entry at[];
};

static struct cell_shard *shard_new(uint32_t entries)
{
    uint32_t cap = 2;
    while (cap < 2 * entries) cap *= 2;
    struct cell_shard *s = mem_zalloc(sizeof *s + cap * sizeof s->at[0]);
    s->mask = cap - 1;
    return s;
}

static void shard_add(struct cell_shard *s, struct cell_entry e)
{
    uint32_t i = (uint32_t)e.hash & s->mask;
    while (s->at[i].key) i = (i + 1) & s->mask;
    s->at[i] = e;
    s->n++;
}

/* The old table without `leave` (may be NULL), with `e` (its key may be). */
static struct cell_shard *shard_with(const struct cell_shard *old,
                                     const struct cell_key *leave,
                                     struct cell_entry e)
{
    uint32_t n = (old ? old->n : 0) - (leave ? 1 : 0) + (e.key ? 1 : 0);
    if (n == 0) return NULL;
    struct cell_shard *s = shard_new(n);
    for (uint32_t i = 0; old && i <= old->mask; i++)
        if (old->at[i].key && old->at[i].key != leave) shard_add(s, old->at[i]);
    if (e.key) shard_add(s, e);
    return s;
}

static inline struct cell_key *shard_find(const struct cell_shard *s,
                                          uint64_t hash, struct sv key)
{
    if (!s) return NULL;
    for (uint32_t i = (uint32_t)hash & s->mask;; i = (i + 1) & s->mask) {
        struct cell_key *k = s->at[i].key;
        if (!k) return NULL;
        if (s->at[i].hash == hash && sv_eq(sv_of(k->text, k->n), key)) return k;
    }
}

static inline unsigned shard_of(uint64_t hash)
{
    return (unsigned)(hash >> 54); /* the top 10 bits: CELL_SHARDS */
}

struct plan_cell *cell_index_find(const struct cell_index *x, struct sv key)
{
    uint64_t hash = hash_sv(key);
    const struct cell_shard *s = atomic_load(&x->shards[shard_of(hash)]);
    const struct cell_key *k = shard_find(s, hash, key);
    return k ? k->cell : NULL;
}

static void replace(struct cell_index *x, uint64_t hash, struct cell_key *leave,
                    struct cell_entry e)
{
    struct cell_shard *_Atomic *at = &x->shards[shard_of(hash)];
    struct cell_shard *old = atomic_load(at);
    atomic_store(at, shard_with(old, leave, e));
    if (old) epoch_retire(old, mem_free, NULL);
    if (leave) epoch_retire(leave, mem_free, NULL);
}

void cell_index_put(struct cell_index *x, struct sv key, struct plan_cell *cell)
{
    uint64_t hash = hash_sv(key);
    struct cell_key *old =
        shard_find(atomic_load(&x->shards[shard_of(hash)]), hash, key);
    if (old && old->cell == cell) return;
    struct cell_key *k = mem_alloc(sizeof *k + key.n);
    k->cell = cell;
    k->n = key.n;
    memcpy(k->text, key.p, key.n);
    replace(x, hash, old, (struct cell_entry){ hash, k });
}

void cell_index_remove(struct cell_index *x, struct sv key,
                       const struct plan_cell *cell)
{
    uint64_t hash = hash_sv(key);
    struct cell_key *k =
        shard_find(atomic_load(&x->shards[shard_of(hash)]), hash, key);
    if (k && k->cell == cell)
        replace(x, hash, k, (struct cell_entry){ 0, NULL });
}

void cell_index_fini(struct cell_index *x, void (*fn)(struct plan_cell *cell))
{
    for (unsigned i = 0; i < CELL_SHARDS; i++) {
        struct cell_shard *s = atomic_exchange(&x->shards[i], NULL);
        for (uint32_t k = 0; s && k <= s->mask; k++) {
            if (!s->at[k].key) continue;
            if (fn) fn(s->at[k].key->cell);
            mem_free(s->at[k].key);
        }
        mem_free(s);
    }
}

void cell_index_each(const struct cell_index *x,
                     void (*fn)(void *ctx, struct plan_cell *cell), void *ctx)
{
    for (unsigned i = 0; i < CELL_SHARDS; i++) {
        const struct cell_shard *s =
            atomic_load_explicit(&x->shards[i], memory_order_acquire);
        for (uint32_t k = 0; s && k <= s->mask; k++)
            if (s->at[k].key) fn(ctx, s->at[k].key->cell);
    }
}
