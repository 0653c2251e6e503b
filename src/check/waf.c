/* Step 13: the Core Rule Set over headers, then body, in one judgement. It
 * costs milliseconds and heap, so a worker makes it: the door runs
 * exchange.work there and comes back. All that the rules read of the head is
 * copied, since the client may go meanwhile; the body stays where it lies, and
 * the door keeps it as long as the work.
 *
 * What matched is told by the event alone, never by an answer. */
#include "base/mem.h"
#include "check/check.h"
#include "check/request.h"

enum { EVIDENCE_MAX = 64 + WAF_MATCHES_MAX * 9 };

struct waf_work {
    struct check_work base;
    const struct waf_rules *rules; /* of the image, which the door holds */
    struct waf_request request;
    struct waf_verdict verdict;
    int err;
    struct http_field fields[]; /* then their texts */
};

static void work_run(struct check_work *base)
{
    struct waf_work *w = (struct waf_work *)base;
    w->err = waf_judge(w->rules, &w->request, &w->verdict);
}

static void work_free(struct check_work *base)
{
    mem_free(base);
}

/* --- asking ------------------------------------------------------------------- */

static size_t texts_size(const struct expression_request *r)
{
    size_t n = r->method.n + r->target.n + r->host.n;
    for (unsigned i = 0; i < r->fields_n; i++)
        n += r->fields[i].name.n + r->fields[i].value.n;
    return n;
}

static struct sv put(char **at, struct sv text)
{
    struct sv copy = sv_of(*at, text.n);
    if (text.n) memcpy(*at, text.p, text.n);
    *at += text.n;
    return copy;
}

static bool names_host(const struct expression_request *r)
{
    for (unsigned i = 0; i < r->fields_n; i++)
        if (r->fields[i].id == HN_HOST) return true;
    return false;
}

/* Telemetry need not tell of a Host field: that is no mark of its client. */
static void fields_copy(struct waf_work *w, const struct expression_request *r,
                        char **at)
{
    unsigned n = 0;
    if (!names_host(r))
        w->fields[n++] = (struct http_field){
            .name = SV("Host"),
            .value = r->host.n ? put(at, r->host) : SV("localhost"),
            .id = HN_HOST,
        };
    for (unsigned i = 0; i < r->fields_n; i++)
        w->fields[n++] = (struct http_field){
            .name = put(at, r->fields[i].name),
            .value = put(at, r->fields[i].value),
            .id = r->fields[i].id,
        };
    w->request.fields = w->fields;
    w->request.fields_n = n;
}

static void body_view(struct waf_work *w, const struct exchange *x,
                      uint32_t most)
{
    if (!x->has_body) return;
    w->request.body = sv_first(x->body, most);
    w->request.partial = x->body_over || x->body.n > most;
}

static struct check_work *work_new(const struct exchange *x,
                                   const struct expression_request *r)
{
    size_t fields = (r->fields_n + 1u) * sizeof(struct http_field);
    struct waf_work *w = mem_alloc(sizeof *w + fields + texts_size(r));
    char *at = (char *)w->fields + fields;
    memset(w, 0, sizeof *w);
    w->base = (struct check_work){ work_run, work_free, WORK_OF_WAF };
    w->rules = x->plan->waf->rules;
    w->request.method = r->method.n ? put(&at, r->method) : SV("GET");
    w->request.uri = put(&at, r->target);
    w->request.major = x->head ? 1 : 0;
    w->request.minor = x->head ? x->head->minor : 0;
    w->request.has_client = x->has_client;
    w->request.client = x->client;
    fields_copy(w, r, &at);
    body_view(w, x, x->plan->security->profile.waf.inspect_bytes);
    return &w->base;
}

/* --- judging ------------------------------------------------------------------ */

static struct sv evidence(struct exchange *x, const struct waf_verdict *v)
{
    char *text = arena_alloc(x->arena, EVIDENCE_MAX);
    struct buf out;
    if (!text) return SV("");
    buf_init_fixed(&out, text, EVIDENCE_MAX);
    buf_printf(&out, "{\"score\":%u,\"rules\":[", v->score);
    for (uint32_t i = 0; i < v->matches_n; i++)
        buf_printf(&out, "%s%u", i ? "," : "", v->matches[i]);
    buf_puts(&out, v->more ? "],\"more\":true}" : "]}");
    return out.overflow ? SV("") : buf_sv(&out);
}

/* Where nothing is refused, a fault does not either. */
static enum verdict fault(struct exchange *x)
{
    bool closed = plan_waf_closed(&x->plan->security->profile);
    return check_fault(x, closed ? FAULT_CLOSED : FAULT_OPEN, closed, "waf");
}

static enum verdict judge(struct exchange *x, const struct waf_work *w)
{
    const struct waf_profile *p = &x->plan->security->profile.waf;
    const struct waf_verdict *v = &w->verdict;
    enum reason why = REASON_WAF_BLOCKED;
    bool blocks = p->mode == WAF_BLOCK;
    if (w->err) return fault(x);
    if (!v->blocked && v->score < p->threshold) return VERDICT_PASS;
    check_found(x, reason_rows[why].code, DETECTOR_BLOCK, blocks,
                evidence(x, v));
    return blocks ? check_deny(x, why) : VERDICT_PASS;
}

enum verdict check_waf(struct exchange *x)
{
    const struct expression_request *r;
    if (x->skips_waf) return VERDICT_PASS;
    if (!x->plan->waf) return fault(x);
    switch (x->worked) {
    case WORK_UNASKED:
        r = check_request(x);
        if (!r) return fault(x);
        /* a question whose telemetry tells of no request */
        if (!r->target.n && !r->fields_n) return VERDICT_PASS;
        x->work = work_new(x, r);
        return VERDICT_WORK;
    case WORK_FAILED: x->worked = WORK_UNASKED; return fault(x);
    case WORK_DONE: break;
    }
    enum verdict v = judge(x, (const struct waf_work *)x->work);
    check_work_end(x);
    return v;
}
