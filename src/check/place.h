/* Where in a request the credential is (api.md §4, tokenLocation). Pure. */
#ifndef CHECK_PLACE_H
#define CHECK_PLACE_H

#include "base/arena.h"
#include "codec/http.h"
#include "model/authentication.h"

enum place_found {
    FOUND_NONE,
    FOUND_ONE,
    FOUND_UNCLEAR, /* given twice, or not readable: nobody may choose one */
    FOUND_NO_ROOM, /* the arena's budget is spent */
};

struct place_credential {
    struct sv text; /* in the head, or (escaped in the query) in the arena */
    const struct http_field *field; /* NULL: the query */
};

enum place_found place_find(const struct http_head *head,
                            const struct authentication *auth,
                            struct arena *a, struct place_credential *out);
/* The same with another scheme than Bearer in Authorization. */
enum place_found place_find_as(const struct http_head *head,
                               const struct authentication *auth,
                               struct sv scheme, struct arena *a,
                               struct place_credential *out);
/* Is there, at a place of RFC 6750 (Authorization: Bearer, the query's
 * access_token) that is not the profile's, a credential that differs from the
 * one that was found? Then nobody may choose one. */
bool place_has_another(const struct http_head *head,
                       const struct authentication *auth, struct arena *a,
                       struct sv found);
/* What follows "Bearer" (any case) and spaces; `text` itself without it. */
struct sv place_without_bearer(struct sv text, bool *had);
struct sv place_without_scheme(struct sv text, struct sv scheme, bool *had);

#endif
