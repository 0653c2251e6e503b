/* What binds a JWT to its sender, through both doors: the step behind the
 * check of the token, and what it must not do twice. */
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
#include "codec/digest.h"
#include "codec/dpop.h"
#include "codec/http1.h"
#include "codec/jws_sign.h"
#include "plan_fixture.h"

enum { NOW_S = 1800000000 };
#define SECRET "a secret of thirty-two bytes, ok"

static struct {
    struct plan *plan;
    struct check_env env;
    char dir[64];
    int64_t wall_ms;
    struct keyset_ref keys;
    struct jws_signer *signer;
    struct sv claim;
    uint32_t retry_after_s;
} w;

static int64_t wall(void)
{
    return w.wall_ms;
}

static void publish(const char *jwt, const char *auth)
{
    static char text[512];
    snprintf(text, sizeof text, "\"keyType\":\"jwt\"%s", auth);
    struct plan_fixture f = { .num = 1,
                              .domain = "a.example",
                              .auth = text,
                              .jwt = jwt,
                              .quota_slot = UINT32_MAX,
                              .keysets = &w.keys,
                              .keysets_n = 1 };
    plan_fixture_publish(w.plan, &f);
}

static void live_begin(void)
{
    char problem[256];
    struct counters_conf counters = { .dir = w.dir };
    assert_int_equal(counters_open(&w.env.counters, &counters, problem), 0);
    struct tokens_conf tokens = { .max = 1 << 20, .counters = w.env.counters };
    assert_int_equal(tokens_new(&w.env.tokens, &tokens), 0);
    struct subjects_conf subjects = { .dir = w.dir,
                                      .max = 1024,
                                      .counters = w.env.counters,
                                      .tokens = w.env.tokens };
    assert_int_equal(subjects_open(&w.env.subjects, &subjects, problem), 0);
}

static void keys_begin(void)
{
    char text[256];
    struct jwk_why why;
    struct keysets_conf conf = { .lanes = 1 };
    assert_int_equal(keysets_new(&w.env.keysets, &conf), 0);
    snprintf(text, sizeof text, "{\"kty\":\"oct\",\"k\":\"%s\"}",
             b64_text(SECRET));
    struct keyset_source src = { KEYSET_INLINE, sv_cstr(text), 0, 0, 0 };
    assert_int_equal(keysets_hold(w.env.keysets, &src, &w.keys, &why), 0);
}

