/* Metrics and traces in the JSON encoding of OTLP 1.x (opentelemetry-proto,
 * specification "OTLP/HTTP"): 64-bit integers are texts, ids are hex. Pure.
 *
 *   metrics: the text of /metrics, each metric as it is there; sums and
 *            histograms are cumulative since the process began
 *   traces:  of an exchange a server span, with its checks as events, and a
 *            client span when the origin was asked */
#ifndef JOURNAL_OTLP_H
#define JOURNAL_OTLP_H

#include "base/buf.h"
#include "journal/trace.h"

struct otlp_attribute {
    struct sv name, value;
};

struct otlp_resource {
    const struct otlp_attribute *attributes; /* service.name among them */
    size_t attributes_n;
    struct sv version;      /* of the program */
};

/* What goes to ENDPOINT/v1/metrics. */
void otlp_metrics(const struct otlp_resource *r, struct sv exposition,
                  int64_t start_ms, int64_t now_ms, struct buf *out);

/* What goes to ENDPOINT/v1/traces: begin, spans of any number of traces, end. */
void otlp_traces_begin(const struct otlp_resource *r, struct buf *out);
void otlp_trace(const struct trace *t, struct buf *out);
void otlp_traces_end(struct buf *out);

#endif
