/* The program's tables and the builder's; for codec/schema_*.c alone.
 *
 * A node is a schema: a run of operations, one a keyword (those of objects
 * and of arrays that share a walk are one). An operation is 16 bytes and
 * refers by index to nodes and to the tables of numbers, values, patterns.
 * Nodes are compiled from a list of work, never by recursion. */
#ifndef CODEC_SCHEMA_INT_H
#define CODEC_SCHEMA_INT_H

#include "base/map.h"
#include "codec/decimal.h"
#include "codec/schema.h"

enum schema_op_kind {
    OP_FALSE, OP_TYPE, OP_ENUM, OP_CONST,
    OP_MINIMUM, OP_MAXIMUM, OP_XMINIMUM, OP_XMAXIMUM, OP_MULTIPLE,
    OP_MIN_LENGTH, OP_MAX_LENGTH, OP_PATTERN, OP_FORMAT,
    OP_MIN_ITEMS, OP_MAX_ITEMS, OP_UNIQUE, OP_ITEMS, OP_CONTAINS,
    OP_MIN_PROPERTIES, OP_MAX_PROPERTIES, OP_OBJECT, OP_PROPERTY_NAMES,
    OP_DEPENDENT_REQUIRED, OP_DEPENDENT_SCHEMAS,
    OP_REF, OP_DYNAMIC_REF, OP_ALL_OF, OP_ANY_OF, OP_ONE_OF, OP_NOT, OP_IF,
    OP_DISCRIMINATOR,
    OP_UNEVALUATED_ITEMS, OP_UNEVALUATED_PROPERTIES,
};

/* Kinds of values that an operation is about; others pass it. The bits are those
 * of types, but a number's kind does not tell whether it is an integer. */
enum { V_NULL = SCHEMA_T_NULL, V_BOOL = SCHEMA_T_BOOLEAN,
       V_NUMBER = SCHEMA_T_NUMBER, V_STRING = SCHEMA_T_STRING,
       V_ARRAY = SCHEMA_T_ARRAY, V_OBJECT = SCHEMA_T_OBJECT,
       V_ALL = SCHEMA_T_ANY & ~SCHEMA_T_INTEGER };

static inline unsigned schema_kind_of(const yyjson_val *v)
{
    static const uint8_t kinds[8] = {
        [YYJSON_TYPE_NONE] = V_NUMBER, [YYJSON_TYPE_RAW] = V_NUMBER,
        [YYJSON_TYPE_NULL] = V_NULL,   [YYJSON_TYPE_BOOL] = V_BOOL,
        [YYJSON_TYPE_NUM] = V_NUMBER,  [YYJSON_TYPE_STR] = V_STRING,
        [YYJSON_TYPE_ARR] = V_ARRAY,   [YYJSON_TYPE_OBJ] = V_OBJECT,
    };
    return kinds[unsafe_yyjson_get_type((yyjson_val *)(uintptr_t)v)];
}

/* The types that it may be of. */
static inline unsigned schema_types_of_value(const yyjson_val *v)
{
    unsigned kind = schema_kind_of(v);
    return kind == V_NUMBER ? SCHEMA_T_NUMBER | SCHEMA_T_INTEGER : kind;
}

struct schema_op {
    uint8_t kind, values;
    uint16_t keyword; /* index into schema_keywords[] */
    uint32_t a, b, c; /* by kind, see schema_run*.c */
};

struct schema_node {
    uint32_t op, op_n;
    uint32_t resource;  /* for dynamic references */
    uint32_t up;        /* the node it lies in; SCHEMA_NONE: path is whole */
    struct sv path;     /* from there, "/properties/x"; or from the root */
    uint8_t types;      /* schema_type bits that its own keywords leave */
    uint8_t read_only, write_only;
    bool tracks_items, tracks_members; /* has an unevaluated keyword */
};

enum { MEMBER_DECLARED = 1, MEMBER_REQUIRED = 2, MEMBER_READ_ONLY = 4,
       MEMBER_WRITE_ONLY = 8 };

