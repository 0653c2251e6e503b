/* Step 11: what stands of the anomalies of a subject; and, when its request
 * has been answered, the counting from which they are found. */
#include "check/check.h"
#include "check/request.h"
#include "check/tracked.h"

/* --- evidence ---------------------------------------------------------------------- */

static struct sv evidence_of(struct exchange *x, enum anomaly_scope scope,
                             const struct anomaly_finding *f)
{
    char text[HOLD_EVIDENCE_MAX];
    struct buf out;
    buf_init_fixed(&out, text, sizeof text);
    buf_printf(&out,
               "{\"reason\":\"anomaly\",\"of\":\"%s\",\"pattern\":\"%s\","
               "\"observed\":%.4g,\"expected\":%.4g,\"score\":%.2f,"
               "\"threshold\":%.2f,\"windowSeconds\":%u,\"windows\":%u,"
               "\"learntFrom\":%u,\"adopted\":%s",
               scope == ANOMALY_SUBJECT ? "subject" : "application",
               anomaly_pattern_names[f->pattern], f->observed, f->expected,
               f->score, f->threshold, f->window_s, f->run, f->learnt,
               f->adopted ? "true" : "false");
    if (scope == ANOMALY_SUBJECT && x->challenge.text[0])
        buf_printf(&out, ",\"challenge\":\"%s\"", x->challenge.text);
    buf_putc(&out, '}');
    return out.overflow ? SV("") : arena_dup(x->arena, buf_sv(&out));
}

static struct sv evidence_standing(struct exchange *x,
                                   const struct anomaly_stand *s)
{
    return arena_printf(x->arena,
                        "{\"reason\":\"anomaly\",\"of\":\"subject\","
                        "\"pattern\":\"%s\",\"challenge\":\"%s\"}",
                        anomaly_pattern_names[s->pattern], x->challenge.text);
}

/* --- what stands --------------------------------------------------------------------- */

static void untell(struct exchange *x, uint32_t now_s)
{
    struct track k;
    if (track_open(x->env->detection->anomaly, x->who, false, now_s, &k) !=
        TRACK_OPEN)
        return;
    k.told = false;
    track_close(&k);
}

static void tell(struct exchange *x, const struct plan_app *app,
                 const struct anomaly_stand *s, struct sv evidence,
                 uint32_t now_s)
{
    const struct tracked_hold hold = {
        .detector = HOLD_ANOMALY,
        .action = s->action,
        .denied = s->denied,
        .from_s = s->from_s,
        .until_s = s->until_s,
        .evidence = evidence,
        .state = s,
        .state_bytes = sizeof *s,
    };
    if (!check_hold(x, app, &hold)) untell(x, now_s);
}

enum verdict check_anomaly(struct exchange *x)
{
    const struct abuse *profile = &x->plan->abuse->profile;
    int64_t node_ms = x->env->node_ms();
    uint32_t now_s = (uint32_t)(node_ms / 1000);
    struct track k;
    if (!check_who(x)) return VERDICT_PASS;
    enum track_found found =
        track_open(x->env->detection->anomaly, x->who, false, now_s, &k);
    if (found == TRACK_BUSY) return VERDICT_WAIT;
    if (found != TRACK_OPEN) return VERDICT_PASS; /* not known: new */
    struct anomaly_stand s = anomaly_stand(&profile->anomaly, k.state, node_ms);
    bool tells = s.action >= DETECTOR_CHALLENGE && !k.told && !x->peek;
    if (tells) k.told = true;
    track_close(&k);
    if (s.action < DETECTOR_CHALLENGE) return VERDICT_PASS;
    check_challenge(x, HOLD_ANOMALY, s.from_s);
    x->challenge_s = (uint32_t)(s.until_s - now_s);
    if (tells) tell(x, x->plan, &s, evidence_standing(x, &s), now_s);
    return check_deny(x, s.action == DETECTOR_BLOCK
                             ? REASON_ANOMALY_BLOCKED
                             : REASON_CHALLENGE_REQUIRED);
}

/* --- counting ----------------------------------------------------------------------- */

static void report(struct exchange *x, enum anomaly_scope scope,
                   const struct anomaly_finding *found, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct anomaly_finding *f = &found[i];
        if (!f->fresh && !f->adopted) continue;
        bool held = scope == ANOMALY_SUBJECT && f->action >= DETECTOR_CHALLENGE;
        check_found(x, "anomaly_detected", f->action, held,
                    evidence_of(x, scope, f));
    }
}

/* The finding that holds the subject from now on; NULL: none of these. */
static const struct anomaly_finding *holding(
    const struct anomaly_stand *s, const struct anomaly_finding *found,
    unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (found[i].pattern == s->pattern && found[i].fresh &&
            found[i].action == s->action)
            return &found[i];
    return NULL;
}

static void of_application(struct exchange *x, const struct plan_app *app,
                           const struct anomaly_sample *sample)
{
    struct anomaly_finding found[ANOMALY_PATTERNS];
    struct track k;
    struct ulid id;
    uint64_t key[TRACK_KEY_WORDS];
    if (id_parse(KIND_APPLICATION, app->app.id, &id)) return;
    detection_key(id.b, key);
    if (track_open(x->env->detection->applications, key, true,
                   (uint32_t)(sample->at_ms / 1000), &k) != TRACK_OPEN)
        return;
    unsigned n = anomaly_add(&app->abuse->profile.anomaly, ANOMALY_APPLICATION,
                             k.state, k.more, sample, found);
    track_close(&k);
    report(x, ANOMALY_APPLICATION, found, n);
}

static void of_subject(struct exchange *x, const struct plan_app *app,
                       const struct anomaly_sample *sample)
{
    const struct anomaly *policy = &app->abuse->profile.anomaly;
    uint32_t now_s = (uint32_t)(sample->at_ms / 1000);
    struct anomaly_finding found[ANOMALY_PATTERNS];
    struct anomaly_stand s = { .action = DETECTOR_ALLOW };
    struct track k;
    if (track_open(x->env->detection->anomaly, x->who, true, now_s, &k) !=
        TRACK_OPEN)
        return;
    unsigned n =
        anomaly_add(policy, ANOMALY_SUBJECT, k.state, k.more, sample, found);
    if (n) s = anomaly_stand(policy, k.state, sample->at_ms);
    const struct anomaly_finding *why = holding(&s, found, n);
    bool holds = why && s.action >= DETECTOR_CHALLENGE;
    if (holds) {
        k.keep_s = (uint32_t)s.until_s;
        k.told = true;
    }
    track_close(&k);
    if (holds) {
        check_challenge(x, HOLD_ANOMALY, s.from_s);
        tell(x, app, &s, evidence_of(x, ANOMALY_SUBJECT, why), now_s);
    }
    report(x, ANOMALY_SUBJECT, found, n);
}

static bool refused_by_detector(const struct exchange *x)
{
    return x->reason == REASON_ANOMALY_BLOCKED ||
           x->reason == REASON_CHALLENGE_REQUIRED ||
           x->reason == REASON_IMPOSSIBLE_TRAVEL;
}

void check_answered(struct exchange *x, const struct plan_app *app,
                    const struct anomaly_sample *sample)
{
    if (!app || !app->tracked || !x->env->detection || x->peek ||
        !app->abuse->profile.anomaly.enabled || refused_by_detector(x))
        return;
    if (x->who[0] | x->who[1]) of_subject(x, app, sample);
    of_application(x, app, sample);
}
