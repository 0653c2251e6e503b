/* The one egress policy (gateway.md §3): every outgoing connection asks here
 * with the address actually connected, after resolution. */
#ifndef NET_EGRESS_H
#define NET_EGRESS_H

#include "net/addr.h"

enum egress_mode { EGRESS_OPEN, EGRESS_PUBLIC };

struct egress {
    enum egress_mode mode;
    const struct addr *own; /* our listeners; port 0 never occurs */
    size_t own_n;
    /* Addresses of this machine beside loopback (egress_machine_ips): what a
     * listener on a wildcard listens on. */
    const struct ip *machine;
    size_t machine_n;
};

/* The addresses of the machine's interfaces now, at most max. Returns how
 * many; 0 also when they cannot be read. */
size_t egress_machine_ips(struct ip *out, size_t max);

/* Pure. NULL: allowed; else a static reason ("link-local", "our own listener" …).
 * Always refused: link-local, cloud metadata, unspecified, multicast,
 * broadcast, our own listeners (also by any local address on their port when
 * they listen on a wildcard). `public` refuses every special range. IPv6 forms
 * that carry an IPv4 address are judged by it. */
const char *egress_refuses(const struct egress *e, const struct addr *to);

#endif
