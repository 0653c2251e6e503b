/* Rules -> tree, and a request's way down it. */
#include "plan/route.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "codec/percent.h"

struct route_list { /* best first */
    const struct route_rule **rules;
    unsigned n;
};

struct route_edge {
    struct template_affix match;
    struct route_node *to;
};

struct route_node {
    struct route_edge *text, *variables; /* any order; longest affixes first */
    uint8_t *slots;                      /* by hash: + 1, of text; 0: none */
    unsigned text_n, variables_n, slots_mask;
    struct route_list here, rest; /* the path ends here; "*" */
};

struct route_table {
    struct route_node root;
    const struct routing *rules;
};

/* --- building ----------------------------------------------------------------- */

/* With a method before without, later before earlier. */
static int better(const void *a, const void *b)
{
    const struct route_rule *x = *(const struct route_rule *const *)a;
    const struct route_rule *y = *(const struct route_rule *const *)b;
    bool xm = x->method.n > 0, ym = y->method.n > 0;
    return xm != ym ? (xm ? -1 : 1) : y->index - x->index;
}

static int by_affix(const void *a, const void *b)
{
    const struct route_edge *x = a, *y = b;
    size_t n = x->match.prefix.n + x->match.suffix.n;
    size_t m = y->match.prefix.n + y->match.suffix.n;
    return n != m ? (n > m ? -1 : 1) : sv_cmp(y->match.prefix, x->match.prefix);
}

static bool same(const struct route_segment *a, const struct route_segment *b)
{
    return a->kind == b->kind && sv_eq(a->match.prefix, b->match.prefix) &&
           sv_eq(a->match.suffix, b->match.suffix);
}

static struct route_list *ends_here(struct route_node *to,
                                    const struct route_rule *r, unsigned depth)
{
    if (depth == r->segments_n) return &to->here;
    return r->segments[depth].kind == SEGMENT_REST ? &to->rest : NULL;
}

static bool fill(struct route_node *to, const struct route_rule **rules,
                 unsigned n, unsigned depth, struct arena *a);

/* All rules of [i, n) whose segment is that of rules[i], moved behind it. */
static unsigned gather(const struct route_rule **rules, unsigned i, unsigned n,
                       unsigned depth)
{
    const struct route_segment *segment = &rules[i]->segments[depth];
    unsigned end = i + 1;
    for (unsigned k = end; k < n; k++) {
        if (!same(segment, &rules[k]->segments[depth])) continue;
        const struct route_rule *found = rules[k];
        rules[k] = rules[end];
        rules[end++] = found;
    }
    return end;
}

static unsigned hash_of(struct sv text)
{
    return (unsigned)(hash_ends(text) >> 32);
}

/* With many applications each look at a literal is a cache line that is not
 * there: a hash looks at one or two, a sorted list at six. */
static bool index_text(struct route_node *to, struct arena *a)
{
    unsigned n = 2;
    _Static_assert(ROUTING_RULES_MAX < UINT8_MAX, "a slot is a byte");
    while (n < 2 * to->text_n) n *= 2;
    to->slots = ARENA_ARRAY(a, uint8_t, n);
    to->slots_mask = n - 1;
    for (unsigned i = 0; to->slots && i < to->text_n; i++) {
        unsigned at = hash_of(to->text[i].match.prefix) & to->slots_mask;
        while (to->slots[at]) at = (at + 1) & to->slots_mask;
        to->slots[at] = (uint8_t)(i + 1);
    }
    return to->slots;
}

static bool grow(struct route_node *to, const struct route_rule **rules,
                 unsigned n, unsigned depth, struct arena *a)
{
    to->text = ARENA_ARRAY(a, struct route_edge, n);
    to->variables = ARENA_ARRAY(a, struct route_edge, n);
    if (!to->text || !to->variables) return false;
    for (unsigned i = 0, end; i < n; i = end) {
        const struct route_segment *s = &rules[i]->segments[depth];
        struct route_edge *edge = s->kind == SEGMENT_TEXT
                                      ? &to->text[to->text_n++]
                                      : &to->variables[to->variables_n++];
        end = gather(rules, i, n, depth);
        edge->match = s->match;
        edge->to = ARENA_NEW(a, struct route_node);
        if (!edge->to || !fill(edge->to, rules + i, end - i, depth + 1, a))
            return false;
    }
    qsort(to->variables, to->variables_n, sizeof *to->variables, by_affix);
    return index_text(to, a);
}

