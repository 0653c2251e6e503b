/* What happened: exactly one event an exchange, after its reply (design §2).
 * Written by reactors into memory of their own; nothing here blocks, and what
 * cannot be kept is dropped and counted.
 *
 *   reactor: event -> counters and histograms (plain adds)
 *                  -> access-log line in the reactor's buffer
 *                  -> token use (outcome counts; background day rows)
 *                  -> refusals, findings, faults: an incident for its account
 *                     (journal/sieve.h), which the recorder keeps on the disk
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/buf.h"
#include "journal/incident.h"
#include "journal/figures.h"
#include "journal/totals.h"
#include "journal/trace.h"

enum outcome { /* class of an exchange's end, a metric label */
    OUTCOME_PASSED, OUTCOME_UNAUTHORIZED, OUTCOME_FORBIDDEN, OUTCOME_LIMITED,
    OUTCOME_QUOTA, OUTCOME_BAD_REQUEST, OUTCOME_UNAVAILABLE,
    OUTCOME_ORIGIN_FAILED, OUTCOME_UNKNOWN, OUTCOME_CLIENT_GONE,
    OUTCOME_COUNT
};

/* What makes an event an incident as well. Codes of findings are static. */
struct event_more {
    struct sv account_id;        /* "acc_…" */
    uint64_t now_ms;             /* the reactor's, does not go backwards */
    struct sv method, host, path; /* that were asked for: at the verify door
                                     what telemetry tells; without query */
    struct sv subject, owner;    /* of the token; "" unknown */
    const struct findings *findings; /* NULL: none */
};

/* What is counted of an exchange for its application and account. */
struct event_counted {
    uint64_t app, account;       /* ulid_low of their ids; app 0: none */
    uint32_t app_num, cost;
    uint32_t route;              /* id of the rule; 0: none */
    char country[3];             /* "DE"; zeros: not known */
};

/* All views are borrowed for the call. No secret is ever put in. */
struct event {
    int64_t wall_ms;
    uint8_t door;                /* 0 proxy, 1 verify, 2 management */
    enum outcome outcome;
    const char *code;            /* published reason code, static; passed: "",
                                    or what could not be checked */
    struct sv request_id, method, host, path; /* path without query */
    struct sv app_id;            /* "" unknown */
    const uint8_t *token_id;     /* 16 bytes or NULL */
    uint32_t token_slot;
    struct ip client;
    unsigned status;             /* to the client; 0: none */
    uint64_t bytes_in, bytes_out;
    struct event_counted counted;
    uint32_t end_s;              /* wall clock, seconds since 1970 */
    uint32_t total_us;           /* first request byte to last answer byte */
    uint32_t origin_us;          /* to the origin's head; 0: not asked */
    uint8_t http_minor;
    bool tls;
    const struct event_more *more; /* NULL: nothing to be kept */
    const struct trace_run *trace; /* NULL: not traced */
};

struct journal;

struct journal_conf {
    unsigned reactors;
    /* access log: -1 none; else an open descriptor (a file or pipe), kept */
    int access_fd;
    unsigned sample;             /* 1 in n of the passed; refusals always */
    /* incidents: the folder, borrowed; NULL: none are kept */
    const char *incidents_dir;
    uint64_t incidents_bytes;    /* ceiling of its files */
    int64_t incidents_age_ms;    /* older ones are neither kept nor shown */
    struct totals *totals;       /* borrowed; NULL: not counted */
    struct figures *figures;     /* borrowed; NULL: no analytics */
    unsigned traces_max;         /* that are kept; 0: none */
    /* Each incident that has findings, on the recorder's thread. NULL: none. */
    void (*found)(void *ctx, const struct incident *i);
    void *found_ctx;
};
int journal_new(struct journal **out, const struct journal_conf *conf);
void journal_free(struct journal **j);
/* On reactor `r`'s thread. */
void journal_event(struct journal *j, unsigned r, const struct event *e);
/* Once a turn, on its thread: flushes a log buffer that is 1 s old (a full one
 * is flushed by its last event). Returns in how many ms it should be called
 * again though nothing else happens: what an idle reactor still has to write;
 * 0: nothing. */
