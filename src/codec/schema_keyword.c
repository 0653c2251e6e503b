/* The table of keywords, and the compilers of those about single values. */
#include <pthread.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/schema_keywords_int.h"

const struct schema_keyword schema_keywords[KW_COUNT] = {
#define X(id, name, shape, dialects, compile) \
    { { name, sizeof name - 1 }, SHAPE_##shape, dialects, compile },
    SCHEMA_KEYWORDS(X)
#undef X
};

/* Names differ in length and first or last letter, so that a table by those
 * finds most at once. */
enum { FIND_SLOTS = 256 };

static unsigned find_slot(struct sv name)
{
    unsigned first = (uint8_t)name.p[0], last = (uint8_t)name.p[name.n - 1];
    unsigned middle = (uint8_t)name.p[name.n / 2];
    return (first * 7 + last * 31 + middle * 3 + (unsigned)name.n * 17) %
           FIND_SLOTS;
}

static uint8_t find_slots[FIND_SLOTS]; /* id + 1 */

static void find_fill(void)
{
    for (unsigned id = 1; id < KW_COUNT; id++) {
        unsigned at = find_slot(schema_keywords[id].name);
        while (find_slots[at]) at = (at + 1) % FIND_SLOTS;
        find_slots[at] = (uint8_t)(id + 1);
    }
}

unsigned schema_keyword_find(struct sv name, enum schema_dialect dialect)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    unsigned in = dialect == SCHEMA_2020_12 ? IN_2020 : IN_30;
    pthread_once(&once, find_fill);
    if (!name.n) return KW_COUNT;
    unsigned at = find_slot(name);
    for (; find_slots[at]; at = (at + 1) % FIND_SLOTS) {
        unsigned id = find_slots[at] - 1u;
        if (sv_eq(schema_keywords[id].name, name))
            return schema_keywords[id].dialects & in ? id : KW_COUNT;
    }
    return KW_COUNT;
}

static int refuse_shape(const struct schema_work *w, const char *must)
{
    return schema_refuse(w->b, w->value, "%s must be %s",
                         schema_keywords[w->keyword].name.p, must);
}

static struct schema_node *node_of(const struct schema_work *w)
{
    return &w->b->program->nodes[w->node];
}

int keyword_dialect(const struct schema_work *w)
{
    static const char *const known[] = {
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2020-12/schema#",
        "https://spec.openapis.org/oas/3.1/dialect/base",
    };
    struct sv text = json_text(w->value);
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (sv_eq(text, sv_cstr(known[i]))) return 0;
    return schema_refuse(w->b, w->value,
                         "only the dialect of JSON Schema 2020-12 is known, "
                         "not '%.*s'",
                         (int)(text.n < 80 ? text.n : 80),
                         text.p ? text.p : "");
}

/* What nothing refers to must still be well-formed. */
int keyword_schemas(const struct schema_work *w)
{
    size_t i, max;
    yyjson_val *key, *value;
    uint32_t ignored;
    int rc = 0;
    if (!yyjson_is_obj(unconst(w->value)))
        return refuse_shape(w, "an object of schemas");
    yyjson_obj_foreach(unconst(w->value), i, max, key, value)
    {
        if (rc == 0)
            rc = schema_child(w, w->keyword, json_text(key), value, &ignored);
    }
    return rc;
}

int keyword_way(const struct schema_work *w)
{
    if (!yyjson_is_bool(unconst(w->value)))
        return refuse_shape(w, "true or false");
    uint8_t is = yyjson_is_true(unconst(w->value));
    if (w->keyword == KW_READ_ONLY)
        node_of(w)->read_only = is;
    else
        node_of(w)->write_only = is;
    return 0;
}

/* --- types ------------------------------------------------------------------- */

