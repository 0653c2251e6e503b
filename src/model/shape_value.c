/* One value against one field: type, range, text, items, nested fields, and
 * the field's own check last. */
#include <stdarg.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "model/shape_int.h"

static size_t path_add(struct shape_run *run, const char *text, size_t n)
{
    size_t before = run->path_n, room = sizeof run->why->field - 1 - before;
    if (n > room) n = room;
    memcpy(run->why->field + before, text, n);
    run->path_n = before + n;
    run->why->field[run->path_n] = '\0';
    return before;
}

size_t path_name(struct shape_run *run, struct sv name)
{
    size_t before = run->path_n;
    if (before) path_add(run, ".", 1);
    path_add(run, name.p, name.n);
    return before;
}

size_t path_index(struct shape_run *run, size_t index)
{
    char text[24];
    int n = snprintf(text, sizeof text, "[%zu]", index);
    return path_add(run, text, (size_t)n);
}

void path_back(struct shape_run *run, size_t before)
{
    run->path_n = before;
    run->why->field[before] = '\0';
}

int shape_problem_set(struct shape_problem *why, const char *field,
                      const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why->message, sizeof why->message, fmt, ap);
    va_end(ap);
    why->code = code;
    if (field) snprintf(why->field, sizeof why->field, "%s", field);
    return ERR_INVALID;
}

int shape_refuse(struct shape_run *run, const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(run->why->message, sizeof run->why->message, fmt, ap);
    va_end(ap);
    run->why->code = code;
    return strcmp(code, "not_permitted") == 0 ? ERR_DENIED : ERR_INVALID;
}

struct sv shape_spelling(const struct shape_field *f, const yyjson_val *input)
{
    bool other = f->alias && yyjson_is_obj((yyjson_val *)(uintptr_t)input) &&
                 !json_find(input, f->name) && json_find(input, f->alias);
    return sv_cstr(other ? f->alias : f->name);
}

static int refuse_type(struct shape_run *run, const struct shape_field *f)
{
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {
        { SHAPE_STRING, "a string" },
        { SHAPE_INTEGER, "an integer" },
        { SHAPE_BOOLEAN, "true or false" },
        { SHAPE_STRINGS, "an array of strings" },
        { SHAPE_OBJECT, "an object" },
        { SHAPE_OBJECTS, "an array of objects" },
        { SHAPE_MAP, "an object" },
        { SHAPE_LIST, "an array" },
        { SHAPE_FALSE, "false" },
    };
    char text[120] = "";
    struct buf b;
    buf_init_fixed(&b, text, sizeof text - 1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!(f->types & names[i].type)) continue;
        if (b.n) buf_puts(&b, " or ");
        buf_puts(&b, names[i].name);
    }
    text[b.n] = '\0';
    return shape_refuse(run, "invalid_type", "must be %s", text);
}

yyjson_mut_val *shape_unset(struct shape_run *run, const struct shape_field *f)
{
    /* Parsed, so that rules see values of the right type. */
    yyjson_doc *doc = NULL;
    const char *text = f->fallback             ? f->fallback
                       : f->flags & SHAPE_SEED ? "\"\""
                                               : "null";
    if (json_decode(sv_cstr(text), run->env->arena, &doc, NULL)) return NULL;
    return yyjson_val_mut_copy(run->doc, yyjson_doc_get_root(doc));
}

static int integer_check(struct shape_run *run, const struct shape_field *f,
                         int64_t v, yyjson_mut_val **value)
{
    if (v < f->min || v > f->max)
        return shape_refuse(run, "out_of_range",
                            "must be between %lld and %lld", (long long)f->min,
                            (long long)f->max);
    *value = yyjson_mut_sint(run->doc, v);
    return 0;
}

static bool one_of(const char *const *options, struct sv s)
{
    for (; options && *options; options++)
        if (sv_eq(s, sv_cstr(*options))) return true;
    return false;
}

