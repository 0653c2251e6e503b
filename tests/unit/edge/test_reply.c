/* What refusals, limits and answers look like, as golden text. */
#include "edge/answer.h"
#include "edge/reply.h"
#include "heads.h"

static struct replies *replies;
static char memory[8192];

static struct reply *refuse(const struct refusal *why)
{
    static struct reply reply;
    static struct buf text;
    buf_init_fixed(&text, memory, sizeof memory);
    reply_refusal(replies, why, &text, &reply);
    return &reply;
}

static const struct row {
    enum reason reason;
    unsigned status;
    const char *code, *message; /* without detailResponse */
    enum outcome outcome;
} rows[] = {
    { REASON_UNKNOWN_DOMAIN, 404, "unknown_domain",
      "no application answers to this host name", OUTCOME_UNKNOWN },
    { REASON_MISDIRECTED, 421, "misdirected_request",
      "the TLS server name and the Host name different applications",
      OUTCOME_UNKNOWN },
    { REASON_APPLICATION_DISABLED, 503, "unavailable", "Service Unavailable",
      OUTCOME_UNAVAILABLE },
    { REASON_NO_AUTHENTICATION, 503, "unavailable", "Service Unavailable",
      OUTCOME_UNAVAILABLE },
    { REASON_MISSING_TOKEN, 401, "unauthorized", "Unauthorized",
      OUTCOME_UNAUTHORIZED },
    { REASON_INVALID_TOKEN, 401, "unauthorized", "Unauthorized",
      OUTCOME_UNAUTHORIZED },
    { REASON_TOKEN_EXPIRED, 401, "unauthorized", "Unauthorized",
      OUTCOME_UNAUTHORIZED },
    { REASON_RATE_LIMITED, 429, "too_many_requests", "Too Many Requests",
      OUTCOME_LIMITED },
    { REASON_QUOTA_EXHAUSTED, 429, "too_many_requests", "Too Many Requests",
      OUTCOME_QUOTA },
    { REASON_INSUFFICIENT_SCOPE, 403, "forbidden", "Forbidden",
      OUTCOME_FORBIDDEN },
    { REASON_CHECK_UNAVAILABLE, 503, "unavailable", "Service Unavailable",
      OUTCOME_UNAVAILABLE },
    { REASON_BODY_TOO_LARGE, 413, "bad_request", NULL, OUTCOME_BAD_REQUEST },
    { REASON_ORIGIN_UNREACHABLE, 502, "unavailable", "Bad Gateway",
      OUTCOME_ORIGIN_FAILED },
    { REASON_ORIGIN_TIMEOUT, 504, "unavailable", "Gateway Timeout",
      OUTCOME_ORIGIN_FAILED },
};

static void golden(const struct row *r, bool detail)
{
    char expected[512];
    struct sv body =
        refuse(&(struct refusal){ .reason = r->reason, .detail = detail })
            ->body;
    const char *message = r->message;
    if (detail) message = reason_rows[r->reason].text;
    struct sv status_text = http_status_text(r->status);
    snprintf(expected, sizeof expected,
             "{\"success\":false,\"message\":\"%.*s\",\"data\":[],\"error\":"
             "{\"code\":\"%s\"}}",
             message ? (int)strlen(message) : (int)status_text.n,
             message ? message : status_text.p,
             detail ? reason_rows[r->reason].code : r->code);
    if (!sv_eq(body, sv_cstr(expected))) {
        memory[body.p == memory ? body.n : 0] = '\0';
        head_fail(expected, body.p);
    }
}

static void a_refusal_says_its_reason_only_where_the_application_wants(void **s)
{
    (void)s;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(reason_status(rows[i].reason), rows[i].status);
        assert_int_equal(reason_outcome(rows[i].reason), rows[i].outcome);
        golden(&rows[i], false);
        golden(&rows[i], true);
    }
}

static void a_401_challenges(void **state)
{
    (void)state;
    struct reply *r = refuse(&(struct refusal){ .reason = REASON_INVALID_TOKEN,
                                                .request_id = SV("id") });
    assert_int_equal(r->head.status, 401);
    assert_string_equal(fields_text(r->fields, r->head.fields_n),
                        "Content-Type: application/json; charset=utf-8\n"
                        "Cache-Control: no-store\nX-Request-Id: id\n"
                        "WWW-Authenticate: Bearer error=\"invalid_token\"\n");
}

static struct exchange limited(const char *name)
{
    struct exchange x = { .judged_limits = true };
    x.take = (struct take_answer){
        .has_limit = true, .limit = 100, .remaining = 7, .reset_s = 30
    };
    x.nearest = (struct limit){ .limit = 100, .window_s = 60 };
    snprintf(x.nearest.name, sizeof x.nearest.name, "%s", name);
    return x;
}

