/* Schema profiles (gateway.md §6). The OpenAPI document lies beside the record:
 * before anything else a request's `openapi` is taken out of its body and its
 * digest put there, so that records, the audit log and lists never carry the
 * document; answers about one profile show it again. */
#include <stdio.h>

#include "admin/admin_int.h"
#include "admin/coverage.h"
#include "admin/detach.h"
#include "admin/nouns.h"
#include "admin/profile.h"
#include "base/err.h"
#include "base/fmt.h"
#include "codec/digest.h"
#include "plan/plan.h"

enum {
    REPORT_BYTES_MAX = 64 << 20,
    PLACE_TEXT_MAX = 512,
    RECORD_BYTES_MAX = 24 << 20, /* of its endpoints */
};

/* The document of the request at hand, until it is stored. */
struct schema_ask {
    struct sv text; /* p NULL: the body has none */
};

/* --- taking it out of the body -------------------------------------------------- */

static struct sv digest_text(struct call *c, struct sv text)
{
    uint8_t digest[SHA256_BYTES];
    char *out = arena_alloc(c->arena, SCHEMA_DIGEST_TEXT);
    if (!out) return (struct sv){ 0 };
    sha256(text, digest);
    memcpy(out, "sha256:", 7);
    fmt_hex(out + 7, digest, sizeof digest);
    return sv_of(out, SCHEMA_DIGEST_TEXT);
}

/* An object as text: numbers as they were sent, which a double would round. */
static struct sv object_text(struct call *c)
{
    yyjson_doc *doc;
    if (json_decode_exact(c->q->body, c->arena, &doc, NULL))
        return (struct sv){ 0 };
    return json_encode_val(c->arena,
                           json_find(yyjson_doc_get_root(doc), "openapi"));
}

/* The body again, with the digest in the document's place. */
static bool body_without(struct call *c, struct sv digest)
{
    yyjson_mut_doc *doc = json_new(c->arena);
    yyjson_mut_val *out = doc ? yyjson_mut_obj(doc) : NULL;
    yyjson_val *key, *v;
    size_t i, max;
    bool good = out != NULL;
    yyjson_obj_foreach(c->input, i, max, key, v)
    {
        yyjson_mut_val *copy = yyjson_equals_str(key, "openapi")
                                   ? yyjson_mut_strn(doc, digest.p, digest.n)
                                   : yyjson_val_mut_copy(doc, v);
        good =
            good && yyjson_mut_obj_add(out,
                                       yyjson_mut_strn(doc, yyjson_get_str(key),
                                                       yyjson_get_len(key)),
                                       copy);
    }
    struct sv text = good ? json_encode(c->arena, out) : (struct sv){ 0 };
    c->input = text.p ? call_parse(c, text) : NULL;
    return c->input ? true : call_fail_store(c, ERR_NOMEM);
}

/* What is neither a text nor an object is refused by the shape. */
static bool document_take(struct call *c, struct schema_ask *ask)
{
    yyjson_val *v = json_find(c->input, "openapi");
    c->user = ask;
    ask->text = json_text(v);
    if (yyjson_is_obj(v)) {
        ask->text = object_text(c);
        if (!ask->text.p) return call_fail_store(c, ERR_NOMEM);
    }
    if (!ask->text.p) return true;
    if (ask->text.n > OPENAPI_BYTES_MAX || !ask->text.n)
        return call_fail(c, 400, "out_of_range", "openapi",
                         "It must have 1 byte to 16 MiB.");
    struct sv digest = digest_text(c, ask->text);
    return digest.p ? body_without(c, digest) : call_fail_store(c, ERR_NOMEM);
}

/* --- judging it ------------------------------------------------------------------ */