static int refuse_option(struct shape_run *run, const struct shape_field *f)
{
    char text[200] = "";
    struct buf b;
    buf_init_fixed(&b, text, sizeof text - 1);
    for (size_t i = 0; f->options[i]; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", f->options[i]);
    text[b.n] = '\0';
    return shape_refuse(run, "invalid_value", "must be one of: %s", text);
}

static int text_check(struct shape_run *run, const struct shape_field *f,
                      struct sv s, size_t least, size_t most)
{
    size_t n = utf8_count(s);
    if (n < least || n > most)
        return shape_refuse(run, "out_of_range",
                            "must have %zu to %zu characters", least, most);
    if (f->text && !f->text->ok(s))
        return shape_refuse(run, "invalid_value", "%s", f->text->says);
    return 0;
}

static int ref_check(struct shape_run *run, const struct shape_field *f,
                     struct sv id)
{
    const struct shape_env *env = run->env;
    if (id_parse(f->ref, id, NULL) == 0 && env->exists &&
        env->exists(env->ctx, f->ref, id))
        return 0;
    return shape_refuse(run, "not_found", "names no %s of this account",
                        kind_noun(f->ref));
}

static int string_check(struct shape_run *run, const struct shape_field *f,
                        struct sv s)
{
    if (f->ref && (!f->text || id_parse(f->ref, s, NULL) == 0))
        return ref_check(run, f, s);
    if (f->options)
        return one_of(f->options, s) || one_of(f->hidden, s)
                   ? 0
                   : refuse_option(run, f);
    return f->types & SHAPE_STRINGS
               ? text_check(run, f, s, 1, f->item_max)
               : text_check(run, f, s, f->len_min, f->len_max);
}

static int strings_check(struct shape_run *run, const struct shape_field *f,
                         yyjson_mut_val *array)
{
    size_t i, max, j, jmax;
    yyjson_mut_val *item, *other;
    yyjson_mut_arr_foreach(array, i, max, item)
    {
        size_t before = path_index(run, i);
        if (!yyjson_mut_is_str(item))
            return shape_refuse(run, "invalid_type", "must be a string");
        int rc = text_check(run, f, json_mut_text(item), 1, f->item_max);
        if (rc) return rc;
        if (f->flags & SHAPE_UNIQUE)
            yyjson_mut_arr_foreach(array, j, jmax, other)
            {
                if (j == i) break;
                if (yyjson_mut_equals(item, other))
                    return shape_refuse(run, "invalid_value",
                                        "must not occur twice");
            }
        path_back(run, before);
    }
    return 0;
}

/* The canonical form of an object of fields: our order, defaults filled. */
static int object_check(struct shape_run *run, const struct shape_field *f,
                        const yyjson_val *input, yyjson_mut_val **value)
{
    yyjson_mut_val *out = yyjson_mut_obj(run->doc);
    for (const struct shape_field *g = f->fields; g->name; g++) {
        yyjson_mut_val *v = yyjson_mut_obj_get(*value, g->name);
        size_t before = path_name(run, shape_spelling(g, input));
        if (!v || yyjson_mut_is_null(v)) {
            if (g->flags & SHAPE_REQUIRED)
                return shape_refuse(run, "required", "is required");
            if (g->fallback)
                yyjson_mut_obj_add_val(run->doc, out, g->name,
                                       shape_unset(run, g));
        } else {
            const yyjson_val *was = NULL;
            v = yyjson_mut_val_mut_copy(run->doc, v);
            if (!v) return ERR_NOMEM;
            if (yyjson_is_obj((yyjson_val *)(uintptr_t)input))
                was = json_find(input, shape_spelling(g, input).p);
            int rc = shape_value(run, g, was, &v);
            if (rc) return rc;
            if (!yyjson_mut_obj_add_val(run->doc, out, g->name, v))
                return ERR_NOMEM;
        }
        path_back(run, before);
    }
    *value = out;
    return 0;
}

static int objects_check(struct shape_run *run, const struct shape_field *f,
                         const yyjson_val *input, yyjson_mut_val **value)
{
    yyjson_mut_val *out = yyjson_mut_arr(run->doc), *item;
    size_t i, max;
    yyjson_mut_arr_foreach(*value, i, max, item)
    {
        size_t before = path_index(run, i);
        if (!yyjson_mut_is_obj(item))
            return shape_refuse(run, "invalid_type", "must be an object");
        yyjson_mut_val *v = item; /* becomes a new object */
        int rc = object_check(
            run, f, yyjson_arr_get((yyjson_val *)(uintptr_t)input, i), &v);
        if (rc) return rc;
        if (!yyjson_mut_arr_append(out, v)) return ERR_NOMEM;
        path_back(run, before);
    }
    *value = out;
    return 0;
}

static int array_check(struct shape_run *run, const struct shape_field *f,
                       const yyjson_val *input, yyjson_mut_val **value)
{
    size_t n = yyjson_mut_arr_size(*value);
    if (!(f->types & (SHAPE_STRINGS | SHAPE_OBJECTS | SHAPE_LIST)))
        return refuse_type(run, f);
    if (n < f->len_min || n > f->len_max)
        return shape_refuse(run, "out_of_range", "must have %u to %u items",
                            f->len_min, f->len_max);
    if (f->types & SHAPE_LIST) return 0;
    return f->types & SHAPE_STRINGS ? strings_check(run, f, *value)
                                    : objects_check(run, f, input, value);
}

static int map_check(struct shape_run *run, const struct shape_field *f,
                     yyjson_mut_val *value)
{
    struct sv text = json_encode(run->env->arena, value);
    uint32_t most = f->types & SHAPE_LIST ? f->item_max : f->len_max;
    if (!text.p) return ERR_NOMEM;
    if (text.n > most)
        return shape_refuse(run, "out_of_range",
                            "must have at most %u bytes as JSON", most);
    return 0;
}

static int type_check(struct shape_run *run, const struct shape_field *f,
                      const yyjson_val *input, yyjson_mut_val **value)
{
    yyjson_mut_val *v = *value;
    int64_t number;
    if (yyjson_mut_is_bool(v))
        return f->types & SHAPE_BOOLEAN ||
                       (f->types & SHAPE_FALSE && yyjson_mut_is_false(v))
                   ? 0
                   : refuse_type(run, f);
    if (yyjson_mut_is_str(v))
        return f->types & SHAPE_STRING ? string_check(run, f, json_mut_text(v))
                                       : refuse_type(run, f);
    if (yyjson_mut_is_arr(v)) return array_check(run, f, input, value);
    if (yyjson_mut_is_obj(v))
        return f->types & SHAPE_OBJECT ? object_check(run, f, input, value)
               : f->types & SHAPE_MAP  ? map_check(run, f, v)
                                       : refuse_type(run, f);
    /* A number of either document kind has the same head. */
    if (f->types & SHAPE_INTEGER && json_is_int((const yyjson_val *)v, &number))
        return integer_check(run, f, number, value);
    if (f->types & SHAPE_INTEGER && yyjson_mut_is_num(v) &&
        (yyjson_mut_is_uint(v) || yyjson_mut_get_real(v) > 9007199254740992.0 ||
         yyjson_mut_get_real(v) < -9007199254740992.0))
        return integer_check(run, f, INT64_MIN, value);
    return refuse_type(run, f);
}

int shape_value(struct shape_run *run, const struct shape_field *f,
                const yyjson_val *input, yyjson_mut_val **value)
{
    int rc = type_check(run, f, input, value);
    if (rc == 0 && f->check) rc = f->check(run->env, run->doc, value, run->why);
    return rc == 0 && !*value ? ERR_NOMEM : rc;
}
