/* JWTs through both doors, on real key sets, caches, counters and subjects:
 * one driver, rows of data; then what outlives a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "../codec/jose_kit.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/epoch.h"
#include "check/jwt.h"
#include "codec/http1.h"
#include "plan_fixture.h"

enum { NOW_S = 1800000000 };

static struct {
    struct plan *plan;
    struct check_env env;
    char dir[64];
    int64_t wall_ms, node_ms;
    struct keyset_ref keys[JWT_KEYSETS_MAX];
    unsigned keys_n;
    struct plan_fixture fixture;
    /* what the last question left */
    struct sv claim;
    struct take_answer take;
    int64_t expires_ms;
    struct sv subject, scopes_header;
    struct token_view token;
} w;

static int64_t wall(void)
{
    return w.wall_ms;
}
static int64_t node(void)
{
    return w.node_ms;
}

static void keys_add(const char *text)
{
    struct keyset_source src = { KEYSET_INLINE, sv_cstr(text), 0, 0, 0 };
    struct jwk_why why;
    assert_int_equal(keysets_hold(w.env.keysets, &src, &w.keys[w.keys_n], &why),
                     0);
    w.keys_n++;
}

static void keys_drop(void)
{
    while (w.keys_n) keysets_drop(w.env.keysets, w.keys[--w.keys_n]);
}

static void publish(const char *auth, const char *jwt, const char *rules)
{
    static char text[1024];
    snprintf(text, sizeof text, "\"keyType\":\"jwt\"%s", auth);
    w.fixture = (struct plan_fixture){ .num = 1,
                                       .domain = "a.example",
                                       .auth = text,
                                       .jwt = jwt,
                                       .jwt_rules = rules,
                                       .quota_slot = UINT32_MAX,
                                       .keysets = w.keys,
                                       .keysets_n = w.keys_n };
    struct plan_app *app = plan_fixture_publish(w.plan, &w.fixture);
    if (app->jwt && app->jwt->needs_subject)
        assert_int_equal(subjects_reserve(w.env.subjects), 0);
}

static void subjects_begin(void)
{
    char problem[256];
    struct subjects_conf conf = { .dir = w.dir,
                                  .max = 1024,
                                  .counters = w.env.counters,
                                  .tokens = w.env.tokens };
    if (subjects_open(&w.env.subjects, &conf, problem)) fail_msg("%s", problem);
}

static void live_begin(void)
{
    char problem[256];
    struct counters_conf counters = { .dir = w.dir };
    assert_int_equal(counters_open(&w.env.counters, &counters, problem), 0);
    struct tokens_conf tokens = { .max = 1 << 20, .counters = w.env.counters };
    assert_int_equal(tokens_new(&w.env.tokens, &tokens), 0);
    subjects_begin();
}

