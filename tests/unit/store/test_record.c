/* Records: versions, uniqueness, references, domains, pages. */
#include "store_kit.h"

static void the_same_name_twice_in_an_account_is_refused(void **state)
{
    struct kit *k = *state;
    struct id other = kit_account(k, "other");
    kit_app(k, k->account, "shop");
    kit_app(k, other, "shop");
    kit_begin(k);
    struct record r =
        kit_record(k, &shape_application, k->account, "{\"name\":\"shop\"}");
    assert_int_equal(store_record_insert(k->store, &r), ERR_EXISTS);
    assert_int_equal(store_clash(k->store), CLASH_KEY);
    store_rollback(k->store);
}

static void a_slug_is_unique_on_the_server(void **state)
{
    struct kit *k = *state;
    struct store_owner owner;
    struct id found;
    assert_int_equal(
        store_account_init(k->store, SV("Again"), SV("first"), NOW_MS, &owner),
        ERR_EXISTS);
    assert_int_equal(owner.secret[0], 0);
    assert_int_equal(store_slug_find(k->store, SV("first"), &found), 0);
    assert_string_equal(found.text, k->account.text);
    assert_int_equal(store_slug_find(k->store, SV("firs"), &found),
                     ERR_NOTFOUND);
}

static void an_update_needs_the_version_it_read(void **state)
{
    struct kit *k = *state;
    struct record r = kit_app(k, k->account, "shop"), again;
    struct sv account = id_sv(&k->account);
    struct record stale = r;
    kit_begin(k);
    r.updated_ms = NOW_MS + 5;
    assert_int_equal(store_record_update(k->store, &r), 0);
    assert_int_equal(r.version, 2);
    assert_int_equal(store_record_update(k->store, &stale), ERR_CONFLICT);
    stale.account_id.text[8] ^= 1;
    assert_int_equal(store_record_update(k->store, &stale), ERR_NOTFOUND);
    kit_commit(k);
    assert_int_equal(store_record_get(k->store, KIND_APPLICATION, account,
                                      id_sv(&r.id), &k->arena, &again),
                     0);
    assert_int_equal(again.version, 2);
    assert_int_equal(again.updated_ms, NOW_MS + 5);
    assert_int_equal(again.num, r.num);
    assert_true(sv_eq(again.body, r.body));
    assert_true(sv_eq(again.unique, SV("shop")));
}

static void another_accounts_record_is_not_found(void **state)
{
    struct kit *k = *state;
    struct id other = kit_account(k, "other");
    struct record r = kit_app(k, other, "shop"), out;
    assert_int_equal(store_record_get(k->store, KIND_APPLICATION,
                                      id_sv(&k->account), id_sv(&r.id),
                                      &k->arena, &out),
                     ERR_NOTFOUND);
    assert_int_equal(store_record_get(k->store, KIND_AUTHENTICATION,
                                      id_sv(&other), id_sv(&r.id), &k->arena,
                                      &out),
                     ERR_NOTFOUND);
    kit_begin(k);
    assert_int_equal(store_record_delete(k->store, KIND_APPLICATION,
                                         id_sv(&k->account), id_sv(&r.id)),
                     ERR_NOTFOUND);
    kit_commit(k);
}

static void a_rolled_back_transaction_leaves_nothing(void **state)
{
    struct kit *k = *state;
    uint64_t n;
    kit_begin(k);
    struct record r =
        kit_record(k, &shape_application, k->account, "{\"name\":\"shop\"}");
    assert_int_equal(store_record_insert(k->store, &r), 0);
    store_rollback(k->store);
    assert_false(store_in_transaction(k->store));
    assert_int_equal(
        store_record_count(k->store, KIND_APPLICATION, id_sv(&k->account), &n),
        0);
    assert_int_equal(n, 0);
}

/* --- references -------------------------------------------------------------- */

static bool always(void *ctx, enum kind kind, struct sv id)
{
    (void)ctx;
    (void)kind;
    (void)id;
    return true;
}

static struct record app_with_auth(struct kit *k, const char *auth_id)
{
    char body[200];
    struct record r =
        kit_record(k, &shape_application, k->account, "{\"name\":\"guarded\"}");
    struct shape_env env = { .arena = &k->arena,
                             .now_ms = NOW_MS,
                             .role = ROLE_OWNER,
                             .exists = always };
    struct shape_problem why;
    yyjson_doc *in;
    yyjson_mut_doc *doc;
    snprintf(body, sizeof body, "{\"name\":\"guarded\",\"auth_id\":\"%s\"}",
             auth_id);
    assert_int_equal(json_decode(sv_cstr(body), &k->arena, &in, NULL), 0);
    assert_int_equal(shape_create(&shape_application, &env,
                                  yyjson_doc_get_root(in), &doc, &why),
                     0);
    assert_int_equal(record_fill(&r, &shape_application, doc, &k->arena), 0);
    return r;
}

