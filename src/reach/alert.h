/* Delivers the messages of alerts (live/alert.h): one attempt each, reported
 * whatever comes of it; when to try again is the control thread's. On the reach
 * reactor, by its fetcher, so under the egress policy; redirects are not
 * followed. 2xx is delivered.
 *
 *   X-Typeauth-Signature: reach/sign.h
 *   X-Typeauth-Delivery: dlv_…    the same for each attempt */
#ifndef REACH_ALERT_H
#define REACH_ALERT_H

#include "live/alert.h"
#include "reach/fetch.h"

struct alert_poster;

struct alert_poster_conf {
    struct alerts *alerts;
    struct fetcher *fetcher;
    int64_t (*wall_ms)(void);
    bool allow_plain;    /* http: URLs too */
    uint32_t timeout_ms; /* of an attempt */
};
void alert_poster_new(struct alert_poster **out,
                      const struct alert_poster_conf *conf);
void alert_poster_run(struct alert_poster *p); /* begins what is wanted */
/* After the fetcher was freed: no callback comes any more. */
void alert_poster_free(struct alert_poster **p);

#endif
