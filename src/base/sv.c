/* Views of text: comparisons and cuts that everybody needs. */
#include "base/sv.h"

bool sv_eq_nocase(struct sv a, struct sv b)
{
    return a.n == b.n && sv_starts_nocase(a, b);
}

bool sv_starts_nocase(struct sv s, struct sv prefix)
{
    if (s.n < prefix.n) return false;
    for (size_t i = 0; i < prefix.n; i++)
        if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i])) return false;
    return true;
}

size_t sv_find(struct sv s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : SIZE_MAX;
}

size_t sv_rfind(struct sv s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : SIZE_MAX;
}

struct sv sv_trim(struct sv s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
    return s;
}

struct sv sv_cut(struct sv s, char sep, struct sv *rest)
{
    size_t at = sv_find(s, sep);
    if (at == SIZE_MAX) {
        *rest = (struct sv){ NULL, 0 };
        return s;
    }
    *rest = sv_from(s, at + 1);
    return sv_first(s, at);
}

bool sv_to_u64(struct sv s, uint64_t max, uint64_t *out)
{
    if (s.n == 0 || s.n > 20) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned char)s.p[i] - (unsigned)'0';
        if (d > 9) return false;
        if (v > (UINT64_MAX - d) / 10) return false;
        v = v * 10 + d;
    }
    if (v > max) return false;
    *out = v;
    return true;
}

int sv_cmp(struct sv a, struct sv b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c) return c;
    return a.n < b.n ? -1 : a.n > b.n;
}
