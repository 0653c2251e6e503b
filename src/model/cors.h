/* Who may read an application's answers from scripts of other sites (the
 * Fetch standard, "CORS protocol"): the field `cors` of an application. */
#ifndef MODEL_CORS_H
#define MODEL_CORS_H

#include "base/arena.h"
#include "codec/json.h"

enum { CORS_ORIGINS_MAX = 50, CORS_NAMES_MAX = 50, CORS_AGE_MAX_S = 86400 };

struct cors {
    const struct sv *origins; /* "https://a.test:8443", or with *. first */
    unsigned origins_n;
    bool any_origin;          /* "*": never with credentials */
    bool credentials;
    const struct sv *methods; /* none with any_method */
    unsigned methods_n;
    bool any_method, mirror;  /* mirror: the fields asked for are allowed */
    struct sv methods_text, headers_text, expose_text; /* ready; "" none */
    int32_t max_age_s;        /* -1: not said */
};

/* NULL: the object is absent. Checked when it was stored: ERR_CORRUPT. */
int cors_decode(const yyjson_val *v, struct arena *a, const struct cors **out);

/* `origin`: the Origin field as it came. Pure, no allocation. */
bool cors_allows(const struct cors *c, struct sv origin);
bool cors_allows_method(const struct cors *c, struct sv method);

#endif