/* `rules` agree in the segments above `depth`; they are put in order. */
static bool fill(struct route_node *to, const struct route_rule **rules,
                 unsigned n, unsigned depth, struct arena *a)
{
    const struct route_rule **further =
        ARENA_ARRAY(a, const struct route_rule *, n);
    unsigned further_n = 0;
    to->here.rules = ARENA_ARRAY(a, const struct route_rule *, n);
    to->rest.rules = ARENA_ARRAY(a, const struct route_rule *, n);
    if (!further || !to->here.rules || !to->rest.rules) return false;
    for (unsigned i = 0; i < n; i++) {
        struct route_list *list = ends_here(to, rules[i], depth);
        if (list)
            list->rules[list->n++] = rules[i];
        else
            further[further_n++] = rules[i];
    }
    qsort(to->here.rules, to->here.n, sizeof *to->here.rules, better);
    qsort(to->rest.rules, to->rest.n, sizeof *to->rest.rules, better);
    return !further_n || grow(to, further, further_n, depth, a);
}

int route_table_build(const struct routing *r, struct arena *a,
                      const struct route_table **out)
{
    struct route_table *t = ARENA_NEW(a, struct route_table);
    const struct route_rule **rules =
        ARENA_ARRAY(a, const struct route_rule *, r->n);
    if (!t || !rules) return ERR_NOMEM;
    for (unsigned i = 0; i < r->n; i++) rules[i] = &r->rules[i];
    if (!fill(&t->root, rules, r->n, 0, a)) return ERR_NOMEM;
    t->rules = r;
    *out = t;
    return 0;
}

const struct route_rule *route_table_rule(const struct route_table *t,
                                          uint32_t id)
{
    for (unsigned i = 0; i < t->rules->n; i++)
        if (t->rules->rules[i].id == id) return &t->rules->rules[i];
    return NULL;
}

/* --- matching ------------------------------------------------------------------- */

struct walk {
    const struct http_head *head;
    struct route_match *out;
    unsigned bound; /* variables of the path, in its order: the rule's first */
};

/* Cuts `want` off the front of *s, decoding if `escaped`. */
static bool take_text(struct sv *s, struct sv want, bool escaped)
{
    for (size_t i = 0; i < want.n; i++) {
        if (!s->n) return false;
        char c = escaped ? percent_take(s) : s->p[0];
        if (!escaped) *s = sv_from(*s, 1);
        if (c != want.p[i]) return false;
    }
    return true;
}

static size_t octets(struct sv s, bool escaped)
{
    size_t n = 0;
    if (!escaped) return s.n;
    for (; s.n; n++) percent_take(&s);
    return n;
}

/* *value: what stands between prefix and suffix, not empty. */
static bool affix_matches(const struct template_affix *m, struct sv s,
                          bool escaped, struct sv *value)
{
    if (!take_text(&s, m->prefix, escaped)) return false;
    if (m->variable < 0) return s.n == 0;
    size_t n = octets(s, escaped);
    if (n <= m->suffix.n) return false;
    const char *from = s.p;
    for (n -= m->suffix.n; n; n--) {
        if (escaped)
            percent_take(&s);
        else
            s = sv_from(s, 1);
    }
    *value = sv_of(from, (size_t)(s.p - from));
    return take_text(&s, m->suffix, escaped);
}

static bool bind(struct walk *w, const struct route_condition *c,
                 struct sv text, bool escaped)
{
    struct sv value = text;
    if (!c->has_value) return true;
    if (!affix_matches(&c->value, text, escaped, &value)) return false;
    if (c->value.variable < 0) return true;
    unsigned i = (unsigned char)c->value.variable;
    w->out->value[i] = value;
    if (escaped) w->out->escaped |= (uint16_t)(1u << i);
    return true;
}

static bool query_matches(struct walk *w, const struct route_condition *c)
{
    for (struct sv rest = w->head->query; rest.p;) {
        struct sv value, pair = sv_cut(rest, '&', &rest);
        struct sv name = sv_cut(pair, '=', &value);
        if (!take_text(&name, c->name, true) || name.n) continue;
        if (bind(w, c, value.p ? value : SV(""), true)) return true;
    }
    return false;
}

