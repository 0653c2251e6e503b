/* GeoSentry's fields, what each profile stands for, and the typed form. */
#include "model/travel.h"

#include "base/err.h"

enum {
    DAY_MIN = 1440,
    WORKDAYS = 31,
    OFFSET_MAX_MIN = 840,
    ROUTE_RADIUS_KM = 50,
    ROUTE_TEXT_MAX = 200,
    REGION_MAX = 300,
};

const char *const travel_profiles[] = { "PERMISSIVE",      "STANDARD",
                                        "STRICT",          "REGIONAL",
                                        "CUSTOM_BUSINESS", NULL };
const char *const travel_spellings[] = {
    "Permissive",      "Standard",       "Strict",          "Regional",
    "Custom_Business", "CustomBusiness", "permissive",      "standard",
    "strict",          "regional",       "custom_business", NULL
};

/* What each profile says unless the object does. Only STANDARD's window is
 * published; PERMISSIVE shares it, STRICT looks a day back. */
static const struct profile_row {
    uint32_t speed_kmh, window_min, min_distance_km;
    enum detector_action speed_action, region_action;
} profile_rows[TRAVEL_PROFILES] = {
    [TRAVEL_PERMISSIVE] = { 2000, 60, 100, DETECTOR_MONITOR, DETECTOR_MONITOR },
    [TRAVEL_STANDARD] = { 1000, 60, 100, DETECTOR_CHALLENGE,
                          DETECTOR_CHALLENGE },
    [TRAVEL_STRICT] = { 800, 1440, 100, DETECTOR_BLOCK, DETECTOR_BLOCK },
    [TRAVEL_REGIONAL] = { 1000, 60, 100, DETECTOR_CHALLENGE, DETECTOR_BLOCK },
    [TRAVEL_CUSTOM_BUSINESS] = { 1000, 60, 100, DETECTOR_CHALLENGE,
                                 DETECTOR_BLOCK },
};

/* --- texts ------------------------------------------------------------------- */

/* "-12.5": sign, digits, perhaps a point. */
static bool decimal(struct sv s, double least, double most, double *out)
{
    bool negative = sv_starts(s, SV("-"));
    struct sv fraction, whole = sv_cut(sv_from(s, negative), '.', &fraction);
    uint64_t n = 0, part = 0;
    double scale = 1;
    if (!sv_to_u64(whole, 100000, &n)) return false;
    if (fraction.p &&
        (fraction.n > 12 || !sv_to_u64(fraction, 999999999999u, &part)))
        return false;
    for (size_t i = 0; i < fraction.n; i++) scale *= 10;
    *out = ((double)n + (double)part / scale) * (negative ? -1 : 1);
    return *out >= least && *out <= most;
}

static bool end_parse(struct sv s, struct travel_end *out)
{
    struct sv rest, last;
    double latitude, longitude, radius = ROUTE_RADIUS_KM;
    memset(out, 0, sizeof *out);
    if (area_set_add(&out->areas, s) == 0) return true;
    struct sv first = sv_trim(sv_cut(s, ',', &rest));
    struct sv second = sv_trim(sv_cut(rest, ',', &last));
    if (!rest.p || !decimal(first, -90, 90, &latitude) ||
        !decimal(second, -180, 180, &longitude) ||
        (last.p && !decimal(sv_trim(last), 1, 20000, &radius)))
        return false;
    out->is_point = true;
    out->latitude = (float)latitude;
    out->longitude = (float)longitude;
    out->radius_km = (uint16_t)radius;
    return true;
}

static bool end_ok(struct sv s)
{
    struct travel_end ignored;
    return end_parse(s, &ignored);
}

static const struct text_rule text_route_end = {
    NULL,
    "must be an area or country code, or latitude,longitude with an optional "
    "radius in km",
    end_ok,
};

/* "08:30", "24:00": minutes of the day, or -1. */
static int clock_parse(struct sv s)
{
    struct sv rest, hour = sv_cut(s, ':', &rest);
    uint64_t h, m;
    if (hour.n != 2 || rest.n != 2 || !sv_to_u64(hour, 24, &h) ||
        !sv_to_u64(rest, 59, &m) || h * 60 + m > DAY_MIN)
        return -1;
    return (int)(h * 60 + m);
}

static bool clock_ok(struct sv s)
{
    return clock_parse(s) >= 0;
}

static const struct text_rule text_clock = {
    "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$",
    "must be a time of day such as 08:30",
    clock_ok,
};

static const char *const days[] = { "mon", "tue", "wed", "thu",
                                    "fri", "sat", "sun" };

