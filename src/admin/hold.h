/* What detectors hold, as the control thread knows it: written to the store,
 * put back into the tables at the start, cleared or denied by an administrator.
 * The tables refuse; the rows say why, and outlive them. */
#ifndef ADMIN_HOLD_H
#define ADMIN_HOLD_H

#include "admin/admin.h"

/* What the reactors queued goes to the store. */
void holds_save(struct admin *a);
/* At the start, before any traffic. */
int holds_load(struct admin *a);

/* In the tables; harmless when it is not there any more. */
void hold_clear(struct admin *a, const struct hold *h, int64_t wall_ms);
void hold_deny(struct admin *a, const struct hold *h);
/* The same of a row: what it will be. False: it is damaged. */
bool hold_denied(struct hold *h);
/* Places, windows: everything that is kept of a subject goes. */
void hold_forget(struct admin *a, const uint64_t key[TRACK_KEY_WORDS]);
/* The same of an application as a whole. */
void hold_forget_application(struct admin *a,
                             const uint64_t key[TRACK_KEY_WORDS]);

#endif
