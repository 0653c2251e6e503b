/* Normal forms of host names. No allocation; about 10 ns for a usual name. */
#include "plan/host.h"

#include "base/ip.h"

/* Eight bytes at a time: adds 0x20 where a byte is in 'A'..'Z'. */
static inline uint64_t lower8(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x80u * ones;
    uint64_t low7 = w & ~high;
    uint64_t from_a = low7 + (0x80u - 'A') * ones;
    uint64_t past_z = low7 + (0x80u - 'Z' - 1) * ones;
    uint64_t upper = from_a & ~past_z & ~w & high;
    return w | upper >> 2;
}

static void lower_copy(char *out, struct sv s)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;
        memcpy(&w, s.p + i, 8);
        w = lower8(w);
        memcpy(out + i, &w, 8);
    }
    for (; i < s.n; i++) out[i] = ascii_lower(s.p[i]);
}

static size_t address_key(struct sv text, char out[HOST_KEY_MAX])
{
    struct ip ip;
    return ip_parse(text, &ip) == 0 ? ip_format(&ip, out) : 0;
}

static bool is_port(struct sv s) /* what follows the colon; may be empty */
{
    uint64_t port;
    return s.n == 0 || sv_to_u64(s, 65535, &port);
}

static size_t name_key(struct sv name, char out[HOST_KEY_MAX])
{
    if (name.n && name.p[name.n - 1] == '.') name.n--;
    if (name.n == 0 || name.n >= HOST_KEY_MAX || name.p[0] == '.') return 0;
    lower_copy(out, name);
    return name.n;
}

size_t host_key(struct sv host, char out[HOST_KEY_MAX])
{
    if (host.n == 0) return 0;
    if (host.p[0] == '[') {
        size_t end = sv_find(host, ']');
        if (end == SIZE_MAX) return 0;
        struct sv rest = sv_from(host, end + 1);
        if (rest.n && (rest.p[0] != ':' || !is_port(sv_from(rest, 1))))
            return 0;
        struct sv inside = sv_of(host.p + 1, end - 1);
        return sv_find(inside, ':') == SIZE_MAX ? 0 : address_key(inside, out);
    }
    size_t colon = sv_find(host, ':');
    if (colon != SIZE_MAX) {
        if (!is_port(sv_from(host, colon + 1))) return 0;
        host.n = colon;
    }
    return name_key(host, out);
}

size_t host_domain_key(struct sv domain, char out[HOST_KEY_MAX])
{
    if (domain.n > 2 && domain.p[0] == '*' && domain.p[1] == '.') {
        size_t n = name_key(sv_from(domain, 2), out);
        if (n == 0 || n + 1 >= HOST_KEY_MAX) return 0;
        memmove(out + 1, out, n);
        out[0] = '.';
        return n + 1;
    }
    if (domain.n && domain.p[0] != '[' && sv_find(domain, ':') != SIZE_MAX)
        return address_key(domain, out);
    return host_key(domain, out);
}

unsigned host_labels(struct sv name)
{
    unsigned n = 1;
    for (size_t i = 0; i < name.n; i++) n += name.p[i] == '.';
    return n;
}
