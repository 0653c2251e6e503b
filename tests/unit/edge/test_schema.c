/* Schemas at both doors: what is refused, logged, passed; in the turn and on a
 * worker; what is too dear, late or without room; answers beside the stream. */
#include "base/epoch.h"
#include "doors_kit.h"
#include "plan/coverage.h"

#define DOCUMENT                                                             \
    "openapi: 3.0.3\n"                                                       \
    "info: {title: t, version: '1'}\n"                                       \
    "paths:\n"                                                               \
    "  /items:\n"                                                            \
    "    get:\n"                                                             \
    "      parameters:\n"                                                    \
    "        - {name: n, in: query, schema: {type: integer, maximum: 9}}\n"  \
    "        - {name: re, in: query, schema: {type: string, pattern: "       \
    "'^(a+)+$'}}\n"                                                          \
    "      responses:\n"                                                     \
    "        '200': {description: d, content: {application/json: {schema: "  \
    "{type: array}}}}\n"                                                     \
    "    post:\n"                                                            \
    "      requestBody:\n"                                                   \
    "        required: true\n"                                               \
    "        content: {application/json: {schema: {type: object, required: " \
    "[name], properties: {name: {type: string}, more: {type: array, items: " \
    "{type: integer}}}}}}\n"                                                 \
    "      responses: {'200': {description: d}}\n"                           \
    "  /other/{id}:\n"                                                       \
    "    get: {parameters: [{name: id, in: path, required: true, schema: "   \
    "{type: integer}}], responses: {'200': {description: d}}}\n"

#define LAST "Connection: close\r\n\r\n"
#define BEARER "Authorization: Bearer k1\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.test\r\n" LAST
#define POST(n, type, body)                                              \
    "POST /items HTTP/1.1\r\nHost: a.test\r\n" type "Content-Length: " n \
    "\r\n" LAST body
#define JSON "Content-Type: application/json\r\n"

static const struct plan_app *app_with(const char *profile, const char *auth,
                                       bool detail)
{
    char doc[512];
    snprintf(doc, sizeof doc,
             "{\"id\":\"schema_01JD0000000000000000000000\",\"account_id\":"
             "\"acc_01JD0000000000000000000000\",\"name\":\"s\"%s}",
             profile);
    struct plan_fixture f = { .domain = "a.test",
                              .origin = house.origin_url,
                              .more = detail ? ",\"detailResponse\":true" : "",
                              .auth = auth,
                              .num = 1,
                              .imported = true,
                              .openapi = DOCUMENT,
                              .forms = { [FORM_SCHEMA] = doc } };
    f.quota_slot = UINT32_MAX;
    return plan_fixture_publish(house.plan, &f);
}

#define LOG ",\"rule\":\"log\""
#define UNKNOWN(what) ",\"unknownEndpoints\":\"" what "\""
/* doubles the search with each letter */
#define DEAR "/items?re=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"

