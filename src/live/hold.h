/* What detectors hold: challenges that are open and blocks that last. The
 * state that refuses lies in the tables (live/track.h); here is the news of
 * it, from the reactors to the control thread, which writes it to the store
 * (it outlives a restart), shows it, and lets go of it.
 *
 *   reactor: holds_put ─> queue of a fixed size ─> control: holds_take ─> store
 *
 * A hold's id is made of whose it is and when it began, so that every refusal
 * can name it without a place to look it up in. */
#ifndef LIVE_HOLD_H
#define LIVE_HOLD_H

#include <stddef.h>

#include "model/detector.h"
#include "model/kind.h"

enum hold_detector { HOLD_TRAVEL = 1, HOLD_ANOMALY }; /* numbers are stored */

enum { HOLD_SUBJECT_MAX = 256, HOLD_EVIDENCE_MAX = 1024, HOLD_STATE_MAX = 64,
       HOLDS_QUEUE = 256 };

struct hold {
    struct ulid id;
    enum hold_detector detector;
    uint64_t key[2];               /* in the tables */
    enum detector_action action;   /* CHALLENGE, BLOCK */
    bool denied;                   /* by an administrator */
    int64_t opened_ms, ends_ms;    /* wall; ends 0: when somebody clears it */
    struct id account_id, app_id;
    bool has_token;
    struct ulid token;
    char subject[HOLD_SUBJECT_MAX]; /* of a JWT, cut; "" a token */
    uint16_t subject_n, evidence_n, state_n;
    char evidence[HOLD_EVIDENCE_MAX]; /* JSON object */
    uint8_t state[HOLD_STATE_MAX];  /* the detector's, as to be restored */
};

struct ulid hold_id(enum hold_detector detector, const uint64_t key[2],
                    int64_t from_s);

struct holds;
struct holds_conf {
    void (*wake)(void *ctx); /* the control thread; short, any thread */
    void *ctx;
};
void holds_new(struct holds **out, const struct holds_conf *conf);
void holds_free(struct holds **h);
/* Any thread; a copy under a short lock. False: the queue is full. */
bool holds_put(struct holds *h, const struct hold *hold);
/* False: there is none. */
bool holds_take(struct holds *h, struct hold *out);

struct holds_stats {
    uint64_t opened[3]; /* by detector */
    uint64_t lost;      /* tried again with the next refusal */
};
void holds_stats(struct holds *h, struct holds_stats *out);

#endif
