/* Variables into targets. A value is decoded to its octets and escaped anew
 * for where it goes, so that it can be nothing but a value there. */
#include "base/err.h"
#include "codec/percent.h"
#include "plan/route.h"

/* Decoded in place at the end of `text` would overlap: piece by piece. */
static void put_value(const struct route_match *m, int i,
                      enum percent_place place, struct buf *text)
{
    struct sv s = m->value[i];
    if (!(m->escaped >> i & 1)) {
        percent_encode(text, place, s);
        return;
    }
    while (s.n) {
        char c = percent_take(&s);
        percent_encode(text, place, sv_of(&c, 1));
    }
}

static void put(const struct route_match *m, const struct template *t,
                enum percent_place place, struct buf *text)
{
    for (unsigned i = 0; i < t->n; i++) {
        const struct template_piece *p = &t->pieces[i];
        if (p->variable < 0)
            buf_put(text, p->text);
        else
            put_value(m, p->variable, place, text);
    }
}

struct sv route_field(const struct route_match *m, const struct template *t,
                      struct buf *text)
{
    size_t start = text->n;
    put(m, t, PERCENT_FIELD, text);
    return buf_since(text, start);
}

static bool has_dots(struct sv path)
{
    while (path.p)
        if (percent_has_dots(sv_cut(path, '/', &path))) return true;
    return false;
}

/* An octet of a parameter's name as origins read it: escapes decoded, '+' for a
 * space. */
static char name_take(struct sv *name)
{
    bool plus = name->p[0] == '+';
    char c = percent_take(name);
    return plus ? ' ' : c;
}

static bool same_name(struct sv a, struct sv b)
{
    while (a.n && b.n)
        if (name_take(&a) != name_take(&b)) return false;
    return !a.n && !b.n;
}

static bool is_set(const struct route_rule *r, struct sv pair)
{
    struct sv value, name = sv_cut(pair, '=', &value);
    for (unsigned i = 0; i < r->params_n; i++)
        if (same_name(r->params[i].name, name)) return true;
    return false;
}

/* The rule's parameters, then the request's in their order, but for those
 * that the rule sets. */
static void put_query(const struct route_match *m, struct sv query,
                      struct buf *text)
{
    const struct route_rule *r = m->rule;
    bool first = true;
    for (unsigned i = 0; i < r->params_n; i++, first = false) {
        buf_putc(text, first ? '?' : '&');
        buf_put(text, r->params[i].name);
        buf_putc(text, '=');
        put(m, &r->params[i].value, PERCENT_QUERY, text);
    }
    if (query.p && !r->params_n) {
        buf_putc(text, '?');
        buf_put(text, query);
        return;
    }
    while (query.p) {
        struct sv pair = sv_cut(query, '&', &query);
        if (!pair.n || is_set(r, pair)) continue;
        buf_putc(text, '&');
        buf_put(text, pair);
    }
}

int route_target(const struct route_match *m, struct sv path, struct sv query,
                 struct sv base, struct buf *text, struct sv *out)
{
    size_t start = text->n;
    buf_put(text, base);
    size_t own = text->n;
    if (m->rule->has_path)
        put(m, &m->rule->path, PERCENT_SEGMENT, text);
    else
        buf_put(text, path);
    if (!text->overflow && has_dots(buf_since(text, own))) return ERR_INVALID;
    put_query(m, query, text);
    *out = buf_since(text, start);
    return text->overflow ? ERR_TOOBIG : 0;
}

/* A label: [a-z0-9-]{1,63}, no hyphen at its ends; capitals become small. */
static bool put_label(const struct route_match *m, int i, struct buf *text)
{
    struct sv s = m->value[i];
    size_t start = text->n;
    bool escaped = m->escaped >> i & 1;
    while (s.n) {
        char c = escaped ? percent_take(&s) : s.p[0];
        if (!escaped) s = sv_from(s, 1);
        c = ascii_lower(c);
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && c != '-')
            return false;
        buf_putc(text, c);
    }
    struct sv label = buf_since(text, start);
    return !text->overflow && label.n > 0 && label.n <= 63 &&
           label.p[0] != '-' && label.p[label.n - 1] != '-';
}

int route_host(const struct route_match *m, struct buf *text, struct sv *out)
{
    enum { HOST_MAX = 253 };
    const struct template *t = &m->rule->host;
    size_t start = text->n;
    for (unsigned i = 0; i < t->n; i++) {
        const struct template_piece *p = &t->pieces[i];
        if (p->variable < 0)
            buf_put(text, p->text);
        else if (!put_label(m, p->variable, text))
            return ERR_INVALID;
    }
    *out = buf_since(text, start);
    if (text->overflow) return ERR_TOOBIG;
    return out->n <= HOST_MAX ? 0 : ERR_INVALID;
}
