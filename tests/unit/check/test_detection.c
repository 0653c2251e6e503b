/* Steps TRAVEL and ANOMALY: journeys and weeks as rows of data, through both
 * doors, over location data that the test writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "check/check.h"
#include "check/tracked.h"
#include "check/where.h"
#include "mmdb_writer.h"

#define LONDON "192.0.2.7"
#define PARIS "203.0.113.9"
#define BUENOS_AIRES "198.51.100.1"
#define SOMEWHERE "100.64.0.1" /* in a radius of half the world */
#define ANYCAST "100.65.0.1"   /* of Cloudflare */
#define COUNTRY_ONLY "100.66.0.1"
#define NOWHERE "10.0.0.1"
#define APP_ID "app_01M852V1HJX1J0S2KCZPRS5W5B"
#define ACCOUNT_ID "acc_01M852V1HJX1J0S2KCZPRS5W5B"

static const int64_t START_MS = 1790000000000;

static struct {
    struct place_root root;
    struct check_env env;
    struct plan_app app;
    struct arena image, arena;
    struct exchange x;
    int64_t wall_ms, node_ms;
} w;

static int64_t wall_ms(void)
{
    return w.wall_ms;
}

static int64_t node_ms(void)
{
    return w.node_ms;
}

static struct place_data *data_make(void)
{
    static const struct {
        const char *network;
        struct mmdb_place place;
    } places[] = {
        { "192.0.2.0/24", { "GB", true, 51.51, -0.13, 20, 0, false } },
        { "203.0.113.0/24", { "FR", true, 48.86, 2.35, 20, 0, false } },
        { "198.51.100.0/24", { "AR", true, -34.6, -58.38, 20, 0, false } },
        { "100.64.0.0/16", { "US", true, 38, -97, 12000, 0, false } },
        { "100.65.0.0/16", { "US", true, 38, -97, 20, 13335, false } },
        { "100.66.0.0/16", { "BR", false, 0, 0, 0, 0, false } },
    };
    char path[64];
    const char *paths[] = { path };
    struct mmdb_writer m;
    struct buf bytes;
    struct place_data *data;
    struct place_why why;
    mmdb_init(&m, MMDB_FLAT, 24, false);
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        mmdb_add(&m, places[i].network, &places[i].place);
    buf_init(&bytes, 1 << 20);
    mmdb_encode(&m, &bytes);
    mmdb_file(&bytes, path);
    assert_int_equal(place_data_open(paths, 1, &data, &why), 0);
    unlink(path);
    buf_fini(&bytes);
    mmdb_fini(&m);
    return data;
}

static void world_begin(const char *profile, bool data)
{
    char doc[1024];
    struct plan_problem why;
    const void *abuse;
    struct detection_conf conf = {
        .subjects = 1024,
        .travel_bytes = sizeof(struct travel_state),
        .anomaly_bytes = sizeof(struct anomaly_state),
        .learnt_bytes = sizeof(struct anomaly_learnt),
    };
    memset(&w, 0, sizeof w);
    w.wall_ms = w.node_ms = START_MS;
    arena_init(&w.image, 1 << 20, NULL, 0);
    arena_init(&w.arena, 1 << 20, NULL, 0);
    int n = snprintf(doc, sizeof doc,
                     "{\"id\":\"abuse_01M852V1HJX1J0S2KCZPRS5W5B\","
                     "\"account_id\":\"" ACCOUNT_ID "\",\"name\":\"a\",%s}",
                     profile);
    assert_int_equal(
        plan_abuse_type.build(sv_of(doc, (size_t)n), &w.image, &abuse, &why),
        0);
    w.app.abuse = abuse;
    w.app.tracked = true;
    w.app.app.id = SV(APP_ID);
    w.app.app.account_id = SV(ACCOUNT_ID);
    place_root_swap(&w.root, data ? data_make() : NULL);
    w.env = (struct check_env){ .wall_ms = wall_ms,
                                .node_ms = node_ms,
                                .places = &w.root,
                                .place_lanes = place_lanes_new(1) };
    detection_new(&w.env.detection, &conf);
}

static void world_end(void)
{
    detection_free(&w.env.detection);
    place_lanes_free(&w.env.place_lanes, 1);
    place_root_swap(&w.root, NULL);
    while (epoch_reclaim()) {}
    arena_fini(&w.image);
    arena_fini(&w.arena);
}

