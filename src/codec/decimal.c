/* Comparing and dividing numbers by their digits. */
#include "codec/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 wide;

static const int64_t EXPONENT_MAX = INT64_C(1) << 50;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_end(struct sv s, size_t at)
{
    while (at < s.n && is_digit(s.p[at])) at++;
    return at;
}

/* "e+10": the sign and digits behind e; cut, never wrapped */
static bool exponent_parse(struct sv s, int64_t *out)
{
    bool negative = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = sv_from(s, 1);
    if (!s.n || digits_end(s, 0) != s.n) return false;
    int64_t e = 0;
    for (size_t i = 0; i < s.n; i++)
        if (e < EXPONENT_MAX) e = e * 10 + (s.p[i] - '0');
    if (e > EXPONENT_MAX) e = EXPONENT_MAX;
    *out = negative ? -e : e;
    return true;
}

static void small_find(struct decimal *d, struct sv whole)
{
    if (whole.n > 18) return;
    int64_t v = 0;
    for (size_t i = 0; i < whole.n; i++) v = v * 10 + (whole.p[i] - '0');
    d->small = d->negative ? -v : v;
    d->is_small = true;
}

/* From the text without sign and exponent: cuts zeros at both ends. */
static void digits_find(struct decimal *d, struct sv text, size_t point)
{
    size_t from = 0, to = text.n;
    bool has_point = point < text.n;
    while (from < to && (text.p[from] == '0' || text.p[from] == '.')) from++;
    while (to > from && (text.p[to - 1] == '0' || text.p[to - 1] == '.')) to--;
    d->digits = sv_of(text.p + from, to - from);
    d->count = (int64_t)(to - from);
    if (has_point && point > from && point < to) d->count--;
    if (!has_point) point = text.n;
    d->exponent +=
        to > point ? -(int64_t)(to - point - 1) : (int64_t)(point - to);
    if (from == to) {
        d->count = d->exponent = 0;
        d->negative = false;
        d->is_small = true;
    }
}

bool decimal_parse(struct sv text, struct decimal *out)
{
    struct decimal *d = out;
    d->negative = text.n && text.p[0] == '-';
    d->exponent = 0;
    d->is_small = false;
    d->small = 0;
    struct sv s = sv_from(text, d->negative);
    size_t point = digits_end(s, 0), end = point;
    if (!point || (point > 1 && s.p[0] == '0')) return false;
    if (end == s.n) small_find(d, s);
    if (end < s.n && s.p[end] == '.') {
        end = digits_end(s, point + 1);
        if (end == point + 1) return false;
    }
    if (end < s.n) {
        if (s.p[end] != 'e' && s.p[end] != 'E') return false;
        if (!exponent_parse(sv_from(s, end + 1), &d->exponent)) return false;
    }
    digits_find(d, sv_first(s, end), point);
    return true;
}

/* The shortest of 15 to 17 digits that reads back. */
static void real_text(struct decimal *d, double v)
{
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(d->text, sizeof d->text, "%.*g", precision, v);
        if (strtod(d->text, NULL) == v) return;
    }
}

bool decimal_of(const yyjson_val *v, struct decimal *out)
{
    yyjson_val *val = (yyjson_val *)(uintptr_t)v;
    if (yyjson_is_raw(val))
        return decimal_parse(sv_of(val->uni.str, unsafe_yyjson_get_len(val)),
                             out);
    if (yyjson_is_uint(val))
        snprintf(out->text, sizeof out->text, "%llu",
                 (unsigned long long)yyjson_get_uint(val));
    else if (yyjson_is_sint(val))
        snprintf(out->text, sizeof out->text, "%lld",
                 (long long)yyjson_get_sint(val));
    else if (yyjson_is_real(val) && isfinite(yyjson_get_real(val)))
        real_text(out, yyjson_get_real(val));
    else
        return false;
    return decimal_parse(sv_cstr(out->text), out);
}

/* The n-th digit's position, '.' passed over. */
static size_t next_digit(struct sv digits, size_t at)
{
    return at < digits.n && digits.p[at] == '.' ? at + 1 : at;
}

static int magnitude_cmp(const struct decimal *a, const struct decimal *b)
{
    if (!a->count || !b->count) return (a->count != 0) - (b->count != 0);
    int64_t am = a->exponent + a->count, bm = b->exponent + b->count;
    if (am != bm) return am < bm ? -1 : 1;
    size_t i = 0, j = 0;
    for (;;) {
        i = next_digit(a->digits, i);
        j = next_digit(b->digits, j);
        if (i >= a->digits.n || j >= b->digits.n)
            return (i < a->digits.n) - (j < b->digits.n);
        if (a->digits.p[i] != b->digits.p[j])
            return a->digits.p[i] < b->digits.p[j] ? -1 : 1;
        i++;
        j++;
    }
}

int decimal_cmp(const struct decimal *a, const struct decimal *b)
{
    if (a->is_small && b->is_small)
        return (a->small > b->small) - (a->small < b->small);
    if (a->negative != b->negative) return a->negative ? -1 : 1;
    int magnitude = magnitude_cmp(a, b);
    return a->negative ? -magnitude : magnitude;
}

bool decimal_is_integer(const struct decimal *d)
{
    return d->is_small || d->exponent >= 0;
}

static uint64_t times_mod(uint64_t a, uint64_t b, uint64_t m)
{
    return (uint64_t)((wide)a * b % m);
}

static uint64_t power_of_ten_mod(uint64_t e, uint64_t m)
{
    uint64_t result = 1 % m;
    for (uint64_t base = 10 % m; e; e >>= 1) {
        if (e & 1) result = times_mod(result, base, m);
        base = times_mod(base, base, m);
    }
    return result;
}

/* Of the digits as one integer. */
static uint64_t digits_mod(const struct decimal *d, uint64_t m)
{
    uint64_t v = 0;
    for (size_t i = 0; i < d->digits.n; i++)
        if (d->digits.p[i] != '.')
            v = (uint64_t)(((wide)v * 10 + (uint64_t)(d->digits.p[i] - '0')) %
                           m);
    return v;
}

/* a/b = (ad / bd) * 10^(ae - be). No digits of ours end in 0, so that with a
 * negative power no quotient is an integer. */
bool decimal_is_multiple(const struct decimal *a, const struct decimal *b)
{
    if (!a->count) return true;
    if (!b->count || a->exponent < b->exponent) return false;
    uint64_t bd = digits_mod(b, UINT64_MAX);
    if (!bd) return false; /* digits of ours never make 0 */
    uint64_t rest = digits_mod(a, bd);
    uint64_t power =
        power_of_ten_mod((uint64_t)(a->exponent - b->exponent), bd);
    return times_mod(rest, power, bd) == 0;
}

uint64_t decimal_hash(const struct decimal *d)
{
    uint64_t h = 14695981039346656037u ^ (uint64_t)d->negative;
    for (size_t i = 0; i < d->digits.n; i++)
        if (d->digits.p[i] != '.')
            h = (h ^ (uint8_t)d->digits.p[i]) * 1099511628211u;
    return (h ^ (uint64_t)d->exponent) * 1099511628211u;
}
