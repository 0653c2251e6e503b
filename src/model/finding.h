/* What a detector or a check in `log` mode found about a request: evidence for
 * the event, never part of an answer (detectors.md). */
#ifndef MODEL_FINDING_H
#define MODEL_FINDING_H

#include "base/sv.h"
#include "model/detector.h"

struct finding {
    const char *code;            /* published reason, static: "geo_blocked" */
    enum detector_action action; /* what it asks for */
    bool enforced;               /* and that it was done: else observed only */
    struct sv evidence;          /* JSON object, or "" */
};

enum { FINDINGS_MAX = 8, FINDING_EVIDENCE_MAX = 4096 };

struct findings {
    struct finding at[FINDINGS_MAX];
    uint8_t n, lost; /* lost: there were more than fit */
};

/* `evidence` lies as long as the findings do. */
static inline void findings_add(struct findings *f, struct finding x)
{
    if (f->n == FINDINGS_MAX)
        f->lost += f->lost < UINT8_MAX;
    else
        f->at[f->n++] = x;
}

#endif
