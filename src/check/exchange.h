/* One question "may this request pass?", from either door, and its verdict.
 * The door fills what it knows, the chain runs the application's steps, the
 * door decides what the verdict looks like. No HTTP status here. */
#ifndef CHECK_EXCHANGE_H
#define CHECK_EXCHANGE_H

#include "base/arena.h"
#include "base/ip.h"
#include "check/place.h"
#include "codec/http.h"
#include "codec/json.h"
#include "detect/place.h"
#include "live/counter.h"
#include "live/detection.h"
#include "live/replay.h"
#include "live/subject.h"
#include "live/token.h"
#include "live/verified.h"
#include "live/visitor.h"
#include "model/finding.h"
#include "plan/plan.h"

enum verdict {
    VERDICT_PASS,
    VERDICT_DENY,   /* exchange.reason says why */
    VERDICT_ANSWER, /* a check answers itself (preflight, cache) */
    VERDICT_WAIT,   /* run the same step again later */
    VERDICT_BODY,   /* take the body in, then run the same step again */
    VERDICT_WORK,   /* let a worker run exchange.work, then run it again */
    VERDICT_FAULT,  /* could not judge; onFault decides */
};

/* Why a request was denied. Columns: name, published code, class that a
 * caller without detailResponse sees, sentence. */
enum reason_class { CLASS_UNAUTHORIZED, CLASS_FORBIDDEN, CLASS_TOO_MANY,
                    CLASS_BAD_REQUEST, CLASS_UNAVAILABLE, CLASS_NOT_FOUND,
                    CLASS_MISDIRECTED, CLASS_TOO_LARGE, CLASS_GATEWAY,
                    CLASS_MEDIA_TYPE };
