#include "check/tracked.h"

#include "base/hash.h"
#include "codec/digest.h"

static void who_of(const struct exchange *x, uint64_t key[TRACK_KEY_WORDS])
{
    if (x->has_token)
        detection_key(x->token.id, key);
    else if (x->jwt)
        memcpy(key, x->jwt->tracked_key, sizeof x->jwt->tracked_key);
}

bool check_who(struct exchange *x)
{
    if (!x->env->detection) return false;
    who_of(x, x->who);
    return (x->who[0] | x->who[1]) != 0;
}

void check_expect(const struct exchange *x)
{
    uint64_t key[TRACK_KEY_WORDS] = { 0 };
    if (!x->plan->tracked || !x->env->detection) return;
    const struct abuse *profile = &x->plan->abuse->profile;
    who_of(x, key);
    if (profile->travel.enabled) track_expect(x->env->detection->travel, key);
    if (profile->anomaly.enabled) track_expect(x->env->detection->anomaly, key);
}

/* Method and the route's rule, else the path: how many different ones is a
 * pattern, so that ids within a path of a known rule are not. */
static uint64_t endpoint_of(const struct exchange *x)
{
    static const uint64_t key[2] = { 0x7479706561757468, 0x656e64706f696e74 };
    struct sv method = x->head ? x->head->method_text : x->method;
    struct sv path = x->head ? x->head->path : x->url;
    path = sv_first(path, sv_find(path, '?'));
    uint64_t h = hash_sv_keyed(method, key);
    if (x->route) return h ^ (uintptr_t)x->route->rule * 0x9e3779b97f4a7c15u;
    return h ^ hash_sv_keyed(path, key) * 0x9e3779b97f4a7c15u;
}

void check_mark(struct exchange *x)
{
    if (!x->env->detection) return;
    who_of(x, x->who);
    if (x->plan->abuse->profile.anomaly.enabled) x->endpoint = endpoint_of(x);
}

void check_expect_answered(const struct exchange *x)
{
    if (x->env->detection && (x->who[0] | x->who[1]))
        track_expect(x->env->detection->anomaly, x->who);
}

/* --- holds ----------------------------------------------------------------------- */

void check_challenge(struct exchange *x, enum hold_detector detector,
                     int64_t from_s)
{
    struct ulid id = hold_id(detector, x->who, from_s);
    x->challenge = id_make(KIND_CHALLENGE, &id);
}

static struct id id_copy(struct sv text)
{
    struct id id = { "" };
    size_t n = text.n < ID_TEXT_MAX ? text.n : ID_TEXT_MAX;
    if (n) memcpy(id.text, text.p, n);
    return id;
}

/* Characters of UTF-8 are not cut in two. */
static uint16_t subject_put(struct sv s, char out[HOLD_SUBJECT_MAX])
{
    size_t n = s.n < HOLD_SUBJECT_MAX ? s.n : HOLD_SUBJECT_MAX;
    while (n && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    if (n) memcpy(out, s.p, n);
    return (uint16_t)n;
}

bool check_hold(struct exchange *x, const struct plan_app *app,
                const struct tracked_hold *hold)
{
    int64_t wall_ms = x->env->wall_ms(), node_ms = x->env->node_ms();
    if (!x->has_token && !x->jwt) return false; /* without room for a name */
    struct hold h = {
        .id = hold_id(hold->detector, x->who, hold->from_s),
        .detector = hold->detector,
        .key = { x->who[0], x->who[1] },
        .action = hold->action,
        .denied = hold->denied,
        .opened_ms = wall_ms,
        .ends_ms =
            hold->until_s ? wall_ms + (hold->until_s * 1000 - node_ms) : 0,
        .account_id = id_copy(app->app.account_id),
        .app_id = id_copy(app->app.id),
        .has_token = x->has_token,
        .state_n = (uint16_t)hold->state_bytes,
    };
    if (x->has_token)
        memcpy(h.token.b, x->token.id, sizeof h.token.b);
    else
        h.subject_n = subject_put(x->jwt->subject, h.subject);
    if (hold->evidence.n <= sizeof h.evidence && hold->evidence.n) {
        memcpy(h.evidence, hold->evidence.p, hold->evidence.n);
        h.evidence_n = (uint16_t)hold->evidence.n;
    }
    memcpy(h.state, hold->state, hold->state_bytes);
    return holds_put(x->env->detection->holds, &h);
}
