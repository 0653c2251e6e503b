/* JWTs at both doors: what the origin learns, what a refusal shows, waiting
 * for keys, streams that outlive their key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "doors_kit.h"
#include "../codec/jose_kit.h"

static struct keyset_ref keys;

static int setup(void **state)
{
    kit_start(state);
    return house_setup(state);
}

static int teardown(void **state)
{
    house_teardown(state);
    return kit_end(state);
}

static void hold(enum keyset_kind kind, const char *text)
{
    struct keyset_source src = { kind, sv_cstr(text), 300, 0, 0 };
    struct jwk_why why;
    assert_int_equal(keysets_hold(house.keysets, &src, &keys, &why), 0);
}

static void publish(const char *jwt, const char *auth, const char *more)
{
    static char text[512];
    snprintf(text, sizeof text, "\"keyType\":\"jwt\"%s", auth);
    struct plan_fixture f = { .domain = "a.test",
                              .origin = house.origin_url,
                              .more = more,
                              .auth = text,
                              .num = 1,
                              .jwt = jwt,
                              .keysets = &keys,
                              .keysets_n = 1,
                              .quota_slot = UINT32_MAX };
    plan_fixture_publish(house.plan, &f);
}

static struct sv signed_by(const char *kid, const char *payload)
{
    struct sv header = kid ? arena_printf(&kit,
                                          "{\"alg\":\"HS256\",\"kid\":"
                                          "\"%s\"}",
                                          kid)
                           : SV("{\"alg\":\"HS256\"}");
    return hs256(header.p, payload, SV(HS_SECRET));
}

static struct sv request_with(struct sv token, const char *fields)
{
    return arena_printf(&kit,
                        "GET /x HTTP/1.1\r\nHost: a.test\r\n%s"
                        "Authorization: Bearer %.*s\r\n\r\n",
                        fields, SV_FMT(token));
}

static const char *get(struct sv token)
{
    return house_ask(house.gateway,
                     request_with(token, "Connection: close\r\n").p);
}

static const char *question(struct sv token)
{
    return arena_printf(&kit, "{\"token\":\"%.*s\",\"appID\":\"%s\"}",
                        SV_FMT(token), plan_fixture_id(1))
        .p;
}

/* The chain goes on behind what was done: the limit is not taken twice. */
static void a_jwt_is_counted_once_although_its_body_was_waited_for(void **state)
{
    (void)state;
    hold(KEYSET_INLINE, HS_JWK);
    static char text[] = "\"keyType\":\"jwt\",\"ratelimit\":{\"limit\":9,"
                         "\"timeWindow\":60}";
    struct plan_fixture f = {
        .domain = "a.test",
        .origin = house.origin_url,
        .auth = text,
        .num = 1,
        .jwt = "",
        .keysets = &keys,
        .keysets_n = 1,
        .quota_slot = UINT32_MAX,
        .forms = { [FORM_SECURITY] = "{\"id\":\"sec_01\",\"name\":\"s\","
                                     "\"waf\":{\"mode\":\"block\"}}" },
    };
    assert_int_equal(subjects_reserve(house.subjects), 0);
    plan_fixture_publish(house.plan, &f);
    const char *got = house_ask(
        house.gateway,
        arena_printf(&kit,
                     "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2"
                     "\r\nConnection: close\r\nAuthorization: Bearer %.*s"
                     "\r\n\r\nhi",
                     SV_FMT(signed_by(NULL, "{\"sub\":\"a\"}")))
            .p);
    must_hold(got, "200 OK");
    must_hold(got, "X-RateLimit-Remaining: 8\r\n");
    must_hold(origin_text(), "X-Typeauth-Subject: a\r\n");
}

/* What the fetcher does. */
static void fetched(const char *text)
{
    struct jwk_set *set;
    struct jwk_why why;
    struct keyset_due due;
    int64_t next, now = clock_node_ms();
    assert_true(keysets_due(house.keysets, now, &due, &next));
    assert_int_equal(jwk_set_decode(sv_cstr(text), 1, &set, &why), 0);
    keysets_put(house.keysets, keys, set, 0, now);
}

#define NAMED(kid)                                              \
    "{\"kty\":\"oct\",\"kid\":\"" kid "\",\"k\":\"MDEyMzQ1Njc4" \
    "OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}"

/* --- passing and refusing ----------------------------------------------------- */

