/* multipart/form-data (RFC 7578), strict: what two readers could read
 * differently is refused. A part becomes a member: JSON by its type, text by
 * its schema, files as texts without a look into them. */
#include "codec/json.h"
#include "codec/openapi_int.h"
#include "codec/text.h"

struct part {
    struct sv name, type, body;
    bool is_file;
};

/* name="value" of Content-Disposition; quotes escaped as %22 or \" */
static bool disposition_parse(struct sv value, struct part *out)
{
    struct sv rest, kind = sv_trim(sv_cut(value, ';', &rest));
    if (!sv_eq_nocase(kind, SV("form-data"))) return false;
    while (rest.n) {
        size_t equals = sv_find(rest, '=');
        if (equals == SIZE_MAX) return false;
        struct sv name = sv_trim(sv_first(rest, equals)), text;
        rest = sv_from(rest, equals + 1);
        if (rest.n && rest.p[0] == '"') {
            size_t end = 1;
            while (end < rest.n && rest.p[end] != '"')
                end += rest.p[end] == '\\' ? 2 : 1;
            if (end >= rest.n) return false;
            text = sv_of(rest.p + 1, end - 1);
            rest = sv_trim(sv_from(rest, end + 1));
            if (rest.n && rest.p[0] != ';') return false;
            rest = sv_from(rest, 1);
        } else {
            text = sv_trim(sv_cut(rest, ';', &rest));
        }
        if (sv_eq_nocase(name, SV("name"))) {
            if (out->name.p) return false;
            out->name = text;
        }
        if (sv_eq_nocase(name, SV("filename")) ||
            sv_eq_nocase(name, SV("filename*")))
            out->is_file = true;
    }
    return out->name.p && utf8_is_valid(out->name) &&
           sv_find(out->name, '\\') == SIZE_MAX;
}

static bool head_parse(struct sv head, struct part *out)
{
    bool disposed = false;
    while (head.n) {
        struct sv line = sv_cut(head, '\n', &head), value;
        if (!line.n || line.p[line.n - 1] != '\r') return false;
        line.n--;
        struct sv name = sv_cut(line, ':', &value);
        if (!value.p || !http_is_token(name)) return false;
        value = sv_trim(value);
        if (sv_eq_nocase(name, SV("Content-Disposition"))) {
            if (disposed || !disposition_parse(value, out)) return false;
            disposed = true;
        }
        if (sv_eq_nocase(name, SV("Content-Type"))) out->type = value;
        if (sv_eq_nocase(name, SV("Content-Transfer-Encoding"))) return false;
    }
    return disposed;
}

static size_t find(struct sv in, size_t from, struct sv what)
{
    const char *p =
        from <= in.n ? memmem(in.p + from, in.n - from, what.p, what.n) : NULL;
    return p ? (size_t)(p - in.p) : SIZE_MAX;
}

/* Number of parts, -1: not in order. `delimiter` is CRLF -- boundary. */
static int parts_read(struct sv body, struct sv delimiter, struct part *parts,
                      int most)
{
    struct sv opening = sv_from(delimiter, 2);
    if (!sv_starts(body, opening)) return -1;
    size_t at = opening.n;
    for (int n = 0;; n++) {
        struct sv rest = sv_from(body, at);
        if (sv_starts(rest, SV("--"))) {
            rest = sv_from(rest, 2);
            return !rest.n || sv_eq(rest, SV("\r\n")) ? n : -1;
        }
        size_t head_end = find(body, at, SV("\r\n\r\n"));
        size_t end = find(body, at, delimiter);
        if (n == most || !sv_starts(rest, SV("\r\n")) || head_end == SIZE_MAX ||
            end == SIZE_MAX || end < head_end + 2)
            return -1;
        parts[n] = (struct part){ .is_file = false };
        struct sv head = sv_of(body.p + at + 2, head_end - at);
        if (end < head_end + 4 || !head_parse(head, &parts[n])) return -1;
        parts[n].body = sv_of(body.p + head_end + 4, end - head_end - 4);
        at = end + delimiter.n;
    }
}

