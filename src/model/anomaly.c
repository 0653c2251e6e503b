/* Anomaly detection's fields, what each profile stands for, the typed form. */
#include "model/anomaly.h"

#include "base/err.h"

enum {
    THRESHOLD_MAX = 100,
    WINDOW_MAX = 86400,
    SAMPLES_MAX = 10000,
};

const char *const anomaly_pattern_names[] = { "requestVolume",    "errorRate",
                                              "responseTime",     "payloadSize",
                                              "endpointVelocity", NULL };
const char *const anomaly_profiles[] = { "PERMISSIVE",  "STANDARD", "STRICT",
                                         "API_GATEWAY", "CUSTOM",   "REGIONAL",
                                         NULL };
const char *const anomaly_spellings[] = {
    "Permissive",  "Standard", "Strict",      "Api_Gateway", "ApiGateway",
    "API_Gateway", "Custom",   "Regional",    "permissive",  "standard",
    "strict",      "custom",   "api_gateway", "regional",    NULL
};

/* How far each pattern may go. What the server is slow at or is sent is no
 * reason to turn a caller away, so these two stop at an alert. */
static const struct profile_row {
    float threshold;
    uint32_t window_s;
    uint16_t min_samples;
    bool ladder; /* begins with MONITOR; else at the top at once */
    uint8_t top[ANOMALY_PATTERNS];
} profile_rows[ANOMALY_PROFILES] = {
#define M DETECTOR_MONITOR
#define A DETECTOR_ALERT
#define C DETECTOR_CHALLENGE
#define B DETECTOR_BLOCK
    [ANOMALY_PERMISSIVE] = { 7, 300, 36, true, { M, M, M, M, M } },
    [ANOMALY_STANDARD] = { 6, 60, 60, true, { C, C, A, A, C } },
    [ANOMALY_STRICT] = { 5, 60, 30, false, { C, B, A, A, C } },
    [ANOMALY_API_GATEWAY] = { 6, 10, 90, true, { C, C, A, A, C } },
    /* the published default actions */
    [ANOMALY_CUSTOM] = { 6, 60, 60, false, { A, B, A, A, A } },
    [ANOMALY_REGIONAL] = { 6, 60, 60, true, { C, C, A, A, C } },
#undef M
#undef A
#undef C
#undef B
};

/* --- fields ------------------------------------------------------------------ */

static const char *const actions[] = { "monitor", "alert", "challenge", "block",
                                       NULL };

#define FIELD_NUMBER(called, most, say)                                \
    {                                                                  \
        .name = called, .types = SHAPE_INTEGER, .min = 1, .max = most, \
        .about = say                                                   \
    }

static const struct shape_field rule_fields[] = {
    { .name = "enabled",
      .types = SHAPE_BOOLEAN,
      .about = "Is it judged? Default true." },
    FIELD_NUMBER("threshold", THRESHOLD_MAX,
                 "How many deviations from the expected value are too many."),
    FIELD_NUMBER("window", WINDOW_MAX, "Seconds that are judged as one."),
    FIELD_NUMBER("minSamples", SAMPLES_MAX, "Windows to learn before judging."),
    { .name = "action",
      .types = SHAPE_STRING,
      .options = actions,
      .about = "What an anomaly does." },
    { 0 },
};

#define FIELD_PATTERN(called, say)                                    \
    {                                                                 \
        .name = called, .types = SHAPE_OBJECT, .fields = rule_fields, \
        .about = say                                                  \
    }

static const struct shape_field custom_fields[] = {
    FIELD_PATTERN("requestVolume", "Requests."),
    FIELD_PATTERN("errorRate", "Share of requests that failed."),
    FIELD_PATTERN("responseTime", "Time to the response."),
    FIELD_PATTERN("payloadSize", "Bytes a request."),
    FIELD_PATTERN("endpointVelocity", "Different endpoints called."),
    { 0 },
};

static int name_check(const struct shape_env *env, yyjson_mut_doc *doc,
                      yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    (void)why;
    detector_profile_settle(anomaly_profiles, doc, value);
    return 0;
}