uint32_t journal_turn(struct journal *j, unsigned r, uint64_t now_ms);

/* A finding that belongs to no single exchange, or is made after its end. */
struct journal_note {
    int64_t wall_ms;
    uint64_t now_ms;             /* as in event_more */
    uint8_t door;
    struct sv account_id, app_id;
    const uint8_t *token_id;     /* 16 bytes or NULL */
    struct sv subject;           /* "" none */
    const struct finding *finding;
};
/* On reactor `r`'s thread, or with JOURNAL_ELSEWHERE on any other (which may
 * wait for another such call). */
enum { JOURNAL_ELSEWHERE = -1 };
void journal_finding(struct journal *j, int r, const struct journal_note *n);

/* The recorder's thread: takes incidents from the reactors and appends them to
 * the disk, twice a second. Without it journal_incidents_record does so. */
int journal_recorder_start(struct journal *j);
/* After the last event: keeps what is still counted, then joins. */
void journal_recorder_stop(struct journal *j);
/* One round of it; any thread. */
void journal_incidents_record(struct journal *j);

/* --- reading incidents: any thread but a reactor's ---------------------------- */
struct incident_filter {         /* NULL, p NULL, -1: any */
    struct ulid account;
    const struct ulid *application, *token;
    struct sv code;              /* of the refusal or of a finding */
    int action;                  /* of a finding */
    int enforced;                /* 0 or 1 (incident_is_enforced) */
    const struct ip *client;
    int64_t start_ms, end_ms;    /* start <= at < end */
};
struct incident_page {
    bool newer;                  /* the ones next above `bound`, rising; else
                                    below it, falling */
    struct ulid bound;
    uint32_t limit;
    /* --- found --- */
    bool has_more;
    struct ulid next;            /* has_more: the bound to go on with */
    uint64_t dropped;            /* of all accounts, since the start */
};
typedef void incident_fn(void *ctx, const struct incident *i);
/* What was recorded until now, newest included. Reads a bounded amount: a page
 * may hold less than its limit, even nothing, and have more. ERR_NOTFOUND: no
 * incidents are kept; ERR_TIMEOUT: the recorder is stuck. */
int journal_incidents(struct journal *j, const struct incident_filter *f,
                      struct incident_page *page, incident_fn *fn, void *ctx);
/* The one of that id, if it is the account's: ERR_NOTFOUND. */
int journal_incident(struct journal *j, const struct ulid *account,
                     const struct ulid *id, incident_fn *fn, void *ctx);

/* The thread that writes the access log; without it reactors do. */
int journal_log_start(struct journal *j);
/* SIGHUP / rotation, control thread: the next write goes to this descriptor.
 * -1 ends the log. */
void journal_access_fd(struct journal *j, int fd);
/* After the last event: the thread ends, the last lines are written, those of
 * a stream without room within so long, and the descriptor is closed. How many
 * lines were dropped; told once. journal_free does it without waiting. */
uint64_t journal_access_end(struct journal *j, unsigned wait_ms);

/* Outcome counts of single tokens since the last drain (passed and limited
 * ride in the counter line). Control thread; at once, also for a reactor that
 * sleeps or has ended. `code` is the event's own pointer: static texts only. */
typedef void journal_use_fn(void *ctx, uint32_t slot, const uint8_t id[16],
                            enum outcome outcome, const char *code,
                            uint64_t n);
void journal_use_drain(struct journal *j, journal_use_fn *fn, void *ctx);

/* Any thread. Text of /metrics (Prometheus 0.0.4); rows of other owners are
 * added by them through metrics_add. */
typedef void metrics_fn(void *ctx, struct buf *out);
void metrics_add(struct journal *j, metrics_fn *fn, void *ctx);
void metrics_render(struct journal *j, struct buf *out);

#endif
