/* Canonical document -> rules. Patterns become segments and conditions,
 * targets become templates; whatever could let a variable reach beyond its
 * place is refused here, when the profile is stored. */
#include "base/err.h"
#include "base/hash.h"
#include "codec/host.h"
#include "codec/http.h"
#include "codec/percent.h"
#include "model/fields_int.h"
#include "model/routing.h"

struct reading {
    struct arena *a;
    struct route_rule *rule;
    const char **field, **why;
};

static int fail(struct reading *r, const char *field, const char *why)
{
    *r->field = field;
    *r->why = why;
    return ERR_INVALID;
}

static int parse(struct reading *r, const char *field, struct sv text,
                 enum template_use use, struct template *out)
{
    int rc = template_parse(text, use, &r->rule->names, r->a, out, r->why);
    if (rc == ERR_INVALID) *r->field = field;
    return rc;
}

static int parse_affix(struct reading *r, const char *field, struct sv text,
                       struct template_affix *out)
{
    struct template t;
    int rc = parse(r, field, text, TEMPLATE_DEFINES, &t);
    if (!rc && template_affix(&t, out))
        rc = fail(r, field, "has two variables in one place");
    return rc;
}

/* --- what a rule is for ------------------------------------------------------- */

static struct sv decoded(struct arena *a, struct sv text)
{
    char *p = arena_alloc(a, text.n + 1);
    return p ? sv_of(p, percent_decode(p, text)) : SV("");
}

static int segment(struct reading *r, struct sv text, bool last,
                   struct route_segment *out)
{
    *out = (struct route_segment){ .kind = SEGMENT_TEXT };
    if (sv_eq(text, SV("*"))) {
        out->kind = SEGMENT_REST;
        return last ? 0
                    : fail(r, "public_path",
                           "may have * as its last segment only");
    }
    if (percent_has_dots(text))
        return fail(r, "public_path", "has a segment of dots");
    int rc = parse_affix(r, "public_path", text, &out->match);
    if (rc) return rc;
    if (out->match.variable >= 0) out->kind = SEGMENT_VARIABLE;
    out->match.prefix = decoded(r->a, out->match.prefix);
    out->match.suffix = decoded(r->a, out->match.suffix);
    return 0;
}

static bool path_text_ok(struct sv path)
{
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c <= 0x20 || c == 0x7f || strchr("#\"<>\\^`|", c)) return false;
    }
    return path.n > 0 && path.p[0] == '/';
}

/* Empty segments are nobody's: "/a//b/" is "/a/b". */
static int segments(struct reading *r, struct sv path)
{
    struct route_segment *list;
    size_t most = 1;
    if (!path_text_ok(path))
        return fail(r, "public_path",
                    "must begin with / and be written as in a URL");
    for (size_t i = 0; i < path.n; i++) most += path.p[i] == '/';
    list = ARENA_ARRAY(r->a, struct route_segment, most);
    if (!list) return ERR_NOMEM;
    struct sv rest = path;
    while (rest.p) {
        struct sv text = sv_cut(rest, '/', &rest);
        if (!text.n) continue;
        int rc = segment(r, text, !rest.p, &list[r->rule->segments_n]);
        if (rc) return rc;
        r->rule->segments_n++;
    }
    r->rule->segments = list;
    return 0;
}

static int query_conditions(struct reading *r, struct sv query)
{
    struct route_condition *list =
        ARENA_ARRAY(r->a, struct route_condition, ROUTING_CONDITIONS_MAX);
    if (!list) return ERR_NOMEM;
    while (query.p) {
        struct sv value, name, pair = sv_cut(query, '&', &query);
        if (!pair.n) continue;
        if (r->rule->query_n == ROUTING_CONDITIONS_MAX)
            return fail(r, "public_path", "has more than 10 parameters");
        struct route_condition *c = &list[r->rule->query_n++];
        name = sv_cut(pair, '=', &value);
        c->name = decoded(r->a, name);
        c->has_value = value.p != NULL;
        if (!name.n || sv_find(name, '{') != SIZE_MAX)
            return fail(r, "public_path", "has a parameter without a name");
        if (!c->has_value) continue;
        int rc = parse_affix(r, "public_path", value, &c->value);
        if (rc) return rc;
        c->value.prefix = decoded(r->a, c->value.prefix);
        c->value.suffix = decoded(r->a, c->value.suffix);
    }
    r->rule->query = list;
    return 0;
}

