/* Path templates: a tree by segments, in which literals are found by hash
 * and variables tried in the order of how much of them is literal. */
#include <limits.h>

#include "base/hash.h"
#include "codec/json.h"
#include "codec/openapi_int.h"
#include "codec/percent.h"
#include "codec/schema_int.h"

enum { SEGMENT_BYTES_MAX = 2048, SEGMENTS_MAX = 100 };

int openapi_method_of(struct sv method)
{
    static const char methods[OPENAPI_METHODS][8] = {
        "GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE",
    };
    for (int i = 0; i < OPENAPI_METHODS; i++)
        if (sv_eq_nocase(method, sv_cstr(methods[i]))) return i;
    return -1;
}

/* --- building ------------------------------------------------------------------ */

static uint32_t literal_find(const struct openapi *o, uint32_t parent,
                             struct sv text)
{
    const struct openapi_segment *p = &o->segments[parent];
    if (!p->slots) return 0;
    uint32_t at = schema_name_hash(text) & p->slots_mask;
    for (; p->slots[at]; at = (at + 1) & p->slots_mask)
        if (sv_eq(o->segments[p->slots[at]].text, text)) return p->slots[at];
    return 0;
}

static bool literal_slot(struct openapi *o, uint32_t parent, uint32_t child)
{
    struct openapi_segment *p = &o->segments[parent];
    if (!p->slots || 2 * (p->slots_n + 1) > p->slots_mask) {
        uint32_t cap = p->slots ? 2 * (p->slots_mask + 1) : 8, n = 0;
        uint32_t *grown = ARENA_ARRAY(&o->arena, uint32_t, cap);
        if (!grown) return false;
        for (uint32_t i = 0; p->slots && i <= p->slots_mask; i++) {
            if (!p->slots[i]) continue;
            uint32_t at =
                schema_name_hash(o->segments[p->slots[i]].text) & (cap - 1);
            while (grown[at]) at = (at + 1) & (cap - 1);
            grown[at] = p->slots[i];
            n++;
        }
        p->slots = grown;
        p->slots_mask = cap - 1;
        p->slots_n = n;
    }
    uint32_t at = schema_name_hash(o->segments[child].text) & p->slots_mask;
    while (p->slots[at]) at = (at + 1) & p->slots_mask;
    p->slots[at] = child;
    p->slots_n++;
    return true;
}

/* Do two templates of a segment differ in the names of variables alone? */
static bool same_shape(struct sv a, struct sv b)
{
    while (a.n && b.n) {
        if (a.p[0] != b.p[0]) return false;
        bool variable = a.p[0] == '{';
        a = sv_from(a, variable ? sv_find(a, '}') + 1 : 1);
        b = sv_from(b, variable ? sv_find(b, '}') + 1 : 1);
    }
    return a.n == b.n;
}

static uint32_t variable_find(const struct openapi *o, uint32_t parent,
                              struct sv text)
{
    uint32_t at = o->segments[parent].first;
    while (at && !same_shape(o->segments[at].text, text))
        at = o->segments[at].next;
    return at;
}

static void variable_link(struct openapi *o, uint32_t parent, uint32_t child)
{
    uint32_t *at = &o->segments[parent].first;
    unsigned literals = o->segments[child].literals;
    while (*at && o->segments[*at].literals >= literals)
        at = &o->segments[*at].next;
    o->segments[child].next = *at;
    *at = child;
}

/* Braces closed, not nested, with names; how much is literal; UINT_MAX: no */
static unsigned literals_of(struct sv text, unsigned *variables)
{
    unsigned literals = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '}') return UINT_MAX;
        if (text.p[i] != '{') {
            literals++;
            continue;
        }
        size_t end = sv_find(sv_from(text, i), '}');
        struct sv name = sv_first(sv_from(text, i + 1), end - 1);
        if (end == SIZE_MAX || end == 1 || sv_find(name, '{') != SIZE_MAX)
            return UINT_MAX;
        i += end;
        ++*variables;
    }
    return literals;
}

static uint32_t segment_add(struct openapi *o, uint32_t parent, struct sv text)
{
    unsigned variables = 0, literals = literals_of(text, &variables);
    char decoded[SEGMENT_BYTES_MAX];
    if (!variables && text.n <= sizeof decoded)
        text = sv_of(decoded, percent_decode(decoded, text));
    uint32_t at = variables ? variable_find(o, parent, text)
                            : literal_find(o, parent, text);
    if (at) return at;
    struct sv kept = arena_dup(&o->arena, text);
    struct openapi_segment *s = kept.p ? SCHEMA_PUSH(o, segments) : NULL;
    if (!s) return 0;
    *s = (struct openapi_segment){ .text = kept, .literals = literals };
    at = o->segments_n - 1;
    if (variables)
        variable_link(o, parent, at);
    else if (!literal_slot(o, parent, at))
        return 0;
    return at;
}

