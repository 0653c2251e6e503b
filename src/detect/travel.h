/* GeoSentry (detectors.md §3): could one person have made this journey? For
 * each subject (token, or subject of JWTs) the last places are kept; a request
 * from a place that could be reached from one of them only faster than the
 * policy's speed, within its window, is raised.
 *
 * In the caller's favour: both accuracy radii are subtracted from the
 * distance, and of two clocks the longer time counts. Never raised: radii that
 * overlap; places nearer than minDistanceKm; known routes (within the business
 * hours, if there are any); anycast addresses and the networks of proxies and
 * mobile gateways (by number), which neither judge nor are remembered;
 * requests that come out of order; anything across a step of a clock.
 *
 * What a raise does is the policy's action:
 *   MONITOR    noted, the new place is believed
 *   CHALLENGE  the new place stays held (a day at most) until travel_clear;
 *              requests from the places known before pass
 *   BLOCK      the subject stays held, wherever it is, until travel_clear
 *
 * Outside allowCountries BLOCK holds nobody: it ends at the border. A place
 * there that was cleared after a CHALLENGE is inside from then on.
 *
 * Pure: no clock, no memory, no lock. The state is the caller's (a table of
 * fixed size in live/), and so is the lock around a call. */
#ifndef DETECT_TRAVEL_H
#define DETECT_TRAVEL_H

#include "detect/place.h"
#include "model/travel.h"

struct travel_spot {
    int16_t latitude, longitude; /* 1/364 and 1/182 of a degree */
    uint16_t radius_km, country;
    uint32_t at_s;   /* wall clock or telemetry; 0: empty */
    uint32_t node_s; /* node clock */
};

enum { TRAVEL_SPOTS = 3, TRAVEL_CHALLENGE_S = 86400 };

/* Zeros: nothing known yet. Kept on the disk while it is held
 * (store_hold_put): who changes the layout moves the rows. */
struct travel_state {
    struct travel_spot spots[TRAVEL_SPOTS];
    int16_t held_latitude, held_longitude;
    uint16_t held_radius_km;
    uint8_t held : 7; /* enum detector_action: CHALLENGE, BLOCK, or 0 */
    uint8_t denied : 1; /* by an administrator: whatever the policy's action */
    uint8_t verified; /* bit i: spots[i] was verified */
    uint32_t held_s, raised_s; /* node clock */
};
_Static_assert(sizeof(struct travel_state) == 64, "64 bytes a subject");

struct travel_sample {
    const struct place *place; /* NULL: nothing known */
    int64_t at_ms;   /* when it was sent: wall clock, or telemetry's timestamp */
    int64_t node_ms; /* clock_node_ms: never backwards */
};

enum travel_reason {
    TRAVEL_FINE,
    TRAVEL_IMPOSSIBLE,    /* too fast */
    TRAVEL_OUTSIDE_REGION, /* not in allowCountries */
    TRAVEL_OUTSIDE_HOURS, /* a journey outside the business hours */
    TRAVEL_HELD,          /* raised before and not cleared */
};
const char *travel_reason_name(enum travel_reason reason);

struct travel_seen {
    float latitude, longitude;
    uint16_t radius_km, country;
    int64_t at_ms;
};

struct travel_verdict {
    enum detector_action action; /* ALLOW, MONITOR, CHALLENGE, BLOCK */
    enum travel_reason reason;
    bool again; /* raised within the window before: needs no second event */
    /* the evidence; zeros with TRAVEL_FINE */
    struct travel_seen from, to;
    double distance_km;  /* between the points */
    double counted_km;   /* without both radii: what the speed is of */
    double elapsed_s, speed_kmh;
};

/* A place that is kept; false: this one is empty. */
bool travel_spot_seen(const struct travel_spot *spot, struct travel_seen *out);

/* Numbers of networks whose places say nothing, in rising order. */
struct travel_networks {
    const uint32_t *asn;
    size_t n;
};
/* Anycast and relay providers, proxies, virtual private networks, mobile and
 * satellite gateways. An installation may give its own. */
extern const struct travel_networks travel_networks_known;

/* 0.05 to 0.1 µs where nobody moved, 0.12 where somebody did. */
struct travel_verdict travel_judge(const struct travel *policy,
                                   const struct travel_networks *exempt,
                                   struct travel_state *state,
                                   const struct travel_sample *sample);
/* The challenge was passed, or an administrator says so: the held place and
 * those kept are believed, also beside each other. */
void travel_clear(struct travel_state *state, int64_t at_ms, int64_t node_ms);

/* The opposite: who was held at a place is blocked wherever it is. */
void travel_deny(struct travel_state *state);

/* Great-circle distance. */
double travel_distance_km(double latitude1, double longitude1, double latitude2,
                          double longitude2);

#endif