static int setup(void **state)
{
    kit_start(state);
    memset(&w, 0, sizeof w);
    strcpy(w.dir, "/tmp/typeauth-jwt-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    w.wall_ms = (int64_t)NOW_S * 1000;
    w.node_ms = clock_node_ms();
    live_begin();
    struct keysets_conf keys = { .lanes = 1 };
    assert_int_equal(keysets_new(&w.env.keysets, &keys), 0);
    struct jwt_check_conf conf = { 1, 1 << 20 };
    w.env.jwt = jwt_lanes_new(&conf);
    w.env.wall_ms = wall;
    w.env.node_ms = node;
    assert_int_equal(plan_new(&w.plan, 1), 0);
    w.env.plan = w.plan;
    return 0;
}

static int teardown(void **state)
{
    char command[96];
    keys_drop();
    plan_free(&w.plan);
    jwt_lanes_free(&w.env.jwt, 1);
    keysets_free(&w.env.keysets);
    subjects_close(&w.env.subjects);
    tokens_free(&w.env.tokens);
    counters_close(&w.env.counters);
    snprintf(command, sizeof command, "rm -rf %s", w.dir);
    (void)!system(command);
    return kit_end(state);
}

/* --- asking ------------------------------------------------------------------ */

struct asking {
    enum door door;
    struct sv token;
    const char *fields; /* of the request, or telemetry's headers as JSON */
    const char *scope, *client;
    bool peek;
};

static struct http_head *head_of(const struct asking *ask)
{
    static struct http_head head;
    static char text[1 << 16];
    const struct http1_limits limits = { 60000, 60000, 64 };
    struct http1_refusal why;
    size_t searched = 0;
    snprintf(text, sizeof text,
             "GET / HTTP/1.1\r\nHost: a.example\r\n%s%.*s%s%s\r\n",
             ask->token.n ? "Authorization: Bearer " : "", SV_FMT(ask->token),
             ask->token.n ? "\r\n" : "", ask->fields ? ask->fields : "");
    assert_true(
        http1_request_scan(sv_cstr(text), &searched, &limits, &head, &why) > 0);
    return &head;
}

static const yyjson_val *telemetry_of(const struct asking *ask)
{
    yyjson_doc *doc;
    if (!ask->fields) return NULL;
    assert_int_equal(json_decode(sv_cstr(ask->fields), &kit, &doc, NULL), 0);
    return yyjson_doc_get_root(doc);
}

static enum verdict run(const struct asking *ask, struct exchange *x)
{
    char first[1024];
    struct arena a;
    struct sv scope = sv_cstr(ask->scope ? ask->scope : "");
    arena_init(&a, 1 << 16, first, sizeof first);
    bool proxy = ask->door == DOOR_PROXY;
    *x = (struct exchange){ .env = &w.env,
                            .door = ask->door,
                            .arena = &a,
                            .head = proxy ? head_of(ask) : NULL,
                            .headers = proxy ? NULL : telemetry_of(ask),
                            .credential = ask->token,
                            .cost = 1,
                            .peek = ask->peek,
                            .scopes = &scope,
                            .scopes_n = ask->scope ? 1 : 0,
                            .plan = plan_match(w.plan, SV("a.example")) };
    if (ask->client)
        x->has_client = ip_parse(sv_cstr(ask->client), &x->client) == 0;
    enum verdict v = chain_run(x);
    w.claim = x->claim.n ? arena_dup(&kit, x->claim) : SV("");
    w.take = x->take;
    w.expires_ms = x->token.expires_ms;
    w.subject = w.scopes_header = SV("");
    if (x->jwt && v == VERDICT_PASS) {
        w.subject = arena_dup(&kit, x->jwt->subject_header);
        w.scopes_header = arena_dup(&kit, x->jwt->scopes_header);
    }
    arena_fini(&a);
    return v;
}

static enum reason ask_with(const struct asking *ask)
{
    struct exchange x;
    enum verdict v = run(ask, &x);
    ENSURE((v == VERDICT_PASS) == (x.reason == REASON_NONE));
    return x.reason;
}

static enum reason ask(enum door door, struct sv token)
{
    return ask_with(&(struct asking){ .door = door, .token = token });
}

static struct sv hs(const char *payload)
{
    return hs256("{\"alg\":\"HS256\"}", payload, SV(HS_SECRET));
}

static struct jwt_stats *stats(void)
{
    return &w.env.jwt->stats;
}

static void must_be(const char *what, enum reason got, enum reason want)
{
    if (got != want)
        fail_msg("%s: %s, not %s", what, reason_rows[got].code,
                 reason_rows[want].code);
}

/* --- every refusal ------------------------------------------------------------ */

static const struct row {
    const char *says;
    const char *jwt, *rules; /* profile, application's rules */
    const char *header, *payload;
    enum reason reason;
    const char *claim;
} rows[] = {
#define FINE REASON_NONE, ""
#define MISSING(c) REASON_MISSING_CLAIM, c
#define WRONG(c) REASON_INVALID_CLAIM, c
    { "a signed token", "", NULL, NULL, "{}", FINE },
    { "another key", "", NULL, "bad", "{}", REASON_INVALID_SIGNATURE, "" },
    { "alg none", "", NULL, "{\"alg\":\"none\"}", "{}",
      REASON_INVALID_SIGNATURE, "" },
    { "an alg that the profile does not list", "\"algorithms\":[\"RS256\"]",
      NULL, NULL, "{}", REASON_INVALID_SIGNATURE, "" },
    { "a kid that no key has, of a nameless key", "", NULL,
      "{\"alg\":\"HS256\",\"kid\":\"../../etc/passwd\"}", "{}", FINE },
    { "crit", "", NULL, "{\"alg\":\"HS256\",\"crit\":[\"x\"],\"x\":1}", "{}",
      REASON_INVALID_SIGNATURE, "" },
    { "kid is demanded", "\"kid\":true", NULL, NULL, "{}", MISSING("kid") },
    { "kid is demanded and there", "\"kid\":true", NULL,
      "{\"alg\":\"HS256\",\"kid\":\"a\"}", "{}", FINE },
    { "no object", "", NULL, NULL, "[1]", WRONG("") },
    { "a member twice", "", NULL, NULL, "{\"a\":1,\"a\":1}", WRONG("") },
    { "expired", "", NULL, NULL, "{\"exp\":1799999999}", REASON_TOKEN_EXPIRED,
      "exp" },
    { "expires at this second", "", NULL, NULL, "{\"exp\":1800000000}",
      REASON_TOKEN_EXPIRED, "exp" },
    { "expires within the next", "", NULL, NULL, "{\"exp\":1800000000.5}",
      FINE },
    { "expired, within the skew", "\"rules\":{\"clock_skew\":60}", NULL, NULL,
      "{\"exp\":1799999941}", FINE },
    { "expired, at the skew's end", "\"rules\":{\"clock_skew\":60}", NULL, NULL,
      "{\"exp\":1799999940}", REASON_TOKEN_EXPIRED, "exp" },
    { "expired, not asked", "\"exp\":false", NULL, NULL, "{\"exp\":1}", FINE },
    { "exp demanded", "\"exp\":true", NULL, NULL, "{}", MISSING("exp") },
    { "exp demanded by the application", "", "{\"verify_exp\":true}", NULL,
      "{}", MISSING("exp") },
    { "exp ignored by the profile, judged for the application", "\"exp\":false",
      "{\"verify_exp\":true}", NULL, "{\"exp\":1}", REASON_TOKEN_EXPIRED,
      "exp" },
    { "exp is a text", "", NULL, NULL, "{\"exp\":\"1900000000\"}",
      WRONG("exp") },
    { "not yet", "", NULL, NULL, "{\"nbf\":1800000001}",
      REASON_TOKEN_NOT_ACTIVE, "nbf" },
    { "not yet, within the skew", "\"rules\":{\"clock_skew\":1}", NULL, NULL,
      "{\"nbf\":1800000001}", FINE },
    { "nbf demanded", "\"nbf\":true", NULL, NULL, "{}", MISSING("nbf") },
    { "issued in the future", "", NULL, NULL, "{\"iat\":1800000001}",
      REASON_TOKEN_NOT_ACTIVE, "iat" },
    { "the issuer", "\"issuer\":\"https://i\"", NULL, NULL,
      "{\"iss\":\"https://i\"}", FINE },
    { "another issuer", "\"issuer\":\"https://i\"", NULL, NULL,
      "{\"iss\":\"https://i/\"}", WRONG("iss") },
    { "no issuer", "\"issuer\":\"https://i\"", NULL, NULL, "{}",
      MISSING("iss") },
    { "an issuer in an array is none", "\"issuer\":\"https://i\"", NULL, NULL,
      "{\"iss\":[\"https://i\"]}", WRONG("iss") },
    { "one of two audiences", "\"audience\":[\"a\",\"b\"]", NULL, NULL,
      "{\"aud\":[\"x\",\"b\"]}", FINE },
    { "another audience", "\"audience\":[\"a\"]", NULL, NULL,
      "{\"aud\":\"ab\"}", WRONG("aud") },
    { "an empty audience", "\"audience\":[\"a\"]", NULL, NULL, "{\"aud\":[]}",
      WRONG("aud") },
    { "no audience", "\"audience\":\"a\"", NULL, NULL, "{}", MISSING("aud") },
#define REQUIRED(text) "\"rules\":{\"required_claims\":{" text "}}"
#define OPTIONAL(text) "\"rules\":{\"optional_claims\":{" text "}}"
    { "a claim", REQUIRED("\"role\":\"admin\""), NULL, NULL,
      "{\"role\":\"admin\"}", FINE },
    { "another value", REQUIRED("\"role\":\"admin\""), NULL, NULL,
      "{\"role\":\"Admin\"}", WRONG("role") },
    { "no such claim", REQUIRED("\"role\":\"admin\""), NULL, NULL, "{}",
      MISSING("role") },
    { "null is no claim", REQUIRED("\"role\":\"admin\""), NULL, NULL,
      "{\"role\":null}", MISSING("role") },
    { "any of", REQUIRED("\"role\":[\"a\",\"b\"]"), NULL, NULL,
      "{\"role\":\"b\"}", FINE },
    { "a member of an array", REQUIRED("\"role\":[\"a\",\"b\"]"), NULL, NULL,
      "{\"role\":[\"x\",\"a\"]}", FINE },
    { "no member of it", REQUIRED("\"role\":[\"a\",\"b\"]"), NULL, NULL,
      "{\"role\":[\"x\",[\"a\"]]}", WRONG("role") },
    { "a number", REQUIRED("\"level\":3"), NULL, NULL, "{\"level\":3.0}",
      FINE },
    { "a text is no number", REQUIRED("\"level\":3"), NULL, NULL,
      "{\"level\":\"3\"}", WRONG("level") },
    { "a truth", REQUIRED("\"ok\":true"), NULL, NULL, "{\"ok\":true}", FINE },
    { "an untruth", REQUIRED("\"ok\":true"), NULL, NULL, "{\"ok\":false}",
      WRONG("ok") },
    { "present", REQUIRED("\"x\":\"*\""), NULL, NULL, "{\"x\":false}", FINE },
    { "not present", REQUIRED("\"x\":\"*\""), NULL, NULL, "{\"y\":1}",
      MISSING("x") },
    { "nested", REQUIRED("\"a.b\":\"c\""), NULL, NULL, "{\"a\":{\"b\":\"c\"}}",
      FINE },
    { "nested in no object", REQUIRED("\"a.b\":\"c\""), NULL, NULL,
      "{\"a\":\"c\"}", MISSING("a.b") },
    { "at a path", "\"path\":[\"app\",\"meta\"]," REQUIRED("\"role\":\"a\""),
      NULL, NULL, "{\"app\":{\"meta\":{\"role\":\"a\"}}}", FINE },
    { "optional, absent", OPTIONAL("\"t\":\"1\""), NULL, NULL, "{}", FINE },
    { "optional, wrong", OPTIONAL("\"t\":\"1\""), NULL, NULL, "{\"t\":\"2\"}",
      WRONG("t") },
    { "both rules hold", REQUIRED("\"a\":\"1\""),
      "{\"required_claims\":{\"b\":\"2\"}}", NULL, "{\"a\":\"1\",\"b\":\"2\"}",
      FINE },
    { "the application's does not", REQUIRED("\"a\":\"1\""),
      "{\"required_claims\":{\"b\":\"2\"}}", NULL, "{\"a\":\"1\"}",
      MISSING("b") },
};

static struct sv token_of(const struct row *r)
{
    if (r->header && strcmp(r->header, "bad") == 0)
        return hs256("{\"alg\":\"HS256\"}", r->payload,
                     SV("another secret of thirty-two ch."));
    return r->header ? hs256(r->header, r->payload, SV(HS_SECRET))
                     : hs(r->payload);
}

static void each_rule_refuses_with_its_code_at_both_doors(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        publish("", r->jwt, r->rules);
        struct sv token = token_of(r);
        /* twice: as verified, and as remembered */
        for (int times = 0; times < 4; times++) {
            enum door door = times % 2 ? DOOR_VERIFY : DOOR_PROXY;
            must_be(r->says, ask(door, token), r->reason);
            assert_string_equal(w.claim.p, r->claim);
        }
    }
}

