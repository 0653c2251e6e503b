/* The answers of /authenticate: see answer.h. */
#include "edge/answer.h"

#include "codec/json.h"
#include "codec/rfc3339.h"
#include "codec/ulid.h"
#include "edge/limits.h"

static void put_u64_member(struct buf *out, struct sv key, uint64_t value)
{
    buf_put(out, key);
    buf_put_u64(out, value);
}

static void put_list(struct buf *out, const struct sv *texts, size_t n)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) buf_putc(out, ',');
        json_put_text(out, texts[i]);
    }
    buf_putc(out, ']');
}

static void put_time(struct buf *out, int64_t wall_ms)
{
    if (wall_ms == 0) {
        buf_put(out, SV("null"));
        return;
    }
    char text[RFC3339_TEXT];
    rfc3339_encode(text, wall_ms);
    buf_putc(out, '"');
    buf_put(out, sv_of(text, sizeof text));
    buf_putc(out, '"');
}

/* ,"remaining":n|null,"ratelimit":{…}|null */
static void put_counts(struct buf *out, const struct exchange *x)
{
    const struct take_answer *take = &x->take;
    if (x->judged_limits && take->has_quota)
        put_u64_member(
            out, SV(",\"remaining\":"),
            take->quota_remaining > 0 ? (uint64_t)take->quota_remaining : 0);
    else
        buf_put(out, SV(",\"remaining\":null"));
    if (!x->judged_limits || !take->has_limit) {
        buf_put(out, SV(",\"ratelimit\":null"));
        return;
    }
    put_u64_member(out, SV(",\"ratelimit\":{\"limit\":"), take->limit);
    put_u64_member(out, SV(",\"remaining\":"), take->remaining);
    put_u64_member(out, SV(",\"reset\":"), take->reset_s);
    buf_putc(out, '}');
}

static void put_token_id(struct buf *out, const struct token_view *token)
{
    struct ulid id;
    char text[ULID_TEXT];
    memcpy(id.b, token->id, sizeof id.b);
    ulid_encode(text, &id);
    buf_put(out, SV(",\"tokenId\":\"tok_"));
    buf_put(out, sv_of(text, sizeof text));
    buf_putc(out, '"');
}

static void put_metadata(struct buf *out, const struct exchange *x,
                         struct answer_hole *hole)
{
    const struct token_cold *cold = x->token.cold;
    buf_put(out, SV(",\"metadata\":"));
    if (cold && cold->metadata_in_file)
        *hole = (struct answer_hole){ out->n, x->token.slot, x->token.tag };
    else if (cold && cold->metadata.n)
        buf_put(out, cold->metadata);
    else
        buf_put(out, SV("null"));
}

/* A JWT has no record: what it says of itself. */
static void put_claims(struct buf *out, const struct exchange *x)
{
    const struct verified *v = x->jwt;
    buf_put(out, SV(",\"tokenId\":null,\"applicationId\":"));
    json_put_text(out, x->plan->app.id);
    buf_put(out, SV(",\"owner\":"));
    json_put_text(out, v->has_subject ? v->subject : SV(""));
    buf_put(out, SV(",\"scopes\":"));
    put_list(out, v->scopes, v->scopes_n);
    buf_put(out, SV(",\"tags\":[],\"metadata\":null"));
}

static void put_details(struct buf *out, const struct exchange *x,
                        struct answer_hole *hole)
{
    const struct token_cold *cold = x->token.cold;
    put_token_id(out, &x->token);
    buf_put(out, SV(",\"applicationId\":"));
    json_put_text(out, x->plan->app.id);
    buf_put(out, SV(",\"owner\":"));
    json_put_text(out, cold ? cold->owner : SV(""));
    buf_put(out, SV(",\"scopes\":"));
    put_list(out, cold ? cold->scopes : NULL, cold ? cold->scopes_n : 0);
    buf_put(out, SV(",\"tags\":"));
    put_list(out, cold ? cold->tags : NULL, cold ? cold->tags_n : 0);
    put_metadata(out, x, hole);
}

static void put_passed(struct buf *out, const struct answer *a,
                       struct answer_hole *hole)
{
    const struct exchange *x = a->x;
    buf_put(out, SV("{\"valid\":true,\"enabled\":true"));
    put_counts(out, x);
    buf_put(out, SV(",\"expiresAt\":"));
    put_time(out, x->token.expires_ms);
    if (a->detailed && x->has_token) put_details(out, x, hole);
    if (a->detailed && x->jwt) put_claims(out, x);
    buf_putc(out, '}');
}

static struct sv code_of(const struct answer *a)
{
    return a->x ? sv_cstr(reason_rows[a->reason].code) : SV("bad_request");
}

static struct sv message_of(const struct answer *a)
{
    return sv_cstr(a->x ? reason_rows[a->reason].text : a->problem->text);
}

static void put_refused(struct buf *out, const struct answer *a, bool in_batch)
{
    buf_put(out, SV("{\"valid\":false,\"code\":\""));
    buf_put(out, code_of(a));
    buf_putc(out, '"');
    if (in_batch) {
        buf_put(out, SV(",\"message\":"));
        json_put_text(out, message_of(a));
    }
    if (!a->x && a->problem->field[0]) {
        buf_put(out, SV(",\"field\":"));
        json_put_text(out, sv_cstr(a->problem->field));
    }
    if (a->x && a->x->claim.n && (a->detailed || a->x->plan->app.detail)) {
        buf_put(out, SV(",\"claim\":"));
        json_put_text(out, a->x->claim);
    }
    if (a->reason == REASON_CHALLENGE_REQUIRED) {
        buf_put(out, SV(",\"challenge\":"));
        json_put_text(out, id_sv(&a->x->challenge));
        if (a->x->challenge_s)
            put_u64_member(out, SV(",\"retryAfter\":"), a->x->challenge_s);
    }
    if (a->x && a->x->violations.n && (a->detailed || a->x->plan->app.detail)) {
        buf_put(out, SV(",\"violations\":"));
        buf_put(out, a->x->violations);
    }
    if (a->reason == REASON_RATE_LIMITED ||
        a->reason == REASON_GLOBAL_RATE_LIMITED ||
        a->reason == REASON_QUOTA_EXHAUSTED) {
        put_counts(out, a->x);
        if (a->x->take.retry_after_s)
            put_u64_member(out, SV(",\"retryAfter\":"),
                           a->x->take.retry_after_s);
    }
    buf_putc(out, '}');
}

void answer_item(struct buf *out, const struct answer *a, bool in_batch,
                 struct answer_hole *hole)
{
    hole->at = 0;
    if (a->x && a->reason == REASON_NONE)
        put_passed(out, a, hole);
    else
        put_refused(out, a, in_batch);
}

void answer_single(struct buf *out, const struct answer *a,
                   struct answer_hole *hole)
{
    if (a->reason == REASON_NONE) {
        buf_put(out, SV("{\"success\":true,\"message\":\"\",\"valid\":true,"
                        "\"data\":["));
        answer_item(out, a, false, hole);
        buf_put(out, SV("]}"));
        return;
    }
    buf_put(out, SV("{\"success\":false,\"message\":"));
    json_put_text(out, message_of(a));
    buf_put(out, SV(",\"valid\":false,\"data\":["));
    answer_item(out, a, false, hole);
    buf_put(out, SV("],\"error\":{\"code\":\""));
    buf_put(out, code_of(a));
    buf_put(out, SV("\"}}"));
}
