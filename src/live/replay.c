/* Two buckets of eight entries for each key, a cache line each:
 *
 *   entry: 47 bits of the key | 1 | 16 bits: the second when it is over
 *
 * A key goes to the first free entry in the order of its buckets, so that two
 * threads with one key want the same entry and one of them loses the exchange.
 * When their clocks differ by the second in which another entry ends, they may
 * want different ones: then each sees the other's afterwards. */
#include "live/replay.h"

#include <stdatomic.h>
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/rand.h"

enum { WAYS = 8, PLACES = 2 * WAYS, TRIES = 64 };

struct bucket {
    _Alignas(64) _Atomic uint64_t at[WAYS];
};

struct replay {
    void *memory;
    struct bucket *buckets; /* in it, on a line's edge */
    uint32_t mask;
    uint64_t mix[2];
};

struct replay *replay_new(uint32_t entries)
{
    struct replay *r = NEW(struct replay);
    uint32_t n = 2;
    while (n < entries / WAYS) n *= 2;
    /* untouched zero pages, until they are used */
    r->memory = mem_zalloc((n + 1) * sizeof(struct bucket));
    r->buckets = (void *)(((uintptr_t)r->memory + 63) & ~(uintptr_t)63);
    r->mask = n - 1;
    rand_bytes(r->mix, sizeof r->mix);
    return r;
}

void replay_free(struct replay **r)
{
    if (!*r) return;
    mem_free((*r)->memory);
    mem_free(*r);
    *r = NULL;
}

/* Seconds that an entry still holds; <= 0: it is free. */
static int32_t left_s(uint64_t entry, int64_t now_s)
{
    int16_t left = (int16_t)(uint16_t)(entry - (uint64_t)now_s);
    return entry && left <= REPLAY_SECONDS_MAX ? left : 0;
}

static uint64_t mixed(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide m = (wide)(a | 1) * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

struct place {
    struct replay *r;
    uint32_t bucket[2];
    uint64_t key; /* an entry without its time */
    int64_t now_s;
};

static _Atomic uint64_t *entry_at(const struct place *p, unsigned i)
{
    return &p->r->buckets[p->bucket[i / WAYS]].at[i % WAYS];
}

/* Is the key there? *freed: the first free entry; PLACES: none. `but`: not at
 * this one. */
static bool look(const struct place *p, unsigned but, unsigned *freed,
                 uint64_t *was)
{
    *freed = PLACES;
    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t entry = atomic_load(entry_at(p, i));
        if (left_s(entry, p->now_s) <= 0) {
            if (*freed == PLACES) {
                *freed = i;
                *was = entry;
            }
        } else if (i != but && entry >> 16 == p->key >> 16) {
            return true;
        }
    }
    return false;
}

enum replay_verdict replay_take(struct replay *r,
                                const uint8_t key[REPLAY_KEY_BYTES],
                                int64_t now_s, int64_t until_s)
{
    uint64_t half[2], was, ignored;
    unsigned freed, other;
    memcpy(half, key, sizeof half);
    uint64_t one = mixed(half[0] ^ r->mix[0], half[1] ^ r->mix[1]);
    uint64_t two = mixed(half[1] + r->mix[0], half[0] ^ ~r->mix[1]);
    struct place p = { .r = r,
                       .bucket = { (uint32_t)one & r->mask,
                                   (uint32_t)(one >> 32) & r->mask },
                       .key = (two | 1u << 16) & ~UINT64_C(0xffff),
                       .now_s = now_s };
    /* the same bucket twice would count its entries twice */
    if (p.bucket[0] == p.bucket[1]) p.bucket[1] ^= 1;
    if (until_s <= now_s) until_s = now_s + 1;
    if (until_s - now_s > REPLAY_SECONDS_MAX)
        until_s = now_s + REPLAY_SECONDS_MAX;
    uint64_t entry = p.key | (uint16_t)until_s;
    for (unsigned i = 0; i < TRIES; i++) {
        if (look(&p, PLACES, &freed, &was)) return REPLAY_SEEN;
        if (freed == PLACES) return REPLAY_FULL;
        if (atomic_compare_exchange_strong(entry_at(&p, freed), &was, entry))
            return look(&p, freed, &other, &ignored) ? REPLAY_SEEN
                                                     : REPLAY_FIRST;
    }
    return REPLAY_FULL; /* others were always faster: nobody can judge */
}
