/* /metrics: monitors, in sums; a single one is in the API. */
#include <stdio.h>

#include "base/ensure.h"
#include "base/metric.h"
#include "main/server.h"

static void by_status(const struct monitor_figures *f, struct buf *out)
{
    static const char name[] = "typeauth_monitors";
    char labels[48];
    metric_head(out, name, "gauge", "Applications by their monitor's status");
    for (int i = 0; i < HEALTH_STATUSES; i++) {
        snprintf(labels, sizeof labels, "status=\"%s\"",
                 health_status_name((enum health_status)i));
        metric_row(out, name, labels, f->applications[i]);
    }
}

static void by_cause(const struct monitor_figures *f, struct buf *out)
{
    static const char name[] = "typeauth_monitor_failures_total";
    char labels[48];
    metric_head(out, name, "counter", "Checks that were not good, by cause");
    for (int i = HEALTH_CAUSE_NONE + 1; i < HEALTH_CAUSE_SLOW; i++) {
        snprintf(labels, sizeof labels, "cause=\"%s\"",
                 health_cause_name((enum health_cause)i));
        metric_row(out, name, labels, f->failures[i]);
    }
}

void monitor_metrics(const struct server *s, struct buf *out)
{
    struct monitor_figures f = { .targets = 0 };
    if (s->monitors) monitors_figures(s->monitors, &f);
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } rows[] = {
        { "typeauth_monitor_endpoints", "gauge", "Endpoints that are monitored",
          f.targets },
        { "typeauth_monitor_checks_active", "gauge", "Checks under way",
          f.active },
        { "typeauth_monitor_checks_total", "counter", "Checks done", f.probes },
        { "typeauth_monitor_checks_skipped_total", "counter",
          "Checks not made for want of room here", f.skipped },
        { "typeauth_monitor_incidents_total", "counter", "Incidents begun",
          f.incidents },
        { "typeauth_monitor_unwritten_total", "counter",
          "Results that could not be written to the disk", f.unwritten },
    };
    by_status(&f, out);
    by_cause(&f, out);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        metric_head(out, rows[i].name, rows[i].type, rows[i].help);
        metric_row(out, rows[i].name, "", rows[i].value);
    }
    metric_head(out, "typeauth_monitor_late_seconds", "gauge",
                "How long the check waits that is due the longest");
    metric_row_us(out, "typeauth_monitor_late_seconds", "", f.late_ms * 1000);
}
