#include "base/metric.h"

void metric_head(struct buf *out, const char *name, const char *type,
                 const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void row_begin(struct buf *out, const char *name, const char *labels)
{
    buf_puts(out, name);
    if (labels && labels[0]) {
        buf_putc(out, '{');
        buf_puts(out, labels);
        buf_putc(out, '}');
    }
    buf_putc(out, ' ');
}

void metric_row(struct buf *out, const char *name, const char *labels,
                uint64_t value)
{
    row_begin(out, name, labels);
    buf_put_u64(out, value);
    buf_putc(out, '\n');
}

void metric_row_us(struct buf *out, const char *name, const char *labels,
                   uint64_t us)
{
    row_begin(out, name, labels);
    buf_printf(out, "%llu.%06llu\n", (unsigned long long)(us / 1000000),
               (unsigned long long)(us % 1000000));
}

void metric_row_of(struct buf *out, const char *name, const char *label,
                   const char *of, uint64_t value)
{
    buf_printf(out, "%s{%s=\"%s\"} %llu\n", name, label, of,
               (unsigned long long)value);
}

void metric_one(struct buf *out, const char *name, const char *type,
                const char *help, uint64_t value)
{
    metric_head(out, name, type, help);
    metric_row(out, name, "", value);
}
