/* OpenAPI documents: what is refused and where, which operation a path is,
 * and parameters in every style. */
#include "base/buf.h"
#include "openapi_kit.h"

static void a_mistake_is_refused_or_warned_of_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_error;
        const char *place, *says;
        uint32_t line;
    } rows[] = {
        { "swagger: '2.0'\n", true, "/swagger", "Swagger 2.0 is not", 1 },
        { "openapi: 3.2.0\n", true, "/openapi", "OpenAPI 3.2.0 is not", 1 },
        { "a: 1", true, "", "`openapi`, the version", 1 },
        { "openapi: 3.0\n", true, "/openapi", "the version as a text", 1 },
        { "[]", true, "", "must be an object", 1 },
        { "openapi: 3.0.3\n" INFO, true, "", "`paths` is missing", 1 },
        { "openapi: 3.0.3\npaths: {}\n", true, "", "`info` is missing", 1 },
        { "openapi: 3.1.0\n" INFO, true, "", "one of `paths`", 1 },
        { "openapi: 3.0.3\n" INFO "paths:\n  pets: {}\n", true, "/paths/pets",
          "must begin with /", 4 },
        { "openapi: 3.0.3\n" INFO "paths:\n  /a/{b: {}\n", true,
          "/paths/~1a~1{b", "braces", 4 },
        { "openapi: 3.0.3\n" INFO
          "paths:\n  /a/{b}: {get: {}}\n  /a/{c}: {get: {}}\n",
          true, "/paths/~1a~1{c}/get", "stand twice", 5 },
        { "openapi: 3.0.3\n" INFO
          "paths:\n  /a: {get: {parameters: [{name: x, in: nowhere}]}}\n",
          true, "/paths/~1a/get/parameters/0", "a parameter needs", 4 },
        { "openapi: 3.0.3\n" INFO
          "paths:\n  /a: {get: {parameters: [{name: x, in: query}]}}\n",
          true, "/paths/~1a/get/parameters/0", "needs `schema`", 4 },
        { "openapi: 3.0.3\n" INFO "paths:\n  /a: {get: {parameters: [{name: x, "
          "in: query, style: label, schema: {}}]}}\n",
          true, "/paths/~1a/get/parameters/0/style", "no style", 4 },
        { "openapi: 3.0.3\n" INFO
          "paths:\n  /a:\n    post:\n      requestBody: {$ref: '#/no'}\n",
          true, "/paths/~1a/post/requestBody/$ref", "nothing is at '#/no'", 6 },
        { "openapi: 3.0.3\n" INFO "paths: {}\ncomponents:\n  schemas:\n    A: "
          "{type: strin}\n",
          true, "/components/schemas/A/type", "type must be one name", 6 },
        { "openapi: 3.0.3\n" INFO "paths: {}\ncomponents:\n  schemas:\n    A: "
          "{const: 1}\n",
          false, "/components/schemas/A/const", "no keyword of OpenAPI 3.0",
          6 },
        { "openapi: 3.0.3\n" INFO "paths:\n  /a/{b}: {get: {responses: {}}}\n",
          false, "/paths/~1a~1{b}/get", "no parameter says what {b} is", 4 },
        { "openapi: 3.1.0\n" INFO "paths:\n  /a: {GET: {}}\n", false,
          "/paths/~1a/GET", "small letters", 4 },
        { "{\"openapi\":\"3.0.0\",\n\"info\":}", true, "", "not JSON", 2 },
        { "a: b: c", true, "", "not YAML", 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct openapi *o;
        int rc = load(rows[i].text, &o);
        const struct openapi_note *n = NULL;
        for (unsigned k = 0; k < report.n && !n; k++) {
            n = &report.notes[k];
            if (n->is_error != rows[i].is_error ||
                !sv_eq(n->place, sv_cstr(rows[i].place)) ||
                n->line != rows[i].line ||
                !memmem(n->says.p, n->says.n, rows[i].says,
                        strlen(rows[i].says)))
                n = NULL;
        }
        if ((rc != 0) != rows[i].is_error || !n)
            fail_msg("row %zu: %d, %u notes, the first %.*s", i, rc, report.n,
                     report.n ? (int)report.notes[0].says.n : 0,
                     report.n ? report.notes[0].says.p : "");
        openapi_free(&o);
    }
}

