/* name=value&name=value: queries and forms, to objects. */
#include "codec/openapi_int.h"
#include "codec/schema_int.h"

enum { DEEP_MAX = 8 };

void openapi_pairs_read(struct openapi_run *run, struct sv text,
                        struct openapi_pair **out, unsigned *n)
{
    size_t most = 1;
    *out = NULL;
    *n = 0;
    for (size_t i = 0; i < text.n; i++) most += text.p[i] == '&';
    if (most > OPENAPI_PAIRS_MAX) {
        run->over = true;
        return;
    }
    struct openapi_pair *pairs =
        ARENA_ARRAY(run->j->arena, struct openapi_pair, most);
    if (!pairs) run->over = true;
    while (pairs && text.n) {
        struct sv value, one = sv_cut(text, '&', &text);
        if (!one.n) continue;
        struct sv name = sv_cut(one, '=', &value);
        name = openapi_decode(run, name, true);
        if (!name.p) continue; /* no member has such a name */
        pairs[(*n)++] = (struct openapi_pair){ name, value };
    }
    *out = pairs;
}

static void put_value(struct openapi_run *run, uint32_t schema, struct sv value,
                      bool plus)
{
    struct sv text = openapi_decode(run, value, plus);
    /* What is no text cannot be a value of JSON. */
    openapi_put_text(run, schema, text.p ? text : SV("\xef\xbf\xbd"));
    if (!text.p) run->bad = true;
}

/* --- name[a][b]=c ------------------------------------------------------------------ */

/* The step behind `at` bytes of a name: "[a]" gives a. False: none. */
static bool step_at(struct sv name, size_t at, struct sv *step)
{
    if (at >= name.n || name.p[at] != '[') return false;
    size_t end = sv_find(sv_from(name, at), ']');
    if (end == SIZE_MAX) return false;
    *step = sv_first(sv_from(name, at + 1), end - 1);
    return true;
}

static bool is_index(struct sv s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return true;
}

struct deep {
    struct openapi_run *run;
    const struct openapi_pair *pairs;
    unsigned n;
    bool plus;
};

static void put_below(const struct deep *d, uint32_t schema, struct sv prefix,
                      int depth);

/* The one value at `prefix`: of the pair of that name, or what lies below. */
static void put_at(const struct deep *d, uint32_t schema, struct sv prefix,
                   int depth)
{
    for (unsigned i = 0; i < d->n; i++)
        if (sv_eq(d->pairs[i].name, prefix)) {
            put_value(d->run, schema, d->pairs[i].value, d->plus);
            return;
        }
    put_below(d, schema, prefix, depth + 1);
}

static bool is_first(const struct deep *d, unsigned at, size_t n, size_t whole)
{
    struct sv name = sv_first(d->pairs[at].name, whole);
    for (unsigned i = 0; i < at; i++)
        if (d->pairs[i].name.n >= whole &&
            sv_eq(sv_first(d->pairs[i].name, whole), name) &&
            sv_eq(sv_first(d->pairs[i].name, n), sv_first(name, n)))
            return false;
    return true;
}

static void put_below(const struct deep *d, uint32_t schema, struct sv prefix,
                      int depth)
{
    const struct schema *s = d->run->o->schema;
    unsigned types = schema_types(s, schema);
    bool array = types & SCHEMA_T_ARRAY;
    struct sv step;
    if (depth > DEEP_MAX || d->run->j->steps < d->n) {
        d->run->over = true;
        return;
    }
    d->run->j->steps -= d->n;
    for (unsigned i = 0; array && i < d->n; i++)
        if (sv_starts(d->pairs[i].name, prefix) &&
            step_at(d->pairs[i].name, prefix.n, &step))
            array = is_index(step);
    json_flat_open(&d->run->flat, !array);
    for (unsigned i = 0; i < d->n; i++) {
        struct sv name = d->pairs[i].name;
        if (!sv_starts(name, prefix) || !step_at(name, prefix.n, &step))
            continue;
        struct sv whole = sv_first(name, prefix.n + step.n + 2);
        if (array && !step.n && whole.n == name.n) { /* name[]: each is one */
            put_value(d->run, schema_items(s, schema), d->pairs[i].value,
                      d->plus);
            continue;
        }
        if (!is_first(d, i, prefix.n, whole.n)) continue;
        if (!array) json_flat_text(&d->run->flat, step);
        put_at(d,
               array ? schema_items(s, schema) : schema_member(s, schema, step),
               whole, depth);
    }
    json_flat_close(&d->run->flat);
}

