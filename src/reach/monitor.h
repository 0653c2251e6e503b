/* The monitors of all applications (api.md §7): what is asked when, what came
 * of it, where each stands. An endpoint that is a path is asked at the
 * application's origin; the first such one at each of several origins, and what
 * it finds there feeds the balancer (live/origin.h), unless the application
 * probes by rules of its own.
 *
 *   control: put, remove ──┐                      ┌── status (control)
 *                       table, under a lock ──────┤
 *   monitors' thread: due ─ probe ─ done: judge ──┴─> file, receiver
 *
 * A target that fails for the first time is asked again after a quarter of its
 * interval, so that DOWN is known within two intervals; so is one that is DOWN
 * and answers. */
#ifndef REACH_MONITOR_H
#define REACH_MONITOR_H

#include "base/arena.h"
#include "journal/uptime_file.h"
#include "live/origin_table.h"
#include "model/monitor.h"
#include "reach/monitor_change.h"

struct monitors;

struct monitors_conf {
    const char *dir;         /* DATA/monitors; copied */
    struct origin_table *origins;
    int64_t (*node_ms)(void), (*wall_ms)(void);
    void (*wake)(void *ctx); /* something is due: any thread, short */
    monitor_changed_fn *changed; /* NULL: nobody is told */
    void *ctx;
};
void monitors_new(struct monitors **out, const struct monitors_conf *conf);
void monitors_free(struct monitors **m); /* no thread uses it any more */

/* --- control thread ------------------------------------------------------------ */
struct monitor_source {
    struct sv account_id, application_id, name;
    const struct monitor *monitor;
    const struct origin_place *origins; /* as the image holds them */
    unsigned n;              /* 0: the application has none yet */
    bool feeds;              /* and the balancer believes monitors */
};
/* In place of what was there; what is asked as before keeps its status. */
void monitors_put(struct monitors *m, const struct monitor_source *s);
/* With its history. */
void monitors_remove(struct monitors *m, struct sv application_id);

struct monitor_target_status {
    struct sv url, method;
    enum health_status status;
    enum health_cause cause;
    int64_t since_ms, checked_ms, certificate_ms; /* 0: never, none */
    unsigned code, endpoint;
    uint32_t total_us, phase_us[UPTIME_PHASES]; /* of the last check */
};
enum { MONITOR_TARGETS_MAX = UPTIME_STATES };
struct monitor_status {
    bool known;              /* false: nothing is asked */
    enum health_status status;
    unsigned n;
    struct monitor_target_status targets[MONITOR_TARGETS_MAX];
};
void monitors_status(struct monitors *m, struct sv application_id,
                     struct arena *a, struct monitor_status *out);
/* Its file, for reading; ERR_NOTFOUND: nothing was found yet. */
int monitors_file(struct monitors *m, struct sv application_id,
                  struct uptime_file *f);

/* --- the prober (one thread) --------------------------------------------------- */
struct watched;
struct target;
struct monitor_order {       /* held until done; views of it */
    struct watched *of;
    struct target *target;
    struct sv url;
    const struct monitor_endpoint *endpoint;
    uint32_t timeout_ms;
    int64_t start_ms;        /* wall */
};
/* False: none, *in_ms says when to ask again (INT64_MAX: when woken). */
bool monitors_due(struct monitors *m, struct monitor_order *out,
                  int64_t *in_ms);
struct monitor_answer {
    enum health_cause cause; /* why none came; NONE: `code` and body */
    bool skipped;            /* our own want of room: nothing is judged */
    unsigned code;
    struct sv body;
    uint32_t total_us, phase_us[UPTIME_PHASES];
    int64_t certificate_ms;
};
void monitors_done(struct monitors *m, const struct monitor_order *o,
                   const struct monitor_answer *a);

/* --- figures, any thread -------------------------------------------------------- */
struct monitor_figures {
    uint64_t applications[HEALTH_STATUSES];
    uint64_t targets, active, probes, skipped, incidents, unwritten;
    uint64_t failures[HEALTH_CAUSE_COUNT];
    uint64_t late_ms; /* how long the check waits that is due the longest */
};
void monitors_figures(struct monitors *m, struct monitor_figures *out);

#endif
