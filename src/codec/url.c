#include "codec/url.h"

#include "base/err.h"

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') ||
           (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

/* RFC 3986, less strict about which visible characters stand where; without
 * what other readers might take for something else. */
static bool target_ok(struct sv s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("#\"<>\\^`{|}", c)) return false;
        if (c == '%' &&
            (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2])))
            return false;
    }
    return true;
}

int url_decode(struct sv text, struct url *out)
{
    *out = (struct url){ 0 };
    out->tls = sv_starts_nocase(text, SV("https://"));
    if (!out->tls && !sv_starts_nocase(text, SV("http://"))) return ERR_INVALID;
    if (text.n > URL_BYTES_MAX) return ERR_INVALID;
    struct sv rest = sv_from(text, out->tls ? 8 : 7), name;
    size_t at = 0;
    while (at < rest.n && rest.p[at] != '/' && rest.p[at] != '?') at++;
    struct sv authority = sv_first(rest, at);
    out->target = sv_from(rest, at);
    int rc = host_split(authority, &name, &out->port);
    /* a bare IPv6 address would be taken whole: here it has brackets */
    if (rc == 0 && sv_find(name, ':') != SIZE_MAX && authority.p[0] != '[')
        rc = ERR_INVALID;
    if (rc == 0) rc = host_parse(name, false, &out->host);
    if (rc || !target_ok(out->target)) return ERR_INVALID;
    uint16_t usual = out->tls ? 443 : 80;
    out->port_given = out->port && out->port != usual;
    if (!out->port) out->port = usual;
    return 0;
}
