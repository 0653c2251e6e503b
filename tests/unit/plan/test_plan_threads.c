/* Readers on threads while one writer changes: what ThreadSanitizer and the
 * address sanitizer watch, and what must not grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "plan/plan.h"
#include "plan_fixture.h"

enum { READERS = 3, APPS = 50, CHANGES = 10000 };

static struct plan *p;
static _Atomic bool stop;
static _Atomic uint64_t found;

static void look_at(const struct plan_app *a, unsigned reactor)
{
    if (!a) return;
    plan_hold(a, reactor);
    ENSURE(a->app.num < APPS && a->app.id.n == 30 &&
           a->steps[0].n <= STEP_COUNT);
    ENSURE(a->origin.host_header.n > 0);
    atomic_fetch_add_explicit(&found, 1, memory_order_relaxed);
    plan_drop(a, reactor);
}

static void *read_on(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    struct epoch_reader r;
    const struct plan_app *kept = NULL; /* across turns, by a hold */
    epoch_join(&r);
    epoch_wake(&r);
    for (uint32_t i = me; !atomic_load(&stop); i++) {
        char host[64];
        snprintf(host, sizeof host, "H%u-%u.example:80", i % APPS, i % 3);
        look_at(plan_match(p, sv_cstr(host)), me);
        look_at(plan_find(p, sv_cstr(plan_fixture_id(i % APPS))), me);
        look_at(plan_match(p, SV("a.b.wild.example")), me);
        if (i % 64 == 0) {
            if (kept) {
                ENSURE(kept->app.num == 1);
                plan_drop(kept, me);
            }
            kept = plan_find(p, sv_cstr(plan_fixture_id(1)));
            if (kept) plan_hold(kept, me);
        }
        epoch_turn(&r);
        if (i % 256 == 0) {
            epoch_sleep(&r);
            epoch_wake(&r);
        }
    }
    if (kept) plan_drop(kept, me);
    epoch_sleep(&r);
    epoch_leave(&r);
    return NULL;
}

static void change(uint32_t i)
{
    char domain[64];
    uint32_t num = i * 7 % APPS;
    if (i % 11 == 0) {
        plan_remove(p, sv_cstr(plan_fixture_id(num)));
    } else {
        if (i % 13 == 0)
            snprintf(domain, sizeof domain, "*.wild.example");
        else
            snprintf(domain, sizeof domain, "h%u-%u.example", num, i % 3);
        plan_fixture_publish(
            p, &(struct plan_fixture){ .num = num,
                                       .domain = domain,
                                       .origin = "o.example:9000",
                                       .auth = i % 2 ? "" : NULL });
    }
    epoch_reclaim();
}

static void readers_go_on_through_10000_changes_and_memory_is_flat(void **state)
{
    (void)state;
    pthread_t t[READERS];
    plan_new(&p, READERS);
    for (uintptr_t i = 0; i < READERS; i++)
        pthread_create(&t[i], NULL, read_on, (void *)i);
    for (uint32_t i = 1; i <= CHANGES / 5; i++) change(i);
    size_t before = mallinfo2().uordblks;
    for (uint32_t i = CHANGES / 5; i <= CHANGES; i++) change(i);
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) pthread_join(t[i], NULL);
    assert_int_equal(epoch_reclaim(), 0);
    size_t after = mallinfo2().uordblks;
    printf("# %lu images seen; heap %zu -> %zu bytes\n",
           (unsigned long)atomic_load(&found), before, after);
    assert_true(plan_images(p) <= APPS);
    assert_true(after < before + (64u << 10));
    plan_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            readers_go_on_through_10000_changes_and_memory_is_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