static int header_conditions(struct reading *r, const yyjson_val *v)
{
    yyjson_val *item, *headers = json_find(v, "public_headers");
    size_t i, max, n = yyjson_arr_size(headers);
    struct route_condition *list =
        ARENA_ARRAY(r->a, struct route_condition, n + 1);
    if (!list) return ERR_NOMEM;
    if (n > ROUTING_CONDITIONS_MAX) return ERR_CORRUPT;
    yyjson_arr_foreach(headers, i, max, item)
    {
        struct sv value, text = arena_dup(r->a, json_text(item));
        struct route_condition *c = &list[i];
        c->name = sv_cut(text, ':', &value);
        c->has_value = value.p != NULL;
        if (!c->has_value) continue;
        int rc = parse_affix(r, "public_headers", sv_trim(value), &c->value);
        if (rc) return rc;
    }
    r->rule->headers = list;
    r->rule->headers_n = (uint8_t)n;
    return 0;
}

/* --- what becomes of a request ------------------------------------------------- */

static int params(struct reading *r, struct sv query)
{
    struct route_set *list =
        ARENA_ARRAY(r->a, struct route_set, ROUTING_EDITS_MAX);
    if (!list) return ERR_NOMEM;
    while (query.p) {
        struct sv value, pair = sv_cut(query, '&', &query);
        if (!pair.n) continue;
        if (r->rule->params_n == ROUTING_EDITS_MAX)
            return fail(r, "target_path", "has more than 20 parameters");
        struct route_set *p = &list[r->rule->params_n++];
        p->name = sv_cut(pair, '=', &value);
        if (!p->name.n || sv_find(p->name, '{') != SIZE_MAX)
            return fail(r, "target_path", "has a parameter without a name");
        int rc = parse(r, "target_path", value.p ? value : SV(""),
                       TEMPLATE_USES, &p->value);
        if (rc) return rc;
    }
    r->rule->params = list;
    return 0;
}

static int target_path(struct reading *r, struct sv text)
{
    struct sv query, path = sv_cut(text, '?', &query);
    if (!text.n) return 0;
    if (!path_text_ok(text))
        return fail(r, "target_path",
                    "must begin with / and be written as in a URL");
    for (struct sv rest = path; rest.p;)
        if (percent_has_dots(sv_cut(rest, '/', &rest)))
            return fail(r, "target_path", "has a segment of dots");
    /* a variable behind "%2" would choose what it means */
    if (!percent_is_whole(text))
        return fail(r, "target_path", "has a % that is no escape");
    int rc = parse(r, "target_path", path, TEMPLATE_USES, &r->rule->path);
    r->rule->has_path = true;
    return rc ? rc : params(r, query);
}

/* Variables fill whole labels, left of two literal ones at least. */
static int host_labels(struct reading *r, struct sv name)
{
    unsigned literal = 0, variables = 0;
    for (struct sv rest = name; rest.p;) {
        struct sv label = sv_cut(rest, '.', &rest);
        if (sv_find(label, '{') == SIZE_MAX) {
            literal++;
            continue;
        }
        if (label.p[0] != '{' || sv_find(label, '}') != label.n - 1)
            return fail(r, "target_hostname",
                        "has a variable that does not fill a whole label");
        variables++;
        literal = 0; /* those right of the last variable count */
    }
    if (variables && literal < 2)
        return fail(r, "target_hostname",
                    "needs two literal labels right of a variable");
    return 0;
}