struct schema_member {
    struct sv name;
    uint32_t node, flags;
};

/* properties, patternProperties, additionalProperties and required */
struct schema_object {
    struct schema_member *members;
    uint32_t *slots; /* index + 1 into members, open addressing */
    uint32_t members_n, slots_mask;
    uint32_t required_n, required_in_request_n, required_in_response_n;
    uint32_t patterns, patterns_n; /* pairs in kids: pattern, node */
    uint32_t additional;           /* node or SCHEMA_NONE */
};

struct schema_discriminator {
    struct sv property;
    struct schema_member *mapping; /* value -> node */
    uint32_t mapping_n;
};

struct schema {
    struct arena arena; /* texts, values, members */
    struct schema_node *nodes;
    struct schema_op *ops;
    uint32_t *kids; /* lists of nodes and others */
    struct decimal *numbers;
    const yyjson_val **values;
    struct pattern **patterns;
    struct schema_object *objects;
    struct schema_discriminator *discriminators;
    struct schema_anchor *anchors; /* dynamic ones */
    uint32_t nodes_n, ops_n, kids_n, numbers_n, values_n, patterns_n,
        objects_n, discriminators_n, anchors_n;
    uint32_t nodes_cap, ops_cap, kids_cap, numbers_cap, values_cap,
        patterns_cap, objects_cap, discriminators_cap, anchors_cap;
    bool has_dynamic;
};

/* A $dynamicAnchor of a resource. */
struct schema_anchor {
    struct sv name;
    const yyjson_val *at; /* while building */
    uint32_t resource, node;
};

/* --- building ---------------------------------------------------------------- */

struct schema_resource {
    struct sv uri; /* absolute, or "" of a document without $id */
    const yyjson_val *root;
};

struct schema_mark {
    uint32_t node, resource; /* + 1; 0: none yet */
};

struct schema_build {
    const yyjson_val *root;
    size_t values_n;
    struct schema_options options;
    struct schema *program;
    struct arena arena; /* of the build alone */
    struct schema_mark *marks; /* one a value of the document */
    struct schema_resource *resources;
    uint32_t resources_n, resources_cap;
    struct map by_uri;   /* -> index + 1 of a resource */
    struct map anchors;  /* "resource#name" -> value */
    struct map patterns; /* source -> index + 1 */
    struct map pointers; /* references of resource 0 -> value */
    const yyjson_val **work; /* the value of each node */
    uint32_t work_cap, done, anchors_done;
    struct schema_why *why;
};

/* Shapes of keywords' values in which schemas lie. */
enum schema_shape { SHAPE_PLAIN, SHAPE_SCHEMA, SHAPE_LIST, SHAPE_MAP };
/* Dialects that know a keyword. */
enum { IN_2020 = 1, IN_30 = 2, IN_BOTH = 3 };

/* In the order in which they are compiled and judged: cheap and telling ones
 * first, those that look at what others evaluated last. */
