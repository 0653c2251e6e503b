/* The span of a visit (W3C Trace Context): taken over from the request or begun
 * here, told to the origin, kept with the trace. Only when traces are exported;
 * else a traceparent passes through like any other field. */
#include "base/rand.h"
#include "edge/edge_int.h"

static void random_id(struct edge_reactor *er, uint8_t *out, size_t n)
{
    struct rand_fast mix = { er->id_key ^
                             er->span_next++ * 0xd1342543de82ef95u };
    for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
        uint64_t word = rand_fast_next(&mix);
        memcpy(out + i, &word, sizeof word);
    }
    out[0] |= 1; /* never all zero */
}

/* Exactly one, and well-formed. */
static bool parent_read(struct visit *v, const struct http_head *h)
{
    unsigned next = 0;
    const struct http_field *f =
        http_head_find_text(h, SV("traceparent"), &next);
    return f && !http_head_find_text(h, SV("traceparent"), &next) &&
           trace_parent_decode(f->value, &v->context) == 0;
}

/* All fields of that name are one list. */
static bool state_is_sane(const struct http_head *h)
{
    size_t n = 0;
    unsigned next = 0;
    const struct http_field *f;
    while ((f = http_head_find_text(h, SV("tracestate"), &next)) != NULL) {
        n += f->value.n + 1;
        if (n > TRACE_STATE_MAX || !trace_state_is_valid(f->value))
            return false;
    }
    return true;
}

void visit_span(struct visit *v, const struct http_head *h)
{
    v->has_parent = parent_read(v, h);
    v->keeps_state = v->has_parent && state_is_sane(h);
    random_id(v->er, v->span_id, sizeof v->span_id);
    if (v->has_parent) return;
    random_id(v->er, v->context.trace_id, sizeof v->context.trace_id);
    v->context.flags = visit_sample(v->er) ? TRACE_SAMPLED : 0;
}

/* Several answers to one request (a batch) are spans of their own. */
void visit_span_next(struct visit *v)
{
    random_id(v->er, v->span_id, sizeof v->span_id);
}

struct sv visit_traceparent(const struct visit *v, struct buf *text)
{
    struct trace_context c = v->context;
    char *at = buf_reserve(text, TRACE_PARENT_TEXT);
    if (!at) return SV("");
    trace_origin_span(v->span_id, c.span_id);
    trace_parent_encode(at, &c);
    text->n += TRACE_PARENT_TEXT;
    return sv_of(at, TRACE_PARENT_TEXT);
}
