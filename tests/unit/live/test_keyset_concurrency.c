/* Reactors look at sets and verify with their keys while sets are swapped,
 * dropped and held again. Run under ThreadSanitizer and AddressSanitizer this
 * shows that nothing is read that was freed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/epoch.h"
#include "codec/jws.h"
#include "keyset_kit.h"
#include "live/keyset.h"

enum { READERS = 2, SWAPS = 400, NOW = 1750000000 };

static struct keysets *k;
static _Atomic uint64_t shared; /* number << 32 | generation */
static _Atomic bool stop;
static _Atomic int64_t now;
static _Atomic unsigned wakes;

static void on_wake(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&wakes, 1);
}

static struct keyset_ref ref_of(uint64_t both)
{
    return (struct keyset_ref){ (uint32_t)(both >> 32), (uint32_t)both };
}

static unsigned verify_with(const struct jwk_set *set, unsigned lane)
{
    static const char zeros[32];
    struct jws t = { .alg = JOSE_HS256,
                     .input = SV("a.b"),
                     .signature = sv_of(zeros, sizeof zeros) };
    return set && jws_verify(&t, set, JOSE_ALGS_ALL, lane, NULL) == JOSE_OK;
}

static void *read_on(void *arg)
{
    unsigned lane = (unsigned)(uintptr_t)arg;
    uintptr_t bad = 0;
    struct epoch_reader r;
    epoch_join(&r);
    epoch_wake(&r);
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        char kid[16];
        struct keyset_ref ref = ref_of(atomic_load(&shared));
        int64_t ms = atomic_load(&now);
        const struct keyset_image *image = keysets_view(k, ref, ms);
        if (image) {
            bad += verify_with(image->now, lane);
            bad += verify_with(image->before, lane);
            bad += !image->generation;
        }
        snprintf(kid, sizeof kid, "k%u", i % 50);
        keysets_ask(k, ref, sv_cstr(kid), ms);
        epoch_turn(&r);
    }
    epoch_sleep(&r);
    epoch_leave(&r);
    return (void *)bad;
}

static struct keyset_ref hold(const char *url)
{
    struct keyset_ref ref;
    struct keyset_source src = { .kind = KEYSET_URL, .text = sv_cstr(url) };
    assert_int_equal(keysets_hold(k, &src, &ref, NULL), 0);
    atomic_store(&shared, (uint64_t)ref.number << 32 | ref.generation);
    return ref;
}

static void fetch_all(unsigned turn)
{
    static const char *const sets[] = { "ab", "bc", "c", "abc" };
    struct keyset_due d;
    int64_t next, ms = atomic_load(&now);
    while (keysets_due(k, ms, &d, &next))
        if (turn % 5 == 4)
            keysets_failed(k, d.ref, "down", ms);
        else
            keysets_put(k, d.ref, kit_set(sets[turn % 4]), 60, ms);
}

static void readers_go_on_while_sets_are_swapped(void **state)
{
    pthread_t thread[READERS];
    struct keysets_conf conf = { .lanes = READERS, .wake = on_wake };
    (void)state;
    assert_int_equal(keysets_new(&k, &conf), 0);
    atomic_store(&now, (int64_t)NOW * 1000);
    struct keyset_ref ref = hold("https://a.test/0");
    for (uintptr_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, read_on, (void *)i),
                         0);
    for (unsigned i = 0; i < SWAPS; i++) {
        char url[32];
        fetch_all(i);
        atomic_fetch_add(&now, 55000);
        if (i % 10 != 9) continue;
        struct keyset_ref old = ref;
        snprintf(url, sizeof url, "https://a.test/%u", i);
        ref = hold(url);
        keysets_drop(k, old);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        void *bad;
        pthread_join(thread[i], &bad);
        assert_null(bad);
    }
    assert_int_not_equal(atomic_load(&wakes), 0);
    keysets_free(&k);
    assert_int_equal(epoch_reclaim(), 0);
}

/* Many ask for the same unknown kid while the fetcher works: nobody is told
 * that it is unknown before the fetch that brings it has ended, and there is
 * only one. */
static void *ask_on(void *arg)
{
    uintptr_t refused = 0;
    struct epoch_reader r;
    struct keyset_ref ref = ref_of(atomic_load(&shared));
    (void)arg;
    epoch_join(&r);
    epoch_wake(&r);
    for (bool found = false; !found && !refused;) {
        int64_t ms = atomic_load(&now);
        const struct keyset_image *image = keysets_view(k, ref, ms);
        for (unsigned i = 0; image && i < image->now->n; i++)
            found |= image->now->keys[i].kid.p[0] == 'z';
        if (!found)
            refused = keysets_ask(k, ref, SV("z"), ms) == KEYSET_UNKNOWN;
        epoch_turn(&r);
    }
    epoch_sleep(&r);
    epoch_leave(&r);
    return (void *)refused;
}

static void nobody_is_refused_while_the_fetch_is_on_its_way(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        pthread_t thread[READERS];
        struct keysets_conf conf = { .lanes = READERS, .wake = on_wake };
        struct keyset_due d;
        int64_t next, ms = atomic_load(&now);
        assert_int_equal(keysets_new(&k, &conf), 0);
        hold("https://a.test/0");
        assert_true(keysets_due(k, ms, &d, &next));
        keysets_put(k, d.ref, kit_set("a"), 60, ms);
        atomic_store(&now, ms += 2000);
        for (int i = 0; i < READERS; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, ask_on, NULL), 0);
        while (!keysets_due(k, ms, &d, &next)) continue;
        keysets_put(k, d.ref, kit_set("az"), 60, ms);
        for (int i = 0; i < READERS; i++) {
            void *refused;
            pthread_join(thread[i], &refused);
            assert_null(refused);
        }
        assert_false(keysets_due(k, ms, &d, &next));
        keysets_free(&k);
    }
    assert_int_equal(epoch_reclaim(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_go_on_while_sets_are_swapped),
        cmocka_unit_test(nobody_is_refused_while_the_fetch_is_on_its_way),
    };
    return cmocka_run_group_tests_name("live/keyset_concurrency", tests, NULL,
                                       NULL);
}
