/* What we assert to the origin about a request, signed: who asked, with which
 * rights, for what, through which application (docs/jwt.md). Bound to this
 * request, so it is signed at each one (docs/decisions/0018). */
#include "base/err.h"
#include "codec/json.h"
#include "codec/ulid.h"
#include "edge/proxy_int.h"
#include "live/signing.h"

enum { PAYLOAD_MAX = 24 * 1024, TEXT_MAX = 12 * 1024 };

/* RFC 8693 section 4.2: one text, separated by spaces. */
static void put_scopes(struct buf *b, const struct sv *scopes, size_t n)
{
    char memory[TEXT_MAX];
    struct buf text;
    if (n == 0) return;
    buf_init_fixed(&text, memory, sizeof memory);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_putc(&text, ' ');
        buf_put(&text, scopes[i]);
    }
    json_put_member(b, "scope", buf_sv(&text));
    b->overflow |= text.overflow;
}

/* Of a JWT: what it says itself. */
static void put_jwt(struct buf *b, const struct verified *v)
{
    if (v->has_subject) json_put_member(b, "sub", v->subject);
    put_scopes(b, v->scopes, v->scopes_n);
}

static void put_token(struct buf *b, const struct exchange *x)
{
    const struct token_cold *cold = x->token.cold;
    char id[4 + ULID_TEXT] = "tok_";
    struct ulid u;
    memcpy(u.b, x->token.id, sizeof u.b);
    ulid_encode(id + 4, &u);
    json_put_member(b, "sub", sv_of(id, sizeof id));
    if (!cold) return;
    if (cold->owner.n) json_put_member(b, "owner", cold->owner);
    put_scopes(b, cold->scopes, cold->scopes_n);
}

/* What the origin is asked for, without the query (as RFC 9449's htu). */
static void put_url(struct buf *b, const struct plan_origin *o,
                    struct sv target)
{
    char memory[TEXT_MAX];
    struct buf text;
    struct sv query;
    buf_init_fixed(&text, memory, sizeof memory);
    buf_puts(&text, o->at.tls ? "https://" : "http://");
    buf_put(&text, o->host_header);
    buf_put(&text, sv_cut(target, '?', &query));
    json_put_member(b, "htu", buf_sv(&text));
    b->overflow |= text.overflow;
}

/* As the origin sees it: a route may ask for another. */
static struct sv method_of(const struct proxy *p)
{
    const struct route_rule *rule = p->x.route ? p->x.route->rule : NULL;
    return rule && rule->target_method.n && !p->is_head ? rule->target_method
                                                        : p->v.method;
}

/* What a route has set under our name is not ours. */
static void drop(struct forward *out, struct sv name)
{
    size_t n = 0;
    for (size_t i = 0; i < out->n; i++)
        if (!sv_eq_nocase(out->fields[i].name, name))
            out->fields[n++] = out->fields[i];
    out->n = n;
}

static void payload_put(const struct proxy *p, const struct plan_origin *o,
                        const struct forward *f, struct buf *b)
{
    const struct plan_app *app = p->x.plan;
    const struct origin_assertion *as = &app->app.assertion;
    int64_t now_s = p->v.er->edge->conf.checks->wall_ms() / 1000;
    buf_putc(b, '{');
    json_put_member(b, "iss", p->v.er->edge->conf.issuer);
    json_put_member(b, "aud", as->audience.n ? as->audience : app->app.id);
    buf_printf(b, ",\"iat\":%lld,\"exp\":%lld", (long long)now_s,
               (long long)now_s + as->lifetime_s);
    json_put_member(b, "jti", p->v.request_id);
    json_put_member(b, "applicationId", app->app.id);
    if (p->x.jwt)
        put_jwt(b, p->x.jwt);
    else if (p->x.has_token)
        put_token(b, &p->x);
    json_put_member(b, "htm", method_of(p));
    put_url(b, o, f->target);
    buf_putc(b, '}');
}

static int sign(struct proxy *p, const struct plan_origin *o,
                struct jws_signer *signer, struct buf *text,
                struct forward *out)
{
    char memory[PAYLOAD_MAX];
    struct buf payload;
    buf_init_fixed(&payload, memory, sizeof memory);
    payload_put(p, o, out, &payload);
    if (payload.overflow) return ERR_TOOBIG;
    size_t start = text->n;
    int err = jws_sign(signer, p->v.er->index, SV("typeauth-assertion+jwt"),
                       buf_sv(&payload), text);
    if (err) return err;
    drop(out, p->x.plan->app.assertion.header);
    out->fields[out->n++] =
        (struct http_field){ p->x.plan->app.assertion.header,
                             buf_since(text, start), HN_OTHER };
    return 0;
}

int assertion_add(struct proxy *p, const struct plan_origin *origin,
                  struct buf *text, struct forward *out)
{
    struct edge_reactor *er = p->v.er;
    const struct origin_assertion *as = &p->x.plan->app.assertion;
    if (!as->lifetime_s) return 0;
    struct signing *keys = er->edge->conf.signing;
    struct jws_signer *signer =
        keys ? signing_of(signing_view(keys), as->alg) : NULL;
    int err = signer ? sign(p, origin, signer, text, out) : ERR_CRYPTO;
    edge_count(err ? &er->stats.assert_failures : &er->stats.asserted);
    return err;
}