#define REASONS(X)                                                           \
    X(UNKNOWN_DOMAIN, "unknown_domain", NOT_FOUND,                           \
      "no application answers to this host name")                            \
    X(BAD_PATH, "bad_request", BAD_REQUEST,                                  \
      "the path has segments of dots, or a value that no route can carry")  \
    X(MISDIRECTED, "misdirected_request", MISDIRECTED,                       \
      "the TLS server name and the Host name different applications")        \
    X(APPLICATION_DISABLED, "application_disabled", UNAVAILABLE,             \
      "this application is disabled")                                        \
    X(NO_AUTHENTICATION, "no_authentication", UNAVAILABLE,                   \
      "this application lost its authentication profile")                    \
    X(IP_BLOCKED, "ip_blocked", FORBIDDEN,                                   \
      "requests from this address are refused")                              \
    X(GEO_BLOCKED, "geo_blocked", FORBIDDEN,                                 \
      "requests from this area are refused")                                 \
    X(RULE_BLOCKED, "rule_blocked", FORBIDDEN,                               \
      "a rule of the firewall refuses this request")                         \
    X(MISSING_TOKEN, "missing_token", UNAUTHORIZED, "no token was sent")     \
    X(INVALID_TOKEN, "invalid_token", UNAUTHORIZED,                          \
      "the token is not valid")                                              \
    X(TOKEN_DISABLED, "token_disabled", UNAUTHORIZED,                        \
      "the token is disabled")                                               \
    X(TOKEN_REVOKED, "token_revoked", UNAUTHORIZED,                          \
      "the token was revoked")                                               \
    X(TOKEN_EXPIRED, "token_expired", UNAUTHORIZED, "the token has expired") \
    X(INVALID_SIGNATURE, "invalid_signature", UNAUTHORIZED,                  \
      "the token is not signed by a key of this application")                \
    X(TOKEN_NOT_ACTIVE, "token_not_active", UNAUTHORIZED,                    \
      "the token is not valid yet")                                          \
    X(MISSING_CLAIM, "missing_claim", UNAUTHORIZED,                          \
      "the token lacks a claim that is needed")                              \
    X(INVALID_CLAIM, "invalid_claim", UNAUTHORIZED,                          \
      "a claim of the token is not what it must be")                         \
    X(INVALID_PROOF, "invalid_dpop_proof", UNAUTHORIZED,                     \
      "the request does not prove that its sender holds the token's key")    \
    X(RATE_LIMITED, "rate_limited", TOO_MANY, "the rate limit was reached")  \
    X(GLOBAL_RATE_LIMITED, "global_rate_limited", TOO_MANY,                  \
      "the limit of requests to this application was reached")               \
    X(QUOTA_EXHAUSTED, "quota_exhausted", TOO_MANY,                          \
      "the quota of this token is used up")                                  \
    X(INSUFFICIENT_SCOPE, "insufficient_scope", FORBIDDEN,                   \
      "the token lacks a scope that is needed")                              \
    X(DISPOSABLE_EMAIL, "disposable_email", FORBIDDEN,                       \
      "the mail address is of a provider that is not accepted")              \
    X(BAD_BODY, "bad_request", BAD_REQUEST,                                  \
      "the request body is not JSON that can be judged")                     \
    X(IP_NOT_ALLOWED, "ip_not_allowed", FORBIDDEN,                           \
      "the token may not be used from this address")                         \
    X(IMPOSSIBLE_TRAVEL, "impossible_travel", FORBIDDEN,                     \
      "the request comes from a place that could not be reached so fast")    \
    X(ANOMALY_BLOCKED, "anomaly_blocked", FORBIDDEN,                         \
      "this caller's requests are unlike any before")                        \
    X(CHALLENGE_REQUIRED, "challenge_required", TOO_MANY,                    \
      "the caller has to be verified before it may go on")                   \
    X(WAF_BLOCKED, "waf_blocked", FORBIDDEN,                                 \
      "the request was refused by a firewall")                               \
    X(SCHEMA_VIOLATION, "schema_violation", BAD_REQUEST,                     \
      "the request is not as the API's document says")                       \
    X(CHECK_UNAVAILABLE, "check_unavailable", UNAVAILABLE,                   \
      "a check could not be made; try again")                                \
    X(BODY_TOO_LARGE, "body_too_large", TOO_LARGE,                           \
      "the request body is larger than this application allows")             \
    X(UNSUPPORTED_ENCODING, "unsupported_encoding", MEDIA_TYPE,              \
      "an encoded request body cannot be judged; send it as it is")          \
    X(ORIGIN_UNREACHABLE, "origin_unreachable", GATEWAY,                     \
      "the origin could not be reached")                                     \
    X(ORIGIN_TIMEOUT, "origin_timeout", GATEWAY,                             \
      "the origin did not answer in time")                                   \
    X(ORIGIN_INVALID, "origin_invalid", GATEWAY,                             \
      "the origin's answer is not valid HTTP")                               \
    X(NO_ORIGIN, "no_origin", UNAVAILABLE,                                   \
      "this application names no origin")                                    \
    X(SHUTTING_DOWN, "shutting_down", UNAVAILABLE,                           \
      "the gateway is shutting down")

enum reason {
    REASON_NONE,
#define X(name, code, class, text) REASON_##name,
    REASONS(X)
#undef X
    REASON_COUNT
};
struct reason_row {
    const char *code, *text;
    enum reason_class class_of;
};
extern const struct reason_row reason_rows[REASON_COUNT];

struct expression_request;
struct place_lane;
struct schema_lane;
struct introspections;
struct keysets;
struct jwt_lane;

/* What the limit by address or header has admitted. */
struct global_take {
    bool done;
    uint32_t limit, remaining, reset_s;
    struct visitor_take visit;
};

/* What the checks may reach; one a process, immutable after start. */
struct check_env {
    struct tokens *tokens;
    struct counters *counters;
    struct plan *plan;
    int64_t (*wall_ms)(void);
    int64_t (*node_ms)(void);
    /* of JWTs; NULL: no application may have keyType jwt */
    struct keysets *keysets;
    struct subjects *subjects;
    struct jwt_lane *jwt;      /* a reactor each (check/jwt.h) */
    struct replay *replay;     /* proofs that came */
    struct introspections *introspections;
    struct detection *detection;    /* NULL: no profile has a detector */
    struct place_root *places; /* NULL: no location data, ever */
    struct place_lane *place_lanes; /* a reactor each (check/where.h) */
    struct schema_lane *schema_lanes; /* a reactor each (check/schema.h) */
    struct visitors *visitors; /* NULL: no abuse profile may count them */
    struct mail_root *mail;    /* NULL: no list of mail domains, ever */
    struct quota_watch *quotas; /* NULL: nobody is told of spent quotas */
};

