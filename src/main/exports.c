/* What leaves the program by itself: OTLP metrics and traces, the access log to
 * a collector. Documents are made on the control thread, where /metrics is made
 * as well, and sent by reach (reach/push.h). */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/text.h"
#include "main/server.h"

enum {
    HEADERS_BYTES_MAX = 16 * 1024,
    EXPOSITION_MAX = 8 << 20,
    DOCUMENT_MAX = 8 << 20,
    TRACES_BATCH = 128,
    LAST_LINES_MS = 1000,
    LAST_DOCUMENTS_MS = 1000,
    LAST_LOOK_MS = 5,
};

static int fails(const char *setting, const char *why)
{
    fprintf(stderr, "typeauth: --%s: %s\n", setting, why);
    return -1;
}

/* --- settings ---------------------------------------------------------------------- */

/* Lines of "Name: value"; empty ones and those that begin with # are not. */
static int headers_read(struct exports *x, const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f) return fails("otlp-headers-file", strerror(errno));
    x->headers = mem_zalloc(HEADERS_BYTES_MAX + 1);
    size_t n = fread(x->headers, 1, HEADERS_BYTES_MAX + 1, f);
    fclose(f);
    struct sv rest = sv_of(x->headers, n);
    if (n > HEADERS_BYTES_MAX) return fails("otlp-headers-file", "too long");
    while (rest.n) {
        struct sv value, line = sv_trim(sv_cut(rest, '\n', &rest));
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (!line.n || line.p[0] == '#') continue;
        struct sv name = sv_trim(sv_cut(line, ':', &value));
        value = sv_trim(value);
        if (!name.n || !text_cookie.ok(name) || !value.n ||
            !utf8_is_valid(value) || !text_plain.ok(value))
            return fails("otlp-headers-file", "a line is not \"Name: value\"");
        if (x->fields_n == PUSH_FIELDS_MAX)
            return fails("otlp-headers-file", "too many lines");
        x->fields[x->fields_n++] = (struct http_field){ name, value, HN_OTHER };
    }
    return 0;
}

static void attribute_add(struct exports *x, struct sv name, struct sv value)
{
    x->attributes[x->resource.attributes_n++] =
        (struct otlp_attribute){ name, value };
}

static int resource_read(struct exports *x, const struct settings *set)
{
    attribute_add(x, SV("service.name"), sv_cstr(set->otlp_service));
    attribute_add(x, SV("service.version"), SV(TYPEAUTH_VERSION));
    for (unsigned i = 0; i < set->otlp_resource.n; i++) {
        struct sv text = sv_cstr(set->otlp_resource.items[i]), value;
        struct sv name = sv_cut(text, '=', &value);
        if (!name.n || !value.p || !utf8_is_valid(text))
            return fails("otlp-resource", "takes NAME=VALUE");
        attribute_add(x, name, value);
    }
    x->resource.attributes = x->attributes;
    x->resource.version = SV(TYPEAUTH_VERSION);
    return 0;
}

static void url_make(char *out, size_t max, const char *base, const char *path)
{
    size_t n = strlen(base);
    if (n && base[n - 1] == '/') n--;
    snprintf(out, max, "%.*s%s", (int)n, base, path);
}

static void wake_reach(void *ctx)
{
    struct server *s = ctx;
    struct reach *r = s->reach;
    if (r) reach_wake(r);
}

static int log_open(struct server *s)
{
    struct exports *x = &s->exports;
    const struct log_push_conf conf = { .to = s->set.access_log,
                                        .pusher = x->pusher,
                                        .egress = &s->egress,
                                        .wall_ms = clock_wall_ms };
    return log_push_new(&x->log, &conf, &x->log_fd)
               ? fails("access-log", "no such place")
               : 0;
}

int exports_open(struct server *s)
{
    struct exports *x = &s->exports;
    const struct settings *set = &s->set;
    bool logs = log_push_is(set->access_log);
    bool http = logs && strncmp(set->access_log, "syslog", 6) != 0;
    x->log_fd = -1;
    x->start_ms = clock_wall_ms();
    if (set->otlp_headers_file && headers_read(x, set->otlp_headers_file))
        return -1;
    if (resource_read(x, set)) return -1;
    struct pusher_conf conf = { .fields = x->fields,
                                .fields_n = x->fields_n,
                                .timeout_ms = (uint32_t)set->fetch_timeout_ms,
                                .wake = wake_reach,
                                .ctx = s };
    if (set->otlp_endpoint) {
        url_make(x->urls[PUSH_METRICS], sizeof x->urls[0], set->otlp_endpoint,
                 "/v1/metrics");
        url_make(x->urls[PUSH_TRACES], sizeof x->urls[0], set->otlp_endpoint,
                 "/v1/traces");
        conf.places[PUSH_METRICS].url = x->urls[PUSH_METRICS];
        conf.places[PUSH_TRACES].url = x->urls[PUSH_TRACES];
    }
    if (http) conf.places[PUSH_LOGS].url = set->access_log;
    pusher_new(&x->pusher, &conf);
    return logs ? log_open(s) : 0;
}

/* The pipe's other end goes to the journal: once. */
int exports_log_fd(struct server *s)
{
    int fd = s->exports.log_fd;
    s->exports.log_fd = -1;
    return fd;
}

