/* Peers that do not take what is sent to them hold blocks of the pool, up to
 * CONN_HIGH each. While there are blocks for all that harms nobody. When the
 * pool gets tight, the connection that has stalled longest is dropped, then the
 * next, so that there is room left for all others:
 *
 *   output left after a write ──> stalled: oldest ... newest
 *   queue empty ──> out          queue falls to CONN_LOW ──> newest again
 *
 * So a slow peer is judged by the rate at which it takes what we hold for it,
 * not by single bytes now and then, and never before STALL_MIN_MS. */
#include "base/err.h"
#include "net/reactor_int.h"

void stall_end(struct conn *c)
{
    if (!c->stall.next) return;
    c->stall.next->prev = c->stall.prev;
    c->stall.prev->next = c->stall.next;
    c->stall.next = NULL;
}

void stall_note(struct conn *c, bool roomy)
{
    struct reactor *r = c->r;
    bool left = conn_queued(c) > 0;
    if (!left || roomy) stall_end(c);
    if (!left || c->stall.next) return;
    c->stall_ms = (uint32_t)r->now_ms;
    c->stall = (struct link){ &r->stalled, r->stalled.prev };
    r->stalled.prev->next = &c->stall;
    r->stalled.prev = &c->stall;
}

/* The one to be dropped next; NULL: none, or there are blocks for all. */
static struct conn *longest(const struct reactor *r)
{
    bool tight = r->pool_bytes > r->conf.blocks_bytes / 4 * 3;
    if (!tight || r->stalled.next == &r->stalled) return NULL;
    return CONTAINER_OF(r->stalled.next, struct conn, stall);
}

static uint32_t time_left_ms(const struct conn *c)
{
    uint32_t age_ms = (uint32_t)c->r->now_ms - c->stall_ms;
    return age_ms < STALL_MIN_MS ? STALL_MIN_MS - age_ms : 0;
}

void stalls_relieve(struct reactor *r)
{
    for (struct conn *c; (c = longest(r)) && time_left_ms(c) == 0;) {
        STAT_ADD(r, stalled_dropped, 1);
        conn_abort(c, ERR_TIMEOUT);
        settle(r);
    }
}

uint64_t stalls_next_ms(const struct reactor *r)
{
    const struct conn *c = longest(r);
    return c ? r->now_ms + time_left_ms(c) : UINT64_MAX;
}
