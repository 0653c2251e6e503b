/* A monitor's targets: endpoints at origins. */
#include "base/ensure.h"
#include "base/hash.h"
#include "reach/monitor_int.h"

enum { ARENA_BYTES = 512 * 1024 };

static void endpoint_copy(struct arena *a, const struct monitor_endpoint *from,
                          struct monitor_endpoint *to)
{
    struct http_field *fields =
        ARENA_ARRAY(a, struct http_field, from->headers_n + 1);
    *to = *from;
    to->url = arena_dup(a, from->url);
    to->method = arena_dup(a, from->method);
    to->body_match = arena_dup(a, from->body_match);
    for (unsigned i = 0; fields && i < from->headers_n; i++)
        fields[i] = (struct http_field){
            .name = arena_dup(a, from->headers[i].name),
            .value = arena_dup(a, from->headers[i].value),
            .id = from->headers[i].id,
        };
    to->headers = fields;
}

static const struct monitor *monitor_copy(struct arena *a,
                                          const struct monitor *from)
{
    struct monitor *m = ARENA_NEW(a, struct monitor);
    if (!m) return NULL;
    *m = *from;
    for (unsigned i = 0; i < m->n; i++)
        endpoint_copy(a, &from->endpoints[i], &m->endpoints[i]);
    return m;
}

static struct sv url_at(struct arena *a, const struct origin_address *at,
                        struct sv path)
{
    bool literal = sv_find(at->host, ':') != SIZE_MAX;
    return arena_printf(a, "http%s://%s%.*s%s:%u%.*s%.*s", at->tls ? "s" : "",
                        literal ? "[" : "", SV_FMT(at->host),
                        literal ? "]" : "", at->port, SV_FMT(at->base),
                        SV_FMT(path));
}

static uint32_t key_of(const struct monitor_endpoint *e, struct sv url)
{
    uint32_t crc = crc32c(0, e->method.p, e->method.n);
    crc = crc32c(crc, " ", 1);
    crc = crc32c(crc, url.p, url.n);
    return crc ? crc : 1; /* 0 is nobody's */
}

static void target_add(struct watched *w, unsigned endpoint, struct sv url,
                       struct origin_state *origin)
{
    ENSURE(w->n < MONITOR_TARGETS_MAX);
    struct target *t = &w->targets[w->n];
    t->of = w;
    t->endpoint_at = endpoint;
    t->endpoint = &w->monitor->endpoints[endpoint];
    t->at = w->n++;
    t->url = url;
    t->key = key_of(t->endpoint, url);
    t->origin = origin;
}

/* The first path at all origins, others at the first of them. */
static void targets_add(struct monitors *m, struct watched *w,
                        const struct monitor_source *s)
{
    bool spread = false;
    for (unsigned e = 0; e < w->monitor->n; e++) {
        struct sv url = w->monitor->endpoints[e].url;
        unsigned n = s->n && spread ? 1 : s->n;
        if (!monitor_is_path(url)) {
            target_add(w, e, url, NULL);
            continue;
        }
        for (unsigned i = 0; i < n; i++)
            target_add(w, e, url_at(&w->arena, s->origins[i].at, url),
                       s->feeds && !spread
                           ? origin_hold(m->conf.origins, &s->origins[i])
                           : NULL);
        spread = true;
    }
}

struct watched *watched_new(struct monitors *m, const struct monitor_source *s)
{
    struct watched *w = NEW(struct watched);
    struct arena *a = &w->arena;
    arena_init(a, ARENA_BYTES, NULL, 0);
    w->id = arena_dup(a, s->application_id);
    w->account_id = arena_dup(a, s->account_id);
    w->name = arena_dup(a, s->name);
    w->monitor = monitor_copy(a, s->monitor);
    w->targets = ARENA_ARRAY(a, struct target,
                             s->n + UPTIME_ENDPOINTS < MONITOR_TARGETS_MAX
                                 ? s->n + UPTIME_ENDPOINTS
                                 : MONITOR_TARGETS_MAX);
    w->feeds = s->feeds;
    if (w->targets && w->monitor && w->monitor->enabled) targets_add(m, w, s);
    if (!a->overflow) return w;
    watched_free(m, w);
    return NULL;
}

void watched_free(struct monitors *m, struct watched *w)
{
    for (unsigned i = 0; i < w->n; i++)
        if (w->targets[i].origin)
            origin_drop(m->conf.origins, w->targets[i].origin);
    arena_fini(&w->arena);
    mem_free(w);
}
