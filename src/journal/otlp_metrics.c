/* Metrics: sample by sample, as the text has them. Those of one metric are
 * neighbours there, and a histogram's rows are in order: its buckets, which
 * are cumulative (here they are not), _sum, _count. */
#include "codec/exposition.h"
#include "codec/json.h"
#include "journal/otlp_int.h"

enum { BOUNDS_MAX = 128, CUMULATIVE = 2 };

struct writer {
    struct buf *out;
    struct exposition e;
    int64_t start_ns, now_ns;
    struct sv open; /* metric that is being written; "" none */
    bool is_histogram;
    /* of a histogram's data point */
    struct sv bounds[BOUNDS_MAX];
    uint64_t counts[BOUNDS_MAX + 1], below;
    struct sv sum;
    unsigned bounds_n;
};

static void close_metric(struct writer *w)
{
    if (!w->open.n) return;
    buf_putc(w->out, ']');
    buf_puts(w->out, "}}");
    w->open = SV("");
}

static void open_metric(struct writer *w)
{
    struct buf *b = w->out;
    const char *form = sv_eq(w->e.type, SV("counter")) ? "sum"
                       : w->is_histogram               ? "histogram"
                                                       : "gauge";
    w->open = w->e.metric;
    if (b->p[b->n - 1] == '}') buf_putc(b, ',');
    buf_puts(b, "{\"name\":");
    json_put_text(b, w->e.metric);
    json_put_name(b, "description");
    json_put_text(b, w->e.help);
    if (sv_ends(w->e.metric, SV("_seconds"))) buf_puts(b, ",\"unit\":\"s\"");
    if (sv_ends(w->e.metric, SV("_bytes")) ||
        sv_ends(w->e.metric, SV("_bytes_total")))
        buf_puts(b, ",\"unit\":\"By\"");
    buf_printf(b, ",\"%s\":{", form);
    if (form[0] != 'g')
        buf_printf(b, "\"aggregationTemporality\":%d,", CUMULATIVE);
    if (form[0] == 's') buf_puts(b, "\"isMonotonic\":true,");
    buf_puts(b, "\"dataPoints\":[");
}

static void point_begin(struct writer *w)
{
    struct buf *b = w->out;
    if (b->p[b->n - 1] == '}') buf_putc(b, ',');
    buf_puts(b, "{\"attributes\":[");
    for (unsigned i = 0; i < w->e.labels_n; i++)
        if (!sv_eq(w->e.labels[i].name, SV("le")))
            otlp_text(b, w->e.labels[i].name, w->e.labels[i].value);
    buf_putc(b, ']');
    otlp_time(b, "startTimeUnixNano", w->start_ns);
    otlp_time(b, "timeUnixNano", w->now_ns);
}

static bool is_whole(struct sv v)
{
    size_t i = v.n && v.p[0] == '-';
    if (i == v.n || v.n > 18) return false;
    for (; i < v.n; i++)
        if (v.p[i] < '0' || v.p[i] > '9') return false;
    return true;
}

/* As written there: a JSON number as well, but for what is none. */
static bool is_number(struct sv v)
{
    size_t digits = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] >= '0' && v.p[i] <= '9')
            digits++;
        else if (v.p[i] != '.' && !(v.p[i] == '-' && i == 0))
            return false;
    }
    return digits > 0;
}

static void number_point(struct writer *w)
{
    if (!is_number(w->e.value)) return;
    point_begin(w);
    json_put_name(w->out, is_whole(w->e.value) ? "asInt" : "asDouble");
    if (is_whole(w->e.value))
        json_put_text(w->out, w->e.value);
    else
        buf_put(w->out, w->e.value);
    buf_putc(w->out, '}');
}

static void bucket(struct writer *w)
{
    struct sv le = exposition_label(&w->e, SV("le"));
    uint64_t n;
    if (!sv_to_u64(w->e.value, UINT64_MAX, &n) || n < w->below ||
        w->bounds_n == BOUNDS_MAX)
        return;
    w->counts[w->bounds_n] = n - w->below;
    w->below = n;
    if (!sv_eq(le, SV("+Inf"))) w->bounds[w->bounds_n++] = le;
}

static void histogram_point(struct writer *w)
{
    struct buf *b = w->out;
    point_begin(w);
    json_put_name(b, "count");
    json_put_text(b, w->e.value);
    json_put_name(b, "sum");
    buf_put(b, is_number(w->sum) ? w->sum : SV("0"));
    buf_puts(b, ",\"bucketCounts\":[");
    for (unsigned i = 0; i <= w->bounds_n; i++)
        buf_printf(b, "%s\"%llu\"", i ? "," : "",
                   (unsigned long long)w->counts[i]);
    buf_puts(b, "],\"explicitBounds\":[");
    for (unsigned i = 0; i < w->bounds_n; i++) {
        if (i) buf_putc(b, ',');
        buf_put(b, w->bounds[i]);
    }
    buf_puts(b, "]}");
    w->bounds_n = 0;
    w->below = 0;
}

static void histogram_row(struct writer *w)
{
    struct sv part = sv_from(w->e.name, w->e.metric.n);
    if (sv_eq(part, SV("_bucket")))
        bucket(w);
    else if (sv_eq(part, SV("_sum")))
        w->sum = w->e.value;
    else
        histogram_point(w);
}

void otlp_metrics(const struct otlp_resource *r, struct sv exposition,
                  int64_t start_ms, int64_t now_ms, struct buf *out)
{
    struct writer w = { .out = out,
                        .e = { .rest = exposition },
                        .start_ns = start_ms * 1000000,
                        .now_ns = now_ms * 1000000 };
    otlp_begin(r, "metrics", out);
    buf_puts(out, ",\"metrics\":[");
    while (exposition_next(&w.e) && !out->overflow) {
        if (!sv_eq(w.open, w.e.metric)) {
            close_metric(&w);
            w.is_histogram = sv_eq(w.e.type, SV("histogram"));
            open_metric(&w);
        }
        if (w.is_histogram)
            histogram_row(&w);
        else
            number_point(&w);
    }
    close_metric(&w);
    buf_puts(out, "]}]}]}");
}
