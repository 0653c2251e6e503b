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
    mem_free(d);
}

void alert_poster_free(struct alert_poster **at)
{
    if (!*at) return;
    while ((*at)->all) posting_free((*at)->all);
    mem_free(*at);
    *at = NULL;
}

static void on_answer(void *ctx, const struct fetch_answer *f)
{
    struct posting *d = ctx;
    struct alert_outcome o = {
        .id = d->message.id,
        .delivered = !f->err && f->status >= 200 && f->status <= 299,
        .status = f->err ? 0 : f->status,
        .took_ms = (uint32_t)((clock_mono_ns() - d->began_ns) / 1000000),
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
        post(d);
    }
}
