/* Alerts between threads: what happened (any thread -> control), what is to be
 * sent (control -> reach), what came of it (reach -> control). Queues of a
 * fixed size, copies, short locks; nobody waits for a receiver. Texts that
 * hold a secret are wiped when they are taken.
 *
 *   any: alerts_raise ─> control: alerts_take ─> groups, messages, attempts
 *   control: alerts_send ─> reach: alerts_send_take ─> POST ─> alerts_report
 *   control: alerts_outcome_take <───────────────────────────────┘ */
#ifndef LIVE_ALERT_H
#define LIVE_ALERT_H

#include "base/buf.h"
#include "model/alert.h"

enum {
    ALERT_KEY_MAX = 128, ALERT_TITLE_MAX = 200, ALERT_DETAILS_MAX = 1024,
    ALERT_BODY_MAX = 32 * 1024, ALERT_PROBLEM_MAX = 160,
    ALERTS_QUEUE = 256, /* occurrences */
    ALERTS_SENDING = 16, /* messages on their way at once */
};

/* The same account, application, kind and key are the same thing. Texts have a
 * NUL and are valid UTF-8. */
struct alert_occurrence {
    struct id account_id;   /* "": of the server, every account's */
    struct id app_id;       /* "": of no application */
    enum alert_kind kind;
    enum alert_state state; /* EVENT, OPEN or RESOLVED */
    int64_t at_ms;          /* wall */
    uint32_t count;         /* times that it happened, >= 1 */
    int from, to;           /* QUOTA: percent used before and now;
                               CERTIFICATE: to: days left */
    char key[ALERT_KEY_MAX];         /* token's id, host name, code … */
    char title[ALERT_TITLE_MAX];     /* a short sentence */
    char details[ALERT_DETAILS_MAX]; /* JSON object, or "" */
};

struct alert_message {
    struct ulid id;
    uint16_t url_n;
    uint32_t body_n;
    int64_t at_ms;
    unsigned secrets_n;     /* both sign while an old one has grace */
    unsigned to_n;          /* mail addresses; 0: to url */
    uint16_t to_sizes[ALERT_TO_MAX], subject_n;
    char to[ALERT_TO_MAX][256], subject[ALERT_TITLE_MAX + 100];
    char url[ALERT_URL_MAX];
    char secrets[2][ALERT_SECRET_MAX]; /* with NUL */
    char body[ALERT_BODY_MAX];
};

struct alert_outcome {
    struct ulid id;
    bool delivered;
    unsigned status;        /* of the answer; 0: none came */
    uint32_t took_ms;
    char problem[ALERT_PROBLEM_MAX]; /* "" delivered */
};

struct alerts;
struct alerts_conf {
    void (*wake_reach)(void *ctx), (*wake_control)(void *ctx);
    void *ctx;
};
void alerts_new(struct alerts **out, const struct alerts_conf *conf);
void alerts_free(struct alerts **a);

/* One that waits already counts on. When there is no room it is dropped and
 * counted. Not for reactors: it takes a lock. */
void alerts_raise(struct alerts *a, const struct alert_occurrence *o);
bool alerts_take(struct alerts *a, struct alert_occurrence *out);

bool alerts_send(struct alerts *a, const struct alert_message *m); /* false: full */
bool alerts_send_take(struct alerts *a, struct alert_message *out);
void alerts_report(struct alerts *a, const struct alert_outcome *o);
bool alerts_outcome_take(struct alerts *a, struct alert_outcome *out);

/* Counted by the control thread. */
enum alerts_count { ALERTS_DELIVERED, ALERTS_FAILED, ALERTS_DEAD, ALERTS_LOST,
                    ALERTS_COUNTS };
void alerts_count(struct alerts *a, enum alerts_count what, uint64_t n);
void alerts_waiting(struct alerts *a, uint64_t n);
void alerts_metrics(struct alerts *a, struct buf *out);

#endif
