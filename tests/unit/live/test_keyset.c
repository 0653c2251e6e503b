/* Key sets through their contract: when they are fetched, what holds through
 * rotations and outages, what unknown kids cause. The test is the fetcher. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/epoch.h"
#include "base/err.h"
#include "base/hash.h"
#include "keyset_kit.h"
#include "live/keyset_int.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static struct keysets *k;
static int64_t now;
static unsigned wakes;

static void on_wake(void *ctx)
{
    assert_ptr_equal(ctx, &wakes);
    wakes++;
}

static int set_up(void **state)
{
    struct keysets_conf conf = {
        .max = 8, .lanes = 2, .wake = on_wake, .ctx = &wakes
    };
    (void)state;
    now = 1750000000000;
    wakes = 0;
    return keysets_new(&k, &conf);
}

static int tear_down(void **state)
{
    (void)state;
    keysets_free(&k);
    assert_int_equal(epoch_reclaim(), 0);
    return 0;
}

static struct keyset_ref hold(struct keyset_source src)
{
    struct keyset_ref ref;
    assert_int_equal(keysets_hold(k, &src, &ref, NULL), 0);
    assert_int_not_equal(ref.generation, 0);
    return ref;
}

static struct keyset_ref hold_url(const char *url)
{
    return hold((struct keyset_source){ .kind = KEYSET_URL,
                                        .text = sv_cstr(url),
                                        .cache_s = 600,
                                        .rotation_grace_s = 120,
                                        .max_stale_s = 3600 });
}

static bool due(struct keyset_due *out)
{
    int64_t next;
    return keysets_due(k, now, out, &next);
}

static int64_t next_due(void)
{
    struct keyset_due d;
    int64_t next;
    assert_false(keysets_due(k, now, &d, &next));
    return next;
}

/* One fetch that is due brings these keys. */
static void fetch(const char *letters)
{
    struct keyset_due d;
    assert_true(due(&d));
    keysets_put(k, d.ref, kit_set(letters), 0, now);
}

static void misses(const char *why)
{
    struct keyset_due d;
    assert_true(due(&d));
    keysets_failed(k, d.ref, why, now);
}

static bool has(const struct jwk_set *set, char letter)
{
    for (unsigned i = 0; set && i < set->n; i++)
        if (set->keys[i].kid.p[0] == letter) return true;
    return false;
}

/* "ab|c": the letters of now, then those of before. */
static void expect(struct keyset_ref ref, const char *letters)
{
    const struct keyset_image *image = keysets_view(k, ref, now);
    assert_non_null(image);
    const char *bar = strchr(letters, '|');
    size_t n = bar ? (size_t)(bar - letters) : strlen(letters);
    assert_int_equal(image->now->n, n);
    for (size_t i = 0; i < n; i++) assert_true(has(image->now, letters[i]));
    if (!bar) {
        assert_null(image->before);
        return;
    }
    assert_non_null(image->before);
    assert_true(image->before_until_ms > now);
    assert_int_equal(image->before->n, strlen(bar + 1));
    for (const char *c = bar + 1; *c; c++) assert_true(has(image->before, *c));
}

static enum keyset_ask ask(struct keyset_ref ref, const char *kid)
{
    return keysets_ask(k, ref, sv_cstr(kid), now);
}

static struct keyset_status status_of(struct keyset_ref ref)
{
    struct keyset_status s;
    assert_true(keysets_status(k, ref, &s));
    return s;
}

static uint64_t generation(struct keyset_ref ref)
{
    return keysets_view(k, ref, now)->generation;
}

/* --- holding --------------------------------------------------------------- */
static void inline_keys_are_there_at_once(void **state)
{
    char text[1024];
    struct keyset_source src = { .kind = KEYSET_INLINE,
                                 .text = kit_keys(text, sizeof text, "ab") };
    (void)state;
    struct keyset_ref ref = hold(src);
    expect(ref, "ab");
    now += (int64_t)1000 * HOUR;
    expect(ref, "ab");
    assert_int_equal(wakes, 0);
    assert_int_equal(next_due(), INT64_MAX);
    assert_int_equal(ask(ref, "x"), KEYSET_UNKNOWN);
}

