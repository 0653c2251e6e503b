/* Formats of mail addresses, hosts, URIs and their kin. */
#include "base/err.h"
#include "base/ip.h"
#include "codec/host.h"
#include "codec/schema_format_int.h"

static bool is_alpha(char c)
{
    c = ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    c = ascii_lower(c);
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool is_high(char c)
{
    return (uint8_t)c >= 0x80;
}

/* --- hosts and mail ------------------------------------------------------------ */

bool format_is_ipv4(struct sv s)
{
    struct ip ip;
    return ip_parse(s, &ip) == 0 && ip_is_v4(&ip) &&
           sv_find(s, ':') == SIZE_MAX;
}

bool format_is_ipv6(struct sv s)
{
    struct ip ip;
    return sv_find(s, ':') != SIZE_MAX && ip_parse(s, &ip) == 0;
}

static bool label_holds(struct sv l)
{
    if (!l.n || l.n > 63 || l.p[0] == '-' || l.p[l.n - 1] == '-') return false;
    for (size_t i = 0; i < l.n; i++)
        if (!is_alpha(l.p[i]) && !is_digit(l.p[i]) && l.p[i] != '-')
            return false;
    return true;
}

static bool labels_hold(struct sv s)
{
    while (s.p) {
        if (!label_holds(sv_cut(s, '.', &s))) return false;
    }
    return true;
}

bool format_is_idn_hostname(struct sv s)
{
    struct host host;
    bool ascii = true;
    for (size_t i = 0; i < s.n; i++) ascii &= !is_high(s.p[i]);
    if (ascii && sv_find(s, '-') == SIZE_MAX) return format_is_hostname(s);
    return s.n && host_parse(s, false, &host) == 0 && host.kind == HOST_NAME;
}

bool format_is_hostname(struct sv s)
{
    if (!s.n || s.n > HOST_TEXT_MAX || !labels_hold(s)) return false;
    /* A-labels must be what they pretend to be. */
    for (size_t i = 0; i + 4 <= s.n; i++)
        if ((i == 0 || s.p[i - 1] == '.') && s.p[i + 2] == '-' &&
            s.p[i + 3] == '-') {
            struct host host;
            return host_parse(s, false, &host) == 0;
        }
    return true;
}

static bool local_holds(struct sv s, bool wide)
{
    if (s.n > 64 || !s.n) return false;
    if (s.p[0] == '"') {
        if (s.n < 2 || s.p[s.n - 1] != '"') return false;
        for (size_t i = 1; i + 1 < s.n; i++) {
            if (s.p[i] == '"' || (uint8_t)s.p[i] < 0x20 || s.p[i] == 0x7f)
                return false;
            if (s.p[i] == '\\' && ++i + 1 == s.n) return false;
        }
        return true;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.' && (!i || i + 1 == s.n || s.p[i + 1] == '.')) return false;
        if (!is_alpha(c) && !is_digit(c) &&
            !is_one_of(c, ".!#$%&'*+/=?^_`{|}~-") && !(wide && is_high(c)))
            return false;
    }
    return true;
}

static bool mail_host_holds(struct sv s, bool wide)
{
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
        s = sv_of(s.p + 1, s.n - 2);
        return sv_starts_nocase(s, SV("IPv6:")) ? format_is_ipv6(sv_from(s, 5))
                                                : format_is_ipv4(s);
    }
    return wide ? format_is_idn_hostname(s) : format_is_hostname(s);
}

static bool is_mail(struct sv s, bool wide)
{
    size_t at = sv_rfind(s, '@');
    return at != SIZE_MAX && s.n <= 320 && local_holds(sv_first(s, at), wide) &&
           mail_host_holds(sv_from(s, at + 1), wide);
}

bool format_is_email(struct sv s)
{
    return is_mail(s, false);
}

bool format_is_idn_email(struct sv s)
{
    return is_mail(s, true);
}

/* --- URIs ----------------------------------------------------------------------- */

/* Characters of a part: unreserved, percent-encoded, and `more`. */
static bool part_holds(struct sv s, const char *more, bool wide)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
                return false;
            i += 2;
        } else if (!is_alpha(c) && !is_digit(c) && !is_one_of(c, "-._~") &&
                   !is_one_of(c, more) && !(wide && is_high(c))) {
            return false;
        }
    }
    return true;
}

