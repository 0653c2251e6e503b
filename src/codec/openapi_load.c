/* From a text to a compiled document: JSON or YAML, the version, what to say
 * of mistakes and where. */
#include <stdio.h>

#include "base/err.h"
#include "base/ensure.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/json_place.h"
#include "codec/openapi_int.h"
#include "codec/percent.h"

enum { DOCUMENT_ARENA_BYTES = 512 << 20, REFERENCES_MAX = 8 };

static yyjson_val *unconst(const yyjson_val *v)
{
    return (yyjson_val *)(uintptr_t)v;
}

static void note_add(struct openapi_report *r, struct openapi_note note)
{
    r->errors += note.is_error;
    if (!r->notes)
        r->notes =
            ARENA_ARRAY(r->arena, struct openapi_note, OPENAPI_NOTES_MAX);
    /* an error takes the place of a warning when there is no room */
    if (r->notes && r->n == OPENAPI_NOTES_MAX && note.is_error)
        for (unsigned i = 0; i < r->n; i++)
            if (!r->notes[i].is_error) {
                r->notes[i] = note;
                break;
            }
    r->more |= !r->notes || r->n == OPENAPI_NOTES_MAX;
    if (!r->more) r->notes[r->n++] = note;
}

static void note_at(struct openapi_loader *l, bool is_error,
                    const yyjson_val *at, struct sv says)
{
    struct openapi_note note = { .is_error = is_error, .says = says };
    struct buf place;
    buf_init(&place, 1 << 20);
    if (at) json_place_put(&place, l->root, at);
    note.place = arena_dup(l->report->arena, buf_sv(&place));
    buf_fini(&place);
    if (at && l->marks) {
        note.line = l->marks[at - l->root].line;
        note.column = l->marks[at - l->root].column;
    }
    note_add(l->report, note);
}

void openapi_note(struct openapi_loader *l, bool is_error, const yyjson_val *at,
                  const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    note_at(l, is_error, at, arena_dup(l->report->arena, sv_cstr(text)));
}

const yyjson_val *openapi_deref(struct openapi_loader *l, const yyjson_val *v)
{
    const yyjson_val *from = v, *ref;
    for (int i = 0; i < REFERENCES_MAX; i++) {
        ref = json_find(v, "$ref");
        if (!ref) return v;
        struct sv text = json_text(ref);
        char pointer[1024];
        if (text.n > sizeof pointer || !sv_starts(text, SV("#/"))) {
            openapi_note(l, true, ref,
                         "references do not leave the document, and begin "
                         "with #/");
            return NULL;
        }
        size_t n = percent_decode(pointer, sv_from(text, 1));
        v = json_place_find(l->root, sv_of(pointer, n));
        if (!v) {
            openapi_note(l, true, ref, "nothing is at '%.*s'",
                         (int)(text.n < 150 ? text.n : 150), text.p);
            return NULL;
        }
    }
    openapi_note(l, true, from, "a reference that refers on and on");
    return NULL;
}

bool openapi_schema(struct openapi_loader *l, const yyjson_val *at,
                    uint32_t *out)
{
    struct schema_why why;
    *out = SCHEMA_NONE;
    for (int rc = ERR_INVALID; rc == ERR_INVALID;) {
        rc = schema_build_add(l->build, at, out, &why);
        if (rc == 0) return true;
        if (rc != ERR_INVALID)
            openapi_note(l, true, at, "it takes too much memory");
        else
            openapi_note(l, true, why.at, "%s", why.reason);
        if (l->report->more) break;
        uint32_t before = *out;
        if (before == SCHEMA_NONE) break; /* not even begun */
    }
    return false;
}

/* --- the document ------------------------------------------------------------- */

static void warn(void *context, const yyjson_val *at, const char *says)
{
    openapi_note(context, false, at, "%s", says);
}

