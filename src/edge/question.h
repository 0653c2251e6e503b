/* The body of POST /authenticate and /authenticate/batch (api.md §10), read
 * strictly as JSON and kindly as a question: members that we do not know are
 * ignored at every depth, telemetry that cannot be read is absent. Pure; texts
 * live as long as the arena. */
#ifndef EDGE_QUESTION_H
#define EDGE_QUESTION_H

#include "base/ip.h"
#include "codec/json.h"

enum {
    QUESTION_BATCH_MAX = 100,
    QUESTION_SCOPES_MAX = 64,
    QUESTION_BODY_MAX = 1 << 20,
    QUESTION_COST_MAX = 1000000,
};

struct question {
    struct sv token;       /* without a leading "Bearer " */
    struct sv app_id;
    bool has_client;
    struct ip client;      /* telemetry.ipaddress */
    const yyjson_val *headers; /* telemetry.headers, an object; else NULL */
    struct sv method, url; /* telemetry's; "" none */
    bool has_certificate;  /* telemetry.certificate: the client's x5t#S256 */
    uint8_t certificate[32];
    int64_t at_ms;         /* telemetry.timestamp if near, else now */
    uint32_t cost;
    bool peek;
    unsigned scopes_n;
    struct sv scopes[QUESTION_SCOPES_MAX];
};

/* Why a body or a question is not one; both static. */
struct question_problem {
    const char *field; /* "" the whole body */
    const char *text;
};

struct questions {
    yyjson_val *only, *list; /* one of them */
    size_t n;
};

/* In the arena's memory. 0 or ERR_INVALID with *why, ERR_NOMEM. A batch is a
 * list, or an object with a list `questions`. */
int questions_open(struct questions *qs, struct sv body, bool batch,
                   struct arena *a, struct question_problem *why);
/* Question i < n. ERR_INVALID with *why. */
int questions_get(const struct questions *qs, size_t i, int64_t now_ms,
                  struct question *out, struct question_problem *why);
/* What `telemetry` alone tells, by the same reader: the rest of a question is
 * as if it had not been said. ERR_INVALID: not an object. */
int question_telemetry(yyjson_val *v, int64_t now_ms, struct question *out,
                       struct question_problem *why);

#endif
