/* Origins and their connections on one reactor: LIFO reuse, caps, waiting,
 * connecting to one address after the other.
 *
 *   call_seek ─┬─ below the cap ─> resolve ─> address… ─> call_opened
 *              └─ at the cap ─> waiting ─ a connection gets free ─┘
 *
 * Health and balancing are not here: an origin is one host and port. */
#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "http/client_int.h"

enum { ORIGINS_MAX = 1 << 20, WAITING_DEFAULT = 256, ATTEMPT_MIN_MS = 250 };

/* --- the pool ------------------------------------------------------------- */

int http_pool_new(struct http_pool **out, const struct http_pool_conf *conf)
{
    struct http_pool *p = NEW(struct http_pool);
    p->conf = *conf;
    if (!p->conf.reactors) p->conf.reactors = 1;
    if (!p->conf.waiting_max) p->conf.waiting_max = WAITING_DEFAULT;
    struct http1_limits *l = &p->conf.limits;
    if (!l->head_bytes) l->head_bytes = BLOCK_BYTES;
    if (!l->fields) l->fields = HTTP_FIELDS_MAX;
    ENSURE(l->head_bytes <= BLOCK_BYTES && l->fields <= HTTP_FIELDS_MAX);
    p->failed_timer.fire = calls_tell_failed;
    slab_init(&p->calls, sizeof(struct http_call));
    slab_init(&p->dials, sizeof(struct dial));
    slab_init(&p->upstreams, sizeof(struct upstream));
    *out = p;
    return 0;
}

void http_pool_free(struct http_pool **pp)
{
    struct http_pool *p = *pp;
    if (!p) return;
    p->freeing = true;
    for (uint32_t i = 0; i < p->origins_n; i++) {
        struct origin *o = p->origins[i];
        while (o && o->waiting) {
            struct http_call *c = o->waiting;
            waiting_remove(c);
            call_fail_later(c, ERR_SHUTDOWN, err_text(ERR_SHUTDOWN));
        }
    }
    calls_tell_failed(&p->failed_timer);
    timer_cancel(p->conf.reactor, &p->failed_timer);
    for (uint32_t i = 0; i < p->origins_n; i++) mem_free(p->origins[i]);
    mem_free(p->origins);
    slab_fini(&p->calls);
    slab_fini(&p->dials);
    slab_fini(&p->upstreams);
    mem_free(p);
    *pp = NULL;
}

struct http_pool_stats *http_pool_stats(struct http_pool *p)
{
    return &p->stats;
}

/* --- origins -------------------------------------------------------------- */

static unsigned share(uint32_t all, uint32_t otherwise, unsigned reactors)
{
    if (!all) all = otherwise;
    return (all + reactors - 1) / reactors;
}

static void origin_set(struct origin *o, const struct http_origin *conf)
{
    unsigned n = o->pool->conf.reactors;
    ENSURE(conf->host.n < sizeof o->host);
    memcpy(o->host, conf->host.p, conf->host.n);
    o->conf = *conf;
    o->conf.host = sv_of(o->host, conf->host.n);
    o->conns_max = share(conf->conns_max, 1024, n);
    o->idle_max = share(conf->idle_max, 256, n);
    if (!o->conf.idle_ms) o->conf.idle_ms = 4000;
    for (struct upstream *u = o->idle; u; u = u->next) conn_close(u->conn);
}

static struct origin *origin_new(struct http_pool *p,
                                 const struct http_origin *conf)
{
    ENSURE(conf->id < ORIGINS_MAX);
    if (conf->id >= p->origins_n) {
        uint32_t n = conf->id + 64;
        p->origins = mem_realloc(p->origins, n * sizeof(struct origin *));
        while (p->origins_n < n) p->origins[p->origins_n++] = NULL;
    }
    struct origin *o = p->origins[conf->id] = NEW(struct origin);
    o->pool = p;
    o->waiting_end = &o->waiting;
    origin_set(o, conf);
    return o;
}

struct origin *origin_get(struct http_pool *p, const struct http_origin *conf)
{
    struct origin *o = conf->id < p->origins_n ? p->origins[conf->id] : NULL;
    if (!o) return origin_new(p, conf);
    if (o->conf.generation != conf->generation) origin_set(o, conf);
    return o;
}

/* --- idle connections ----------------------------------------------------- */

