/* GeoSentry as a value (detectors.md §3): member `geoSentry` of an abuse
 * profile, a profile's name or
 *
 *   {enabled, profile, maxSpeedKmH, timeWindowMinutes, minDistanceKm,
 *    allowCountries: [area…],
 *    knownRoutes: [{from, to}…],        an area, or "latitude,longitude[,km]"
 *    businessHours: {days: ["mon"…], from: "08:00", to: "18:00",
 *                    utcOffsetMinutes}}
 *
 * What is not said is the profile's. docs/decisions/0025 has the reasons. */
#ifndef MODEL_TRAVEL_H
#define MODEL_TRAVEL_H

#include "base/arena.h"
#include "model/area.h"
#include "model/detector.h"
#include "model/shape.h"

enum { TRAVEL_ROUTES_MAX = 50 };

enum travel_profile {
    TRAVEL_PERMISSIVE,
    TRAVEL_STANDARD,
    TRAVEL_STRICT,
    TRAVEL_REGIONAL,
    TRAVEL_CUSTOM_BUSINESS,
    TRAVEL_PROFILES
};

struct travel_end { /* of a known route */
    bool is_point;
    float latitude, longitude;
    uint16_t radius_km;
    struct area_set areas;
};

struct travel_route { /* holds in both directions */
    struct travel_end from, to;
};

struct travel_hours {
    bool on;
    uint8_t days;               /* bit 0 Monday … bit 6 Sunday */
    uint16_t from_min, to_min;  /* of the local day; to < from: over midnight */
    int16_t utc_offset_min;
};

struct travel {
    bool enabled;
    enum travel_profile profile;
    enum detector_action speed_action;  /* too fast, or outside the hours */
    enum detector_action region_action; /* outside allowCountries */
    uint32_t max_speed_kmh, window_s, min_distance_km;
    bool has_region;
    struct area_set region;
    const struct travel_route *routes; /* in the arena */
    uint8_t routes_n;
    struct travel_hours hours;
};

/* Row: .types = SHAPE_STRING | SHAPE_OBJECT, .options = travel_profiles,
 * .hidden = travel_spellings, .fields = travel_fields, .check = travel_check */
extern const char *const travel_profiles[], *const travel_spellings[];
extern const struct shape_field travel_fields[];
int travel_check(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_mut_val **value, struct shape_problem *why);

/* The canonical value; NULL or null: not enabled. ERR_CORRUPT, ERR_NOMEM. */
int travel_decode(const yyjson_val *v, struct arena *a, struct travel *out);

#endif
