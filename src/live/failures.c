/* Budgets of failed signatures: see failures.h. A place holds the moment at
 * which its budget will be full again: each failure puts it off. */
#include "live/failures.h"

#include "base/hash.h"
#include "base/mem.h"

enum { WAYS = 8 };

struct failure {
    uint64_t key;
    int64_t full_ms;
};

/* The hash has a key of this process: nobody aims at a set. */
static uint64_t key_of(const struct failures_of *who)
{
    struct {
        uint32_t app, known;
        uint8_t address[16];
    } k = { .app = who->app };
    if (who->client) {
        k.known = 1;
        memcpy(k.address, who->client->b, ip_is_v4(who->client) ? 16 : 8);
    }
    uint64_t key = hash_sv(sv_of(&k, sizeof k));
    return key ? key : 1;
}

static struct failure *set_of(const struct failures *f, uint64_t key)
{
    return &f->table[key % (FAILURES_PLACES / WAYS) * WAYS];
}

bool failures_spent(struct failures *f, const struct failures_of *who)
{
    if (!f->table) return false;
    const uint64_t key = key_of(who);
    const int64_t room_ms =
        who->client
            ? (int64_t)(FAILURES_BURST - 1) * FAILURE_MS
            : (int64_t)(FAILURES_BURST_UNKNOWN - 1) * FAILURE_UNKNOWN_MS;
    const struct failure *set = set_of(f, key);
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key != key) continue;
        if (set[i].full_ms - who->now_ms <= room_ms) return false;
        atomic_store_explicit(
            &f->refused,
            atomic_load_explicit(&f->refused, memory_order_relaxed) + 1,
            memory_order_relaxed);
        return true;
    }
    return false;
}

static struct failure *place_of(struct failure *set, uint64_t key)
{
    struct failure *best = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key == key) return &set[i];
        if (set[i].full_ms < best->full_ms) best = &set[i];
    }
    *best = (struct failure){ .key = key };
    return best;
}

void failures_add(struct failures *f, const struct failures_of *who)
{
    if (!f->table) {
        f->table = mem_alloc_try(FAILURES_PLACES * sizeof *f->table);
        if (!f->table) return;
        memset(f->table, 0, FAILURES_PLACES * sizeof *f->table);
    }
    const uint64_t key = key_of(who);
    struct failure *at = place_of(set_of(f, key), key);
    if (at->full_ms < who->now_ms) at->full_ms = who->now_ms;
    at->full_ms += who->client ? FAILURE_MS : FAILURE_UNKNOWN_MS;
}

void failures_fini(struct failures *f)
{
    mem_free(f->table);
    f->table = NULL;
}
