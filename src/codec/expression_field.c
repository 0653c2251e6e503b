/* Fields by name, and the values that a request has for them. Everything is
 * read where it stands: nothing is copied here. */
#include "base/ensure.h"
#include "codec/expression_int.h"
#include "codec/host.h"

static const struct expression_field fields[] = {
    { "http.request.method", FIELD_METHOD, .type = TYPE_TEXT },
    { "method", FIELD_METHOD, .type = TYPE_TEXT },
    { "http.host", FIELD_HOST, .nocase = true },
    { "host", FIELD_HOST, .nocase = true },
    { "http.request.uri", FIELD_URI, .type = TYPE_TEXT },
    { "uri", FIELD_URI, .type = TYPE_TEXT },
    { "http.request.uri.path", FIELD_PATH, .type = TYPE_TEXT },
    { "path", FIELD_PATH, .type = TYPE_TEXT },
    { "http.request.uri.query", FIELD_QUERY, .type = TYPE_TEXT },
    { "query", FIELD_QUERY, .type = TYPE_TEXT },
    { "http.user_agent", FIELD_HEADER, .key = "user-agent" },
    { "user_agent", FIELD_HEADER, .key = "user-agent" },
    { "http.referer", FIELD_HEADER, .key = "referer" },
    { "referer", FIELD_HEADER, .key = "referer" },
    { "http.cookie", FIELD_HEADER, .key = "cookie" },
    { "cookie", FIELD_HEADER, .key = "cookie" },
    { "http.request.headers", FIELD_HEADER, .keyed = true, .list = true },
    { "headers", FIELD_HEADER, .keyed = true, .list = true },
    { "http.request.cookies", FIELD_COOKIE, .keyed = true, .list = true },
    { "cookies", FIELD_COOKIE, .keyed = true, .list = true },
    { "http.request.uri.args", FIELD_ARG, .keyed = true, .list = true },
    { "args", FIELD_ARG, .keyed = true, .list = true },
    { "ip.src", FIELD_IP, .type = TYPE_ADDRESS },
    { "ip", FIELD_IP, .type = TYPE_ADDRESS },
    { "ip.src.country", FIELD_COUNTRY, .nocase = true },
    { "ip.geoip.country", FIELD_COUNTRY, .nocase = true },
    { "country", FIELD_COUNTRY, .nocase = true },
    { "ip.src.asnum", FIELD_ASN, .type = TYPE_NUMBER },
    { "ip.geoip.asnum", FIELD_ASN, .type = TYPE_NUMBER },
    { "asn", FIELD_ASN, .type = TYPE_NUMBER },
    { "token.id", FIELD_TOKEN_ID, .token = true },
    { "token.name", FIELD_TOKEN_NAME, .token = true },
    { "token.owner", FIELD_TOKEN_OWNER, .token = true },
    { "token.subject", FIELD_TOKEN_SUBJECT, .token = true },
    { "token.scopes", FIELD_TOKEN_SCOPES, .token = true, .list = true },
    { "token.tags", FIELD_TOKEN_TAGS, .token = true, .list = true },
};

const struct expression_field *expression_field_find(struct sv name)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (sv_eq(name, sv_cstr(fields[i].name))) return &fields[i];
    return NULL;
}