#define SCHEMA_KEYWORDS(X)                                                   \
    X(FALSE, "false schema", PLAIN, 0, NULL)                                 \
    X(SCHEMA, "$schema", PLAIN, IN_2020, keyword_dialect)                    \
    X(VOCABULARY, "$vocabulary", PLAIN, IN_2020, NULL)                       \
    X(ID, "$id", PLAIN, IN_2020, NULL)                                       \
    X(ANCHOR, "$anchor", PLAIN, IN_2020, NULL)                               \
    X(DYNAMIC_ANCHOR, "$dynamicAnchor", PLAIN, IN_2020, NULL)                \
    X(DEFS, "$defs", MAP, IN_2020, keyword_schemas)                          \
    X(DEFINITIONS, "definitions", MAP, IN_2020, keyword_schemas)             \
    X(READ_ONLY, "readOnly", PLAIN, IN_BOTH, keyword_way)                    \
    X(WRITE_ONLY, "writeOnly", PLAIN, IN_BOTH, keyword_way)                  \
    X(REF, "$ref", PLAIN, IN_BOTH, keyword_ref)                              \
    X(DYNAMIC_REF, "$dynamicRef", PLAIN, IN_2020, keyword_dynamic_ref)       \
    X(TYPE, "type", PLAIN, IN_BOTH, keyword_type)                            \
    X(NULLABLE, "nullable", PLAIN, IN_30, keyword_nullable)                  \
    X(ENUM, "enum", PLAIN, IN_BOTH, keyword_enum)                            \
    X(CONST, "const", PLAIN, IN_2020, keyword_const)                         \
    X(MINIMUM, "minimum", PLAIN, IN_BOTH, keyword_number)                    \
    X(MAXIMUM, "maximum", PLAIN, IN_BOTH, keyword_number)                    \
    X(XMINIMUM, "exclusiveMinimum", PLAIN, IN_BOTH, keyword_number)          \
    X(XMAXIMUM, "exclusiveMaximum", PLAIN, IN_BOTH, keyword_number)          \
    X(MULTIPLE, "multipleOf", PLAIN, IN_BOTH, keyword_number)                \
    X(MIN_LENGTH, "minLength", PLAIN, IN_BOTH, keyword_count)                \
    X(MAX_LENGTH, "maxLength", PLAIN, IN_BOTH, keyword_count)                \
    X(PATTERN, "pattern", PLAIN, IN_BOTH, keyword_pattern)                   \
    X(FORMAT, "format", PLAIN, IN_BOTH, keyword_format)                      \
    X(MIN_ITEMS, "minItems", PLAIN, IN_BOTH, keyword_count)                  \
    X(MAX_ITEMS, "maxItems", PLAIN, IN_BOTH, keyword_count)                  \
    X(UNIQUE, "uniqueItems", PLAIN, IN_BOTH, keyword_unique)                 \
    X(PREFIX_ITEMS, "prefixItems", LIST, IN_2020, keyword_items)             \
    X(ITEMS, "items", SCHEMA, IN_BOTH, keyword_items)                        \
    X(CONTAINS, "contains", SCHEMA, IN_2020, keyword_contains)               \
    X(MIN_CONTAINS, "minContains", PLAIN, IN_2020, keyword_plain_count)      \
    X(MAX_CONTAINS, "maxContains", PLAIN, IN_2020, keyword_plain_count)      \
    X(MIN_PROPERTIES, "minProperties", PLAIN, IN_BOTH, keyword_count)        \
    X(MAX_PROPERTIES, "maxProperties", PLAIN, IN_BOTH, keyword_count)        \
    X(PROPERTIES, "properties", MAP, IN_BOTH, keyword_object)                \
    X(PATTERN_PROPERTIES, "patternProperties", MAP, IN_2020, keyword_object) \
    X(ADDITIONAL, "additionalProperties", SCHEMA, IN_BOTH, keyword_object)   \
    X(REQUIRED, "required", PLAIN, IN_BOTH, keyword_object)                  \
    X(PROPERTY_NAMES, "propertyNames", SCHEMA, IN_2020, keyword_one)         \
    X(DEPENDENT_REQUIRED, "dependentRequired", PLAIN, IN_2020,               \
      keyword_dependent_required)                                            \
    X(DEPENDENT_SCHEMAS, "dependentSchemas", MAP, IN_2020,                   \
      keyword_dependent_schemas)                                             \
    X(ALL_OF, "allOf", LIST, IN_BOTH, keyword_list)                          \
    X(ANY_OF, "anyOf", LIST, IN_BOTH, keyword_list)                          \
    X(ONE_OF, "oneOf", LIST, IN_BOTH, keyword_list)                          \
    X(DISCRIMINATOR, "discriminator", PLAIN, IN_BOTH, NULL)                  \
    X(NOT, "not", SCHEMA, IN_BOTH, keyword_one)                              \
    X(IF, "if", SCHEMA, IN_2020, keyword_if)                                 \
    X(THEN, "then", SCHEMA, IN_2020, NULL)                                   \
    X(ELSE, "else", SCHEMA, IN_2020, NULL)                                   \
    X(CONTENT_SCHEMA, "contentSchema", SCHEMA, IN_2020, NULL)                \
    X(UNEVALUATED_ITEMS, "unevaluatedItems", SCHEMA, IN_2020, keyword_one)   \
    X(UNEVALUATED_PROPERTIES, "unevaluatedProperties", SCHEMA, IN_2020,      \
      keyword_one)