static void exchange_begin(enum door door, const char *client)
{
    arena_reset(&w.arena);
    w.x = (struct exchange){ .env = &w.env,
                             .door = door,
                             .plan = &w.app,
                             .arena = &w.arena,
                             .wall_ms = w.wall_ms,
                             .has_token = true,
                             .token.id = { 7, 1 } };
    w.x.has_client = client && !ip_parse(sv_cstr(client), &w.x.client);
}

/* --- journeys -------------------------------------------------------------------- */

struct leg {
    const char *from;   /* NULL: the end */
    int after_min;      /* what passes before it, on both clocks */
    int wall_step_min;  /* and a step of the wall clock alone */
    int sent_min;       /* telemetry's timestamp, against the wall clock */
    enum reason reason; /* NONE: it passes */
    bool found;
};

enum { LEGS = 6 };
static const struct journey {
    const char *says, *profile;
    struct leg legs[LEGS];
} journeys[] = {
#define STANDARD "\"geoSentry\":\"STANDARD\""
    { "a flight from London to Buenos Aires in fourteen hours",
      STANDARD,
      { { LONDON }, { BUENOS_AIRES, 14 * 60 } } },
    { "a train from London to Paris",
      STANDARD,
      { { LONDON }, { PARIS, 140 }, { LONDON, 140 } } },
    { "London and Buenos Aires within half an hour: challenged, and known "
      "places go on",
      STANDARD,
      { { LONDON },
        { BUENOS_AIRES, 30, 0, 0, REASON_CHALLENGE_REQUIRED, true },
        { LONDON, 1 },
        { BUENOS_AIRES, 1, 0, 0, REASON_CHALLENGE_REQUIRED },
        { PARIS, 200 } } },
    { "a challenge that nobody takes ends with its day",
      STANDARD,
      { { LONDON },
        { BUENOS_AIRES, 30, 0, 0, REASON_CHALLENGE_REQUIRED, true },
        { BUENOS_AIRES, 25 * 60 } } },
    { "radii that overlap",
      STANDARD,
      { { LONDON }, { SOMEWHERE, 1 }, { LONDON, 1 }, { PARIS, 60 } } },
    { "an anycast network neither judges nor is remembered",
      STANDARD,
      { { LONDON }, { ANYCAST, 1 }, { LONDON, 1 } } },
    { "addresses that nobody knows, and none",
      STANDARD,
      { { LONDON }, { NOWHERE, 1 }, { "", 1 }, { LONDON, 1 } } },
    { "the wall clock is set back and forth",
      STANDARD,
      { { LONDON },
        { BUENOS_AIRES, 14 * 60, -24 * 60 },
        { LONDON, 14 * 60, 48 * 60 },
        { BUENOS_AIRES, 1, -48 * 60 },
        { LONDON, 1, 0, 0, REASON_CHALLENGE_REQUIRED, true } } },
    { "telemetry that comes out of order",
      STANDARD,
      { { LONDON }, { BUENOS_AIRES, 0, 0, -4 }, { LONDON, 1 } } },
    { "PERMISSIVE notes",
      "\"geoSentry\":\"PERMISSIVE\"",
      { { LONDON },
        { BUENOS_AIRES, 30, 0, 0, REASON_NONE, true },
        { LONDON, 30 },
        { BUENOS_AIRES, 14 * 60 } } },
    { "STRICT blocks everywhere, and a day changes nothing",
      "\"geoSentry\":\"STRICT\"",
      { { LONDON },
        { BUENOS_AIRES, 30, 0, 0, REASON_IMPOSSIBLE_TRAVEL, true },
        { LONDON, 30, 0, 0, REASON_IMPOSSIBLE_TRAVEL },
        { NOWHERE, 48 * 60, 0, 0, REASON_IMPOSSIBLE_TRAVEL },
        { "", 1, 0, 0, REASON_IMPOSSIBLE_TRAVEL } } },
    { "REGIONAL blocks outside the region, and nobody back in it",
      "\"geoSentry\":{\"profile\":\"REGIONAL\",\"allowCountries\":[\"GB\","
      "\"FR\"]}",
      { { LONDON },
        { BUENOS_AIRES, 14 * 60, 0, 0, REASON_IMPOSSIBLE_TRAVEL, true },
        { BUENOS_AIRES, 1, 0, 0, REASON_IMPOSSIBLE_TRAVEL },
        { LONDON, 1 },
        { COUNTRY_ONLY, 1, 0, 0, REASON_IMPOSSIBLE_TRAVEL } } },
    { "STANDARD challenges outside its region; a country without a point is "
      "refused",
      "\"geoSentry\":{\"profile\":\"STANDARD\",\"allowCountries\":[\"GB\"]}",
      { { LONDON },
        { BUENOS_AIRES, 14 * 60, 0, 0, REASON_CHALLENGE_REQUIRED, true },
        { BUENOS_AIRES, 1, 0, 0, REASON_CHALLENGE_REQUIRED },
        { LONDON, 1 },
        { COUNTRY_ONLY, 1, 0, 0, REASON_IMPOSSIBLE_TRAVEL } } },
    { "CUSTOM_BUSINESS: an own route in both directions",
      "\"geoSentry\":{\"profile\":\"CUSTOM_BUSINESS\",\"knownRoutes\":"
      "[{\"from\":\"GB\",\"to\":\"AR\"}]}",
      { { LONDON },
        { BUENOS_AIRES, 30 },
        { LONDON, 30 },
        { PARIS, 5, 0, 0, REASON_CHALLENGE_REQUIRED, true } } },
    { "anomaly profile Regional with GeoSentry's region, GeoSentry off",
      "\"geoSentry\":{\"enabled\":false,\"allowCountries\":[\"GB\"]},"
      "\"anomalyDetection\":\"Regional\"",
      { { LONDON },
        { BUENOS_AIRES, 1, 0, 0, REASON_IMPOSSIBLE_TRAVEL, true },
        { LONDON, 1 } } },
};