void expression_request_of_head(struct expression_request *r,
                                const struct http_head *head)
{
    uint16_t port;
    r->method = head->method_text;
    r->target = head->target;
    r->path = head->path;
    r->query = head->query;
    r->fields = head->fields;
    r->fields_n = head->fields_n;
    if (host_split(head->host, &r->host, &port)) r->host = head->host;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at the front of *s, decoded, and *s without it. */
static char decode_one(struct sv *s, bool plus)
{
    char c = s->p[0];
    size_t n = 1;
    if (c == '+' && plus) c = ' ';
    if (c == '%' && s->n > 2 && hex_value(s->p[1]) >= 0 &&
        hex_value(s->p[2]) >= 0) {
        c = (char)(hex_value(s->p[1]) * 16 + hex_value(s->p[2]));
        n = 3;
    }
    *s = sv_from(*s, n);
    return c;
}

size_t expression_decode(struct sv s, bool plus, char *out, size_t max)
{
    size_t n = 0;
    while (s.n > 0 && n < max) out[n++] = decode_one(&s, plus);
    return n;
}

static bool decoded_is(struct sv s, struct sv name)
{
    size_t i = 0;
    for (; s.n > 0 && i < name.n; i++)
        if (decode_one(&s, true) != name.p[i]) return false;
    return s.n == 0 && i == name.n;
}

static bool header_next(struct expression_cursor *c, struct sv name,
                        struct sv *out)
{
    while (c->at < c->r->fields_n) {
        const struct http_field *f = &c->r->fields[c->at++];
        if (sv_eq_nocase(f->name, name)) {
            *out = f->value;
            return true;
        }
    }
    return false;
}

/* Names of cookies are compared as they stand. */
static bool cookie_next(struct expression_cursor *c, struct sv *out)
{
    for (;;) {
        while (c->rest.n > 0) {
            struct sv value, name, pair = sv_cut(c->rest, ';', &c->rest);
            name = sv_trim(sv_cut(pair, '=', &value));
            if (!value.p || !sv_eq(name, c->test->key)) continue;
            value = sv_trim(value);
            if (value.n > 1 && value.p[0] == '"' && value.p[value.n - 1] == '"')
                value = sv_of(value.p + 1, value.n - 2);
            *out = value;
            return true;
        }
        if (!header_next(c, SV("cookie"), &c->rest)) return false;
    }
}

static bool arg_next(struct expression_cursor *c, struct sv *out)
{
    if (c->at++ == 0) c->rest = c->r->query;
    while (c->rest.n > 0) {
        struct sv value, pair = sv_cut(c->rest, '&', &c->rest);
        struct sv name = sv_cut(pair, '=', &value);
        if (!decoded_is(name, c->test->key)) continue;
        *out = value.p ? value : SV("");
        return true;
    }
    return false;
}

static bool item_next(struct expression_cursor *c, const struct sv *list,
                      unsigned n, struct sv *out)
{
    if (c->at >= n) return false;
    *out = list[c->at++];
    return true;
}

static bool list_next(struct expression_cursor *c, struct sv *out)
{
    const struct expression_request *r = c->r;
    switch ((enum expression_field_id)c->test->field) {
    case FIELD_HEADER: return header_next(c, c->test->key, out);
    case FIELD_COOKIE: return cookie_next(c, out);
    case FIELD_ARG: return arg_next(c, out);
    case FIELD_TOKEN_SCOPES:
        return item_next(c, r->token_scopes, r->token_scopes_n, out);
    default: return item_next(c, r->token_tags, r->token_tags_n, out);
    }
}

/* Of the fields that have one value always; false: another one. */
static bool single(const struct expression_request *r,
                   enum expression_field_id field, struct sv *out)
{
    switch (field) {
    case FIELD_METHOD: *out = r->method; return true;
    case FIELD_HOST: *out = r->host; return true;
    case FIELD_URI: *out = r->target; return true;
    case FIELD_PATH: *out = r->path; return true;
    case FIELD_QUERY: *out = r->query; return true;
    case FIELD_COUNTRY: *out = r->country; return true;
    case FIELD_TOKEN_ID: *out = r->token_id; return true;
    case FIELD_TOKEN_NAME: *out = r->token_name; return true;
    case FIELD_TOKEN_OWNER: *out = r->token_owner; return true;
    case FIELD_TOKEN_SUBJECT: *out = r->token_subject; return true;
    default: return false;
    }
}

bool expression_value_next(struct expression_cursor *c, struct sv *out)
{
    *out = SV("");
    if (single(c->r, (enum expression_field_id)c->test->field, out)) {
        if (c->given) return false;
    } else if (!list_next(c, out) && c->given) {
        return false;
    }
    if (!out->p) *out = SV("");
    c->given++;
    return true;
}
