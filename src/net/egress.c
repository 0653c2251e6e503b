/* May we connect there? A table of ranges, then our own listeners. */
#include "net/egress.h"

#include <ifaddrs.h>

size_t egress_machine_ips(struct ip *out, size_t max)
{
    struct ifaddrs *list, *i;
    size_t n = 0;
    if (getifaddrs(&list) < 0) return 0;
    for (i = list; i && n < max; i = i->ifa_next) {
        struct addr a;
        if (i->ifa_addr && addr_from_sockaddr(i->ifa_addr, &a)) out[n++] = a.ip;
    }
    freeifaddrs(list);
    return n;
}

static const char *refused_range(enum egress_mode mode, const struct ip *ip)
{
    static const char *const always[] = {
        "link-local", "metadata", "unspecified", "multicast", "broadcast",
    };
    const char *range = ip_special(ip);
    if (!range || mode == EGRESS_PUBLIC) return range;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (strcmp(always[i], range) == 0) return range;
    return NULL;
}

static bool is_machine(const struct egress *e, const struct ip *ip)
{
    const char *range = ip_special(ip);
    if (range && strcmp(range, "loopback") == 0) return true;
    for (size_t i = 0; i < e->machine_n; i++)
        if (ip_eq(&e->machine[i], ip)) return true;
    return false;
}

static bool is_wildcard(const struct ip *ip)
{
    static const uint8_t zero[16];
    return memcmp(ip->b, zero, 16) == 0 ||
           (ip_is_v4(ip) && memcmp(ip->b + 12, zero, 4) == 0);
}

const char *egress_refuses(const struct egress *e, const struct addr *to)
{
    const char *range = refused_range(e->mode, &to->ip);
    if (range) return range;
    for (size_t i = 0; i < e->own_n; i++) {
        const struct addr *own = &e->own[i];
        if (own->port != to->port) continue;
        if (ip_eq(&own->ip, &to->ip) ||
            (is_wildcard(&own->ip) && is_machine(e, &to->ip)))
            return "our own listener";
    }
    return NULL;
}