static const struct row {
    const char *says, *profile, *request;
    unsigned status;
    const char *holds; /* of the answer, or NULL */
    enum schema_outcome outcome;
} rows[] = {
    { "as it says", "", GET("/items?n=5"), 200, NULL, SCHEMA_OUTCOME_OK },
    { "a query that is not", "", GET("/items?n=10"), 400,
      "\"violations\":[{\"pointer\":\"/query/n\",\"keyword\":\"maximum\"",
      SCHEMA_OUTCOME_VIOLATION },
    { "the same, logged", LOG, GET("/items?n=10"), 200, NULL,
      SCHEMA_OUTCOME_VIOLATION },
    { "a path's variable", "", GET("/other/x"), 400, "\"/path/id\"",
      SCHEMA_OUTCOME_VIOLATION },
    { "segments of dots", "", GET("/other/%2e%2e"), 400, "\"/path\"",
      SCHEMA_OUTCOME_VIOLATION },
    { "a good body", "", POST("12", JSON, "{\"name\":\"a\"}"), 200, NULL,
      SCHEMA_OUTCOME_OK },
    { "a bad body", "", POST("10", JSON, "{\"name\":1}"), 400, "\"/body/name\"",
      SCHEMA_OUTCOME_VIOLATION },
    { "a bad body in chunks", "",
      "POST /items HTTP/1.1\r\nHost: a.test\r\n" JSON
      "Transfer-Encoding: chunked\r\n" LAST
      "4\r\n{\"na\r\n6\r\nme\":1}\r\n0\r\n\r\n",
      400, "\"/body/name\"", SCHEMA_OUTCOME_VIOLATION },
    { "no body", "",
      "POST /items HTTP/1.1\r\nHost: a.test\r\n" JSON
      "Content-Length: 0\r\n" LAST,
      400, "a body is missing", SCHEMA_OUTCOME_VIOLATION },
    { "another type", "", POST("1", "Content-Type: text/csv\r\n", "x"), 415,
      "HTTP/1.1 415 ", SCHEMA_OUTCOME_VIOLATION },
    { "an encoding is refused before it is read", "",
      "POST /items HTTP/1.1\r\nHost: a.test\r\n" JSON
      "Content-Encoding: gzip\r\nContent-Length: 1\r\n" LAST "x",
      415, "unsupported_encoding", SCHEMA_OUTCOME_COUNT },
    { "… and passes unseen where it is logged", LOG,
      "POST /items HTTP/1.1\r\nHost: a.test\r\n" JSON
      "Content-Encoding: gzip\r\nContent-Length: 1\r\n" LAST "x",
      200, NULL, SCHEMA_OUTCOME_OK },
    { "an unknown path is logged", "", GET("/none"), 200, NULL,
      SCHEMA_OUTCOME_UNKNOWN },
    { "an unknown path is let pass", UNKNOWN("allow"), GET("/none"), 200, NULL,
      SCHEMA_OUTCOME_UNKNOWN },
    { "an unknown path is refused", UNKNOWN("block"), GET("/none"), 400,
      "the document has no such path", SCHEMA_OUTCOME_UNKNOWN },
    { "… but not where all is logged", LOG UNKNOWN("block"), GET("/none"), 200,
      NULL, SCHEMA_OUTCOME_UNKNOWN },
    { "an unknown method", UNKNOWN("block"),
      "DELETE /items HTTP/1.1\r\nHost: a.test\r\n" LAST, 405,
      "Allow: GET, POST\r\n", SCHEMA_OUTCOME_UNKNOWN },
    { "what is not protected passes", ",\"endpoints\":[\"POST /items\"]",
      GET("/items?n=10"), 200, NULL, SCHEMA_OUTCOME_PASSED },
    { "what is too dear is refused, after a worker tried", "", GET(DEAR), 400,
      "more work", SCHEMA_OUTCOME_OVER },
    { "… and logged", LOG, GET(DEAR), 200, NULL, SCHEMA_OUTCOME_OVER },
};

static uint64_t judged(enum schema_outcome outcome)
{
    return atomic_load(&house.schemas->stats.requests[outcome]);
}

static void the_proxy_door_refuses_what_the_document_does_not_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        char status[32];
        print_message("# %s\n", r->says);
        events_n = 0;
        uint64_t before =
            r->outcome < SCHEMA_OUTCOME_COUNT ? judged(r->outcome) : 0;
        app_with(r->profile, NULL, true);
        const char *got = house_ask(house.gateway, r->request);
        snprintf(status, sizeof status, "HTTP/1.1 %u ", r->status);
        must_hold(got, status);
        if (r->holds) must_hold(got, r->holds);
        assert_int_equal(events_n, 1);
        if (r->outcome < SCHEMA_OUTCOME_COUNT)
            assert_int_equal(judged(r->outcome), before + 1);
        if (r->status == 200)
            assert_string_equal(events[0].code, "");
        else if (r->outcome < SCHEMA_OUTCOME_COUNT)
            assert_string_equal(events[0].code, "schema_violation");
    }
}

static void without_detail_only_the_class_is_told(void **state)
{
    (void)state;
    app_with(UNKNOWN("block"), NULL, false);
    const char *got = house_ask(house.gateway, GET("/items?n=10"));
    must_hold(got, "HTTP/1.1 400 ");
    must_hold(got, "\"code\":\"bad_request\"");
    must_lack(got, "violations");
    got = house_ask(house.gateway, GET("/none"));
    must_lack(got, "document");
    must_hold(house_ask(house.gateway, POST("1", "", "x")), "HTTP/1.1 415 ");
}

/* --- long bodies ------------------------------------------------------------------ */

/* {"name":"a","more":[1000000000,…,LAST]} of about n bytes: so few items that a
 * tenth of a worker's budget is enough, under a sanitizer as well. */
static const char *long_request(size_t n, const char *last)
{
    static char text[1 << 20];
    static char body[1 << 19];
    size_t at =
        (size_t)snprintf(body, sizeof body, "{\"name\":\"a\",\"more\":[");
    while (at < n)
        at += (size_t)snprintf(body + at, sizeof body - at, "1000000000,");
    snprintf(body + at, sizeof body - at, "%s]}", last);
    snprintf(text, sizeof text,
             "POST /items HTTP/1.1\r\nHost: a.test\r\n" JSON
             "Content-Length: %zu\r\n" LAST "%s",
             strlen(body), body);
    return text;
}

