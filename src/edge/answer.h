/* What /authenticate says (api.md §10), written straight into a buffer. Pure.
 *
 * An item is one object of `data`. A long metadata text lies in a file that
 * only a worker may read: the item then has a hole, filled later. */
#ifndef EDGE_ANSWER_H
#define EDGE_ANSWER_H

#include "base/buf.h"
#include "check/exchange.h"
#include "edge/question.h"

struct answer_hole {
    size_t at;          /* where the text is missing in the buffer; 0: no hole */
    uint32_t slot, tag; /* of the token whose metadata it is */
};

enum {
    /* Bytes of an item without the texts of a cold block. */
    ANSWER_ITEM_MAX = 1024,
};

/* One question's end. */
struct answer {
    const struct exchange *x; /* NULL: the question was none */
    enum reason reason;       /* NONE: it passed */
    const struct question_problem *problem; /* x NULL */
    bool detailed;            /* asked with a management key of the account */
};

/* data[i] of a batch, and the whole body of a single answer. *hole is set
 * (at != 0) when metadata is to be put in. */
void answer_item(struct buf *out, const struct answer *a, bool in_batch,
                 struct answer_hole *hole);
void answer_single(struct buf *out, const struct answer *a,
                   struct answer_hole *hole);

#endif