int exports_start(struct server *s)
{
    return s->exports.log ? log_push_start(s->exports.log) : 0;
}

static bool all_sent(struct exports *x)
{
    return atomic_load(&x->phase) == EXPORTS_GIVEN &&
           pusher_is_free(x->pusher, PUSH_METRICS) &&
           pusher_is_free(x->pusher, PUSH_TRACES);
}

/* The control thread makes them, reach sends them; here is waited. */
static void last_documents(struct server *s)
{
    struct exports *x = &s->exports;
    if (!pusher_has(x->pusher, PUSH_METRICS) || !s->control) return;
    atomic_store(&x->phase, EXPORTS_END);
    for (int ms = 0; !all_sent(x) && ms < LAST_DOCUMENTS_MS;
         ms += LAST_LOOK_MS) {
        control_wake(s->control);
        poll(NULL, 0, LAST_LOOK_MS);
    }
}

/* The last lines: from the reactors' buffers to the pipe, from there to their
 * receiver; the last spans and figures. */
void exports_stop(struct server *s)
{
    journal_access_end(s->journal, LAST_LINES_MS);
    log_push_stop(s->exports.log);
    last_documents(s);
}

void exports_close(struct server *s)
{
    struct exports *x = &s->exports;
    log_push_free(&x->log);
    if (x->pusher) pusher_stop(x->pusher);
    pusher_free(&x->pusher);
    if (x->headers) mem_wipe(x->headers, HEADERS_BYTES_MAX);
    mem_free(x->headers);
    x->headers = NULL;
}

/* --- documents: the control thread ------------------------------------------------ */

static void metrics_export(struct server *s)
{
    struct exports *x = &s->exports;
    struct buf text, out;
    uint64_t now_ns = clock_mono_ns();
    if (now_ns < x->metrics_due_ns || !pusher_is_free(x->pusher, PUSH_METRICS))
        return; /* what is cumulative loses nothing by being late */
    x->metrics_due_ns = now_ns + (uint64_t)s->set.otlp_interval * 1000000000;
    buf_init(&text, EXPOSITION_MAX);
    buf_init(&out, DOCUMENT_MAX);
    metrics_render(s->journal, &text);
    otlp_metrics(&x->resource, buf_sv(&text), x->start_ms, clock_wall_ms(),
                 &out);
    if (text.overflow || out.overflow)
        pusher_drop(x->pusher, PUSH_METRICS, 1);
    else
        pusher_put(x->pusher, PUSH_METRICS, &out, 1);
    buf_fini(&text);
    buf_fini(&out);
}

struct batch {
    struct exports *x;
    struct buf out;
    uint64_t spans;
    bool counts; /* the spans, and makes nothing of them */
};

/* A number that leaps: the keep was quicker than the collector. */
static void trace_export(void *ctx, const struct trace *t)
{
    struct batch *b = ctx;
    struct exports *x = b->x;
    if (t->number > x->last_trace + 1)
        pusher_drop(x->pusher, PUSH_TRACES, t->number - x->last_trace - 1);
    x->last_trace = t->number;
    if (!(t->context.flags & TRACE_SAMPLED)) return;
    if (!b->counts) otlp_trace(t, &b->out);
    b->spans++;
}

/* True: there are no more. */
static bool traces_export(struct server *s)
{
    struct exports *x = &s->exports;
    struct batch b = { .x = x };
    if (!pusher_is_free(x->pusher, PUSH_TRACES)) return false;
    buf_init(&b.out, DOCUMENT_MAX);
    otlp_traces_begin(&x->resource, &b.out);
    unsigned n =
        traces_after(s->journal, x->last_trace, TRACES_BATCH, trace_export, &b);
    otlp_traces_end(&b.out);
    if (b.spans && !b.out.overflow)
        pusher_put(x->pusher, PUSH_TRACES, &b.out, b.spans);
    else
        pusher_drop(x->pusher, PUSH_TRACES, b.spans);
    buf_fini(&b.out);
    return n == 0;
}

/* Spans and figures have one collector. */
void exports_tick(struct server *s)
{
    struct exports *x = &s->exports;
    bool ends = atomic_load(&x->phase) == EXPORTS_END;
    if (!pusher_has(x->pusher, PUSH_METRICS)) return;
    if (ends && !x->last_metrics && pusher_is_free(x->pusher, PUSH_METRICS)) {
        x->metrics_due_ns = 0;
        x->last_metrics = true;
    }
    metrics_export(s);
    bool none_left = traces_export(s);
    if (ends && none_left && x->last_metrics)
        atomic_store(&x->phase, EXPORTS_GIVEN);
}

/* No other thread is left. */
void exports_end(struct server *s)
{
    struct exports *x = &s->exports;
    struct batch b = { .x = x, .counts = true };
    if (!pusher_has(x->pusher, PUSH_TRACES) || !s->journal) return;
    while (
        traces_after(s->journal, x->last_trace, TRACES_BATCH, trace_export, &b))
        ;
    if (!b.spans) return;
    pusher_drop(x->pusher, PUSH_TRACES, b.spans);
    log_warn("reach", "collector (traces): %llu were lost at the end",
             (unsigned long long)b.spans);
}

void exports_metrics(struct server *s, struct buf *out)
{
    pusher_metrics(s->exports.pusher, out);
    log_push_metrics(s->exports.log, out);
}
