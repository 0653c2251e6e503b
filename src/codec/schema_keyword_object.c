/* Compilers of keywords about members, and of the discriminator. */
#include "base/err.h"
#include "base/hash.h"
#include "codec/json.h"
#include "codec/json_place.h"
#include "codec/schema_keywords_int.h"

static int refuse(const struct schema_work *w, unsigned keyword,
                  const char *must)
{
    return schema_refuse(w->b, w->found[keyword], "%s must be %s",
                         schema_keywords[keyword].name.p, must);
}

uint32_t schema_name_hash(struct sv name)
{
    return (uint32_t)(hash_ends(name) >> 32);
}

const struct schema_member *schema_object_find(const struct schema_object *o,
                                               struct sv name)
{
    if (!o->members_n) return NULL;
    uint32_t at = schema_name_hash(name) & o->slots_mask;
    for (; o->slots[at]; at = (at + 1) & o->slots_mask) {
        const struct schema_member *m = &o->members[o->slots[at] - 1];
        if (sv_eq(m->name, name)) return m;
    }
    return NULL;
}

static bool member_add(struct schema_object *o, struct sv name, uint32_t node,
                       uint32_t flags)
{
    uint32_t at = schema_name_hash(name) & o->slots_mask;
    for (; o->slots[at]; at = (at + 1) & o->slots_mask) {
        struct schema_member *m = &o->members[o->slots[at] - 1];
        if (!sv_eq(m->name, name)) continue;
        bool is_new = (m->flags & flags) != flags;
        m->flags |= flags;
        return is_new;
    }
    o->members[o->members_n] = (struct schema_member){ name, node, flags };
    o->slots[at] = ++o->members_n;
    return true;
}

/* readOnly may stand beside the reference or at its end. */
static uint32_t way_flags(struct schema_build *b, const yyjson_val *schema)
{
    uint32_t flags = 0;
    for (int hops = 0; hops < 8 && yyjson_is_obj(unconst(schema)); hops++) {
        const yyjson_val *ref = json_find(schema, "$ref"), *target;
        bool alone = ref && b->options.dialect == SCHEMA_OPENAPI_30;
        if (!alone && yyjson_is_true(json_find(schema, "readOnly")))
            flags |= MEMBER_READ_ONLY;
        if (!alone && yyjson_is_true(json_find(schema, "writeOnly")))
            flags |= MEMBER_WRITE_ONLY;
        struct sv ignored;
        if (!yyjson_is_str(unconst(ref)) ||
            schema_resolve(b, schema, json_text(ref), &target, &ignored) != 0)
            break;
        schema = target;
    }
    return flags;
}

static int properties_add(const struct schema_work *w, struct schema_object *o)
{
    struct arena *a = &w->b->program->arena;
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(json_place_or_none(w->found[KW_PROPERTIES]), i, max, key,
                       value)
    {
        uint32_t node;
        struct sv name = arena_dup(a, json_text(key));
        int rc = schema_child(w, KW_PROPERTIES, json_text(key), value, &node);
        if (rc != 0 || !name.p) return rc ? rc : ERR_NOMEM;
        member_add(o, name, node, MEMBER_DECLARED | way_flags(w->b, value));
    }
    return 0;
}

static int required_add(const struct schema_work *w, struct schema_object *o)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(json_place_or_none(w->found[KW_REQUIRED]), i, max, item)
    {
        if (!yyjson_is_str(item))
            return refuse(w, KW_REQUIRED, "a list of names");
        struct sv name = arena_dup(&w->b->program->arena, json_text(item));
        if (!name.p) return ERR_NOMEM;
        if (!member_add(o, name, SCHEMA_NONE, MEMBER_REQUIRED)) continue;
        const struct schema_member *m = schema_object_find(o, name);
        o->required_n++;
        o->required_in_request_n += !(m->flags & MEMBER_READ_ONLY);
        o->required_in_response_n += !(m->flags & MEMBER_WRITE_ONLY);
    }
    return 0;
}

