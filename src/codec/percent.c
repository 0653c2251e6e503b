/* One table says what may stand bare where; the rest is written in hex. */
#include "codec/percent.h"

enum {
    S = 1 << PERCENT_SEGMENT,
    Q = 1 << PERCENT_QUERY,
    F = 1 << PERCENT_FIELD
};

/* Unreserved everywhere; of the others only what RFC 3986 3.3 and 3.4 allow
 * and nobody takes for a separator. */
static unsigned bare_in(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
        (c >= 'A' && c <= 'Z'))
        return S | Q | F;
    switch (c) {
    case '-':
    case '.':
    case '_':
    case '~':
    case '!':
    case '$':
    case '\'':
    case '(':
    case ')':
    case '*':
    case ',':
    case ':':
    case '@': return S | Q | F;
    case '/':
    case '?': return Q | F;
    case '%': return 0;
    default: return c >= 0x20 && c < 0x7f ? F : 0;
    }
}

void percent_encode(struct buf *out, enum percent_place place, struct sv text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (bare_in(c) & 1u << place) {
            buf_putc(out, (char)c);
            continue;
        }
        buf_putc(out, '%');
        buf_putc(out, digits[c >> 4]);
        buf_putc(out, digits[c & 15]);
    }
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_escape(struct sv s)
{
    return s.n >= 3 && s.p[0] == '%' && digit(s.p[1]) >= 0 &&
           digit(s.p[2]) >= 0;
}

bool percent_is_whole(struct sv s)
{
    for (; s.n; s = sv_from(s, 1))
        if (s.p[0] == '%' && !is_escape(s)) return false;
    return true;
}

char percent_take(struct sv *s)
{
    char c = s->p[0];
    size_t n = 1;
    if (is_escape(*s)) {
        c = (char)(digit(s->p[1]) << 4 | digit(s->p[2]));
        n = 3;
    }
    *s = sv_from(*s, n);
    return c;
}

size_t percent_decode_within(char *out, size_t max, struct sv s)
{
    size_t n = 0;
    for (; s.n && n < max; n++) out[n] = percent_take(&s);
    return s.n ? SIZE_MAX : n;
}

size_t percent_decode(char *out, struct sv s)
{
    return percent_decode_within(out, s.n, s);
}

bool percent_has_dots(struct sv segment)
{
    size_t dots = 0, others = 0;
    bool parameters = false;
    while (segment.n) {
        char c = percent_take(&segment);
        if (c == '/' || c == '\\') {
            if (!others && (dots == 1 || dots == 2)) return true;
            dots = others = 0;
            parameters = false;
        } else if (parameters || c == ';') {
            parameters = true;
        } else if (c == '.') {
            dots++;
        } else {
            others++;
        }
    }
    return !others && (dots == 1 || dots == 2);
}
