/* Parameters: from path, query, headers and cookies, by style, to values. */
#include "codec/json.h"
#include "codec/openapi_int.h"
#include "codec/text.h"

/* What separates items, and a name from its value. */
struct cuts {
    char item, pair;      /* pair 0: names and values alternate */
    bool plus, trim, raw; /* raw: no percent-encoding */
};

static void put_part(struct openapi_run *run, uint32_t schema, struct sv part,
                     const struct cuts *c)
{
    if (c->trim) part = sv_trim(part);
    if (!c->raw) part = openapi_decode(run, part, c->plus);
    if (c->raw && !utf8_is_valid(part)) part.p = NULL;
    if (!part.p) run->bad = true;
    openapi_put_text(run, schema, part.p ? part : SV("\xef\xbf\xbd"));
}

static void put_array(struct openapi_run *run, uint32_t schema, struct sv text,
                      const struct cuts *c)
{
    uint32_t items = schema_items(run->o->schema, schema);
    json_flat_open(&run->flat, false);
    while (text.p && !run->flat.failed)
        put_part(run, items, sv_cut(text, c->item, &text), c);
    json_flat_close(&run->flat);
}

static bool has_member(const struct json_flat *f, struct sv name)
{
    size_t at = f->open[f->depth - 1] + 1;
    while (at < f->n) {
        const yyjson_val *key = &f->values[at];
        if (sv_eq(json_text(key), name)) return true;
        at = (size_t)(unsafe_yyjson_get_next(
                          (yyjson_val *)(uintptr_t)(key + 1)) -
                      f->values);
    }
    return false;
}

static void put_object(struct openapi_run *run, uint32_t schema, struct sv text,
                       const struct cuts *c)
{
    json_flat_open(&run->flat, true);
    while (text.p && text.n && !run->flat.failed) {
        struct sv value, name = sv_cut(text, c->item, &text);
        if (c->pair)
            name = sv_cut(name, c->pair, &value);
        else
            value = text.p ? sv_cut(text, c->item, &text) : SV("");
        if (c->trim) name = sv_trim(name);
        if (!c->raw) name = openapi_decode(run, name, c->plus);
        if (!name.p || has_member(&run->flat, name)) {
            run->bad = true;
            continue;
        }
        json_flat_text(&run->flat, name);
        put_part(run, schema_member(run->o->schema, schema, name), value, c);
    }
    json_flat_close(&run->flat);
}

/* Arrays and objects only if the schema wants nothing simpler. */
static void put_styled(struct openapi_run *run, const struct openapi_value *v,
                       struct sv text, const struct cuts *c)
{
    unsigned types = schema_types(run->o->schema, v->schema);
    bool simple =
        types & ~(unsigned)(SCHEMA_T_ARRAY | SCHEMA_T_OBJECT | SCHEMA_T_NULL);
    if (simple || v->schema == SCHEMA_NONE)
        put_part(run, v->schema, text, c);
    else if (types & SCHEMA_T_ARRAY)
        put_array(run, v->schema, text, c);
    else
        put_object(run, v->schema, text, c);
}

static void judge_json(struct openapi_run *run,
                       const struct openapi_parameter *p, struct sv text)
{
    yyjson_doc *doc;
    if (!text.p || json_decode_exact(text, run->j->arena, &doc, NULL) != 0) {
        openapi_fail(run, p->prefix, "content", "must be JSON");
        return;
    }
    openapi_judge_value(run, p->value.schema, p->prefix,
                        yyjson_doc_get_root(doc));
}

static void judge_styled(struct openapi_run *run,
                         const struct openapi_parameter *p, struct sv text,
                         const struct cuts *c)
{
    bool before = run->bad;
    run->bad = false;
    if (p->value.is_json) {
        judge_json(run, p, c->raw ? text : openapi_decode(run, text, c->plus));
        run->bad |= before;
        return;
    }
    put_styled(run, &p->value, text, c);
    if (run->bad)
        openapi_fail(run, p->prefix, "style",
                     "has bytes that are no text, or a name twice");
    run->bad |= before;
    openapi_judge_flat(run, p->value.schema, p->prefix);
}

/* --- path ------------------------------------------------------------------------- */

static bool strip(struct sv *text, struct sv head)
{
    if (!sv_starts(*text, head)) return false;
    *text = sv_from(*text, head.n);
    return true;
}

