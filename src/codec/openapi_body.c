/* Bodies: by their type of content to a value, and that to the schema. */
#include "base/err.h"
#include "codec/json.h"
#include "codec/openapi_int.h"
#include "codec/text.h"

/* "a/b" in small letters without parameters, in `out`. */
static struct sv type_of(struct sv field, char *out, size_t max)
{
    struct sv type = sv_trim(sv_first(field, sv_find(field, ';')));
    if (type.n > max) type.n = max;
    for (size_t i = 0; i < type.n; i++) out[i] = ascii_lower(type.p[i]);
    return sv_of(out, type.n);
}

static bool range_holds(struct sv range, struct sv type)
{
    if (sv_eq(range, SV("*/*")) || sv_eq(range, SV("*"))) return true;
    return sv_ends(range, SV("/*")) &&
           sv_starts(type, sv_first(range, range.n - 1));
}

const struct openapi_media *openapi_media_find(const struct openapi_medias *of,
                                               struct sv field, char lower[256],
                                               struct sv *type)
{
    const struct openapi_media *found = NULL;
    if (!field.p) return NULL;
    *type = type_of(field, lower, 256);
    for (unsigned i = 0; i < of->n; i++) {
        const struct openapi_media *m = &of->at[i];
        if (sv_eq(m->type, *type)) return m;
        if (range_holds(m->type, *type) &&
            (!found || found->type.n < m->type.n))
            found = m;
    }
    return found;
}

void openapi_judge_json(struct openapi_run *run, uint32_t schema,
                        struct sv body)
{
    struct json_why why;
    yyjson_doc *doc;
    int rc = json_decode_exact(body, run->j->arena, &doc, &why);
    if (rc == ERR_INVALID) {
        struct sv says =
            arena_printf(run->j->arena, "is not JSON: %s%s%.*s", why.reason,
                         why.member.n ? ": " : "",
                         (int)(why.member.n < 60 ? why.member.n : 60),
                         why.member.n ? why.member.p : "");
        openapi_fail(run, SV("/body"), "content", says.p ? says.p : "not JSON");
    } else if (rc != 0) {
        run->over = true;
    } else {
        openapi_judge_value(run, schema, SV("/body"), yyjson_doc_get_root(doc));
    }
}

static void judge_form(struct openapi_run *run, const struct openapi_media *m)
{
    struct openapi_pair *pairs;
    unsigned n;
    bool before = run->bad;
    run->bad = false;
    openapi_pairs_read(run, run->request->body, &pairs, &n);
    if (run->over) return;
    openapi_put_form(run, m->schema, pairs, n, m->encodings, m->encodings_n);
    if (run->bad)
        openapi_fail(run, SV("/body"), "content",
                     "has bytes that are no text, or a single member twice");
    run->bad |= before;
    openapi_judge_flat(run, m->schema, SV("/body"));
}

static void judge_text(struct openapi_run *run, const struct openapi_media *m)
{
    struct sv body = run->request->body;
    if (!utf8_is_valid(body)) {
        openapi_fail(run, SV("/body"), "content", "is not UTF-8");
        return;
    }
    openapi_put_text(run, m->schema, body.p ? body : SV(""));
    openapi_judge_flat(run, m->schema, SV("/body"));
}

/* RFC 2046 §5.1.1: boundary=x or "x" */
static struct sv boundary_of(struct sv type)
{
    struct sv rest = sv_from(type, sv_find(type, ';'));
    while (rest.n) {
        struct sv value, one = sv_cut(sv_from(rest, 1), ';', &rest);
        if (rest.p) rest = sv_of(rest.p - 1, rest.n + 1);
        struct sv name = sv_trim(sv_cut(one, '=', &value));
        if (!sv_eq_nocase(name, SV("boundary")) || !value.p) continue;
        value = sv_trim(value);
        if (value.n > 1 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = sv_of(value.p + 1, value.n - 2);
        return value;
    }
    return (struct sv){ NULL, 0 };
}

static void judge_parts(struct openapi_run *run, const struct openapi_media *m,
                        struct sv type)
{
    struct sv boundary = boundary_of(type);
    bool before = run->bad;
    if (!boundary.n || boundary.n > 70) {
        openapi_fail(run, SV("/body"), "content", "has no usable boundary");
        return;
    }
    run->bad = false;
    openapi_put_multipart(run, m, boundary, run->request->body);
    if (run->bad)
        openapi_fail(run, SV("/body"), "content",
                     "is not in order as multipart/form-data");
    else
        openapi_judge_flat(run, m->schema, SV("/body"));
    json_flat_clear(&run->flat);
    run->bad |= before;
}

/* The status: 200, 400 or 415. */
unsigned openapi_body_judge(struct openapi_run *run,
                            const struct openapi_operation *op)
{
    char lower[256];
    struct sv type, field = openapi_field(run, SV("Content-Type"));
    if (!op->has_body) return 200;
    if (run->request->unseen && !field.p) return 200;
    if (!run->request->body.n && !run->request->unseen) {
        if (!op->body_required) return 200;
        openapi_fail(run, SV("/body"), "required", "a body is missing");
        return 400;
    }
    const struct openapi_media *m =
        openapi_media_find(&op->medias, field, lower, &type);
    if (!m) {
        openapi_fail(run, SV("/header/Content-Type"), "content",
                     field.p ? "this type of content is not accepted"
                             : "is missing");
        return 415;
    }
    if (run->request->unseen) return 200;
    enum openapi_body_kind kind = (enum openapi_body_kind)m->kind;
    /* a range: by what was sent */
    if (kind == BODY_OPAQUE && openapi_media_is_json(type)) kind = BODY_JSON;
    switch (kind) {
    case BODY_JSON:
        openapi_judge_json(run, m->schema, run->request->body);
        break;
    case BODY_FORM: judge_form(run, m); break;
    case BODY_MULTIPART: judge_parts(run, m, field); break;
    case BODY_TEXT: judge_text(run, m); break;
    case BODY_OPAQUE: break;
    }
    return run->bad ? 400 : 200;
}
