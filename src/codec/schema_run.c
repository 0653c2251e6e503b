/* Judging a value by a program: nodes, operations that combine nodes, what
 * was evaluated, and the budget. */
#include "base/ensure.h"
#include "codec/schema_run_int.h"

enum {
    TICKS_A_SEARCH = 128, /* it may take longer than its steps say */
    SEARCH_STEPS_MIN = 20000,
};

static bool time_is_up(struct schema_run *r)
{
    r->ticks = 0;
    if (!r->j->now_ns || r->j->now_ns() <= r->j->until_ns) return false;
    r->over = true;
    return true;
}

bool run_spend_last(struct schema_run *r, size_t steps)
{
    if (r->over) return false;
    if (steps > r->j->steps) {
        r->j->steps = 0;
        r->over = true;
        return false;
    }
    r->j->steps -= (uint32_t)steps;
    r->ticks += (uint32_t)steps;
    return r->ticks < RUN_TICKS_A_LOOK || !time_is_up(r);
}

enum pattern_verdict run_pattern(struct schema_run *r, uint32_t pattern,
                                 struct sv text)
{
    size_t limit = SEARCH_STEPS_MIN + 16 * text.n;
    if (!run_spend(r, 4 + text.n / 16)) return PATTERN_LIMIT;
    enum pattern_verdict v =
        pattern_find(r->s->patterns[pattern], r->j->room, text,
                     limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX);
    if (v == PATTERN_LIMIT) r->over = true;
    r->ticks += TICKS_A_SEARCH;
    return r->ticks >= RUN_TICKS_A_LOOK && time_is_up(r) ? PATTERN_LIMIT : v;
}

/* --- what was evaluated ------------------------------------------------------ */

static uint32_t set_words(const yyjson_val *v)
{
    return (uint32_t)(unsafe_yyjson_get_len(unconst_val(v)) + 63) / 64;
}

static uint32_t set_push(struct schema_run *r, uint32_t n)
{
    if (!run_spend(r, n / 16)) return NO_SET;
    if (n == 0) return r->words_n; /* of an empty array or object */
    if (r->words_n + n > r->words_cap) {
        uint32_t cap = 2 * (r->words_n + n) + 32;
        uint64_t *grown = arena_alloc(r->j->arena, cap * sizeof *grown);
        if (!grown) {
            r->over = true;
            return NO_SET;
        }
        if (r->words_n) memcpy(grown, r->words, r->words_n * sizeof *grown);
        r->words = grown;
        r->words_cap = cap;
    }
    memset(r->words + r->words_n, 0, n * sizeof *r->words);
    r->words_n += n;
    return r->words_n - n;
}

static void set_pop(struct schema_run *r, uint32_t set, uint32_t n,
                    uint32_t into)
{
    for (uint32_t i = 0; into != NO_SET && i < n; i++)
        r->words[into + i] |= r->words[set + i];
    r->words_n = set;
}

static bool run_apart(const struct look *l, uint32_t node)
{
    struct schema_run *r = l->r;
    if (l->set == NO_SET) return run_node(r, node, l->v, l->at, NO_SET);
    uint32_t n = set_words(l->v), set = set_push(r, n);
    if (set == NO_SET) return false;
    bool holds = run_node(r, node, l->v, l->at, set);
    set_pop(r, set, n, holds ? l->set : NO_SET);
    return holds;
}

bool run_quietly(const struct look *l, uint32_t node)
{
    l->r->quiet++;
    bool holds = run_apart(l, node);
    l->r->quiet--;
    return holds;
}

/* --- operations that combine -------------------------------------------------- */

/* When only one alternative is for values of this type, its violations are
 * what the sender wants to read. */
static void say_likely(const struct look *l)
{
    const uint32_t *kids = l->r->s->kids + l->op->a;
    unsigned types = schema_types_of_value(l->v);
    uint32_t likely = SCHEMA_NONE;
    if (run_stops(l->r)) return;
    for (uint32_t i = 0; i < l->op->b; i++) {
        if (!(schema_types(l->r->s, kids[i]) & types)) continue;
        if (likely != SCHEMA_NONE) return;
        likely = kids[i];
    }
    if (likely != SCHEMA_NONE) run_apart(l, likely);
}

