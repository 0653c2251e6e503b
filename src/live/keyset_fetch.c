/* Key sets, the fetcher's side: when a set is due, and what becomes of what
 * was read. A set is renewed after three quarters of its freshness (jittered),
 * so that its keys are there before they are needed; a failure is tried again
 * with exponential back-off, while the last good keys hold. */
#include "live/keyset_int.h"

#include <stdio.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/mem.h"

enum {
    FRESH_MIN_S = 60,   /* what an answer may say, unless the source's own */
    FRESH_FLOOR_S = 10, /* cache_s is shorter */
    FRESH_MAX_S = 86400,
    RETRY_MIN_MS = 1000,
    RETRY_MAX_MS = 300000,
};

/* --- keys that are shared by images --------------------------------------------- */
struct held *held_new(struct jwk_set *set)
{
    struct held *h = NEW(struct held);
    h->set = set;
    atomic_init(&h->refs, 1);
    return h;
}

static struct held *held_ref(struct held *h)
{
    atomic_fetch_add(&h->refs, 1);
    return h;
}

void held_put(struct held *h)
{
    if (atomic_fetch_sub(&h->refs, 1) != 1) return;
    jwk_set_free(&h->set);
    mem_free(h);
}

static bool key_equal(const struct jwk *a, const struct jwk *b)
{
    if (!a->kid.p != !b->kid.p || (a->kid.p && !sv_eq(a->kid, b->kid)))
        return false;
    return a->algs == b->algs &&
           !memcmp(a->thumbprint, b->thumbprint, sizeof a->thumbprint);
}

static bool has_key(const struct jwk_set *set, const struct jwk *key)
{
    for (unsigned i = 0; i < set->n; i++)
        if (key_equal(&set->keys[i], key)) return true;
    return false;
}

static bool sets_equal(const struct jwk_set *a, const struct jwk_set *b)
{
    if (a->n != b->n) return false;
    for (unsigned i = 0; i < a->n; i++)
        if (!has_key(b, &a->keys[i]) || !has_key(a, &b->keys[i])) return false;
    return true;
}

/* --- keys that left ----------------------------------------------------------------- */
static void left_remove(struct set *s, unsigned i)
{
    held_put(s->left[i].held);
    memmove(&s->left[i], &s->left[i + 1], (--s->left_n - i) * sizeof *s->left);
}

void left_clear(struct set *s)
{
    while (s->left_n) left_remove(s, s->left_n - 1);
}

/* The oldest come first. */
static void left_add(struct set *s, struct held *held, unsigned index,
                     int64_t until_ms)
{
    if (!s->left) s->left = mem_alloc(LEFT_MAX * sizeof *s->left);
    if (s->left_n == LEFT_MAX) left_remove(s, 0);
    s->left[s->left_n++] = (struct left){ held_ref(held), index, until_ms };
}

static const struct jwk *left_key(const struct left *l)
{
    return &l->held->set->keys[l->index];
}

/* Those of `old` that `now` lacks begin their grace; what is back ends it. */
static void left_update(struct set *s, struct held *old,
                        const struct jwk_set *now, int64_t node_ms)
{
    for (unsigned i = 0; i < s->left_n;)
        if (has_key(now, left_key(&s->left[i])))
            left_remove(s, i);
        else
            i++;
    int64_t until = node_ms + (int64_t)s->source.rotation_grace_s * 1000;
    if (!s->source.rotation_grace_s) return;
    for (unsigned i = 0; i < old->set->n; i++)
        if (!has_key(now, &old->set->keys[i])) left_add(s, old, i, until);
}

static bool left_expire(struct set *s, int64_t node_ms)
{
    unsigned n = s->left_n;
    for (unsigned i = 0; i < s->left_n;)
        if (s->left[i].until_ms <= node_ms)
            left_remove(s, i);
        else
            i++;
    return s->left_n != n;
}

static int64_t left_next_ms(const struct set *s)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < s->left_n; i++)
        if (s->left[i].until_ms < next) next = s->left[i].until_ms;
    return next;
}

/* --- images --------------------------------------------------------------------------- */
void image_free(void *p)
{
    struct image *image = p;
    for (unsigned i = 0; i < image->before.n; i++)
        held_put(image->before_held[i]);
    held_put(image->held);
    mem_free(image->before_held);
    mem_free(image);
}

static void image_swap(struct set *s, struct image *image)
{
    struct image *old = atomic_exchange(&s->image, image);
    if (old) epoch_retire(old, image_free, NULL);
}

