/* Tokens at rest: unique hashes, pages, rotation, tombstones, loading. */
#include "store_kit.h"

static void the_same_hash_twice_in_an_application_is_refused(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct record twin = kit_app(k, k->account, "b");
    size_t at = 99;
    kit_begin(k);
    struct token_row rows[3];
    for (uint32_t i = 0; i < 3; i++) rows[i] = kit_token(k, app.num, i);
    memcpy(rows[2].digest, rows[1].digest, 32);
    assert_int_equal(
        store_token_insert(k->store, id_sv(&k->account), rows, 3, &at),
        ERR_EXISTS);
    assert_int_equal(store_clash(k->store), CLASH_HASH);
    assert_int_equal(at, 2);
    store_rollback(k->store);
    kit_begin(k);
    rows[2].app = twin.num; /* elsewhere the same secret is fine */
    assert_int_equal(
        store_token_insert(k->store, id_sv(&k->account), rows, 3, &at), 0);
    kit_commit(k);
}

static void a_token_comes_back_as_it_was_put(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct token_row row, out;
    kit_begin(k);
    row = kit_token(k, app.num, 7);
    row.owner = SV("u1");
    row.name = SV("n");
    row.tags[row.tags_n++] = SV("t");
    row.body = SV("{\"owner\":\"u1\",\"name\":\"n\",\"tags\":[\"t\"]}");
    row.expires_ms = NOW_MS + 5;
    row.enabled = false;
    kit_insert(k, k->account, &row);
    kit_commit(k);
    assert_int_equal(store_token_get(k->store, id_sv(&k->account), &row.id,
                                     false, &k->arena, &out),
                     0);
    assert_memory_equal(out.digest, row.digest, 32);
    assert_memory_equal(out.id.b, row.id.b, 16);
    assert_string_equal(out.app_id.text, app.id.text);
    assert_true(sv_eq(out.body, row.body) && sv_eq(out.start, row.start));
    assert_int_equal(out.slot, 7);
    assert_int_equal(out.app, app.num);
    assert_int_equal(out.prefix_n, 3);
    assert_int_equal(out.expires_ms, NOW_MS + 5);
    assert_false(out.enabled);
    assert_int_equal(out.version, 1);
    struct id other = kit_account(k, "other");
    assert_int_equal(store_token_get(k->store, id_sv(&other), &row.id, false,
                                     &k->arena, &out),
                     ERR_NOTFOUND);
}

static void the_secrets_hash_is_not_in_the_file(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    char path[300];
    static char text[1 << 20];
    kit_begin(k);
    struct token_row row = kit_token(k, app.num, 1);
    memcpy(row.digest, "0123456789abcdef0123456789ABCDEF", 32);
    row.owner = SV("needle-in-the-file");
    kit_insert(k, k->account, &row);
    kit_commit(k);
    store_close(&k->store);
    snprintf(path, sizeof path, "%s/typeauth.db", k->dir);
    FILE *f = fopen(path, "rb");
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    assert_non_null(memmem(text, n, "needle-in-the-file", 18));
    assert_null(memmem(text, n, "0123456789abcdef", 16));
    kit_open(k);
}

static void an_update_raises_the_version_once(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct token_row out;
    kit_begin(k);
    struct token_row row = kit_token(k, app.num, 1), stale;
    kit_insert(k, k->account, &row);
    stale = row;
    row.owner = SV("u2");
    row.tags[row.tags_n++] = SV("new");
    row.enabled = false;
    assert_int_equal(store_token_update(k->store, &row), 0);
    assert_int_equal(row.version, 2);
    assert_int_equal(store_token_update(k->store, &stale), ERR_CONFLICT);
    kit_commit(k);
    assert_int_equal(store_token_get(k->store, id_sv(&k->account), &row.id,
                                     false, &k->arena, &out),
                     0);
    assert_true(sv_eq(out.owner, SV("u2")));
    assert_false(out.enabled);
    assert_int_equal(out.version, 2);
}

static struct store_tokens list(struct kit *k, struct store_filter f,
                                struct sv after, struct sv before,
                                uint32_t limit)
{
    struct store_tokens out;
    struct store_page page = { after, before, limit };
    assert_int_equal(store_token_list(k->store, id_sv(&k->account), &f, &page,
                                      &k->arena, &out),
                     0);
    return out;
}

