/* The life of the keys that sign assertions to origins (live/signing.h): made
 * when the first application asks for an algorithm, kept sealed in the store,
 * rotated by age or on demand. Control thread. */
#ifndef ADMIN_ASSERTION_H
#define ADMIN_ASSERTION_H

#include "live/signing.h"
#include "model/application.h"

struct admin;
struct call;

struct assertion_keys {
    struct signing_key keys[SIGNING_KEYS_MAX];
    unsigned n;
};

/* What the store holds becomes what signs; `algs` (1 << enum jose_alg) that
 * applications need and that have no key get one. */
int assertion_load(struct admin *a, uint32_t algs);
/* In a change's transaction: keys for the algorithm, if there are none, will
 * be there when it is committed. False: the answer is a failure. */
bool assertion_ensure(struct call *c, enum jose_alg alg);
/* After the commit of a change that made or rotated keys. */
int assertion_apply(struct admin *a, const struct assertion_keys *keys);
/* Housekeeping: old keys that nothing needs go, aged ones are rotated. */
void assertion_tick(struct admin *a, int64_t wall_ms);

#endif
