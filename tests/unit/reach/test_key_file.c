/* Fetched keys over a restart: what is kept, for how long, and what of it is
 * believed. */
#include "reach_kit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "../live/scratch.h"
#include "base/epoch.h"
#include "reach/key_file.h"
#include "reach/key_set.h"

#define PUBLIC_KEY                                                      \
    "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-256\",\"x\":" \
    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"            \
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}" /* RFC 7515 A.3 */
#define SECRET_KEY                                                       \
    "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"alg\":\"HS256\",\"k\":" \
    "\"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8\"}]}"

enum { MAX_STALE_S = 1000 };

static struct reach_kit t;
static struct scratch dir;
static struct keysets *sets;
static struct key_sets *manager;
static struct keyset_ref ref;
static char url[64];
static int64_t now;

static int64_t clock_ms(void)
{
    return now;
}

static void on_wake(void *ctx)
{
    (void)ctx;
    if (manager) key_sets_run(manager);
}

static struct keyset_source source(void)
{
    return (struct keyset_source){ .kind = KEYSET_URL,
                                   .text = sv_cstr(url),
                                   .cache_s = 600,
                                   .max_stale_s = MAX_STALE_S };
}

static void process_begins(void)
{
    struct keysets_conf conf = { .lanes = 1, .wake = on_wake };
    struct keyset_source src = source();
    manager = NULL;
    assert_int_equal(keysets_new(&sets, &conf), 0);
    struct key_sets_conf kc = { .sets = sets,
                                .reactor = t.kit.r,
                                .workers = t.workers,
                                .fetcher = t.fetcher,
                                .node_ms = clock_ms,
                                .wall_ms = clock_ms,
                                .dir = dir.path,
                                .allow_plain = true,
                                .timeout_ms = 1000,
                                .lanes = 1 };
    assert_int_equal(key_sets_new(&manager, &kc), 0);
    assert_int_equal(keysets_hold(sets, &src, &ref, NULL), 0);
}

static void process_ends(void)
{
    key_sets_close(manager);
    keysets_drop(sets, ref);
    key_sets_free(&manager);
    keysets_free(&sets);
    epoch_reclaim();
}

static int set_up(void **state)
{
    (void)state;
    reach_kit_open(&t);
    scratch_make(&dir);
    now = 1750000000000;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/k", t.at.port);
    process_begins();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kit_stop(&t.kit);
    workers_free(&t.workers);
    key_sets_close(manager);
    dns_free(&t.dns);
    fetcher_free(&t.fetcher);
    kit_fini(&t.kit);
    key_sets_free(&manager);
    close(t.listener);
    wire_fini(&t.wire);
    keysets_free(&sets);
    scratch_remove(&dir);
    assert_int_equal(epoch_reclaim(), 0);
    return 0;
}

static bool is_shown(void)
{
    const struct keyset_image *image = keysets_view(sets, ref, now);
    return image && image->now->n == 1 &&
           sv_eq(image->now->keys[0].kid, SV("a"));
}

static uint64_t awaited;

static bool was_fetched(void *ctx)
{
    (void)ctx;
    struct keyset_status s;
    return keysets_status(sets, ref, &s) && s.fetches >= awaited;
}

static void issuer_says(const char *keys, uint64_t fetches)
{
    char text[1024];
    origin_asked(&t, "GET /k HTTP/1.1\r\n");
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(keys),
             keys);
    origin_says(&t, text);
    awaited = fetches;
    assert_true(pump(&t.kit, was_fetched, NULL));
}

/* The issuer took the question and is silent: what is shown then was kept. */
static bool is_shown_after_a_restart(void)
{
    process_ends();
    process_begins();
    origin_asked(&t, "GET /k HTTP/1.1\r\n");
    return is_shown();
}

static struct key_file kept(void)
{
    struct key_file f;
    struct keyset_source src = source();
    assert_int_equal(key_file_of(&f, dir.path, &src, true), 0);
    return f;
}

