/* A map from text to an application's cell that many threads read while one
 * writes: 1,024 shards by hash, each an immutable table that a change
 * replaces (a change costs one shard, never the map). Replaced tables and
 * removed keys are retired by epoch (base/epoch.h). */
#ifndef PLAN_CELL_INDEX_H
#define PLAN_CELL_INDEX_H

#include <stdatomic.h>

#include "base/sv.h"

enum { CELL_SHARDS = 1024 };

struct plan_cell;
struct cell_shard;

struct cell_index {
    struct cell_shard *_Atomic shards[CELL_SHARDS];
};

/* Any reader between epoch marks. No allocation. */
struct plan_cell *cell_index_find(const struct cell_index *x, struct sv key);
/* The writer. The key is copied; a present one gets the new cell. */
void cell_index_put(struct cell_index *x, struct sv key,
                    struct plan_cell *cell);
/* Only if it still leads to that cell. */
void cell_index_remove(struct cell_index *x, struct sv key,
                  const struct plan_cell *cell);
/* fn for each cell: a reader. What changes meanwhile may be seen or not. */
void cell_index_each(const struct cell_index *x,
                     void (*fn)(void *ctx, struct plan_cell *cell), void *ctx);
/* When no reader is left: fn (may be NULL) for each cell, then empty. */
void cell_index_fini(struct cell_index *x, void (*fn)(struct plan_cell *cell));

#endif
