/* Two spellings of one URL become one (RFC 3986 section 6.2): case of scheme
 * and host, the scheme's own port, escapes of what needs none, "." and "..",
 * an empty path. */
#include "codec/dpop.h"

#include <string.h>

enum { NONE = -1 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : NONE;
}

static bool is_unreserved(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

/* One segment, escapes in their one form. */
static bool segment_put(struct sv s, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 0x7f) return false;
        if (c != '%') {
            buf_putc(out, (char)c);
            continue;
        }
        int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : NONE;
        int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : NONE;
        if (high < 0 || low < 0) return false;
        i += 2;
        if (is_unreserved(high << 4 | low)) {
            buf_putc(out, (char)(high << 4 | low));
        } else {
            buf_putc(out, '%');
            buf_putc(out, digits[high]);
            buf_putc(out, digits[low]);
        }
    }
    return true;
}

/* Back to before the last segment, not over `root`. */
static void segment_drop(struct buf *out, size_t root)
{
    while (out->n > root && out->p[out->n - 1] != '/') out->n--;
    if (out->n > root) out->n--;
}

static bool path_put(struct sv path, struct buf *out)
{
    const size_t root = out->n;
    if (path.n == 0) path = SV("/");
    if (path.p[0] != '/') return false;
    struct sv rest = sv_from(path, 1);
    while (rest.p && !out->overflow) {
        struct sv segment = sv_cut(rest, '/', &rest);
        size_t start = out->n;
        buf_putc(out, '/');
        if (!segment_put(segment, out)) return false;
        if (out->overflow) return false;
        struct sv plain = sv_of(out->p + start + 1, out->n - start - 1);
        bool up = sv_eq(plain, SV(".."));
        if (!up && !sv_eq(plain, SV("."))) continue;
        out->n = start;
        if (up) segment_drop(out, root);
        if (!rest.p) buf_putc(out, '/');
    }
    return !out->overflow;
}

static bool authority_put(struct sv authority, bool tls, struct buf *out)
{
    size_t close = sv_rfind(authority, ']'), colon = sv_rfind(authority, ':');
    struct sv host = authority, port = SV("");
    if (colon != SIZE_MAX && (close == SIZE_MAX || colon > close)) {
        host = sv_first(authority, colon);
        port = sv_from(authority, colon + 1);
    }
    bool literal = host.n && host.p[0] == '[';
    if (!literal && host.n && host.p[host.n - 1] == '.') host.n--;
    if (host.n == 0 || host.p[host.n - 1] == '.' ||
        (literal && sv_find(host, ']') != host.n - 1))
        return false;
    for (size_t i = 0; i < host.n; i++) {
        unsigned char c = (unsigned char)host.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("@%/\\", c)) return false;
        if (!literal && strchr(":[]", c)) return false;
        buf_putc(out, ascii_lower(host.p[i]));
    }
    for (size_t i = 0; i < port.n; i++)
        if (port.p[i] < '0' || port.p[i] > '9') return false;
    if (port.n && !sv_eq(port, tls ? SV("443") : SV("80"))) {
        buf_putc(out, ':');
        buf_put(out, port);
    }
    return true;
}

bool dpop_url_put(struct sv url, struct buf *out)
{
    struct sv fragment, query;
    url = sv_cut(url, '#', &fragment);
    url = sv_cut(url, '?', &query);
    if (url.n && url.p[0] == '/') return path_put(url, out);
    bool plain = sv_starts_nocase(url, SV("http://"));
    if (!plain && !sv_starts_nocase(url, SV("https://"))) return false;
    struct sv rest = sv_from(url, plain ? 7 : 8);
    size_t slash = sv_find(rest, '/');
    buf_puts(out, plain ? "http://" : "https://");
    return authority_put(sv_first(rest, slash), !plain, out) &&
           path_put(slash == SIZE_MAX ? SV("/") : sv_from(rest, slash), out);
}
