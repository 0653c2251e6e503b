/* Header rewriting: see forward.h. One table says what becomes of each known
 * field in each direction; names that nobody knows stay unless the message's
 * own Connection field names them. A Connection field cannot name away what
 * the checks have judged or the framing needs: every name in the table is safe
 * from it (Kong CVE-2026-6338 was that trick). */
#include "edge/forward.h"

#include "base/err.h"

enum rule {
    KEEP,
    HOP,        /* of this connection only */
    OURS,       /* replaced by ours */
    UPGRADING,  /* only with an upgrade that goes on */
    LIMITS,     /* responses: ours instead, when we limit */
    LIKE_OURS,  /* HN_OURS */
    UNKNOWN,    /* a name in nobody's table */
    CREDENTIAL, /* requests: may hold what is to be hidden */
};

static const uint8_t request_rules[HN_COUNT] = {
    [HN_OTHER] = UNKNOWN,
    [HN_HOST] = OURS,
    [HN_CONNECTION] = HOP,
    [HN_CONTENT_LENGTH] = HOP,
    [HN_TRANSFER_ENCODING] = HOP,
    [HN_TE] = HOP,
    [HN_UPGRADE] = UPGRADING,
    [HN_EXPECT] = HOP,
    [HN_KEEP_ALIVE] = HOP,
    [HN_PROXY_CONNECTION] = HOP,
    [HN_PROXY_AUTHENTICATE] = HOP,
    [HN_PROXY_AUTHORIZATION] = HOP,
    [HN_AUTHORIZATION] = CREDENTIAL,
    [HN_COOKIE] = CREDENTIAL,
    [HN_FORWARDED] = OURS,
    [HN_VIA] = OURS,
    [HN_X_FORWARDED_FOR] = OURS,
    [HN_X_FORWARDED_PROTO] = OURS,
    [HN_X_FORWARDED_HOST] = OURS,
    [HN_X_REQUEST_ID] = OURS,
    [HN_OURS] = OURS,
};

static const uint8_t response_rules[HN_COUNT] = {
    [HN_OTHER] = UNKNOWN,
    [HN_CONNECTION] = HOP,
    [HN_CONTENT_LENGTH] = HOP,
    [HN_TRANSFER_ENCODING] = HOP,
    [HN_TE] = HOP,
    [HN_UPGRADE] = UPGRADING,
    [HN_KEEP_ALIVE] = HOP,
    [HN_PROXY_CONNECTION] = HOP,
    [HN_X_REQUEST_ID] = OURS,
    [HN_RATELIMIT] = LIMITS,
    [HN_RATELIMIT_POLICY] = LIMITS,
    [HN_X_RATELIMIT_LIMIT] = LIMITS,
    [HN_X_RATELIMIT_REMAINING] = LIMITS,
    [HN_X_RATELIMIT_RESET] = LIMITS,
    [HN_OURS] = LIKE_OURS,
};

/* Does the Connection field of this message name fields at all? The usual
 * values are settled without looking at any field. */
static bool connection_names(const struct http_head *h)
{
    if (!h->at[HN_CONNECTION]) return false;
    for (unsigned i = h->at[HN_CONNECTION] - 1u; i < h->fields_n; i++) {
        struct sv v = h->fields[i].value;
        if (h->fields[i].id == HN_CONNECTION && v.n &&
            !sv_eq_nocase(v, SV("keep-alive")) &&
            !sv_eq_nocase(v, SV("close")) && !sv_eq_nocase(v, SV("upgrade")))
            return true;
    }
    return false;
}

static bool named_by_connection(const struct http_head *h, struct sv name)
{
    for (unsigned i = h->at[HN_CONNECTION] - 1u; i < h->fields_n; i++)
        if (h->fields[i].id == HN_CONNECTION &&
            http_list_has(h->fields[i].value, name))
            return true;
    return false;
}

/* h2c settings are of the hop, whoever forgets to say so. */
static bool is_hop(const struct http_head *h, bool names, struct sv name)
{
    return (names && named_by_connection(h, name)) ||
           sv_eq_nocase(name, SV("HTTP2-Settings"));
}

/* Equal to the name that the account chose for a field of ours, reading '_'
 * as '-'. */
