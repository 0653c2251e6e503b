/* CORS as tables: what a browser would read from answers and preflights. */
#include "base/arena.h"
#include "edge/forward.h"
#include "heads.h"
#include "plan_fixture.h"

static struct arena memory;
static char head_memory[8192];

static const struct cors *configured(const char *json)
{
    struct application app;
    char doc[4096];
    arena_fini(&memory);
    arena_init(&memory, 1 << 20, NULL, 0);
    snprintf(doc, sizeof doc,
             "{\"id\":\"app_1\",\"account_id\":\"acc_1\",\"name\":\"a\","
             "\"cors\":%s}",
             json);
    assert_int_equal(application_decode(sv_cstr(doc), &memory, &app), 0);
    return app.cors;
}

#define SITES                                                           \
    "\"allowOrigins\":[\"https://app.test\",\"https://*.b.test:8443\"," \
    "\"http://[::1]:3000\"]"
#define VARY "Vary: Origin\n"
#define PRE_VARY                                    \
    "Vary: Origin, Access-Control-Request-Method, " \
    "Access-Control-Request-Headers\n"
#define ALLOW(origin) "Access-Control-Allow-Origin: " origin "\n"

static const struct {
    const char *says, *cors, *fields, *answer;
} answers[] = {
    { "a listed site is named", "{" SITES "}", "Origin: https://app.test\r\n",
      ALLOW("https://app.test") VARY },
    { "another is not, and caches are told", "{" SITES "}",
      "Origin: https://evil.test\r\n", VARY },
    { "no site, no word of it", "{" SITES "}", "", VARY },
    { "the scheme counts", "{" SITES "}", "Origin: http://app.test\r\n", VARY },
    { "the port counts", "{" SITES "}", "Origin: https://app.test:444\r\n",
      VARY },
    { "the scheme's own port is none", "{" SITES "}",
      "Origin: https://app.test:443\r\n", ALLOW("https://app.test:443") VARY },
    { "a wildcard takes a label", "{" SITES "}",
      "Origin: https://x.b.test:8443\r\n",
      ALLOW("https://x.b.test:8443") VARY },
    { "and several", "{" SITES "}", "Origin: https://y.x.b.test:8443\r\n",
      ALLOW("https://y.x.b.test:8443") VARY },
    { "not the bare name", "{" SITES "}", "Origin: https://b.test:8443\r\n",
      VARY },
    { "nor an empty label", "{" SITES "}", "Origin: https://.b.test:8443\r\n",
      VARY },
    { "nor one that only ends alike", "{" SITES "}",
      "Origin: https://evilb.test:8443\r\n", VARY },
    { "nor what hides behind a path", "{" SITES "}",
      "Origin: https://evil.test/.b.test:8443\r\n", VARY },
    { "nor behind a user", "{" SITES "}",
      "Origin: https://evil.test@x.b.test:8443\r\n", VARY },
    { "nor behind a colon and a bracket", "{" SITES "}",
      "Origin: https://y.L8:8]8888.b.test:8443\r\n", VARY },
    { "nor a star for a star", "{" SITES "}",
      "Origin: https://*.b.test:8443\r\n", VARY },
    { "nor one inside", "{" SITES "}", "Origin: https://a*c.b.test:8443\r\n",
      VARY },
    { "a port is written in one way", "{" SITES "}",
      "Origin: http://[::1]:03000\r\n", VARY },
    { "an address in brackets", "{" SITES "}", "Origin: http://[::1]:3000\r\n",
      ALLOW("http://[::1]:3000") VARY },
    { "null is nobody", "{" SITES "}", "Origin: null\r\n", VARY },
    { "two origins are none", "{" SITES "}",
      "Origin: https://app.test\r\nOrigin: https://app.test\r\n", VARY },
    { "all sites", "{\"allowOrigins\":[\"*\"]}", "Origin: https://x.test\r\n",
      ALLOW("*") },
    { "credentials and fields that scripts may read",
      "{" SITES
      ",\"allowCredentials\":true,\"exposeHeaders\":[\"X-A\",\"ETag\"]}",
      "Origin: https://app.test\r\n",
      ALLOW("https://app.test") "Access-Control-Allow-Credentials: true\n"
                                "Access-Control-Expose-Headers: X-A, "
                                "ETag\n" VARY },
};

static void an_answer_says_which_site_may_read_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct http_head head;
        struct http_field out[CORS_FIELDS_MAX];
        const struct cors *cors = configured(answers[i].cors);
        head_request(&head, head_memory, sizeof head_memory, NULL,
                     answers[i].fields);
        const struct cors_answer *a = cors_answer_new(cors, &head, &memory);
        assert_non_null(a);
        const char *got = fields_text(out, cors_fields_put(a, out));
        if (strcmp(got, answers[i].answer))
            fprintf(stderr, "# %s\n", answers[i].says);
        assert_string_equal(got, answers[i].answer);
    }
}

