/* GeoSentry: journeys that can be made and journeys that cannot. Time is a
 * parameter: minutes from a Monday, 10:00 UTC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/ensure.h"
#include "base/err.h"
#include "detect/travel.h"

#define TEST(f) cmocka_unit_test(f)
#define MONDAY_10 1732528800000 /* 2024-11-25T10:00:00Z */

static struct arena a;

enum { LHR, CDG, JFK, EZE, SYD, SIN, NRT, SFO, OXF, LAX, DEL, AMS, CITIES };

static const struct {
    const char *country;
    float latitude, longitude;
} cities[CITIES] = {
    [LHR] = { "GB", 51.470F, -0.454F },   [CDG] = { "FR", 49.010F, 2.548F },
    [JFK] = { "US", 40.640F, -73.779F },  [EZE] = { "AR", -34.822F, -58.536F },
    [SYD] = { "AU", -33.946F, 151.177F }, [SIN] = { "SG", 1.364F, 103.991F },
    [NRT] = { "JP", 35.772F, 140.393F },  [SFO] = { "US", 37.619F, -122.375F },
    [OXF] = { "GB", 51.752F, -1.258F },   [LAX] = { "US", 33.942F, -118.409F },
    [DEL] = { "IN", 28.556F, 77.100F },   [AMS] = { "NL", 52.311F, 4.768F },
};

static struct place place_of(int city, uint16_t radius_km)
{
    return (struct place){
        .country = country_of_code(sv_cstr(cities[city].country)),
        .latitude = cities[city].latitude,
        .longitude = cities[city].longitude,
        .radius_km = radius_km,
        .has_point = true,
        .asn = 64500,
    };
}

static struct travel policy_of(const char *json)
{
    struct travel t;
    yyjson_doc *doc;
    assert_int_equal(json_decode(sv_cstr(json), &a, &doc, NULL), 0);
    assert_int_equal(travel_decode(yyjson_doc_get_root(doc), &a, &t), 0);
    return t;
}

static struct travel_verdict ask_at(const struct travel *t,
                                    struct travel_state *st,
                                    const struct place *p, double wall_min,
                                    double node_min)
{
    struct travel_sample s = { p, MONDAY_10 + (int64_t)(wall_min * 60000),
                               MONDAY_10 + (int64_t)(node_min * 60000) };
    return travel_judge(t, &travel_networks_known, st, &s);
}

static struct travel_verdict ask(const struct travel *t,
                                 struct travel_state *st, int city,
                                 double minute)
{
    struct place p = place_of(city, 20);
    return ask_at(t, st, &p, minute, minute);
}