static void a_profile_that_is_attached_cannot_go(void **state)
{
    struct kit *k = *state;
    struct sv account = id_sv(&k->account), ids[4];
    unsigned n;
    kit_begin(k);
    struct record auth =
        kit_record(k, &shape_authentication, k->account, "{\"name\":\"p\"}");
    assert_int_equal(store_record_insert(k->store, &auth), 0);
    struct record app = app_with_auth(k, auth.id.text);
    assert_int_equal(store_record_insert(k->store, &app), 0);
    kit_commit(k);
    assert_int_equal(
        store_referrers(k->store, id_sv(&auth.id), &k->arena, ids, 4, &n), 0);
    assert_int_equal(n, 1);
    assert_true(sv_eq(ids[0], id_sv(&app.id)));
    kit_begin(k);
    assert_int_equal(store_record_delete(k->store, KIND_AUTHENTICATION, account,
                                         id_sv(&auth.id)),
                     ERR_CONFLICT);
    store_rollback(k->store);
    kit_begin(k);
    app.refs_n = 0; /* detached */
    assert_int_equal(store_record_update(k->store, &app), 0);
    assert_int_equal(store_record_delete(k->store, KIND_AUTHENTICATION, account,
                                         id_sv(&auth.id)),
                     0);
    kit_commit(k);
}

