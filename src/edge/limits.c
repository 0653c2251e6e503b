/* RateLimit fields: see limits.h. */
#include "edge/limits.h"

static struct limits of_quota(const struct exchange *x, bool refused)
{
    const struct take_answer *take = &x->take;
    const struct terms *terms = &x->ask.terms;
    struct limits l = { .any = true, .of_quota = true, .name = SV("quota") };
    l.limit = terms->quota > 0 ? (uint64_t)terms->quota : 0;
    if (take->quota_remaining > 0 && !refused)
        l.remaining = (uint64_t)take->quota_remaining;
    if (terms->refill) l.window_s = terms->refill->interval_s;
    l.has_reset = refused && take->retry_after_s > 0;
    l.reset_s = take->retry_after_s;
    return l;
}

struct limits limits_of(const struct exchange *x)
{
    const struct take_answer *take = &x->take;
    bool by_quota = x->reason == REASON_QUOTA_EXHAUSTED;
    if (!x->judged_limits) return (struct limits){ 0 };
    if (take->has_quota && (by_quota || !take->has_limit))
        return of_quota(x, by_quota);
    if (!take->has_limit) return (struct limits){ 0 };
    return (struct limits){
        .any = true,
        .has_reset = true,
        .window_s = x->nearest.window_s,
        .limit = take->limit,
        .remaining = take->remaining,
        .reset_s = take->reset_s,
        .name = x->nearest.name[0] ? sv_cstr(x->nearest.name) : SV("default"),
    };
}

/* A structured-field string (RFC 8941 3.3.3): printable ASCII, two escapes. */
static void put_string(struct buf *text, struct sv s)
{
    char *p = buf_reserve(text, 2 * s.n + 2), *at = p;
    if (!p) return;
    *at++ = '"';
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c < 0x20 || c > 0x7e) c = '?';
        if (c == '"' || c == '\\') *at++ = '\\';
        *at++ = c;
    }
    *at++ = '"';
    text->n += (size_t)(at - p);
}

/* Returns the digits, for the field that says nothing else. */
static struct sv put_parameter(struct buf *text, struct sv key, uint64_t value)
{
    buf_put(text, key);
    size_t at = text->n;
    buf_put_u64(text, value);
    return buf_since(text, at);
}

static struct http_field field(enum http_name id, struct sv name,
                               struct sv value)
{
    return (struct http_field){ name, value, id };
}

size_t limits_fields(const struct limits *l, struct buf *text,
                     struct http_field out[LIMITS_FIELDS_MAX])
{
    struct sv limit, remaining, reset = SV("");
    size_t n = 0;

    if (!l->any) return 0;
    size_t at = text->n;
    put_string(text, l->name);
    limit = put_parameter(text, SV(";q="), l->limit);
    if (l->window_s) put_parameter(text, SV(";w="), l->window_s);
    out[n++] =
        field(HN_RATELIMIT_POLICY, SV("RateLimit-Policy"), buf_since(text, at));
    at = text->n;
    put_string(text, l->name);
    remaining = put_parameter(text, SV(";r="), l->remaining);
    if (l->has_reset) reset = put_parameter(text, SV(";t="), l->reset_s);
    out[n++] = field(HN_RATELIMIT, SV("RateLimit"), buf_since(text, at));
    out[n++] = field(HN_X_RATELIMIT_LIMIT, SV("X-RateLimit-Limit"), limit);
    out[n++] =
        field(HN_X_RATELIMIT_REMAINING, SV("X-RateLimit-Remaining"), remaining);
    if (l->has_reset)
        out[n++] = field(HN_X_RATELIMIT_RESET, SV("X-RateLimit-Reset"), reset);
    return n;
}
