/* What detectors hold, at rest: one row a detector and subject; it goes with
 * its application and when it has ended; lists of one account only. */
#include "store_kit.h"

static struct hold hold_of(const struct kit *k, const struct record *app,
                           uint64_t who, int64_t from_s)
{
    struct hold h = { .detector = HOLD_TRAVEL,
                      .key = { who, ~who },
                      .action = DETECTOR_CHALLENGE,
                      .opened_ms = from_s * 1000,
                      .ends_ms = from_s * 1000 + 86400000,
                      .account_id = k->account,
                      .app_id = app->id,
                      .state_n = HOLD_STATE_MAX };
    h.id = hold_id(h.detector, h.key, from_s);
    memset(h.state, (int)who, sizeof h.state);
    h.evidence_n = (uint16_t)snprintf(h.evidence, sizeof h.evidence,
                                      "{\"n\":%u}", (unsigned)who);
    h.subject_n = (uint16_t)snprintf(h.subject, sizeof h.subject, "who-%u",
                                     (unsigned)who);
    return h;
}

static void put(struct kit *k, const struct hold *h)
{
    kit_begin(k);
    assert_int_equal(store_hold_put(k->store, h), 0);
    kit_commit(k);
}

static struct store_holds list(struct kit *k, struct store_hold_filter f,
                               struct store_page page)
{
    struct store_holds out;
    if (!f.app_id.p) f.app_id = SV("");
    if (!f.subject.p) f.subject = SV("");
    if (!page.after.p) page.after = SV("");
    if (!page.before.p) page.before = SV("");
    if (!page.limit) page.limit = 100;
    if (!f.now_ms) f.now_ms = NOW_MS;
    assert_int_equal(store_hold_list(k->store, id_sv(&k->account), &f, &page,
                                     &k->arena, &out),
                     0);
    return out;
}
#define ALL ((struct store_hold_filter){ .now_ms = 0 })
#define FIRST ((struct store_page){ .limit = 0 })

static void a_hold_is_read_as_it_was_put_also_by_the_next_process(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct hold h = hold_of(k, &app, 7, NOW), got;
    h.has_token = true;
    memset(h.token.b, 9, sizeof h.token.b);
    h.denied = true;
    h.action = DETECTOR_BLOCK;
    h.ends_ms = 0;
    h.subject_n = 0;
    memset(h.subject, 0, sizeof h.subject);
    put(k, &h);
    store_close(&k->store);
    kit_open(k);
    assert_int_equal(store_hold_get(k->store, id_sv(&k->account), &h.id, &got),
                     0);
    assert_memory_equal(got.key, h.key, sizeof h.key);
    assert_memory_equal(got.state, h.state, sizeof h.state);
    assert_memory_equal(got.evidence, h.evidence, h.evidence_n);
    assert_int_equal(got.evidence_n, h.evidence_n);
    assert_string_equal(got.app_id.text, h.app_id.text);
    assert_string_equal(got.account_id.text, h.account_id.text);
    assert_int_equal(ulid_cmp(&got.token, &h.token), 0);
    assert_true(got.has_token && got.denied && got.subject_n == 0);
    assert_int_equal(got.action, DETECTOR_BLOCK);
    assert_int_equal(got.opened_ms, h.opened_ms);
    assert_int_equal(got.ends_ms, 0);
}

static void a_later_hold_takes_the_place_of_the_earlier_one(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct hold first = hold_of(k, &app, 7, NOW), got;
    struct hold second = hold_of(k, &app, 7, NOW + 60);
    struct hold other = hold_of(k, &app, 7, NOW + 60);
    other.detector = HOLD_ANOMALY;
    other.id = hold_id(other.detector, other.key, NOW + 60);
    put(k, &first);
    put(k, &first);
    put(k, &second);
    put(k, &other);
    assert_int_equal(
        store_hold_get(k->store, id_sv(&k->account), &first.id, &got),
        ERR_NOTFOUND);
    assert_int_equal(list(k, ALL, FIRST).n, 2);
}

static void lists_are_of_an_account_and_what_is_asked_for(void **state)
{
    struct kit *k = *state;
    struct record a = kit_app(k, k->account, "a"),
                  b = kit_app(k, k->account, "b");
    struct id stranger = kit_account(k, "other");
    struct hold rows[5], got;
    for (unsigned i = 0; i < 5; i++) {
        rows[i] = hold_of(k, i < 3 ? &a : &b, i, NOW + i);
        put(k, &rows[i]);
    }
    struct store_holds all = list(k, ALL, FIRST);
    assert_int_equal(all.n, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(ulid_cmp(&all.rows[i].id, &rows[4 - i].id), 0);
    struct store_hold_filter of_b = { .app_id = id_sv(&b.id) };
    assert_int_equal(list(k, of_b, FIRST).n, 2);
    struct store_hold_filter of_one = { .subject = SV("who-2") };
    assert_int_equal(list(k, of_one, FIRST).rows[0].key[0], 2);
    struct id at = id_make(KIND_CHALLENGE, &rows[3].id);
    struct store_page older = { .after = id_sv(&at), .limit = 2 };
    all = list(k, ALL, older);
    assert_int_equal(all.n, 2);
    assert_true(all.has_more);
    assert_int_equal(all.rows[0].key[0], 2);
    struct store_page newer = { .before = id_sv(&at), .limit = 2 };
    all = list(k, ALL, newer);
    assert_int_equal(all.n, 1);
    assert_int_equal(all.rows[0].key[0], 4);
    assert_int_equal(
        store_hold_get(k->store, id_sv(&stranger), &rows[0].id, &got),
        ERR_NOTFOUND);
}

static int count(void *ctx, const struct hold *h)
{
    (void)h;
    ++*(unsigned *)ctx;
    return 0;
}

static void what_has_ended_is_not_listed_and_is_pruned(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct hold ends = hold_of(k, &app, 1, NOW),
                stays = hold_of(k, &app, 2, NOW);
    unsigned n = 0;
    stays.ends_ms = 0;
    put(k, &ends);
    put(k, &stays);
    struct store_hold_filter later = { .now_ms = ends.ends_ms };
    assert_int_equal(list(k, later, FIRST).n, 1);
    assert_int_equal(store_hold_each(k->store, count, &n), 0);
    assert_int_equal(n, 2);
    kit_begin(k);
    assert_int_equal(store_hold_prune(k->store, ends.ends_ms), 0);
    kit_commit(k);
    n = 0;
    assert_int_equal(store_hold_each(k->store, count, &n), 0);
    assert_int_equal(n, 1);
}

static void holds_go_with_their_application_and_none_comes_behind_it(
    void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct hold h = hold_of(k, &app, 1, NOW), late = hold_of(k, &app, 2, NOW);
    unsigned n = 0;
    put(k, &h);
    kit_begin(k);
    assert_int_equal(store_record_delete(k->store, KIND_APPLICATION,
                                         id_sv(&k->account), id_sv(&app.id)),
                     0);
    kit_commit(k);
    assert_int_equal(store_hold_each(k->store, count, &n), 0);
    assert_int_equal(n, 0);
    kit_begin(k);
    assert_int_equal(store_hold_put(k->store, &late), ERR_CONFLICT);
    store_rollback(k->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_hold_is_read_as_it_was_put_also_by_the_next_process),
        KIT_TEST(a_later_hold_takes_the_place_of_the_earlier_one),
        KIT_TEST(lists_are_of_an_account_and_what_is_asked_for),
        KIT_TEST(what_has_ended_is_not_listed_and_is_pruned),
        KIT_TEST(holds_go_with_their_application_and_none_comes_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
