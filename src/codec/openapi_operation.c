/* Paths, operations, parameters and bodies of a document. */
#include "base/ensure.h"
#include "codec/json.h"
#include "codec/json_place.h"
#include "codec/openapi_int.h"
#include "codec/schema_int.h"

static yyjson_val *unconst(const yyjson_val *v)
{
    return (yyjson_val *)(uintptr_t)v;
}

static struct sv keep(struct openapi_loader *l, struct sv s)
{
    struct sv kept = arena_dup(&l->o->arena, s);
    return kept.p ? kept : SV("");
}

static bool flag(struct openapi_loader *l, const yyjson_val *of,
                 const char *name, bool otherwise)
{
    const yyjson_val *v = json_find(of, name);
    if (v && !yyjson_is_bool(unconst(v)))
        openapi_note(l, true, v, "`%s` must be true or false", name);
    return yyjson_is_bool(unconst(v)) ? yyjson_is_true(unconst(v)) : otherwise;
}

bool openapi_media_is_json(struct sv type)
{
    return sv_eq(type, SV("application/json")) || sv_ends(type, SV("+json")) ||
           sv_eq(type, SV("text/json"));
}

/* --- parameters ------------------------------------------------------------------ */

static const struct {
    const char *name;
    uint8_t in[IN_COUNT]; /* allowed there */
} styles[STYLE_COUNT] = {
    { "simple", { 1, 0, 1, 0 } },         { "label", { 1, 0, 0, 0 } },
    { "matrix", { 1, 0, 0, 0 } },         { "form", { 0, 1, 0, 1 } },
    { "spaceDelimited", { 0, 1, 0, 0 } }, { "pipeDelimited", { 0, 1, 0, 0 } },
    { "deepObject", { 0, 1, 0, 0 } },
};

static int style_of(struct sv name)
{
    for (int i = 0; i < STYLE_COUNT; i++)
        if (sv_eq(name, sv_cstr(styles[i].name))) return i;
    return -1;
}

static bool style_load(struct openapi_loader *l, const yyjson_val *v,
                       enum openapi_in in, struct openapi_value *out)
{
    const yyjson_val *said = json_find(v, "style");
    int style = in == IN_QUERY || in == IN_COOKIE ? STYLE_FORM : STYLE_SIMPLE;
    if (said) style = style_of(json_text(said));
    if (style < 0 || !styles[style].in[in]) {
        openapi_note(l, true, said, "no style of parameters in this place");
        return false;
    }
    out->style = (uint8_t)style;
    out->explode = flag(l, v, "explode", style == STYLE_FORM);
    return true;
}

/* `schema`, or `content` of one type */
static bool value_load(struct openapi_loader *l, const yyjson_val *v,
                       struct openapi_value *out)
{
    const yyjson_val *schema = json_find(v, "schema");
    const yyjson_val *content = json_find(v, "content");
    yyjson_val *key, *media;
    size_t i, max;
    out->schema = SCHEMA_NONE;
    if (schema) return openapi_schema(l, schema, &out->schema);
    if (!yyjson_is_obj(unconst(content)) ||
        yyjson_obj_size(unconst(content)) != 1) {
        openapi_note(l, true, content ? content : v,
                     "needs `schema`, or `content` with one type");
        return false;
    }
    yyjson_obj_foreach(unconst(content), i, max, key, media)
    {
        out->is_json = openapi_media_is_json(json_text(key));
        schema = json_find(media, "schema");
        if (schema && out->is_json)
            return openapi_schema(l, schema, &out->schema);
    }
    return true;
}

static int in_of(struct sv text)
{
    static const char *const names[] = { "path", "query", "header", "cookie" };
    for (int i = 0; i < IN_COUNT; i++)
        if (sv_eq(text, sv_cstr(names[i]))) return i;
    return -1;
}

/* Described by the specification as ignored. */
static bool is_own_header(struct sv name)
{
    return sv_eq_nocase(name, SV("Accept")) ||
           sv_eq_nocase(name, SV("Content-Type")) ||
           sv_eq_nocase(name, SV("Authorization"));
}

static struct sv prefix_of(struct openapi_loader *l, int in, struct sv name)
{
    static const char *const places[] = { "/path", "/query", "/header",
                                          "/cookie" };
    struct buf b;
    buf_init(&b, 8192);
    buf_puts(&b, places[in]);
    json_place_put_step(&b, name);
    struct sv kept = keep(l, buf_sv(&b));
    buf_fini(&b);
    return kept;
}

