/* Coverage of schema profiles, by the text of the operation ("GET /pets"), so
 * that another document goes on where they agree.
 *
 *   reactors' counters ── coverage_fold ──> struct cover ── coverage_save ──>
 *   document "coverage" beside the record ── at the first need ──> struct cover
 *
 * Of requests that hit no operation the most frequent shapes are kept: a new
 * one takes the place of the rarest and begins with its count (Metwally et al.,
 * "space saving"), so that what is frequent is never lost. */
#include "admin/coverage.h"

#include "admin/admin_int.h"
#include "admin/nouns.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "plan/coverage.h"
#include "plan/plan.h"

#define COVERAGE_DOCUMENT "coverage"
enum {
    COVERAGE_BYTES_MAX = 48 << 20,
    COMPILE_BYTES_MAX = 64 << 20,
    OPERATION_MAX = 4096, /* "METHOD /path" */
};

struct row {
    char *name;
    uint64_t n;
    int64_t last_ms;
};

struct missed {
    char shape[COVERAGE_SHAPE_MAX];
    uint16_t shape_n;
    uint64_t n;
    int64_t last_ms;
};

struct cover { /* of a profile */
    struct id id;
    struct map rows;
    struct missed missed[COVERAGE_MISSED_MAX];
    unsigned missed_n;
    uint64_t lost; /* requests whose shapes were not taken */
    int64_t since_ms;
    bool changed;
};

struct coverage_set {
    struct admin *admin;
    struct map covers; /* by the profile's id */
};

/* --- rows ----------------------------------------------------------------------- */

static void row_free(struct row *r)
{
    mem_free(r->name);
    mem_free(r);
}

static void rows_free(struct map *rows)
{
    struct map_entry e;
    size_t at = 0;
    while (map_next(rows, &at, &e)) row_free(e.value);
    map_fini(rows);
}

/* The one that was not seen for the longest time makes room. */
static void row_drop_oldest(struct cover *c)
{
    struct map_entry e;
    struct row *oldest = NULL;
    size_t at = 0;
    while (map_next(&c->rows, &at, &e)) {
        struct row *r = e.value;
        if (!oldest || r->last_ms < oldest->last_ms) oldest = r;
    }
    if (!oldest) return;
    map_remove(&c->rows, sv_cstr(oldest->name));
    row_free(oldest);
}

static void row_add(struct cover *c, struct sv name, uint64_t n, int64_t last)
{
    struct row *r = map_find(&c->rows, name);
    if (!r) {
        if (c->rows.n >= COVERAGE_ROWS_MAX) row_drop_oldest(c);
        r = NEW(struct row);
        r->name = mem_dup_sv(name);
        map_put(&c->rows, sv_cstr(r->name), r);
    }
    r->n += n;
    if (last > r->last_ms) r->last_ms = last;
}

static void missed_add(struct cover *c, struct sv shape, uint64_t n,
                       int64_t last_ms)
{
    struct missed *at = NULL, *rarest = &c->missed[0];
    for (unsigned i = 0; i < c->missed_n && !at; i++) {
        struct missed *m = &c->missed[i];
        if (sv_eq(sv_of(m->shape, m->shape_n), shape)) at = m;
        if (m->n < rarest->n) rarest = m;
    }
    if (!at) {
        at = c->missed_n < COVERAGE_MISSED_MAX ? &c->missed[c->missed_n++]
                                               : rarest;
        at->shape_n = (uint16_t)shape.n;
        memcpy(at->shape, shape.p, shape.n);
    }
    at->n += n;
    at->last_ms = last_ms;
}

/* --- the store ------------------------------------------------------------------- */

static struct sv item_text(yyjson_val *row, size_t i)
{
    return json_text(yyjson_arr_get(row, i));
}

static int64_t item_int(yyjson_val *row, size_t i)
{
    int64_t n = 0;
    json_is_int(yyjson_arr_get(row, i), &n);
    return n > 0 ? n : 0;
}

static void cover_decode(struct cover *c, const yyjson_val *root)
{
    yyjson_val *row;
    size_t i, max;
    int64_t n;
    yyjson_arr_foreach(json_find(root, "operations"), i, max, row)
    {
        if (item_text(row, 0).n)
            row_add(c, item_text(row, 0), (uint64_t)item_int(row, 1),
                    item_int(row, 2));
    }
    yyjson_arr_foreach(json_find(root, "missed"), i, max, row)
    {
        struct sv shape = sv_first(item_text(row, 0), COVERAGE_SHAPE_MAX);
        if (shape.n)
            missed_add(c, shape, (uint64_t)item_int(row, 1), item_int(row, 2));
    }
    if (json_is_int(json_find(root, "lost"), &n)) c->lost = (uint64_t)n;
    if (json_is_int(json_find(root, "since"), &n)) c->since_ms = n;
}

