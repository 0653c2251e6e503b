/* A fetch is a call of http/client with everything collected. It ends in one
 * place, fetch_end(), whatever happened first: the answer, a failure, the time
 * limit, the size limit. What fails before there is a call ends by the timer
 * at the next turn, so that callers have one path only. */
#include "reach/fetch.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/url.h"

enum {
    ORIGINS_MAX = 256,
    ACTIVE_MAX = 256,
    CONNS_MAX = 32, /* to one origin */
    HEAD_BYTES = 16384,
};

struct origin { /* what an id of the pool means now */
    uint32_t id;
    char host[HOST_TEXT_MAX + 1];
    uint16_t port;
    bool tls, unverified;
    uint32_t generation;
    unsigned active;
    uint64_t used; /* when, in fetches */
};

struct fetch {
    struct fetcher *owner;
    struct fetch *next, *prev;
    struct http_call *call; /* NULL: none, or over */
    struct origin *origin;
    struct timer timer;
    uint32_t timeout_ms;
    size_t answer_max;
    bool fresh, cut;
    void (*done)(void *ctx, const struct fetch_answer *a);
    void *ctx;
    struct sv rest; /* of the request's body */
    struct buf body;
    struct arena texts; /* of head */
    struct fetch_answer answer;
    struct http_head head;
    char problem[64];
};

struct fetcher {
    struct fetcher_conf conf;
    struct http_pool *pool;
    struct fetch *active;
    unsigned active_n;
    uint64_t count;
    struct origin **origins;
    uint32_t origins_n;
    uint32_t at; /* the place after the one last given to a fresh fetch */
};

/* --- the fetcher ---------------------------------------------------------------- */
int fetcher_new(struct fetcher **out, const struct fetcher_conf *conf)
{
    struct fetcher *f = NEW(struct fetcher);
    f->conf = *conf;
    if (!f->conf.active_max) f->conf.active_max = ACTIVE_MAX;
    if (!f->conf.origins_max) f->conf.origins_max = ORIGINS_MAX;
    f->origins = mem_zalloc(f->conf.origins_max * sizeof(struct origin *));
    struct http_pool_conf pool = {
        .reactor = conf->reactor,
        .dns = conf->dns,
        .tls = conf->tls,
        .egress = conf->egress,
        .limits = { .fields = HTTP_FIELDS_MAX },
        .reactors = 1,
    };
    int err = http_pool_new(&f->pool, &pool);
    if (err) {
        mem_free(f->origins);
        mem_free(f);
        f = NULL;
    }
    *out = f;
    return err;
}

static void fetch_free(struct fetch *f)
{
    struct fetcher *owner = f->owner;
    timer_cancel(owner->conf.reactor, &f->timer);
    if (f->origin) f->origin->active--;
    if (f->next) f->next->prev = f->prev;
    if (f->prev)
        f->prev->next = f->next;
    else
        owner->active = f->next;
    owner->active_n--;
    if (f->body.n) mem_wipe(f->body.p, f->body.n); /* may hold secrets */
    buf_fini(&f->body);
    arena_fini(&f->texts);
    mem_free(f);
}

void fetch_cancel(struct fetch *f)
{
    if (f->call) http_call_cancel(f->call);
    fetch_free(f);
}

void fetcher_free(struct fetcher **fp)
{
    struct fetcher *f = *fp;
    if (!f) return;
    while (f->active) fetch_cancel(f->active);
    http_pool_free(&f->pool);
    for (uint32_t i = 0; i < f->origins_n; i++) mem_free(f->origins[i]);
    mem_free(f->origins);
    mem_free(f);
    *fp = NULL;
}

/* --- ending ----------------------------------------------------------------------- */
static void fetch_end(struct fetch *f, int err, const char *problem)
{
    struct fetch_answer *a = &f->answer;
    a->err = err;
    a->problem = err && !problem ? err_text(err) : problem;
    a->head = &f->head;
    a->body = buf_sv(&f->body);
    if (f->call) http_call_cancel(f->call);
    f->call = NULL;
    f->done(f->ctx, a);
    fetch_free(f);
}

static void on_timer(struct timer *t)
{
    struct fetch *f = CONTAINER_OF(t, struct fetch, timer);
    if (f->answer.err) {
        fetch_end(f, f->answer.err, f->answer.problem);
        return;
    }
    snprintf(f->problem, sizeof f->problem, "no whole answer within %u ms",
             f->timeout_ms);
    fetch_end(f, ERR_TIMEOUT, f->problem);
}