/* --- the credential --------------------------------------------------------------- */

static void several_different_credentials_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *auth, *fields;
        bool own;
        enum reason why;
    } cases[] = {
        { "", "", true, REASON_NONE },
        { "", "", false, REASON_MISSING_TOKEN },
        { "", "Authorization: Basic eDp5\r\n", false, REASON_MISSING_TOKEN },
        { "", "Authorization: Bearer x\r\n", true, REASON_INVALID_TOKEN },
        { ",\"tokenLocation\":{\"in\":\"header\",\"name\":\"X-Jwt\"}",
          "X-Jwt: x\r\n", true, REASON_INVALID_TOKEN },
        { ",\"tokenLocation\":{\"in\":\"header\",\"name\":\"X-Jwt\"}",
          "X-Jwt: x\r\nAuthorization: Basic eDp5\r\n", false,
          REASON_INVALID_SIGNATURE },
    };
    keys_add(HS_JWK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        publish(cases[i].auth, "", NULL);
        struct asking a = { .door = DOOR_PROXY, .fields = cases[i].fields };
        if (cases[i].own) a.token = hs("{}");
        must_be(cases[i].fields, ask_with(&a), cases[i].why);
    }
}

static void an_application_that_lost_its_profile_serves_nobody(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    publish("", NULL, NULL);
    must_be("proxy", ask(DOOR_PROXY, hs("{}")), REASON_NO_AUTHENTICATION);
    must_be("verify", ask(DOOR_VERIFY, hs("{}")), REASON_NO_AUTHENTICATION);
}

