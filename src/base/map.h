/* Hash map from text to pointer: open addressing, keyed hash, for the control
 * plane and for tables built once. Keys are borrowed: the value usually owns
 * its key. Not thread-safe. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/sv.h"

struct map_entry {
    struct sv key; /* p NULL: empty */
    void *value;
};

struct map {
    struct map_entry *entries;
    size_t cap, n; /* cap is a power of two or 0 */
};

void map_fini(struct map *m); /* keys and values stay the caller's */
void *map_find(const struct map *m, struct sv key); /* NULL: absent */
/* Replaces; returns the old value or NULL. value must not be NULL. */
void *map_put(struct map *m, struct sv key, void *value);
void *map_remove(struct map *m, struct sv key); /* the value or NULL */
/* Any order; *at starts with 0. False at the end. */
bool map_next(const struct map *m, size_t *at, struct map_entry *out);

#endif
