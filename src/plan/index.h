/* A map from text to an application's cell that many threads read while one
 * writes: 1,024 shards by hash, each an immutable table that a change
 * replaces (a change costs one shard, never the map). Replaced tables and
 * removed keys are retired by epoch (base/epoch.h). */
#ifndef PLAN_INDEX_H
#define PLAN_INDEX_H

#include <stdatomic.h>

#include "base/sv.h"

enum { INDEX_SHARDS = 1024 };

struct plan_cell;
struct index_shard;

struct index {
    struct index_shard *_Atomic shards[INDEX_SHARDS];
};

/* Any reader between epoch marks. No allocation. */
struct plan_cell *index_find(const struct index *x, struct sv key);
/* The writer. The key is copied; a present one gets the new cell. */
void index_put(struct index *x, struct sv key, struct plan_cell *cell);
/* Only if it still leads to that cell. */
void index_remove(struct index *x, struct sv key,
                  const struct plan_cell *cell);
/* When no reader is left: fn (may be NULL) for each cell, then empty. */
void index_fini(struct index *x, void (*fn)(struct plan_cell *cell));

#endif
