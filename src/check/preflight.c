/* Step 2: a browser that asks whether a script of another site may send a
 * request (the Fetch standard, "CORS-preflight request"). It carries no
 * credential, so it is answered before one is asked for; what the answer says
 * is the door's. Compiled only into images that configure cors. */
#include "check/check.h"

static bool has_once(const struct http_head *h, enum http_name id)
{
    if (!h->at[id]) return false;
    for (unsigned i = h->at[id]; i < h->fields_n; i++)
        if (h->fields[i].id == id) return false;
    return true;
}

enum verdict check_preflight(struct exchange *x)
{
    x->preflight = x->head->method == HTTP_OPTIONS &&
                   has_once(x->head, HN_ORIGIN) &&
                   has_once(x->head, HN_ACCESS_CONTROL_REQUEST_METHOD);
    return x->preflight ? VERDICT_ANSWER : VERDICT_PASS;
}
