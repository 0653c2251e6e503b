/* Step 11: GeoSentry (detect/travel.h) over the table of subjects. Also
 * without knowing where a client is: who is blocked is blocked everywhere.
 *
 *   judged under the lock of its place ─┬─ fine, monitor ────────────> PASS
 *                                       ├─ challenge ─┐
 *                                       └─ block ─────┴─ told once ──> DENY
 */
#include "check/check.h"
#include "check/request.h"
#include "check/tracked.h"
#include "check/where.h"
#include "codec/rfc3339.h"

/* --- evidence --------------------------------------------------------------------- */

static void put_seen(struct buf *out, const char *name,
                     const struct travel_seen *s)
{
    char at[RFC3339_TEXT], country[3] = "";
    if (s->country) country_text(s->country, country);
    rfc3339_encode(at, s->at_ms);
    buf_printf(out,
               ",\"%s\":{\"latitude\":%.4f,\"longitude\":%.4f,\"radiusKm\":%u,"
               "\"country\":\"%.2s\",\"at\":\"%.*s\"}",
               name, (double)s->latitude, (double)s->longitude, s->radius_km,
               country, (int)sizeof at, at);
}

static struct sv evidence_of(struct exchange *x, const struct travel *policy,
                             const struct travel_verdict *v)
{
    char text[HOLD_EVIDENCE_MAX];
    struct buf out;
    buf_init_fixed(&out, text, sizeof text);
    buf_printf(&out, "{\"reason\":\"%s\"", travel_reason_name(v->reason));
    if (v->from.at_ms) put_seen(&out, "from", &v->from);
    if (v->to.at_ms) put_seen(&out, "to", &v->to);
    if (v->from.at_ms)
        buf_printf(&out,
                   ",\"distanceKm\":%.0f,\"countedKm\":%.0f,\"seconds\":%.0f,"
                   "\"speedKmH\":%.0f,\"maxSpeedKmH\":%u",
                   v->distance_km, v->counted_km, v->elapsed_s, v->speed_kmh,
                   policy->max_speed_kmh);
    if (x->challenge.text[0])
        buf_printf(&out, ",\"challenge\":\"%s\"", x->challenge.text);
    buf_putc(&out, '}');
    return out.overflow ? SV("") : arena_dup(x->arena, buf_sv(&out));
}

/* --- the step ---------------------------------------------------------------------- */

struct judged {
    struct travel_verdict verdict;
    struct travel_state state; /* after it */
    bool holds, tell;
};

/* Only a look (peek) changes nothing. */
static void judge(const struct exchange *x, const struct travel *policy,
                  const struct travel_sample *sample, struct track *k,
                  struct judged *out)
{
    struct travel_state *present = k ? k->state : NULL;
    out->state = present ? *present : (struct travel_state){ 0 };
    struct travel_state *st = x->peek || !present ? &out->state : present;
    out->verdict = travel_judge(policy, &travel_networks_known, st, sample);
    out->state = *st;
    const struct travel_verdict *v = &out->verdict;
    out->holds = v->action >= DETECTOR_CHALLENGE && st->held == v->action;
    if (!k || x->peek) return;
    bool again = v->reason == TRAVEL_HELD;
    out->tell = out->holds && !(again && k->told);
    if (out->holds) k->told = true;
    k->keep_s = !st->held                    ? 0
                : st->held == DETECTOR_BLOCK ? TRACK_KEPT
                                             : st->held_s + TRAVEL_CHALLENGE_S;
}

static void untell(struct exchange *x, uint32_t now_s)
{
    struct track k;
    if (track_open(x->env->detection->travel, x->who, false, now_s, &k) !=
        TRACK_OPEN)
        return;
    k.told = false;
    track_close(&k);
}

static void tell(struct exchange *x, const struct judged *j, struct sv evidence,
                 uint32_t now_s)
{
    const struct travel_state *st = &j->state;
    struct tracked_hold hold = {
        .detector = HOLD_TRAVEL,
        .action = (enum detector_action)st->held,
        .denied = st->denied,
        .from_s = st->held_s,
        .until_s = st->held == DETECTOR_BLOCK
                       ? 0
                       : (int64_t)st->held_s + TRAVEL_CHALLENGE_S,
        .evidence = evidence,
        .state = st,
        .state_bytes = sizeof *st,
    };
    if (!check_hold(x, x->plan, &hold)) untell(x, now_s);
}

static enum verdict conclude(struct exchange *x, const struct travel *policy,
                             const struct judged *j, uint32_t now_s)
{
    const struct travel_verdict *v = &j->verdict;
    bool refused = v->action >= DETECTOR_CHALLENGE;
    if (j->holds) check_challenge(x, HOLD_TRAVEL, j->state.held_s);
    if (j->tell || (v->action && !v->again)) {
        struct sv evidence = evidence_of(x, policy, v);
        if (!v->again || j->tell)
            check_found(x, reason_rows[REASON_IMPOSSIBLE_TRAVEL].code,
                        v->action, refused, evidence);
        if (j->tell) tell(x, j, evidence, now_s);
    }
    if (!refused) return VERDICT_PASS;
    return check_deny(x, v->action == DETECTOR_BLOCK
                             ? REASON_IMPOSSIBLE_TRAVEL
                             : REASON_CHALLENGE_REQUIRED);
}

enum verdict check_travel(struct exchange *x)
{
    const struct abuse *profile = &x->plan->abuse->profile;
    int64_t node_ms = x->env->node_ms();
    struct travel_sample sample = {
        .at_ms = x->sent_ms ? x->sent_ms : x->wall_ms,
        .node_ms = node_ms,
    };
    struct track k;
    struct judged j = { .holds = false };
    if (!check_who(x)) return VERDICT_PASS;
    sample.place = check_place(x);
    bool make = sample.place != NULL && !x->peek;
    enum track_found found = track_open(x->env->detection->travel, x->who, make,
                                        (uint32_t)(node_ms / 1000), &k);
    if (found == TRACK_BUSY) return VERDICT_WAIT;
    judge(x, &profile->travel, &sample, found == TRACK_OPEN ? &k : NULL, &j);
    if (found == TRACK_OPEN) track_close(&k);
    enum verdict v =
        conclude(x, &profile->travel, &j, (uint32_t)(node_ms / 1000));
    if (v != VERDICT_PASS) return v;
    if (found == TRACK_FULL)
        return check_fault(x, profile->on_fault, false, "geoSentry.table");
    if (x->has_client && !check_places(x))
        return check_fault(x, profile->on_fault, false, "geoSentry.places");
    return VERDICT_PASS;
}
