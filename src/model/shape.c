/* Creates and patches over one field table. The input is first written again
 * under our own names, which finds unknown fields and double spellings; then
 * each field of the table is taken, checked and put in the table's order. */
#include "model/shape.h"

#include "base/ensure.h"
#include "base/err.h"
#include "model/shape_int.h"

const struct shape_field *shape_find(const struct shape_field *fields,
                                     struct sv name)
{
    for (const struct shape_field *f = fields; f->name; f++)
        if (sv_eq(name, sv_cstr(f->name)) ||
            (f->alias && sv_eq(name, sv_cstr(f->alias))))
            return f;
    return NULL;
}

bool shape_names(const struct shape *shape, yyjson_val *input, const char *name)
{
    const struct shape_field *f = shape_find(shape->fields, sv_cstr(name));
    ENSURE(f != NULL);
    return json_find(input, f->name) ||
           (f->alias && json_find(input, f->alias));
}

int shape_member_set(yyjson_mut_doc *doc, const char *name,
                     yyjson_mut_val *value)
{
    yyjson_mut_val *key = yyjson_mut_strcpy(doc, name);
    return value && key &&
                   yyjson_mut_obj_put(yyjson_mut_doc_get_root(doc), key, value)
               ? 0
               : ERR_NOMEM;
}

static int canonical(struct shape_run *run, const struct shape_field *fields,
                     yyjson_val *input, yyjson_mut_val **out);

static int canonical_value(struct shape_run *run, const struct shape_field *f,
                           yyjson_val *input, yyjson_mut_val **out)
{
    if (f->types & SHAPE_OBJECT && yyjson_is_obj(input))
        return canonical(run, f->fields, input, out);
    if (!(f->types & SHAPE_OBJECTS) || !yyjson_is_arr(input)) {
        *out = yyjson_val_mut_copy(run->doc, input);
        return *out ? 0 : ERR_NOMEM;
    }
    *out = yyjson_mut_arr(run->doc);
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(input, i, max, item)
    {
        yyjson_mut_val *v = NULL;
        size_t before = path_index(run, i);
        int rc = yyjson_is_obj(item) ? canonical(run, f->fields, item, &v) : 0;
        if (rc) return rc;
        if (!v) v = yyjson_val_mut_copy(run->doc, item);
        if (!v || !yyjson_mut_arr_append(*out, v)) return ERR_NOMEM;
        path_back(run, before);
    }
    return 0;
}

static int canonical(struct shape_run *run, const struct shape_field *fields,
                     yyjson_val *input, yyjson_mut_val **out)
{
    size_t i, max;
    yyjson_val *key, *value;
    *out = yyjson_mut_obj(run->doc);
    yyjson_obj_foreach(input, i, max, key, value)
    {
        struct sv name = json_text(key);
        size_t before = path_name(run, name);
        const struct shape_field *f = shape_find(fields, name);
        if (!f)
            return shape_refuse(run, "unknown_field", "is not a known field");
        if (yyjson_mut_obj_get(*out, f->name))
            return shape_refuse(run, "duplicate_field",
                                "is given twice: %s and %s are the same field",
                                f->name, f->alias);
        yyjson_mut_val *v = NULL;
        int rc = canonical_value(run, f, value, &v);
        if (rc) return rc;
        if (!yyjson_mut_obj_add_val(run->doc, *out, f->name, v))
            return ERR_NOMEM;
        path_back(run, before);
    }
    return 0;
}

/* Adds the field's unset form. */
static int put_unset(struct shape_run *run, const struct shape *shape,
                     const struct shape_field *f, yyjson_mut_val *out)
{
    if (!f->fallback && shape->sparse) return 0;
    yyjson_mut_val *v = shape_unset(run, f);
    return v && yyjson_mut_obj_add_val(run->doc, out, f->name, v) ? 0
                                                                  : ERR_NOMEM;
}

static bool is_unset(const struct shape_field *f, yyjson_mut_val *v)
{
    return !v || yyjson_mut_is_null(v) ||
           (f->flags & SHAPE_SEED && yyjson_mut_is_str(v) &&
            yyjson_mut_get_len(v) == 0);
}

static int role_check(struct shape_run *run, const struct shape_field *f)
{
    if (run->env->role >= f->role) return 0;
    return shape_refuse(run, "not_permitted",
                        "may be set only with role %s or above",
                        role_name(f->role));
}

