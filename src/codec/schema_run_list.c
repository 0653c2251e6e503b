/* Operations about arrays and objects. */
#include "codec/schema_run_int.h"

/* --- arrays ------------------------------------------------------------------ */

bool run_items(const struct look *l)
{
    struct schema_run *r = l->r;
    yyjson_val *item;
    size_t i, max;
    bool holds = true;
    if (l->op->c == SCHEMA_NONE && !l->op->b) return true;
    yyjson_arr_foreach(unconst_val(l->v), i, max, item)
    {
        struct place at = { l->at, { NULL, 0 }, i };
        uint32_t node = i < l->op->b ? r->s->kids[l->op->a + i] : l->op->c;
        if (node == SCHEMA_NONE) break;
        run_mark(l, i);
        holds &= run_node(r, node, item, &at, NO_SET);
        if (!holds && run_stops(r)) break;
    }
    return holds;
}

bool run_contains(const struct look *l)
{
    struct schema_run *r = l->r;
    yyjson_val *item;
    size_t i, max, n = 0;
    r->quiet++;
    yyjson_arr_foreach(unconst_val(l->v), i, max, item)
    {
        struct place at = { l->at, { NULL, 0 }, i };
        if (run_node(r, l->op->a, item, &at, NO_SET)) {
            run_mark(l, i);
            n++;
        }
        if (r->over) break;
    }
    r->quiet--;
    if (r->over) return false;
    if (n < l->op->b)
        return run_fail(l, l->op->b == 1 ? KW_CONTAINS : KW_MIN_CONTAINS,
                        "must contain at least %u matching items, has %zu",
                        l->op->b, n);
    if (n > l->op->c)
        return run_fail(l, KW_MAX_CONTAINS,
                        "must contain at most %u matching items, has %zu",
                        l->op->c, n);
    return true;
}

bool run_unevaluated_items(const struct look *l)
{
    struct schema_run *r = l->r;
    yyjson_val *item;
    size_t i, max;
    bool holds = true;
    yyjson_arr_foreach(unconst_val(l->v), i, max, item)
    {
        struct place at = { l->at, { NULL, 0 }, i };
        if (r->words[l->set + i / 64] >> i % 64 & 1) continue;
        run_mark(l, i);
        holds &= run_node(r, l->op->a, item, &at, NO_SET);
        if (!holds && run_stops(r)) break;
    }
    return holds;
}

bool run_item_count(const struct look *l)
{
    size_t n = yyjson_arr_size(unconst_val(l->v));
    bool is_max = l->op->kind == OP_MAX_ITEMS;
    return (is_max ? n <= l->op->a : n >= l->op->a) ||
           run_fail(l, l->op->keyword, "must have at %s %u items, has %zu",
                    is_max ? "most" : "least", l->op->a, n);
}

bool run_unique(const struct look *l)
{
    size_t one, other;
    if (schema_is_unique(l->r, l->v, &one, &other)) return true;
    if (l->r->over) return false;
    return run_fail(l, KW_UNIQUE,
                    "must not repeat an item; %zu and %zu are equal", one,
                    other);
}

/* --- objects ----------------------------------------------------------------- */

static bool patterns_apply(const struct look *l, const struct schema_object *o,
                           struct sv name, const yyjson_val *member,
                           const struct place *at, bool *matched)
{
    const uint32_t *pairs = l->r->s->kids + o->patterns;
    bool holds = true;
    for (uint32_t i = 0; i < o->patterns_n; i++) {
        enum pattern_verdict v = run_pattern(l->r, pairs[2 * i], name);
        if (v == PATTERN_LIMIT) return false;
        if (v == PATTERN_NO) continue;
        *matched = true;
        holds &= run_node(l->r, pairs[2 * i + 1], member, at, NO_SET);
        if (!holds && run_stops(l->r)) break;
    }
    return holds;
}

static bool way_allows(const struct look *l, const struct schema_member *m,
                       const struct place *at)
{
    enum schema_way way = l->r->j->way;
    bool is_read = way == SCHEMA_REQUEST && m->flags & MEMBER_READ_ONLY;
    if (!is_read && !(way == SCHEMA_RESPONSE && m->flags & MEMBER_WRITE_ONLY))
        return true;
    struct look member = *l;
    member.node = m->node;
    return is_read ? run_fail_at(&member, at, KW_READ_ONLY, "is read-only")
                   : run_fail_at(&member, at, KW_WRITE_ONLY, "is write-only");
}

static bool member_run(const struct look *l, const struct schema_object *o,
                       const struct schema_member *m, struct sv name,
                       const yyjson_val *value, size_t bit)
{
    struct place at = { l->at, name, 0 };
    bool matched = m && m->flags & MEMBER_DECLARED, holds = true;
    if (matched)
        holds = way_allows(l, m, &at) &&
                run_node(l->r, m->node, value, &at, NO_SET);
    if (o->patterns_n && (holds || !run_stops(l->r)))
        holds &= patterns_apply(l, o, name, value, &at, &matched);
    if (matched) run_mark(l, bit);
    if (matched || l->r->over) return holds;
    if (l->op->c)
        return run_fail_at(l, &at, KW_ADDITIONAL,
                           "no member of this name is allowed");
    if (o->additional == SCHEMA_NONE) return holds;
    run_mark(l, bit);
    return run_node(l->r, o->additional, value, &at, NO_SET) && holds;
}

