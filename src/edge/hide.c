/* Taking a credential out of a query or a Cookie field, leaving every other
 * byte as the client sent it. */
#include "edge/forward.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Is `text` the name, percent-escapes read? An escaped spelling means the same
 * to the origin. */
static bool names(struct sv text, struct sv name)
{
    size_t at = 0;
    for (size_t i = 0; i < text.n; i++, at++) {
        char c = text.p[i];
        if (c == '%' && i + 2 < text.n) {
            int high = hex_value(text.p[i + 1]), low = hex_value(text.p[i + 2]);
            if (high >= 0 && low >= 0) c = (char)(high << 4 | low), i += 2;
        }
        if (at >= name.n || name.p[at] != c) return false;
    }
    return at == name.n;
}

static bool is_parameter(struct sv pair, struct sv name)
{
    struct sv value;
    return names(sv_cut(pair, '=', &value), name);
}

static bool is_cookie(struct sv pair, struct sv name)
{
    struct sv value;
    return sv_eq(sv_trim(sv_cut(sv_trim(pair), '=', &value)), name);
}

static struct sv without(struct sv list, char sep, struct sv name,
                         bool (*is)(struct sv, struct sv), struct buf *text)
{
    struct sv rest = list, part;
    bool found = false;
    while (rest.p && !found) found = is(sv_cut(rest, sep, &rest), name);
    if (!found) return list;
    size_t start = text->n;
    for (rest = list; rest.p;) {
        part = sv_cut(rest, sep, &rest);
        if (is(part, name)) continue;
        if (text->n > start)
            buf_putc(text, sep);
        else if (sep == ';')
            part = sv_trim(part);
        buf_put(text, part);
    }
    return buf_since(text, start);
}

struct sv hide_parameter(struct sv query, struct sv name, struct buf *text)
{
    return query.n ? without(query, '&', name, is_parameter, text) : query;
}

struct sv hide_cookie(struct sv value, struct sv name, struct buf *text)
{
    return without(value, ';', name, is_cookie, text);
}