/* ";name=a,b", ";name=a;name=b", ";R=1;G=2" */
static bool matrix_strip(struct openapi_run *run,
                         const struct openapi_parameter *p, struct sv *text,
                         struct cuts *c)
{
    unsigned types = schema_types(run->o->schema, p->value.schema);
    if (!strip(text, SV(";"))) return false;
    if (p->value.explode && types == SCHEMA_T_OBJECT) {
        *c = (struct cuts){ ';', '=', false, false, false };
        return true;
    }
    struct sv name = sv_first(*text, p->name.n);
    if (!sv_eq(name, p->name)) return false;
    *text = sv_from(*text, p->name.n);
    if (text->n && !strip(text, SV("="))) return false;
    if (!p->value.explode) return true;
    /* each further item has its name in front: made as if by commas */
    char *joined = arena_alloc(run->j->arena, text->n + 1);
    size_t n = 0;
    for (size_t i = 0; joined && i < text->n; i++) {
        struct sv rest = sv_from(*text, i);
        if (rest.p[0] != ';') {
            joined[n++] = rest.p[0];
            continue;
        }
        rest = sv_from(rest, 1);
        if (!strip(&rest, p->name) || !strip(&rest, SV("="))) return false;
        joined[n++] = ';';
        i += p->name.n + 1;
    }
    c->item = ';';
    *text = sv_of(joined ? joined : "", n);
    return joined != NULL;
}

static void judge_path(struct openapi_run *run,
                       const struct openapi_parameter *p,
                       const struct openapi_match *m)
{
    struct cuts c = { ',', p->value.explode ? '=' : '\0', false, false, false };
    if (p->variable >= m->n) return;
    struct sv text = m->variables[p->variable];
    bool fits = true;
    if (p->value.style == STYLE_LABEL) {
        fits = strip(&text, SV("."));
        if (p->value.explode || sv_find(text, ',') == SIZE_MAX) c.item = '.';
    }
    if (p->value.style == STYLE_MATRIX) fits = matrix_strip(run, p, &text, &c);
    if (fits)
        judge_styled(run, p, text, &c);
    else
        openapi_fail(run, p->prefix, "style",
                     "is not written in the style of the parameter");
}

/* --- query ------------------------------------------------------------------------ */

static bool claimed(const struct openapi_operation *op, struct sv name)
{
    for (unsigned i = 0; i < op->parameters_n; i++)
        if (op->parameters[i].in == IN_QUERY &&
            sv_eq(op->parameters[i].name, name))
            return true;
    return false;
}

/* An exploded object: the pairs that the schema knows as members. */
static bool put_spread(struct openapi_run *run, uint32_t schema,
                       const struct openapi_operation *op)
{
    struct openapi_pair *mine = ARENA_ARRAY(run->j->arena, struct openapi_pair,
                                            run->query_n ? run->query_n : 1);
    unsigned n = 0;
    for (unsigned i = 0; mine && i < run->query_n; i++)
        if (!claimed(op, run->query[i].name) &&
            schema_member(run->o->schema, schema, run->query[i].name) !=
                SCHEMA_NONE)
            mine[n++] = run->query[i];
    if (n) openapi_put_form(run, schema, mine, n, NULL, 0);
    return n;
}

static void put_repeated(struct openapi_run *run,
                         const struct openapi_parameter *p)
{
    uint32_t items = schema_items(run->o->schema, p->value.schema);
    const struct cuts c = { ',', '\0', true, false, false };
    json_flat_open(&run->flat, false);
    for (unsigned i = 0; i < run->query_n; i++)
        if (sv_eq(run->query[i].name, p->name))
            put_part(run, items, run->query[i].value, &c);
    json_flat_close(&run->flat);
}

static struct cuts query_cuts(struct openapi_run *run,
                              const struct openapi_parameter *p,
                              struct sv *text)
{
    struct cuts c = { ',', '\0', true, false, false };
    if (p->value.style == STYLE_FORM) return c;
    /* Their delimiters come encoded (RFC 3986 knows neither), so that the
     * text is decoded before it is cut. */
    struct sv decoded = openapi_decode(run, *text, true);
    if (decoded.p) *text = decoded;
    c.item = p->value.style == STYLE_SPACE ? ' ' : '|';
    c.raw = true;
    return c;
}

