/* libyaml's events, to values in one array. */
#include <stdio.h>
#include <yaml.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/json_flat.h"
#include "codec/yaml.h"
#include "codec/yaml_int.h"

enum { FEW_KEYS = 16, ALIASED_VALUES_MAX = 1 << 20 };

struct reader {
    struct json_flat flat;
    struct arena *arena;
    struct yaml_mark *marks;
    size_t marks_cap, aliased;
    struct map anchors; /* name -> index + 1 of a value that is complete */
    struct sv pending[JSON_FLAT_DEPTH_MAX]; /* anchors of open containers */
    bool is_object[JSON_FLAT_DEPTH_MAX];
    bool has_root;
    struct yaml_why *why;
};

static int refuse_at(struct reader *r, struct yaml_mark at, const char *reason)
{
    r->why->at = at;
    snprintf(r->why->reason, sizeof r->why->reason, "%s", reason);
    return ERR_INVALID;
}

static struct yaml_mark mark_of(const yaml_mark_t *m)
{
    return (struct yaml_mark){ (uint32_t)m->line + 1, (uint32_t)m->column + 1 };
}

static int refuse(struct reader *r, const yaml_event_t *e, const char *reason)
{
    return refuse_at(r, mark_of(&e->start_mark), reason);
}

/* The values since `from` begin at that event. */
static int marks_put(struct reader *r, size_t from, const yaml_event_t *e)
{
    if (r->flat.failed)
        return refuse(r, e, "too many values, or more than 64 levels");
    if (r->flat.n > r->marks_cap) {
        size_t cap = r->flat.cap;
        struct yaml_mark *grown =
            mem_realloc_try(r->marks, cap * sizeof *grown);
        if (!grown) return ERR_NOMEM;
        r->marks = grown;
        r->marks_cap = cap;
    }
    for (size_t i = from; i < r->flat.n; i++)
        r->marks[i] = mark_of(&e->start_mark);
    return 0;
}

static int anchor_put(struct reader *r, struct sv name, size_t index)
{
    if (name.p) map_put(&r->anchors, name, (void *)(uintptr_t)(index + 1));
    return 0;
}

/* Is the next value a key? */
static bool wants_key(const struct reader *r)
{
    unsigned depth = r->flat.depth;
    return depth && r->is_object[depth - 1] &&
           r->flat.values[r->flat.open[depth - 1]].uni.u64 % 2 == 0;
}

static int value_begin(struct reader *r, const yaml_event_t *e,
                       const yaml_char_t *anchor, struct sv *name)
{
    *name = (struct sv){ NULL, 0 };
    if (!r->flat.depth && r->has_root)
        return refuse(r, e, "only one document is read");
    r->has_root = true;
    if (anchor) *name = arena_dup(r->arena, sv_cstr((const char *)anchor));
    return anchor && !name->p ? ERR_NOMEM : 0;
}

static int tagged(struct reader *r, const yaml_event_t *e, bool *text)
{
    const char *tag = (const char *)e->data.scalar.tag;
    *text = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!tag) return 0;
    if (!strcmp(tag, "!") || !strcmp(tag, "tag:yaml.org,2002:str")) {
        *text = true;
        return 0;
    }
    static const char *const plain[] = { "int", "float", "bool", "null" };
    *text = false;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!strncmp(tag, "tag:yaml.org,2002:", 18) &&
            !strcmp(tag + 18, plain[i]))
            return 0;
    return refuse(r, e, "a tag that is not one of JSON's types");
}

static int on_scalar(struct reader *r, const yaml_event_t *e)
{
    struct sv name, number;
    bool is_text, is_key = wants_key(r);
    int rc = value_begin(r, e, e->data.scalar.anchor, &name);
    if (rc == 0) rc = tagged(r, e, &is_text);
    if (rc != 0) return rc;
    struct sv text =
        arena_dup(r->arena, sv_of(e->data.scalar.value, e->data.scalar.length));
    if (!text.p) return ERR_NOMEM;
    if (is_key && !is_text && sv_eq(text, SV("<<")))
        return refuse(r, e, "merge keys (<<) are not YAML 1.2");
    size_t at = r->flat.n;
    enum yaml_scalar kind = is_text || is_key
                                ? YAML_IS_TEXT
                                : yaml_scalar_of(text, r->arena, &number);
    switch (kind) {
    case YAML_IS_NULL: json_flat_null(&r->flat); break;
    case YAML_IS_TRUE:
    case YAML_IS_FALSE: json_flat_bool(&r->flat, kind == YAML_IS_TRUE); break;
    case YAML_IS_NUMBER: json_flat_number(&r->flat, number); break;
    default: json_flat_text(&r->flat, text);
    }
    rc = marks_put(r, at, e);
    return rc ? rc : anchor_put(r, name, at);
}

static int on_start(struct reader *r, const yaml_event_t *e, bool object)
{
    struct sv name;
    const char *tag = (const char *)(object ? e->data.mapping_start.tag
                                            : e->data.sequence_start.tag);
    if (tag && strcmp(tag, "!") != 0 &&
        strcmp(tag,
               object ? "tag:yaml.org,2002:map" : "tag:yaml.org,2002:seq") != 0)
        return refuse(r, e, "a tag that is not one of JSON's types");
    if (wants_key(r)) return refuse(r, e, "a key must be a scalar");
    int rc = value_begin(r, e,
                         object ? e->data.mapping_start.anchor
                                : e->data.sequence_start.anchor,
                         &name);
    if (rc != 0) return rc;
    size_t at = r->flat.n;
    json_flat_open(&r->flat, object);
    rc = marks_put(r, at, e);
    if (rc != 0) return rc;
    r->pending[r->flat.depth - 1] = name;
    r->is_object[r->flat.depth - 1] = object;
    return 0;
}

