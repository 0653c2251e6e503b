/* Between anomaly.c (windows, ladder) and anomaly_baseline.c (what is
 * expected, what is learnt). Values in octaves. */
#ifndef DETECT_ANOMALY_INT_H
#define DETECT_ANOMALY_INT_H

#include "detect/anomaly.h"

struct anomaly_judged {
    float expected;
    float score; /* deviations, of this window or of the last ones together */
};

/* Less is no deviation. A trend of white noise has 0.26. */
struct anomaly_floor {
    float value, trend;
};

/* value ± noise (variance of counting, which is not the baseline's) of the
 * window in the middle of which `at_s` is. */
struct anomaly_judged anomaly_judge(struct anomaly_baseline *b, int64_t at_s,
                                    float value, float noise,
                                    const struct anomaly_floor *floor);
/* What the baseline expects now; for the noise that depends on it. */
float anomaly_expect(const struct anomaly_baseline *b, int64_t at_s);
/* From a window. weight 1: it was normal. Less: hardly so, and a slow change
 * must not become the measure of itself. 0: anomalous, and only the hour's
 * rhythm learns, a little. More: off to the side that nobody minds, perhaps
 * back from what was adopted: the level follows it the sooner. */
void anomaly_learn(struct anomaly_baseline *b, int64_t at_s, uint32_t window_s,
                   float value, float noise, const struct anomaly_floor *floor,
                   float weight);
/* From one that has been otherwise for so long that it is the new normal. */
void anomaly_adopt(struct anomaly_baseline *b, int64_t at_s, float value);

#endif