static void a_reference_to_nothing_is_refused(void **state)
{
    struct kit *k = *state;
    kit_begin(k);
    struct record app = app_with_auth(k, "auth_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_int_equal(store_record_insert(k->store, &app), ERR_CONFLICT);
    store_rollback(k->store);
}

static void an_account_that_owns_records_cannot_go(void **state)
{
    struct kit *k = *state;
    kit_begin(k);
    assert_int_equal(
        store_record_delete(k->store, KIND_ACCOUNT, SV(""), id_sv(&k->account)),
        ERR_CONFLICT);
    kit_commit(k);
}

static void the_number_of_a_deleted_application_waits_for_its_tokens(
    void **state)
{
    struct kit *k = *state;
    struct record a = kit_app(k, k->account, "a");
    struct record b = kit_app(k, k->account, "b");
    struct id found;
    assert_int_equal(a.num + 1, b.num);
    kit_begin(k);
    assert_int_equal(store_record_delete(k->store, KIND_APPLICATION,
                                         id_sv(&k->account), id_sv(&b.id)),
                     0);
    kit_commit(k);
    assert_int_equal(store_app_find(k->store, b.num, &found), ERR_NOTFOUND);
    assert_int_equal(store_app_find(k->store, a.num, &found), 0);
    assert_string_equal(found.text, a.id.text);
    struct record c = kit_app(k, k->account, "b");
    assert_int_equal(c.num, b.num + 1);
}

/* --- domains ------------------------------------------------------------------- */

static int set_domain(struct kit *k, const struct record *app,
                      const char *domain)
{
    kit_begin(k);
    int rc = store_domain_set(k->store, id_sv(&app->id), sv_cstr(domain));
    if (rc) {
        if (rc == ERR_EXISTS)
            assert_int_equal(store_clash(k->store), CLASH_DOMAIN);
        store_rollback(k->store);
    } else {
        kit_commit(k);
    }
    return rc;
}

static void domains_of_two_accounts_do_not_overlap(void **state)
{
    struct kit *k = *state;
    struct id other = kit_account(k, "other");
    struct record mine = kit_app(k, k->account, "a");
    struct record mine_too = kit_app(k, k->account, "b");
    struct record theirs = kit_app(k, other, "a");
    assert_int_equal(set_domain(k, &mine, "api.example.com"), 0);
    assert_int_equal(set_domain(k, &mine_too, "api.example.com"), ERR_EXISTS);
    assert_int_equal(set_domain(k, &theirs, "api.example.com"), ERR_EXISTS);
    assert_int_equal(set_domain(k, &theirs, "*.example.com"), ERR_EXISTS);
    assert_int_equal(set_domain(k, &theirs, "*.api.example.com"), 0);
    assert_int_equal(set_domain(k, &mine_too, "a.b.api.example.com"),
                     ERR_EXISTS);
    assert_int_equal(set_domain(k, &mine_too, "*.x.api.example.com"),
                     ERR_EXISTS);
    assert_int_equal(set_domain(k, &mine_too, "*.example.com"), ERR_EXISTS);
    assert_int_equal(set_domain(k, &theirs, "xexample.com"), 0);
    assert_int_equal(set_domain(k, &mine_too, "*.example.com"), 0);
    struct id app, account;
    assert_int_equal(
        store_domain_find(k->store, SV("*.example.com"), &app, &account), 0);
    assert_string_equal(app.text, mine_too.id.text);
    assert_string_equal(account.text, k->account.text);
}

static void a_made_up_domain_takes_the_smallest_free_number(void **state)
{
    struct kit *k = *state;
    struct record a = kit_app(k, k->account, "a");
    struct record b = kit_app(k, k->account, "b");
    struct sv made;
    assert_int_equal(store_domain_make(k->store, SV("first"), SV("x.test"),
                                       &k->arena, &made),
                     0);
    assert_true(sv_eq(made, SV("api1-first-proxy.x.test")));
    assert_int_equal(set_domain(k, &a, "api1-first-proxy.x.test"), 0);
    assert_int_equal(set_domain(k, &b, "api2-first-proxy.x.test"), 0);
    kit_begin(k);
    assert_int_equal(store_record_delete(k->store, KIND_APPLICATION,
                                         id_sv(&k->account), id_sv(&a.id)),
                     0);
    kit_commit(k);
    assert_int_equal(store_domain_make(k->store, SV("first"), SV("x.test"),
                                       &k->arena, &made),
                     0);
    assert_true(sv_eq(made, SV("api1-first-proxy.x.test")));
}

/* --- pages ---------------------------------------------------------------------- */

static struct store_records list(struct kit *k, struct store_filter f,
                                 const char *after, const char *before,
                                 uint32_t limit)
{
    struct store_records out;
    struct store_page page = { sv_cstr(after), sv_cstr(before), limit };
    assert_int_equal(store_record_list(k->store, KIND_APPLICATION,
                                       id_sv(&k->account), &f, &page, &k->arena,
                                       &out),
                     0);
    return out;
}

static void pages_neither_repeat_nor_skip(void **state)
{
    struct kit *k = *state;
    char name[8];
    struct record apps[7];
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "n%d", i);
        apps[i] = kit_app(k, k->account, name);
    }
    struct store_records page = list(k, STORE_FILTER_ANY, "", "", 3);
    assert_int_equal(page.n, 3);
    assert_true(page.has_more);
    assert_string_equal(page.rows[0].id.text, apps[6].id.text);
    assert_string_equal(page.rows[2].id.text, apps[4].id.text);
    kit_app(k, k->account, "meanwhile");
    page = list(k, STORE_FILTER_ANY, apps[4].id.text, "", 3);
    assert_string_equal(page.rows[0].id.text, apps[3].id.text);
    kit_begin(k); /* the cursor's own row goes */
    assert_int_equal(store_record_delete(k->store, KIND_APPLICATION,
                                         id_sv(&k->account),
                                         id_sv(&apps[1].id)),
                     0);
    kit_commit(k);
    page = list(k, STORE_FILTER_ANY, apps[1].id.text, "", 3);
    assert_int_equal(page.n, 1);
    assert_false(page.has_more);
    assert_string_equal(page.rows[0].id.text, apps[0].id.text);
    page = list(k, STORE_FILTER_ANY, "", apps[1].id.text, 2);
    assert_int_equal(page.n, 2);
    assert_true(page.has_more);
    assert_string_equal(page.rows[0].id.text, apps[3].id.text);
    assert_string_equal(page.rows[1].id.text, apps[2].id.text);
    page = list(k, STORE_FILTER_ANY, "", apps[5].id.text, 2);
    assert_int_equal(page.n, 2);
    assert_false(page.has_more);
}

