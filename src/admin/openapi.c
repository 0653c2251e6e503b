/* The generator walks rows and fields once and writes text. Aliases of a path
 * are path items that refer to the published one. */
#include "admin/openapi.h"

#include "admin/endpoint.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "codec/json.h"

#include <stdio.h>

enum { PATH_MAX_ = 160, NAME_MAX_ = 80 };

enum flavour { FLAVOUR_CREATE, FLAVOUR_PATCH, FLAVOUR_ANSWER };

struct gen {
    struct buf *b;
    char schemas[160][NAME_MAX_]; /* those that are written already */
    size_t schemas_n;
};

/* --- writing --------------------------------------------- */

static void text(struct gen *g, const char *name, const char *value)
{
    json_put_name(g->b, name);
    json_put_text(g->b, sv_cstr(value));
}

static void number(struct gen *g, const char *name, int64_t n)
{
    json_put_name(g->b, name);
    buf_put_i64(g->b, n);
}

static void raw(struct gen *g, const char *name, const char *json)
{
    json_put_name(g->b, name);
    buf_puts(g->b, json);
}

static void open_object(struct gen *g, const char *name)
{
    json_put_name(g->b, name);
    buf_putc(g->b, '{');
}

static void close_object(struct gen *g)
{
    buf_putc(g->b, '}');
}

static void item(struct gen *g) /* next element of a list */
{
    if (g->b->n && g->b->p[g->b->n - 1] != '[') buf_putc(g->b, ',');
}

static void ref(struct gen *g, const char *schema)
{
    buf_printf(g->b, "{\"$ref\":\"#/components/schemas/%s\"}", schema);
}

/* --- a field's schema --------------------------------------------- */

static void object_schema(struct gen *g, const struct shape_field *fields,
                          enum flavour flavour, bool loose);

static void put_options(struct gen *g, const char *const *options)
{
    json_put_name(g->b, "enum");
    buf_putc(g->b, '[');
    for (; *options; options++) {
        item(g);
        json_put_text(g->b, sv_cstr(*options));
    }
    buf_putc(g->b, ']');
}

static void string_facts(struct gen *g, const struct shape_field *f)
{
    if (f->options && !f->hidden) {
        put_options(g, f->options);
        return;
    }
    bool empty = f->flags & SHAPE_SEED; /* "" is unset, whatever the rule */
    uint32_t most = f->types & SHAPE_STRINGS ? f->item_max : f->len_max;
    if (f->len_min && !empty) number(g, "minLength", f->len_min);
    if (most) number(g, "maxLength", most);
    if (f->text && f->text->pattern && !empty)
        text(g, "pattern", f->text->pattern);
    if (f->format && !empty) text(g, "format", f->format);
}

static void array_facts(struct gen *g, const struct shape_field *f)
{
    if (f->len_min) number(g, "minItems", f->len_min);
    if (f->len_max) number(g, "maxItems", f->len_max);
    if (f->flags & SHAPE_UNIQUE) raw(g, "uniqueItems", "true");
}

static void type_schema(struct gen *g, const struct shape_field *f,
                        unsigned type, enum flavour flavour)
{
    switch (type) {
    case SHAPE_STRING:
        text(g, "type", "string");
        string_facts(g, f);
        break;
    case SHAPE_INTEGER:
        text(g, "type", "integer");
        if (flavour == FLAVOUR_ANSWER) break;
        number(g, "minimum", f->min);
        if (f->max) number(g, "maximum", f->max);
        break;
    case SHAPE_NUMBER: text(g, "type", "number"); break;
    case SHAPE_BOOLEAN: text(g, "type", "boolean"); break;
    case SHAPE_FALSE: raw(g, "const", "false"); break;
    case SHAPE_STRINGS:
        text(g, "type", "array");
        array_facts(g, f);
        open_object(g, "items");
        text(g, "type", "string");
        if (f->item_max) {
            number(g, "minLength", 1);
            number(g, "maxLength", f->item_max);
        }
        close_object(g);
        break;
    case SHAPE_LIST:
        text(g, "type", "array");
        array_facts(g, f);
        break;
    case SHAPE_OBJECTS:
        text(g, "type", "array");
        array_facts(g, f);
        if (f->fields) {
            open_object(g, "items");
            object_schema(g, f->fields, flavour, false);
            close_object(g);
        } else {
            json_put_name(g->b, "items");
            ref(g, "ImportedToken");
        }
        break;
    case SHAPE_OBJECT:
        if (f->fields)
            object_schema(g, f->fields, flavour, false);
        else
            text(g, "type", "object");
        break;
    case SHAPE_MAP: text(g, "type", "object"); break;
    default: break;
    }
}