static bool run_any_of(const struct look *l)
{
    const uint32_t *kids = l->r->s->kids + l->op->a;
    bool holds = false;
    for (uint32_t i = 0; i < l->op->b && !l->r->over; i++) {
        holds |= run_quietly(l, kids[i]);
        if (holds && l->set == NO_SET) break;
    }
    if (holds || l->r->over) return holds;
    run_fail(l, KW_ANY_OF, "must match one of %u alternatives, matches none",
             l->op->b);
    say_likely(l);
    return false;
}

static bool run_one_of(const struct look *l)
{
    const uint32_t *kids = l->r->s->kids + l->op->a;
    uint32_t first = 0, n = 0;
    for (uint32_t i = 0; i < l->op->b && n < 2 && !l->r->over; i++) {
        if (!run_quietly(l, kids[i])) continue;
        if (n++ == 1)
            return run_fail(l, KW_ONE_OF,
                            "must match exactly one alternative, matches "
                            "those of index %u and %u",
                            first, i);
        first = i;
    }
    if (n || l->r->over) return n == 1 && !l->r->over;
    run_fail(l, KW_ONE_OF,
             "must match exactly one of %u alternatives, matches none",
             l->op->b);
    say_likely(l);
    return false;
}

static bool run_all_of(const struct look *l)
{
    const uint32_t *kids = l->r->s->kids + l->op->a;
    bool holds = true;
    for (uint32_t i = 0; i < l->op->b; i++) {
        holds &= run_node(l->r, kids[i], l->v, l->at, l->set);
        if (!holds && run_stops(l->r)) break;
    }
    return holds;
}

static bool run_if(const struct look *l)
{
    uint32_t next = run_quietly(l, l->op->a) ? l->op->b : l->op->c;
    if (l->r->over) return false;
    return next == SCHEMA_NONE || run_node(l->r, next, l->v, l->at, l->set);
}

static bool run_not(const struct look *l)
{
    l->r->quiet++;
    bool holds = run_node(l->r, l->op->a, l->v, l->at, NO_SET);
    l->r->quiet--;
    return !l->r->over &&
           (!holds || run_fail(l, KW_NOT, "must not match the schema"));
}

/* The outermost schema resource that has the anchor, else where it leads. */
static bool run_dynamic(const struct look *l)
{
    const struct schema *s = l->r->s;
    struct sv name = json_text(s->values[l->op->b]);
    for (uint32_t i = 0; i < l->r->scopes_n; i++)
        for (uint32_t k = 0; k < s->anchors_n; k++)
            if (s->anchors[k].resource == l->r->scopes[i] &&
                sv_eq(s->anchors[k].name, name))
                return run_node(l->r, s->anchors[k].node, l->v, l->at, l->set);
    return run_node(l->r, l->op->a, l->v, l->at, l->set);
}

static bool run_discriminator(const struct look *l)
{
    const struct schema_discriminator *d = &l->r->s->discriminators[l->op->a];
    if (!yyjson_is_obj(unconst_val(l->v)))
        return run_fail(l, KW_DISCRIMINATOR, "must be an object");
    const yyjson_val *v =
        yyjson_obj_getn(unconst_val(l->v), d->property.p, d->property.n);
    struct sv value = json_text(v);
    if (!v)
        return run_fail(l, KW_DISCRIMINATOR,
                        "member \"%.*s\", which says the kind, is missing",
                        SV_FMT(run_cut(d->property)));
    if (!run_spend(l->r, d->mapping_n / 8)) return false;
    for (uint32_t i = 0; value.p && i < d->mapping_n; i++)
        if (sv_eq(d->mapping[i].name, value))
            return run_node(l->r, d->mapping[i].node, l->v, l->at, l->set);
    struct place at = { l->at, d->property, 0 };
    return run_fail_at(l, &at, KW_DISCRIMINATOR, "names no known kind");
}

static bool run_ref(const struct look *l)
{
    return run_node(l->r, l->op->a, l->v, l->at, l->set);
}

static bool run_false(const struct look *l)
{
    return run_fail(l, KW_FALSE, "nothing is allowed here");
}

