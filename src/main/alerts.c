/* What the program itself has to tell: detections, as the journal's recorder
 * sees them, and the ends of our own certificates. */
#include <stdio.h>

#include "base/clock.h"
#include "codec/json.h"
#include "main/server.h"

enum { CERTIFICATES_EVERY_MS = 600000 };

/* --- detections --------------------------------------------------------------- */

static void put_text(struct buf *b, const char *name, struct sv text)
{
    json_put_name(b, name);
    json_put_text(b, text);
}

static void put_id(struct buf *b, const char *name, enum kind kind,
                   const struct ulid *u)
{
    struct id id = id_make(kind, u);
    put_text(b, name, id_sv(&id));
}

static void finding_put(struct alert_occurrence *o, const struct incident *i,
                        const struct incident_finding *f)
{
    static const char *const actions[] = DETECTOR_ACTIONS;
    char ip[IP_TEXT_MAX];
    struct buf b;
    buf_init_fixed(&b, o->details, sizeof o->details - 1);
    buf_putc(&b, '{');
    put_id(&b, "event_id", KIND_EVENT, &i->id);
    put_text(&b, "action", sv_cstr(actions[f->action]));
    json_put_name(&b, "enforced");
    buf_puts(&b, f->enforced ? "true" : "false");
    if (i->has_token) put_id(&b, "token_id", KIND_TOKEN, &i->token);
    if (i->has_client) put_text(&b, "ip", sv_of(ip, ip_format(&i->client, ip)));
    if (f->evidence.n && b.n + f->evidence.n + 16 < sizeof o->details) {
        json_put_name(&b, "evidence");
        buf_put(&b, f->evidence);
    }
    buf_putc(&b, '}');
    o->details[b.overflow ? 0 : b.n] = 0;
}

void server_found(void *ctx, const struct incident *i)
{
    struct server *s = ctx;
    for (unsigned n = 0; n < i->findings_n; n++) {
        const struct incident_finding *f = &i->findings[n];
        if (f->action < DETECTOR_ALERT) continue;
        struct alert_occurrence o = {
            .account_id = id_make(KIND_ACCOUNT, &i->account),
            .app_id = id_make(KIND_APPLICATION, &i->application),
            .kind = ALERT_DETECTION,
            .state = ALERT_EVENT,
            .at_ms = i->at_ms,
            .count = i->count,
        };
        snprintf(o.key, sizeof o.key, "%.*s", SV_FMT(f->code));
        snprintf(o.title, sizeof o.title, "%.*s at %.*s", SV_FMT(f->code),
                 SV_FMT(i->text[INCIDENT_HOST]));
        finding_put(&o, i, f);
        alerts_raise(s->alerts, &o);
    }
}

/* --- certificates ------------------------------------------------------------------ */

static void certificate_tell(struct server *s, const char *what,
                             struct tls_server *tls)
{
    int64_t now_ms = clock_wall_ms();
    if (!tls) return;
    int64_t left_ms = tls_server_not_after_ms(tls) - now_ms;
    struct alert_occurrence o = {
        .kind = ALERT_CERTIFICATE,
        .state = ALERT_OPEN,
        .at_ms = now_ms,
        .count = 1,
        .to = (int)(left_ms / 86400000),
    };
    snprintf(o.key, sizeof o.key, "%s", what);
    snprintf(o.title, sizeof o.title,
             left_ms > 0 ? "A certificate of the %s ends soon"
                         : "A certificate of the %s has ended",
             what);
    snprintf(o.details, sizeof o.details, "{\"daysLeft\":%d}", o.to);
    alerts_raise(s->alerts, &o);
}

/* Control thread, whose epoch_reclaim frees certificates that were replaced. */
void certificates_tick(struct server *s)
{
    int64_t now_ms = clock_wall_ms();
    struct tls_server *gateway = s->gateway_tls, *api = s->api_tls;
    bool same = gateway == s->told_tls[0] && api == s->told_tls[1];
    int64_t since_ms = now_ms - s->told_tls_ms;
    if (same && since_ms >= 0 && since_ms < CERTIFICATES_EVERY_MS) return;
    certificate_tell(s, "gateway", gateway);
    certificate_tell(s, "API", api);
    s->told_tls[0] = gateway;
    s->told_tls[1] = api;
    s->told_tls_ms = now_ms;
}