void image_withdraw(struct set *s)
{
    image_swap(s, NULL);
}

static struct image *image_new(const struct set *s, struct held *held)
{
    unsigned n = s->left_n;
    struct image *image =
        mem_zalloc(sizeof *image + n * sizeof image->before_keys[0]);
    image->held = held;
    image->before_held = mem_zalloc((n + 1) * sizeof *image->before_held);
    for (unsigned i = 0; i < n; i++) {
        const struct left *l = &s->left[i];
        image->before_held[i] = held_ref(l->held);
        image->before_keys[i] = *left_key(l);
        if (l->until_ms > image->view.before_until_ms)
            image->view.before_until_ms = l->until_ms;
    }
    image->before.n = n;
    image->before.keys = image->before_keys;
    image->view.now = held->set;
    image->view.before = n ? &image->before : NULL;
    return image;
}

void image_publish(struct keysets *k, struct set *s, struct held *held,
                   int64_t stale_ms, int64_t node_ms)
{
    struct image *image = image_new(s, held);
    image->view.generation = ++k->generation;
    image->set_generation = atomic_load(&s->generation);
    atomic_init(&image->stale_ms, stale_ms);
    image_swap(s, image);
    atomic_store(&s->swapped_ms, node_ms);
}

/* --- what is due -------------------------------------------------------------------------- */
static bool early_may_begin(struct set *s, int64_t pending, int64_t node_ms)
{
    if (!(pending & PENDING_EARLY)) return false;
    if (node_ms >= atomic_load(&s->early_ms)) return true;
    /* asked for by somebody who did not see the last one begin */
    atomic_compare_exchange_strong(&s->pending, &pending, PENDING_NONE);
    return false;
}

static void fetch_begin(struct set *s, bool early, int64_t node_ms)
{
    int64_t pending = atomic_load(&s->pending), until;
    if (early) {
        atomic_store(&s->early_ms, node_ms + KEYSET_EARLY_MS);
        s->early++;
    }
    do
        until = pending ? pending & ~(int64_t)PENDING_EARLY
                        : (node_ms + KEYSET_WAIT_MS) << 1;
    while (!atomic_compare_exchange_weak(&s->pending, &pending, until));
    s->fetching = true;
    s->fetching_generation = atomic_load(&s->generation);
}

/* Is it due? If not, *next_ms learns when it will be. */
static bool set_due(struct keysets *k, struct set *s, int64_t node_ms,
                    bool *early, int64_t *next_ms)
{
    if (!s->holders || !set_is_remote(s)) return false;
    struct image *image = atomic_load(&s->image);
    if (image && left_expire(s, node_ms))
        image_publish(k, s, held_ref(image->held),
                      atomic_load(&image->stale_ms), node_ms);
    int64_t next = left_next_ms(s);
    if (!s->fetching) {
        bool by_time = s->next_ms <= node_ms;
        *early =
            early_may_begin(s, atomic_load(&s->pending), node_ms) && !by_time;
        if (*early || by_time) return true;
        if (s->next_ms < next) next = s->next_ms;
    }
    if (next < *next_ms) *next_ms = next;
    return false;
}

bool keysets_due(struct keysets *k, int64_t node_ms, struct keyset_due *out,
                 int64_t *next_ms)
{
    bool found = false, early = false;
    *next_ms = INT64_MAX;
    pthread_mutex_lock(&k->lock);
    for (unsigned i = 0; i < k->n && !found; i++) {
        unsigned number = k->cursor++ % k->n;
        struct set *s = atomic_load(&k->sets[number]);
        if (!set_due(k, s, node_ms, &early, next_ms)) continue;
        found = true;
        fetch_begin(s, early, node_ms);
        out->ref = (struct keyset_ref){ number, s->fetching_generation };
        out->source = s->source;
        out->early = early;
    }
    pthread_mutex_unlock(&k->lock);
    return found;
}

/* --- what became of it -------------------------------------------------------------------- */

/* Between 1 and 1 + spread, of a time. */
static int64_t jitter(struct keysets *k, int64_t ms, unsigned percent)
{
    uint64_t span = (uint64_t)ms * percent / 100 + 1;
    return ms + (int64_t)(rand_fast_next(&k->rand) % span);
}

/* Marks the fetch as ended. NULL: the set was dropped meanwhile. */
static struct set *fetch_end(struct keysets *k, struct keyset_ref ref)
{
    struct set *s = set_at(k, ref.number);
    ENSURE(s && s->fetching && s->fetching_generation == ref.generation);
    s->fetching = false;
    if (atomic_load(&s->generation) == ref.generation) return s;
    set_release(k, s);
    return NULL;
}