static void several_mistakes_are_found_at_once(void **state)
{
    (void)state;
    struct openapi *o;
    assert_int_equal(
        load("openapi: 3.0.3\n" INFO
             "paths: {a: {}, b: {}}\ncomponents:\n  schemas:\n"
             "    A: {type: x}\n    B: {minLength: y}\n    C: {items: "
             "{pattern: '('}}\n",
             &o),
        ERR_INVALID);
    assert_int_equal(report.errors, 5);
}

static struct openapi_judgement judge(const struct openapi *o,
                                      const char *method, const char *target,
                                      const char *header, const char *value)
{
    struct http_field field = { sv_cstr(header), sv_cstr(value), HN_OTHER };
    struct openapi_request r = { .method = sv_cstr(method),
                                 .fields = &field,
                                 .fields_n = header != NULL };
    struct schema_judge j = judge_new();
    r.path = sv_cut(sv_cstr(target), '?', &r.query);
    return openapi_judge(o, &r, &j);
}

static void a_path_is_the_operation_with_the_earlier_literal(void **state)
{
    (void)state;
    struct openapi *o;
    assert_int_equal(
        load("openapi: 3.1.0\n" INFO "servers: [{url: 'https://a.example/v1/'},"
             " {url: '/{b}', variables: {b: {default: base}}}]\n"
             "paths:\n"
             "  /: {get: {operationId: root}}\n"
             "  /a: {get: {operationId: a}, post: {operationId: pa}}\n"
             "  /a/: {get: {operationId: slash}}\n"
             "  /{x}: {get: {operationId: x}}\n"
             "  /{x}/b: {get: {operationId: xb}}\n"
             "  /a/{y}: {get: {operationId: ay}}\n"
             "  /a/{y}.json: {get: {operationId: json}}\n"
             "  /a/{y}-{z}/c: {get: {operationId: yz}}\n"
             "  /a%20b: {get: {operationId: space}}\n",
             &o),
        0);
    static const struct {
        const char *method, *target, *id;
        unsigned status;
    } rows[] = {
        { "GET", "/", "root", 200 },       { "GET", "/a", "a", 200 },
        { "POST", "/a", "pa", 200 },       { "HEAD", "/a", "a", 200 },
        { "PUT", "/a", NULL, 405 },        { "get", "/a", "a", 200 },
        { "FROB", "/a", NULL, 405 },       { "GET", "/a/", "slash", 200 },
        { "GET", "/q", "x", 200 },         { "GET", "/q/b", "xb", 200 },
        { "GET", "/a/b", "ay", 200 },      { "GET", "/a/x.json", "json", 200 },
        { "GET", "/a/.json", "ay", 200 },  { "GET", "/a/1-2/c", "yz", 200 },
        { "GET", "/a/12/c", NULL, 404 },   { "GET", "/%61", "a", 200 },
        { "GET", "/a b", "space", 200 },   { "GET", "/a%20b", "space", 200 },
        { "GET", "/v1/a", "a", 200 },      { "GET", "/v1", "x", 200 },
        { "GET", "/base/a/1", "ay", 200 }, { "GET", "/a//b", NULL, 404 },
        { "GET", "//a", NULL, 404 },       { "GET", "/q/c/d", NULL, 404 },
        { "GET", "/a/../b", NULL, 400 },   { "GET", "/%2e%2E/a", NULL, 400 },
        { "GET", "a", NULL, 404 },         { "GET", "*", NULL, 404 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct openapi_judgement said =
            judge(o, rows[i].method, rows[i].target, NULL, NULL);
        struct sv method, path, id = SV("");
        if (said.operation < openapi_operations(o))
            openapi_operation_name(o, said.operation, &method, &path, &id);
        if (said.status != rows[i].status ||
            !sv_eq(id, rows[i].id ? sv_cstr(rows[i].id) : SV("")))
            fail_msg("%s: %u %.*s", rows[i].target, said.status, SV_FMT(id));
    }
    openapi_free(&o);
}

/* Neither unknown nor passed: a document may have more paths than a turn may
 * look at. */
static void a_path_that_takes_too_long_to_find_is_over(void **state)
{
    (void)state;
    enum { PATHS = 1000 };
    struct openapi *o;
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "openapi: 3.1.0\n" INFO "paths:\n");
    for (int i = 0; i < PATHS; i++)
        buf_printf(&b, "  /{x}-%d: {get: {responses: {}}}\n", i);
    buf_putc(&b, '\0');
    assert_int_equal(load(b.p, &o), 0);
    for (uint32_t steps = 0; steps <= PATHS + 2; steps += PATHS / 2 + 1) {
        struct openapi_request r = { .method = SV("GET"),
                                     .path = SV("/a-none") };
        struct schema_judge j = judge_new();
        j.steps = steps;
        struct openapi_judgement said = openapi_judge(o, &r, &j);
        bool enough = steps > PATHS;
        assert_int_equal(said.over, !enough);
        assert_int_equal(said.verdict,
                         enough ? OPENAPI_UNKNOWN : OPENAPI_BLOCK);
    }
    buf_fini(&b);
    openapi_free(&o);
}

