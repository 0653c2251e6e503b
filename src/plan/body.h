/* How much of a request's body the checks of an application want to see
 * (gateway.md §1, step 11a): each profile says its wish, an image adds them
 * up. */
#ifndef PLAN_BODY_H
#define PLAN_BODY_H

#include <stdbool.h>
#include <stdint.h>

struct plan_body {
    uint32_t inspect_bytes; /* 0: nobody judges the body */
    bool over_blocks;       /* longer ones are refused; else pass, noted */
    bool blocks;            /* what cannot be judged (encoded) is refused */
    bool closed;            /* a fault (no memory for it) refuses as well */
};

/* Whether they judge a request's body is known by the request alone: a rule may
 * skip the WAF, a schema has operations without body, or not protected. */
enum { PLAN_BODY_WAF = 1, PLAN_BODY_SCHEMA = 2, PLAN_BODY_COUNT = 4 };
enum { PLAN_BODY_ALL = PLAN_BODY_WAF | PLAN_BODY_SCHEMA };

/* Who refuses longer bodies sets the length for all: what it lets pass is
 * whole for those who want more. Else the most that is wanted is taken in. */
static inline void plan_body_want(struct plan_body *all,
                                  const struct plan_body *one)
{
    bool more = one->inspect_bytes > all->inspect_bytes;
    if (!one->inspect_bytes) return;
    if (one->over_blocks == all->over_blocks) {
        if (more != one->over_blocks || !all->inspect_bytes)
            all->inspect_bytes = one->inspect_bytes;
    } else if (one->over_blocks) {
        all->inspect_bytes = one->inspect_bytes;
    }
    all->over_blocks |= one->over_blocks;
    all->blocks |= one->blocks;
    all->closed |= one->closed;
}

#endif