static bool parameter_load(struct openapi_loader *l, const yyjson_val *v,
                           struct sv path, struct openapi_parameter *out)
{
    const yyjson_val *at = v;
    v = openapi_deref(l, v);
    if (!v) return false;
    struct sv name = json_text(json_find(v, "name"));
    int in = in_of(json_text(json_find(v, "in")));
    if (!name.p || in < 0) {
        openapi_note(l, true, v,
                     "a parameter needs `name`, and `in` of path, query, "
                     "header or cookie");
        return false;
    }
    *out = (struct openapi_parameter){ .in = (uint8_t)in };
    out->required = flag(l, v, "required", false);
    out->allow_empty = flag(l, v, "allowEmptyValue", false);
    int variable = in == IN_PATH ? openapi_template_find(path, name) : 0;
    out->variable = (uint8_t)variable;
    if (variable < 0) {
        openapi_note(l, false, at, "the path has no variable {%.*s}",
                     (int)(name.n < 100 ? name.n : 100), name.p);
        return false;
    }
    if (in == IN_PATH && !out->required)
        openapi_note(l, false, v, "a path parameter is always required");
    if (in == IN_HEADER && is_own_header(name)) return false;
    if (!style_load(l, v, (enum openapi_in)in, &out->value) ||
        !value_load(l, v, &out->value))
        return false;
    out->name = keep(l, name);
    out->prefix = prefix_of(l, in, name);
    return true;
}

static bool is_same(const struct openapi_parameter *a,
                    const struct openapi_parameter *b)
{
    return a->in == b->in &&
           (a->in == IN_HEADER ? sv_eq_nocase(a->name, b->name)
                               : sv_eq(a->name, b->name));
}

/* Those of the operation first: they replace those of the path. */
static void parameters_load(struct openapi_loader *l,
                            struct openapi_operation *op,
                            const yyjson_val *list, const yyjson_val *shared)
{
    const yyjson_val *lists[] = { list, shared };
    size_t i, max,
        most =
            yyjson_arr_size(unconst(list)) + yyjson_arr_size(unconst(shared));
    op->parameters =
        ARENA_ARRAY(&l->o->arena, struct openapi_parameter, most ? most : 1);
    for (int k = 0; k < 2 && op->parameters; k++) {
        yyjson_val *v;
        if (lists[k] && !yyjson_is_arr(unconst(lists[k])))
            openapi_note(l, true, lists[k], "`parameters` must be a list");
        yyjson_arr_foreach(json_place_or_none(lists[k]), i, max, v)
        {
            struct openapi_parameter *p = &op->parameters[op->parameters_n];
            bool known = false;
            if (!parameter_load(l, v, op->path, p)) continue;
            for (unsigned n = 0; n < op->parameters_n; n++)
                known |= is_same(&op->parameters[n], p);
            if (known && k == 0)
                openapi_note(l, true, v, "this parameter stands twice");
            op->parameters_n += !known;
        }
    }
}

static void variables_check(struct openapi_loader *l, const yyjson_val *at,
                            const struct openapi_operation *op)
{
    for (size_t i = 0; i < op->path.n; i++) {
        if (op->path.p[i] != '{') continue;
        struct sv rest, name = sv_cut(sv_from(op->path, i + 1), '}', &rest);
        bool known = false;
        for (unsigned k = 0; k < op->parameters_n; k++)
            known |= op->parameters[k].in == IN_PATH &&
                     sv_eq(op->parameters[k].name, name);
        if (!known)
            openapi_note(l, false, at, "no parameter says what {%.*s} is",
                         (int)(name.n < 100 ? name.n : 100), name.p);
    }
}

/* --- bodies ---------------------------------------------------------------------- */

static enum openapi_body_kind kind_of(struct sv type)
{
    if (openapi_media_is_json(type)) return BODY_JSON;
    if (sv_eq(type, SV("application/x-www-form-urlencoded"))) return BODY_FORM;
    if (sv_eq(type, SV("multipart/form-data"))) return BODY_MULTIPART;
    if (sv_starts(type, SV("text/")) && !sv_eq(type, SV("text/*")))
        return BODY_TEXT;
    return BODY_OPAQUE;
}

static struct sv type_keep(struct openapi_loader *l, struct sv type)
{
    struct sv kept = keep(l, sv_trim(sv_first(type, sv_find(type, ';'))));
    char *p = (char *)(uintptr_t)kept.p;
    for (size_t i = 0; i < kept.n; i++) p[i] = ascii_lower(p[i]);
    return kept;
}

