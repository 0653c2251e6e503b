#include "admin_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/epoch.h"
#include "base/err.h"
#include "codec/digest.h"

/* --- open and close -------------------------------------------------------------- */

static void on_checkpoint(void *ctx, uint32_t slot, uint32_t tag, int64_t used,
                          uint32_t refills, uint32_t last_used_s)
{
    struct rig *r = ctx;
    if (r->admin)
        admin_checkpoint(r->admin, slot, tag, used, refills, last_used_s);
}

static int publish_fault(void *ctx)
{
    return ((struct rig *)ctx)->publish_fault;
}

static void start(struct rig *r, bool create)
{
    static const struct sv names[] = { { "api.test", 8 } };
    char problem[256] = "";
    struct store_conf sc = { .dir = r->dir, .create = create };
    assert_int_equal(store_open(&r->store, &sc, problem), 0);
    struct counters_conf cc = {
        .dir = r->dir, .durable = true, .on_checkpoint = on_checkpoint, .ctx = r
    };
    assert_int_equal(counters_open(&r->counters, &cc, problem), 0);
    struct tokens_conf tc = { .max = 1 << 18,
                              .dir = r->dir,
                              .counters = r->counters };
    assert_int_equal(tokens_new(&r->tokens, &tc), 0);
    assert_int_equal(plan_new(&r->plan, 1), 0);
    if (r->waf.engine) plan_waf_conf(r->plan, &r->waf);
    struct keysets_conf kc = { .lanes = 1, .max = 8 };
    assert_int_equal(keysets_new(&r->keysets, &kc), 0);
    struct admin_conf ac = {
        .store = r->store,
        .tokens = r->tokens,
        .counters = r->counters,
        .plan = r->plan,
        .keysets = r->keysets,
        .base_domain = SV("base.test"),
        .api_names = names,
        .api_names_n = 1,
        .applications_max = 5,
        .version = SV("0"),
        .publish_fault = publish_fault,
        .ctx = r,
    };
    assert_int_equal(admin_new(&r->admin, &ac), 0);
}

static void stop(struct rig *r)
{
    struct admin *a = r->admin;
    r->admin = NULL;
    admin_free(&a);
    epoch_reclaim();
    tokens_free(&r->tokens);
    plan_free(&r->plan);
    keysets_free(&r->keysets);
    counters_close(&r->counters);
    store_close(&r->store);
}

static void load(struct rig *r)
{
    char problem[256];
    if (admin_load(r->admin, problem)) fail_msg("%s", problem);
}

static void root_key(struct rig *r)
{
    struct admin_key_ask ask = { .account_id = SV(""),
                                 .role = ROLE_ROOT,
                                 .name = SV("root") };
    struct admin_key_made made;
    assert_int_equal(admin_key_create(r->store, &ask, clock_wall_ms(), &made),
                     0);
    assert_in_range(strlen(made.secret), 20, sizeof r->root - 1);
    memcpy(r->root, made.secret, sizeof r->root);
}

void rig_open(struct rig *r)
{
    struct store_owner owner;
    *r = (struct rig){ .dir = "/tmp/admin.XXXXXX" };
    assert_non_null(mkdtemp(r->dir));
    clock_node_start(0);
    start(r, true);
    assert_int_equal(store_account_init(r->store, SV("First"), SV("first"),
                                        clock_wall_ms(), &owner),
                     0);
    snprintf(r->account, sizeof r->account, "%s", owner.account_id.text);
    snprintf(r->owner, sizeof r->owner, "%s", owner.secret);
    root_key(r);
    load(r);
    answer_init(&r->a);
}

void rig_restart(struct rig *r)
{
    stop(r);
    start(r, false);
    load(r);
}

void rig_close(struct rig *r)
{
    char command[128];
    stop(r);
    answer_fini(&r->a);
    yyjson_doc_free(r->doc);
    snprintf(command, sizeof command, "rm -rf %s", r->dir);
    assert_int_equal(system(command), 0);
}

/* --- asking --------------------------------------------------------------------------- */

static void expand(const struct rig *r, const char *path, char *out, size_t n)
{
    const char *mark = strstr(path, "{a}");
    if (!mark)
        snprintf(out, n, "%s", path);
    else
        snprintf(out, n, "%.*s%s%s", (int)(mark - path), path, r->account,
                 mark + 3);
}

unsigned rig_ask(struct rig *r, const char *key, const char *method,
                 const char *path, const char *body)
{
    char full[2048], authorization[128] = "";
    expand(r, path, full, sizeof full);
    if (key) snprintf(authorization, sizeof authorization, "Bearer %s", key);
    struct request q = {
        .method = http_method_of(sv_cstr(method)),
        .authorization = sv_cstr(authorization),
        .content_type =
            sv_cstr(r->content_type ? r->content_type : "application/json"),
        .content_encoding = SV(""),
        .idempotency_key =
            sv_cstr(r->idempotency_key ? r->idempotency_key : ""),
        .if_match = sv_cstr(r->if_match ? r->if_match : ""),
        .id = SV("test"),
        .body = body ? sv_cstr(body) : SV(""),
        .ops_open = r->ops_open,
    };
    q.path = sv_cut(sv_cstr(full), '?', &q.query);
    assert_int_equal(
        ip_parse(sv_cstr(r->peer ? r->peer : "192.0.2.1"), &q.peer), 0);
    answer_fini(&r->a);
    answer_init(&r->a);
    admin_serve(r->admin, &q, &r->a);
    yyjson_doc_free(r->doc);
    r->doc = yyjson_read(r->a.body.p, r->a.body.n, 0);
    if (!r->a.content_type && !r->doc)
        fail_msg("no JSON: %.*s", (int)r->a.body.n, r->a.body.p);
    r->idempotency_key = r->if_match = r->content_type = r->peer = NULL;
    r->ops_open = false;
    return r->a.status;
}

