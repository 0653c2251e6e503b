/* A build's life, its list of work, and what all keywords' compilers use. */
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/json_place.h"
#include "codec/schema_int.h"

enum { BUILD_BYTES_MAX = 512 << 20, PATH_BYTES_MAX = 1 << 20 };

int schema_refuse(struct schema_build *b, const yyjson_val *at, const char *fmt,
                  ...)
{
    va_list ap;
    va_start(ap, fmt);
    b->why->at = at;
    vsnprintf(b->why->reason, sizeof b->why->reason, fmt, ap);
    va_end(ap);
    return ERR_INVALID;
}

bool schema_grow(void *p, uint32_t n, uint32_t *cap, size_t size)
{
    void **array = p;
    if (n < *cap) return true;
    uint32_t want = *cap ? *cap * 2 : 16;
    void *grown =
        want > *cap ? mem_realloc_try(*array, (size_t)want * size) : NULL;
    if (!grown) return false;
    *array = grown;
    *cap = want;
    return true;
}

int schema_build_new(const yyjson_val *root, size_t values_n,
                     const struct schema_options *options,
                     struct schema_build **out, struct schema_why *why)
{
    struct schema_build *b = NEW(struct schema_build);
    *out = NULL;
    *b = (struct schema_build){
        .root = root, .values_n = values_n, .options = *options, .why = why
    };
    arena_init(&b->arena, BUILD_BYTES_MAX, NULL, 0);
    b->program = NEW(struct schema);
    /* lists begin behind one kid that is nobody's: an empty one has a place */
    uint32_t *none = SCHEMA_PUSH(b->program, kids);
    if (none) *none = 0;
    arena_init(&b->program->arena, BUILD_BYTES_MAX, NULL, 0);
    b->marks = ARENA_ARRAY(&b->arena, struct schema_mark, values_n);
    if (!b->marks || !schema_grow(&b->resources, 0, &b->resources_cap,
                                  sizeof *b->resources)) {
        schema_build_free(&b);
        return ERR_NOMEM;
    }
    b->resources[b->resources_n++] =
        (struct schema_resource){ .uri = SV(""), .root = root };
    *out = b;
    return 0;
}

void schema_build_free(struct schema_build **b)
{
    struct schema_build *old = *b;
    if (!old) return;
    map_fini(&old->by_uri);
    map_fini(&old->anchors);
    map_fini(&old->patterns);
    map_fini(&old->pointers);
    mem_free(old->resources);
    mem_free(old->work);
    arena_fini(&old->arena);
    schema_free(&old->program);
    mem_free(old);
    *b = NULL;
}

struct schema *schema_build_done(struct schema_build **b)
{
    struct schema *s = (*b)->program;
    (*b)->program = NULL;
    schema_build_free(b);
    return s;
}

void schema_free(struct schema **s)
{
    struct schema *old = *s;
    if (!old) return;
    for (uint32_t i = 0; i < old->patterns_n; i++)
        pattern_free(&old->patterns[i]);
    arena_fini(&old->arena);
    mem_free(old->nodes);
    mem_free(old->ops);
    mem_free(old->kids);
    mem_free(old->numbers);
    mem_free(old->values);
    mem_free(old->patterns);
    mem_free(old->objects);
    mem_free(old->discriminators);
    mem_free(old->anchors);
    mem_free(old);
    *s = NULL;
}

/* --- nodes ------------------------------------------------------------------ */

int schema_node_of(struct schema_build *b, const yyjson_val *at, uint32_t up,
                   struct sv path, uint32_t *out)
{
    struct schema_mark *mark = &b->marks[at - b->root];
    if (mark->node) {
        *out = mark->node - 1;
        return 0;
    }
    if (!yyjson_is_obj((yyjson_val *)(uintptr_t)at) &&
        (!yyjson_is_bool((yyjson_val *)(uintptr_t)at) ||
         b->options.dialect == SCHEMA_OPENAPI_30))
        return schema_refuse(
            b, at, "a schema must be an object%s",
            b->options.dialect == SCHEMA_OPENAPI_30 ? "" : ", true or false");
    uint32_t n = b->program->nodes_n;
    if (!schema_grow(&b->work, n, &b->work_cap, sizeof *b->work))
        return ERR_NOMEM;
    struct schema_node *node = SCHEMA_PUSH(b->program, nodes);
    if (!node) return ERR_NOMEM;
    *node = (struct schema_node){ .up = up,
                                  .path = path,
                                  .types = SCHEMA_T_ANY,
                                  .resource =
                                      mark->resource ? mark->resource - 1 : 0 };
    b->work[n] = at;
    mark->node = n + 1;
    *out = n;
    return 0;
}