static bool is_required(const struct schema_member *m, enum schema_way way)
{
    return m->flags & MEMBER_REQUIRED &&
           !(way == SCHEMA_REQUEST && m->flags & MEMBER_READ_ONLY) &&
           !(way == SCHEMA_RESPONSE && m->flags & MEMBER_WRITE_ONLY);
}

static bool required_fail(const struct look *l, const struct schema_object *o)
{
    if (run_stops(l->r)) return false;
    for (uint32_t i = 0; i < o->members_n; i++) {
        const struct schema_member *m = &o->members[i];
        if (!is_required(m, l->r->j->way) ||
            yyjson_obj_getn(unconst_val(l->v), m->name.p, m->name.n))
            continue;
        run_fail(l, KW_REQUIRED, "member \"%.*s\" is missing",
                 SV_FMT(run_cut(m->name)));
    }
    return false;
}

bool run_object(const struct look *l)
{
    struct schema_run *r = l->r;
    const struct schema_object *o = &r->s->objects[l->op->a];
    enum schema_way way = r->j->way;
    uint32_t required = way == SCHEMA_REQUEST    ? o->required_in_request_n
                        : way == SCHEMA_RESPONSE ? o->required_in_response_n
                                                 : o->required_n;
    yyjson_val *key, *value;
    size_t i, max;
    bool holds = true;
    yyjson_obj_foreach(unconst_val(l->v), i, max, key, value)
    {
        struct sv name = json_text(key);
        const struct schema_member *m = schema_object_find(o, name);
        if (!run_spend(r, 1)) return false;
        if (m && is_required(m, way)) required--;
        holds &= member_run(l, o, m, name, value, i);
        if (!holds && run_stops(r)) return false;
    }
    return required ? required_fail(l, o) : holds;
}

bool run_names(const struct look *l)
{
    yyjson_val *key, *value;
    size_t i, max;
    bool holds = true;
    yyjson_obj_foreach(unconst_val(l->v), i, max, key, value)
    {
        struct place at = { l->at, json_text(key), 0 };
        holds &= run_node(l->r, l->op->a, key, &at, NO_SET);
        if (!holds && run_stops(l->r)) break;
    }
    return holds;
}

static const yyjson_val *member_of(const struct look *l, uint32_t value)
{
    struct sv name = json_text(l->r->s->values[value]);
    if (!run_spend(l->r, 1 + yyjson_obj_size(unconst_val(l->v)) / 16))
        return NULL;
    return yyjson_obj_getn(unconst_val(l->v), name.p, name.n);
}

bool run_dependent_required(const struct look *l)
{
    const struct schema *s = l->r->s;
    const uint32_t *at = s->kids + l->op->a;
    bool holds = true;
    for (uint32_t i = 0; i < l->op->b; i++) {
        bool has = member_of(l, at[0]);
        for (uint32_t k = 0; has && k < at[1]; k++) {
            if (member_of(l, at[2 + k])) continue;
            holds = run_fail(l, KW_DEPENDENT_REQUIRED,
                             "with \"%.*s\" member \"%.*s\" is required",
                             SV_FMT(run_cut(json_text(s->values[at[0]]))),
                             SV_FMT(run_cut(json_text(s->values[at[2 + k]]))));
        }
        at += 2 + at[1];
    }
    return holds && !l->r->over;
}

bool run_dependent_schemas(const struct look *l)
{
    const uint32_t *pair = l->r->s->kids + l->op->a;
    bool holds = true;
    for (uint32_t i = 0; i < l->op->b; i++, pair += 2) {
        if (!member_of(l, pair[0])) continue;
        holds &= run_node(l->r, pair[1], l->v, l->at, l->set);
        if (!holds && run_stops(l->r)) break;
    }
    return holds;
}

bool run_unevaluated(const struct look *l)
{
    struct schema_run *r = l->r;
    const struct schema_node *rest = &r->s->nodes[l->op->a];
    bool closed = rest->op_n == 1 && r->s->ops[rest->op].kind == OP_FALSE;
    yyjson_val *key, *value;
    size_t i, max;
    bool holds = true;
    yyjson_obj_foreach(unconst_val(l->v), i, max, key, value)
    {
        struct place at = { l->at, json_text(key), 0 };
        if (r->words[l->set + i / 64] >> i % 64 & 1) continue;
        run_mark(l, i);
        if (closed)
            holds = run_fail_at(l, &at, KW_UNEVALUATED_PROPERTIES,
                                "no member of this name is allowed");
        else
            holds &= run_node(r, l->op->a, value, &at, NO_SET);
        if (!holds && run_stops(r)) break;
    }
    return holds;
}

bool run_member_count(const struct look *l)
{
    size_t n = yyjson_obj_size(unconst_val(l->v));
    bool is_max = l->op->kind == OP_MAX_PROPERTIES;
    return (is_max ? n <= l->op->a : n >= l->op->a) ||
           run_fail(l, l->op->keyword, "must have at %s %u members, has %zu",
                    is_max ? "most" : "least", l->op->a, n);
}
