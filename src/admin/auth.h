/* Who is calling: the management key of the Authorization field. Rights are
 * judged in one place, here and in dispatch, never in handlers. */
#ifndef ADMIN_AUTH_H
#define ADMIN_AUTH_H

#include "admin/call.h"

/* Fills c->who. False: 401, or 429 for an address that failed too often;
 * a good key is never limited. */
bool auth_caller(struct call *c);
/* Fills c->account_id from the path, the key, or a root key's ?account_id=.
 * False: 404 (another's account), 403 (a server endpoint), 400. */
bool auth_account(struct call *c);
/* The endpoint's least role: false after a 403. */
bool auth_role(struct call *c);

#endif