static enum verdict travel(enum door door, const struct leg *leg)
{
    w.wall_ms += (leg->after_min + leg->wall_step_min) * 60000ll;
    w.node_ms += leg->after_min * 60000ll;
    exchange_begin(door, leg->from[0] ? leg->from : NULL);
    if (door == DOOR_VERIFY || leg->sent_min)
        w.x.sent_ms = w.wall_ms + leg->sent_min * 60000ll;
    return check_travel(&w.x);
}

static void a_journey_is_judged_by_its_profile(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(journeys); i++) {
        const struct journey *j = &journeys[i / 2];
        enum door door = i % 2 ? DOOR_VERIFY : DOOR_PROXY;
        print_message("# %s\n", j->says);
        world_begin(j->profile, true);
        for (int l = 0; l < LEGS && j->legs[l].from; l++) {
            const struct leg *leg = &j->legs[l];
            enum verdict v = travel(door, leg);
            if (w.x.reason != leg->reason)
                fail_msg("leg %d: %d, not %d", l, w.x.reason, leg->reason);
            assert_int_equal(v, leg->reason ? VERDICT_DENY : VERDICT_PASS);
            assert_int_equal(w.x.findings ? w.x.findings->n : 0, leg->found);
        }
        world_end();
    }
}

/* --- what is held ------------------------------------------------------------------ */

static const struct leg in_london = { .from = LONDON },
                        far_away = { .from = BUENOS_AIRES, .after_min = 30 },
                        again = { .from = BUENOS_AIRES, .after_min = 1 };

static void a_challenge_is_told_once_with_its_evidence(void **state)
{
    struct hold h, none;
    (void)state;
    world_begin(STANDARD, true);
    travel(DOOR_PROXY, &in_london);
    assert_int_equal(travel(DOOR_PROXY, &far_away), VERDICT_DENY);
    struct id named = w.x.challenge;
    assert_true(holds_take(w.env.detection->holds, &h));
    struct id id = id_make(KIND_CHALLENGE, &h.id);
    assert_string_equal(id.text, named.text);
    assert_int_equal(h.action, DETECTOR_CHALLENGE);
    assert_string_equal(h.app_id.text, APP_ID);
    assert_int_equal(h.ends_ms, w.wall_ms + TRAVEL_CHALLENGE_S * 1000ll);
    yyjson_doc *doc = yyjson_read(h.evidence, h.evidence_n, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "reason")),
                        "impossible_travel");
    assert_string_equal(
        yyjson_get_str(yyjson_obj_get(yyjson_obj_get(root, "to"), "country")),
        "AR");
    assert_true(yyjson_get_num(yyjson_obj_get(root, "distanceKm")) > 11000);
    assert_true(yyjson_get_num(yyjson_obj_get(root, "speedKmH")) > 20000);
    yyjson_doc_free(doc);
    /* the refusals behind it name it, and tell nobody */
    assert_int_equal(travel(DOOR_VERIFY, &again), VERDICT_DENY);
    assert_string_equal(w.x.challenge.text, named.text);
    assert_null(w.x.findings);
    assert_false(holds_take(w.env.detection->holds, &none));
    world_end();
}