static void real_journeys_pass_and_impossible_ones_do_not(void **state)
{
    (void)state;
    static const char *const standard = "\"STANDARD\"", *const strict =
                                                            "\"STRICT\"";
    static const struct {
        const char *policy;
        int from, to;
        double minutes;
        enum detector_action action;
    } rows[] = {
        /* scheduled flights, gate to gate */
        { standard, LHR, JFK, 475, DETECTOR_ALLOW },
        { standard, LHR, CDG, 75, DETECTOR_ALLOW },
        { standard, LHR, AMS, 70, DETECTOR_ALLOW },
        { standard, SFO, LAX, 85, DETECTOR_ALLOW },
        { standard, LHR, SIN, 790, DETECTOR_ALLOW },
        { standard, LHR, EZE, 830, DETECTOR_ALLOW },
        { strict, LHR, JFK, 475, DETECTOR_ALLOW },
        { strict, LHR, CDG, 75, DETECTOR_ALLOW },
        { strict, SIN, LHR, 840, DETECTOR_ALLOW },
        { strict, SIN, SYD, 490, DETECTOR_ALLOW },
        { strict, LHR, EZE, 850, DETECTOR_ALLOW },
        { strict, SFO, NRT, 660, DETECTOR_ALLOW },
        /* by train, by car */
        { strict, LHR, OXF, 30, DETECTOR_ALLOW },
        { standard, LHR, OXF, 0, DETECTOR_ALLOW },
        /* not */
        { standard, LHR, EZE, 30, DETECTOR_CHALLENGE },
        { standard, EZE, LHR, 30, DETECTOR_CHALLENGE },
        { standard, LHR, JFK, 45, DETECTOR_CHALLENGE },
        { standard, LHR, CDG, 5, DETECTOR_CHALLENGE },
        { standard, LHR, SYD, 0, DETECTOR_CHALLENGE },
        { standard, NRT, SFO, 59, DETECTOR_CHALLENGE }, /* over the date line */
        { strict, LHR, EZE, 30, DETECTOR_BLOCK },
        { strict, LHR, SYD, 600, DETECTOR_BLOCK },
        { strict, LHR, JFK, 200, DETECTOR_BLOCK },
        { "\"PERMISSIVE\"", LHR, EZE, 30, DETECTOR_MONITOR },
        { "\"PERMISSIVE\"", LHR, CDG, 20, DETECTOR_ALLOW },
        /* behind the window nothing is known */
        { standard, LHR, EZE, 61, DETECTOR_ALLOW },
        { strict, LHR, EZE, 1441, DETECTOR_ALLOW },
        { "{\"enabled\":false}", LHR, EZE, 1, DETECTOR_ALLOW },
        { "{\"maxSpeedKmH\":40000}", LHR, EZE, 30, DETECTOR_ALLOW },
        { "{\"minDistanceKm\":500}", LHR, CDG, 1, DETECTOR_ALLOW },
        { "{\"timeWindowMinutes\":20}", LHR, EZE, 30, DETECTOR_ALLOW },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct travel t = policy_of(rows[i].policy);
        struct travel_state st = { 0 };
        assert_int_equal(ask(&t, &st, rows[i].from, 0).action, DETECTOR_ALLOW);
        struct travel_verdict v = ask(&t, &st, rows[i].to, rows[i].minutes);
        if (v.action != rows[i].action)
            fail_msg("row %zu: %d, %.0f km/h", i, (int)v.action, v.speed_kmh);
        assert_int_equal(v.reason, v.action ? TRAVEL_IMPOSSIBLE : TRAVEL_FINE);
    }
}

static void a_raise_shows_its_evidence(void **state)
{
    (void)state;
    struct travel t = policy_of("\"STANDARD\"");
    struct travel_state st = { 0 };
    struct place here = place_of(LHR, 20), there = place_of(EZE, 50);
    ask_at(&t, &st, &here, 0, 0);
    struct travel_verdict v = ask_at(&t, &st, &there, 30, 30);
    assert_int_equal(v.reason, TRAVEL_IMPOSSIBLE);
    assert_string_equal(travel_reason_name(v.reason), "impossible_travel");
    assert_float_equal(v.distance_km, 11100, 50);
    assert_float_equal(v.counted_km, v.distance_km - 71, 0.01);
    assert_float_equal(v.elapsed_s, 1801, 0.01);
    assert_float_equal(v.speed_kmh, v.counted_km / 1801 * 3600, 0.1);
    assert_float_equal(v.from.latitude, here.latitude, 0.005);
    assert_float_equal(v.to.longitude, there.longitude, 0.005);
    assert_int_equal(v.from.radius_km, 20);
    assert_int_equal(v.to.radius_km, 50);
    assert_int_equal(v.from.country, here.country);
    assert_int_equal(v.to.at_ms - v.from.at_ms, 30 * 60000);
    assert_false(v.again);
}

static void distances_are_those_of_the_globe(void **state)
{
    (void)state;
    assert_float_equal(travel_distance_km(51.47, -0.454, 40.64, -73.779), 5540,
                       10);
    assert_float_equal(travel_distance_km(0, 0, 0, 180), 20015, 1);
    assert_float_equal(travel_distance_km(90, 0, -90, 77), 20015, 1);
    assert_float_equal(travel_distance_km(0, 179.5, 0, -179.5), 111.2, 0.1);
    assert_float_equal(travel_distance_km(12, 34, 12, 34), 0, 1e-9);
}

