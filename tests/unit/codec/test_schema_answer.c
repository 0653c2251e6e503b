/* Answers of origins by a document: status, type of content, JSON body. And whose
 * bodies are wanted at all. */
#include <limits.h>

#include "openapi_kit.h"

static const char document[] =
    "openapi: 3.0.3\n" INFO "paths:\n"
    "  /full:\n"
    "    get:\n"
    "      responses:\n"
    "        default: {description: d, content: {'*/*': {schema: {type: "
    "array}}}}\n"
    "        '200':\n"
    "          description: ok\n"
    "          content:\n"
    "            application/json: {schema: {$ref: "
    "'#/components/schemas/P'}}\n"
    "            text/*: {schema: {type: string, maxLength: 1}}\n"
    "            application/hal+json: {}\n"
    "        4XX: {$ref: '#/components/responses/E'}\n"
    "        '409': {description: c, content: {application/json: {schema: "
    "{type: boolean}}}}\n"
    "        '201': {description: no body is described}\n"
    "        '099': {description: no status}\n"
    "        9XX: {description: no class}\n"
    "        x-more: {}\n"
    "    post: {requestBody: {content: {application/json: {}}}, responses: "
    "{}}\n"
    "  /strict: {get: {responses: {'200': {description: ok, content: "
    "{application/json: {schema: {type: object}}}}, 5xx: {description: e}}}}\n"
    "  /{any}: {put: {requestBody: {content: {text/plain: {}}}, responses: "
    "{'204': {description: ok, content: {application/json: {schema: {type: "
    "object}}}}}}}\n"
    "components:\n"
    "  responses:\n"
    "    E: {description: e, content: {application/problem+json: {schema: "
    "{type: object, required: [code]}}}}\n"
    "  schemas:\n"
    "    P:\n"
    "      type: object\n"
    "      required: [id, secret]\n"
    "      properties:\n"
    "        id: {type: integer, readOnly: true}\n"
    "        secret: {type: string, writeOnly: true}\n";

enum { FULL, FULL_POST, STRICT, ANY };
#define JSON "application/json"
#define PROBLEM "application/problem+json"

static const struct {
    unsigned operation, status;
    const char *type, *body;
    const char *pointer, *keyword; /* of the first violation; NULL: it is OK */
    bool judged;                   /* its body is looked at */
} rows[] = {
    { FULL, 200, JSON, "{\"id\":1}", NULL, NULL, true },
    { FULL, 200, "Application/JSON; charset=utf-8", "{\"id\":1}", NULL, NULL,
      true },
    { FULL, 200, JSON, "{\"id\":\"1\"}", "/body/id", "type", true },
    { FULL, 200, JSON, "{}", "/body", "required", true },
    { FULL, 200, JSON, "{\"id\":1,\"secret\":\"s\"}", "/body/secret",
      "writeOnly", true },
    { FULL, 200, JSON, "", "/body", "content", true },
    { FULL, 200, JSON, "{\"id\":1", "/body", "content", true },
    { FULL, 200, JSON, "{\"id\":1,\"id\":2}", "/body", "content", true },
    { FULL, 200, JSON, "{\"id\":1}\xff", "/body", "content", true },
    /* text is described, and never judged */
    { FULL, 200, "text/plain", "long", NULL, NULL, false },
    { FULL, 200, "application/hal+json", "{", NULL, NULL, false },
    { FULL, 200, "image/png", "", "/header/Content-Type", "content", false },
    { FULL, 200, NULL, "{\"id\":1}", "/header/Content-Type", "content", false },
    /* nothing is said of its body */
    { FULL, 201, "image/png", "x", NULL, NULL, false },
    { FULL, 201, NULL, "", NULL, NULL, false },
    /* a status before its class before all others */
    { FULL, 409, JSON, "true", NULL, NULL, true },
    { FULL, 409, JSON, "{\"code\":1}", "/body", "type", true },
    { FULL, 404, PROBLEM, "{\"code\":1}", NULL, NULL, true },
    { FULL, 404, PROBLEM, "{}", "/body", "required", true },
    { FULL, 404, JSON, "{\"code\":1}", "/header/Content-Type", "content",
      false },
    { FULL, 500, JSON, "[]", NULL, NULL, true },
    { FULL, 500, "application/x+json", "{}", "/body", "type", true },
    { FULL, 500, "text/html", "{}", NULL, NULL, false },
    { FULL, 302, NULL, "", "/header/Content-Type", "content", false },
    /* these have no body, whatever is described */
    { FULL, 204, NULL, "", NULL, NULL, false },
    { FULL, 304, NULL, "", NULL, NULL, false },
    { ANY, 204, NULL, "", NULL, NULL, false },
    { ANY, 200, JSON, "{}", "/status", "responses", false },
    { STRICT, 200, JSON, "{}", NULL, NULL, true },
    { STRICT, 201, JSON, "{}", "/status", "responses", false },
    { STRICT, 404, JSON, "{}", "/status", "responses", false },
    { STRICT, 503, "text/html", "x", NULL, NULL, false },
    /* of an operation without responses nothing is known */
    { FULL_POST, 200, JSON, "{", NULL, NULL, false },
};

