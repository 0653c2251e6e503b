/* Long division of a big number in 32-bit limbs; secrets pass through here,
 * so the scratch memory is wiped. */
#include "codec/base62.h"

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

static const char digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static int value_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
    if (c >= 'a' && c <= 'z') return c - 'a' + 36;
    return -1;
}

bool base62_is_digit(char c)
{
    return value_of(c) >= 0;
}

size_t base62_size(size_t n)
{
    /* ceil(8 n / log2(62)); exact for n <= 128, see the test */
    return (n * 8 * 100000000 + 595419631 - 1) / 595419631;
}

size_t base62_encode(char *out, const void *bytes, size_t n)
{
    ENSURE(n <= BASE62_BYTES_MAX);
    uint8_t number[BASE62_BYTES_MAX];
    size_t size = base62_size(n);
    memcpy(number, bytes, n);
    for (size_t i = size; i-- > 0;) {
        uint32_t rest = 0;
        for (size_t j = 0; j < n; j++) {
            rest = rest << 8 | number[j];
            number[j] = (uint8_t)(rest / 62);
            rest %= 62;
        }
        out[i] = digits[rest];
    }
    mem_wipe(number, n);
    return size;
}

int base62_decode(struct sv text, void *out, size_t n)
{
    if (n > BASE62_BYTES_MAX || text.n != base62_size(n)) return ERR_INVALID;
    uint8_t *number = out;
    memset(number, 0, n);
    for (size_t i = 0; i < text.n; i++) {
        int v = value_of(text.p[i]);
        if (v < 0) return ERR_INVALID;
        uint32_t carry = (uint32_t)v;
        for (size_t j = n; j-- > 0;) {
            carry += number[j] * 62u;
            number[j] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry) return ERR_INVALID;
    }
    return 0;
}

void base62_encode_u32(char out[BASE62_U32_TEXT], uint32_t v)
{
    for (int i = BASE62_U32_TEXT; i-- > 0; v /= 62) out[i] = digits[v % 62];
}

int base62_decode_u32(struct sv text, uint32_t *out)
{
    uint64_t v = 0;
    if (text.n != BASE62_U32_TEXT) return ERR_INVALID;
    for (size_t i = 0; i < text.n; i++) {
        int d = value_of(text.p[i]);
        if (d < 0) return ERR_INVALID;
        v = v * 62 + (uint64_t)d;
    }
    if (v > UINT32_MAX) return ERR_INVALID;
    *out = (uint32_t)v;
    return 0;
}