static run_fn *const op_runs[] = {
    [OP_FALSE] = run_false,
    [OP_TYPE] = run_type,
    [OP_ENUM] = run_enum,
    [OP_CONST] = run_enum,
    [OP_MINIMUM] = run_number,
    [OP_MAXIMUM] = run_number,
    [OP_XMINIMUM] = run_number,
    [OP_XMAXIMUM] = run_number,
    [OP_MULTIPLE] = run_number,
    [OP_MIN_LENGTH] = run_length,
    [OP_MAX_LENGTH] = run_length,
    [OP_PATTERN] = run_text_pattern,
    [OP_FORMAT] = run_format,
    [OP_MIN_ITEMS] = run_item_count,
    [OP_MAX_ITEMS] = run_item_count,
    [OP_UNIQUE] = run_unique,
    [OP_ITEMS] = run_items,
    [OP_CONTAINS] = run_contains,
    [OP_MIN_PROPERTIES] = run_member_count,
    [OP_MAX_PROPERTIES] = run_member_count,
    [OP_OBJECT] = run_object,
    [OP_PROPERTY_NAMES] = run_names,
    [OP_DEPENDENT_REQUIRED] = run_dependent_required,
    [OP_DEPENDENT_SCHEMAS] = run_dependent_schemas,
    [OP_REF] = run_ref,
    [OP_DYNAMIC_REF] = run_dynamic,
    [OP_ALL_OF] = run_all_of,
    [OP_ANY_OF] = run_any_of,
    [OP_ONE_OF] = run_one_of,
    [OP_NOT] = run_not,
    [OP_IF] = run_if,
    [OP_DISCRIMINATOR] = run_discriminator,
    [OP_UNEVALUATED_ITEMS] = run_unevaluated_items,
    [OP_UNEVALUATED_PROPERTIES] = run_unevaluated,
};

/* --- nodes ------------------------------------------------------------------- */

static bool run_ops(struct look *l, const struct schema_node *n, unsigned kind)
{
    const struct schema_op *op = l->r->s->ops + n->op, *end = op + n->op_n;
    bool holds = true;
    for (; op < end; op++) {
        if (!(op->values & kind)) continue;
        l->op = op;
        if (op_runs[op->kind](l)) continue;
        holds = false;
        if (run_stops(l->r)) break;
    }
    return holds;
}

static bool scope_push(struct schema_run *r, uint32_t resource)
{
    if (!r->s->has_dynamic ||
        (r->scopes_n && r->scopes[r->scopes_n - 1] == resource))
        return false;
    if (!r->scopes)
        r->scopes = ARENA_ARRAY(r->j->arena, uint32_t, RUN_DEPTH_MAX);
    if (!r->scopes) {
        r->over = true;
        return false;
    }
    r->scopes[r->scopes_n++] = resource;
    return true;
}

bool run_node(struct schema_run *r, uint32_t node, const yyjson_val *v,
              const struct place *at, uint32_t set)
{
    const struct schema_node *n = &r->s->nodes[node];
    if (!run_spend(r, 1)) return false;
    if (!n->op_n) return true;
    if (r->depth == RUN_DEPTH_MAX) {
        r->over = true;
        return false;
    }
    unsigned kind = schema_kind_of(v);
    struct look l = { r, NULL, node, v, at, set };
    bool tracks = (kind == V_OBJECT && n->tracks_members) ||
                  (kind == V_ARRAY && n->tracks_items);
    if (tracks) l.set = set_push(r, set_words(v));
    if (tracks && l.set == NO_SET) return false;
    r->depth++;
    bool scoped = scope_push(r, n->resource);
    bool holds = run_ops(&l, n, kind);
    r->scopes_n -= scoped;
    r->depth--;
    if (tracks) set_pop(r, l.set, set_words(v), holds ? set : NO_SET);
    return holds;
}

enum schema_verdict schema_judge(const struct schema *s, uint32_t entry,
                                 const yyjson_val *value,
                                 struct schema_judge *j)
{
    struct schema_run r = { .s = s, .j = j };
    if (entry == SCHEMA_NONE) return SCHEMA_VALID;
    ENSURE(entry < s->nodes_n);
    bool holds = run_node(&r, entry, value, NULL, NO_SET);
    if (r.over) return SCHEMA_OVER;
    return holds ? SCHEMA_VALID : SCHEMA_INVALID;
}