static struct openapi_answer answer_of(size_t i, struct sv body)
{
    return (struct openapi_answer){ .operation = rows[i].operation,
                                    .status = rows[i].status,
                                    .type = sv_cstr(rows[i].type),
                                    .body = body };
}

static void judge_row(const struct openapi *o, size_t i)
{
    struct sv body = exact(sv_cstr(rows[i].body));
    struct openapi_answer a = answer_of(i, body);
    struct schema_judge j = judge_new();
    struct openapi_judgement said = openapi_judge_answer(o, &a, &j);
    const struct schema_violation *v = j.violations;
    bool good = !rows[i].pointer;
    if (said.verdict != (good ? OPENAPI_OK : OPENAPI_BLOCK) ||
        (j.violations_n == 0) != good)
        fail_msg("row %zu: %d, %u violations", i, said.verdict, j.violations_n);
    if (!good && (!sv_eq(v->instance, sv_cstr(rows[i].pointer)) ||
                  !sv_eq(v->keyword, sv_cstr(rows[i].keyword))))
        fail_msg("row %zu: %.*s %.*s", i, SV_FMT(v->instance),
                 SV_FMT(v->keyword));
    assert_int_equal(said.status, rows[i].status);
    assert_int_equal(said.operation, rows[i].operation);
    assert_int_equal(said.path, UINT_MAX);
    if (openapi_answer_is_judged(o, a.operation, a.status, a.type) !=
        rows[i].judged)
        fail_msg("row %zu: judged or not", i);
    exact_free(body);
}

static void an_answer_is_judged_by_its_status_type_and_body(void **state)
{
    (void)state;
    struct openapi *o;
    if (load(document, &o) != 0) fail_msg("%.*s", SV_FMT(report.notes[0].says));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) judge_row(o, i);
    openapi_free(&o);
}

static void what_is_no_status_is_warned_of(void **state)
{
    (void)state;
    struct openapi *o;
    unsigned odd = 0;
    assert_int_equal(load(document, &o), 0);
    for (unsigned i = 0; i < report.n; i++)
        odd += sv_eq(report.notes[i].says, SV("is no status of an answer"));
    assert_int_equal(odd, 2);
    openapi_free(&o);
}

/* Deep, wide or cut anywhere: it ends, as refused or OVER. */
static void hostile_answers_end_by_the_bounds(void **state)
{
    (void)state;
    struct openapi *o;
    char deep[200];
    assert_int_equal(load(document, &o), 0);
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    struct openapi_answer a = { FULL, 500, SV(JSON), sv_of(deep, 200) };
    struct schema_judge j = judge_new();
    assert_int_equal(openapi_judge_answer(o, &a, &j).verdict, OPENAPI_BLOCK);
    assert_int_equal(j.violations_n, 1);

    j = judge_new();
    j.steps = 0;
    a.body = SV("[]");
    struct openapi_judgement said = openapi_judge_answer(o, &a, &j);
    assert_true(said.verdict == OPENAPI_BLOCK && said.over);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t n = 0; n < strlen(rows[i].body); n++) {
            struct sv part = exact(sv_of(rows[i].body, n));
            a = answer_of(i, part);
            j = judge_new();
            said = openapi_judge_answer(o, &a, &j);
            assert_true((said.verdict == OPENAPI_OK) == !j.violations_n);
            exact_free(part);
        }
    openapi_free(&o);
}

static void a_body_is_wanted_by_protected_operations_that_have_one(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        uint64_t only; /* bits */
        bool wanted;
    } asks[] = {
        { "POST", "/full", UINT64_MAX, true },
        { "post", "/f%75ll", UINT64_MAX, true },
        { "POST", "/full", 1u << FULL_POST, true },
        { "POST", "/full", ~(UINT64_C(1) << FULL_POST), false },
        { "GET", "/full", UINT64_MAX, false },
        { "HEAD", "/full", UINT64_MAX, false },
        { "DELETE", "/full", UINT64_MAX, false },
        { "PUT", "/else", UINT64_MAX, true },
        { "PUT", "/else", 1u << FULL_POST, false },
        { "PUT", "/no/such", UINT64_MAX, false },
        { "PUT", "*", UINT64_MAX, false },
    };
    struct openapi *o;
    assert_int_equal(load(document, &o), 0);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        if (openapi_wants_body(o, sv_cstr(asks[i].method),
                               sv_cstr(asks[i].path),
                               &asks[i].only) != asks[i].wanted)
            fail_msg("%s %s", asks[i].method, asks[i].path);
    assert_true(openapi_wants_body(o, SV("POST"), SV("/full"), NULL));
    openapi_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_judged_by_its_status_type_and_body),
        TEST(what_is_no_status_is_warned_of),
        TEST(hostile_answers_end_by_the_bounds),
        TEST(a_body_is_wanted_by_protected_operations_that_have_one),
    };
    kit_init();
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    kit_fini();
    return rc;
}
