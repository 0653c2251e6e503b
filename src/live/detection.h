/* The memory of GeoSentry and of anomaly detection, one a process: what the
 * checks write and an administrator may read and clear. States are opaque
 * here; detect/travel.h and detect/anomaly.h know them.
 *
 * Keys: a token's id; of a JWT a hash of application, issuer and subject; of
 * an application its id. None of them is ever another's. */
#ifndef LIVE_DETECTION_H
#define LIVE_DETECTION_H

#include "base/buf.h"
#include "live/hold.h"
#include "live/track.h"

enum { DETECTION_APPLICATIONS = 16384 };

struct detection {
    struct tracks *travel;       /* a subject */
    struct tracks *anomaly;      /* a subject */
    struct tracks *applications; /* anomalies of whole applications */
    struct holds *holds;
};

struct detection_conf {
    uint32_t subjects; /* places of the first two tables, each */
    size_t travel_bytes, anomaly_bytes; /* of a state */
    size_t learnt_bytes; /* beside that of an anomaly (track.more) */
    struct holds_conf holds;
};
void detection_new(struct detection **out, const struct detection_conf *conf);
void detection_free(struct detection **d);
/* tracks_settle of all tables. */
void detection_settle(struct detection *d);
void detection_metrics(const struct detection *d, struct buf *out);

static inline void detection_key(const uint8_t id[16],
                                 uint64_t key[TRACK_KEY_WORDS])
{
    memcpy(key, id, TRACK_KEY_WORDS * sizeof *key);
}

#endif