/* --- {dynamic} ------------------------------------------------------------------- */

static void a_dynamic_rule_is_judged_against_each_request(void **state)
{
    (void)state;
    static const struct {
        const char *claims, *fields, *headers;
        enum reason why;
    } cases[] = {
        { "{\"t\":\"a\"}", "X-Tenant: a\r\n", "{\"x-tenant\":\"a\"}",
          REASON_NONE },
        { "{\"t\":\"a\"}", "X-Tenant: b\r\n", "{\"X-Tenant\":[\"b\"]}",
          REASON_INVALID_CLAIM },
        { "{\"t\":\"a\"}", NULL, NULL, REASON_INVALID_CLAIM },
        { "{\"t\":\"a\"}", "X-Tenant: a\r\nX-Tenant: a\r\n",
          "{\"x-tenant\":[\"a\",\"a\"]}", REASON_INVALID_CLAIM },
        { "{\"t\":\"a\"}", "X-Tenant: a\r\nx-tenant: b\r\n",
          "{\"x-tenant\":\"a\",\"X-Tenant\":\"b\"}", REASON_INVALID_CLAIM },
        { "{\"t\":[\"x\",\"a\"]}", "X-Tenant: a\r\n", "{\"X-TENANT\":[\"a\"]}",
          REASON_NONE },
        { "{\"t\":42}", "X-Tenant: 42\r\n", "{\"X-Tenant\":\"42\"}",
          REASON_NONE },
        { "{\"t\":{}}", "X-Tenant: {}\r\n", "{\"X-Tenant\":\"{}\"}",
          REASON_INVALID_CLAIM },
        { "{}", "X-Tenant: a\r\n", "{\"X-Tenant\":\"a\"}",
          REASON_MISSING_CLAIM },
    };
    keys_add(HS_JWK);
    publish("", REQUIRED("\"t\":\"{X-Tenant}\""), NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int times = 0; times < 2; times++) {
            struct asking a = { .door = DOOR_PROXY,
                                .token = hs(cases[i].claims),
                                .fields = cases[i].fields };
            must_be(cases[i].claims, ask_with(&a), cases[i].why);
            a.door = DOOR_VERIFY;
            a.fields = cases[i].headers;
            must_be(cases[i].claims, ask_with(&a), cases[i].why);
        }
    publish("", OPTIONAL("\"t\":\"{X-Tenant}\""), NULL);
    must_be("optional", ask(DOOR_PROXY, hs("{}")), REASON_NONE);
}

