/* One table for each of the four places of a character in a group: its six
 * bits where they belong, and a bit above that says that it is one of the 64.
 * A group is then four look-ups, and bad characters are found once at the end:
 * the loop has no branch on the bytes. */
#include "codec/base64url.h"

#include "base/err.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Bits 31 to 8: a group's three bytes. */
enum { GOOD = 0xf };
#define TABLE(V)                                                              \
    {                                                                         \
        ['A'] = V(0), ['B'] = V(1), ['C'] = V(2), ['D'] = V(3), ['E'] = V(4), \
        ['F'] = V(5), ['G'] = V(6), ['H'] = V(7), ['I'] = V(8), ['J'] = V(9), \
        ['K'] = V(10), ['L'] = V(11), ['M'] = V(12), ['N'] = V(13),           \
        ['O'] = V(14), ['P'] = V(15), ['Q'] = V(16), ['R'] = V(17),           \
        ['S'] = V(18), ['T'] = V(19), ['U'] = V(20), ['V'] = V(21),           \
        ['W'] = V(22), ['X'] = V(23), ['Y'] = V(24), ['Z'] = V(25),           \
        ['a'] = V(26), ['b'] = V(27), ['c'] = V(28), ['d'] = V(29),           \
        ['e'] = V(30), ['f'] = V(31), ['g'] = V(32), ['h'] = V(33),           \
        ['i'] = V(34), ['j'] = V(35), ['k'] = V(36), ['l'] = V(37),           \
        ['m'] = V(38), ['n'] = V(39), ['o'] = V(40), ['p'] = V(41),           \
        ['q'] = V(42), ['r'] = V(43), ['s'] = V(44), ['t'] = V(45),           \
        ['u'] = V(46), ['v'] = V(47), ['w'] = V(48), ['x'] = V(49),           \
        ['y'] = V(50), ['z'] = V(51), ['0'] = V(52), ['1'] = V(53),           \
        ['2'] = V(54), ['3'] = V(55), ['4'] = V(56), ['5'] = V(57),           \
        ['6'] = V(58), ['7'] = V(59), ['8'] = V(60), ['9'] = V(61),           \
        ['-'] = V(62), ['_'] = V(63)                                          \
    }
#define FIRST(v) ((uint32_t)(v) << 26 | 1)
#define SECOND(v) ((uint32_t)(v) << 20 | 2)
#define THIRD(v) ((uint32_t)(v) << 14 | 4)
#define FOURTH(v) ((uint32_t)(v) << 8 | 8)
static const uint32_t values[4][256] = { TABLE(FIRST), TABLE(SECOND),
                                         TABLE(THIRD), TABLE(FOURTH) };

static inline uint32_t group(const uint8_t in[4])
{
    return values[0][in[0]] | values[1][in[1]] | values[2][in[2]] |
           values[3][in[3]];
}

static inline void put3(uint8_t to[3], uint32_t bytes)
{
    to[0] = (uint8_t)(bytes >> 24);
    to[1] = (uint8_t)(bytes >> 16);
    to[2] = (uint8_t)(bytes >> 8);
}

int base64url_decode(struct sv text, void *out)
{
    const uint8_t *in = (const uint8_t *)text.p;
    uint8_t *to = out, last[4] = { 'A', 'A', 'A', 'A' }, bytes[3];
    uint32_t good = GOOD;
    size_t rest = text.n % 4, i;
    if (rest == 1) return ERR_INVALID;
    for (i = 0; i + 4 <= text.n; i += 4, to += 3) {
        uint32_t g = group(in + i);
        good &= g;
        put3(to, g);
    }
    if (rest) {
        memcpy(last, in + i, rest);
        uint32_t g = group(last);
        put3(bytes, g);
        memcpy(to, bytes, rest - 1);
        good &= bytes[rest - 1] ? 0 : g; /* bits of no byte: another spelling */
    }
    return good == GOOD ? 0 : ERR_INVALID;
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
