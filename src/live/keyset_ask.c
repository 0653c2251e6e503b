/* Key sets, the reactors' side: nothing here takes a lock or allocates.
 *
 *   pending:  NONE ──ask──> until|EARLY ──due──> until ──put, failed──> NONE
 *
 * Whoever meets an unknown kid first makes the fetch wanted; the rest wait
 * with it. Whether a minute has passed since the last early fetch is decided
 * once more by keysets_due, behind the lock. */
#include "live/keyset_int.h"

#include "base/hash.h"

static struct image *image_of(struct set *s, uint32_t generation,
                              int64_t node_ms)
{
    struct image *image = atomic_load(&s->image);
    if (!image || image->set_generation != generation) return NULL;
    int64_t stale =
        atomic_load_explicit(&image->stale_ms, memory_order_relaxed);
    return node_ms < stale ? image : NULL;
}

const struct keyset_image *keysets_view(const struct keysets *k,
                                        struct keyset_ref ref, int64_t node_ms)
{
    struct set *s = set_at(k, ref.number);
    struct image *image = s ? image_of(s, ref.generation, node_ms) : NULL;
    return image ? &image->view : NULL;
}

/* --- remembered kids -------------------------------------------------------------
 * A few ways a bucket, the oldest goes. Lossy: what is forgotten costs at most
 * the one early fetch a minute. */
static bool kid_is_remembered(const struct kids *kids, uint64_t hash,
                              int64_t node_ms)
{
    const _Atomic uint64_t *way = kids->at[hash % KIDS_BUCKETS];
    uint32_t now_s = (uint32_t)(node_ms / 1000);
    for (int i = 0; i < KIDS_WAYS; i++) {
        uint64_t e = atomic_load_explicit(&way[i], memory_order_relaxed);
        if (e >> 32 == hash >> 32 && e &&
            now_s - (uint32_t)e < KEYSET_REMEMBER_MS / 1000)
            return true;
    }
    return false;
}

static void kid_remember(struct kids *kids, uint64_t hash, int64_t node_ms)
{
    _Atomic uint64_t *way = kids->at[hash % KIDS_BUCKETS];
    uint32_t now_s = (uint32_t)(node_ms / 1000), oldest = 0;
    int victim = 0;
    for (int i = 0; i < KIDS_WAYS; i++) {
        uint64_t e = atomic_load_explicit(&way[i], memory_order_relaxed);
        if (e >> 32 == hash >> 32) {
            victim = i;
            break;
        }
        uint32_t age = e ? now_s - (uint32_t)e : UINT32_MAX;
        if (age < oldest) continue;
        oldest = age;
        victim = i;
    }
    atomic_store_explicit(&way[victim], hash >> 32 << 32 | now_s,
                          memory_order_relaxed);
}

/* --- asking --------------------------------------------------------------------- */
static bool has_kid(const struct jwk_set *set, struct sv kid)
{
    for (unsigned i = 0; set && i < set->n; i++)
        if (set->keys[i].kid.p && sv_eq(set->keys[i].kid, kid)) return true;
    return false;
}

/* An image may have been swapped in since the asker looked. */
static bool came_just_now(struct set *s, uint32_t generation, struct sv kid,
                          int64_t node_ms)
{
    if (node_ms > atomic_load(&s->swapped_ms) + JUST_SWAPPED_MS) return false;
    struct image *image = image_of(s, generation, node_ms);
    if (!image) return false;
    return !kid.n || has_kid(image->view.now, kid) ||
           has_kid(image->view.before, kid);
}

static enum keyset_ask wait_for(int64_t pending, int64_t node_ms)
{
    return node_ms < pending >> 1 ? KEYSET_WAIT : KEYSET_UNKNOWN;
}

static enum keyset_ask want_early(struct keysets *k, struct set *s,
                                  int64_t node_ms)
{
    int64_t none = PENDING_NONE;
    int64_t mine = (node_ms + KEYSET_WAIT_MS) << 1 | PENDING_EARLY;
    if (!atomic_compare_exchange_strong(&s->pending, &none, mine))
        return wait_for(none, node_ms);
    if (k->conf.wake) k->conf.wake(k->conf.ctx);
    return KEYSET_WAIT;
}

/* The order of the loads matters: a begun early fetch that early_ms shows and
 * pending does not has ended, so that its image is there to be looked at. */
enum keyset_ask keysets_ask(struct keysets *k, struct keyset_ref ref,
                            struct sv kid, int64_t node_ms)
{
    struct set *s = set_at(k, ref.number);
    struct kids *kids = s ? atomic_load(&s->kids) : NULL;
    if (!kids || atomic_load(&s->generation) != ref.generation)
        return KEYSET_UNKNOWN;
    int64_t early_ms = atomic_load(&s->early_ms);
    int64_t pending = atomic_load(&s->pending);
    int64_t fetched_ms = atomic_load(&s->fetched_ms);
    if (came_just_now(s, ref.generation, kid, node_ms)) return KEYSET_WAIT;
    uint64_t hash = hash_sv(kid);
    if (kid_is_remembered(kids, hash, node_ms)) return KEYSET_UNKNOWN;
    if (pending) return wait_for(pending, node_ms);
    if (node_ms >= early_ms) return want_early(k, s, node_ms);
    if (fetched_ms && node_ms - fetched_ms < KEYSET_EARLY_MS)
        kid_remember(kids, hash, node_ms);
    return KEYSET_UNKNOWN;
}
