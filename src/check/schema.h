/* What the check of schemas keeps a reactor, and how one request is judged. */
#ifndef CHECK_SCHEMA_H
#define CHECK_SCHEMA_H

#include "check/exchange.h"

/* How a request was judged: a metric's label. */
#define SCHEMA_OUTCOMES(X)                                                    \
    X(OK, "ok") X(VIOLATION, "violation") X(UNKNOWN, "unknown")               \
    X(OVER, "over") X(PASSED, "passed")
enum schema_outcome {
#define X(name, label) SCHEMA_OUTCOME_##name,
    SCHEMA_OUTCOMES(X)
#undef X
    SCHEMA_OUTCOME_COUNT
};
extern const char *const schema_outcome_labels[SCHEMA_OUTCOME_COUNT];

struct schema_stats { /* written by their reactor alone */
    _Atomic uint64_t requests[SCHEMA_OUTCOME_COUNT];
    _Atomic uint64_t answers[SCHEMA_OUTCOME_COUNT];
    _Atomic uint64_t worked;  /* judged by a worker */
};

/* A reactor's part, on its thread only. */
struct schema_lane {
    _Alignas(64) char *scratch; /* SCHEMA_SCRATCH_BYTES, at the first request */
    struct pattern_room *room;  /* the same */
    uint32_t answers;           /* that came: every so manyth is judged */
    struct schema_stats stats;
};

enum {
    SCHEMA_SCRATCH_BYTES = 64 << 10,
    /* A turn of the reactor; what takes more is judged by a worker. */
    SCHEMA_TURN_BYTES = 32 << 10,   /* of a body */
    SCHEMA_TURN_STEPS = 40000,
    SCHEMA_TURN_NS = 1000000,
    SCHEMA_TURN_ARENA_BYTES = 2 << 20,
    /* A worker. */
    SCHEMA_WORK_NS = 50000000,      /* of CPU */
    SCHEMA_SAYS_MAX = 32 << 10,     /* violations as JSON */
};

struct schema_lane *schema_lanes_new(unsigned reactors);
void schema_lanes_free(struct schema_lane **lanes, unsigned reactors);

/* --- one judgement, wherever it is made ---------------------------------------- */
struct schema_said {
    struct openapi_judgement j;
    struct sv violations; /* JSON array; "" none */
    struct sv evidence;   /* JSON object for the event */
};
/* Renders what was found into `a`: at most SCHEMA_SAYS_MAX and
 * FINDING_EVIDENCE_MAX bytes; what does not fit is told by "more". */
void schema_say(const struct plan_schema *s, const struct openapi_judgement *j,
                const struct schema_judge *found, struct arena *a,
                struct schema_said *out);

/* Is it a body of the profile's business: of a protected operation that has
 * one? By the head alone. True without a profile, or when it cannot be told. */
bool schema_wants_body(struct exchange *x);

/* --- answers of origins (`responses: log`) --------------------------------------- */
/* Is the answer to this request to be judged? Asked once, when it may pass. */
bool schema_answer_wanted(const struct exchange *x);
/* Its body is whole: a finding when it is not as the document says. */
void schema_answer_judge(struct exchange *x, const struct plan_schema *s,
                         const struct openapi_answer *answer);

/* --- between the files of the check ----------------------------------------------- */
struct schema_lane *schema_lane_of(const struct exchange *x);
/* What a judgement in this turn may cost; `work` is made, arena_fini ends it. */
struct schema_judge schema_turn(struct schema_lane *l, struct arena *work);
enum schema_outcome schema_outcome_of(const struct openapi_judgement *j);
void schema_count(_Atomic uint64_t *n);

#endif
