/* What the control plane knows of HTTP: a request as values, an answer as
 * values. door.c makes the one and sends the other; tests do both by hand. */
#ifndef ADMIN_REQUEST_H
#define ADMIN_REQUEST_H

#include "base/buf.h"
#include "base/ip.h"
#include "codec/http.h"

enum {
    BODY_MAX_BYTES = 1 << 20,         /* api.md §1 */
    IMPORT_BODY_MAX_BYTES = 16 << 20,
    SCHEMA_BODY_MAX_BYTES = 32 << 20,
    ANSWER_MAX_BYTES = 64 << 20,
};

struct request {
    enum http_method method;
    struct sv path, query;       /* as sent, percent-encoded */
    struct sv authorization, content_type, content_encoding, accept;
    struct sv idempotency_key, if_match; /* "" absent */
    struct sv id;                /* X-Request-Id of the answer */
    struct sv body;
    struct ip peer;
    bool ops_open;               /* this listener needs no key for /metrics */
};

/* Everything but the fields that the door adds to each answer. */
struct answer {
    unsigned status;
    const char *content_type;    /* static; NULL: JSON */
    struct buf body;
    char allow[64], etag[48];    /* "" absent */
    unsigned retry_after_s;      /* 0 absent */
    bool replayed;               /* Idempotency-Replayed: true */
    bool challenge;              /* WWW-Authenticate: Bearer */
    /* An answer that waits for others is `held` by its handler, which calls
     * `release` when it is made; NULL: it cannot wait. Control thread, or when
     * that has ended. */
    bool held;
    void (*release)(struct answer *a);
};

static inline void answer_init(struct answer *a)
{
    *a = (struct answer){ 0 };
    buf_init(&a->body, ANSWER_MAX_BYTES);
}
static inline void answer_fini(struct answer *a)
{
    buf_fini(&a->body);
}

#endif
