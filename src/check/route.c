/* Steps 2a and 15: which rule of the routing profile a request is for, and
 * whether that rule answers it here. What is rewritten is the door's. */
#include "check/check.h"
#include "codec/percent.h"

enum verdict check_route(struct exchange *x)
{
    struct route_match found;
    if (x->route) return VERDICT_PASS; /* after a wait */
    switch (route_match(x->plan->routes, x->head, &found)) {
    case ROUTE_NONE: return VERDICT_PASS;
    case ROUTE_REFUSED: return check_deny(x, REASON_BAD_PATH);
    case ROUTE_FOUND: break;
    }
    struct route_match *kept = arena_alloc(x->arena, sizeof *kept);
    if (!kept) return VERDICT_FAULT;
    *kept = found;
    x->route = kept;
    x->scopes = found.rule->scopes;
    x->scopes_n = found.rule->scopes_n;
    return VERDICT_PASS;
}

bool check_variable(const struct exchange *x, struct sv name, struct sv *value)
{
    int i = x->route ? template_name_find(&x->route->rule->names, name) : -1;
    if (i < 0) return check_header_once(x, name, value);
    *value = x->route->value[i];
    if (!(x->route->escaped >> i & 1)) return true;
    char *decoded = arena_alloc(x->arena, value->n);
    if (!decoded) return false;
    *value = sv_of(decoded, percent_decode(decoded, *value));
    return true;
}

enum verdict check_answer(struct exchange *x)
{
    bool answers = x->route && x->route->rule->answers;
    return answers ? VERDICT_ANSWER : VERDICT_PASS;
}