bool openapi_put_deep(struct openapi_run *run, uint32_t schema,
                      const struct openapi_pair *pairs, unsigned n,
                      struct sv name, bool plus)
{
    struct deep d = { run, pairs, n, plus };
    struct sv step;
    for (unsigned i = 0; i < n; i++)
        if (sv_starts(pairs[i].name, name) &&
            step_at(pairs[i].name, name.n, &step)) {
            put_below(&d, schema, name, 0);
            return true;
        }
    return false;
}

/* --- forms ---------------------------------------------------------------------- */

static const struct openapi_encoding *encoding_of(
    const struct openapi_encoding *e, unsigned n, struct sv name)
{
    for (unsigned i = 0; i < n; i++)
        if (sv_eq(e[i].name, name)) return &e[i];
    return NULL;
}

static bool stands_before(const struct openapi_pair *pairs, unsigned at)
{
    for (unsigned i = 0; i < at; i++)
        if (sv_eq(pairs[i].name, pairs[at].name)) return true;
    return false;
}

static void put_list(struct openapi_run *run, uint32_t schema, struct sv text,
                     char by)
{
    uint32_t items = schema_items(run->o->schema, schema);
    json_flat_open(&run->flat, false);
    while (text.p && text.n)
        put_value(run, items, sv_cut(text, by, &text), true);
    json_flat_close(&run->flat);
}

static void put_member(struct openapi_run *run, uint32_t schema,
                       const struct openapi_pair *pairs, unsigned n,
                       unsigned at, const struct openapi_encoding *e)
{
    unsigned types = schema_types(run->o->schema, schema), same = 0;
    for (unsigned i = at; i < n; i++)
        same += sv_eq(pairs[i].name, pairs[at].name);
    bool array =
        types & SCHEMA_T_ARRAY && (same > 1 || !(types & SCHEMA_T_STRING));
    if (array && e && !e->explode && e->style != STYLE_DEEP) {
        char by = e->style == STYLE_SPACE  ? '+'
                  : e->style == STYLE_PIPE ? '|'
                                           : ',';
        put_list(run, schema, pairs[at].value, by);
        return;
    }
    if (!array && same > 1) run->bad = true;
    if (array) json_flat_open(&run->flat, false);
    for (unsigned i = at; i < n; i++) {
        if (!sv_eq(pairs[i].name, pairs[at].name)) continue;
        put_value(run, array ? schema_items(run->o->schema, schema) : schema,
                  pairs[i].value, true);
        if (!array) break;
    }
    if (array) json_flat_close(&run->flat);
}

/* The part of a name before its brackets, if the schema knows it as such. */
static struct sv stem_of(struct openapi_run *run, uint32_t schema,
                         struct sv name)
{
    size_t bracket = sv_find(name, '[');
    if (bracket == SIZE_MAX || !bracket || name.p[name.n - 1] != ']')
        return name;
    struct sv stem = sv_first(name, bracket);
    if (schema != SCHEMA_NONE &&
        schema_member(run->o->schema, schema, name) == SCHEMA_NONE)
        return stem;
    return schema_member(run->o->schema, schema, stem) != SCHEMA_NONE ? stem
                                                                      : name;
}

void openapi_put_form(struct openapi_run *run, uint32_t schema,
                      const struct openapi_pair *pairs, unsigned n,
                      const struct openapi_encoding *encodings,
                      unsigned encodings_n)
{
    json_flat_open(&run->flat, true);
    for (unsigned i = 0; i < n && !run->over; i++) {
        struct sv name = pairs[i].name, stem = stem_of(run, schema, name);
        uint32_t member = schema_member(run->o->schema, schema, stem);
        bool before = stands_before(pairs, i);
        if (run->j->steps < n) {
            run->over = true;
            break;
        }
        run->j->steps -= n;
        for (unsigned k = 0; stem.n < name.n && k < i && !before; k++)
            before = sv_eq(stem_of(run, schema, pairs[k].name), stem);
        if (before) continue;
        json_flat_text(&run->flat, stem);
        if (stem.n < name.n)
            openapi_put_deep(run, member, pairs, n, stem, true);
        else
            put_member(run, member, pairs, n, i,
                       encoding_of(encodings, encodings_n, name));
    }
    json_flat_close(&run->flat);
}