enum { WAITS_MAX = 1000 }; /* turns a check may wait; then it is a fault */

/* What became of VERDICT_BODY: the body lies there, or there was no memory for
 * it (what was read until then is the door's to pass on). */
enum intake { INTAKE_UNASKED, INTAKE_DONE, INTAKE_FAILED };

/* What a check wants done by a worker thread, since it would hold up a reactor:
 * it reads nothing of the exchange but the image's rules and the body, and the
 * door keeps both as long as it runs, also when the client has gone. */
enum work_kind { WORK_OF_WAF, WORK_OF_SCHEMA, WORK_KINDS }; /* for figures */
struct check_work {
    void (*run)(struct check_work *w);
    void (*free)(struct check_work *w);
    enum work_kind kind;
};
/* FAILED: no worker took it, or it came too late; the door has freed it. */
enum worked { WORK_UNASKED, WORK_DONE, WORK_FAILED };

/* How long each step took, and what it said. While the chain runs only ticks
 * and faults are noted; the rest is written once, at the end of a run. */
struct step_times {
    uint8_t n;                      /* steps that were come to, in order */
    uint8_t last;                   /* enum verdict of the last of them */
    uint8_t faults;                 /* of the exchange, so far */
    uint8_t step[STEP_COUNT];
    uint32_t faulty;                /* bit i: passed over by onFault: open */
    uint32_t ticks[STEP_COUNT];     /* base/ticks.h */
};
_Static_assert(STEP_COUNT <= 32, "a bit a step");
/* enum verdict of step i < n. */
static inline uint8_t step_verdict(const struct step_times *t, unsigned i)
{
    if (t->faulty >> i & 1) return VERDICT_FAULT;
    return i + 1 == t->n ? t->last : VERDICT_PASS;
}
extern const char *const step_names[STEP_COUNT]; /* "credential" */

/* Zero it, fill the upper part, run the chain. Between WAIT, BODY or WORK and the next run
 * the door holds the plan (plan_hold) and keeps head, credential and scopes;
 * `token` is looked up again by slot and tag, its `own` and `cold` are valid
 * only in the turn of the run. */