static int target_host(struct reading *r, struct sv text)
{
    static const char *const field = "target_hostname";
    struct sv name;
    struct host host;
    if (!text.n) return 0;
    if (host_split(text, &name, &r->rule->port) || !name.n)
        return fail(r, field, "must be host or host:port");
    int rc = host_labels(r, name);
    if (rc) return rc;
    bool has_variables = sv_find(name, '{') != SIZE_MAX;
    struct sv fixed = name; /* what is right of the last variable */
    if (has_variables) fixed = sv_from(name, sv_rfind(name, '}') + 2);
    if (host_parse(fixed, false, &host))
        return fail(r, field, "is not a host name or address");
    if (!has_variables) name = arena_dup(r->a, sv_of(host.text, host.n));
    return parse(r, field, name, TEMPLATE_USES, &r->rule->host);
}

/* Fields that frame the message, or that we vouch for. */
static bool is_ours(struct sv name)
{
    if (http_name_is_framing(name)) return true;
    switch (http_name_of(name)) {
    case HN_FORWARDED:
    case HN_VIA:
    case HN_X_FORWARDED_FOR:
    case HN_X_FORWARDED_PROTO:
    case HN_X_FORWARDED_HOST:
    case HN_X_REQUEST_ID:
    case HN_OURS: return true;
    default: return false;
    }
}

static int edit_sets(struct reading *r, yyjson_val *set, struct route_set *out)
{
    static const char *const field = "target_headers";
    yyjson_val *key, *item;
    size_t i, max;
    if (!set) return 0;
    yyjson_obj_foreach(set, i, max, key, item)
    {
        out[i].name = arena_dup(r->a, json_text(key));
        struct sv text = arena_dup(r->a, json_text(item));
        if (!yyjson_is_str(item) || !http_is_field_value(text))
            return fail(r, field, "has a value that is no text for a field");
        if (!http_is_token(out[i].name) || is_ours(out[i].name))
            return fail(r, field, "names a field that cannot be set");
        int rc = parse(r, field, text, TEMPLATE_USES, &out[i].value);
        if (rc) return rc;
    }
    return 0;
}

static int edit(struct reading *r, const yyjson_val *v, struct route_edit *out)
{
    static const char *const field = "target_headers";
    yyjson_val *item, *set = json_find(v, "set");
    yyjson_val *remove = json_find(v, "remove");
    size_t i, max, n = yyjson_obj_size(set), m = yyjson_arr_size(remove);
    struct route_set *sets = ARENA_ARRAY(r->a, struct route_set, n + 1);
    struct sv *gone = ARENA_ARRAY(r->a, struct sv, m + 1);
    if (!sets || !gone) return ERR_NOMEM;
    if (n > ROUTING_EDITS_MAX || m > ROUTING_EDITS_MAX)
        return fail(r, field, "sets or removes more than 20 fields");
    int rc = edit_sets(r, set, sets);
    if (rc) return rc;
    yyjson_arr_foreach(remove, i, max, item)
    {
        gone[i] = arena_dup(r->a, json_text(item));
        if (is_ours(gone[i]))
            return fail(r, field, "names a field that cannot be removed");
    }
    *out = (struct route_edit){ sets, gone, (uint8_t)n, (uint8_t)m };
    return 0;
}

static int targets(struct reading *r, const yyjson_val *v)
{
    struct route_rule *rule = r->rule;
    const yyjson_val *headers = json_find(v, "target_headers");
    rule->target_method = text_decode(v, "target_method", r->a);
    int rc = target_path(r, text_decode(v, "target_path", r->a));
    if (!rc) rc = target_host(r, text_decode(v, "target_hostname", r->a));
    if (!rc) rc = edit(r, json_find(headers, "request"), &rule->request);
    if (!rc) rc = edit(r, json_find(headers, "response"), &rule->response);
    return rc;
}

/* --- the own answer, scopes, time ------------------------------------------------- */

static int answer(struct reading *r, const yyjson_val *v)
{
    struct route_rule *rule = r->rule;
    int64_t n = 200;
    rule->answers = json_text(json_find(v, "typeauth_response")).n > 0;
    json_is_int(json_find(v, "typeauth_response_code"), &n);
    rule->code = (uint16_t)n;
    rule->body = text_decode(v, "typeauth_response_body", r->a);
    rule->content_type = text_decode(v, "typeauth_response_content_type", r->a);
    if (!rule->content_type.n)
        rule->content_type = SV("text/plain; charset=utf-8");
    bool bodiless = n == 204 || n == 205 || n == 304;
    if (bodiless && rule->body.n)
        return fail(r, "typeauth_response_body",
                    "cannot be with a status that has no body");
    return 0;
}

