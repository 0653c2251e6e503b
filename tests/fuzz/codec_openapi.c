/* A document up to a line `%%`, then a request: method and target on a line,
 * fields, an empty line, the body. Behind another line `%%` an answer: status
 * and type of content on a line, the body. */
#include <stdlib.h>

#include "base/err.h"
#include "codec/openapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

static struct pattern_room *room;

/* What is before the line `%%`; *rest: behind it, p NULL: there is none. */
static struct sv part(struct sv text, struct sv *rest)
{
    const char *cut = text.n ? memmem(text.p, text.n, "\n%%\n", 4) : NULL;
    *rest = cut ? sv_from(text, (size_t)(cut - text.p) + 4) : (struct sv){ 0 };
    return cut ? sv_first(text, (size_t)(cut - text.p)) : text;
}

static struct openapi_judgement ask(const struct openapi *o,
                                    const struct openapi_request *r,
                                    const struct openapi_answer *a)
{
    struct arena work;
    arena_init(&work, 8 << 20, NULL, 0);
    struct schema_judge j = {
        .arena = &work, .room = room, .steps = 50000, .violations_max = 10
    };
    struct openapi_judgement said =
        r ? openapi_judge(o, r, &j) : openapi_judge_answer(o, a, &j);
    must(said.verdict != OPENAPI_OK || (!j.violations_n && !said.over));
    must(said.verdict != OPENAPI_BLOCK || j.violations_n || said.over ||
         j.more);
    arena_fini(&work);
    return said;
}

/* The answer, as if each operation had got it. */
static void judge_answer(const struct openapi *o, struct sv text)
{
    uint64_t status = 200;
    struct openapi_answer a = { 0 };
    struct sv line = sv_cut(text, '\n', &a.body);
    sv_to_u64(sv_cut(line, ' ', &a.type), 599, &status);
    a.status = (unsigned)status;
    for (; a.operation < openapi_operations(o) && a.operation < 4;
         a.operation++) {
        struct openapi_judgement said = ask(o, NULL, &a);
        must(said.operation == a.operation && said.status == a.status);
        must(said.verdict == OPENAPI_OK || said.verdict == OPENAPI_BLOCK);
        if (openapi_answer_is_judged(o, a.operation, a.status, a.type))
            continue;
        struct openapi_answer other = a;
        other.body = SV("{");
        must(said.over || ask(o, NULL, &other).verdict == said.verdict);
    }
}

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
    struct openapi_judgement said = ask(o, &r, NULL);
    must((said.verdict == OPENAPI_OK) == (said.status == 200));
    /* a body that nobody wants changes no verdict */
    if (openapi_wants_body(o, r.method, r.path, NULL)) return;
    r.body = SV("{");
    r.has_body = true;
    must(said.over || ask(o, &r, NULL).verdict == said.verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv request, answer, text = part(sv_of(data, size), &request);
    const struct openapi_options options = { .answers = true };
    struct openapi_report report = { 0 };
    struct openapi *o;
    struct arena a;
    if (size > 1 << 15) return 0;
    if (!room) room = pattern_room_new();
    arena_init(&a, 16 << 20, NULL, 0);
    report.arena = &a;
    int rc = openapi_load(text, &options, &o, &report);
    must(rc != ERR_INVALID || report.errors);
    must((rc == 0) == (o != NULL));
    request = part(request, &answer);
    if (o && request.p) judge(o, request);
    if (o && answer.p) judge_answer(o, answer);
    openapi_free(&o);
    arena_fini(&a);
    return 0;
}