static int patterns_add(const struct schema_work *w, struct schema_object *o)
{
    size_t i, max;
    yyjson_val *key, *value;
    int rc = 0;
    o->patterns = w->b->program->kids_n;
    yyjson_obj_foreach(json_place_or_none(w->found[KW_PATTERN_PROPERTIES]), i,
                       max, key, value)
    {
        uint32_t pattern, node;
        if (rc == 0)
            rc = schema_pattern_of(w->b, value, json_text(key), &pattern);
        if (rc == 0)
            rc = schema_child(w, KW_PATTERN_PROPERTIES, json_text(key), value,
                              &node);
        if (rc == 0) rc = schema_kid(w, pattern);
        if (rc == 0) rc = schema_kid(w, node);
    }
    o->patterns_n = (uint32_t)i;
    return rc;
}

static int object_tables(const struct schema_work *w, struct schema_object *o)
{
    struct arena *a = &w->b->program->arena;
    size_t most = yyjson_obj_size(unconst(w->found[KW_PROPERTIES])) +
                  yyjson_arr_size(unconst(w->found[KW_REQUIRED]));
    uint32_t slots = 4;
    while (slots < 2 * most) slots *= 2;
    if (!most) return 0;
    o->slots_mask = slots - 1;
    o->slots = ARENA_ARRAY(a, uint32_t, slots);
    o->members = ARENA_ARRAY(a, struct schema_member, most);
    return o->slots && o->members ? 0 : ERR_NOMEM;
}

static int shapes_check(const struct schema_work *w)
{
    static const uint8_t maps[] = { KW_PROPERTIES, KW_PATTERN_PROPERTIES };
    for (size_t i = 0; i < sizeof maps; i++)
        if (w->found[maps[i]] && !yyjson_is_obj(unconst(w->found[maps[i]])))
            return refuse(w, maps[i], "an object of schemas");
    if (w->found[KW_REQUIRED] && !yyjson_is_arr(unconst(w->found[KW_REQUIRED])))
        return refuse(w, KW_REQUIRED, "a list of names");
    return 0;
}

/* One operation for the four; the first of them that is there makes it. */
int keyword_object(const struct schema_work *w)
{
    struct schema_object o = { .additional = SCHEMA_NONE };
    for (unsigned k = KW_PROPERTIES; k < w->keyword; k++)
        if (w->found[k]) return 0;
    int rc = shapes_check(w);
    if (rc == 0) rc = object_tables(w, &o);
    if (rc == 0) rc = properties_add(w, &o);
    if (rc == 0) rc = required_add(w, &o);
    if (rc == 0) rc = patterns_add(w, &o);
    const yyjson_val *additional = w->found[KW_ADDITIONAL];
    bool is_30 = w->b->options.dialect == SCHEMA_OPENAPI_30;
    if (rc == 0 && additional &&
        !(is_30 && yyjson_is_bool(unconst(additional))))
        rc = schema_child(w, KW_ADDITIONAL, sv_of(NULL, 0), additional,
                          &o.additional);
    if (rc != 0) return rc;
    struct schema_object *slot = SCHEMA_PUSH(w->b->program, objects);
    if (!slot) return ERR_NOMEM;
    *slot = o;
    /* c: no other members at all (true schemas have no operation) */
    return schema_emit(w, OP_OBJECT, V_OBJECT, w->b->program->objects_n - 1, 0,
                       yyjson_is_false(unconst(additional)));
}

