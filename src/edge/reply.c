/* Refusals as HTTP: see reply.h. */
#include "edge/reply.h"

#include "base/arena.h"
#include "base/mem.h"
#include "codec/dpop.h"
#include "codec/json.h"

/* What a class looks like. code "": there is no application that could want to
 * hide its reason, so the reason's own code is said. */
static const struct class_row {
    unsigned status;
    struct sv code;
    enum outcome outcome;
} classes[] = {
    [CLASS_UNAUTHORIZED] = { 401,
                             { "unauthorized", 12 },
                             OUTCOME_UNAUTHORIZED },
    [CLASS_FORBIDDEN] = { 403, { "forbidden", 9 }, OUTCOME_FORBIDDEN },
    [CLASS_TOO_MANY] = { 429, { "too_many_requests", 17 }, OUTCOME_LIMITED },
    [CLASS_BAD_REQUEST] = { 400, { "bad_request", 11 }, OUTCOME_BAD_REQUEST },
    [CLASS_UNAVAILABLE] = { 503, { "unavailable", 11 }, OUTCOME_UNAVAILABLE },
    [CLASS_NOT_FOUND] = { 404, { "", 0 }, OUTCOME_UNKNOWN },
    [CLASS_MISDIRECTED] = { 421, { "", 0 }, OUTCOME_UNKNOWN },
    [CLASS_TOO_LARGE] = { 413, { "bad_request", 11 }, OUTCOME_BAD_REQUEST },
    [CLASS_MEDIA_TYPE] = { 415, { "bad_request", 11 }, OUTCOME_BAD_REQUEST },
    [CLASS_GATEWAY] = { 502, { "unavailable", 11 }, OUTCOME_ORIGIN_FAILED },
};

unsigned reason_status(enum reason reason)
{
    if (reason == REASON_ORIGIN_TIMEOUT) return 504;
    return classes[reason_rows[reason].class_of].status;
}

enum outcome reason_outcome(enum reason reason)
{
    if (reason == REASON_NONE) return OUTCOME_PASSED;
    if (reason == REASON_QUOTA_EXHAUSTED) return OUTCOME_QUOTA;
    return classes[reason_rows[reason].class_of].outcome;
}

/* --- bodies ---------------------------------------------------------------- */

struct replies {
    struct arena arena;
    struct sv bodies[REASON_COUNT][2]; /* [detail] */
};

static void put_envelope(struct buf *out, struct sv message, struct sv code)
{
    buf_put(out, SV("{\"success\":false,\"message\":"));
    json_put_text(out, message);
    buf_put(out, SV(",\"data\":[],\"error\":{\"code\":"));
    json_put_text(out, code);
}

static struct sv code_of(enum reason reason, bool detail)
{
    struct sv code = classes[reason_rows[reason].class_of].code;
    return detail || code.n == 0 ? sv_cstr(reason_rows[reason].code) : code;
}

static struct sv message_of(enum reason reason, bool detail, unsigned status)
{
    bool hidden = classes[reason_rows[reason].class_of].code.n > 0;
    return detail || !hidden ? sv_cstr(reason_rows[reason].text)
                             : http_status_text(status);
}

static void put_refusal(struct buf *out, const struct refusal *why,
                        unsigned status)
{
    put_envelope(out, message_of(why->reason, why->detail, status),
                 code_of(why->reason, why->detail));
    if (why->detail && why->limit.n) {
        buf_put(out, SV(",\"limit\":"));
        json_put_text(out, why->limit);
    }
    if (why->detail && why->claim.n) {
        buf_put(out, SV(",\"claim\":"));
        json_put_text(out, why->claim);
    }
    if (why->detail && why->challenge.n) {
        buf_put(out, SV(",\"challenge\":"));
        json_put_text(out, why->challenge);
    }
    if (why->detail && why->violations.n) {
        buf_put(out, SV(",\"violations\":"));
        buf_put(out, why->violations);
    }
    buf_put(out, SV("}}"));
}

int replies_new(struct replies **out)
{
    struct replies *r = NEW(struct replies);
    arena_init(&r->arena, 256 * 1024, NULL, 0);
    for (unsigned reason = 1; reason < REASON_COUNT; reason++) {
        for (unsigned detail = 0; detail < 2; detail++) {
            char text[REPLY_TEXT_MAX];
            struct buf body;
            buf_init_fixed(&body, text, sizeof text);
            struct refusal why = { .reason = reason, .detail = detail };
            put_refusal(&body, &why, reason_status(reason));
            r->bodies[reason][detail] = arena_dup(&r->arena, buf_sv(&body));
        }
    }
    *out = r;
    return 0;
}

