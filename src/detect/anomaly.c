/* Windows are counted, judged at their end, and what is found climbs a ladder
 * that has an end. The table below is all that differs between patterns. */
#include "detect/anomaly.h"

#include <math.h>

#include "detect/anomaly_int.h"

enum {
    LONGEST_WINDOWS = 12, /* that a window waits for so many */
    ADOPT_S = 6 * 3600,
    ALERT_S = 600, /* how long an action stands */
    CHALLENGE_S = 300,
    LEAST_ERRORS = 5,
};
#define COUNTING 2.08F /* variance of log2 of a count n, times n */
#define LEAST_ERROR_SHARE 0.05F
#define DOUBTFUL 0.4F /* of the threshold: hardly normal */
#define DOUBTFUL_WEIGHT 0.05F

static const struct pattern_row {
    struct anomaly_floor floor;
    uint8_t least;  /* requests that a share or a mean needs: the window waits
                       for them. Counts are judged as they are */
    bool both_ways; /* of an application also too little */
} pattern_rows[ANOMALY_PATTERNS] = {
    /* counts wander by day and by mood, what a server does hardly */
    [ANOMALY_VOLUME] = { { 0.15F, 0.36F }, 1, true },
    [ANOMALY_ERRORS] = { { 0.35F, 0.30F }, 30, false },
    [ANOMALY_TIME] = { { 0.12F, 0.30F }, 10, false },
    [ANOMALY_PAYLOAD] = { { 0.20F, 0.30F }, 10, false },
    [ANOMALY_VELOCITY] = { { 0.25F, 0.36F }, 1, false },
};

/* --- a window's value, in octaves --------------------------------------------- */

/* log2 with an error below 0.09, and none at powers of two: it is averaged
 * over many requests and compared with itself. */
static inline double log2_rough(uint32_t v)
{
    unsigned e = 31 - (unsigned)__builtin_clz(v | 1);
    return (double)e + (double)(v - (1u << e)) / (double)(1u << e);
}

/* How many different ones left these bits (linear counting: Whang,
 * Vander-Zanden, Taylor 1990). */
static float distinct(const uint8_t *bits)
{
    int set = 0;
    for (int i = 0; i < ANOMALY_SKETCH; i++) set += __builtin_popcount(bits[i]);
    int all = ANOMALY_SKETCH * 8, empty = all - set;
    return (float)all * logf((float)all / (empty ? (float)empty : 0.5F));
}

static float value_of(enum anomaly_pattern p, const struct anomaly_tally *t,
                      const uint8_t *endpoints)
{
    float n = (float)t->n, sum = (float)t->sum;
    switch (p) {
    case ANOMALY_VOLUME: return log2f(n);
    case ANOMALY_ERRORS: return log2f((sum + 0.5F) / (n - sum + 0.5F));
    case ANOMALY_TIME: return sum / n;
    case ANOMALY_PAYLOAD: return log2f(sum / n + 1);
    default: return log2f(1 + distinct(endpoints));
    }
}

/* Variance that a window of n requests has by chance alone, half way (in
 * octaves) between what was expected and what came: a count of 20 where 1 was
 * expected is no chance, though a count of 1 knows nothing of its logarithm. */
static float noise_of(enum anomaly_pattern p, float expected, float value,
                      float n)
{
    float at = value > expected ? (value + expected) / 2 : expected;
    float natural = exp2f(at), share = natural / (1 + natural);
    switch (p) {
    case ANOMALY_VOLUME:
    case ANOMALY_VELOCITY: return COUNTING / (natural > 1 ? natural : 1);
    case ANOMALY_ERRORS:
        return COUNTING / (n * share + 0.5F) +
               COUNTING / (n * (1 - share) + 0.5F);
    case ANOMALY_TIME: return 1 / n;
    default: return 1.5F / n;
    }
}

/* Octaves as people know the quantity. */
static double natural_of(enum anomaly_pattern p, double v)
{
    switch (p) {
    case ANOMALY_VOLUME: return exp2(v);
    case ANOMALY_ERRORS: return exp2(v) / (1 + exp2(v));
    case ANOMALY_TIME: return exp2(v) / 1000;
    default: return exp2(v) - 1;
    }
}

/* --- the ladder ---------------------------------------------------------------- */

static uint32_t stands_s(unsigned action)
{
    return action == DETECTOR_BLOCK       ? ANOMALY_BLOCK_S
           : action == DETECTOR_CHALLENGE ? CHALLENGE_S
                                          : ALERT_S;
}

/* One rung at the second window in a row, another at the fourth; twice the
 * threshold is worth one more. */
