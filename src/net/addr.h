/* Socket addresses as plain values. IPv4-mapped IPv6 is stored as IPv4. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/ip.h"

struct addr {
    struct ip ip;
    uint16_t port; /* host order */
};

enum { ADDR_TEXT_MAX = 56 };

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);
bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *out);
/* "1.2.3.4:80", "[::1]:80"; port 0 allowed. */
int addr_parse(struct sv text, struct addr *out);
size_t addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);
bool addr_eq(const struct addr *a, const struct addr *b);

#endif
