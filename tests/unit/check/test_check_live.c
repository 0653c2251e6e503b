/* The chain on the real token table and counters: what the two doors take
 * together, and what a change means to the next exchange. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/epoch.h"
#include "base/hash.h"
#include "base/rand.h"
#include "check/exchange.h"
#include "codec/base62.h"
#include "codec/digest.h"
#include "codec/http1.h"
#include "plan_fixture.h"

enum { THREADS = 4, QUOTA = 20000 };

static struct plan *plan;
static struct check_env env;
static char dir[64], secret[64], request[256];
static struct http_head head;
static struct token_record record;
static const struct sv held[] = { { "read", 4 } };

static void token_put(void)
{
    uint32_t tag = 0x0c0d0e0f;
    memcpy(secret, "k_0123456789abcdef", 18);
    base62_encode_u32(secret + 18, crc32_ieee(0, secret, 18));
    record = (struct token_record){
        .id = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 13, 14, 15 },
        .slot = tokens_slot_take(env.tokens),
        .app = 1,
        .state = TOKEN_ENABLED,
        .scopes = held,
        .scopes_n = 1,
    };
    sha256(sv_cstr(secret), record.digest);
    assert_int_equal(tokens_put(env.tokens, &record), 0);
    assert_int_equal(counters_slot_init(env.counters, record.slot, tag), 0);
}

static int setup(void **state)
{
    (void)state;
    char problem[256], profile[128];
    strcpy(dir, "/tmp/typeauth-check-XXXXXX");
    assert_non_null(mkdtemp(dir));
    const struct counters_conf counters = { .dir = dir };
    assert_int_equal(counters_open(&env.counters, &counters, problem), 0);
    const struct tokens_conf tokens = { .max = 1024, .counters = env.counters };
    assert_int_equal(tokens_new(&env.tokens, &tokens), 0);
    assert_int_equal(plan_new(&plan, 1), 0);
    env.wall_ms = clock_wall_ms;
    env.node_ms = clock_node_ms;
    snprintf(profile, sizeof profile, "\"remaining\":%d", QUOTA);
    plan_fixture_publish(plan, &(struct plan_fixture){ .num = 1,
                                                       .domain = "a.example",
                                                       .auth = profile });
    token_put();
    snprintf(request, sizeof request,
             "GET / HTTP/1.1\r\nHost: a.example\r\n"
             "Authorization: Bearer %s\r\n\r\n",
             secret);
    const struct http1_limits limits = { 16384, 8192, 64 };
    struct http1_refusal why;
    size_t searched = 0;
    assert_true(http1_request_scan(sv_cstr(request), &searched, &limits, &head,
                                   &why) > 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[96];
    epoch_reclaim();
    plan_free(&plan);
    tokens_free(&env.tokens);
    counters_close(&env.counters);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* One exchange, waiting as a door would. */
static enum reason ask(enum door door, uint32_t cost, const char *scope,
                       struct exchange *x)
{
    char first[256];
    struct arena a;
    struct sv scopes = sv_cstr(scope ? scope : "");
    enum verdict v;
    arena_init(&a, 0, first, sizeof first);
    *x = (struct exchange){ .env = &env,
                            .door = door,
                            .arena = &a,
                            .head = door == DOOR_PROXY ? &head : NULL,
                            .credential = sv_cstr(secret),
                            .cost = cost,
                            .scopes = &scopes,
                            .scopes_n = scope ? 1 : 0,
                            .plan = plan_match(plan, SV("a.example")) };
    do v = chain_run(x);
    while (v == VERDICT_WAIT);
    arena_fini(&a);
    ENSURE((v == VERDICT_PASS) == (x->reason == REASON_NONE));
    return x->reason;
}

static _Atomic uint64_t admitted;