static unsigned type_of_name(struct sv name)
{
    static const struct {
        struct sv name;
        unsigned types;
    } types[] = {
        { { "null", 4 }, SCHEMA_T_NULL },
        { { "boolean", 7 }, SCHEMA_T_BOOLEAN },
        { { "integer", 7 }, SCHEMA_T_INTEGER },
        { { "number", 6 }, SCHEMA_T_NUMBER | SCHEMA_T_INTEGER },
        { { "string", 6 }, SCHEMA_T_STRING },
        { { "array", 5 }, SCHEMA_T_ARRAY },
        { { "object", 6 }, SCHEMA_T_OBJECT },
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (sv_eq(name, types[i].name)) return types[i].types;
    return 0;
}

int keyword_type(const struct schema_work *w)
{
    bool is_30 = w->b->options.dialect == SCHEMA_OPENAPI_30;
    unsigned types = 0;
    size_t i, max;
    yyjson_val *item;
    if (yyjson_is_str(unconst(w->value))) {
        types = type_of_name(json_text(w->value));
    } else if (yyjson_is_arr(unconst(w->value)) && !is_30) {
        yyjson_arr_foreach(unconst(w->value), i, max, item)
        {
            unsigned one = type_of_name(json_text(item));
            if (!one) return refuse_shape(w, "a list of names of types");
            types |= one;
        }
    }
    if (is_30 && types == SCHEMA_T_NULL && w->b->options.warn)
        w->b->options.warn(w->b->options.warn_context, w->value,
                           "null is no type of OpenAPI 3.0; it is read as "
                           "that of 3.1");
    if (!types)
        return refuse_shape(w, is_30 ? "one name of a type of OpenAPI 3.0"
                                     : "the name of a type, or a list of them");
    if (is_30 && yyjson_is_true(unconst(w->found[KW_NULLABLE])))
        types |= SCHEMA_T_NULL;
    node_of(w)->types &= (uint8_t)types;
    /* values of a kind that is allowed are not looked at */
    return schema_emit(w, OP_TYPE, V_ALL & ~types, types, 0, 0);
}

int keyword_nullable(const struct schema_work *w)
{
    return yyjson_is_bool(unconst(w->value)) ? 0
                                             : refuse_shape(w, "true or false");
}

int keyword_const(const struct schema_work *w)
{
    uint32_t value;
    int rc = schema_value_of(w->b, w->value, &value);
    node_of(w)->types &= (uint8_t)schema_types_of_value(w->value);
    return rc ? rc : schema_emit(w, OP_CONST, V_ALL, value, 1, 0);
}

int keyword_enum(const struct schema_work *w)
{
    size_t i, max;
    yyjson_val *item;
    unsigned types = 0;
    uint32_t first = w->b->program->values_n, value;
    int rc = 0;
    if (!yyjson_is_arr(unconst(w->value))) return refuse_shape(w, "a list");
    yyjson_arr_foreach(unconst(w->value), i, max, item)
    {
        if (rc == 0) rc = schema_value_of(w->b, item, &value);
        types |= schema_types_of_value(item);
    }
    node_of(w)->types &= (uint8_t)types;
    return rc ? rc : schema_emit(w, OP_ENUM, V_ALL, first, (uint32_t)i, 0);
}

/* --- numbers ----------------------------------------------------------------- */

static int number_of(const struct schema_work *w, uint32_t *out)
{
    struct decimal d;
    if (!decimal_of(w->value, &d)) return refuse_shape(w, "a number");
    struct sv text =
        yyjson_is_raw(unconst(w->value))
            ? sv_of(w->value->uni.str, unsafe_yyjson_get_len(unconst(w->value)))
            : sv_cstr(d.text);
    text = arena_dup(&w->b->program->arena, text);
    struct decimal *slot = SCHEMA_PUSH(w->b->program, numbers);
    if (!text.p || !slot) return ERR_NOMEM;
    ENSURE(decimal_parse(text, slot));
    *out = w->b->program->numbers_n - 1;
    return 0;
}

/* In OpenAPI 3.0 the exclusive ones are booleans beside the bounds. */
static int number_30(const struct schema_work *w, enum schema_op_kind *kind,
                     bool *done)
{
    bool exclusive = w->keyword == KW_XMINIMUM || w->keyword == KW_XMAXIMUM;
    const yyjson_val *beside =
        w->found[w->keyword == KW_MINIMUM ? KW_XMINIMUM : KW_XMAXIMUM];
    *done = exclusive;
    if (exclusive && !yyjson_is_bool(unconst(w->value)))
        return refuse_shape(w, "true or false in OpenAPI 3.0");
    if (w->keyword != KW_MULTIPLE && yyjson_is_true(unconst(beside)))
        *kind = w->keyword == KW_MINIMUM ? OP_XMINIMUM : OP_XMAXIMUM;
    return 0;
}

int keyword_number(const struct schema_work *w)
{
    enum schema_op_kind kind =
        (enum schema_op_kind)(OP_MINIMUM + (w->keyword - KW_MINIMUM));
    uint32_t number = 0;
    if (w->b->options.dialect == SCHEMA_OPENAPI_30) {
        bool done;
        int rc = number_30(w, &kind, &done);
        if (rc != 0 || done) return rc;
    }
    int rc = number_of(w, &number);
    if (rc != 0) return rc;
    const struct decimal *d = &w->b->program->numbers[number];
    if (w->keyword == KW_MULTIPLE &&
        (d->negative || d->count == 0 || d->count > 18))
        return refuse_shape(w, "above 0, of at most 18 digits");
    return schema_emit(w, kind, V_NUMBER, number, 0, 0);
}

static int count_of(const struct schema_work *w, const yyjson_val *v,
                    uint32_t *out)
{
    struct decimal d;
    if (!v) return 0;
    if (!decimal_of(v, &d) || !decimal_is_integer(&d) || d.negative)
        return schema_refuse(w->b, v, "%s must be an integer from 0",
                             schema_keywords[w->keyword].name.p);
    struct decimal bound;
    decimal_parse(SV("4294967294"), &bound);
    /* 5.0 and 5e1 are integers without being small */
    uint64_t count = 0;
    for (size_t i = 0; i < d.digits.n && d.count <= 10; i++)
        if (d.digits.p[i] != '.')
            count = count * 10 + (uint64_t)(d.digits.p[i] - '0');
    for (int64_t i = 0; i < d.exponent && i < 10; i++) count *= 10;
    *out = decimal_cmp(&d, &bound) > 0 ? UINT32_MAX - 1 : (uint32_t)count;
    return 0;
}

int keyword_count(const struct schema_work *w)
{
    static const struct {
        uint8_t keyword, kind, values;
    } kinds[] = {
        { KW_MIN_LENGTH, OP_MIN_LENGTH, V_STRING },
        { KW_MAX_LENGTH, OP_MAX_LENGTH, V_STRING },
        { KW_MIN_ITEMS, OP_MIN_ITEMS, V_ARRAY },
        { KW_MAX_ITEMS, OP_MAX_ITEMS, V_ARRAY },
        { KW_MIN_PROPERTIES, OP_MIN_PROPERTIES, V_OBJECT },
        { KW_MAX_PROPERTIES, OP_MAX_PROPERTIES, V_OBJECT },
    };
    uint32_t count = 0;
    int rc = count_of(w, w->value, &count);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(kinds); i++)
        if (kinds[i].keyword == w->keyword)
            return schema_emit(w, (enum schema_op_kind)kinds[i].kind,
                               kinds[i].values, count, 0, 0);
    return rc;
}

