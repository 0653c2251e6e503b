/* What keyset.c (control), keyset_ask.c (reactors) and keyset_fetch.c share.
 *
 *   keysets ─> set ─(atomic)─> image ─> held: keys as read, counted
 *                                 └───> held … of keys that left
 *
 * All but the atomics of a set is behind the one lock, which reactors never
 * take. A set is made once for its number and stays until the end. */
#ifndef LIVE_KEYSET_INT_H
#define LIVE_KEYSET_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "base/rand.h"
#include "live/keyset.h"

enum {
    KEYSETS_MAX = 65536,
    LEFT_MAX = JWK_SET_KEYS_MAX,
    KIDS_BUCKETS = 32, /* remembered unknown kids: 128 a set */
    KIDS_WAYS = 4,
    JUST_SWAPPED_MS = 1000,
};

struct held { /* a set as it was read */
    struct jwk_set *set;
    _Atomic unsigned refs;
};

struct left { /* a key that is no more in the set, and still holds */
    struct held *held;
    unsigned index;
    int64_t until_ms;
};

struct image {
    struct keyset_image view; /* first */
    uint32_t set_generation;  /* the reference of an old plan has another */
    _Atomic int64_t stale_ms; /* node clock; then it is no more shown */
    struct held *held;
    struct jwk_set before;    /* its keys are copies; these lend: */
    struct held **before_held;
    struct jwk before_keys[];
};

/* Remembered kids: fingerprint << 32 | second of the node clock. */
struct kids {
    _Atomic uint64_t at[KIDS_BUCKETS][KIDS_WAYS];
};

/* set.pending: until when an asker may wait, node clock, shifted by one; the
 * last bit says: wanted by an asker, not begun. 0: no fetch is under way. */
enum { PENDING_NONE = 0, PENDING_EARLY = 1 };

struct set {
    /* --- reactors */
    struct image *_Atomic image;
    _Atomic uint32_t generation; /* another one when nobody holds it */
    _Atomic int64_t pending;
    _Atomic int64_t early_ms;    /* no early fetch begins before */
    _Atomic int64_t fetched_ms;  /* last good one; 0: none */
    _Atomic int64_t swapped_ms;  /* when the image came */
    struct kids *_Atomic kids;   /* NULL until it is remote */
    /* --- behind the lock */
    uint32_t number;
    struct keyset_source source;
    char *name;                  /* key in by_name; source.text lies in it */
    char host[64];               /* for labels: no secrets of a URL */
    unsigned holders;
    struct left *left;
    unsigned left_n;
    bool fetching;
    uint32_t fetching_generation;
    int64_t next_ms;
    unsigned failed_n;           /* in a row */
    uint64_t fetches, failures, early;
    char problem[160];
};

struct keysets {
    struct keysets_conf conf;
    pthread_mutex_t lock;
    struct set *_Atomic *sets;
    unsigned n;                  /* made so far */
    unsigned idle_n;             /* of these, released */
    unsigned cursor;             /* of keysets_due */
    struct map by_name;
    uint64_t generation;         /* of contents */
    struct rand_fast rand;
};

/* With the lock held. Swaps in an image of `held` (takes the reference) and of
 * the keys in left[]; the old one is retired. */
void image_publish(struct keysets *k, struct set *s, struct held *held,
                   int64_t stale_ms, int64_t node_ms);
void image_withdraw(struct set *s); /* none from now on */
void image_free(void *image);
struct held *held_new(struct jwk_set *set);
void held_put(struct held *h);
void left_clear(struct set *s);
/* Nobody holds it, nothing is under way. */
void set_release(struct keysets *k, struct set *s);
/* NULL: never made. Any thread. */
struct set *set_at(const struct keysets *k, uint32_t number);

static inline bool set_is_remote(const struct set *s)
{
    return s->source.kind != KEYSET_INLINE;
}

#endif
