/* Which operations of a document were asked for, and what was asked that it
 * does not know. Each reactor counts in memory of its own, without locks; the
 * control thread takes what came since it last looked.
 *
 *   reactor: counts[operation] += 1          (one store)
 *            ring of shapes that hit none -> drained by plan_coverage_take
 *
 * A shape is a method and a path whose segments that look like values (digits,
 * long ones) became "{}": so that the list of them stays short. A ring that is
 * full loses shapes; they are counted as others. */
#ifndef PLAN_COVERAGE_H
#define PLAN_COVERAGE_H

#include "base/sv.h"

enum {
    COVERAGE_SHAPE_MAX = 112,  /* bytes of "METHOD /path/{}" */
    COVERAGE_RING = 64,        /* shapes a reactor between two takes */
};

struct plan_coverage;

struct plan_coverage *plan_coverage_new(unsigned operations);
void plan_coverage_free(struct plan_coverage **c);

/* On reactor `r`'s thread (below PLAN_REACTORS_MAX). */
void plan_coverage_hit(struct plan_coverage *c, unsigned r, unsigned operation,
                       int64_t wall_ms);
void plan_coverage_missed(struct plan_coverage *c, unsigned r, struct sv method,
                          struct sv path, int64_t wall_ms);

struct plan_coverage_fns {
    void (*hit)(void *ctx, unsigned operation, uint64_t n, int64_t last_ms);
    void (*missed)(void *ctx, struct sv shape, int64_t last_ms);
    void (*lost)(void *ctx, uint64_t n); /* shapes that found the ring full */
};
/* Control thread. */
void plan_coverage_take(struct plan_coverage *c,
                        const struct plan_coverage_fns *fns, void *ctx);
/* "METHOD /a/{}"; returns its length. */
size_t plan_coverage_shape(struct sv method, struct sv path,
                           char out[COVERAGE_SHAPE_MAX]);

#endif
