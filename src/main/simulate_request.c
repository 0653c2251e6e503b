/* A line of JSON to the request that the checks see. */
#include "base/err.h"
#include "codec/host.h"
#include "codec/rfc3339.h"
#include "main/simulate.h"

struct reader {
    struct arena *a;
    struct simulate_request *out;
    const char **why;
};

static int refuse(struct reader *r, const char *why)
{
    *r->why = why;
    return ERR_INVALID;
}

static int field_add(struct reader *r, struct sv name, struct sv value)
{
    unsigned n = r->out->seen.fields_n;
    if (!http_is_token(name)) return refuse(r, "headers: a name is no token");
    if (!http_is_field_value(value))
        return refuse(r, "headers: a value holds control characters");
    if (n == SIMULATE_FIELDS_MAX) return refuse(r, "headers: too many");
    r->out->fields[n] =
        (struct http_field){ name, sv_trim(value), http_name_of(name) };
    r->out->seen.fields_n = n + 1;
    return 0;
}

/* A string, or an array of strings. */
static int values_add(struct reader *r, struct sv name, yyjson_val *v)
{
    size_t i, max;
    yyjson_val *item;
    if (yyjson_is_str(v)) return field_add(r, name, json_text(v));
    if (!yyjson_is_arr(v))
        return refuse(r, "headers: a value is a string or an array of strings");
    yyjson_arr_foreach(v, i, max, item)
    {
        if (!yyjson_is_str(item))
            return refuse(r, "headers: a value is not a string");
        int rc = field_add(r, name, json_text(item));
        if (rc) return rc;
    }
    return 0;
}

static int headers_read(struct reader *r, yyjson_val *headers)
{
    size_t i, max;
    yyjson_val *key, *v;
    if (!headers || yyjson_is_null(headers)) return 0;
    if (yyjson_is_arr(headers)) { /* [["name", "value"], …] */
        yyjson_arr_foreach(headers, i, max, v)
        {
            struct sv name = json_text(yyjson_arr_get(v, 0));
            int rc = values_add(r, name, yyjson_arr_get(v, 1));
            if (rc) return rc;
        }
        return 0;
    }
    if (!yyjson_is_obj(headers))
        return refuse(r, "headers: an object or an array of pairs");
    yyjson_obj_foreach(headers, i, max, key, v)
    {
        int rc = values_add(r, json_text(key), v);
        if (rc) return rc;
    }
    return 0;
}

/* Absolute ("https://host/path") or from the path on. */
static int uri_read(struct reader *r, struct sv uri)
{
    struct expression_request *seen = &r->out->seen;
    const char *scheme = uri.n ? memmem(uri.p, uri.n, "://", 3) : NULL;
    struct sv host = SV("");
    if (scheme && uri.p[0] != '/') {
        uri = sv_from(uri, (size_t)(scheme - uri.p) + 3);
        size_t slash = sv_find(uri, '/');
        host = sv_first(uri, slash == SIZE_MAX ? uri.n : slash);
        uri = slash == SIZE_MAX ? SV("/") : sv_from(uri, slash);
    }
    if (!uri.n || uri.p[0] != '/')
        return refuse(r, "uri: a path or an absolute URL");
    struct sv query;
    seen->target = uri;
    seen->path = sv_cut(uri, '?', &query);
    seen->query = query.p ? query : SV("");
    seen->host = host;
    return 0;
}

/* In lower case, without port; from the URL, else from the field Host. */
static int host_read(struct reader *r)
{
    struct expression_request *seen = &r->out->seen;
    struct sv host = seen->host;
    bool has_field = false;
    uint16_t port;
    for (unsigned i = 0; i < seen->fields_n; i++) {
        if (r->out->fields[i].id != HN_HOST) continue;
        if (!host.n) host = r->out->fields[i].value;
        has_field = true;
    }
    if (!has_field && host.n) {
        int rc = field_add(r, SV("Host"), host);
        if (rc) return rc;
    }
    if (!host.n) return 0;
    struct sv name;
    if (host_split(host, &name, &port)) name = host;
    char *lower = arena_alloc(r->a, name.n + 1);
    if (!lower) return ERR_NOMEM;
    for (size_t i = 0; i < name.n; i++) lower[i] = ascii_lower(name.p[i]);
    seen->host = sv_of(lower, name.n);
    return 0;
}

static int body_read(struct reader *r, yyjson_val *body)
{
    if (!body || yyjson_is_null(body)) return 0;
    r->out->body =
        yyjson_is_str(body) ? json_text(body) : json_encode_val(r->a, body);
    return r->out->body.p ? 0 : ERR_NOMEM;
}

static int list_read(struct reader *r, yyjson_val *list, const struct sv **out,
                     unsigned *out_n)
{
    size_t n = yyjson_arr_size(list), i, max;
    yyjson_val *item;
    if (n > SIMULATE_LIST_MAX) return refuse(r, "token: a list is too long");
    struct sv *to = ARENA_ARRAY(r->a, struct sv, n + 1);
    if (!to) return ERR_NOMEM;
    yyjson_arr_foreach(list, i, max, item) to[i] = json_text(item);
    *out = to;
    *out_n = (unsigned)n;
    return 0;
}

