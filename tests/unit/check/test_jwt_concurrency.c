/* JWTs on several threads at once, each with its lane, while rules and keys
 * change under them: nobody gets more than his quota, nothing passes that the
 * image of its moment refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../codec/jose_kit.h"
#include "../live/scratch.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/epoch.h"
#include "base/rand.h"
#include "check/jwt.h"
#include "plan_fixture.h"

enum { THREADS = 4, SUBJECTS = 12, QUOTA = 150, ASKS = 1500, CHANGES = 60 };

static struct scratch scratch;
static struct plan *plan;
static struct check_env env;
static struct sv tokens[SUBJECTS][2];
static struct keyset_ref keys;
static _Atomic unsigned admitted[SUBJECTS];
static _Atomic bool shut_seen, over;

#define AUTH "\"keyType\":\"jwt\",\"remaining\":150"

static void publish(const char *rules)
{
    plan_fixture_publish(plan,
                         &(struct plan_fixture){ .num = 1,
                                                 .domain = "a.example",
                                                 .auth = AUTH,
                                                 .jwt = rules,
                                                 .keysets = &keys,
                                                 .keysets_n = 1,
                                                 .quota_slot = UINT32_MAX });
}

static enum reason ask(unsigned lane, struct sv token)
{
    char first[256];
    struct arena a;
    struct exchange x;
    enum verdict v;
    arena_init(&a, 1 << 14, first, sizeof first);
    x = (struct exchange){ .env = &env,
                           .door = DOOR_VERIFY,
                           .reactor = lane,
                           .arena = &a,
                           .credential = token,
                           .cost = 1,
                           .plan = plan_match(plan, SV("a.example")) };
    do v = chain_run(&x);
    while (v == VERDICT_WAIT);
    arena_fini(&a);
    ENSURE((v == VERDICT_PASS) == (x.reason == REASON_NONE));
    return x.reason;
}

static void *ask_on(void *arg)
{
    unsigned lane = (unsigned)(uintptr_t)arg;
    struct rand_fast r = { lane + 1 };
    struct epoch_reader reader;
    epoch_join(&reader);
    epoch_wake(&reader);
    for (unsigned n = 0; n < ASKS; n++) {
        uint64_t bits = rand_fast_next(&r);
        unsigned i = (unsigned)(bits >> 8) % SUBJECTS;
        enum reason why = ask(lane, tokens[i][bits & 1]);
        if (why == REASON_NONE) atomic_fetch_add(&admitted[i], 1);
        if (why == REASON_INVALID_CLAIM) atomic_store(&shut_seen, true);
        ENSURE(why == REASON_NONE || why == REASON_QUOTA_EXHAUSTED ||
               why == REASON_INVALID_CLAIM);
        epoch_turn(&reader);
    }
    epoch_sleep(&reader);
    epoch_leave(&reader);
    return NULL;
}

static void *change_on(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < CHANGES && !atomic_load(&over); i++) {
        publish(i % 2 ? "" : "\"rules\":{\"required_claims\":{\"x\":1}}");
        nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
        epoch_reclaim();
    }
    publish("");
    return NULL;
}

static void open_all(void)
{
    char problem[256];
    scratch_make(&scratch);
    struct counters_conf counters = { .dir = scratch.path };
    assert_int_equal(counters_open(&env.counters, &counters, problem), 0);
    struct tokens_conf conf = { .max = 1 << 18, .counters = env.counters };
    assert_int_equal(tokens_new(&env.tokens, &conf), 0);
    struct subjects_conf subjects = { scratch.path, 1024, env.counters,
                                      env.tokens };
    assert_int_equal(subjects_open(&env.subjects, &subjects, problem), 0);
    assert_int_equal(subjects_reserve(env.subjects), 0);
    struct keysets_conf sets = { .lanes = THREADS };
    assert_int_equal(keysets_new(&env.keysets, &sets), 0);
    struct jwt_check_conf jwt = { .reactors = THREADS,
                                  .cache_bytes = THREADS << 17 };
    env.jwt = jwt_lanes_new(&jwt);
    assert_int_equal(plan_new(&plan, THREADS), 0);
    env.plan = plan;
    env.wall_ms = clock_wall_ms;
    env.node_ms = clock_node_ms;
    struct keyset_source src = { KEYSET_INLINE, SV(HS_JWK), 0, 0, 0 };
    struct jwk_why why;
    assert_int_equal(keysets_hold(env.keysets, &src, &keys, &why), 0);
}

static void close_all(void)
{
    plan_free(&plan);
    jwt_lanes_free(&env.jwt, THREADS);
    keysets_drop(env.keysets, keys);
    keysets_free(&env.keysets);
    subjects_close(&env.subjects);
    tokens_free(&env.tokens);
    counters_close(&env.counters);
    scratch_remove(&scratch);
}

static void nobody_gets_more_than_his_quota_while_rules_change(void **state)
{
    (void)state;
    pthread_t t[THREADS], changer;
    open_all();
    for (unsigned i = 0; i < SUBJECTS; i++)
        for (unsigned k = 0; k < 2; k++) {
            struct sv payload = arena_printf(
                &kit, "{\"sub\":\"s%u\",\"x\":0,\"jti\":%u}", i, k);
            tokens[i][k] =
                hs256("{\"alg\":\"HS256\"}", payload.p, SV(HS_SECRET));
        }
    publish("\"rules\":{\"required_claims\":{\"x\":1}}");
    ENSURE(ask(0, tokens[0][0]) == REASON_INVALID_CLAIM);
    publish("");
    assert_int_equal(pthread_create(&changer, NULL, change_on, NULL), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, ask_on, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    atomic_store(&over, true);
    pthread_join(changer, NULL);
    for (unsigned i = 0; i < SUBJECTS; i++) {
        unsigned n = atomic_load(&admitted[i]);
        assert_true(n <= QUOTA);
        while (ask(0, tokens[i][0]) == REASON_NONE) n++;
        assert_int_equal(n, QUOTA);
    }
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(nobody_gets_more_than_his_quota_while_rules_change),
    };
    clock_node_start(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
