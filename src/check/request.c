#include "check/request.h"

#include "codec/host.h"

static void field_add(struct expression_request *r, struct http_field *fields,
                      struct sv name, yyjson_val *value)
{
    if (r->fields_n == HTTP_FIELDS_MAX || !yyjson_is_str(value)) return;
    fields[r->fields_n++] = (struct http_field){
        .name = name,
        .value = sv_trim(json_text(value)),
        .id = http_name_of(name),
    };
}

static size_t fields_count(const yyjson_val *headers)
{
    yyjson_val *key, *v;
    size_t i, n, count = 0;
    yyjson_obj_foreach((yyjson_val *)(uintptr_t)headers, i, n, key, v)
    {
        count += yyjson_is_arr(v) ? yyjson_arr_size(v) : 1;
    }
    return count < HTTP_FIELDS_MAX ? count : HTTP_FIELDS_MAX;
}

/* Values are strings, or arrays of strings: each is one field. */
static bool fields_of_telemetry(struct exchange *x,
                                struct expression_request *r)
{
    yyjson_val *key, *v, *member;
    size_t i, n, k, m;
    struct http_field *fields =
        ARENA_ARRAY(x->arena, struct http_field, fields_count(x->headers) + 1);
    if (!fields) return false;
    r->fields = fields;
    yyjson_obj_foreach((yyjson_val *)(uintptr_t)x->headers, i, n, key, v)
    {
        struct sv name = json_text(key);
        if (!yyjson_is_arr(v)) field_add(r, fields, name, v);
        yyjson_arr_foreach(v, k, m, member) field_add(r, fields, name, member);
    }
    return true;
}

static struct sv field_value(const struct expression_request *r,
                             enum http_name name)
{
    for (unsigned i = 0; i < r->fields_n; i++)
        if (r->fields[i].id == name) return r->fields[i].value;
    return SV("");
}

/* "https://host/path?query", or "/path?query". */
static void url_of_telemetry(struct sv url, struct expression_request *r)
{
    struct sv rest = url, authority = SV("");
    size_t scheme = sv_find(url, ':');
    uint16_t port;
    if (scheme != SIZE_MAX && sv_starts(sv_from(url, scheme), SV("://")) &&
        url.p[0] != '/') {
        rest = sv_from(url, scheme + 3);
        size_t end = 0;
        while (end < rest.n && !strchr("/?#", rest.p[end])) end++;
        authority = sv_first(rest, end);
        rest = sv_from(rest, end);
    }
    r->target = sv_first(rest, sv_find(rest, '#'));
    size_t mark = sv_find(r->target, '?');
    r->path = sv_first(r->target, mark);
    r->query = mark == SIZE_MAX ? SV("") : sv_from(r->target, mark + 1);
    if (!authority.n) authority = field_value(r, HN_HOST);
    if (host_split(authority, &r->host, &port)) r->host = authority;
}

struct expression_request *check_request(struct exchange *x)
{
    if (x->request) return x->request;
    struct expression_request *r =
        ARENA_NEW(x->arena, struct expression_request);
    if (!r) return NULL;
    if (x->head) {
        expression_request_of_head(r, x->head);
    } else {
        r->method = x->method;
        if (x->headers && !fields_of_telemetry(x, r)) return NULL;
        url_of_telemetry(x->url, r);
    }
    r->has_ip = x->has_client;
    r->ip = x->client;
    x->request = r;
    return r;
}

void check_found(struct exchange *x, const char *code,
                 enum detector_action action, bool enforced, struct sv evidence)
{
    if (!x->findings) x->findings = ARENA_NEW(x->arena, struct findings);
    if (!x->findings) return;
    findings_add(x->findings, (struct finding){ .code = code,
                                                .action = action,
                                                .enforced = enforced,
                                                .evidence = evidence });
}
