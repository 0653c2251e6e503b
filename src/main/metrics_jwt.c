/* /metrics: JWTs and the subjects that are counted, summed over lanes. */
#include <stdio.h>

#include "base/metric.h"
#include "main/server.h"

static uint64_t lanes_sum(const struct server *s, const _Atomic uint64_t *first)
{
    size_t at = (size_t)((const char *)first - (const char *)&s->jwt[0]);
    uint64_t sum = 0;
    for (unsigned i = 0; i < s->lanes_n; i++) {
        const char *lane = (const char *)&s->jwt[i];
        sum += atomic_load_explicit((const _Atomic uint64_t *)(lane + at),
                                    memory_order_relaxed);
    }
    return sum;
}

static void one(struct buf *out, const char *name, const char *help, uint64_t n)
{
    metric_head(out, name, "counter", help);
    metric_row(out, name, "", n);
}

static void verdicts(const struct server *s, struct buf *out)
{
    static const char name[] = "typeauth_jwt_verdicts_total";
    metric_head(out, name, "counter",
                "JWTs that were judged, by verdict; rate_limited: unseen, too "
                "many of that address were forged");
    for (unsigned i = 0; i < JWT_VERDICT_COUNT; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "verdict=\"%s\"",
                 jwt_verdict_labels[i]);
        metric_row(out, name, labels,
                   lanes_sum(s, &s->jwt[0].stats.verdicts[i]));
    }
}

static void cache(const struct server *s, struct buf *out)
{
    const struct jwt_stats *first = &s->jwt[0].stats;
    uint64_t evicted = 0;
    for (unsigned i = 0; i < s->lanes_n; i++) {
        struct verified_stats v;
        verified_stats(s->jwt[i].cache, &v);
        evicted += v.evicted;
    }
    one(out, "typeauth_jwt_cache_hits_total",
        "JWTs whose signature was known to be good",
        lanes_sum(s, &first->hits));
    one(out, "typeauth_jwt_cache_misses_total",
        "JWTs whose signature had to be verified",
        lanes_sum(s, &first->misses));
    one(out, "typeauth_jwt_cache_evicted_total",
        "Verified JWTs that were written over by others (--jwt-cache-bytes)",
        evicted);
    one(out, "typeauth_jwt_key_waits_total",
        "Times that a request waited for keys of its JWT",
        lanes_sum(s, &first->waits));
}

static void subjects(const struct server *s, struct buf *out)
{
    struct subjects_stats n;
    subjects_stats(s->subjects, &n);
    metric_head(out, "typeauth_subjects", "gauge",
                "Callers that are counted without a token record");
    metric_row(out, "typeauth_subjects", "", n.used);
    metric_head(out, "typeauth_subject_places", "gauge",
                "Places in their table (--subjects-max); 0: none was needed");
    metric_row(out, "typeauth_subject_places", "", n.places);
    one(out, "typeauth_subjects_added_total", "Callers that got a place",
        n.added);
    one(out, "typeauth_subjects_evicted_total",
        "Of these, into the place of one who had nothing left to count",
        n.evicted);
    one(out, "typeauth_subjects_full_total",
        "Callers that got no place: onFault decided", n.full);
}

void jwt_metrics(const struct server *s, struct buf *out)
{
    verdicts(s, out);
    cache(s, out);
    subjects(s, out);
}