static void records_are_found_by_name_and_by_tag(void **state)
{
    struct kit *k = *state;
    kit_begin(k);
    struct record a = kit_record(k, &shape_application, k->account,
                                 "{\"name\":\"a\",\"tags\":"
                                 "[\"production\",\"environment:eu\"]}");
    struct record b = kit_record(k, &shape_application, k->account,
                                 "{\"name\":\"b\",\"tags\":[\"production\"]}");
    assert_int_equal(store_record_insert(k->store, &a), 0);
    assert_int_equal(store_record_insert(k->store, &b), 0);
    kit_commit(k);
    struct store_filter f = STORE_FILTER_ANY;
    f.tag = SV("production");
    assert_int_equal(list(k, f, "", "", 10).n, 2);
    f.name = SV("a");
    struct store_records page = list(k, f, "", "", 10);
    assert_int_equal(page.n, 1);
    assert_string_equal(page.rows[0].id.text, a.id.text);
    f.tag = SV("environment:eu");
    f.name = (struct sv){ 0 };
    assert_int_equal(list(k, f, "", "", 10).n, 1);
    f.tag = SV("environment");
    assert_int_equal(list(k, f, "", "", 10).n, 0);
    f = STORE_FILTER_ANY;
    f.name = SV("b");
    assert_int_equal(list(k, f, "", "", 10).n, 1);
    kit_begin(k);
    a.tags_n = 0;
    assert_int_equal(store_record_update(k->store, &a), 0);
    kit_commit(k);
    f = STORE_FILTER_ANY;
    f.tag = SV("production");
    assert_int_equal(list(k, f, "", "", 10).n, 1);
}

static void ids_rise_when_the_clock_steps_back_and_over_restarts(void **state)
{
    struct kit *k = *state;
    kit_begin(k);
    struct ulid a = store_ulid(k->store, NOW_MS + 1000);
    struct ulid b = store_ulid(k->store, NOW_MS - 5000);
    assert_true(ulid_cmp(&a, &b) < 0);
    kit_commit(k);
    store_close(&k->store);
    kit_open(k);
    kit_begin(k);
    struct ulid c = store_ulid(k->store, NOW_MS);
    assert_true(ulid_cmp(&b, &c) < 0);
    store_rollback(k->store);
}

static void a_document_lies_beside_its_record_and_goes_with_it(void **state)
{
    struct kit *k = *state;
    struct record r = kit_app(k, k->account, "shop");
    struct sv id = id_sv(&r.id), out;
    enum { LONG = 20 << 20 };
    char *text = mem_alloc(LONG);
    memset(text, 'x', LONG);
    kit_begin(k);
    assert_int_equal(store_document_set(k->store, id, "a", SV("short")), 0);
    assert_int_equal(store_document_set(k->store, id, "b", SV("")), 0);
    assert_int_equal(store_document_set(k->store, id, "a", sv_of(text, LONG)),
                     0);
    assert_int_equal(store_document_set(k->store, SV("app_no"), "a", SV("x")),
                     ERR_NOTFOUND);
    kit_commit(k);
    assert_int_equal(store_document_get(k->store, id, "a", &k->arena, &out), 0);
    assert_true(sv_eq(out, sv_of(text, LONG)));
    assert_int_equal(store_document_get(k->store, id, "b", &k->arena, &out), 0);
    assert_int_equal(out.n, 0);
    assert_int_equal(store_document_get(k->store, id, "c", &k->arena, &out),
                     ERR_NOTFOUND);
    kit_begin(k);
    assert_int_equal(
        store_record_delete(k->store, KIND_APPLICATION, id_sv(&k->account), id),
        0);
    kit_commit(k);
    assert_int_equal(store_document_get(k->store, id, "a", &k->arena, &out),
                     ERR_NOTFOUND);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(the_same_name_twice_in_an_account_is_refused),
        KIT_TEST(a_slug_is_unique_on_the_server),
        KIT_TEST(an_update_needs_the_version_it_read),
        KIT_TEST(another_accounts_record_is_not_found),
        KIT_TEST(a_rolled_back_transaction_leaves_nothing),
        KIT_TEST(a_profile_that_is_attached_cannot_go),
        KIT_TEST(a_reference_to_nothing_is_refused),
        KIT_TEST(an_account_that_owns_records_cannot_go),
        KIT_TEST(the_number_of_a_deleted_application_waits_for_its_tokens),
        KIT_TEST(domains_of_two_accounts_do_not_overlap),
        KIT_TEST(a_made_up_domain_takes_the_smallest_free_number),
        KIT_TEST(pages_neither_repeat_nor_skip),
        KIT_TEST(records_are_found_by_name_and_by_tag),
        KIT_TEST(a_document_lies_beside_its_record_and_goes_with_it),
        KIT_TEST(ids_rise_when_the_clock_steps_back_and_over_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