static void known_keys_hold_over_a_restart_while_the_issuer_is_down(
    void **state)
{
    struct stat st;
    struct key_file f = kept();
    (void)state;
    issuer_says(PUBLIC_KEY, 1);
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    now += 400 * 1000;
    assert_true(is_shown_after_a_restart());
    struct keyset_status s;
    assert_true(keysets_status(sets, ref, &s));
    assert_int_equal(s.fetched_ms, now - 400 * 1000);
    now += (MAX_STALE_S - 400) * 1000 - 1; /* as long as it would have */
    assert_true(is_shown());
    now += 1;
    assert_false(is_shown());
}

static void what_the_issuer_confirmed_holds_from_then_on(void **state)
{
    struct keyset_status s;
    (void)state;
    issuer_says(PUBLIC_KEY, 1);
    assert_true(keysets_status(sets, ref, &s));
    now = s.next_ms;
    key_sets_run(manager);
    issuer_says(PUBLIC_KEY, 2);
    now += (MAX_STALE_S - 1) * 1000;
    assert_true(is_shown_after_a_restart());
}

static void keys_older_than_max_stale_are_not_believed(void **state)
{
    (void)state;
    issuer_says(PUBLIC_KEY, 1);
    now += MAX_STALE_S * 1000;
    assert_false(is_shown_after_a_restart());
}

static void what_came_by_plain_http_is_believed_only_where_that_is_allowed(
    void **state)
{
    struct key_file plain = kept(), strict;
    struct keyset_source src = source();
    (void)state;
    assert_int_equal(key_file_of(&strict, dir.path, &src, false), 0);
    issuer_says(PUBLIC_KEY, 1);
    assert_int_equal(access(plain.path, F_OK), 0);
    assert_int_not_equal(access(strict.path, F_OK), 0);
}

static void secrets_are_not_kept(void **state)
{
    struct key_file f = kept();
    (void)state;
    issuer_says(PUBLIC_KEY, 1);
    assert_int_equal(access(f.path, F_OK), 0);
    struct keyset_status s;
    assert_true(keysets_status(sets, ref, &s));
    now = s.next_ms;
    key_sets_run(manager);
    issuer_says(SECRET_KEY, 2);
    assert_int_not_equal(access(f.path, F_OK), 0);
    assert_false(is_shown_after_a_restart());
}

static void a_file_that_was_cut_or_altered_is_as_good_as_none(void **state)
{
    struct key_file f = kept();
    size_t whole = strlen(PUBLIC_KEY);
    (void)state;
    issuer_says(PUBLIC_KEY, 1);
    for (size_t n = 0; n < whole; n += 37) {
        int fd = open(f.path, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, PUBLIC_KEY, n), (ssize_t)n);
        close(fd);
        key_file_confirm(&f, now);
        assert_false(is_shown_after_a_restart());
    }
    assert_int_equal(unlink(f.path), 0);
    assert_int_equal(symlink("/etc/passwd", f.path), 0);
    assert_false(is_shown_after_a_restart());
}

static void files_that_nobody_could_use_go(void **state)
{
    struct key_file f = kept();
    (void)state;
    issuer_says(PUBLIC_KEY, 1);
    key_files_sweep(dir.path, now + (int64_t)KEY_FILE_OLD_S * 1000);
    assert_int_equal(access(f.path, F_OK), 0);
    key_files_sweep(dir.path, now + (int64_t)(KEY_FILE_OLD_S + 1) * 1000);
    assert_int_not_equal(access(f.path, F_OK), 0);
}

#define KEPT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEPT_TEST(known_keys_hold_over_a_restart_while_the_issuer_is_down),
        KEPT_TEST(what_the_issuer_confirmed_holds_from_then_on),
        KEPT_TEST(keys_older_than_max_stale_are_not_believed),
        KEPT_TEST(
            what_came_by_plain_http_is_believed_only_where_that_is_allowed),
        KEPT_TEST(secrets_are_not_kept),
        KEPT_TEST(a_file_that_was_cut_or_altered_is_as_good_as_none),
        KEPT_TEST(files_that_nobody_could_use_go),
    };
    return cmocka_run_group_tests_name("reach/key_file", tests, NULL, NULL);
}
