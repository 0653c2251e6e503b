/* Host names as keys (api.md §2): what a client sends and what an application
 * is configured with become the same bytes. Pure. */
#ifndef PLAN_HOST_H
#define PLAN_HOST_H

#include "base/sv.h"

enum { HOST_KEY_MAX = 256 }; /* 253 (RFC 1035) and a wildcard's dot fit */

/* A Host field or SNI name: lower case, without port and one trailing dot;
 * an address in brackets in its canonical text (RFC 5952), without brackets.
 * The length, or 0 for what no application can be called. */
size_t host_key(struct sv host, char out[HOST_KEY_MAX]);
/* An application's domain, as stored: also a bare IPv6 address;
 * "*.example.com" becomes ".example.com", which no host_key() ever is. */
size_t host_domain_key(struct sv domain, char out[HOST_KEY_MAX]);
/* Labels of a name: dots + 1. */
unsigned host_labels(struct sv name);

#endif