int keyword_plain_count(const struct schema_work *w)
{
    uint32_t ignored;
    return count_of(w, w->value, &ignored);
}

/* --- texts and arrays --------------------------------------------------------- */

int keyword_pattern(const struct schema_work *w)
{
    uint32_t pattern;
    if (!yyjson_is_str(unconst(w->value))) return refuse_shape(w, "a text");
    int rc = schema_pattern_of(w->b, w->value, json_text(w->value), &pattern);
    return rc ? rc : schema_emit(w, OP_PATTERN, V_STRING, pattern, 0, 0);
}

int keyword_format(const struct schema_work *w)
{
    if (!yyjson_is_str(unconst(w->value))) return refuse_shape(w, "a text");
    int format = schema_format_find(json_text(w->value));
    if (!w->b->options.formats || format < 0) return 0;
    return schema_emit(w, OP_FORMAT, schema_format_values(format),
                       (uint32_t)format, 0, 0);
}

int keyword_unique(const struct schema_work *w)
{
    if (!yyjson_is_bool(unconst(w->value)))
        return refuse_shape(w, "true or false");
    if (yyjson_is_false(unconst(w->value))) return 0;
    return schema_emit(w, OP_UNIQUE, V_ARRAY, 0, 0, 0);
}

static int children(const struct schema_work *w, unsigned keyword,
                    const yyjson_val *list, uint32_t *first, uint32_t *n)
{
    size_t i, max;
    yyjson_val *item;
    int rc = 0;
    if (!yyjson_is_arr(unconst(list)) || !yyjson_arr_size(unconst(list)))
        return schema_refuse(w->b, list, "%s must be a list of schemas",
                             schema_keywords[keyword].name.p);
    *first = w->b->program->kids_n;
    yyjson_arr_foreach(unconst(list), i, max, item)
    {
        char step[24];
        uint32_t node = 0;
        int length = snprintf(step, sizeof step, "%zu", i);
        if (rc == 0)
            rc = schema_child(w, keyword, sv_of(step, (size_t)length), item,
                              &node);
        if (rc == 0) rc = schema_kid(w, node);
    }
    *n = (uint32_t)i;
    return rc;
}

