/* Hexadecimal, strict. */
#include "codec/hex.h"

#include "base/err.h"

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(struct sv text, void *out, size_t n)
{
    if (text.n / 2 != n || text.n % 2) return ERR_INVALID;
    for (size_t i = 0; i < n; i++) {
        int high = digit_of(text.p[2 * i]), low = digit_of(text.p[2 * i + 1]);
        if (high < 0 || low < 0) return ERR_INVALID;
        ((uint8_t *)out)[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}
