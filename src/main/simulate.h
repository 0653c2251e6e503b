/* `typeauth simulate`: the firewall's and the abuse profile's judgement of
 * requests that come as lines of JSON, in the order of gateway.md §1, without a
 * server. For people who tune rules. */
#ifndef MAIN_SIMULATE_H
#define MAIN_SIMULATE_H

#include "codec/json.h"
#include "detect/anomaly.h"
#include "detect/mail.h"
#include "detect/network.h"
#include "detect/travel.h"
#include "detect/waf.h"
#include "model/abuse.h"

enum { SIMULATE_FIELDS_MAX = 200, SIMULATE_LIST_MAX = 64 };

/* One line, in the arena. */
struct simulate_request {
    struct expression_request seen; /* method, host, target, path … token */
    struct http_field fields[SIMULATE_FIELDS_MAX];
    struct sv body;
    bool has_token;
    bool has_time;
    int64_t at_ms;   /* our clock */
    int64_t sent_ms; /* when its client says that it was sent */
    uint32_t cost;
    bool out_of_band; /* /authenticate: telemetry tells of it, and of no body */
    uint32_t status, response_ms; /* of the answer that it got; 0: 200 */
    bool has_place;
    struct place place;           /* by the place files */
};
/* ERR_INVALID with *why, a sentence. */
int simulate_request_read(struct sv line, struct arena *a,
                          struct simulate_request *out, const char **why);
/* What the line's `telemetry` tells; behind `time`, before the rest. */
int simulate_telemetry_read(yyjson_val *root, struct arena *a,
                            struct simulate_request *out, const char **why);

/* What the lines are judged by; any part may be absent. */
struct simulate_rules {
    const struct security *security;
    const struct network *network; /* of security.ip */
    const struct abuse *abuse;
    const struct mail_set *blocklist, *exceptions;
    const struct mail_list *mail;
    const struct place_data *places;
    const struct waf_rules *waf;
    struct simulate_limit *limit;
    struct simulate_subjects *subjects; /* for GeoSentry and anomalies */
};

enum simulate_outcome {
    SIMULATE_PASS,
    SIMULATE_LOG,
    SIMULATE_CHALLENGE,
    SIMULATE_BLOCK
};

enum {
    SIMULATE_MATCHES_MAX = WAF_MATCHES_MAX + SECURITY_RULES_MAX,
    SIMULATE_FAULTS_MAX = 8, /* one a check */
};

struct simulate_verdict {
    enum simulate_outcome outcome;
    const char *code;     /* error.code of the refusal; "" */
    struct sv matches[SIMULATE_MATCHES_MAX]; /* rules by name, WAF ids */
    unsigned matches_n;
    unsigned score;       /* of the WAF */
    struct sv evidence;   /* what decided; in the arena */
    const char *faults[SIMULATE_FAULTS_MAX]; /* checks that could not be made */
    unsigned faults_n;
};
void simulate_judge(const struct simulate_rules *rules,
                    struct simulate_request *r, struct arena *a,
                    struct simulate_verdict *out);

struct simulate_mail {
    const char *code;   /* of the refusal; "" */
    const char *fault;  /* what could not be judged; NULL */
    struct sv evidence; /* in the arena */
};
void simulate_mail(const struct simulate_rules *rules,
                   const struct simulate_request *r, struct arena *a,
                   struct simulate_mail *out);

/* The global limit of an abuse profile over made-up time. */
struct simulate_limit *simulate_limit_new(const struct abuse *abuse);
void simulate_limit_free(struct simulate_limit **l);
/* False: refused. `key` is copied. */
bool simulate_limit_take(struct simulate_limit *l, struct sv key,
                         uint32_t cost, int64_t at_ms);

/* What GeoSentry and anomaly detection know of the subjects of the lines (the
 * token's id, else its subject) and of the application. */
struct simulate_subjects *simulate_subjects_new(void);
void simulate_subjects_free(struct simulate_subjects **s);
/* Requests without time, and for GeoSentry without token or place, are not
 * judged. The action asked for; the texts are static or the arena's. */
enum detector_action simulate_travel(struct simulate_subjects *s,
                                     const struct abuse *abuse,
                                     const struct simulate_request *r,
                                     struct arena *a, struct sv *evidence);
enum detector_action simulate_anomaly(struct simulate_subjects *s,
                                      const struct abuse *abuse,
                                      const struct simulate_request *r,
                                      struct sv *evidence);
/* After the answer, which may be our refusal; fresh findings as texts, at most
 * ANOMALY_PATTERNS. */
unsigned simulate_anomaly_add(struct simulate_subjects *s,
                              const struct abuse *abuse,
                              const struct simulate_request *r, bool refused,
                              struct arena *a, struct sv out[ANOMALY_PATTERNS]);

#endif