static void what_no_queue_had_room_for_is_told_by_the_next_refusal(void **state)
{
    struct hold h = { .detector = HOLD_TRAVEL };
    struct detection *d;
    (void)state;
    world_begin(STANDARD, true);
    d = w.env.detection;
    while (holds_put(d->holds, &h)) {}
    travel(DOOR_PROXY, &in_london);
    assert_int_equal(travel(DOOR_PROXY, &far_away), VERDICT_DENY);
    while (holds_take(d->holds, &h)) {}
    assert_int_equal(travel(DOOR_PROXY, &again), VERDICT_DENY);
    assert_true(holds_take(d->holds, &h));
    struct id id = id_make(KIND_CHALLENGE, &h.id);
    assert_string_equal(id.text, w.x.challenge.text);
    world_end();
}

static void a_look_changes_nothing(void **state)
{
    struct hold h;
    (void)state;
    world_begin(STANDARD, true);
    travel(DOOR_VERIFY, &in_london);
    w.node_ms += 60000, w.wall_ms += 60000;
    for (int i = 0; i < 2; i++) {
        exchange_begin(DOOR_VERIFY, BUENOS_AIRES);
        w.x.peek = true;
        assert_int_equal(check_travel(&w.x), VERDICT_DENY);
        assert_int_equal(w.x.reason, REASON_CHALLENGE_REQUIRED);
    }
    assert_false(holds_take(w.env.detection->holds, &h));
    struct tracks_stats stats;
    tracks_stats(w.env.detection->travel, &stats);
    assert_int_equal(stats.used, 1);
    world_end();
}

static void without_location_data_on_fault_decides(void **state)
{
    static const struct {
        const char *profile;
        enum verdict verdict;
    } rows[] = {
        { STANDARD, VERDICT_PASS },
        { STANDARD ",\"onFault\":\"open\"", VERDICT_PASS },
        { STANDARD ",\"onFault\":\"closed\"", VERDICT_DENY },
    };
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        world_begin(rows[i / 2].profile, false);
        exchange_begin(i % 2 ? DOOR_VERIFY : DOOR_PROXY, LONDON);
        assert_int_equal(check_travel(&w.x), rows[i / 2].verdict);
        assert_int_equal(w.x.findings->n, 1);
        exchange_begin(DOOR_VERIFY, NULL); /* no telemetry is no fault */
        assert_int_equal(check_travel(&w.x), VERDICT_PASS);
        world_end();
    }
}

static void a_table_full_of_the_held_is_a_fault(void **state)
{
    struct track k;
    unsigned faults = 0;
    (void)state;
    world_begin(STANDARD, true);
    for (uint64_t i = 1; i < 4000; i++) {
        uint64_t key[2] = { i, i };
        if (track_open(w.env.detection->travel, key, true, 1, &k)) continue;
        k.keep_s = TRACK_KEPT;
        track_close(&k);
    }
    exchange_begin(DOOR_PROXY, LONDON);
    if (check_travel(&w.x) == VERDICT_PASS && w.x.findings)
        faults = w.x.findings->n;
    assert_int_equal(faults, 1);
    assert_string_equal(w.x.findings->at[0].code, "check_unavailable");
    world_end();
}

/* --- anomalies ----------------------------------------------------------------------- */

static unsigned found_n; /* of application and subject */

static void serve(unsigned n, unsigned failed, int64_t ms)
{
    for (unsigned i = 0; i < n; i++) {
        exchange_begin(i % 2 ? DOOR_VERIFY : DOOR_PROXY, NULL);
        if (check_anomaly(&w.x) == VERDICT_PASS) {
            struct anomaly_sample s = { .at_ms = w.node_ms,
                                        .endpoint = (uint64_t)i << 60,
                                        .bytes = 300,
                                        .response_us = 2000,
                                        .failed = i < failed };
            check_mark(&w.x);
            check_answered(&w.x, &w.app, &s);
            if (w.x.findings) found_n += w.x.findings->n;
        }
        w.node_ms += ms;
        w.wall_ms += ms;
    }
}