static bool is_chosen(struct sv name, struct sv ours)
{
    if (name.n != ours.n || ours.n == 0) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);
        if (c != ascii_lower(ours.p[i])) return false;
    }
    return true;
}

static void put(struct forward *out, enum http_name id, struct sv name,
                struct sv value)
{
    out->fields[out->n++] = (struct http_field){ name, value, id };
}

/* --- X-Forwarded-*, Forwarded ---------------------------------------------- */

/* What a trusted peer wrote in all fields of that name, ready to be appended
 * to. */
static void put_written(const struct http_head *h, enum http_name id,
                        struct buf *text)
{
    if (!h->at[id]) return;
    for (unsigned i = h->at[id] - 1u; i < h->fields_n; i++) {
        if (h->fields[i].id != id || h->fields[i].value.n == 0) continue;
        buf_put(text, h->fields[i].value);
        buf_put(text, SV(", "));
    }
}

static bool needs_quotes(struct sv host)
{
    return sv_find(host, ':') != SIZE_MAX || sv_find(host, '[') != SIZE_MAX;
}

/* RFC 7239 4 and 6: IPv6 in brackets and quotes, host quoted with a port. */
static void put_forwarded(const struct forward_facts *f, struct sv peer,
                          struct sv host, struct buf *text)
{
    if (!f->address->known)
        buf_put(text, SV("for=unknown"));
    else if (ip_is_v4(&f->address->peer))
        buf_put(text, SV("for=")), buf_put(text, peer);
    else
        buf_put(text, SV("for=\"[")), buf_put(text, peer),
            buf_put(text, SV("]\""));
    if (host.n) {
        bool quote = needs_quotes(host);
        buf_put(text, quote ? SV(";host=\"") : SV(";host="));
        buf_put(text, host);
        if (quote) buf_putc(text, '"');
    }
    buf_put(text, f->tls ? SV(";proto=https") : SV(";proto=http"));
}

static struct sv proto_of(const struct http_head *h,
                          const struct forward_facts *f)
{
    const struct http_field *said = http_head_find(h, HN_X_FORWARDED_PROTO);
    if (f->address->peer_trusted && said &&
        (sv_eq(said->value, SV("https")) || sv_eq(said->value, SV("http"))))
        return said->value;
    return f->tls ? SV("https") : SV("http");
}

static struct sv host_of(const struct http_head *h,
                         const struct forward_facts *f)
{
    const struct http_field *said = http_head_find(h, HN_X_FORWARDED_HOST);
    return f->address->peer_trusted && said && said->value.n ? said->value
                                                             : h->host;
}

void forward_said(const struct http_head *h, const struct address *from,
                  bool tls, struct sv *scheme, struct sv *host)
{
    const struct forward_facts f = { .address = from, .tls = tls };
    *scheme = proto_of(h, &f);
    *host = host_of(h, &f);
}

static void put_origins(const struct http_head *h,
                        const struct forward_facts *f, struct buf *text,
                        struct forward *out)
{
    char peer_text[IP_TEXT_MAX];
    struct sv peer = SV("unknown");
    if (f->address->known)
        peer = sv_of(peer_text, ip_format(&f->address->peer, peer_text));
    bool trusted = f->address->peer_trusted;

    size_t start = text->n;
    if (trusted) put_written(h, HN_X_FORWARDED_FOR, text);
    buf_put(text, peer);
    put(out, HN_X_FORWARDED_FOR, SV("X-Forwarded-For"), buf_since(text, start));
    put(out, HN_X_FORWARDED_PROTO, SV("X-Forwarded-Proto"), proto_of(h, f));
    struct sv host = host_of(h, f);
    if (host.n) put(out, HN_X_FORWARDED_HOST, SV("X-Forwarded-Host"), host);

    start = text->n;
    if (trusted) put_written(h, HN_FORWARDED, text);
    put_forwarded(f, peer, h->host, text);
    put(out, HN_FORWARDED, SV("Forwarded"), buf_since(text, start));
}

/* Via is appended: after what the client's side wrote, in one field. */
static void put_via(const struct http_head *h, const struct forward_facts *f,
                    struct buf *text, struct forward *out)
{
    struct sv value = f->via;
    if (h->at[HN_VIA]) {
        size_t start = text->n;
        put_written(h, HN_VIA, text);
        buf_put(text, f->via);
        value = buf_since(text, start);
    }
    put(out, HN_VIA, SV("Via"), value);
}

