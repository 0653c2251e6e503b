/* A request's body that a check judges: taken in up to what the application's
 * image says, held while it is judged, then given to the origin in front of
 * what is still to come.
 *
 *   on_body ─> taken in ─┬─ end, or longer than that ─> judged ─ PASS ─> given
 *                        └─ no memory ─────────────────────┘
 *
 * One piece of memory a body, grown as it comes: an announced length alone
 * costs nothing. All bodies of a process share a bound. */
#include "base/err.h"
#include "base/mem.h"
#include "edge/proxy_int.h"

enum { GIVE_BYTES = BLOCK_BYTES }; /* at a time, into the call's queue */

/* --- memory ------------------------------------------------------------------- */

void held_body_drop(struct held_body *b)
{
    if (!b || --b->refs) return;
    atomic_fetch_sub(&b->edge->bodies_bytes, b->bytes.cap);
    buf_fini(&b->bytes);
    mem_free(b);
}

static void intake_drop(struct proxy *p)
{
    held_body_drop(p->held_body);
    p->held_body = NULL;
}

/* False: the bound is reached, or there is no memory. */
static bool keep(struct held_body *b, struct sv more)
{
    struct edge *e = b->edge;
    size_t had = b->bytes.cap;
    if (more.n > had - b->bytes.n &&
        atomic_load(&e->bodies_bytes) >= e->conf.bodies_max)
        return false;
    buf_put(&b->bytes, more);
    atomic_fetch_add(&e->bodies_bytes, b->bytes.cap - had);
    return !b->bytes.overflow;
}

/* An empty body has no memory. */
static struct sv held(const struct proxy *p)
{
    const struct buf *b = &p->held_body->bytes;
    return b->n ? buf_sv(b) : SV("");
}

/* --- in ----------------------------------------------------------------------- */

void intake_start(struct proxy *p)
{
    p->held_body = NEW(struct held_body);
    p->held_body->edge = p->v.er->edge;
    p->held_body->refs = 1;
    buf_init(&p->held_body->bytes, p->x.inspect_bytes);
    p->intake = PROXY_TAKING;
    http_stream_read(p->v.stream, true); /* says 100 to who waits for it */
}

/* What was taken in is judged in a turn of its own: not from inside the
 * reading, which goes on behind what is said now. */
static void stop_taking(struct proxy *p, enum intake how)
{
    http_stream_read(p->v.stream, false);
    p->intake = PROXY_HOLDING;
    p->x.intake = how;
    p->x.body = held(p);
    proxy_later(p);
}

size_t intake_body(struct proxy *p, struct sv bytes)
{
    const struct buf *b = &p->held_body->bytes;
    struct sv fits = sv_first(bytes, b->max - b->n);
    if (!keep(p->held_body, fits)) {
        stop_taking(p, INTAKE_FAILED);
        return 0;
    }
    if (fits.n < bytes.n) {
        p->x.body_over = true;
        stop_taking(p, INTAKE_DONE);
    }
    return fits.n;
}

/* They lie in the connection's block until the return. */
static bool keep_trailers(struct proxy *p, const struct http_head *trailers)
{
    struct http_head *kept = arena_alloc(&p->v.arena, sizeof *kept);
    if (!kept) return false;
    *kept = *trailers;
    for (unsigned i = 0; i < kept->fields_n; i++) {
        struct http_field *f = &kept->fields[i];
        f->name = arena_dup(&p->v.arena, f->name);
        f->value = arena_dup(&p->v.arena, f->value);
    }
    p->held_trailers = kept;
    return !p->v.arena.overflow;
}

void intake_end(struct proxy *p, const struct http_head *trailers)
{
    bool kept = !trailers || keep_trailers(p, trailers);
    p->body_ended = true;
    p->intake = PROXY_HOLDING;
    p->x.intake = INTAKE_DONE;
    p->x.body = held(p);
    if (kept)
        proxy_resume(&p->suspended);
    else
        proxy_refuse(p, REASON_CHECK_UNAVAILABLE, 0);
}

/* --- out ---------------------------------------------------------------------- */

void intake_give(struct proxy *p)
{
    struct sv rest = sv_from(held(p), p->given);
    struct attempt *a = p->attempt;
    p->intake = PROXY_GIVING;
    if (a && !a->whole) a->spent = true;
    while (rest.n && p->call && http_call_queued(p->call) < CONN_HIGH) {
        struct sv piece = sv_first(rest, GIVE_BYTES);
        http_call_body(p->call, piece, NULL);
        rest = sv_from(rest, piece.n);
        p->given += piece.n;
    }
    if (rest.n && p->call) return; /* on_room goes on */
    if (!a || !a->whole || !a->balance) intake_drop(p);
    p->intake = PROXY_STREAMING;
    if (p->body_ended)
        upstream_end(p, p->held_trailers);
    else
        http_stream_read(p->v.stream, true);
}

void intake_fini(struct proxy *p)
{
    intake_drop(p);
}