/* One parameter `p` of each kind; the value must be [3,4], {R:1,G:2} or 5. */
static void every_style_of_parameter_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *in, *style, *type; /* 'a'rray, 'o'bject, 'n'umber */
        bool explode;
        const char *sent;
        bool good;
    } rows[] = {
        { "path", "simple", "n", false, "5", true },
        { "path", "simple", "a", false, "3,4", true },
        { "path", "simple", "a", true, "3,4", true },
        { "path", "simple", "a", false, "3%2C4", false },
        { "path", "simple", "o", false, "R,1,G,2", true },
        { "path", "simple", "o", true, "R=1,G=2", true },
        { "path", "label", "n", false, ".5", true },
        { "path", "label", "n", false, "5", false },
        { "path", "label", "a", false, ".3,4", true },
        { "path", "label", "a", false, ".3.4", true },
        { "path", "label", "a", true, ".3.4", true },
        { "path", "label", "o", false, ".R,1,G,2", true },
        { "path", "label", "o", true, ".R=1.G=2", true },
        { "path", "matrix", "n", false, ";p=5", true },
        { "path", "matrix", "n", false, ";q=5", false },
        { "path", "matrix", "a", false, ";p=3,4", true },
        { "path", "matrix", "a", true, ";p=3;p=4", true },
        { "path", "matrix", "a", true, ";p=3;q=4", false },
        { "path", "matrix", "o", false, ";p=R,1,G,2", true },
        { "path", "matrix", "o", true, ";R=1;G=2", true },
        { "query", "form", "n", true, "p=5", true },
        { "query", "form", "n", true, "p=5&p=5", false },
        { "query", "form", "n", true, "p=%35", true },
        { "query", "form", "n", true, "p=x", false },
        { "query", "form", "n", true, "p=", false },
        { "query", "form", "a", true, "p=3&x=9&p=4", true },
        { "query", "form", "a", false, "p=3,4", true },
        { "query", "form", "a", false, "p=3,4,5", false },
        { "query", "form", "o", true, "R=1&G=2", true },
        { "query", "form", "o", true, "R=1&G=2&B=3", true },
        { "query", "form", "o", false, "p=R,1,G,2", true },
        { "query", "form", "o", false, "p=R,1,R,2", false },
        { "query", "spaceDelimited", "a", false, "p=3%204", true },
        { "query", "spaceDelimited", "a", false, "p=3+4", true },
        { "query", "spaceDelimited", "o", false, "p=R%201%20G%202", true },
        { "query", "pipeDelimited", "a", false, "p=3|4", true },
        { "query", "pipeDelimited", "a", false, "p=3%7C4", true },
        { "query", "pipeDelimited", "o", false, "p=R|1|G|2", true },
        { "query", "deepObject", "o", true, "p[R]=1&p[G]=2", true },
        { "query", "deepObject", "o", true, "p%5BR%5D=1&p%5BG%5D=2", true },
        { "query", "deepObject", "o", true, "p[R]=1&p[G]=x", false },
        { "query", "deepObject", "o", true, "p[R]=1&p[G]=2&p[B]=3", false },
        { "query", "deepObject", "a", true, "p[]=3&p[]=4", true },
        { "query", "deepObject", "a", true, "p[0]=3&p[1]=4", true },
        { "header", "simple", "n", false, "5", true },
        { "header", "simple", "a", false, "3, 4", true },
        { "header", "simple", "o", false, "R, 1, G, 2", true },
        { "header", "simple", "o", true, "R=1,G=2", true },
        { "cookie", "form", "n", true, "a=1; p=5", true },
        { "cookie", "form", "n", true, "a=1", false },
        { "cookie", "form", "a", false, "p=3,4", true },
        { "cookie", "form", "o", false, "p=R,1,G,2", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct openapi *o;
        bool path = rows[i].in[0] == 'p', query = rows[i].in[0] == 'q';
        char text[1024], target[100];
        snprintf(
            text, sizeof text,
            "openapi: 3.0.3\n" INFO
            "paths:\n  /x%s:\n    get:\n      responses: {}\n      parameters:"
            "\n      - {name: p, in: %s, required: true, style: %s, explode: "
            "%s, schema: {$ref: '#/components/schemas/%s'}}\n"
            "components: {schemas: {"
            "n: {type: integer, minimum: 5}, "
            "a: {type: array, minItems: 2, maxItems: 2, items: {type: "
            "integer}}, "
            "o: {type: object, required: [R, G], additionalProperties: false, "
            "properties: {R: {type: integer}, G: {type: integer}}}}}\n",
            path ? "/{p}" : "", rows[i].in, rows[i].style,
            rows[i].explode ? "true" : "false", rows[i].type);
        if (load(text, &o) != 0)
            fail_msg("row %zu: %.*s", i, SV_FMT(report.notes[0].says));
        snprintf(target, sizeof target, "/x%s%s",
                 path    ? "/"
                 : query ? "?"
                         : "",
                 path || query ? rows[i].sent : "");
        struct openapi_judgement said = judge(o, "GET", target,
                                              rows[i].in[0] == 'h'   ? "P"
                                              : rows[i].in[0] == 'c' ? "cookie"
                                                                     : NULL,
                                              rows[i].sent);
        if (said.status != (rows[i].good ? 200 : 400))
            fail_msg("%s %s %s %d %s: %u", rows[i].in, rows[i].style,
                     rows[i].type, rows[i].explode, rows[i].sent, said.status);
        openapi_free(&o);
    }
}