static void a_long_body_is_judged_by_a_worker(void **state)
{
    (void)state;
    app_with("", NULL, true);
    house.origin.until = "]}";
    must_hold(house_ask(house.gateway, long_request(100000, "1")),
              "HTTP/1.1 200 ");
    assert_int_equal(house.schemas->stats.worked, 1);
    const char *got = house_ask(house.gateway, long_request(100000, "\"x\""));
    must_hold(got, "HTTP/1.1 400 ");
    must_hold(got, "/body/more/9090");
    assert_int_equal(house.schemas->stats.worked, 2);
    assert_int_equal(edge_stats(house.er)->works[WORK_OF_SCHEMA].done, 2);
    must_hold(house_ask(house.gateway, long_request(200000, "1")),
              "HTTP/1.1 413 ");
    app_with(",\"overLimit\":\"pass\"", NULL, true);
    must_hold(house_ask(house.gateway, long_request(200000, "\"x\"")),
              "HTTP/1.1 200 ");
}

static void without_a_worker_onFault_decides(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        unsigned status;
    } faults[] = {
        { "", 503 },
        { ",\"onFault\":\"open\"", 200 },
        { LOG, 200 },
        { LOG ",\"onFault\":\"closed\"", 503 },
    };
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        char status[32];
        snprintf(status, sizeof status, "HTTP/1.1 %u ", faults[i].status);
        app_with(faults[i].profile, NULL, true);
        house.origin.until = "]}";
        must_hold(house_ask(house.gateway, long_request(100000, "1")), status);
    }
}

static void a_refusal_takes_from_the_limit_and_not_from_the_quota(void **state)
{
    (void)state;
    house_token("k1");
    app_with("",
             "\"ratelimit\":{\"limit\":5,\"timeWindow\":60},\"remaining\":1",
             true);
    const char *got =
        house_ask(house.gateway,
                  "GET /items?n=10 HTTP/1.1\r\nHost: a.test\r\n" BEARER LAST);
    must_hold(got, "HTTP/1.1 400 ");
    must_hold(got, "X-RateLimit-Remaining: 4\r\n");
    got = house_ask(house.gateway,
                    "GET /items HTTP/1.1\r\nHost: a.test\r\n" BEARER LAST);
    must_hold(got, "HTTP/1.1 200 ");
    must_hold(got, "X-RateLimit-Remaining: 3\r\n");
}

/* --- the verify door ------------------------------------------------------------ */

static const struct question_row {
    const char *says, *telemetry, *code; /* code NULL: valid */
} questions[] = {
    { "nothing is told", "\"ipaddress\":\"192.0.2.1\"", NULL },
    { "a good one", "\"url\":\"https://a.test/items?n=1\"", NULL },
    { "a bad query", "\"url\":\"/items?n=10\"", "schema_violation" },
    { "a body that nobody knows",
      "\"url\":\"/items\",\"method\":\"POST\","
      "\"headers\":{\"Content-Type\":\"application/json\"}",
      NULL },
    { "a body of another type",
      "\"url\":\"/items\",\"method\":\"POST\","
      "\"headers\":{\"Content-Type\":\"text/csv\"}",
      "schema_violation" },
    { "an unknown path", "\"url\":\"/none\"", "schema_violation" },
};

static void the_verify_door_judges_what_telemetry_tells(void **state)
{
    (void)state;
    house_token("k1");
    app_with(UNKNOWN("block"), "", true);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        const struct question_row *r = &questions[i];
        char text[1024], code[64];
        print_message("# %s\n", r->says);
        snprintf(text, sizeof text,
                 "{\"token\":\"k1\",\"appID\":\"%s\",\"telemetry\":{%s}}",
                 plan_fixture_id(1), r->telemetry);
        const char *got = house_post("/authenticate", "", text);
        snprintf(code, sizeof code, "\"code\":\"%s\"", r->code ? r->code : "");
        must_hold(got, r->code ? code : "\"valid\":true");
        if (r->code) must_hold(got, "\"violations\":[{\"pointer\":\"/");
    }
    app_with("", "", false);
    char text[256];
    snprintf(text, sizeof text,
             "{\"token\":\"k1\",\"appID\":\"%s\",\"telemetry\":{\"url\":"
             "\"/items?n=10\"}}",
             plan_fixture_id(1));
    must_lack(house_post("/authenticate", "", text), "violations");
    must_hold(house_post("/authenticate", "Authorization: Bearer mk_secret\r\n",
                         text),
              "violations");
}

/* --- coverage -------------------------------------------------------------------- */

static uint64_t seen[8], missed_n;
static char missed[256];

