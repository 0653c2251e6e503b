/* The text of /metrics (Prometheus exposition format 0.0.4): the journal's own
 * rows, then those of who asked to be heard. Labels are few and closed: door,
 * outcome, status class. api/metrics.json describes them; a test compares. */
#include <stdio.h>

#include "base/ensure.h"
#include "base/metric.h"
#include "journal/journal_int.h"

/* --- sums over reactors ------------------------------------------------------- */

/* The same counter of each lane, by its place in the first. */
static uint64_t sum_of(const struct journal *j, const _Atomic uint64_t *first)
{
    size_t at = (size_t)((const char *)first - (const char *)&j->lanes[0]);
    uint64_t sum = 0;
    for (unsigned i = 0; i < j->reactors; i++)
        sum += counter_read((const void *)((const char *)&j->lanes[i] + at));
    return sum;
}

/* One label over all doors, or over doors and names. */
static void exchanges(struct journal *j, struct buf *out, const char *name)
{
    for (int door = 0; door < EVENT_DOORS; door++)
        for (int o = 0; o < OUTCOME_COUNT; o++) {
            char labels[96];
            snprintf(labels, sizeof labels, "door=\"%s\",outcome=\"%s\"",
                     event_door_names[door].p, outcome_names[o].p);
            metric_row(out, name, labels,
                       sum_of(j, &j->lanes[0].exchanges[door][o]));
        }
}

static void responses(struct journal *j, struct buf *out, const char *name)
{
    static const char *const classes[STATUS_CLASSES] = { "none", "1xx", "2xx",
                                                         "3xx",  "4xx", "5xx" };
    for (int door = 0; door < EVENT_DOORS; door++)
        for (int c = 0; c < STATUS_CLASSES; c++) {
            char labels[96];
            snprintf(labels, sizeof labels, "door=\"%s\",status=\"%s\"",
                     event_door_names[door].p, classes[c]);
            metric_row(out, name, labels,
                       sum_of(j, &j->lanes[0].statuses[door][c]));
        }
}

static void per_door(struct journal *j, struct buf *out, const char *name,
                     const _Atomic uint64_t first[EVENT_DOORS])
{
    for (int door = 0; door < EVENT_DOORS; door++) {
        char labels[64];
        snprintf(labels, sizeof labels, "door=\"%s\"",
                 event_door_names[door].p);
        metric_row(out, name, labels, sum_of(j, &first[door]));
    }
}

static void received(struct journal *j, struct buf *out, const char *name)
{
    per_door(j, out, name, j->lanes[0].bytes_in);
}

static void sent(struct journal *j, struct buf *out, const char *name)
{
    per_door(j, out, name, j->lanes[0].bytes_out);
}

static void unjudged(struct journal *j, struct buf *out, const char *name)
{
    per_door(j, out, name, j->lanes[0].unjudged);
}

static void put_seconds(struct buf *out, uint64_t us)
{
    buf_printf(out, "%llu.%06llu", (unsigned long long)(us / 1000000),
               (unsigned long long)(us % 1000000));
}

/* Two of the four edges to a doubling are shown, from 32 µs to 34 s. */
static bool is_shown(unsigned bucket)
{
    return bucket % 2 == 1 && histogram_edge_us(bucket) >= 32;
}

static void histogram(struct journal *j, struct buf *out, const char *name,
                      const char *label, const struct histogram *h)
{
    uint64_t below = 0;
    const char *comma = label[0] ? "," : "";
    for (unsigned i = 0; i < HISTOGRAM_EDGES; i++) {
        below += sum_of(j, &h->n[i]);
        if (!is_shown(i)) continue;
        buf_printf(out, "%s_bucket{%s%sle=\"", name, label, comma);
        put_seconds(out, histogram_edge_us(i));
        buf_puts(out, "\"} ");
        buf_put_u64(out, below);
        buf_putc(out, '\n');
    }
    below += sum_of(j, &h->n[HISTOGRAM_EDGES]);
    const char *open = label[0] ? "{" : "", *close = label[0] ? "}" : "";
    buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n%s_sum%s%s%s ", name,
               label, comma, (unsigned long long)below, name, open, label,
               close);
    put_seconds(out, sum_of(j, &h->sum_us));
    buf_printf(out, "\n%s_count%s%s%s %llu\n", name, open, label, close,
               (unsigned long long)below);
}

static void total_time(struct journal *j, struct buf *out, const char *name)
{
    for (int door = 0; door < EVENT_DOORS; door++) {
        char label[64];
        snprintf(label, sizeof label, "door=\"%s\"", event_door_names[door].p);
        histogram(j, out, name, label, &j->lanes[0].total[door]);
    }
}

static void origin_time(struct journal *j, struct buf *out, const char *name)
{
    histogram(j, out, name, "", &j->lanes[0].origin);
}

static void log_lines(struct journal *j, struct buf *out, const char *name)
{
    const struct access_log *l = &j->lanes[0].log;
    metric_row(out, name, "state=\"written\"", sum_of(j, &l->written));
    metric_row(out, name, "state=\"sampled_out\"", sum_of(j, &l->sampled_out));
    metric_row(out, name, "state=\"dropped\"", sum_of(j, &l->dropped));
}

