/* Webhooks of challenges, seen from the control thread. */
#ifndef ADMIN_HOLD_HOOK_H
#define ADMIN_HOLD_HOOK_H

#include "admin/admin.h"

/* The challenge was written: told to its profile's webhook, if it has one. */
void hold_hook_send(struct admin *a, const struct hold *h);
/* Those that were answered with {"verified": true} are passed. */
void hold_hook_read(struct admin *a);

#endif
