/* How often an address has shown a bad management key lately: a table of a
 * fixed size, so that outsiders cannot fill memory. IPv6 counts by /64.
 * Control thread. */
#ifndef ADMIN_AUTH_LIMIT_H
#define ADMIN_AUTH_LIMIT_H

#include "base/ip.h"

struct auth_limit;

enum { AUTH_FAILURES_MAX = 20, AUTH_WINDOW_S = 60 };

struct auth_limit *auth_limit_new(void);
void auth_limit_free(struct auth_limit **t);
/* Counts one failure; returns 0, or in how many seconds the address may fail
 * again without being limited. */
unsigned auth_limit_fail(struct auth_limit *t, const struct ip *ip,
                         int64_t now_ms);

#endif