static void inline_keys_that_cannot_be_used_are_refused_with_the_reason(
    void **state)
{
    struct keyset_source src = { .kind = KEYSET_INLINE,
                                 .text = SV("{\"kty\":\"oct\"}") };
    struct keyset_ref ref;
    struct jwk_why why = { 0 };
    (void)state;
    assert_int_equal(keysets_hold(k, &src, &ref, &why), ERR_INVALID);
    assert_non_null(why.reason);
    assert_int_equal(ref.generation, 0);
    assert_null(keysets_view(k, ref, now));
}

static void equal_sources_are_one_set_and_the_shorter_times_hold(void **state)
{
    (void)state;
    struct keyset_ref a = hold_url("https://a.test/k");
    struct keyset_ref b = hold((struct keyset_source){
        .kind = KEYSET_URL, .text = SV("https://a.test/k"), .cache_s = 100 });
    struct keyset_ref other = hold((struct keyset_source){
        .kind = KEYSET_DISCOVERY, .text = SV("https://a.test/k") });
    assert_int_equal(a.number, b.number);
    assert_int_equal(a.generation, b.generation);
    assert_int_not_equal(a.number, other.number);
    assert_int_equal(wakes, 2);
    assert_int_equal(status_of(a).holders, 2);
    struct keyset_due d;
    assert_true(due(&d));
    assert_int_equal(d.source.cache_s, 100);
    assert_int_equal(d.source.rotation_grace_s, 120);
    keysets_failed(k, d.ref, "x", now);
    assert_true(due(&d));
    keysets_failed(k, d.ref, "x", now);
    assert_false(due(&d));
}

static void a_dropped_set_is_gone_when_its_last_holder_lets_go(void **state)
{
    (void)state;
    struct keyset_ref a = hold_url("https://a.test/k"), found;
    hold_url("https://a.test/k");
    fetch("a");
    keysets_drop(k, a);
    expect(a, "a");
    keysets_drop(k, a);
    assert_null(keysets_view(k, a, now));
    assert_false(keysets_status(k, a, &(struct keyset_status){ 0 }));
    assert_false(keysets_find(k, KEYSET_URL, SV("https://a.test/k"), &found));
    /* its number serves another one; who still has the old reference sees
     * nothing of it */
    struct keyset_ref b = hold_url("https://b.test/k");
    assert_int_equal(b.number, a.number);
    fetch("b");
    expect(b, "b");
    assert_null(keysets_view(k, a, now));
    assert_int_equal(ask(a, "x"), KEYSET_UNKNOWN);
    keysets_drop(k, a); /* a second time: harmless */
    expect(b, "b");
    assert_true(keysets_find(k, KEYSET_URL, SV("https://b.test/k"), &found));
    assert_int_equal(found.number, b.number);
    assert_int_equal(found.generation, b.generation);
}

static void an_answer_for_a_set_that_was_dropped_is_ignored(void **state)
{
    struct keyset_due d;
    (void)state;
    struct keyset_ref a = hold_url("https://a.test/k");
    assert_true(due(&d));
    keysets_drop(k, a);
    assert_true(sv_eq(d.source.text, SV("https://a.test/k")));
    struct keyset_ref b = hold_url("https://b.test/k");
    assert_int_not_equal(b.number, a.number);
    keysets_put(k, d.ref, kit_set("a"), 0, now);
    assert_null(keysets_view(k, a, now));
    assert_null(keysets_view(k, b, now));
}

static void the_table_has_an_end(void **state)
{
    struct keyset_ref ref;
    char url[64];
    (void)state;
    for (int i = 0; i < 8; i++) {
        snprintf(url, sizeof url, "https://a.test/%d", i);
        hold_url(url);
    }
    assert_int_equal(
        keysets_hold(k,
                     &(struct keyset_source){ .kind = KEYSET_URL,
                                              .text = SV("https://a.test/9") },
                     &ref, NULL),
        ERR_FULL);
}

/* --- being fetched ------------------------------------------------------------ */
static void a_set_is_fetched_at_once_and_then_before_it_is_stale(void **state)
{
    struct keyset_due d;
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    assert_int_equal(wakes, 1);
    assert_null(keysets_view(k, ref, now));
    assert_true(due(&d));
    assert_false(d.early);
    assert_false(due(&(struct keyset_due){ 0 })); /* single flight */
    keysets_put(k, d.ref, kit_set("a"), 0, now);
    expect(ref, "a");
    int64_t next = next_due();
    assert_in_range(next, now + 450 * SECOND, now + 540 * SECOND);
    now = next;
    assert_true(due(&d));
    keysets_put(k, d.ref, kit_set("a"), 0, now);
    assert_int_equal(status_of(ref).fetches, 2);
}

