/* Reading the body of /authenticate: kind to clients, strict as JSON. */
#include "edge/question.h"
#include "heads.h"

#define NOW_MS INT64_C(1700000000000)

static char first[16384];
static struct arena arena;

static int read_one(struct sv body, struct question *q,
                    struct question_problem *why)
{
    struct questions qs;
    arena_reset(&arena);
    int err = questions_open(&qs, body, false, &arena, why);
    return err ? err : questions_get(&qs, 0, NOW_MS, q, why);
}

/* A question prints as one line. */
static const char *question_text(const struct question *q)
{
    static char text[1024];
    char ip[IP_TEXT_MAX];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text - 1);
    buf_put(&b, q->token);
    buf_putc(&b, '|');
    buf_put(&b, q->app_id);
    buf_putc(&b, '|');
    if (q->has_client) buf_put(&b, sv_of(ip, ip_format(&q->client, ip)));
    buf_putc(&b, '|');
    buf_put_i64(&b, q->at_ms - NOW_MS);
    buf_putc(&b, '|');
    buf_put_u64(&b, q->cost);
    buf_puts(&b, q->peek ? "|peek|" : "||");
    for (unsigned i = 0; i < q->scopes_n; i++) {
        if (i) buf_putc(&b, ',');
        buf_put(&b, q->scopes[i]);
    }
    text[b.n] = '\0';
    return text;
}

#define Q(more) "{\"token\":\"t\",\"appID\":\"a\"" more "}"
#define T(more) Q(",\"telemetry\":{" more "}")

static const struct row {
    const char *says, *body, *reads; /* reads NULL: refused, `field` at fault */
    const char *field;
} rows[] = {
    { "token and application", Q(""), "t|a||0|1||", NULL },
    { "a Bearer prefix is not of the token",
      "{\"token\":\"Bearer  t\",\"appID\":\"a\"}", "t|a||0|1||", NULL },
    { "in any case", "{\"token\":\"bearer t\",\"appID\":\"a\"}", "t|a||0|1||",
      NULL },
    { "a token may begin alike", "{\"token\":\"Bearers\",\"appID\":\"a\"}",
      "Bearers|a||0|1||", NULL },
    { "an empty token is a question", "{\"token\":\"\",\"appID\":\"\"}",
      "|||0|1||", NULL },
    { "so is nothing but the prefix", "{\"token\":\"Bearer \",\"appID\":\"a\"}",
      "|a||0|1||", NULL },
    { "unknown members are ignored",
      Q(",\"appId\":1,\"x\":{\"token\":\"u\",\"y\":[1,2.5,null]}"),
      "t|a||0|1||", NULL },
    { "telemetry as clients send it",
      T("\"url\":\"https://a.test/x?y\",\"method\":\"GET\",\"headers\":"
        "{\"cookie\":[\"a\",\"b\"],\"x\":\"1\"},\"ipaddress\":\"1.2.3.4\","
        "\"timestamp\":1700000000123,\"more\":{}"),
      "t|a|1.2.3.4|123|1||", NULL },
    { "an IPv4-mapped address is IPv4", T("\"ipaddress\":\"::ffff:1.2.3.4\""),
      "t|a|1.2.3.4|0|1||", NULL },
    { "IPv6", T("\"ipaddress\":\"2001:DB8::1\""), "t|a|2001:db8::1|0|1||",
      NULL },
    { "an empty address is absent", T("\"ipaddress\":\"\""), "t|a||0|1||",
      NULL },
    { "so is an unreadable one", T("\"ipaddress\":\"localhost\""), "t|a||0|1||",
      NULL },
    { "and one of another type", T("\"ipaddress\":[4]"), "t|a||0|1||", NULL },
    { "a timestamp may be a fraction", T("\"timestamp\":1700000000123.5"),
      "t|a||123|1||", NULL },
    { "five minutes are near", T("\"timestamp\":1699999700001"),
      "t|a||-299999|1||", NULL },
    { "more is not: our clock counts", T("\"timestamp\":1699999699999"),
      "t|a||0|1||", NULL },
    { "in the future neither", T("\"timestamp\":1700000300001"), "t|a||0|1||",
      NULL },
    { "seconds are not milliseconds", T("\"timestamp\":1700000000"),
      "t|a||0|1||", NULL },
    { "a timestamp of another type is ours", T("\"timestamp\":\"now\""),
      "t|a||0|1||", NULL },
    { "null telemetry is none", Q(",\"telemetry\":null"), "t|a||0|1||", NULL },
    { "cost, scopes, peek",
      Q(",\"cost\":1000000,\"scopes\":[\"r\",\"w\"],\"peek\":true"),
      "t|a||0|1000000|peek|r,w", NULL },
    { "null is the default", Q(",\"cost\":null,\"scopes\":null,\"peek\":null"),
      "t|a||0|1||", NULL },
    { "escapes are read", "{\"to\\u006ben\":\"\\u0074\",\"appID\":\"a\"}",
      "t|a||0|1||", NULL },
    { "spaces around", " \n{ \"token\" : \"t\" , \"appID\":\"a\" }\r\n",
      "t|a||0|1||", NULL },

    { "no token", "{\"appID\":\"a\"}", NULL, "token" },
    { "a null token", "{\"token\":null,\"appID\":\"a\"}", NULL, "token" },
    { "no application", "{\"token\":\"t\"}", NULL, "appID" },
    { "an application of another type", "{\"token\":\"t\",\"appID\":1}", NULL,
      "appID" },
    { "cost 0", Q(",\"cost\":0"), NULL, "cost" },
    { "cost above the maximum", Q(",\"cost\":1000001"), NULL, "cost" },
    { "a negative cost", Q(",\"cost\":-1"), NULL, "cost" },
    { "a fraction as cost", Q(",\"cost\":1.5"), NULL, "cost" },
    { "a text as cost", Q(",\"cost\":\"1\""), NULL, "cost" },
    { "a text as scopes", Q(",\"scopes\":\"r\""), NULL, "scopes" },
    { "a number as scope", Q(",\"scopes\":[1]"), NULL, "scopes" },
    { "a number as peek", Q(",\"peek\":1"), NULL, "peek" },
    { "a text as telemetry", Q(",\"telemetry\":\"x\""), NULL, "telemetry" },
    { "a member twice", Q(",\"token\":\"u\""), NULL, "" },
    { "a list", "[]", NULL, "" },
    { "a text", "\"x\"", NULL, "" },
    { "nothing", "", NULL, "" },
    { "bad UTF-8", Q(",\"x\":\"\xff\""), NULL, "" },
    { "something behind it", Q("") "x", NULL, "" },
};