static struct sv key_at(const yyjson_val *v)
{
    return sv_of(v->uni.str, unsafe_yyjson_get_len((void *)(uintptr_t)v));
}

static int keys_check(struct reader *r, size_t object)
{
    const yyjson_val *values = r->flat.values;
    size_t n = unsafe_yyjson_get_len((void *)(uintptr_t)&values[object]);
    size_t at = object + 1, few[FEW_KEYS];
    struct map many = { 0 };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct sv key = key_at(&values[at]);
        bool twice = false;
        if (n > FEW_KEYS) {
            twice = map_put(&many, key, r);
        } else {
            for (size_t k = 0; k < i; k++)
                twice |= sv_eq(key, key_at(&values[few[k]]));
            few[i] = at;
        }
        if (twice) rc = refuse_at(r, r->marks[at], "this key stands twice");
        const yyjson_val *value = &values[at + 1];
        at =
            (size_t)(unsafe_yyjson_get_next((void *)(uintptr_t)value) - values);
    }
    map_fini(&many);
    return rc;
}

static int on_end(struct reader *r)
{
    unsigned level = r->flat.depth - 1;
    size_t at = r->flat.open[level];
    json_flat_close(&r->flat);
    int rc = r->is_object[level] ? keys_check(r, at) : 0;
    return rc ? rc : anchor_put(r, r->pending[level], at);
}

static unsigned depth_of(const yyjson_val *v)
{
    yyjson_val *val = (yyjson_val *)(uintptr_t)v;
    unsigned most = 0;
    if (!yyjson_is_ctn(val)) return 0;
    const yyjson_val *at = v + 1;
    size_t n = unsafe_yyjson_get_len(val);
    for (size_t i = 0; i < n; i++) {
        if (yyjson_is_obj(val)) at++;
        unsigned deep = depth_of(at);
        if (deep > most) most = deep;
        at = unsafe_yyjson_get_next((yyjson_val *)(uintptr_t)at);
    }
    return most + 1;
}

static int on_alias(struct reader *r, const yaml_event_t *e)
{
    struct sv name = sv_cstr((const char *)e->data.alias.anchor), none;
    size_t at = (size_t)(uintptr_t)map_find(&r->anchors, name);
    if (!at--) return refuse(r, e, "no complete value has this anchor");
    const yyjson_val *v = &r->flat.values[at];
    size_t span = (size_t)(unsafe_yyjson_get_next((void *)(uintptr_t)v) - v);
    if (wants_key(r) && !yyjson_is_str((void *)(uintptr_t)v))
        return refuse(r, e, "a key must be a text");
    r->aliased += span;
    if (r->aliased > ALIASED_VALUES_MAX)
        return refuse(r, e, "aliases repeat too much");
    if (r->flat.depth + depth_of(v) > JSON_FLAT_DEPTH_MAX)
        return refuse(r, e, "more than 64 levels");
    int rc = value_begin(r, e, NULL, &none);
    size_t from = r->flat.n;
    if (rc == 0) json_flat_repeat(&r->flat, at, at + span);
    return rc ? rc : marks_put(r, from, e);
}

static int on_event(struct reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT: return on_scalar(r, e);
    case YAML_ALIAS_EVENT: return on_alias(r, e);
    case YAML_MAPPING_START_EVENT: return on_start(r, e, true);
    case YAML_SEQUENCE_START_EVENT: return on_start(r, e, false);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: return on_end(r);
    default: return 0;
    }
}

static int events_read(struct reader *r, yaml_parser_t *parser)
{
    for (int rc = 0;;) {
        yaml_event_t e;
        if (!yaml_parser_parse(parser, &e)) {
            if (parser->error == YAML_MEMORY_ERROR) return ERR_NOMEM;
            return refuse_at(r, mark_of(&parser->problem_mark),
                             parser->problem ? parser->problem
                                             : "not valid YAML");
        }
        bool end = e.type == YAML_STREAM_END_EVENT;
        if (!end) rc = on_event(r, &e);
        yaml_event_delete(&e);
        if (rc != 0 || end) return rc;
    }
}

static int result_keep(struct reader *r, struct yaml_doc *out)
{
    if (!r->has_root)
        return refuse_at(r, (struct yaml_mark){ 1, 1 }, "nothing is there");
    size_t n = r->flat.n;
    out->values_n = n;
    out->root = arena_alloc(r->arena, n * sizeof *out->root);
    out->marks = arena_alloc(r->arena, n * sizeof *out->marks);
    if (!out->root || !out->marks) return ERR_NOMEM;
    memcpy(out->root, r->flat.values, n * sizeof *out->root);
    memcpy(out->marks, r->marks, n * sizeof *out->marks);
    return 0;
}

int yaml_decode(struct sv text, struct arena *a, struct yaml_doc *out,
                struct yaml_why *why)
{
    struct reader *r = NEW(struct reader);
    yaml_parser_t parser;
    *out = (struct yaml_doc){ 0 };
    r->arena = a;
    r->why = why;
    json_flat_init(&r->flat, YAML_VALUES_MAX, NULL, 0);
    int rc = yaml_parser_initialize(&parser) ? 0 : ERR_NOMEM;
    if (rc == 0) {
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(
            &parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
        rc = events_read(r, &parser);
        yaml_parser_delete(&parser);
    }
    if (rc == 0) rc = result_keep(r, out);
    json_flat_fini(&r->flat);
    map_fini(&r->anchors);
    mem_free(r->marks);
    mem_free(r);
    return rc;
}
