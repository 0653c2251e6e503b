/* What the program itself has to tell: detections, as the journal's recorder
 * sees them, and the ends of our own certificates. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "codec/host.h"
#include "codec/json.h"
#include "main/server.h"

enum { CERTIFICATES_EVERY_MS = 600000, NAME_BYTES = 150 };

/* --- detections --------------------------------------------------------------- */

static void finding_put(struct alert_occurrence *o, const struct incident *i,
                        const struct incident_finding *f)
{
    static const char *const actions[] = DETECTOR_ACTIONS;
    char ip[IP_TEXT_MAX];
    struct buf b;
    buf_init_fixed(&b, o->details, sizeof o->details - 1);
    buf_putc(&b, '{');
    json_put_id(&b, "event_id", KIND_EVENT, &i->id);
    json_put_member(&b, "action", sv_cstr(actions[f->action]));
    json_put_bool(&b, "enforced", f->enforced);
    if (i->has_token) json_put_id(&b, "token_id", KIND_TOKEN, &i->token);
    if (i->has_client)
        json_put_member(&b, "ip", sv_of(ip, ip_format(&i->client, ip)));
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

/* --- the mail server -------------------------------------------------------------- */

static int fails(const char *setting, const char *why)
{
    fprintf(stderr, "typeauth: --%s: %s\n", setting, why);
    return -1;
}

static int password_read(struct server *s, const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f) return fails("smtp-password-file", strerror(errno));
    bool read = fgets(s->mail_password, sizeof s->mail_password, f) != NULL;
    fclose(f);
    size_t n = strcspn(s->mail_password, "\r\n");
    if (!read || !n || n == sizeof s->mail_password - 1)
        return fails("smtp-password-file", "its first line is no password");
    s->mail_password[n] = 0;
    s->mail_server.password = sv_of(s->mail_password, n);
    return 0;
}

int mail_server_read(struct server *s)
{
    static const char *const modes[] = { [SMTP_TLS_STARTTLS] = "starttls",
                                         [SMTP_TLS_IMPLICIT] = "implicit",
                                         [SMTP_TLS_OFF] = "off" };
    const struct settings *set = &s->set;
    struct smtp_server *m = &s->mail_server;
    struct sv host;
    unsigned mode = 0;
    if (!set->smtp_server) return 0;
    while (mode < ARRAY_LEN(modes) && strcmp(set->smtp_tls, modes[mode]) != 0)
        mode++;
    if (mode == ARRAY_LEN(modes))
        return fails("smtp-tls", "is not one of: starttls implicit off");
    m->tls = (enum smtp_tls)mode;
    if (host_split(sv_cstr(set->smtp_server), &host, &m->port) || !host.n)
        return fails("smtp-server", "takes HOST or HOST:PORT");
    if (!m->port) m->port = m->tls == SMTP_TLS_IMPLICIT ? 465 : 587;
    if (!set->smtp_from || !smtp_address_is_valid(sv_cstr(set->smtp_from)))
        return fails("smtp-from", "a mail address is needed");
    m->from = sv_cstr(set->smtp_from);
    if (set->smtp_user) m->user = sv_cstr(set->smtp_user);
    if (m->user.n && m->tls == SMTP_TLS_OFF)
        return fails("smtp-user", "a password is not sent without TLS");
    if (m->user.n && !set->smtp_password_file)
        return fails("smtp-password-file", "is needed with smtp-user");
    if (m->user.n && password_read(s, set->smtp_password_file)) return -1;
    m->host = host;
    return 0;
}

/* --- monitors --------------------------------------------------------------------- */

/* As much as a title holds, whole code points. */
static struct sv name_first(struct sv name)
{
    size_t n = name.n < NAME_BYTES ? name.n : NAME_BYTES;
    while (n < name.n && n && ((uint8_t)name.p[n] & 0xc0) == 0x80) n--;
    return sv_first(name, n);
}

static void monitor_tell(struct server *s, const struct monitor_change *c,
                         enum health_status status, enum alert_state state)
{
    bool certificate = c->cause == HEALTH_CAUSE_CERTIFICATE_SOON;
    struct alert_occurrence o = {
        .kind = certificate ? ALERT_CERTIFICATE : ALERT_MONITOR,
        .state = state,
        .at_ms = c->at_ms,
        .count = 1,
    };
    struct buf b;
    memcpy(o.account_id.text, c->account_id.p, c->account_id.n);
    memcpy(o.app_id.text, c->application_id.p, c->application_id.n);
    snprintf(o.key, sizeof o.key, "%s", health_status_name(status));
    snprintf(o.title, sizeof o.title, "%.*s is %s",
             SV_FMT(name_first(c->application)), o.key);
    buf_init_fixed(&b, o.details, sizeof o.details - 1);
    buf_puts(&b, "{\"cause\":");
    json_put_text(&b, sv_cstr(health_cause_name(c->cause)));
    json_put_name(&b, "status");
    buf_put_u64(&b, c->code);
    buf_putc(&b, '}');
    alerts_raise(s->alerts, &o);
}

/* DEGRADED stays open while it is DOWN: that is told once more, not ended. */
void server_monitor_changed(void *ctx, const struct monitor_change *c)
{
    struct server *s = ctx;
    if (c->endpoint.n || c->account_id.n > ID_TEXT_MAX ||
        c->application_id.n > ID_TEXT_MAX)
        return;
    if (c->from == HEALTH_DOWN) monitor_tell(s, c, HEALTH_DOWN, ALERT_RESOLVED);
    if (c->to != HEALTH_DOWN && c->to != HEALTH_DEGRADED)
        monitor_tell(s, c, HEALTH_DEGRADED, ALERT_RESOLVED);
    if (c->to == HEALTH_DOWN || c->to == HEALTH_DEGRADED)
        monitor_tell(s, c, c->to, ALERT_OPEN);
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