static void the_origin_learns_subject_and_scopes(void **state)
{
    (void)state;
    hold(KEYSET_INLINE, HS_JWK);
    publish("", "", "");
    struct sv token = signed_by(NULL, "{\"sub\":\"a\\u00e9 b\",\"scope\":"
                                      "\"r w\"}");
    must_hold(get(token), "200 OK");
    must_hold(origin_text(), "X-Typeauth-Subject: a%C3%A9 b\r\n");
    must_hold(origin_text(), "X-Typeauth-Scopes: r w\r\n");
    must_hold(origin_text(), "Authorization: Bearer ");
    must_lack(origin_text(), "X-Typeauth-Token-Id");
    assert_false(the_event(OUTCOME_PASSED, "", 200)->has_token);
}

static void a_refusal_names_the_claim_to_who_may_know(void **state)
{
    (void)state;
    hold(KEYSET_INLINE, HS_JWK);
    for (int detail = 0; detail < 2; detail++) {
        publish("\"rules\":{\"required_claims\":{\"ro\\\"le\":\"x\"}}", "",
                detail ? ",\"detailResponse\":true" : "");
        const char *answer = get(signed_by(NULL, "{}"));
        must_hold(answer, "401 Unauthorized\r\n");
        must_hold(answer, "WWW-Authenticate: Bearer "
                          "error=\"invalid_token\"\r\n");
        if (detail)
            must_hold(answer, "{\"code\":\"missing_claim\",\"claim\":"
                              "\"ro\\\"le\"}");
        else
            must_hold(answer, "\"error\":{\"code\":\"unauthorized\"}");
        the_event(OUTCOME_UNAUTHORIZED, "missing_claim", 401);
        answer =
            house_post("/authenticate", "", question(signed_by(NULL, "{}")));
        must_hold(answer, "\"code\":\"missing_claim\"");
        if (!detail) must_lack(answer, "\"claim\"");
        the_event(OUTCOME_UNAUTHORIZED, "missing_claim", 200);
    }
    assert_int_equal(house.origin.conns, 0);
}

static void a_key_of_the_account_sees_what_the_token_says(void **state)
{
    (void)state;
    hold(KEYSET_INLINE, HS_JWK);
    publish("", "", "");
    const char *q = question(signed_by(NULL, "{\"sub\":\"a\",\"scp\":[\"s\"],"
                                             "\"exp\":4102444800}"));
    const char *answer = house_post("/authenticate", "", q);
    must_hold(answer, "\"expiresAt\":\"2100-01-01T00:00:00.000Z\"}");
    answer =
        house_post("/authenticate", "Authorization: Bearer mk_secret\r\n", q);
    must_hold(answer, "\"owner\":\"a\",\"scopes\":[\"s\"],\"tags\":[]");
}

/* --- waiting for keys ------------------------------------------------------------- */

static void a_request_waits_for_keys_and_goes_on_with_them(void **state)
{
    (void)state;
    hold(KEYSET_URL, "https://i.test/jwks");
    publish("", "", "");
    house_dial(house.gateway);
    house_send(request_with(signed_by("new", "{}"), "Connection: close\r\n"));
    turns_until = 400;
    house_run(some_turns);
    assert_int_equal(house.client.in.n, 0);
    /* 20, 40, 80, 160, 320 ms: neither spinning nor late */
    uint64_t waits = house.jwt->stats.waits;
    assert_in_range(waits, 3, 6);
    fetched(NAMED("new"));
    turns_until = 400;
    house_run(client_is_over);
    must_hold(client_text(), "200 OK");
    the_event(OUTCOME_PASSED, "", 200);
    log_fini(&house.client);
}

static void a_batch_waits_for_the_keys_of_one_question(void **state)
{
    (void)state;
    hold(KEYSET_URL, "https://i.test/jwks");
    publish("", "", "");
    struct sv body =
        arena_printf(&kit,
                     "[{\"token\":\"\",\"appID\":\"x\"},%s,"
                     "%s]",
                     question(signed_by("a", "{}")), question(SV("x.y.z")));
    struct sv text = arena_printf(
        &kit,
        "POST /authenticate/batch HTTP/1.1\r\nHost: v\r\nConnection: "
        "close\r\nContent-Length: %zu\r\n\r\n%.*s",
        body.n, SV_FMT(body));
    house_dial(house.verify);
    house_send(text);
    turns_until = 100;
    house_run(some_turns);
    assert_int_equal(house.client.in.n, 0);
    fetched(NAMED("a"));
    house_run(client_is_over);
    must_hold(client_text(), "\"code\":\"missing_token\"");
    must_hold(client_text(), "{\"valid\":true,\"enabled\":true");
    must_hold(client_text(), "\"code\":\"invalid_signature\"");
    assert_int_equal(events_n, 3);
    log_fini(&house.client);
}

