/* Anomaly detection as a value (detectors.md §4): member `anomalyDetection`
 * of an abuse profile, a profile's name or
 *
 *   {enabled, profile, customConfig: {requestVolume: {enabled, threshold,
 *    window, minSamples, action}, errorRate, responseTime, payloadSize,
 *    endpointVelocity}}
 *
 * `customConfig` belongs to CUSTOM. threshold: how many deviations from what
 * was expected; window: seconds; minSamples: windows to learn before judging.
 * docs/detection.md has the method and what each profile stands for. */
#ifndef MODEL_ANOMALY_H
#define MODEL_ANOMALY_H

#include "model/detector.h"
#include "model/shape.h"

enum anomaly_pattern {
    ANOMALY_VOLUME,   /* requests */
    ANOMALY_ERRORS,   /* share of requests that failed */
    ANOMALY_TIME,     /* of the response */
    ANOMALY_PAYLOAD,  /* bytes a request */
    ANOMALY_VELOCITY, /* different endpoints */
    ANOMALY_PATTERNS
};
extern const char *const anomaly_pattern_names[]; /* "requestVolume" … NULL */

enum anomaly_profile {
    ANOMALY_PERMISSIVE,
    ANOMALY_STANDARD,
    ANOMALY_STRICT,
    ANOMALY_API_GATEWAY,
    ANOMALY_CUSTOM,
    ANOMALY_REGIONAL, /* STANDARD, beside GeoSentry's region */
    ANOMALY_PROFILES
};

struct anomaly_rule {
    bool on;
    uint8_t first, top;   /* enum detector_action: the ladder's ends */
    uint16_t min_samples; /* windows */
    uint32_t window_s;
    float threshold;
};

struct anomaly {
    bool enabled;
    enum anomaly_profile profile;
    struct anomaly_rule rules[ANOMALY_PATTERNS];
};

/* Row: .types = SHAPE_STRING | SHAPE_OBJECT, .options = anomaly_profiles,
 * .hidden = anomaly_spellings, .fields = anomaly_fields,
 * .check = anomaly_check */
extern const char *const anomaly_profiles[], *const anomaly_spellings[];
extern const struct shape_field anomaly_fields[];
int anomaly_check(const struct shape_env *env, yyjson_mut_doc *doc,
                  yyjson_mut_val **value, struct shape_problem *why);

/* The canonical value; NULL or null: not enabled. ERR_CORRUPT. */
int anomaly_decode(const yyjson_val *v, struct anomaly *out);

#endif