static bool authority_holds(struct sv s, bool wide)
{
    size_t at = sv_rfind(s, '@');
    if (at != SIZE_MAX) {
        if (!part_holds(sv_first(s, at), "!$&'()*+,;=:", wide)) return false;
        s = sv_from(s, at + 1);
    }
    if (s.n && s.p[0] == '[') {
        size_t end = sv_find(s, ']');
        if (end == SIZE_MAX) return false;
        struct sv inner = sv_of(s.p + 1, end - 1);
        bool future = inner.n && ascii_lower(inner.p[0]) == 'v';
        if (future ? !part_holds(inner, "!$&'()*+,;=:", false)
                   : !format_is_ipv6(inner))
            return false;
        s = sv_from(s, end + 1);
        if (s.n && s.p[0] != ':') return false;
    } else {
        size_t colon = sv_find(s, ':');
        if (!part_holds(sv_first(s, colon), "!$&'()*+,;=", wide)) return false;
        s = sv_from(s, colon);
    }
    for (size_t i = 1; i < s.n; i++)
        if (!is_digit(s.p[i])) return false;
    return true;
}

static bool scheme_holds(struct sv s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alpha(s.p[i]) &&
            !(i && (is_digit(s.p[i]) || is_one_of(s.p[i], "+-."))))
            return false;
    return s.n > 0;
}

static bool reference_holds(struct sv s, bool absolute, bool wide)
{
    static const char path[] = "!$&'()*+,;=:@/";
    static const char query[] = "!$&'()*+,;=:@/?";
    struct sv fragment, asked, rest;
    s = sv_cut(s, '#', &fragment);
    s = sv_cut(s, '?', &asked);
    if (!part_holds(fragment, query, wide) || !part_holds(asked, query, wide))
        return false;
    struct sv scheme = sv_cut(s, ':', &rest);
    bool has_scheme = rest.p && sv_find(scheme, '/') == SIZE_MAX;
    if (has_scheme && !scheme_holds(scheme)) return false;
    if (absolute && !has_scheme) return false;
    if (has_scheme) s = rest;
    if (sv_starts(s, SV("//"))) {
        s = sv_from(s, 2);
        size_t slash = sv_find(s, '/');
        if (!authority_holds(sv_first(s, slash), wide)) return false;
        s = sv_from(s, slash);
    }
    return part_holds(s, path, wide);
}

bool format_is_uri(struct sv s)
{
    return reference_holds(s, true, false);
}

bool format_is_uri_reference(struct sv s)
{
    return reference_holds(s, false, false);
}

bool format_is_iri(struct sv s)
{
    return reference_holds(s, true, true);
}

bool format_is_iri_reference(struct sv s)
{
    return reference_holds(s, false, true);
}

/* name, name.part, %-encoded; then ":n" or "*" */
static bool variable_holds(struct sv s)
{
    size_t at = 0;
    for (; at < s.n && s.p[at] != ':' && s.p[at] != '*'; at++) {
        char c = s.p[at];
        if (c == '.' && (!at || at + 1 == s.n)) return false;
        if (!is_alpha(c) && !is_digit(c) && !is_one_of(c, "_.%")) return false;
    }
    if (!at) return false;
    if (at == s.n || (s.p[at] == '*' && at + 1 == s.n)) return true;
    uint64_t length;
    return s.p[at] == ':' && sv_to_u64(sv_from(s, at + 1), 9999, &length) &&
           length > 0;
}

bool format_is_uri_template(struct sv s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '}' || (uint8_t)c <= 0x20 || is_one_of(c, "\"'<>\\^`|"))
            return false;
        if (c != '{') continue;
        struct sv behind, inner = sv_cut(sv_from(s, i + 1), '}', &behind);
        if (!behind.p) return false;
        i += inner.n + 1;
        if (inner.n && is_one_of(inner.p[0], "+#./;?&=,!@|"))
            inner = sv_from(inner, 1);
        if (!inner.n) return false;
        while (inner.p)
            if (!variable_holds(sv_cut(inner, ',', &inner))) return false;
    }
    return true;
}
