/* The management keys in memory: an immutable table that is swapped whole, so
 * that reactors may ask as well (/authenticate tells a key's holder more).
 * Readers are epoch readers or the control thread; the writer is the control
 * thread. */
#ifndef ADMIN_KEY_RING_H
#define ADMIN_KEY_RING_H

#include "store/store.h"

struct key_ring;

struct key_ring *key_ring_new(void);
void key_ring_free(struct key_ring **k);
/* Reads all keys of the store and swaps them in. */
int key_ring_load(struct key_ring *k, struct store *s);
/* False: unknown or expired. The copy in *out is without the digest. */
bool key_ring_find(const struct key_ring *k, struct sv secret,
                   int64_t wall_ms, struct management_key *out);

#endif
