/* Bad characters are 0xff in the table and are found once at the end: the
 * loop has no branch on the bytes. */
#include "codec/base64url.h"

#include "base/err.h"

static const char digits[64] = {
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M',
    'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
    'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-', '_',
};

#define BAD16                                                                  \
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, \
        255
static const uint8_t values[256] = {
    BAD16, BAD16, 255,   255,   255,   255,   255,   255, 255, 255, 255,
    255,   255,   255,   255,   62,    255,   255,   52,  53,  54,  55,
    56,    57,    58,    59,    60,    61,    255,   255, 255, 255, 255,
    255,   255,   0,     1,     2,     3,     4,     5,   6,   7,   8,
    9,     10,    11,    12,    13,    14,    15,    16,  17,  18,  19,
    20,    21,    22,    23,    24,    25,    255,   255, 255, 255, 63,
    255,   26,    27,    28,    29,    30,    31,    32,  33,  34,  35,
    36,    37,    38,    39,    40,    41,    42,    43,  44,  45,  46,
    47,    48,    49,    50,    51,    255,   255,   255, 255, 255, BAD16,
    BAD16, BAD16, BAD16, BAD16, BAD16, BAD16, BAD16,
};

int base64url_decode(struct sv text, void *out)
{
    const uint8_t *in = (const uint8_t *)text.p;
    uint8_t *to = out;
    uint8_t bad = 0;
    size_t rest = text.n % 4, i;
    if (rest == 1) return ERR_INVALID;
    for (i = 0; i + 4 <= text.n; i += 4) {
        uint8_t a = values[in[i]], b = values[in[i + 1]];
        uint8_t c = values[in[i + 2]], d = values[in[i + 3]];
        bad |= a | b | c | d;
        *to++ = (uint8_t)(a << 2 | b >> 4);
        *to++ = (uint8_t)(b << 4 | c >> 2);
        *to++ = (uint8_t)(c << 6 | d);
    }
    if (rest) {
        uint8_t a = values[in[i]], b = values[in[i + 1]];
        uint8_t c = rest == 3 ? values[in[i + 2]] : 0;
        uint8_t left = (uint8_t)(rest == 3 ? c << 6 : b << 4);
        bad |= a | b | c | (left ? 0x80 : 0);
        *to++ = (uint8_t)(a << 2 | b >> 4);
        if (rest == 3) *to++ = (uint8_t)(b << 4 | c >> 2);
    }
    return bad & 0x80 ? ERR_INVALID : 0;
}

void base64url_encode(struct sv bytes, char *out)
{
    const uint8_t *in = (const uint8_t *)bytes.p;
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t n = bytes.n - i;
        uint32_t v = (uint32_t)in[i] << 16 |
                     (uint32_t)(n > 1 ? in[i + 1] : 0) << 8 |
                     (uint32_t)(n > 2 ? in[i + 2] : 0);
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        if (n > 1) *out++ = digits[v >> 6 & 63];
        if (n > 2) *out++ = digits[v & 63];
    }
}

int base64url_take(struct arena *a, struct sv text, struct sv *out)
{
    size_t n = base64url_decoded_bytes(text.n);
    void *to = arena_alloc(a, n ? n : 1);
    if (!to) return ERR_NOMEM;
    *out = sv_of(to, n);
    return base64url_decode(text, to);
}
