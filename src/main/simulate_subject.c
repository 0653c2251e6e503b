/* GeoSentry and anomaly detection over made-up time: a state a subject, kept
 * for all that the lines name. */
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "main/simulate.h"

enum { SUBJECTS_MAX = 1 << 18 };

struct subject {
    char *key;
    struct travel_state travel;
    struct anomaly_state anomaly;
    struct anomaly_learnt learnt;
};

struct simulate_subjects {
    struct map keys;
    struct anomaly_state application;
    struct anomaly_learnt learnt; /* of the application */
};

struct simulate_subjects *simulate_subjects_new(void)
{
    return NEW(struct simulate_subjects);
}

void simulate_subjects_free(struct simulate_subjects **s)
{
    struct map_entry e;
    size_t at = 0;
    if (!*s) return;
    while (map_next(&(*s)->keys, &at, &e)) {
        struct subject *one = e.value;
        mem_free(one->key);
        mem_free(one);
    }
    map_fini(&(*s)->keys);
    mem_free(*s);
    *s = NULL;
}

/* NULL: the request names none. */
static struct subject *subject_get(struct simulate_subjects *s,
                                   const struct simulate_request *r)
{
    struct sv key =
        r->seen.token_id.n ? r->seen.token_id : r->seen.token_subject;
    if (!r->has_token || !key.n) return NULL;
    struct subject *one = map_find(&s->keys, key);
    if (one || s->keys.n == SUBJECTS_MAX) return one;
    one = NEW(struct subject);
    one->key = mem_dup_sv(key);
    map_put(&s->keys, sv_of(one->key, key.n), one);
    return one;
}

enum detector_action simulate_travel(struct simulate_subjects *s,
                                     const struct abuse *abuse,
                                     const struct simulate_request *r,
                                     struct arena *a, struct sv *evidence)
{
    struct travel_sample sample = { .place = r->has_place ? &r->place : NULL,
                                    .at_ms = r->sent_ms,
                                    .node_ms = r->at_ms };
    struct subject *one = subject_get(s, r);
    if (!abuse->travel.enabled || !one || !r->has_time || r->at_ms <= 0)
        return DETECTOR_ALLOW;
    struct travel_verdict v = travel_judge(
        &abuse->travel, &travel_networks_known, &one->travel, &sample);
    if (v.action == DETECTOR_ALLOW) return v.action;
    *evidence = arena_printf(a, "%s: %.0f km in %.0f s (%.0f km/h)",
                             travel_reason_name(v.reason), v.distance_km,
                             v.elapsed_s, v.speed_kmh);
    return v.action;
}

enum detector_action simulate_anomaly(struct simulate_subjects *s,
                                      const struct abuse *abuse,
                                      const struct simulate_request *r,
                                      struct sv *evidence)
{
    enum anomaly_pattern pattern = ANOMALY_VOLUME;
    struct subject *one = subject_get(s, r);
    if (!abuse->anomaly.enabled || !one || !r->has_time) return DETECTOR_ALLOW;
    enum detector_action action =
        anomaly_standing(&abuse->anomaly, &one->anomaly, r->at_ms, &pattern);
    if (action != DETECTOR_ALLOW)
        *evidence = sv_cstr(anomaly_pattern_names[pattern]);
    return action;
}

static unsigned state_add(const struct abuse *abuse, enum anomaly_scope scope,
                          struct anomaly_state *state,
                          struct anomaly_learnt *learnt,
                          const struct anomaly_sample *sample, struct arena *a,
                          struct sv *out, unsigned n)
{
    struct anomaly_finding f[ANOMALY_PATTERNS];
    unsigned found =
        anomaly_add(&abuse->anomaly, scope, state, learnt, sample, f);
    for (unsigned i = 0; i < found && n < ANOMALY_PATTERNS; i++)
        if (f[i].fresh)
            out[n++] =
                arena_printf(a, "%s: observed %.4g, expected %.4g, score %.1f",
                             anomaly_pattern_names[f[i].pattern], f[i].observed,
                             f[i].expected, f[i].score);
    return n;
}

unsigned simulate_anomaly_add(struct simulate_subjects *s,
                              const struct abuse *abuse,
                              const struct simulate_request *r, bool refused,
                              struct arena *a, struct sv out[ANOMALY_PATTERNS])
{
    struct anomaly_sample sample = {
        .at_ms = r->at_ms,
        .endpoint = hash_sv(r->seen.path) ^ hash_sv(r->seen.method),
        .bytes = r->seen.target.n + r->body.n,
        .response_us = r->response_ms * 1000,
        .failed = r->status >= 400 || refused,
        .no_time = r->out_of_band,
        .no_bytes = r->out_of_band,
    };
    struct subject *one = subject_get(s, r);
    unsigned n = 0;
    if (!abuse->anomaly.enabled || !r->has_time || r->at_ms <= 0) return 0;
    n = state_add(abuse, ANOMALY_APPLICATION, &s->application, &s->learnt,
                  &sample, a, out, n);
    if (one)
        n = state_add(abuse, ANOMALY_SUBJECT, &one->anomaly, &one->learnt,
                      &sample, a, out, n);
    return n;
}