static void put_ours(const struct http_head *h, const struct forward_facts *f,
                     struct buf *text, struct forward *out)
{
    put(out, HN_X_REQUEST_ID, SV("X-Request-Id"), f->request_id);
    put_origins(h, f, text, out);
    put_via(h, f, text, out);
    put(out, HN_OURS, SV("X-Typeauth-Application"), f->app_id);
    if (f->token_id.n)
        put(out, HN_OURS, SV("X-Typeauth-Token-Id"), f->token_id);
    if (f->owner.n) put(out, HN_OURS, SV("X-Typeauth-Owner"), f->owner);
    if (f->scopes.n) put(out, HN_OURS, SV("X-Typeauth-Scopes"), f->scopes);
    if (f->subject.n) put(out, HN_OURS, SV("X-Typeauth-Subject"), f->subject);
    if (f->traceparent.n) put(out, HN_OTHER, SV("traceparent"), f->traceparent);
}

static bool is_replaced(const struct forward_facts *f,
                        const struct http_field *field)
{
    return f->traceparent.n &&
           (field->id == HN_TRACEPARENT ||
            (!f->keeps_state && sv_eq_nocase(field->name, SV("tracestate"))));
}

/* --- requests -------------------------------------------------------------- */

/* The field with its credential taken out; false: nothing is left of it. */
static bool hide_in_field(const struct forward_facts *f,
                          struct http_field *field, struct buf *text)
{
    if (!f->hide) return true;
    switch (f->hide->place) {
    case PLACE_BEARER: return field->id != HN_AUTHORIZATION;
    case PLACE_HEADER: return !sv_eq_nocase(field->name, f->hide->place_name);
    case PLACE_COOKIE:
        if (field->id != HN_COOKIE) return true;
        field->value = hide_cookie(field->value, f->hide->place_name, text);
        return field->value.n > 0;
    case PLACE_QUERY: break;
    }
    return true;
}

static bool is_edited(const struct route_edit *e, struct sv name)
{
    for (unsigned i = 0; e && i < e->remove_n; i++)
        if (sv_eq_nocase(e->remove[i], name)) return true;
    for (unsigned i = 0; e && i < e->set_n; i++)
        if (sv_eq_nocase(e->set[i].name, name)) return true;
    return false;
}

static void put_routed(const struct forward_facts *f, struct buf *text,
                       struct forward *out)
{
    if (!f->route) return;
    const struct route_edit *e = &f->route->rule->request;
    for (unsigned i = 0; i < e->set_n; i++)
        put(out, HN_OTHER, e->set[i].name,
            route_field(f->route, &e->set[i].value, text));
}

static int routed_target(const struct http_head *h,
                         const struct forward_facts *f, struct sv query,
                         bool has_query, struct buf *text, struct sv *out)
{
    if (!has_query) query = (struct sv){ NULL, 0 };
    if (has_query && !query.p) query = SV("");
    return route_target(f->route, h->path, query, f->base, text, out);
}

static struct sv target_of(const struct http_head *h,
                           const struct forward_facts *f, struct buf *text,
                           int *err)
{
    struct sv query = h->query, routed;
    if (f->hide && f->hide->place == PLACE_QUERY)
        query = hide_parameter(query, f->hide->place_name, text);
    bool same = query.p == h->query.p && query.n == h->query.n;
    if (f->route) {
        *err = routed_target(h, f, query, same ? h->has_query : query.n > 0,
                             text, &routed);
        return routed;
    }
    if (sv_eq(h->path, SV("*"))) return h->path;
    if (f->base.n == 0 && same && h->target.n && h->target.p[0] == '/')
        return h->target;
    size_t start = text->n;
    buf_put(text, f->base);
    buf_put(text, h->path);
    if (same ? h->has_query : query.n > 0) {
        /* hide_parameter may have written right before: copy, not view */
        buf_putc(text, '?');
        buf_put(text, query);
    }
    return buf_since(text, start);
}

