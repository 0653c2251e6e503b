/* The token table: records by slot, their index, what they share. */
#include "live/token.h"

#include <errno.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/err.h"
#include "base/mem.h"
#include "live/counter_int.h"
#include "live/token_int.h"

static const int64_t EPOCH_MS = 1704067200000; /* 2024-01-01 */

enum { RECORDS_STEP = 1 << 16, DEFAULT_MAX = SLOTS_MAX };

/* --- readers ----------------------------------------------------------------- */
static struct token_key key_of(uint32_t app, const uint8_t digest[32])
{
    struct token_key key = { .app = app };
    memcpy(key.digest, digest, sizeof key.digest);
    return key;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void id_view(struct token_view *v)
{
    v->tag = be32(v->id + 12);
    v->created_ms = (int64_t)((uint64_t)be32(v->id) << 16 |
                              (uint64_t)v->id[4] << 8 | v->id[5]);
}

static int64_t expires_ms_of(uint32_t expires_s)
{
    return expires_s ? EPOCH_MS + (int64_t)expires_s * 1000 : 0;
}

/* False: gone by now. A record that was there in this turn is not given to
 * another in it, so what is read here is of one token; read again while its
 * state changes, so that no old state meets a new address list. */
static bool record_view(const struct tokens *t, uint32_t slot,
                        struct token_view *out)
{
    const struct token *r = &t->record[slot];
    uint32_t app = LOAD_ACQ(r->app), before;
    uint64_t id[2] = { LOAD_ACQ(r->id[0]), LOAD_ACQ(r->id[1]) };
    do {
        if (!(app & TOKEN_PRESENT) || app & TOKEN_ALIAS) return false;
        before = app;
        out->expires_ms = expires_ms_of(LOAD_ACQ(r->expires_s));
        out->own = policy_view(shared_at(&t->policies, LOAD_ACQ(r->policy)));
        out->cold = cold_view(shared_at(&t->colds, LOAD_ACQ(r->attrs)));
        app = LOAD_ACQ(r->app);
    } while (__builtin_expect(app != before, 0));
    memcpy(out->id, id, sizeof id);
    out->slot = slot;
    out->app = app >> 8;
    out->state = (uint8_t)(app & (TOKEN_ENABLED | TOKEN_REVOKED));
    id_view(out);
    return true;
}

/* The primary's view; the alias adds that it is one, and its end. */
static bool alias_view(const struct tokens *t, const struct token *alias,
                       uint32_t state, int64_t wall_ms, struct token_view *out)
{
    uint64_t id[2] = { LOAD_ACQ(alias->id[0]), LOAD_ACQ(alias->id[1]) };
    if (!record_view(t, LOAD_ACQ(alias->attrs), out) ||
        memcmp(id, out->id, sizeof id) != 0)
        return false;
    out->state |= TOKEN_ALIAS;
    if (state & TOKEN_REVOKED ||
        wall_ms >= expires_ms_of(LOAD_ACQ(alias->expires_s)))
        out->state |= TOKEN_REVOKED;
    return true;
}

void tokens_ahead(const struct tokens *t, uint32_t app,
                  const uint8_t digest[32])
{
    struct token_key key = key_of(app, digest);
    index_ahead(t, &key);
}

bool tokens_find(const struct tokens *t, uint32_t app, const uint8_t digest[32],
                 int64_t wall_ms, struct token_view *out)
{
    struct token_key key = key_of(app, digest);
    uint32_t slot = index_find(t, &key);
    if (slot == UINT32_MAX) return false;
    const struct token *r = &t->record[slot];
    uint32_t state = LOAD_ACQ(r->app);
    if (__builtin_expect(state & TOKEN_ALIAS, 0))
        return alias_view(t, r, state, wall_ms, out);
    return record_view(t, slot, out);
}

bool tokens_view(const struct tokens *t, uint32_t slot, uint32_t tag,
                 int64_t wall_ms, struct token_view *out)
{
    (void)wall_ms;
    return slot < LOAD_ACQ(t->slots) && record_view(t, slot, out) &&
           out->tag == tag;
}

int tokens_metadata_read(const struct tokens *t, uint32_t slot, uint32_t tag,
                         char *out, size_t max, size_t *n)
{
    struct token_view v;
    *n = 0;
    if (!tokens_view(t, slot, tag, 0, &v)) return ERR_NOTFOUND;
    return v.cold ? cold_metadata_read(t->metadata, v.cold, out, max, n) : 0;
}

/* --- slots --------------------------------------------------------------------- */
static uint64_t *free_words(struct tokens *t)
{
    return (uint64_t *)(void *)t->free_bits.base;
}

static void slot_set_free(struct tokens *t, uint32_t slot)
{
    free_words(t)[slot / 64] |= (uint64_t)1 << slot % 64;
    t->free_n++;
    if (slot / 64 < t->free_hint) t->free_hint = slot / 64;
}

static uint32_t slot_from_free(struct tokens *t)
{
    uint64_t *w = free_words(t);
    while (!w[t->free_hint]) t->free_hint++;
    uint32_t bit = (uint32_t)__builtin_ctzll(w[t->free_hint]);
    w[t->free_hint] &= w[t->free_hint] - 1;
    t->free_n--;
    return t->free_hint * 64 + bit;
}

/* Room for records, counters and the bit, up to this slot. */
static int slots_grow(struct tokens *t, uint32_t slot)
{
    uint32_t usable = atomic_load(&t->slots);
    if (slot >= t->max) return ERR_FULL;
    int err = t->counters ? counters_reserve(t->counters, slot + 1) : 0;
    if (!err) err = region_grow(&t->free_bits, (size_t)slot / 8 + 8);
    if (!err && slot >= usable) {
        uint32_t n = slot / RECORDS_STEP * RECORDS_STEP + RECORDS_STEP;
        if (n > t->max) n = t->max;
        err = region_grow(&t->records, (size_t)n * sizeof(struct token));
        if (!err) atomic_store(&t->slots, n);
    }
    return err;
}

int tokens_slot_claim(struct tokens *t, uint32_t slot)
{
    if (slot < t->next) {
        uint64_t bit = (uint64_t)1 << slot % 64, *w = free_words(t) + slot / 64;
        if (!(*w & bit)) return ERR_EXISTS;
        *w &= ~bit;
        t->free_n--;
        return 0;
    }
    int err = slots_grow(t, slot);
    if (err) return err;
    while (t->next < slot) slot_set_free(t, t->next++);
    t->next++;
    return 0;
}

uint32_t tokens_slots_take(struct tokens *t, uint32_t n)
{
    uint32_t first = t->next;
    if (n == 0 || n > UINT32_MAX - first || slots_grow(t, first + n - 1) != 0)
        return UINT32_MAX;
    t->next += n;
    return first;
}

uint32_t tokens_slot_take(struct tokens *t)
{
    if (t->free_n) return slot_from_free(t);
    if (slots_grow(t, t->next) != 0) return UINT32_MAX;
    return t->next++;
}

struct given {
    struct tokens *t;
    uint32_t slot;
};

static void slot_free_again(void *obj)
{
    struct given *g = obj;
    g->t->slots_waiting--;
    slot_set_free(g->t, g->slot);
    mem_free(g);
}

void tokens_slot_give(struct tokens *t, uint32_t slot)
{
    struct given *g = NEW(struct given);
    *g = (struct given){ t, slot };
    t->slots_waiting++;
    epoch_retire(g, slot_free_again, NULL);
}

/* --- the writer -------------------------------------------------------------------- */
static uint32_t expires_s_of(int64_t ms)
{
    if (ms == 0) return 0;
    int64_t s = (ms - EPOCH_MS + 999) / 1000;
    return s < 1 ? 1 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

static struct token_key record_key(const struct token *r)
{
    return (struct token_key){
        .digest = { LOAD_ACQ(r->digest[0]), LOAD_ACQ(r->digest[1]) },
        .app = LOAD_ACQ(r->app) >> 8,
    };
}

static bool present(const struct token *r)
{
    return LOAD_ACQ(r->app) & TOKEN_PRESENT;
}

static void digest_write(struct token *r, const struct token_key *key)
{
    STORE_REL(r->digest[0], key->digest[0]);
    STORE_REL(r->digest[1], key->digest[1]);
}

static void id_write(struct token *r, const uint64_t id[2])
{
    STORE_REL(r->id[0], id[0]);
    STORE_REL(r->id[1], id[1]);
}

static void app_write(struct token *r, uint32_t app, uint32_t state)
{
    atomic_store(&r->app, app << 8 | state | TOKEN_PRESENT);
}

/* Numbers of what r shares: own policy and cold block; both or neither. */
static int share(struct tokens *t, const struct token_record *r,
                 uint32_t *policy, uint32_t *cold)
{
    struct shared *block;
    *policy = *cold = 0;
    if (r->own && t->counters && r->own->has_limits) {
        int err = counters_reserve_limits(t->counters, r->own->limits_n);
        if (err) return err;
    }
    int err = cold_build(t->metadata, r, &block);
    if (!err && block) err = shared_put(&t->colds, block, cold);
    if (!err && r->own)
        err = shared_put(&t->policies, policy_build(r->own), policy);
    if (err) {
        shared_drop(&t->colds, *cold);
        *cold = 0;
    }
    return err;
}

/* In an order that a reader of any moment can use: what is shared is there
 * before the record names it, the old is dropped after. */
static void replace(struct tokens *t, struct token *r,
                    const struct token_record *from, uint32_t policy,
                    uint32_t cold)
{
    uint32_t old_policy = LOAD_ACQ(r->policy), old_cold = LOAD_ACQ(r->attrs);
    atomic_store(&r->policy, policy);
    atomic_store(&r->attrs, cold);
    STORE_REL(r->expires_s, expires_s_of(from->expires_ms));
    app_write(r, from->app, from->state);
    shared_drop(&t->policies, old_policy);
    shared_drop(&t->colds, old_cold);
}

static int insert(struct tokens *t, const struct token_record *from,
                  const struct token_key *key, uint32_t policy, uint32_t cold)
{
    struct token *r = &t->record[from->slot];
    uint64_t id[2];
    memcpy(id, from->id, sizeof id);
    digest_write(r, key);
    id_write(r, id);
    STORE_REL(r->policy, policy);
    STORE_REL(r->expires_s, expires_s_of(from->expires_ms));
    STORE_REL(r->attrs, cold);
    app_write(r, from->app, from->state);
    int err = index_put(t, key, from->slot);
    if (err) atomic_store(&r->app, 0);
    return err;
}

int tokens_put(struct tokens *t, const struct token_record *from)
{
    uint32_t policy, cold;
    ENSURE(from->slot < t->next && from->app <= 0xFFFFFF);
    struct token *r = &t->record[from->slot];
    struct token_key key = key_of(from->app, from->digest);
    uint32_t known = index_find(t, &key);
    if (known != UINT32_MAX && known != from->slot) return ERR_EXISTS;
    bool there = present(r);
    if (there && known != from->slot) return ERR_CONFLICT; /* that is rotate */
    int err = share(t, from, &policy, &cold);
    if (err) return err;
    if (there) {
        replace(t, r, from, policy, cold);
        return 0;
    }
    err = insert(t, from, &key, policy, cold);
    if (err) {
        shared_drop(&t->policies, policy);
        shared_drop(&t->colds, cold);
    }
    return err;
}

int tokens_load(struct tokens *t, const struct token_record *r)
{
    int err = tokens_slot_claim(t, r->slot);
    return err ? err : tokens_put(t, r);
}

static int alias_put(struct tokens *t, uint32_t alias_slot,
                     const struct token_key *key, uint32_t slot,
                     int64_t grace_ends_ms)
{
    struct token *alias = &t->record[alias_slot], *r = &t->record[slot];
    uint64_t id[2] = { LOAD_ACQ(r->id[0]), LOAD_ACQ(r->id[1]) };
    ENSURE(alias_slot < t->next && !present(alias));
    digest_write(alias, key);
    id_write(alias, id);
    STORE_REL(alias->policy, 0);
    STORE_REL(alias->expires_s,
              grace_ends_ms > EPOCH_MS ? expires_s_of(grace_ends_ms) : 1);
    STORE_REL(alias->attrs, slot);
    app_write(alias, key->app, TOKEN_ENABLED | TOKEN_ALIAS);
    int err = index_put(t, key, alias_slot);
    if (err) atomic_store(&alias->app, 0);
    return err;
}

/* Whoever comes with the old secret finds the primary until its digest
 * changes, and the alias from then on; who passed the one before it was there
 * and the other after it changed, looks again (index_moved). */
int tokens_rotate(struct tokens *t, uint32_t slot, const uint8_t digest[32],
                  uint32_t alias_slot, int64_t grace_ends_ms)
{
    struct token *r = &t->record[slot];
    ENSURE(slot < t->next && present(r));
    struct token_key old = record_key(r);
    struct token_key new = key_of(old.app, digest);
    if (index_find(t, &new) != UINT32_MAX) return ERR_EXISTS;
    int err = 0;
    if (alias_slot != UINT32_MAX)
        err = alias_put(t, alias_slot, &old, slot, grace_ends_ms);
    if (err) return err;
    err = index_put(t, &new, slot);
    if (err) {
        if (alias_slot != UINT32_MAX) tokens_remove(t, alias_slot);
        return err;
    }
    index_moved(t, &old);
    digest_write(r, &new);
    index_remove(t, &old, slot);
    return 0;
}

bool tokens_has(const struct tokens *t, uint32_t slot)
{
    return slot < t->next && present(&t->record[slot]);
}

int tokens_alias_load(struct tokens *t, uint32_t alias_slot, uint32_t app,
                      const uint8_t digest[32], uint32_t slot,
                      int64_t grace_ends_ms)
{
    int err = tokens_slot_claim(t, alias_slot);
    return err ? err
               : tokens_alias_put(t, alias_slot, app, digest, slot,
                                  grace_ends_ms);
}

int tokens_alias_put(struct tokens *t, uint32_t alias_slot, uint32_t app,
                     const uint8_t digest[32], uint32_t slot,
                     int64_t grace_ends_ms)
{
    struct token_key key = key_of(app, digest);
    if (!tokens_has(t, slot)) return ERR_NOTFOUND;
    if (index_find(t, &key) != UINT32_MAX) return ERR_EXISTS;
    return alias_put(t, alias_slot, &key, slot, grace_ends_ms);
}

void tokens_loaded(struct tokens *t)
{
    index_loaded(&t->index);
}

void tokens_revoke(struct tokens *t, uint32_t slot)
{
    ENSURE(slot < t->next && present(&t->record[slot]));
    atomic_fetch_or(&t->record[slot].app, TOKEN_REVOKED);
}

void tokens_remove(struct tokens *t, uint32_t slot)
{
    struct token *r = &t->record[slot];
    ENSURE(slot < t->next && present(r));
    struct token_key key = record_key(r);
    index_remove(t, &key, slot);
    bool alias = LOAD_ACQ(r->app) & TOKEN_ALIAS;
    atomic_store(&r->app, 0);
    if (alias) return;
    shared_drop(&t->policies, LOAD_ACQ(r->policy));
    shared_drop(&t->colds, LOAD_ACQ(r->attrs));
}

/* --- the whole ------------------------------------------------------------------------ */
int tokens_new(struct tokens **out, const struct tokens_conf *conf)
{
    struct tokens *t = mem_aligned(64, sizeof *t);
    t->max = conf->max && conf->max < DEFAULT_MAX ? conf->max : DEFAULT_MAX;
    t->counters = conf->counters;
    int err = index_init(&t->index, t->max);
    if (!err)
        err = region_init(&t->records, (size_t)t->max * sizeof(struct token));
    if (!err) err = region_init(&t->free_bits, (size_t)t->max / 8 + 8);
    if (!err) err = metadata_file_new(&t->metadata, conf->dir);
    if (!err) err = shared_init(&t->policies, &policy_kind, NULL, t->max);
    if (!err) err = shared_init(&t->colds, &cold_kind, t->metadata, t->max);
    t->record = (struct token *)(void *)t->records.base;
    *out = t;
    if (err) tokens_free(out);
    return err;
}

void tokens_free(struct tokens **tp)
{
    struct tokens *t = *tp;
    if (!t) return;
    *tp = NULL;
    epoch_reclaim();
    ENSURE(t->slots_waiting == 0);
    shared_fini(&t->policies);
    shared_fini(&t->colds);
    metadata_file_free(&t->metadata);
    index_fini(&t->index);
    if (t->records.base) mem_wipe(t->records.base, t->records.usable);
    region_fini(&t->records);
    region_fini(&t->free_bits);
    mem_free(t);
}

void tokens_stats(const struct tokens *t, struct tokens_stats *out)
{
    *out = (struct tokens_stats){
        .live = t->index.live,
        .index_bytes = t->index.bytes + sizeof t->index,
        .record_bytes = (uint64_t)t->next * sizeof(struct token),
        .cold_bytes = t->colds.bytes + t->policies.bytes,
        .cold_blocks = t->colds.n,
        .policies = t->policies.n,
    };
}