static bool may_be_null(const struct shape_field *f, enum flavour flavour)
{
    static const char *const never[] = {
        "id",    "account_id", "createdAt", "updatedAt", "applicationId",
        "token", "key",        NULL
    };
    if (flavour == FLAVOUR_CREATE || (f->flags & SHAPE_REQUIRED)) return false;
    if (flavour == FLAVOUR_PATCH) return true;
    for (int i = 0; never[i]; i++)
        if (!strcmp(f->name, never[i])) return false;
    return !(f->flags & SHAPE_SEED) && strcmp(f->name, "tags") != 0;
}

/* Words of the customer's own document, kept as they are. */
static const char *about(const struct shape_field *f, enum flavour flavour)
{
    return flavour == FLAVOUR_CREATE && !strcmp(f->name, "tags")
               ? "Tags of the application"
               : f->about;
}

static void field_schema(struct gen *g, const struct shape_field *f,
                         enum flavour flavour)
{
    bool null = may_be_null(f, flavour);
    bool several = (f->types & (f->types - 1)) != 0 || null;
    open_object(g, f->name);
    if (about(f, flavour)) text(g, "description", about(f, flavour));
    if (f->flags & SHAPE_READ_ONLY) raw(g, "readOnly", "true");
    if (f->fallback && flavour == FLAVOUR_CREATE)
        raw(g, "default", f->fallback);
    if (several) {
        json_put_name(g->b, "anyOf");
        buf_putc(g->b, '[');
    }
    for (unsigned type = 1; type <= SHAPE_NUMBER; type <<= 1) {
        if (!(f->types & type)) continue;
        if (several) item(g), buf_putc(g->b, '{');
        type_schema(g, f, type, flavour);
        if (several) buf_putc(g->b, '}');
    }
    if (null) item(g), buf_puts(g->b, "{\"type\":\"null\"}");
    if (several) buf_putc(g->b, ']');
    close_object(g);
}

/* --- an object's schema --------------------------------------------- */

static bool listed(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (!strcmp(*names, name)) return true;
    return false;
}

static bool field_belongs(const struct shape_field *f, enum flavour flavour)
{
    if (flavour == FLAVOUR_CREATE) return !(f->flags & SHAPE_READ_ONLY);
    return true;
}

static void properties(struct gen *g, const struct shape_field *fields,
                       enum flavour flavour, const char *const *without)
{
    for (const struct shape_field *f = fields; f && f->name; f++)
        if (field_belongs(f, flavour) && !listed(without, f->name))
            field_schema(g, f, flavour);
}

static void required(struct gen *g, const struct shape_field *fields)
{
    bool any = false;
    for (const struct shape_field *f = fields; f && f->name; f++) {
        if (!(f->flags & SHAPE_REQUIRED)) continue;
        if (!any) {
            json_put_name(g->b, "required");
            buf_putc(g->b, '[');
        }
        any = true;
        item(g);
        json_put_text(g->b, sv_cstr(f->name));
    }
    if (any) buf_putc(g->b, ']');
}

static void object_schema(struct gen *g, const struct shape_field *fields,
                          enum flavour flavour, bool loose)
{
    text(g, "type", "object");
    open_object(g, "properties");
    properties(g, fields, flavour, NULL);
    close_object(g);
    if (flavour == FLAVOUR_CREATE) required(g, fields);
    if (flavour != FLAVOUR_ANSWER && !loose)
        raw(g, "additionalProperties", "false");
}

/* False when it is there already. */
static bool schema_begin(struct gen *g, const char *name)
{
    for (size_t i = 0; i < g->schemas_n; i++)
        if (!strcmp(g->schemas[i], name)) return false;
    ENSURE(g->schemas_n < sizeof g->schemas / sizeof *g->schemas);
    snprintf(g->schemas[g->schemas_n++], NAME_MAX_, "%s", name);
    open_object(g, name);
    return true;
}

/* --- names --------------------------------------------- */

static void body_name(const struct endpoint *e, char out[NAME_MAX_])
{
    const char *name = e->body_name ? e->body_name : e->body->name;
    size_t n = strlen(name);
    if (n > 7 && !strcmp(name + n - 7, "Request"))
        snprintf(out, NAME_MAX_, "%s", name);
    else
        snprintf(out, NAME_MAX_, "%s%sRequest",
                 e->flags & EP_PATCH ? "Patch" : "Create", name);
}