/* OP_DEPENDENT_REQUIRED: a, b in kids: value of the name, count, values … */
int keyword_dependent_required(const struct schema_work *w)
{
    size_t i, max, j, most;
    yyjson_val *key, *list, *item;
    int rc = 0;
    if (!yyjson_is_obj(unconst(w->value)))
        return refuse(w, KW_DEPENDENT_REQUIRED, "an object of lists of names");
    uint32_t first = w->b->program->kids_n, value;
    yyjson_obj_foreach(unconst(w->value), i, max, key, list)
    {
        if (!yyjson_is_arr(list))
            return schema_refuse(w->b, list, "must be a list of names");
        rc = schema_value_of(w->b, key, &value);
        if (rc == 0) rc = schema_kid(w, value);
        if (rc == 0) rc = schema_kid(w, (uint32_t)yyjson_arr_size(list));
        yyjson_arr_foreach(list, j, most, item)
        {
            if (!yyjson_is_str(item))
                return schema_refuse(w->b, item, "must be a name");
            if (rc == 0) rc = schema_value_of(w->b, item, &value);
            if (rc == 0) rc = schema_kid(w, value);
        }
        if (rc != 0) return rc;
    }
    return schema_emit(w, OP_DEPENDENT_REQUIRED, V_OBJECT, first, (uint32_t)i,
                       0);
}

/* OP_DEPENDENT_SCHEMAS: a, b pairs in kids: value of the name, node */
int keyword_dependent_schemas(const struct schema_work *w)
{
    size_t i, max;
    yyjson_val *key, *schema;
    uint32_t first = w->b->program->kids_n, value = 0, node = 0;
    int rc = 0;
    if (!yyjson_is_obj(unconst(w->value)))
        return refuse(w, KW_DEPENDENT_SCHEMAS, "an object of schemas");
    yyjson_obj_foreach(unconst(w->value), i, max, key, schema)
    {
        if (rc == 0) rc = schema_value_of(w->b, key, &value);
        if (rc == 0)
            rc = schema_child(w, KW_DEPENDENT_SCHEMAS, json_text(key), schema,
                              &node);
        if (rc == 0) rc = schema_kid(w, value);
        if (rc == 0) rc = schema_kid(w, node);
    }
    return rc ? rc
              : schema_emit(w, OP_DEPENDENT_SCHEMAS, V_OBJECT, first,
                            (uint32_t)i, 0);
}

/* --- references --------------------------------------------------------------- */

static int reference(const struct schema_work *w, struct sv ref,
                     const yyjson_val *at, uint32_t *out, struct sv *anchor)
{
    const yyjson_val *target;
    struct buf path;
    int rc = schema_resolve(w->b, w->schema, ref, &target, anchor);
    if (rc == ERR_INVALID) w->b->why->at = at;
    if (rc != 0) return rc;
    struct schema_mark *mark = &w->b->marks[target - w->b->root];
    if (mark->node) {
        *out = mark->node - 1;
        return 0;
    }
    struct sv kept = { NULL, 0 };
    if (sv_starts(ref, SV("#/")) && sv_find(ref, '%') == SIZE_MAX &&
        mark->resource <= 1) {
        kept = arena_dup(&w->b->program->arena, sv_from(ref, 1));
    } else {
        buf_init(&path, 1 << 20);
        json_place_put(&path, w->b->root, target);
        kept = arena_dup(&w->b->program->arena, buf_sv(&path));
        buf_fini(&path);
    }
    if (!kept.p) return ERR_NOMEM;
    return schema_node_of(w->b, target, SCHEMA_NONE, kept, out);
}

int keyword_ref(const struct schema_work *w)
{
    uint32_t node;
    struct sv ignored;
    if (!yyjson_is_str(unconst(w->value))) return refuse(w, KW_REF, "a text");
    int rc = reference(w, json_text(w->value), w->value, &node, &ignored);
    return rc ? rc : schema_emit(w, OP_REF, V_ALL, node, 0, 0);
}

/* OP_DYNAMIC_REF: a node, b value with the anchor's name */
int keyword_dynamic_ref(const struct schema_work *w)
{
    uint32_t node, value;
    struct sv anchor;
    if (!yyjson_is_str(unconst(w->value)))
        return refuse(w, KW_DYNAMIC_REF, "a text");
    int rc = reference(w, json_text(w->value), w->value, &node, &anchor);
    if (rc != 0) return rc;
    if (!anchor.n) return schema_emit(w, OP_REF, V_ALL, node, 0, 0);
    yyjson_val name = { .tag = (anchor.n << YYJSON_TAG_BIT) | YYJSON_TYPE_STR,
                        .uni.str = anchor.p };
    rc = schema_value_of(w->b, &name, &value);
    w->b->program->has_dynamic = true;
    return rc ? rc : schema_emit(w, OP_DYNAMIC_REF, V_ALL, node, value, 0);
}

