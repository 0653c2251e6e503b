/* From canonical documents to records and back to answers. */
#include "model/record.h"

#include "base/ensure.h"
#include "base/err.h"
#include "base/fmt.h"
#include "codec/rfc3339.h"
#include "model/doc_int.h"

static void draw_tags(struct record *r, yyjson_mut_val *array)
{
    size_t i, max;
    yyjson_mut_val *item;
    yyjson_mut_arr_foreach(array, i, max, item) if (r->tags_n < RECORD_TAGS_MAX)
        r->tags[r->tags_n++] = json_mut_text(item);
}

/* What lists filter by and what the store keeps whole, out of the document. */
static void draw(struct record *r, const struct shape *shape,
                 yyjson_mut_doc *doc)
{
    for (const struct shape_field *f = shape->fields; f->name; f++) {
        yyjson_mut_val *v = shape_member(doc, f->name);
        if (f->flags & SHAPE_NAME) r->name = json_mut_text(v);
        if (f->flags & SHAPE_KEY) r->unique = json_mut_text(v);
        if (f->flags & SHAPE_TAGS) draw_tags(r, v);
        if (!f->ref || id_parse(f->ref, json_mut_text(v), NULL)) continue;
        ENSURE(r->refs_n < RECORD_REFS_MAX);
        r->refs[r->refs_n++] = (struct record_ref){ f->name, json_mut_text(v) };
    }
}

int record_fill(struct record *r, const struct shape *shape,
                yyjson_mut_doc *doc, struct arena *a)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    r->tags_n = r->refs_n = 0;
    r->name = r->unique = SV("");
    draw(r, shape, doc);
    struct buf b;
    struct sv members = json_encode(a, root);
    if (!members.p) return ERR_NOMEM;
    size_t room = members.n + 128;
    char *mem = arena_alloc(a, room);
    if (!mem) return ERR_NOMEM;
    buf_init_fixed(&b, mem, room);
    buf_printf(&b, "{\"id\":\"%s\"", r->id.text);
    if (r->account_id.text[0])
        buf_printf(&b, ",\"account_id\":\"%s\"", r->account_id.text);
    if (members.n > 2) buf_putc(&b, ',');
    buf_put(&b, sv_from(members, 1));
    ENSURE(!b.overflow);
    r->body = buf_sv(&b);
    return 0;
}

static void put_times(struct buf *out, const struct record *r)
{
    char created[RFC3339_TEXT], updated[RFC3339_TEXT];
    rfc3339_encode(created, r->created_ms);
    rfc3339_encode(updated, r->updated_ms);
    buf_printf(out, ",\"createdAt\":\"%.*s\",\"updatedAt\":\"%.*s\"}",
               RFC3339_TEXT, created, RFC3339_TEXT, updated);
}

void record_show(const struct record *r, struct buf *out)
{
    ENSURE(r->body.n > 2); /* has an id at least */
    buf_put(out, sv_first(r->body, r->body.n - 1));
    put_times(out, r);
}

void record_show_redacted(const struct record *r, const struct shape *shape,
                          struct arena *a, struct buf *out)
{
    bool secret = false;
    for (const struct shape_field *f = shape->fields; f->name; f++)
        secret |= (f->flags & SHAPE_SECRET) != 0;
    if (!secret) {
        record_show(r, out);
        return;
    }
    yyjson_doc *doc = NULL;
    yyjson_mut_doc *copy = json_new(a);
    struct record shown = *r;
    if (copy && json_decode(r->body, a, &doc, NULL) == 0) {
        yyjson_mut_doc_set_root(
            copy, yyjson_val_mut_copy(copy, yyjson_doc_get_root(doc)));
        for (const struct shape_field *f = shape->fields; f->name; f++)
            if (f->flags & SHAPE_SECRET && shape_member(copy, f->name))
                shape_member_set(copy, f->name,
                                 yyjson_mut_str(copy, "[redacted]"));
        shown.body = json_encode(a, yyjson_mut_doc_get_root(copy));
    }
    if (!doc || shown.body.n <= 2) shown.body = SV("{\"redacted\":true}");
    record_show(&shown, out);
}

size_t etag_encode(char out[ETAG_TEXT_MAX], uint64_t version)
{
    size_t n = 0;
    out[n++] = '"';
    n += fmt_u64(out + n, version);
    out[n++] = '"';
    return n;
}

bool etag_matches(struct sv if_match, uint64_t version)
{
    char mine[ETAG_TEXT_MAX];
    struct sv want = sv_of(mine, etag_encode(mine, version));
    struct sv rest = if_match;
    if (sv_eq(sv_trim(if_match), SV("*"))) return true;
    while (rest.p)
        if (sv_eq(sv_trim(sv_cut(rest, ',', &rest)), want)) return true;
    return false;
}
