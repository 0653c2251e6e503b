/* The journal's insides, for journal/ only. */
#ifndef JOURNAL_JOURNAL_INT_H
#define JOURNAL_JOURNAL_INT_H

#include <pthread.h>

#include "journal/access_log.h"
#include "journal/histogram.h"
#include "journal/names.h"
#include "journal/recorder.h"
#include "journal/ring.h"
#include "journal/sieve.h"
#include "journal/use.h"

enum { STATUS_CLASSES = 6, METRIC_OWNERS_MAX = 16 };

struct trace_lane { /* of one reactor: its traces on their way */
    struct ring ring;
    _Atomic uint64_t dropped;
};

struct trace_keep {
    unsigned max;                /* 0: none are kept */
    pthread_mutex_t lock;        /* over all below and the rings' reading */
    struct trace **at;           /* a ring by number; NULL until the first */
    uint64_t last;               /* number of the newest */
    _Atomic uint64_t kept;       /* the same, without the lock */
};

struct lane { /* of one reactor, written by it alone */
    _Alignas(64) _Atomic uint64_t exchanges[EVENT_DOORS][OUTCOME_COUNT];
    _Atomic uint64_t statuses[EVENT_DOORS][STATUS_CLASSES];
    _Atomic uint64_t bytes_in[EVENT_DOORS], bytes_out[EVENT_DOORS];
    _Atomic uint64_t unjudged[EVENT_DOORS]; /* passed by onFault: open */
    struct histogram total[EVENT_DOORS], origin;
    struct access_log log;
    struct use use;
    struct sieve sieve;
    struct trace_lane trace;
};

struct journal {
    unsigned reactors, sample;
    struct log_sink sink;
    struct { pthread_t thread; bool started; _Atomic bool stop; } log;
    struct recorder *recorder;   /* NULL: no incidents are kept */
    pthread_mutex_t elsewhere_lock;
    struct sieve elsewhere;      /* of threads that are no reactors */
    struct trace_keep traces;
    struct totals *totals;
    struct figures *figures;
    pthread_mutex_t owners_lock;
    unsigned owners_n;
    struct { metrics_fn *fn; void *ctx; } owners[METRIC_OWNERS_MAX];
    struct lane lanes[];
};

/* access_writer.c: after the last event; a page that a stream has no room for
 * stays. */
void journal_log_stop(struct journal *j);
/* incident_of.c: enters the event of an exchange that is one. */
void journal_incident_of(struct journal *j, unsigned r, const struct event *e);
/* trace.c */
void trace_keep_fini(struct trace_keep *k);
void trace_lane_init(struct trace_lane *l);
void trace_lane_fini(struct trace_lane *l);
void trace_add(struct trace_lane *l, const struct event *e);
void journal_metrics(struct journal *j, struct buf *out); /* own rows */

#endif