/* --- what is remembered ------------------------------------------------------------ */

static void a_repeated_token_is_not_verified_again(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    publish("", "", NULL);
    struct sv token = hs("{\"sub\":\"u\",\"scope\":\"a b\"}");
    for (int i = 0; i < 10; i++) {
        must_be("again", ask(DOOR_PROXY, token), REASON_NONE);
        assert_string_equal(w.subject.p, "u");
        assert_string_equal(w.scopes_header.p, "a b");
    }
    assert_int_equal(stats()->misses, 1);
    assert_int_equal(stats()->hits, 9);
}

static void a_remembered_token_does_not_outlive_its_exp(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    publish("", "", NULL);
    struct sv token = hs("{\"exp\":1800000010,\"nbf\":1800000005}");
    must_be("early", ask(DOOR_PROXY, token), REASON_TOKEN_NOT_ACTIVE);
    w.wall_ms += 5000;
    must_be("due", ask(DOOR_PROXY, token), REASON_NONE);
    assert_int_equal(w.expires_ms, (NOW_S + 10) * 1000LL);
    w.wall_ms += 4999;
    must_be("last", ask(DOOR_VERIFY, token), REASON_NONE);
    w.wall_ms += 1;
    must_be("late", ask(DOOR_VERIFY, token), REASON_TOKEN_EXPIRED);
    assert_int_equal(stats()->misses, 1);
}

static void a_changed_rule_acts_on_a_remembered_token(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    publish("", "", NULL);
    struct sv token = hs("{\"role\":\"a\"}");
    must_be("before", ask(DOOR_PROXY, token), REASON_NONE);
    publish("", REQUIRED("\"role\":\"b\""), NULL);
    must_be("after", ask(DOOR_PROXY, token), REASON_INVALID_CLAIM);
    publish("", REQUIRED("\"role\":\"b\""),
            "{\"required_claims\":{\"x\":\"*\"}}");
    must_be("still", ask(DOOR_PROXY, token), REASON_INVALID_CLAIM);
    publish("", "", NULL);
    must_be("again", ask(DOOR_PROXY, token), REASON_NONE);
}

static void a_removed_key_acts_on_a_remembered_token(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    publish("", "", NULL);
    struct sv token = hs("{}");
    must_be("before", ask(DOOR_PROXY, token), REASON_NONE);
    /* the plan is still the old one: its key set is another's by now */
    keys_drop();
    keys_add("{\"kty\":\"oct\",\"k\":"
             "\"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE\"}");
    assert_true(ask(DOOR_PROXY, token) != REASON_NONE);
    publish("", "", NULL);
    must_be("after", ask(DOOR_PROXY, token), REASON_INVALID_SIGNATURE);
}