static const char *limits_text(const struct exchange *x)
{
    static char text_memory[LIMITS_TEXT_MAX];
    struct http_field out[LIMITS_FIELDS_MAX];
    struct buf text;
    struct limits l = limits_of(x);
    buf_init_fixed(&text, text_memory, sizeof text_memory);
    size_t n = limits_fields(&l, &text, out);
    assert_false(text.overflow);
    return fields_text(out, n);
}

static void the_nearest_limit_is_shown(void **state)
{
    (void)state;
    struct exchange x = limited("");
    assert_string_equal(limits_text(&x),
                        "RateLimit-Policy: \"default\";q=100;w=60\n"
                        "RateLimit: \"default\";r=7;t=30\n"
                        "X-RateLimit-Limit: 100\nX-RateLimit-Remaining: 7\n"
                        "X-RateLimit-Reset: 30\n");
    x = limited("a \"b\" \\ \xc3\xbc");
    assert_non_null(strstr(limits_text(&x),
                           "RateLimit: \"a \\\"b\\\" \\\\ ??\";r=7;t=30\n"));
    x.judged_limits = false;
    assert_string_equal(limits_text(&x), "");
}

static void the_longest_name_fits(void **state)
{
    (void)state;
    char name[LIMIT_NAME_MAX + 1];
    memset(name, '"', LIMIT_NAME_MAX);
    name[LIMIT_NAME_MAX] = '\0';
    struct exchange x = limited(name);
    x.take.limit = x.take.remaining = x.take.reset_s = UINT32_MAX;
    limits_text(&x);
}

static void without_a_limit_the_quota_is_shown(void **state)
{
    (void)state;
    struct refill daily = { 10, 86400 };
    struct exchange x = { .judged_limits = true };
    x.take = (struct take_answer){ .has_quota = true, .quota_remaining = 4 };
    x.ask.terms =
        (struct terms){ .has_quota = true, .quota = 10, .refill = &daily };
    assert_string_equal(limits_text(&x),
                        "RateLimit-Policy: \"quota\";q=10;w=86400\n"
                        "RateLimit: \"quota\";r=4\n"
                        "X-RateLimit-Limit: 10\nX-RateLimit-Remaining: 4\n");
    x.reason = REASON_QUOTA_EXHAUSTED;
    x.take.quota_remaining = 1; /* but cost was 2 */
    x.take.retry_after_s = 99;
    assert_string_equal(limits_text(&x),
                        "RateLimit-Policy: \"quota\";q=10;w=86400\n"
                        "RateLimit: \"quota\";r=0;t=99\n"
                        "X-RateLimit-Limit: 10\nX-RateLimit-Remaining: 0\n"
                        "X-RateLimit-Reset: 99\n");
}

static void a_429_says_when_and_which_limit(void **state)
{
    (void)state;
    struct reply *r = refuse(&(struct refusal){ .reason = REASON_RATE_LIMITED,
                                                .detail = true,
                                                .retry_after_s = 12,
                                                .limit = SV("per-minute") });
    assert_non_null(
        strstr(fields_text(r->fields, r->head.fields_n), "Retry-After: 12\n"));
    assert_true(
        sv_eq(r->body, SV("{\"success\":false,\"message\":\"the rate limit was "
                          "reached\",\"data\":[],\"error\":{\"code\":"
                          "\"rate_limited\",\"limit\":\"per-minute\"}}")));
    r = refuse(&(struct refusal){ .reason = REASON_QUOTA_EXHAUSTED });
    assert_null(strstr(fields_text(r->fields, r->head.fields_n), "Retry"));
}

/* --- answers of /authenticate ------------------------------------------------- */

static const char *answer_text(const struct answer *a, bool batch,
                               struct answer_hole *hole)
{
    struct buf out;
    buf_init_fixed(&out, memory, sizeof memory - 1);
    if (batch)
        answer_item(&out, a, true, hole);
    else
        answer_single(&out, a, hole);
    assert_false(out.overflow);
    memory[out.n] = '\0';
    return memory;
}

static struct plan_app app = { .app = { .id = { "app_1", 5 } } };
static struct sv scopes[] = { { "r\"", 2 }, { "w", 1 } };

static struct exchange passed(const struct token_cold *cold)
{
    struct exchange x = limited("");
    x.plan = &app;
    x.has_token = true;
    x.token.cold = cold;
    x.token.slot = 5;
    x.token.tag = 6;
    return x;
}