static void answer_name(const struct endpoint *e, char out[NAME_MAX_])
{
    if (e->answer_name)
        snprintf(out, NAME_MAX_, "%s", e->answer_name);
    else if (!e->answer)
        snprintf(out, NAME_MAX_, "Done");
    else
        snprintf(out, NAME_MAX_, "%s%s", e->answer->name,
                 e->flags & EP_LIST ? "List" : "Response");
}

/* The published form of a template: the first of "a|b". */
static void path_text(const char *template, char out[PATH_MAX_])
{
    size_t n = 0;
    bool skip = false;
    for (const char *p = template; *p && n < PATH_MAX_ - 1; p++) {
        if (*p == '|') skip = true;
        if (*p == '/') skip = false;
        if (!skip) out[n++] = *p;
    }
    out[n] = 0;
}

/* The k-th other form of it: false when there is none. */
static bool path_alias(const char *template, unsigned k, char out[PATH_MAX_])
{
    const char *bar = strchr(template, '|'), *from = NULL, *end;
    if (!bar) return false;
    for (from = bar + 1; k; k--) {
        from = strpbrk(from, "|/");
        if (!from || *from == '/') return false;
        from++;
    }
    end = from + strcspn(from, "|/");
    const char *begin = bar;
    while (begin > template && begin[-1] != '/') begin--;
    const char *rest = bar + strcspn(bar, "/");
    snprintf(out, PATH_MAX_, "%.*s%.*s%s", (int)(begin - template), template,
             (int)(end - from), from, rest);
    return true;
}

/* --- an operation --------------------------------------------- */

static void parameter(struct gen *g, const char *name, const char *in,
                      const char *schema)
{
    item(g);
    buf_putc(g->b, '{');
    text(g, "name", name);
    text(g, "in", in);
    if (!strcmp(in, "path")) raw(g, "required", "true");
    raw(g, "schema", schema);
    buf_putc(g->b, '}');
}

static void parameters(struct gen *g, const struct endpoint *e,
                       const char *path)
{
    static const char string[] = "{\"type\":\"string\"}";
    json_put_name(g->b, "parameters");
    buf_putc(g->b, '[');
    for (const char *p = strchr(path, '{'); p; p = strchr(p + 1, '{')) {
        char name[NAME_MAX_];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(p + 1, "}"), p + 1);
        parameter(g, name, "path", string);
    }
    if (e->flags & EP_LIST) {
        parameter(g, "limit", "query",
                  "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,"
                  "\"default\":100}");
        parameter(g, "starting_after", "query", string);
        parameter(g, "ending_before", "query", string);
    }
    if (e->flags & EP_FILTER) {
        parameter(g, "name", "query", string);
        parameter(g, "tag", "query", string);
        item(g);
        buf_puts(g->b, "{\"name\":\"tags\",\"in\":\"query\",\"style\":"
                       "\"deepObject\",\"explode\":true,\"schema\":{\"type\":"
                       "\"object\",\"additionalProperties\":{\"type\":"
                       "\"string\"}}}");
    }
    for (const char *const *p = e->params; p && *p; p++)
        parameter(g, *p, "query", string);
    if (e->flags & EP_IDEMPOTENT)
        parameter(g, "Idempotency-Key", "header",
                  "{\"type\":\"string\",\"minLength\":16,\"maxLength\":255}");
    if (e->method == HTTP_PATCH || e->method == HTTP_DELETE)
        parameter(g, "If-Match", "header", string);
    buf_putc(g->b, ']');
}

static void content(struct gen *g, const char *type, const char *schema)
{
    open_object(g, "content");
    open_object(g, type);
    json_put_name(g->b, "schema");
    ref(g, schema);
    close_object(g);
    close_object(g);
}

static void responses(struct gen *g, const struct endpoint *e)
{
    char status[8], name[NAME_MAX_];
    snprintf(status, sizeof status, "%u", e->status);
    answer_name(e, name);
    open_object(g, "responses");
    open_object(g, status);
    text(g, "description",
         e->done            ? e->done
         : e->status == 201 ? "Created"
                            : "OK");
    if (!(e->flags & EP_PLAIN)) content(g, "application/json", name);
    close_object(g);
    open_object(g, "default");
    text(g, "description", "The request was refused; error.code says why");
    content(g, "application/json", "Failure");
    close_object(g);
    close_object(g);
}