static void what_the_answer_allows_is_honoured_within_bounds(void **state)
{
    static const struct {
        uint32_t own, says, fresh;
    } cases[] = { { 600, 0, 600 },        { 600, 300, 300 }, { 600, 5, 60 },
                  { 600, 9000, 600 },     { 0, 0, 3600 },    { 0, 7200, 7200 },
                  { 0, 1u << 30, 86400 }, { 20, 5, 20 },     { 1, 5, 10 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keyset_due d;
        struct keyset_ref ref =
            hold((struct keyset_source){ .kind = KEYSET_URL,
                                         .text = SV("https://a.test/k"),
                                         .cache_s = cases[i].own,
                                         .max_stale_s = 1000 });
        assert_true(due(&d));
        keysets_put(k, d.ref, kit_set("a"), cases[i].says, now);
        int64_t fresh = (int64_t)cases[i].fresh * SECOND;
        assert_in_range(next_due() - now, fresh * 3 / 4, fresh * 9 / 10);
        assert_non_null(keysets_view(k, ref, now + fresh + 1000 * SECOND - 1));
        assert_null(keysets_view(k, ref, now + fresh + 1000 * SECOND));
        keysets_drop(k, ref);
    }
}

static void failures_are_tried_again_ever_more_rarely(void **state)
{
    int64_t wait = SECOND;
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    for (int i = 0; i < 30; i++) {
        misses("the issuer is down");
        int64_t next = next_due();
        assert_in_range(next - now, wait, wait * 3 / 2 + 1);
        now = next;
        if ((wait *= 2) > 300 * SECOND) wait = 300 * SECOND;
    }
    assert_int_equal(status_of(ref).failures, 30);
    assert_string_equal(status_of(ref).problem, "the issuer is down");
    assert_null(keysets_view(k, ref, now));
    fetch("a");
    assert_string_equal(status_of(ref).problem, "");
    now = next_due();
    misses("once");
    assert_in_range(next_due() - now, SECOND, SECOND * 3 / 2 + 1);
}

static void the_last_good_set_is_kept_through_an_outage_but_not_for_ever(
    void **state)
{
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    fetch("a");
    int64_t read_at = now;
    uint64_t g = generation(ref);
    while (next_due() < read_at + 600 * SECOND + HOUR) {
        now = next_due();
        misses("down");
        expect(ref, "a");
        assert_int_equal(generation(ref), g);
    }
    now = read_at + 600 * SECOND + HOUR;
    assert_null(keysets_view(k, ref, now));
    now = next_due();
    fetch("a");
    expect(ref, "a");
}

/* --- rotation -------------------------------------------------------------------- */
static void keys_that_left_hold_for_their_grace(void **state)
{
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    fetch("ab");
    uint64_t g = generation(ref);
    now += 550 * SECOND;
    fetch("bc");
    expect(ref, "bc|a");
    assert_int_not_equal(generation(ref), g);
    assert_int_equal(next_due(), now + 120 * SECOND); /* to forget it */
    now += 119 * SECOND;
    assert_int_not_equal(next_due(), INT64_MAX);
    expect(ref, "bc|a");
    g = generation(ref);
    now += SECOND;
    assert_int_not_equal(next_due(), INT64_MAX);
    expect(ref, "bc");
    assert_int_not_equal(generation(ref), g);
}

static void two_rotations_within_the_grace_lose_no_key(void **state)
{
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    fetch("a");
    now += 550 * SECOND;
    fetch("b");
    now += 70 * SECOND;
    assert_int_equal(ask(ref, "c"), KEYSET_WAIT);
    fetch("c");
    expect(ref, "c|ab");
    now += 50 * SECOND; /* of a */
    next_due();
    expect(ref, "c|b");
    now += 70 * SECOND; /* of b */
    next_due();
    expect(ref, "c");
}

static void a_key_that_comes_back_is_no_more_one_that_left(void **state)
{
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    fetch("a");
    now += 550 * SECOND;
    fetch("b");
    now += 61 * SECOND;
    assert_int_equal(ask(ref, "x"), KEYSET_WAIT);
    fetch("ab");
    expect(ref, "ab");
}

static void without_grace_a_key_that_left_is_gone(void **state)
{
    (void)state;
    struct keyset_ref ref =
        hold((struct keyset_source){ .kind = KEYSET_URL,
                                     .text = SV("https://a.test/k"),
                                     .rotation_grace_s = KEYSET_NO_GRACE });
    fetch("a");
    now += 2 * HOUR;
    fetch("b");
    expect(ref, "b");
}

static void the_same_keys_keep_their_generation(void **state)
{
    struct keyset_due d;
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    fetch("ab");
    uint64_t g = generation(ref);
    now += 550 * SECOND;
    fetch("ba");
    assert_int_equal(generation(ref), g);
    now += 550 * SECOND;
    assert_true(due(&d));
    keysets_same(k, d.ref, 0, now);
    assert_int_equal(generation(ref), g);
    assert_int_equal(status_of(ref).fetched_ms, now);
    /* and it is as fresh as after a new one */
    now += 600 * SECOND + HOUR - 1;
    expect(ref, "ab");
}

static void the_same_as_nothing_is_a_failure(void **state)
{
    struct keyset_due d;
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    assert_true(due(&d));
    keysets_same(k, d.ref, 0, now);
    assert_int_equal(status_of(ref).failures, 1);
    assert_null(keysets_view(k, ref, now));
}

static void generations_never_come_again(void **state)
{
    uint64_t last = 0;
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct keyset_ref ref = hold_url("https://a.test/k");
        fetch("a");
        assert_true(generation(ref) > last);
        last = generation(ref);
        keysets_drop(k, ref);
    }
}