static bool an_event_came(struct house *h)
{
    (void)h;
    return events_n > 0;
}

static void a_client_may_leave_while_keys_are_fetched(void **state)
{
    (void)state;
    hold(KEYSET_URL, "https://i.test/jwks");
    publish("", "", "");
    house_dial(house.gateway);
    house_send(request_with(signed_by("a", "{}"), ""));
    turns_until = 30;
    house_run(some_turns);
    conn_abort(house.client.c, ERR_CLOSED);
    house_run(an_event_came);
    the_event(OUTCOME_CLIENT_GONE, "client_gone", 0);
    log_fini(&house.client);
}

static void a_fetch_that_fails_is_unavailable_not_invalid(void **state)
{
    (void)state;
    struct keyset_due due;
    int64_t next;
    hold(KEYSET_URL, "https://i.test/jwks");
    publish("", "", ",\"detailResponse\":true");
    house_dial(house.gateway);
    house_send(request_with(signed_by("a", "{}"), "Connection: close\r\n"));
    for (int i = 0; i < 2; i++) { /* the first, and the one asked for */
        turns_until = 400;
        house_run(some_turns);
        if (keysets_due(house.keysets, clock_node_ms(), &due, &next))
            keysets_failed(house.keysets, keys, "down", clock_node_ms());
    }
    house_run(client_is_over);
    must_hold(client_text(), "503 Service Unavailable");
    must_hold(client_text(), "Retry-After: 1\r\n");
    must_hold(client_text(), "\"code\":\"check_unavailable\"");
    log_fini(&house.client);
}

/* --- streams ------------------------------------------------------------------------ */

static bool has_hello_back(struct house *h)
{
    return h->client.in.n >= 5 &&
           memmem(h->client.in.p, h->client.in.n, "hello", 5);
}

static bool a_second(struct house *h)
{
    return some_turns(h) || client_is_over(h);
}

static void tunnel_open(struct sv token)
{
    house.origin.reply = "HTTP/1.1 101 Switching Protocols\r\n"
                         "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    house.origin.echoes = true;
    house_dial(house.gateway);
    struct sv head = request_with(token, "Connection: Upgrade\r\n"
                                         "Upgrade: websocket\r\n");
    house_send(head);
    house_send(SV("hello"));
    house_run(has_hello_back);
}

static void taking_the_key_away_ends_its_streams_within_a_second(void **state)
{
    (void)state;
    hold(KEYSET_URL, "https://i.test/jwks");
    publish("", "", "");
    fetched("{\"keys\":[" NAMED(
        "a") ",{\"kty\":\"oct\",\"kid\":\"b\",\"k\":"
             "\"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE\"}]}");
    tunnel_open(signed_by("a", "{\"exp\":4102444800}"));
    /* a changed rule is of the next start */
    publish("\"rules\":{\"required_claims\":{\"x\":\"*\"}}", "", "");
    turns_until = 1500;
    house_run(a_second);
    assert_int_equal(house.client.closed, 0);
    struct keyset_ref gone = keys;
    hold(KEYSET_INLINE, "{\"kty\":\"oct\",\"kid\":\"b\",\"k\":"
                        "\"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE\"}");
    publish("", "", "");
    keysets_drop(house.keysets, gone);
    turns_until = 1000;
    house_run(a_second);
    assert_int_equal(house.client.closed, 1);
    the_event(OUTCOME_UNAUTHORIZED, "token_revoked", 101);
    log_fini(&house.client);
}

#define JWT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JWT_TEST(the_origin_learns_subject_and_scopes),
        JWT_TEST(a_refusal_names_the_claim_to_who_may_know),
        JWT_TEST(a_key_of_the_account_sees_what_the_token_says),
        JWT_TEST(a_request_waits_for_keys_and_goes_on_with_them),
        JWT_TEST(a_batch_waits_for_the_keys_of_one_question),
        JWT_TEST(a_jwt_is_counted_once_although_its_body_was_waited_for),
        JWT_TEST(a_client_may_leave_while_keys_are_fetched),
        JWT_TEST(a_fetch_that_fails_is_unavailable_not_invalid),
        JWT_TEST(taking_the_key_away_ends_its_streams_within_a_second),
    };
    clock_node_start(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
