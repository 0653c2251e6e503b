/* Labelled traffic with a daily and a weekly rhythm, from a fixed seed, run
 * through anomaly detection: what a detector is measured by. Every series has
 * two weeks without events and two with one every three days; all five
 * patterns judge all of it, so that a finding of any of them is an alarm.
 *
 * Nothing in it was tuned to the detector: a series is described by the rate's
 * curve, its noise and what an event does. */
#ifndef SUPPORT_TRAFFIC_H
#define SUPPORT_TRAFFIC_H

#include "detect/anomaly.h"

enum traffic_kind {
    TRAFFIC_SHIFT,   /* three times the requests, for half a day */
    TRAFFIC_SPIKE,   /* eight times, for ten minutes */
    TRAFFIC_DRIFT,   /* responses slower and slower: four times after 6 h */
    TRAFFIC_CHANGED, /* the day's rhythm ten hours late, for a day */
    TRAFFIC_KEPT,    /* none: growth, busy days, summer time begins */
    TRAFFIC_ERRORS,  /* one in five fails instead of one in a hundred, 30 min */
    TRAFFIC_SCAN,    /* 200 endpoints instead of 12, for 20 minutes */
    TRAFFIC_PAYLOAD, /* bodies of ten times the size, for 30 minutes */
    TRAFFIC_KINDS
};
const char *traffic_name(enum traffic_kind kind);

struct traffic_score {
    unsigned events, hit;     /* labelled; with an alarm from their start to 2 h
                                 behind their end */
    unsigned alarms, right;   /* episodes (an hour apart); those that touch an
                                 event */
    double delay_s;           /* sum over `hit`: event's start to alarm */
    unsigned long requests, windows;
};

/* Adds to *score. `per_second`: requests, on the mean of the week. */
void traffic_run(enum traffic_kind kind, const struct anomaly *policy,
                 enum anomaly_scope scope, double per_second, uint64_t seed,
                 struct traffic_score *score);

#endif