static int token_read(struct reader *r, yyjson_val *token)
{
    struct expression_request *seen = &r->out->seen;
    if (!token || yyjson_is_null(token)) return 0;
    if (!yyjson_is_obj(token)) return refuse(r, "token: an object");
    r->out->has_token = true;
    seen->token_id = json_text(json_find(token, "id"));
    seen->token_name = json_text(json_find(token, "name"));
    seen->token_owner = json_text(json_find(token, "owner"));
    seen->token_subject = json_text(json_find(token, "subject"));
    int rc = list_read(r, json_find(token, "scopes"), &seen->token_scopes,
                       &seen->token_scopes_n);
    return rc ? rc
              : list_read(r, json_find(token, "tags"), &seen->token_tags,
                          &seen->token_tags_n);
}

static int time_read(struct reader *r, yyjson_val *time)
{
    struct simulate_request *out = r->out;
    if (!time || yyjson_is_null(time)) return 0;
    out->has_time = true;
    if (!json_is_int(time, &out->at_ms) &&
        (!yyjson_is_str(time) || rfc3339_decode(json_text(time), &out->at_ms)))
        return refuse(r, "time: milliseconds, or as in RFC 3339");
    out->sent_ms = out->at_ms;
    return 0;
}

static void answer_read(struct reader *r, yyjson_val *root)
{
    int64_t n;
    if (json_is_int(json_find(root, "status"), &n) && n > 0 && n < 1000)
        r->out->status = (uint32_t)n;
    if (json_is_int(json_find(root, "responseMs"), &n) && n > 0 && n < 1 << 20)
        r->out->response_ms = (uint32_t)n;
}

static int address_of(struct reader *r, yyjson_val *address)
{
    struct expression_request *seen = &r->out->seen;
    struct sv text = json_text(address);
    if (!text.n) return 0;
    seen->has_ip = ip_parse(text, &seen->ip) == 0;
    return seen->has_ip ? 0 : refuse(r, "address: no IP address");
}

static int place_read(struct reader *r, yyjson_val *root)
{
    struct expression_request *seen = &r->out->seen;
    int64_t asn = 0;
    seen->country = json_text(json_find(root, "country"));
    if (json_is_int(json_find(root, "asn"), &asn) && asn > 0 &&
        asn <= UINT32_MAX)
        seen->asn = (uint32_t)asn;
    if (seen->country.n && !country_of_code(seen->country))
        return refuse(r, "country: two letters");
    return 0;
}

/* The two kinds of lines: a request, and what a question tells of one. */
static const char *const request_members[] = {
    "method",  "uri", "headers", "body",   "address",    "time",
    "country", "asn", "token",   "status", "responseMs", NULL
};
static const char *const telemetry_members[] = { "telemetry", "cost", "time",
                                                 "country",   "asn",  "token",
                                                 "status",    NULL };

static int members_known(struct reader *r, yyjson_val *root,
                         const char *const *names, const char *why)
{
    size_t i, max;
    yyjson_val *key, *v;
    yyjson_obj_foreach(root, i, max, key, v)
    {
        int k = 0;
        while (names[k] && !yyjson_equals_str(key, names[k])) k++;
        if (!names[k]) return refuse(r, why);
    }
    return 0;
}

static int request_read(struct reader *r, yyjson_val *root)
{
    struct expression_request *seen = &r->out->seen;
    struct sv method = json_text(json_find(root, "method"));
    int rc = members_known(r, root, request_members,
                           "a member is not one of method, uri, headers, "
                           "body, address, time, country, asn, token, "
                           "status, responseMs");
    seen->method = method.n ? method : SV("GET");
    seen->fields = r->out->fields;
    if (rc == 0 && !http_is_token(seen->method))
        rc = refuse(r, "method: no token");
    if (rc == 0) rc = uri_read(r, json_text(json_find(root, "uri")));
    if (rc == 0) rc = headers_read(r, json_find(root, "headers"));
    if (rc == 0) rc = host_read(r);
    if (rc == 0) rc = body_read(r, json_find(root, "body"));
    if (rc == 0) rc = address_of(r, json_find(root, "address"));
    return rc;
}

static int telemetry_read(struct reader *r, yyjson_val *root)
{
    int rc = members_known(r, root, telemetry_members,
                           "beside telemetry, a member is not one of cost, "
                           "time, country, asn, token, status");
    return rc ? rc : simulate_telemetry_read(root, r->a, r->out, r->why);
}

static int root_read(struct reader *r, yyjson_val *root)
{
    if (!yyjson_is_obj(root)) return refuse(r, "not a JSON object");
    int rc = time_read(r, json_find(root, "time"));
    if (rc == 0)
        rc = (json_find(root, "telemetry") ? telemetry_read
                                           : request_read)(r, root);
    if (rc == 0) rc = place_read(r, root);
    if (rc == 0) rc = token_read(r, json_find(root, "token"));
    answer_read(r, root);
    return rc;
}

int simulate_request_read(struct sv line, struct arena *a,
                          struct simulate_request *out, const char **why)
{
    struct reader r = { .a = a, .out = out, .why = why };
    struct json_why bad = { .reason = "" };
    yyjson_doc *doc;
    memset(&out->seen, 0, sizeof out->seen);
    out->body = SV("");
    out->has_token = out->has_time = out->has_place = false;
    out->out_of_band = false;
    out->at_ms = out->sent_ms = 0;
    out->cost = 1;
    out->status = out->response_ms = 0;
    int rc = json_decode(line, a, &doc, &bad);
    if (rc == ERR_INVALID) return refuse(&r, bad.reason);
    if (rc == 0) rc = root_read(&r, yyjson_doc_get_root(doc));
    if (rc == ERR_NOMEM) return refuse(&r, "too large");
    return rc;
}