static int text_read(struct openapi_loader *l, struct sv text, struct arena *a)
{
    size_t at = 0;
    while (at < text.n && strchr(" \t\r\n", text.p[at])) at++;
    if (at < text.n && text.p[at] == '{') {
        struct json_why why;
        yyjson_doc *doc;
        int rc = json_decode_exact(text, a, &doc, &why);
        if (rc == ERR_INVALID) {
            uint32_t line = 1, column = 1;
            for (size_t i = 0; i < why.at && i < text.n; i++, column++)
                if (text.p[i] == '\n') line++, column = 0;
            note_add(l->report,
                     (struct openapi_note){
                         true, SV(""), why.at ? line : 0, why.at ? column : 0,
                         arena_printf(l->report->arena, "not JSON: %s%s%.*s",
                                      why.reason, why.member.n ? ": " : "",
                                      SV_FMT(why.member)) });
        }
        if (rc != 0) return rc;
        l->root = yyjson_doc_get_root(doc);
        l->values_n = yyjson_doc_get_val_count(doc);
        return 0;
    }
    struct yaml_doc doc;
    struct yaml_why why;
    int rc = yaml_decode(text, a, &doc, &why);
    if (rc == ERR_INVALID)
        note_add(l->report, (struct openapi_note){
                                true, SV(""), why.at.line, why.at.column,
                                arena_printf(l->report->arena, "not YAML: %s",
                                             why.reason) });
    if (rc != 0) return rc;
    l->root = doc.root;
    l->values_n = doc.values_n;
    l->marks = doc.marks;
    return 0;
}

static bool version_read(struct openapi_loader *l)
{
    const yyjson_val *v = json_find(l->root, "openapi");
    const yyjson_val *swagger = json_find(l->root, "swagger");
    struct sv text = json_text(v);
    if (!yyjson_is_obj(unconst(l->root)))
        openapi_note(l, true, l->root, "a document must be an object");
    else if (sv_starts(text, SV("3.0.")))
        l->is_30 = true;
    else if (sv_starts(text, SV("3.1.")) || sv_eq(text, SV("3.1")) ||
             sv_eq(text, SV("3.0")))
        l->is_30 = text.p[2] == '0';
    else if (swagger)
        openapi_note(
            l, true, swagger,
            "Swagger %.*s is not supported, only OpenAPI 3.0 and 3.1",
            (int)(json_text(swagger).n < 10 ? json_text(swagger).n : 10),
            json_text(swagger).p ? json_text(swagger).p : "2.0");
    else if (text.p)
        openapi_note(l, true, v,
                     "OpenAPI %.*s is not supported, only 3.0 and 3.1",
                     (int)(text.n < 20 ? text.n : 20), text.p);
    else
        openapi_note(l, true, v ? v : l->root,
                     "`openapi`, the version as a text, is missing");
    return l->report->errors == 0;
}

/* The path of a server's URL, variables by their defaults. */
static void base_add(struct openapi_loader *l, const yyjson_val *server)
{
    struct sv url = json_text(json_find(server, "url"));
    struct buf b;
    buf_init(&b, 2048);
    while (url.n) {
        struct sv behind, name;
        if (url.p[0] != '{') {
            buf_putc(&b, url.p[0]);
            url = sv_from(url, 1);
            continue;
        }
        name = sv_cut(sv_from(url, 1), '}', &behind);
        const yyjson_val *variable = yyjson_obj_getn(
            unconst(json_find(server, "variables")), name.p, name.n);
        buf_put(&b, json_text(json_find(variable, "default")));
        url = behind;
    }
    struct sv path = buf_sv(&b);
    for (size_t i = 0; i + 3 <= path.n; i++)
        if (!memcmp(path.p + i, "://", 3)) {
            path = sv_from(path, i + 3);
            path = sv_from(path, sv_find(path, '/'));
            break;
        }
    while (path.n && path.p[path.n - 1] == '/') path.n--;
    bool known = !path.n || path.p[0] != '/';
    for (unsigned i = 0; i < l->o->bases_n; i++)
        known |= sv_eq(l->o->bases[i], path);
    if (!known && l->o->bases_n < ARRAY_LEN(l->o->bases)) {
        path = arena_dup(&l->o->arena, path);
        if (path.p) l->o->bases[l->o->bases_n++] = path;
    }
    buf_fini(&b);
}