int schema_child(const struct schema_work *w, unsigned id, struct sv step,
                 const yyjson_val *at, uint32_t *out)
{
    struct arena *a = &w->b->program->arena;
    struct schema_mark *mark = &w->b->marks[at - w->b->root];
    if (mark->node) {
        *out = mark->node - 1;
        return 0;
    }
    char small[256];
    struct buf path;
    buf_init_fixed(&path, small, sizeof small);
    if (step.n > sizeof small / 4) buf_init(&path, PATH_BYTES_MAX);
    json_place_put_step(&path, schema_keywords[id].name);
    if (step.p) json_place_put_step(&path, step);
    struct sv kept = arena_dup(a, buf_sv(&path));
    buf_fini(&path);
    if (!kept.p) return ERR_NOMEM;
    return schema_node_of(w->b, at, w->node, kept, out);
}

int schema_emit(const struct schema_work *w, enum schema_op_kind kind,
                unsigned values, uint32_t a, uint32_t b, uint32_t c)
{
    struct schema_op *op = SCHEMA_PUSH(w->b->program, ops);
    if (!op) return ERR_NOMEM;
    *op = (struct schema_op){
        (uint8_t)kind, (uint8_t)values, w->keyword, a, b, c
    };
    return 0;
}

int schema_kid(const struct schema_work *w, uint32_t kid)
{
    uint32_t *at = SCHEMA_PUSH(w->b->program, kids);
    if (!at) return ERR_NOMEM;
    *at = kid;
    return 0;
}

int schema_pattern_of(struct schema_build *b, const yyjson_val *at,
                      struct sv source, uint32_t *out)
{
    struct pattern_why why;
    struct pattern *pattern;
    void *known = map_find(&b->patterns, source);
    if (known) {
        *out = (uint32_t)(uintptr_t)known - 1;
        return 0;
    }
    int rc = pattern_new(source, b->options.jit, &pattern, &why);
    if (rc == ERR_INVALID)
        return schema_refuse(b, at, "the pattern is not usable: %s",
                             why.reason);
    if (rc != 0) return rc;
    struct pattern **slot = SCHEMA_PUSH(b->program, patterns);
    if (!slot) {
        pattern_free(&pattern);
        return ERR_NOMEM;
    }
    *slot = pattern;
    *out = b->program->patterns_n - 1;
    map_put(&b->patterns, source, (void *)(uintptr_t)(*out + 1));
    return 0;
}

/* A container spans its members: one copy, then the texts. */
int schema_value_of(struct schema_build *b, const yyjson_val *v, uint32_t *out)
{
    struct arena *a = &b->program->arena;
    size_t n = json_place_span(v);
    yyjson_val *copy = arena_alloc(a, n * sizeof *copy);
    const yyjson_val **slot = SCHEMA_PUSH(b->program, values);
    if (!copy || !slot) return ERR_NOMEM;
    memcpy(copy, v, n * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        if (!yyjson_is_str(&copy[i]) && !yyjson_is_raw(&copy[i])) continue;
        copy[i].uni.str = arena_dup(a, sv_of(copy[i].uni.str,
                                             unsafe_yyjson_get_len(&copy[i])))
                              .p;
        if (!copy[i].uni.str) return ERR_NOMEM;
    }
    *slot = copy;
    *out = b->program->values_n - 1;
    return 0;
}

/* --- the list of work -------------------------------------------------------- */

