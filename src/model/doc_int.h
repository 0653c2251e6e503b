/* Reading stored documents: what the typed forms of the nouns have in common.
 * A member that is absent or null is unset. */
#ifndef MODEL_DOC_INT_H
#define MODEL_DOC_INT_H

#include "base/ip.h"
#include "codec/json.h"

/* Memory for the parsed document of a decoder, gone at its end: images live
 * long, and the parsed form is several times the text. */
struct decode_scratch {
    struct arena arena;
    char first[8192];
};
/* ERR_CORRUPT unless it is an object. End with arena_fini(&s->arena). */
int decode_begin(struct decode_scratch *s, struct sv doc,
                 const yyjson_val **root);
/* The whole of it: parses, has `decode` fill *out (cleared before, `n` bytes),
 * what it keeps in `a`. ERR_NOMEM when the arena ran over. */
typedef int doc_decode_fn(const yyjson_val *root, struct arena *a, void *out);
int doc_decode(struct sv doc, struct arena *a, doc_decode_fn *decode,
               void *out, size_t n);

/* A text member copied into the arena; "" when unset. Sets a->overflow. */
struct sv text_decode(const yyjson_val *object, const char *name,
                      struct arena *a);
/* id, account_id and name, which every record has: ERR_CORRUPT without. */
int identity_decode(const yyjson_val *root, struct arena *a, struct sv *id,
                    struct sv *account_id, struct sv *name);
bool bool_decode(const yyjson_val *object, const char *name, bool unset);
int64_t int_decode(const yyjson_val *object, const char *name, int64_t unset);
/* 1 to max; 0 when unset or beyond. */
uint32_t count_decode(const yyjson_val *object, const char *name,
                      uint32_t max);
/* Which of the options; 0 when unset, -1 when it is none of them. */
int option_decode(const yyjson_val *object, const char *name,
                  const char *const *options);
/* A list of networks, at most max: ERR_CORRUPT beyond, or when one cannot be
 * read. */
int cidrs_decode(const yyjson_val *list, size_t max, struct arena *a,
                 const struct cidr **out, size_t *n);

#endif
