/* Anomaly detection: windows, the ladder, what is configured; and lower bounds
 * of its quality on labelled series, so that it cannot fall unseen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "base/err.h"
#include "traffic.h"

#define TEST(f) cmocka_unit_test(f)
#define MONDAY_MS 1732492800000

static struct arena a;

static struct anomaly policy_of(const char *json)
{
    struct anomaly out;
    yyjson_doc *doc;
    assert_int_equal(json_decode(sv_cstr(json), &a, &doc, NULL), 0);
    assert_int_equal(anomaly_decode(yyjson_doc_get_root(doc), &out), 0);
    return out;
}

/* A steady source: each window the same requests, unless a test says else. */
struct source {
    struct anomaly policy;
    enum anomaly_scope scope;
    struct anomaly_state state;
    struct anomaly_learnt learnt;
    int64_t at_ms;
    unsigned requests, failed, response_us, bytes, endpoints;
    struct anomaly_finding last; /* of the last window(s) */
    unsigned findings, events;
};

static struct source source_of(const char *policy, enum anomaly_scope scope)
{
    return (struct source){ .policy = policy_of(policy),
                            .scope = scope,
                            .at_ms = MONDAY_MS,
                            .requests = 100,
                            .failed = 1,
                            .response_us = 40000,
                            .bytes = 900,
                            .endpoints = 10 };
}

static uint64_t hash_of(uint64_t v) /* splitmix64 */
{
    v = (v + 1) * 0x9e3779b97f4a7c15u;
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return v ^ v >> 31;
}

static void windows(struct source *s, unsigned n)
{
    struct anomaly_finding found[ANOMALY_PATTERNS];
    int64_t width_ms = s->policy.rules[0].window_s * 1000;
    s->findings = s->events = 0;
    for (; n > 0; n--, s->at_ms += width_ms)
        for (unsigned i = 0; i < s->requests; i++) {
            struct anomaly_sample r = {
                .at_ms = s->at_ms + width_ms * i / s->requests,
                .endpoint = hash_of(i % s->endpoints),
                .bytes = s->bytes,
                .response_us = s->response_us,
                .failed = i < s->failed,
            };
            unsigned k = anomaly_add(&s->policy, s->scope, &s->state,
                                     &s->learnt, &r, found);
            for (unsigned f = 0; f < k; f++) {
                s->last = found[f];
                s->findings++;
                s->events += found[f].fresh;
            }
        }
}

static enum detector_action standing(const struct source *s)
{
    return anomaly_standing(&s->policy, &s->state, s->at_ms, NULL);
}

