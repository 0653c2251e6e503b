/* Where requests go: the application's origin, and those that its routes name
 * instead. A rule's fixed host is held as long as the image; one that a
 * request's variables make is visited. */
#include "base/err.h"
#include "plan/plan_int.h"

void plan_host_header(const struct plan_origin *o, struct buf *text)
{
    bool literal = sv_find(o->at.host, ':') != SIZE_MAX;
    if (literal) buf_putc(text, '[');
    buf_put(text, o->at.host);
    if (literal) buf_putc(text, ']');
    if (o->at.port == (o->at.tls ? 443 : 80)) return;
    buf_putc(text, ':');
    buf_put_u64(text, o->at.port);
}

int plan_origin_name(struct plan_origin *o, struct arena *a)
{
    char memory[512];
    struct buf text;
    buf_init_fixed(&text, memory, sizeof memory);
    plan_host_header(o, &text);
    o->host_header = arena_dup(a, buf_sv(&text));
    return o->host_header.p ? 0 : ERR_NOMEM;
}

static struct origin_key key_of(const struct plan_origin *o)
{
    return (struct origin_key){ .host = o->at.host,
                                .port = o->at.port,
                                .tls = o->at.tls,
                                .tls_verify = o->tls_verify };
}

void plan_origin_hold(struct plan *p, struct plan_origin *o)
{
    struct origin_key key = key_of(o);
    struct origin_ref ref = origins_hold(p->origins, &key);
    o->id = ref.id;
    o->generation = ref.generation;
}

/* The application's, with another name and perhaps another port. Without an
 * origin of its own an application reaches hosts as bare ones: by https. */
static struct plan_origin moved(const struct plan_app *a,
                                const struct route_rule *r, struct sv host)
{
    struct plan_origin o = a->origin;
    if (!a->app.has_origin) {
        o.at = (struct origin_address){ .tls = true, .port = 443 };
        o.at.base = SV("");
        o.tls_verify = true;
    }
    o.id = UINT32_MAX;
    o.at.host = host;
    if (r->port) o.at.port = r->port;
    return o;
}

static bool is_fixed(const struct template *host)
{
    return host->n == 1 && host->pieces[0].variable < 0;
}

static bool hold(struct plan *p, struct plan_app *a, const struct route_rule *r)
{
    struct plan_origin *o = &a->route_origins[r->index];
    if (r->has_retries && r->retries) a->routes_retry = true;
    if (!is_fixed(&r->host)) return true;
    *o = moved(a, r, r->host.pieces[0].text);
    if (plan_origin_name(o, &a->arena)) return false;
    plan_origin_hold(p, o);
    return true;
}

int plan_routes_build(struct plan *p, struct plan_app *a, struct sv routing)
{
    struct routing *r = ARENA_NEW(&a->arena, struct routing);
    if (!routing.n) return 0;
    if (!r) return ERR_NOMEM;
    int rc = routing_decode(routing, &a->arena, r);
    if (!rc) rc = route_table_build(r, &a->arena, &a->routes);
    if (rc) return rc;
    a->route_origins = ARENA_ARRAY(&a->arena, struct plan_origin, r->n);
    if (!a->route_origins) return ERR_NOMEM;
    for (unsigned i = 0; i < r->n; i++) a->route_origins[i].id = UINT32_MAX;
    a->route_origins_n = r->n;
    for (unsigned i = 0; i < r->n; i++)
        if (!hold(p, a, &r->rules[i])) return ERR_NOMEM;
    return 0;
}

void plan_routes_drop(struct plan *p, struct plan_app *a)
{
    for (unsigned i = 0; i < a->route_origins_n; i++)
        if (a->route_origins[i].id != UINT32_MAX)
            origins_drop(p->origins, a->route_origins[i].id);
}

int plan_route_origin(const struct plan_app *a, const struct route_match *m,
                      struct buf *text, struct plan_origin *out)
{
    const struct route_rule *r = m->rule;
    struct sv host;
    if (!r->host.n) {
        *out = a->origin;
        return a->app.has_origin ? 0 : ERR_NOTFOUND;
    }
    if (is_fixed(&r->host)) {
        *out = a->route_origins[r->index];
        return 0;
    }
    int rc = route_host(m, text, &host);
    if (rc) return rc;
    *out = moved(a, r, host);
    size_t start = text->n;
    plan_host_header(out, text);
    if (text->overflow) return ERR_TOOBIG;
    out->host_header = buf_since(text, start);
    struct origin_key key = key_of(out);
    struct origin_ref ref = origins_visit(a->owner->origins, &key);
    out->id = ref.id;
    out->generation = ref.generation;
    return 0;
}
