/* Documents -> struct plan_jwt. */
#include "plan/jwt.h"

#include "base/err.h"
#include "base/mem.h"
#include "codec/base64url.h"

static void times_add(struct plan_jwt *p, const struct jwt_rules *r,
                      uint32_t skew_s)
{
    struct claim_times *t = &p->times[p->times_n++];
    *t = r->times;
    if (!r->has_skew) t->skew_s = skew_s;
}

static unsigned count(const struct jwt_rules *r, bool dynamic)
{
    unsigned n = 0;
    for (unsigned i = 0; i < r->rules_n; i++)
        n += (r->rules[i].match == JWT_DYNAMIC) == dynamic;
    return n;
}

static void rules_put(struct jwt_rule **at, const struct jwt_rules *r,
                      bool dynamic)
{
    for (unsigned i = 0; i < r->rules_n; i++)
        if ((r->rules[i].match == JWT_DYNAMIC) == dynamic)
            *(*at)++ = r->rules[i];
}

/* The profile's before the application's, DYNAMIC behind all others. */
static int rules_build(struct plan_jwt *p, const struct jwt_rules *of_app,
                       struct arena *a)
{
    const struct jwt_rules *own = &p->profile.rules;
    p->fixed_n = count(own, false) + count(of_app, false);
    p->dynamic_n = count(own, true) + count(of_app, true);
    if (p->fixed_n + p->dynamic_n == 0) return 0;
    if (p->fixed_n + p->dynamic_n > PLAN_JWT_RULES) return ERR_TOOBIG;
    struct jwt_rule *rules =
        ARENA_ARRAY(a, struct jwt_rule, p->fixed_n + p->dynamic_n);
    if (!rules) return ERR_NOMEM;
    p->rules = rules;
    for (int dynamic = 0; dynamic < 2; dynamic++) {
        rules_put(&rules, own, dynamic);
        rules_put(&rules, of_app, dynamic);
    }
    return 0;
}

static bool is_url(struct sv name)
{
    for (size_t i = 0; i + 3 <= name.n; i++)
        if (memcmp(name.p + i, "://", 3) == 0) return true;
    return false;
}

/* A deeper path than that has no claim. */
static void identity_build(struct plan_jwt *p, struct sv name)
{
    p->identity_name = name;
    if (name.n == 0) return;
    if (is_url(name)) {
        p->identity_path[p->identity_n++] = name;
        return;
    }
    while (name.p && p->identity_n < JWT_PATH_MAX)
        p->identity_path[p->identity_n++] = sv_cut(name, '.', &name);
}

/* One quota for the whole application counts nobody in particular. */
static bool needs_subject(const struct plan_jwt_source *src)
{
    const struct policy *p = &src->auth->policy;
    bool limits = p->has_limits && p->limits_n;
    if (src->counts_tokens) return true;
    return limits || (src->limited && !src->auth->quota_of_application);
}

/* --- how we are known at the introspection endpoint ------------------------------ */

/* application/x-www-form-urlencoded, as RFC 6749 2.3.1 wants both. */
static size_t put_form(char *to, struct sv s)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i],
                      low = (unsigned char)(c | 0x20);
        bool plain = (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (!plain) {
            to[n++] = '%';
            to[n++] = digits[c >> 4];
            to[n++] = digits[c & 15];
        } else {
            to[n++] = (char)c;
        }
    }
    return n;
}

/* RFC 7617: base64 in its older alphabet, padded. */
static void authorization_build(struct plan_jwt *p, struct sv secret,
                                struct arena *a)
{
    struct sv id = p->profile.introspection.client_id;
    size_t most = 3 * (id.n + secret.n) + 1;
    char *plain = arena_alloc(a, most);
    char *text = arena_alloc(a, 6 + base64url_encoded_chars(most) + 2);
    if (!plain || !text) return;
    size_t n = put_form(plain, id);
    plain[n++] = ':';
    n += put_form(plain + n, secret);
    memcpy(text, "Basic ", 6);
    base64url_encode(sv_of(plain, n), text + 6);
    mem_wipe(plain, most);
    n = 6 + base64url_encoded_chars(n);
    for (size_t i = 6; i < n; i++)
        text[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    while ((n - 6) % 4) text[n++] = '=';
    p->introspection_authorization = sv_of(text, n);
}

int plan_jwt_build(const struct plan_jwt_source *src, struct arena *a,
                   const struct plan_jwt **out)
{
    struct plan_jwt *p = ARENA_NEW(a, struct plan_jwt);
    struct jwt_rules of_app = { .rules_n = 0 };
    if (!p) return ERR_NOMEM;
    int rc = jwt_profile_decode(src->profile, a, &p->profile);
    if (rc == 0 && src->rules.n) rc = jwt_rules_decode(src->rules, a, &of_app);
    if (rc == 0) rc = rules_build(p, &of_app, a);
    if (rc < 0) return rc;
    if (p->profile.introspection.url.n)
        authorization_build(p, src->introspection_secret, a);
    uint32_t skew_s = p->profile.rules.times.skew_s;
    times_add(p, &p->profile.rules, skew_s);
    if (src->rules.n) times_add(p, &of_app, skew_s);
    p->kid_required = p->profile.rules.kid_required || of_app.kid_required;
    p->algorithms =
        p->profile.algorithms ? p->profile.algorithms : (uint32_t)JOSE_ALGS_ALL;
    identity_build(p, src->auth->identity_claim);
    p->needs_subject = needs_subject(src);
    *out = p;
    return 0;
}
