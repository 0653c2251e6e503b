/* A document up to a line `%%`, then a request: method and target on a line,
 * fields, an empty line, the body. */
#include <stdlib.h>

#include "base/err.h"
#include "codec/openapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

static struct pattern_room *room;

static void judge(const struct openapi *o, struct sv text)
{
    struct http_field fields[20];
    struct openapi_request r = { .fields = fields };
    struct sv line = sv_cut(text, '\n', &text);
    r.method = sv_cut(line, ' ', &r.path);
    r.path = sv_cut(r.path, '?', &r.query);
    while (text.n && r.fields_n < 20) {
        line = sv_cut(text, '\n', &text);
        if (!line.n) break;
        struct http_field *f = &fields[r.fields_n++];
        *f = (struct http_field){ .id = HN_OTHER };
        f->name = sv_cut(line, ':', &f->value);
        f->value = sv_trim(f->value);
    }
    r.body = text;
    r.has_body = text.n;
    struct arena work;
    arena_init(&work, 8 << 20, NULL, 0);
    struct schema_judge j = {
        .arena = &work, .room = room, .steps = 50000, .violations_max = 10
    };
    struct openapi_judgement said = openapi_judge(o, &r, &j);
    must(said.verdict != OPENAPI_OK || (!j.violations_n && said.status == 200));
    must(said.verdict != OPENAPI_BLOCK || j.violations_n || said.over ||
         j.more);
    arena_fini(&work);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv text = sv_of(data, size);
    const char *cut = size ? memmem(data, size, "\n%%\n", 4) : NULL;
    size_t n = cut ? (size_t)(cut - text.p) : size;
    const struct openapi_options options = { .jit = false };
    struct openapi_report report = { 0 };
    struct openapi *o;
    struct arena a;
    if (size > 1 << 15) return 0;
    if (!room) room = pattern_room_new();
    arena_init(&a, 16 << 20, NULL, 0);
    report.arena = &a;
    int rc = openapi_load(sv_first(text, n), &options, &o, &report);
    must(rc != ERR_INVALID || report.errors);
    must((rc == 0) == (o != NULL));
    if (o && cut) judge(o, sv_from(text, n + 4));
    openapi_free(&o);
    arena_fini(&a);
    return 0;
}
