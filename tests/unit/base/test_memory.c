/* Arena, buffer, map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ensure.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pages.h"
#include "base/rand.h"
#include "base/secret.h"

/* --- arena ---------------------------------------------------------------- */

static void an_arena_gives_aligned_memory_that_does_not_overlap(void **state)
{
    struct arena a;
    char first[100];
    unsigned char *p[200];
    (void)state;
    arena_init(&a, 1 << 20, first, sizeof first);
    for (unsigned i = 0; i < 200; i++) {
        p[i] = arena_alloc(&a, i);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)i, i);
    }
    for (unsigned i = 0; i < 200; i++)
        for (unsigned k = 0; k < i; k++) assert_int_equal(p[i][k], i & 255);
    assert_false(a.overflow);
    arena_fini(&a);
}

static void an_arena_uses_the_first_memory_before_the_heap(void **state)
{
    struct arena a;
    _Alignas(16) char first[64];
    (void)state;
    arena_init(&a, 0, first, sizeof first);
    assert_ptr_equal(arena_alloc(&a, 64), first);
    assert_null(arena_alloc(&a, 1));
    assert_true(a.overflow);
    arena_reset(&a);
    assert_false(a.overflow);
    assert_ptr_equal(arena_alloc(&a, 1), first);
    arena_fini(&a);
}

static void an_arena_over_budget_answers_null_and_remembers(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, 10000, NULL, 0);
    assert_non_null(arena_alloc(&a, 9000));
    assert_null(arena_alloc(&a, 2000));
    assert_true(a.overflow);
    assert_non_null(arena_alloc(&a, 500)); /* what fits still comes */
    assert_true(a.overflow);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    assert_true(a.used <= 10000);
    arena_fini(&a);
}

static void texts_of_an_arena_end_in_nul(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, 1 << 16, NULL, 0);
    struct sv s = arena_dup(&a, SV("abc"));
    assert_true(sv_eq(s, SV("abc")));
    assert_int_equal(s.p[3], 0);
    assert_string_equal(arena_cstr(&a, sv_from(SV("abc"), 3)), "");
    s = arena_printf(&a, "%s-%d", "x", 42);
    assert_true(sv_eq(s, SV("x-42")));
    char *zero = arena_zalloc(&a, 64);
    for (int i = 0; i < 64; i++) assert_int_equal(zero[i], 0);
    arena_fini(&a);
    arena_init(&a, 2, NULL, 0);
    assert_null(arena_dup(&a, SV("abc")).p);
    assert_null(arena_printf(&a, "%d", 1234).p);
    arena_fini(&a);
}

/* --- buffer --------------------------------------------------------------- */

static void a_buffer_grows_to_its_maximum_and_no_further(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++) buf_putc(&b, (char)i);
    assert_int_equal(b.n, 1000);
    assert_false(b.overflow);
    buf_putc(&b, 'x');
    assert_true(b.overflow);
    assert_int_equal(b.n, 1000);
    assert_true(b.cap <= 1000);
    for (int i = 0; i < 1000; i++) assert_int_equal(b.p[i], (char)i);
    buf_clear(&b);
    buf_puts(&b, "again");
    assert_true(sv_eq(buf_sv(&b), SV("again")));
    buf_fini(&b);
    assert_null(b.p);
}

static void an_overflow_swallows_all_that_follows(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 4);
    buf_puts(&b, "abc");
    buf_puts(&b, "de");
    buf_putc(&b, 'f'); /* would fit, but the text has a hole */
    assert_true(sv_eq(buf_sv(&b), SV("abc")));
    assert_null(buf_reserve(&b, 1));
    buf_fini(&b);
}

static void a_fixed_buffer_stays_in_its_memory(void **state)
{
    char mem[6] = "......";
    struct buf b;
    (void)state;
    buf_init_fixed(&b, mem, 5);
    buf_puts(&b, "12345");
    assert_false(b.overflow);
    buf_putc(&b, '6');
    assert_true(b.overflow);
    assert_ptr_equal(b.p, mem);
    assert_int_equal(mem[5], '.');
    buf_fini(&b);
}

static void numbers_are_put_in_decimal(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    buf_put_u64(&b, UINT64_MAX);
    buf_putc(&b, ' ');
    buf_put_i64(&b, INT64_MIN);
    buf_putc(&b, ' ');
    buf_put_i64(&b, 0);
    buf_printf(&b, " %s %d", "x", -7);
    assert_true(sv_eq(buf_sv(&b), SV("18446744073709551615 "
                                     "-9223372036854775808 0 x -7")));
    buf_fini(&b);
}

/* --- map ------------------------------------------------------------------ */

static void a_map_finds_what_was_put_and_nothing_else(void **state)
{
    struct map m = { 0 };
    int v[3];
    (void)state;
    assert_null(map_find(&m, SV("a")));
    assert_null(map_remove(&m, SV("a")));
    assert_null(map_put(&m, SV("a"), &v[0]));
    assert_null(map_put(&m, SV(""), &v[1]));
    assert_ptr_equal(map_put(&m, SV("a"), &v[2]), &v[0]);
    assert_int_equal(m.n, 2);
    assert_ptr_equal(map_find(&m, SV("a")), &v[2]);
    assert_ptr_equal(map_find(&m, sv_of(NULL, 0)), &v[1]);
    assert_null(map_find(&m, SV("aa")));
    map_fini(&m);
    assert_null(map_find(&m, SV("a")));
}

