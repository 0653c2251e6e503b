/* A schema (the first line) and a value (the rest): compiling and judging
 * end within their bounds, the verdict does not depend on whether violations
 * are collected, and each of them names something. */
#include <stdlib.h>

#include "base/err.h"
#include "codec/json.h"
#include "codec/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

static struct pattern_room *room;

static enum schema_verdict judge(const struct schema *s, uint32_t entry,
                                 const yyjson_val *v, unsigned most)
{
    struct arena work;
    arena_init(&work, 8 << 20, NULL, 0);
    struct schema_judge j = {
        .arena = &work, .room = room, .steps = 50000, .violations_max = most
    };
    enum schema_verdict verdict = schema_judge(s, entry, v, &j);
    must(verdict != SCHEMA_VALID || j.violations_n == 0);
    if (most && verdict == SCHEMA_INVALID) must(j.violations_n || j.more);
    for (unsigned i = 0; i < j.violations_n; i++)
        must(j.violations[i].says.n && j.violations[i].location.n &&
             j.violations[i].keyword.n);
    arena_fini(&work);
    return verdict;
}

static void run(struct sv schema, struct sv value, enum schema_dialect dialect)
{
    struct schema_options options = { .dialect = dialect, .formats = true };
    struct schema_build *b = NULL;
    struct schema_why why = { .at = NULL };
    struct schema *s = NULL;
    struct arena a;
    yyjson_doc *doc;
    uint32_t entry;
    arena_init(&a, 64 << 20, NULL, 0);
    if (json_decode_exact(schema, &a, &doc, NULL) == 0) {
        yyjson_val *root = yyjson_doc_get_root(doc);
        int rc = schema_build_new(root, yyjson_doc_get_val_count(doc), &options,
                                  &b, &why);
        if (rc == 0) rc = schema_build_add(b, root, &entry, &why);
        must(rc != ERR_INVALID || (why.at && why.reason[0]));
        if (rc == 0) s = schema_build_done(&b);
        schema_build_free(&b);
    }
    arena_reset(&a);
    if (s && json_decode_exact(value, &a, &doc, NULL) == 0) {
        yyjson_val *root = yyjson_doc_get_root(doc);
        enum schema_verdict loud = judge(s, entry, root, 10);
        enum schema_verdict quiet = judge(s, entry, root, 0);
        /* collecting costs more steps, stopping early fewer */
        must(loud == SCHEMA_OVER || quiet == SCHEMA_OVER || loud == quiet);
    }
    schema_free(&s);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv value, schema = sv_cut(sv_of(data, size), '\n', &value);
    if (!room) room = pattern_room_new();
    if (size > 1 << 14) return 0;
    run(schema, value, SCHEMA_2020_12);
    run(schema, value, SCHEMA_OPENAPI_30);
    return 0;
}
