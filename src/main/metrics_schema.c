/* /metrics: what the check of schemas did, summed over lanes. */
#include <stdio.h>

#include "base/metric.h"
#include "check/schema.h"
#include "main/server.h"

static uint64_t lanes_sum(const struct server *s, const _Atomic uint64_t *first)
{
    size_t at = (size_t)((const char *)first - (const char *)s->schema_lanes);
    uint64_t sum = 0;
    for (unsigned i = 0; i < s->lanes_n; i++) {
        const char *lane = (const char *)&s->schema_lanes[i];
        sum += atomic_load_explicit((const _Atomic uint64_t *)(lane + at),
                                    memory_order_relaxed);
    }
    return sum;
}

static void outcomes(const struct server *s, const char *name, const char *help,
                     const _Atomic uint64_t *first, struct buf *out)
{
    metric_head(out, name, "counter", help);
    for (unsigned i = 0; i < SCHEMA_OUTCOME_COUNT; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "verdict=\"%s\"",
                 schema_outcome_labels[i]);
        metric_row(out, name, labels, lanes_sum(s, first + i));
    }
}

void schema_metrics(const struct server *s, struct buf *out)
{
    const struct schema_stats *stats = &s->schema_lanes[0].stats;
    outcomes(s, "typeauth_schema_requests_total",
             "Requests judged by a schema profile; over: too dear to judge, "
             "passed: not protected",
             stats->requests, out);
    outcomes(s, "typeauth_schema_answers_total",
             "Answers of origins judged by a schema profile", stats->answers,
             out);
    metric_head(out, "typeauth_schema_worked_total", "counter",
                "Of the requests, those that a worker judged");
    metric_row(out, "typeauth_schema_worked_total", "",
               lanes_sum(s, &stats->worked));
}