static uint32_t fresh_bounded(const struct set *s, uint32_t fresh_s)
{
    uint32_t own = s->source.cache_s, max = own ? own : FRESH_MAX_S;
    if (max < FRESH_FLOOR_S) max = FRESH_FLOOR_S;
    uint32_t min = max < FRESH_MIN_S ? max : FRESH_MIN_S;
    if (!fresh_s) fresh_s = own ? own : KEYSET_CACHE_S;
    return fresh_s < min ? min : fresh_s > max ? max : fresh_s;
}

/* A good answer: when to ask again, and until when its keys are shown. */
static int64_t fetch_good(struct keysets *k, struct set *s, uint32_t fresh_s,
                          int64_t node_ms)
{
    int64_t fresh_ms = (int64_t)fresh_bounded(s, fresh_s) * 1000;
    s->next_ms = node_ms + jitter(k, fresh_ms * 3 / 4, 20);
    s->failed_n = 0;
    s->problem[0] = '\0';
    s->fetches++;
    atomic_store(&s->fetched_ms, node_ms);
    return node_ms + fresh_ms + (int64_t)s->source.max_stale_s * 1000;
}

void keysets_put(struct keysets *k, struct keyset_ref ref, struct jwk_set *set,
                 uint32_t fresh_s, int64_t node_ms)
{
    pthread_mutex_lock(&k->lock);
    struct set *s = fetch_end(k, ref);
    if (s) {
        int64_t stale_ms = fetch_good(k, s, fresh_s, node_ms);
        struct image *image = atomic_load(&s->image);
        if (image && sets_equal(image->view.now, set)) {
            atomic_store(&image->stale_ms, stale_ms);
        } else {
            if (image) left_update(s, image->held, set, node_ms);
            image_publish(k, s, held_new(set), stale_ms, node_ms);
            set = NULL;
        }
        atomic_store(&s->pending, PENDING_NONE); /* after the image */
    }
    pthread_mutex_unlock(&k->lock);
    if (set) jwk_set_free(&set);
}

void keysets_restore(struct keysets *k, struct keyset_ref ref,
                     struct jwk_set *set, int64_t age_ms, int64_t node_ms)
{
    pthread_mutex_lock(&k->lock);
    struct set *s = set_at(k, ref.number);
    bool same = s && atomic_load(&s->generation) == ref.generation;
    int64_t age = age_ms > 0 ? age_ms : 0;
    int64_t left = same ? (int64_t)s->source.max_stale_s * 1000 - age : 0;
    if (left > 0 && !atomic_load(&s->image)) {
        atomic_store(&s->fetched_ms, node_ms > age ? node_ms - age : 1);
        image_publish(k, s, held_new(set), node_ms + left, node_ms);
        set = NULL;
    }
    pthread_mutex_unlock(&k->lock);
    if (set) jwk_set_free(&set);
}

static void set_failed(struct keysets *k, struct set *s, const char *why,
                       int64_t node_ms)
{
    unsigned n = s->failed_n < 20 ? s->failed_n++ : 20;
    int64_t wait = (int64_t)RETRY_MIN_MS << n;
    if (wait > RETRY_MAX_MS) wait = RETRY_MAX_MS;
    s->next_ms = node_ms + jitter(k, wait, 50);
    s->failures++;
    snprintf(s->problem, sizeof s->problem, "%s", why);
    atomic_store(&s->pending, PENDING_NONE);
}

void keysets_same(struct keysets *k, struct keyset_ref ref, uint32_t fresh_s,
                  int64_t node_ms)
{
    pthread_mutex_lock(&k->lock);
    struct set *s = fetch_end(k, ref);
    struct image *image = s ? atomic_load(&s->image) : NULL;
    if (image) {
        atomic_store(&image->stale_ms, fetch_good(k, s, fresh_s, node_ms));
        atomic_store(&s->pending, PENDING_NONE);
    } else if (s) {
        set_failed(k, s, "not modified, but nothing was read before", node_ms);
    }
    pthread_mutex_unlock(&k->lock);
}

void keysets_failed(struct keysets *k, struct keyset_ref ref, const char *why,
                    int64_t node_ms)
{
    pthread_mutex_lock(&k->lock);
    struct set *s = fetch_end(k, ref);
    if (s) set_failed(k, s, why, node_ms);
    pthread_mutex_unlock(&k->lock);
}