static void each_pattern_says_what_it_saw_and_expected(void **state)
{
    (void)state;
    static const struct {
        enum anomaly_pattern pattern;
        unsigned requests, failed, response_us, bytes, endpoints;
        double observed, expected;
    } rows[] = {
        { ANOMALY_VOLUME, 900, 9, 40000, 900, 10, 900, 100 },
        { ANOMALY_ERRORS, 100, 30, 40000, 900, 10, 0.30, 0.0148 },
        { ANOMALY_TIME, 100, 1, 400000, 900, 10, 400, 40 },
        { ANOMALY_PAYLOAD, 100, 1, 40000, 90000, 10, 90000, 900 },
        { ANOMALY_VELOCITY, 100, 1, 40000, 900, 90, 90, 10 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct source s = source_of("\"STANDARD\"", ANOMALY_SUBJECT);
        windows(&s, 200);
        assert_int_equal(s.findings, 0);
        assert_int_equal(standing(&s), DETECTOR_ALLOW);
        s.requests = rows[i].requests;
        s.failed = rows[i].failed;
        s.response_us = rows[i].response_us;
        s.bytes = rows[i].bytes;
        s.endpoints = rows[i].endpoints;
        windows(&s, 2); /* the first is judged when the second begins */
        assert_int_equal(s.findings, 1);
        assert_int_equal(s.last.pattern, rows[i].pattern);
        assert_float_equal(s.last.observed / rows[i].observed, 1, 0.15);
        assert_float_equal(s.last.expected / rows[i].expected, 1, 0.15);
        assert_true(s.last.score >= s.last.threshold);
        assert_true(s.last.fresh);
        assert_true(s.last.learnt >= 198);
        assert_int_equal(s.last.window_s, 60);
        assert_int_equal(s.last.from_s % 60, 0);
        assert_true(standing(&s) >= DETECTOR_MONITOR);
    }
}

static void the_ladder_is_climbed_and_has_an_end(void **state)
{
    (void)state;
    struct source s = source_of("\"STANDARD\"", ANOMALY_SUBJECT);
    windows(&s, 200);
    s.requests = 260; /* above the threshold, not twice */
    static const enum detector_action rungs[] = {
        DETECTOR_ALLOW, DETECTOR_MONITOR,   DETECTOR_ALERT,
        DETECTOR_ALERT, DETECTOR_CHALLENGE, DETECTOR_CHALLENGE,
    };
    for (size_t i = 0; i < ARRAY_LEN(rungs); i++) {
        windows(&s, 1);
        assert_int_equal(standing(&s), rungs[i]);
    }
    enum anomaly_pattern pattern;
    anomaly_standing(&s.policy, &s.state, s.at_ms, &pattern);
    assert_int_equal(pattern, ANOMALY_VOLUME);
    /* a challenge stands five minutes, whatever goes on, then is made anew */
    s.requests = 100;
    windows(&s, 6);
    assert_int_equal(standing(&s), DETECTOR_ALLOW);
    assert_int_equal(s.state.tally[ANOMALY_VOLUME].run, 0);
}

static void strict_blocks_errors_at_once_and_for_a_bounded_time(void **state)
{
    (void)state;
    struct source s = source_of("\"STRICT\"", ANOMALY_SUBJECT);
    windows(&s, 200);
    s.failed = 60;
    windows(&s, 2);
    assert_int_equal(standing(&s), DETECTOR_BLOCK);
    uint32_t until = s.state.tally[ANOMALY_ERRORS].until_s;
    assert_in_range(until - s.at_ms / 1000, 1, 900);
    windows(&s, 3); /* what goes on does not prolong it */
    assert_int_equal(s.state.tally[ANOMALY_ERRORS].until_s, until);
    assert_int_equal(
        anomaly_standing(&s.policy, &s.state, (int64_t)until * 1000, NULL),
        DETECTOR_ALLOW);
    anomaly_clear(&s.state);
    assert_int_equal(standing(&s), DETECTOR_ALLOW);
}

static void an_applications_anomaly_turns_nobody_away(void **state)
{
    (void)state;
    struct source s = source_of("\"STRICT\"", ANOMALY_APPLICATION);
    windows(&s, 200);
    s.failed = 90;
    windows(&s, 20);
    assert_int_equal(standing(&s), DETECTOR_ALERT);
    /* and it knows that requests are missing, as a subject does not */
    for (int scope = ANOMALY_APPLICATION; scope <= ANOMALY_SUBJECT; scope++) {
        s = source_of("\"STRICT\"", (enum anomaly_scope)scope);
        windows(&s, 200);
        s.requests = 5;
        s.failed = 0;
        windows(&s, 3);
        assert_int_equal(s.findings > 0, scope == ANOMALY_APPLICATION);
        if (s.findings) assert_true(s.last.score < 0);
    }
}

static void nothing_is_judged_before_enough_was_learnt(void **state)
{
    (void)state;
    struct source s = source_of("\"STANDARD\"", ANOMALY_SUBJECT);
    windows(&s, 50);
    s.requests = 5000;
    s.failed = 4000;
    windows(&s, 5);
    assert_int_equal(s.findings, 0);
    assert_int_equal(standing(&s), DETECTOR_ALLOW);
}

static void permissive_only_observes(void **state)
{
    (void)state;
    struct source s = source_of("\"PERMISSIVE\"", ANOMALY_SUBJECT);
    windows(&s, 100);
    s.requests = 5000;
    s.failed = 4000;
    windows(&s, 10);
    assert_true(s.findings > 0);
    assert_int_equal(standing(&s), DETECTOR_MONITOR);
}

static void what_lasts_is_learnt_as_normal(void **state)
{
    (void)state;
    struct source s = source_of("\"STANDARD\"", ANOMALY_SUBJECT);
    windows(&s, 300);
    s.requests = 400;
    windows(&s, 7 * 60);
    assert_true(s.findings > 300);
    assert_true(s.events < 100); /* not each window is one */
    windows(&s, 60);
    assert_int_equal(s.findings, 0);
}

static void few_requests_and_silence_raise_nothing(void **state)
{
    (void)state;
    struct source s = source_of("\"STRICT\"", ANOMALY_SUBJECT);
    s.requests = 2;
    s.failed = 0;
    s.endpoints = 2;
    windows(&s, 300);
    s.failed = 2; /* all of them fail: too few to be a share */
    windows(&s, 2);
    assert_int_equal(s.findings, 0);
    s.at_ms += 5 * 86400000; /* silence */
    s.failed = 0;
    windows(&s, 5);
    assert_int_equal(s.findings, 0);
    /* a moment back, as another reactor's clock may be */
    s.at_ms -= 30000;
    windows(&s, 2);
    assert_int_equal(s.findings, 0);
}

/* Its place was another's, whose baselines are still there. */
static void a_new_state_knows_nothing_of_another_baseline(void **state)
{
    (void)state;
    struct source fresh = source_of("\"STRICT\"", ANOMALY_APPLICATION);
    windows(&fresh, 200);
    struct source taken = source_of("\"STRICT\"", ANOMALY_APPLICATION);
    memset(&taken.learnt, 0xff, sizeof taken.learnt);
    windows(&taken, 200);
    assert_int_equal(taken.findings, fresh.findings);
    assert_memory_equal(&taken.state, &fresh.state, sizeof taken.state);
    assert_memory_equal(&taken.learnt, &fresh.learnt, sizeof taken.learnt);
}

static void hostile_numbers_do_no_harm(void **state)
{
    (void)state;
    struct anomaly policy = policy_of("\"STRICT\"");
    struct anomaly_state st = { 0 };
    struct anomaly_learnt learnt = { 0 };
    struct anomaly_finding found[ANOMALY_PATTERNS];
    uint64_t seed = 99;
    int64_t at = MONDAY_MS;
    for (int i = 0; i < 200000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        struct anomaly_sample s = {
            .at_ms = at,
            .endpoint = seed,
            .bytes = seed % 3 ? 0 : UINT64_MAX,
            .response_us = seed % 5 ? 0 : UINT32_MAX,
            .failed = seed >> 60 & 1,
        };
        at += (int64_t)(seed >> 33) % (seed % 97 ? 20000 : 90000000);
        unsigned n =
            anomaly_add(&policy, ANOMALY_APPLICATION, &st, &learnt, &s, found);
        assert_in_range(n, 0, ANOMALY_PATTERNS);
        for (unsigned f = 0; f < n; f++) {
            assert_true(found[f].score == found[f].score); /* no NaN */
            assert_true(found[f].observed >= 0);
        }
    }
}

/* --- quality: docs/detection.md has more ------------------------------------------ */

static void quality_stays_above_its_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        enum anomaly_scope scope;
        double per_second, recall, precision;
    } rows[] = {
        { "\"STANDARD\"", ANOMALY_APPLICATION, 1, 0.95, 0.80 },
        { "\"PERMISSIVE\"", ANOMALY_APPLICATION, 0.3, 0.70, 0.90 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct anomaly policy = policy_of(rows[i].profile);
        struct traffic_score all = { 0 };
        for (int kind = 0; kind < TRAFFIC_KINDS; kind++)
            traffic_run((enum traffic_kind)kind, &policy, rows[i].scope,
                        rows[i].per_second, 21, &all);
        double recall = (double)all.hit / all.events;
        double precision = (double)all.right / all.alarms;
        if (recall < rows[i].recall || precision < rows[i].precision)
            fail_msg("%s: recall %.2f, precision %.2f", rows[i].profile, recall,
                     precision);
    }
}

