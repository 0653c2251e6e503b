/* Visitors against an exact log, by random schedules; a flood that wants to
 * push honest ones out; and many threads at one address. LONG=1: ten times as
 * many schedules. */
#include "live/visitor.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "base/rand.h"

enum { EVENTS = 24, PLACES = 1024, THREADS = 4 };
static const int64_t T0 = 1750000000000;

static struct visitors *v;
static struct rand_fast rnd = { 20260101 };

static void table_make(uint32_t places)
{
    visitors_free(&v);
    assert_int_equal(visitors_new(&v, places), 0);
    assert_int_equal(visitors_reserve(v), 0);
    assert_int_equal(visitors_reserve(v), 0); /* the same one */
}

static int setup(void **state)
{
    (void)state;
    table_make(PLACES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    visitors_free(&v);
    return 0;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(rand_fast_next(&rnd) % n);
}

static uint32_t rounds(uint32_t n)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    n /= 20;
#endif
    return getenv("LONG") ? n * 10 : n;
}

static struct ip ip_of(uint32_t n)
{
    struct ip ip = { .b = { [10] = 0xff, [11] = 0xff } };
    for (int i = 0; i < 4; i++) ip.b[12 + i] = (uint8_t)(n >> (24 - 8 * i));
    return ip;
}

/* Who asks is told by a number: an IPv4 address. */
static enum take take_at(uint32_t who, const struct limit *l, int64_t now_ms,
                         uint32_t cost, struct visitor_take *visit)
{
    struct take_answer a;
    struct ip ip = ip_of(who);
    struct visitor_take mine;
    const struct visitor_ask ask = {
        .limit = l, .app = 1, .client = &ip, .now_ms = now_ms, .cost = cost
    };
    return visitors_take(v, &ask, &a, visit ? visit : &mine);
}

static bool takes(uint32_t who, const struct limit *l, int64_t now_ms)
{
    return take_at(who, l, now_ms, 1, NULL) == TAKE_TAKEN;
}

/* --- the bounds ---------------------------------------------------------------- */

struct schedule {
    struct limit limit;
    uint32_t who;
    int64_t now, last;  /* a visitor's time never goes back */
    int64_t at[EVENTS]; /* exact log of what was taken */
    uint32_t cost[EVENTS];
    unsigned n;
};

static int64_t window_of(const struct schedule *s)
{
    return s->limit.window_s * 1000;
}

static uint32_t some_cost(uint32_t limit)
{
    if (below(2)) return 1;
    return 1 + below(limit < 4 ? 4 : limit);
}

/* Edges of sub-windows and windows are likelier than between. */
static int64_t some_pause(const struct schedule *s)
{
    int64_t w = window_of(s) / 8;
    switch (below(8)) {
    case 0: return 0;
    case 1: return 1;
    case 2: return below((uint32_t)w);
    case 3: return w - s->now % w;     /* the edge */
    case 4: return w - s->now % w - 1; /* just before */
    case 5: return below((uint32_t)window_of(s));
    case 6: return window_of(s) - below(2);
    default: return w * below(10);
    }
}

static void schedule_begin(struct schedule *s, int64_t from)
{
    static const uint32_t some[] = { 1, 1, 2, 3, 7, 10, 100, 1000000 };
    static uint32_t who;
    *s = (struct schedule){ .now = from + below(100000), .who = who++ };
    s->limit = (struct limit){ .limit = some[below(8)],
                               .window_s = below(4) ? 1 + below(3) : 86400 };
    if (who % 100 == 0) table_make(PLACES);
}

static uint64_t taken_within(const struct schedule *s, int64_t ms)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < s->n; i++)
        if (s->now - s->at[i] < ms) sum += s->cost[i];
    return sum;
}

