/* Management keys, and the server key under which all is sealed. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "codec/digest.h"
#include "store_kit.h"

static void an_owner_key_is_made_with_its_account(void **state)
{
    struct kit *k = *state;
    struct store_owner owner;
    struct management_key found;
    struct record r;
    uint8_t digest[32];
    uint64_t n;
    bool any;
    assert_int_equal(store_has_account(k->store, &any), 0);
    assert_true(any);
    assert_int_equal(
        store_account_init(k->store, SV("B"), SV("bbb"), NOW_MS, &owner), 0);
    assert_true(token_secret_is_ours(sv_cstr(owner.secret)));
    sha256(sv_cstr(owner.secret), digest);
    assert_int_equal(store_key_find(k->store, digest, &found), 0);
    assert_string_equal(found.id.text, owner.key_id.text);
    assert_string_equal(found.account_id.text, owner.account_id.text);
    assert_int_equal(found.role, ROLE_OWNER);
    assert_memory_equal(found.digest, digest, 32);
    assert_int_equal(store_key_count(k->store, id_sv(&owner.account_id),
                                     ROLE_OWNER, NOW_MS, &n),
                     0);
    assert_int_equal(n, 1);
    assert_int_equal(store_record_get(k->store, KIND_MANAGEMENT_KEY,
                                      id_sv(&owner.account_id),
                                      id_sv(&owner.key_id), &k->arena, &r),
                     0);
    digest[0] ^= 1;
    assert_int_equal(store_key_find(k->store, digest, &found), ERR_NOTFOUND);
    kit_begin(k);
    assert_int_equal(
        store_key_update(k->store, id_sv(&owner.key_id), ROLE_OWNER, NOW_MS),
        0);
    kit_commit(k);
    assert_int_equal(store_key_count(k->store, id_sv(&owner.account_id),
                                     ROLE_OWNER, NOW_MS, &n),
                     0);
    assert_int_equal(n, 0);
    kit_begin(k);
    assert_int_equal(store_record_delete(k->store, KIND_MANAGEMENT_KEY,
                                         id_sv(&owner.account_id),
                                         id_sv(&owner.key_id)),
                     0);
    kit_commit(k);
    digest[0] ^= 1;
    assert_int_equal(store_key_find(k->store, digest, &found), ERR_NOTFOUND);
}

static int open_rc(struct kit *k, char problem[256])
{
    struct store *s;
    struct store_conf conf = kit_conf(k);
    int rc = store_open(&s, &conf, problem);
    store_close(&s);
    return rc;
}

static void a_foreign_or_missing_server_key_is_refused(void **state)
{
    struct kit *k = *state;
    char key[300], aside[300], problem[256];
    store_close(&k->store);
    snprintf(key, sizeof key, "%s/server.key", k->dir);
    snprintf(aside, sizeof aside, "%s/aside", k->dir);
    assert_int_equal(rename(key, aside), 0);
    assert_int_equal(open_rc(k, problem), ERR_CRYPTO);
    assert_int_not_equal(access(key, F_OK), 0); /* none was made up */
    FILE *f = fopen(key, "w");
    for (int i = 0; i < 64; i++) fputc('a', f);
    fputc('\n', f);
    fclose(f);
    chmod(key, 0600);
    assert_int_equal(open_rc(k, problem), ERR_CRYPTO);
    assert_non_null(strstr(problem, "right key file"));
    assert_int_equal(rename(aside, key), 0);
    chmod(key, 0640);
    assert_int_equal(open_rc(k, problem), ERR_DENIED);
    chmod(key, 0600);
    assert_int_equal(open_rc(k, problem), 0);
    assert_int_equal(truncate(key, 10), 0);
    assert_int_equal(open_rc(k, problem), ERR_CRYPTO);
}