static void a_question_is_read_or_refused_by_its_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        static struct question q;
        struct question_problem why = { "-", "-" };
        int err = read_one(sv_cstr(r->body), &q, &why);
        if (r->reads && (err || strcmp(question_text(&q), r->reads) != 0))
            head_fail(r->says, err ? why.text : question_text(&q));
        if (!r->reads && (err != ERR_INVALID || strcmp(why.field, r->field)))
            head_fail(r->says, err ? why.field : question_text(&q));
    }
}

static void more_than_64_levels_are_refused(void **state)
{
    (void)state;
    char body[512];
    static struct question q;
    struct question_problem why;
    for (int levels = 64; levels <= 65; levels++) {
        int n = snprintf(body, sizeof body,
                         "{\"token\":\"t\",\"appID\":"
                         "\"a\",\"x\":");
        for (int i = 1; i < levels; i++) body[n++] = '[';
        for (int i = 1; i < levels; i++) body[n++] = ']';
        body[n++] = '}';
        assert_int_equal(read_one(sv_of(body, (size_t)n), &q, &why),
                         levels == 64 ? 0 : ERR_INVALID);
    }
}

static void a_batch_is_a_list_of_up_to_100(void **state)
{
    (void)state;
    static char body[8192];
    struct questions qs;
    static struct question q;
    struct question_problem why;
    for (int count = 0; count <= 101; count++) {
        if (count == 3) count = 99;
        int n = snprintf(body, sizeof body, "{\"questions\":[");
        for (int i = 0; i < count; i++)
            n += snprintf(body + n, sizeof body - (size_t)n, "%s" Q(""),
                          i ? "," : "");
        n += snprintf(body + n, sizeof body - (size_t)n, "]}");
        for (int bare = 0; bare < 2; bare++) {
            struct sv text = sv_of(body, (size_t)n);
            if (bare) text = sv_of(body + 13, (size_t)n - 14);
            arena_reset(&arena);
            int err = questions_open(&qs, text, true, &arena, &why);
            assert_int_equal(err, count <= 100 ? 0 : ERR_INVALID);
            if (err) continue;
            assert_int_equal(qs.n, count);
            for (size_t i = 0; i < qs.n; i++)
                assert_int_equal(questions_get(&qs, i, NOW_MS, &q, &why), 0);
        }
    }
    assert_int_equal(
        questions_open(&qs, SV("{\"token\":\"t\"}"), true, &arena, &why),
        ERR_INVALID);
    arena_reset(&arena);
    assert_int_equal(questions_open(&qs, SV("[1,{}]"), true, &arena, &why), 0);
    assert_int_equal(questions_get(&qs, 0, NOW_MS, &q, &why), ERR_INVALID);
    assert_int_equal(questions_get(&qs, 1, NOW_MS, &q, &why), ERR_INVALID);
    assert_string_equal(why.field, "token");
}

/* No state may be left half-read: whatever the bytes, the answer is a whole
 * question or a refusal. */
static void each_truncation_and_each_flipped_bit_is_survived(void **state)
{
    (void)state;
    static const char body[] =
        "{\"token\":\"Bearer t\",\"appID\":\"a\",\"cost\":3,\"peek\":false,"
        "\"scopes\":[\"r\"],\"telemetry\":{\"ipaddress\":\"::1\","
        "\"timestamp\":1700000000001,\"headers\":{\"a\":[\"\\u00e9\"]}}}";
    static struct question q;
    struct question_problem why;
    size_t n = sizeof body - 1;
    for (size_t i = 0; i < n; i++) {
        char *copy = malloc(i ? i : 1);
        memcpy(copy, body, i);
        assert_int_equal(read_one(sv_of(copy, i), &q, &why), ERR_INVALID);
        free(copy);
    }
    char *copy = malloc(n);
    for (size_t bit = 0; bit < n * 8; bit++) {
        memcpy(copy, body, n);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        int err = read_one(sv_of(copy, n), &q, &why);
        assert_true(err == 0 || err == ERR_INVALID);
        if (err == 0) assert_in_range(q.cost, 1, QUESTION_COST_MAX);
    }
    free(copy);
}

int main(void)
{
    arena_init(&arena, 1 << 20, first, sizeof first);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_read_or_refused_by_its_field),
        cmocka_unit_test(more_than_64_levels_are_refused),
        cmocka_unit_test(a_batch_is_a_list_of_up_to_100),
        cmocka_unit_test(each_truncation_and_each_flipped_bit_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