static const char *method_name(enum http_method m)
{
    switch (m) {
    case HTTP_GET: return "get";
    case HTTP_POST: return "post";
    case HTTP_PUT: return "put";
    case HTTP_PATCH: return "patch";
    case HTTP_DELETE: return "delete";
    default: return "options";
    }
}

static void operation(struct gen *g, const struct endpoint *e, const char *path,
                      bool also)
{
    char name[NAME_MAX_], id[PATH_MAX_];
    size_t n = 0;
    open_object(g, method_name(e->method));
    buf_puts(g->b, "\"tags\":[");
    json_put_text(g->b, sv_cstr(e->tag));
    buf_putc(g->b, ']');
    text(g, "summary", e->summary);
    n = (size_t)snprintf(id, sizeof id, "%s", method_name(e->method));
    for (const char *p = path; *p && n < sizeof id - 1; p++)
        if (strchr("/-.", *p))
            id[n++] = '_';
        else if (!strchr("{}", *p))
            id[n++] = *p;
    id[n] = 0;
    text(g, "operationId", id);
    parameters(g, e, path);
    if (e->body) {
        body_name(e, name);
        open_object(g, "requestBody");
        raw(g, "required", "true");
        content(g, "application/json", name);
        close_object(g);
    }
    responses(g, e);
    if (!(e->flags & EP_OPEN)) {
        raw(g, "security", "[{\"bearerAuth\":[]}]");
        text(g, "x-role", role_name(e->role));
    }
    if (also)
        text(g, "description",
             "The account is the key's; a root key says "
             "?account_id=.");
    close_object(g);
}

/* --- paths --------------------------------------------- */

/* All rows of one path together; `also` picks the second form. */
static void path_item(struct gen *g, size_t first, const char *path, bool also)
{
    char other[PATH_MAX_];
    open_object(g, path);
    for (size_t i = first; i < endpoints_n; i++) {
        const char *t = also ? endpoints[i].also : endpoints[i].path;
        if (!t) continue;
        path_text(t, other);
        if (!strcmp(other, path)) operation(g, &endpoints[i], path, also);
    }
    close_object(g);
}

static bool path_seen(size_t before, const char *path, bool also)
{
    char other[PATH_MAX_];
    for (size_t i = 0; i < before; i++) {
        const char *t = also ? endpoints[i].also : endpoints[i].path;
        if (!t) continue;
        path_text(t, other);
        if (!strcmp(other, path)) return true;
    }
    return false;
}

static void path_ref(struct gen *g, const char *alias, const char *path)
{
    open_object(g, alias);
    buf_puts(g->b, "\"$ref\":\"#/paths/");
    for (const char *p = path; *p; p++)
        if (*p == '/')
            buf_puts(g->b, "~1");
        else if (*p == '{')
            buf_puts(g->b, "%7B");
        else if (*p == '}')
            buf_puts(g->b, "%7D");
        else
            buf_putc(g->b, *p);
    buf_puts(g->b, "\"}");
}

static void paths(struct gen *g)
{
    char path[PATH_MAX_], alias[PATH_MAX_];
    open_object(g, "paths");
    for (size_t i = 0; i < endpoints_n; i++) {
        path_text(endpoints[i].path, path);
        if (!path_seen(i, path, false)) {
            path_item(g, i, path, false);
            for (unsigned k = 0; path_alias(endpoints[i].path, k, alias); k++)
                path_ref(g, alias, path);
        }
        if (!endpoints[i].also) continue;
        path_text(endpoints[i].also, path);
        if (!path_seen(i, path, true)) path_item(g, i, path, true);
    }
    close_object(g);
}

/* --- components --------------------------------------------- */

