#include "reach/alert.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "reach/sign.h"

enum { ANSWER_MAX = 4096 };

struct posting {
    struct alert_poster *p;
    struct posting *next, **prev;
    uint64_t began_ns;
    struct alert_message message; /* wiped */
    struct smtp_send *mail;       /* NULL: none is under way */
    struct sv to[ALERT_TO_MAX];
    struct buf data; /* of a mail */
};

struct alert_poster {
    struct alert_poster_conf conf;
    struct posting *all;
};

void alert_poster_new(struct alert_poster **out,
                      const struct alert_poster_conf *conf)
{
    *out = NEW(struct alert_poster);
    (*out)->conf = *conf;
}

static void posting_free(struct posting *d)
{
    *d->prev = d->next;
    if (d->next) d->next->prev = d->prev;
    mem_wipe(&d->message, sizeof d->message);
    buf_fini(&d->data);
    mem_free(d);
}

void alert_poster_free(struct alert_poster **at)
{
    if (!*at) return;
    while ((*at)->all) posting_free((*at)->all);
    mem_free(*at);
    *at = NULL;
}

void alert_poster_close(struct alert_poster *p)
{
    for (struct posting *d = p->all; d; d = d->next) {
        if (d->mail) smtp_cancel(d->mail);
        d->mail = NULL;
    }
}

static uint32_t took_ms(const struct posting *d)
{
    return (uint32_t)((clock_mono_ns() - d->began_ns) / 1000000);
}

static void on_answer(void *ctx, const struct fetch_answer *f)
{
    struct posting *d = ctx;
    struct alert_outcome o = {
        .id = d->message.id,
        .delivered = !f->err && f->status >= 200 && f->status <= 299,
        .status = f->err ? 0 : f->status,
        .took_ms = took_ms(d),
    };
    if (f->err)
        snprintf(o.problem, sizeof o.problem, "%s", f->problem);
    else if (!o.delivered)
        snprintf(o.problem, sizeof o.problem, "HTTP %u", f->status);
    alerts_report(d->p->conf.alerts, &o);
    posting_free(d);
}

static void post(struct posting *d)
{
    const struct alert_poster *p = d->p;
    const struct alert_message *m = &d->message;
    struct sv body = sv_of(m->body, m->body_n), secrets[SIGN_SECRETS_MAX];
    struct id id = id_make(KIND_DELIVERY, &m->id);
    char signature[SIGN_TEXT_MAX];
    for (unsigned i = 0; i < m->secrets_n; i++)
        secrets[i] = sv_cstr(m->secrets[i]);
    const struct http_field fields[] = {
        { SV("Content-Type"), SV("application/json; charset=utf-8"),
          HN_CONTENT_TYPE },
        { SV("X-Typeauth-Signature"),
          sign_body(signature, p->conf.wall_ms(), body, secrets, m->secrets_n),
          HN_OTHER },
        { SV("X-Typeauth-Delivery"), id_sv(&id), HN_OTHER },
    };
    const struct fetch_request req = {
        .url = sv_of(m->url, m->url_n),
        .allow_plain = p->conf.allow_plain,
        .body = body,
        .fields = fields,
        .fields_n = ARRAY_LEN(fields),
        .answer_max = ANSWER_MAX,
        .timeout_ms = p->conf.timeout_ms,
        .done = on_answer,
        .ctx = d,
    };
    d->began_ns = clock_mono_ns();
    fetch_start(p->conf.fetcher, &req);
}

/* --- mails ----------------------------------------------------------------------- */

static void on_mailed(void *ctx, const char *problem, unsigned code)
{
    struct posting *d = ctx;
    struct alert_outcome o = { .id = d->message.id,
                               .delivered = !problem[0],
                               .status = code,
                               .took_ms = took_ms(d) };
    snprintf(o.problem, sizeof o.problem, "%s", problem);
    alerts_report(d->p->conf.alerts, &o);
    posting_free(d);
}

static void mail(struct posting *d)
{
    const struct alert_poster_conf *conf = &d->p->conf;
    const struct alert_message *m = &d->message;
    struct id id = id_make(KIND_DELIVERY, &m->id);
    d->began_ns = clock_mono_ns();
    if (!conf->server) {
        on_mailed(d, "this server has no mail server to send by", 0);
        return;
    }
    for (unsigned i = 0; i < m->to_n; i++)
        d->to[i] = sv_of(m->to[i], m->to_sizes[i]);
    const struct smtp_mail text = { .from = conf->server->from,
                                    .subject = sv_of(m->subject, m->subject_n),
                                    .text = sv_of(m->body, m->body_n),
                                    .to = d->to,
                                    .to_n = m->to_n,
                                    .id = id_sv(&id),
                                    .wall_ms = m->at_ms };
    buf_init(&d->data, 4 * ALERT_BODY_MAX);
    smtp_mail_encode(&text, &d->data);
    const struct smtp_conf smtp = { .reactor = conf->reactor,
                                    .dns = conf->dns,
                                    .tls = conf->tls,
                                    .egress = conf->egress,
                                    .server = conf->server,
                                    .timeout_ms = conf->timeout_ms };
    const struct smtp_ask ask = { .data = buf_sv(&d->data),
                                  .to = d->to,
                                  .to_n = m->to_n,
                                  .done = on_mailed,
                                  .ctx = d };
    d->mail = smtp_start(&smtp, &ask);
}

void alert_poster_run(struct alert_poster *p)
{
    for (;;) {
        struct posting *d = NEW(struct posting);
        if (!alerts_send_take(p->conf.alerts, &d->message)) {
            mem_free(d);
            return;
        }
        d->p = p;
        d->next = p->all;
        d->prev = &p->all;
        if (p->all) p->all->prev = &d->next;
        p->all = d;
        if (d->message.to_n)
            mail(d);
        else
            post(d);
    }
}
