/* What is only ever added: stored answers, audit, changes, use of tokens. */
#include "store_kit.h"

static const uint8_t body_a[32] = { 1 }, body_b[32] = { 2 };

static void a_stored_answer_is_given_again_for_a_day(void **state)
{
    struct kit *k = *state;
    struct sv scope = SV("acc\nPOST\n/x"), key = SV("0123456789abcdef"), out;
    unsigned n;
    assert_int_equal(store_idempotency_find(k->store, scope, key, body_a,
                                            NOW_MS, &k->arena, &out),
                     ERR_NOTFOUND);
    kit_begin(k);
    assert_int_equal(store_idempotency_put(k->store, scope, key, body_a, NOW_MS,
                                           SV("the answer")),
                     0);
    kit_commit(k);
    assert_int_equal(store_idempotency_find(k->store, scope, key, body_a,
                                            NOW_MS + IDEMPOTENCY_KEPT_MS - 1,
                                            &k->arena, &out),
                     0);
    assert_true(sv_eq(out, SV("the answer")));
    assert_int_equal(store_idempotency_find(k->store, scope, key, body_b,
                                            NOW_MS, &k->arena, &out),
                     ERR_CONFLICT);
    assert_int_equal(store_idempotency_find(k->store, scope, key, body_a,
                                            NOW_MS + IDEMPOTENCY_KEPT_MS,
                                            &k->arena, &out),
                     ERR_NOTFOUND);
    kit_begin(k);
    assert_int_equal(store_idempotency_prune(k->store, NOW_MS + 1, 10, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(
        store_idempotency_prune(k->store, NOW_MS + IDEMPOTENCY_KEPT_MS, 10, &n),
        0);
    assert_int_equal(n, 1);
    kit_commit(k);
}

static void the_border_of_scope_and_key_cannot_be_moved(void **state)
{
    struct kit *k = *state;
    struct sv out;
    kit_begin(k);
    assert_int_equal(store_idempotency_put(k->store, SV("ab"), SV("cd"), body_a,
                                           NOW_MS, SV("x")),
                     0);
    kit_commit(k);
    assert_int_equal(store_idempotency_find(k->store, SV("abc"), SV("d"),
                                            body_a, NOW_MS, &k->arena, &out),
                     ERR_NOTFOUND);
}

static void neither_key_nor_answer_is_in_the_file(void **state)
{
    struct kit *k = *state;
    char path[300];
    static char text[1 << 20];
    kit_begin(k);
    assert_int_equal(store_idempotency_put(k->store, SV("scope-in-clear"),
                                           SV("key-in-clear"), body_a, NOW_MS,
                                           SV("answer-in-clear")),
                     0);
    assert_int_equal(store_meta_set(k->store, "x", SV("meta-in-clear")), 0);
    kit_commit(k);
    store_close(&k->store);
    snprintf(path, sizeof path, "%s/typeauth.db", k->dir);
    FILE *f = fopen(path, "rb");
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    assert_non_null(memmem(text, n, "meta-in-clear", 13));
    assert_null(memmem(text, n, "scope-in-clear", 14));
    assert_null(memmem(text, n, "key-in-clear", 12));
    assert_null(memmem(text, n, "answer-in-clear", 15));
    kit_open(k);
}

static void the_audit_log_pages_like_every_list(void **state)
{
    struct kit *k = *state;
    struct ulid ids[5];
    struct audit_page page;
    kit_begin(k);
    for (int i = 0; i < 5; i++) {
        struct audit_entry e = {
            .id = ids[i] = store_ulid(k->store, NOW_MS),
            .account_id = i == 2 ? SV("") : id_sv(&k->account),
            .key_id = SV("key_x"),
            .at_ms = NOW_MS + i,
            .action = SV("token.create"),
            .object_id = i % 2 ? SV("tok_odd") : SV("tok_even"),
            .from = SV("127.0.0.1"),
            .before = SV(""),
            .after = SV("{\"a\":1}"),
        };
        assert_int_equal(store_audit_append(k->store, &e), 0);
    }
    kit_commit(k);
    struct store_page ask = { SV(""), SV(""), 3 };
    assert_int_equal(store_audit_list(k->store, id_sv(&k->account), SV(""),
                                      &ask, &k->arena, &page),
                     0);
    assert_int_equal(page.n, 3);
    assert_true(page.has_more);
    assert_int_equal(page.rows[0].at_ms, NOW_MS + 4);
    assert_true(sv_eq(page.rows[0].after, SV("{\"a\":1}")));
    struct id cursor = id_make(KIND_EVENT, &ids[3]);
    ask.after = id_sv(&cursor);
    assert_int_equal(store_audit_list(k->store, id_sv(&k->account), SV(""),
                                      &ask, &k->arena, &page),
                     0);
    assert_int_equal(page.n, 2);
    assert_false(page.has_more);
    ask.after = SV("");
    assert_int_equal(store_audit_list(k->store, id_sv(&k->account),
                                      SV("tok_odd"), &ask, &k->arena, &page),
                     0);
    assert_int_equal(page.n, 2);
    cursor = id_make(KIND_EVENT, &ids[0]);
    ask = (struct store_page){ SV(""), id_sv(&cursor), 2 };
    assert_int_equal(store_audit_list(k->store, id_sv(&k->account), SV(""),
                                      &ask, &k->arena, &page),
                     0);
    assert_int_equal(page.n, 2);
    assert_true(page.has_more);
    assert_int_equal(page.rows[0].at_ms, NOW_MS + 3);
    assert_int_equal(page.rows[1].at_ms, NOW_MS + 1);
}

static int expect_changes(void *ctx, uint64_t seq, enum kind kind, struct sv id)
{
    uint64_t *next = ctx;
    assert_int_equal(seq, *next);
    assert_int_equal(kind, KIND_TOKEN);
    assert_true(sv_eq(id, SV("tok_x")));
    ++*next;
    return 0;
}

static void the_change_feed_rises_by_one_and_never_again(void **state)
{
    struct kit *k = *state;
    uint64_t first, seq, last, next;
    assert_int_equal(store_change_last(k->store, &first), 0);
    kit_begin(k);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(
            store_change_append(k->store, KIND_TOKEN, SV("tok_x"), &seq), 0);
        assert_int_equal(seq, first + i);
    }
    kit_commit(k);
    kit_begin(k);
    assert_int_equal(store_change_append(k->store, KIND_TOKEN, SV("no"), &seq),
                     0);
    store_rollback(k->store);
    next = first + 3;
    assert_int_equal(
        store_change_each(k->store, first + 2, expect_changes, &next), 0);
    assert_int_equal(next, first + 6);
    kit_begin(k);
    assert_int_equal(store_change_prune(k->store, 0), 0);
    kit_commit(k);
    assert_int_equal(store_change_last(k->store, &last), 0);
    assert_int_equal(last, first + 5);
    kit_begin(k);
    assert_int_equal(
        store_change_append(k->store, KIND_TOKEN, SV("tok_x"), &seq), 0);
    assert_int_equal(seq, first + 6);
    kit_commit(k);
}

static void use_is_summed_by_day_and_outcome_and_pruned(void **state)
{
    struct kit *k = *state;
    struct use_row *rows;
    size_t n;
    unsigned pruned;
    kit_begin(k);
    struct ulid t = store_ulid(k->store, NOW_MS);
    struct use_row add[] = {
        { t, 10, SV("passed"), 5 },       { t, 10, SV("passed"), 7 },
        { t, 10, SV("rate_limited"), 1 }, { t, 11, SV("passed"), 2 },
        { t, 20, SV("passed"), 9 },
    };
    assert_int_equal(store_use_add(k->store, add, 5), 0);
    kit_commit(k);
    assert_int_equal(store_use_list(k->store, &t, 10, 11, &k->arena, &rows, &n),
                     0);
    assert_int_equal(n, 3);
    assert_int_equal(rows[0].count, 12);
    assert_true(sv_eq(rows[1].code, SV("rate_limited")));
    assert_int_equal(rows[2].day, 11);
    kit_begin(k);
    assert_int_equal(store_use_prune(k->store, 20, 2, &pruned), 0);
    assert_int_equal(pruned, 2);
    assert_int_equal(store_use_prune(k->store, 20, 2, &pruned), 0);
    assert_int_equal(pruned, 1);
    kit_commit(k);
    assert_int_equal(
        store_use_list(k->store, &t, 0, UINT32_MAX, &k->arena, &rows, &n), 0);
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_stored_answer_is_given_again_for_a_day),
        KIT_TEST(the_border_of_scope_and_key_cannot_be_moved),
        KIT_TEST(neither_key_nor_answer_is_in_the_file),
        KIT_TEST(the_audit_log_pages_like_every_list),
        KIT_TEST(the_change_feed_rises_by_one_and_never_again),
        KIT_TEST(use_is_summed_by_day_and_outcome_and_pruned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
