/* An exchange of the verify door.
 *
 *   on_request ─ body whole ─ read ─┬─ question i: chain ─┬─ judged ─ next …
 *                                   │              WAIT, WORK └─> suspended
 *                                   └─ not a question ─> 400
 *   all judged ─┬─ answered
 *               └─ metadata in files ─> worker ─> answered
 *
 * Nothing of a judged question is kept but its text in the answer and its
 * event. A question that waits keeps its exchange and its image; what it asks
 * is read again from the body. */
#ifndef EDGE_VERIFY_INT_H
#define EDGE_VERIFY_INT_H

#include "edge/answer.h"
#include "edge/edge_int.h"

enum {
    VERIFY_KEY_MAX = 256, /* a management key in Authorization */
    VERIFY_ANSWER_MAX = 8 << 20,
    QUESTION_BUDGET = 16 << 10, /* of a batch, what checks may remember */
    VERIFY_BODIES_MAX = 32 << 20, /* collected at a time, a reactor */
};

struct verify_judged { /* what an event needs of a question */
    struct sv app_id;  /* in the visit's arena */
    int64_t at_ms;
    struct ip client;
    uint8_t token_id[16];
    uint32_t token_slot;
    enum outcome outcome;
    const char *code;
    const struct findings *findings; /* NULL: none */
    struct visit_asked asked;
    struct sv subject;
    bool has_token;
    const struct step_times *times; /* NULL: not timed */
    struct event_counted counted;   /* app 0: none was found */
};

struct metadata_job;

struct verify {
    struct suspended suspended;
    struct metadata_job *job;     /* out on a worker */
    struct buf body;              /* collected, if it did not come whole */
    struct buf answer;            /* heap; unused by the plain single case */
    uint64_t length;              /* of the body, when announced */
    struct verify_judged *judged; /* of a batch, else &one */
    struct answer_hole *holes;    /* of a batch, else &one_hole */
    size_t judged_n;
    unsigned holes_n;
    struct exchange *kept;        /* memory for that of a question that waits */
    const struct plan_app *held;  /* its image; NULL: none waits */
    bool detailed;                /* of the present question: whoever asks
                                     holds a key of the account */
    bool batch, announced;
    bool begun, is_suspended, answered;
    struct verify_judged one;
    struct answer_hole one_hole;
    size_t key_n;
    char key[VERIFY_KEY_MAX];     /* wiped */
    struct visit v;               /* last: its text is not cleared */
};

void verify_answer(struct verify *vf, struct sv body);
/* metadata.c: the texts for the holes are read on a worker and put in, then
 * verify_answer is called. Without a worker they are null. */
void metadata_fetch(struct verify *vf);
void metadata_forget(struct verify *vf); /* the client has gone */

#endif
