#include "live/detection.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "base/metric.h"

void detection_new(struct detection **out, const struct detection_conf *conf)
{
    struct detection *d = NEW(struct detection);
    tracks_new(&d->travel, conf->subjects, conf->travel_bytes, 0);
    tracks_new(&d->anomaly, conf->subjects, conf->anomaly_bytes,
               conf->learnt_bytes);
    tracks_new(&d->applications, DETECTION_APPLICATIONS, conf->anomaly_bytes,
               conf->learnt_bytes);
    holds_new(&d->holds, &conf->holds);
    *out = d;
}

void detection_free(struct detection **at)
{
    struct detection *d = *at;
    if (!d) return;
    tracks_free(&d->travel);
    tracks_free(&d->anomaly);
    tracks_free(&d->applications);
    holds_free(&d->holds);
    mem_free(d);
    *at = NULL;
}

void detection_settle(struct detection *d)
{
    tracks_settle(d->travel);
    tracks_settle(d->anomaly);
    tracks_settle(d->applications);
}

/* --- figures -------------------------------------------------------------------- */

/* A figure of each table. */
static const struct figure {
    const char *name, *type, *help;
    size_t at;
} figures[] = {
#define S(field) offsetof(struct tracks_stats, field)
    { "typeauth_tracked", "gauge",
      "Places of the detectors' tables that were ever taken", S(used) },
    { "typeauth_tracked_bytes", "gauge",
      "Memory reserved for the detectors' tables, touched as it is used",
      S(bytes) },
    { "typeauth_tracked_evicted_total", "counter",
      "Idle subjects that gave way to new ones in the detectors' tables",
      S(evicted) },
    { "typeauth_tracked_full_total", "counter",
      "Subjects not tracked because everybody beside them is held", S(full) },
    { "typeauth_tracked_busy_total", "counter",
      "Times that another core was too long at a subject's place", S(busy) },
#undef S
};

void detection_metrics(const struct detection *d, struct buf *out)
{
    static const char *const tables[] = { "travel", "anomaly", "application" };
    struct tracks_stats stats[3];
    struct holds_stats holds;
    tracks_stats(d->travel, &stats[0]);
    tracks_stats(d->anomaly, &stats[1]);
    tracks_stats(d->applications, &stats[2]);
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        const struct figure *f = &figures[i];
        metric_head(out, f->name, f->type, f->help);
        for (int t = 0; t < 3; t++) {
            uint64_t value;
            memcpy(&value, (const char *)&stats[t] + f->at, sizeof value);
            metric_row_of(out, f->name, "table", tables[t], value);
        }
    }
    holds_stats(d->holds, &holds);
    metric_head(out, "typeauth_held_total", "counter",
                "Challenges opened and subjects blocked, by detector");
    metric_row_of(out, "typeauth_held_total", "detector", "geoSentry",
                  holds.opened[HOLD_TRAVEL]);
    metric_row_of(out, "typeauth_held_total", "detector", "anomalyDetection",
                  holds.opened[HOLD_ANOMALY]);
    metric_one(out, "typeauth_held_unwritten_total", "counter",
               "Holds that could not be queued for the store at once",
               holds.lost);
}
