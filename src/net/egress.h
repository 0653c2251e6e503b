/* The one egress policy (gateway.md §3): every outgoing connection asks here
 * with the address actually connected, after resolution. Pure. */
#ifndef NET_EGRESS_H
#define NET_EGRESS_H

#include "net/addr.h"

enum egress_mode { EGRESS_OPEN, EGRESS_PUBLIC };

struct egress {
    enum egress_mode mode;
    const struct addr *own; /* our listeners; port 0 never occurs */
    size_t own_n;
};

/* NULL: allowed; else a static reason ("link-local", "our own listener" …).
 * Always refused: link-local, cloud metadata, unspecified, multicast,
 * broadcast, our own listeners (also by any local address on their port when
 * they listen on a wildcard). */
const char *egress_refuses(const struct egress *e, const struct addr *to);

#endif
