/* JSON Schema: 2020-12, and the dialect of OpenAPI 3.0. A document's schemas
 * are compiled once, to one program of flat tables that owns all it needs
 * (the document may go); judging reads the program and a value and writes
 * only into the judge, so that any number of threads share a program.
 *
 *   schema_build_new → schema_build_add, as often as needed → _done → judge
 *
 * References stay within the document. All that is wrong with a value is
 * said, up to a bound, and a judgement costs at most the steps and the arena
 * given: recursion, hostile patterns and wide values end as OVER. Values come
 * from json_decode_exact() (numbers exact) or json_decode(); objects have no
 * member twice. */
#ifndef CODEC_SCHEMA_H
#define CODEC_SCHEMA_H

#include "base/arena.h"
#include "codec/pattern.h"
#include <yyjson.h>

enum schema_dialect { SCHEMA_2020_12, SCHEMA_OPENAPI_30 };

struct schema_options {
    enum schema_dialect dialect;
    bool formats; /* `format` asserts; else it is a note */
    bool jit;     /* of patterns */
    /* NULL, or told of what is legal and probably not meant. */
    void (*warn)(void *context, const yyjson_val *at, const char *says);
    void *warn_context;
};

/* Why a document is not a schema, and where. */
struct schema_why {
    const yyjson_val *at; /* in the document */
    char reason[192];
};

struct schema;
struct schema_build;

/* The entry of no schema: everything is valid. */
#define SCHEMA_NONE UINT32_MAX

/* root: the document, of values_n values (yyjson_doc_get_val_count), which
 * stays the caller's and must outlive the build. ERR_INVALID with *why. */
int schema_build_new(const yyjson_val *root, size_t values_n,
                     const struct schema_options *options,
                     struct schema_build **out, struct schema_why *why);
/* Notes the names ($id, $anchor) of the schemas at and below that place, so
 * that others find them; schema_build_add() does so for what it is given. */
int schema_build_scan(struct schema_build *b, const yyjson_val *at,
                      struct schema_why *why);
/* Compiles the schema at that place of the document, and all that it refers
 * to; a place that was added before costs nothing. *entry_out is for
 * schema_judge(). After an error the same call goes on behind it, so that
 * further errors are found; the program of such a build is not to be used. */
int schema_build_add(struct schema_build *b, const yyjson_val *at,
                     uint32_t *entry_out, struct schema_why *why);
/* Hands the program over. */
struct schema *schema_build_done(struct schema_build **b);
void schema_build_free(struct schema_build **b);
void schema_free(struct schema **s);

/* --- judging ---------------------------------------------------------------- */

enum schema_verdict { SCHEMA_VALID, SCHEMA_INVALID, SCHEMA_OVER };

/* Which way a value goes: readOnly members are refused in requests and not
 * required there, writeOnly ones in responses. */
enum schema_way { SCHEMA_EITHER_WAY, SCHEMA_REQUEST, SCHEMA_RESPONSE };

enum {
    SCHEMA_STEPS_DEFAULT = 1000000, /* below 50 ms of one core */
    SCHEMA_ARENA_BYTES_MAX = 32 << 20,
    SCHEMA_VIOLATIONS_MAX = 100,
};

struct schema_violation {
    struct sv instance; /* JSON Pointer to the value, "" the whole */
    struct sv keyword;  /* "minLength" */
    struct sv location; /* of the keyword in the document: "#/…/minLength" */
    struct sv says;     /* a sentence without final stop */
};

struct schema_judge {
    /* given */
    struct arena *arena;       /* violations and scratch; its budget is ours */
    struct pattern_room *room; /* one a thread */
    uint32_t steps;            /* left; several verdicts may share them */
    uint64_t (*now_ns)(void);  /* NULL: steps alone; else a clock, read now */
    uint64_t until_ns;         /* and then, and when it stops */
    unsigned violations_max;   /* 0: the verdict alone */
    enum schema_way way;
    struct sv prefix;          /* before each instance pointer */
    /* made; appended by several verdicts */
    struct schema_violation *violations;
    unsigned violations_n;
    bool more;                 /* the bound was reached */
};

/* INVALID: at least one violation. OVER: too dear to say; treat as invalid.
 * Recurses 512 schemas deep at worst: some hundred KiB of stack. */
enum schema_verdict schema_judge(const struct schema *s, uint32_t entry,
                                 const yyjson_val *value,
                                 struct schema_judge *j);
/* Notes a violation that another layer found; says is kept as it is. */
void schema_judge_note(struct schema_judge *j, struct schema_violation v);

/* --- looking into a program ------------------------------------------------- */

/* Bits of types: which a schema may accept, as far as its type, enum, const
 * and references say without a value. */
enum schema_type {
    SCHEMA_T_NULL = 1, SCHEMA_T_BOOLEAN = 2, SCHEMA_T_INTEGER = 4,
    SCHEMA_T_NUMBER = 8, SCHEMA_T_STRING = 16, SCHEMA_T_ARRAY = 32,
    SCHEMA_T_OBJECT = 64, SCHEMA_T_ANY = 127,
};
unsigned schema_types(const struct schema *s, uint32_t entry);
/* The schema of items (behind the prefix), of a member; SCHEMA_NONE if the
 * schema, with its references, says nothing of them. */
uint32_t schema_items(const struct schema *s, uint32_t entry);
uint32_t schema_member(const struct schema *s, uint32_t entry, struct sv name);

#endif