static void tokens_are_listed_by_every_filter(void **state)
{
    struct kit *k = *state;
    struct record a = kit_app(k, k->account, "a");
    struct record b = kit_app(k, k->account, "b");
    struct token_row rows[12];
    kit_begin(k);
    for (uint32_t i = 0; i < 12; i++) {
        rows[i] = kit_token(k, i % 2 ? a.num : b.num, i);
        if (i % 3 == 0) rows[i].owner = SV("u");
        if (i % 4 == 0) rows[i].tags[rows[i].tags_n++] = SV("t");
        if (i == 5) rows[i].name = SV("five");
        rows[i].enabled = i != 6 && i != 7;
        kit_insert(k, k->account, &rows[i]);
    }
    kit_commit(k);
    struct sv none = SV("");
    struct store_filter f = STORE_FILTER_ANY;
    struct store_tokens page = list(k, f, none, none, 5);
    assert_int_equal(page.n, 5);
    assert_true(page.has_more);
    assert_int_equal(page.rows[0].slot, 11);
    page = list(k, f, kit_id(k, &rows[7].id), none, 100);
    assert_int_equal(page.n, 7);
    assert_int_equal(page.rows[0].slot, 6);
    page = list(k, f, none, kit_id(k, &rows[7].id), 2);
    assert_int_equal(page.n, 2);
    assert_true(page.has_more);
    assert_int_equal(page.rows[0].slot, 9);
    assert_int_equal(page.rows[1].slot, 8);
    f.owner = SV("u");
    assert_int_equal(list(k, f, none, none, 100).n, 4);
    f.app_id = id_sv(&b.id);
    assert_int_equal(list(k, f, none, none, 100).n, 2);
    f.enabled = 1;
    assert_int_equal(list(k, f, none, none, 100).n, 1);
    f = STORE_FILTER_ANY;
    f.app_id = id_sv(&a.id);
    assert_int_equal(list(k, f, none, none, 100).n, 6);
    f.enabled = 0;
    page = list(k, f, none, none, 100);
    assert_int_equal(page.n, 1);
    assert_int_equal(page.rows[0].slot, 7);
    f = STORE_FILTER_ANY;
    f.tag = SV("t");
    page = list(k, f, none, none, 2);
    assert_int_equal(page.n, 2);
    assert_int_equal(page.rows[0].slot, 8);
    f.owner = SV("u");
    page = list(k, f, none, none, 2);
    assert_int_equal(page.n, 1);
    assert_int_equal(page.rows[0].slot, 0);
    f = STORE_FILTER_ANY;
    f.name = SV("five");
    assert_int_equal(list(k, f, none, none, 2).n, 1);
    f.app_id = SV("app_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_int_equal(list(k, f, none, none, 2).n, 0);
}

static void a_revoked_token_is_a_tombstone_for_a_while(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct token_row out;
    struct sv account = id_sv(&k->account);
    kit_begin(k);
    struct token_row row = kit_token(k, app.num, 1);
    kit_insert(k, k->account, &row);
    assert_int_equal(store_token_revoke(k->store, 1, NOW_MS), 0);
    assert_int_equal(store_token_revoke(k->store, 1, NOW_MS), ERR_NOTFOUND);
    assert_int_equal(store_token_update(k->store, &row), ERR_NOTFOUND);
    kit_commit(k);
    assert_int_equal(
        store_token_get(k->store, account, &row.id, false, &k->arena, &out),
        ERR_NOTFOUND);
    assert_int_equal(
        store_token_get(k->store, account, &row.id, true, &k->arena, &out), 0);
    assert_int_equal(out.revoked_ms, NOW_MS);
    assert_int_equal(list(k, STORE_FILTER_ANY, SV(""), SV(""), 9).n, 0);
}

struct seen {
    uint32_t slots[64];
    unsigned n;
};

static void see_slot(void *ctx, uint32_t slot)
{
    struct seen *seen = ctx;
    assert_true(seen->n < 64);
    seen->slots[seen->n++] = slot;
}

static void old_tombstones_and_aliases_are_purged(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct seen seen = { .n = 0 };
    unsigned n;
    kit_begin(k);
    struct token_row rows[4];
    for (uint32_t i = 0; i < 4; i++) {
        rows[i] = kit_token(k, app.num, i);
        kit_insert(k, k->account, &rows[i]);
    }
    memset(rows[0].digest, 1, 32);
    assert_int_equal(
        store_token_rotate(k->store, &rows[0], 10, NOW_MS + 1000, NOW_MS), 0);
    memset(rows[1].digest, 2, 32);
    assert_int_equal(
        store_token_rotate(k->store, &rows[1], 11, NOW_MS + 9000, NOW_MS), 0);
    assert_int_equal(store_token_revoke(k->store, 1, NOW_MS), 0);
    assert_int_equal(store_token_revoke(k->store, 2, NOW_MS + 5000), 0);
    assert_int_equal(store_token_purge_old(k->store, NOW_MS + 2000, 100,
                                           see_slot, &seen, &n),
                     0);
    kit_commit(k);
    assert_int_equal(n, 3); /* token 1 with its alias 11, and alias 10 */
    assert_int_equal(seen.slots[0], 11);
    assert_int_equal(seen.slots[1], 1);
    assert_int_equal(seen.slots[2], 10);
}

static void tokens_of_a_deleted_application_go_in_batches(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct record kept = kit_app(k, k->account, "b");
    unsigned n, total = 0;
    static struct seen seen;
    seen.n = 0;
    kit_begin(k);
    for (uint32_t i = 0; i < 64; i++) {
        struct token_row row = kit_token(k, i < 60 ? app.num : kept.num, i);
        kit_insert(k, k->account, &row);
    }
    assert_int_equal(store_record_delete(k->store, KIND_APPLICATION,
                                         id_sv(&k->account), id_sv(&app.id)),
                     0);
    kit_commit(k);
    /* gone for everybody before they are purged */
    assert_int_equal(list(k, STORE_FILTER_ANY, SV(""), SV(""), 100).n, 4);
    do {
        kit_begin(k);
        assert_int_equal(
            store_token_purge_app(k->store, 25, see_slot, &seen, &n), 0);
        kit_commit(k);
        total += n;
    } while (n >= 25);
    assert_int_equal(total, 60);
    struct record next = kit_app(k, k->account, "c");
    assert_int_equal(next.num, kept.num + 1);
}

static int load_count(void *ctx, const struct token_hot *t)
{
    struct seen *seen = ctx;
    assert_true(seen->n == 0 || seen->slots[seen->n - 1] < t->slot);
    seen->slots[seen->n++] = t->slot;
    if (t->primary != UINT32_MAX) {
        assert_int_equal(t->slot, 10);
        assert_int_equal(t->primary, 2);
        assert_int_equal(t->expires_ms, NOW_MS + 60000);
        assert_int_equal(t->digest[0], 2); /* the old secret's */
    } else if (t->slot == 2) {
        assert_int_equal(t->digest[0], 9);
        assert_true(sv_eq(t->body, SV("{\"owner\":\"u\"}")));
        assert_int_equal(t->used, 41);
        assert_int_equal(t->refills, 3);
        assert_int_equal(t->last_used_s, 77);
    } else {
        assert_int_equal(t->digest[0], t->slot);
        assert_int_equal(t->revoked, t->slot == 3);
        assert_int_equal(t->body.n, 0);
    }
    return 0;
}

static void loading_gives_every_row_in_order_of_slots(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    struct seen seen = { .n = 0 };
    struct token_row rows[5];
    kit_begin(k);
    for (uint32_t i = 5; i-- > 0;) {
        rows[i] = kit_token(k, app.num, i);
        if (i == 2) rows[i].body = SV("{\"owner\":\"u\"}");
        kit_insert(k, k->account, &rows[i]);
    }
    memset(rows[2].digest, 9, 32);
    assert_int_equal(
        store_token_rotate(k->store, &rows[2], 10, NOW_MS + 60000, NOW_MS), 0);
    assert_int_equal(store_token_revoke(k->store, 3, NOW_MS), 0);
    struct token_use use[] = {
        { .slot = 2,
          .tag = ulid_tag(&rows[2].id),
          .used = 41,
          .refills = 3,
          .last_used_s = 77 },
        { .slot = 1, .tag = ~ulid_tag(&rows[1].id), .used = 5 },
    };
    assert_int_equal(store_token_use_save(k->store, use, 2), 0);
    kit_commit(k);
    assert_int_equal(store_token_load(k->store, load_count, &seen), 0);
    assert_int_equal(seen.n, 6);
}

static int load_refuse(void *ctx, const struct token_hot *t)
{
    (void)ctx;
    return t->slot == 4999 ? ERR_NOMEM : 0;
}

static int load_ok(void *ctx, const struct token_hot *t)
{
    (void)t;
    ++*(unsigned *)ctx;
    return 0;
}

static void a_load_that_is_stopped_ends_and_can_be_repeated(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    unsigned n = 0;
    kit_begin(k);
    for (uint32_t i = 0; i < 9000; i++) {
        struct token_row row = kit_token(k, app.num, i);
        kit_insert(k, k->account, &row);
    }
    kit_commit(k);
    assert_int_equal(store_token_load(k->store, load_refuse, NULL), ERR_NOMEM);
    assert_int_equal(store_token_load(k->store, load_ok, &n), 0);
    assert_int_equal(n, 9000);
}

static void a_second_rotation_ends_the_first_grace(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    uint32_t slots[4];
    unsigned n;
    kit_begin(k);
    struct token_row row = kit_token(k, app.num, 1);
    uint8_t first[32];
    size_t at;
    memcpy(first, row.digest, 32);
    kit_insert(k, k->account, &row);
    memset(row.digest, 1, 32);
    assert_int_equal(
        store_token_rotate(k->store, &row, 2, NOW_MS + 9000, NOW_MS), 0);
    memset(row.digest, 2, 32);
    assert_int_equal(
        store_token_rotate(k->store, &row, 3, NOW_MS + 9000, NOW_MS + 10), 0);
    assert_int_equal(row.version, 3);
    assert_int_equal(store_token_aliases(k->store, 1, slots, 4, &n), 0);
    assert_int_equal(n, 2);
    /* the old secret is still taken within its application */
    struct token_row thief = kit_token(k, app.num, 9);
    memcpy(thief.digest, first, 32);
    assert_int_equal(
        store_token_insert(k->store, id_sv(&k->account), &thief, 1, &at),
        ERR_EXISTS);
    unsigned purged;
    struct seen seen = { .n = 0 };
    assert_int_equal(store_token_purge_old(k->store, NOW_MS + 11, 100, see_slot,
                                           &seen, &purged),
                     0);
    assert_int_equal(purged, 1);
    assert_int_equal(seen.slots[0], 2);
    row.version = 1;
    assert_int_equal(store_token_rotate(k->store, &row, 4, NOW_MS, NOW_MS),
                     ERR_CONFLICT);
    kit_commit(k);
}

static void imported_tokens_are_known_by_their_missing_start(void **state)
{
    struct kit *k = *state;
    struct record app = kit_app(k, k->account, "a");
    bool imported;
    kit_begin(k);
    struct token_row row = kit_token(k, app.num, 1);
    kit_insert(k, k->account, &row);
    assert_int_equal(store_token_imported(k->store, app.num, &imported), 0);
    assert_false(imported);
    row = kit_token(k, app.num, 2);
    row.start = SV("");
    kit_insert(k, k->account, &row);
    assert_int_equal(store_token_imported(k->store, app.num, &imported), 0);
    assert_true(imported);
    kit_commit(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(the_same_hash_twice_in_an_application_is_refused),
        KIT_TEST(a_token_comes_back_as_it_was_put),
        KIT_TEST(the_secrets_hash_is_not_in_the_file),
        KIT_TEST(an_update_raises_the_version_once),
        KIT_TEST(tokens_are_listed_by_every_filter),
        KIT_TEST(a_revoked_token_is_a_tombstone_for_a_while),
        KIT_TEST(old_tombstones_and_aliases_are_purged),
        KIT_TEST(tokens_of_a_deleted_application_go_in_batches),
        KIT_TEST(loading_gives_every_row_in_order_of_slots),
        KIT_TEST(a_load_that_is_stopped_ends_and_can_be_repeated),
        KIT_TEST(a_second_rotation_ends_the_first_grace),
        KIT_TEST(imported_tokens_are_known_by_their_missing_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
