/* Step 11a: the body is taken in, once, when a later step judges it. What can
 * be told from the head (its length, that it is encoded) is judged before a
 * byte is read; the reading is the door's. What passes unjudged leaves a
 * finding. The verify door has no body: its telemetry tells of none. */
#include "check/check.h"
#include "check/request.h"
#include "check/schema.h"

static bool has_body(const struct http_head *h)
{
    return h->body == HTTP_BODY_CHUNKED ||
           (h->body == HTTP_BODY_LENGTH && h->content_length);
}

static bool is_encoded(const struct http_head *h)
{
    if (!h->at[HN_CONTENT_ENCODING]) return false;
    for (unsigned i = h->at[HN_CONTENT_ENCODING] - 1u; i < h->fields_n; i++) {
        const struct http_field *f = &h->fields[i];
        if (f->id == HN_CONTENT_ENCODING && f->value.n &&
            !sv_eq_nocase(f->value, SV("identity")))
            return true;
    }
    return false;
}

static enum verdict refuse_or_note(struct exchange *x, bool blocks,
                                   enum reason why)
{
    if (blocks) return check_deny(x, why);
    check_found(x, reason_rows[why].code, DETECTOR_MONITOR, false, SV(""));
    return VERDICT_PASS;
}

static const struct plan_body *wanted(const struct exchange *x)
{
    unsigned judges = (x->skips_waf ? 0 : PLAN_BODY_WAF) |
                      (x->body_unschemed ? 0 : PLAN_BODY_SCHEMA);
    return &x->plan->body[judges];
}

static enum verdict judge_head(struct exchange *x)
{
    if (!has_body(x->head)) return VERDICT_PASS;
    x->body_unschemed = !schema_wants_body(x);
    const struct plan_body *want = wanted(x);
    if (!want->inspect_bytes) return VERDICT_PASS;
    if (is_encoded(x->head)) {
        x->body_encoded = true;
        return refuse_or_note(x, want->blocks, REASON_UNSUPPORTED_ENCODING);
    }
    if (want->over_blocks && x->head->body == HTTP_BODY_LENGTH &&
        x->head->content_length > want->inspect_bytes)
        return check_deny(x, REASON_BODY_TOO_LARGE);
    x->inspect_bytes = want->inspect_bytes;
    return VERDICT_BODY;
}

enum verdict check_body(struct exchange *x)
{
    const struct plan_body *want = wanted(x);
    if (!x->head) return VERDICT_PASS;
    switch (x->intake) {
    case INTAKE_UNASKED: return judge_head(x);
    case INTAKE_FAILED:
        return check_fault(x, want->closed ? FAULT_CLOSED : FAULT_OPEN,
                           want->closed, "body");
    case INTAKE_DONE: break;
    }
    x->has_body = true;
    return x->body_over
               ? refuse_or_note(x, want->over_blocks, REASON_BODY_TOO_LARGE)
               : VERDICT_PASS;
}