/* A fetched set, as the fetcher would put it. */
static void fetched(struct keyset_ref ref, const char *text)
{
    struct jwk_set *set;
    struct jwk_why why;
    struct keyset_due due;
    int64_t next;
    assert_true(keysets_due(w.env.keysets, w.node_ms, &due, &next));
    assert_int_equal(jwk_set_decode(sv_cstr(text), 1, &set, &why), 0);
    keysets_put(w.env.keysets, ref, set, 0, w.node_ms);
}

#define HS_NAMED(kid)                                        \
    "{\"kty\":\"oct\",\"kid\":\"" kid "\",\"k\":\"MDEyMzQ1N" \
    "jc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}"

static void remote(void)
{
    struct keyset_source src = { KEYSET_URL, SV("https://i/jwks"), 300, 60, 0 };
    struct jwk_why why;
    assert_int_equal(keysets_hold(w.env.keysets, &src, &w.keys[0], &why), 0);
    w.keys_n = 1;
}

static struct sv named(const char *kid)
{
    struct sv header =
        arena_printf(&kit, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid);
    return hs256(header.p, "{}", SV(HS_SECRET));
}

static void a_key_that_left_holds_for_its_grace_and_no_longer(void **state)
{
    (void)state;
    remote();
    publish("", "", NULL);
    fetched(w.keys[0], HS_NAMED("old"));
    must_be("present", ask(DOOR_PROXY, named("old")), REASON_NONE);
    w.node_ms += 301000;
    fetched(w.keys[0], HS_NAMED("new"));
    must_be("in grace", ask(DOOR_PROXY, named("old")), REASON_NONE);
    must_be("new", ask(DOOR_PROXY, named("new")), REASON_NONE);
    w.node_ms += 59000;
    must_be("in grace", ask(DOOR_PROXY, named("old")), REASON_NONE);
    w.node_ms += 1001;
    struct exchange x;
    struct asking a = { .door = DOOR_PROXY, .token = named("old") };
    assert_int_not_equal(run(&a, &x), VERDICT_PASS);
    must_be("new", ask(DOOR_PROXY, named("new")), REASON_NONE);
}

static void an_unknown_kid_waits_for_a_fetch_and_passes_with_it(void **state)
{
    (void)state;
    struct exchange x;
    struct asking a = { .door = DOOR_PROXY, .token = named("new") };
    remote();
    publish("", "", NULL);
    assert_int_equal(run(&a, &x), VERDICT_WAIT); /* no image at all */
    assert_int_equal(x.retry_ms, 20);
    fetched(w.keys[0], HS_NAMED("old"));
    w.node_ms += 61000;
    assert_int_equal(run(&a, &x), VERDICT_WAIT);
    fetched(w.keys[0], "{\"keys\":[" HS_NAMED("old") "," HS_NAMED("new") "]}");
    assert_int_equal(run(&a, &x), VERDICT_PASS);
    a.token = named("never");
    assert_int_equal(run(&a, &x), VERDICT_DENY);
    must_be("never", x.reason, REASON_INVALID_SIGNATURE);
}

static void without_any_keys_on_fault_decides(void **state)
{
    (void)state;
    remote();
    for (int open = 0; open < 2; open++) {
        publish(open ? ",\"onFault\":\"open\"" : "", "", NULL);
        struct keyset_due due;
        int64_t next;
        struct exchange x;
        struct asking a = { .door = DOOR_PROXY, .token = named("a") };
        for (int i = 0; i < 3 && run(&a, &x) == VERDICT_WAIT; i++)
            if (keysets_due(w.env.keysets, w.node_ms, &due, &next))
                keysets_failed(w.env.keysets, w.keys[0], "down", w.node_ms);
        assert_int_equal(run(&a, &x), open ? VERDICT_PASS : VERDICT_DENY);
        if (!open) must_be("closed", x.reason, REASON_CHECK_UNAVAILABLE);
        assert_int_equal(x.faults, open);
    }
}

/* --- floods ------------------------------------------------------------------------- */