/* A variable's field must come once: the origin might read the other. */
static bool header_matches(struct walk *w, const struct route_condition *c)
{
    const struct http_field *f;
    unsigned next = 0;
    bool is_variable = c->has_value && c->value.variable >= 0;
    while ((f = http_head_find_text(w->head, c->name, &next))) {
        bool good = bind(w, c, f->value, false);
        if (is_variable)
            return good && !http_head_find_text(w->head, c->name, &next);
        if (good) return true;
    }
    return false;
}

static bool method_matches(const struct route_rule *r,
                           const struct http_head *h)
{
    return !r->method.n || sv_eq(r->method, h->method_text) ||
           (h->method == HTTP_HEAD && sv_eq(r->method, SV("GET")));
}

static bool rule_matches(struct walk *w, const struct route_rule *r)
{
    if (!method_matches(r, w->head)) return false;
    w->out->escaped = (uint16_t)((1u << w->bound) - 1);
    for (unsigned i = 0; i < r->query_n; i++)
        if (!query_matches(w, &r->query[i])) return false;
    for (unsigned i = 0; i < r->headers_n; i++)
        if (!header_matches(w, &r->headers[i])) return false;
    w->out->rule = r;
    return true;
}

static bool list_matches(struct walk *w, const struct route_list *list)
{
    for (unsigned i = 0; i < list->n; i++)
        if (rule_matches(w, list->rules[i])) return true;
    return false;
}

static const struct route_edge *literal_find(const struct route_node *at,
                                             struct sv segment)
{
    char decoded[ROUTING_PATH_MAX];
    if (sv_find(segment, '%') != SIZE_MAX) {
        size_t n = percent_decode_within(decoded, sizeof decoded, segment);
        if (n == SIZE_MAX) return NULL; /* longer than any literal */
        segment = sv_of(decoded, n);
    }
    unsigned i = hash_of(segment) & at->slots_mask;
    for (; at->slots[i]; i = (i + 1) & at->slots_mask) {
        const struct route_edge *edge = &at->text[at->slots[i] - 1];
        if (sv_eq(edge->match.prefix, segment)) return edge;
    }
    return NULL;
}

/* A rule may name a segment's parameters; else they are nobody's. */
static const struct route_edge *text_find(const struct route_node *at,
                                          struct sv segment)
{
    size_t parameters = sv_find(segment, ';');
    if (!at->text_n) return NULL;
    const struct route_edge *found = literal_find(at, segment);
    return found || parameters == SIZE_MAX
               ? found
               : literal_find(at, sv_first(segment, parameters));
}

/* The tree bounds it: a node is visited once, for its depth is its place in
 * the path. */
static bool descend(struct walk *w, const struct route_node *at, struct sv path)
{
    while (path.n && path.p[0] == '/') path = sv_from(path, 1);
    if (!path.n)
        return list_matches(w, &at->here) || list_matches(w, &at->rest);
    struct sv segment = sv_first(path, sv_find(path, '/'));
    struct sv rest = sv_from(path, segment.n);
    const struct route_edge *edge = text_find(at, segment);
    if (edge && descend(w, edge->to, rest)) return true;
    for (unsigned i = 0; i < at->variables_n; i++) {
        struct sv value;
        edge = &at->variables[i];
        if (!affix_matches(&edge->match, segment, true, &value)) continue;
        w->out->value[w->bound++] = value;
        if (descend(w, edge->to, rest)) return true;
        w->bound--;
    }
    return list_matches(w, &at->rest);
}

static bool has_dots(struct sv path)
{
    if (sv_find(path, '.') == SIZE_MAX && sv_find(path, '%') == SIZE_MAX)
        return false;
    while (path.p)
        if (percent_has_dots(sv_cut(path, '/', &path))) return true;
    return false;
}

enum route_found route_match(const struct route_table *t,
                             const struct http_head *h, struct route_match *out)
{
    struct walk w = { h, out, 0 };
    out->rule = NULL;
    if (has_dots(h->path)) return ROUTE_REFUSED;
    if (!h->path.n || h->path.p[0] != '/') return ROUTE_NONE; /* OPTIONS * */
    return descend(&w, &t->root, h->path) ? ROUTE_FOUND : ROUTE_NONE;
}
