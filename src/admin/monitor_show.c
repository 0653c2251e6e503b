#include "admin/monitor_show.h"

#include <stdlib.h>

static void put_ms(struct buf *b, const char *name, double us)
{
    json_put_name(b, name);
    buf_printf(b, "%.3f", us / 1000);
}

static double mean(uint64_t sum, uint64_t n)
{
    return n ? (double)sum / (double)n : 0;
}

static void put_response_time(struct buf *b, const struct uptime_sum *s)
{
    if (!s->answers) {
        json_put_null(b, "response_time");
        return;
    }
    json_put_name(b, "response_time");
    buf_putc(b, '{');
    put_ms(b, "average", mean(s->sum_us, s->answers));
    put_ms(b, "minimum", (double)s->min_us);
    put_ms(b, "maximum", (double)s->max_us);
    put_ms(b, "p95", (double)uptime_quantile_us(s, 0.95));
    put_ms(b, "p99", (double)uptime_quantile_us(s, 0.99));
    buf_putc(b, '}');
}

static void put_codes(struct buf *b, const struct uptime_sum *s)
{
    char name[8];
    json_put_name(b, "status_codes");
    buf_putc(b, '{');
    for (unsigned i = 0; i < s->codes_n; i++) {
        snprintf(name, sizeof name, "%u", s->codes[i].code);
        json_put_u64(b, name, s->codes[i].n);
    }
    if (s->other_codes) json_put_u64(b, "other", s->other_codes);
    buf_putc(b, '}');
}

void monitor_show_sum(struct buf *b, const struct uptime_sum *s,
                      int64_t start_ms, int64_t end_ms)
{
    static const char *const phases[UPTIME_PHASES] = {
        "dns_time", "connect_time", "tls_time", "first_byte_time"
    };
    json_put_time(b, "start", start_ms);
    json_put_time(b, "end", end_ms);
    json_put_name(b, "uptime");
    if (s->probes)
        buf_printf(b, "%.3f",
                   100 * (double)(s->probes - s->failures) / (double)s->probes);
    else
        buf_puts(b, "null");
    json_put_u64(b, "checks", s->probes);
    json_put_u64(b, "failures", s->failures);
    json_put_u64(b, "degraded", s->degraded);
    json_put_u64(b, "maintained", s->maintained);
    put_response_time(b, s);
    for (int i = 0; i < UPTIME_PHASES; i++)
        put_ms(b, phases[i], mean(s->phase_sum_us[i], s->probes));
    put_codes(b, s);
}

/* --- now -------------------------------------------------------------------------- */

static void put_last(struct buf *b, const struct monitor_target_status *t)
{
    static const char *const phases[UPTIME_PHASES] = { "dns", "connect", "tls",
                                                       "first_byte" };
    json_put_name(b, "last");
    buf_putc(b, '{');
    put_ms(b, "total", t->total_us);
    for (int i = 0; i < UPTIME_PHASES; i++)
        put_ms(b, phases[i], t->phase_us[i]);
    buf_putc(b, '}');
}

static void put_target(struct buf *b, const struct monitor_target_status *t)
{
    bool ill = t->status == HEALTH_DEGRADED || t->status == HEALTH_DOWN;
    buf_puts(b, b->p[b->n - 1] == '[' ? "{" : ",{");
    json_put_member(b, "url", t->url);
    json_put_member(b, "method", t->method);
    json_put_member(b, "status", sv_cstr(health_status_name(t->status)));
    if (ill)
        json_put_member(b, "cause", sv_cstr(health_cause_name(t->cause)));
    else
        json_put_null(b, "cause");
    json_put_time(b, "since", t->since_ms);
    json_put_time(b, "checkedAt", t->checked_ms);
    if (t->code)
        json_put_u64(b, "status_code", t->code);
    else
        json_put_null(b, "status_code");
    put_last(b, t);
    json_put_time(b, "certificate_expires_at", t->certificate_ms);
    buf_putc(b, '}');
}

void monitor_show_targets(struct buf *b, const struct monitor_status *s)
{
    int64_t certificate = 0, checked = 0;
    json_put_name(b, "endpoints");
    buf_putc(b, '[');
    for (unsigned i = 0; i < s->n; i++) {
        const struct monitor_target_status *t = &s->targets[i];
        put_target(b, t);
        if (t->checked_ms > checked) checked = t->checked_ms;
        if (t->certificate_ms &&
            (!certificate || t->certificate_ms < certificate))
            certificate = t->certificate_ms;
    }
    buf_putc(b, ']');
    json_put_time(b, "checkedAt", checked);
    json_put_time(b, "certificate_expires_at", certificate);
}

/* --- incidents ---------------------------------------------------------------------- */

static int newest_first(const void *x, const void *y)
{
    const struct uptime_incident *a = x, *b = y;
    return a->seq < b->seq ? 1 : a->seq > b->seq ? -1 : 0;
}

static void put_incident(struct buf *b, const struct uptime_incident *i,
                         int64_t now_ms)
{
    int64_t end = i->end_ms ? i->end_ms : now_ms;
    buf_puts(b, b->p[b->n - 1] == '[' ? "{" : ",{");
    json_put_time(b, "start", i->start_ms);
    json_put_time(b, "end", i->end_ms);
    json_put_u64(b, "duration",
                 end > i->start_ms ? (uint64_t)(end - i->start_ms) / 1000 : 0);
    json_put_member(b, "cause",
                    sv_cstr(health_cause_name(i->cause % HEALTH_CAUSE_COUNT)));
    if (i->code)
        json_put_u64(b, "status_code", i->code);
    else
        json_put_null(b, "status_code");
    json_put_member(b, "url", sv_cstr(i->url));
    buf_putc(b, '}');
}

void monitor_show_incidents(struct buf *b, struct uptime_incident *list,
                            unsigned n, int64_t now_ms)
{
    qsort(list, n, sizeof *list, newest_first);
    json_put_name(b, "incidents");
    buf_putc(b, '[');
    for (unsigned i = 0; i < n; i++) put_incident(b, &list[i], now_ms);
    buf_putc(b, ']');
}
