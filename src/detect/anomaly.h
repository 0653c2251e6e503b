/* Anomaly detection (detectors.md §4): is what an application or a subject
 * does now what it does at this hour of the week? Five patterns, each with a
 * baseline that learns online; docs/detection.md has the method and measured
 * quality.
 *
 *   after each answer   anomaly_add: counts (15 ns); at a window's end each
 *                       pattern is judged, then learnt from (0.1 µs)
 *   before each request anomaly_standing: what stands from earlier findings
 *
 *   first anomalous window ─► monitor ─► (2nd) alert ─► (4th) challenge ─► block
 *   each rung stands for a bounded time; a normal window ends the climb
 *
 * Pure: no clock, no memory, no lock. The state is the caller's, one for the
 * application and one a subject, and so is the lock around a call. What every
 * request touches and what is learnt lie apart: of many subjects who each come
 * a few times the baselines are never touched. Requests that this detector
 * itself refused are not to be added. */
#ifndef DETECT_ANOMALY_H
#define DETECT_ANOMALY_H

#include "model/anomaly.h"

enum { ANOMALY_HOURS = 7 * 24, ANOMALY_SKETCH = 32, ANOMALY_BLOCK_S = 900 };

/* What every request touches. */
struct anomaly_tally {
    double sum;        /* of the pattern's quantity in this window */
    uint32_t n;        /* requests in it */
    uint32_t start_s;  /* 0: none yet */
    uint32_t until_s;  /* the action below stands until then */
    uint8_t action;    /* enum detector_action */
    uint8_t partial : 1; /* the first window began in its middle */
    uint8_t denied : 1;  /* the action is an administrator's, not the ladder's */
    uint16_t run;      /* anomalous windows in a row */
    uint32_t learnt;   /* windows in the baseline; 0: it holds nothing yet */
};

/* What was learnt; all in octaves (log2 of the quantity). */
struct anomaly_baseline {
    float anchor;      /* of the hours below: the first window's value */
    float level;       /* how far above its rhythm it lies these days */
    float fast;        /* of the last half hour: for hours not seen yet */
    float variance;    /* of what is left, without the noise of counting */
    float trend, trend_variance; /* of the last windows' scores */
    float visit_sum;   /* of this hour's visit */
    uint16_t visit_n;
    uint8_t visit_hour, unused;
    uint32_t windows;  /* learnt from */
    int8_t hours[ANOMALY_HOURS]; /* above the anchor, in 1/16; -128: not seen */
};

struct anomaly_state { /* zeros: nothing known yet */
    struct anomaly_tally tally[ANOMALY_PATTERNS];
    uint8_t endpoints[ANOMALY_SKETCH]; /* bits of this window's, by hash */
};
_Static_assert(sizeof(struct anomaly_state) == 192, "three cache lines");

/* What belongs to a state; of a new one whatever was there before. */
struct anomaly_learnt {
    struct anomaly_baseline baseline[ANOMALY_PATTERNS];
};
_Static_assert(sizeof(struct anomaly_state) + sizeof(struct anomaly_learnt) <=
                   256 * ANOMALY_PATTERNS,
               "256 bytes a pattern");

/* An application's anomaly turns nobody away: it goes as far as an alert, and
 * it also knows a loss of volume. */
enum anomaly_scope { ANOMALY_APPLICATION, ANOMALY_SUBJECT };

struct anomaly_sample {
    int64_t at_ms;        /* clock_node_ms */
    uint64_t endpoint;    /* hash of method and route or path */
    uint64_t bytes;       /* of the request, with its body */
    uint32_t response_us;
    bool failed;          /* answered with 400 or above */
    bool no_time, no_bytes; /* not known: no request of these two patterns */
};

struct anomaly_finding {
    enum anomaly_pattern pattern;
    enum detector_action action; /* what it has climbed to */
    bool fresh;          /* first of its run, or one rung higher: an event */
    bool adopted;        /* has lasted so long that it is learnt as normal */
    int64_t from_s;      /* the window judged */
    uint32_t window_s, run;
    uint32_t learnt;     /* windows behind the baseline */
    double observed, expected; /* requests, share of 1, ms, bytes, endpoints */
    double score, threshold;   /* deviations; negative: too little */
};

/* Returns how many findings, 0 to ANOMALY_PATTERNS. */
unsigned anomaly_add(const struct anomaly *policy, enum anomaly_scope scope,
                     struct anomaly_state *state, struct anomaly_learnt *learnt,
                     const struct anomaly_sample *sample,
                     struct anomaly_finding out[ANOMALY_PATTERNS]);
/* The strongest action that stands, at most the policy's; *pattern names whose
 * it is (may be NULL). */
enum detector_action anomaly_standing(const struct anomaly *policy,
                                      const struct anomaly_state *state,
                                      int64_t at_ms,
                                      enum anomaly_pattern *pattern);
struct anomaly_stand {
    enum detector_action action; /* ALLOW: nothing stands */
    enum anomaly_pattern pattern;
    bool denied;
    int64_t from_s, until_s;     /* node clock */
};
/* The same, with all that is to be told and kept of it. */
struct anomaly_stand anomaly_stand(const struct anomaly *policy,
                                   const struct anomaly_state *state,
                                   int64_t at_ms);
/* One pattern's alone, whatever the policy is by now. */
struct anomaly_stand anomaly_stand_of(const struct anomaly_state *state,
                                      enum anomaly_pattern pattern,
                                      int64_t at_ms);
/* As it stood before a restart. */
void anomaly_restore(struct anomaly_state *state,
                     const struct anomaly_stand *stand);
/* An administrator ends what stands; what was learnt stays. */
void anomaly_clear(struct anomaly_state *state);
/* The opposite: what stands is a block, for as long as one lasts from when it
 * began. */
void anomaly_deny(struct anomaly_state *state, int64_t at_ms);

#endif