static int day_of(struct sv s)
{
    for (int i = 0; i < 7; i++)
        if (sv_eq_nocase(s, sv_cstr(days[i]))) return i;
    return -1;
}

static bool day_ok(struct sv s)
{
    return day_of(s) >= 0;
}

static const struct text_rule text_day = {
    "^(mon|tue|wed|thu|fri|sat|sun)$",
    "must be mon, tue, wed, thu, fri, sat or sun",
    day_ok,
};

/* --- fields ------------------------------------------------------------------ */

#define FIELD_END(called, say)                                            \
    {                                                                     \
        .name = called, .types = SHAPE_STRING, .flags = SHAPE_REQUIRED,   \
        .len_min = 1, .len_max = ROUTE_TEXT_MAX, .text = &text_route_end, \
        .about = say                                                      \
    }
#define FIELD_CLOCK(called, unset, say)                                    \
    {                                                                      \
        .name = called, .types = SHAPE_STRING, .len_min = 5, .len_max = 5, \
        .text = &text_clock, .fallback = unset, .about = say               \
    }
#define FIELD_NUMBER(called, least, most, say)                             \
    {                                                                      \
        .name = called, .types = SHAPE_INTEGER, .min = least, .max = most, \
        .about = say                                                       \
    }

static const struct shape_field route_fields[] = {
    FIELD_END("from", "An area, or latitude,longitude and perhaps a radius."),
    FIELD_END("to", "The other end."),
    { 0 },
};

static const struct shape_field hours_fields[] = {
    { .name = "days",
      .types = SHAPE_STRINGS,
      .flags = SHAPE_UNIQUE,
      .len_min = 1,
      .len_max = 7,
      .item_max = 3,
      .text = &text_day,
      .fallback = "[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\"]",
      .about = "Days on which people travel." },
    FIELD_CLOCK("from", "\"08:00\"", "Beginning, local time."),
    FIELD_CLOCK("to", "\"18:00\"", "End; before the beginning: next day."),
    { .name = "utcOffsetMinutes",
      .types = SHAPE_INTEGER,
      .min = -OFFSET_MAX_MIN,
      .max = OFFSET_MAX_MIN,
      .fallback = "0",
      .about = "Local time minus UTC." },
    { 0 },
};

static int name_check(const struct shape_env *env, yyjson_mut_doc *doc,
                      yyjson_mut_val **value, struct shape_problem *why)
{
    (void)env;
    (void)why;
    detector_profile_settle(travel_profiles, doc, value);
    return 0;
}

const struct shape_field travel_fields[] = {
    { .name = "enabled",
      .types = SHAPE_BOOLEAN,
      .fallback = "true",
      .about = "Is it on?" },
    { .name = "profile",
      .types = SHAPE_STRING,
      .options = travel_profiles,
      .hidden = travel_spellings,
      .fallback = "\"STANDARD\"",
      .check = name_check,
      .about = "What holds where this object says nothing." },
    FIELD_NUMBER("maxSpeedKmH", 1, 100000, "Faster is impossible."),
    FIELD_NUMBER("timeWindowMinutes", 1, 10080,
                 "How long a place counts after it was last seen."),
    FIELD_NUMBER("minDistanceKm", 0, 20000, "Nearer places are one."),
    { .name = "allowCountries",
      .types = SHAPE_STRINGS,
      .len_min = 1,
      .len_max = REGION_MAX,
      .item_max = ROUTE_TEXT_MAX,
      .text = &text_area,
      .about = "Areas or countries outside of which nobody calls." },
    { .name = "knownRoutes",
      .types = SHAPE_OBJECTS,
      .len_max = TRAVEL_ROUTES_MAX,
      .fields = route_fields,
      .about = "Journeys at any speed that are not raised." },
    { .name = "businessHours",
      .types = SHAPE_OBJECT,
      .fields = hours_fields,
      .about = "When people travel: outside of it no journey is excused." },
    { 0 },
};

int travel_check(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_mut_val **value, struct shape_problem *why)
{
    yyjson_mut_val *profile, *region = NULL;
    if (yyjson_mut_is_str(*value)) {
        int rc = name_check(env, doc, value, why);
        if (rc) return rc;
        profile = *value;
    } else {
        profile = yyjson_mut_obj_get(*value, "profile");
        region = yyjson_mut_obj_get(*value, "allowCountries");
    }
    if (yyjson_mut_equals_str(profile, "REGIONAL") && !region)
        return shape_problem_set(why, NULL, "required",
                                 "needs allowCountries with profile REGIONAL");
    return 0;
}

/* --- typed --------------------------------------------------------------------- */