static void on_hit(void *ctx, unsigned operation, uint64_t n, int64_t last_ms)
{
    (void)ctx;
    assert_true(operation < 8 && last_ms > 0);
    seen[operation] += n;
}
static void on_missed(void *ctx, struct sv shape, int64_t last_ms)
{
    (void)ctx, (void)last_ms;
    missed_n++;
    snprintf(missed, sizeof missed, "%.*s", SV_FMT(shape));
}
static void on_lost(void *ctx, uint64_t n)
{
    (void)ctx, (void)n;
}

static void what_was_asked_for_is_counted_once(void **state)
{
    (void)state;
    static const struct plan_coverage_fns fns = { on_hit, on_missed, on_lost };
    const struct plan_app *a = app_with("", NULL, true);
    struct plan_coverage *c = a->schema->coverage;
    memset(seen, 0, sizeof seen);
    house_ask(house.gateway, GET("/items"));
    house_ask(house.gateway, GET("/items?n=10"));
    house_ask(house.gateway, GET("/none/123"));
    house.origin.until = "]}";
    house_ask(house.gateway, long_request(100000, "1"));
    plan_coverage_take(c, &fns, NULL);
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 1);
    assert_int_equal(seen[2], 0);
    assert_int_equal(missed_n, 1);
    assert_string_equal(missed, "GET /none/{}");
    plan_coverage_take(c, &fns, NULL);
    assert_int_equal(seen[0], 2);
}

/* --- answers --------------------------------------------------------------------- */

static const struct answer_row {
    const char *says, *reply;
    enum schema_outcome outcome; /* COUNT: not judged */
} answers[] = {
    { "a good one",
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
      "Content-Length: 2\r\n\r\n[]",
      SCHEMA_OUTCOME_OK },
    { "a bad one",
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
      "Content-Length: 2\r\n\r\n{}",
      SCHEMA_OUTCOME_VIOLATION },
    { "in chunks",
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n",
      SCHEMA_OUTCOME_OK },
    { "a type that the document does not name",
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
      "Content-Length: 2\r\n\r\nok",
      SCHEMA_OUTCOME_VIOLATION },
    { "a status that it does not name",
      "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
      SCHEMA_OUTCOME_VIOLATION },
    { "encoded",
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
      "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
      SCHEMA_OUTCOME_COUNT },
};

static uint64_t all_answers(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < SCHEMA_OUTCOME_COUNT; i++)
        sum += atomic_load(&house.schemas->stats.answers[i]);
    return sum;
}

static void answers_are_judged_beside_the_stream(void **state)
{
    (void)state;
    app_with(",\"responses\":\"log\",\"responseSample\":1", NULL, true);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        const struct answer_row *r = &answers[i];
        bool looked = r->outcome < SCHEMA_OUTCOME_COUNT;
        print_message("# %s\n", r->says);
        uint64_t all = all_answers(),
                 one = looked ? house.schemas->stats.answers[r->outcome] : 0;
        house.origin.reply = r->reply;
        must_hold(house_ask(house.gateway, GET("/items")),
                  sv_starts(sv_cstr(r->reply), SV("HTTP/1.1 200"))
                      ? "HTTP/1.1 200 "
                      : "HTTP/1.1 404 ");
        assert_int_equal(all_answers(), all + looked);
        if (looked)
            assert_int_equal(house.schemas->stats.answers[r->outcome], one + 1);
    }
}

static void one_of_so_many_answers_is_judged_and_no_image_is_kept(void **state)
{
    (void)state;
    app_with(",\"responses\":\"log\",\"responseSample\":3", NULL, true);
    uint64_t images = plan_images(house.plan);
    for (int i = 0; i < 6; i++) house_ask(house.gateway, GET("/items"));
    assert_int_equal(all_answers(), 2);
    app_with("", NULL, true);
    epoch_reclaim();
    assert_int_equal(plan_images(house.plan), images);
    house_ask(house.gateway, GET("/items"));
    assert_int_equal(all_answers(), 2);
}

static int setup_without_judges(void **state)
{
    house_no_judges = true;
    int rc = house_setup(state);
    house_no_judges = false;
    return rc;
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_proxy_door_refuses_what_the_document_does_not_say),
        TEST(without_detail_only_the_class_is_told),
        TEST(a_long_body_is_judged_by_a_worker),
        cmocka_unit_test_setup_teardown(without_a_worker_onFault_decides,
                                        setup_without_judges, house_teardown),
        TEST(a_refusal_takes_from_the_limit_and_not_from_the_quota),
        TEST(the_verify_door_judges_what_telemetry_tells),
        TEST(what_was_asked_for_is_counted_once),
        TEST(answers_are_judged_beside_the_stream),
        TEST(one_of_so_many_answers_is_judged_and_no_image_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
