/* Documents -> image. What an exchange would otherwise decide again and again
 * is decided here once: which checks there are, whether a made-up token can
 * be told by its checksum, what the origin is called.
 *
 * One piece of memory holds the image, its holds and (usually) its texts:
 *
 *   [hold of reactor 0 | … | n-1] [struct plan_app] [texts …] -> more chunks
 */
#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/ulid.h"
#include "plan/host.h"
#include "plan/plan_int.h"

enum { IMAGE_BUDGET_BYTES = 1 << 20, HOST_MAX = 253 };

static _Atomic uint64_t serials;

static int problem(struct plan_problem *why, int err, const char *field,
                   const char *message)
{
    if (err == ERR_NOMEM) message = "is too large";
    snprintf(why->field, sizeof why->field, "%s", field);
    snprintf(why->message, sizeof why->message, "%s", message);
    return err == ERR_NOMEM ? ERR_TOOBIG : err;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static struct plan_app *image_new(struct plan *p, size_t texts)
{
    size_t holds = p->reactors * sizeof(struct plan_hold);
    size_t head = holds + round_up(sizeof(struct plan_app), 64);
    char *memory = mem_aligned(64, head + texts);
    struct plan_app *a = (void *)(memory + holds);
    a->holds = (void *)memory;
    a->owner = p;
    a->origin.id = UINT32_MAX;
    arena_init(&a->arena, IMAGE_BUDGET_BYTES, memory + head, texts);
    atomic_fetch_add(&p->images, 1);
    return a;
}

void plan_app_free(void *image)
{
    struct plan_app *a = image;
    if (!a) return;
    struct plan *p = a->owner;
    if (a->origin.id != UINT32_MAX) origins_drop(p->origins, a->origin.id);
    plan_routes_drop(p, a);
    plan_balance_drop(p, a);
    for (int i = 0; i < FORM_COUNT; i++) compiled_drop(a->forms[i]);
    waf_set_drop(a->waf);
    if (a->jwt) {
        struct sv secret = a->jwt->introspection_authorization;
        if (secret.n) mem_wipe((void *)(uintptr_t)secret.p, secret.n);
    }
    arena_fini(&a->arena);
    mem_free(a->holds); /* the beginning of it all */
    atomic_fetch_sub(&p->images, 1);
}

/* Ids are a type's prefix and a ULID; 0 if this one is not. */
static int64_t id_time_ms(struct sv id)
{
    struct sv rest;
    struct ulid u;
    sv_cut(id, '_', &rest);
    return ulid_decode(rest, &u) == 0 ? ulid_ms(&u) : 0;
}

static void add(struct plan_steps *steps, enum plan_step step)
{
    steps->at[steps->n++] = (uint8_t)step;
}

/* Nothing is known of a JWT before it came: what it has no record for (state,
 * address list) is not asked, and counted is only where something is limited. */
static void add_jwt(const struct plan_app *a, struct plan_steps *steps)
{
    add(steps, STEP_JWT);
    if (a->jwt->profile.binding != JWT_BEARER) add(steps, STEP_BINDING);
    if (a->limited) add(steps, STEP_LIMITS);
    add(steps, STEP_SCOPES);
}

static void add_token(struct plan_steps *steps)
{
    add(steps, STEP_CREDENTIAL);
    add(steps, STEP_TOKEN_STATE);
    add(steps, STEP_EXPIRY);
    add(steps, STEP_LIMITS);
    add(steps, STEP_SCOPES);
    add(steps, STEP_ADDRESS);
}

static bool wants_waf(const struct plan_app *a)
{
    return a->app.enabled && a->security &&
           a->security->profile.waf.mode != WAF_OFF;
}

/* Who is nobody in particular has neither journeys nor habits. */
static void add_tracked(const struct plan_app *a, struct plan_steps *steps)
{
    if (!a->tracked || !a->abuse) return;
    if (a->abuse->profile.travel.enabled) add(steps, STEP_TRAVEL);
    if (a->abuse->profile.anomaly.enabled) add(steps, STEP_ANOMALY);
}

static bool has_mail(const struct plan_app *a, int door)
{
    const struct plan_abuse *b = a->abuse;
    return b &&
           (b->mail_in_head || (b->body.inspect_bytes && door == DOOR_PROXY));
}

/* In the order of PLAN_STEPS. An application that refuses everybody needs
 * nothing behind the refusal; one that is public (and says so) needs nothing
 * to pass. What a token's own record may ask for (limits, address list) is
 * known only when it is found: those steps belong to every token. */
static void build_steps(struct plan_app *a)
{
    bool lost = a->auth.key_type == KEY_JWT && !a->jwt;
    bool shut = lost || (!a->has_auth && !a->app.is_public);
    for (int door = 0; door < DOOR_COUNT; door++) {
        struct plan_steps *steps = &a->steps[door];
        if (!a->app.enabled || shut) {
            add(steps, STEP_ENABLED);
            continue;
        }
        bool routes = a->routes && door == DOOR_PROXY;
        if (a->app.cors && door == DOOR_PROXY) add(steps, STEP_PREFLIGHT);
        if (routes) add(steps, STEP_ROUTE);
        if (a->security && a->security->firewall) add(steps, STEP_FIREWALL);
        if (a->abuse && a->abuse->counts_visitors)
            add(steps, STEP_GLOBAL_LIMIT);
        if (a->jwt)
            add_jwt(a, steps);
        else if (a->has_auth || door == DOOR_VERIFY)
            add_token(steps);
        else if (routes)
            add(steps, STEP_SCOPES);
        if (a->security && a->security->token_rules)
            add(steps, STEP_TOKEN_RULES);
        if (a->has_auth) add_tracked(a, steps);
        if (a->body[PLAN_BODY_ALL].inspect_bytes && door == DOOR_PROXY)
            add(steps, STEP_BODY);
        if (has_mail(a, door)) add(steps, STEP_MAIL);
        if (wants_waf(a)) add(steps, STEP_WAF);
        if (a->schema) add(steps, STEP_SCHEMA);
        if (routes) add(steps, STEP_ANSWER);
    }
}

static int build_origin(struct plan *p, struct plan_app *a,
                        struct plan_problem *why)
{
    struct plan_origin *o = &a->origin;
    if (!a->app.has_origin) return 0;
    o->at = a->app.origin;
    o->tls_verify = o->at.tls;
    if (o->at.host.n == 0 || o->at.host.n > HOST_MAX || o->at.port == 0)
        return problem(why, ERR_INVALID, "originHostname", "is not a host");
    if (plan_origin_name(o, &a->arena)) return problem(why, ERR_NOMEM, "", "");
    plan_origin_hold(p, o);
    return 0;
}

static bool counts_tokens(const struct plan_app *a)
{
    return a->abuse && a->abuse->counts_tokens;
}

/* Without a profile nobody passes: see build_steps. */
static int build_jwt(struct plan_app *a, const struct plan_source *src,
                     struct plan_problem *why)
{
    const struct plan_jwt_source jwt = { .profile = src->jwt,
                                         .rules = src->jwt_rules,
                                         .auth = &a->auth,
                                         .limited = a->limited,
                                         .counts_tokens = counts_tokens(a),
                                         .introspection_secret =
                                             src->introspection_secret };
    if (src->jwt.n == 0) return 0;
    int rc = plan_jwt_build(&jwt, &a->arena, &a->jwt);
    return rc < 0 ? problem(why, rc, "jwt_id", "profile is damaged") : 0;
}

static int build_auth(struct plan_app *a, const struct plan_source *src,
                      struct plan_problem *why)
{
    a->quota_slot = UINT32_MAX;
    a->checksum = !src->imported;
    a->has_auth = src->authentication.n > 0;
    if (a->has_auth != (a->app.auth_id.n > 0))
        return problem(why, ERR_INVALID, "auth_id", "profile is missing");
    if (!a->has_auth) return 0;
    int rc = authentication_decode(src->authentication, &a->arena, &a->auth);
    if (rc < 0) return problem(why, rc, "auth_id", "profile is damaged");
    const struct policy *p = &a->auth.policy;
    a->limited = (p->has_limits && p->limits_n) ||
                 (p->has_quota && !p->quota_none) ||
                 (p->has_refill && !p->refill_none) || counts_tokens(a);
    if (a->auth.quota_of_application) {
        a->quota_slot = src->quota_slot;
        a->quota_tag = src->quota_tag;
    }
    return a->auth.key_type == KEY_JWT ? build_jwt(a, src, why) : 0;
}

/* Which type compiles which form, and the field that names the profile. */
static const struct form_row {
    const struct compiled_type *type;
    const char *field;
} form_rows[FORM_COUNT] = {
    [FORM_SECURITY] = { &plan_security_type, "security_id" },
    [FORM_ABUSE] = { &plan_abuse_type, "abuse_id" },
    [FORM_SCHEMA] = { &plan_schema_type, "schema_id" },
};

bool plan_form_is_there(const struct plan *p, enum plan_form form,
                        struct sv doc)
{
    return compiled_is_there(p->compiled, form_rows[form].type, doc);
}

static int build_forms(struct plan *p, const struct plan_source *src,
                       struct plan_app *a, struct plan_problem *why)
{
    for (int i = 0; i < FORM_COUNT; i++) {
        if (!src->forms[i].n) continue;
        int rc = compiled_hold(p->compiled, form_rows[i].type, src->forms[i],
                               i == FORM_SCHEMA ? src->openapi : SV(""),
                               &a->forms[i], why);
        if (rc < 0 && why->message[0]) return rc;
        if (rc < 0)
            return problem(why, rc, form_rows[i].field, "profile is damaged");
    }
    const struct compiled *security = a->forms[FORM_SECURITY],
                          *abuse = a->forms[FORM_ABUSE],
                          *schema = a->forms[FORM_SCHEMA];
    a->security = security ? security->value : NULL;
    a->abuse = abuse ? abuse->value : NULL;
    a->tracked = a->abuse && (a->abuse->profile.travel.enabled ||
                              a->abuse->profile.anomaly.enabled);
    a->schema = schema ? schema->value : NULL;
    return 0;
}

static void build_body(struct plan_app *a)
{
    for (unsigned judges = 0; judges < PLAN_BODY_COUNT; judges++) {
        struct plan_body *all = &a->body[judges];
        if (a->abuse) plan_body_want(all, &a->abuse->body);
        if (a->schema && judges & PLAN_BODY_SCHEMA)
            plan_body_want(all, &a->schema->body);
        if (a->security && judges & PLAN_BODY_WAF)
            plan_body_want(all, &a->security->body);
    }
}

/* An application that is switched off needs no rules: it can be so also where
 * they are missing. */
static int build_waf(struct plan *p, const struct plan_source *src,
                     struct plan_app *a, struct plan_problem *why)
{
    if (!wants_waf(a)) return 0;
    int rc =
        waf_sets_hold(p->waf_sets, &a->security->profile.waf, &a->waf, why);
    return src->waf_may_miss ? 0 : rc;
}

/* 0: it is no such id (in tests). */
static uint64_t id_low(enum kind kind, struct sv id)
{
    struct ulid u;
    return id_parse(kind, id, &u) ? 0 : ulid_low(&u);
}

static int build(struct plan *p, const struct plan_source *src,
                 struct plan_app *a, struct plan_problem *why)
{
    char key[HOST_KEY_MAX];
    int rc = application_decode(src->application, &a->arena, &a->app);
    if (rc < 0) return problem(why, rc, "", "record is damaged");
    a->app.num = src->num;
    a->seq = src->seq;
    a->serial = atomic_fetch_add(&serials, 1) + 1;
    memcpy(a->keysets, src->keysets, sizeof a->keysets);
    a->keysets_n = src->keysets_n;
    a->created_ms = id_time_ms(a->app.id);
    a->scope = id_low(KIND_APPLICATION, a->app.id);
    a->account_scope = id_low(KIND_ACCOUNT, a->app.account_id);
    if (a->app.domain.n && host_domain_key(a->app.domain, key) == 0)
        return problem(why, ERR_INVALID, "domain", "is not a host name");
    if ((rc = build_forms(p, src, a, why)) < 0) return rc;
    if ((rc = build_waf(p, src, a, why)) < 0) return rc;
    build_body(a);
    if ((rc = build_auth(a, src, why)) < 0) return rc;
    if ((rc = build_origin(p, a, why)) < 0) return rc;
    rc = plan_routes_build(p, a, src->routing);
    if (rc < 0) return problem(why, rc, "routing_id", "profile is damaged");
    if (plan_balance_build(p, a)) return problem(why, ERR_NOMEM, "", "");
    build_steps(a);
    return a->arena.overflow ? problem(why, ERR_NOMEM, "", "") : 0;
}

int plan_build(struct plan *p, const struct plan_source *src,
               struct plan_app **out, struct plan_problem *why)
{
    /* Every text lies in the documents: their length is room enough but for
     * padding, and rarely more is asked. */
    size_t texts = round_up(src->application.n + src->authentication.n +
                                src->jwt.n + src->jwt_rules.n + 512,
                            64);
    struct plan_app *a = image_new(p, texts);
    *why = (struct plan_problem){ .field = "" };
    int rc = build(p, src, a, why);
    if (rc < 0)
        plan_app_free(a);
    else
        *out = a;
    return rc;
}

void plan_discard(struct plan *p, struct plan_app **a)
{
    ENSURE(!*a || (*a)->owner == p);
    plan_app_free(*a);
    *a = NULL;
}