struct exchange {
    const struct check_env *env;
    enum door door;
    unsigned reactor;
    /* --- asked (filled by the door; views live as long as it says) --- */
    const struct plan_app *plan;
    const struct http_head *head;   /* proxy; verify: NULL */
    struct sv credential;           /* verify: the token as sent; proxy: the
                                       check finds it by the profile's place */
    struct ip client;               /* zero address if unknown */
    bool has_client;
    uint32_t cost;                  /* 1 by default */
    bool peek;
    const struct sv *scopes;        /* that must be held */
    unsigned scopes_n;
    const yyjson_val *headers;      /* verify: telemetry's, or NULL */
    struct sv scheme, host;         /* proxy: as the client asked for it; set
                                       when the profile binds by DPoP */
    struct sv method, url;          /* verify: telemetry's, or "" */
    int64_t sent_ms;                /* verify: telemetry's time; 0: now */
    const uint8_t *certificate;     /* SHA-256 of the client's; NULL: none */
    /* The request's body, or its first inspect_bytes: taken in by
     * the step BODY when a later one judges it; verify: never. The door sets
     * `intake` when it is done. */
    struct sv body;
    enum intake intake;
    bool has_body;                  /* `body` is filled: there is one, and it
                                       can be read */
    bool body_over;                 /* it is longer than `body` */
    bool body_encoded;              /* there is one that cannot be read */
    uint32_t inspect_bytes;         /* BODY: so much of it is wanted */
    struct check_work *work;        /* WORK: to be run; its owner is the door
                                       until it sets `worked`, then its check */
    enum worked worked;
    /* --- found --- */
    int64_t wall_ms;                /* read once a run */
    const struct route_match *route; /* NULL: no rule is for this request */
    struct expression_request *request; /* check/request.h; valid in the run */
    struct findings *findings;      /* NULL: nothing to tell; in the arena */
    bool preflight;                 /* ANSWER: of CORS, not of the route */
    uint8_t place_state;            /* 0: not looked up yet (check/where.h) */
    char country[3];                /* by check_country */
    struct place place;             /* of the client, by check_place */
    bool rules_over;                /* a rule said allow or skip: no further */
    bool skips_waf;                 /* a rule said skip */
    bool body_unschemed;            /* the schema judges no body of this one */
    enum place_found found;         /* with `sought`: of the credential, */
    struct sv secret;               /* which this is, until its step is over */
    bool sought;
    bool has_token;
    struct token_view token;
    const struct verified *jwt;     /* keyType jwt: what the token says; valid
                                       in the turn of the run */
    uint8_t digest[32];             /* of the secret: a running stream asks
                                       with it whether it still holds */
    struct take_ask ask;            /* as taken, for the refund; its terms
                                       are gone after the run */
    struct take_answer take;
    struct limit nearest;           /* copy of limits[take.nearest] when
                                       take.has_limit, for the fields */
    uint64_t visitor;               /* whom it counts, by check_global_ahead */
    struct global_take global;      /* step GLOBAL_LIMIT */
    bool taken;                     /* something was taken */
    bool judged_limits;             /* `take` is filled */
    /* whose traffic it is, and where it went, for detectors; valid to the end
     * of the visit. Zeros: nobody in particular (check/tracked.h) */
    uint64_t who[TRACK_KEY_WORDS], endpoint;
    struct step_times *times;       /* NULL: nobody wants to know */
    /* --- verdict --- */
    uint8_t step;                   /* where WAIT goes on */
    uint16_t waits;
    bool again;                     /* not the first run */
    bool bound;                     /* BINDING has passed: not judged again
                                       after a wait */
    uint32_t retry_ms;              /* WAIT: in how long; 0: soon */
    uint8_t faults;                 /* steps passed over by onFault: open */
    enum reason reason;
    struct id challenge;            /* what holds a refused caller; "" none */
    uint32_t challenge_s;           /* it ends by itself in; 0: not soon */
    struct sv claim;                /* that a denial speaks of; valid as jwt */
    struct sv violations;           /* the same: JSON array of objects; "" none */
    struct sv allow;                /* 405: the methods that there are */
    uint16_t refused_by;            /* status of the denial; 0: the reason's */
    uint32_t operation;             /* + 1, of the schema's document; 0: none */
    /* proxy: the field that held the credential; NULL: the query */
    const struct http_field *credential_field;
    struct arena *arena;            /* the exchange's, budgeted */
};

/* Before the first run, as early as the door can: where nothing judges before
 * it, the credential is hashed and what it is looked up in is on its way while
 * the door gets ready. Asks for env, door, plan, arena and head or credential.
 * May be left out. */
void chain_ahead(struct exchange *x);
/* Runs the plan's steps from exchange.step on. PASS, DENY, ANSWER, WAIT, BODY,
 * WORK; a FAULT becomes PASS or DENY(CHECK_UNAVAILABLE) by the profile's onFault.
 * A later step's denial gives the quota (only) back. */
enum verdict chain_run(struct exchange *x);
/* The work is over, or was never begun: frees it. NULL: nothing. */
void check_work_end(struct exchange *x);
/* For the event: the code of the denial `why`, or (passed) that a check could
 * not be made and onFault let it pass; else "". Static. */
const char *exchange_code(const struct exchange *x, enum reason why);
/* The origin was not reached by any byte: quota back (gateway.md §1). */
void chain_refund(struct exchange *x);

#endif
