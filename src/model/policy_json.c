/* Limits, quota and refill: their fields, shared by authentication profiles
 * and tokens, and their decoding into struct policy. */
#include <stdio.h>

#include "base/err.h"
#include "codec/rfc3339.h"
#include "model/fields_int.h"
#include "model/token.h"

#define FIELDS_LIMIT                                                     \
    { .name = "limit",                                                   \
      .alias = "requests",                                               \
      .types = SHAPE_INTEGER,                                            \
      .flags = SHAPE_REQUIRED,                                           \
      .min = 1,                                                          \
      .max = 1000000,                                                    \
      .about = "Requests allowed in any window." },                      \
    {                                                                    \
        .name = "timeWindow", .alias = "window", .types = SHAPE_INTEGER, \
        .flags = SHAPE_REQUIRED, .min = 1, .max = 86400,                 \
        .about = "Length of the window in seconds."                      \
    }

static const char *const algorithms[] = { "sliding", "fixed", "token_bucket",
                                          NULL };
static const char *const scopes[] = { "node", "cluster", NULL };

const struct shape_field limit_fields[] = { FIELDS_LIMIT, { 0 } };

const struct shape_field policy_limit_fields[] = {
    { .name = "name",
      .types = SHAPE_STRING,
      .len_min = 1,
      .len_max = LIMIT_NAME_MAX,
      .text = &text_word,
      .about = "Name of the limit in headers and answers." },
    FIELDS_LIMIT,
    { .name = "algorithm",
      .types = SHAPE_STRING,
      .options = algorithms,
      .fallback = "\"sliding\"",
      .about = "How requests are counted." },
    { .name = "burst",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = 1000000,
      .about = "token_bucket only: size of the bucket beyond the rate; "
               "default is the limit." },
    { .name = "scope",
      .types = SHAPE_STRING,
      .options = scopes,
      .fallback = "\"node\"",
      .about = "Where it is counted: on each node or over the cluster." },
    { 0 },
};

static const char *const intervals[] = { "hourly", "daily", "weekly", "monthly",
                                         NULL };
static const char *const printed[] = { "dalily", NULL };

static int interval_check(const struct shape_env *env, yyjson_mut_doc *doc,
                          yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    (void)why;
    if (yyjson_mut_equals_str(*value, "dalily"))
        *value = yyjson_mut_str(doc, "daily");
    return 0;
}

const struct shape_field refill_fields[] = {
    { .name = "amount",
      .alias = "tokens",
      .types = SHAPE_INTEGER,
      .flags = SHAPE_REQUIRED,
      .min = 1,
      .max = FIELD_INT_MAX,
      .about = "How much each refill gives back, never above the quota." },
    { .name = "interval",
      .types = SHAPE_INTEGER | SHAPE_STRING,
      .flags = SHAPE_REQUIRED,
      .min = 1,
      .max = 86400,
      .options = intervals,
      .hidden = printed,
      .check = interval_check,
      .about = "Seconds, or hourly, daily, weekly, monthly." },
    { 0 },
};

int expires_check(const struct shape_env *env, yyjson_mut_doc *doc,
                  yyjson_mut_val **value, struct shape_problem *why)
{
    int64_t n = 0;
    if (yyjson_mut_is_false(*value)) return 0;
    if (json_is_int((const yyjson_val *)*value, &n))
        n = env->now_ms + n * 1000;
    else if (rfc3339_decode(json_mut_text(*value), &n))
        return shape_problem_set(why, NULL, "invalid_value",
                                 "must be a time as in RFC 3339 or a lifetime "
                                 "in seconds");
    else if (n <= env->now_ms)
        return shape_problem_set(why, NULL, "invalid_value",
                                 "must lie in the future");
    *value = yyjson_mut_sint(doc, n);
    return 0;
}

static bool is_own(yyjson_mut_val *v)
{
    return v && !yyjson_mut_is_null(v) && !yyjson_mut_is_false(v);
}