static void *ask_on(void *arg)
{
    struct rand_fast rnd = { (uint64_t)(uintptr_t)arg + 1 };
    struct epoch_reader r;
    struct exchange x;
    unsigned refused = 0;
    epoch_join(&r);
    epoch_wake(&r);
    while (refused < 50) {
        uint64_t bits = rand_fast_next(&rnd);
        uint32_t cost = 1 + (uint32_t)(bits >> 8) % 7;
        if (ask((enum door)(bits % DOOR_COUNT), cost, NULL, &x) == REASON_NONE)
            ENSURE(atomic_fetch_add(&admitted, cost) + cost <= QUOTA);
        else
            refused++;
        epoch_turn(&r);
    }
    epoch_sleep(&r);
    epoch_leave(&r);
    return NULL;
}

static void both_doors_together_never_admit_more_than_the_quota(void **state)
{
    (void)state;
    pthread_t t[THREADS];
    struct exchange x;
    atomic_store(&admitted, 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, ask_on, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    while (ask(DOOR_VERIFY, 1, NULL, &x) == REASON_NONE)
        atomic_fetch_add(&admitted, 1);
    assert_int_equal(x.reason, REASON_QUOTA_EXHAUSTED);
    assert_int_equal(atomic_load(&admitted), QUOTA);
}

static void a_later_refusal_leaves_the_quota_as_it_was(void **state)
{
    (void)state;
    struct exchange x;
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(DOOR_PROXY, 100, "write", &x),
                         REASON_INSUFFICIENT_SCOPE);
    assert_int_equal(ask(DOOR_PROXY, 1, "read", &x), REASON_NONE);
    assert_int_equal(x.take.quota_remaining, QUOTA - 1);
    chain_refund(&x);
    assert_int_equal(ask(DOOR_VERIFY, 1, NULL, &x), REASON_NONE);
    assert_int_equal(x.take.quota_remaining, QUOTA - 1);
}

static void a_change_of_the_token_holds_for_the_next_exchange(void **state)
{
    (void)state;
    struct exchange x;
    assert_int_equal(ask(DOOR_PROXY, 1, NULL, &x), REASON_NONE);
    record.state = 0;
    assert_int_equal(tokens_put(env.tokens, &record), 0);
    assert_int_equal(ask(DOOR_PROXY, 1, NULL, &x), REASON_TOKEN_DISABLED);
    record.state = TOKEN_ENABLED;
    record.expires_ms = clock_wall_ms() - 5000;
    assert_int_equal(tokens_put(env.tokens, &record), 0);
    assert_int_equal(ask(DOOR_VERIFY, 1, NULL, &x), REASON_TOKEN_EXPIRED);
    record.expires_ms = 0;
    assert_int_equal(tokens_put(env.tokens, &record), 0);
    assert_int_equal(ask(DOOR_VERIFY, 1, NULL, &x), REASON_NONE);
    tokens_revoke(env.tokens, record.slot);
    assert_int_equal(ask(DOOR_VERIFY, 1, NULL, &x), REASON_TOKEN_REVOKED);
}

static void a_change_of_the_profile_holds_for_the_next_exchange(void **state)
{
    (void)state;
    struct exchange x;
    assert_int_equal(ask(DOOR_PROXY, 1, NULL, &x), REASON_NONE);
    plan_fixture_publish(
        plan, &(struct plan_fixture){
                  .num = 1, .domain = "a.example", .auth = "\"remaining\":1" });
    assert_int_equal(ask(DOOR_PROXY, 1, NULL, &x), REASON_QUOTA_EXHAUSTED);
    plan_fixture_publish(
        plan, &(struct plan_fixture){
                  .num = 1,
                  .domain = "a.example",
                  .auth = "\"ratelimit\":{\"limit\":2,\"timeWindow\":86400}" });
    assert_int_equal(ask(DOOR_PROXY, 2, NULL, &x), REASON_NONE);
    assert_int_equal(x.nearest.window_s, 86400);
    assert_int_equal(ask(DOOR_VERIFY, 1, NULL, &x), REASON_RATE_LIMITED);
    assert_true(x.take.retry_after_s > 0);
}

#define LIVE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(both_doors_together_never_admit_more_than_the_quota),
        LIVE_TEST(a_later_refusal_leaves_the_quota_as_it_was),
        LIVE_TEST(a_change_of_the_token_holds_for_the_next_exchange),
        LIVE_TEST(a_change_of_the_profile_holds_for_the_next_exchange),
    };
    clock_node_start(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
