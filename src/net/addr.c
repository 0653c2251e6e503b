/* Addresses in and out of the kernel's form. */
#include "net/addr.h"

#include "base/err.h"
#include "base/fmt.h"

enum { V4_AT = 12 }; /* of the 16 bytes */

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (ip_is_v4(&a->ip)) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(a->port);
        memcpy(&in->sin_addr, a->ip.b + V4_AT, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(a->port);
    memcpy(&in6->sin6_addr, a->ip.b, 16);
    return sizeof *in6;
}

bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *out)
{
    static const struct ip mapped = { { [10] = 0xff, [11] = 0xff } };
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
        out->ip = mapped;
        memcpy(out->ip.b + V4_AT, &in->sin_addr, 4);
        out->port = ntohs(in->sin_port);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
        memcpy(out->ip.b, &in6->sin6_addr, 16);
        out->port = ntohs(in6->sin6_port);
        return true;
    }
    return false;
}

int addr_parse(struct sv text, struct addr *out)
{
    size_t colon = sv_rfind(text, ':');
    if (colon == SIZE_MAX) return ERR_INVALID;
    struct sv host = sv_first(text, colon), port = sv_from(text, colon + 1);
    uint64_t number;
    if (port.n > 5 || !sv_to_u64(port, 65535, &number)) return ERR_INVALID;
    bool bracketed =
        host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (bracketed) host = sv_first(sv_from(host, 1), host.n - 2);
    /* brackets belong to IPv6 and to nothing else */
    bool has_colon = sv_find(host, ':') != SIZE_MAX;
    if (bracketed != has_colon || ip_parse(host, &out->ip) < 0)
        return ERR_INVALID;
    out->port = (uint16_t)number;
    return 0;
}

size_t addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    bool v6 = !ip_is_v4(&a->ip);
    size_t n = 0;
    if (v6) out[n++] = '[';
    n += ip_format(&a->ip, out + n);
    if (v6) out[n++] = ']';
    out[n++] = ':';
    return n + fmt_u64(out + n, a->port);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && ip_eq(&a->ip, &b->ip);
}
