/* /.well-known/jwks.json: the public keys of what we assert to origins, for
 * everybody and for caches. */
#include "edge/edge_int.h"
#include "live/signing.h"

static void add(struct http_reply *r, struct http_field *fields,
                const char *name, struct sv value)
{
    fields[r->fields_n++] =
        (struct http_field){ sv_cstr(name), value, HN_OTHER };
}

static void answer(struct visit *v, const struct http_head *head)
{
    static const struct sv cache = { "public, max-age=300", 19 };
    _Static_assert(SIGNING_CACHE_S == 300, "as the text says");
    const struct signing_image *keys = signing_view(v->er->edge->conf.signing);
    const struct http_field *known = http_head_find(head, HN_IF_NONE_MATCH);
    struct http_field fields[4];
    struct http_reply reply = { .status = 200,
                                .fields = fields,
                                .add_date = true };
    bool get = head->method == HTTP_GET || head->method == HTTP_HEAD;
    struct sv body = keys->jwks;
    if (!get) {
        reply.status = 405;
        add(&reply, fields, "Allow", SV("GET, HEAD"));
        body = SV("");
    } else {
        add(&reply, fields, "Cache-Control", cache);
        add(&reply, fields, "ETag", keys->etag);
        if (known && sv_eq(known->value, keys->etag)) {
            reply.status = 304;
            body = SV("");
        } else {
            add(&reply, fields, "Content-Type", SV("application/json"));
        }
    }
    add(&reply, fields, "X-Request-Id", v->request_id);
    reply.body = reply.status == 304 ? HTTP_BODY_NONE : HTTP_BODY_LENGTH;
    reply.content_length = body.n;
    http_stream_answer(v->stream, &reply, body);
}

static void on_request(struct http_stream *s, const struct http_head *head)
{
    struct edge_reactor *er = http_stream_ctx(s);
    struct visit *v = slab_get(&er->visits);
    visit_open(v, er, s);
    visit_begin(v, head);
    http_stream_set_user(s, v);
    answer(v, head);
}

static void over(struct visit *v, enum outcome outcome)
{
    struct edge_reactor *er = v->er;
    visit_report(v, &(struct visit_end){
                        .outcome = outcome, .code = "", .door = DOOR_VERIFY });
    visit_fini(v);
    slab_put(&er->visits, v);
}

static void on_done(struct http_stream *s)
{
    over(http_stream_user(s), OUTCOME_PASSED);
}

static void on_gone(struct http_stream *s, int err)
{
    (void)err;
    over(http_stream_user(s), OUTCOME_CLIENT_GONE);
}

static void on_refusal(void *ctx, const struct conn *c, struct http_stream *s,
                       const struct http1_refusal *why,
                       struct http_refused *out)
{
    const struct visit *v = s ? http_stream_user(s) : NULL;
    if (v)
        edge_refusal(v, why, out);
    else
        edge_refusal_early(ctx, c, why, out);
}

const struct http_service edge_jwks_service = {
    .on_request = on_request,
    .on_done = on_done,
    .on_gone = on_gone,
    .on_refusal = on_refusal,
};
