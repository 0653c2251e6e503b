/* What can be asked of a compiled document but judgements. */
#include <limits.h>

#include "codec/openapi_int.h"
#include "codec/schema_int.h"

unsigned openapi_operations(const struct openapi *o)
{
    return o->operations_n;
}

void openapi_operation_name(const struct openapi *o, unsigned operation,
                            struct sv *method, struct sv *path, struct sv *id)
{
    *method = o->operations[operation].method;
    *path = o->operations[operation].path;
    *id = o->operations[operation].id;
}

bool openapi_operation_has_body(const struct openapi *o, unsigned operation)
{
    return o->operations[operation].has_body;
}

unsigned openapi_operation_find(const struct openapi *o, struct sv method,
                                struct sv path, unsigned *at)
{
    while (*at < o->operations_n) {
        const struct openapi_operation *op = &o->operations[(*at)++];
        if (sv_eq(op->path, path) && (!method.n || sv_eq(op->method, method)))
            return *at - 1;
    }
    return UINT_MAX;
}

void openapi_allow(const struct openapi *o, unsigned path, struct buf *out)
{
    const uint32_t *operations = o->paths[path].operations;
    bool first = true;
    for (int i = 0; i < OPENAPI_METHODS; i++) {
        if (!operations[i]) continue;
        if (!first) buf_puts(out, ", ");
        buf_put(out, o->operations[operations[i] - 1].method);
        first = false;
    }
}

size_t openapi_bytes(const struct openapi *o)
{
    const struct schema *s = o->schema;
    return o->arena.used + s->arena.used +
           o->segments_cap * sizeof *o->segments +
           o->paths_cap * sizeof *o->paths +
           o->operations_cap * sizeof *o->operations +
           s->nodes_n * sizeof *s->nodes + s->ops_n * sizeof *s->ops +
           s->kids_n * sizeof *s->kids + s->numbers_n * sizeof *s->numbers +
           s->objects_n * sizeof *s->objects;
}
