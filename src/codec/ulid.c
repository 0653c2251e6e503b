/* ULIDs, strictly rising. */
#include "codec/ulid.h"

#include <endian.h>

#include "base/err.h"
#include "base/rand.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

int64_t ulid_ms(const struct ulid *u)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++) ms = ms << 8 | u->b[i];
    return ms;
}

uint32_t ulid_tag(const struct ulid *u)
{
    return (uint32_t)u->b[12] << 24 | (uint32_t)u->b[13] << 16 |
           (uint32_t)u->b[14] << 8 | u->b[15];
}

void ulid_next(struct ulid *last, int64_t wall_ms, struct ulid *out)
{
    if (wall_ms > ulid_ms(last)) {
        for (int i = 6; i-- > 0; wall_ms >>= 8) last->b[i] = (uint8_t)wall_ms;
        rand_bytes(last->b + 6, 10);
        last->b[6] &= 0x7f; /* room to count up within a millisecond */
    } else {
        for (int i = 16; i-- > 0 && ++last->b[i] == 0;) {}
    }
    *out = *last;
}

static uint64_t big_endian(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return be64toh(v);
}

/* 26 x 5 = 130 bits: the first character holds the top three. In every line
 * of the access log, so without a loop that carries bits along. */
void ulid_encode(char out[ULID_TEXT], const struct ulid *u)
{
    uint64_t high = big_endian(u->b), low = big_endian(u->b + 8);
    for (int i = 0; i <= 12; i++) out[i] = digits[high >> (61 - 5 * i) & 31];
    out[13] = digits[(high & 1) << 4 | low >> 60];
    for (int i = 14; i < ULID_TEXT; i++)
        out[i] = digits[low >> (125 - 5 * i) & 31];
}

/* By ASCII code: one more than its value; 0: no digit. */
static const uint8_t values[128] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
    ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12,
    ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16, ['G'] = 17, ['H'] = 18,
    ['J'] = 19, ['K'] = 20, ['M'] = 21, ['N'] = 22, ['P'] = 23, ['Q'] = 24,
    ['R'] = 25, ['S'] = 26, ['T'] = 27, ['V'] = 28, ['W'] = 29, ['X'] = 30,
    ['Y'] = 31, ['Z'] = 32,
};

static int value_of(char c)
{
    return (unsigned char)c < sizeof values ? values[(unsigned char)c] - 1 : -1;
}

int ulid_decode(struct sv text, struct ulid *out)
{
    if (text.n != ULID_TEXT || value_of(text.p[0]) > 7) return ERR_INVALID;
    uint32_t bits = 0;
    int have = -2, at = 0;
    for (size_t i = 0; i < ULID_TEXT; i++) {
        int v = value_of(text.p[i]);
        if (v < 0) return ERR_INVALID;
        bits = bits << 5 | (uint32_t)v;
        have += 5;
        if (have < 8) continue;
        have -= 8;
        out->b[at++] = (uint8_t)(bits >> have);
    }
    return 0;
}
