/* The journey's judgement:
 *
 *   sample ─► region ─► exempt network? ─► held? ─► in order? ─► each kept
 *   place: too fast, or at the wrong time? ─┬► no:  remembered
 *                                           └► yes: by action remembered
 *                                                   (monitor) or held */
#include "detect/travel.h"

#include <math.h>

enum {
    LATITUDE_SCALE = 364, /* 0.3 km */
    LONGITUDE_SCALE = 182,
    ROUNDING_KM = 1, /* of two such points */
    LATE_S = 600,    /* telemetry's timestamps lie within 5 min of ours */
};
#define EARTH_RADIUS_KM 6371.0088

static double radians(double degrees)
{
    return degrees * 0.017453292519943295;
}

double travel_distance_km(double latitude1, double longitude1, double latitude2,
                          double longitude2)
{
    double half_latitude = sin(radians(latitude2 - latitude1) / 2);
    double half_longitude = sin(radians(longitude2 - longitude1) / 2);
    double h = half_latitude * half_latitude +
               cos(radians(latitude1)) * cos(radians(latitude2)) *
                   half_longitude * half_longitude;
    return 2 * EARTH_RADIUS_KM * asin(sqrt(h < 1 ? h : 1));
}

/* --- spots ------------------------------------------------------------------- */

static double latitude_of(const struct travel_spot *s)
{
    return (double)s->latitude / LATITUDE_SCALE;
}

static double longitude_of(const struct travel_spot *s)
{
    return (double)s->longitude / LONGITUDE_SCALE;
}

static uint32_t seconds(int64_t ms)
{
    return ms < 1000 ? 1 : (uint32_t)(ms / 1000);
}

static struct travel_spot spot_of(const struct travel_sample *s)
{
    return (struct travel_spot){
        .latitude = (int16_t)lrintf(s->place->latitude * LATITUDE_SCALE),
        .longitude = (int16_t)lrintf(s->place->longitude * LONGITUDE_SCALE),
        .radius_km = s->place->radius_km,
        .country = s->place->country,
        .at_s = seconds(s->at_ms),
        .node_s = seconds(s->node_ms),
    };
}

static double between(const struct travel_spot *a, const struct travel_spot *b)
{
    if (a->latitude == b->latitude && a->longitude == b->longitude) return 0;
    return travel_distance_km(latitude_of(a), longitude_of(a), latitude_of(b),
                              longitude_of(b));
}

/* Of a distance what is left without both radii. */
static double counted(const struct travel_spot *a, const struct travel_spot *b,
                      double distance)
{
    double left = distance - a->radius_km - b->radius_km - ROUNDING_KM;
    return left > 0 ? left : 0;
}

static bool overlap(const struct travel_spot *a, const struct travel_spot *b)
{
    return counted(a, b, between(a, b)) <= 0;
}

static const struct travel_spot *newest(const struct travel_state *st)
{
    const struct travel_spot *best = NULL;
    for (int i = 0; i < TRAVEL_SPOTS; i++)
        if (st->spots[i].at_s && (!best || st->spots[i].node_s >= best->node_s))
            best = &st->spots[i];
    return best;
}

/* The kept place that this one is, or -1. */
static int kept_as(const struct travel_state *st, const struct travel_spot *s)
{
    for (int i = 0; i < TRAVEL_SPOTS; i++)
        if (st->spots[i].at_s && overlap(&st->spots[i], s)) return i;
    return -1;
}

/* An empty one; else the oldest of those not verified; else the oldest. */
static int room(const struct travel_state *st)
{
    int best = 0;
    for (int i = 0; i < TRAVEL_SPOTS; i++) {
        bool mine = st->verified >> i & 1, its = st->verified >> best & 1;
        if (!st->spots[i].at_s) return i;
        if (mine != its ? its : st->spots[i].node_s < st->spots[best].node_s)
            best = i;
    }
    return best;
}

static int remember(struct travel_state *st, const struct travel_spot *s)
{
    int i = kept_as(st, s);
    if (i < 0) {
        i = room(st);
        st->verified &= (uint8_t) ~(1u << i);
    }
    st->spots[i] = *s;
    return i;
}

/* --- what excuses a journey ------------------------------------------------------ */

