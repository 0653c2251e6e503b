/* What the tests of OpenAPI documents share: loading one, and a judge. */
#ifndef TESTS_OPENAPI_KIT_H
#define TESTS_OPENAPI_KIT_H

#include "codec/openapi.h"
#include "codec_kit.h"

#define INFO "info: {title: t, version: '1'}\n"

static struct arena report_arena, work;
static struct pattern_room *room;
static struct openapi_report report;

static inline void kit_init(void)
{
    room = pattern_room_new();
    arena_init(&report_arena, 16 << 20, NULL, 0);
    arena_init(&work, SCHEMA_ARENA_BYTES_MAX, NULL, 0);
}

static inline void kit_fini(void)
{
    arena_fini(&work);
    arena_fini(&report_arena);
    pattern_room_free(&room);
}

static inline int load(const char *text, struct openapi **o)
{
    const struct openapi_options options = { .answers = true };
    arena_reset(&report_arena);
    report = (struct openapi_report){ .arena = &report_arena };
    struct sv copy = exact(sv_cstr(text));
    int rc = openapi_load(copy, &options, o, &report);
    exact_free(copy);
    return rc;
}

/* Whose arena is empty again. */
static inline struct schema_judge judge_new(void)
{
    arena_reset(&work);
    return (struct schema_judge){ .arena = &work,
                                  .room = room,
                                  .steps = SCHEMA_STEPS_DEFAULT,
                                  .violations_max = 10 };
}

#endif
