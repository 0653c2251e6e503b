/* Delivers the messages of alerts (live/alert.h): one attempt each, reported
 * whatever comes of it; when to try again is the control thread's. On the reach
 * reactor, by its fetcher, so under the egress policy; redirects are not
 * followed. 2xx is delivered. Or by mail (reach/smtp.h).
 *
 *   X-Typeauth-Signature: reach/sign.h
 *   X-Typeauth-Delivery: dlv_…    the same for each attempt */
#ifndef REACH_ALERT_H
#define REACH_ALERT_H

#include "live/alert.h"
#include "reach/fetch.h"
#include "reach/smtp.h"

struct alert_poster;

struct alert_poster_conf {
    struct alerts *alerts;
    struct fetcher *fetcher;
    int64_t (*wall_ms)(void);
    bool allow_plain;    /* http: URLs too */
    uint32_t timeout_ms; /* of an attempt */
    /* mails: as in smtp_conf; server NULL: none are sent */
    struct reactor *reactor;
    struct dns *dns;
    struct tls_client *tls;
    const struct egress *egress;
    const struct smtp_server *server;
};
void alert_poster_new(struct alert_poster **out,
                      const struct alert_poster_conf *conf);
void alert_poster_run(struct alert_poster *p); /* begins what is wanted */
/* Mails under way are dropped; before dns_free. */
void alert_poster_close(struct alert_poster *p);
/* After the fetcher was freed: no callback comes any more. */
void alert_poster_free(struct alert_poster **p);

#endif
