/* Addresses and networks. Parsing is strict: what two programs could read
 * differently is refused. */
#include "base/ip.h"

#include "base/err.h"

enum { V4_AT = 12, V4_BITS = 96 };

static const struct ip MAPPED = { { [10] = 0xff, [11] = 0xff } };

bool ip_is_v4(const struct ip *ip)
{
    return memcmp(ip->b, MAPPED.b, V4_AT) == 0;
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

/* --- text ----------------------------------------------------------------- */

static bool parse_v4(struct sv text, uint8_t out[4])
{
    for (int i = 0; i < 4; i++) {
        uint64_t v;
        struct sv rest, part = sv_cut(text, '.', &rest);
        if ((rest.p == NULL) != (i == 3)) return false;
        if (part.n > 3 || (part.n > 1 && part.p[0] == '0')) return false;
        if (!sv_to_u64(part, 255, &v)) return false;
        out[i] = (uint8_t)v;
        text = rest;
    }
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_group(struct sv text, uint8_t out[2])
{
    unsigned v = 0;
    if (text.n == 0 || text.n > 4) return false;
    for (size_t i = 0; i < text.n; i++) {
        int d = hex_digit(text.p[i]);
        if (d < 0) return false;
        v = v << 4 | (unsigned)d;
    }
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return true;
}

/* Groups separated by single colons, the last two perhaps as dotted IPv4.
 * Bytes written, or -1. An empty text is no group. */
static int parse_groups(struct sv text, bool may_end_v4, uint8_t *out, int max)
{
    int n = 0;
    if (text.n == 0) return 0;
    for (;;) {
        struct sv rest, part = sv_cut(text, ':', &rest);
        if (!rest.p && may_end_v4 && sv_find(part, '.') != SIZE_MAX) {
            if (n + 4 > max || !parse_v4(part, out + n)) return -1;
            return n + 4;
        }
        if (n + 2 > max || !parse_group(part, out + n)) return -1;
        n += 2;
        if (!rest.p) return n;
        text = rest;
    }
}

static bool parse_v6(struct sv text, uint8_t out[16])
{
    uint8_t tail[16];
    size_t gap = SIZE_MAX;
    for (size_t i = 0; i + 1 < text.n && gap == SIZE_MAX; i++)
        if (text.p[i] == ':' && text.p[i + 1] == ':') gap = i;
    if (gap == SIZE_MAX) return parse_groups(text, true, out, 16) == 16;
    int before = parse_groups(sv_first(text, gap), false, out, 14);
    if (before < 0) return false;
    int after = parse_groups(sv_from(text, gap + 2), true, tail, 14 - before);
    if (after < 0) return false;
    memset(out + before, 0, (size_t)(16 - before - after));
    memcpy(out + 16 - after, tail, (size_t)after);
    return true;
}

int ip_parse(struct sv text, struct ip *out)
{
    if (text.n == 0 || text.n >= IP_TEXT_MAX) return ERR_INVALID;
    if (sv_find(text, ':') != SIZE_MAX)
        return parse_v6(text, out->b) ? 0 : ERR_INVALID;
    *out = MAPPED;
    return parse_v4(text, out->b + V4_AT) ? 0 : ERR_INVALID;
}

/* Most addresses are of this kind, and are written twice a request. */
static size_t format_v4(const uint8_t b[4], char *out)
{
    char *p = out;
    for (int i = 0; i < 4; i++) {
        unsigned v = b[i];
        if (i) *p++ = '.';
        if (v >= 100) *p++ = (char)('0' + v / 100);
        if (v >= 10) *p++ = (char)('0' + v / 10 % 10);
        *p++ = (char)('0' + v % 10);
    }
    return (size_t)(p - out);
}

static size_t format_group(unsigned v, char *out)
{
    size_t n = 0;
    for (int shift = 12; shift >= 0; shift -= 4)
        if (n || v >> shift || shift == 0)
            out[n++] = "0123456789abcdef"[v >> shift & 15];
    return n;
}

size_t ip_format(const struct ip *ip, char out[IP_TEXT_MAX])
{
    if (ip_is_v4(ip)) return format_v4(ip->b + V4_AT, out);
    unsigned group[8];
    int best = -1, best_n = 1; /* RFC 5952 4.2.2: one group is not shortened */
    for (int i = 0, run = 0; i < 8; i++) {
        group[i] = (unsigned)ip->b[2 * i] << 8 | ip->b[2 * i + 1];
        run = group[i] ? 0 : run + 1;
        if (run > best_n) {
            best_n = run;
            best = i + 1 - run;
        }
    }
    size_t n = 0;
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            out[n++] = ':';
            out[n++] = ':';
            i += best_n - 1;
            continue;
        }
        if (i && i != best + best_n) out[n++] = ':';
        n += format_group(group[i], out + n);
    }
    return n;
}

/* --- networks ------------------------------------------------------------- */

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0) return false;
    unsigned left = bits % 8;
    return !left || (a[bits / 8] ^ b[bits / 8]) >> (8 - left) == 0;
}

