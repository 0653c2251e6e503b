/* What the tests of schemas share: a schema and values as text. */
#ifndef TESTS_SCHEMA_KIT_H
#define TESTS_SCHEMA_KIT_H

#include "codec/json.h"
#include "codec/json_place.h"
#include "codec/schema.h"
#include "codec_kit.h"

struct kit {
    struct arena text, work;
    struct schema *program;
    uint32_t entry;
    struct pattern_room *room;
    struct schema_judge j;
    struct schema_why why;
    struct sv place; /* of why */
};

static inline void kit_init(struct kit *k)
{
    *k = (struct kit){ .room = pattern_room_new() };
    arena_init(&k->text, 64 << 20, NULL, 0);
    arena_init(&k->work, SCHEMA_ARENA_BYTES_MAX, NULL, 0);
}

static inline void kit_fini(struct kit *k)
{
    schema_free(&k->program);
    pattern_room_free(&k->room);
    arena_fini(&k->text);
    arena_fini(&k->work);
}

static inline int kit_compile(struct kit *k, struct sv schema,
                              enum schema_dialect dialect, bool formats)
{
    struct schema_options options = { .dialect = dialect,
                                      .formats = formats,
                                      .jit = true };
    struct schema_build *b = NULL;
    yyjson_doc *doc;
    schema_free(&k->program);
    arena_reset(&k->text);
    struct sv copy = exact(schema);
    int rc = json_decode_exact(copy, &k->text, &doc, NULL);
    exact_free(copy);
    if (rc != 0) return rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    k->why = (struct schema_why){ .at = NULL };
    rc = schema_build_new(root, yyjson_doc_get_val_count(doc), &options, &b,
                          &k->why);
    if (rc == 0) rc = schema_build_add(b, root, &k->entry, &k->why);
    if (rc == 0) k->program = schema_build_done(&b);
    if (rc != 0 && k->why.at) {
        struct buf place;
        buf_init(&place, 65536);
        json_place_put(&place, root, k->why.at);
        k->place = arena_dup(&k->work, buf_sv(&place));
        buf_fini(&place);
    }
    schema_build_free(&b);
    arena_reset(&k->text); /* the program must not need the document */
    return rc;
}

static inline enum schema_verdict kit_judge(struct kit *k, struct sv value)
{
    yyjson_doc *doc;
    arena_reset(&k->text);
    arena_reset(&k->work);
    uint32_t steps = k->j.steps ? k->j.steps : SCHEMA_STEPS_DEFAULT;
    enum schema_way way = k->j.way;
    assert_int_equal(json_decode_exact(value, &k->text, &doc, NULL), 0);
    k->j = (struct schema_judge){ .arena = &k->work,
                                  .room = k->room,
                                  .steps = steps,
                                  .way = way,
                                  .violations_max = 20 };
    enum schema_verdict v =
        schema_judge(k->program, k->entry, yyjson_doc_get_root(doc), &k->j);
    k->j.steps = 0;
    return v;
}

#endif