static void judge_query(struct openapi_run *run,
                        const struct openapi_operation *op,
                        const struct openapi_parameter *p)
{
    unsigned types = schema_types(run->o->schema, p->value.schema), n = 0;
    bool plain =
        types & ~(unsigned)(SCHEMA_T_ARRAY | SCHEMA_T_OBJECT | SCHEMA_T_NULL);
    const struct openapi_pair *first = NULL;
    for (unsigned i = 0; i < run->query_n; i++)
        if (sv_eq(run->query[i].name, p->name)) {
            if (!n++) first = &run->query[i];
        }
    bool made = false, before = run->bad;
    run->bad = false;
    if (!p->value.is_json && !plain && !n && p->value.style == STYLE_DEEP)
        made = openapi_put_deep(run, p->value.schema, run->query, run->query_n,
                                p->name, true);
    else if (!p->value.is_json && types == SCHEMA_T_OBJECT &&
             p->value.explode && p->value.style == STYLE_FORM)
        made = put_spread(run, p->value.schema, op);
    else if (!p->value.is_json && n && types & SCHEMA_T_ARRAY &&
             (n > 1 || !plain) && p->value.explode &&
             p->value.style != STYLE_DEEP) {
        put_repeated(run, p);
        made = true;
    }
    if (made) {
        if (run->bad)
            openapi_fail(run, p->prefix, "style",
                         "has bytes that are no text, or a name twice");
        run->bad |= before;
        openapi_judge_flat(run, p->value.schema, p->prefix);
        return;
    }
    run->bad = before;
    if (!first && p->required)
        openapi_fail(run, p->prefix, "required", "is missing");
    if (n > 1) openapi_fail(run, p->prefix, "style", "stands more than once");
    if (!first || (p->allow_empty && !first->value.n)) return;
    struct sv text = first->value;
    struct cuts c = query_cuts(run, p, &text);
    judge_styled(run, p, text.p ? text : SV(""), &c);
}

/* --- headers and cookies ------------------------------------------------------------ */

/* Fields of the same name are one list (RFC 9110 §5.3). */
static struct sv field_joined(struct openapi_run *run, struct sv name)
{
    const struct openapi_request *r = run->request;
    struct sv joined = { NULL, 0 };
    for (unsigned i = 0; i < r->fields_n; i++) {
        if (!sv_eq_nocase(r->fields[i].name, name)) continue;
        joined = joined.p
                     ? arena_printf(run->j->arena, "%.*s,%.*s", SV_FMT(joined),
                                    SV_FMT(r->fields[i].value))
                     : r->fields[i].value;
        if (!joined.p) joined = SV("");
    }
    return joined;
}

static struct sv cookie_find(struct openapi_run *run, struct sv name)
{
    const struct openapi_request *r = run->request;
    for (unsigned i = 0; i < r->fields_n; i++) {
        struct sv rest = r->fields[i].value;
        if (!sv_eq_nocase(r->fields[i].name, SV("Cookie"))) continue;
        while (rest.p) {
            struct sv value, one = sv_trim(sv_cut(rest, ';', &rest));
            if (sv_eq(sv_cut(one, '=', &value), name) && value.p) return value;
        }
    }
    return (struct sv){ NULL, 0 };
}

static void judge_field(struct openapi_run *run,
                        const struct openapi_parameter *p)
{
    bool header = p->in == IN_HEADER;
    struct cuts c = { ',', p->value.explode && header ? '=' : '\0', false,
                      header, header };
    struct sv text =
        header ? field_joined(run, p->name) : cookie_find(run, p->name);
    if (text.p)
        judge_styled(run, p, text, &c);
    else if (p->required)
        openapi_fail(run, p->prefix, "required", "is missing");
}

void openapi_parameters_judge(struct openapi_run *run,
                              const struct openapi_operation *op,
                              const struct openapi_match *m)
{
    for (unsigned i = 0; i < op->parameters_n && !run->over; i++) {
        const struct openapi_parameter *p = &op->parameters[i];
        if (p->in == IN_QUERY && !run->query_read) {
            run->query_read = true;
            openapi_pairs_read(run, run->request->query, &run->query,
                               &run->query_n);
        }
        if (p->in == IN_PATH)
            judge_path(run, p, m);
        else if (p->in == IN_QUERY)
            judge_query(run, op, p);
        else
            judge_field(run, p);
    }
}