static void put_row(struct buf *out, struct sv name, uint64_t n, int64_t last)
{
    if (out->n && out->p[out->n - 1] == ']') buf_putc(out, ',');
    buf_putc(out, '[');
    json_put_text(out, name);
    buf_printf(out, ",%llu,%lld]", (unsigned long long)n, (long long)last);
}

static void cover_encode(const struct cover *c, struct buf *out)
{
    struct map_entry e;
    size_t at = 0;
    buf_printf(out, "{\"since\":%lld,\"lost\":%llu,\"operations\":[",
               (long long)c->since_ms, (unsigned long long)c->lost);
    while (map_next(&c->rows, &at, &e)) {
        const struct row *r = e.value;
        put_row(out, e.key, r->n, r->last_ms);
    }
    buf_puts(out, "],\"missed\":[");
    for (unsigned i = 0; i < c->missed_n; i++) {
        const struct missed *m = &c->missed[i];
        put_row(out, sv_of(m->shape, m->shape_n), m->n, m->last_ms);
    }
    buf_puts(out, "]}");
}

/* What is damaged begins anew: these are figures, no records. */
static void cover_load(struct coverage_set *s, struct cover *c)
{
    struct arena a;
    struct sv text;
    yyjson_doc *doc;
    arena_init(&a, 4 * COVERAGE_BYTES_MAX, NULL, 0);
    if (store_document_get(s->admin->conf.store, id_sv(&c->id),
                           COVERAGE_DOCUMENT, &a, &text) == 0 &&
        json_decode(text, &a, &doc, NULL) == 0)
        cover_decode(c, yyjson_doc_get_root(doc));
    arena_fini(&a);
}

static struct cover *cover_of(struct coverage_set *s, struct sv id)
{
    struct cover *c = map_find(&s->covers, id);
    if (c) return c;
    c = NEW(struct cover);
    memcpy(c->id.text, id.p, id.n < ID_TEXT_MAX ? id.n : ID_TEXT_MAX);
    c->since_ms = clock_wall_ms();
    map_put(&s->covers, id_sv(&c->id), c);
    cover_load(s, c);
    return c;
}

static void cover_free(struct cover *c)
{
    rows_free(&c->rows);
    mem_free(c);
}

static int cover_save(struct coverage_set *s, struct cover *c)
{
    struct buf text;
    buf_init(&text, COVERAGE_BYTES_MAX);
    cover_encode(c, &text);
    int err = text.overflow
                  ? 0
                  : store_document_set(s->admin->conf.store, id_sv(&c->id),
                                       COVERAGE_DOCUMENT, buf_sv(&text));
    buf_fini(&text);
    return err == ERR_NOTFOUND ? 0 : err; /* deleted meanwhile */
}

static bool any_changed(const struct coverage_set *s)
{
    struct map_entry e;
    size_t at = 0;
    while (map_next(&s->covers, &at, &e))
        if (((struct cover *)e.value)->changed) return true;
    return false;
}

void coverage_save(struct coverage_set *s)
{
    struct store *store = s->admin->conf.store;
    struct map_entry e;
    size_t at = 0;
    if (!any_changed(s)) return;
    int err = store_begin(store);
    while (!err && map_next(&s->covers, &at, &e)) {
        struct cover *c = e.value;
        if (c->changed) err = cover_save(s, c);
    }
    if (!err) err = store_commit(store);
    if (err) {
        store_rollback(store);
        return;
    }
    for (at = 0; map_next(&s->covers, &at, &e);)
        ((struct cover *)e.value)->changed = false;
}

/* --- folding --------------------------------------------------------------------- */

struct fold {
    struct cover *cover;
    const struct plan_schema *schema;
};

static struct sv operation_text(const struct openapi *o, unsigned operation,
                                char out[OPERATION_MAX])
{
    struct sv method, path, id;
    struct buf b;
    openapi_operation_name(o, operation, &method, &path, &id);
    buf_init_fixed(&b, out, OPERATION_MAX);
    buf_put(&b, method);
    buf_putc(&b, ' ');
    buf_put(&b, path);
    return b.overflow ? SV("") : buf_sv(&b);
}

static void on_hit(void *ctx, unsigned operation, uint64_t n, int64_t last_ms)
{
    struct fold *f = ctx;
    char text[OPERATION_MAX];
    struct sv name = operation_text(f->schema->document, operation, text);
    if (name.n) row_add(f->cover, name, n, last_ms);
    f->cover->changed = true;
}

static void on_missed(void *ctx, struct sv shape, int64_t last_ms)
{
    struct fold *f = ctx;
    missed_add(f->cover, shape, 1, last_ms);
    f->cover->changed = true;
}

static void on_lost(void *ctx, uint64_t n)
{
    struct fold *f = ctx;
    f->cover->lost += n;
    f->cover->changed = true;
}

static void fold_form(void *ctx, const struct compiled_type *type,
                      const void *value)
{
    static const struct plan_coverage_fns fns = { on_hit, on_missed, on_lost };
    struct coverage_set *s = ctx;
    if (type != &plan_schema_type) return;
    const struct plan_schema *schema = value;
    struct fold f = { cover_of(s, schema->profile.id), schema };
    plan_coverage_take(schema->coverage, &fns, &f);
}

