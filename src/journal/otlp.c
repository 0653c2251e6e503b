/* What both kinds have in common, and traces. */
#include "journal/otlp.h"

#include "base/fmt.h"
#include "codec/json.h"
#include "journal/journal.h"
#include "journal/names.h"
#include "journal/otlp_int.h"
#include "model/kind.h"

enum { SPAN_SERVER = 2, SPAN_CLIENT = 3, STATUS_ERROR = 2 };

/* --- both -------------------------------------------------------------------------- */

void otlp_text(struct buf *b, struct sv name, struct sv value)
{
    if (b->n && b->p[b->n - 1] == '}') buf_putc(b, ',');
    buf_puts(b, "{\"key\":");
    json_put_text(b, name);
    buf_puts(b, ",\"value\":{\"stringValue\":");
    json_put_text(b, value);
    buf_puts(b, "}}");
}

void otlp_time(struct buf *b, const char *name, int64_t ns)
{
    json_put_name(b, name);
    buf_putc(b, '"');
    buf_put_i64(b, ns);
    buf_putc(b, '"');
}

void otlp_begin(const struct otlp_resource *r, const char *kind,
                struct buf *out)
{
    buf_printf(out, "{\"resource%c%s\":[{\"resource\":{\"attributes\":[",
               kind[0] - 'a' + 'A', kind + 1);
    for (size_t i = 0; i < r->attributes_n; i++)
        otlp_text(out, r->attributes[i].name, r->attributes[i].value);
    buf_printf(out, "]},\"scope%c%s\":[{\"scope\":{\"name\":\"typeauth\"",
               kind[0] - 'a' + 'A', kind + 1);
    json_put_name(out, "version");
    json_put_text(out, r->version);
    buf_putc(out, '}');
}

/* --- traces ------------------------------------------------------------------------- */

static void put_number(struct buf *b, const char *name, uint64_t v)
{
    if (b->n && b->p[b->n - 1] == '}') buf_putc(b, ',');
    buf_printf(b, "{\"key\":\"%s\",\"value\":{\"intValue\":\"%llu\"}}", name,
               (unsigned long long)v);
}

static void put_id(struct buf *b, const char *name, enum kind kind,
                   const struct ulid *u)
{
    struct id id = id_make(kind, u);
    otlp_text(b, sv_cstr(name), id_sv(&id));
}

static void put_hex(struct buf *b, const char *name, const uint8_t *p, size_t n)
{
    char hex[2 * TRACE_ID_BYTES];
    fmt_hex(hex, p, n);
    json_put_name(b, name);
    json_put_text(b, sv_of(hex, 2 * n));
}

static void put_events(const struct trace *t, int64_t at_ns, struct buf *b)
{
    json_put_name(b, "events");
    buf_putc(b, '[');
    for (uint8_t i = 0; i < t->steps_n; i++) {
        const struct trace_step *s = &t->steps[i];
        at_ns += s->ns;
        buf_putc(b, i ? ',' : ' ');
        buf_putc(b, '{');
        otlp_time(b, "timeUnixNano", at_ns);
        json_put_name(b, "name");
        json_put_text(b, sv_cstr(s->name));
        buf_puts(b, ",\"attributes\":[");
        otlp_text(b, SV("typeauth.verdict"), trace_verdict_names[s->verdict]);
        put_number(b, "typeauth.nanoseconds", s->ns);
        buf_puts(b, "]}");
    }
    buf_putc(b, ']');
}

static void put_attributes(const struct trace *t, struct buf *b)
{
    json_put_name(b, "attributes");
    buf_putc(b, '[');
    otlp_text(b, SV("http.request.method"), sv_of(t->method, t->method_n));
    if (t->status) put_number(b, "http.response.status_code", t->status);
    otlp_text(b, SV("typeauth.request_id"),
              sv_of(t->request_id, t->request_id_n));
    otlp_text(b, SV("typeauth.door"), event_door_names[t->door]);
    otlp_text(b, SV("typeauth.outcome"), outcome_names[t->outcome]);
    put_id(b, "typeauth.account_id", KIND_ACCOUNT, &t->account);
    put_id(b, "typeauth.application_id", KIND_APPLICATION, &t->application);
    if (t->has_token) put_id(b, "typeauth.token_id", KIND_TOKEN, &t->token);
    if (t->code_n) otlp_text(b, SV("error.type"), sv_of(t->code, t->code_n));
    buf_putc(b, ']');
}

static void span_begin(const struct trace *t, const uint8_t *id,
                       const uint8_t *parent, struct buf *b)
{
    if (b->n && b->p[b->n - 1] == '}') buf_putc(b, ',');
    buf_putc(b, '{');
    put_hex(b, "traceId", t->context.trace_id, TRACE_ID_BYTES);
    put_hex(b, "spanId", id, SPAN_ID_BYTES);
    if (parent) put_hex(b, "parentSpanId", parent, SPAN_ID_BYTES);
}

static void span_frame(const char *name, int kind, int64_t from_ns,
                       int64_t to_ns, struct buf *b)
{
    json_put_name(b, "name");
    json_put_text(b, sv_cstr(name));
    json_put_name(b, "kind");
    buf_put_i64(b, kind);
    otlp_time(b, "startTimeUnixNano", from_ns);
    otlp_time(b, "endTimeUnixNano", to_ns);
}

/* From the checks' end (as far as it is known) to the origin's head. */
static void origin_span(const struct trace *t, int64_t start_ns, struct buf *b)
{
    uint8_t id[SPAN_ID_BYTES];
    int64_t from_ns = start_ns, to_ns = start_ns + t->origin_us * 1000ll;
    for (uint8_t i = 0; i < t->steps_n; i++) from_ns += t->steps[i].ns;
    if (from_ns > to_ns) from_ns = to_ns;
    trace_origin_span(t->span_id, id);
    span_begin(t, id, t->span_id, b);
    span_frame("origin", SPAN_CLIENT, from_ns, to_ns, b);
    buf_puts(b, ",\"attributes\":[");
    otlp_text(b, SV("http.request.method"), sv_of(t->method, t->method_n));
    buf_puts(b, "]}");
}

void otlp_traces_begin(const struct otlp_resource *r, struct buf *out)
{
    otlp_begin(r, "spans", out);
    buf_puts(out, ",\"spans\":[");
}

void otlp_trace(const struct trace *t, struct buf *b)
{
    int64_t start_ns = t->at_ms * 1000000;
    char method[TRACE_METHOD_MAX + 1] = "HTTP";
    if (t->method_n) {
        memcpy(method, t->method, t->method_n);
        method[t->method_n] = 0;
    }
    span_begin(t, t->span_id, t->has_parent ? t->context.span_id : NULL, b);
    span_frame(method, SPAN_SERVER, start_ns, start_ns + t->total_us * 1000ll,
               b);
    put_attributes(t, b);
    put_events(t, start_ns, b);
    json_put_name(b, "status");
    if (t->status >= 500)
        buf_printf(b, "{\"code\":%d}", STATUS_ERROR);
    else
        buf_puts(b, "{}");
    buf_putc(b, '}');
    if (t->origin_us) origin_span(t, start_ns, b);
}

void otlp_traces_end(struct buf *out)
{
    buf_puts(out, "]}]}]}");
}
