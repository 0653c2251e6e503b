/* Places in a JSON document: JSON Pointers (RFC 6901) both ways. A document
 * is yyjson's one array of values in the order of the text: a value's index
 * in it says where it stands, and a container spans its members. */
#ifndef CODEC_JSON_PLACE_H
#define CODEC_JSON_PLACE_H

#include <yyjson.h>

#include "base/buf.h"

/* The pointer's target, or NULL. `pointer` is "" or begins with '/'; ~0 and
 * ~1 are decoded, nothing else. */
const yyjson_val *json_place_find(const yyjson_val *root, struct sv pointer);
/* The pointer to v, a value of root's document, appended. */
void json_place_put(struct buf *b, const yyjson_val *root, const yyjson_val *v);
/* One reference token, escaped, with its leading '/'. */
void json_place_put_step(struct buf *b, struct sv name);

/* The value behind v in the document: of v's siblings the next key or item. */
static inline const yyjson_val *json_place_next(const yyjson_val *v)
{
    return unsafe_yyjson_get_next((yyjson_val *)(uintptr_t)v);
}
/* How many values v spans, itself among them. */
static inline size_t json_place_span(const yyjson_val *v)
{
    return (size_t)(json_place_next(v) - v);
}

/* v, or an empty list for NULL: yyjson's loops step behind what they are
 * given. */
static inline yyjson_val *json_place_or_none(const yyjson_val *v)
{
    static const yyjson_val none = { .tag = YYJSON_TYPE_ARR };
    return (yyjson_val *)(uintptr_t)(v ? v : &none);
}

#endif
