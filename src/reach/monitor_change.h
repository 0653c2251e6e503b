/* What others may learn of monitors: a status has changed. One receiver, set
 * by main/ (monitors_conf.changed); alerts hang here. */
#ifndef REACH_MONITOR_CHANGE_H
#define REACH_MONITOR_CHANGE_H

#include "base/sv.h"
#include "detect/health.h"

/* Texts are borrowed until the receiver returns. */
struct monitor_change {
    struct sv account_id, application_id; /* "acc_…", "app_…" */
    struct sv application;    /* its name */
    struct sv endpoint;       /* "" of the monitor as a whole; else the URL
                                 asked, without its query */
    enum health_status from, to;
    enum health_cause cause;  /* of DEGRADED and DOWN; else that which ended */
    unsigned code;            /* HTTP status of the last answer; 0: none */
    int64_t at_ms;            /* wall clock: when it began, not when judged */
    bool began, ended;        /* an incident: one with each DOWN */
};

/* Without a lock held, on the monitors' thread; on the control thread when a
 * change of configuration ends an incident (to UNKNOWN). Short, must not block
 * and must not call the monitors back. Once per change, in the order of changes
 * of an endpoint; not for the first good answer (UNKNOWN to HEALTHY), nor for
 * what a restart finds as it was left. */
typedef void monitor_changed_fn(void *ctx, const struct monitor_change *c);

#endif
