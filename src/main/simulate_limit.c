/* The global limit as gateway.md §4 has it (nine counts of an eighth of the
 * window, the oldest whole), for every key that the lines have. */
#include "base/ip.h"
#include "base/map.h"
#include "base/mem.h"
#include "main/simulate.h"

enum { LANES = 9, KEYS_MAX = 1 << 20 };

struct counter {
    char *key;
    int64_t head, last_ms;
    uint32_t lane[LANES];
};

struct simulate_limit {
    uint32_t limit;
    int64_t window_ms, width_ms;
    struct map keys;
};

struct simulate_limit *simulate_limit_new(const struct abuse *abuse)
{
    struct simulate_limit *l = NEW(struct simulate_limit);
    l->limit = abuse->limit;
    l->window_ms = (int64_t)abuse->window_s * 1000;
    l->width_ms = (l->window_ms + 7) / 8;
    return l;
}

void simulate_limit_free(struct simulate_limit **l)
{
    struct map_entry e;
    size_t at = 0;
    if (!*l) return;
    while (map_next(&(*l)->keys, &at, &e)) {
        struct counter *c = e.value;
        mem_free(c->key);
        mem_free(c);
    }
    map_fini(&(*l)->keys);
    mem_free(*l);
    *l = NULL;
}

static struct counter *counter_get(struct simulate_limit *l, struct sv key)
{
    struct counter *c = map_find(&l->keys, key);
    if (c || l->keys.n == KEYS_MAX) return c;
    c = NEW(struct counter);
    c->key = mem_dup_sv(key);
    c->head = INT64_MIN / 2;
    c->last_ms = INT64_MIN / 2;
    map_put(&l->keys, sv_of(c->key, key.n), c);
    return c;
}

bool simulate_limit_take(struct simulate_limit *l, struct sv key, uint32_t cost,
                         int64_t at_ms)
{
    struct counter *c = counter_get(l, key);
    uint64_t sum = 0;
    if (!c) return false;
    int64_t now = at_ms / l->width_ms;
    if (now < c->head) now = c->head; /* time never runs back */
    if (now - c->head >= LANES || at_ms - c->last_ms >= l->window_ms)
        memset(c->lane, 0, sizeof c->lane);
    else
        for (int64_t i = c->head + 1; i <= now; i++)
            c->lane[((i % LANES) + LANES) % LANES] = 0;
    c->head = now;
    for (int i = 0; i < LANES; i++) sum += c->lane[i];
    if (sum + cost > l->limit) return false;
    c->lane[((now % LANES) + LANES) % LANES] += cost;
    c->last_ms = at_ms;
    return true;
}
