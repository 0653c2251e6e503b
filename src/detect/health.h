/* Is what a monitor watches well (api.md §7)? One probe after the other in, a
 * status out, that does not flap:
 *
 *            failure            2nd failure in a row
 *   HEALTHY ────────> DEGRADED ────────────────────> DOWN
 *      ^                  │                            │
 *      └──────────────────┴─ 2 successes in a row ─────┘
 *
 * A probe that succeeds but is slow, or whose certificate ends soon, keeps
 * what is HEALTHY at DEGRADED, and is a success in all else. An incident
 * begins with DOWN (dated back to the first of its failures) and ends with
 * the first of the successes that end it.
 *
 * Pure: no clock, no memory; the state is the caller's. */
#ifndef DETECT_HEALTH_H
#define DETECT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum health_status {
    HEALTH_UNKNOWN, /* not probed yet */
    HEALTH_HEALTHY,
    HEALTH_DEGRADED,
    HEALTH_DOWN,
    HEALTH_MAINTENANCE, /* somebody said so: probes are not judged */
    HEALTH_STATUSES
};
const char *health_status_name(enum health_status s); /* "HEALTHY" */

/* Why a probe failed, or is not all well: the cause of an incident. */
#define HEALTH_CAUSES(X)                                                    \
    X(NONE, "")                                                             \
    X(RESOLVE, "dns")             /* the name has no address */             \
    X(CONNECT, "connect")         /* refused, unreachable */                \
    X(TIMEOUT, "timeout")                                                   \
    X(TLS, "tls")                 /* handshake, name, authority */          \
    X(CERTIFICATE, "certificate_expired")                                   \
    X(PROTOCOL, "protocol")       /* no HTTP */                             \
    X(DENIED, "egress_denied")    /* our own policy refuses the address */  \
    X(STATUS, "status_code")      /* another than expected */               \
    X(BODY, "body")               /* does not match */                      \
    X(SLOW, "slow")                                                         \
    X(CERTIFICATE_SOON, "certificate_expires_soon")
enum health_cause {
#define X(name, text) HEALTH_CAUSE_##name,
    HEALTH_CAUSES(X)
#undef X
    HEALTH_CAUSE_COUNT
};
const char *health_cause_name(enum health_cause c);

enum { HEALTH_FAILURES = 2, HEALTH_SUCCESSES = 2 }; /* in a row */

struct health_state { /* zeros: not probed yet */
    uint8_t status, cause; /* cause: of DEGRADED and DOWN */
    uint8_t failures, successes; /* in a row, up to those above */
    int64_t since_ms;    /* of the status */
    int64_t run_ms;      /* first of the failures, or successes, in a row */
};

struct health_probe {
    bool failed;
    enum health_cause cause; /* of a failure, or what is not well: SLOW,
                                CERTIFICATE_SOON */
    int64_t at_ms;
};

struct health_change {
    bool changed;        /* of the status */
    enum health_status from;
    bool began, ended;   /* an incident */
    int64_t at_ms;       /* when it did */
};

struct health_change health_judge(struct health_state *s,
                                  const struct health_probe *p);
/* MAINTENANCE begins (an incident under way ends), or is over: then the next
 * probe judges as the first one. */
struct health_change health_maintain(struct health_state *s, bool on,
                                     int64_t at_ms);

/* Of several endpoints one status: DOWN only if all are, HEALTHY only if all
 * are; those not probed yet do not count. */
enum health_status health_together(const struct health_state *s, unsigned n);

#endif
