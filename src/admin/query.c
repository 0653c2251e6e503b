#include "admin/query.h"

#include "base/err.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode(struct sv in, struct arena *a, struct sv *out)
{
    char *p = arena_alloc(a, in.n + 1);
    size_t n = 0;
    if (!p) return ERR_NOMEM;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i] == '+' ? ' ' : in.p[i];
        if (c == '%') {
            if (i + 2 >= in.n) return ERR_INVALID;
            int hi = hex_value(in.p[i + 1]), lo = hex_value(in.p[i + 2]);
            if (hi < 0 || lo < 0) return ERR_INVALID;
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f) return ERR_INVALID;
        p[n++] = c;
    }
    *out = sv_of(p, n);
    return 0;
}

int query_parse(struct sv text, struct arena *a, struct query *out)
{
    out->n = 0;
    while (text.n) {
        struct sv pair = sv_cut(text, '&', &text), value;
        if (!pair.n) continue;
        if (out->n == QUERY_PAIRS_MAX) return ERR_LIMIT;
        struct query_pair *q = &out->pairs[out->n++];
        struct sv name = sv_cut(pair, '=', &value);
        int err = decode(name, a, &q->name);
        if (!err) err = decode(value, a, &q->value);
        if (err) return err;
    }
    return 0;
}

struct sv query_find(const struct query *q, struct sv name)
{
    for (size_t i = 0; i < q->n; i++)
        if (sv_eq(q->pairs[i].name, name)) return q->pairs[i].value;
    return (struct sv){ NULL, 0 };
}
