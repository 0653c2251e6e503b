/* Steps 15 and 17 of a routed request: the origin that its rule names, the
 * answer's edits kept until there is an answer, or the rule's own answer. */
#include "base/err.h"
#include "edge/proxy_int.h"

/* The image and the request's head are gone when the answer comes. */
static int keep_edit(struct proxy *p, const struct route_match *m,
                     struct buf *text)
{
    const struct route_edit *e = &m->rule->response;
    struct arena *a = &p->v.arena;
    size_t start = text->n;
    if (!e->set_n && !e->remove_n) return 0;
    struct route_edit *kept = ARENA_NEW(a, struct route_edit);
    struct route_set *set = ARENA_ARRAY(a, struct route_set, e->set_n + 1u);
    struct sv *remove = ARENA_ARRAY(a, struct sv, e->remove_n + 1u);
    struct sv *values = ARENA_ARRAY(a, struct sv, e->set_n + 1u);
    if (!kept || !set || !remove || !values) return ERR_NOMEM;
    for (unsigned i = 0; i < e->set_n; i++) {
        set[i].name = arena_dup(a, e->set[i].name);
        values[i] = arena_dup(a, route_field(m, &e->set[i].value, text));
        text->n = start;
    }
    for (unsigned i = 0; i < e->remove_n; i++)
        remove[i] = arena_dup(a, e->remove[i]);
    *kept = (struct route_edit){ set, remove, e->set_n, e->remove_n };
    p->edit = kept;
    p->edit_values = values;
    if (text->overflow) return ERR_TOOBIG;
    return a->overflow ? ERR_NOMEM : 0;
}

int route_origin(struct proxy *p, struct buf *text, struct plan_origin *out)
{
    const struct plan_app *app = p->x.plan;
    const struct route_match *route = p->x.route;
    bool own = !route || !route->rule->host.n;
    int err = route && !p->edit ? keep_edit(p, route, text) : 0;
    if (err) return err;
    if (own && app->balance && app->balance->n)
        return attempt_choose(p, p->x.head, out);
    if (route) return plan_route_origin(app, route, text, out);
    *out = app->origin;
    return app->app.has_origin ? 0 : ERR_NOTFOUND;
}

void route_answer(struct proxy *p)
{
    const struct route_rule *rule = p->x.route->rule;
    struct http_field limits[LIMITS_FIELDS_MAX];
    struct reply reply;
    struct buf text;
    edge_text(p->v.er, &text);
    p->answered = true;
    p->x.taken = false; /* served: nothing is given back */
    reply_own(rule->code, rule->content_type, rule->body, p->v.request_id,
              &reply);
    unsigned n = (unsigned)limits_fields(&p->limits, &text, limits);
    for (unsigned i = 0; i < n; i++)
        reply.fields[reply.head.fields_n++] = limits[i];
    reply_cors(p->cors, &reply);
    http_stream_answer(p->v.stream, &reply.head, reply.body);
}
