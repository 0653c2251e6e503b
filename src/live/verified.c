/* The cache of verified tokens: see verified.h.
 *
 *   ring   ... | record | record | (head) oldest record | ...
 *   index  buckets of 4 places; a place counts bytes ever written, so that
 *          head - place > ring says that it was written over
 *
 * The index is keyed by the digest's own bytes: only who holds valid tokens
 * can put any, and a bucket that they fill costs them, not others, a second
 * verification. */
#include "live/verified.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "live/token_int.h"

enum {
    WAYS = 4,
    ALIGN = 16,
    PLACE_BYTES = 192, /* half a usual record: half of the index is free */
    LARGEST_PART = 16, /* a record has at most 1/16 of the ring */
    RING_BYTES_MIN = 65536,
};

struct bucket {
    uint64_t place[WAYS]; /* 0: never used */
};

struct record {
    uint64_t bytes; /* of all of it */
    bool skipped;   /* nothing in it: the rest of the ring was too short */
    struct verified v;
};
_Static_assert(offsetof(struct record, v) <= ALIGN, "a skip needs no more");

struct verified_cache {
    size_t bytes; /* of the ring; 0: keeps nothing */
    char *ring;
    struct bucket *index;
    uint64_t buckets;    /* a power of two */
    uint64_t head, tail; /* bytes ever written and written over; both begin
                              at the ring's size */
    _Atomic uint64_t puts, evicted;
};

struct verified_cache *verified_cache_new(size_t bytes)
{
    struct verified_cache *c = NEW(struct verified_cache);
    if (bytes < RING_BYTES_MIN) return c;
    uint64_t buckets = 1;
    while (buckets * 2 * WAYS * PLACE_BYTES <= bytes) buckets *= 2;
    c->buckets = buckets;
    c->bytes = (bytes - buckets * sizeof(struct bucket)) / ALIGN * ALIGN;
    c->head = c->tail = c->bytes;
    return c;
}

void verified_cache_free(struct verified_cache **c)
{
    if (!*c) return;
    mem_free((*c)->ring);
    mem_free((*c)->index);
    mem_free(*c);
    *c = NULL;
}

/* Pages appear where they are written to. */
static bool make_room(struct verified_cache *c)
{
    if (c->ring) return true;
    if (c->bytes == 0) return false;
    c->ring = mem_alloc_try(c->bytes);
    c->index = mem_alloc_try(c->buckets * sizeof(struct bucket));
    if (c->ring && c->index) {
        memset(c->index, 0, c->buckets * sizeof(struct bucket));
        return true;
    }
    mem_free(c->ring);
    mem_free(c->index);
    c->ring = NULL;
    c->index = NULL;
    c->bytes = 0; /* not asked for again */
    return false;
}

static struct bucket *bucket_of(const struct verified_cache *c,
                                const uint8_t digest[32])
{
    uint64_t w;
    memcpy(&w, digest, sizeof w);
    return &c->index[w & (c->buckets - 1)];
}

static bool is_alive(const struct verified_cache *c, uint64_t place)
{
    return place != 0 && c->head - place <= c->bytes;
}

static struct record *record_at(const struct verified_cache *c, uint64_t place)
{
    return (struct record *)(void *)(c->ring + place % c->bytes);
}

const struct verified *verified_find(struct verified_cache *c,
                                     const uint8_t digest[32], uint64_t image)
{
    if (!c->ring) return NULL;
    const struct bucket *b = bucket_of(c, digest);
    for (unsigned i = 0; i < WAYS; i++) {
        if (!is_alive(c, b->place[i])) continue;
        const struct verified *v = &record_at(c, b->place[i])->v;
        if (v->image == image && memcmp(v->digest, digest, 32) == 0) return v;
    }
    return NULL;
}

/* --- putting ---------------------------------------------------------------- */