static void schedule_run(int64_t from, bool clock_steps_back)
{
    struct schedule s;
    schedule_begin(&s, from);
    int64_t window = window_of(&s);
    while (s.n < EVENTS && s.now < from + 40 * window) {
        s.now += some_pause(&s) + 1;
        if (clock_steps_back && below(4) == 0)
            s.now -= below((uint32_t)window * 2);
        uint32_t cost = some_cost(s.limit.limit);
        enum take took = take_at(s.who, &s.limit, s.now, cost, NULL);
        if (s.now < s.last) s.now = s.last;
        if (took == TAKE_TAKEN) {
            s.at[s.n] = s.last = s.now;
            s.cost[s.n++] = cost;
            assert_true(taken_within(&s, window) <= s.limit.limit);
        } else {
            assert_int_equal(took, TAKE_REFUSED);
            assert_true(taken_within(&s, window + window / 8) + cost >
                        s.limit.limit);
        }
    }
}

static void random_schedules_keep_both_bounds(void **state)
{
    (void)state;
    for (uint32_t i = rounds(300000); i > 0; i--) schedule_run(T0, false);
}

static void the_bounds_hold_when_the_clock_steps_back(void **state)
{
    (void)state;
    for (uint32_t i = rounds(100000); i > 0; i--) schedule_run(T0, true);
}

/* Ends are kept mod 2^32 units of 125 ms. */
static void the_bounds_hold_over_a_wrap_of_the_units(void **state)
{
    (void)state;
    const int64_t wrap = ((int64_t)1 << 32) * 125 * 4;
    for (uint32_t i = rounds(100000); i > 0; i--)
        schedule_run(wrap - 100000 - (below(2) ? 0 : 86400000), below(2));
}

static void a_limit_of_one_comes_back_after_its_window(void **state)
{
    (void)state;
    const uint32_t windows_s[] = { 1, 60, 3600, 86400 };
    for (size_t i = 0; i < ARRAY_LEN(windows_s); i++) {
        const struct limit one = { .limit = 1, .window_s = windows_s[i] };
        int64_t now = T0 + 77, window = windows_s[i] * 1000;
        for (unsigned k = 0; k < 10; k++) {
            assert_true(takes(1, &one, now));
            assert_false(takes(1, &one, now + window - 1));
            now += window + 125; /* what is known of the last take */
        }
    }
}

static void years_of_rest_clear_a_place(void **state)
{
    (void)state;
    const struct limit l = { .limit = 3, .window_s = 86400 };
    for (int64_t days = 2; days < 8 * 365; days += 13) {
        table_make(PLACES);
        assert_int_equal(take_at(5, &l, T0, 3, NULL), TAKE_TAKEN);
        assert_int_equal(take_at(5, &l, T0 + days * 86400000, 3, NULL),
                         TAKE_TAKEN);
    }
}

/* --- what is told ----------------------------------------------------------------- */

static void the_answer_tells_of_the_limit_and_obeying_it_is_enough(void **state)
{
    (void)state;
    const struct limit l = { .limit = 5, .window_s = 60 };
    struct ip ip = ip_of(9);
    struct visitor_ask ask = {
        .limit = &l, .app = 1, .client = &ip, .now_ms = T0, .cost = 2
    };
    struct take_answer a;
    struct visitor_take visit;
    table_make(PLACES);
    assert_int_equal(visitors_take(v, &ask, &a, &visit), TAKE_TAKEN);
    assert_int_equal(a.limit, 5);
    assert_int_equal(a.remaining, 3);
    assert_int_equal(a.refused_by, TAKE_BY_NONE);
    assert_true(a.has_limit && a.reset_s >= 60 && a.reset_s <= 68);
    assert_int_equal(a.retry_after_s, 0);
    assert_int_equal(visitors_take(v, &ask, &a, &visit), TAKE_TAKEN);
    assert_int_equal(visitors_take(v, &ask, &a, &visit), TAKE_REFUSED);
    assert_int_equal(a.refused_by, 0);
    assert_int_equal(a.remaining, 1);
    assert_true(a.retry_after_s > 0);
    ask.now_ms += a.retry_after_s * 1000LL;
    assert_int_equal(visitors_take(v, &ask, &a, &visit), TAKE_TAKEN);
    ask.cost = 6; /* above the limit: never */
    assert_int_equal(visitors_take(v, &ask, &a, &visit), TAKE_REFUSED);
    assert_int_equal(a.retry_after_s, 0);
}

