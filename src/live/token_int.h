/* The token table's parts: records, index, shared blocks. */
#ifndef LIVE_TOKEN_INT_H
#define LIVE_TOKEN_INT_H

#include <stdatomic.h>

#include "live/shared_int.h"
#include "live/slice_int.h"
#include "live/token.h"

/* One token, 48 bytes, by slot. Written by the writer only; read without
 * locks, so every field is an atomic, stored by release, `app` last. */
struct token {
    _Atomic uint64_t digest[2]; /* first 16 bytes of SHA-256(secret) */
    _Atomic uint64_t id[2];     /* ULID; an alias has its primary's */
    _Atomic uint32_t app;       /* application << 8 | state */
    _Atomic uint32_t policy;    /* own limits, quota, refill; 0 none */
    _Atomic uint32_t expires_s; /* since 2024, 0 never; alias: end of grace */
    _Atomic uint32_t attrs;     /* cold block, 0 none; alias: its primary */
};
_Static_assert(sizeof(struct token) == 48, "bytes a token are promised");

enum { TOKEN_PRESENT = 128 }; /* with the states of token.h */

/* --- index (token_index.c): (app, digest) -> slot -------------------------- */
enum { SHARDS = 1024 };

struct index_table {      /* one shard's entries, replaced whole */
    _Atomic uint64_t *e;  /* fingerprint << 32 | slot; 0 empty, 1 gone */
    uint32_t n;           /* < 2^20; 0: there are none */
};
struct index_shard {
    /* Both in one word: the address over 16 (< 2^48), 20 bits of n. A length in
     * front of the entries would be one line more to wait for. */
    _Atomic uint64_t table;
    /* +1 when a digest moves to another slot: who found nothing and sees
     * another number looks again */
    _Atomic uint32_t version;
    uint32_t used, live; /* entries not empty; of them not gone */
};
struct token_key {
    uint64_t digest[2];
    uint32_t app;
};
struct token_index {
    struct index_shard shard[SHARDS];
    uint64_t secret[3]; /* importers choose hashes: they must not aim */
    struct slices memory; /* of the tables */
    uint64_t bytes, waiting_bytes;
    uint64_t live;
};

static inline struct index_table index_table_of(const struct index_shard *s)
{
    uint64_t w = atomic_load(&s->table);
    return (struct index_table){ (_Atomic uint64_t *)(uintptr_t)(w >> 20 << 4),
                                 (uint32_t)(w & 0xfffff) };
}

int index_init(struct token_index *x, uint32_t max); /* ERR_NOMEM */
void index_fini(struct token_index *x);
struct tokens;
/* The slot that a reader would find, or UINT32_MAX. */
uint32_t index_find(const struct tokens *t, const struct token_key *key);
/* Brings near what index_find will look at. */
void index_ahead(const struct tokens *t, const struct token_key *key);
/* The record in `slot` is complete and not yet in the index. ERR_NOMEM. */
int index_put(struct tokens *t, const struct token_key *key, uint32_t slot);
void index_remove(struct tokens *t, const struct token_key *key,
                  uint32_t slot);
/* From here on, who looks for the key finds what was put before. */
void index_moved(struct tokens *t, const struct token_key *key);
/* It has the size that it will keep for long. Milliseconds. */
void index_loaded(struct token_index *x);

/* --- cold blocks (token_cold.c) ---------------------------------------------- */
struct metadata_file;
int metadata_file_new(struct metadata_file **out, const char *dir);
void metadata_file_free(struct metadata_file **f);
extern const struct shared_kind cold_kind;   /* ctx: struct metadata_file */
extern const struct shared_kind policy_kind;
int cold_build(struct metadata_file *f, const struct token_record *r,
               struct shared **out); /* *out NULL: nothing cold */
struct shared *policy_build(const struct policy *p);
const struct token_cold *cold_view(const struct shared *s);
const struct policy *policy_view(const struct shared *s);
int cold_metadata_read(const struct metadata_file *f,
                       const struct token_cold *view, char *out, size_t max,
                       size_t *n);

/* A text as a header field's value; 3 bytes of room for each of s. */
size_t header_put(char *to, struct sv s, bool spaces);

/* --- the whole ------------------------------------------------------------------ */
struct tokens {
    struct token *record;    /* region's base */
    _Atomic uint32_t slots;  /* usable records */
    struct counters *counters;
    struct token_index index;
    struct shared_pool policies, colds;
    /* the writer's */
    struct region records, free_bits; /* a bit a slot below `next` */
    uint32_t max, next, free_n, free_hint;
    uint64_t slots_waiting;  /* given, grace not over */
    struct metadata_file *metadata;
};

#define LOAD_ACQ(field) atomic_load_explicit(&(field), memory_order_acquire)
#define STORE_REL(field, v) \
    atomic_store_explicit(&(field), (v), memory_order_release)

#endif
