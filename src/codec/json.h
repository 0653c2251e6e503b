/* JSON, strict (RFC 8259), over yyjson: what our API, our records and the
 * bodies that we judge have in common. Refused beyond what yyjson refuses
 * (bad UTF-8, bad escapes, lone surrogates, trailing bytes): duplicate
 * members, and more than 64 levels. Memory comes from the arena given; so
 * does the document's life. */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/buf.h"

enum { JSON_DEPTH_MAX = 64 };

struct json_why {
    const char *reason; /* static: "duplicate member" */
    size_t at;          /* byte position; of a duplicate: 0 */
    struct sv member;   /* the duplicate's name, in the arena; else empty */
};

/* ERR_INVALID with *why (may be NULL), ERR_NOMEM when over the arena. */
int json_decode(struct sv text, struct arena *a, yyjson_doc **out,
                struct json_why *why);

/* As json_decode, but numbers stay the text that was sent (yyjson's raw
 * values, see codec/decimal.h): for judges to whom 1e400 and the 17th digit
 * matter. */
int json_decode_exact(struct sv text, struct arena *a, yyjson_doc **out,
                      struct json_why *why);

/* The arena as yyjson's allocator, for building documents. */
yyjson_alc json_alc(struct arena *a);
static inline yyjson_mut_doc *json_new(struct arena *a)
{
    yyjson_alc alc = json_alc(a);
    return yyjson_mut_doc_new(&alc);
}
/* Minified text in the arena, NUL behind it; p NULL: over. */
struct sv json_encode(struct arena *a, const yyjson_mut_val *v);
struct sv json_encode_val(struct arena *a, const yyjson_val *v);

/* --- shorthand --------------------------------------------------------------
 * json_text: a string's view, empty (p NULL) if v is no string or NULL. */
static inline struct sv json_text(const yyjson_val *v)
{
    return sv_of(yyjson_get_str((yyjson_val *)(uintptr_t)v),
                 yyjson_get_len((yyjson_val *)(uintptr_t)v) *
                     (size_t)yyjson_is_str((yyjson_val *)(uintptr_t)v));
}
/* The same of a document that is being made. */
static inline struct sv json_mut_text(const yyjson_mut_val *v)
{
    yyjson_mut_val *x = (yyjson_mut_val *)(uintptr_t)v;
    return sv_of(yyjson_mut_get_str(x), yyjson_mut_get_len(x));
}
static inline yyjson_val *json_find(const yyjson_val *object, const char *name)
{
    return yyjson_obj_get((yyjson_val *)(uintptr_t)object, name);
}
/* An integer, also written as 1.0 or 1e3; within +-2^53 for such. */
bool json_is_int(const yyjson_val *v, int64_t *out);

/* --- writing without a document -------------------------------------------- */
/* With quotes and escapes; s must be valid UTF-8. */
void json_put_text(struct buf *b, struct sv s);
/* ,"name": with the comma only if the buffer does not end in { or [ or is
 * empty. `name` needs no escapes. */
void json_put_name(struct buf *b, const char *name);
/* Whole members of an object; a time is RFC 3339's text, 0: null. */
void json_put_member(struct buf *b, const char *name, struct sv text);
void json_put_u64(struct buf *b, const char *name, uint64_t n);
void json_put_bool(struct buf *b, const char *name, bool v);
void json_put_null(struct buf *b, const char *name);
void json_put_time(struct buf *b, const char *name, int64_t wall_ms);

#endif