static void forged_tokens_spend_their_senders_budget_alone(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    publish("", "", NULL);
    struct sv known = hs("{\"sub\":\"known\"}");
    struct asking honest = { .door = DOOR_PROXY,
                             .token = known,
                             .client = "192.0.2.1" };
    must_be("honest", ask_with(&honest), REASON_NONE);
    for (int i = 0; i < 40; i++) {
        struct sv payload = arena_printf(&kit, "{\"n\":%d}", i);
        struct asking forged = { .door = DOOR_PROXY, .client = "192.0.2.1" };
        forged.token = hs256("{\"alg\":\"HS256\"}", payload.p,
                             SV("another secret of thirty-two ch."));
        must_be("forged", ask_with(&forged),
                i < FAILURES_BURST ? REASON_INVALID_SIGNATURE
                                   : REASON_RATE_LIMITED);
    }
    must_be("remembered", ask_with(&honest), REASON_NONE);
    honest.token = hs("{\"sub\":\"not yet known\"}");
    must_be("same address", ask_with(&honest), REASON_RATE_LIMITED);
    honest.client = "192.0.2.2";
    must_be("another address", ask_with(&honest), REASON_NONE);
    honest.client = "192.0.2.1";
    honest.token = hs("{\"sub\":\"later\"}");
    w.node_ms += FAILURE_MS;
    must_be("later", ask_with(&honest), REASON_NONE);
}

/* --- scopes --------------------------------------------------------------------------- */

static void scopes_come_from_three_claims(void **state)
{
    (void)state;
    static const struct {
        const char *claims, *scope;
        bool held;
    } cases[] = {
        { "{\"scope\":\"a b\"}", "b", true },
        { "{\"scope\":\"a b\"}", "a b", false },
        { "{\"scp\":\"a  c\"}", "c", true },
        { "{\"scp\":[\"a\",\"c\"]}", "c", true },
        { "{\"permissions\":[\"x:y z\"]}", "x:y z", true },
        { "{\"permissions\":\"x\"}", "x", false },
        { "{\"scope\":[\"a\"],\"scp\":[1],\"permissions\":{}}", "b", false },
        { "{\"scope\":\"a\",\"scp\":\"b\",\"permissions\":[\"c\"]}", "c",
          true },
    };
    keys_add(HS_JWK);
    publish("", "", NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int times = 0; times < 2; times++) {
            struct asking a = { .door = DOOR_VERIFY,
                                .token = hs(cases[i].claims),
                                .scope = cases[i].scope };
            must_be(cases[i].claims, ask_with(&a),
                    cases[i].held ? REASON_NONE : REASON_INSUFFICIENT_SCOPE);
        }
}

/* --- counting by subject ---------------------------------------------------------------- */

#define LIMIT_2 ",\"ratelimit\":{\"limit\":2,\"timeWindow\":60}"

static void limits_count_by_issuer_and_subject(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    publish(LIMIT_2, "", NULL);
    struct sv a = hs("{\"sub\":\"a\"}"), a2 = hs("{\"sub\":\"a\",\"x\":1}"),
              b = hs("{\"sub\":\"b\"}"),
              other = hs("{\"sub\":\"a\",\"iss\":\"i\"}");
    must_be("a", ask(DOOR_PROXY, a), REASON_NONE);
    must_be("a again", ask(DOOR_VERIFY, a2), REASON_NONE);
    must_be("a third", ask(DOOR_PROXY, a), REASON_RATE_LIMITED);
    assert_true(w.take.retry_after_s > 0);
    must_be("a third", ask(DOOR_PROXY, a2), REASON_RATE_LIMITED);
    must_be("b", ask(DOOR_PROXY, b), REASON_NONE);
    must_be("a of another issuer", ask(DOOR_PROXY, other), REASON_NONE);
    w.node_ms += 70000;
    must_be("a later", ask(DOOR_PROXY, a), REASON_NONE);
}

static void who_has_no_subject_cannot_be_counted(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    publish(LIMIT_2, "", NULL);
    must_be("no sub", ask(DOOR_PROXY, hs("{}")), REASON_MISSING_CLAIM);
    assert_string_equal(w.claim.p, "sub");
    must_be("empty", ask(DOOR_PROXY, hs("{\"sub\":\"\"}")),
            REASON_MISSING_CLAIM);
    publish(LIMIT_2 ",\"identityClaim\":\"org.id\"", "", NULL);
    must_be("no org", ask(DOOR_PROXY, hs("{\"sub\":\"a\"}")),
            REASON_MISSING_CLAIM);
    assert_string_equal(w.claim.p, "org.id");
    for (int i = 0; i < 3; i++) {
        struct sv payload =
            arena_printf(&kit, "{\"sub\":\"%d\",\"org\":{\"id\":7}}", i);
        must_be("org", ask(DOOR_PROXY, hs(payload.p)),
                i < 2 ? REASON_NONE : REASON_RATE_LIMITED);
    }
    publish("", "", NULL);
    must_be("nothing counts", ask(DOOR_PROXY, hs("{}")), REASON_NONE);
}