static void a_good_answer_is_as_printed(void **state)
{
    (void)state;
    struct answer_hole hole;
    struct exchange x = passed(NULL);
    struct answer a = { .x = &x };
    assert_string_equal(
        answer_text(&a, false, &hole),
        "{\"success\":true,\"message\":\"\",\"valid\":true,\"data\":[{"
        "\"valid\":true,\"enabled\":true,\"remaining\":null,\"ratelimit\":"
        "{\"limit\":100,\"remaining\":7,\"reset\":30},\"expiresAt\":null}]}");
    x.take = (struct take_answer){ .has_quota = true, .quota_remaining = 3 };
    x.token.expires_ms = 1700000000123;
    assert_string_equal(
        answer_text(&a, false, &hole),
        "{\"success\":true,\"message\":\"\",\"valid\":true,\"data\":[{"
        "\"valid\":true,\"enabled\":true,\"remaining\":3,\"ratelimit\":null,"
        "\"expiresAt\":\"2023-11-14T22:13:20.123Z\"}]}");
}

static void details_are_for_keys_of_the_account(void **state)
{
    (void)state;
    struct token_cold cold = { .owner = SV("me\n"),
                               .scopes = scopes,
                               .scopes_n = 2,
                               .tags = scopes + 1,
                               .tags_n = 1,
                               .metadata = SV("{\"a\":1}") };
    struct answer_hole hole;
    struct exchange x = passed(&cold);
    x.judged_limits = false;
    struct answer a = { .x = &x, .detailed = true };
    assert_string_equal(
        answer_text(&a, true, &hole),
        "{\"valid\":true,\"enabled\":true,\"remaining\":null,\"ratelimit\":"
        "null,\"expiresAt\":null,\"tokenId\":\"tok_00000000000000000000000000"
        "\",\"applicationId\":\"app_1\",\"owner\":\"me\\u000a\",\"scopes\":"
        "[\"r\\\"\",\"w\"],\"tags\":[\"w\"],\"metadata\":{\"a\":1}}");
    assert_int_equal(hole.at, 0);
    x.token.cold = NULL;
    const char *bare = answer_text(&a, true, &hole);
    assert_non_null(strstr(bare, "\"owner\":\"\",\"scopes\":[],\"tags\":[],"
                                 "\"metadata\":null}"));
    cold.metadata_in_file = true;
    x.token.cold = &cold;
    const char *text = answer_text(&a, true, &hole);
    assert_string_equal(text + hole.at, "}");
    assert_int_equal(hole.slot, 5);
    assert_int_equal(hole.tag, 6);
}

static void a_bad_answer_is_as_printed(void **state)
{
    (void)state;
    struct answer_hole hole;
    struct exchange x = { .reason = REASON_INVALID_TOKEN };
    struct answer a = { .x = &x, .reason = REASON_INVALID_TOKEN };
    assert_string_equal(
        answer_text(&a, false, &hole),
        "{\"success\":false,\"message\":\"the token is not valid\",\"valid\":"
        "false,\"data\":[{\"valid\":false,\"code\":\"invalid_token\"}],"
        "\"error\":{\"code\":\"invalid_token\"}}");
    assert_string_equal(
        answer_text(&a, true, &hole),
        "{\"valid\":false,\"code\":\"invalid_token\",\"message\":\"the token "
        "is not valid\"}");
    x = limited("");
    x.take.remaining = 0;
    x.take.retry_after_s = 4;
    a.reason = x.reason = REASON_RATE_LIMITED;
    assert_string_equal(
        answer_text(&a, true, &hole),
        "{\"valid\":false,\"code\":\"rate_limited\",\"message\":\"the rate "
        "limit was reached\",\"remaining\":null,\"ratelimit\":{\"limit\":100,"
        "\"remaining\":0,\"reset\":30},\"retryAfter\":4}");
}

static void what_is_no_question_is_told_in_its_place_of_a_batch(void **state)
{
    (void)state;
    struct answer_hole hole;
    struct question_problem problem = { "cost", "too \"much\"" };
    struct answer a = { .problem = &problem };
    assert_string_equal(answer_text(&a, true, &hole),
                        "{\"valid\":false,\"code\":\"bad_request\",\"message\""
                        ":\"too \\\"much\\\"\",\"field\":\"cost\"}");
}

int main(void)
{
    replies_new(&replies);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_refusal_says_its_reason_only_where_the_application_wants),
        cmocka_unit_test(a_401_challenges),
        cmocka_unit_test(the_nearest_limit_is_shown),
        cmocka_unit_test(the_longest_name_fits),
        cmocka_unit_test(without_a_limit_the_quota_is_shown),
        cmocka_unit_test(a_429_says_when_and_which_limit),
        cmocka_unit_test(a_good_answer_is_as_printed),
        cmocka_unit_test(details_are_for_keys_of_the_account),
        cmocka_unit_test(a_bad_answer_is_as_printed),
        cmocka_unit_test(what_is_no_question_is_told_in_its_place_of_a_batch),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    replies_free(&replies);
    return failed;
}
