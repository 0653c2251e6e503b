/* CORS fields: see cors.h. */
#include "edge/cors.h"

static struct sv value_of(const struct http_head *h, enum http_name id)
{
    const struct http_field *f = http_head_find(h, id);
    return f ? f->value : SV("");
}

/* Of two Origin fields neither is believed. */
static struct sv origin_of(const struct http_head *h)
{
    if (!h->at[HN_ORIGIN]) return SV("");
    for (unsigned i = h->at[HN_ORIGIN]; i < h->fields_n; i++)
        if (h->fields[i].id == HN_ORIGIN) return SV("");
    return value_of(h, HN_ORIGIN);
}

const struct cors_answer *cors_answer_new(const struct cors *c,
                                          const struct http_head *h,
                                          struct arena *a)
{
    struct cors_answer *out = ARENA_NEW(a, struct cors_answer);
    struct sv origin = origin_of(h);
    if (!out) return NULL;
    out->allow_origin = out->expose = SV("");
    out->vary = !c->any_origin;
    if (!cors_allows(c, origin)) return out;
    out->allow_origin = c->any_origin ? SV("*") : arena_dup(a, origin);
    if (c->expose_text.n) out->expose = arena_dup(a, c->expose_text);
    out->credentials = c->credentials;
    return a->overflow ? NULL : out;
}

static void put(struct http_field *out, size_t *n, struct sv name,
                struct sv value)
{
    if (value.n) out[(*n)++] = (struct http_field){ name, value, HN_OTHER };
}

static size_t origin_put(const struct cors_answer *a, struct http_field *out)
{
    size_t n = 0;
    put(out, &n, SV("Access-Control-Allow-Origin"), a->allow_origin);
    if (a->credentials)
        put(out, &n, SV("Access-Control-Allow-Credentials"), SV("true"));
    return n;
}

size_t cors_fields_put(const struct cors_answer *a,
                       struct http_field out[CORS_FIELDS_MAX])
{
    size_t n = origin_put(a, out);
    put(out, &n, SV("Access-Control-Expose-Headers"), a->expose);
    if (a->vary) put(out, &n, SV("Vary"), SV("Origin"));
    return n;
}

/* Said back only if it is a list of names and nothing else. */
static struct sv asked_fields(const struct http_head *h)
{
    struct sv all = value_of(h, HN_ACCESS_CONTROL_REQUEST_HEADERS);
    for (struct sv rest = all; rest.p && rest.n;)
        if (!http_is_token(sv_trim(sv_cut(rest, ',', &rest)))) return SV("");
    return all;
}

size_t cors_preflight_put(const struct cors *c, const struct http_head *h,
                          const struct cors_answer *a, struct buf *text,
                          struct http_field out[PREFLIGHT_FIELDS_MAX])
{
    struct sv method = value_of(h, HN_ACCESS_CONTROL_REQUEST_METHOD);
    size_t n = 0;
    put(out, &n, SV("Vary"),
        SV("Origin, Access-Control-Request-Method, "
           "Access-Control-Request-Headers"));
    if (!a->allow_origin.n || !cors_allows_method(c, method)) return n;
    n += origin_put(a, out + n);
    put(out, &n, SV("Access-Control-Allow-Methods"), c->methods_text);
    put(out, &n, SV("Access-Control-Allow-Headers"),
        c->mirror ? asked_fields(h) : c->headers_text);
    if (c->max_age_s < 0) return n;
    size_t start = text->n;
    buf_put_u64(text, (uint64_t)c->max_age_s);
    put(out, &n, SV("Access-Control-Max-Age"), buf_since(text, start));
    return n;
}

bool cors_owns(struct sv name)
{
    return sv_starts_nocase(name, SV("access-control-"));
}