static unsigned rung(const struct anomaly_rule *rule, enum anomaly_scope scope,
                     unsigned run, bool strong)
{
    unsigned r = rule->first + (run >= 2) + (run >= 4) + (strong ? 1 : 0);
    unsigned top = rule->top;
    if (scope == ANOMALY_APPLICATION && top > DETECTOR_ALERT)
        top = DETECTOR_ALERT;
    return r < top ? r : top;
}

/* An action that stands is not prolonged: it ends, and a new window decides. */
static void climb(const struct anomaly_rule *rule, enum anomaly_scope scope,
                  struct anomaly_tally *t, uint32_t end_s,
                  struct anomaly_finding *f)
{
    if (t->run < UINT16_MAX) t->run++;
    unsigned action =
        rung(rule, scope, t->run, fabs(f->score) >= 2 * f->threshold);
    bool stands = t->until_s > end_s;
    if (!stands) t->denied = false;
    f->fresh = t->run == 1 || action > t->action || !stands;
    if (!stands || action > t->action) {
        t->action = (uint8_t)action;
        t->until_s = end_s + stands_s(action);
    }
    f->action = (enum detector_action)action;
    f->run = t->run;
}

/* --- a window's end ---------------------------------------------------------------- */

static bool is_plausible(enum anomaly_pattern p, const struct anomaly_tally *t)
{
    return p != ANOMALY_ERRORS ||
           (t->sum >= LEAST_ERRORS && t->sum >= LEAST_ERROR_SHARE * t->n);
}

static float weight_of(const struct anomaly_rule *rule,
                       const struct anomaly_baseline *b, float score)
{
    float doubtful = DOUBTFUL * rule->threshold;
    if (b->windows < rule->min_samples) return 1;
    return score > doubtful           ? DOUBTFUL_WEIGHT
           : score < -rule->threshold ? 4
                                      : 1;
}

/* True: a finding. */
static bool judge(const struct anomaly_rule *rule, enum anomaly_scope scope,
                  enum anomaly_pattern p, struct anomaly_state *st,
                  struct anomaly_baseline *b, uint32_t end_s,
                  struct anomaly_finding *f)
{
    const struct pattern_row *row = &pattern_rows[p];
    struct anomaly_tally *t = &st->tally[p];
    if (!t->learnt) *b = (struct anomaly_baseline){ 0 };
    int64_t middle_s = ((int64_t)t->start_s + end_s) / 2;
    float value = value_of(p, t, st->endpoints);
    float noise = noise_of(p, b->windows ? anomaly_expect(b, middle_s) : value,
                           value, (float)t->n);
    struct anomaly_judged j = { value, 0 };
    if (b->windows) j = anomaly_judge(b, middle_s, value, noise, &row->floor);
    bool both_ways = row->both_ways && scope == ANOMALY_APPLICATION;
    float high = both_ways ? fabsf(j.score) : j.score;
    bool anomalous = b->windows >= rule->min_samples &&
                     high >= rule->threshold && is_plausible(p, t);
    anomaly_learn(b, middle_s, rule->window_s, value, noise, &row->floor,
                  anomalous ? 0 : weight_of(rule, b, high));
    t->learnt = b->windows;
    if (!anomalous) {
        t->run = 0;
        return false;
    }
    *f = (struct anomaly_finding){
        .pattern = p,
        .from_s = t->start_s,
        .window_s = end_s - t->start_s,
        .learnt = t->learnt,
        .observed = natural_of(p, value),
        .expected = natural_of(p, j.expected),
        .score = j.score,
        .threshold = rule->threshold,
    };
    climb(rule, scope, t, end_s, f);
    if ((uint64_t)t->run * rule->window_s >= ADOPT_S) {
        f->adopted = true;
        t->run = 0;
        anomaly_adopt(b, middle_s, value);
    }
    return true;
}

static void restart(struct anomaly_tally *t, uint32_t now_s, uint32_t window_s)
{
    t->start_s = now_s - now_s % window_s;
    t->n = 0;
    t->sum = 0;
}

/* The window of this pattern is over at `now_s`, or has not begun. */
static unsigned turn(const struct anomaly *policy, enum anomaly_scope scope,
                     enum anomaly_pattern p, struct anomaly_state *st,
                     struct anomaly_learnt *learnt, uint32_t now_s,
                     struct anomaly_finding *out)
{
    const struct anomaly_rule *rule = &policy->rules[p];
    struct anomaly_tally *t = &st->tally[p];
    unsigned found = 0;
    uint32_t past = now_s - t->start_s;
    bool few = t->n < pattern_rows[p].least;
    if (t->n && few && past < LONGEST_WINDOWS * rule->window_s)
        return 0; /* it goes on until there are enough */
    if (t->start_s && t->n && !few && !t->partial) {
        /* it ended with its last whole window; silence is not judged */
        uint32_t end_s = t->start_s + rule->window_s;
        found = judge(rule, scope, p, st, &learnt->baseline[p], end_s, out);
    }
    t->partial = t->start_s == 0;
    restart(t, now_s, rule->window_s);
    if (p == ANOMALY_VELOCITY) memset(st->endpoints, 0, sizeof st->endpoints);
    return found;
}