static void a_peek_takes_nothing(void **state)
{
    (void)state;
    const struct limit l = { .limit = 1, .window_s = 60 };
    struct ip ip = ip_of(9);
    struct visitor_ask ask = { .limit = &l,
                               .app = 1,
                               .client = &ip,
                               .now_ms = T0,
                               .cost = 1,
                               .peek = true };
    struct take_answer a;
    struct visitor_take visit;
    table_make(PLACES);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(visitors_take(v, &ask, &a, &visit), TAKE_TAKEN);
        assert_int_equal(a.remaining, 1);
        visitors_refund(v, &l, &visit); /* of nothing */
    }
    assert_int_equal(visitors_stats(v)->used, 0);
    assert_true(takes(9, &l, T0));
    assert_int_equal(visitors_take(v, &ask, &a, &visit), TAKE_REFUSED);
}

static void what_is_given_back_can_be_taken_again_once(void **state)
{
    (void)state;
    const struct limit l = { .limit = 3, .window_s = 8 };
    struct visitor_take visit;
    table_make(PLACES);
    assert_int_equal(take_at(1, &l, T0, 2, &visit), TAKE_TAKEN);
    assert_int_equal(take_at(1, &l, T0 + 3000, 1, NULL), TAKE_TAKEN);
    visitors_refund(v, &l, &visit);
    assert_int_equal(take_at(1, &l, T0 + 3000, 2, NULL), TAKE_TAKEN);
    assert_int_equal(take_at(1, &l, T0 + 3000, 1, &visit), TAKE_REFUSED);
    visitors_refund(v, &l, &visit); /* a refusal took nothing */
    assert_int_equal(take_at(1, &l, T0 + 3000, 1, NULL), TAKE_REFUSED);
}

static void what_has_left_is_not_given_back_from_what_came_since(void **state)
{
    (void)state;
    const struct limit l = { .limit = 3, .window_s = 8 };
    struct visitor_take visit;
    table_make(PLACES);
    assert_int_equal(take_at(1, &l, T0, 3, &visit), TAKE_TAKEN);
    assert_int_equal(take_at(1, &l, T0 + 9000, 3, NULL), TAKE_TAKEN);
    visitors_refund(v, &l, &visit);
    assert_int_equal(take_at(1, &l, T0 + 9000, 1, NULL), TAKE_REFUSED);
}

static void without_a_table_it_is_a_fault(void **state)
{
    (void)state;
    const struct limit l = { .limit = 3, .window_s = 8 };
    visitors_free(&v);
    assert_int_equal(visitors_new(&v, PLACES), 0);
    assert_int_equal(take_at(1, &l, T0, 1, NULL), TAKE_FAULT);
}

/* --- who is counted together -------------------------------------------------------- */

struct caller {
    const char *ip, *value;
    uint32_t app, window_s;
    uint64_t scope;
};

