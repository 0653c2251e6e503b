/* Who is the client? The peer of the connection, unless that is a trusted
 * proxy: then what the proxies wrote, read from the nearest one backwards
 * until the first address that is not trusted itself. Pure. The same for every
 * door: gateway, /authenticate, management.
 *
 * Exactly one kind of field is believed, chosen by configuration: a proxy that
 * writes one of them passes the other through as the client forged it. */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include "base/ip.h"
#include "codec/http.h"

enum address_source { ADDRESS_X_FORWARDED_FOR, ADDRESS_FORWARDED };

struct address_trust {
    const struct cidr *peers; /* trustedProxies */
    size_t peers_n;
    enum address_source source;
};

struct address {
    struct ip peer, client;
    bool known;        /* false: neither is set */
    bool peer_trusted;
};

/* `peer` NULL or zero: unknown. What cannot be read ends the walk: the last
 * good address counts. */
struct address address_of(const struct http_head *h, const struct ip *peer,
                          const struct address_trust *trust);
/* An address as people and proxies write it: with a port, in brackets. */
bool address_read(struct sv text, struct ip *out);

#endif
