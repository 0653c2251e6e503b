/* The chunked coding as a machine of bytes; data passes through untouched.
 *
 *   SIZE -> (EXT…) -> LF -> DATA -> DATA_CR -> DATA_LF -> SIZE
 *                      └ size 0: LAST
 */
#include "codec/chunk.h"

#include "base/ensure.h"
#include "codec/http_int.h"

enum chunk_state {
    SIZE_FIRST,
    SIZE,
    EXT_NAME_FIRST,
    EXT_NAME,
    EXT_VALUE_FIRST,
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_END,
    LINE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    ENDED,
};

static int hex_value(uint8_t c)
{
    if (!(http_class[c] & CLASS_HEX)) return -1;
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* ";" name [ "=" ( token / quoted-string ) ]: RFC 9112 7.1.1, without the
 * "bad" whitespace that recipients need not accept. Next state or -1. */
static int ext_step(unsigned state, uint8_t c)
{
    bool token = http_class[c] & CLASS_TOKEN;
    bool text = (c >= 0x20 && c != 0x7f) || c == '\t';
    switch (state) {
    case EXT_NAME_FIRST: return token ? EXT_NAME : -1;
    case EXT_VALUE_FIRST: return c == '"' ? EXT_QUOTED : token ? EXT_VALUE : -1;
    case EXT_ESCAPED: return text ? EXT_QUOTED : -1;
    case EXT_QUOTED:
        if (c == '\\') return EXT_ESCAPED;
        return c == '"' ? EXT_END : text ? EXT_QUOTED : -1;
    default: break;
    }
    if (c == '\r') return LINE_LF;
    if (c == ';') return EXT_NAME_FIRST;
    if (state == EXT_NAME && c == '=') return EXT_VALUE_FIRST;
    return token && state != EXT_END ? (int)state : -1;
}

static int line_step(struct chunk_decoder *d, uint8_t c)
{
    if (++d->line > CHUNK_LINE_MAX) return -1;
    if (d->state > SIZE) return ext_step(d->state, c);
    int digit = hex_value(c);
    if (digit >= 0) {
        if (d->left >> 59) return -1; /* stays below 2^63 */
        d->left = d->left << 4 | (unsigned)digit;
        return d->line <= 16 ? SIZE : -1;
    }
    if (d->state == SIZE_FIRST) return -1;
    return c == '\r' ? LINE_LF : c == ';' ? EXT_NAME_FIRST : -1;
}

enum chunk_event chunk_decode(struct chunk_decoder *d, struct sv *in,
                              struct sv *data)
{
    while (in->n) {
        if (d->state == DATA) {
            *data = sv_first(*in, d->left < in->n ? (size_t)d->left : in->n);
            return CHUNK_DATA;
        }
        uint8_t c = (uint8_t)in->p[0];
        int next;
        if (d->state < LINE_LF)
            next = line_step(d, c);
        else if (d->state == LINE_LF)
            next = c != '\n' ? -1 : d->left ? DATA : ENDED;
        else if (d->state == DATA_CR)
            next = c == '\r' ? DATA_LF : -1;
        else if (d->state == DATA_LF)
            next = c == '\n' ? SIZE_FIRST : -1;
        else
            next = -1;
        if (next < 0) return CHUNK_BAD;
        if (next == SIZE_FIRST || next == DATA) d->line = 0;
        d->state = (uint8_t)next;
        *in = sv_from(*in, 1);
        if (next == ENDED) return CHUNK_LAST;
    }
    return CHUNK_MORE;
}

void chunk_take(struct chunk_decoder *d, size_t n)
{
    ENSURE(d->state == DATA && n <= d->left);
    d->left -= n;
    if (d->left == 0) d->state = DATA_CR;
}

size_t chunk_head(char out[CHUNK_HEAD_MAX], uint64_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 1;
    while (n < 16 && size >> (4 * n)) n++;
    for (size_t i = 0; i < n; i++)
        out[i] = digits[size >> (4 * (n - 1 - i)) & 15];
    out[n] = '\r';
    out[n + 1] = '\n';
    return n + 2;
}