static void idle_remove(struct upstream *u)
{
    if (!u->idle) return;
    struct origin *o = u->origin;
    if (u->prev)
        u->prev->next = u->next;
    else
        o->idle = u->next;
    if (u->next) u->next->prev = u->prev;
    u->idle = false;
    o->idle_n--;
    COUNT(o->pool, idle, -1);
}

struct upstream *upstream_reuse(struct origin *o)
{
    for (struct upstream *u = o->idle; u; u = u->next) {
        if (conn_closing(u->conn) || u->generation != o->conf.generation)
            continue;
        idle_remove(u);
        COUNT(o->pool, reused, 1);
        return u;
    }
    return NULL;
}

void upstream_attach(struct upstream *u, struct http_call *c)
{
    u->call = c;
    c->up = u;
}

/* Whoever waits longest gets a connection, or the right to make one. */
static void waiting_next(struct origin *o)
{
    while (o->waiting && !o->pool->freeing) {
        struct http_call *c = o->waiting;
        struct upstream *u = upstream_reuse(o);
        if (!u && o->conns >= o->conns_max) return;
        waiting_remove(c);
        if (u) {
            upstream_attach(u, c);
            call_opened(c);
        } else {
            call_seek(c);
        }
    }
}

void upstream_release(struct upstream *u, bool reusable)
{
    struct origin *o = u->origin;
    u->call = NULL;
    if (!reusable || u->last || u->idle_ms == 0 ||
        u->generation != o->conf.generation || conn_closing(u->conn) ||
        (o->idle_n >= o->idle_max && !o->waiting)) {
        conn_close(u->conn);
        return;
    }
    if (u->read_off) conn_read(u->conn, true);
    u->read_off = false;
    u->pooled = u->idle = true;
    u->prev = NULL;
    u->next = o->idle;
    if (o->idle) o->idle->prev = u;
    o->idle = u;
    o->idle_n++;
    COUNT(o->pool, idle, 1);
    conn_deadline(u->conn, DEADLINE_IDLE, u->idle_ms);
    if (o->waiting) waiting_next(o);
}

static void upstream_free(struct upstream *u)
{
    struct origin *o = u->origin;
    idle_remove(u);
    slab_put(&o->pool->upstreams, u);
    o->conns--;
    waiting_next(o);
}

/* --- waiting -------------------------------------------------------------- */

void waiting_remove(struct http_call *c)
{
    struct origin *o = c->origin;
    struct http_call **p = &o->waiting;
    while (*p != c) p = &(*p)->next;
    *p = c->next;
    if (!c->next) o->waiting_end = p;
    o->waiting_n--;
    COUNT(o->pool, waiting, -1);
}

static void wait_for_one(struct http_call *c)
{
    struct origin *o = c->origin;
    if (o->waiting_n >= o->pool->conf.waiting_max) {
        call_fail_later(c, ERR_LIMIT, "too many calls wait for the origin");
        return;
    }
    c->state = CALL_WAITING;
    c->next = NULL;
    *o->waiting_end = c;
    o->waiting_end = &c->next;
    o->waiting_n++;
    COUNT(o->pool, waiting, 1);
}

/* --- connecting ----------------------------------------------------------- */

static uint64_t now_ms(const struct http_call *c)
{
    return reactor_now_ms(c->pool->conf.reactor);
}

static void dial_timed_out(struct timer *t)
{
    call_timed_out(CONTAINER_OF(t, struct dial, timer)->call);
}

static void dial_begin(struct http_call *c)
{
    struct dial *d = slab_get(&c->pool->dials);
    memset(d, 0, offsetof(struct dial, addrs));
    d->pool = c->pool;
    d->call = c;
    d->until_ms = now_ms(c) + c->connect_ms;
    d->timer.fire = dial_timed_out;
    buf_init(&d->early, CONN_HIGH + 2 * BLOCK_BYTES);
    timer_arm(c->pool->conf.reactor, &d->timer, c->connect_ms);
    c->dial = d;
}

void call_dial(struct http_call *c, struct http_call_times *times)
{
    dial_begin(c);
    if (!times) return;
    *times = (struct http_call_times){ .start_ns = clock_mono_ns() };
    c->dial->times = times;
}