static void log_errors(struct journal *j, struct buf *out, const char *name)
{
    metric_row(out, name, "", sum_of(j, &j->lanes[0].log.errors));
}

static void use_lost(struct journal *j, struct buf *out, const char *name)
{
    metric_row(out, name, "", sum_of(j, &j->lanes[0].use.lost));
}

static void incidents(struct journal *j, struct buf *out, const char *name)
{
    const struct recorder *r = j->recorder;
    metric_row(out, name, "state=\"told\"", r ? atomic_load(&r->told) : 0);
    metric_row(out, name, "state=\"summed\"", r ? atomic_load(&r->summed) : 0);
    metric_row(out, name, "state=\"dropped\"", r ? recorder_dropped(r) : 0);
}

static void incident_bytes(struct journal *j, struct buf *out, const char *name)
{
    const struct recorder *r = j->recorder;
    metric_row(out, name, "", r ? atomic_load(&r->bytes) : 0);
}

static void traces(struct journal *j, struct buf *out, const char *name)
{
    struct traces_stats s;
    traces_stats(j, &s);
    metric_row(out, name, "state=\"kept\"", s.kept);
    metric_row(out, name, "state=\"dropped\"", s.dropped);
}

static void samples(struct journal *j, struct buf *out, const char *name)
{
    struct figures_stats s = { 0 };
    if (j->figures) figures_stats(j->figures, &s);
    metric_row(out, name, "state=\"counted\"", s.counted);
    metric_row(out, name, "state=\"dropped\"", s.dropped);
    metric_row(out, name, "state=\"lost\"", s.lost);
}

static void analytics_bytes(struct journal *j, struct buf *out,
                            const char *name)
{
    struct figures_stats s = { 0 };
    if (j->figures) figures_stats(j->figures, &s);
    metric_row(out, name, "where=\"disk\"", s.bytes);
    metric_row(out, name, "where=\"memory\"", s.memory);
}

static void analytics_damaged(struct journal *j, struct buf *out,
                              const char *name)
{
    struct figures_stats s = { 0 };
    if (j->figures) figures_stats(j->figures, &s);
    metric_row(out, name, "", s.damaged);
}

static const struct metric {
    const char *name, *type, *help;
    void (*rows)(struct journal *j, struct buf *out, const char *name);
} METRICS[] = {
    { "typeauth_exchanges_total", "counter",
      "Exchanges that ended, by door and outcome.", exchanges },
    { "typeauth_unjudged_total", "counter",
      "Passed though a check could not be made (onFault: open).", unjudged },
    { "typeauth_responses_total", "counter",
      "Answers to clients, by door and status class.", responses },
    { "typeauth_received_bytes_total", "counter",
      "Bytes of requests, heads included.", received },
    { "typeauth_sent_bytes_total", "counter",
      "Bytes of answers, heads included.", sent },
    { "typeauth_exchange_seconds", "histogram",
      "From a request's first byte to its answer's last.", total_time },
    { "typeauth_origin_seconds", "histogram",
      "Until the origin's answer began, for requests that were forwarded.",
      origin_time },
    { "typeauth_access_log_lines_total", "counter",
      "Lines of the access log: written, left out by sampling, dropped.",
      log_lines },
    { "typeauth_access_log_errors_total", "counter",
      "Writes to the access log that failed.", log_errors },
    { "typeauth_token_use_lost_total", "counter",
      "Refusals missing in the counts of single tokens (bounded memory).",
      use_lost },
    { "typeauth_event_requests_total", "counter",
      "Requests that events on the disk tell of, one by one or in sums, and "
      "those that are told of nowhere.",
      incidents },
    { "typeauth_events_bytes", "gauge", "Bytes of the events on the disk.",
      incident_bytes },
    { "typeauth_traces_total", "counter",
      "Traces of decisions, kept and dropped.", traces },
    { "typeauth_analytics_requests_total", "counter",
      "Requests that analytics count, that found a full queue, that could not "
      "be written.",
      samples },
    { "typeauth_analytics_bytes", "gauge",
      "Bytes of analytics, on the disk and in memory.", analytics_bytes },
    { "typeauth_analytics_damaged_total", "counter",
      "Files of analytics that could not be read whole.", analytics_damaged },
};

void journal_metrics(struct journal *j, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(METRICS); i++) {
        metric_head(out, METRICS[i].name, METRICS[i].type, METRICS[i].help);
        METRICS[i].rows(j, out, METRICS[i].name);
    }
}

/* --- who else has rows --------------------------------------------------------- */

void metrics_add(struct journal *j, metrics_fn *fn, void *ctx)
{
    pthread_mutex_lock(&j->owners_lock);
    ENSURE(j->owners_n < METRIC_OWNERS_MAX);
    j->owners[j->owners_n].fn = fn;
    j->owners[j->owners_n++].ctx = ctx;
    pthread_mutex_unlock(&j->owners_lock);
}

void metrics_render(struct journal *j, struct buf *out)
{
    journal_metrics(j, out);
    pthread_mutex_lock(&j->owners_lock);
    for (unsigned i = 0; i < j->owners_n; i++)
        j->owners[i].fn(j->owners[i].ctx, out);
    pthread_mutex_unlock(&j->owners_lock);
}
