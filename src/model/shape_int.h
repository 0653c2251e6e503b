/* Between shape.c (creates, patches) and shape_value.c (one value). */
#ifndef MODEL_SHAPE_INT_H
#define MODEL_SHAPE_INT_H

#include "model/shape.h"

struct shape_run {
    const struct shape_env *env;
    yyjson_mut_doc *doc;
    struct shape_problem *why;
    size_t path_n; /* of why->field, which is kept as the path so far */
};

/* One level deeper, by name or by index; returns what to give to path_back. */
size_t path_name(struct shape_run *run, struct sv name);
size_t path_index(struct shape_run *run, size_t index);
void path_back(struct shape_run *run, size_t before);

/* At the present path. Returns ERR_INVALID, or ERR_DENIED for not_permitted. */
int shape_refuse(struct shape_run *run, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The unset form of a field as a value: its fallback, "" or null. NULL: over. */
yyjson_mut_val *shape_unset(struct shape_run *run,
                            const struct shape_field *f);

/* How the caller spelled that field of `input` (may be NULL). */
struct sv shape_spelling(const struct shape_field *f, const yyjson_val *input);

/* Checks *value (not null) and makes it canonical; `input` is what the caller
 * wrote at this place, or NULL. */
int shape_value(struct shape_run *run, const struct shape_field *f,
                const yyjson_val *input, yyjson_mut_val **value);

#endif
