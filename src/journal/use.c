/* Token use: set-associative counting. Ids are random (their last 8 bytes are
 * the kernel's randomness), so a set needs no keyed hash. */
#include "journal/use.h"

#include "base/mem.h"
#include "journal/histogram.h"

void use_init(struct use *u)
{
    u->active = NEW(struct use_table); /* untouched pages cost nothing */
    u->spare = NEW(struct use_table);
    atomic_flag_clear(&u->lock);
}

void use_fini(struct use *u)
{
    mem_free(u->active);
    mem_free(u->spare);
}

static bool is_same(const struct use_entry *w, const struct event *e)
{
    return w->n && w->slot == e->token_slot && w->outcome == e->outcome &&
           w->code == e->code && memcmp(w->id, e->token_id, sizeof w->id) == 0;
}

static uint64_t table_add(struct use_table *t, const struct event *e)
{
    uint64_t mix;
    memcpy(&mix, e->token_id + 8, sizeof mix);
    struct use_entry *set = t->at[(mix ^ e->outcome) % USE_SETS];
    struct use_entry *rarest = set;
    for (int i = 0; i < USE_WAYS; i++) {
        if (is_same(&set[i], e)) {
            set[i].n++;
            return 0;
        }
        if (set[i].n < rarest->n) rarest = &set[i];
    }
    uint64_t lost = rarest->n;
    *rarest = (struct use_entry){ .slot = e->token_slot,
                                  .code = e->code,
                                  .outcome = (uint16_t)e->outcome,
                                  .n = 1 };
    memcpy(rarest->id, e->token_id, sizeof rarest->id);
    if (!lost) t->used++;
    return lost;
}

void use_add(struct use *u, const struct event *e)
{
    if (atomic_flag_test_and_set_explicit(&u->lock, memory_order_acquire)) {
        counter_add(&u->lost, 1);
        return;
    }
    uint64_t lost = table_add(u->active, e);
    atomic_flag_clear_explicit(&u->lock, memory_order_release);
    if (lost) counter_add(&u->lost, lost);
}

void use_drain(struct use *u, journal_use_fn *fn, void *ctx)
{
    while (atomic_flag_test_and_set_explicit(&u->lock, memory_order_acquire))
        ; /* the reactor's few instructions */
    struct use_table *full = u->active;
    u->active = u->spare;
    u->spare = full;
    atomic_flag_clear_explicit(&u->lock, memory_order_release);
    if (!full->used) return;
    const struct use_entry *w = &full->at[0][0];
    for (size_t i = 0; i < (size_t)USE_SETS * USE_WAYS; i++, w++)
        if (w->n)
            fn(ctx, w->slot, w->id, (enum outcome)w->outcome, w->code, w->n);
    memset(full, 0, sizeof *full);
}