/* A value that was asked for: NULL or null for "unset". */
static int put_field(struct shape_run *run, const struct shape *shape,
                     const struct shape_field *f, const yyjson_val *input,
                     yyjson_mut_val *v, yyjson_mut_val *out)
{
    if (is_unset(f, v)) {
        if (f->flags & SHAPE_REQUIRED)
            return shape_refuse(run, "required", "is required");
        return put_unset(run, shape, f, out);
    }
    /* A value is a link of its parent's list: what moves is a copy. */
    v = yyjson_mut_val_mut_copy(run->doc, v);
    if (!v) return ERR_NOMEM;
    int rc = shape_value(run, f, input, &v);
    if (rc) return rc;
    return yyjson_mut_obj_add_val(run->doc, out, f->name, v) ? 0 : ERR_NOMEM;
}

static int create_field(struct shape_run *run, const struct shape *shape,
                        const struct shape_field *f, yyjson_val *input,
                        yyjson_mut_val *asked, yyjson_mut_val *out)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(asked, f->name);
    if (f->flags & SHAPE_READ_ONLY) {
        if (is_unset(f, v)) return 0;
        return shape_refuse(run, "read_only", "is read-only");
    }
    int rc = is_unset(f, v) ? 0 : role_check(run, f);
    if (rc) return rc;
    return put_field(run, shape, f,
                     json_find(input, shape_spelling(f, input).p), v, out);
}

/* The present value as this document's, NULL if it has none. */
static yyjson_mut_val *present_of(struct shape_run *run,
                                  const struct shape_field *f,
                                  yyjson_val *present)
{
    yyjson_val *v = json_find(present, f->name);
    return v ? yyjson_val_mut_copy(run->doc, v) : NULL;
}

static bool same(const struct shape_field *f, yyjson_mut_val *a,
                 yyjson_mut_val *b)
{
    if (is_unset(f, a) || is_unset(f, b))
        return is_unset(f, a) == is_unset(f, b);
    return yyjson_mut_equals(a, b);
}

static int patch_field(struct shape_run *run, const struct shape *shape,
                       const struct shape_field *f, yyjson_val *present,
                       yyjson_val *input, yyjson_mut_val *asked,
                       yyjson_mut_val *out)
{
    yyjson_mut_val *was = present_of(run, f, present);
    yyjson_mut_val *v = yyjson_mut_obj_get(asked, f->name);
    bool named = v != NULL, fixed = f->flags & SHAPE_READ_ONLY;
    if (named && yyjson_mut_is_obj(v) && !fixed) {
        v = yyjson_mut_merge_patch(run->doc, was, v);
        if (!v) return ERR_NOMEM;
    }
    if (named && !same(f, v, was)) {
        if (f->flags & (SHAPE_READ_ONLY | SHAPE_CREATE_ONLY))
            return shape_refuse(run, "read_only",
                                fixed ? "is read-only"
                                      : "cannot be changed after creation");
        int rc = role_check(run, f);
        if (rc) return rc;
        return put_field(run, shape, f,
                         json_find(input, shape_spelling(f, input).p), v, out);
    }
    if (fixed) return 0;
    if (is_unset(f, was)) return put_unset(run, shape, f, out);
    return yyjson_mut_obj_add_val(run->doc, out, f->name, was) ? 0 : ERR_NOMEM;
}

static int run_shape(const struct shape *shape, const struct shape_env *env,
                     yyjson_val *present, yyjson_val *input,
                     yyjson_mut_doc **out, struct shape_problem *why)
{
    *why = (struct shape_problem){ .code = "" };
    *out = NULL;
    struct shape_run run = { env, json_new(env->arena), why, 0 };
    if (!run.doc) return ERR_NOMEM;
    if (!yyjson_is_obj(input))
        return shape_refuse(&run, "invalid_type",
                            "the body must be a JSON object");
    yyjson_mut_val *asked = NULL, *root = yyjson_mut_obj(run.doc);
    int rc = canonical(&run, shape->fields, input, &asked);
    for (const struct shape_field *f = shape->fields; rc == 0 && f->name; f++) {
        size_t before = path_name(&run, shape_spelling(f, input));
        rc = present ? patch_field(&run, shape, f, present, input, asked, root)
                     : create_field(&run, shape, f, input, asked, root);
        if (rc == 0) path_back(&run, before);
    }
    if (rc) return rc;
    yyjson_mut_doc_set_root(run.doc, root);
    if (shape->rules) rc = shape->rules(env, run.doc, present, asked, why);
    if (rc == 0 && env->arena->overflow) rc = ERR_NOMEM;
    if (rc == 0) *out = run.doc;
    return rc;
}

int shape_create(const struct shape *shape, const struct shape_env *env,
                 yyjson_val *input, yyjson_mut_doc **out,
                 struct shape_problem *why)
{
    return run_shape(shape, env, NULL, input, out, why);
}

int shape_patch(const struct shape *shape, const struct shape_env *env,
                yyjson_val *present, yyjson_val *input, yyjson_mut_doc **out,
                struct shape_problem *why)
{
    ENSURE(yyjson_is_obj(present));
    return run_shape(shape, env, present, input, out, why);
}