static void bases_load(struct openapi_loader *l)
{
    yyjson_val *server;
    size_t i, max;
    yyjson_arr_foreach(json_place_or_none(json_find(l->root, "servers")), i,
                       max, server)
    {
        base_add(l, server);
    }
}

/* Also the schemas that no operation uses are checked, and their names
 * ($id, $anchor) known. */
static void components_load(struct openapi_loader *l)
{
    const yyjson_val *schemas =
        json_find(json_find(l->root, "components"), "schemas");
    yyjson_val *key, *value;
    size_t i, max;
    uint32_t ignored;
    struct schema_why why;
    yyjson_obj_foreach(json_place_or_none(schemas), i, max, key, value)
    {
        if (schema_build_scan(l->build, value, &why) == ERR_INVALID)
            openapi_note(l, true, why.at, "%s", why.reason);
    }
    yyjson_obj_foreach(json_place_or_none(schemas), i, max, key, value)
    {
        openapi_schema(l, value, &ignored);
    }
}

static void document_load(struct openapi_loader *l)
{
    static const char *const required[] = { "title", "version" };
    const yyjson_val *paths = json_find(l->root, "paths");
    const yyjson_val *info = json_find(l->root, "info");
    if (!yyjson_is_obj(unconst(info)))
        openapi_note(l, true, info ? info : l->root, "`info` is missing");
    for (size_t i = 0; i < 2 && yyjson_is_obj(unconst(info)); i++)
        if (!json_text(json_find(info, required[i])).p)
            openapi_note(l, true, info, "`%s`, a text, is missing",
                         required[i]);
    bases_load(l);
    components_load(l);
    if (paths && !yyjson_is_obj(unconst(paths)))
        openapi_note(l, true, paths, "`paths` must be an object");
    else if (paths)
        openapi_paths_load(l, paths);
    else if (l->is_30)
        openapi_note(l, true, l->root, "`paths` is missing");
    else if (!json_find(l->root, "components") &&
             !json_find(l->root, "webhooks"))
        openapi_note(l, true, l->root,
                     "one of `paths`, `components`, `webhooks` is needed");
}

static int build_begin(struct openapi_loader *l,
                       const struct openapi_options *options)
{
    struct schema_why why = { .reason = "" };
    struct schema_options schema = { .dialect = l->is_30 ? SCHEMA_OPENAPI_30
                                                         : SCHEMA_2020_12,
                                     .formats = true,
                                     .jit = options->jit,
                                     .warn = warn,
                                     .warn_context = l };
    return schema_build_new(l->root, l->values_n, &schema, &l->build, &why);
}

int openapi_load(struct sv text, const struct openapi_options *options,
                 struct openapi **out, struct openapi_report *report)
{
    struct openapi_loader l = { .report = report, .answers = options->answers };
    struct arena document;
    *out = NULL;
    report->notes = NULL;
    report->n = report->errors = 0;
    report->more = false;
    if (text.n > OPENAPI_BYTES_MAX) {
        note_add(report, (struct openapi_note){ true, SV(""), 0, 0,
                                                SV("longer than 16 MiB") });
        return ERR_TOOBIG;
    }
    arena_init(&document, DOCUMENT_ARENA_BYTES, NULL, 0);
    l.o = NEW(struct openapi);
    arena_init(&l.o->arena, DOCUMENT_ARENA_BYTES, NULL, 0);
    int rc = text_read(&l, text, &document);
    if (rc == 0 && !version_read(&l)) rc = ERR_INVALID;
    if (rc == 0) rc = build_begin(&l, options);
    if (rc == 0) {
        document_load(&l);
        rc = report->errors ? ERR_INVALID : 0;
    }
    if (rc == 0) {
        l.o->schema = schema_build_done(&l.build);
        *out = l.o;
        l.o = NULL;
    }
    schema_build_free(&l.build);
    map_fini(&l.ids);
    openapi_free(&l.o);
    arena_fini(&document);
    return rc;
}

void openapi_free(struct openapi **o)
{
    struct openapi *old = *o;
    if (!old) return;
    schema_free(&old->schema);
    mem_free(old->segments);
    mem_free(old->paths);
    mem_free(old->operations);
    arena_fini(&old->arena);
    mem_free(old);
    *o = NULL;
}