void replies_free(struct replies **r)
{
    if (!*r) return;
    arena_fini(&(*r)->arena);
    mem_free(*r);
    *r = NULL;
}

/* --- the whole reply -------------------------------------------------------- */

static void add(struct reply *out, enum http_name id, struct sv name,
                struct sv value)
{
    out->fields[out->head.fields_n++] = (struct http_field){ name, value, id };
}

static void begin(struct reply *out, unsigned status, struct sv request_id)
{
    out->head = (struct http_reply){ .status = status,
                                     .fields = out->fields,
                                     .body = HTTP_BODY_LENGTH,
                                     .add_date = true };
    add(out, HN_CONTENT_TYPE, SV("Content-Type"),
        SV("application/json; charset=utf-8"));
    add(out, HN_CACHE_CONTROL, SV("Cache-Control"), SV("no-store"));
    if (request_id.n) add(out, HN_X_REQUEST_ID, SV("X-Request-Id"), request_id);
}

static void set_body(struct reply *out, struct sv body)
{
    out->body = body;
    out->head.content_length = body.n;
}

/* RFC 6750 3, RFC 9449 7.1. */
static struct sv challenge(const struct refusal *why)
{
    if (!why->dpop) return SV("Bearer error=\"invalid_token\"");
    return why->reason == REASON_INVALID_PROOF
               ? SV("DPoP error=\"invalid_dpop_proof\", "
                    "algs=\"" DPOP_ALGS_TEXT "\"")
               : SV("DPoP error=\"invalid_token\", "
                    "algs=\"" DPOP_ALGS_TEXT "\"");
}

void reply_cors(const struct cors_answer *cors, struct reply *out)
{
    if (!cors) return;
    struct http_field *at = out->fields + out->head.fields_n;
    out->head.fields_n += cors_fields_put(cors, at);
}

void reply_refusal(const struct replies *r, const struct refusal *why,
                   struct buf *text, struct reply *out)
{
    unsigned own = reason_status(why->reason);
    unsigned status = why->status ? why->status : own;
    begin(out, status, why->request_id);
    if (status == 401)
        add(out, HN_WWW_AUTHENTICATE, SV("WWW-Authenticate"), challenge(why));
    if (why->retry_after_s) {
        size_t start = text->n;
        buf_put_u64(text, why->retry_after_s);
        add(out, HN_RETRY_AFTER, SV("Retry-After"), buf_since(text, start));
    }
    if (why->challenge.n)
        add(out, HN_OTHER, SV("X-Typeauth-Challenge"), why->challenge);
    for (size_t i = 0; i < why->limits_n; i++)
        out->fields[out->head.fields_n++] = why->limits[i];
    reply_cors(why->cors, out);
    if (why->allow.n) add(out, HN_ALLOW, SV("Allow"), why->allow);
    bool own_words = why->detail && (why->limit.n || why->claim.n ||
                                     why->challenge.n || why->violations.n);
    if (status == own && !own_words) {
        set_body(out, r->bodies[why->reason][why->detail]);
        return;
    }
    size_t start = text->n;
    put_refusal(text, why, status);
    set_body(out, buf_since(text, start));
}

void problem_body(const struct problem *p, struct buf *text)
{
    put_envelope(text, p->message, p->code);
    if (p->field.n) {
        buf_put(text, SV(",\"field\":"));
        json_put_text(text, p->field);
    }
    buf_put(text, SV("}}"));
}

void reply_problem(const struct problem *p, struct sv request_id,
                   struct buf *text, struct reply *out)
{
    begin(out, p->status, request_id);
    if (p->allow.n) add(out, HN_ALLOW, SV("Allow"), p->allow);
    size_t start = text->n;
    problem_body(p, text);
    set_body(out, buf_since(text, start));
}

void reply_own(unsigned status, struct sv content_type, struct sv body,
               struct sv request_id, struct reply *out)
{
    out->head = (struct http_reply){ .status = status,
                                     .fields = out->fields,
                                     .body = HTTP_BODY_LENGTH,
                                     .add_date = true };
    if (body.n) add(out, HN_CONTENT_TYPE, SV("Content-Type"), content_type);
    add(out, HN_X_REQUEST_ID, SV("X-Request-Id"), request_id);
    set_body(out, body);
}

void reply_json(struct sv body, struct sv request_id, struct reply *out)
{
    begin(out, 200, request_id);
    set_body(out, body);
}