static void a_later_refusal_gives_the_subjects_quota_back(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    publish(",\"remaining\":2", "", NULL);
    struct asking a = { .door = DOOR_PROXY, .token = hs("{\"sub\":\"a\"}") };
    a.scope = "s";
    for (int i = 0; i < 5; i++)
        must_be("scope", ask_with(&a), REASON_INSUFFICIENT_SCOPE);
    a.scope = NULL;
    a.peek = true;
    for (int i = 0; i < 5; i++) must_be("peek", ask_with(&a), REASON_NONE);
    a.peek = false;
    must_be("one", ask_with(&a), REASON_NONE);
    assert_int_equal(w.take.quota_remaining, 1);
    must_be("two", ask_with(&a), REASON_NONE);
    must_be("three", ask_with(&a), REASON_QUOTA_EXHAUSTED);
}

static void subjects_and_their_counts_survive_a_restart(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    publish(",\"remaining\":3" LIMIT_2, "", NULL);
    struct sv a = hs("{\"sub\":\"a\"}");
    must_be("one", ask(DOOR_PROXY, a), REASON_NONE);
    must_be("two", ask(DOOR_PROXY, a), REASON_NONE);
    plan_free(&w.plan);
    subjects_close(&w.env.subjects);
    tokens_free(&w.env.tokens);
    counters_close(&w.env.counters);
    live_begin();
    assert_int_equal(plan_new(&w.plan, 1), 0);
    publish(",\"remaining\":3" LIMIT_2, "", NULL);
    must_be("limit", ask(DOOR_PROXY, a), REASON_RATE_LIMITED);
    w.node_ms += 70000;
    must_be("three", ask(DOOR_PROXY, a), REASON_NONE);
    w.node_ms += 70000;
    must_be("four", ask(DOOR_PROXY, a), REASON_QUOTA_EXHAUSTED);
}

static void a_quota_of_the_application_needs_no_subject(void **state)
{
    (void)state;
    keys_add(HS_JWK);
    uint32_t slot = tokens_slot_take(w.env.tokens);
    assert_int_equal(counters_slot_init(w.env.counters, slot, 77), 0);
    w.fixture =
        (struct plan_fixture){ .num = 1,
                               .domain = "a.example",
                               .jwt = "",
                               .quota_slot = slot,
                               .quota_tag = 77,
                               .keysets = w.keys,
                               .keysets_n = 1,
                               .auth = "\"keyType\":\"jwt\",\"remaining\":2,"
                                       "\"remainingScope\":\"application\"" };
    plan_fixture_publish(w.plan, &w.fixture);
    must_be("one", ask(DOOR_PROXY, hs("{\"sub\":\"a\"}")), REASON_NONE);
    must_be("two", ask(DOOR_VERIFY, hs("{}")), REASON_NONE);
    must_be("three", ask(DOOR_PROXY, hs("{\"sub\":\"b\"}")),
            REASON_QUOTA_EXHAUSTED);
}

#define JWT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JWT_TEST(each_rule_refuses_with_its_code_at_both_doors),
        JWT_TEST(several_different_credentials_are_refused),
        JWT_TEST(an_application_that_lost_its_profile_serves_nobody),
        JWT_TEST(a_dynamic_rule_is_judged_against_each_request),
        JWT_TEST(a_repeated_token_is_not_verified_again),
        JWT_TEST(a_remembered_token_does_not_outlive_its_exp),
        JWT_TEST(a_changed_rule_acts_on_a_remembered_token),
        JWT_TEST(a_removed_key_acts_on_a_remembered_token),
        JWT_TEST(a_key_that_left_holds_for_its_grace_and_no_longer),
        JWT_TEST(an_unknown_kid_waits_for_a_fetch_and_passes_with_it),
        JWT_TEST(without_any_keys_on_fault_decides),
        JWT_TEST(forged_tokens_spend_their_senders_budget_alone),
        JWT_TEST(scopes_come_from_three_claims),
        JWT_TEST(limits_count_by_issuer_and_subject),
        JWT_TEST(who_has_no_subject_cannot_be_counted),
        JWT_TEST(a_later_refusal_gives_the_subjects_quota_back),
        JWT_TEST(subjects_and_their_counts_survive_a_restart),
        JWT_TEST(a_quota_of_the_application_needs_no_subject),
    };
    clock_node_start(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
