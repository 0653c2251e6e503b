/* A store in a folder of the test's own, and short ways to put things in. */
#ifndef TESTS_STORE_KIT_H
#define TESTS_STORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "model/record.h"
#include "model/token.h"
#include "store/store.h"

enum { NOW = 1700000000 };
#define NOW_MS ((int64_t)NOW * 1000)

struct kit {
    char dir[200];
    struct store *store;
    struct arena arena;
    struct id account;
};

static inline struct store_conf kit_conf(const struct kit *k)
{
    return (struct store_conf){ .dir = k->dir, .create = true };
}

static inline void kit_open(struct kit *k)
{
    char problem[256];
    struct store_conf conf = kit_conf(k);
    int rc = store_open(&k->store, &conf, problem);
    if (rc) fail_msg("store_open: %d %s", rc, problem);
}

static inline int kit_setup(void **state)
{
    struct kit *k = calloc(1, sizeof *k);
    const char *base = getenv("TMPDIR");
    struct store_owner owner;
    snprintf(k->dir, sizeof k->dir, "%s/typeauth-store-XXXXXX",
             base ? base : "/tmp");
    if (!mkdtemp(k->dir)) return -1;
    arena_init(&k->arena, 64 << 20, NULL, 0);
    kit_open(k);
    assert_int_equal(store_account_init(k->store, SV("First"), SV("first"),
                                        NOW_MS, &owner), 0);
    k->account = owner.account_id;
    *state = k;
    return 0;
}

static inline int kit_teardown(void **state)
{
    struct kit *k = *state;
    char path[512];
    store_close(&k->store);
    arena_fini(&k->arena);
    DIR *d = opendir(k->dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", k->dir, e->d_name);
        if (e->d_name[0] != '.') unlink(path);
    }
    if (d) closedir(d);
    rmdir(k->dir);
    free(k);
    return 0;
}

static inline void kit_begin(struct kit *k)
{
    assert_int_equal(store_begin(k->store), 0);
}

static inline void kit_commit(struct kit *k)
{
    assert_int_equal(store_commit(k->store), 0);
}

static inline struct id kit_account(struct kit *k, const char *slug)
{
    struct store_owner owner;
    assert_int_equal(store_account_init(k->store, sv_cstr(slug),
                                        sv_cstr(slug), NOW_MS, &owner), 0);
    return owner.account_id;
}

/* From the text of a create body to a record that can be inserted. */
static inline struct record kit_record(struct kit *k, const struct shape *shape,
                                       struct id account, const char *body)
{
    struct ulid u = store_ulid(k->store, NOW_MS);
    struct record r = { .kind = shape->kind, .id = id_make(shape->kind, &u),
                        .account_id = account, .created_ms = NOW_MS,
                        .updated_ms = NOW_MS, .version = 1 };
    struct shape_env env = { .arena = &k->arena, .now_ms = NOW_MS,
                             .role = ROLE_ROOT };
    struct shape_problem why;
    yyjson_doc *in;
    yyjson_mut_doc *doc;
    assert_int_equal(json_decode(sv_cstr(body), &k->arena, &in, NULL), 0);
    int rc = shape_create(shape, &env, yyjson_doc_get_root(in), &doc, &why);
    if (rc) fail_msg("%s: %s %s", body, why.field, why.message);
    assert_int_equal(record_fill(&r, shape, doc, &k->arena), 0);
    return r;
}

/* An application of that name, committed. */
static inline struct record kit_app(struct kit *k, struct id account,
                                    const char *name)
{
    char body[200];
    snprintf(body, sizeof body, "{\"name\":\"%s\"}", name);
    kit_begin(k);
    struct record r = kit_record(k, &shape_application, account, body);
    assert_int_equal(store_record_insert(k->store, &r), 0);
    kit_commit(k);
    return r;
}

/* A row whose digest is made of its slot. In a transaction. */
static inline struct token_row kit_token(struct kit *k, uint32_t app,
                                         uint32_t slot)
{
    struct token_row row = { .id = store_ulid(k->store, NOW_MS), .slot = slot,
                             .app = app, .enabled = true,
                             .updated_ms = NOW_MS, .version = 1,
                             .start = SV("sk_abcd"), .prefix_n = 3,
                             .body = SV("") };
    memset(row.digest, 0x5a, sizeof row.digest);
    memcpy(row.digest, &slot, sizeof slot);
    return row;
}

static inline void kit_insert(struct kit *k, struct id account,
                              const struct token_row *row)
{
    size_t at;
    assert_int_equal(
        store_token_insert(k->store, id_sv(&account), row, 1, &at), 0);
}

static inline struct sv kit_id(struct kit *k, const struct ulid *u)
{
    struct id id = id_make(KIND_TOKEN, u);
    return arena_dup(&k->arena, id_sv(&id));
}

#define KIT_TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

#endif
