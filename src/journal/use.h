/* How often single tokens were refused, and why: a bounded table a reactor,
 * emptied by the control thread. When a set is full the rarest entry gives
 * way and its count is lost (and counted as lost): heavy refusals stay, a
 * flood over a million tokens cannot grow it. */
#ifndef JOURNAL_USE_H
#define JOURNAL_USE_H

#include <stdatomic.h>

#include "journal/journal.h"

enum { USE_SETS = 128, USE_WAYS = 8 };

struct use_entry {
    uint8_t id[16];
    const char *code;      /* static text */
    uint32_t slot;
    uint16_t outcome;
    uint64_t n;            /* 0: free */
};

struct use_table {
    struct use_entry at[USE_SETS][USE_WAYS];
    uint32_t used;
};

/* Two tables change places: the reactor writes to one, the drain reads the
 * other. The lock is held for an entry's update or the swap of a pointer; the
 * reactor gives up at once rather than wait. */
struct use {
    atomic_flag lock;
    struct use_table *active, *spare;
    _Atomic uint64_t lost;
};

void use_init(struct use *u);
void use_fini(struct use *u);
void use_add(struct use *u, const struct event *e);
void use_drain(struct use *u, journal_use_fn *fn, void *ctx);

#endif
