/* The rules on claims (api.md §5): issuer, audience, required and optional
 * ones; the scopes and the subject that a token names. What depends on the
 * token alone is judged once and kept with it; DYNAMIC rules are judged at
 * each request, against the texts that were kept. */
#include "base/ensure.h"
#include "check/check.h"
#include "check/jwt.h"
#include "codec/base64url.h"
#include "codec/digest.h"
#include "live/subject.h"

enum {
    SCOPES_MAX = 256,
    HEADER_MAX = 4096,  /* of X-Typeauth-Scopes; whole scopes beyond it go */
    SUBJECT_MAX = 1024, /* a longer one is not told to the origin */
    NUMBER_TEXT = 32,
};

struct reading {
    const struct exchange *x;
    const yyjson_val *claims;
    struct claims_named named;
    struct arena *a;
    struct verified *v;
};

static yyjson_val *claim_at(const yyjson_val *claims, const struct sv *path,
                            unsigned n)
{
    yyjson_val *at = (yyjson_val *)(uintptr_t)claims;
    for (unsigned i = 0; i < n && at; i++)
        at = yyjson_is_obj(at) ? yyjson_obj_getn(at, path[i].p, path[i].n)
                               : NULL;
    return at;
}

static bool refuse(struct verified *v, enum reason why, struct sv claim)
{
    v->refused = (uint8_t)why;
    v->refused_claim = claim;
    return false;
}

/* --- equal to one of the values ----------------------------------------------- */

static bool value_equals(yyjson_val *v, const struct jwt_value *want)
{
    switch (want->kind) {
    case JWT_TEXT: return yyjson_is_str(v) && sv_eq(json_text(v), want->text);
    case JWT_NUMBER:
        return yyjson_is_num(v) && yyjson_get_num(v) == want->number;
    case JWT_BOOLEAN:
        return yyjson_is_bool(v) && yyjson_get_bool(v) == want->boolean;
    }
    return false;
}

static bool member_holds(yyjson_val *v, const struct jwt_rule *rule)
{
    for (unsigned i = 0; i < rule->values_n; i++)
        if (value_equals(v, &rule->values[i])) return true;
    return false;
}

static bool fixed_holds(yyjson_val *v, const struct jwt_rule *rule)
{
    size_t i, n;
    yyjson_val *member;
    if (rule->match == JWT_PRESENT) return true;
    if (!yyjson_is_arr(v)) return member_holds(v, rule);
    yyjson_arr_foreach(v, i, n, member)
    {
        if (member_holds(member, rule)) return true;
    }
    return false;
}

/* null is no claim. */
static bool fixed_rule(struct verified *v, const yyjson_val *claims,
                       const struct jwt_rule *rule)
{
    yyjson_val *at = claim_at(claims, rule->path, rule->path_n);
    if (!at || yyjson_is_null(at))
        return rule->optional || refuse(v, REASON_MISSING_CLAIM, rule->shown);
    return fixed_holds(at, rule) ||
           refuse(v, REASON_INVALID_CLAIM, rule->shown);
}

/* iss is a text, aud a text or an array (RFC 7519 4.1.1, 4.1.3). */
static bool is_one_of(yyjson_val *v, const struct sv *texts, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (yyjson_is_str(v) && sv_eq(json_text(v), texts[i])) return true;
    return false;
}

static bool audience_holds(yyjson_val *aud, const struct jwt_profile *p)
{
    size_t i, n;
    yyjson_val *member;
    if (!yyjson_is_arr(aud))
        return is_one_of(aud, p->audiences, p->audiences_n);
    yyjson_arr_foreach(aud, i, n, member)
    {
        if (is_one_of(member, p->audiences, p->audiences_n)) return true;
    }
    return false;
}

static bool named_rules(const struct reading *r, const struct jwt_profile *p)
{
    struct verified *v = r->v;
    yyjson_val *iss = r->named.at[CLAIM_ISS], *aud = r->named.at[CLAIM_AUD];
    if (p->issuers_n && !iss) return refuse(v, REASON_MISSING_CLAIM, SV("iss"));
    if (p->issuers_n && !is_one_of(iss, p->issuers, p->issuers_n))
        return refuse(v, REASON_INVALID_CLAIM, SV("iss"));
    if (p->audiences_n && !aud)
        return refuse(v, REASON_MISSING_CLAIM, SV("aud"));
    if (p->audiences_n && !audience_holds(aud, p))
        return refuse(v, REASON_INVALID_CLAIM, SV("aud"));
    return true;
}

/* --- texts of claims ------------------------------------------------------------ */

