/*   on_request → on_body… → on_end → control_submit ┐   reactor's thread
 *                                     serve        │   control thread
 *   http_stream_answer ← deliver ←── reactor_post ──┘   reactor's thread
 *
 * A piece of work belongs to the reactor until it is submitted, then to the
 * control thread, then to the reactor again. A client that goes away in the
 * meantime only cuts `stream`: the change that it asked for is made. */
#include "admin/door.h"

#include <stdatomic.h>

#include "admin/envelope.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "base/rand.h"

enum {
    REQUEST_ID_CHARS = 32,
    HEAD_COPY_MAX = 64 * 1024,
    BODIES_MAX_BYTES = 64 << 20,
    FIELDS_MAX = 12,
};

struct api_door {
    struct door_conf conf;
    _Atomic size_t bodies_bytes; /* taken in and not yet freed */
};

struct work {
    struct control_job job;
    struct mail mail;
    struct api_door *door;
    struct reactor *reactor;
    struct http_stream *stream; /* NULL: the client is gone */
    bool away;                  /* with the control thread */
    bool answered;
    size_t body_max, counted;
    uint64_t began_ns;
    struct buf body;
    struct request q;
    struct sv method;
    struct answer a;
    size_t sent; /* of a.body */
    struct arena arena;
    char id[REQUEST_ID_CHARS];
};

/* --- life of a piece of work --------------------------------------------- */

static void request_id_make(char out[REQUEST_ID_CHARS])
{
    uint8_t id[REQUEST_ID_CHARS / 2];
    rand_bytes(id, sizeof id);
    fmt_hex(out, id, sizeof id);
}

static struct work *work_new(struct api_door *d, struct http_stream *s)
{
    struct work *w = NEW(struct work);
    w->door = d;
    w->stream = s;
    w->reactor = http_stream_reactor(s);
    w->began_ns = clock_mono_ns();
    arena_init(&w->arena, HEAD_COPY_MAX, NULL, 0);
    answer_init(&w->a);
    request_id_make(w->id);
    w->q.id = sv_of(w->id, sizeof w->id);
    return w;
}

static void work_free(struct work *w)
{
    atomic_fetch_sub(&w->door->bodies_bytes, w->counted);
    if (w->body.p) mem_wipe(w->body.p, w->body.n);
    if (w->a.body.p) mem_wipe(w->a.body.p, w->a.body.n);
    buf_fini(&w->body);
    answer_fini(&w->a);
    arena_fini(&w->arena);
    mem_free(w);
}

/* --- the answer --------------------------------------------- */

struct fields {
    struct http_field at[FIELDS_MAX];
    size_t n;
};

static void field_add(struct fields *f, const char *name, struct sv value)
{
    ENSURE(f->n < FIELDS_MAX);
    f->at[f->n++] = (struct http_field){ sv_cstr(name), value, HN_OTHER };
}

static void answer_fields(struct work *w, struct fields *f,
                          char retry[FMT_U64_MAX])
{
    const struct answer *a = &w->a;
    field_add(f, "Content-Type",
              sv_cstr(a->content_type ? a->content_type
                                      : "application/json; charset=utf-8"));
    field_add(f, "X-Request-Id", w->q.id);
    field_add(f, "Cache-Control", SV("no-store"));
    field_add(f, "X-Content-Type-Options", SV("nosniff"));
    if (a->allow[0]) field_add(f, "Allow", sv_cstr(a->allow));
    if (a->etag[0]) field_add(f, "ETag", sv_cstr(a->etag));
    if (a->replayed) field_add(f, "Idempotency-Replayed", SV("true"));
    if (a->challenge) field_add(f, "WWW-Authenticate", SV("Bearer"));
    if (a->retry_after_s)
        field_add(f, "Retry-After",
                  sv_of(retry, fmt_u64(retry, a->retry_after_s)));
}

/* As much of the body as the connection should hold; the rest on_room. */
static void work_send(struct work *w)
{
    struct http_stream *s = w->stream;
    while (w->sent < w->a.body.n) {
        if (http_stream_queued(s) >= CONN_HIGH) return;
        struct sv part =
            sv_first(sv_from(buf_sv(&w->a.body), w->sent), BLOCK_BYTES);
        w->sent += part.n;
        if (http_stream_body(s, part, NULL)) {
            http_stream_abort(s, ERR_CLOSED);
            return;
        }
    }
    w->answered = true;
    http_stream_end(s, NULL, 0); /* may end in on_done: w is gone */
}