static void answer_schemas(struct gen *g, const struct endpoint *e)
{
    char name[NAME_MAX_];
    if (e->answer && schema_begin(g, e->answer->name)) {
        text(g, "type", "object");
        open_object(g, "properties");
        properties(g, e->answer->more, FLAVOUR_ANSWER, NULL);
        if (e->answer->shape)
            properties(g, e->answer->shape->fields, FLAVOUR_ANSWER,
                       e->answer->without);
        close_object(g);
        close_object(g);
    }
    answer_name(e, name);
    if (!e->answer || (e->flags & EP_PLAIN) || !schema_begin(g, name)) return;
    buf_puts(g->b, "\"type\":\"object\",\"properties\":{\"success\":{\"type\":"
                   "\"boolean\"},\"message\":{\"type\":\"string\"},\"data\":{"
                   "\"type\":\"array\",\"items\":");
    ref(g, e->answer->name);
    if (e->flags & EP_EVENTS)
        buf_puts(g->b, "},\"next\":{\"type\":\"string\"},\"dropped\":{"
                       "\"type\":\"integer\"");
    buf_puts(g->b, e->flags & EP_LIST
                       ? "},\"has_more\":{\"type\":\"boolean\"}},\"required\":["
                         "\"success\",\"message\",\"data\",\"has_more\"]"
                       : "}},\"required\":[\"success\",\"message\",\"data\"]");
    close_object(g);
}

static void body_schema(struct gen *g, const struct endpoint *e)
{
    char name[NAME_MAX_];
    if (!e->body) return;
    body_name(e, name);
    if (!schema_begin(g, name)) return;
    object_schema(g, e->body->fields,
                  e->flags & EP_PATCH ? FLAVOUR_PATCH : FLAVOUR_CREATE,
                  e->flags & EP_LOOSE);
    close_object(g);
}

/* From the customer's document, as it stands there. */
static const char seed_schemas[] =
    "\"ApplicationResponse\":{\"type\":\"object\",\"properties\":{"
    "\"success\":{\"type\":\"boolean\"},\"message\":{\"type\":\"string\"},"
    "\"data\":{\"type\":\"array\",\"items\":{\"$ref\":"
    "\"#/components/schemas/Application\"}}}},"
    "\"Application\":{\"type\":\"object\",\"properties\":{"
    "\"id\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},"
    "\"description\":{\"type\":\"string\"},\"domain\":{\"type\":\"string\"},"
    "\"createdAt\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"updatedAt\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"originHostname\":{\"type\":\"string\"},"
    "\"detailResponse\":{\"type\":\"boolean\"},"
    "\"auth_id\":{\"type\":\"string\"},\"llmcache_id\":{\"type\":\"string\"},"
    "\"abuse_id\":{\"type\":\"string\"},"
    "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}},"
    "\"Done\":{\"type\":\"object\",\"properties\":{\"success\":{\"type\":"
    "\"boolean\"},\"message\":{\"type\":\"string\"},\"data\":{\"type\":"
    "\"array\"}},\"required\":[\"success\",\"message\",\"data\"]},"
    "\"Failure\":{\"type\":\"object\",\"properties\":{\"success\":{\"const\":"
    "false},\"message\":{\"type\":\"string\"},\"data\":{\"type\":\"array\"},"
    "\"error\":{\"type\":\"object\",\"properties\":{\"code\":{\"type\":"
    "\"string\"},\"field\":{\"type\":\"string\"}},\"required\":[\"code\"]}},"
    "\"required\":[\"success\",\"message\",\"data\",\"error\"]}";

static void components(struct gen *g)
{
    open_object(g, "components");
    raw(g, "securitySchemes",
        "{\"bearerAuth\":{\"type\":\"http\",\"scheme\":\"bearer\"}}");
    open_object(g, "schemas");
    buf_puts(g->b, seed_schemas);
    snprintf(g->schemas[g->schemas_n++], NAME_MAX_, "ApplicationResponse");
    snprintf(g->schemas[g->schemas_n++], NAME_MAX_, "Application");
    if (schema_begin(g, "ImportedToken")) {
        object_schema(g, shape_token_import_item.fields, FLAVOUR_CREATE, false);
        close_object(g);
    }
    for (size_t i = 0; i < endpoints_n; i++) {
        answer_schemas(g, &endpoints[i]);
        body_schema(g, &endpoints[i]);
    }
    close_object(g);
    close_object(g);
}

void openapi_write(struct sv version, struct buf *out)
{
    struct gen *g = NEW(struct gen);
    g->b = out;
    buf_putc(out, '{');
    text(g, "openapi", "3.1.0");
    open_object(g, "info");
    text(g, "title", "Type Auth API");
    text(g, "description",
         "API for managing applications, authentication, "
         "monitoring, and security features");
    json_put_name(out, "version");
    json_put_text(out, version);
    close_object(g);
    raw(g, "servers", "[{\"url\":\"/\"}]");
    raw(g, "security", "[]");
    paths(g);
    components(g);
    buf_putc(out, '}');
    mem_free(g);
}
