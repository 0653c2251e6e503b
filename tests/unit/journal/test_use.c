/* Counts of single tokens: complete while they fit, bounded when not, and
 * drained while the reactor goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/ensure.h"
#include "event_fixture.h"
#include "journal/use.h"

static struct use u;

static int setup(void **state)
{
    (void)state;
    u = (struct use){ 0 };
    use_init(&u);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    use_fini(&u);
    return 0;
}

static void refuse(uint32_t token, enum outcome outcome, const char *code)
{
    struct event e = event_usual();
    uint8_t id[16] = { 1 };
    uint64_t mixed = token * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(id + 8, &mixed, sizeof mixed);
    memcpy(id, &token, sizeof token);
    e.token_id = id;
    e.token_slot = token;
    e.outcome = outcome;
    e.code = code;
    use_add(&u, &e);
}

struct sums {
    uint64_t n, rows, of_5_expired, of_6_quota;
};

static void add_up(void *ctx, uint32_t slot, const uint8_t id[16],
                   enum outcome outcome, const char *code, uint64_t n)
{
    struct sums *s = ctx;
    uint32_t token;
    memcpy(&token, id, sizeof token);
    ENSURE(token == slot);
    s->n += n;
    s->rows++;
    if (slot == 5 && !strcmp(code, "token_expired")) s->of_5_expired += n;
    if (slot == 6 && outcome == OUTCOME_QUOTA) s->of_6_quota += n;
}

static void refusals_are_counted_by_token_and_reason_and_drained_once(
    void **state)
{
    (void)state;
    static const char expired[] = "token_expired", quota[] = "quota_exhausted";
    for (int i = 0; i < 3; i++) refuse(5, OUTCOME_UNAUTHORIZED, expired);
    refuse(5, OUTCOME_FORBIDDEN, "ip_not_allowed");
    for (int i = 0; i < 2; i++) refuse(6, OUTCOME_QUOTA, quota);
    struct sums s = { 0 };
    use_drain(&u, add_up, &s);
    assert_int_equal(s.of_5_expired, 3);
    assert_int_equal(s.of_6_quota, 2);
    assert_int_equal(s.rows, 3);
    assert_int_equal(s.n, 6);
    use_drain(&u, add_up, &s);
    use_drain(&u, add_up, &s);
    assert_int_equal(s.n, 6);
}

static void a_flood_over_many_tokens_keeps_the_heavy_ones(void **state)
{
    (void)state;
    static const char expired[] = "token_expired";
    for (int i = 0; i < 1000; i++) refuse(5, OUTCOME_UNAUTHORIZED, expired);
    for (uint32_t t = 10; t < 100010; t++)
        refuse(t, OUTCOME_UNAUTHORIZED, "token_revoked");
    struct sums s = { 0 };
    use_drain(&u, add_up, &s);
    assert_int_equal(s.of_5_expired, 1000);
    assert_true(s.rows <= USE_SETS * USE_WAYS);
    assert_int_equal(s.n + atomic_load(&u.lost), 101000);
}

enum { REFUSALS = 300000 };
static _Atomic uint32_t done;

static void *refuse_on(void *arg)
{
    (void)arg;
    static const char expired[] = "token_expired";
    for (uint32_t i = 0; i < REFUSALS; i++) {
        refuse(i % 300, OUTCOME_UNAUTHORIZED, expired);
        atomic_store(&done, i + 1);
    }
    return NULL;
}

static void a_drain_beside_the_reactor_misses_nothing_uncounted(void **state)
{
    (void)state;
    pthread_t t;
    struct sums s = { 0 };
    pthread_create(&t, NULL, refuse_on, NULL);
    for (uint32_t seen = 0; seen < REFUSALS; seen = atomic_load(&done)) {
        while (atomic_load(&done) < seen + 1000 && seen + 1000 < REFUSALS)
            sched_yield();
        use_drain(&u, add_up, &s);
    }
    pthread_join(t, NULL);
    use_drain(&u, add_up, &s);
    assert_int_equal(s.n + atomic_load(&u.lost), REFUSALS);
    assert_true(atomic_load(&u.lost) < REFUSALS / 10);
    assert_true(s.rows > 300);
}

#define USE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        USE_TEST(refusals_are_counted_by_token_and_reason_and_drained_once),
        USE_TEST(a_flood_over_many_tokens_keeps_the_heavy_ones),
        USE_TEST(a_drain_beside_the_reactor_misses_nothing_uncounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
