/* From a set that is due to its keys, with an issuer that is the test's: one
 * that rotates, is down, redirects, talks nonsense. */
#include "reach_kit.h"

#include "base/epoch.h"
#include "reach/discovery.h"
#include "reach/key_set.h"

static struct reach_kit t;
static struct keysets *sets;
static struct key_sets *manager;
static int64_t now;
static char base[64];

static int64_t node_ms(void)
{
    return now;
}

static void on_wake(void *ctx)
{
    (void)ctx;
    if (manager) key_sets_run(manager);
}

static int set_up(void **state)
{
    (void)state;
    reach_kit_open(&t);
    now = 1750000000000;
    manager = NULL;
    struct keysets_conf conf = { .lanes = 1, .wake = on_wake };
    assert_int_equal(keysets_new(&sets, &conf), 0);
    struct key_sets_conf kc = { .sets = sets,
                                .reactor = t.kit.r,
                                .workers = t.workers,
                                .fetcher = t.fetcher,
                                .node_ms = node_ms,
                                .allow_plain = true,
                                .timeout_ms = 1000,
                                .lanes = 1 };
    assert_int_equal(key_sets_new(&manager, &kc), 0);
    snprintf(base, sizeof base, "http://127.0.0.1:%u", t.at.port);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kit_stop(&t.kit);
    workers_free(&t.workers);
    key_sets_close(manager);
    dns_free(&t.dns);
    fetcher_free(&t.fetcher);
    kit_fini(&t.kit);
    key_sets_free(&manager);
    close(t.listener);
    wire_fini(&t.wire);
    keysets_free(&sets);
    assert_int_equal(epoch_reclaim(), 0);
    return 0;
}

static struct keyset_ref hold(enum keyset_kind kind, const char *path)
{
    char text[128];
    struct keyset_ref ref;
    snprintf(text, sizeof text, "%s%s", base, path);
    struct keyset_source src = { .kind = kind,
                                 .text = sv_cstr(text),
                                 .cache_s = 600 };
    assert_int_equal(keysets_hold(sets, &src, &ref, NULL), 0);
    return ref;
}

static struct keyset_status status_of(struct keyset_ref ref)
{
    struct keyset_status s;
    assert_true(keysets_status(sets, ref, &s));
    return s;
}

static struct {
    struct keyset_ref ref;
    uint64_t fetches, failures;
} awaited;

static bool was_reported(void *ctx)
{
    (void)ctx;
    struct keyset_status s = status_of(awaited.ref);
    return s.fetches >= awaited.fetches && s.failures >= awaited.failures;
}

static void expect_fetches(struct keyset_ref ref, uint64_t fetches,
                           uint64_t failures)
{
    awaited.ref = ref;
    awaited.fetches = fetches;
    awaited.failures = failures;
    assert_true(pump(&t.kit, was_reported, NULL));
    assert_int_equal(status_of(ref).fetches, fetches);
    assert_int_equal(status_of(ref).failures, failures);
}

#define KEY(kid)                                                    \
    "{\"kty\":\"oct\",\"kid\":\"" kid "\",\"alg\":\"HS256\",\"k\":" \
    "\"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8\"}"
#define JSON "Content-Type: application/json\r\n"

static void says(const char *fields, const char *body)
{
    char text[4096];
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n%s", fields,
             strlen(body), body);
    origin_says(&t, text);
}

static bool has(struct keyset_ref ref, const char *kid)
{
    const struct keyset_image *image = keysets_view(sets, ref, now);
    for (unsigned i = 0; image && i < image->now->n; i++)
        if (sv_eq(image->now->keys[i].kid, sv_cstr(kid))) return true;
    return false;
}

/* When its time has come. */
static void next_fetch(struct keyset_ref ref)
{
    now = status_of(ref).next_ms;
    key_sets_run(manager);
}

/* --- the good case ------------------------------------------------------------ */
static void keys_are_fetched_and_read(void **state)
{
    (void)state;
    struct keyset_ref ref = hold(KEYSET_URL, "/k");
    origin_asked(&t, "GET /k HTTP/1.1\r\n");
    assert_null(strstr(t.wire.got, "If-None-Match"));
    says(JSON "Cache-Control: public, max-age=120\r\n",
         "{\"keys\":[" KEY("a") "," KEY("b") "]}");
    expect_fetches(ref, 1, 0);
    assert_true(has(ref, "a") && has(ref, "b"));
    assert_in_range(status_of(ref).next_ms - now, 90000, 108000);
}