static const struct pair {
    const char *says;
    struct caller one, other;
    bool together;
} PAIRS[] = {
    { "an address with itself",
      { "192.0.2.1", "", 1, 60, 0 },
      { "192.0.2.1", "", 1, 60, 0 },
      true },
    { "neighbours apart",
      { "192.0.2.1", "", 1, 60, 0 },
      { "192.0.2.2", "", 1, 60, 0 },
      false },
    { "an IPv6 /64 together",
      { "2001:db8::1", "", 1, 60, 0 },
      { "2001:db8::ffff:1:2:3", "", 1, 60, 0 },
      true },
    { "the next /64 apart",
      { "2001:db8::1", "", 1, 60, 0 },
      { "2001:db8:0:1::1", "", 1, 60, 0 },
      false },
    { "an IPv4 address and its bytes as IPv6 apart",
      { "192.0.2.1", "", 1, 60, 0 },
      { "::c000:201", "", 1, 60, 0 },
      false },
    { "applications apart",
      { "192.0.2.1", "", 1, 60, 0 },
      { "192.0.2.1", "", 2, 60, 0 },
      false },
    { "scopes apart",
      { "192.0.2.1", "", 1, 60, 0 },
      { "192.0.2.1", "", 1, 60, 7 },
      false },
    { "a changed window starts empty",
      { "192.0.2.1", "", 1, 60, 0 },
      { "192.0.2.1", "", 1, 61, 0 },
      false },
    { "a value from anywhere together",
      { "192.0.2.1", "ann", 1, 60, 7 },
      { "2001:db8::1", "ann", 1, 60, 7 },
      true },
    { "values apart",
      { "192.0.2.1", "ann", 1, 60, 7 },
      { "192.0.2.1", "bob", 1, 60, 7 },
      false },
    { "a value and no value apart",
      { "192.0.2.1", "ann", 1, 60, 7 },
      { "192.0.2.1", "", 1, 60, 7 },
      false },
};

static enum take caller_take(const struct caller *c)
{
    struct ip ip;
    struct take_answer a;
    struct visitor_take visit;
    const struct limit l = { .limit = 1, .window_s = c->window_s };
    assert_int_equal(ip_parse(sv_cstr(c->ip), &ip), 0);
    const struct visitor_ask ask = { .limit = &l,
                                     .app = c->app,
                                     .scope = c->scope,
                                     .client = &ip,
                                     .value = sv_cstr(c->value),
                                     .now_ms = T0,
                                     .cost = 1 };
    return visitors_take(v, &ask, &a, &visit);
}

static void visitors_are_counted_apart_and_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(PAIRS); i++) {
        const struct pair *p = &PAIRS[i];
        table_make(PLACES);
        assert_int_equal(caller_take(&p->one), TAKE_TAKEN);
        enum take took = caller_take(&p->other);
        if ((took == TAKE_REFUSED) != p->together) fail_msg("%s", p->says);
        assert_int_equal(caller_take(&p->other), TAKE_REFUSED);
    }
}

/* --- a flood --------------------------------------------------------------------------- */

/* So many addresses fill a table of so many places, out of so few networks
 * that each of these has a place of its own (but once in 10^7). */
enum { HONEST = 40, LIMIT = 5, MANY_PLACES = 16384, FLOOD = 65536 };
static const uint32_t FLOOD_NETWORK = 0x0a000000, /* 10.0.0.0/8 */
    HONEST_NETWORK = 0xc0000000,                  /* a /24 each */
    NEW_NETWORK = 0xd0000000;
static const struct limit FIVE = { .limit = LIMIT, .window_s = 60 };

static uint32_t honest(uint32_t network, uint32_t i)
{
    return network + (i << 8) + 1;
}

/* From `n` addresses in networks of 256; what of it passed. */
static uint32_t flood(uint32_t n, int64_t now_ms)
{
    uint32_t passed = 0;
    for (uint32_t i = 0; i < n; i++)
        passed += takes(FLOOD_NETWORK + i, &FIVE, now_ms);
    return passed;
}

static void a_flood_pushes_nobody_out_and_lets_nobody_have_more(void **state)
{
    (void)state;
    table_make(MANY_PLACES);
    for (uint32_t i = 0; i < HONEST; i++)
        for (uint32_t k = 0; k + 1 < LIMIT; k++)
            assert_true(takes(honest(HONEST_NETWORK, i), &FIVE, T0));
    /* Each address asks once: what passes has a place of its own, or is one of
     * the five of its network. */
    uint64_t places = visitors_stats(v)->places;
    uint32_t passed = flood(FLOOD, T0 + 1000);
    assert_true(passed <= places - HONEST + FLOOD / 256 * LIMIT);
    assert_true(visitors_stats(v)->used > places * 3 / 4);
    assert_true(visitors_stats(v)->by_network > 0);
    assert_int_equal(visitors_stats(v)->full, 0);
    /* who was there goes on where he was: one more, not two */
    for (uint32_t i = 0; i < HONEST; i++) {
        assert_true(takes(honest(HONEST_NETWORK, i), &FIVE, T0 + 2000));
        assert_false(takes(honest(HONEST_NETWORK, i), &FIVE, T0 + 2000));
    }
    /* who comes new from elsewhere has his whole limit, no more */
    for (uint32_t i = 0; i < HONEST; i++) {
        for (uint32_t k = 0; k < LIMIT; k++)
            assert_true(takes(honest(NEW_NETWORK, i), &FIVE, T0 + 3000));
        assert_false(takes(honest(NEW_NETWORK, i), &FIVE, T0 + 3000));
    }
    /* and when its window is past the flood is forgotten */
    for (uint32_t i = 0; i < HONEST; i++)
        assert_true(takes(honest(FLOOD_NETWORK + FLOOD, i), &FIVE, T0 + 75000));
}

