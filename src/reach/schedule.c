#include "reach/schedule.h"

#include "base/mem.h"

enum { FIRST_CAP = 64, JITTER_PART = 10 };

void schedule_fini(struct schedule *s)
{
    mem_free(s->items);
    *s = (struct schedule){ .n = 0 };
}

static void place(struct schedule *s, uint32_t at, struct schedule_item *i)
{
    s->items[at] = i;
    i->at = at + 1;
}

static void sift_up(struct schedule *s, uint32_t at, struct schedule_item *i)
{
    while (at && s->items[(at - 1) / 2]->due_ms > i->due_ms) {
        place(s, at, s->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(s, at, i);
}

static void sift_down(struct schedule *s, uint32_t at, struct schedule_item *i)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= s->n) break;
        if (child + 1 < s->n &&
            s->items[child + 1]->due_ms < s->items[child]->due_ms)
            child++;
        if (s->items[child]->due_ms >= i->due_ms) break;
        place(s, at, s->items[child]);
        at = child;
    }
    place(s, at, i);
}

void schedule_remove(struct schedule *s, struct schedule_item *i)
{
    if (!i->at) return;
    uint32_t at = i->at - 1;
    struct schedule_item *last = s->items[--s->n];
    i->at = 0;
    if (last == i) return;
    if (at && s->items[(at - 1) / 2]->due_ms > last->due_ms)
        sift_up(s, at, last);
    else
        sift_down(s, at, last);
}

void schedule_put(struct schedule *s, struct schedule_item *i, int64_t due_ms)
{
    schedule_remove(s, i);
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : FIRST_CAP;
        s->items = mem_realloc(s->items, s->cap * sizeof *s->items);
    }
    i->due_ms = due_ms;
    sift_up(s, s->n++, i);
}

struct schedule_item *schedule_first(const struct schedule *s)
{
    return s->n ? s->items[0] : NULL;
}

int64_t schedule_jitter_ms(int64_t interval_ms, uint64_t random)
{
    int64_t part = interval_ms / JITTER_PART;
    return interval_ms - (int64_t)(random % (uint64_t)(part + 1));
}