static const char bodies[] =
    "openapi: 3.1.0\n" INFO "paths:\n"
    "  /b:\n"
    "    post:\n"
    "      requestBody:\n"
    "        required: true\n"
    "        content:\n"
    "          application/json: {schema: {type: object, required: [a]}}\n"
    "          application/*: {}\n"
    "          text/plain: {schema: {maxLength: 3}}\n"
    "          application/x-www-form-urlencoded:\n"
    "            schema: &form {type: object, required: [a],"
    " additionalProperties: false, properties: {a: {type: integer},"
    " l: {type: array, items: {type: integer}}, s: {type: array, items: "
    "{type: integer}}, o: {type: object, properties: {k: {type: boolean}}},"
    " f: {type: string, contentMediaType: image/png}}}\n"
    "            encoding: {s: {style: form, explode: false}}\n"
    "          multipart/form-data: {schema: *form}\n"
    "  /o:\n"
    "    post: {requestBody: {content: {'application/json': {}}}}\n";

static void a_body_is_judged_by_its_type_of_content(void **state)
{
    (void)state;
    struct openapi *o;
#define PART(head, body) "--q\r\n" head "\r\n\r\n" body "\r\n"
#define NAMED(name) "Content-Disposition: form-data; name=\"" name "\""
    static const struct {
        const char *path, *type, *body;
        unsigned status;
    } rows[] = {
        { "/b", "application/json", "{\"a\":1}", 200 },
        { "/b", "Application/JSON; charset=utf-8", "{\"a\":1}", 200 },
        { "/b", "application/json", "{}", 400 },
        { "/b", "application/json", "{\"a\":1,\"a\":1}", 400 },
        { "/b", "application/json", "{", 400 },
        { "/b", "application/json", "", 400 },
        { "/b", "application/zip", "zzz", 200 },
        { "/b", "application/x+json", "{", 400 },
        { "/b", "image/png", "x", 415 },
        { "/b", NULL, "x", 415 },
        { "/b", "text/plain", "abc", 200 },
        { "/b", "text/plain", "abcd", 400 },
        { "/b", "text/plain", "\xff", 400 },
        { "/o", NULL, "", 200 },
        { "/o", "application/json", "5", 200 },
        { "/b", "application/x-www-form-urlencoded", "a=1&l=1&l=2&s=1,2", 200 },
        { "/b", "application/x-www-form-urlencoded", "a=x", 400 },
        { "/b", "application/x-www-form-urlencoded", "a=1&a=2", 400 },
        { "/b", "application/x-www-form-urlencoded", "a=1&z=2", 400 },
        { "/b", "application/x-www-form-urlencoded", "a=1&o[k]=true", 200 },
        { "/b", "application/x-www-form-urlencoded", "a=1&o[k]=5", 400 },
        { "/b", "application/x-www-form-urlencoded", "l=1", 400 },
        { "/b", "application/x-www-form-urlencoded", "a=%ff", 400 },
        { "/b", "multipart/form-data; boundary=q",
          PART(NAMED("a"), "1") PART(NAMED("l"), "2")
              PART(NAMED("l"), "3") "--q--\r\n",
          200 },
        { "/b", "multipart/form-data; boundary=\"q\"",
          PART(NAMED("a"), "1")
              PART(NAMED("f") "; filename=\"x\"\r\nContent-Type: image/png",
                   "\x89PNG\xff") "--q--",
          200 },
        { "/b", "multipart/form-data; boundary=q",
          PART(NAMED("a"), "1")
              PART(NAMED("o") "\r\nContent-Type: application/json",
                   "{\"k\":true}") "--q--",
          200 },
        { "/b", "multipart/form-data; boundary=q",
          PART(NAMED("a"), "1") PART(NAMED("o"), "{\"k\":7}") "--q--", 400 },
        { "/b", "multipart/form-data; boundary=q",
          PART(NAMED("a"), "x") "--q--", 400 },
        { "/b", "multipart/form-data; boundary=q", PART(NAMED("a"), "1"), 400 },
        { "/b", "multipart/form-data", PART(NAMED("a"), "1") "--q--", 400 },
        { "/b", "multipart/form-data; boundary=q",
          "preamble\r\n" PART(NAMED("a"), "1") "--q--", 400 },
        { "/b", "multipart/form-data; boundary=q",
          PART("Content-Disposition: form-data", "1") "--q--", 400 },
    };
    if (load(bodies, &o) != 0) fail_msg("%.*s", SV_FMT(report.notes[0].says));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_field field = { SV("content-type"), sv_cstr(rows[i].type),
                                    HN_OTHER };
        struct sv body = exact(sv_cstr(rows[i].body));
        struct openapi_request r = { .method = SV("POST"),
                                     .path = sv_cstr(rows[i].path),
                                     .fields = &field,
                                     .fields_n = rows[i].type != NULL,
                                     .body = body,
                                     .has_body = true };
        struct schema_judge j = judge_new();
        struct openapi_judgement said = openapi_judge(o, &r, &j);
        if (said.status != rows[i].status)
            fail_msg("row %zu: %u %.*s", i, said.status,
                     j.violations_n ? (int)j.violations[0].says.n : 0,
                     j.violations_n ? j.violations[0].says.p : "");
        assert_int_equal(said.status == 200, j.violations_n == 0);
        exact_free(body);
        /* each truncation ends well */
        for (size_t n = 0; n < strlen(rows[i].body); n++) {
            struct sv part = exact(sv_of(rows[i].body, n));
            r.body = part;
            j = judge_new();
            openapi_judge(o, &r, &j);
            exact_free(part);
        }
    }
    openapi_free(&o);
}