static void put_json(struct openapi_run *run, struct sv text)
{
    yyjson_doc *doc;
    if (json_decode_exact(text, run->j->arena, &doc, NULL) != 0) {
        run->bad = true;
        json_flat_null(&run->flat);
        return;
    }
    size_t from = run->flat.n, n = yyjson_doc_get_val_count(doc);
    /* a place for it, then all of it */
    json_flat_null(&run->flat);
    for (size_t i = 1; i < n; i++) {
        unsigned depth = run->flat.depth;
        run->flat.depth = 0; /* not members of what is open */
        json_flat_null(&run->flat);
        run->flat.depth = depth;
    }
    if (!run->flat.failed)
        memcpy(run->flat.values + from, yyjson_doc_get_root(doc),
               n * sizeof *run->flat.values);
}

static struct sv content_type(const struct openapi_media *m,
                              const struct part *p)
{
    struct sv type = p->type;
    for (unsigned i = 0; !type.p && i < m->encodings_n; i++)
        if (sv_eq(m->encodings[i].name, p->name))
            type = m->encodings[i].content_type;
    return sv_trim(sv_first(type, sv_find(type, ';')));
}

static void put_part(struct openapi_run *run, const struct openapi_media *m,
                     uint32_t schema, const struct part *p)
{
    struct sv type = content_type(m, p);
    unsigned types = schema_types(run->o->schema, schema);
    bool text_holds = utf8_is_valid(p->body);
    bool composed =
        types && !(types & ~(unsigned)(SCHEMA_T_OBJECT | SCHEMA_T_ARRAY |
                                       SCHEMA_T_NULL));
    if (openapi_media_is_json(type) || (!type.p && composed))
        put_json(run, p->body);
    else if (p->is_file || !text_holds)
        json_flat_text(&run->flat, text_holds ? p->body : SV("\xef\xbf\xbd"));
    else
        openapi_put_text(run, schema, p->body.n ? p->body : SV(""));
}

static unsigned count_of(const struct part *parts, int n, struct sv name)
{
    unsigned same = 0;
    for (int i = 0; i < n; i++) same += sv_eq(parts[i].name, name);
    return same;
}

static void put_named(struct openapi_run *run, const struct openapi_media *m,
                      const struct part *parts, int n, int at)
{
    struct sv name = parts[at].name;
    uint32_t schema = schema_member(run->o->schema, m->schema, name);
    unsigned types = schema_types(run->o->schema, schema);
    unsigned same = count_of(parts + at, n - at, name);
    bool json = openapi_media_is_json(content_type(m, &parts[at]));
    bool array = types & SCHEMA_T_ARRAY &&
                 (same > 1 || (!(types & SCHEMA_T_STRING) && !json));
    json_flat_text(&run->flat, name);
    if (!array) {
        if (same > 1) run->bad = true;
        put_part(run, m, schema, &parts[at]);
        return;
    }
    json_flat_open(&run->flat, false);
    for (int i = at; i < n; i++)
        if (sv_eq(parts[i].name, name))
            put_part(run, m, schema_items(run->o->schema, schema), &parts[i]);
    json_flat_close(&run->flat);
}

void openapi_put_multipart(struct openapi_run *run,
                           const struct openapi_media *media,
                           struct sv boundary, struct sv body)
{
    char text[80] = "\r\n--";
    memcpy(text + 4, boundary.p, boundary.n);
    struct part *parts =
        ARENA_ARRAY(run->j->arena, struct part, OPENAPI_PAIRS_MAX);
    int n = parts ? parts_read(body, sv_of(text, boundary.n + 4), parts,
                               OPENAPI_PAIRS_MAX)
                  : -1;
    if (n < 0) {
        run->bad = true;
        return;
    }
    json_flat_open(&run->flat, true);
    for (int i = 0; i < n; i++)
        if (!count_of(parts, i, parts[i].name))
            put_named(run, media, parts, n, i);
    json_flat_close(&run->flat);
}
