/* Any payload under an image with rules of each kind: the facts that are made
 * of it are kept and come back the same, and are judged alike.
 *
 *   input  header value \n payload (JSON) */
#include <stdlib.h>

#include "base/ensure.h"
#include "check/jwt.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct plan *plan;
static struct plan_app *app;
static struct verified_cache *cache;
static struct subjects *subjects;

static void begin(void)
{
    static const char application[] =
        "{\"id\":\"app_01JD0000000000000000000001\",\"account_id\":"
        "\"acc_01JD0000000000000000000000\",\"name\":\"a\","
        "\"auth_id\":\"auth_01JD0000000000000000000000\"}";
    static const char auth[] =
        "{\"id\":\"auth_01JD0000000000000000000000\",\"account_id\":"
        "\"acc_01JD0000000000000000000000\",\"name\":\"p\",\"keyType\":\"jwt\","
        "\"identityClaim\":\"org.id\","
        "\"ratelimit\":{\"limit\":1,\"timeWindow\":1}}";
    static const char jwt[] =
        "{\"id\":\"jwt_01JD0000000000000000000000\",\"account_id\":"
        "\"acc_01JD0000000000000000000000\",\"name\":\"j\",\"audience\":"
        "[\"a\",\"b\"],\"rules\":{\"required_claims\":{\"t\":\"{x-t}\"},"
        "\"optional_claims\":{\"r.o\":[\"a\",1,true],\"p\":\"*\","
        "\"d\":\"{x-t}\"}}}";
    struct plan_source src = { .application = sv_cstr(application),
                               .authentication = sv_cstr(auth),
                               .jwt = sv_cstr(jwt),
                               .num = 1,
                               .quota_slot = UINT32_MAX };
    struct plan_problem why;
    struct subjects_conf conf = { .dir = "/tmp", .max = 1024 };
    char problem[256];
    char dir[] = "/tmp/typeauth-fuzz-XXXXXX";
    conf.dir = mkdtemp(dir);
    ENSURE(conf.dir && subjects_open(&subjects, &conf, problem) == 0);
    char remove[64];
    snprintf(remove, sizeof remove, "rm -rf %s", dir); /* stays mapped */
    ENSURE(system(remove) == 0);
    ENSURE(plan_new(&plan, 1) == 0);
    ENSURE(plan_build(plan, &src, &app, &why) == 0);
    cache = verified_cache_new(1 << 20);
}

static void same(struct sv a, struct sv b)
{
    ENSURE(sv_eq(a, b));
}

static void kept_as_made(const struct verified *v)
{
    const struct verified *kept = verified_put(cache, v);
    if (!kept) return;
    ENSURE(verified_find(cache, v->digest, v->image) == kept);
    same(kept->subject, v->subject);
    same(kept->subject_header, v->subject_header);
    same(kept->scopes_header, v->scopes_header);
    ENSURE(kept->scopes_n == v->scopes_n && kept->dynamic_n == v->dynamic_n);
    for (unsigned i = 0; i < v->scopes_n; i++)
        same(kept->scopes[i], v->scopes[i]);
    for (unsigned i = 0; i < v->subject_header.n; i++)
        ENSURE(v->subject_header.p[i] >= ' ' && v->subject_header.p[i] <= '~');
    for (unsigned i = 0; i < v->scopes_header.n; i++)
        ENSURE(v->scopes_header.p[i] >= ' ' && v->scopes_header.p[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char memory[JWT_SCRATCH_BYTES], small[4096];
    struct sv payload, header = sv_cut(sv_of(data, size), '\n', &payload);
    struct arena a, b;
    const yyjson_val *claims;
    struct http_head head = { .fields_n = 1 };
    if (!plan) begin();
    arena_init(&a, 0, memory, sizeof memory);
    arena_init(&b, 0, small, sizeof small);
    if (claims_decode(payload, &a, &claims) != JOSE_OK) return 0;
    head.fields[0] = (struct http_field){ SV("X-T"), header, HN_OTHER };
    const struct check_env env = { .subjects = subjects };
    const struct exchange x = {
        .env = &env, .plan = app, .head = &head, .arena = &b
    };
    struct verified v = { .image = 1 };
    size_t n = size < sizeof v.digest ? size : sizeof v.digest;
    memcpy(v.digest, data, n);
    if (!jwt_facts(&x, claims, &a, &v)) return 0;
    kept_as_made(&v);
    if (v.refused)
        ENSURE(v.refused < REASON_COUNT && v.refused_claim.n);
    else
        (void)jwt_dynamic_refuses(&x, &v);
    return 0;
}
