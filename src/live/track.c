/* Sets of eight behind track.h. */
#include "live/track.h"

#include <stdatomic.h>
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/pages.h"
#include "base/rand.h"

enum {
    WAYS = 8,
    LINE = 64,
    SPINS = 400, /* some microseconds */
    DENSE = 8,   /* with every eighth place taken nearly all pages are */
    AHEAD_S = 2, /* another core's clock may have turned a second */
};

struct track_set {
    _Alignas(LINE) _Atomic uint32_t lock;
    uint8_t used, told;    /* bits of ways */
    uint32_t free_s[WAYS]; /* last used, or held until then */
    uint16_t print[WAYS];
    _Alignas(LINE) uint64_t key[WAYS][TRACK_KEY_WORDS];
};
_Static_assert(sizeof(struct track_set) == 3 * LINE, "24 bytes a place");
/* WAYS states follow, in the same page most often: a page is waited for too. */

struct tracks {
    uint32_t sets;
    size_t state_bytes, more_bytes;
    size_t set_bytes; /* of a set with its states: whole lines */
    uint64_t mix[2];
    void *_Atomic memory; /* NULL until it is first used */
    bool settled;
    _Atomic uint64_t used, evicted, full, busy;
};

static size_t whole_words(size_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

void tracks_new(struct tracks **out, uint32_t places, size_t state_bytes,
                size_t more_bytes)
{
    struct tracks *t = NEW(struct tracks);
    ENSURE(places >= TRACKS_MIN && places <= TRACKS_MAX);
    t->sets = (places + WAYS - 1) / WAYS;
    t->state_bytes = whole_words(state_bytes);
    t->more_bytes = whole_words(more_bytes);
    size_t set_bytes = sizeof(struct track_set) + WAYS * t->state_bytes;
    t->set_bytes = (set_bytes + LINE - 1) / LINE * LINE;
    rand_bytes(t->mix, sizeof t->mix);
    *out = t;
}

static size_t bytes_of(const struct tracks *t)
{
    return t->sets * (t->set_bytes + WAYS * t->more_bytes);
}

void tracks_free(struct tracks **at)
{
    if (!*at) return;
    pages_free(atomic_load(&(*at)->memory), bytes_of(*at));
    mem_free(*at);
    *at = NULL;
}

/* --- memory ---------------------------------------------------------------- */

/* Untouched zero pages. Of two that come first at once one gives its back. */
static void *memory_of(struct tracks *t, bool make)
{
    void *present = atomic_load_explicit(&t->memory, memory_order_acquire);
    if (present || !make) return present;
    void *mine = pages_alloc(bytes_of(t));
    if (!mine) return NULL;
    if (atomic_compare_exchange_strong(&t->memory, &present, mine)) return mine;
    pages_free(mine, bytes_of(t));
    return present;
}

void tracks_settle(struct tracks *t)
{
    void *memory = atomic_load_explicit(&t->memory, memory_order_acquire);
    uint64_t used = atomic_load_explicit(&t->used, memory_order_relaxed);
    if (t->settled || !memory || used < (uint64_t)t->sets * WAYS / DENSE)
        return;
    t->settled = true;
    pages_join(memory, t->sets * t->set_bytes);
}

static uint64_t hash_of(const struct tracks *t, const uint64_t *key)
{
    __extension__ typedef unsigned __int128 wide;
    wide m = (wide)((key[0] ^ t->mix[0]) | 1) * (key[1] ^ t->mix[1]);
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* By the upper bits; the lowest are the print. */
static uint32_t set_of(const struct tracks *t, uint64_t hash)
{
    return (uint32_t)((hash >> 32) * t->sets >> 32);
}

static struct track_set *set_at(const struct tracks *t, void *memory,
                                uint32_t i)
{
    return (struct track_set *)(void *)((char *)memory + i * t->set_bytes);
}

static char *state_at(const struct tracks *t, const struct track_set *s, int w)
{
    return (char *)(uintptr_t)(s + 1) + (size_t)w * t->state_bytes;
}

/* Where he stands if it was free when he came. */
static int way_first(uint16_t print)
{
    return print % WAYS;
}

/* The lines that a look-up reads, as if he stood there. */
void track_expect(const struct tracks *t, const uint64_t key[TRACK_KEY_WORDS])
{
    void *memory = atomic_load_explicit(&t->memory, memory_order_acquire);
    if (!memory) return;
    uint64_t hash = hash_of(t, key);
    const struct track_set *s = set_at(t, memory, set_of(t, hash));
    int w = way_first((uint16_t)hash);
    const char *state = state_at(t, s, w);
    __builtin_prefetch(s, 1);
    __builtin_prefetch(s->key[w], 0);
    for (size_t i = 0; i < t->state_bytes; i += LINE)
        __builtin_prefetch(state + i, 1);
}

/* --- the lock ---------------------------------------------------------------- */

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static bool lock(struct track_set *s)
{
    for (int i = 0; i < SPINS; i++) {
        uint32_t is_free = 0;
        if (atomic_compare_exchange_weak_explicit(&s->lock, &is_free, 1,
                                                  memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
        pause_briefly();
    }
    return false;
}

static void unlock(struct track_set *s)
{
    atomic_store_explicit(&s->lock, 0, memory_order_release);
}

/* --- finding ------------------------------------------------------------------ */

static int way_of(const struct track_set *s, const uint64_t *key,
                  uint16_t print)
{
    for (int w = 0; w < WAYS; w++)
        if (s->print[w] == print && s->used >> w & 1 &&
            s->key[w][0] == key[0] && s->key[w][1] == key[1])
            return w;
    return -1;
}

/* -1: all are held. */
static int way_free(const struct track_set *s, uint16_t print, uint32_t now_s)
{
    int best = -1;
    for (int i = 0; i < WAYS; i++) {
        int w = (way_first(print) + i) % WAYS;
        if (!(s->used >> w & 1)) return w;
        if (s->free_s[w] > now_s + AHEAD_S) continue;
        if (best < 0 || s->free_s[w] < s->free_s[best]) best = w;
    }
    return best;
}

static int way_take(struct tracks *t, struct track_set *s, const uint64_t *key,
                    uint16_t print, uint32_t now_s)
{
    int w = way_free(s, print, now_s);
    if (w < 0) {
        atomic_fetch_add_explicit(&t->full, 1, memory_order_relaxed);
        return w;
    }
    uint8_t bit = (uint8_t)(1u << w);
    atomic_fetch_add_explicit(s->used & bit ? &t->evicted : &t->used, 1,
                              memory_order_relaxed);
    s->used |= bit;
    s->told &= (uint8_t)~bit;
    s->free_s[w] = 0;
    s->print[w] = print;
    memcpy(s->key[w], key, sizeof s->key[w]);
    return w;
}

enum track_found track_open(struct tracks *t,
                            const uint64_t key[TRACK_KEY_WORDS], bool make,
                            uint32_t now_s, struct track *out)
{
    void *memory = memory_of(t, make);
    if (!memory) return make ? TRACK_FULL : TRACK_ABSENT;
    uint64_t hash = hash_of(t, key);
    uint16_t print = (uint16_t)hash;
    uint32_t at = set_of(t, hash);
    struct track_set *s = set_at(t, memory, at);
    if (!lock(s)) {
        atomic_fetch_add_explicit(&t->busy, 1, memory_order_relaxed);
        return TRACK_BUSY;
    }
    int w = way_of(s, key, print);
    bool fresh = w < 0;
    if (fresh && make) w = way_take(t, s, key, print, now_s);
    if (w < 0) {
        unlock(s);
        return make ? TRACK_FULL : TRACK_ABSENT;
    }
    size_t place = (size_t)at * WAYS + (size_t)w;
    char *mores = (char *)memory + t->sets * t->set_bytes;
    *out = (struct track){
        .state = state_at(t, s, w),
        .more = t->more_bytes ? mores + place * t->more_bytes : NULL,
        .keep_s = s->free_s[w] > now_s + AHEAD_S ? s->free_s[w] : 0,
        .told = s->told >> w & 1,
        .now_s = now_s,
        .at = (uint32_t)w,
        .set = s,
    };
    if (fresh) memset(out->state, 0, t->state_bytes);
    return TRACK_OPEN;
}

void track_close(struct track *k)
{
    struct track_set *s = k->set;
    uint8_t bit = (uint8_t)(1u << k->at);
    s->free_s[k->at] = k->keep_s > k->now_s ? k->keep_s : k->now_s;
    s->told = k->told ? s->told | bit : s->told & (uint8_t)~bit;
    unlock(s);
}

void tracks_stats(const struct tracks *t, struct tracks_stats *out)
{
    *out = (struct tracks_stats){
        .places = (uint64_t)t->sets * WAYS,
        .used = atomic_load_explicit(&t->used, memory_order_relaxed),
        .evicted = atomic_load_explicit(&t->evicted, memory_order_relaxed),
        .full = atomic_load_explicit(&t->full, memory_order_relaxed),
        .busy = atomic_load_explicit(&t->busy, memory_order_relaxed),
        .bytes = atomic_load(&t->memory) ? bytes_of(t) : 0,
    };
}
