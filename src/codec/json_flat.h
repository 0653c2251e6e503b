/* Builds yyjson's values by hand, in the order of the text, where no JSON
 * text is: from YAML, from parameters, from forms. The result is what
 * yyjson's reader would have made: one array, containers spanning their
 * members, numbers as raw text. Texts are borrowed. */
#ifndef CODEC_JSON_FLAT_H
#define CODEC_JSON_FLAT_H

#include <yyjson.h>

#include "base/sv.h"

enum { JSON_FLAT_DEPTH_MAX = 64 };

struct json_flat {
    yyjson_val *values; /* moves while it grows */
    yyjson_val *first;  /* the caller's, used before the heap; may be NULL */
    size_t n, cap, max;
    size_t open[JSON_FLAT_DEPTH_MAX]; /* containers that are not closed */
    unsigned depth;
    bool failed; /* sticky: too many values, too deep, or no memory */
};

void json_flat_init(struct json_flat *f, size_t max, yyjson_val *first,
                    size_t first_n);
void json_flat_fini(struct json_flat *f);
void json_flat_clear(struct json_flat *f); /* keeps the memory */

void json_flat_open(struct json_flat *f, bool object);
void json_flat_close(struct json_flat *f);
/* A key is a text in front of its value. */
void json_flat_text(struct json_flat *f, struct sv s);
void json_flat_number(struct json_flat *f, struct sv s); /* RFC 8259 §6 */
void json_flat_bool(struct json_flat *f, bool v);
void json_flat_null(struct json_flat *f);
/* values[from, to) once more. */
void json_flat_repeat(struct json_flat *f, size_t from, size_t to);

#endif
