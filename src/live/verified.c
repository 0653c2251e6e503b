/* The cache of verified tokens: see verified.h.
 *
 *   ring   ... | record | record | (head) oldest record | ...
 *   index  buckets of 8 places; a place counts what was ever written, so that
 *          head - place > ring says that it was written over, beside 16 bits
 *          of the digest, so that no other record is looked at
 *
 * The index is keyed by the digest's own bytes: only who holds valid tokens
 * can put any, and a bucket that they fill costs them, not others, a second
 * verification. */
#include "live/verified.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/pages.h"
#include "live/token_int.h"

enum {
    WAYS = 8, /* a cache line */
    ALIGN = 16,
    PLACE_BYTES = 128, /* of the ring; a usual record has two to three times */
    LARGEST_PART = 16, /* a record has at most 1/16 of the ring */
    RING_BYTES_MIN = 65536,
    MARK_BITS = 16,
    LINE = 64,
};
/* Places are in units of ALIGN; all is forgotten before they run out, after
 * some years of nothing but new tokens. */
static const uint64_t PLACE_MAX = UINT64_MAX >> MARK_BITS;

struct bucket {
    uint64_t place[WAYS]; /* place << MARK_BITS | mark; 0: never used */
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

static size_t index_bytes(const struct verified_cache *c)
{
    return c->buckets * sizeof(struct bucket);
}

void verified_cache_free(struct verified_cache **c)
{
    if (!*c) return;
    pages_free((*c)->ring, (*c)->bytes);
    pages_free((*c)->index, index_bytes(*c));
    mem_free(*c);
    *c = NULL;
}

/* Pages appear where they are written to. */
static bool make_room(struct verified_cache *c)
{
    if (c->ring) return true;
    if (c->bytes == 0) return false;
    c->ring = pages_alloc(c->bytes);
    c->index = pages_alloc(index_bytes(c));
    if (c->ring && c->index) {
        pages_expect(c->ring, c->bytes);
        pages_expect(c->index, index_bytes(c));
        return true;
    }
    pages_free(c->ring, c->bytes);
    pages_free(c->index, index_bytes(c));
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

/* What the index holds for a record at `at`. */
static uint64_t place_of(uint64_t at, const uint8_t digest[32])
{
    uint16_t mark;
    memcpy(&mark, digest + sizeof(uint64_t), sizeof mark);
    return at / ALIGN << MARK_BITS | mark;
}

static bool is_alive(const struct verified_cache *c, uint64_t place)
{
    uint64_t at = (place >> MARK_BITS) * ALIGN;
    return place != 0 && c->head - at <= c->bytes;
}

static struct record *record_at(const struct verified_cache *c, uint64_t at)
{
    return (struct record *)(void *)(c->ring + at % c->bytes);
}

/* NULL: nothing of that digest lies there. */
static struct record *record_find(const struct verified_cache *c,
                                  uint64_t place, const uint8_t digest[32])
{
    if ((place ^ place_of(0, digest)) << (64 - MARK_BITS)) return NULL;
    if (!is_alive(c, place)) return NULL;
    struct record *r = record_at(c, (place >> MARK_BITS) * ALIGN);
    return memcmp(r->v.digest, digest, 32) == 0 ? r : NULL;
}

/* Where the next record goes is wanted soon. */
static void put_expect(const struct verified_cache *c)
{
    const char *at = c->ring + c->head % c->bytes;
    for (unsigned i = 0; i < sizeof(struct record); i += LINE)
        __builtin_prefetch(at + i, 1);
}

const struct verified *verified_find(struct verified_cache *c,
                                     const uint8_t digest[32], uint64_t image)
{
    if (!c->ring) return NULL;
    const struct bucket *b = bucket_of(c, digest);
    for (unsigned i = 0; i < WAYS; i++) {
        const struct record *r = record_find(c, b->place[i], digest);
        if (r && r->v.image == image) return &r->v;
    }
    put_expect(c);
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
    if (v->cnf_key) texts += JWK_THUMBPRINT_BYTES;
    if (v->cnf_cert) texts += JWK_THUMBPRINT_BYTES;
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

static const uint8_t *hash_write(struct writer *w, const uint8_t *hash)
{
    if (!hash) return NULL;
    struct sv copy = text_write(w, sv_of(hash, JWK_THUMBPRINT_BYTES));
    return (const uint8_t *)copy.p;
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
    to->cnf_key = hash_write(&w, v->cnf_key);
    to->cnf_cert = hash_write(&w, v->cnf_cert);
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
        if (record_find(c, *at, digest)) return at;
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

static void forget(struct verified_cache *c)
{
    memset(c->index, 0, c->buckets * sizeof(struct bucket));
    c->head = c->tail = c->bytes;
}

const struct verified *verified_put(struct verified_cache *c,
                                    const struct verified *v)
{
    size_t n = record_bytes(v);
    if (c->head / ALIGN + c->bytes > PLACE_MAX) forget(c);
    if (!make_room(c) || n > c->bytes / LARGEST_PART) return NULL;
    uint64_t *place = place_choose(c, v->digest);
    size_t to_end = c->bytes - c->head % c->bytes;
    if (to_end < n) ring_take(c, to_end)->skipped = true; /* no wrapping */
    *place = place_of(c->head, v->digest);
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