#define ASKING "Origin: https://app.test\r\nAccess-Control-Request-Method: "
#define ASKS(method) ASKING method "\r\n"
#define METHODS "\"allowMethods\":[\"GET\",\"PUT\"]"

static const struct {
    const char *says, *cors, *fields, *answer;
} preflights[] = {
    { "method and fields that are asked for", "{" SITES "," METHODS "}",
      ASKS("PUT") "Access-Control-Request-Headers: authorization,x-a\r\n",
      PRE_VARY ALLOW(
          "https://app.test") "Access-Control-Allow-Methods: GET, PUT\n"
                              "Access-Control-Allow-Headers: "
                              "authorization,x-a\n" },
    { "another method", "{" SITES "," METHODS "}", ASKS("DELETE"), PRE_VARY },
    { "methods are written as they are", "{" SITES "," METHODS "}", ASKS("put"),
      PRE_VARY },
    { "another site", "{" SITES "," METHODS "}",
      "Origin: https://evil.test\r\nAccess-Control-Request-Method: GET\r\n",
      PRE_VARY },
    { "what is no list of names is not said back", "{" SITES "," METHODS "}",
      ASKS("GET") "Access-Control-Request-Headers: x-a, <b>\r\n",
      PRE_VARY ALLOW(
          "https://app.test") "Access-Control-Allow-Methods: GET, PUT\n" },
    { "named fields and an age",
      "{" SITES "," METHODS ",\"allowHeaders\":[\"X-A\"],\"maxAge\":600,"
      "\"allowCredentials\":true}",
      ASKS("GET") "Access-Control-Request-Headers: x-b\r\n",
      PRE_VARY ALLOW(
          "https://app.test") "Access-Control-Allow-Credentials: true\n"
                              "Access-Control-Allow-Methods: GET, PUT\n"
                              "Access-Control-Allow-Headers: X-A\n"
                              "Access-Control-Max-Age: 600\n" },
    { "everything",
      "{\"allowOrigins\":[\"*\"],\"allowMethods\":[\"*\"],"
      "\"allowHeaders\":[\"*\"]}",
      ASKS("PURGE"),
      PRE_VARY ALLOW("*") "Access-Control-Allow-Methods: *\n"
                          "Access-Control-Allow-Headers: *\n" },
};

static void a_preflight_is_told_what_scripts_may_send(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof preflights / sizeof *preflights; i++) {
        struct http_head head;
        struct http_field out[PREFLIGHT_FIELDS_MAX];
        char text[64];
        struct buf buf;
        const struct cors *cors = configured(preflights[i].cors);
        head_request(&head, head_memory, sizeof head_memory, "OPTIONS /",
                     preflights[i].fields);
        buf_init_fixed(&buf, text, sizeof text);
        const struct cors_answer *a = cors_answer_new(cors, &head, &memory);
        size_t n = cors_preflight_put(cors, &head, a, &buf, out);
        const char *got = fields_text(out, n);
        if (strcmp(got, preflights[i].answer))
            fprintf(stderr, "# %s\n", preflights[i].says);
        assert_string_equal(got, preflights[i].answer);
    }
}

/* What the origin says of it goes, whoever asks. */
static void the_fields_of_an_origin_are_replaced(void **state)
{
    (void)state;
    static struct forward out;
    struct http_head head, answer;
    char more[4096];
    const struct cors *cors = configured("{" SITES "}");
    head_request(&head, head_memory, sizeof head_memory, NULL,
                 "Origin: https://app.test\r\n");
    head_response(&answer, more, sizeof more, "200 OK",
                  "Access-Control-Allow-Origin: *\r\n"
                  "access-control-allow-credentials: true\r\n"
                  "Vary: Accept\r\nA: 1\r\n");
    forward_response(&answer,
                     &(struct forward_answer){
                         .cors = cors_answer_new(cors, &head, &memory) },
                     &out);
    assert_string_equal(fields_text(out.fields, out.n),
                        "Vary: Accept\nA: 1\n" ALLOW("https://app.test") VARY);
    forward_response(&answer, &(struct forward_answer){ .cors = NULL }, &out);
    assert_string_equal(fields_text(out.fields, out.n),
                        "Access-Control-Allow-Origin: *\n"
                        "access-control-allow-credentials: true\n"
                        "Vary: Accept\nA: 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_says_which_site_may_read_it),
        cmocka_unit_test(a_preflight_is_told_what_scripts_may_send),
        cmocka_unit_test(the_fields_of_an_origin_are_replaced),
    };
    arena_init(&memory, 1 << 20, NULL, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&memory);
    return failed;
}