static void work_answer(struct work *w, bool close)
{
    struct fields f = { .n = 0 };
    char retry[FMT_U64_MAX];
    if (w->a.body.overflow) {
        buf_clear(&w->a.body);
        w->a.body.overflow = false;
        answer_fail(&w->a, 500, "answer_too_large", NULL,
                    "The answer is too large; ask for less.");
    }
    answer_fields(w, &f, retry);
    struct http_reply reply = {
        .status = w->a.status,
        .fields = f.at,
        .fields_n = f.n,
        .body = w->a.status == 204 || w->a.status == 304 ? HTTP_BODY_NONE
                                                         : HTTP_BODY_LENGTH,
        .content_length = w->a.body.n,
        .close = close,
        .add_date = true,
    };
    if (http_stream_head(w->stream, &reply))
        http_stream_abort(w->stream, ERR_IO);
    else
        work_send(w);
}

/* A refusal that the control thread need not hear of. The request's rest is
 * not wanted: the connection ends with the answer. */
static void work_refuse(struct work *w, unsigned status, const char *code,
                        const char *message)
{
    w->answered = true;
    answer_fail(&w->a, status, code, NULL, message);
    if (status == 503) w->a.retry_after_s = 1;
    work_answer(w, true);
}

/* --- health, answered without the control thread --------------------------------------------- */

static bool answer_health(struct work *w, const struct http_head *h)
{
    char why[128] = "";
    bool get = h->method == HTTP_GET || h->method == HTTP_HEAD;
    if (get && sv_eq(h->path, SV("/healthz"))) {
        answer_ok(&w->a, 200, "ok");
    } else if (get && sv_eq(h->path, SV("/readyz")) && w->door->conf.ops_open) {
        if (w->door->conf.ready(w->door->conf.ctx, why))
            answer_ok(&w->a, 200, "ready");
        else
            answer_fail(&w->a, 503, "not_ready", NULL, why);
    } else {
        return false;
    }
    work_answer(w, false);
    return true;
}

/* --- there and back --------------------------------------------- */

static void deliver(struct mail *m)
{
    struct work *w = CONTAINER_OF(m, struct work, mail);
    w->away = false;
    if (w->stream)
        work_answer(w, false);
    else
        work_free(w);
}

/* The reactor outlives the control thread but for the very end. */
static void release(struct answer *a)
{
    struct work *w = CONTAINER_OF(a, struct work, a);
    if (reactor_post(w->reactor, &w->mail)) work_free(w);
}

static void run(struct control_job *j)
{
    struct work *w = CONTAINER_OF(j, struct work, job);
    w->door->conf.serve(w->door->conf.ctx, &w->q, &w->a);
    if (!w->a.held) release(&w->a);
}

static void submit(struct work *w)
{
    w->q.body = buf_sv(&w->body);
    w->away = true;
    int err = control_submit(w->door->conf.control, &w->job);
    if (!err) return;
    w->away = false;
    work_refuse(w, 503, "busy", "Too many changes are waiting; try again.");
}

/* --- taking a request in --------------------------------------------- */

static struct sv copy_field(struct work *w, const struct http_head *h,
                            enum http_name name)
{
    const struct http_field *f = http_head_find(h, name);
    return f ? arena_dup(&w->arena, f->value) : SV("");
}

static bool head_copy(struct work *w, const struct http_head *h)
{
    struct request *q = &w->q;
    q->method = h->method;
    w->method = arena_dup(&w->arena, h->method_text);
    q->path = arena_dup(&w->arena, h->path);
    q->query = arena_dup(&w->arena, h->query);
    q->authorization = copy_field(w, h, HN_AUTHORIZATION);
    q->content_type = copy_field(w, h, HN_CONTENT_TYPE);
    q->content_encoding = copy_field(w, h, HN_CONTENT_ENCODING);
    q->accept = copy_field(w, h, HN_ACCEPT);
    q->idempotency_key = copy_field(w, h, HN_IDEMPOTENCY_KEY);
    q->if_match = copy_field(w, h, HN_IF_MATCH);
    q->peer = address_of(h, &conn_peer(http_stream_conn(w->stream))->ip,
                         &w->door->conf.trust)
                  .client;
    q->ops_open = w->door->conf.ops_open;
    return !w->arena.overflow;
}

static void on_request(struct http_stream *s, const struct http_head *h)
{
    struct api_door *d = http_stream_ctx(s);
    struct work *w = work_new(d, s);
    w->job.run = run;
    w->a.release = release;
    w->mail.deliver = deliver;
    http_stream_set_user(s, w);
    if (!head_copy(w, h)) {
        work_refuse(w, 431, "head_too_large", "The request head is too large.");
        return;
    }
    if (answer_health(w, h)) return;
    w->body_max = d->conf.body_max(d->conf.ctx, h->method, w->q.path);
    if (h->body == HTTP_BODY_LENGTH && h->content_length > w->body_max) {
        work_refuse(w, 413, "body_too_large", "The request body is too large.");
        return;
    }
    buf_init(&w->body, w->body_max);
    http_stream_read(s, true);
}