enum { KEYS = 1000 };

static char key_text[KEYS][8];
static bool in_map[KEYS];

static void check_map(const struct map *m)
{
    size_t want = 0, seen = 0, at = 0;
    struct map_entry e;
    for (int i = 0; i < KEYS; i++) {
        void *v = map_find(m, sv_cstr(key_text[i]));
        assert_ptr_equal(v, in_map[i] ? key_text[i] : NULL);
        want += in_map[i];
    }
    while (map_next(m, &at, &e)) {
        assert_true(sv_eq(e.key, sv_cstr(e.value)));
        seen++;
    }
    assert_int_equal(seen, want);
    assert_int_equal(m->n, want);
}

static void a_map_stays_right_under_random_puts_and_removals(void **state)
{
    struct map m = { 0 };
    struct rand_fast r = { 7 };
    (void)state;
    for (int i = 0; i < KEYS; i++)
        snprintf(key_text[i], sizeof key_text[i], "k%d", i);
    for (int step = 0; step < 20000; step++) {
        size_t i = rand_fast_next(&r) % KEYS;
        void *was = in_map[i] ? key_text[i] : NULL;
        if (rand_fast_next(&r) & 1) {
            assert_ptr_equal(map_put(&m, sv_cstr(key_text[i]), key_text[i]),
                             was);
            in_map[i] = true;
        } else {
            assert_ptr_equal(map_remove(&m, sv_cstr(key_text[i])), was);
            in_map[i] = false;
        }
        if (step % 1000 == 0) check_map(&m);
    }
    check_map(&m);
    map_fini(&m);
}

/* --- memory and secrets --------------------------------------------------- */

static void constant_time_compare_sees_every_bit(void **state)
{
    unsigned char a[32], b[32];
    (void)state;
    rand_bytes(a, sizeof a);
    memcpy(b, a, sizeof a);
    assert_true(mem_equal_ct(a, b, sizeof a));
    for (int bit = 0; bit < 256; bit++) {
        b[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_false(mem_equal_ct(a, b, sizeof a));
        b[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    mem_wipe(a, sizeof a);
    for (size_t i = 0; i < sizeof a; i++) assert_int_equal(a[i], 0);
}

static void aligned_memory_is_aligned_and_cleared(void **state)
{
    (void)state;
    for (size_t align = 16; align <= 4096; align *= 2) {
        char *p = mem_aligned(align, 100);
        assert_int_equal((uintptr_t)p % align, 0);
        for (int i = 0; i < 100; i++) assert_int_equal(p[i], 0);
        mem_free(p);
    }
}

static void a_secret_is_copied_and_forgotten(void **state)
{
    struct secret s, r;
    char text[] = "hush";
    (void)state;
    secret_take_copy(&s, text, 4);
    assert_true(sv_eq(secret_expose(&s), SV("hush")));
    secret_fini(&s);
    assert_int_equal(secret_expose(&s).n, 0);
    secret_random(&r, 32);
    secret_random(&s, 32);
    assert_int_equal(secret_expose(&r).n, 32);
    assert_false(sv_eq(secret_expose(&r), secret_expose(&s)));
    secret_fini(&r);
    secret_fini(&s);
}

/* Of whatever size the kernel's pages are. */
static void tables_are_cleared_and_keep_what_is_in_them(void **state)
{
    static const size_t sizes[] = { 1, 4096, PAGES_HUGE - 1, PAGES_HUGE,
                                    3 * PAGES_HUGE + 5000 };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t n = sizes[i];
        unsigned char *p = pages_alloc(n);
        assert_non_null(p);
        if (n >= PAGES_HUGE)
            assert_int_equal((uintptr_t)p & (PAGES_HUGE - 1), 0);
        if (i % 2) pages_expect(p, n);
        for (size_t k = 0; k < n; k += 997) {
            assert_int_equal(p[k], 0);
            p[k] = (unsigned char)(k % 251 + 1);
        }
        p[n - 1] = 7;
        pages_join(p, n);
        for (size_t k = 0; k + 1 < n; k += 997)
            assert_int_equal(p[k], k % 251 + 1);
        assert_int_equal(p[n - 1], 7);
        pages_free(p, n);
    }
    pages_free(NULL, 5);
    assert_null(pages_alloc(SIZE_MAX / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_gives_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(an_arena_uses_the_first_memory_before_the_heap),
        cmocka_unit_test(an_arena_over_budget_answers_null_and_remembers),
        cmocka_unit_test(texts_of_an_arena_end_in_nul),
        cmocka_unit_test(a_buffer_grows_to_its_maximum_and_no_further),
        cmocka_unit_test(an_overflow_swallows_all_that_follows),
        cmocka_unit_test(a_fixed_buffer_stays_in_its_memory),
        cmocka_unit_test(numbers_are_put_in_decimal),
        cmocka_unit_test(a_map_finds_what_was_put_and_nothing_else),
        cmocka_unit_test(a_map_stays_right_under_random_puts_and_removals),
        cmocka_unit_test(constant_time_compare_sees_every_bit),
        cmocka_unit_test(aligned_memory_is_aligned_and_cleared),
        cmocka_unit_test(tables_are_cleared_and_keep_what_is_in_them),
        cmocka_unit_test(a_secret_is_copied_and_forgotten),
    };
    return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