/* A text, number or boolean as text; p NULL: none of these, or no room. */
static struct sv scalar_text(yyjson_val *v, struct arena *a)
{
    if (yyjson_is_str(v)) return json_text(v);
    if (yyjson_is_bool(v)) return yyjson_get_bool(v) ? SV("true") : SV("false");
    if (!yyjson_is_num(v)) return (struct sv){ NULL, 0 };
    struct sv s = json_encode_val(a, v);
    return s.n <= NUMBER_TEXT ? s : (struct sv){ NULL, 0 };
}

static bool dynamic_read(const struct reading *r, const struct jwt_rule *rule,
                         struct verified_claim *out)
{
    yyjson_val *at = claim_at(r->claims, rule->path, rule->path_n), *member;
    size_t i, n = yyjson_is_arr(at) ? yyjson_arr_size(at) : 1;
    *out = (struct verified_claim){ .present = at && !yyjson_is_null(at) };
    if (!out->present)
        return rule->optional ||
               refuse(r->v, REASON_MISSING_CLAIM, rule->shown);
    struct sv *texts = ARENA_ARRAY(r->a, struct sv, n);
    if (!texts) return false; /* the arena says so */
    out->values = texts;
    if (!yyjson_is_arr(at)) {
        texts[0] = scalar_text(at, r->a);
        out->values_n = texts[0].p != NULL;
        return true;
    }
    yyjson_arr_foreach(at, i, n, member)
    {
        struct sv text = scalar_text(member, r->a);
        if (text.p) texts[out->values_n++] = text;
    }
    return true;
}

static bool dynamic_rules(const struct reading *r)
{
    const struct plan_jwt *p = r->x->plan->jwt;
    if (p->dynamic_n == 0) return true;
    struct verified_claim *claims =
        ARENA_ARRAY(r->a, struct verified_claim, p->dynamic_n);
    if (!claims) return false;
    r->v->dynamic = claims;
    r->v->dynamic_n = p->dynamic_n;
    for (unsigned i = 0; i < p->dynamic_n; i++)
        if (!dynamic_read(r, &p->rules[p->fixed_n + i], &claims[i]))
            return false;
    return true;
}

const struct jwt_rule *jwt_dynamic_refuses(const struct exchange *x,
                                           const struct verified *v)
{
    const struct plan_jwt *p = x->plan->jwt;
    for (unsigned i = 0; i < v->dynamic_n; i++) {
        const struct jwt_rule *rule = &p->rules[p->fixed_n + i];
        const struct verified_claim *claim = &v->dynamic[i];
        struct sv want;
        bool holds = !claim->present;
        if (!holds && !check_variable(x, rule->name, &want)) return rule;
        for (unsigned k = 0; k < claim->values_n && !holds; k++)
            holds = sv_eq(claim->values[k], want);
        if (!holds) return rule;
    }
    return NULL;
}

/* --- scopes and subject ----------------------------------------------------------- */

struct scopes {
    struct sv *list;
    unsigned n;
};

static void scopes_of_text(struct scopes *s, struct sv text)
{
    while (text.p && s->n < SCOPES_MAX) {
        struct sv scope = sv_cut(text, ' ', &text);
        if (scope.n) s->list[s->n++] = scope;
    }
}

static void scopes_of(struct scopes *s, yyjson_val *v, bool split)
{
    size_t i, n;
    yyjson_val *member;
    if (yyjson_is_str(v) && split) scopes_of_text(s, json_text(v));
    if (!yyjson_is_arr(v)) return;
    yyjson_arr_foreach(v, i, n, member)
    {
        if (s->n < SCOPES_MAX && json_text(member).n)
            s->list[s->n++] = json_text(member);
    }
}

/* RFC 8693 4.2 (scope), and what Azure and Auth0 write. */
static bool read_scopes(const struct reading *r)
{
    yyjson_val *scope = r->named.at[CLAIM_SCOPE], *scp = r->named.at[CLAIM_SCP],
               *permissions = r->named.at[CLAIM_PERMISSIONS];
    if (!scope && !scp && !permissions) return true;
    struct scopes s = { ARENA_ARRAY(r->a, struct sv, SCOPES_MAX), 0 };
    if (!s.list) return false;
    scopes_of(&s, scope, true);
    scopes_of(&s, scp, true);
    scopes_of(&s, permissions, false);
    r->v->scopes = s.list;
    r->v->scopes_n = s.n;
    char *text = arena_alloc(r->a, HEADER_MAX);
    size_t at = 0;
    for (unsigned i = 0; text && i < s.n; i++) {
        if (at + 1 + s.list[i].n * 3 > HEADER_MAX) break;
        if (at) text[at++] = ' ';
        at += verified_header_put(text + at, s.list[i], false);
    }
    r->v->scopes_header = sv_of(text, at);
    return text != NULL;
}