static int integer_of(const yyjson_val *v, const char *name, int64_t least,
                      int64_t most, uint32_t *io)
{
    int64_t n;
    yyjson_val *member = json_find(v, name);
    if (!member || yyjson_is_null(member)) return 0;
    if (!json_is_int(member, &n) || n < least || n > most) return ERR_CORRUPT;
    *io = (uint32_t)n;
    return 0;
}

static int region_decode(yyjson_val *list, struct travel *out)
{
    size_t i, max;
    yyjson_val *item;
    if (!list || yyjson_is_null(list)) return 0;
    if (!yyjson_is_arr(list)) return ERR_CORRUPT;
    yyjson_arr_foreach(
        list, i, max,
        item) if (area_set_add(&out->region,
                               json_text(item))) return ERR_CORRUPT;
    out->has_region = true;
    return 0;
}

static int routes_decode(yyjson_val *list, struct arena *a, struct travel *out)
{
    size_t i, max, n = yyjson_arr_size(list);
    yyjson_val *item;
    if (n == 0) return 0;
    if (n > TRAVEL_ROUTES_MAX) return ERR_CORRUPT;
    struct travel_route *routes = ARENA_ARRAY(a, struct travel_route, n);
    if (!routes) return ERR_NOMEM;
    yyjson_arr_foreach(list, i, max, item)
    {
        if (!end_parse(json_text(json_find(item, "from")), &routes[i].from) ||
            !end_parse(json_text(json_find(item, "to")), &routes[i].to))
            return ERR_CORRUPT;
    }
    out->routes = routes;
    out->routes_n = (uint8_t)n;
    return 0;
}

static int hours_decode(const yyjson_val *v, struct travel_hours *out)
{
    size_t i, max;
    int64_t offset = 0;
    yyjson_val *item, *list = json_find(v, "days");
    if (!v || yyjson_is_null((yyjson_val *)(uintptr_t)v)) return 0;
    int from = clock_parse(json_text(json_find(v, "from")));
    int to = clock_parse(json_text(json_find(v, "to")));
    if (from < 0 || to < 0) return ERR_CORRUPT;
    if (!list) out->days = WORKDAYS;
    yyjson_arr_foreach(list, i, max, item)
    {
        int day = day_of(json_text(item));
        if (day < 0) return ERR_CORRUPT;
        out->days |= (uint8_t)(1 << day);
    }
    if (json_is_int(json_find(v, "utcOffsetMinutes"), &offset) &&
        (offset < -OFFSET_MAX_MIN || offset > OFFSET_MAX_MIN))
        return ERR_CORRUPT;
    out->on = true;
    out->from_min = (uint16_t)from;
    out->to_min = (uint16_t)to;
    out->utc_offset_min = (int16_t)offset;
    return 0;
}

static int object_decode(const yyjson_val *v, struct arena *a,
                         struct travel *out)
{
    uint32_t window_min = out->window_s / 60;
    yyjson_val *enabled = json_find(v, "enabled");
    out->enabled = !yyjson_is_false(enabled);
    int rc = integer_of(v, "maxSpeedKmH", 1, 100000, &out->max_speed_kmh);
    if (rc == 0) rc = integer_of(v, "timeWindowMinutes", 1, 10080, &window_min);
    if (rc == 0)
        rc = integer_of(v, "minDistanceKm", 0, 20000, &out->min_distance_km);
    if (rc == 0) rc = region_decode(json_find(v, "allowCountries"), out);
    if (rc == 0) rc = routes_decode(json_find(v, "knownRoutes"), a, out);
    if (rc == 0) rc = hours_decode(json_find(v, "businessHours"), &out->hours);
    out->window_s = window_min * 60;
    return rc;
}

int travel_decode(const yyjson_val *v, struct arena *a, struct travel *out)
{
    yyjson_val *value = (yyjson_val *)(uintptr_t)v;
    memset(out, 0, sizeof *out);
    if (!v || yyjson_is_null(value)) return 0;
    const yyjson_val *name = yyjson_is_obj(value) ? json_find(v, "profile") : v;
    int profile = name ? detector_profile_of(travel_profiles, json_text(name))
                       : TRAVEL_STANDARD;
    if (profile < 0) return ERR_CORRUPT;
    const struct profile_row *row = &profile_rows[profile];
    out->enabled = true;
    out->profile = (enum travel_profile)profile;
    out->speed_action = row->speed_action;
    out->region_action = row->region_action;
    out->max_speed_kmh = row->speed_kmh;
    out->window_s = row->window_min * 60;
    out->min_distance_km = row->min_distance_km;
    return yyjson_is_obj(value) ? object_decode(v, a, out) : 0;
}