static void encodings_load(struct openapi_loader *l, const yyjson_val *v,
                           struct openapi_media *media)
{
    yyjson_val *key, *said;
    size_t i, max, most = yyjson_obj_size(unconst(v));
    if (!most) return;
    media->encodings = ARENA_ARRAY(&l->o->arena, struct openapi_encoding, most);
    yyjson_obj_foreach(unconst(v), i, max, key, said)
    {
        struct sv type = json_text(json_find(said, "contentType"));
        int style = json_find(said, "style")
                        ? style_of(json_text(json_find(said, "style")))
                        : STYLE_FORM;
        if (!media->encodings) return;
        if (style < STYLE_FORM) {
            openapi_note(l, true, said, "no style of a form's member");
            continue;
        }
        media->encodings[media->encodings_n++] = (struct openapi_encoding){
            keep(l, json_text(key)),
            type.p ? type_keep(l, type) : (struct sv){ NULL, 0 },
            (uint8_t)style, flag(l, said, "explode", style == STYLE_FORM)
        };
    }
}

void openapi_medias_load(struct openapi_loader *l, const yyjson_val *content,
                         struct openapi_medias *out)
{
    yyjson_val *key, *v;
    size_t i, max, most = yyjson_obj_size(unconst(content));
    out->at = ARENA_ARRAY(&l->o->arena, struct openapi_media, most);
    yyjson_obj_foreach(json_place_or_none(content), i, max, key, v)
    {
        const yyjson_val *schema = json_find(v, "schema");
        if (!out->at) return;
        struct openapi_media *media = &out->at[out->n++];
        *media = (struct openapi_media){ .type = type_keep(l, json_text(key)),
                                         .schema = SCHEMA_NONE };
        media->kind = (uint8_t)kind_of(media->type);
        if (sv_find(media->type, '/') == SIZE_MAX)
            openapi_note(l, false, key, "is no type of content");
        if (schema) openapi_schema(l, schema, &media->schema);
        encodings_load(l, json_find(v, "encoding"), media);
    }
}

static void body_load(struct openapi_loader *l, struct openapi_operation *op,
                      const yyjson_val *v)
{
    if (!v || !(v = openapi_deref(l, v))) return;
    const yyjson_val *content = json_find(v, "content");
    if (!yyjson_is_obj(unconst(content)) ||
        !yyjson_obj_size(unconst(content))) {
        openapi_note(l, true, v, "a body needs `content` with its types");
        return;
    }
    op->has_body = true;
    op->body_required = flag(l, v, "required", false);
    openapi_medias_load(l, content, &op->medias);
}

/* --- operations -------------------------------------------------------------------- */

void openapi_operation_load(struct openapi_loader *l, uint32_t path, int method,
                            const yyjson_val *key, const yyjson_val *item,
                            const yyjson_val *v)
{
    struct openapi *o = l->o;
    const yyjson_val *id = json_find(v, "operationId");
    struct openapi_operation op = { .path = keep(l, json_text(key)) };
    static const char methods[OPENAPI_METHODS][8] = {
        "GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE",
    };
    if (!yyjson_is_obj(unconst(v))) {
        openapi_note(l, true, v, "an operation must be an object");
        return;
    }
    if (o->paths[path].operations[method]) {
        openapi_note(l, true, v,
                     "this operation's path and method stand "
                     "twice");
        return;
    }
    op.method = sv_cstr(methods[method]);
    op.id = keep(l, json_text(id));
    if (op.id.n && map_put(&l->ids, op.id, o))
        openapi_note(l, false, id, "this operationId stands twice");
    if (l->is_30 && !json_find(v, "responses"))
        openapi_note(l, false, v, "`responses` is missing");
    parameters_load(l, &op, json_find(v, "parameters"),
                    json_find(item, "parameters"));
    variables_check(l, v, &op);
    body_load(l, &op, json_find(v, "requestBody"));
    if (l->answers) openapi_responses_load(l, &op, json_find(v, "responses"));
    struct openapi_operation *slot = SCHEMA_PUSH(o, operations);
    if (!slot) return;
    *slot = op;
    o->paths[path].operations[method] = o->operations_n;
}

void openapi_paths_load(struct openapi_loader *l, const yyjson_val *paths)
{
    yyjson_val *key, *item, *name, *v;
    size_t i, max, k, most;
    yyjson_obj_foreach(unconst(paths), i, max, key, item)
    {
        if (sv_starts(json_text(key), SV("x-"))) continue;
        const yyjson_val *at = openapi_deref(l, item);
        int64_t path = at ? openapi_path_add(l, key) : -1;
        if (path < 0) continue;
        if (!yyjson_is_obj(unconst(at)))
            openapi_note(l, true, at, "a path's value must be an object");
        yyjson_obj_foreach(unconst(at), k, most, name, v)
        {
            int method = openapi_method_of(json_text(name));
            struct sv text = json_text(name);
            bool lower = text.n && text.p[0] >= 'a';
            if (method >= 0 && lower)
                openapi_operation_load(l, (uint32_t)path, method, key, at, v);
            else if (method >= 0)
                openapi_note(l, false, name,
                             "methods are written in small letters; this one "
                             "is not read");
        }
    }
}
