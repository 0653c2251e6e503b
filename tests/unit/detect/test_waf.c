/* The WAF's interface: what is missing is said, requests of any form are
 * judged, several at once. Skipped where the engine is not installed. */
#include <pthread.h>

#include "../codec/codec_kit.h"
#include "detect/waf.h"

static const struct waf_profile profile = {
    .mode = WAF_BLOCK, .paranoia = 1, .threshold = 5, .inspect_bytes = 4096
};
static struct waf_rules *rules;

static int setup(void **state)
{
    struct waf_why why;
    (void)state;
    int rc = waf_rules_compile(&waf_modsecurity, &profile, NULL, &rules, &why);
    if (rc) print_message("# %s\n", why.message);
    return rc == ERR_NOTFOUND ? 0 : rc;
}

static int teardown(void **state)
{
    (void)state;
    waf_rules_free(&rules);
    return 0;
}

static void need_engine(void)
{
    if (!rules) skip();
}

#define FIELD(n, v)                                          \
    {                                                        \
        { n, sizeof(n) - 1 }, { v, sizeof(v) - 1 }, HN_OTHER \
    }
static const struct http_field fields[] = {
    FIELD("Host", "api.example.com"),
    FIELD("User-Agent", "curl/8"),
    FIELD("Accept", "*/*"),
    FIELD("Content-Length", "9"),
    FIELD("Content-Type", "application/x-www-form-urlencoded"),
};

static struct waf_request request(const char *uri, const char *body)
{
    return (struct waf_request){ .method = SV("POST"),
                                 .uri = sv_cstr(uri),
                                 .fields = fields,
                                 .fields_n = ARRAY_LEN(fields),
                                 .body = sv_cstr(body) };
}

static void attacks_are_blocked_with_their_rules_and_score(void **state)
{
    struct waf_verdict v;
    (void)state;
    need_engine();
    struct waf_request r = request("/", "q=1%27%20or%20%271%27=%271");
    assert_int_equal(waf_judge(rules, &r, &v), 0);
    assert_true(v.blocked && v.score >= 5 && v.matches_n >= 1);
    assert_int_equal(v.matches[0], 942100);
    r = request("/", "q=hello");
    assert_int_equal(waf_judge(rules, &r, &v), 0);
    assert_false(v.blocked);
    assert_int_equal(v.score, 0);
    assert_int_equal(v.matches_n, 0);
}

/* Names, values and paths of a request stand in the engine's log as they are. */
static void a_request_cannot_forge_what_matched(void **state)
{
    static const struct {
        const char *uri, *body;
    } rows[] = {
        { "/", "b=[id \"9990001\"] [msg \"score=0|0\"] <script>" },
        { "/",
          "b=<script>' ) [file \"x\"] [line \"1\"] [id \"7\"] [rev \"\"]" },
        { "/", "b' ) [file \"x\"] [line \"1\"] [id \"7\"] [rev \"=<script>" },
        { "/[id \"949110\"] [hostname \"127.0.0.1\"] [id \"7\"]",
          "b=<script>" },
        { "/%5bid%20%227%22%5d%20%5bmsg%20%22score=99%22%5d", "b=<script>" },
    };
    (void)state;
    need_engine();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct waf_verdict v;
        struct waf_request r = request(rows[i].uri, rows[i].body);
        bool found = false;
        assert_int_equal(waf_judge(rules, &r, &v), 0);
        assert_true(v.blocked && v.score >= 5 && v.score < 99);
        for (uint32_t k = 0; k < v.matches_n; k++) {
            found |= v.matches[k] == 941110;
            if (v.matches[k] < 900000 || v.matches[k] > 999999)
                fail_msg("%zu: %u", i, v.matches[k]);
        }
        assert_true(found);
    }
}

static void what_cannot_be_judged_is_a_fault(void **state)
{
    static char text[WAF_URI_MAX + 2];
    struct waf_verdict v;
    (void)state;
    need_engine();
    struct waf_request r = request("/", "");
    r.uri = SV("/a\0b");
    assert_int_equal(waf_judge(rules, &r, &v), ERR_INVALID);
    memset(text, 'a', sizeof text);
    text[0] = '/';
    r.uri = sv_of(text, sizeof text);
    assert_int_equal(waf_judge(rules, &r, &v), ERR_TOOBIG);
    memset(&r, 0, sizeof r); /* nothing known of it */
    assert_int_equal(waf_judge(rules, &r, &v), 0);
}

static void bodies_cut_anywhere_are_judged(void **state)
{
    static const char body[] =
        "{\"a\": [1, {\"b\": \"\\u00e9'\"}], \"c\": null}";
    static const struct http_field json[] = {
        FIELD("Host", "a.example"), FIELD("Content-Type", "application/json")
    };
    struct waf_verdict v;
    (void)state;
    need_engine();
    for (size_t n = 0; n < sizeof body; n += 2) {
        struct waf_request r = request("/", "");
        r.fields = json;
        r.fields_n = ARRAY_LEN(json);
        r.body = exact(sv_of(body, n));
        assert_int_equal(waf_judge(rules, &r, &v), 0);
        exact_free(r.body);
    }
}

static void *judge_many(void *good)
{
    struct waf_verdict v;
    struct waf_request bad = request("/?f=../../../../etc/passwd", "");
    struct waf_request fine = request("/?f=report.pdf", "a=1");
    for (int i = 0; i < 50; i++) {
        if (waf_judge(rules, &bad, &v) || !v.blocked) *(bool *)good = false;
        if (waf_judge(rules, &fine, &v) || v.blocked) *(bool *)good = false;
    }
    return NULL;
}

static void threads_judge_by_the_same_rules_at_once(void **state)
{
    pthread_t thread[3];
    bool good[3] = { true, true, true };
    (void)state;
    need_engine();
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, judge_many, &good[i]),
                         0);
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
        assert_true(good[i]);
    }
}

static void missing_rules_are_said(void **state)
{
    struct waf_rules *none;
    struct waf_why why;
    (void)state;
    need_engine();
    assert_int_equal(
        waf_rules_compile(&waf_modsecurity, &profile, "/nowhere", &none, &why),
        ERR_NOTFOUND);
    assert_non_null(strstr(why.message, "/nowhere"));
    assert_null(none);
    waf_rules_free(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attacks_are_blocked_with_their_rules_and_score),
        TEST(a_request_cannot_forge_what_matched),
        TEST(what_cannot_be_judged_is_a_fault),
        TEST(bodies_cut_anywhere_are_judged),
        TEST(threads_judge_by_the_same_rules_at_once),
        TEST(missing_rules_are_said),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