static int setup(void **state)
{
    uint8_t seed[JWS_SEED_BYTES] = { 7 };
    kit_start(state);
    memset(&w, 0, sizeof w);
    strcpy(w.dir, "/tmp/typeauth-binding-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    w.wall_ms = (int64_t)NOW_S * 1000;
    live_begin();
    keys_begin();
    struct jwt_check_conf conf = { 1, 1 << 20 };
    w.env.jwt = jwt_lanes_new(&conf);
    w.env.replay = replay_new(16);
    w.env.wall_ms = wall;
    w.env.node_ms = clock_node_ms;
    assert_int_equal(plan_new(&w.plan, 1), 0);
    w.env.plan = w.plan;
    return jws_signer_new(&w.signer, JOSE_ES256, seed, 1);
}

static int teardown(void **state)
{
    char command[96];
    jws_signer_free(&w.signer);
    keysets_drop(w.env.keysets, w.keys);
    plan_free(&w.plan);
    jwt_lanes_free(&w.env.jwt, 1);
    replay_free(&w.env.replay);
    keysets_free(&w.env.keysets);
    subjects_close(&w.env.subjects);
    tokens_free(&w.env.tokens);
    counters_close(&w.env.counters);
    snprintf(command, sizeof command, "rm -rf %s", w.dir);
    (void)!system(command);
    return kit_end(state);
}

/* --- asking ------------------------------------------------------------------ */

static struct sv token_of(const char *payload)
{
    return hs256("{\"alg\":\"HS256\"}", payload, SV(SECRET));
}

static struct sv bound_token(void)
{
    return token_of(arena_printf(&kit, "{\"cnf\":{\"jkt\":\"%.*s\"}}",
                                 SV_FMT(jws_signer_kid(w.signer)))
                        .p);
}

static struct sv proof_of(struct sv token, const char *jti, const char *htm)
{
    uint8_t digest[SHA256_BYTES], signature[JWS_SIGNED_BYTES];
    sha256(token, digest);
    struct sv header = arena_printf(
        &kit, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":%.*s}",
        SV_FMT(jws_signer_jwk(w.signer)));
    struct sv payload = arena_printf(
        &kit,
        "{\"jti\":\"%s\",\"htm\":\"%s\",\"htu\":\"http://a.example/x\","
        "\"iat\":%d,\"ath\":\"%s\"}",
        jti, htm, NOW_S, b64(sv_of(digest, sizeof digest)).p);
    struct sv input = input_of(header.p, payload.p);
    assert_int_equal(jws_signature_make(w.signer, 0, input, signature), 0);
    return token_with(input, sv_of(signature, sizeof signature));
}

struct asking {
    enum door door;
    struct sv token, proof;
    const char *scheme; /* NULL: DPoP */
    const uint8_t *certificate;
    bool peek, bound, has_client;
    const char *url; /* telemetry's; NULL: "http://a.example/x" */
};

static struct http_head *head_of(const struct asking *q)
{
    static struct http_head head;
    static char text[1 << 15];
    const struct http1_limits limits = { 30000, 30000, 64 };
    struct http1_refusal why;
    size_t searched = 0;
    snprintf(text, sizeof text,
             "GET /x?y=z HTTP/1.1\r\nHost: a.example\r\n"
             "Authorization: %s %.*s\r\n%s%.*s%s\r\n",
             q->scheme ? q->scheme : "DPoP", SV_FMT(q->token),
             q->proof.n ? "DPoP: " : "", SV_FMT(q->proof),
             q->proof.n ? "\r\n" : "");
    assert_true(
        http1_request_scan(sv_cstr(text), &searched, &limits, &head, &why) > 0);
    return &head;
}

static const yyjson_val *headers_of(const struct asking *q)
{
    yyjson_doc *doc;
    if (!q->proof.n) return NULL;
    struct sv text =
        arena_printf(&kit, "{\"dpop\":\"%.*s\"}", SV_FMT(q->proof));
    assert_int_equal(json_decode(text, &kit, &doc, NULL), 0);
    return yyjson_doc_get_root(doc);
}

static enum reason ask(const struct asking *q)
{
    struct arena a;
    bool proxy = q->door == DOOR_PROXY;
    arena_init(&a, 1 << 16, NULL, 0);
    struct exchange x = {
        .env = &w.env,
        .door = q->door,
        .arena = &a,
        .head = proxy ? head_of(q) : NULL,
        .headers = proxy ? NULL : headers_of(q),
        .scheme = SV("http"),
        .host = SV("a.example"),
        .method = SV("GET"),
        .url = q->url ? sv_cstr(q->url) : SV("http://a.example/x"),
        .credential = q->token,
        .certificate = q->certificate,
        .cost = 1,
        .peek = q->peek,
        .bound = q->bound,
        .plan = plan_match(w.plan, SV("a.example")),
    };
    if (q->has_client)
        x.has_client = ip_parse(SV("203.0.113.1"), &x.client) == 0;
    enum verdict v = chain_run(&x);
    ENSURE((v == VERDICT_PASS) == (x.reason == REASON_NONE));
    w.claim = x.claim.n ? arena_dup(&kit, x.claim) : SV("");
    w.retry_after_s = x.take.retry_after_s;
    arena_fini(&a);
    return x.reason;
}

static void must(const struct asking *q, enum reason reason, const char *claim)
{
    enum reason got = ask(q);
    if (got != reason || !sv_eq(w.claim, sv_cstr(claim)))
        fail_msg("%s of %.*s, not %s of %s", reason_rows[got].code,
                 SV_FMT(w.claim), reason_rows[reason].code, claim);
}

/* --- tests ------------------------------------------------------------------- */

static void a_proof_passes_once_at_either_door(void **state)
{
    (void)state;
    publish("\"binding\":\"dpop\"", "");
    for (enum door door = 0; door < DOOR_COUNT; door++) {
        struct asking q = { .door = door, .token = bound_token() };
        must(&q, REASON_INVALID_PROOF, "");
        q.proof = proof_of(q.token, door ? "b" : "a", "GET");
        must(&q, REASON_NONE, "");
        must(&q, REASON_INVALID_PROOF, "jti");
        q.proof = proof_of(q.token, "c", "POST");
        must(&q, REASON_INVALID_PROOF, "htm");
        q.token = token_of("{\"sub\":\"a\"}");
        must(&q, REASON_MISSING_CLAIM, "cnf");
        q.token = token_of("{\"cnf\":{\"jkt\":\"short\"}}");
        must(&q, REASON_MISSING_CLAIM, "cnf");
        q.token = token_of("{\"cnf\":\"jkt\"}");
        must(&q, REASON_MISSING_CLAIM, "cnf");
    }
}

static void a_bound_token_is_no_bearer_token(void **state)
{
    (void)state;
    publish("\"binding\":\"dpop\"", "");
    struct asking q = { .token = bound_token(), .scheme = "Bearer" };
    q.proof = proof_of(q.token, "a", "GET");
    must(&q, REASON_MISSING_TOKEN, "");
    q.scheme = "dpop";
    must(&q, REASON_NONE, "");
}

static void what_was_judged_before_a_wait_is_not_judged_again(void **state)
{
    (void)state;
    publish("\"binding\":\"dpop\"", "");
    struct asking q = { .token = bound_token() };
    q.proof = proof_of(q.token, "a", "GET");
    must(&q, REASON_NONE, "");
    q.bound = true; /* the chain begins anew behind its WAIT */
    must(&q, REASON_NONE, "");
}

static void a_question_that_takes_nothing_uses_no_proof_up(void **state)
{
    (void)state;
    publish("\"binding\":\"dpop\"", "");
    struct asking q = { .door = DOOR_VERIFY,
                        .token = bound_token(),
                        .peek = true };
    q.proof = proof_of(q.token, "a", "GET");
    must(&q, REASON_NONE, "");
    must(&q, REASON_NONE, "");
    q.peek = false;
    q.url = "/x?other";
    must(&q, REASON_NONE, "");
    must(&q, REASON_INVALID_PROOF, "jti");
    q.url = "";
    q.proof = proof_of(q.token, "b", "GET");
    must(&q, REASON_INVALID_PROOF, "htu");
}

static void a_full_memory_is_a_fault(void **state)
{
    (void)state;
    char jti[16];
    for (int open = 0; open < 2; open++) {
        enum reason full = REASON_NONE;
        publish("\"binding\":\"dpop\"",
                open ? ",\"onFault\":\"open\"" : ",\"onFault\":\"closed\"");
        struct asking q = { .token = bound_token() };
        for (int i = 0; i < 40 && full == REASON_NONE; i++) {
            snprintf(jti, sizeof jti, "%d %d", open, i);
            q.proof = proof_of(q.token, jti, "GET");
            full = ask(&q);
        }
        assert_int_equal(full, open ? REASON_NONE : REASON_CHECK_UNAVAILABLE);
    }
}

static void forged_proofs_spend_their_senders_budget(void **state)
{
    (void)state;
    publish("\"binding\":\"dpop\"", "");
    struct asking q = { .token = bound_token(), .has_client = true };
    struct sv good = proof_of(q.token, "a", "GET");
    char *bent = (char *)(uintptr_t)arena_dup(&kit, good).p;
    enum reason reason = REASON_INVALID_PROOF;
    bent[good.n - 20] = bent[good.n - 20] == 'A' ? 'B' : 'A';
    q.proof = sv_of(bent, good.n);
    unsigned n = 0;
    for (; n < 2000 && reason == REASON_INVALID_PROOF; n++) reason = ask(&q);
    assert_int_equal(reason, REASON_RATE_LIMITED);
    assert_in_range(n, FAILURES_BURST, 10 * FAILURES_BURST);
    assert_int_equal(w.retry_after_s, 1);
}

static void a_certificate_must_be_the_tokens(void **state)
{
    (void)state;
    uint8_t mine[32] = { 1, 2, 3 }, other[32] = { 1, 2, 4 };
    publish("\"binding\":\"certificate\"", "");
    struct sv bound =
        token_of(arena_printf(&kit, "{\"cnf\":{\"x5t#S256\":\"%s\"}}",
                              b64(sv_of(mine, sizeof mine)).p)
                     .p);
    for (enum door door = 0; door < DOOR_COUNT; door++) {
        struct asking q = { .door = door, .token = bound, .scheme = "Bearer" };
        must(&q, REASON_INVALID_TOKEN, "");
        q.certificate = other;
        must(&q, REASON_INVALID_TOKEN, "");
        q.certificate = mine;
        must(&q, REASON_NONE, "");
        must(&q, REASON_NONE, "");
        q.token = token_of("{\"cnf\":{\"x5t\":\"AQID\"}}");
        must(&q, REASON_MISSING_CLAIM, "cnf");
    }
}

static void a_bearer_profile_does_not_look_at_cnf(void **state)
{
    (void)state;
    publish("", "");
    struct asking q = { .token = bound_token(), .scheme = "Bearer" };
    must(&q, REASON_NONE, "");
    q.scheme = "DPoP";
    must(&q, REASON_MISSING_TOKEN, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_proof_passes_once_at_either_door),
        T(a_bound_token_is_no_bearer_token),
        T(what_was_judged_before_a_wait_is_not_judged_again),
        T(a_question_that_takes_nothing_uses_no_proof_up),
        T(a_full_memory_is_a_fault),
        T(forged_proofs_spend_their_senders_budget),
        T(a_certificate_must_be_the_tokens),
        T(a_bearer_profile_does_not_look_at_cnf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