/* --- unknown kids ------------------------------------------------------------------ */
static void an_unknown_kid_causes_one_early_fetch_for_all_who_wait(void **state)
{
    struct keyset_due d;
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    fetch("a");
    now += 10 * SECOND;
    wakes = 0;
    assert_int_equal(ask(ref, "b"), KEYSET_WAIT);
    assert_int_equal(wakes, 1);
    assert_int_equal(ask(ref, "b"), KEYSET_WAIT);
    assert_int_equal(ask(ref, "c"), KEYSET_WAIT);
    assert_int_equal(wakes, 1);
    assert_true(due(&d));
    assert_true(d.early);
    assert_false(due(&(struct keyset_due){ 0 }));
    assert_int_equal(ask(ref, "b"), KEYSET_WAIT);
    keysets_put(k, d.ref, kit_set("ab"), 0, now);
    expect(ref, "ab");
    /* who looked before the swap looks again */
    assert_int_equal(ask(ref, "b"), KEYSET_WAIT);
    assert_int_equal(ask(ref, "c"), KEYSET_UNKNOWN);
    assert_int_equal(status_of(ref).early, 1);
    /* but not for ever */
    now += 2 * SECOND;
    assert_int_equal(ask(ref, "b"), KEYSET_UNKNOWN);
}

static void a_hundred_thousand_kids_cause_one_fetch_a_minute(void **state)
{
    char kid[32];
    unsigned fetches = 0;
    struct keyset_due d;
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    fetch("a");
    for (int i = 0; i < 100000; i++) {
        snprintf(kid, sizeof kid, "kid-%d", i);
        ask(ref, kid);
        if (!due(&d)) continue;
        keysets_put(k, d.ref, kit_set("a"), 0, now);
        fetches++;
    }
    assert_int_equal(fetches, 1);
    for (int i = 0; i < 100000; i++) {
        snprintf(kid, sizeof kid, "kid-%d", i);
        if (i % 1000 == 0) now += SECOND; /* 100 s in all */
        ask(ref, kid);
        if (!due(&d)) continue;
        keysets_put(k, d.ref, kit_set("a"), 0, now);
        fetches++;
    }
    assert_int_equal(fetches, 2);
}

static void a_kid_that_a_fresh_set_lacked_is_remembered(void **state)
{
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    fetch("a");
    assert_int_equal(ask(ref, "x"), KEYSET_WAIT);
    fetch("a");
    assert_int_equal(ask(ref, "x"), KEYSET_UNKNOWN);
    now += 61 * SECOND; /* the budget is there again */
    assert_int_equal(ask(ref, "x"), KEYSET_UNKNOWN);
    assert_int_equal(ask(ref, "y"), KEYSET_WAIT);
    fetch("a");
    now += 240 * SECOND; /* and x is forgotten */
    assert_int_equal(ask(ref, "x"), KEYSET_WAIT);
}

