/* Alerts at rest: what targets were told of, and letters; both go with their
 * target, and dead letters have a ceiling. */
#include "store_kit.h"

static struct record target(struct kit *k)
{
    struct ulid u = { { 0 } };
    struct record r = { .kind = KIND_ALERT,
                        .account_id = k->account,
                        .version = 1,
                        .created_ms = NOW_MS,
                        .updated_ms = NOW_MS,
                        .body = SV("{}") };
    kit_begin(k);
    u = store_ulid(k->store, NOW_MS);
    r.id = id_make(KIND_ALERT, &u);
    assert_int_equal(store_record_insert(k->store, &r), 0);
    kit_commit(k);
    return r;
}

static void item_put(struct kit *k, const struct record *r, const char *key,
                     enum alert_state state)
{
    struct alert_item i = { .state = state,
                            .told = ALERT_OPEN,
                            .untold = 3,
                            .first_ms = NOW_MS,
                            .last_ms = NOW_MS + 1,
                            .title = "a title",
                            .details = "{\"a\":1}" };
    snprintf(i.key, sizeof i.key, "%s", key);
    kit_begin(k);
    assert_int_equal(
        store_alert_item_put(k->store, id_sv(&r->id), ALERT_MONITOR, &i), 0);
    kit_commit(k);
}

struct seen {
    unsigned n;
    struct alert_item last;
    enum alert_kind kind;
};

static void see(void *ctx, enum alert_kind kind, const struct alert_item *i)
{
    struct seen *s = ctx;
    s->n++;
    s->last = *i;
    s->kind = kind;
}

static struct seen items(struct kit *k, const struct record *r)
{
    struct seen s = { .n = 0 };
    assert_int_equal(store_alert_item_each(k->store, id_sv(&r->id), see, &s),
                     0);
    return s;
}

static void an_item_is_read_as_it_was_put_until_it_goes(void **state)
{
    struct kit *k = *state;
    struct record r = target(k), other = target(k);
    item_put(k, &r, "x", ALERT_OPEN);
    item_put(k, &r, "x", ALERT_RESOLVED); /* in its place */
    item_put(k, &other, "y", ALERT_OPEN);
    store_close(&k->store);
    kit_open(k);
    struct seen s = items(k, &r);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.kind, ALERT_MONITOR);
    assert_int_equal(s.last.state, ALERT_RESOLVED);
    assert_int_equal(s.last.told, ALERT_OPEN);
    assert_int_equal(s.last.untold, 3);
    assert_int_equal(s.last.last_ms, NOW_MS + 1);
    assert_string_equal(s.last.title, "a title");
    assert_string_equal(s.last.details, "{\"a\":1}");
    item_put(k, &r, "x", ALERT_NONE);
    assert_int_equal(items(k, &r).n, 0);
    assert_int_equal(items(k, &other).n, 1);
}

static struct ulid letter_put(struct kit *k, const struct record *r, bool dead)
{
    struct alert_letter l = { .account_id = k->account,
                              .alert_id = r->id,
                              .dead = dead,
                              .attempts = 8,
                              .at_ms = NOW_MS,
                              .next_ms = NOW_MS + 5,
                              .problem = SV("HTTP 500"),
                              .body = SV("{\"id\":1}") };
    kit_begin(k);
    l.id = store_ulid(k->store, NOW_MS);
    assert_int_equal(store_letter_put(k->store, &l), 0);
    kit_commit(k);
    return l.id;
}

static void count(void *ctx, const struct alert_letter *l)
{
    unsigned *n = ctx;
    assert_true(sv_eq(l->body, SV("{\"id\":1}")));
    ++*n;
}

static unsigned waiting(struct kit *k)
{
    unsigned n = 0;
    assert_int_equal(store_letter_each(k->store, count, &n), 0);
    return n;
}

static struct store_letters dead(struct kit *k, const struct record *r,
                                 unsigned limit, struct sv after)
{
    struct store_letters out;
    const struct store_page page = { .after = after,
                                     .before = SV(""),
                                     .limit = limit };
    assert_int_equal(
        store_letter_list(k->store, id_sv(&r->id), &page, &k->arena, &out), 0);
    return out;
}

static void dead_letters_are_listed_and_waiting_ones_are_loaded(void **state)
{
    struct kit *k = *state;
    struct record r = target(k), other = target(k);
    struct ulid first = letter_put(k, &r, true), got;
    struct alert_letter l;
    letter_put(k, &r, true);
    letter_put(k, &r, false);
    letter_put(k, &other, true);
    assert_int_equal(waiting(k), 1);
    struct store_letters page = dead(k, &r, 1, SV(""));
    assert_int_equal(page.n, 1);
    assert_true(page.has_more);
    got = page.rows[0].id;
    struct id cursor = id_make(KIND_DELIVERY, &got);
    page = dead(k, &r, 10, id_sv(&cursor));
    assert_int_equal(page.n, 1);
    assert_false(page.has_more);
    assert_int_equal(ulid_cmp(&page.rows[0].id, &first), 0);
    assert_true(sv_eq(page.rows[0].problem, SV("HTTP 500")));
    assert_int_equal(
        store_letter_get(k->store, id_sv(&r.id), &first, &k->arena, &l), 0);
    assert_int_equal(l.attempts, 8);
    assert_int_equal(
        store_letter_get(k->store, id_sv(&other.id), &first, &k->arena, &l),
        ERR_NOTFOUND);
}

static void the_oldest_dead_letters_go_when_there_are_too_many(void **state)
{
    struct kit *k = *state;
    struct record r = target(k);
    struct alert_letter l;
    unsigned n;
    struct ulid first = letter_put(k, &r, true);
    for (int i = 0; i < 4; i++) letter_put(k, &r, true);
    kit_begin(k);
    assert_int_equal(store_letter_prune(k->store, id_sv(&r.id), 5, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(store_letter_prune(k->store, id_sv(&r.id), 3, &n), 0);
    assert_int_equal(n, 2);
    kit_commit(k);
    assert_int_equal(dead(k, &r, 10, SV("")).n, 3);
    assert_int_equal(
        store_letter_get(k->store, id_sv(&r.id), &first, &k->arena, &l),
        ERR_NOTFOUND);
}

static void all_goes_with_the_target(void **state)
{
    struct kit *k = *state;
    struct record r = target(k);
    struct alert_item i = { .state = ALERT_OPEN };
    item_put(k, &r, "x", ALERT_OPEN);
    letter_put(k, &r, true);
    letter_put(k, &r, false);
    kit_begin(k);
    assert_int_equal(store_record_delete(k->store, KIND_ALERT,
                                         id_sv(&k->account), id_sv(&r.id)),
                     0);
    kit_commit(k);
    assert_int_equal(items(k, &r).n, 0);
    assert_int_equal(waiting(k), 0);
    assert_int_equal(dead(k, &r, 10, SV("")).n, 0);
    kit_begin(k);
    assert_int_equal(
        store_alert_item_put(k->store, id_sv(&r.id), ALERT_STORE, &i),
        ERR_CONFLICT);
    store_rollback(k->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
        T(an_item_is_read_as_it_was_put_until_it_goes),
        T(dead_letters_are_listed_and_waiting_ones_are_loaded),
        T(the_oldest_dead_letters_go_when_there_are_too_many),
        T(all_goes_with_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