void coverage_fold(struct coverage_set *s)
{
    plan_forms_each(s->admin->conf.plan, fold_form, s);
}

struct coverage_set *coverage_new(struct admin *a)
{
    struct coverage_set *s = NEW(struct coverage_set);
    s->admin = a;
    plan_forms_leaving(a->conf.plan, fold_form, s);
    return s;
}

void coverage_free(struct coverage_set **at)
{
    struct coverage_set *s = *at;
    struct map_entry e;
    size_t i = 0;
    if (!s) return;
    coverage_fold(s);
    coverage_save(s);
    plan_forms_leaving(s->admin->conf.plan, NULL, NULL);
    while (map_next(&s->covers, &i, &e)) cover_free(e.value);
    map_fini(&s->covers);
    mem_free(s);
    *at = NULL;
}

void coverage_forget(struct coverage_set *s, struct sv id)
{
    struct cover *c = map_remove(&s->covers, id);
    if (c) cover_free(c);
}

/* --- showing --------------------------------------------------------------------- */

static bool put_operation(struct buf *out, const struct cover *c,
                          const struct openapi *o, const uint64_t *only,
                          unsigned i)
{
    char text[OPERATION_MAX];
    struct sv method, path, id;
    openapi_operation_name(o, i, &method, &path, &id);
    const struct row *r = map_find(&c->rows, operation_text(o, i, text));
    bool guarded = !only || only[i / 64] >> i % 64 & 1;
    if (i) buf_putc(out, ',');
    buf_putc(out, '{');
    json_put_member(out, "method", method);
    json_put_member(out, "path", path);
    json_put_member(out, "operationId", id);
    json_put_bool(out, "protected", guarded);
    json_put_u64(out, "count", r ? r->n : 0);
    json_put_time(out, "lastSeen", r ? r->last_ms : 0);
    buf_putc(out, '}');
    return r != NULL;
}

static int by_count(const void *a, const void *b)
{
    const struct missed *x = a, *y = b;
    return x->n < y->n ? 1 : x->n > y->n ? -1 : 0;
}

static void put_missed(struct buf *out, struct cover *c)
{
    qsort(c->missed, c->missed_n, sizeof *c->missed, by_count);
    json_put_name(out, "unknown");
    buf_putc(out, '[');
    for (unsigned i = 0; i < c->missed_n; i++) {
        const struct missed *m = &c->missed[i];
        struct sv path,
            method = sv_cut(sv_of(m->shape, m->shape_n), ' ', &path);
        if (i) buf_putc(out, ',');
        buf_putc(out, '{');
        json_put_member(out, "method", method);
        json_put_member(out, "path", path);
        json_put_u64(out, "count", m->n);
        json_put_time(out, "lastSeen", m->last_ms);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
    json_put_u64(out, "unknownOthers", c->lost);
}

static void put_coverage(struct buf *out, struct cover *c,
                         const struct openapi *o, const uint64_t *only)
{
    unsigned all = openapi_operations(o), seen = 0;
    buf_putc(out, '{');
    json_put_member(out, "id", id_sv(&c->id));
    json_put_time(out, "since", c->since_ms);
    json_put_name(out, "operations");
    buf_putc(out, '[');
    for (unsigned i = 0; i < all; i++)
        seen += put_operation(out, c, o, only, i);
    buf_putc(out, ']');
    json_put_u64(out, "seen", seen);
    json_put_u64(out, "never", all - seen);
    put_missed(out, c);
    buf_putc(out, '}');
}

/* Compiled for the answer alone: no application need name the profile. */
static int document_open(struct call *c, const struct record *r,
                         struct openapi **document, const uint64_t **only)
{
    struct schema_profile p;
    struct sv text;
    struct arena notes;
    uint32_t endpoint;
    int err = schema_profile_decode(r->body, c->arena, &p);
    if (!err)
        err = store_document_get(c->admin->conf.store, id_sv(&r->id),
                                 SCHEMA_DOCUMENT, c->arena, &text);
    if (err) return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
    arena_init(&notes, COMPILE_BYTES_MAX, NULL, 0);
    struct openapi_report report = { .arena = &notes };
    err = plan_schema_compile(&p, text, c->arena, &report, document, only,
                              &endpoint);
    arena_fini(&notes);
    return err == ERR_INVALID ? ERR_CORRUPT : err;
}

void schema_coverage(struct call *c)
{
    struct record r = { .version = 0 };
    struct openapi *document = NULL;
    const uint64_t *only;
    if (!noun_find(c, &noun_schema, &r)) return;
    coverage_fold(c->admin->coverage);
    int err = document_open(c, &r, &document, &only);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    answer_begin(c->a, 200, "");
    answer_next(c->a);
    put_coverage(&c->a->body, cover_of(c->admin->coverage, id_sv(&r.id)),
                 document, only);
    answer_end(c->a);
    openapi_free(&document);
}