/* In every window, whatever the flood does with the places around him. */
static void nobody_gets_more_than_his_limit_in_a_flood(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < rounds(20); round++) {
        int64_t at[400], now = T0 + below(100000);
        uint32_t n = 0, who = FLOOD_NETWORK + below(1 << 16);
        table_make(PLACES);
        for (int step = 0; step < 400; step++) {
            now += below(3000);
            if (below(3) == 0) flood(below(4000), now);
            if (!takes(who, &FIVE, now)) continue;
            at[n++] = now;
            if (n > LIMIT) assert_true(now - at[n - 1 - LIMIT] >= 60000);
        }
        assert_true(n > LIMIT);
    }
}

static void who_gets_a_place_begins_with_what_his_network_took(void **state)
{
    (void)state;
    uint32_t late = 0;
    table_make(MANY_PLACES);
    flood(FLOOD, T0);
    for (uint32_t i = 0; i < 100; i++) { /* 50 s later, all five at once */
        uint32_t who = honest(NEW_NETWORK, i);
        enum take took = take_at(who, &FIVE, T0 + 50000, LIMIT, NULL);
        assert_int_equal(took, TAKE_TAKEN);
    }
    /* the flood's places are free again; those who had none ask for more */
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t who = honest(NEW_NETWORK, i);
        assert_false(takes(who, &FIVE, T0 + 62000));
        assert_false(takes(who, &FIVE, T0 + 109000));
        late += takes(who, &FIVE, T0 + 118000);
    }
    assert_int_equal(late, 100);
}

static void without_any_place_it_is_a_fault_and_is_counted(void **state)
{
    (void)state;
    uint32_t faults = 0;
    table_make(PLACES);
    for (uint32_t i = 0; i < 20000; i++) /* a network each */
        faults += take_at(i << 8, &FIVE, T0, 1, NULL) == TAKE_FAULT;
    assert_true(faults > 15000);
    assert_int_equal(visitors_stats(v)->full, faults);
    assert_int_equal(visitors_stats(v)->used, visitors_stats(v)->places);
    assert_int_equal(take_at(30000 << 8, &FIVE, T0 + 61000, 1, NULL),
                     TAKE_TAKEN);
}

static void values_without_a_place_are_counted_in_groups(void **state)
{
    (void)state;
    struct ip ip = ip_of(1);
    struct take_answer a;
    struct visitor_take visit;
    uint32_t grouped = 0;
    table_make(PLACES);
    for (int i = 0; i < 4000; i++) {
        char text[16];
        const struct visitor_ask ask = {
            .limit = &FIVE,
            .app = 1,
            .client = &ip,
            .value = { text, (size_t)snprintf(text, sizeof text, "v%d", i) },
            .now_ms = T0,
            .cost = LIMIT
        };
        enum take took = visitors_take(v, &ask, &a, &visit);
        if (took != TAKE_TAKEN) continue;
        grouped += visit.by_network;
        assert_int_equal(visitors_take(v, &ask, &a, &visit), TAKE_REFUSED);
    }
    assert_true(grouped > 0);
}

/* --- many threads ------------------------------------------------------------------------ */