static void a_newer_database_is_refused(void **state)
{
    struct kit *k = *state;
    char path[300], problem[256];
    sqlite3 *db;
    store_close(&k->store);
    snprintf(path, sizeof path, "%s/typeauth.db", k->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE meta SET value = 999"
                                  " WHERE name = 'schema'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(open_rc(k, problem), ERR_VERSION);
}

static void without_create_nothing_is_made(void **state)
{
    struct kit *k = *state;
    char problem[256];
    struct store *s;
    char dir[300];
    snprintf(dir, sizeof dir, "%s/none", k->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    struct store_conf conf = { .dir = dir };
    assert_int_equal(store_open(&s, &conf, problem), ERR_NOTFOUND);
    assert_null(s);
    char lock[320];
    snprintf(lock, sizeof lock, "%s/store.lock", dir);
    unlink(lock);
    assert_int_equal(rmdir(dir), 0);
}

static int check_digest(void *ctx, const struct token_hot *t)
{
    unsigned *n = ctx;
    uint32_t slot;
    memcpy(&slot, t->digest, sizeof slot);
    assert_int_equal(slot, t->slot);
    ++*n;
    return 0;
}

static void fill_tokens(struct kit *k, uint32_t n)
{
    struct record app = kit_app(k, k->account, "a");
    kit_begin(k);
    for (uint32_t i = 0; i < n; i++) {
        struct token_row row = kit_token(k, app.num, i);
        kit_insert(k, k->account, &row);
    }
    kit_commit(k);
}

static void assert_all_opens(struct kit *k, const uint8_t key_digest[32],
                             uint32_t tokens)
{
    struct management_key found;
    unsigned n = 0;
    assert_int_equal(store_key_find(k->store, key_digest, &found), 0);
    assert_int_equal(store_token_load(k->store, check_digest, &n), 0);
    assert_int_equal(n, tokens);
}

static void the_server_key_can_be_rotated(void **state)
{
    struct kit *k = *state;
    struct store_owner owner;
    struct store_conf conf = kit_conf(k);
    char problem[256], key[300], before[65] = "", after[65] = "";
    uint8_t digest[32];
    fill_tokens(k, 2500);
    assert_int_equal(
        store_account_init(k->store, SV("B"), SV("bbb"), NOW_MS, &owner), 0);
    sha256(sv_cstr(owner.secret), digest);
    assert_int_equal(store_rotate_server_key(&conf, problem), ERR_AGAIN);
    store_close(&k->store);
    snprintf(key, sizeof key, "%s/server.key", k->dir);
    FILE *f = fopen(key, "r");
    assert_int_equal(fread(before, 1, 64, f), 64);
    fclose(f);
    int rc = store_rotate_server_key(&conf, problem);
    if (rc) fail_msg("%d %s", rc, problem);
    f = fopen(key, "r");
    assert_int_equal(fread(after, 1, 64, f), 64);
    fclose(f);
    assert_string_not_equal(before, after);
    kit_open(k);
    assert_all_opens(k, digest, 2500);
}

/* Killed after 0, 2, 4 … ms of the rotation, it is finished by the opening. */
static void a_rotation_that_is_killed_goes_on(void **state)
{
    struct kit *k = *state;
    struct store_owner owner;
    struct store_conf conf = kit_conf(k);
    char problem[256], next[300];
    uint8_t digest[32];
    unsigned unfinished = 0;
    fill_tokens(k, 4000);
    assert_int_equal(
        store_account_init(k->store, SV("B"), SV("bbb"), NOW_MS, &owner), 0);
    sha256(sv_cstr(owner.secret), digest);
    snprintf(next, sizeof next, "%s/server.key.next", k->dir);
    for (int i = 0; i < 12; i++) {
        store_close(&k->store);
        pid_t child = fork();
        if (child == 0) _exit(store_rotate_server_key(&conf, problem) ? 1 : 0);
        usleep((useconds_t)i * 2000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        unfinished += access(next, F_OK) == 0;
        kit_open(k);
        assert_int_not_equal(access(next, F_OK), 0);
        assert_all_opens(k, digest, 4000);
    }
    print_message("# killed under way: %u of 12\n", unfinished);
}

static void sub_keys_differ_by_purpose(void **state)
{
    struct kit *k = *state;
    uint8_t a[64], b[64], again[64];
    store_subkey(k->store, "a", a);
    store_subkey(k->store, "b", b);
    store_subkey(k->store, "a", again);
    assert_memory_equal(a, again, 64);
    assert_memory_not_equal(a, b, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(an_owner_key_is_made_with_its_account),
        KIT_TEST(a_foreign_or_missing_server_key_is_refused),
        KIT_TEST(a_newer_database_is_refused),
        KIT_TEST(without_create_nothing_is_made),
        KIT_TEST(the_server_key_can_be_rotated),
        KIT_TEST(a_rotation_that_is_killed_goes_on),
        KIT_TEST(sub_keys_differ_by_purpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