int forward_request(const struct http_head *h, const struct forward_facts *f,
                    struct buf *text, struct forward *out)
{
    bool names = connection_names(h);
    bool hide_header = f->hide && f->hide->place == PLACE_HEADER;
    const struct route_edit *edit = f->route ? &f->route->rule->request : NULL;
    int err = 0;
    out->n = 0;
    out->target = target_of(h, f, text, &err);
    if (err) return err;
    put(out, HN_HOST, SV("Host"), f->host);
    for (unsigned i = 0; i < h->fields_n; i++) {
        const struct http_field *field = &h->fields[i];
        struct http_field kept = *field;
        switch ((enum rule)request_rules[field->id]) {
        case UNKNOWN:
            if (is_hop(h, names, field->name)) continue;
            if (is_chosen(field->name, f->ours)) continue;
            if (is_replaced(f, field)) continue;
            if (f->hide_proof && sv_eq_nocase(field->name, SV("DPoP")))
                continue;
            if (hide_header && !hide_in_field(f, &kept, text)) continue;
            break;
        case KEEP:
            if (is_replaced(f, field)) continue;
            if (hide_header && !hide_in_field(f, &kept, text)) continue;
            break;
        case CREDENTIAL:
            if (!hide_in_field(f, &kept, text)) continue;
            break;
        case UPGRADING:
            if (!h->upgrade) continue;
            break;
        default: continue;
        }
        if (!is_edited(edit, kept.name)) out->fields[out->n++] = kept;
    }
    put_routed(f, text, out);
    put_ours(h, f, text, out);
    return text->overflow ? ERR_TOOBIG : 0;
}

/* --- responses, trailers --------------------------------------------------- */

/* X-Typeauth-*, reading '_' as '-': only we may say those. */
static bool is_typeauth(struct sv name)
{
    static const char prefix[] = "x-typeauth-";
    if (name.n < sizeof prefix - 1) return false;
    for (size_t i = 0; i < sizeof prefix - 1; i++) {
        char c = name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);
        if (c != prefix[i]) return false;
    }
    return true;
}

void forward_response(const struct http_head *h, const struct forward_answer *a,
                      struct forward *out)
{
    bool names = connection_names(h);
    out->n = 0;
    for (unsigned i = 0; i < h->fields_n; i++) {
        const struct http_field *field = &h->fields[i];
        switch ((enum rule)response_rules[field->id]) {
        case UNKNOWN:
            if (is_hop(h, names, field->name)) continue;
            if (a->cors && cors_owns(field->name)) continue;
            break;
        case UPGRADING:
            if (h->status != 101) continue;
            break;
        case LIMITS:
            if (a->limited) continue;
            break;
        case LIKE_OURS:
            if (is_typeauth(field->name)) continue;
            break;
        case KEEP: break;
        default: continue;
        }
        if (!is_edited(a->edit, field->name)) out->fields[out->n++] = *field;
    }
    for (unsigned i = 0; a->edit && i < a->edit->set_n; i++)
        put(out, HN_OTHER, a->edit->set[i].name, a->values[i]);
    if (a->request_id.n)
        put(out, HN_X_REQUEST_ID, SV("X-Request-Id"), a->request_id);
    for (size_t i = 0; i < a->limits_n; i++)
        out->fields[out->n++] = a->limits[i];
    if (a->cors) out->n += cors_fields_put(a->cors, out->fields + out->n);
}

size_t forward_trailers(const struct http_head *trailers, struct sv ours,
                        struct http_field out[HTTP_FIELDS_MAX])
{
    size_t n = 0;
    for (unsigned i = 0; trailers && i < trailers->fields_n; i++) {
        const struct http_field *field = &trailers->fields[i];
        enum rule rule = request_rules[field->id];
        if (rule != UNKNOWN && rule != KEEP) continue;
        if (!is_chosen(field->name, ours)) out[n++] = *field;
    }
    return n;
}

struct sv forward_request_id(const struct http_head *h)
{
    const struct http_field *field = http_head_find(h, HN_X_REQUEST_ID);
    if (!field || field->value.n == 0 || field->value.n > 128) return SV("");
    for (unsigned i = h->at[HN_X_REQUEST_ID]; i < h->fields_n; i++)
        if (h->fields[i].id == HN_X_REQUEST_ID) return SV("");
    for (size_t i = 0; i < field->value.n; i++) {
        char c = field->value.p[i], low = ascii_lower(c);
        bool fine = (c >= '0' && c <= '9') || (low >= 'a' && low <= 'z') ||
                    c == '.' || c == '_' || c == '-';
        if (!fine) return SV("");
    }
    return field->value;
}
