/* Writing JSON: see json.h. */
#include "edge/json.h"

#include "base/clock.h"
#include "base/fmt.h"

static void put_escaped(struct buf *out, char c)
{
    char escape[6] = { '\\', 'u', '0', '0' };
    switch (c) {
    case '"':
    case '\\':
        escape[1] = c;
        break;
    case '\n':
        escape[1] = 'n';
        break;
    default:
        fmt_hex(escape + 4, &c, 1);
        buf_put(out, sv_of(escape, 6));
        return;
    }
    buf_put(out, sv_of(escape, 2));
}

void json_put(struct buf *out, struct sv text)
{
    size_t from = 0;
    buf_putc(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        buf_put(out, sv_of(text.p + from, i - from));
        put_escaped(out, text.p[i]);
        from = i + 1;
    }
    buf_put(out, sv_from(text, from));
    buf_putc(out, '"');
}

void json_put_list(struct buf *out, const struct sv *texts, size_t n)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) buf_putc(out, ',');
        json_put(out, texts[i]);
    }
    buf_putc(out, ']');
}

static char *put_digits(char *at, int value, int digits, char behind)
{
    for (int i = digits; i-- > 0; value /= 10) at[i] = (char)('0' + value % 10);
    at[digits] = behind;
    return at + digits + 1;
}

void json_put_time(struct buf *out, int64_t wall_ms)
{
    if (wall_ms == 0) {
        buf_put(out, SV("null"));
        return;
    }
    struct civil c = civil_from_ms(wall_ms);
    char text[26], *at = text;
    *at++ = '"';
    at = put_digits(at, c.year, 4, '-');
    at = put_digits(at, c.month, 2, '-');
    at = put_digits(at, c.day, 2, 'T');
    at = put_digits(at, c.hour, 2, ':');
    at = put_digits(at, c.minute, 2, ':');
    at = put_digits(at, c.second, 2, '.');
    at = put_digits(at, c.ms, 3, 'Z');
    *at++ = '"';
    buf_put(out, sv_of(text, (size_t)(at - text)));
}