static int scopes(struct reading *r, const yyjson_val *v)
{
    yyjson_val *item, *list = json_find(v, "scopes");
    size_t i, max, n = yyjson_arr_size(list);
    struct sv *out = ARENA_ARRAY(r->a, struct sv, n + 1);
    if (!out) return ERR_NOMEM;
    if (n > ROUTING_SCOPES_MAX) return ERR_CORRUPT;
    yyjson_arr_foreach(list, i, max, item) out[i] =
        arena_dup(r->a, json_text(item));
    r->rule->scopes = out;
    r->rule->scopes_n = (uint8_t)n;
    return 0;
}

static uint32_t id_of(struct sv method, struct sv path)
{
    uint32_t id = crc32c(crc32c(0, method.p, method.n), " ", 1);
    id = crc32c(id, path.p, path.n);
    return id ? id : 1;
}

int route_rule_decode(const yyjson_val *v, struct arena *a,
                      struct route_rule *out, const char **field,
                      const char **why)
{
    struct reading r = { a, out, field, why };
    int64_t n;
    memset(out, 0, sizeof *out);
    struct sv query, path = text_decode(v, "public_path", a);
    out->public_path = path;
    path = sv_cut(path, '?', &query);
    out->method = text_decode(v, "public_method", a);
    out->id = id_of(out->method, out->public_path);
    const yyjson_val *timeouts = json_find(v, "timeouts");
    out->connect_ms = count_decode(timeouts, "connect", UINT32_MAX);
    out->timeout_ms = count_decode(timeouts, "firstByte", UINT32_MAX);
    out->idle_ms = count_decode(timeouts, "idle", UINT32_MAX);
    if (json_is_int(json_find(v, "timeout"), &n)) {
        if (out->timeout_ms)
            return fail(&r, "timeouts.firstByte", "is timeout by another name");
        out->timeout_ms = (uint32_t)n;
    }
    if (json_is_int(json_find(v, "retries"), &n)) {
        out->has_retries = true;
        out->retries = (uint8_t)n;
    }
    int rc = segments(&r, path);
    if (!rc) rc = query_conditions(&r, query);
    if (!rc) rc = header_conditions(&r, v);
    if (!rc) rc = targets(&r, v);
    if (!rc) rc = scopes(&r, v);
    if (!rc) rc = answer(&r, v);
    return !rc && a->overflow ? ERR_NOMEM : rc;
}

static int decode(const yyjson_val *root, struct arena *a, struct routing *out)
{
    yyjson_val *item, *list = json_find(root, "endpoints");
    size_t i, max, n = yyjson_arr_size(list);
    const char *field, *why;
    out->id = text_decode(root, "id", a);
    out->account_id = text_decode(root, "account_id", a);
    out->name = text_decode(root, "name", a);
    if (!out->id.n || !n || n > ROUTING_RULES_MAX) return ERR_CORRUPT;
    struct route_rule *rules = ARENA_ARRAY(a, struct route_rule, n);
    if (!rules) return ERR_NOMEM;
    yyjson_arr_foreach(list, i, max, item)
    {
        int rc = route_rule_decode(item, a, &rules[i], &field, &why);
        if (rc) return rc == ERR_INVALID ? ERR_CORRUPT : rc;
        rules[i].index = (uint8_t)i;
    }
    out->rules = rules;
    out->n = (unsigned)n;
    return 0;
}

int routing_decode(struct sv doc, struct arena *a, struct routing *out)
{
    struct decode_scratch scratch;
    const yyjson_val *root;
    memset(out, 0, sizeof *out);
    int rc = decode_begin(&scratch, doc, &root);
    if (rc == 0) rc = decode(root, a, out);
    arena_fini(&scratch.arena);
    return rc == 0 && a->overflow ? ERR_NOMEM : rc;
}
