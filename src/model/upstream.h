/* Where an application's requests go beyond its one originHostname: several
 * origins and how they share the work, when one counts as ill, when requests
 * are sent again. Fields origins, balancing, health, breaker and retries of
 * an application (api.md §2, gateway.md §3). */
#ifndef MODEL_UPSTREAM_H
#define MODEL_UPSTREAM_H

#include "base/arena.h"
#include "codec/json.h"

enum {
    UPSTREAM_ORIGINS_MAX = 32, /* a bit each of a word */
    UPSTREAM_WEIGHT_MAX = 1000,
    UPSTREAM_RETRIES_MAX = 5,
    UPSTREAM_NAME_MAX = 50,
};

struct origin_address { /* "host", "host:port", "http(s)://host[:port][/base]" */
    bool tls;           /* bare host = https on 443 */
    uint16_t port;
    struct sv host;     /* IDNA, lower case, no brackets */
    struct sv base;     /* "" or "/path" without trailing slash */
};
int origin_address_parse(struct sv text, struct arena *a,
                         struct origin_address *out);
/* Same scheme, host, port and base. */
bool origin_address_eq(const struct origin_address *a,
                       const struct origin_address *b);

/* How a request at an origin ended. Rules name sets of these. */
#define ORIGIN_OUTCOMES(X)                                                \
    X(CONNECT, "connect") /* no connection: name, refusal, TLS, too late */ \
    X(RESET, "reset")     /* ended before the answer's head, or no HTTP */ \
    X(TIMEOUT, "timeout") /* connected, and no answer in time */          \
    X(500, "500")                                                         \
    X(502, "502")                                                         \
    X(503, "503")                                                         \
    X(504, "504")                                                         \
    X(5XX, "5xx")         /* the other statuses from 500 */
enum origin_outcome {
#define X(name, text) ORIGIN_##name,
    ORIGIN_OUTCOMES(X)
#undef X
    ORIGIN_FINE, /* any other answer */
};
enum origin_outcome origin_outcome_of(unsigned status);
static inline bool outcome_in(uint16_t set, enum origin_outcome what)
{
    return set >> what & 1;
}

struct upstream_origin {
    struct sv name;          /* its own, else "origin-1" … by its place */
    struct origin_address at;
    uint16_t weight;         /* 0: only requests by its header */
    struct sv header, value; /* header "": none; value p NULL: any */
};

enum balancing { BALANCE_WEIGHTED, BALANCE_LEAST, BALANCE_HASH };

/* Copied into exchanges: no texts. */
struct passive_rules {
    uint16_t failures;       /* in a row; 0: never ejected */
    uint16_t on;             /* set of outcomes */
    uint8_t ejected_max;     /* percent of the origins */
    uint32_t eject_ms, eject_max_ms;
};
struct breaker_rules {
    uint16_t failures;       /* in a row; 0: not by them */
    uint16_t on;
    uint8_t ratio;           /* percent of a window's requests; 0: not by it */
    uint8_t probes;          /* that must do well before it closes */
    uint32_t least;          /* requests before the ratio is judged */
    uint32_t window_ms, open_ms;
    uint32_t pending_max;    /* requests at the origin; 0: no ceiling */
};
struct retry_rules {
    uint8_t attempts;        /* beyond the first; 0: none */
    uint8_t budget;          /* percent of the requests */
    uint16_t on;
};

struct probe_rules {         /* of the active check; path "": none */
    struct sv path;
    uint32_t interval_ms, timeout_ms;
    uint16_t status;         /* 0: any below 400 */
    uint8_t healthy, unhealthy; /* in a row */
};

struct upstream {
    const struct upstream_origin *origins;
    unsigned n;              /* 0: originHostname alone, or nothing */
    enum balancing balancing;
    struct passive_rules passive;
    struct breaker_rules breaker;
    struct retry_rules retry;
    struct probe_rules probe;
};

/* Of an application's document; NULL: it says nothing of all this. */
int upstream_decode(const yyjson_val *root, struct arena *a,
                    const struct upstream **out);
/* The rules where an application says none, for routes that have retries. */
extern const struct retry_rules retry_defaults;

#endif