static size_t padded(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t record_bytes(const struct verified *v)
{
    size_t lists = v->scopes_n * sizeof(struct sv) +
                   v->dynamic_n * sizeof(struct verified_claim);
    size_t texts = v->subject.n + v->subject_header.n + v->scopes_header.n;
    for (unsigned i = 0; i < v->scopes_n; i++) texts += v->scopes[i].n;
    for (unsigned i = 0; i < v->dynamic_n; i++) {
        const struct verified_claim *d = &v->dynamic[i];
        lists += d->values_n * sizeof(struct sv);
        for (unsigned k = 0; k < d->values_n; k++) texts += d->values[k].n;
    }
    return padded(sizeof(struct record) + lists + texts);
}

/* struct | lists | texts */
struct writer {
    char *list, *text;
};

static struct sv text_write(struct writer *w, struct sv s)
{
    struct sv copy = { w->text, s.n };
    if (s.n) memcpy(w->text, s.p, s.n);
    w->text += s.n;
    return copy;
}

static const struct sv *list_write(struct writer *w, const struct sv *from,
                                   unsigned n)
{
    struct sv *to = (struct sv *)(void *)w->list;
    w->list += n * sizeof *to;
    for (unsigned i = 0; i < n; i++) to[i] = text_write(w, from[i]);
    return to;
}

static void record_write(struct verified *to, const struct verified *v)
{
    *to = *v;
    struct writer w = { .list = (char *)(to + 1) };
    struct verified_claim *dynamic = (struct verified_claim *)(void *)w.list;
    w.list += v->dynamic_n * sizeof *dynamic;
    w.text = w.list + v->scopes_n * sizeof(struct sv);
    for (unsigned i = 0; i < v->dynamic_n; i++)
        w.text += v->dynamic[i].values_n * sizeof(struct sv);
    for (unsigned i = 0; i < v->dynamic_n; i++) {
        dynamic[i] = v->dynamic[i];
        dynamic[i].values =
            list_write(&w, v->dynamic[i].values, v->dynamic[i].values_n);
    }
    to->dynamic = dynamic;
    to->scopes = list_write(&w, v->scopes, v->scopes_n);
    to->subject = text_write(&w, v->subject);
    to->subject_header = text_write(&w, v->subject_header);
    to->scopes_header = text_write(&w, v->scopes_header);
}

static void count(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* The same token's older record, a dead place, or the oldest. */
static uint64_t *place_choose(struct verified_cache *c,
                              const uint8_t digest[32])
{
    struct bucket *b = bucket_of(c, digest);
    uint64_t *oldest = &b->place[0];
    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t *at = &b->place[i];
        if (is_alive(c, *at) &&
            memcmp(record_at(c, *at)->v.digest, digest, 32) == 0)
            return at;
        if (*at < *oldest) oldest = at;
    }
    return oldest;
}

/* The next n bytes in one piece; what lay there is gone. */
static struct record *ring_take(struct verified_cache *c, size_t n)
{
    while (c->head + n - c->tail > c->bytes) {
        const struct record *old = record_at(c, c->tail);
        if (!old->skipped) count(&c->evicted);
        c->tail += old->bytes;
    }
    struct record *r = record_at(c, c->head);
    r->bytes = n;
    r->skipped = false;
    c->head += n;
    return r;
}

const struct verified *verified_put(struct verified_cache *c,
                                    const struct verified *v)
{
    size_t n = record_bytes(v);
    if (!make_room(c) || n > c->bytes / LARGEST_PART) return NULL;
    uint64_t *place = place_choose(c, v->digest);
    size_t to_end = c->bytes - c->head % c->bytes;
    if (to_end < n) ring_take(c, to_end)->skipped = true; /* no wrapping */
    *place = c->head;
    struct record *to = ring_take(c, n);
    record_write(&to->v, v);
    count(&c->puts);
    return &to->v;
}

void verified_stats(const struct verified_cache *c, struct verified_stats *out)
{
    *out = (struct verified_stats){
        .puts = atomic_load_explicit(&c->puts, memory_order_relaxed),
        .evicted = atomic_load_explicit(&c->evicted, memory_order_relaxed),
        .bytes = c->bytes,
    };
}

size_t verified_header_put(char *to, struct sv s, bool spaces)
{
    return header_put(to, s, spaces);
}
