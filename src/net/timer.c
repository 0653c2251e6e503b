/* Fine timers in a binary heap: few, seldom armed, exact to the millisecond.
 * Time-outs of connections are not here but in deadline.c. */
#include "base/mem.h"
#include "net/reactor_int.h"

static void place(struct reactor *r, uint32_t i, struct timer *t)
{
    r->heap[i] = t;
    t->at_ = i;
}

static void sift_up(struct reactor *r, uint32_t i, struct timer *t)
{
    for (; i > 1 && r->heap[i / 2]->due_ms > t->due_ms; i /= 2)
        place(r, i, r->heap[i / 2]);
    place(r, i, t);
}

static void sift_down(struct reactor *r, uint32_t i, struct timer *t)
{
    for (uint32_t child; (child = 2 * i) <= r->heap_n; i = child) {
        if (child < r->heap_n &&
            r->heap[child + 1]->due_ms < r->heap[child]->due_ms)
            child++;
        if (t->due_ms <= r->heap[child]->due_ms) break;
        place(r, i, r->heap[child]);
    }
    place(r, i, t);
}

void timer_arm(struct reactor *r, struct timer *t, uint64_t in_ms)
{
    timer_cancel(r, t);
    t->due_ms = r->now_ms + in_ms;
    if (r->heap_n + 1 >= r->heap_cap) {
        r->heap_cap = r->heap_cap ? 2 * r->heap_cap : 16;
        r->heap = mem_realloc(r->heap, r->heap_cap * sizeof(*r->heap));
    }
    r->heap_n++;
    sift_up(r, r->heap_n, t);
}

void timer_cancel(struct reactor *r, struct timer *t)
{
    uint32_t i = t->at_;
    if (!i) return;
    ENSURE(i <= r->heap_n && r->heap[i] == t);
    t->at_ = 0;
    struct timer *last = r->heap[r->heap_n--];
    if (last == t) return;
    if (i > 1 && r->heap[i / 2]->due_ms > last->due_ms)
        sift_up(r, i, last);
    else
        sift_down(r, i, last);
}

uint64_t timers_next_ms(const struct reactor *r)
{
    return r->heap_n ? r->heap[1]->due_ms : UINT64_MAX;
}

void timers_fire(struct reactor *r)
{
    uint64_t now = r->now_ms;
    /* one armed with 0 ms by a callback waits for the next turn */
    for (uint32_t n = r->heap_n; n && r->heap_n; n--) {
        struct timer *t = r->heap[1];
        if (t->due_ms > now) break;
        timer_cancel(r, t);
        t->fire(t);
        settle(r);
    }
}