enum { MANY = 20000 };
static const struct limit LARGE = { .limit = MANY, .window_s = 3600 };
static _Atomic uint32_t admitted;
static uint32_t asked_for;
static bool gives_back;

static void *ask_on(void *arg)
{
    struct rand_fast mine = { (uint64_t)(uintptr_t)arg + 1 };
    struct visitor_take visit;
    unsigned refused = 0;
    while (refused < 50) {
        uint64_t bits = rand_fast_next(&mine);
        uint32_t cost = 1 + (uint32_t)bits % 3;
        int64_t now = T0 + (int64_t)(bits >> 40) % 1000; /* clocks differ */
        enum take took = take_at(asked_for, &LARGE, now, cost, &visit);
        if (took == TAKE_REFUSED) refused++;
        if (took == TAKE_TAKEN && gives_back && bits >> 32 & 1)
            visitors_refund(v, &LARGE, &visit);
        else if (took == TAKE_TAKEN)
            ENSURE(atomic_fetch_add(&admitted, cost) + cost <= MANY);
        if (bits >> 33 & 1) /* others are there as well */
            take_at((uint32_t)(bits >> 16) % 5000, &FIVE, now, 1, NULL);
    }
    return NULL;
}

static void threads_run(uint32_t who, bool refunds)
{
    pthread_t t[THREADS];
    atomic_store(&admitted, 0);
    asked_for = who;
    gives_back = refunds;
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, ask_on, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    /* A cost of 1 fits as long as anything is left. What is given back while
     * another thread has the place and is off its core stays counted. */
    if (!refunds) assert_int_equal(atomic_load(&admitted), MANY);
}

static void many_threads_at_one_address_take_the_limit_exactly(void **state)
{
    (void)state;
    table_make(PLACES);
    threads_run(0xc0000201, false);
}

static void with_some_giving_back_it_is_never_more(void **state)
{
    (void)state;
    table_make(PLACES);
    threads_run(0xc0000201, true);
}

static void many_threads_at_one_network_take_the_limit_exactly(void **state)
{
    (void)state;
    struct visitor_take visit = { .by_network = false };
    uint32_t who = 0xc0000200;
    table_make(MANY_PLACES);
    for (uint32_t i = 0; i < FLOOD; i++) takes(FLOOD_NETWORK + i, &LARGE, T0);
    while (!visit.by_network) take_at(++who, &LARGE, T0, 1, &visit);
    visitors_refund(v, &LARGE, &visit);
    threads_run(who, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_schedules_keep_both_bounds),
        cmocka_unit_test(the_bounds_hold_when_the_clock_steps_back),
        cmocka_unit_test(the_bounds_hold_over_a_wrap_of_the_units),
        cmocka_unit_test(a_limit_of_one_comes_back_after_its_window),
        cmocka_unit_test(years_of_rest_clear_a_place),
        cmocka_unit_test(
            the_answer_tells_of_the_limit_and_obeying_it_is_enough),
        cmocka_unit_test(a_peek_takes_nothing),
        cmocka_unit_test(what_is_given_back_can_be_taken_again_once),
        cmocka_unit_test(what_has_left_is_not_given_back_from_what_came_since),
        cmocka_unit_test(without_a_table_it_is_a_fault),
        cmocka_unit_test(visitors_are_counted_apart_and_together),
        cmocka_unit_test(a_flood_pushes_nobody_out_and_lets_nobody_have_more),
        cmocka_unit_test(nobody_gets_more_than_his_limit_in_a_flood),
        cmocka_unit_test(who_gets_a_place_begins_with_what_his_network_took),
        cmocka_unit_test(without_any_place_it_is_a_fault_and_is_counted),
        cmocka_unit_test(values_without_a_place_are_counted_in_groups),
        cmocka_unit_test(many_threads_at_one_address_take_the_limit_exactly),
        cmocka_unit_test(with_some_giving_back_it_is_never_more),
        cmocka_unit_test(many_threads_at_one_network_take_the_limit_exactly),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