static void what_has_not_changed_is_not_read_again(void **state)
{
    (void)state;
    struct keyset_ref ref = hold(KEYSET_URL, "/k");
    origin_asked(&t, "GET /k ");
    says(JSON "ETag: \"v1\"\r\n", "{\"keys\":[" KEY("a") "]}");
    expect_fetches(ref, 1, 0);
    uint64_t generation = keysets_view(sets, ref, now)->generation;
    next_fetch(ref);
    origin_asked(&t, "GET /k ");
    assert_non_null(strstr(t.wire.got, "\r\nIf-None-Match: \"v1\"\r\n"));
    origin_says(&t, "HTTP/1.1 304 Not Modified\r\n\r\n");
    expect_fetches(ref, 2, 0);
    next_fetch(ref); /* the same bytes */
    origin_asked(&t, "GET /k ");
    says(JSON, "{\"keys\":[" KEY("a") "]}");
    expect_fetches(ref, 3, 0);
    assert_int_equal(keysets_view(sets, ref, now)->generation, generation);
    next_fetch(ref);
    origin_asked(&t, "GET /k ");
    says(JSON, "{\"keys\":[" KEY("b") "]}");
    expect_fetches(ref, 4, 0);
    assert_true(has(ref, "b") && !has(ref, "a"));
}

static void an_unknown_kid_fetches_early(void **state)
{
    (void)state;
    struct keyset_ref ref = hold(KEYSET_URL, "/k");
    origin_asked(&t, "GET /k ");
    says(JSON, "{\"keys\":[" KEY("a") "]}");
    expect_fetches(ref, 1, 0);
    now += 5000;
    assert_int_equal(keysets_ask(sets, ref, SV("b"), now), KEYSET_WAIT);
    origin_asked(&t, "GET /k ");
    says(JSON, "{\"keys\":[" KEY("a") "," KEY("b") "]}");
    expect_fetches(ref, 2, 0);
    assert_true(has(ref, "b"));
    assert_int_equal(status_of(ref).early, 1);
}

/* --- the bad ones -------------------------------------------------------------- */
static void whatever_the_issuer_says_known_keys_stay(void **state)
{
    static const struct {
        const char *answer, *problem;
    } cases[] = {
        { "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
          "HTTP 302: redirects are not followed" },
        { "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "HTTP 500" },
        { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404" },
        { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
          "Content-Length: 2\r\n\r\n{}",
          "the answer's Content-Type is not JSON" },
        { "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
          "Content-Length: 2\r\n\r\n{}",
          "the answer is compressed" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html></h",
          "no usable keys: " },
        { "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"keys\":[{}]",
          "no usable keys: " },
        { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"keys\":[]}",
          "no usable keys: " },
        { "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n",
          "the answer is larger than allowed" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\"", "" },
        { "nonsense\r\n\r\n", "" },
        { "HTTP/1.1 304 Not Modified\r\n\r\n",
          "HTTP 304: redirects are not followed" },
        { "", "" },
    };
    (void)state;
    struct keyset_ref ref = hold(KEYSET_URL, "/k");
    origin_asked(&t, "GET /k ");
    says(JSON, "{\"keys\":[" KEY("a") "]}");
    expect_fetches(ref, 1, 0);
    const struct keyset_image *image = keysets_view(sets, ref, now);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        next_fetch(ref);
        origin_asked(&t, "GET /k ");
        origin_says(&t, cases[i].answer);
        if (!cases[i].answer[0]) { /* an idempotent call is tried twice */
            wire_fini(&t.wire);
        }
        expect_fetches(ref, 1, i + 1);
        assert_ptr_equal(keysets_view(sets, ref, now), image);
        assert_int_equal(strncmp(status_of(ref).problem, cases[i].problem,
                                 strlen(cases[i].problem)),
                         0);
        assert_int_not_equal(status_of(ref).problem[0], '\0');
    }
    next_fetch(ref);
    origin_asked(&t, "GET /k ");
    says(JSON, "{\"keys\":[" KEY("a") "]}");
    expect_fetches(ref, 2, ARRAY_LEN(cases));
    assert_string_equal(status_of(ref).problem, "");
}

static void a_slow_issuer_is_given_up(void **state)
{
    (void)state;
    struct keyset_ref ref = hold(KEYSET_URL, "/k");
    origin_asked(&t, "GET /k ");
    pump_ms(&t.kit, 1200);
    expect_fetches(ref, 0, 1);
    assert_string_equal(status_of(ref).problem,
                        "no whole answer within 1000 ms");
}

static void an_issuer_that_is_down_is_tried_again(void **state)
{
    (void)state;
    close(t.listener);
    struct keyset_ref ref = hold(KEYSET_URL, "/k");
    expect_fetches(ref, 0, 1);
    next_fetch(ref);
    expect_fetches(ref, 0, 2);
    t.listener = dup(STDERR_FILENO);
}

static void a_set_may_be_dropped_while_it_is_fetched(void **state)
{
    (void)state;
    struct keyset_ref a = hold(KEYSET_URL, "/a");
    origin_asked(&t, "GET /a ");
    keysets_drop(sets, a);
    says(JSON, "{\"keys\":[" KEY("a") "]}");
    struct keyset_ref b = hold(KEYSET_URL, "/b");
    origin_asked(&t, "GET /b ");
    says(JSON, "{\"keys\":[" KEY("b") "]}");
    expect_fetches(b, 1, 0);
    assert_null(keysets_view(sets, a, now));
}

/* tear_down ends it. */
static void the_end_may_come_while_a_set_is_fetched(void **state)
{
    (void)state;
    hold(KEYSET_URL, "/a");
    hold(KEYSET_URL, "/b");
    origin_asked(&t, "GET /");
    wire_send(&t.wire, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n");
    pump_turns(&t.kit, 3);
}

/* --- discovery -------------------------------------------------------------------- */
static void describe(const char *issuer, const char *keys)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"issuer\":\"%s%s\",\"jwks_uri\":\"%s%s\",\"x\":[1]}", base,
             issuer, base, keys);
    says(JSON, text);
}