static void count(struct anomaly_state *st, const struct anomaly_sample *s)
{
    struct anomaly_tally *t = st->tally;
    t[ANOMALY_VOLUME].n++;
    t[ANOMALY_ERRORS].n++;
    t[ANOMALY_VELOCITY].n++;
    t[ANOMALY_ERRORS].sum += s->failed;
    if (!s->no_time) {
        t[ANOMALY_TIME].n++;
        t[ANOMALY_TIME].sum += log2_rough(s->response_us);
    }
    if (!s->no_bytes) {
        t[ANOMALY_PAYLOAD].n++;
        t[ANOMALY_PAYLOAD].sum += (double)s->bytes;
    }
    unsigned bit = s->endpoint >> 56;
    st->endpoints[bit / 8] |= (uint8_t)(1u << bit % 8);
}

unsigned anomaly_add(const struct anomaly *policy, enum anomaly_scope scope,
                     struct anomaly_state *state, struct anomaly_learnt *learnt,
                     const struct anomaly_sample *sample,
                     struct anomaly_finding out[ANOMALY_PATTERNS])
{
    unsigned found = 0;
    if (!policy->enabled) return 0;
    uint32_t now_s = (uint32_t)(sample->at_ms / 1000);
    for (unsigned p = 0; p < ANOMALY_PATTERNS; p++) {
        const struct anomaly_tally *t = &state->tally[p];
        const struct anomaly_rule *rule = &policy->rules[p];
        if (!rule->on) continue;
        /* a reactor that is a moment behind counts into this window */
        if (t->start_s == 0 ||
            (int32_t)(now_s - t->start_s) >= (int32_t)rule->window_s)
            found += turn(policy, scope, (enum anomaly_pattern)p, state, learnt,
                          now_s, &out[found]);
    }
    count(state, sample);
    return found;
}

struct anomaly_stand anomaly_stand_of(const struct anomaly_state *state,
                                      enum anomaly_pattern pattern,
                                      int64_t at_ms)
{
    const struct anomaly_tally *t = &state->tally[pattern];
    if (t->until_s <= at_ms / 1000)
        return (struct anomaly_stand){ .action = DETECTOR_ALLOW };
    return (struct anomaly_stand){ (enum detector_action)t->action, pattern,
                                   t->denied,
                                   (int64_t)t->until_s - stands_s(t->action),
                                   t->until_s };
}

struct anomaly_stand anomaly_stand(const struct anomaly *policy,
                                   const struct anomaly_state *state,
                                   int64_t at_ms)
{
    struct anomaly_stand best = { .action = DETECTOR_ALLOW };
    if (!policy->enabled) return best;
    for (unsigned p = 0; p < ANOMALY_PATTERNS; p++) {
        const struct anomaly_rule *rule = &policy->rules[p];
        if (!rule->on) continue;
        struct anomaly_stand s =
            anomaly_stand_of(state, (enum anomaly_pattern)p, at_ms);
        if (s.action > rule->top && !s.denied)
            s.action = (enum detector_action)rule->top;
        if (s.action > best.action) best = s;
    }
    return best;
}

enum detector_action anomaly_standing(const struct anomaly *policy,
                                      const struct anomaly_state *state,
                                      int64_t at_ms,
                                      enum anomaly_pattern *pattern)
{
    struct anomaly_stand s = anomaly_stand(policy, state, at_ms);
    if (pattern && s.action) *pattern = s.pattern;
    return s.action;
}

void anomaly_restore(struct anomaly_state *state,
                     const struct anomaly_stand *stand)
{
    struct anomaly_tally *t = &state->tally[stand->pattern];
    t->action = (uint8_t)stand->action;
    t->denied = stand->denied;
    t->until_s = (uint32_t)stand->until_s;
}

void anomaly_clear(struct anomaly_state *state)
{
    for (int p = 0; p < ANOMALY_PATTERNS; p++) {
        state->tally[p].action = DETECTOR_ALLOW;
        state->tally[p].denied = false;
        state->tally[p].until_s = 0;
        state->tally[p].run = 0;
    }
}

void anomaly_deny(struct anomaly_state *state, int64_t at_ms)
{
    for (int p = 0; p < ANOMALY_PATTERNS; p++) {
        struct anomaly_tally *t = &state->tally[p];
        if (t->action < DETECTOR_CHALLENGE || t->until_s <= at_ms / 1000)
            continue;
        t->until_s += ANOMALY_BLOCK_S - stands_s(t->action);
        t->action = DETECTOR_BLOCK;
        t->denied = true;
    }
}
