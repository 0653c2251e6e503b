/* YAML 1.2's JSON-like part, to the values that JSON gives: mappings with
 * text keys, sequences, scalars by the core schema. Refused: several
 * documents, keys that are no scalars or stand twice, merge keys, tags beyond
 * YAML's own scalars, more than 64 levels. Aliases are copied, within the
 * bound on values, so that a small text does not become a large one. */
#ifndef CODEC_YAML_H
#define CODEC_YAML_H

#include <yyjson.h>

#include "base/arena.h"

enum { YAML_VALUES_MAX = 4 << 20 };

struct yaml_mark {
    uint32_t line, column; /* from 1 */
};

struct yaml_doc {
    yyjson_val *root; /* numbers as raw text; in the arena */
    size_t values_n;
    struct yaml_mark *marks; /* one a value, root's first */
};

struct yaml_why {
    struct yaml_mark at;
    char reason[120];
};

/* ERR_INVALID with *why, ERR_NOMEM over the arena. Text is UTF-8. */
int yaml_decode(struct sv text, struct arena *a, struct yaml_doc *out,
                struct yaml_why *why);

#endif
