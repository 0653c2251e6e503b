/* Plain scalars: null, booleans, and numbers in JSON's spelling. */
#include "codec/decimal.h"
#include "codec/yaml_int.h"

static bool is_any(struct sv s, const char *const *words)
{
    for (; *words; words++)
        if (sv_eq(s, sv_cstr(*words))) return true;
    return false;
}

/* 0o17, 0x1f */
static bool radix_number(struct sv s, struct arena *a, struct sv *number)
{
    unsigned radix = s.n > 2 && s.p[0] == '0' ? (s.p[1] == 'x'   ? 16
                                                 : s.p[1] == 'o' ? 8
                                                                 : 0)
                                              : 0;
    uint64_t v = 0;
    if (!radix || s.n > 17) return false;
    for (size_t i = 2; i < s.n; i++) {
        char c = ascii_lower(s.p[i]);
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit >= radix) return false;
        v = v * radix + digit;
    }
    *number = arena_printf(a, "%llu", (unsigned long long)v);
    return number->p;
}

/* [+-]digits[.digits][e…]: JSON wants no +, no zeros in front, digits on
 * both sides of the point */
static bool loose_number(struct sv s, struct arena *a, struct sv *number)
{
    bool negative = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = sv_from(s, 1);
    size_t e = 0;
    while (e < s.n && s.p[e] != 'e' && s.p[e] != 'E') e++;
    struct sv fraction, whole = sv_cut(sv_first(s, e), '.', &fraction);
    if (!whole.n && !fraction.n) return false;
    while (whole.n > 1 && whole.p[0] == '0') whole = sv_from(whole, 1);
    struct sv made = arena_printf(
        a, "%s%.*s%s%.*s%.*s", negative ? "-" : "", whole.n ? (int)whole.n : 1,
        whole.n ? whole.p : "0", fraction.n ? "." : "", SV_FMT(fraction),
        (int)(s.n - e), s.p + e);
    struct decimal d;
    if (!made.p || !decimal_parse(made, &d)) return false;
    *number = made;
    return true;
}

enum yaml_scalar yaml_scalar_of(struct sv text, struct arena *a,
                                struct sv *number)
{
    static const char *const nulls[] = {
        "", "~", "null", "Null", "NULL", NULL
    };
    static const char *const trues[] = { "true", "True", "TRUE", NULL };
    static const char *const falses[] = { "false", "False", "FALSE", NULL };
    struct decimal d;
    if (text.n <= 5) {
        if (is_any(text, nulls)) return YAML_IS_NULL;
        if (is_any(text, trues)) return YAML_IS_TRUE;
        if (is_any(text, falses)) return YAML_IS_FALSE;
    }
    char c = text.p[0];
    bool digit = c >= '0' && c <= '9';
    if (!digit && c != '-' && c != '+' && c != '.') return YAML_IS_TEXT;
    if (decimal_parse(text, &d)) {
        *number = text;
        return YAML_IS_NUMBER;
    }
    for (size_t i = 1; i < text.n; i++) /* dates, versions: soon known */
        if (!((text.p[i] >= '0' && text.p[i] <= '9') ||
              strchr("abcdefABCDEFox.+-", text.p[i])))
            return YAML_IS_TEXT;
    return radix_number(text, a, number) || loose_number(text, a, number)
               ? YAML_IS_NUMBER
               : YAML_IS_TEXT;
}