static void fetch_fails(struct fetch *f, int err, const char *problem)
{
    f->answer.err = err;
    f->answer.problem = problem;
    timer_arm(f->owner->conf.reactor, &f->timer, 0);
}

/* --- the call ---------------------------------------------------------------------- */
static bool head_keep(struct fetch *f, const struct http_head *head)
{
    f->head = *head;
    for (unsigned i = 0; i < head->fields_n; i++) {
        struct http_field *to = &f->head.fields[i];
        to->name = arena_dup(&f->texts, to->name);
        to->value = arena_dup(&f->texts, to->value);
    }
    f->head.host = f->head.target = f->head.path = f->head.query = SV("");
    f->head.method_text = SV("");
    return !f->texts.overflow;
}

static void on_head(struct http_call *c, const struct http_head *head)
{
    struct fetch *f = http_call_ctx(c);
    f->answer.status = head->status;
    if (f->fresh) f->answer.first_byte_ns = clock_mono_ns();
    if (!f->cut && head->body == HTTP_BODY_LENGTH &&
        head->content_length > f->answer_max)
        fetch_end(f, ERR_TOOBIG, "the answer is larger than allowed");
    else if (!head_keep(f, head))
        fetch_end(f, ERR_TOOBIG, "the answer's head is larger than allowed");
}

static size_t on_body(struct http_call *c, struct sv bytes)
{
    struct fetch *f = http_call_ctx(c);
    size_t n = bytes.n, room = f->answer_max - f->body.n;
    bool over = n > room;
    buf_put(&f->body, f->cut ? sv_first(bytes, over ? room : n) : bytes);
    if (f->cut && over)
        fetch_end(f, 0, NULL);
    else if (f->body.overflow)
        fetch_end(f, ERR_TOOBIG, "the answer is larger than allowed");
    return n;
}

static void on_end(struct http_call *c, const struct http_head *trailers)
{
    struct fetch *f = http_call_ctx(c);
    (void)trailers;
    f->call = NULL;
    fetch_end(f, 0, NULL);
}

static void on_fail(struct http_call *c, int err, bool sent)
{
    struct fetch *f = http_call_ctx(c);
    (void)sent;
    f->call = NULL;
    fetch_end(f, err, http_call_problem(c));
}

/* As much as the connection should hold; the rest when there is room. */
static void send_some(struct http_call *c)
{
    struct fetch *f = http_call_ctx(c);
    while (f->rest.n && http_call_queued(c) < CONN_HIGH) {
        struct sv part = sv_first(f->rest, BLOCK_BYTES);
        f->rest = sv_from(f->rest, part.n);
        if (http_call_body(c, part, NULL)) return; /* on_fail says so */
        if (!f->rest.n) http_call_end(c, NULL, 0);
    }
}

static void on_open(struct http_call *c)
{
    struct fetch *f = http_call_ctx(c);
    struct conn *conn = f->fresh ? http_call_conn(c) : NULL;
    if (conn) f->answer.certificate_ms = tls_peer_not_after_ms(conn);
    send_some(c);
}

static const struct http_call_ops call_ops = {
    .on_open = on_open,
    .on_room = send_some,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_fail = on_fail,
};

/* --- beginning -------------------------------------------------------------------------- */
static bool origin_is(const struct origin *o, const struct url *url,
                      bool unverified)
{
    return o->tls == url->tls && o->unverified == unverified &&
           o->port == url->port && !strcmp(o->host, url->host.text);
}

static struct origin *origin_add(struct fetcher *f)
{
    if (f->origins_n == f->conf.origins_max) return NULL;
    struct origin *o = NEW(struct origin);
    o->id = f->origins_n;
    return f->origins[f->origins_n++] = o;
}

/* The least lately used of those that nobody uses gives way. */
static struct origin *place_shared(struct fetcher *f, const struct url *url,
                                   bool unverified, bool *known)
{
    struct origin *place = NULL;
    for (unsigned i = 0; i < f->origins_n; i++) {
        struct origin *o = f->origins[i];
        *known = origin_is(o, url, unverified);
        if (*known) return o;
        if (!o->active && (!place || o->used < place->used)) place = o;
    }
    struct origin *fresh = origin_add(f);
    return fresh ? fresh : place;
}

/* No connection is shared: the next that nobody uses will do. */
static struct origin *place_fresh(struct fetcher *f)
{
    for (uint32_t i = 0; i < f->origins_n; i++) {
        struct origin *o = f->origins[f->at++ % f->origins_n];
        if (!o->active) return o;
    }
    return origin_add(f);
}