static bool is_exempt(const struct travel_networks *list,
                      const struct place *place)
{
    size_t low = 0, high = list ? list->n : 0;
    if (place->anycast) return true;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (list->asn[mid] == place->asn) return true;
        if (list->asn[mid] < place->asn)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static bool end_has(const struct travel_end *end, const struct travel_spot *s)
{
    if (!end->is_point) return area_set_has(&end->areas, s->country);
    double distance = travel_distance_km(end->latitude, end->longitude,
                                         latitude_of(s), longitude_of(s));
    return distance <= (double)end->radius_km + s->radius_km;
}

static bool is_known_route(const struct travel *policy,
                           const struct travel_spot *a,
                           const struct travel_spot *b)
{
    for (unsigned i = 0; i < policy->routes_n; i++) {
        const struct travel_route *r = &policy->routes[i];
        if ((end_has(&r->from, a) && end_has(&r->to, b)) ||
            (end_has(&r->from, b) && end_has(&r->to, a)))
            return true;
    }
    return false;
}

static bool in_hours(const struct travel_hours *h, int64_t at_ms)
{
    int64_t minute = at_ms / 60000 + h->utc_offset_min;
    unsigned day = (unsigned)((minute / 1440 + 3) % 7); /* 1970: a Thursday */
    unsigned of_day = (unsigned)(minute % 1440);
    bool today = h->days >> day & 1, before = h->days >> (day + 6) % 7 & 1;
    if (h->from_min <= h->to_min)
        return today && of_day >= h->from_min && of_day < h->to_min;
    return (today && of_day >= h->from_min) || (before && of_day < h->to_min);
}

/* --- the verdict ---------------------------------------------------------------- */

static struct travel_seen seen(const struct travel_spot *s)
{
    return (struct travel_seen){ (float)latitude_of(s), (float)longitude_of(s),
                                 s->radius_km, s->country,
                                 (int64_t)s->at_s * 1000 };
}

bool travel_spot_seen(const struct travel_spot *spot, struct travel_seen *out)
{
    *out = seen(spot);
    return spot->at_s != 0;
}

struct leg {
    double distance, counted, elapsed_s, speed;
};

/* The longer of the two clocks' times, and a second for what both cut off. */
static struct leg leg_of(const struct travel_spot *from,
                         const struct travel_spot *to)
{
    struct leg l;
    double wall = (double)to->at_s - from->at_s;
    double node = (double)to->node_s - from->node_s;
    l.distance = between(from, to);
    l.counted = counted(from, to, l.distance);
    l.elapsed_s = (wall > node ? wall : node) + 1;
    l.speed = l.counted / l.elapsed_s * 3600;
    return l;
}

static void put_leg(struct travel_verdict *v, const struct travel_spot *from,
                    const struct travel_spot *to, const struct leg *l)
{
    v->from = seen(from);
    v->to = seen(to);
    v->distance_km = l->distance;
    v->counted_km = l->counted;
    v->elapsed_s = l->elapsed_s;
    v->speed_kmh = l->speed;
}

/* The worst leg from a kept place to here, if one is to be raised. */
static enum travel_reason judge_legs(const struct travel *policy,
                                     const struct travel_state *st,
                                     const struct travel_spot *to,
                                     int64_t at_ms, struct travel_verdict *v)
{
    enum travel_reason reason = TRAVEL_FINE;
    int here = kept_as(st, to);
    bool trusted = here >= 0 && st->verified >> here & 1;
    bool hours = !policy->hours.on || in_hours(&policy->hours, at_ms);
    for (int i = 0; i < TRAVEL_SPOTS; i++) {
        const struct travel_spot *from = &st->spots[i];
        if (!from->at_s || i == here) continue;
        if (trusted && st->verified >> i & 1) continue;
        struct leg l = leg_of(from, to);
        if (l.counted <= 0 || l.counted < policy->min_distance_km ||
            l.elapsed_s > policy->window_s)
            continue;
        bool fast = l.speed > policy->max_speed_kmh;
        if (fast ? hours && is_known_route(policy, from, to) : hours) continue;
        if (reason != TRAVEL_FINE && l.speed <= v->speed_kmh) continue;
        reason = fast ? TRAVEL_IMPOSSIBLE : TRAVEL_OUTSIDE_HOURS;
        put_leg(v, from, to, &l);
    }
    return reason;
}

/* A policy that has become milder lets go of whom it would hold no longer. */
static bool is_held(const struct travel *policy, const struct travel_state *st,
                    const struct travel_spot *s, uint32_t node_s)
{
    unsigned top = policy->speed_action;
    if (policy->has_region && policy->region_action > top)
        top = policy->region_action;
    if (!st->held || (st->held > top && !st->denied)) return false;
    if (st->held == DETECTOR_BLOCK) return true;
    struct travel_spot held = { .latitude = st->held_latitude,
                                .longitude = st->held_longitude,
                                .radius_km = st->held_radius_km };
    return s && node_s - st->held_s < TRAVEL_CHALLENGE_S && overlap(&held, s);
}

static struct travel_verdict held_verdict(const struct travel_state *st,
                                          const struct travel_spot *s)
{
    struct travel_verdict v = { .action = (enum detector_action)st->held,
                                .reason = TRAVEL_HELD,
                                .again = true };
    const struct travel_spot *from = newest(st);
    if (!s || !from) return v;
    struct leg l = leg_of(from, s);
    put_leg(&v, from, s, &l);
    return v;
}

static void raise(const struct travel *policy, struct travel_state *st,
                  enum detector_action action, uint32_t node_s,
                  struct travel_verdict *v)
{
    v->action = action;
    v->again = st->raised_s && node_s - st->raised_s < policy->window_s;
    st->raised_s = node_s;
}

static void hold(struct travel_state *st, enum detector_action action,
                 const struct travel_spot *s)
{
    st->held = (uint8_t)action & 0x7f;
    st->denied = false;
    st->held_latitude = s->latitude;
    st->held_longitude = s->longitude;
    st->held_radius_km = s->radius_km;
    st->held_s = s->node_s;
}

static void act(const struct travel *policy, struct travel_state *st,
                const struct travel_spot *s, struct travel_verdict *v)
{
    raise(policy, st, policy->speed_action, s->node_s, v);
    if (v->action < DETECTOR_CHALLENGE)
        remember(st, s);
    else
        hold(st, v->action, s);
}

/* spot NULL: a country without a point, which nobody could recognize again
 * when its challenge was passed: it is as outside as with BLOCK. */
static struct travel_verdict outside(const struct travel *policy,
                                     struct travel_state *st,
                                     const struct travel_spot *spot,
                                     const struct travel_sample *sample)
{
    const struct place *place = sample->place;
    uint32_t node_s = seconds(sample->node_ms);
    struct travel_verdict v = {
        .reason = TRAVEL_OUTSIDE_REGION,
        .to = { place->latitude, place->longitude, place->radius_km,
                place->country, sample->at_ms },
    };
    enum detector_action action = policy->region_action;
    if (action == DETECTOR_CHALLENGE && !spot) action = DETECTOR_BLOCK;
    raise(policy, st, action, node_s, &v);
    if (action == DETECTOR_CHALLENGE) hold(st, action, spot);
    return v;
}

static bool is_outside(const struct travel *policy,
                       const struct travel_state *st, const struct place *place,
                       const struct travel_spot *spot)
{
    if (!policy->has_region || !place || !place->country ||
        area_set_has(&policy->region, place->country))
        return false;
    int at = spot ? kept_as(st, spot) : -1;
    return policy->region_action != DETECTOR_CHALLENGE || at < 0 ||
           !(st->verified >> at & 1);
}

/* Of a sample that is older than the last: did it come out of order? Else a
 * clock was set back, and what was kept is void. */
static bool is_late(const struct travel_spot *last, const struct travel_spot *s)
{
    int64_t node = (int64_t)s->node_s - last->node_s;
    int64_t wall = (int64_t)s->at_s - last->at_s;
    return node > -LATE_S && node < LATE_S && wall > -LATE_S && wall < LATE_S;
}

struct travel_verdict travel_judge(const struct travel *policy,
                                   const struct travel_networks *exempt,
                                   struct travel_state *state,
                                   const struct travel_sample *sample)
{
    struct travel_verdict v = { .action = DETECTOR_ALLOW };
    const struct place *place = sample->place;
    if (!policy->enabled) return v;
    uint32_t node_s = seconds(sample->node_ms);
    struct travel_spot spot = { 0 };
    bool has_point = place && place->has_point;
    if (has_point) spot = spot_of(sample);
    if (is_held(policy, state, NULL, node_s))
        return held_verdict(state, has_point ? &spot : NULL);
    if (is_outside(policy, state, place, has_point ? &spot : NULL)) {
        if (has_point && is_held(policy, state, &spot, node_s))
            return held_verdict(state, &spot);
        return outside(policy, state, has_point ? &spot : NULL, sample);
    }
    if (!has_point || is_exempt(exempt, place)) return v;
    if (is_held(policy, state, &spot, node_s))
        return held_verdict(state, &spot);
    const struct travel_spot *last = newest(state);
    if (last && (spot.at_s < last->at_s || spot.node_s < last->node_s)) {
        if (!is_late(last, &spot)) {
            memset(state->spots, 0, sizeof state->spots);
            state->verified = 0;
            remember(state, &spot);
        }
        return v;
    }
    v.reason = judge_legs(policy, state, &spot, sample->at_ms, &v);
    if (v.reason == TRAVEL_FINE)
        remember(state, &spot);
    else
        act(policy, state, &spot, &v);
    return v;
}

void travel_clear(struct travel_state *state, int64_t at_ms, int64_t node_ms)
{
    if (!state->held) return;
    struct travel_spot held = {
        .latitude = state->held_latitude,
        .longitude = state->held_longitude,
        .radius_km = state->held_radius_km,
        .at_s = seconds(at_ms),
        .node_s = seconds(node_ms),
    };
    remember(state, &held);
    for (unsigned i = 0; i < TRAVEL_SPOTS; i++)
        if (state->spots[i].at_s) state->verified |= (uint8_t)(1u << i);
    state->held = 0;
    state->denied = false;
}

void travel_deny(struct travel_state *state)
{
    if (!state->held) return;
    state->held = DETECTOR_BLOCK;
    state->denied = true;
}

const char *travel_reason_name(enum travel_reason reason)
{
    static const char *const names[] = { "fine", "impossible_travel",
                                         "outside_region", "outside_hours",
                                         "held" };
    return names[reason];
}
