/* Lines of /metrics: Prometheus' text exposition format 0.0.4. Names, help and
 * labels are our own texts, which need no escape. Any thread. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/buf.h"

/* Once a metric, before its rows. type: "counter" or "gauge". */
void metric_head(struct buf *out, const char *name, const char *type,
                 const char *help);
/* labels: `a="1",b="2"`; "": none. */
void metric_row(struct buf *out, const char *name, const char *labels,
                uint64_t value);
/* The same in seconds, the base unit of times. */
void metric_row_us(struct buf *out, const char *name, const char *labels,
                   uint64_t us);
/* With one label. */
void metric_row_of(struct buf *out, const char *name, const char *label,
                   const char *of, uint64_t value);
/* A metric of one row without labels, with its head. */
void metric_one(struct buf *out, const char *name, const char *type,
                const char *help, uint64_t value);

#endif