#define FORMATTED(name, method)                          \
    unsigned name(struct rig *r, const char *path, ...)  \
    {                                                    \
        char text[1024];                                 \
        va_list args;                                    \
        va_start(args, path);                            \
        vsnprintf(text, sizeof text, path, args);        \
        va_end(args);                                    \
        return rig_ask(r, r->owner, method, text, NULL); \
    }
FORMATTED(rig_get, "GET")
FORMATTED(rig_delete, "DELETE")

unsigned rig_post(struct rig *r, const char *path, const char *body)
{
    return rig_ask(r, r->owner, "POST", path, body);
}

unsigned rig_patch(struct rig *r, const char *path, const char *body)
{
    return rig_ask(r, r->owner, "PATCH", path, body);
}

void rig_account(struct rig *r, const char *slug, char id[40], char key[80])
{
    char body[128], path[128];
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"slug\":\"%s\"}", slug,
             slug);
    rig_ask(r, r->root, "POST", "/accounts/create", body);
    rig_expect(r, 201);
    snprintf(id, 40, "%s", rig_text(r, "/data/0/id"));
    snprintf(path, sizeof path, "/%s/management-key/create", id);
    rig_ask(r, r->root, "POST", path, "{\"name\":\"o\",\"role\":\"owner\"}");
    rig_expect(r, 201);
    snprintf(key, 80, "%s", rig_text(r, "/data/0/key"));
}

void rig_key(struct rig *r, const char *role, char key[80])
{
    char body[128];
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"role\":\"%s\"}", role,
             role);
    rig_post(r, "/{a}/management-key/create", body);
    rig_expect(r, 201);
    snprintf(key, 80, "%s", rig_text(r, "/data/0/key"));
}

/* --- the answer --------------------------------------------------------------------------- */

yyjson_val *rig_at(struct rig *r, const char *pointer)
{
    return r->doc ? yyjson_doc_ptr_get(r->doc, pointer) : NULL;
}

const char *rig_text(struct rig *r, const char *pointer)
{
    static char ring[8][2048];
    static unsigned at;
    char *out = ring[at++ % 8];
    const char *s = yyjson_get_str(rig_at(r, pointer));
    snprintf(out, sizeof ring[0], "%s", s ? s : "");
    return out;
}

int64_t rig_int(struct rig *r, const char *pointer)
{
    yyjson_val *v = rig_at(r, pointer);
    return yyjson_is_int(v) ? yyjson_get_sint(v) : INT64_MIN;
}

size_t rig_count(struct rig *r)
{
    return yyjson_arr_size(rig_at(r, "/data"));
}

void rig_expect(struct rig *r, unsigned status)
{
    if (r->a.status != status)
        fail_msg("%u instead of %u: %.*s", r->a.status, status,
                 (int)r->a.body.n, r->a.body.p);
    if (r->a.content_type) return;
    assert_true(yyjson_is_bool(rig_at(r, "/success")));
    assert_int_equal(yyjson_get_bool(rig_at(r, "/success")), status < 300);
    assert_true(yyjson_is_str(rig_at(r, "/message")));
    assert_true(yyjson_is_arr(rig_at(r, "/data")));
}

void rig_expect_error(struct rig *r, unsigned status, const char *code,
                      const char *field)
{
    rig_expect(r, status);
    if (strcmp(rig_text(r, "/error/code"), code) ||
        strcmp(rig_text(r, "/error/field"), field ? field : ""))
        fail_msg("not %s of %s: %.*s", code, field ? field : "nothing",
                 (int)r->a.body.n, r->a.body.p);
}

/* --- the data plane --------------------------------------------------------------------------- */

bool rig_finds(struct rig *r, const char *app_id, const char *secret,
               struct token_view *out)
{
    const struct plan_app *app = plan_find(r->plan, sv_cstr(app_id));
    uint8_t digest[SHA256_BYTES];
    sha256(sv_cstr(secret), digest);
    return app &&
           tokens_find(r->tokens, app->app.num, digest, clock_wall_ms(), out);
}

enum take rig_take(struct rig *r, const char *app_id, const char *secret,
                   struct take_answer *out)
{
    const struct plan_app *app = plan_find(r->plan, sv_cstr(app_id));
    struct token_view v;
    assert_true(rig_finds(r, app_id, secret, &v));
    bool shared = app->quota_slot != UINT32_MAX &&
                  !(v.own && (v.own->has_quota || v.own->has_refill));
    struct take_ask ask = {
        .slot = v.slot,
        .tag = v.tag,
        .quota_slot = shared ? app->quota_slot : UINT32_MAX,
        .quota_tag = shared ? app->quota_tag : 0,
        .terms = policy_terms(app->has_auth ? &app->auth.policy : NULL, v.own),
        .created_ms = shared ? app->created_ms : v.created_ms,
        .now_ms = clock_node_ms(),
        .cost = 1,
    };
    return counters_take(r->counters, &ask, out);
}