int policy_rules(yyjson_mut_doc *doc, struct shape_problem *why)
{
    yyjson_mut_val *many = shape_member(doc, "ratelimits"), *a, *b;
    if (is_own(shape_member(doc, "ratelimit")) && is_own(many))
        return shape_problem_set(why, "ratelimits", "invalid_value",
                                 "cannot be set together with ratelimit");
    size_t i, max, j, jmax;
    if (!is_own(many)) return 0;
    yyjson_mut_arr_foreach(many, i, max, a)
    {
        char field[64];
        snprintf(field, sizeof field, "ratelimits[%zu].name", i);
        yyjson_mut_arr_foreach(many, j, jmax, b)
        {
            if (j == i) break;
            yyjson_mut_val *mine = yyjson_mut_obj_get(a, "name");
            if (mine && yyjson_mut_equals(mine, yyjson_mut_obj_get(b, "name")))
                return shape_problem_set(why, field, "invalid_value",
                                         "must not occur twice");
        }
        if (yyjson_mut_obj_get(a, "burst") &&
            !yyjson_mut_equals_str(yyjson_mut_obj_get(a, "algorithm"),
                                   "token_bucket")) {
            snprintf(field, sizeof field, "ratelimits[%zu].burst", i);
            return shape_problem_set(why, field, "invalid_value",
                                     "belongs to the algorithm token_bucket");
        }
    }
    return 0;
}

/* --- decoding -------------------------------------------------------------- */

static int limit_decode(yyjson_val *v, struct limit *out)
{
    int64_t limit = int_decode(v, "limit", 0);
    int64_t window = int_decode(v, "timeWindow", 0);
    int64_t burst = int_decode(v, "burst", limit);
    int algorithm = option_decode(v, "algorithm", algorithms);
    int scope = option_decode(v, "scope", scopes);
    struct sv name = json_text(json_find(v, "name"));
    if (limit < 1 || limit > 1000000 || window < 1 || window > 86400 ||
        burst < 1 || burst > 1000000 || algorithm < 0 || scope < 0 ||
        name.n > LIMIT_NAME_MAX)
        return ERR_CORRUPT;
    *out = (struct limit){
        .limit = (uint32_t)limit,
        .window_s = (uint32_t)window,
        .burst = (uint32_t)burst,
        .algorithm = (uint8_t)algorithm,
        .scope = (uint8_t)scope,
    };
    if (name.n) memcpy(out->name, name.p, name.n);
    return 0;
}

static int limits_decode(yyjson_val *one, yyjson_val *many, struct policy *out)
{
    out->has_limits = yyjson_is_false(one) || yyjson_is_obj(one) ||
                      yyjson_is_false(many) || yyjson_is_arr(many);
    if (yyjson_is_obj(one)) {
        out->limits_n = 1;
        return limit_decode(one, &out->limits[0]);
    }
    size_t i, max;
    yyjson_val *v;
    if (yyjson_arr_size(many) > POLICY_LIMITS_MAX) return ERR_CORRUPT;
    yyjson_arr_foreach(many, i, max, v)
    {
        int rc = limit_decode(v, &out->limits[i]);
        if (rc) return rc;
        out->limits_n++;
    }
    return 0;
}

static int refill_decode(yyjson_val *v, struct refill *out)
{
    static const uint32_t seconds[] = { 3600, 86400, 604800, 0 };
    bool is_named = yyjson_is_str(json_find(v, "interval"));
    int named = is_named ? option_decode(v, "interval", intervals) : -1;
    int64_t s = named >= 0 ? seconds[named] : int_decode(v, "interval", -1);
    out->amount = int_decode(v, "amount", 0);
    out->interval_s = (uint32_t)s;
    return out->amount < 1 || s < 0 || s > 604800 || (named < 0 && s == 0)
               ? ERR_CORRUPT
               : 0;
}

int policy_decode(const yyjson_val *object, struct policy *out)
{
    memset(out, 0, sizeof *out); /* also padding: policies are compared */
    yyjson_val *quota = json_find(object, "remaining");
    yyjson_val *refill = json_find(object, "refill");
    int rc = limits_decode(json_find(object, "ratelimit"),
                           json_find(object, "ratelimits"), out);
    if (quota && !yyjson_is_null(quota)) {
        out->has_quota = true;
        out->quota_none = yyjson_is_false(quota);
        if (!out->quota_none) out->quota = int_decode(object, "remaining", -1);
        if (out->quota < 0) rc = ERR_CORRUPT;
    }
    if (refill && !yyjson_is_null(refill)) {
        out->has_refill = true;
        out->refill_none = yyjson_is_false(refill);
        if (!out->refill_none && rc == 0)
            rc = refill_decode(refill, &out->refill);
    }
    return rc;
}
