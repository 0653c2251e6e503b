/* Which key verifies a token, over all key sets of an application: the rule of
 * codec/jws.h, as if they were one. A kid that one set has is not tried with
 * the nameless keys of another. Keys that left a set hold for its grace. */
#include "check/jwt.h"

struct candidates {
    const struct jwk_set *set[2 * JWT_KEYSETS_MAX];
    int64_t until_ms[2 * JWT_KEYSETS_MAX];
    unsigned n;
};

void jwt_keys_view(struct jwt_keys *k, const struct check_env *env,
                   const struct plan_app *app)
{
    k->node_ms = env->node_ms();
    k->n = app->keysets_n;
    for (unsigned i = 0; i < k->n; i++)
        k->images[i] = keysets_view(env->keysets, app->keysets[i], k->node_ms);
}

static uint64_t generation(const struct jwt_keys *k, unsigned i)
{
    return i < k->n && k->images[i] ? k->images[i]->generation : 0;
}

bool jwt_keys_same(const struct jwt_keys *k, const struct verified *v)
{
    for (unsigned i = 0; i < JWT_KEYSETS_MAX; i++)
        if (v->keys[i] != generation(k, i)) return false;
    return k->node_ms < v->until_ms;
}

static void candidates_add(struct candidates *c, const struct jwk_set *set,
                           int64_t until_ms)
{
    c->set[c->n] = set;
    c->until_ms[c->n++] = until_ms;
}

/* The present keys of all sets, then those in their grace. */
static void candidates_of(const struct jwt_keys *k, struct candidates *c)
{
    c->n = 0;
    for (unsigned i = 0; i < k->n; i++)
        if (k->images[i]) candidates_add(c, k->images[i]->now, INT64_MAX);
    for (unsigned i = 0; i < k->n; i++) {
        const struct keyset_image *image = k->images[i];
        if (image && image->before && k->node_ms < image->before_until_ms)
            candidates_add(c, image->before, image->before_until_ms);
    }
}

static bool has_kid(const struct jwk_set *set, struct sv kid)
{
    for (unsigned i = 0; i < set->n; i++)
        if (set->keys[i].kid.p && sv_eq(set->keys[i].kid, kid)) return true;
    return false;
}

static bool any_has_kid(const struct candidates *c, struct sv kid)
{
    for (unsigned i = 0; kid.p && i < c->n; i++)
        if (has_kid(c->set[i], kid)) return true;
    return false;
}

/* How near a refusal came to a key. */
static int rank(enum jose_verdict v)
{
    switch (v) {
    case JOSE_KEY_UNKNOWN: return 0;
    case JOSE_KEY_ALG: return 1;
    case JOSE_SIGNATURE_FORM: return 2;
    case JOSE_SIGNATURE_WRONG: return 3;
    default: return 4;
    }
}

enum jose_verdict jwt_keys_verify(const struct jwt_keys *k,
                                  const struct jws *jws, uint32_t algs,
                                  unsigned lane, const struct jwk **by,
                                  int64_t *until_ms, bool *is_known)
{
    struct candidates c;
    enum jose_verdict best = JOSE_KEY_UNKNOWN;
    candidates_of(k, &c);
    *is_known = any_has_kid(&c, jws->kid);
    for (unsigned i = 0; i < c.n; i++) {
        if (*is_known && !has_kid(c.set[i], jws->kid)) continue;
        enum jose_verdict v = jws_verify(jws, c.set[i], algs, lane, by);
        *until_ms = c.until_ms[i];
        if (v == JOSE_OK || v == JOSE_ALG_NOT_ALLOWED) return v;
        if (rank(v) > rank(best)) best = v;
    }
    return best;
}

static bool has_key(const struct jwk_set *set,
                    const uint8_t thumbprint[JWK_THUMBPRINT_BYTES])
{
    for (unsigned i = 0; i < set->n; i++)
        if (!memcmp(set->keys[i].thumbprint, thumbprint, JWK_THUMBPRINT_BYTES))
            return true;
    return false;
}

bool jwt_key_holds(const struct check_env *env, const struct plan_app *app,
                   const uint8_t thumbprint[JWK_THUMBPRINT_BYTES])
{
    struct jwt_keys k;
    struct candidates c;
    jwt_keys_view(&k, env, app);
    /* The issuer said so, not a key: who runs is not asked about again. */
    if (k.n == 0) return app->jwt->profile.introspection.url.n > 0;
    for (unsigned i = 0; i < k.n; i++)
        if (!k.images[i]) return true;
    candidates_of(&k, &c);
    for (unsigned i = 0; i < c.n; i++)
        if (has_key(c.set[i], thumbprint)) return true;
    return false;
}
