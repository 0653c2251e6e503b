/* Deadlines of connections: one 32-bit tick a slot, compared in vectors. A
 * store is all that an exchange pays; a sweep looks at every slot, but only
 * when the earliest deadline that was ever stored since the last sweep is due
 * (hot-path.md §7: 12 us for 100,000). */
#include <string.h>

#include "net/reactor_int.h"

/* Slots are swept in groups: four vectors of four, then the next four. */
enum { LANES = 4, VECTORS = 4, GROUP = 64 };
typedef int32_t lanes __attribute__((vector_size(4 * LANES), aligned(4)));

void conn_deadline(struct conn *c, enum deadline which, uint32_t ms)
{
    if (!c->finishing && !c->closing) deadline_set(c, which, ms);
}

void deadline_set(struct conn *c, enum deadline which, uint32_t ms)
{
    struct reactor *r = c->r;
    int32_t *due = &r->due[c - r->slab];
    if (which == DEADLINE_NONE || ms == 0) {
        *due = DUE_NONE;
        return;
    }
    uint64_t tick = (r->now_ms - r->start_ms + ms + TICK_MS - 1) / TICK_MS;
    int32_t at = tick < DUE_NONE ? (int32_t)tick : DUE_NONE - 1;
    c->which = (uint8_t)which;
    *due = at;
    if (at < r->due_next) r->due_next = at;
}

size_t deadlines_slots(unsigned conns)
{
    return ((size_t)conns + GROUP - 1) / GROUP * GROUP;
}

void deadlines_cover(struct reactor *r, unsigned slot)
{
    if (slot % GROUP) return;
    for (unsigned k = 0; k < GROUP; k++) r->due[slot + k] = DUE_NONE;
}

uint64_t deadlines_next_ms(const struct reactor *r)
{
    return r->due_next == DUE_NONE
               ? UINT64_MAX
               : r->start_ms + (uint64_t)r->due_next * TICK_MS;
}

static void hit(struct reactor *r, unsigned first, int32_t now)
{
    for (unsigned i = first; i < first + GROUP; i++) {
        if (r->due[i] > now) continue;
        r->due[i] = DUE_NONE;
        STAT_ADD(r, deadlines_hit, 1);
        conn_timed_out(&r->slab[i]);
        settle(r);
    }
}

static inline lanes less_of(lanes a, lanes b)
{
    lanes a_less = a < b;
    return (a & a_less) | (b & ~a_less);
}

static int32_t group_least(const int32_t *due)
{
    lanes low[VECTORS];
    memcpy(low, due, sizeof low);
    for (int i = VECTORS * LANES; i < GROUP; i += VECTORS * LANES) {
        lanes next[VECTORS];
        memcpy(next, due + i, sizeof next);
        for (int k = 0; k < VECTORS; k++) low[k] = less_of(low[k], next[k]);
    }
    lanes l = less_of(less_of(low[0], low[1]), less_of(low[2], low[3]));
    int32_t x = l[0] < l[1] ? l[0] : l[1], y = l[2] < l[3] ? l[2] : l[3];
    return x < y ? x : y;
}

void deadlines_sweep(struct reactor *r)
{
    int32_t now = (int32_t)((r->now_ms - r->start_ms) / TICK_MS);
    if (now < r->due_next) return;
    /* callbacks store new deadlines and lower this again */
    r->due_next = DUE_NONE;
    int32_t least = DUE_NONE;
    for (unsigned i = 0; i < r->high; i += GROUP) {
        int32_t low = group_least(&r->due[i]);
        if (low <= now) {
            hit(r, i, now);
            low = group_least(&r->due[i]);
        }
        if (low < least) least = low;
    }
    if (least < r->due_next) r->due_next = least;
}