/* OP_ITEMS: a, b the prefix's kids; c the rest's node. */
int keyword_items(const struct schema_work *w)
{
    uint32_t first = 0, n = 0, rest = SCHEMA_NONE;
    const yyjson_val *prefix = w->found[KW_PREFIX_ITEMS];
    const yyjson_val *items = w->found[KW_ITEMS];
    int rc = 0;
    if (prefix && w->keyword == KW_ITEMS) return 0; /* both at once */
    if (prefix) rc = children(w, KW_PREFIX_ITEMS, prefix, &first, &n);
    if (rc == 0 && items)
        rc = schema_child(w, KW_ITEMS, sv_of(NULL, 0), items, &rest);
    return rc ? rc : schema_emit(w, OP_ITEMS, V_ARRAY, first, n, rest);
}

/* OP_CONTAINS: a node, b least, c most */
int keyword_contains(const struct schema_work *w)
{
    uint32_t node, least = 1, most = UINT32_MAX;
    int rc = schema_child(w, KW_CONTAINS, sv_of(NULL, 0), w->value, &node);
    if (rc == 0) rc = count_of(w, w->found[KW_MIN_CONTAINS], &least);
    if (rc == 0) rc = count_of(w, w->found[KW_MAX_CONTAINS], &most);
    return rc ? rc : schema_emit(w, OP_CONTAINS, V_ARRAY, node, least, most);
}

/* --- applicators -------------------------------------------------------------- */

int keyword_one(const struct schema_work *w)
{
    static const struct {
        uint8_t keyword, kind, values;
    } kinds[] = {
        { KW_NOT, OP_NOT, V_ALL },
        { KW_PROPERTY_NAMES, OP_PROPERTY_NAMES, V_OBJECT },
        { KW_UNEVALUATED_ITEMS, OP_UNEVALUATED_ITEMS, V_ARRAY },
        { KW_UNEVALUATED_PROPERTIES, OP_UNEVALUATED_PROPERTIES, V_OBJECT },
    };
    uint32_t node;
    int rc = schema_child(w, w->keyword, sv_of(NULL, 0), w->value, &node);
    if (w->keyword == KW_UNEVALUATED_ITEMS) node_of(w)->tracks_items = true;
    if (w->keyword == KW_UNEVALUATED_PROPERTIES)
        node_of(w)->tracks_members = true;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(kinds); i++)
        if (kinds[i].keyword == w->keyword)
            return schema_emit(w, (enum schema_op_kind)kinds[i].kind,
                               kinds[i].values, node, 0, 0);
    return rc;
}

int keyword_list(const struct schema_work *w)
{
    uint32_t first, n;
    if (w->keyword != KW_ALL_OF && w->found[KW_DISCRIMINATOR]) {
        bool took = false;
        int rc = keyword_discriminator(w, &took);
        if (rc != 0 || took) return rc;
    }
    int rc = children(w, w->keyword, w->value, &first, &n);
    enum schema_op_kind kind = w->keyword == KW_ALL_OF   ? OP_ALL_OF
                               : w->keyword == KW_ANY_OF ? OP_ANY_OF
                                                         : OP_ONE_OF;
    return rc ? rc : schema_emit(w, kind, V_ALL, first, n, 0);
}

int keyword_if(const struct schema_work *w)
{
    uint32_t nodes[3] = { SCHEMA_NONE, SCHEMA_NONE, SCHEMA_NONE };
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < 3; i++)
        if (w->found[KW_IF + i])
            rc = schema_child(w, KW_IF + i, sv_of(NULL, 0), w->found[KW_IF + i],
                              &nodes[i]);
    return rc ? rc : schema_emit(w, OP_IF, V_ALL, nodes[0], nodes[1], nodes[2]);
}