void dial_drop(struct http_call *c)
{
    struct dial *d = c->dial;
    if (!d) return;
    c->dial = NULL;
    timer_cancel(c->pool->conf.reactor, &d->timer);
    buf_fini(&d->early);
    if (d->resolving)
        d->call = NULL; /* its answer frees it */
    else
        slab_put(&c->pool->dials, d);
}

/* The next address that may be tried; each gets its share of the time left.
 * False: none, call->err says why. */
static bool connect_next(struct upstream *u)
{
    struct http_call *c = u->call;
    struct http_pool *p = c->pool;
    struct dial *d = c->dial;
    const struct http_origin *o = &u->origin->conf;
    while (d->addrs_at < d->addrs_n && !p->freeing && now_ms(c) < d->until_ms) {
        const struct addr *to = &d->addrs[d->addrs_at++];
        const char *why =
            p->conf.egress ? egress_refuses(p->conf.egress, to) : NULL;
        c->peer = *to;
        if (why) {
            c->err = ERR_DENIED;
            c->problem = why;
            continue;
        }
        c->err = conn_connect(p->conf.reactor, to, &upstream_ops, u, &u->conn);
        if (c->err) {
            c->problem = err_text(c->err);
            continue;
        }
        uint64_t left = d->until_ms - now_ms(c);
        uint64_t part = left / (d->addrs_n - d->addrs_at + 1);
        if (part < ATTEMPT_MIN_MS) part = ATTEMPT_MIN_MS;
        if (part > left) part = left;
        conn_deadline(u->conn, o->tls ? DEADLINE_HANDSHAKE : DEADLINE_CONNECT,
                      (uint32_t)part);
        if (o->tls &&
            tls_connect(u->conn, p->conf.tls, o->host, o->tls_verify) != 0)
            conn_abort(u->conn, ERR_TLS);
        return true;
    }
    return false;
}

/* Without a connection: its place is free again. */
static void connect_gave_up(struct upstream *u)
{
    struct http_call *c = u->call;
    c->up = NULL;
    call_fail_later(c, c->err ? c->err : ERR_TIMEOUT,
                    c->problem ? c->problem : "connecting took too long");
    upstream_free(u);
}

static void resolved(void *ctx, const struct dns_answer *a)
{
    struct dial *d = ctx;
    struct http_call *c = d->call;
    d->resolving = false;
    if (!c) {
        slab_put(&d->pool->dials, d);
        return;
    }
    struct upstream *u = c->up;
    if (d->times) d->times->resolved_ns = clock_mono_ns();
    d->addrs_n = a->n < CALL_ADDRS ? a->n : CALL_ADDRS;
    memcpy(d->addrs, a->addrs, d->addrs_n * sizeof *a->addrs);
    if (a->n == 0) {
        c->err = a->err ? a->err : ERR_RESOLVE;
        c->problem = err_text(c->err);
    }
    c->state = CALL_CONNECTING;
    timer_cancel(c->pool->conf.reactor, &d->timer);
    if (!connect_next(u)) connect_gave_up(u);
}

void call_seek(struct http_call *c)
{
    struct origin *o = c->origin;
    if (!c->dial) dial_begin(c);
    if (o->conns >= o->conns_max) {
        wait_for_one(c);
        return;
    }
    struct upstream *u = slab_get(&o->pool->upstreams);
    *u = (struct upstream){ .origin = o,
                            .generation = o->conf.generation,
                            .idle_ms = o->conf.idle_ms };
    o->conns++;
    upstream_attach(u, c);
    c->state = CALL_RESOLVING;
    c->dial->resolving = true;
    dns_resolve(o->pool->conf.dns, o->conf.host, o->conf.port, resolved,
                c->dial);
}

/* The connection of `u` has ended. A call that was still connecting goes on
 * to the next address; otherwise client.c has judged it already. */
void upstream_lost(struct upstream *u, int err)
{
    struct http_call *c = u->call;
    const char *tls =
        u->conn && u->origin->conf.tls ? tls_failure(u->conn) : NULL;
    u->conn = NULL;
    if (err == ERR_SHUTDOWN) u->origin->pool->freeing = true;
    if (c && !u->connected) {
        COUNT(c->pool, connect_failures, 1);
        c->err = err ? err : ERR_CLOSED;
        c->problem = tls ? tls : err_text(c->err);
        if (!connect_next(u)) connect_gave_up(u);
        return;
    }
    upstream_free(u);
}
