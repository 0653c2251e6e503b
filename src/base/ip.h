/* IP addresses and networks (RFC 791, 4291, 4632, 5952). */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/sv.h"

/* Always 16 bytes; IPv4 as ::ffff:a.b.c.d, so that one compare serves both. */
struct ip {
    uint8_t b[16];
};

struct cidr {
    struct ip ip;
    uint8_t bits; /* 0-128, of the 16-byte form */
};

enum { IP_TEXT_MAX = 46 };

bool ip_is_v4(const struct ip *ip);
bool ip_eq(const struct ip *a, const struct ip *b);
/* Strict: no leading zeros, no zone, no brackets, no shorthand of IPv4. */
int ip_parse(struct sv text, struct ip *out);
/* RFC 5952; IPv4 dotted. Returns the length, no NUL. */
size_t ip_format(const struct ip *ip, char out[IP_TEXT_MAX]);
/* "10.0.0.0/8", "::1/128", a bare address = one host. Host bits that are set
 * are refused (ERR_INVALID). */
int cidr_parse(struct sv text, struct cidr *out);
/* An IPv6 network never holds IPv4 addresses: "::/0" is all of IPv6. */
bool cidr_has(const struct cidr *c, const struct ip *ip);
/* First match of a plain list; for long lists see detect/. */
bool cidr_any(const struct cidr *list, size_t n, const struct ip *ip);
/* 0 if not in a special range; else its name (RFC 6890): "loopback",
 * "private", "link-local", "cgnat", "ula", "multicast", "unspecified",
 * "metadata" (of clouds), "broadcast", "reserved". NAT64 (64:ff9b::/96) and
 * 6to4 (2002::/16) are judged by the IPv4 address inside. */
const char *ip_special(const struct ip *ip);

#endif