static struct origin *origin_of(struct fetcher *f, const struct url *url,
                                const struct fetch_request *req)
{
    bool known = false, unverified = req->unverified;
    struct origin *place =
        req->fresh ? place_fresh(f) : place_shared(f, url, unverified, &known);
    if (!place || known) return place;
    memcpy(place->host, url->host.text, sizeof place->host);
    place->port = url->port;
    place->tls = url->tls;
    place->unverified = unverified;
    place->generation++;
    return place;
}

static struct sv host_field(struct arena *a, const struct url *url)
{
    bool v6 = url->host.kind == HOST_IP && !ip_is_v4(&url->host.ip);
    struct sv host = arena_printf(a, v6 ? "[%s]" : "%s", url->host.text);
    if (!url->port_given) return host;
    return arena_printf(a, "%.*s:%u", SV_FMT(host), url->port);
}

static int call_start(struct fetch *f, const struct fetch_request *req,
                      const struct url *url)
{
    struct http_field fields[FETCH_FIELDS_MAX + 2] = {
        { SV("Host"), host_field(&f->texts, url), HN_HOST },
    };
    bool rooted = sv_starts(url->target, SV("/")), names_itself = false;
    struct sv method = req->method.p ? req->method
                       : req->body.p ? SV("POST")
                                     : SV("GET");
    enum http_method id = http_method_of(method);
    size_t n = 1;
    ENSURE(req->fields_n <= FETCH_FIELDS_MAX);
    for (size_t i = 0; i < req->fields_n; i++) {
        fields[n++] = req->fields[i];
        names_itself |= req->fields[i].id == HN_USER_AGENT;
    }
    if (!names_itself)
        fields[n++] = (struct http_field){ SV("User-Agent"), SV("typeauth"),
                                           HN_USER_AGENT };
    struct http_origin origin = {
        .id = f->origin->id,
        .generation = f->origin->generation,
        .host = sv_cstr(f->origin->host),
        .port = url->port,
        .tls = url->tls,
        .tls_verify = !f->origin->unverified,
        .conns_max = CONNS_MAX,
    };
    struct http_request call = {
        .method = method,
        .method_id = id,
        .target = arena_printf(&f->texts, "%s%.*s", rooted ? "" : "/",
                               SV_FMT(url->target)),
        .fields = fields,
        .fields_n = n,
        .body =
            req->body.p || id == HTTP_POST ? HTTP_BODY_LENGTH : HTTP_BODY_NONE,
        .content_length = req->body.n,
        .connect_ms = req->timeout_ms,
        .first_byte_ms = req->timeout_ms,
        .idle_ms = req->timeout_ms,
        .fresh = req->fresh,
        .times = req->fresh ? &f->answer.times : NULL,
    };
    int err =
        http_call_start(f->owner->pool, &origin, &call, &call_ops, f, &f->call);
    if (err || !req->body.n) return err;
    f->rest = req->body;
    send_some(f->call);
    return 0;
}

static void fetch_begin(struct fetch *f, const struct fetch_request *req)
{
    struct url url;
    if (url_decode(req->url, &url)) {
        fetch_fails(f, ERR_INVALID, "not an absolute http or https URL");
    } else if (!url.tls && !req->allow_plain) {
        fetch_fails(f, ERR_DENIED, "plain HTTP is not allowed");
    } else if (f->owner->active_n > f->owner->conf.active_max ||
               !(f->origin = origin_of(f->owner, &url, req))) {
        fetch_fails(f, ERR_LIMIT, "too many fetches at once");
    } else {
        f->origin->active++;
        f->origin->used = ++f->owner->count;
        int err = call_start(f, req, &url);
        if (err) fetch_fails(f, err, "the request is too long");
    }
}

struct fetch *fetch_start(struct fetcher *owner,
                          const struct fetch_request *req)
{
    struct fetch *f = NEW(struct fetch);
    f->owner = owner;
    f->next = owner->active;
    if (f->next) f->next->prev = f;
    owner->active = f;
    owner->active_n++;
    f->timeout_ms = req->timeout_ms;
    f->answer_max = req->answer_max;
    f->fresh = req->fresh;
    f->cut = req->cut;
    f->done = req->done;
    f->ctx = req->ctx;
    buf_init(&f->body, req->answer_max);
    arena_init(&f->texts, HEAD_BYTES * 3, NULL, 0);
    f->timer.fire = on_timer;
    timer_arm(owner->conf.reactor, &f->timer, req->timeout_ms);
    fetch_begin(f, req);
    return f;
}
