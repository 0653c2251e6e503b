/* Idempotency-Key (api.md §1): an answer that was given once is given again.
 * Both functions run inside the creating transaction. */
#ifndef ADMIN_IDEMPOTENCY_H
#define ADMIN_IDEMPOTENCY_H

#include "admin/call.h"

enum idempotency { IDEMPOTENCY_NONE, IDEMPOTENCY_FIRST, IDEMPOTENCY_DONE };

/* NONE: no key was sent. DONE: the answer is set, a replay or a failure. */
enum idempotency idempotency_begin(struct call *c);
/* Keeps the answer; false: it is a failure now. */
bool idempotency_keep(struct call *c);

#endif
