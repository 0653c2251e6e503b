/* What the files of the monitors share. */
#ifndef REACH_MONITOR_INT_H
#define REACH_MONITOR_INT_H

#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "reach/monitor.h"
#include "reach/schedule.h"

struct target { /* an endpoint at an origin */
    struct schedule_item item;    /* first: found from it */
    struct watched *of;
    const struct monitor_endpoint *endpoint;
    unsigned endpoint_at, at;     /* of the monitor, of the file */
    struct sv url;
    uint32_t key;                 /* of method and URL: is it the same? */
    struct origin_state *origin;  /* held; NULL: feeds nobody */
    bool probing;
    struct health_state health;
    struct uptime_incident incident; /* seq 0: none is open */
    struct uptime_probe last;
    int64_t checked_ms, certificate_ms;
};

struct watched { /* the monitor of an application */
    struct arena arena;           /* of texts, monitor and targets */
    struct sv account_id, id, name;
    const struct monitor *monitor;
    struct target *targets;
    unsigned n, probing;          /* probes under way: they hold it */
    bool gone;                    /* freed by the last of these */
    bool feeds;
    enum health_status told;      /* of the whole, as the receiver knows it */
    uint64_t incidents;           /* last number given */
    struct uptime_hour hours[UPTIME_ENDPOINTS]; /* present ones */
};

struct monitors {
    struct monitors_conf conf;
    char *dir;
    /* Taken before the other: what is judged first is written and told first,
     * by whichever thread. Readers do not wait for files. */
    pthread_mutex_t writing;
    pthread_mutex_t lock;
    struct map by_id;             /* of struct watched */
    struct schedule schedule;
    struct rand_fast random;
    struct monitor_figures figures; /* but for `applications` */
};

/* monitor_build.c: of the source alone; nothing known, nothing scheduled.
 * NULL: it is too large, which validation rules out. */
struct watched *watched_new(struct monitors *m, const struct monitor_source *s);
void watched_free(struct monitors *m, struct watched *w);
/* monitor_run.c: what is to be written and told once the lock is given back. */
struct monitor_report {
    struct watched *of;           /* held by its probe, or the caller's */
    struct uptime_hour hour;
    unsigned endpoint;            /* of the hour; >= UPTIME_ENDPOINTS: none */
    bool state;                   /* to be saved */
    unsigned state_at;
    struct uptime_state saved;
    struct uptime_incident incident; /* seq 0: none */
    bool changed, whole_changed;
    struct monitor_change change; /* of the endpoint */
    struct monitor_change whole;  /* of the monitor */
};
enum health_status watched_status(const struct watched *w);
/* What the whole became, if it is another than `was`. */
void monitor_report_whole(struct monitor_report *r, enum health_status was,
                          enum health_status is, const struct target *by,
                          int64_t at_ms);
void monitor_report_write(struct monitors *m, const struct monitor_report *r);
struct uptime_state target_state(const struct target *t);
/* Its incident ends, if one is open. */
void target_incident_end(struct target *t, int64_t at_ms,
                         struct monitor_report *r);

#endif