static yyjson_val *identity_at(const struct reading *r)
{
    const struct plan_jwt *p = r->x->plan->jwt;
    if (p->identity_n == 0) return r->named.at[CLAIM_SUB];
    yyjson_val *v = yyjson_obj_getn((yyjson_val *)(uintptr_t)r->claims,
                                    p->identity_name.p, p->identity_name.n);
    return v ? v : claim_at(r->claims, p->identity_path, p->identity_n);
}

/* Who has no iss shares none with those who have one. */
enum { IDENTITY_PARTS = 5 };

static void identity_of(const struct reading *r, const struct verified *v,
                        struct sv out[IDENTITY_PARTS])
{
    const struct plan_app *app = r->x->plan;
    bool by_claim = app->jwt->identity_n > 0;
    yyjson_val *iss = by_claim ? NULL : r->named.at[CLAIM_ISS];
    out[0] = app->app.id;
    out[1] = by_claim ? app->jwt->identity_name : SV("iss, sub");
    out[2] = iss ? SV("iss") : SV("");
    out[3] = json_text(iss);
    out[4] = v->subject;
}

static void key_make(const struct reading *r, struct verified *v)
{
    struct sv parts[IDENTITY_PARTS];
    identity_of(r, v, parts);
    subjects_key(r->x->env->subjects, SUBJECT_JWT, parts, IDENTITY_PARTS,
                 v->subject_key);
}

/* The same at every start: what is held of it is found again. */
static void tracked_key_make(const struct reading *r, struct verified *v)
{
    struct sv parts[IDENTITY_PARTS], all[2 * IDENTITY_PARTS];
    uint64_t lengths[IDENTITY_PARTS];
    uint8_t hash[SHA256_BYTES];
    identity_of(r, v, parts);
    for (int i = 0; i < IDENTITY_PARTS; i++) {
        lengths[i] = parts[i].n;
        all[2 * i] = sv_of(&lengths[i], sizeof lengths[i]);
        all[2 * i + 1] = parts[i];
    }
    sha256_parts(all, 2 * IDENTITY_PARTS, hash);
    memcpy(v->tracked_key, hash, sizeof v->tracked_key);
}

static bool read_subject(const struct reading *r)
{
    struct verified *v = r->v;
    const struct plan_jwt *p = r->x->plan->jwt;
    v->subject = scalar_text(identity_at(r), r->a);
    v->has_subject = v->subject.n > 0;
    if (!v->has_subject)
        return !p->needs_subject ||
               refuse(v, REASON_MISSING_CLAIM,
                      p->identity_n ? p->identity_name : SV("sub"));
    if (p->needs_subject) {
        key_make(r, v);
        subjects_expect(r->x->env->subjects, v->subject_key);
    }
    if (r->x->plan->tracked) tracked_key_make(r, v);
    if (v->subject.n > SUBJECT_MAX) return true;
    char *text = arena_alloc(r->a, v->subject.n * 3);
    if (!text) return false;
    v->subject_header =
        sv_of(text, verified_header_put(text, v->subject, true));
    return true;
}

static bool fixed_rules(const struct reading *r)
{
    const struct plan_jwt *p = r->x->plan->jwt;
    if (!named_rules(r, &p->profile)) return false;
    for (unsigned i = 0; i < p->fixed_n; i++)
        if (!fixed_rule(r->v, r->claims, &p->rules[i])) return false;
    return true;
}

static const uint8_t *hash_read(const struct reading *r, yyjson_val *v)
{
    struct sv text = json_text(v), hash;
    if (base64url_decoded_bytes(text.n) != JWK_THUMBPRINT_BYTES ||
        base64url_take(r->a, text, &hash) != 0)
        return NULL;
    return (const uint8_t *)hash.p;
}

static void read_binding(const struct reading *r)
{
    yyjson_val *cnf = r->named.at[CLAIM_CNF];
    if (!cnf) return;
    r->v->cnf_key = hash_read(r, json_find(cnf, "jkt"));
    r->v->cnf_cert = hash_read(r, json_find(cnf, "x5t#S256"));
}

bool jwt_facts(const struct exchange *x, const yyjson_val *claims,
               struct arena *a, struct verified *v)
{
    struct reading r = { .x = x, .claims = claims, .a = a, .v = v };
    claims_find_named(claims, &r.named);
    claims_read_times(&r.named, &v->times);
    read_binding(&r);
    if (fixed_rules(&r) && dynamic_rules(&r) && read_subject(&r))
        read_scopes(&r);
    return !a->overflow;
}
