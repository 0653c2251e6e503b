/* What a refusal looks like (gateway.md §2): the envelope, its status and its
 * fields. The only place that turns a reason into HTTP. Bodies are rendered
 * once, at start. */
#ifndef EDGE_REPLY_H
#define EDGE_REPLY_H

#include "check/exchange.h"
#include "edge/cors.h"
#include "edge/limits.h"
#include "http/server.h"
#include "journal/journal.h"

struct replies; /* the rendered bodies; immutable */

int replies_new(struct replies **out);
void replies_free(struct replies **r);

/* Status, outcome for the journal. */
unsigned reason_status(enum reason reason);
enum outcome reason_outcome(enum reason reason);

struct refusal {
    enum reason reason;
    bool detail;            /* the application's detailResponse */
    bool dpop;              /* tokens are bound by DPoP: so is the challenge */
    unsigned status;        /* 0: the reason's own */
    uint32_t retry_after_s; /* 0: none is sent */
    struct sv limit;        /* detail: the limit that refused; "" none */
    struct sv challenge;    /* what holds the caller; "" none */
    struct sv claim;        /* detail: the claim that refused; "" none */
    struct sv violations;   /* detail: JSON array; "" none */
    struct sv allow;        /* with 405; "" none */
    struct sv request_id;
    const struct http_field *limits; /* RateLimit … */
    size_t limits_n;
    const struct cors_answer *cors; /* NULL: none */
};

enum { REPLY_FIELDS_MAX = 9 + LIMITS_FIELDS_MAX + PREFLIGHT_FIELDS_MAX,
        REPLY_TEXT_MAX = 4096 };

struct reply { /* to be given to http_stream_answer */
    struct http_reply head;
    struct sv body;
    struct http_field fields[REPLY_FIELDS_MAX];
};
/* `text` (REPLY_TEXT_MAX bytes) holds what is not constant. */
void reply_refusal(const struct replies *r, const struct refusal *why,
                   struct buf *text, struct reply *out);

/* Refusals of HTTP itself, which no application words: an envelope written
 * into `text`. `field` "" none; `allow` "" none. */
struct problem {
    unsigned status;
    struct sv code, message, field, allow;
};
void problem_body(const struct problem *p, struct buf *text);
void reply_problem(const struct problem *p, struct sv request_id,
                   struct buf *text, struct reply *out);
/* A route's own answer. */
void reply_own(unsigned status, struct sv content_type, struct sv body,
               struct sv request_id, struct reply *out);
void reply_cors(const struct cors_answer *cors, struct reply *out);
/* 200 with a JSON body. */
void reply_json(struct sv body, struct sv request_id, struct reply *out);

#endif
