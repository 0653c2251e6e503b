/* An answer of the origin that is judged by a schema, beside the stream:
 *
 *   PASS ─ observe_begin ─> call ─ observe_head ─ observe_body… ─ observe_end
 *            (is it its turn?)      (JSON by a schema?)             (judged)
 *
 * The client gets every byte as if nobody looked. The image is held until then,
 * the copied body counts as one that is judged (intake.c); without room, or
 * longer than the profile inspects, it is let go. */
#include "base/mem.h"
#include "check/schema.h"
#include "edge/proxy_int.h"

enum { OBSERVED_BYTES_MAX = 256 << 10 }; /* in one turn of the reactor */

struct observed {
    const struct plan_app *plan; /* held */
    struct openapi_answer answer;
    struct buf body;
    bool copies;
};

void observe_begin(struct proxy *p)
{
    if (p->is_head || !schema_answer_wanted(&p->x)) return;
    struct observed *o = ARENA_NEW(&p->v.arena, struct observed);
    if (!o) return;
    o->plan = p->x.plan;
    o->answer.operation = p->x.operation - 1;
    plan_hold(o->plan, p->v.er->index);
    p->observed = o;
}

void observe_fini(struct proxy *p)
{
    struct observed *o = p->observed;
    if (!o) return;
    p->observed = NULL;
    atomic_fetch_sub(&p->v.er->edge->bodies_bytes, o->body.cap);
    buf_fini(&o->body);
    plan_drop(o->plan, p->v.er->index);
}

static void judge(struct proxy *p)
{
    struct observed *o = p->observed;
    o->answer.body = buf_sv(&o->body);
    schema_answer_judge(&p->x, o->plan->schema, &o->answer);
    observe_fini(p);
}

static bool is_encoded(const struct http_head *head)
{
    const struct http_field *f = http_head_find(head, HN_CONTENT_ENCODING);
    return f && !sv_eq_nocase(f->value, SV("identity"));
}

void observe_head(struct proxy *p, const struct http_head *head)
{
    struct observed *o = p->observed;
    if (!o) return;
    const struct http_field *type = http_head_find(head, HN_CONTENT_TYPE);
    const struct plan_schema *s = o->plan->schema;
    uint32_t most = s->profile.inspect_bytes;
    o->answer.status = head->status;
    if (type) o->answer.type = arena_dup(&p->v.arena, type->value);
    if (head->status < 200 || is_encoded(head)) {
        observe_fini(p);
    } else if (!openapi_answer_is_judged(s->document, o->answer.operation,
                                         head->status, o->answer.type)) {
        judge(p); /* by status and type alone */
    } else {
        o->copies = true;
        buf_init(&o->body,
                 most < OBSERVED_BYTES_MAX ? most : OBSERVED_BYTES_MAX);
    }
}

void observe_body(struct proxy *p, struct sv bytes)
{
    struct observed *o = p->observed;
    if (!o || !o->copies) return;
    struct edge *e = p->v.er->edge;
    size_t had = o->body.cap;
    if (bytes.n > had - o->body.n &&
        atomic_load(&e->bodies_bytes) >= e->conf.bodies_max) {
        observe_fini(p);
        return;
    }
    buf_put(&o->body, bytes);
    atomic_fetch_add(&e->bodies_bytes, o->body.cap - had);
    if (o->body.overflow) observe_fini(p);
}

void observe_end(struct proxy *p)
{
    if (p->observed && p->observed->copies) judge(p);
}