static const struct anomaly_row {
    const char *profile;
    unsigned windows;   /* with errors */
    enum reason reason; /* of the next request */
} anomaly_rows[] = {
    { "PERMISSIVE", 20, REASON_NONE },
    { "STANDARD", 1, REASON_NONE },
    { "STANDARD", 8, REASON_CHALLENGE_REQUIRED },
    { "STRICT", 2, REASON_ANOMALY_BLOCKED },
    { "CUSTOM", 2, REASON_ANOMALY_BLOCKED },
    { "Regional", 8, REASON_CHALLENGE_REQUIRED },
};

/* Four hours at a request a second, an error in two hundred; then half fail. */
static void disturb(const struct anomaly_row *row)
{
    char profile[64];
    snprintf(profile, sizeof profile, "\"anomalyDetection\":\"%s\"",
             row->profile);
    world_begin(profile, false);
    found_n = 0;
    for (unsigned i = 0; i < 70; i++) serve(200, 1, 1000);
    assert_int_equal(found_n, 0);
    w.node_ms += 60000 - w.node_ms % 60000;
    for (unsigned i = 0; i < row->windows; i++) serve(60, 30, 1000);
    exchange_begin(DOOR_PROXY, NULL);
    check_anomaly(&w.x);
}

static void an_anomaly_is_acted_on_by_its_profile(void **state)
{
    struct hold h;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(anomaly_rows); i++) {
        const struct anomaly_row *row = &anomaly_rows[i];
        print_message("# %s after %u\n", row->profile, row->windows);
        disturb(row);
        if (w.x.reason != row->reason)
            fail_msg("%s: %d", row->profile, w.x.reason);
        if (row->windows > 1) assert_true(found_n > 0);
        bool told = holds_take(w.env.detection->holds, &h);
        assert_int_equal(told, row->reason != REASON_NONE);
        if (told) {
            struct id id = id_make(KIND_CHALLENGE, &h.id);
            assert_int_equal(h.detector, HOLD_ANOMALY);
            assert_string_equal(id.text, w.x.challenge.text);
            assert_true(w.x.challenge_s > 0 && w.x.challenge_s <= 900);
            assert_true(h.evidence_n > 0);
            /* bounded: it ends by itself */
            w.node_ms += 901000;
            exchange_begin(DOOR_VERIFY, NULL);
            assert_int_equal(check_anomaly(&w.x), VERDICT_PASS);
        }
        world_end();
    }
}

/* Were they counted, a block would feed itself. */
static void what_a_detector_refused_is_not_counted(void **state)
{
    static const enum reason refused[] = { REASON_ANOMALY_BLOCKED,
                                           REASON_CHALLENGE_REQUIRED,
                                           REASON_IMPOSSIBLE_TRAVEL };
    struct tracks_stats stats;
    struct anomaly_sample s = { .at_ms = START_MS };
    (void)state;
    world_begin("\"anomalyDetection\":\"STRICT\"", false);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        exchange_begin(DOOR_PROXY, NULL);
        check_mark(&w.x);
        w.x.reason = refused[i];
        check_answered(&w.x, &w.app, &s);
    }
    tracks_stats(w.env.detection->anomaly, &stats);
    assert_int_equal(stats.used, 0);
    w.x.reason = REASON_RATE_LIMITED;
    check_answered(&w.x, &w.app, &s);
    tracks_stats(w.env.detection->anomaly, &stats);
    assert_int_equal(stats.used, 1);
    world_end();
}

static void nobody_in_particular_is_not_tracked(void **state)
{
    struct tracks_stats stats;
    (void)state;
    world_begin(STANDARD, true);
    exchange_begin(DOOR_PROXY, LONDON);
    w.x.has_token = false;
    assert_int_equal(check_travel(&w.x), VERDICT_PASS);
    assert_int_equal(check_anomaly(&w.x), VERDICT_PASS);
    tracks_stats(w.env.detection->travel, &stats);
    assert_int_equal(stats.bytes, 0);
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_journey_is_judged_by_its_profile),
        cmocka_unit_test(a_challenge_is_told_once_with_its_evidence),
        cmocka_unit_test(
            what_no_queue_had_room_for_is_told_by_the_next_refusal),
        cmocka_unit_test(a_look_changes_nothing),
        cmocka_unit_test(without_location_data_on_fault_decides),
        cmocka_unit_test(a_table_full_of_the_held_is_a_fault),
        cmocka_unit_test(an_anomaly_is_acted_on_by_its_profile),
        cmocka_unit_test(what_a_detector_refused_is_not_counted),
        cmocka_unit_test(nobody_in_particular_is_not_tracked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