static bool template_check(struct openapi_loader *l, const yyjson_val *key)
{
    struct sv text = json_text(key);
    unsigned variables = 0;
    if (!text.n || text.p[0] != '/') {
        openapi_note(l, true, key, "a path must begin with /");
        return false;
    }
    if (sv_find(text, '?') != SIZE_MAX || sv_find(text, '#') != SIZE_MAX)
        openapi_note(l, false, key,
                     "a path has no query or fragment; no request gets here");
    unsigned segments = 0;
    while (text.p) {
        struct sv one = sv_cut(text, '/', &text);
        if (literals_of(one, &variables) == UINT_MAX ||
            one.n > SEGMENT_BYTES_MAX) {
            openapi_note(l, true, key, "a variable's braces are not in order");
            return false;
        }
        segments++;
    }
    if (variables > VARIABLES_MAX || segments > SEGMENTS_MAX) {
        openapi_note(l, true, key, "more than %d variables or %d segments",
                     VARIABLES_MAX, SEGMENTS_MAX);
        return false;
    }
    return true;
}

int64_t openapi_path_add(struct openapi_loader *l, const yyjson_val *key)
{
    struct openapi *o = l->o;
    struct sv rest = sv_from(json_text(key), 1);
    uint32_t at = 0;
    if (!template_check(l, key)) return -1;
    if (!o->segments_n) {
        struct openapi_segment *top = SCHEMA_PUSH(o, segments);
        if (!top) return -1;
        *top = (struct openapi_segment){ .path = 0 };
    }
    while (rest.p) {
        at = segment_add(o, at, sv_cut(rest, '/', &rest));
        if (!at) {
            openapi_note(l, true, key, "it takes too much memory");
            return -1;
        }
    }
    if (o->segments[at].path) {
        struct sv other = o->paths[o->segments[at].path - 1].text;
        openapi_note(l, false, key, "is the same path as %.*s; joined with it",
                     (int)(other.n < 150 ? other.n : 150), other.p);
        return o->segments[at].path - 1;
    }
    struct openapi_path *path = SCHEMA_PUSH(o, paths);
    if (!path) return -1;
    *path =
        (struct openapi_path){ .text = arena_dup(&o->arena, json_text(key)) };
    o->segments[at].path = o->paths_n;
    return o->paths_n - 1;
}

int openapi_template_find(struct sv path, struct sv name)
{
    for (size_t i = 0, n = 0; i < path.n; i++) {
        if (path.p[i] != '{') continue;
        struct sv rest, one = sv_cut(sv_from(path, i + 1), '}', &rest);
        if (sv_eq(one, name)) return (int)n;
        n++;
    }
    return -1;
}

/* --- matching ------------------------------------------------------------------ */

struct walk {
    const struct openapi *o;
    struct schema_judge *j;
    struct openapi_match *m;
};

/* One segment with variables: literals in order, each variable as little as
 * it can and at least one character. The last takes the rest. */
static bool segment_fits(struct openapi_match *m, struct sv template,
                         struct sv text)
{
    while (template.n) {
        if (template.p[0] != '{') {
            if (!text.n || template.p[0] != text.p[0]) return false;
            template = sv_from(template, 1);
            text = sv_from(text, 1);
            continue;
        }
        sv_cut(sv_from(template, 1), '}', &template);
        size_t n = text.n;
        if (template.n && template.p[0] != '{') {
            size_t literal = 0;
            while (literal < template.n && template.p[literal] != '{')
                literal++;
            struct sv stop = sv_first(template, literal);
            if (literal == template.n) { /* at the end */
                if (!sv_ends(text, stop)) return false;
                n = text.n - stop.n;
            } else {
                for (n = 1; n < text.n && !sv_starts(sv_from(text, n), stop);)
                    n++;
            }
        } else if (template.n) {
            n = 1;
        }
        if (!n || n > text.n || m->n == VARIABLES_MAX) return false;
        m->variables[m->n++] = sv_first(text, n);
        text = sv_from(text, n);
    }
    return !text.n;
}

static bool step(struct walk *w)
{
    if (!w->j->steps) return false;
    w->j->steps--;
    return true;
}

static uint32_t walk(struct walk *w, uint32_t at, struct sv rest)
{
    const struct openapi_segment *s = &w->o->segments[at];
    if (!rest.p) return s->path;
    if (!step(w)) return 0;
    struct sv behind, text = sv_cut(rest, '/', &behind);
    char decoded[SEGMENT_BYTES_MAX];
    size_t n_decoded = percent_decode_within(decoded, sizeof decoded, text);
    uint32_t child = n_decoded == SIZE_MAX
                         ? 0 /* longer than any literal */
                         : literal_find(w->o, at, sv_of(decoded, n_decoded));
    uint32_t found = child ? walk(w, child, behind) : 0;
    unsigned n = w->m->n;
    for (child = s->first; !found && child && step(w);
         child = w->o->segments[child].next) {
        w->m->n = n;
        if (segment_fits(w->m, w->o->segments[child].text, text))
            found = walk(w, child, behind);
    }
    if (!found) w->m->n = n;
    return found;
}

void openapi_match(const struct openapi *o, struct sv path,
                   struct schema_judge *j, struct openapi_match *m)
{
    struct walk w = { o, j, m };
    m->n = m->path = 0;
    if (!o->segments_n || !path.n || path.p[0] != '/') return;
    for (unsigned i = 0; i < o->bases_n && !m->path; i++) {
        struct sv rest = sv_from(path, o->bases[i].n);
        if (sv_starts(path, o->bases[i]) && rest.n && rest.p[0] == '/')
            m->path = walk(&w, 0, sv_from(rest, 1));
    }
    if (!m->path) m->path = walk(&w, 0, sv_from(path, 1));
}