/* A keyword of the other dialect is probably meant to judge. */
static void foreign_warn(struct schema_build *b, const yyjson_val *key)
{
    if (!b->options.warn || b->options.dialect != SCHEMA_OPENAPI_30) return;
    unsigned id = schema_keyword_find(json_text(key), SCHEMA_2020_12);
    if (id != KW_COUNT && id > KW_DEFINITIONS)
        b->options.warn(b->options.warn_context, key,
                        "is no keyword of OpenAPI 3.0 and judges nothing");
}

static int node_compile(struct schema_build *b, uint32_t index)
{
    const yyjson_val *found[KW_COUNT] = { NULL };
    const yyjson_val *schema = b->work[index];
    uint64_t mask = 0;
    yyjson_val *key, *value;
    size_t i, max;
    struct schema_work w = { b, index, schema, schema, found, KW_FALSE };
    b->program->nodes[index].op = b->program->ops_n;
    if (yyjson_is_false((yyjson_val *)(uintptr_t)schema)) {
        b->program->nodes[index].types = 0;
        b->program->nodes[index].op_n = 1;
        return schema_emit(&w, OP_FALSE, V_ALL, 0, 0, 0);
    }
    yyjson_obj_foreach((yyjson_val *)(uintptr_t)schema, i, max, key, value)
    {
        unsigned id = schema_keyword_find(json_text(key), b->options.dialect);
        if (id == KW_COUNT) {
            foreign_warn(b, key);
            continue;
        }
        found[id] = value;
        mask |= UINT64_C(1) << id;
    }
    /* OpenAPI 3.0: a reference stands alone */
    if (b->options.dialect == SCHEMA_OPENAPI_30 && found[KW_REF])
        mask = UINT64_C(1) << KW_REF;
    int rc = 0;
    for (; mask && rc == 0; mask &= mask - 1) {
        w.keyword = (uint16_t)__builtin_ctzll(mask);
        w.value = found[w.keyword];
        if (schema_keywords[w.keyword].compile)
            rc = schema_keywords[w.keyword].compile(&w);
    }
    struct schema_node *node = &b->program->nodes[index];
    node->op_n = b->program->ops_n - node->op;
    return rc;
}

static int work_do(struct schema_build *b)
{
    int rc = 0;
    while (rc == 0 && b->done < b->program->nodes_n)
        rc = node_compile(b, b->done++);
    return rc;
}

/* A dynamic reference may end at any dynamic anchor. */
static int anchors_compile(struct schema_build *b)
{
    int rc = 0;
    while (rc == 0 && b->anchors_done < b->program->anchors_n) {
        struct schema_anchor *anchor = &b->program->anchors[b->anchors_done++];
        uint32_t node;
        struct buf path;
        buf_init(&path, PATH_BYTES_MAX);
        json_place_put(&path, b->root, anchor->at);
        struct sv kept = arena_dup(&b->program->arena, buf_sv(&path));
        buf_fini(&path);
        rc = schema_node_of(b, anchor->at, SCHEMA_NONE, kept, &node);
        if (rc == 0) b->program->anchors[b->anchors_done - 1].node = node;
        if (rc == 0) rc = work_do(b);
    }
    return rc;
}

int schema_build_scan(struct schema_build *b, const yyjson_val *at,
                      struct schema_why *why)
{
    b->why = why;
    if (b->options.dialect == SCHEMA_OPENAPI_30) return 0;
    return schema_index(b, at, 0, 0);
}

int schema_build_add(struct schema_build *b, const yyjson_val *at,
                     uint32_t *entry_out, struct schema_why *why)
{
    struct buf path;
    int rc = schema_build_scan(b, at, why);
    if (rc != 0) return rc;
    struct sv kept = SV("");
    if (!b->marks[at - b->root].node) {
        buf_init(&path, PATH_BYTES_MAX);
        json_place_put(&path, b->root, at);
        kept = arena_dup(&b->program->arena, buf_sv(&path));
        buf_fini(&path);
        if (!kept.p) return ERR_NOMEM;
    }
    rc = schema_node_of(b, at, SCHEMA_NONE, kept, entry_out);
    if (rc == 0) rc = work_do(b);
    if (rc == 0 && b->program->has_dynamic) rc = anchors_compile(b);
    return rc;
}