/* "/paths/~1a/get (line 3, column 4): …; 2 more errors." */
static bool fail_document(struct call *c, const struct openapi_report *r)
{
    const struct openapi_note *first = NULL;
    char line[64] = "", more[32] = "";
    for (unsigned i = 0; i < r->n && !first; i++)
        if (r->notes[i].is_error) first = &r->notes[i];
    if (!first) return call_fail_store(c, ERR_NOMEM);
    if (first->line)
        snprintf(line, sizeof line, " (line %u, column %u)", first->line,
                 first->column);
    if (r->errors > 1)
        snprintf(more, sizeof more, "; %u more errors", r->errors - 1);
    struct sv place = sv_first(first->place, PLACE_TEXT_MAX);
    struct sv says =
        arena_printf(c->arena, "%s%.*s%s: %.*s%s.", place.n ? "" : "/",
                     SV_FMT(place), line, SV_FMT(first->says), more);
    return call_fail(c, 400, "invalid_document", "openapi",
                     says.p ? says.p : "The document has errors.");
}

static bool fail_endpoint(struct call *c, uint32_t i)
{
    char field[32];
    snprintf(field, sizeof field, "endpoints[%u]", i);
    return call_fail(c, 400, "not_found", field,
                     "The document has no such operation.");
}

static bool check_count(struct call *c, const struct openapi *o,
                        const uint64_t *only)
{
    unsigned n = plan_schema_protected(o, only),
             most = c->admin->conf.schema_endpoints_max;
    char message[128];
    if (n <= most) return true;
    snprintf(message, sizeof message,
             "%u operations would be protected; at most %u may be: name them "
             "in `endpoints`.",
             n, most);
    return call_fail(c, 400, "limit_reached", "endpoints", message);
}

static bool compile(struct call *c, const struct schema_profile *p,
                    struct sv text)
{
    struct arena a;
    struct openapi *document;
    const uint64_t *only;
    uint32_t endpoint;
    arena_init(&a, REPORT_BYTES_MAX, NULL, 0);
    struct openapi_report report = { .arena = &a };
    int err =
        plan_schema_compile(p, text, &a, &report, &document, &only, &endpoint);
    bool good = false;
    if (!err)
        good = check_count(c, document, only);
    else if (err == ERR_INVALID && endpoint != UINT32_MAX)
        fail_endpoint(c, endpoint);
    else if (err == ERR_INVALID)
        fail_document(c, &report);
    else
        call_fail_store(c, err);
    if (!err) openapi_free(&document);
    arena_fini(&a);
    return good;
}

static bool same_member(yyjson_mut_doc *doc, const yyjson_val *before,
                        const char *name)
{
    yyjson_mut_val *now = shape_member(doc, name);
    yyjson_mut_doc *other = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *was = yyjson_val_mut_copy(other, json_find(before, name));
    bool same = was && now && yyjson_mut_equals(was, now);
    yyjson_mut_doc_free(other);
    return same;
}

/* Only what the document's compilation depends on asks for another. */
static bool is_as_before(struct call *c, yyjson_mut_doc *doc,
                         const struct record *before)
{
    const yyjson_val *was = before ? call_parse(c, before->body) : NULL;
    return was && same_member(doc, was, "openapi") &&
           same_member(doc, was, "endpoints") &&
           same_member(doc, was, "responses");
}

/* The typed form of what will be stored. */
static int profile_of(struct call *c, const struct record *r,
                      yyjson_mut_doc *doc, struct schema_profile *out)
{
    struct sv fields = json_encode(c->arena, yyjson_mut_doc_get_root(doc));
    if (!fields.p) return ERR_NOMEM;
    struct sv whole = arena_printf(
        c->arena, "{\"id\":\"%s\",\"account_id\":\"%s\",%.*s", r->id.text,
        r->account_id.text, SV_FMT(sv_from(fields, 1)));
    return whole.p ? schema_profile_decode(whole, c->arena, out) : ERR_NOMEM;
}