enum schema_keyword_id {
#define X(id, name, shape, dialects, compile) KW_##id,
    SCHEMA_KEYWORDS(X)
#undef X
    KW_COUNT
};
_Static_assert(KW_COUNT <= 64, "a mask of keywords is 64 bits");

/* What a keyword's compiler works on. */
struct schema_work {
    struct schema_build *b;
    uint32_t node;
    const yyjson_val *schema, *value; /* the keyword's value */
    const yyjson_val *const *found;   /* all keywords' values, by id */
    uint16_t keyword;
};

struct schema_keyword {
    struct sv name;
    uint8_t shape, dialects;
    int (*compile)(const struct schema_work *w);
};

extern const struct schema_keyword schema_keywords[KW_COUNT];
/* KW_COUNT: no such keyword in the dialect. */
unsigned schema_keyword_find(struct sv name, enum schema_dialect dialect);

/* ERR_INVALID with the reason at that value. */
int schema_refuse(struct schema_build *b, const yyjson_val *at,
                  const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Room for one more; `p` the array. False: no memory. */
bool schema_grow(void *p, uint32_t n, uint32_t *cap, size_t size);
#define SCHEMA_PUSH(s, table) \
    (schema_grow(&(s)->table, (s)->table##_n, &(s)->table##_cap, \
                 sizeof *(s)->table) \
         ? &(s)->table[(s)->table##_n++] : NULL)

/* The node of the schema at that value, to be compiled when its turn comes.
 * `up`, `path`: where it lies; a node that is known keeps its first. */
int schema_node_of(struct schema_build *b, const yyjson_val *at, uint32_t up,
                   struct sv path, uint32_t *out);
/* Child at keyword, or keyword and step. */
/* The child at keyword `id`, or below it at `step` (p NULL: none). */
int schema_child(const struct schema_work *w, unsigned id, struct sv step,
                 const yyjson_val *at, uint32_t *out);
/* Adds an operation to the node that is compiled now. */
int schema_emit(const struct schema_work *w, enum schema_op_kind kind,
                unsigned values, uint32_t a, uint32_t b, uint32_t c);
int schema_kid(const struct schema_work *w, uint32_t kid);
int schema_pattern_of(struct schema_build *b, const yyjson_val *at,
                      struct sv source, uint32_t *out);
/* A value's copy in the program. */
int schema_value_of(struct schema_build *b, const yyjson_val *v, uint32_t *out);

/* $id, $anchor, $dynamicAnchor of all schemas below `at`. */
int schema_index(struct schema_build *b, const yyjson_val *at,
                 uint32_t resource, int depth);
/* The value that a reference, seen at `from`, means. *anchor_out: a dynamic
 * anchor's name when it ended at one, else empty. */
int schema_resolve(struct schema_build *b, const yyjson_val *from,
                   struct sv ref, const yyjson_val **out,
                   struct sv *anchor_out);
/* RFC 3986 §5: without the fragment, in the arena. */
struct sv schema_uri_resolve(struct arena *a, struct sv base, struct sv ref);

/* --- shared ------------------------------------------------------------------ */

struct schema_run;
bool schema_equal(struct schema_run *r, const yyjson_val *a,
                  const yyjson_val *b);
bool schema_is_unique(struct schema_run *r, const yyjson_val *array,
                      size_t *one, size_t *other);

/* Formats: index by name or -1. */
int schema_format_find(struct sv name);
unsigned schema_format_values(int format); /* V_STRING or V_NUMBER */
bool schema_format_holds(int format, const yyjson_val *v);
const char *schema_format_says(int format);

uint32_t schema_name_hash(struct sv name);
const struct schema_member *schema_object_find(const struct schema_object *o,
                                               struct sv name);

#endif
