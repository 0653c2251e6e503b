/* The generator: seconds, each with a Poisson number of requests around a
 * curve. */
#include "traffic.h"

#include <math.h>
#include <string.h>

enum {
    DAY = 86400,
    WEEKS = 4,
    EVENTS_FROM = 14 * DAY,
    EVENT_EVERY = 3 * DAY,
    EPISODE_GAP = 3600,
    GRACE = 7200,
    SUMMER_TIME = 17 * DAY,
};
#define START_S 1732492800 /* Monday, 2024-11-25T00:00:00Z */

static const struct {
    const char *name;
    int lasts_s;
} kinds[TRAFFIC_KINDS] = {
    [TRAFFIC_SHIFT] = { "level shift", 43200 },
    [TRAFFIC_SPIKE] = { "spike", 600 },
    [TRAFFIC_DRIFT] = { "drift", 43200 },
    [TRAFFIC_CHANGED] = { "rhythm changed", DAY },
    [TRAFFIC_KEPT] = { "rhythm kept", 0 },
    [TRAFFIC_ERRORS] = { "errors", 1800 },
    [TRAFFIC_SCAN] = { "scan", 1200 },
    [TRAFFIC_PAYLOAD] = { "payload", 1800 },
};

const char *traffic_name(enum traffic_kind kind)
{
    return kinds[kind].name;
}

struct source {
    uint64_t state;
    double spare;
    bool has_spare;
};

static uint64_t next(struct source *r) /* splitmix64 */
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double uniform(struct source *r)
{
    return (double)(next(r) >> 11) / 9007199254740992.0;
}

static double normal(struct source *r)
{
    if (r->has_spare) {
        r->has_spare = false;
        return r->spare;
    }
    double radius = sqrt(-2 * log(1 - uniform(r)));
    double angle = 6.283185307179586 * uniform(r);
    r->spare = radius * sin(angle);
    r->has_spare = true;
    return radius * cos(angle);
}

static unsigned poisson(struct source *r, double mean)
{
    double left = exp(-mean), product = uniform(r);
    unsigned n = 0;
    for (; product > left; n++) product *= uniform(r);
    return n;
}

/* Octaves above the week's mean at this second of it: a working day with a
 * morning and an afternoon, quiet nights, flat weekends. */
static double curve(int64_t second)
{
    double hour = (double)(second % DAY) / 3600;
    int day = (int)(second / DAY % 7);
    double wave = cos((hour - 14) * 6.283185307179586 / 24);
    double lunch = exp(-(hour - 12.5) * (hour - 12.5));
    if (day >= 5) return 0.5 * wave - 1.1;
    return 1.5 * wave - 0.3 * lunch - 0.1;
}

/* 0 outside of an event, else how far into it, up to 1; *from its start. */
static double in_event(enum traffic_kind kind, int64_t t, int64_t *from)
{
    int lasts = kinds[kind].lasts_s;
    if (t < EVENTS_FROM || lasts == 0) return 0;
    int64_t number = (t - EVENTS_FROM) / EVENT_EVERY;
    /* at another hour each time, some of them on a weekend */
    int64_t at = EVENTS_FROM + number * EVENT_EVERY + 5 * 3600 + number * 12600;
    if (from) *from = at;
    if (t < at || t >= at + lasts) return 0;
    return (double)(t - at + 1) / lasts;
}

/* Slow movements that belong to normal life. */
struct weather {
    double minute, response, day; /* octaves */
};

static void weather_turn(struct weather *w, struct source *r, int64_t t)
{
    if (t % DAY == 0) w->day = 0.12 * normal(r);
    if (t % 60) return;
    w->minute = 0.97 * w->minute + 0.03 * normal(r);
    w->response = 0.97 * w->response + 0.02 * normal(r);
}

static double rate_at(enum traffic_kind kind, double event, int64_t t,
                      const struct weather *w)
{
    int64_t shown = t;
    double more = w->day + w->minute;
    if (kind == TRAFFIC_KEPT) {
        if (t >= SUMMER_TIME) shown += 3600;
        more += 0.4 * (double)t / (WEEKS * 7.0 * DAY); /* a third more */
    }
    if (event > 0 && kind == TRAFFIC_CHANGED) shown += DAY - 36000;
    if (event > 0 && kind == TRAFFIC_SHIFT) more += 1.585;
    if (event > 0 && kind == TRAFFIC_SPIKE) more += 3;
    return exp2(curve(shown % (7 * DAY)) + more);
}

static struct anomaly_sample request(enum traffic_kind kind, double event,
                                     int64_t t, const struct weather *w,
                                     struct source *r)
{
    double slow = kind == TRAFFIC_DRIFT && event > 0
                      ? (event < 0.5 ? event * 4 : 2) /* octaves */
                      : 0;
    double big = kind == TRAFFIC_PAYLOAD && event > 0 ? 3.32 : 0;
    unsigned endpoints = kind == TRAFFIC_SCAN && event > 0 ? 200 : 12;
    double failing = kind == TRAFFIC_ERRORS && event > 0 ? 0.2 : 0.01;
    double u = uniform(r);
    struct source called = { .state = (uint64_t)(endpoints * u * u) };
    return (struct anomaly_sample){
        .at_ms = (START_S + t) * 1000,
        .response_us =
            (uint32_t)(40000 * exp2(0.8 * normal(r) + w->response + slow)),
        .bytes = (uint64_t)(900 * exp2(1.2 * normal(r) + big)),
        /* few are called often */
        .endpoint = next(&called),
        .failed = uniform(r) < failing,
    };
}

static void alarm(enum traffic_kind kind, int64_t t, int64_t *last,
                  int64_t *hit_from, struct traffic_score *score)
{
    int64_t from = -1;
    in_event(kind, t, &from);
    bool right =
        from >= 0 && t >= from && t < from + kinds[kind].lasts_s + GRACE;
    if (*last < 0 || t - *last > EPISODE_GAP) {
        score->alarms++;
        score->right += right;
    }
    *last = t;
    if (!right || *hit_from == from) return;
    *hit_from = from;
    score->hit++;
    score->delay_s += (double)(t - from);
}

void traffic_run(enum traffic_kind kind, const struct anomaly *policy,
                 enum anomaly_scope scope, double per_second, uint64_t seed,
                 struct traffic_score *score)
{
    static struct anomaly_state state;
    static struct anomaly_learnt learnt;
    struct anomaly_finding found[ANOMALY_PATTERNS];
    struct source r = { .state = seed * 1000 + (uint64_t)kind };
    struct weather w = { 0 };
    int64_t last = -1, hit_from = -1;
    memset(&state, 0, sizeof state);
    for (int64_t t = 0; t < WEEKS * 7 * DAY; t++) {
        double event = in_event(kind, t, NULL);
        weather_turn(&w, &r, t);
        unsigned n = poisson(&r, per_second * rate_at(kind, event, t, &w));
        for (; n > 0; n--) {
            struct anomaly_sample s = request(kind, event, t, &w, &r);
            score->requests++;
            if (anomaly_add(policy, scope, &state, &learnt, &s, found) > 0)
                alarm(kind, t, &last, &hit_from, score);
        }
    }
    if (kinds[kind].lasts_s)
        score->events += (WEEKS * 7 * DAY - EVENTS_FROM) / EVENT_EVERY + 1;
}
