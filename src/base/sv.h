/* String view: a borrowed run of bytes. Never NUL-terminated by contract.
 * A view is valid as long as what it points into; who lends says how long. */
#ifndef BASE_SV_H
#define BASE_SV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sv {
    const char *p;
    size_t n;
};

#define SV(lit) ((struct sv){ "" lit, sizeof(lit) - 1 })
#define SV_FMT(s) (int)(s).n, (s).p /* for "%.*s" */

static inline struct sv sv_of(const void *p, size_t n)
{
    return (struct sv){ p, n };
}

static inline struct sv sv_cstr(const char *s)
{
    return (struct sv){ s, s ? strlen(s) : 0 };
}

static inline bool sv_eq(struct sv a, struct sv b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool sv_starts(struct sv s, struct sv prefix)
{
    return s.n >= prefix.n && sv_eq((struct sv){ s.p, prefix.n }, prefix);
}

static inline bool sv_ends(struct sv s, struct sv suffix)
{
    if (suffix.n == 0) return true;
    return s.n >= suffix.n &&
           sv_eq((struct sv){ s.p + s.n - suffix.n, suffix.n }, suffix);
}

/* From `from` to the end; an offset beyond the end gives an empty view. */
static inline struct sv sv_from(struct sv s, size_t from)
{
    if (from > s.n) from = s.n;
    return (struct sv){ s.p + from, s.n - from };
}

static inline struct sv sv_first(struct sv s, size_t n)
{
    return (struct sv){ s.p, n < s.n ? n : s.n };
}

/* ASCII only: `a` equals `b` ignoring case. */
bool sv_eq_nocase(struct sv a, struct sv b);
bool sv_starts_nocase(struct sv s, struct sv prefix);
/* Position of the byte, or SIZE_MAX. */
size_t sv_find(struct sv s, char c);
size_t sv_rfind(struct sv s, char c);
/* Without leading and trailing SP and HTAB. */
struct sv sv_trim(struct sv s);
/* Cuts at the first `sep`: the part before is returned, *rest gets what is
 * behind it (empty with p == NULL when there was no separator). */
struct sv sv_cut(struct sv s, char sep, struct sv *rest);
/* Whole view is a decimal number without sign, <= max. */
bool sv_to_u64(struct sv s, uint64_t max, uint64_t *out);
/* memcmp order, shorter first. */
int sv_cmp(struct sv a, struct sv b);

static inline char ascii_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

#endif
