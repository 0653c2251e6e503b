/* Request targets (RFC 9112 3.2) and hosts (RFC 9110 7.2). */
#include "codec/http1.h"
#include "codec/http_int.h"

enum { HOST_MAX = 255 };

bool http1_host_is_valid(struct sv host)
{
    const char *p = host.p, *end = p + host.n;
    if (p < end && *p == '[') { /* an IPv6 literal, not a zone, not a future */
        const char *from = ++p;
        while (p < end && (in_class(*p, CLASS_HEX) || *p == ':' || *p == '.'))
            p++;
        if (p - from < 2 || p == end || *p++ != ']') return false;
    } else {
        while (p < end && in_class(*p, CLASS_HOST)) p++;
        if (p == host.p || p - host.p > HOST_MAX) return false;
    }
    uint64_t port;
    if (p == end) return true;
    return *p == ':' && end - p <= 6 &&
           sv_to_u64(sv_of(p + 1, (size_t)(end - p - 1)), 65535, &port);
}

/* A run of `class`, with '%' only before two hex digits that are not 00. */
static const char *scan_run(const char *p, const char *end, unsigned class)
{
    for (; p < end; p++) {
        if (in_class(*p, class)) continue;
        if (*p != '%' || end - p < 3 || !in_class(p[1], CLASS_HEX) ||
            !in_class(p[2], CLASS_HEX) || (p[1] == '0' && p[2] == '0'))
            break;
        p += 2;
    }
    return p;
}

bool http_target_split(struct http_head *h, struct sv *authority)
{
    const char *p = h->target.p, *end = p + h->target.n;
    if (h->target.n == 1 && *p == '*') {
        h->path = h->target;
        return h->method == HTTP_OPTIONS;
    }
    if (*p != '/') { /* absolute form, RFC 9112 3.2.2 */
        size_t scheme = sv_starts_nocase(h->target, SV("http://"))    ? 7
                        : sv_starts_nocase(h->target, SV("https://")) ? 8
                                                                      : 0;
        if (!scheme) return false; /* also authority form: CONNECT only */
        const char *from = p + scheme;
        for (p = from; p < end && *p != '/' && *p != '?';) p++;
        *authority = sv_of(from, (size_t)(p - from));
    }
    const char *from = p;
    p = scan_run(p, end, CLASS_PATH);
    h->path = p > from ? sv_of(from, (size_t)(p - from)) : SV("/");
    if (p < end && *p == '?') {
        from = ++p;
        p = scan_run(p, end, CLASS_QUERY);
        h->has_query = true;
        h->query = sv_of(from, (size_t)(p - from));
    }
    return p == end; /* not at a fragment, a control, a broken escape */
}