static void overlapping_radii_never_raise(void **state)
{
    (void)state;
    struct travel t = policy_of("{\"profile\":\"STRICT\",\"minDistanceKm\":0,"
                                "\"maxSpeedKmH\":1}");
    for (int from = 0; from < CITIES; from++)
        for (int to = 0; to < CITIES; to++) {
            struct travel_state st = { 0 };
            double d = travel_distance_km(
                cities[from].latitude, cities[from].longitude,
                cities[to].latitude, cities[to].longitude);
            uint16_t half = (uint16_t)(d / 2 + 1);
            struct place p = place_of(from, half), q = place_of(to, half);
            ask_at(&t, &st, &p, 0, 0);
            assert_int_equal(ask_at(&t, &st, &q, 0, 0).action, DETECTOR_ALLOW);
        }
}

static void clock_steps_and_late_telemetry_never_raise(void **state)
{
    (void)state;
    struct travel t = policy_of("\"STRICT\"");
    static const struct {
        double wall, node; /* of the second, in minutes; the first is 0, 0 */
    } rows[] = {
        { 5, 850 }, /* a flight while the clock was set back by 14 hours */
        { 850, 850 }, { -300, 1 },   { -5, 0 },     { -0.1, 0 },
        { -5, 20 },   { 100000, 1 }, { 1000, 0 },   { -1e5, 5 },
        { 830, -10 }, { -1, -1 },    { 0.5, -0.1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct travel_state st = { 0 };
        struct place here = place_of(LHR, 20), there = place_of(EZE, 20);
        ask_at(&t, &st, &here, 0, 0);
        if (ask_at(&t, &st, &there, rows[i].wall, rows[i].node).action)
            fail_msg("row %zu", i);
    }
    /* after a step back the subject is not blind for as long */
    struct travel_state st = { 0 };
    ask(&t, &st, LHR, 500);
    struct place here = place_of(LHR, 20), there = place_of(EZE, 20);
    assert_int_equal(ask_at(&t, &st, &here, 0, 501).action, DETECTOR_ALLOW);
    assert_int_equal(ask_at(&t, &st, &there, 5, 506).action, DETECTOR_BLOCK);
}

/* Whatever the clocks do, a subject that stays at one place is never raised;
 * and samples in any order of a journey that can be made are not either. */
static void a_possible_life_is_never_raised(void **state)
{
    (void)state;
    uint64_t seed = 4711;
    struct travel t = policy_of("\"STRICT\"");
    for (int life = 0; life < 200; life++) {
        struct travel_state st = { 0 };
        double real = 0, offset = 0;
        int at = LHR;
        for (int i = 0; i < 300; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            unsigned r = (unsigned)(seed >> 40);
            if (r % 41 == 0) offset = (double)((int)(r >> 8) % 3000 - 1500);
            if (r % 29 == 0) {
                int to = (int)(r >> 6) % CITIES;
                double km = travel_distance_km(
                    cities[at].latitude, cities[at].longitude,
                    cities[to].latitude, cities[to].longitude);
                real += km / 790 * 60; /* below the policy's 800 */
                at = to;
            }
            real += r % 7;
            double late = r % 5 == 0 ? (r >> 4) % 5 : 0;
            struct place p = place_of(at, 20);
            if (ask_at(&t, &st, &p, real + offset - late, real).action)
                fail_msg("life %d, sample %d", life, i);
        }
    }
}

static void proxies_anycast_and_mobile_gateways_do_not_raise(void **state)
{
    (void)state;
    struct travel t = policy_of("\"STRICT\"");
    struct place here = place_of(LHR, 20), relay = place_of(EZE, 20);
    for (size_t i = 0; i < travel_networks_known.n; i++) {
        struct travel_state st = { 0 };
        relay.asn = travel_networks_known.asn[i];
        if (i) assert_true(relay.asn > travel_networks_known.asn[i - 1]);
        ask_at(&t, &st, &here, 0, 0);
        assert_int_equal(ask_at(&t, &st, &relay, 1, 1).action, DETECTOR_ALLOW);
        /* nor is their place believed */
        assert_int_equal(ask_at(&t, &st, &here, 2, 2).action, DETECTOR_ALLOW);
    }
    struct travel_state st = { 0 };
    relay.asn = 64500;
    relay.anycast = true;
    ask_at(&t, &st, &here, 0, 0);
    assert_int_equal(ask_at(&t, &st, &relay, 1, 1).action, DETECTOR_ALLOW);
    relay.anycast = false;
    assert_int_equal(ask_at(&t, &st, &relay, 2, 2).action, DETECTOR_BLOCK);
}

static void without_a_point_nothing_is_judged(void **state)
{
    (void)state;
    struct travel t = policy_of("\"STRICT\"");
    struct travel_state st = { 0 };
    struct place only_country = { .country = country_of_code(SV("AR")) };
    ask(&t, &st, LHR, 0);
    assert_int_equal(ask_at(&t, &st, NULL, 1, 1).action, DETECTOR_ALLOW);
    assert_int_equal(ask_at(&t, &st, &only_country, 1, 1).action,
                     DETECTOR_ALLOW);
}

static void a_challenge_holds_the_new_place_and_ends_when_verified(void **state)
{
    (void)state;
    struct travel t = policy_of("\"STANDARD\"");
    struct travel_state st = { 0 };
    ask(&t, &st, LHR, 0);
    assert_int_equal(ask(&t, &st, EZE, 10).reason, TRAVEL_IMPOSSIBLE);
    struct travel_verdict v = ask(&t, &st, EZE, 11);
    assert_int_equal(v.action, DETECTOR_CHALLENGE);
    assert_int_equal(v.reason, TRAVEL_HELD);
    assert_true(v.again);
    /* who was there before goes on */
    assert_int_equal(ask(&t, &st, LHR, 12).action, DETECTOR_ALLOW);
    assert_int_equal(ask(&t, &st, OXF, 13).action, DETECTOR_ALLOW);
    /* also behind the window the place stays held, but not for ever */
    assert_int_equal(ask(&t, &st, EZE, 300).action, DETECTOR_CHALLENGE);
    struct travel_state later = st;
    assert_int_equal(ask(&t, &later, EZE, 10 + 1441).action, DETECTOR_ALLOW);
    travel_clear(&st, MONDAY_10 + 301 * 60000, MONDAY_10 + 301 * 60000);
    assert_int_equal(ask(&t, &st, EZE, 302).action, DETECTOR_ALLOW);
    /* both places are believed now, beside each other */
    assert_int_equal(ask(&t, &st, LHR, 303).action, DETECTOR_ALLOW);
    assert_int_equal(ask(&t, &st, EZE, 304).action, DETECTOR_ALLOW);
    /* a third is not */
    assert_int_equal(ask(&t, &st, SYD, 305).action, DETECTOR_CHALLENGE);
}

static void strict_blocks_the_subject_until_it_is_cleared(void **state)
{
    (void)state;
    struct travel t = policy_of("\"STRICT\""), mild = policy_of("\"STANDARD\"");
    struct travel_state st = { 0 };
    ask(&t, &st, LHR, 0);
    assert_int_equal(ask(&t, &st, EZE, 10).action, DETECTOR_BLOCK);
    assert_int_equal(ask(&t, &st, LHR, 11).action, DETECTOR_BLOCK);
    assert_int_equal(ask_at(&t, &st, NULL, 12, 12).action, DETECTOR_BLOCK);
    assert_int_equal(ask(&t, &st, LHR, 1e5).reason, TRAVEL_HELD);
    /* a milder profile does not keep what it would not have done */
    struct travel_state other = st;
    assert_int_equal(ask(&mild, &other, LHR, 13).action, DETECTOR_ALLOW);
    travel_clear(&st, MONDAY_10 + 14 * 60000, MONDAY_10 + 14 * 60000);
    assert_int_equal(ask(&t, &st, EZE, 15).action, DETECTOR_ALLOW);
    assert_int_equal(ask(&t, &st, LHR, 16).action, DETECTOR_ALLOW);
    travel_clear(&st, 0, 0); /* nothing held: nothing happens */
    assert_int_equal(ask(&t, &st, LHR, 17).action, DETECTOR_ALLOW);
}

static void permissive_notes_and_believes(void **state)
{
    (void)state;
    struct travel t = policy_of("\"PERMISSIVE\"");
    struct travel_state st = { 0 };
    ask(&t, &st, LHR, 0);
    struct travel_verdict v = ask(&t, &st, EZE, 5);
    assert_int_equal(v.action, DETECTOR_MONITOR);
    assert_false(v.again);
    v = ask(&t, &st, EZE, 6);
    assert_int_equal(v.action, DETECTOR_MONITOR); /* London is still near */
    assert_true(v.again);
    assert_int_equal(ask(&t, &st, EZE, 400).action, DETECTOR_ALLOW);
}

static void a_region_refuses_who_is_outside(void **state)
{
    (void)state;
    struct travel t = policy_of(
        "{\"profile\":\"REGIONAL\",\"allowCountries\":[\"EU\",\"GB\"]}");
    struct travel_state st = { 0 };
    struct place unknown = place_of(LHR, 20);
    assert_int_equal(ask(&t, &st, CDG, 0).action, DETECTOR_ALLOW);
    struct travel_verdict v = ask(&t, &st, JFK, 600);
    assert_int_equal(v.action, DETECTOR_BLOCK);
    assert_int_equal(v.reason, TRAVEL_OUTSIDE_REGION);
    assert_int_equal(v.to.country, country_of_code(SV("US")));
    /* it was that request alone */
    assert_int_equal(ask(&t, &st, CDG, 601).action, DETECTOR_ALLOW);
    assert_int_equal(ask(&t, &st, LHR, 602).action, DETECTOR_CHALLENGE);
    unknown.country = 0;
    unknown.has_point = false;
    assert_int_equal(ask_at(&t, &st, &unknown, 700, 700).action,
                     DETECTOR_ALLOW);
    struct travel mild =
        policy_of("{\"profile\":\"permissive\",\"allowCountries\":[\"EU\"]}");
    assert_int_equal(ask(&mild, &st, JFK, 900).action, DETECTOR_MONITOR);
}

static void known_routes_are_not_raised(void **state)
{
    (void)state;
    struct travel t =
        policy_of("{\"profile\":\"CUSTOM_BUSINESS\",\"maxSpeedKmH\":900,"
                  "\"knownRoutes\":[{\"from\":\"GB\",\"to\":\"US,IN\"},"
                  "{\"from\":\"51.4,-0.4,80\",\"to\":\"-33.9, 151.2\"}]}");
    static const struct {
        int from, to;
        enum detector_action action;
    } rows[] = {
        { LHR, JFK, DETECTOR_ALLOW },     { JFK, LHR, DETECTOR_ALLOW },
        { OXF, SFO, DETECTOR_ALLOW },     { LHR, DEL, DETECTOR_ALLOW },
        { LHR, SYD, DETECTOR_ALLOW },     { SYD, LHR, DETECTOR_ALLOW },
        { JFK, DEL, DETECTOR_CHALLENGE }, { CDG, JFK, DETECTOR_CHALLENGE },
        { LHR, SIN, DETECTOR_CHALLENGE }, { JFK, SYD, DETECTOR_CHALLENGE },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct travel_state st = { 0 };
        ask(&t, &st, rows[i].from, 0);
        if (ask(&t, &st, rows[i].to, 2).action != rows[i].action)
            fail_msg("row %zu", i);
    }
}

static void outside_business_hours_no_journey_is_excused(void **state)
{
    (void)state;
    struct travel t =
        policy_of("{\"profile\":\"CUSTOM_BUSINESS\",\"timeWindowMinutes\":600,"
                  "\"knownRoutes\":[{\"from\":\"GB\",\"to\":\"US\"}],"
                  "\"businessHours\":{\"from\":\"09:00\",\"to\":\"17:30\"}}");
    static const struct {
        const char *what;
        int from, to;
        double depart, minutes; /* from Monday, 10:00 */
        enum travel_reason reason;
    } rows[] = {
        { "a known route by day", LHR, JFK, 0, 5, TRAVEL_FINE },
        { "a flight by day", LHR, CDG, 0, 75, TRAVEL_FINE },
        { "too fast by day", LHR, CDG, 0, 5, TRAVEL_IMPOSSIBLE },
        { "a known route by night", LHR, JFK, 600, 5, TRAVEL_IMPOSSIBLE },
        { "a flight by night", LHR, CDG, 600, 75, TRAVEL_OUTSIDE_HOURS },
        { "staying by night", LHR, OXF, 600, 75, TRAVEL_FINE },
        { "a flight on Sunday", LHR, CDG, 6 * 1440, 75, TRAVEL_OUTSIDE_HOURS },
        { "a flight on Friday", LHR, CDG, 4 * 1440, 75, TRAVEL_FINE },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct travel_state st = { 0 };
        ask(&t, &st, rows[i].from, rows[i].depart);
        struct travel_verdict v =
            ask(&t, &st, rows[i].to, rows[i].depart + rows[i].minutes);
        if (v.reason != rows[i].reason)
            fail_msg("%s: %s", rows[i].what, travel_reason_name(v.reason));
    }
    /* over midnight, in another zone: Monday 10:00 UTC is 20:00 in Sydney */
    struct travel night =
        policy_of("{\"profile\":\"CUSTOM_BUSINESS\",\"timeWindowMinutes\":600,"
                  "\"businessHours\":{\"days\":[\"mon\"],\"from\":\"19:00\","
                  "\"to\":\"03:00\",\"utcOffsetMinutes\":600}}");
    for (int hour = 0; hour < 24; hour++) {
        struct travel_state st = { 0 };
        ask(&night, &st, LHR, hour * 60 - 120);
        enum travel_reason r = ask(&night, &st, CDG, hour * 60).reason;
        assert_int_equal(r, hour < 7 ? TRAVEL_FINE : TRAVEL_OUTSIDE_HOURS);
    }
}

/* --- configuration ------------------------------------------------------------- */

static const struct shape_field fields[] = {
    { .name = "geoSentry",
      .types = SHAPE_STRING | SHAPE_OBJECT,
      .options = travel_profiles,
      .hidden = travel_spellings,
      .fields = travel_fields,
      .check = travel_check },
    { 0 },
};
static const struct shape shape = { .name = "Test", .fields = fields };

static void configuration_is_read_in_both_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int profile; /* -1: refused */
        const char *field;
    } rows[] = {
        { "\"PERMISSIVE\"", TRAVEL_PERMISSIVE, NULL },
        { "\"Standard\"", TRAVEL_STANDARD, NULL },
        { "\"strict\"", TRAVEL_STRICT, NULL },
        { "\"CustomBusiness\"", TRAVEL_CUSTOM_BUSINESS, NULL },
        { "\"Custom_Business\"", TRAVEL_CUSTOM_BUSINESS, NULL },
        { "{}", TRAVEL_STANDARD, NULL },
        { "{\"profile\":\"Regional\",\"allowCountries\":[\"US\"]}",
          TRAVEL_REGIONAL, NULL },
        { "{\"knownRoutes\":[{\"from\":\"US\",\"to\":\"1,2\"}]}",
          TRAVEL_STANDARD, NULL },
        { "{\"businessHours\":{}}", TRAVEL_STANDARD, NULL },
        { "\"REGIONAL\"", -1, "geoSentry" },
        { "{\"profile\":\"REGIONAL\"}", -1, "geoSentry" },
        { "\"LOOSE\"", -1, "geoSentry" },
        { "{\"profile\":\"LOOSE\"}", -1, "geoSentry.profile" },
        { "{\"maxSpeed\":1}", -1, "geoSentry.maxSpeed" },
        { "{\"maxSpeedKmH\":0}", -1, "geoSentry.maxSpeedKmH" },
        { "{\"allowCountries\":[\"XX\"]}", -1, "geoSentry.allowCountries[0]" },
        { "{\"knownRoutes\":[{\"from\":\"US\"}]}", -1,
          "geoSentry.knownRoutes[0].to" },
        { "{\"knownRoutes\":[{\"from\":\"US\",\"to\":\"91,2\"}]}", -1,
          "geoSentry.knownRoutes[0].to" },
        { "{\"knownRoutes\":[{\"from\":\"1,2,0\",\"to\":\"US\"}]}", -1,
          "geoSentry.knownRoutes[0].from" },
        { "{\"businessHours\":{\"from\":\"9:00\"}}", -1,
          "geoSentry.businessHours.from" },
        { "{\"businessHours\":{\"to\":\"24:01\"}}", -1,
          "geoSentry.businessHours.to" },
        { "{\"businessHours\":{\"days\":[\"Montag\"]}}", -1,
          "geoSentry.businessHours.days[0]" },
    };
    struct shape_env env = { .arena = &a, .role = ROLE_ADMIN };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shape_problem why = { 0 };
        struct sv text = arena_printf(&a, "{\"geoSentry\":%s}", rows[i].text);
        yyjson_doc *in, *again;
        yyjson_mut_doc *out;
        struct travel t;
        assert_int_equal(json_decode(text, &a, &in, NULL), 0);
        int rc =
            shape_create(&shape, &env, yyjson_doc_get_root(in), &out, &why);
        if ((rc == 0) != (rows[i].profile >= 0))
            fail_msg("%s: %s", rows[i].text, why.message);
        if (rc) {
            assert_string_equal(why.field, rows[i].field);
            continue;
        }
        text = json_encode(&a, yyjson_mut_doc_get_root(out));
        assert_int_equal(json_decode(text, &a, &again, NULL), 0);
        const yyjson_val *v =
            json_find(yyjson_doc_get_root(again), "geoSentry");
        assert_int_equal(travel_decode(v, &a, &t), 0);
        assert_int_equal(t.profile, rows[i].profile);
        assert_true(t.enabled);
    }
    struct travel none;
    assert_int_equal(travel_decode(NULL, &a, &none), 0);
    assert_false(none.enabled);
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&a, 1 << 24, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(real_journeys_pass_and_impossible_ones_do_not),
        TEST(a_raise_shows_its_evidence),
        TEST(distances_are_those_of_the_globe),
        TEST(overlapping_radii_never_raise),
        TEST(clock_steps_and_late_telemetry_never_raise),
        TEST(a_possible_life_is_never_raised),
        TEST(proxies_anycast_and_mobile_gateways_do_not_raise),
        TEST(without_a_point_nothing_is_judged),
        TEST(a_challenge_holds_the_new_place_and_ends_when_verified),
        TEST(strict_blocks_the_subject_until_it_is_cleared),
        TEST(permissive_notes_and_believes),
        TEST(a_region_refuses_who_is_outside),
        TEST(known_routes_are_not_raised),
        TEST(outside_business_hours_no_journey_is_excused),
        TEST(configuration_is_read_in_both_spellings),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