int cidr_parse(struct sv text, struct cidr *out)
{
    struct sv rest, host = sv_cut(text, '/', &rest);
    uint64_t bits = 128;
    if (ip_parse(host, &out->ip) < 0) return ERR_INVALID;
    /* the bits of an IPv4 network count from its own start */
    bool v4 = sv_find(host, ':') == SIZE_MAX;
    if (rest.p) {
        if (rest.n > 3 || (rest.n > 1 && rest.p[0] == '0')) return ERR_INVALID;
        if (!sv_to_u64(rest, v4 ? 32 : 128, &bits)) return ERR_INVALID;
        if (v4) bits += V4_BITS;
    }
    for (unsigned i = (unsigned)bits; i < 128; i++)
        if (out->ip.b[i / 8] >> (7 - i % 8) & 1) return ERR_INVALID;
    out->bits = (uint8_t)bits;
    return 0;
}

bool cidr_has(const struct cidr *c, const struct ip *ip)
{
    /* "::/0" means IPv6: a network shorter than the mapped prefix must not
     * swallow IPv4 silently, nor the other way round */
    if (c->bits < V4_BITS && ip_is_v4(ip)) return false;
    return same_prefix(c->ip.b, ip->b, c->bits);
}

bool cidr_any(const struct cidr *list, size_t n, const struct ip *ip)
{
    for (size_t i = 0; i < n; i++)
        if (cidr_has(&list[i], ip)) return true;
    return false;
}

/* The IPv4 address inside a translated one (RFC 6052, RFC 3056). */
static bool embedded_v4(const struct ip *ip, struct ip *out)
{
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    size_t at;
    if (memcmp(ip->b, nat64, sizeof nat64) == 0)
        at = V4_AT;
    else if (ip->b[0] == 0x20 && ip->b[1] == 0x02)
        at = 2;
    else
        return false;
    *out = MAPPED;
    memcpy(out->b + V4_AT, ip->b + at, 4);
    return true;
}

/* RFC 6890 and its updates; the first match names the range. The metadata
 * services of the large clouds stand before the ranges that hold them. */
const char *ip_special(const struct ip *ip)
{
    static const struct {
        uint8_t b[16];
        uint8_t bits;
        const char *name;
    } ranges[] = {
#define V4(a, b, c, d, n) \
    { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, a, b, c, d }, n + 96
        { V4(169, 254, 169, 254, 32), "metadata" },
        { V4(169, 254, 170, 2, 32), "metadata" },
        { V4(100, 100, 100, 200, 32), "metadata" },
        { V4(168, 63, 129, 16, 32), "metadata" },
        { V4(192, 0, 0, 192, 32), "metadata" },
        { { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 },
          128,
          "metadata" },
        { { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54 },
          128,
          "metadata" },
        { V4(0, 0, 0, 0, 32), "unspecified" },
        { V4(0, 0, 0, 0, 8), "reserved" },
        { V4(10, 0, 0, 0, 8), "private" },
        { V4(172, 16, 0, 0, 12), "private" },
        { V4(192, 168, 0, 0, 16), "private" },
        { V4(100, 64, 0, 0, 10), "cgnat" },
        { V4(127, 0, 0, 0, 8), "loopback" },
        { V4(169, 254, 0, 0, 16), "link-local" },
        { V4(192, 0, 0, 0, 24), "reserved" },
        { V4(192, 0, 2, 0, 24), "reserved" },
        { V4(192, 88, 99, 0, 24), "reserved" },
        { V4(198, 18, 0, 0, 15), "reserved" },
        { V4(198, 51, 100, 0, 24), "reserved" },
        { V4(203, 0, 113, 0, 24), "reserved" },
        { V4(224, 0, 0, 0, 4), "multicast" },
        { V4(255, 255, 255, 255, 32), "broadcast" },
        { V4(240, 0, 0, 0, 4), "reserved" },
#undef V4
        { { [15] = 0 }, 128, "unspecified" },
        { { [15] = 1 }, 128, "loopback" },
        { { 0xfe, 0x80 }, 10, "link-local" },
        { { 0xfc }, 7, "ula" },
        { { 0xff }, 8, "multicast" },
        { { 0xfe, 0xc0 }, 10, "reserved" },
        { { 0x01, [7] = 0 }, 64, "reserved" },
        { { 0x00 }, 96, "reserved" }, /* IPv4-compatible, RFC 4291 2.5.5.1 */
        { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, "reserved" },
        { { 0x20, 0x01, 0x00 }, 23, "reserved" }, /* Teredo and others */
        { { 0x20, 0x01, 0x0d, 0xb8 }, 32, "reserved" },
        { { 0x3f, 0xff }, 20, "reserved" },
        { { 0x5f, 0x00 }, 16, "reserved" },
    };
    struct ip inside;
    if (embedded_v4(ip, &inside)) ip = &inside;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (same_prefix(ranges[i].b, ip->b, ranges[i].bits))
            return ranges[i].name;
    return NULL;
}
