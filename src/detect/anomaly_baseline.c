/* A baseline: what a pattern's value is at this hour of the week.
 *
 *   expected = anchor + hours[hour of the week] + level
 *
 * `hours` is learnt an hour's visit at a time, so that a day's and a week's
 * rhythm are normal; `level` follows slowly (half a day) what lies above it
 * on all days. An hour not seen yet is expected to be as the last half hour
 * was. Between the middles of two hours is interpolated; a value between what
 * is expected an hour earlier and an hour later is no deviation, so that
 * summer time and a late morning are none. */
#include <math.h>

#include "detect/anomaly_int.h"

enum {
    HOUR_S = 3600,
    UNSEEN = -128,
    STEP = 16,       /* of an octave, in hours[] */
    LEVEL_S = 43200, /* time constants */
    FAST_S = 1800,
    VARIANCE_S = 21600,
    TREND_S = 86400,
};
#define FIRST_VARIANCE 0.09F /* 0.3 octaves, until something is learnt */
#define TREND_WEIGHT 0.125F
#define VISIT_WEIGHT 0.3F /* of a new visit against those before */
#define CLIP 3.0F         /* deviations from which one learns no more */
#define TREND_CLIP 8.0F
#define ALONG 1.0F

static float clip(float v, float most)
{
    return v > most ? most : v < -most ? -most : v;
}

/* 0 Monday 00:00 UTC. */
static unsigned hour_at(int64_t at_s)
{
    return (unsigned)((at_s / HOUR_S + 72) % ANOMALY_HOURS);
}

static bool cell(const struct anomaly_baseline *b, unsigned hour, float *out)
{
    int8_t v = b->hours[hour % ANOMALY_HOURS];
    *out = b->anchor + b->level + (float)v / STEP;
    return v != UNSEEN;
}

/* From the middles of the two hours around; false: that hour was not seen. */
static bool rhythm(const struct anomaly_baseline *b, int64_t at_s, float *out)
{
    float mine, other;
    unsigned hour = hour_at(at_s);
    float into = (float)(at_s % HOUR_S) / HOUR_S - 0.5F;
    if (!cell(b, hour, &mine)) return false;
    unsigned next = into < 0 ? hour + ANOMALY_HOURS - 1 : hour + 1;
    if (!cell(b, next, &other)) other = mine;
    *out = mine + (other - mine) * fabsf(into);
    return true;
}

float anomaly_expect(const struct anomaly_baseline *b, int64_t at_s)
{
    float e;
    return rhythm(b, at_s, &e) ? e : b->fast;
}

static float deviation(const struct anomaly_baseline *b, float noise,
                       float floor)
{
    float own = b->variance > floor * floor ? b->variance : floor * floor;
    return sqrtf(own + noise);
}

struct anomaly_judged anomaly_judge(struct anomaly_baseline *b, int64_t at_s,
                                    float value, float noise,
                                    const struct anomaly_floor *floor)
{
    float e = anomaly_expect(b, at_s), low = e, high = e, near;
    for (int side = -1; side <= 1; side += 2)
        if (rhythm(b, at_s + side * HOUR_S, &near)) {
            if (near < low) low = near;
            if (near > high) high = near;
        }
    float off = value > high ? value - high : value < low ? value - low : 0;
    float z = off / deviation(b, noise, floor->value);
    float own = b->trend_variance, least = floor->trend * floor->trend;
    b->trend += (clip(z, TREND_CLIP) - b->trend) * TREND_WEIGHT;
    float trend = b->trend / sqrtf(own > least ? own : least);
    /* a trend counts while the present window goes along with it */
    bool along = trend > 0 ? z > ALONG : z < -ALONG;
    return (struct anomaly_judged){ e, along && fabsf(trend) > fabsf(z) ? trend
                                                                        : z };
}

/* --- learning ----------------------------------------------------------------- */

static void visit_end(struct anomaly_baseline *b)
{
    if (b->visit_n == 0) return;
    int8_t *hour = &b->hours[b->visit_hour];
    float mean = b->visit_sum / b->visit_n, was = (float)*hour / STEP;
    float now = *hour == UNSEEN ? mean : was + (mean - was) * VISIT_WEIGHT;
    *hour = (int8_t)lrintf(clip(now * STEP, 127));
    b->visit_sum = 0;
    b->visit_n = 0;
}

/* The share of a window in a mean over `constant` seconds; more at first. */
static float share(uint32_t window_s, unsigned constant, uint32_t windows)
{
    float w = (float)window_s / (float)constant,
          first = 1.0F / (windows + 1.0F);
    if (w > 0.5F) w = 0.5F;
    return w > first ? w : first;
}

static void begin(struct anomaly_baseline *b, float value)
{
    memset(b->hours, UNSEEN, sizeof b->hours);
    b->anchor = b->fast = value;
    b->variance = FIRST_VARIANCE;
}

void anomaly_learn(struct anomaly_baseline *b, int64_t at_s, uint32_t window_s,
                   float value, float noise, const struct anomaly_floor *floor,
                   float weight)
{
    float e;
    unsigned hour = hour_at(at_s);
    if (b->windows == 0) begin(b, value);
    if (hour != b->visit_hour) {
        visit_end(b);
        b->visit_hour = (uint8_t)hour;
    }
    bool seen = rhythm(b, at_s, &e);
    if (!seen) e = b->fast;
    float off = clip(value - e, CLIP * deviation(b, noise, floor->value));
    float square = off * off > noise ? off * off - noise : 0;
    float trend = b->trend * b->trend, at_most = weight < 1 ? weight : 1;
    b->variance += (square - b->variance) * at_most *
                   share(window_s, VARIANCE_S, b->windows + 2);
    b->trend_variance += (trend - b->trend_variance) * at_most *
                         share(window_s, TREND_S, b->windows + 10);
    if (seen)
        b->level += (weight > 1 ? value - e : off) * weight *
                    share(window_s, LEVEL_S, UINT32_MAX - 1);
    b->fast += (value - b->fast) * (weight > 0 ? 1 : 0) *
               share(window_s, FAST_S, b->windows);
    if (weight > 0 || seen) { /* an hour is not first seen in an anomaly */
        float normal = weight > 0 ? value : e + off;
        b->visit_sum += normal - b->level - b->anchor;
        b->visit_n++;
    }
    b->windows++;
}

void anomaly_adopt(struct anomaly_baseline *b, int64_t at_s, float value)
{
    float e;
    if (rhythm(b, at_s, &e)) b->level += value - e;
    b->fast = value;
    b->trend = 0;
}
