/* An abuse profile (detectors.md §2): disposable e-mail and the global limit.
 * GeoSentry and anomaly detection are values of their own headers. */
#ifndef MODEL_ABUSE_H
#define MODEL_ABUSE_H

#include "base/arena.h"
#include "model/anomaly.h"
#include "model/security.h"
#include "model/travel.h"

enum { ABUSE_DOMAINS_MAX = 10000, ABUSE_WEBHOOK_MAX = 2048,
       ABUSE_SECRET_MAX = 256 };

enum abuse_scope { ABUSE_BY_IP, ABUSE_BY_TOKEN, ABUSE_BY_HEADER };

struct abuse {
    struct sv id, account_id, name;
    const struct sv *blocklist, *exceptions; /* domains in our form */
    uint32_t blocklist_n, exceptions_n;
    bool has_limit;
    uint32_t limit;    /* 1-1,000,000 */
    uint32_t window_s; /* 1-86,400 */
    enum abuse_scope scope;
    struct sv scope_header;
    unsigned locations;       /* bits: 1 header, 2 cookie, 4 query, 8 body */
    struct sv property;       /* "": no mail check */
    struct travel travel;     /* geoSentry */
    struct anomaly anomaly;   /* anomalyDetection */
    struct sv webhook;        /* URL told of challenges; "" none. Its secret
                                 lies in the record's sealed row */
    enum fault_rule on_fault; /* DEFAULT: open, the limit closed */
};
int abuse_decode(struct sv doc, struct arena *a, struct abuse *out);

/* "1m" is a million in `requests`, "10k" ten thousand. False: none of these. */
bool abuse_requests_parse(struct sv text, int64_t *out);
/* "10m" is ten minutes in `interval`: seconds of s, m, h, d. */
bool abuse_interval_parse(struct sv text, int64_t *out_s);

#endif
