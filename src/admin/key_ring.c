/* Open addressing by the first bytes of the digest: secrets are ours, made of
 * kernel randomness, so nobody chooses where a key lands. */
#include "admin/key_ring.h"

#include <stdatomic.h>

#include "base/epoch.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "model/token.h"

struct table {
    size_t cap, n; /* cap is a power of two; role ROLE_COUNT: empty */
    struct management_key at[];
};
struct key_ring {
    struct table *_Atomic table;
};

static struct table *table_new(size_t cap)
{
    struct table *t = mem_zalloc(sizeof *t + cap * sizeof *t->at);
    t->cap = cap;
    for (size_t i = 0; i < cap; i++) t->at[i].role = ROLE_COUNT;
    return t;
}

static void table_free(void *memory)
{
    struct table *t = memory;
    mem_wipe(t->at, t->cap * sizeof *t->at);
    mem_free(t);
}

static size_t place_of(const struct table *t, const uint8_t digest[32])
{
    uint64_t h;
    memcpy(&h, digest, sizeof h);
    return h & (t->cap - 1);
}

static void table_put(struct table *t, const struct management_key *key)
{
    size_t at = place_of(t, key->digest);
    while (t->at[at].role != ROLE_COUNT) at = (at + 1) & (t->cap - 1);
    t->at[at] = *key;
    t->n++;
}

static int add(void *ctx, const struct management_key *key)
{
    struct table **t = ctx;
    if (((*t)->n + 1) * 2 > (*t)->cap) {
        struct table *larger = table_new((*t)->cap * 2);
        for (size_t i = 0; i < (*t)->cap; i++)
            if ((*t)->at[i].role != ROLE_COUNT) table_put(larger, &(*t)->at[i]);
        table_free(*t);
        *t = larger;
    }
    table_put(*t, key);
    return 0;
}

struct key_ring *key_ring_new(void)
{
    struct key_ring *k = NEW(struct key_ring);
    atomic_store(&k->table, table_new(16));
    return k;
}

void key_ring_free(struct key_ring **k)
{
    if (!*k) return;
    table_free(atomic_load(&(*k)->table));
    mem_free(*k);
    *k = NULL;
}

int key_ring_load(struct key_ring *k, struct store *s)
{
    struct table *t = table_new(16);
    int err = store_key_each(s, add, &t);
    if (err) {
        table_free(t);
        return err;
    }
    struct table *old = atomic_exchange(&k->table, t);
    epoch_retire(old, table_free, NULL);
    return 0;
}

bool key_ring_find(const struct key_ring *k, struct sv secret, int64_t wall_ms,
                   struct management_key *out)
{
    const struct table *t = atomic_load(&k->table);
    const struct management_key *hit = NULL;
    uint8_t digest[SHA256_BYTES];
    if (!token_secret_is_ours(secret)) return false;
    sha256(secret, digest);
    size_t at = place_of(t, digest);
    for (; t->at[at].role != ROLE_COUNT; at = (at + 1) & (t->cap - 1))
        if (mem_equal_ct(t->at[at].digest, digest, sizeof digest))
            hit = &t->at[at];
    mem_wipe(digest, sizeof digest);
    if (!hit || (hit->expires_ms && hit->expires_ms <= wall_ms)) return false;
    *out = *hit;
    mem_wipe(out->digest, sizeof out->digest);
    return true;
}
