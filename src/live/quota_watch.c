#include "live/quota_watch.h"

#include "base/mem.h"
#include "base/metric.h"

enum { SLOTS = 256 }; /* a power of two */

struct slot {
    _Atomic uint32_t turn; /* == place: free for it; place + 1: filled */
    struct quota_crossing c;
};

struct quota_watch {
    _Atomic bool wanted;
    _Atomic uint64_t dropped;
    _Alignas(64) _Atomic uint32_t next; /* place that is written next */
    _Alignas(64) uint32_t first;        /* place that is read next */
    struct slot slots[SLOTS];
};

void quota_watch_new(struct quota_watch **out)
{
    struct quota_watch *w = mem_aligned(64, sizeof *w);
    for (uint32_t i = 0; i < SLOTS; i++) atomic_init(&w->slots[i].turn, i);
    *out = w;
}

void quota_watch_free(struct quota_watch **w)
{
    mem_free(*w);
    *w = NULL;
}

bool quota_watch_wanted(const struct quota_watch *w)
{
    return w && atomic_load_explicit(&w->wanted, memory_order_relaxed);
}

void quota_watch_want(struct quota_watch *w, bool wanted)
{
    atomic_store_explicit(&w->wanted, wanted, memory_order_relaxed);
}

bool quota_crossed(int64_t quota, int64_t remaining, int64_t cost,
                   uint8_t *from, uint8_t *to)
{
    int64_t used = quota - remaining, before = used - cost;
    if (quota <= 0 || used < quota / 2) return false;
    *from = before > 0 ? (uint8_t)(before * 100 / quota) : 0;
    *to = (uint8_t)(used * 100 / quota);
    return *to > *from && *to >= QUOTA_WATCH_PERCENT;
}

void quota_watch_put(struct quota_watch *w, const struct quota_crossing *c)
{
    uint32_t at = atomic_load_explicit(&w->next, memory_order_relaxed);
    for (;;) {
        struct slot *s = &w->slots[at % SLOTS];
        uint32_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);
        if (turn == at) {
            if (!atomic_compare_exchange_weak_explicit(&w->next, &at, at + 1,
                                                       memory_order_relaxed,
                                                       memory_order_relaxed))
                continue; /* `at` is the newer place */
            s->c = *c;
            atomic_store_explicit(&s->turn, at + 1, memory_order_release);
            return;
        }
        if ((int32_t)(turn - at) < 0) { /* a round behind: full */
            atomic_fetch_add_explicit(&w->dropped, 1, memory_order_relaxed);
            return;
        }
        at = atomic_load_explicit(&w->next, memory_order_relaxed);
    }
}

bool quota_watch_take(struct quota_watch *w, struct quota_crossing *out)
{
    struct slot *s = &w->slots[w->first % SLOTS];
    if (atomic_load_explicit(&s->turn, memory_order_acquire) != w->first + 1)
        return false;
    *out = s->c;
    atomic_store_explicit(&s->turn, w->first + SLOTS, memory_order_release);
    w->first++;
    return true;
}

void quota_watch_metrics(const struct quota_watch *w, struct buf *out)
{
    metric_one(out, "typeauth_quota_crossings_dropped_total", "counter",
               "Quotas nearly spent that had no room in the queue of alerts",
               atomic_load(&w->dropped));
}
