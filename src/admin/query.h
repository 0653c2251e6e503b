/* The query of a request target: pairs, percent-decoded ('+' is a space, as
 * forms write it). */
#ifndef ADMIN_QUERY_H
#define ADMIN_QUERY_H

#include "base/arena.h"

enum { QUERY_PAIRS_MAX = 64 };

struct query_pair {
    struct sv name, value;
};
struct query {
    struct query_pair pairs[QUERY_PAIRS_MAX];
    size_t n;
};
/* ERR_INVALID: bad escape, not UTF-8 or a control character; ERR_LIMIT: too
 * many pairs. Texts lie in the arena. */
int query_parse(struct sv text, struct arena *a, struct query *out);
/* The first of that name; p NULL: absent. */
struct sv query_find(const struct query *q, struct sv name);

#endif