static void an_issuer_is_asked_where_its_keys_are(void **state)
{
    (void)state;
    struct keyset_ref ref = hold(KEYSET_DISCOVERY, "/t1/");
    origin_asked(&t, "GET /t1/.well-known/openid-configuration HTTP/1.1\r\n");
    describe("/t1/", "/keys");
    origin_asked(&t, "GET /keys ");
    says(JSON, "{\"keys\":[" KEY("a") "]}");
    expect_fetches(ref, 1, 0);
    assert_true(has(ref, "a"));
    next_fetch(ref); /* where they are is known now */
    origin_asked(&t, "GET /keys ");
    origin_says(&t, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    expect_fetches(ref, 1, 1);
    next_fetch(ref); /* but not after a failure */
    origin_asked(&t, "GET /t1/.well-known/openid-configuration ");
    describe("/t1/", "/keys2");
    origin_asked(&t, "GET /keys2 ");
    says(JSON, "{\"keys\":[" KEY("b") "]}");
    expect_fetches(ref, 2, 1);
    assert_true(has(ref, "b"));
}

static void an_issuer_must_be_exactly_itself(void **state)
{
    (void)state;
    struct keyset_ref ref = hold(KEYSET_DISCOVERY, "/t1");
    origin_asked(&t, "GET /t1/.well-known/openid-configuration ");
    describe("/t1/", "/keys");
    expect_fetches(ref, 0, 1);
    assert_string_equal(
        status_of(ref).problem,
        "discovery: the issuer's description is another issuer's");
}

static void a_description_says_precisely_what_it_lacks(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "{\"issuer\":\"https://i\",\"jwks_uri\":\"https://i/k\"}", NULL },
        { "", "the issuer's description is not strict JSON" },
        { "[]", "the issuer's description names no issuer" },
        { "{\"issuer\":1}", "the issuer's description names no issuer" },
        { "{\"issuer\":\"https://i/\"}",
          "the issuer's description is another issuer's" },
        { "{\"issuer\":\"https://i\"}",
          "the issuer's description has no usable jwks_uri" },
        { "{\"issuer\":\"https://i\",\"jwks_uri\":\"/k\"}",
          "the issuer's description has no usable jwks_uri" },
        { "{\"issuer\":\"https://i\",\"jwks_uri\":\"http://i/k\"}",
          "the jwks_uri is plain HTTP, which is not allowed" },
        { "{\"issuer\":\"https://i\",\"jwks_uri\":\"https://i/k\","
          "\"jwks_uri\":\"https://j/k\"}",
          "the issuer's description is not strict JSON" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char url[URL_BYTES_MAX];
        size_t n;
        const char *why = discovery_decode(sv_cstr(cases[i].text),
                                           SV("https://i"), false, url, &n);
        if (cases[i].why)
            assert_string_equal(why, cases[i].why);
        else
            assert_null(why);
        assert_true(
            sv_eq(sv_of(url, n), cases[i].why ? SV("") : SV("https://i/k")));
    }
}

static void descriptions_lie_below_their_issuer(void **state)
{
    static const char *const cases[][2] = {
        { "https://i", "https://i/.well-known/openid-configuration" },
        { "https://i/", "https://i/.well-known/openid-configuration" },
        { "https://i/a/b", "https://i/a/b/.well-known/openid-configuration" },
        { "https://i?x=/", "" },
        { "i.example", "" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char url[URL_BYTES_MAX];
        size_t n = discovery_url(sv_cstr(cases[i][0]), url);
        assert_true(sv_eq(sv_of(url, n), sv_cstr(cases[i][1])));
    }
}

#define KEYS_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYS_TEST(keys_are_fetched_and_read),
        KEYS_TEST(what_has_not_changed_is_not_read_again),
        KEYS_TEST(an_unknown_kid_fetches_early),
        KEYS_TEST(whatever_the_issuer_says_known_keys_stay),
        KEYS_TEST(a_slow_issuer_is_given_up),
        KEYS_TEST(an_issuer_that_is_down_is_tried_again),
        KEYS_TEST(a_set_may_be_dropped_while_it_is_fetched),
        KEYS_TEST(the_end_may_come_while_a_set_is_fetched),
        KEYS_TEST(an_issuer_is_asked_where_its_keys_are),
        KEYS_TEST(an_issuer_must_be_exactly_itself),
        cmocka_unit_test(a_description_says_precisely_what_it_lacks),
        cmocka_unit_test(descriptions_lie_below_their_issuer),
    };
    return cmocka_run_group_tests_name("reach/key_set", tests, NULL, NULL);
}