const struct shape_field anomaly_fields[] = {
    { .name = "enabled",
      .types = SHAPE_BOOLEAN,
      .fallback = "true",
      .about = "Is it on?" },
    { .name = "profile",
      .types = SHAPE_STRING,
      .options = anomaly_profiles,
      .hidden = anomaly_spellings,
      .fallback = "\"STANDARD\"",
      .check = name_check,
      .about = "How soon and how far it goes." },
    { .name = "customConfig",
      .types = SHAPE_OBJECT,
      .fields = custom_fields,
      .about = "Own values of each pattern, with profile CUSTOM." },
    { 0 },
};

int anomaly_check(const struct shape_env *env, yyjson_mut_doc *doc,
                  yyjson_mut_val **value, struct shape_problem *why)
{
    if (yyjson_mut_is_str(*value)) return name_check(env, doc, value, why);
    if (yyjson_mut_obj_get(*value, "customConfig") &&
        !yyjson_mut_equals_str(yyjson_mut_obj_get(*value, "profile"), "CUSTOM"))
        return shape_problem_set(why, NULL, "invalid_value",
                                 "may hold customConfig with profile CUSTOM "
                                 "only");
    return 0;
}

/* --- typed --------------------------------------------------------------------- */

static int number_of(const yyjson_val *v, const char *name, int64_t most,
                     int64_t *io)
{
    yyjson_val *member = json_find(v, name);
    if (!member || yyjson_is_null(member)) return 0;
    return json_is_int(member, io) && *io >= 1 && *io <= most ? 0 : ERR_CORRUPT;
}

static int rule_decode(const yyjson_val *v, struct anomaly_rule *rule)
{
    yyjson_val *action = json_find(v, "action");
    int64_t threshold = (int64_t)rule->threshold, window = rule->window_s;
    int64_t samples = rule->min_samples;
    if (number_of(v, "threshold", THRESHOLD_MAX, &threshold) ||
        number_of(v, "window", WINDOW_MAX, &window) ||
        number_of(v, "minSamples", SAMPLES_MAX, &samples))
        return ERR_CORRUPT;
    rule->on = !yyjson_is_false(json_find(v, "enabled"));
    rule->threshold = (float)threshold;
    rule->window_s = (uint32_t)window;
    rule->min_samples = (uint16_t)samples;
    if (!action || yyjson_is_null(action)) return 0;
    for (unsigned i = 0; actions[i]; i++)
        if (yyjson_equals_str(action, actions[i])) {
            rule->first = rule->top = (uint8_t)(DETECTOR_MONITOR + i);
            return 0;
        }
    return ERR_CORRUPT;
}

int anomaly_decode(const yyjson_val *v, struct anomaly *out)
{
    yyjson_val *value = (yyjson_val *)(uintptr_t)v;
    memset(out, 0, sizeof *out);
    if (!v || yyjson_is_null(value)) return 0;
    const yyjson_val *name = yyjson_is_obj(value) ? json_find(v, "profile") : v;
    int profile = name ? detector_profile_of(anomaly_profiles, json_text(name))
                       : ANOMALY_STANDARD;
    if (profile < 0) return ERR_CORRUPT;
    const struct profile_row *row = &profile_rows[profile];
    const yyjson_val *custom = json_find(v, "customConfig");
    out->enabled = !yyjson_is_false(json_find(v, "enabled"));
    out->profile = (enum anomaly_profile)profile;
    for (int i = 0; i < ANOMALY_PATTERNS; i++) {
        out->rules[i] = (struct anomaly_rule){
            .on = true,
            .first = row->ladder ? DETECTOR_MONITOR : row->top[i],
            .top = row->top[i],
            .min_samples = row->min_samples,
            .window_s = row->window_s,
            .threshold = row->threshold,
        };
        const yyjson_val *own = json_find(custom, anomaly_pattern_names[i]);
        if (own && rule_decode(own, &out->rules[i])) return ERR_CORRUPT;
    }
    return 0;
}
