/* Looking into a program without a value: which types a schema takes, and
 * where its items and members are judged. For readers of parameters, which
 * must turn text into values before they can be judged. */
#include "codec/schema_int.h"

/* Schemas that refer to each other without end are looked at so far. */
enum { VIEWS_MAX = 200 };

static unsigned types_of(const struct schema *s, uint32_t node, int *views)
{
    const struct schema_node *n = &s->nodes[node];
    unsigned types = n->types;
    if (++*views > VIEWS_MAX) return types;
    for (uint32_t i = 0; i < n->op_n; i++) {
        const struct schema_op *op = &s->ops[n->op + i];
        unsigned some = 0;
        switch (op->kind) {
        case OP_REF: types &= types_of(s, op->a, views); break;
        case OP_ALL_OF:
            for (uint32_t k = 0; k < op->b; k++)
                types &= types_of(s, s->kids[op->a + k], views);
            break;
        case OP_ANY_OF:
        case OP_ONE_OF:
            for (uint32_t k = 0; k < op->b; k++)
                some |= types_of(s, s->kids[op->a + k], views);
            types &= some;
            break;
        case OP_DISCRIMINATOR: types &= SCHEMA_T_OBJECT; break;
        default: break;
        }
    }
    return types;
}

unsigned schema_types(const struct schema *s, uint32_t entry)
{
    int views = 0;
    return entry == SCHEMA_NONE ? SCHEMA_T_ANY : types_of(s, entry, &views);
}

/* What one operation says of items, or of the member `name`. */
static uint32_t said_by(const struct schema *s, const struct schema_op *op,
                        const struct sv *name)
{
    if (!name && op->kind == OP_ITEMS) return op->c;
    if (!name || op->kind != OP_OBJECT) return SCHEMA_NONE;
    const struct schema_object *o = &s->objects[op->a];
    const struct schema_member *m = schema_object_find(o, *name);
    return m && m->flags & MEMBER_DECLARED ? m->node : o->additional;
}

static uint32_t find(const struct schema *s, uint32_t node,
                     const struct sv *name, int *views)
{
    const struct schema_node *n = &s->nodes[node];
    uint32_t found = SCHEMA_NONE;
    if (++*views > VIEWS_MAX) return found;
    for (uint32_t i = 0; i < n->op_n; i++) {
        const struct schema_op *op = &s->ops[n->op + i];
        bool list = op->kind == OP_ALL_OF || op->kind == OP_ANY_OF ||
                    op->kind == OP_ONE_OF;
        found = said_by(s, op, name);
        if (op->kind == OP_REF) found = find(s, op->a, name, views);
        for (uint32_t k = 0; list && found == SCHEMA_NONE && k < op->b; k++)
            found = find(s, s->kids[op->a + k], name, views);
        if (found != SCHEMA_NONE) return found;
    }
    return SCHEMA_NONE;
}

uint32_t schema_items(const struct schema *s, uint32_t entry)
{
    int views = 0;
    return entry == SCHEMA_NONE ? SCHEMA_NONE : find(s, entry, NULL, &views);
}

uint32_t schema_member(const struct schema *s, uint32_t entry, struct sv name)
{
    int views = 0;
    return entry == SCHEMA_NONE ? SCHEMA_NONE : find(s, entry, &name, &views);
}
