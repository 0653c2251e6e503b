/* Text rules as data. */
#include "codec/text.h"

/* Length of the sequence at p (1-4), 0 if it is not well-formed. RFC 3629
 * section 4, table of the second byte's range. */
static size_t utf8_step(const uint8_t *p, size_t n)
{
    uint8_t a = p[0];
    if (a < 0x80) return 1;
    size_t len = a >= 0xc2 && a <= 0xdf   ? 2
                 : (a & 0xf0) == 0xe0     ? 3
                 : a >= 0xf0 && a <= 0xf4 ? 4
                                          : 0;
    if (!len || n < len) return 0;
    uint8_t low = a == 0xe0 ? 0xa0 : a == 0xf0 ? 0x90 : 0x80;
    uint8_t high = a == 0xed ? 0x9f : a == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return len;
}

bool utf8_is_valid(struct sv s)
{
    for (size_t i = 0, step; i < s.n; i += step) {
        step = utf8_step((const uint8_t *)s.p + i, s.n - i);
        if (!step) return false;
    }
    return true;
}

size_t utf8_count(struct sv s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* C1 controls are C2 80 to C2 9F in UTF-8. */
static bool has_control(struct sv s, const char *allowed)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c < 0x20 ? !c || !strchr(allowed, c) : c == 0x7f) return true;
        if (c == 0xc2 && i + 1 < s.n && (uint8_t)s.p[i + 1] < 0xa0) return true;
    }
    return false;
}

static bool plain_ok(struct sv s)
{
    return !has_control(s, "");
}

static bool lines_ok(struct sv s)
{
    return !has_control(s, "\n\r\t");
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') ||
           (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

#define ALL_OF(name, cond)                 \
    static bool name(struct sv s)          \
    {                                      \
        for (size_t i = 0; i < s.n; i++) { \
            char c = s.p[i];               \
            if (!(cond)) return false;     \
        }                                  \
        return true;                       \
    }
ALL_OF(slug_ok, (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')
ALL_OF(word_ok, is_alnum(c) || c == '_' || c == '-')
ALL_OF(visible_ok, c > 0x20 && c < 0x7f)
ALL_OF(token_ok, c && (is_alnum(c) || strchr("!#$%&'*+-.^_`|~", c)))
ALL_OF(hex_ok, (c >= '0' && c <= '9') ||
                   (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f'))

const struct text_rule text_plain = {
    "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
    "must not hold control characters",
    plain_ok,
};
const struct text_rule text_lines = {
    NULL,
    "must not hold control characters except line ends and tabs",
    lines_ok,
};
const struct text_rule text_slug = {
    "^[a-z0-9-]*$",
    "may hold only lower-case letters, digits and -",
    slug_ok,
};
const struct text_rule text_word = {
    "^[A-Za-z0-9_-]*$",
    "may hold only letters, digits, _ and -",
    word_ok,
};
const struct text_rule text_visible = {
    "^[!-~]*$",
    "may hold only visible ASCII characters",
    visible_ok,
};
const struct text_rule text_cookie = {
    "^[!#$%&'*+.^_`|~0-9A-Za-z-]*$",
    "may hold only letters, digits and !#$%&'*+-.^_`|~",
    token_ok,
};
const struct text_rule text_hex = {
    "^[0-9a-fA-F]*$",
    "may hold only hexadecimal digits",
    hex_ok,
};