/* --- discriminator ------------------------------------------------------------ */

static bool mapping_put(struct schema_discriminator *d, struct sv value,
                        uint32_t node, bool replace)
{
    for (uint32_t i = 0; i < d->mapping_n; i++)
        if (sv_eq(d->mapping[i].name, value)) {
            if (replace) d->mapping[i].node = node;
            return true;
        }
    if (!value.p) return false;
    d->mapping[d->mapping_n++] =
        (struct schema_member){ value, node, MEMBER_DECLARED };
    return true;
}

/* The implicit names: the last step of each branch's reference. */
static int branches_map(const struct schema_work *w,
                        struct schema_discriminator *d)
{
    size_t i, max;
    yyjson_val *branch;
    yyjson_arr_foreach(unconst(w->value), i, max, branch)
    {
        struct sv ref = json_text(json_find(branch, "$ref")), ignored;
        uint32_t node;
        int rc = reference(w, ref, branch, &node, &ignored);
        if (rc != 0) return rc;
        size_t slash = sv_rfind(ref, '/');
        struct sv name = sv_from(ref, slash == SIZE_MAX ? 0 : slash + 1);
        if (!mapping_put(d, arena_dup(&w->b->program->arena, name), node,
                         false))
            return ERR_NOMEM;
    }
    return 0;
}

static int mapping_map(const struct schema_work *w, const yyjson_val *mapping,
                       struct schema_discriminator *d)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(json_place_or_none(mapping), i, max, key, value)
    {
        struct sv ref = json_text(value), ignored;
        uint32_t node;
        if (!ref.p) return schema_refuse(w->b, value, "must name a schema");
        if (sv_find(ref, '#') == SIZE_MAX && sv_find(ref, '/') == SIZE_MAX)
            ref = arena_printf(&w->b->arena, "#/components/schemas/%.*s",
                               SV_FMT(ref));
        int rc = reference(w, ref, value, &node, &ignored);
        if (rc != 0) return rc;
        struct sv name = arena_dup(&w->b->program->arena, json_text(key));
        if (!mapping_put(d, name, node, true)) return ERR_NOMEM;
    }
    return 0;
}

int keyword_discriminator(const struct schema_work *w, bool *took)
{
    const yyjson_val *say = w->found[KW_DISCRIMINATOR];
    const yyjson_val *mapping = json_find(say, "mapping");
    struct sv property = json_text(json_find(say, "propertyName"));
    struct arena *a = &w->b->program->arena;
    size_t i, max, n = yyjson_arr_size(unconst(w->value));
    yyjson_val *branch;
    if (!property.p)
        return schema_refuse(w->b, say, "discriminator needs propertyName");
    if (!n) return 0;
    /* With a branch that has no name the alternatives are simply tried. */
    yyjson_arr_foreach(unconst(w->value), i, max, branch)
    {
        if (!yyjson_is_str(json_find(branch, "$ref"))) return 0;
    }
    struct schema_discriminator d = { .property = arena_dup(a, property) };
    d.mapping = ARENA_ARRAY(a, struct schema_member,
                            n + yyjson_obj_size(unconst(mapping)));
    if (!d.property.p || !d.mapping) return ERR_NOMEM;
    int rc = branches_map(w, &d);
    if (rc == 0) rc = mapping_map(w, mapping, &d);
    if (rc != 0) return rc;
    struct schema_discriminator *slot =
        SCHEMA_PUSH(w->b->program, discriminators);
    if (!slot) return ERR_NOMEM;
    *slot = d;
    *took = true;
    return schema_emit(w, OP_DISCRIMINATOR, V_ALL,
                       w->b->program->discriminators_n - 1, 0, 0);
}