static void during_an_outage_unknown_kids_wait_no_longer_than_a_fetch(
    void **state)
{
    struct keyset_due d;
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    assert_int_equal(ask(ref, "x"), KEYSET_WAIT); /* nothing read yet */
    assert_true(due(&d));
    now += KEYSET_WAIT_MS - 1;
    assert_int_equal(ask(ref, "x"), KEYSET_WAIT);
    now += 1;
    assert_int_equal(ask(ref, "x"), KEYSET_UNKNOWN);
    keysets_failed(k, d.ref, "slow", now);
    assert_int_equal(ask(ref, "x"), KEYSET_WAIT); /* the early one */
    misses("slow");
    assert_int_equal(ask(ref, "x"), KEYSET_UNKNOWN);
    assert_int_equal(ask(ref, ""), KEYSET_UNKNOWN);
    now += 61 * SECOND; /* nothing was remembered: no fresh set lacked it */
    misses("slow");
    assert_int_equal(ask(ref, "x"), KEYSET_WAIT);
}

static void a_regular_fetch_is_waited_for_too(void **state)
{
    struct keyset_due d;
    (void)state;
    struct keyset_ref ref = hold_url("https://a.test/k");
    fetch("a");
    assert_int_equal(ask(ref, "x"), KEYSET_WAIT);
    fetch("a"); /* the minute's early one */
    now += 540 * SECOND;
    assert_true(due(&d));
    assert_false(d.early);
    wakes = 0;
    assert_int_equal(ask(ref, "b"), KEYSET_WAIT);
    assert_int_equal(wakes, 0);
    keysets_put(k, d.ref, kit_set("b"), 0, now);
    expect(ref, "b|a");
    assert_false(due(&d));
}

/* --- what operators see ----------------------------------------------------------------- */
static void metrics_name_a_set_by_number_and_host_only(void **state)
{
    struct buf out;
    (void)state;
    struct keyset_ref ref =
        hold_url("https://keys.example.com/set?secret=hunter2");
    fetch("ab");
    now += 30 * SECOND;
    buf_init(&out, 1 << 16);
    keysets_metrics(k, now, &out);
    buf_putc(&out, '\0');
    assert_null(strstr(out.p, "hunter2"));
    char line[128];
    snprintf(line, sizeof line,
             "\ntypeauth_keyset_age_seconds{set=\"%u\","
             "host=\"keys.example.com\"} 30\n",
             ref.number);
    assert_non_null(strstr(out.p, line));
    assert_non_null(strstr(out.p, "_keys{set=\"0\",host="
                                  "\"keys.example.com\"} 2\n"));
    buf_fini(&out);
}

#define KEYSET_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYSET_TEST(inline_keys_are_there_at_once),
        KEYSET_TEST(
            inline_keys_that_cannot_be_used_are_refused_with_the_reason),
        KEYSET_TEST(equal_sources_are_one_set_and_the_shorter_times_hold),
        KEYSET_TEST(a_dropped_set_is_gone_when_its_last_holder_lets_go),
        KEYSET_TEST(an_answer_for_a_set_that_was_dropped_is_ignored),
        KEYSET_TEST(the_table_has_an_end),
        KEYSET_TEST(a_set_is_fetched_at_once_and_then_before_it_is_stale),
        KEYSET_TEST(what_the_answer_allows_is_honoured_within_bounds),
        KEYSET_TEST(failures_are_tried_again_ever_more_rarely),
        KEYSET_TEST(
            the_last_good_set_is_kept_through_an_outage_but_not_for_ever),
        KEYSET_TEST(keys_that_left_hold_for_their_grace),
        KEYSET_TEST(two_rotations_within_the_grace_lose_no_key),
        KEYSET_TEST(a_key_that_comes_back_is_no_more_one_that_left),
        KEYSET_TEST(without_grace_a_key_that_left_is_gone),
        KEYSET_TEST(the_same_keys_keep_their_generation),
        KEYSET_TEST(the_same_as_nothing_is_a_failure),
        KEYSET_TEST(generations_never_come_again),
        KEYSET_TEST(an_unknown_kid_causes_one_early_fetch_for_all_who_wait),
        KEYSET_TEST(a_hundred_thousand_kids_cause_one_fetch_a_minute),
        KEYSET_TEST(a_kid_that_a_fresh_set_lacked_is_remembered),
        KEYSET_TEST(during_an_outage_unknown_kids_wait_no_longer_than_a_fetch),
        KEYSET_TEST(a_regular_fetch_is_waited_for_too),
        KEYSET_TEST(metrics_name_a_set_by_number_and_host_only),
    };
    return cmocka_run_group_tests_name("live/keyset", tests, NULL, NULL);
}