static void a_request_of_many_pairs_ends_by_its_bounds(void **state)
{
    (void)state;
    struct openapi *o;
    struct buf b;
    buf_init(&b, 4 << 20);
    for (int i = 0; i < 999; i++) buf_printf(&b, "p[%d][x][y]=1&", i);
    buf_puts(&b, "z=1");
    buf_putc(&b, '\0');
    assert_int_equal(
        load("openapi: 3.0.3\n" INFO
             "paths: {/a: {get: {responses: {}, parameters: [{name: p, in: "
             "query, style: deepObject, schema: {type: object}}]}}}\n",
             &o),
        0);
    char *target = malloc(b.n + 4);
    snprintf(target, b.n + 4, "/a?%s", b.p);
    assert_int_equal(judge(o, "GET", target, NULL, NULL).status, 400);
    free(target);
    buf_fini(&b);
    openapi_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_mistake_is_refused_or_warned_of_at_its_place),
        TEST(several_mistakes_are_found_at_once),
        TEST(a_path_is_the_operation_with_the_earlier_literal),
        TEST(a_path_that_takes_too_long_to_find_is_over),
        TEST(every_style_of_parameter_is_read),
        TEST(a_body_is_judged_by_its_type_of_content),
        TEST(a_request_of_many_pairs_ends_by_its_bounds),
    };
    kit_init();
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    kit_fini();
    return rc;
}
