/* What an application with `cors` says to scripts of other sites, in each of
 * its answers and to a preflight (the Fetch standard, "CORS protocol"). */
#ifndef EDGE_CORS_H
#define EDGE_CORS_H

#include "base/buf.h"
#include "codec/http.h"
#include "model/cors.h"

enum { CORS_FIELDS_MAX = 4, PREFLIGHT_FIELDS_MAX = 7 };

struct cors_answer {         /* kept from the request until the answer */
    struct sv allow_origin;  /* "" this site may not */
    struct sv expose;        /* "" none */
    bool credentials;
    bool vary;               /* the answer differs by Origin */
};
/* Texts in the arena; NULL: it is spent. */
const struct cors_answer *cors_answer_new(const struct cors *c,
                                          const struct http_head *h,
                                          struct arena *a);
size_t cors_fields_put(const struct cors_answer *a,
                       struct http_field out[CORS_FIELDS_MAX]);
/* Of a preflight; `text` holds what is not constant. */
size_t cors_preflight_put(const struct cors *c, const struct http_head *h,
                          const struct cors_answer *a, struct buf *text,
                          struct http_field out[PREFLIGHT_FIELDS_MAX]);
/* A field of answers that only the gateway writes then. */
bool cors_owns(struct sv name);

#endif
