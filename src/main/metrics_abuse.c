/* /metrics: what abuse profiles count by address or header, and their list of
 * mail domains. */
#include "base/metric.h"
#include "main/server.h"

static void visitors(const struct server *s, struct buf *out)
{
    const struct visitors_stats *n = visitors_stats(s->visitors);
    const struct row {
        const char *name, *type, *help;
        const _Atomic uint64_t *at;
    } rows[] = {
        { "typeauth_visitor_places", "gauge",
          "Places for addresses and header values that are counted "
          "(--visitors-max); 0: none was needed",
          &n->places },
        { "typeauth_visitor_places_used", "gauge",
          "Of these, ever taken: they are used again when a window is past",
          &n->used },
        { "typeauth_visitors_by_network_total", "counter",
          "Requests that found no place and were counted with their network",
          &n->by_network },
        { "typeauth_visitors_full_total", "counter",
          "Requests that found no place for their network either: onFault "
          "decided",
          &n->full },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        metric_head(out, rows[i].name, rows[i].type, rows[i].help);
        metric_row(out, rows[i].name, "", atomic_load(rows[i].at));
    }
}

void abuse_metrics(const struct server *s, struct buf *out)
{
    visitors(s, out);
    mail_file_metrics(s->mail, out);
}