/* --- configuration ------------------------------------------------------------- */

static const struct shape_field fields[] = {
    { .name = "anomalyDetection",
      .types = SHAPE_STRING | SHAPE_OBJECT,
      .options = anomaly_profiles,
      .hidden = anomaly_spellings,
      .fields = anomaly_fields,
      .check = anomaly_check },
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
        { "\"PERMISSIVE\"", ANOMALY_PERMISSIVE, NULL },
        { "\"Standard\"", ANOMALY_STANDARD, NULL },
        { "\"Regional\"", ANOMALY_REGIONAL, NULL },
        { "\"ApiGateway\"", ANOMALY_API_GATEWAY, NULL },
        { "\"API_GATEWAY\"", ANOMALY_API_GATEWAY, NULL },
        { "{}", ANOMALY_STANDARD, NULL },
        { "{\"profile\":\"CUSTOM\",\"customConfig\":{\"errorRate\":"
          "{\"threshold\":9,\"window\":30,\"minSamples\":7,"
          "\"action\":\"challenge\"},\"payloadSize\":{\"enabled\":false}}}",
          ANOMALY_CUSTOM, NULL },
        { "\"WILD\"", -1, "anomalyDetection" },
        { "{\"customConfig\":{}}", -1, "anomalyDetection" },
        { "{\"profile\":\"CUSTOM\",\"customConfig\":{\"errors\":{}}}", -1,
          "anomalyDetection.customConfig.errors" },
        { "{\"profile\":\"CUSTOM\",\"customConfig\":{\"errorRate\":"
          "{\"window\":0}}}",
          -1, "anomalyDetection.customConfig.errorRate.window" },
        { "{\"profile\":\"CUSTOM\",\"customConfig\":{\"errorRate\":"
          "{\"action\":\"allow\"}}}",
          -1, "anomalyDetection.customConfig.errorRate.action" },
    };
    struct shape_env env = { .arena = &a, .role = ROLE_ADMIN };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shape_problem why = { 0 };
        struct sv text =
            arena_printf(&a, "{\"anomalyDetection\":%s}", rows[i].text);
        yyjson_doc *in, *again;
        yyjson_mut_doc *out;
        struct anomaly p;
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
            json_find(yyjson_doc_get_root(again), "anomalyDetection");
        assert_int_equal(anomaly_decode(v, &p), 0);
        assert_int_equal(p.profile, rows[i].profile);
        assert_true(p.enabled);
    }
    struct anomaly custom = policy_of(rows[6].text + 0);
    assert_int_equal(custom.rules[ANOMALY_ERRORS].top, DETECTOR_CHALLENGE);
    assert_int_equal(custom.rules[ANOMALY_ERRORS].window_s, 30);
    assert_int_equal(custom.rules[ANOMALY_ERRORS].min_samples, 7);
    assert_float_equal(custom.rules[ANOMALY_ERRORS].threshold, 9, 0);
    assert_false(custom.rules[ANOMALY_PAYLOAD].on);
    /* the published default actions */
    assert_int_equal(custom.rules[ANOMALY_VOLUME].top, DETECTOR_ALERT);
    struct anomaly none;
    assert_int_equal(anomaly_decode(NULL, &none), 0);
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
        TEST(each_pattern_says_what_it_saw_and_expected),
        TEST(the_ladder_is_climbed_and_has_an_end),
        TEST(strict_blocks_errors_at_once_and_for_a_bounded_time),
        TEST(an_applications_anomaly_turns_nobody_away),
        TEST(nothing_is_judged_before_enough_was_learnt),
        TEST(permissive_only_observes),
        TEST(what_lasts_is_learnt_as_normal),
        TEST(few_requests_and_silence_raise_nothing),
        TEST(a_new_state_knows_nothing_of_another_baseline),
        TEST(hostile_numbers_do_no_harm),
        TEST(quality_stays_above_its_bounds),
        TEST(configuration_is_read_in_both_spellings),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