/* Counted against all bodies together: many slow senders cannot fill memory. */
static bool body_room(struct work *w, size_t n)
{
    struct api_door *d = w->door;
    w->counted += n;
    return atomic_fetch_add(&d->bodies_bytes, n) + n <=
           d->conf.bodies_max_bytes;
}

static size_t on_body(struct http_stream *s, struct sv bytes)
{
    struct work *w = http_stream_user(s);
    if (w->answered || w->away) return bytes.n;
    if (w->body.n + bytes.n > w->body_max) {
        work_refuse(w, 413, "body_too_large", "The request body is too large.");
    } else if (!body_room(w, bytes.n)) {
        work_refuse(w, 503, "busy",
                    "Too many bodies are in flight; try again.");
    } else {
        buf_put(&w->body, bytes);
        if (w->body.overflow)
            work_refuse(w, 503, "busy", "No memory for the body; try again.");
    }
    return bytes.n;
}

static void on_end(struct http_stream *s, const struct http_head *trailers)
{
    struct work *w = http_stream_user(s);
    (void)trailers;
    if (!w->answered && !w->away && !w->a.status) submit(w);
}

static void on_room(struct http_stream *s)
{
    struct work *w = http_stream_user(s);
    if (!w->away && w->a.status && !w->answered) work_send(w);
}

/* --- the end --------------------------------------------- */

static enum outcome outcome_of(unsigned status)
{
    switch (status) {
    case 401: return OUTCOME_UNAUTHORIZED;
    case 403: return OUTCOME_FORBIDDEN;
    case 429: return OUTCOME_LIMITED;
    default: break;
    }
    if (!status) return OUTCOME_CLIENT_GONE;
    if (status >= 500) return OUTCOME_UNAVAILABLE;
    return status >= 400 ? OUTCOME_BAD_REQUEST : OUTCOME_PASSED;
}

static void journal(struct work *w, struct http_stream *s)
{
    struct http_stream_info info;
    if (!w->door->conf.journal) return;
    http_stream_info(s, &info);
    struct event e = {
        .wall_ms = clock_wall_ms(),
        .door = 2,
        .outcome = outcome_of(info.status),
        .code = "",
        .request_id = w->q.id,
        .method = w->method,
        .path = w->q.path,
        .client = w->q.peer,
        .status = info.status,
        .bytes_in = info.bytes_in,
        .bytes_out = info.bytes_out,
        .total_us = (uint32_t)((clock_mono_ns() - w->began_ns) / 1000),
        .http_minor = info.minor,
        .tls = http_stream_is_tls(s),
    };
    journal_event(w->door->conf.journal, reactor_index(w->reactor), &e);
}

static void on_done(struct http_stream *s)
{
    struct work *w = http_stream_user(s);
    journal(w, s);
    work_free(w);
}

static void on_gone(struct http_stream *s, int err)
{
    struct work *w = http_stream_user(s);
    (void)err;
    journal(w, s);
    w->stream = NULL;
    if (!w->away) work_free(w);
}

static void refusal_fill(struct sv id, const struct http1_refusal *why,
                         struct http_refused *out)
{
    struct answer a;
    answer_init(&a);
    answer_fail(&a, why->status,
                why->status == 413 ? "body_too_large" : "bad_request", NULL,
                why->reason);
    buf_put(&out->body, buf_sv(&a.body));
    answer_fini(&a);
    buf_puts(&out->fields, "X-Request-Id: ");
    buf_put(&out->fields, id);
    buf_puts(&out->fields, "\r\n");
}

static void on_refusal(void *ctx, const struct conn *c, struct http_stream *s,
                       const struct http1_refusal *why,
                       struct http_refused *out)
{
    struct work *w = s ? http_stream_user(s) : NULL;
    (void)ctx, (void)c;
    if (w)
        refusal_fill(w->q.id, why, out);
    else
        door_refusal(why, out);
}

void door_refusal(const struct http1_refusal *why, struct http_refused *out)
{
    char id[REQUEST_ID_CHARS];
    request_id_make(id);
    refusal_fill(sv_of(id, sizeof id), why, out);
}

static const struct http_service service = {
    .on_request = on_request,
    .on_body = on_body,
    .on_end = on_end,
    .on_room = on_room,
    .on_done = on_done,
    .on_gone = on_gone,
    .on_refusal = on_refusal,
};

const struct http_service *door_service(void)
{
    return &service;
}

int door_new(struct api_door **out, const struct door_conf *conf)
{
    struct api_door *d = NEW(struct api_door);
    d->conf = *conf;
    if (!d->conf.bodies_max_bytes) d->conf.bodies_max_bytes = BODIES_MAX_BYTES;
    *out = d;
    return 0;
}

void door_free(struct api_door **d)
{
    mem_free(*d);
    *d = NULL;
}