static bool check(struct call *c, struct record *r, yyjson_mut_doc *doc,
                  const struct record *before)
{
    struct schema_ask *ask = c->user;
    struct sv text = ask->text;
    struct schema_profile p;
    if (is_as_before(c, doc, before)) {
        ask->text.p = NULL; /* the same as is stored */
        return true;
    }
    int err = 0;
    if (!text.p)
        err = store_document_get(c->admin->conf.store, id_sv(&r->id),
                                 SCHEMA_DOCUMENT, c->arena, &text);
    if (!err) err = profile_of(c, r, doc, &p);
    return err ? call_fail_store(c, err) : compile(c, &p, text);
}

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    const struct schema_ask *ask = c->user;
    int err = ask->text.p
                  ? store_document_set(c->admin->conf.store, id_sv(&r->id),
                                       SCHEMA_DOCUMENT, ask->text)
                  : 0;
    return err ? call_fail_store(c, err) : profile_stored(c, r, doc, before);
}

static bool gone(struct call *c, const struct record *r)
{
    coverage_forget(c->admin->coverage, id_sv(&r->id));
    return profile_gone(c, r);
}

/* --- showing it ------------------------------------------------------------------- */

static bool is_openapi(const yyjson_val *key)
{
    return yyjson_equals_str((yyjson_val *)(uintptr_t)key, "openapi");
}

/* What a patch is merged into: with the digest. */
static yyjson_val *present(struct call *c, const struct record *r)
{
    struct buf whole;
    buf_init(&whole, RECORD_BYTES_MAX);
    record_show(r, &whole);
    struct sv text =
        whole.overflow ? (struct sv){ 0 } : arena_dup(c->arena, buf_sv(&whole));
    buf_fini(&whole);
    return text.p ? call_parse(c, text) : NULL;
}

/* The record without the member. */
static void show(struct call *c, const struct record *r, struct buf *out)
{
    yyjson_val *root = present(c, r), *key, *v;
    size_t i, max;
    buf_putc(out, '{');
    yyjson_obj_foreach(root, i, max, key, v)
    {
        if (is_openapi(key)) continue;
        struct sv text = json_encode_val(c->arena, v);
        json_put_name(out, yyjson_get_str(key));
        buf_put(out, text);
        out->overflow |= !text.p;
    }
    buf_putc(out, '}');
    out->overflow |= !root;
}

static void show_whole(struct call *c, const struct record *r, struct buf *out)
{
    const struct schema_ask *ask = c->user;
    struct sv text = ask ? ask->text : (struct sv){ 0 };
    show(c, r, out);
    if (!text.p && store_document_get(c->admin->conf.store, id_sv(&r->id),
                                      SCHEMA_DOCUMENT, c->arena, &text)) {
        out->overflow = true;
        return;
    }
    out->n--; /* the brace */
    json_put_name(out, "openapi");
    json_put_text(out, text);
    buf_putc(out, '}');
}

const struct noun noun_schema = {
    .name = "schema",
    .shape = &shape_schema,
    .check = check,
    .stored = stored,
    .leaving = detach_or_refuse,
    .gone = gone,
    .unique_field = "name",
    .present = present,
    .show = show,
    .show_whole = show_whole,
};

void schema_create(struct call *c)
{
    struct schema_ask *ask = ARENA_NEW(c->arena, struct schema_ask);
    if (!ask)
        call_fail_store(c, ERR_NOMEM);
    else if (document_take(c, ask))
        noun_create(c, &noun_schema);
}
void schema_list(struct call *c)
{
    noun_list(c, &noun_schema);
}
void schema_get(struct call *c)
{
    noun_get(c, &noun_schema);
}
void schema_patch(struct call *c)
{
    struct schema_ask *ask = ARENA_NEW(c->arena, struct schema_ask);
    if (!ask)
        call_fail_store(c, ERR_NOMEM);
    else if (document_take(c, ask))
        noun_patch(c, &noun_schema);
}
void schema_delete(struct call *c)
{
    noun_delete(c, &noun_schema);
}
