/* Tokens about which their issuer is asked (RFC 7662): what is to be asked,
 * what is being asked, and answers for as long as they are believed. One a
 * process, of a fixed size; whoever asks about a token that is being asked
 * about waits for the same answer.
 *
 *   reactor: introspections_ask ─> WAIT ─> … ─> KNOWN | FAILED
 *   reach:   introspections_take ─> POST ─> introspections_report
 *
 * Any thread, under a short lock: tokens that are known do not come here, they
 * are in the cache of verified tokens. */
#ifndef LIVE_INTROSPECTION_H
#define LIVE_INTROSPECTION_H

#include "base/arena.h"
#include "base/buf.h"

struct introspections;

enum {
    INTROSPECTION_KEY_BYTES = 32,
    INTROSPECTION_ANSWER_MAX = 16 * 1024,
    INTROSPECTION_FLIGHT_MAX = 128, /* waiting and being asked */
    INTROSPECTION_LEAST_MS = 1000,  /* any answer is believed so long */
    INTROSPECTION_INACTIVE_MS = 5000, /* at most, that a token does not hold */
    INTROSPECTION_FAILED_MS = 1000, /* then it is asked again */
};

struct introspections_conf {
    unsigned entries;          /* 0: 2048 */
    void (*wake)(void *ctx);   /* there is something to ask; short */
    void *ctx;
};
void introspections_new(struct introspections **out,
                        const struct introspections_conf *conf);
void introspections_free(struct introspections **t); /* wipes */

/* --- reactors --------------------------------------------------------------- */
struct introspection_ask {     /* copied */
    uint8_t key[INTROSPECTION_KEY_BYTES]; /* of all of these */
    struct sv url, authorization, token;
    uint32_t cache_s;
};
struct introspection_known {
    bool active;
    struct sv text;            /* the answer, JSON; in the arena */
    int64_t until_ms;          /* node clock */
};
/* WAIT: ask again in a while; it ends with the fetch. FAILED: nobody could say
 * (or the arena is spent). */
enum introspection { INTROSPECTION_WAIT, INTROSPECTION_KNOWN,
                     INTROSPECTION_FAILED };
enum introspection introspections_ask(struct introspections *t,
                                      const struct introspection_ask *ask,
                                      int64_t node_ms, struct arena *a,
                                      struct introspection_known *out);

/* --- who asks the issuer (one thread) ----------------------------------------- */
struct introspection_due {
    uint32_t ticket;
    struct sv url, authorization, token; /* until the report */
};
bool introspections_take(struct introspections *t,
                         struct introspection_due *out);
/* text p NULL: it failed. */
void introspections_report(struct introspections *t, uint32_t ticket,
                           bool active, struct sv text, int64_t node_ms);

void introspections_metrics(struct introspections *t, struct buf *out);

#endif
